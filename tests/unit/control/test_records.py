"""The operator's side of the store: claims, decisions, verification, results."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from onnx.helper import make_graph, make_model

from pawl.api.modelversion import Artifact
from pawl.artifacts.records import NoNewData, RunResult
from pawl.control.records import Records
from pawl.core.plan import KeepHour
from pawl.errors import ConflictError, StoreError

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from world import DIGEST, INSTALLATION, run_result


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    made = Records(replace(INSTALLATION, store=tmp_path.as_uri()))
    yield made
    made.close()


async def test_a_number_is_claimed_once(records: Records):
    assert await records.claims("ml", "churn", None) == (0, None)
    await records.claim("ml", "churn", 1, "uid-1")
    await records.claim("ml", "churn", 1, "uid-1")  # by the same run: well
    with pytest.raises(ConflictError):
        await records.claim("ml", "churn", 1, "uid-2")
    await records.claim("ml", "churn", 12, "uid-2")
    assert await records.claims("ml", "churn", 12) == (12, "uid-2")
    assert await records.claims("ml", "other", 12) == (0, None)


async def test_a_decision_is_written_once(records: Records, tmp_path: Path):
    for text in ("first", "second"):
        await records.decide("ml", "churn", "2026-11-21T12:00:00Z-churn-churn-v1", {"x": text})
    (path,) = tmp_path.rglob("log/*.json")
    assert ":" not in path.name
    assert b"first" in path.read_bytes()


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(run_result(), id="a version"),
        pytest.param(NoNewData(uid="uid-1", run=1, data_digest=DIGEST), id="no new data"),
    ],
)
async def test_a_result_is_read_back(
    records: Records, tmp_path: Path, result: RunResult | NoNewData
):
    assert await records.result("uid-1", 1) is None
    path = tmp_path / "runs" / "uid-1-1" / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(result.model_dump_json(by_alias=True))
    assert await records.result("uid-1", 1) == result


def hour(number: int, data: bytes = b"counts", version: str = "churn-v1") -> KeepHour:
    return KeepHour("ml", "churn", version, number, data)


async def test_an_hour_is_kept_once(records: Records, tmp_path: Path):
    assert await records.hours("ml", "churn", "churn-v1") == []
    for data in (b"first", b"second"):
        await records.keep(hour(500_001, data))
    await records.keep(hour(99, b"old"))
    await records.keep(hour(7, version="churn-v10"))
    assert await records.hours("ml", "churn", "churn-v1") == [99, 500_001]
    found = await records.kept("ml", "churn", "churn-v1", range(500_000, 500_003))
    assert found == {500_001: b"first"}
    assert (tmp_path / "windows/test/ml/churn/churn-v1/500001").read_bytes() == b"first"


async def test_what_is_too_large_is_no_hour(records: Records):
    await records.keep(hour(5, b"0" * ((4 << 20) + 1)))
    await records.keep(hour(6))
    assert list(await records.kept("ml", "churn", "churn-v1", (5, 6))) == [6]


async def test_a_result_that_is_none_is_a_store_error(records: Records, tmp_path: Path):
    path = tmp_path / "runs" / "uid-1-1" / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(StoreError):
        await records.result("uid-1", 1)


def artifact(tmp_path: Path, digest: str, name: str = "model.onnx") -> Artifact:
    return Artifact(uri=(tmp_path / name).as_uri(), digest=digest)


async def test_an_artifact_is_judged_by_its_bytes(records: Records, tmp_path: Path):
    model = make_model(make_graph([], "empty", [], [])).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(model)
    right = "sha256:" + hashlib.sha256(model).hexdigest()
    assert (await records.verify(artifact(tmp_path, right))).digest == right
    wrong = await records.verify(artifact(tmp_path, "sha256:" + "0" * 64))
    assert (wrong.reason, wrong.final) == ("DigestMismatch", True)
    missing = await records.verify(artifact(tmp_path, right, "none.onnx"))
    assert (missing.reason, missing.final) == ("ArtifactMissing", True)
