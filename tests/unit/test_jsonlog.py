"""Log lines are JSON, one a line, and hold no credentials."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pawl import jsonlog


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What is logged; afterwards everything goes where it went."""
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level, stream = root.level, io.StringIO()
    jsonlog.configure(stream, logging.INFO, stage="train")
    try:
        yield stream
    finally:
        logging.captureWarnings(False)
        root.handlers[:], root.level = before, level


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_says_what_is_always_there_and_its_own_fields(out: io.StringIO):
    fields = {"rows": np.int64(3), "uri": "s3://key:secret@bucket/a"}
    logging.getLogger("pawl.x").warning("reading %s", "a\nb", extra={"fields": fields})
    (line,) = lines(out)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "pawl.x",
        "stage": "train",
        "message": "reading a\nb",
        "rows": 3,
        "uri": "s3://***@bucket/a",
    }


def test_no_part_of_a_line_holds_credentials(out: io.StringIO):
    uri = "s3://key:secret@bucket/a"
    try:
        raise OSError(uri)
    except OSError:
        logging.getLogger("pawl").exception("reading %s", uri, extra={"fields": {"uri": uri}})
    (line,) = lines(out)
    assert "OSError" in line["traceback"]
    assert "secret" not in out.getvalue()


def test_what_is_no_text_and_no_json_is_shown_all_the_same():
    """Not logged: pytest keeps what is, and cannot send such a text to another process."""
    record = logging.makeLogRecord({"msg": "\udce4.csv", "fields": {"at": sys}})
    line = json.loads(jsonlog.JsonFormatter().format(record))
    assert line["message"] == "?.csv"
    assert "sys" in line["at"]


async def test_a_block_has_fields_that_every_line_of_it_has(out: io.StringIO):
    log = logging.getLogger("pawl.x")

    async def later() -> None:
        log.warning("in a task")

    with jsonlog.about(object="Deployment/ml/churn", reason="old"):
        with jsonlog.about(stage="s"):
            log.warning("inside", extra={"fields": {"reason": "own"}})
            task = asyncio.create_task(later())
        log.warning("outside")
    await task
    log.warning("after")
    found = [
        {key: line[key] for key in ("message", "object", "reason") if key in line}
        for line in lines(out)
    ]
    about = {"object": "Deployment/ml/churn", "reason": "old"}
    assert found == [
        {"message": "inside", **about, "reason": "own"},
        {"message": "outside", **about},
        {"message": "in a task", **about},
        {"message": "after"},
    ]
