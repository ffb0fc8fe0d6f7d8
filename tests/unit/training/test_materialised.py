"""Columns as of a time are computed once, and found again by all that decides them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pawl.api.data import Data
from pawl.artifacts.runs import RunConfig
from pawl.training import joins
from pawl.training.gather import gather


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two rows, and a plan that has changed between them."""
    (tmp_path / "rows.csv").write_text("id,at,y\na,2026-01-02,1\na,2026-01-09,0\n")
    (tmp_path / "plans.csv").write_text("id,since,plan\na,2026-01-01,basic\na,2026-01-05,pro\n")
    return tmp_path


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources whose columns were computed."""
    made: list[str] = []
    compute = joins.columns

    def counted(table: pa.Table, other: pa.Table, source: Any, time: str | None) -> pa.Table:
        made.append(source.name)
        return compute(table, other, source, time)

    monkeypatch.setattr(joins, "columns", counted)
    return made


def _plans(lake: Path, namespace: str = "team", **source: Any) -> list[str | None]:
    plans = {
        "name": "plans",
        "uri": (lake / "plans.csv").as_uri(),
        "key": ["id"],
        "asOf": {"time": "since"},
    }
    data = {
        "uri": (lake / "rows.csv").as_uri(),
        "task": "binary",
        "target": "y",
        "timeColumn": "at",
        "sources": [plans | source],
    }
    store = (lake / "store").as_uri()
    config = RunConfig.model_construct(store=store, namespace=namespace)
    table = gather(Data.model_validate(data), lake / "scratch", config).table
    found: list[str | None] = table.column("plan").to_pylist()
    return found


def _kept(lake: Path) -> list[Path]:
    return sorted((lake / "store" / "features" / "team").glob("*.parquet"))


def test_the_same_again_is_not_computed_again(lake: Path, computed: list[str]) -> None:
    assert _plans(lake) == _plans(lake, name="renamed") == ["basic", "pro"]
    assert computed == ["plans"]
    assert len(_kept(lake)) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"asOf": {"time": "since", "maxAge": "1d"}}, id="definition"),
        pytest.param({"columns": ["plan"]}, id="columns"),
        pytest.param({"how": "inner"}, id="how"),
    ],
)
def test_another_definition_is_computed(
    lake: Path, computed: list[str], change: dict[str, Any]
) -> None:
    _plans(lake)
    _plans(lake, **change)
    assert computed == ["plans", "plans"]
    assert len(_kept(lake)) == 2


@pytest.mark.parametrize("name", ["rows.csv", "plans.csv"])
def test_other_content_is_computed(lake: Path, computed: list[str], name: str) -> None:
    _plans(lake)
    path = lake / name
    path.write_text(path.read_text().replace("2026-01-05", "2026-01-06").replace("01-09", "01-08"))
    _plans(lake)
    assert computed == ["plans", "plans"]


def test_a_namespace_has_its_own(lake: Path, computed: list[str]) -> None:
    _plans(lake)
    _plans(lake, "other")
    assert computed == ["plans", "plans"]


@pytest.mark.parametrize("content", [b"", b"no parquet"], ids=["empty", "spoilt"])
def test_what_cannot_be_read_is_made_anew(lake: Path, computed: list[str], content: bytes) -> None:
    _plans(lake)
    (path,) = _kept(lake)
    path.write_bytes(content)
    assert _plans(lake) == ["basic", "pro"]
    assert _plans(lake) == ["basic", "pro"]
    assert computed == ["plans", "plans"]
