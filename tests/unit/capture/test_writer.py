"""From finished segments to parquet, once each."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.store import Store, open_store
from pawl.capture import spool
from pawl.capture.spool import Segment
from pawl.capture.writer import Writer
from pawl.errors import StoreError

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
HEAD = {
    "model": "churn",
    "version": "7",
    "columns": [
        {"name": "age", "type": "number"},
        {"name": "vip", "type": "boolean"},
        {"name": "email", "type": "text"},
    ],
    "numbers": 2,
    "label": {"name": "pawl_label", "type": "text"},
    "value": {"name": "pawl_value", "type": "number"},
    "hashed": ["email"],
}


def line(id_: str, age: float | None = 1.0, at: float = NOON) -> bytes:
    numbers = np.array([[age, 1.0], [2.5, np.nan]], dtype="<f8").tobytes()
    row = {
        "id": [id_], "t": at, "r": [0], "n": [2], "g": ["new"], "w": [0.25], "b": len(numbers),
        "v": [["ab", None]], "y": ["yes", None], "p": [0.75, None],
    }  # fmt: skip
    return json.dumps(row).encode() + b"\n" + numbers


def segment(folder: Path, name: str = "pod-1-1", *lines: bytes, kind: Any = "predictions") -> None:
    made = Segment(folder, kind, name, HEAD if kind == "predictions" else {"model": "churn"})
    for one in lines or [line("a")]:
        made.append(one, 2, NOON)
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "lake").as_uri())


def read(store: Store, path: str) -> pa.Table:
    return pq.read_table(Path(store.uri.removeprefix("file://")) / path, partitioning=None)


def test_a_segment_becomes_one_file_named_by_version_and_day(folder: Path, store: Store) -> None:
    segment(folder, "pod-1-1", line("a"), line("b", None))
    assert Writer(folder, store).once() == 1
    (path,) = store.list(".")
    assert path == "predictions/version=7/date=2026-11-26/pod-1-1.parquet"
    table = read(store, path)
    assert table.to_pylist()[2] == {
        "pawl_model": "churn", "pawl_id": "b", "pawl_row": 0, "pawl_group": "new",
        "pawl_time": datetime(2026, 11, 26, 12, tzinfo=UTC), "pawl_version": "7",
        "pawl_weight": 0.25, "pawl_label": "yes", "pawl_value": 0.75,
        "age": None, "vip": True, "email": "ab",
    }  # fmt: skip
    assert table.column("pawl_row").to_pylist() == [0, 1, 0, 1]
    assert table.schema.field("vip").type == pa.bool_()
    assert json.loads(table.schema.metadata[b"pawl"]) == {"model": "churn", "hashed": ["email"]}
    assert spool.names(folder) == []


def test_feedback_goes_to_files_of_its_own(folder: Path, store: Store) -> None:
    told = {
        "id": "a", "t": NOON, "r": 0, "n": 3, "g": None, "version": "6", "age": 86_400.0,
        "truth": ["yes", True, 1.0],
    }  # fmt: skip
    segment(folder, "pod-1-2", json.dumps(told).encode(), kind="feedback")
    Writer(folder, store).once()
    (path,) = store.list(".")
    assert path == "feedback/date=2026-11-26/pod-1-2.parquet"
    table = read(store, path)
    assert table.column("pawl_truth").to_pylist() == ["yes", "true", "1"]
    assert table.column("pawl_version").to_pylist() == ["6"] * 3
    assert table.column("pawl_age").to_pylist() == [86_400.0] * 3


def test_a_segment_that_is_being_written_is_left_alone(folder: Path, store: Store) -> None:
    made = Segment(folder, "predictions", "pod-1-1", HEAD)
    made.append(line("a"), 2, NOON)
    assert Writer(folder, store).once() == 0
    made.close()
    assert Writer(folder, store).once() == 1


def test_a_segment_of_a_server_that_was_killed_is_finished(folder: Path, store: Store) -> None:
    made = Segment(folder, "predictions", "pod-1-1", HEAD)
    made.append(line("a"), 2, NOON)
    os.write(made._file.fileno(), line("b")[:20])
    made._file.close()  # as the kernel does
    assert Writer(folder, store).once() == 1
    (path,) = store.list(".")
    assert read(store, path).column("pawl_id").to_pylist() == ["a", "a"]


def test_a_writer_that_died_after_writing_writes_nothing_twice(folder: Path, store: Store) -> None:
    segment(folder)
    (path,) = spool.names(folder)
    again = path.read_bytes()
    Writer(folder, store).once()
    path.write_bytes(again)
    assert Writer(folder, store).once() == 1
    assert len(store.list(".")) == 1
    assert spool.names(folder) == []


def test_while_the_store_is_down_segments_stay(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(folder)
    with monkeypatch.context() as patch:

        def down(*_: Any) -> None:
            raise StoreError("no answer")

        patch.setattr(store, "put_file", down)
        with pytest.raises(StoreError):
            Writer(folder, store).once()
        assert len(spool.names(folder)) == 1
    assert Writer(folder, store).once() == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no json\n" + line("a"), id="no head"),
        pytest.param(json.dumps({"format": 2, "kind": "predictions"}).encode(), id="newer"),
    ],
)
def test_what_cannot_be_read_is_said_and_dropped(
    content: bytes, folder: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    segment(folder)
    (path,) = spool.names(folder)
    path.write_bytes(content)
    Writer(folder, store).once()
    assert store.list(".") == []
    assert spool.names(folder) == []
    assert "cannot be read" in caplog.text


def test_it_ends_only_when_the_servers_are_gone(folder: Path, store: Store) -> None:
    serving = Segment(folder, "predictions", "pod-1-1", HEAD)
    stop = Event()
    stop.set()
    writer = Thread(target=Writer(folder, store).run, args=(stop,))
    writer.start()
    serving.append(line("a"), 2, NOON)
    assert writer.is_alive()
    serving.close()
    writer.join(10)
    assert not writer.is_alive()
    assert len(store.list(".")) == 1


def test_old_files_are_deleted(folder: Path, store: Store) -> None:
    today = time.time()
    segment(folder, "pod-1-1", line("a", at=today - 3 * 86_400))
    segment(folder, "pod-1-2", line("b", at=today))
    store.put("predictions/version=7/date=2020-01-01/notes.txt", b"not ours")
    stop = Event()
    stop.set()
    Writer(folder, store, retention=86_400.0).run(stop)
    left = store.list(".")
    assert [path.rpartition("/")[2] for path in left] == ["notes.txt", "pod-1-2.parquet"]
