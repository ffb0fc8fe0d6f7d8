"""Stage `prepare`: fetch the data, digest and check them, settle which rows count, and divide them
(`divide`)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pawl import constants
from pawl.api.data import Data
from pawl.api.trainingjob import Cause, TrainingJobSpec
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.runs import NoNewData, RunConfig
from pawl.errors import DataError
from pawl.training import fetch, functions, labels, log, model_tests, recorded, results, times
from pawl.training.columns import named_columns, require_columns
from pawl.training.divide import Settled, divide
from pawl.training.gate_slices import require_values
from pawl.training.gather import expected_digest, gather
from pawl.training.tables import missing_mask
from pawl.training.window import Labelled, Newest, cut_again, labelled
from pawl.training.workspace import Outcome, Workspace, write_record


def prepare(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Outcome:
    """Leaves the parts, the schema and `prepared.json` in the workspace, or ends the run: when
    there is nothing new to train on, with a result and an exit code of its own, so that no trainer
    runs."""
    work.fresh()
    _write_parameters(spec, work)
    settled = _settle(config, spec, work)
    if isinstance(settled, NoNewData):
        return _nothing_new(config, settled)
    window = settled.newest.window if settled.newest else None
    known = recorded.find(config, settled.digest, window, work)
    if known is not None:
        write_record(work.recorded, known)
        log.info("recorded before for the same recipe and data", version=known.version.name)
        if spec.trainer.sklearn is not None:
            return Outcome(f"{known.version.name} was made of the same recipe and data")
    return divide(config, spec, work, settled)


def _settle(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Settled | NoNewData:
    data, now = spec.data, times.read(config.started_at)
    gathered = (
        fetch.prepared(spec, work)
        if data.prepare.containers
        else gather(data, work.root / "fetched", config)
    )
    table, digest = functions.run(gathered.table, data.prepare.functions), gathered.digest
    _require_digest(config, digest)
    told = _unchanged(config, spec.cause, digest) if spec.cause is not None else None
    if told is not None:
        return told
    require_columns(table, named_columns(data, spec.evaluation))
    if spec.evaluation.tests is not None:
        work.tests.write_bytes(canonical_json(model_tests.fetch(spec.evaluation.tests, work)))
    _check(table, data, config, now)
    table, agreement, ties = labels.settle(table, data, config)
    table, unlabelled = _with_target(table, data.target)
    require_values(table, spec.evaluation.gates)
    counted, beside = _labelled(table, spec, now)
    newest: Newest | None = None
    if config.window is not None and data.time_column is not None:
        newest = cut_again(times.times(table, data.time_column), config.window)
    elif counted is not None:
        if short := counted.too_few():
            return results.end(config, digest, short)
        newest = counted.newest(data.split.test)
        beside = newest.told
    if newest is not None:
        table = table.filter(pa.array(newest.count))
    warnings = (*gathered.warnings, *ties, *unlabelled, *beside)
    return Settled(table, digest, gathered.sources, agreement, newest, warnings)


def _check(table: pa.Table, data: Data, config: RunConfig, now: int) -> None:
    """Data of a version that is made again have passed, when they were younger."""
    if data.checks and config.reproduces is None:
        from pawl.training.checks import run_checks  # noqa: PLC0415 - pandera is slow to import

        run_checks(table, data.checks, now)


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
