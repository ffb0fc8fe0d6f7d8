"""The operator's side of the store: claims, decisions, verification, results."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from onnx.helper import make_graph, make_model

from pawl.api.modelversion import Artifact
from pawl.artifacts import signing
from pawl.artifacts.runs import NoNewData, RunResult
from pawl.control.records import Records
from pawl.core.plan import KeepHour, RecordDecision
from pawl.core.recall import short, version_line
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
    assert await records.kept_hours.hours("ml", "churn", "churn-v1") == []
    for data in (b"first", b"second"):
        await records.kept_hours.keep(hour(500_001, data))
    await records.kept_hours.keep(hour(99, b"old"))
    await records.kept_hours.keep(hour(7, version="churn-v10"))
    assert await records.kept_hours.hours("ml", "churn", "churn-v1") == [99, 500_001]
    found = await records.kept_hours.kept("ml", "churn", "churn-v1", range(500_000, 500_003))
    assert found == {500_001: b"first"}
    assert (tmp_path / "windows/test/ml/churn/churn-v1/500001").read_bytes() == b"first"


async def test_what_is_too_large_is_no_hour(records: Records):
    await records.kept_hours.keep(hour(5, b"0" * ((4 << 20) + 1)))
    await records.kept_hours.keep(hour(6))
    assert list(await records.kept_hours.kept("ml", "churn", "churn-v1", (5, 6))) == [6]


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
    assert (await records.verify(artifact(tmp_path, right), "ml")).digest == right
    wrong = await records.verify(artifact(tmp_path, "sha256:" + "0" * 64), "ml")
    assert (wrong.reason, wrong.final) == ("DigestMismatch", True)
    missing = await records.verify(artifact(tmp_path, right, "none.onnx"), "ml")
    assert (missing.reason, missing.final) == ("ArtifactMissing", True)


def recorded(name: str, digest: str, uri: str) -> RecordDecision:
    """The line of a ModelVersion that was imported."""
    artifact = {"uri": uri, "digest": digest}
    spec = {"model": "churn", "version": int(name.rpartition("v")[2]), "artifact": artifact}
    return version_line({"metadata": {"name": name, "namespace": "ml"}, "spec": spec})


async def written(records: Records, line: RecordDecision) -> None:
    await records.decide(line.namespace, line.model, line.name, line.content, line.folder)


async def test_recorded_versions_come_back_while_their_bytes_are_there(
    records: Records, tmp_path: Path
):
    (tmp_path / "a.onnx").write_bytes(b"a model")
    digests = {name: "sha256:" + name[-1] * 64 for name in ("churn-v1", "churn-v2", "churn-v3")}
    for name, digest in digests.items():
        uri = f"{tmp_path.as_uri()}/{'gone' if name == 'churn-v3' else 'a'}.onnx"
        await written(records, recorded(name, digest, uri))
    log = {"at": "2026-11-21T12:00:00Z"}
    await records.decide("ml", "churn", "2026-11-21T12:00:00Z-churn-v2-reject-churn-v2", log)
    found = await records.versions("ml", "churn", lambda *_: True)
    assert [(v["metadata"]["name"], v["spec"].get("approval")) for v in found] == [
        ("churn-v1", None),
        ("churn-v2", "Rejected"),
    ]
    of_digest = await records.versions(
        "ml", "churn", lambda _, d, __: d == short(digests["churn-v1"])
    )
    assert [v["metadata"]["name"] for v in of_digest] == ["churn-v1"]
    assert await records.versions("ml", "other", lambda *_: True) == ()


async def test_the_log_of_a_deployment_is_read_from_its_end(records: Records):
    for second in range(60):
        at = f"2026-11-21T12:00:{second:02}Z"
        for name in ("churn", "churn-b"):
            content = {"deployment": name, "n": second, "served": {}}
            await records.decide("ml", "churn", f"{at}-{name}-churn-v1-Promoted", content)
    found = await records.log("ml", "churn", "churn")
    assert [line["n"] for line in found] == list(range(59, 9, -1))
    assert {line["deployment"] for line in found} == {"churn"}


async def test_the_stable_version_is_found_however_much_came_after_it(records: Records):
    served = {"deployment": "churn", "served": {"name": "churn-v2"}, "n": -1}
    await records.decide("ml", "churn", "2026-01-01T00:00:00Z-churn-churn-v2-Promoted", served)
    older = {**served, "n": -2}
    await records.decide("ml", "churn", "2025-01-01T00:00:00Z-churn-churn-v1-Promoted", older)
    for number in range(70):
        failed = {"deployment": "churn", "n": number}
        name = f"2026-02-01T00:00:{number:02}Z-churn-churn-v{number + 3}-GateFailed"
        await records.decide("ml", "churn", name, failed)
    found = await records.log("ml", "churn", "churn")
    assert [line["n"] for line in found] == [*range(69, 19, -1), -1]


async def test_where_keys_are_given_only_what_one_of_them_signed_is_verified(tmp_path: Path):
    key, stranger = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    records = Records(replace(INSTALLATION, store=tmp_path.as_uri(), verify_keys=pem))
    model = make_model(make_graph([], "empty", [], [])).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(model)
    given = artifact(tmp_path, "sha256:" + hashlib.sha256(model).hexdigest())
    signing.sign(given.uri, given.digest, stranger)
    missing = await records.verify(given, "ml")
    assert (missing.reason, missing.final, missing.digest) == ("SignatureMissing", False, None)
    (tmp_path / f"model.onnx.{next(iter(records.keys))}.sig").write_text("bm8=")
    invalid = await records.verify(given, "ml")
    assert (invalid.reason, invalid.final, invalid.digest) == ("SignatureInvalid", True, None)
    signing.sign(given.uri, given.digest, key)
    good = await records.verify(given, "ml")
    assert (good.digest, {good.signed_by}) == (given.digest, records.keys)
    (tmp_path / "model.onnx").write_bytes(model + b"x")  # a signature does not excuse other bytes
    assert (await records.verify(given, "ml")).reason == "DigestMismatch"
    records.close()


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("file:///etc/model.onnx", id="a file outside the store"),
        pytest.param("{store}/bundles/other/m/abc", id="another namespace's"),
        pytest.param("http://127.0.0.1:1/model.onnx", id="the operator's own machine"),
        pytest.param("http://localhost.:1/model.onnx", id="by another name"),
        pytest.param("http://2130706433:1/model.onnx", id="by a number"),
    ],
)
async def test_what_a_namespace_may_not_name_is_not_read(
    records: Records, tmp_path: Path, uri: str
):
    bad = Artifact(uri=uri.format(store=tmp_path.as_uri()), digest="sha256:" + "0" * 64)
    found = await records.verify(bad, "ml")
    assert (found.reason, found.final) == ("UriNotAllowed", False)


async def test_namespaces_of_one_store_do_not_see_each_other(records: Records):
    """Models, Deployments and versions of two namespaces have the same names."""
    await records.claim("a", "churn", 7, "uid-a")
    await records.claim("b", "churn", 7, "uid-b")
    assert await records.claims("b", "churn", 7) == (7, "uid-b")
    hour = KeepHour("a", "churn", "churn-v1", 5, b"counts")
    await records.kept_hours.keep(hour)
    assert await records.kept_hours.hours("a", "churn", "churn-v1") == [5]
    assert await records.kept_hours.hours("b", "churn", "churn-v1") == []
