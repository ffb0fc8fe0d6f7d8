"""The champion, fetched and verified, and its answers to test rows it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pawl.artifacts import bundle
from pawl.artifacts.derivation import Derivation
from pawl.artifacts.records import Lineage, Manifest, Signature
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import RunConfig, StoreRef
from pawl.errors import DataError, PawlError, UserError
from pawl.stats.metrics import Answers
from pawl.training import derive
from pawl.training.engines import Engine, OnnxEngine, SklearnEngine, answers
from pawl.training.features import matrix
from pawl.training.rowhash import row_hashes
from pawl.training.workspace import Schema


@dataclass(frozen=True, slots=True)
class Champion:
    """A verified bundle, ready to score."""

    name: str
    signature: Signature
    lineage: Lineage
    engine: Engine
    trained_on: NDArray[np.uint64]
    derivation: Derivation | None = None


def load(reference: StoreRef, config: RunConfig, into: Path) -> Champion:
    """Fetches the bundle. UserError when it is no bundle that can be scored here."""
    if reference.uri.endswith(".onnx"):
        raise UserError(f"{reference.name} was imported as a bare model without a signature")

    def fetch(wanted: list[str]) -> Manifest:
        return bundle.fetch_bundle(
            reference.uri, reference.digest, into, names=wanted, retry=PATIENT
        )

    manifest = fetch([bundle.SIGNATURE, bundle.LINEAGE, bundle.ROW_DIGESTS, bundle.DERIVED])
    names = {file.name for file in manifest.files}
    model = bundle.MODEL_ONNX if bundle.MODEL_ONNX in names else bundle.MODEL_SKOPS
    fetch([model])
    signature = Signature.model_validate_json((into / bundle.SIGNATURE).read_bytes())
    lineage = Lineage.model_validate_json((into / bundle.LINEAGE).read_bytes())
    if signature.task is None or signature.layout != "tabular":
        raise UserError(f"{reference.name} does not say how it takes columns")
    classes = len(signature.classes)
    engine: Engine
    if model == bundle.MODEL_ONNX:
        engine = OnnxEngine(into / bundle.MODEL_ONNX, signature.task, classes)
    else:
        engine = _sklearn_engine(into, signature, lineage, config, reference.name)
    trained_on = np.empty(0, dtype=np.uint64)
    if lineage.training_row_digests:
        trained_on = np.load(into / lineage.training_row_digests, allow_pickle=False)
    derivation = None
    if bundle.DERIVED in names:
        derivation = Derivation.model_validate_json((into / bundle.DERIVED).read_bytes())
    return Champion(reference.name, signature, lineage, engine, trained_on, derivation)


def _sklearn_engine(
    into: Path, signature: Signature, lineage: Lineage, config: RunConfig, name: str
) -> Engine:
    import sklearn  # noqa: PLC0415 - only when the champion needs it

    from pawl.training import persist  # noqa: PLC0415

    trained_with = lineage.environment.get("scikit-learn")
    if trained_with != sklearn.__version__:
        raise UserError(
            f"{name} was trained with scikit-learn {trained_with}, here is {sklearn.__version__}"
        )
    model = persist.load(into / bundle.MODEL_SKOPS, config.allowed_estimators)
    return SklearnEngine(
        model, signature.task or "binary", len(signature.classes), list(signature.columns)
    )


def unseen_rows(champion: Champion, test: pa.Table) -> NDArray[np.bool_]:
    """Which test rows the champion's trainer was not given, by their digests.

    UserError when this cannot be told, because the champion's bundle or the data lack what
    identifies a row.
    """
    columns = champion.lineage.training_row_columns
    missing = sorted(set(columns) - set(test.column_names))
    if not columns or missing:
        what = f'column "{missing[0]}" is gone from the data' if missing else "it kept no digests"
        raise UserError(f"what {champion.name} was trained on cannot be told: {what}")
    return ~np.isin(row_hashes(test, columns), champion.trained_on)


def answer(champion: Champion, test: pa.Table, schema: Schema) -> Answers:
    """The champion's answers to `test`, in the terms of the candidate's schema."""
    signature = champion.signature
    task = signature.task
    if task != schema.task:
        raise UserError(f"{champion.name} was trained for {task}, this is {schema.task}")
    if tuple(map(str, signature.classes)) != tuple(map(str, schema.classes)):
        raise UserError(f"{champion.name} knows other classes")
    try:
        if champion.derivation is not None:
            test = derive.apply(test, champion.derivation)
        for name in (*signature.numeric, *signature.categorical):
            if name not in test.column_names:
                raise UserError(
                    f'{champion.name} needs column "{name}", which the data do not have'
                )
        features = matrix(test, signature.numeric, signature.categorical)
    except DataError as error:
        raise PawlError(f"{champion.name}: {error}") from error
    return answers(champion.engine.scores(features), schema.task, signature.threshold)
