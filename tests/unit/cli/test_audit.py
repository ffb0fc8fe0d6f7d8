"""`pawl audit`: the decision record, read from the store."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest
from commandline import pawl

from pawl.errors import UserError

NAMES = (f"audited{number}" for number in itertools.count())


def line(store: Path, at: str, **content: Any) -> None:
    folder = store / "decisions" / "default" / "ml" / "churn" / "log"
    folder.mkdir(parents=True, exist_ok=True)
    body = orjson.dumps({"at": at, **content})
    (folder / f"{at.replace(':', '')}-{len(list(folder.iterdir()))}.json").write_bytes(body)


@pytest.fixture
def name(api: Any, tmp_path: Path) -> str:
    """A Deployment whose artifact lies in a store with a record."""
    name = next(NAMES)
    uri = f"{tmp_path.as_uri()}/bundles/ml/churn/{'1' * 64}"
    stable = {"name": "churn-v1", "version": 1, "uri": uri, "digest": "sha256:" + "1" * 64}
    api.deployment(name, {"observedGeneration": 1, "stable": stable})
    line(
        tmp_path, "2026-11-21T12:00:00Z", command="approve", version="churn-v2", by="kubectl-edit",
        reason="the board agreed",
    )  # fmt: skip
    line(
        tmp_path, "2026-11-21T12:01:00Z", deployment=name, command="promote", version="churn-v2",
        by="pawl-cli", user="alice", reason="looks good",
    )  # fmt: skip
    line(
        tmp_path, "2026-11-21T12:02:00Z", deployment=name, reason="Promoted", version="churn-v2",
        message="all gates passed",
    )  # fmt: skip
    line(tmp_path, "2026-11-21T12:03:00Z", deployment="another", reason="Promoted", version="x")
    return name


def test_the_table_tells_who_what_and_why(name: str):
    rows = [line for line in pawl("audit", f"mdep/{name}").splitlines() if "churn-v2" in line]
    words = [[part.strip() for part in row.split("│")[1:-1]] for row in rows]
    assert words == [
        ["2026-11-21T12:00:00Z", "approve", "churn-v2", "kubectl-edit", "the board agreed"],
        ["2026-11-21T12:01:00Z", "promote", "churn-v2", "alice", "looks good"],
        ["2026-11-21T12:02:00Z", "Promoted", "churn-v2", "pawl", "all gates passed"],
    ]


def test_json_is_one_line_each_and_the_newest_are_kept(name: str):
    lines = [
        orjson.loads(text)
        for text in pawl("audit", name, "-o", "json", "--limit", "2").splitlines()
    ]
    assert [found["at"][14:16] for found in lines] == ["01", "02"]


def test_another_installation_has_another_record(name: str):
    assert pawl("audit", name, "-o", "json", "--installation", "other") == ""


def test_without_a_served_bundle_the_store_has_to_be_named(api: Any, tmp_path: Path):
    name = next(NAMES)
    api.deployment(name)
    with pytest.raises(UserError, match="--store"):
        pawl("audit", name)
    line(tmp_path, "2026-11-21T12:00:00Z", deployment=name, reason="Promoted", version="churn-v1")
    assert "Promoted" in pawl("audit", name, "--store", tmp_path.as_uri())


def test_a_form_that_there_is_not():
    with pytest.raises(UserError, match="table or json"):
        pawl("audit", "x", "-o", "yaml")
