"""Second half of `prepare`: the rows become parts, and what is known of them a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pawl.api.data import Data
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import Agreement, DataLineage, Proxy, SourceLineage
from pawl.artifacts.redact import redact
from pawl.artifacts.runs import Moved, RunConfig
from pawl.errors import DataError
from pawl.expressions.program import Program
from pawl.training import derive, log, moved, proxies, suspicions, times
from pawl.training.columns import Roles, assign_roles, bound_categories, encode_target
from pawl.training.features import matrix
from pawl.training.parts import write_parts
from pawl.training.rowhash import row_hashes
from pawl.training.split import PARTS, TEST, TRAIN, VALIDATION, Parts, folds, split
from pawl.training.window import Newest
from pawl.training.workspace import Outcome, Prepared, Schema, Workspace, write_record


@dataclass(frozen=True)
class Settled:
    """The rows that a run learns from and is judged on. `newest`: how a retrain cuts them."""

    table: pa.Table
    digest: str
    sources: tuple[SourceLineage, ...]
    agreement: Agreement | None
    newest: Newest | None
    warnings: tuple[str, ...]


def divide(config: RunConfig, spec: TrainingJobSpec, work: Workspace, settled: Settled) -> Outcome:
    """Leaves the parts, the schema and `prepared.json` in the workspace."""
    data, table, newest = spec.data, settled.table, settled.newest
    program = derive.compiled(table, data)
    roles = assign_roles(table, data, program)
    target, classes = encode_target(table.column(data.target), data)
    parts = split(table, data, roles.row_columns, spec.model, newest.test if newest else None)
    _require_classes(target, parts, classes)
    table = _derived(table, parts, roles, data, program, work)
    bound_categories(table, roles.features)
    schema = Schema(
        task=data.task,
        target=data.target,
        classes=classes,
        features=roles.features,
        weight=data.weight_column,
    )
    _write(work, table, target, parts, schema, roles)
    if spec.search is not None and spec.search.cross_validation is not None:
        count = spec.search.cross_validation.folds
        fold = folds(table, data, roles.row_columns, spec.model, count)
        np.save(work.folds, np.concatenate([fold[parts == part] for part in (TRAIN, VALIDATION)]))
    suspected, leaked = _suspicions(table, target, parts, schema, data)
    distances, far = _moved(config, data, table, parts, schema)
    warnings = (*settled.warnings, *roles.warnings, *suspected, *far)
    for sentence in warnings:
        log.warning(sentence)
    prepared = Prepared(
        data=_lineage(config, data, table, parts, settled),
        row_columns=roles.row_columns,
        row_columns_are_ids=roles.row_columns_are_ids,
        agreement=settled.agreement,
        moved=distances,
        proxies=leaked,
        warnings=warnings,
    )
    write_record(work.prepared, prepared)
    return Outcome(f"{table.num_rows:,} rows", warnings=warnings)


def _lineage(
    config: RunConfig, data: Data, table: pa.Table, parts: Parts, settled: Settled
) -> DataLineage:
    sizes = dict(zip(PARTS, np.bincount(parts, minlength=len(PARTS)).tolist(), strict=True))
    log.info("rows split", **sizes)
    return DataLineage(
        uri=redact(data.uri),
        digest=settled.digest,
        rows=table.num_rows,
        train_rows=sizes["train"],
        validation_rows=sizes["validation"],
        test_rows=sizes["test"],
        newest=times.newest(table, data.time_column, times.read(config.started_at)),
        window=settled.newest.window if settled.newest else None,
        sources=settled.sources,
        pin=None if data.pin == "none" else data.pin,
    )


def _derived(
    table: pa.Table, parts: Parts, roles: Roles, data: Data, program: Program, work: Workspace
) -> pa.Table:
    """With the derived features as columns; how they came about is left for the bundle."""
    if not program.definitions:
        return table
    program = derive.fitted(program, table, parts == TRAIN)
    derivation = derive.derivation(program, data, roles.features)
    if derivation.definitions:
        write_record(work.derivation, derivation)
    return derive.derived(table, program)


def _write(
    work: Workspace,
    table: pa.Table,
    target: NDArray[Any],
    parts: Parts,
    schema: Schema,
    roles: Roles,
) -> None:
    """The parts, what their columns mean, and which rows the trainer is given."""
    write_parts(table, target, parts, schema, work)
    given = pa.array(np.isin(parts, (TRAIN, VALIDATION)))
    np.save(work.row_digests, np.sort(row_hashes(table.filter(given), roles.row_columns)))
    work.schema.write_bytes(canonical_json(schema))


def _require_classes(target: NDArray[Any], parts: Parts, classes: tuple[Any, ...]) -> None:
    """Every class must be learnt from, and more than one be judged."""
    if not classes:
        return
    present = np.bincount(target[parts == TRAIN], minlength=len(classes))
    if (present == 0).any():
        name = classes[int(np.flatnonzero(present == 0)[0])]
        raise DataError(
            f'no row of class "{name}" is in the train part; give more data of it',
            reason="TooFewRows",
        )
    for part, what in ((1, "validation"), (TEST, "test")):
        if len(np.unique(target[parts == part])) < 2:
            raise DataError(
                f"the {what} part has rows of one class only; give more data, or a larger "
                f"data.split.{what}",
                reason="TooFewRows",
            )


def _suspicions(
    table: pa.Table, target: NDArray[Any], parts: Parts, schema: Schema, data: Data
) -> tuple[tuple[str, ...], tuple[Proxy, ...]]:
    """Sentences, and how well the features predict what is sensitive."""
    rows = np.flatnonzero(parts == TRAIN)[: suspicions.MOST_ROWS]
    some = table.take(pa.array(rows))
    features = matrix(some, schema.numeric, schema.categorical)
    leaked = proxies.find(features, some, data.sensitive)
    sentences = (
        *suspicions.leaks(features, target[rows], len(schema.classes)),
        *suspicions.identifiers(features),
        *proxies.warnings(leaked),
    )
    return sentences, leaked


def _moved(
    config: RunConfig, data: Data, table: pa.Table, parts: Parts, schema: Schema
) -> tuple[Moved | None, tuple[str, ...]]:
    """What has moved since the champion was trained; trials need not tell it each."""
    limits = [check.max_psi for check in data.checks if check.max_psi is not None]
    if config.champion is None or (config.trial is not None and not limits):
        return None, ()
    most = min(limits) if limits and config.reproduces is None else None
    train = table.filter(pa.array(parts == TRAIN))
    return moved.since(config.champion, matrix(train, schema.numeric, schema.categorical), most)
