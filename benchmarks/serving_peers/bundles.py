"""The benchmark's models as Pawl's bundles: gradient boosting as ONNX, logistic regression as
skops (so that scikit-learn answers on both sides)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import sklearn
import skops.io
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.datasets import load_breast_cancer

from benchmarks.serving_peers import model
from pawl.artifacts.bundle import (
    BASELINE,
    LINEAGE,
    MODEL_ONNX,
    MODEL_SKOPS,
    SIGNATURE,
    write_bundle,
)
from pawl.artifacts.records import Baseline, DataLineage, Lineage, Signature, Tensor
from pawl.artifacts.store import open_store
from pawl.stats.metrics import Answers
from pawl.training import baseline
from pawl.training.features import Matrix


def signature(*, wide: bool = False) -> Signature:
    """30 numbers in (`wide`: 60), a label and two probabilities out."""
    names = _names(wide)
    return Signature(
        task="binary",
        inputs=tuple(Tensor(name=name, datatype="FP64", shape=(-1,)) for name in names),
        outputs=(
            Tensor(name="label", datatype="INT64", shape=(-1,)),
            Tensor(name="probabilities", datatype="FP64", shape=(-1, 2)),
        ),
        numeric=names,
        classes=(0, 1),
    )


def _names(wide: bool) -> tuple[str, ...]:
    names = tuple(name.replace(" ", "_") for name in load_breast_cancer().feature_names)
    return (*names, *(f"root_of_{name}" for name in names)) if wide else names


def onnx_graph(*, wide: bool = False) -> bytes:
    """Doubles up to the trees, which compare in float32: the conversion that answers alike."""
    fitted = model.pipeline("gb", ("cast", CastTransformer(dtype=np.float32)), wide=wide)
    graph = convert_sklearn(
        fitted,
        initial_types=[("numeric", DoubleTensorType([None, 60 if wide else 30]))],
        options={id(fitted): {"zipmap": False}},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    content: bytes = graph.SerializeToString()
    return content


def write(store: Path, kind: str, *, wide: bool = False) -> dict[str, str]:
    """Writes the bundle; gives the environment of a server for it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / SIGNATURE).write_text(signature(wide=wide).model_dump_json(by_alias=True))
        (folder / BASELINE).write_text(_baseline(kind, wide).model_dump_json(by_alias=True))
        if kind == "gb":
            (folder / MODEL_ONNX).write_bytes(onnx_graph(wide=wide))
        else:
            skops.io.dump(model.pipeline(kind, wide=wide), folder / MODEL_SKOPS)
            (folder / LINEAGE).write_text(_lineage().model_dump_json(by_alias=True))
        uri, digest, _ = write_bundle(open_store(store.as_uri()), "bench", kind, folder)
    return {
        "PAWL_MODEL": kind,
        "PAWL_MODEL_VERSION": "1",
        "PAWL_ARTIFACT_URI": uri,
        "PAWL_ARTIFACT_DIGEST": digest,
        "PAWL_WORK_DIR": str(store / "work"),
        "PAWL_DRAIN_SECONDS": "0",
    }


def _baseline(kind: str, wide: bool) -> Baseline:
    """As a training writes it, so that the monitor has bins to count in."""
    features, answers = model.rows(wide=wide)
    scores = model.pipeline(kind, wide=wide).predict_proba(features)
    matrix = Matrix(features, np.empty((len(features), 0), dtype=object), _names(wide), ())
    return baseline.build(matrix, Answers(labels=answers, scores=scores), "binary", (0, 1))


def _lineage() -> Lineage:
    data = DataLineage(
        uri="sklearn", digest="-", rows=569, train_rows=569, validation_rows=0, test_rows=0
    )
    return Lineage(
        data=data,
        recipe_digest="-",
        trainer={},
        parameters={},
        seed=0,
        image="-",
        environment={"scikit-learn": sklearn.__version__},
        environment_digest="-",
    )
