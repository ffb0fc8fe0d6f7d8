"""Data in, and models out of, a real S3 server: SeaweedFS."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from pawl.artifacts import pins
from pawl.artifacts.remote import filesystem
from pawl.artifacts.store import Store, open_store
from pawl.errors import ConflictError, DataError
from pawl.training import validators
from pawl.training.source import collect
from pawl.training.tables import read_table

WEED = Path(sys.executable).with_name("weed")
LIMIT = 60.0
_KINDS = ("", ".grpc")
KEY, SECRET = "tester", "a-secret-of-tests"
IDENTITY = {
    "name": "tester",
    "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
    "actions": ["Admin", "Read", "Write", "List"],
}
pytestmark = pytest.mark.skipif(not WEED.exists(), reason="no SeaweedFS for this platform")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(json.dumps({"identities": [IDENTITY]}))
    names = [
        f"{part}.port{grpc}" for part in ("master", "volume", "filer", "s3") for grpc in _KINDS
    ]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [
        str(WEED), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        f"-dir={folder / 'data'}", f"-s3.config={folder / 's3.json'}", "-volume.max=500",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64", *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            url = f"http://127.0.0.1:{ports['s3.port']}"
            with pytest.MonkeyPatch.context() as patch:
                told(patch, url)
                _make_buckets(process, log)
            yield url
        finally:
            process.kill()


def told(patch: pytest.MonkeyPatch, url: str) -> None:
    """The environment says how to get there, as the Secret pawl-store does."""
    patch.setenv("AWS_ENDPOINT_URL", url)
    patch.setenv("AWS_ACCESS_KEY_ID", KEY)
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def _make_buckets(process: subprocess.Popen[bytes], log: Path) -> None:
    """Two, as soon as the parts of the server have found each other."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            with filesystem("s3") as s3:
                for bucket in ("plain", "versioned"):
                    s3.exists(bucket) or s3.mkdir(bucket)
                    s3.pipe_file(f"{bucket}/ready", b"")
                on = {"Status": "Enabled"}
                s3.call_s3("put_bucket_versioning", Bucket="versioned", VersioningConfiguration=on)
                return
        except (OSError, BotoCoreError):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(log.read_text()[-2000:]) from None
            time.sleep(0.1)


@pytest.fixture
def place(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of the test's own, `bucket/folder`, in a bucket that keeps versions."""
    told(monkeypatch, server)
    return f"versioned/{tmp_path.name}"


def put(path: str, content: bytes) -> None:
    with filesystem("s3") as s3:
        s3.pipe_file(path, content)


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with open_store(f"s3://{place}/pawl") as store:
        yield store


def test_the_store_writes_once(store: Store) -> None:
    store.put("runs/a/result.json", b"first")
    with pytest.raises(ConflictError):
        store.put("runs/a/result.json", b"second")
    assert store.get("runs/a/result.json", max_bytes=99) == b"first"
    assert store.list("runs") == ["runs/a/result.json"]


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        pytest.param("lake/a.csv", 2, id="a file"),
        pytest.param("lake", 3, id="a folder"),
        pytest.param("lake/", 3, id="a folder with a slash"),
        pytest.param("lake/*.csv", 2, id="a glob"),
    ],
)
def test_data_are_found(place: str, tmp_path: Path, path: str, rows: int) -> None:
    put(f"{place}/lake/a.csv", b"n\n1\n2\n")
    put(f"{place}/lake/deep/b.csv", b"n\n3\n")
    put(f"{place}/lake/_SUCCESS", b"")
    put(f"{place}/lakes.csv", b"n\n9\n")
    files = collect(f"s3://{place}/{path}", "auto", tmp_path)
    assert read_table(files, frozenset()).num_rows == rows


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("lake/a.csv", id="a file"),
        pytest.param("lake", id="a folder"),
        pytest.param("lake/*.csv", id="a glob"),
    ],
)
def test_the_bucket_tells_whether_objects_have_changed(place: str, path: str) -> None:
    uri = f"s3://{place}/{path}"
    put(f"{place}/lake/a.csv", b"n\n1\n")
    before = validators.of(uri, None, 0.0)
    assert [size for _, size, _ in before or ()] == [4]
    put(f"{place}/lake/a.csv", b"n\n1\n")
    assert validators.of(uri, None, 0.0) == before
    put(f"{place}/lake/a.csv", b"n\n2\n")
    assert validators.of(uri, None, 0.0) != before


