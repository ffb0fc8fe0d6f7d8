"""Model tests: a gate of publish, and again in the server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pawl.artifacts.bundle import fetch_bundle, write_bundle
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.runs import KnownVersion, RunResult
from pawl.artifacts.store import open_store
from pawl.checklist import parse
from pawl.errors import IntegrityError
from pawl.serving.loading import load_once
from pawl.serving.settings import Settings

LOW = {"mean radius": 11.0, "mean texture": 14.0, "worst area": 500.0}
HIGH = {"mean radius": 22.0, "mean texture": 28.0, "worst area": 2200.0}
CASES = [
    {"name": "small", "type": "golden", "input": LOW, "expected": {"label": "benign"}},
    {"name": "large", "type": "golden", "input": HIGH, "expected": {"score": 1}, "tolerance": 0.1},
    {"name": "area", "type": "directional", "input": LOW, "change": {"worst area": 900},
     "expect": "notLower"},
]  # fmt: skip
WRONG = {"name": "texture", "type": "invariance", "input": LOW, "change": {"mean texture": 39.0}}


@pytest.fixture
def tested(recipe: dict[str, Any], tmp_path: Path) -> Any:
    """The recipe with these cases."""

    def make(*cases: dict[str, Any]) -> dict[str, Any]:
        path = tmp_path / "cases.jsonl"
        path.write_text("\n".join(map(json.dumps, cases)))
        data = recipe["data"] | {"features": list(LOW)}
        return {**recipe, "data": data, "evaluation": {"tests": {"uri": path.as_uri()}}}

    return make


def _settings(uri: str, digest: str, folder: Path) -> Settings:
    return Settings(
        model="tumours", version="1", artifact_uri=uri, artifact_digest=digest, work_dir=folder
    )


def _gate(result: RunResult) -> Any:
    (gate,) = [gate for gate in result.gates if gate.metric == "failed_model_tests"]
    return gate


def test_all_must_hold_and_servers_run_them_again(tested: Any, pod: Any, tmp_path: Path) -> None:
    result: RunResult = pod(tested(*CASES)).all()
    gate = _gate(result)
    assert (gate.verdict, gate.n, gate.message) == ("Pass", 3, "all 3 model tests hold")
    settings = _settings(result.artifact.uri, result.artifact.digest, tmp_path / "server")
    assert load_once(settings).engine.name == "onnx"

    folder = tmp_path / "spoilt"  # as if the server's libraries gave other answers
    fetch_bundle(settings.artifact_uri, settings.artifact_digest, folder)
    (folder / "manifest.json").unlink()
    (folder / "tests.json").write_bytes(canonical_json(parse(json.dumps(WRONG).encode())))
    uri, digest, _ = write_bundle(
        open_store((tmp_path / "other").as_uri()), "team", "tumours", folder
    )
    spoilt = replace(settings, artifact_uri=uri, artifact_digest=digest)
    with pytest.raises(IntegrityError, match='1 of 1 model tests fail here: invariance "tex'):
        load_once(spoilt)


def test_what_fails_rejects_the_version_and_is_in_its_card(
    tested: Any, pod: Any, tmp_path: Path
) -> None:
    run = pod(tested(*CASES, WRONG))
    gate = _gate(run.all())
    assert (gate.verdict, gate.value, gate.required) == ("Fail", 1, True)
    assert 'invariance "texture": moves by' in gate.message
    assert 'invariance "texture": moves by' in (run.work / "bundle/card.md").read_text()
    assert "gate Fail: 1 of 4 model tests fail" in run.termination.message


def test_a_case_that_does_not_fit_the_model_fails(tested: Any, pod: Any) -> None:
    gate = _gate(pod(tested({**WRONG, "change": {"clinic": "north"}})).all())
    assert gate.verdict == "Fail"
    assert '"texture" has clinic, which is no input of the model' in gate.message


def test_a_wrong_file_ends_the_run_before_training(tested: Any, pod: Any) -> None:
    run = pod(tested({"name": "x", "type": "golden", "input": LOW}))
    run.stage("prepare", expect=10)
    assert "model tests, line 1: golden needs expected" in run.termination.message


def test_other_cases_are_judged_anew(tested: Any, pod: Any) -> None:
    """The same recipe, data and cases give the recorded version back; other cases do not."""
    first: RunResult = pod(tested(*CASES)).all()
    version = first.artifact.model_copy(update={"name": "tumours-v1"})
    known = (KnownVersion(version=version, data_digest=first.lineage.data.digest),)
    again = pod(tested(*CASES), uid="again", known=known).all()
    assert (again.outcome, again.artifact) == ("Recorded", version)
    other = pod(tested(*CASES, WRONG), uid="other", known=known).all()
    assert other.outcome == "Succeeded"
    assert _gate(other).verdict == "Fail"
