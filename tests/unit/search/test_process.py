"""The process of a search: lines in, lines out; the operator's side of it."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from pawl.api.search import Search
from pawl.control.studies import Studies
from pawl.search.__main__ import serve
from pawl.search.protocol import Begin, Known, Reply, Request

SEARCH: dict[str, Any] = {
    "algorithm": "random",
    "objectives": [{"metric": "log_loss"}],
    "parameters": [{"name": "x", "type": "double", "min": 0, "max": 1}],
}


def begin(**changes: Any) -> Begin:
    return Begin(search=Search.model_validate({**SEARCH, **changes}), seed=3)


def said(*lines: str) -> list[Reply]:
    sink = io.BytesIO()
    serve(io.BytesIO("".join(f"{line}\n" for line in lines).encode()), sink)
    return [Reply.model_validate_json(line) for line in sink.getvalue().splitlines()]


def test_a_request_a_line_is_an_answer_a_line():
    first, second = said(
        begin().model_dump_json(by_alias=True),
        Request(ask=2).model_dump_json(by_alias=True),
        Request(ask=1).model_dump_json(by_alias=True),
    )
    assert [p.number for p in (*first.proposals, *second.proposals)] == [0, 1, 2]
    assert [p.beside for p in (*first.proposals, *second.proposals)] == [(), (0,), (0, 1)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param(["{}", Request().model_dump_json()], "Field required", id="no search"),
        pytest.param(
            [begin().model_dump_json(by_alias=True), "nonsense"], "Invalid JSON", id="no request"
        ),
        pytest.param(
            [
                begin(
                    algorithm="grid",
                    parameters=[{"name": "n", "type": "int", "min": 1, "max": 20_000}],
                ).model_dump_json(by_alias=True),
                Request(ask=1).model_dump_json(),
            ],
            "more than 10,000 points",
            id="too large a grid",
        ),
    ],
)
def test_what_cannot_go_on_is_told_in_a_sentence(lines: list[str], words: str):
    *_, last = said(*lines)
    assert words in last.error


class Asked:
    """Looks until there is an answer."""

    def __init__(self, studies: Studies) -> None:
        self.studies = studies
        self.woken = asyncio.Event()

    async def proposals(self, known: dict[int, Known], wanted: int) -> Reply:
        while True:
            reply = self.studies.look("k", begin(), known, wanted, self.woken.set)
            if len(reply.proposals) == wanted or reply.error:
                return reply
            self.woken.clear()
            await asyncio.wait_for(self.woken.wait(), 60)


async def test_another_process_goes_on_where_the_first_one_died():
    """And what was proposed is kept until the trial is there."""
    studies = Studies()
    asked = Asked(studies)
    try:
        first = await asked.proposals({}, 1)
        assert (await asked.proposals({}, 1)).proposals == first.proposals
        (zero,) = first.proposals
        known = {0: Known(**zero.model_dump(), outcome="Succeeded", values=(0.5,))}
        one = await asked.proposals(known, 1)
        studies.end("k")
        assert (await asked.proposals(known, 1)).proposals == one.proposals
    finally:
        await studies.close()


async def test_a_search_that_is_impossible_is_told_to_who_looks():
    studies = Studies()
    try:
        wide = begin(
            algorithm="grid", parameters=[{"name": "n", "type": "int", "min": 1, "max": 20_000}]
        )
        woken = asyncio.Event()
        studies.look("k", wide, {}, 1, woken.set)
        await asyncio.wait_for(woken.wait(), 60)
        assert "10,000 points" in studies.look("k", wide, {}, 1, woken.set).error
    finally:
        await studies.close()
