"""A second version against the first, on rows that neither was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.runs import RunResult, StoreRef

TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "parameters": {"max_depth": 1}}
LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression"}
GATE = {"metric": "roc_auc", "champion": {"notWorseBy": 0.01}}


def _reference(result: RunResult) -> StoreRef:
    return StoreRef(name="tumours-v1", uri=result.artifact.uri, digest=result.artifact.digest)


def _recipe(recipe: dict[str, Any], trainer: dict[str, Any], *gates: Any) -> dict[str, Any]:
    return {**recipe, "trainer": {"sklearn": trainer}, "evaluation": {"gates": list(gates)}}


def _second(pod: Any, recipe: dict[str, Any], first: RunResult) -> RunResult:
    result: RunResult = pod(recipe, uid="second", champion=_reference(first)).all()
    return result


def test_a_better_version_passes(recipe: dict[str, Any], pod: Any) -> None:
    first = pod(_recipe(recipe, TREE, GATE)).all()
    assert [gate.kind for gate in first.gates] == ["dummy"]
    second = _second(pod, _recipe(recipe, LOGISTIC, GATE), first)
    (gate,) = second.gates
    assert (gate.kind, gate.verdict) == ("champion", "Pass")
    assert gate.value is not None
    assert gate.value > 0
    assert gate.n == second.lineage.data.test_rows  # none was ever trained on
    assert gate.interval is not None
    assert gate.interval[0] > -0.01


def test_it_is_recorded_how_often_the_two_differ(recipe: dict[str, Any], pod: Any) -> None:
    first = pod(_recipe(recipe, TREE)).all()
    assert first.disagreement is None
    found = _second(pod, _recipe(recipe, LOGISTIC), first).disagreement
    assert found is not None
    assert (found.version, found.digest) == ("tumours-v1", first.artifact.digest)
    assert 0 < found.share < 0.5
    assert found.share * found.rows == pytest.approx(round(found.share * found.rows))


def test_a_worse_version_fails_and_says_by_how_much(recipe: dict[str, Any], pod: Any) -> None:
    first = pod(_recipe(recipe, LOGISTIC)).all()
    second = pod(_recipe(recipe, TREE, GATE), uid="second", champion=_reference(first))
    (gate,) = second.all().gates
    assert gate.verdict == "Fail"
    assert "worse than that of tumours-v1" in second.termination.message
    assert second.termination.reason == "Completed"


def test_rows_that_the_champion_was_trained_on_are_left_out(
    recipe: dict[str, Any], pod: Any
) -> None:
    """The champion of another series has other test rows: most of ours were its training rows."""
    first = pod({**_recipe(recipe, TREE), "model": "other"}).all()
    (gate,) = _second(pod, _recipe(recipe, LOGISTIC, GATE), first).gates
    assert gate.verdict == "Inconclusive"
    assert 0 < gate.n < 40
    assert "test rows are left that tumours-v1 was not trained on" in gate.message


def test_without_ids_rows_are_told_apart_by_their_content(
    recipe: dict[str, Any], pod: Any, breast_cancer: Path, tmp_path: Path
) -> None:
    """Another column and another order of columns and rows make no row a new one."""
    del recipe["data"]["idColumns"]
    recipe["data"]["ignore"] = ["patient_id"]
    first = pod({**_recipe(recipe, TREE), "model": "other"}).all()
    table = pq.read_table(breast_cancer)
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    shuffled = shuffled.select(table.column_names[::-1]).append_column(
        "noted", pa.array(np.arange(table.num_rows).astype(str))
    )
    path = tmp_path / "later.parquet"
    pq.write_table(shuffled, path)
    recipe["data"] |= {"uri": path.as_uri(), "ignore": ["patient_id", "noted"]}
    (gate,) = _second(pod, _recipe(recipe, LOGISTIC, GATE), first).gates
    assert 0 < gate.n < 40


@pytest.mark.parametrize("broken", ["gone", "changed"])
def test_a_champion_that_cannot_be_read_is_an_error_of_the_gate(
    recipe: dict[str, Any], pod: Any, broken: str
) -> None:
    first = pod(_recipe(recipe, TREE)).all()
    model = Path(first.artifact.uri.removeprefix("file://")) / "model.onnx"
    if broken == "changed":
        model.write_bytes(model.read_bytes()[:-1] + b"\0")
    else:
        model.unlink()
    (gate,) = _second(pod, _recipe(recipe, LOGISTIC, GATE), first).gates
    assert gate.verdict == "Error"
    assert ("model.onnx has sha256" if broken == "changed" else "not in the store") in gate.message


def test_a_lost_column_of_the_champion_is_an_error_of_the_gate(
    recipe: dict[str, Any], pod: Any, breast_cancer: Path, tmp_path: Path
) -> None:
    first = pod(_recipe(recipe, LOGISTIC)).all()
    path = tmp_path / "later.parquet"
    pq.write_table(pq.read_table(breast_cancer).drop_columns(["mean radius"]), path)
    recipe["data"]["uri"] = path.as_uri()
    (gate,) = _second(pod, _recipe(recipe, LOGISTIC, GATE), first).gates
    assert gate.verdict == "Error"
    assert 'needs column "mean radius"' in gate.message


def test_a_model_that_learns_nothing_does_not_beat_the_dummy(
    recipe: dict[str, Any], pod: Any
) -> None:
    result = pod(_recipe(recipe, {"estimator": "sklearn.dummy.DummyClassifier"})).all()
    (gate,) = result.gates
    assert (gate.kind, gate.verdict) == ("dummy", "Inconclusive")
    assert "must be shown to be better" in gate.message


def test_features_that_have_moved_since_are_told(
    recipe: dict[str, Any], pod: Any, breast_cancer: Path, tmp_path: Path
) -> None:
    first = pod(_recipe(recipe, LOGISTIC)).all()
    assert not [w for w in _second(pod, recipe, first).warnings if "moved" in w]
    table = pq.read_table(breast_cancer)
    at = table.column_names.index("mean radius")
    larger = pa.array(np.asarray(table.column(at)) * 1.5)
    path = tmp_path / "larger.parquet"
    pq.write_table(table.set_column(at, "mean radius", larger), path)
    other = {**recipe, "data": {**recipe["data"], "uri": path.as_uri()}}
    result = pod(other, uid="third", champion=_reference(first)).all()
    (told,) = (warning for warning in result.warnings if "moved" in warning)
    assert told.startswith(
        "1 of 30 features have moved since tumours-v1 was trained: mean radius (psi "
    )
    assert result.moved is not None
    assert (result.moved.version, result.moved.compared) == ("tumours-v1", 30)
    assert result.moved.features[0].feature == "mean radius"
    assert result.moved.features[0].psi > 0.2 > result.moved.features[1].psi
    other["data"]["checks"] = [{"maxPsi": 0.25}]
    run = pod(other, uid="fourth", champion=_reference(first))
    run.stage("prepare", expect=10)
    assert run.termination.reason == "CheckFailed"
    assert "mean radius (psi " in run.termination.message
