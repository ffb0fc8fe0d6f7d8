"""Stores that are not folders: s3 (conditional puts, outages) and http (reading only)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from pawl.artifacts import bundle
from pawl.artifacts.retry import CONNECT_SECONDS, READ_SECONDS, Retry
from pawl.artifacts.store import Store, open_store
from pawl.errors import ConflictError, NotAllowedError, StoreError
from pawl.training.source import collect
from pawl.training.tables import read_table

NO_WAIT = Retry(attempts=3, sleep=lambda _: None)


@pytest.fixture
def store(s3: Any) -> Iterator[Store]:
    with open_store("s3://bucket/pawl", retry=NO_WAIT) as store:
        yield store


def test_what_is_put_can_be_got(store: Store, s3: Any) -> None:
    store.put("runs/a/result.json", b"{}")
    assert s3.blobs == {"pawl/runs/a/result.json": b"{}"}
    assert store.get("runs/a/result.json", max_bytes=10) == b"{}"
    assert store.exists("runs/a/result.json")
    assert not store.exists("runs/b/result.json")
    assert store.list("runs") == ["runs/a/result.json"]


def test_how_large_and_how_old_a_blob_is(store: Store, s3: Any) -> None:
    store.put("a", b"12345")
    assert store.size("a") == 5
    assert store.modified("a") == datetime(2026, 7, 1, tzinfo=UTC).timestamp()  # as S3 says
    for ask in (store.size, store.modified):
        with pytest.raises(FileNotFoundError):
            ask("none")


def test_what_is_deleted_is_gone(store: Store, s3: Any) -> None:
    store.put("a", b"1")
    store.put("b", b"2")
    store.delete("a")
    assert s3.blobs == {"pawl/b": b"2"}


def test_a_second_put_is_a_conflict(store: Store, s3: Any) -> None:
    store.put("a", b"first")
    with pytest.raises(ConflictError):
        store.put("a", b"second")
    assert s3.blobs["pawl/a"] == b"first"


def test_of_many_that_put_at_once_exactly_one_wins(s3: Any) -> None:
    def attempt(i: int) -> bool:
        try:
            with open_store("s3://bucket/pawl", retry=NO_WAIT) as store:
                store.put("race", str(i).encode())
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(attempt, range(4)))
    assert won.count(True) == 1
    assert s3.blobs["pawl/race"] == str(won.index(True)).encode()


def test_a_bundle_goes_there_and_back(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.skops").write_bytes(b"x" * 3_000_000)
    (folder / "signature.json").write_text("{}")
    uri, digest, _ = bundle.write_bundle(store, "team", "churn", folder)
    into = tmp_path / "into"
    bundle.fetch_bundle(uri, digest, into, retry=NO_WAIT)
    assert bundle.verify_bundle(into, digest)
    assert bundle.write_bundle(store, "team", "churn", folder)[:2] == (uri, digest)
    assert (into / "model.skops").read_bytes() == b"x" * 3_000_000


def test_an_outage_is_waited_out(store: Store, s3: Any) -> None:
    s3.faults = 2
    store.put("a", b"x")
    s3.faults = 2
    assert store.get("a", max_bytes=9) == b"x"


def test_denied_access_is_told_without_the_key(store: Store, s3: Any) -> None:
    s3.deny = True
    with pytest.raises(StoreError, match="access denied") as told:
        store.put("a", b"x")
    assert "hunter2" not in str(told.value)


@pytest.fixture(params=["refused", "no connection", "no answer"])
def dead(
    request: pytest.FixtureRequest, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[float]:
    """An endpoint that is of no use; gives the seconds after which one try must have ended."""
    with open_store("s3://bucket/pawl") as store:
        store.exists("a")  # imports s3fs, which takes its time
    with ExitStack() as open_:
        server = open_.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        if request.param != "refused":
            server.listen(0)
        if request.param == "no connection":  # the queue is full: the kernel answers no more
            for _ in range(3):
                client = open_.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(server.getsockname())
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        limits = {"refused": 0, "no connection": CONNECT_SECONDS, "no answer": READ_SECONDS}
        yield limits[request.param]


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        pytest.param("reading", lambda store: store.get("a", max_bytes=9), id="read"),
        pytest.param("writing", lambda store: store.put("a", b"x"), id="write"),
    ],
)
def test_one_layer_tries_again_and_a_try_is_bounded(dead: float, verb: str, call: Any) -> None:
    """botocore and s3fs left to themselves take half a minute, and for ever when they write."""
    start = monotonic()
    with (
        open_store("s3://bucket/pawl", retry=Retry(attempts=1)) as store,
        pytest.raises(StoreError, match=f"{verb} s3://bucket/pawl/a: no answer after 1 try"),
    ):
        call(store)
    assert monotonic() - start < dead + 10


def test_http_can_be_read_but_not_written(s3: Any) -> None:
    s3.blobs["m/manifest.json"] = b"{}"
    with open_store(f"{s3.url}/bucket/m", retry=NO_WAIT) as store:
        assert store.get("manifest.json", max_bytes=9) == b"{}"
        assert not store.exists("other.json")
        with pytest.raises(NotAllowedError, match="can only be read"):
            store.put("a", b"x")


@pytest.mark.parametrize("uri", ["s3://bucket/m", "{url}/bucket/m"])
def test_a_closed_store_leaves_no_connection_and_opens_again(s3: Any, uri: str) -> None:
    s3.blobs["m/a"] = b"x"
    with open_store(uri.format(url=s3.url), retry=NO_WAIT) as store:
        assert store.exists("a")
        assert s3.connections == 1
    assert s3.all_hung_up()
    assert store.exists("a")
    store.close()
    assert s3.all_hung_up()


def test_data_that_are_read_leave_no_connection(s3: Any, tmp_path: Path) -> None:
    s3.blobs["lake/a.csv"] = CSV
    collect("s3://bucket/lake", "auto", tmp_path, retry=NO_WAIT)
    assert s3.all_hung_up()


CSV = b"id,x\n1,0.5\n2,1.5\n"


@pytest.mark.parametrize(
    ("uri", "rows"),
    [
        ("s3://bucket/lake/a.csv", 2),
        ("s3://bucket/lake", 4),
        ("s3://bucket/lake/*.csv", 2),
        ("{url}/bucket/lake/a.csv", 2),
        ("{url}/bucket/lake/a.csv?version=3", 2),
    ],
)
def test_data_are_read_from_afar(s3: Any, tmp_path: Path, uri: str, rows: int) -> None:
    s3.blobs["lake/a.csv"] = CSV
    s3.blobs["lake/b.jsonl"] = b"\n".join(
        json.dumps({"id": str(i), "x": float(i)}).encode() for i in (3, 4)
    )
    s3.blobs["lake/_SUCCESS"] = b""
    files = collect(uri.format(url=s3.url), "auto", tmp_path, retry=NO_WAIT)
    assert read_table(files, frozenset({"id"})).num_rows == rows


@pytest.mark.parametrize("uri", ["s3://bucket/none.csv", "{url}/bucket/none.csv"])
def test_data_that_are_not_there_are_told(s3: Any, tmp_path: Path, uri: str) -> None:
    from pawl.errors import DataError

    with pytest.raises(DataError, match="does not exist"):
        collect(uri.format(url=s3.url), "auto", tmp_path, retry=NO_WAIT)
