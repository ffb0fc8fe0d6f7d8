"""Stage `prepare`: fetch the data, digest and check them, split them, write the parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pawl import constants
from pawl.api.data import Data
from pawl.api.trainingjob import Cause, TrainingJobSpec
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import DataLineage, Proxy
from pawl.artifacts.redact import redact
from pawl.artifacts.runs import Moved, NoNewData, RunConfig
from pawl.errors import DataError
from pawl.expressions.program import Program
from pawl.training import (
    derive,
    fetch,
    functions,
    labels,
    log,
    model_tests,
    moved,
    proxies,
    recorded,
    results,
    suspicions,
    times,
)
from pawl.training.columns import (
    Roles,
    assign_roles,
    bound_categories,
    encode_target,
    named_columns,
    require_columns,
)
from pawl.training.features import matrix
from pawl.training.gate_slices import require_values
from pawl.training.gather import expected_digest, gather
from pawl.training.parts import write_parts
from pawl.training.rowhash import row_hashes
from pawl.training.split import PARTS, TEST, TRAIN, VALIDATION, Parts, folds, split
from pawl.training.tables import missing_mask
from pawl.training.window import Labelled, Newest, labelled
from pawl.training.workspace import Outcome, Prepared, Schema, Workspace, write_record


def prepare(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Outcome:
    """Leaves the parts, the schema and `prepared.json` in the workspace, or ends the run: when
    there is nothing new to train on, with a result and an exit code of its own, so that no trainer
    runs."""
    data, now = spec.data, times.read(config.started_at)
    work.fresh()
    _write_parameters(spec, work)
    gathered = (
        fetch.prepared(spec, work)
        if data.prepare.containers
        else gather(data, work.root / "fetched", config)
    )
    table, digest = functions.run(gathered.table, data.prepare.functions), gathered.digest
    _require_digest(config, digest)
    told = _unchanged(config, spec.cause, digest) if spec.cause is not None else None
    if told is not None:
        return _nothing_new(config, told)
    require_columns(table, named_columns(data, spec.evaluation))
    if spec.evaluation.tests is not None:
        work.tests.write_bytes(canonical_json(model_tests.fetch(spec.evaluation.tests, work)))
    _check(table, data, config, now)
    table, agreement, ties = labels.settle(table, data, config)
    table, warnings = _with_target(table, data.target)
    require_values(table, spec.evaluation.gates)
    counted, beside = _labelled(table, spec, now)
    newest: Newest | None = None
    if counted is not None:
        if short := counted.too_few():
            return _nothing_new(config, results.end(config, digest, short))
        newest = counted.newest(data.split.test)
        beside = newest.told
        table = table.filter(pa.array(newest.count))
    known = recorded.find(config, digest, newest.window if newest else None, work)
    if known is not None:
        write_record(work.recorded, known)
        log.info("recorded before for the same recipe and data", version=known.version.name)
        if spec.trainer.sklearn is not None:
            return Outcome(f"{known.version.name} was made of the same recipe and data")
    program = derive.compiled(table, data)
    roles = assign_roles(table, data, program)
    target, classes = encode_target(table.column(data.target), data)
    parts = split(table, data, roles.row_columns, spec.model, newest.test if newest else None)
    sizes = np.bincount(parts, minlength=len(PARTS))
    log.info("rows split", **{name: int(n) for name, n in zip(PARTS, sizes, strict=True)})
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
    lineage = DataLineage(
        uri=redact(data.uri),
        digest=digest,
        rows=table.num_rows,
        train_rows=int(sizes[TRAIN]),
        validation_rows=int(sizes[VALIDATION]),
        test_rows=int(sizes[TEST]),
        newest=times.newest(table, data.time_column, now),
        window=newest.window if newest else None,
        sources=gathered.sources,
        pin=None if data.pin == "none" else data.pin,
    )
    _write(work, table, target, parts, schema, roles)
    if spec.search is not None and spec.search.cross_validation is not None:
        count = spec.search.cross_validation.folds
        fold = folds(table, data, roles.row_columns, spec.model, count)
        np.save(work.folds, np.concatenate([fold[parts == part] for part in (TRAIN, VALIDATION)]))
    suspected, leaked = _suspicions(table, target, parts, schema, data)
    distances, far = _moved(config, data, table, parts, schema)
    warnings = (*gathered.warnings, *ties, *warnings, *beside, *roles.warnings, *suspected, *far)
    for sentence in warnings:
        log.warning(sentence)
    prepared = Prepared(
        data=lineage,
        row_columns=roles.row_columns,
        row_columns_are_ids=roles.row_columns_are_ids,
        agreement=agreement,
        moved=distances,
        proxies=leaked,
        warnings=warnings,
    )
    write_record(work.prepared, prepared)
    return Outcome(f"{lineage.rows:,} rows", warnings=warnings)


def _check(table: pa.Table, data: Data, config: RunConfig, now: int) -> None:
    """Data of a version that is made again have passed, when they were younger."""
    if data.checks and config.reproduces is None:
        from pawl.training.checks import run_checks  # noqa: PLC0415 - pandera is slow to import

        run_checks(table, data.checks, now)


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


def _require_digest(config: RunConfig, digest: str) -> None:
    """Trials are compared with each other, so all must see the same data; and so must the run that
    makes a version again."""
    expected = expected_digest(config)
    if expected is not None and expected != digest and config.reproduces is not None:
        raise DataError(
            f"the data have changed since {config.reproduces.name} was trained: {digest[:19]} is "
            f"not {expected[:19]}, so there is nothing to be compared, and they were not pinned",
            reason="DataChanged",
        )
    if expected is not None and expected != digest:
        raise DataError(
            f"the data have changed while the search went on: {digest[:19]} is not "
            f"{expected[:19]}, which its first trial saw",
            reason="DataChanged",
        )


def _unchanged(config: RunConfig, cause: Cause, digest: str) -> NoNewData | None:
    """The run's result when the data are those that the served version was trained on, or an
    earlier try has found nothing new."""
    if digest == cause.data_digest:
        return results.end(config, digest)
    return results.ended(config)


def _nothing_new(config: RunConfig, told: NoNewData) -> Outcome:
    return Outcome(
        told.sentence(),
        results.path(config),
        reason="NoNewData",
        exit_code=constants.EXIT_NO_NEW_DATA,
    )


def _labelled(
    table: pa.Table, spec: TrainingJobSpec, now: int
) -> tuple[Labelled | None, tuple[str, ...]]:
    """What a retrain may count, or a sentence why its gates run on the recipe's test rows."""
    cause, column = spec.cause, spec.data.time_column
    if cause is None or cause.min_labelled is None:
        return None, ()
    if column is not None and times.are_moments(table, column):
        return labelled(times.times(table, column), cause, now), ()
    why = "is not given" if column is None else "holds no times with a date"
    return None, (f"gates ran on the recipe's test rows: data.timeColumn {why}",)


def _write_parameters(spec: TrainingJobSpec, work: Workspace) -> None:
    trainer = spec.trainer.container or spec.trainer.sklearn
    work.parameters.write_bytes(canonical_json(trainer.parameters if trainer else {}))


def _with_target(table: pa.Table, target: str) -> tuple[pa.Table, tuple[str, ...]]:
    """The rows that have a target, and a warning when others had to go."""
    missing = missing_mask(table.column(target))
    count = int(missing.sum())
    if count == 0:
        return table, ()
    if count == len(missing):
        raise DataError(f'column "{target}" (data.target) is missing in every row')
    sentence = (
        f'{count:,} of {len(missing):,} rows have no "{target}" and were left out '
        f"(the first is row {int(np.flatnonzero(missing)[0]) + 1})"
    )
    return table.filter(pa.array(~missing)), (sentence,)


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
