"""csv, parquet and JSON lines become the same table."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.errors import DataError
from pawl.training.source import collect
from pawl.training.tables import TIMESTAMP, read_table, text

ROWS = {
    "id": ["007", "008", "009"],
    "n": [1, 2, 3],
    "x": [0.5, None, 2.0],
    "flag": [True, False, True],
    "plan": ["basic", "pro", ""],
}
CSV = "id,n,x,flag,plan\n007,1,0.5,true,basic\n008,2,,false,pro\n009,3,2.0,true,\n"
JSONL = "\n".join(
    [
        '{"id":"007","n":1,"x":0.5,"flag":true,"plan":"basic"}',
        '{"id":"008","n":2,"flag":false,"plan":"pro"}',
        '{"id":"009","n":3,"x":2.0,"flag":true,"plan":""}',
    ]
)


def _read(path: Path, text_columns: tuple[str, ...] = ("id",), format_: str = "auto") -> pa.Table:
    uri = path.as_uri()
    return read_table(collect(uri, format_, path.parent / "fetched"), frozenset(text_columns))


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def put(name: str, content: str | bytes | dict[str, Any]) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, dict):
            pq.write_table(pa.table(content), path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv.gz", gzip.compress(CSV.encode())),
        ("a.jsonl", JSONL),
        ("a.ndjson.gz", gzip.compress(JSONL.encode())),
        ("a.parquet", ROWS),
    ],
    ids=["csv", "csv.gz", "jsonl", "ndjson.gz", "parquet"],
)
def test_every_format_gives_the_same_rows(write: Any, name: str, content: Any) -> None:
    assert _read(write(name, content)).to_pydict() == ROWS


def test_identifiers_stay_text_though_they_look_like_numbers(write: Any) -> None:
    assert _read(write("a.csv", CSV)).column("id").to_pylist() == ["007", "008", "009"]
    assert _read(write("b.csv", CSV), ()).column("id").to_pylist() == [7, 8, 9]


def test_whole_numbers_become_text_without_a_point(write: Any) -> None:
    path = write("a.parquet", {"id": [1.0, None, 12345678901.0]})
    assert _read(path).column("id").to_pylist() == ["1", None, "12345678901"]
    assert text(pa.chunked_array([[1.5, 2.0]])).to_pylist() == ["1.5", "2"]


def test_a_folder_is_read_in_the_order_of_names(write: Any) -> None:
    write("b.csv", "n\n3\n4\n")
    write("_SUCCESS", "")
    write(".hidden.csv", "n\n9\n")
    folder = write("a.csv", "n\n1\n2\n").parent
    assert _read(folder, ()).column("n").to_pylist() == [1, 2, 3, 4]


def test_a_glob_chooses(write: Any) -> None:
    write("2025.csv", "n\n1\n")
    path = write("2026.csv", "n\n2\n")
    uri = path.parent.as_uri() + "/2026*.csv"
    table = read_table(collect(uri, "auto", path.parent), frozenset())
    assert table.column("n").to_pylist() == [2]


def test_numbers_here_and_text_there_are_text(write: Any) -> None:
    write("a.csv", "n,m\n1,1\n")
    folder = write("b.csv", "n,m\nmany,1.5\n").parent
    table = _read(folder, ())
    assert table.column("n").to_pylist() == ["1", "many"]
    assert table.column("m").to_pylist() == [1.0, 1.5]


def test_a_late_value_widens_the_type(write: Any) -> None:
    """pyarrow infers a csv column from its first block (32 MiB)."""
    head = "n,pad\n" + f"1,{'x' * 1000}\n" * 34_000
    table = _read(write("a.csv", head + "1.5,x\n"), ())
    assert table.column("n").type == pa.float64()
    table = _read(write("b.csv", head + "many,x\n"), ())
    assert table.column("n").to_pylist()[-1] == "many"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([1], pa.uint8()), pa.int64()),
        (pa.array([1.0], pa.float32()), pa.float64()),
        (pa.array([Decimal("1.5")]), pa.float64()),
        (pa.array(["a"], pa.large_string()), pa.string()),
        (pa.array(["a"]).dictionary_encode(), pa.string()),
        (pa.array([date(2026, 1, 1)]), TIMESTAMP),
        (pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC")), TIMESTAMP),
    ],
    ids=str,
)
def test_columns_have_few_kinds(write: Any, column: Any, kind: Any) -> None:
    assert _read(write("a.parquet", {"c": column}), ()).column("c").type == kind


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.csv": "n\n"}, "have no rows"),
        ({"a.csv": "n,n\n1,2\n"}, "column n occurs twice"),
        ({"a.csv": "n\n1\n", "b.csv": "m\n1\n"}, "column m is missing in .*a.csv"),
        ({"a.parquet": "nonsense"}, "not readable as parquet"),
        ({"a.jsonl": "{"}, "not readable as jsonl"),
        ({"a.csv": "a,b\n1\n"}, "not readable as csv: .*Expected 2 columns, got 1"),
    ],
)
def test_what_cannot_be_read_is_told(write: Any, files: dict[str, str], said: str) -> None:
    paths = [write(name, content) for name, content in files.items()]
    with pytest.raises(DataError, match=said):
        _read(paths[0].parent, ())
