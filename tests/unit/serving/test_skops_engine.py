"""Models that only scikit-learn can answer for."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from pawl.artifacts.records import DataLineage, Lineage, Signature, Tensor
from pawl.errors import IntegrityError, NotAllowedError, SignatureError
from pawl.serving.engine.skops import SkopsEngine
from pawl.serving.loading import load_once

SIGNATURE = Signature(
    task="binary",
    inputs=(
        Tensor(name="plan", datatype="BYTES", shape=(-1,)),
        Tensor(name="age", datatype="FP64", shape=(-1,)),
    ),
    outputs=(
        Tensor(name="label", datatype="INT64", shape=(-1,)),
        Tensor(name="probabilities", datatype="FP64", shape=(-1, 2)),
    ),
    numeric=("age",),
    categorical=("plan",),
    classes=(0, 1),
)
FRAME = pd.DataFrame({"plan": ["a", "b", "", "a"], "age": [1.0, 2.0, 3.0, 4.0]})


def lineage(version: str = sklearn.__version__) -> Lineage:
    data = DataLineage(
        uri="file:///d", digest="d", rows=4, train_rows=4, validation_rows=0, test_rows=0
    )
    return Lineage(
        data=data, recipe_digest="r", trainer={}, parameters={}, seed=1, image="i",
        environment={"scikit-learn": version}, environment_digest="e",
    )  # fmt: skip


def model() -> Any:
    encode = make_column_transformer((OneHotEncoder(), ["plan"]), remainder="passthrough")
    return make_pipeline(encode, LogisticRegression()).fit(FRAME, [0, 1, 0, 1])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("skops") / "model.skops"
    skops.io.dump(model(), path)
    return path


def test_it_answers_like_the_model_that_was_saved(saved: Path) -> None:
    engine = SkopsEngine(saved, SIGNATURE, lineage())
    feed = {"numeric": np.array([[3.0], [2.0]]), "categorical": np.array([[""], ["b"]], object)}
    outputs = engine.run(feed)
    expected = model().predict_proba(pd.DataFrame({"plan": ["", "b"], "age": [3.0, 2.0]}))
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(StandardScaler(), id="names do not matter"),
        pytest.param(
            make_column_transformer((StandardScaler(), ["b"]), remainder="passthrough"),
            id="names are needed",
        ),
    ],
)
def test_numbers_alone_are_answered_as_with_their_names(first: Any, tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": [4.0, 1.0, 3.0, 1.0]})
    fitted = make_pipeline(first, LogisticRegression()).fit(rows, [0, 1, 0, 1])
    skops.io.dump(fitted, tmp_path / "model.skops")
    columns = tuple(Tensor(name=name, datatype="FP64", shape=(-1,)) for name in rows.columns)
    signature = SIGNATURE.model_copy(
        update={"inputs": columns, "numeric": ("a", "b"), "categorical": ()}
    )
    engine = SkopsEngine(tmp_path / "model.skops", signature, lineage())
    found = engine.run({"numeric": rows.to_numpy()})["probabilities"]
    np.testing.assert_allclose(found, fitted.predict_proba(rows), rtol=1e-9)


def test_rows_that_the_model_refuses_are_the_clients_error(saved: Path) -> None:
    engine = SkopsEngine(saved, SIGNATURE, lineage())
    feed = {"numeric": np.array([[np.nan]]), "categorical": np.array([["a"]], object)}
    with pytest.raises(SignatureError, match="NaN"):
        engine.run(feed)


@pytest.mark.parametrize(
    "trained", [pytest.param(lineage("1.0.2"), id="other"), pytest.param(None, id="unknown")]
)
def test_another_scikit_learn_than_in_training_is_refused(
    trained: Lineage | None, saved: Path
) -> None:
    with pytest.raises(IntegrityError, match="trained with scikit-learn"):
        SkopsEngine(saved, SIGNATURE, trained)


@pytest.mark.filterwarnings("ignore")
def test_types_that_are_not_allowed_are_not_built(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(FunctionTransformer(func=np.save), path)
    with pytest.raises(NotAllowedError, match=r"numpy\.save"):
        SkopsEngine(path, SIGNATURE, lineage())


@pytest.mark.filterwarnings("ignore")
def test_the_administrator_may_allow_more(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(make_pipeline(FunctionTransformer(func=np.save), LogisticRegression()), path)
    for allowed in (("numpy.",), ("numpy.save",)):
        assert SkopsEngine(path, SIGNATURE, lineage(), allowed).name == "skops"
    with pytest.raises(NotAllowedError):
        SkopsEngine(path, SIGNATURE, lineage(), ("numpy", "numpy.sa"))


def test_a_model_that_cannot_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(FunctionTransformer(), path)
    with pytest.raises(IntegrityError, match="has no predict_proba"):
        SkopsEngine(path, SIGNATURE, lineage())


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"no archive")
    with pytest.raises(IntegrityError, match="not a readable skops file"):
        SkopsEngine(path, SIGNATURE, lineage())


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", " " * ((128 << 20) + 1), zipfile.ZIP_DEFLATED)
    with pytest.raises(IntegrityError, match="refused unopened") as caught:
        SkopsEngine(path, SIGNATURE, lineage())
    assert caught.value.reason == "ModelTooLarge"


def test_a_bundle_with_a_skops_file_alone_is_served_by_scikit_learn(
    saved: Path, bundles: Any
) -> None:
    files = {
        "model.skops": saved.read_bytes(),
        "signature.json": SIGNATURE.model_dump_json(by_alias=True).encode(),
        "lineage.json": lineage().model_dump_json(by_alias=True).encode(),
    }
    served = load_once(bundles.settings(files))
    assert served.engine.name == "skops"
    assert served.batchable