@pytest.mark.parametrize("path", ["nothing.csv", "nothing/*.csv"])
def test_data_that_are_not_there_are_told(place: str, tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError) as refused:
        collect(f"s3://{place}/{path}", "auto", tmp_path)
    assert refused.value.reason == "DataNotFound"


def test_a_bucket_without_versions_cannot_be_pinned_by_them(place: str, tmp_path: Path) -> None:
    put("plain/a.csv", b"n\n1\n")
    with pytest.raises(DataError, match="keeps no versions; turn them on, or use snapshot"):
        collect("s3://plain/a.csv", "auto", tmp_path, versions=True)


@pytest.fixture
def lake(place: str, breast_cancer: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe with its rows and a joined source in the bucket, where the store is too."""
    put(f"{place}/lake/rows.parquet", breast_cancer.read_bytes())
    ages = b"".join(b"p%04d,%d\n" % (i, i % 60) for i in range(569))
    put(f"{place}/lake/ages.csv", b"patient_id,age\n" + ages)
    source = {"name": "ages", "uri": f"s3://{place}/lake/ages.csv", "key": ["patient_id"]}
    data = {**recipe["data"], "uri": f"s3://{place}/lake/*.parquet", "sources": [source]}
    return {**recipe, "data": data}


@pytest.mark.parametrize("how", ["snapshot", "version"])
def test_overwritten_data_are_read_again_as_they_were(
    lake: dict[str, Any], place: str, pod: Any, how: pins.How
) -> None:
    lake["data"]["pin"] = how
    first = pod(lake, store=f"s3://{place}/pawl")
    for stage in ("prepare", "train", "publish"):
        first.stage(stage)
    put(f"{place}/lake/rows.parquet", b"overwritten")
    put(f"{place}/lake/ages.csv", b"patient_id,age\np0001,99\n")
    with open_store(f"s3://{place}/pawl") as store:
        before = first.result_in(store)
        data = before.lineage.data
        pinned = pins.find(store, "team", data.digest)
    assert data.pin == how
    assert pinned is not None
    assert [file.source for file in pinned.files] == ["", "ages"]
    assert all((file.version is None) == (how == "snapshot") for file in pinned.files)
    again = pod(lake, store=f"s3://{place}/pawl", uid="again", more={"data_digest": data.digest})
    for stage in ("prepare", "train", "publish"):
        again.stage(stage)
    with open_store(f"s3://{place}/pawl") as store:
        assert again.result_in(store).artifact.digest == before.artifact.digest


def test_a_version_that_was_deleted_is_told(lake: dict[str, Any], place: str, pod: Any) -> None:
    lake["data"]["pin"] = "version"
    first = pod(lake, store=f"s3://{place}/pawl")
    first.stage("prepare")
    with open_store(f"s3://{place}/pawl") as store:
        (path,) = (path for path in store.list("snapshots") if path.endswith("version.json"))
        pinned = pins.Pinned.model_validate_json(store.get(path, max_bytes=1 << 20))
    digest = "sha256:" + path.split("/")[2]
    gone = pinned.files[1]
    with filesystem("s3") as s3:
        bucket, _, key = gone.name.partition("/")
        s3.call_s3("delete_object", Bucket=bucket, Key=key, VersionId=gone.version)
    again = pod(lake, store=f"s3://{place}/pawl", uid="again", more={"data_digest": digest})
    again.stage("prepare", expect=10)
    assert again.termination.reason == "PinnedDataGone"
    assert f"version {gone.version} of" in again.termination.message
