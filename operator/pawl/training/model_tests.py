"""`evaluation.tests`: the cases are fetched and read by `prepare`, run by `publish` as a gate, and
packed into the bundle, whose servers run them again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pawl import checklist, constants
from pawl.api.evaluation import ModelTests
from pawl.artifacts.derivation import Derivation
from pawl.artifacts.records import Signature
from pawl.artifacts.runs import GateResult
from pawl.checklist.cases import MAX_BYTES, Checklist, Value
from pawl.errors import UserError
from pawl.training import derive, source
from pawl.training.artifact import Served
from pawl.training.engines import answers
from pawl.training.features import matrix
from pawl.training.tables import TIMESTAMP
from pawl.training.workspace import Schema, Workspace

METRIC = "failed_model_tests"
_MOST_MESSAGE = 500


def fetch(tests: ModelTests, work: Workspace) -> Checklist:
    """UserError when there are none, or one is wrong."""
    scratch = work.root / "fetched-tests"
    claim = os.environ.get(constants.ENV_CLAIM_DIR)
    try:
        files = source.collect(tests.uri, "jsonl", scratch, claim=Path(claim) if claim else None)
        if len(files) != 1:
            raise UserError(f"evaluation.tests.uri names {len(files)} files, one is wanted")
        path = files[0].path
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"model tests have more than {MAX_BYTES:,} bytes")
        return checklist.parse(path.read_bytes())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def gate(
    cases: Checklist,
    served: Served,
    signature: Signature,
    derivation: Derivation | None,
    schema: Schema,
) -> tuple[GateResult, list[str]]:
    """All cases must hold. Gives the verdict and a sentence for each failure."""

    def answer(rows: Sequence[dict[str, Value]]) -> checklist.Said:
        table = _table(rows, signature, derivation)
        if derivation is not None:
            table = derive.apply(table, derivation)
        features = matrix(table, schema.numeric, schema.categorical)
        said = answers(served.engine.scores(features), schema.task, served.choice.threshold)
        if said.scores is None or said.labels is None:
            return checklist.Said(None, np.asarray(said.values).reshape(-1, 1))
        labels = [schema.classes[index] for index in said.labels]
        binary = len(schema.classes) == 2
        return checklist.Said(labels, said.scores[:, 1:] if binary else said.scores)

    inputs = [tensor.name for tensor in signature.inputs]
    failures = checklist.misfits(cases, inputs, schema.classes)
    failures = failures or checklist.run(cases, answer, schema.classes)
    count = len(cases.cases)
    message = f"all {count:,} model tests hold"
    if failures:
        message = f"{len(failures):,} of {count:,} model tests fail: " + "; ".join(failures)
    result = GateResult(
        metric=METRIC,
        kind="max",
        required=True,
        limit=0,
        value=len(failures),
        n=count,
        verdict="Fail" if failures else "Pass",
        message=message[:_MOST_MESSAGE],
    )
    return result, failures


def _table(
    rows: Sequence[dict[str, Value]], signature: Signature, derivation: Derivation | None
) -> pa.Table:
    """The rows as the data would have them. UserError when a value is not what its column holds."""
    times = set(derivation.named("time")) if derivation else set()
    columns: dict[str, Any] = {}
    for tensor in signature.inputs:
        values: list[Any] = [row[tensor.name] for row in rows]
        try:
            if tensor.name in times:
                moments = [datetime.fromisoformat(value) if value else None for value in values]
                columns[tensor.name] = pa.array(moments, TIMESTAMP)
            elif tensor.datatype == "BYTES":
                columns[tensor.name] = pa.array(values, pa.string())
            else:
                numbers = [None if value is None else float(value) for value in values]
                columns[tensor.name] = pa.array(numbers, pa.float64())
        except (TypeError, ValueError, pa.ArrowException):
            raise UserError(
                f"model tests: {tensor.name} holds values that are no {tensor.datatype}"
            ) from None
    return pa.table(columns)
