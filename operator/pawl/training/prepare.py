"""Stage `prepare`: fetch the data, digest and check them, split them, write the parts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pawl import constants
from pawl.api.data import Data
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import DataLineage, RunConfig
from pawl.artifacts.redact import redact
from pawl.errors import DataError
from pawl.training import log, recorded, results, source, suspicions
from pawl.training.checks import missing_mask, run_checks
from pawl.training.columns import (
    Roles,
    assign_roles,
    encode_target,
    named_columns,
    require_columns,
)
from pawl.training.features import as_numbers, as_texts, matrix
from pawl.training.rowhash import row_hashes
from pawl.training.split import PARTS, TEST, TRAIN, Parts, split
from pawl.training.tables import read_table, text
from pawl.training.workspace import (
    ENCODED_TARGET,
    Feature,
    Outcome,
    Prepared,
    Schema,
    Workspace,
    write_record,
)


def prepare(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Outcome:
    """Leaves the parts, the schema and `prepared.json` in the workspace, or ends the run: when the
    data have not changed, with a result and an exit code of its own, so that no trainer runs."""
    data = spec.data
    work.fresh()
    _write_parameters(spec, work)
    files, table = _read(data, work)
    digest = source.content_digest(files)
    unchanged = results.nothing_new(config, digest)
    if unchanged is not None:
        return Outcome(
            unchanged.sentence(),
            results.path(config),
            reason="NoNewData",
            exit_code=constants.EXIT_NO_NEW_DATA,
        )
    known = recorded.find(config, digest)
    if known is not None:
        write_record(work.recorded, known)
        log.info("recorded before for the same recipe and data", version=known.version.name)
        if spec.trainer.sklearn is not None:
            return Outcome(f"{known.version.name} was made of the same recipe and data")
    require_columns(table, named_columns(data))
    run_checks(table, data.checks)
    table, dropped = _with_target(table, data.target)
    roles = assign_roles(table, data)
    target, classes = encode_target(table.column(data.target), data)
    parts = split(table, data, roles.row_columns, spec.model)
    sizes = np.bincount(parts, minlength=3)
    log.info("rows split", **{name: int(n) for name, n in zip(PARTS, sizes, strict=True)})
    _require_classes(target, parts, classes)
    schema = Schema(
        task=data.task,
        target=data.target,
        classes=classes,
        features=roles.features,
        weight=data.weight_column,
    )
    _write_parts(table, target, parts, schema, work)
    seen = parts != TEST
    np.save(work.row_digests, np.sort(row_hashes(table.filter(pa.array(seen)), roles.row_columns)))
    work.schema.write_bytes(canonical_json(schema))
    lineage = DataLineage(
        uri=redact(data.uri),
        digest=digest,
        rows=table.num_rows,
        train_rows=int(sizes[0]),
        validation_rows=int(sizes[1]),
        test_rows=int(sizes[2]),
    )
    warnings = (*dropped, *roles.warnings, *_suspicions(table, target, parts, schema, data))
    for sentence in warnings:
        log.warning(sentence)
    write_record(work.prepared, _prepared(lineage, roles, warnings))
    return Outcome(f"{lineage.rows:,} rows", warnings=warnings)


def _prepared(lineage: DataLineage, roles: Roles, warnings: tuple[str, ...]) -> Prepared:
    return Prepared(
        data=lineage,
        row_columns=roles.row_columns,
        row_columns_are_ids=roles.row_columns_are_ids,
        warnings=warnings,
    )


def _write_parameters(spec: TrainingJobSpec, work: Workspace) -> None:
    trainer = spec.trainer.container or spec.trainer.sklearn
    work.parameters.write_bytes(canonical_json(trainer.parameters if trainer else {}))


def _read(data: Data, work: Workspace) -> tuple[list[source.SourceFile], pa.Table]:
    scratch = work.root / "fetched"
    log.info("reading data", uri=data.uri)
    try:
        claim = os.environ.get(constants.ENV_CLAIM_DIR)
        mounted = Path(claim) if claim else None
        files = source.collect(data.uri, data.format, scratch, claim=mounted)
        as_text = {*data.id_columns, *([data.group_column] if data.group_column else [])}
        table = read_table(files, frozenset(as_text))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    log.info("data read", files=len(files), rows=table.num_rows, columns=table.num_columns)
    return files, table


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


def _write_parts(
    table: pa.Table, target: NDArray[Any], parts: Parts, schema: Schema, work: Workspace
) -> None:
    contract = _contract_table(table, target, schema)
    encoded = pa.array(target)
    for index, name in enumerate(PARTS):
        mask = pa.array(parts == index)
        if index == TEST:
            rows = _plain_columns(table).append_column(ENCODED_TARGET, encoded).filter(mask)
        else:
            rows = contract.filter(mask)
        part: Literal["train", "validation", "test"] = name  # type: ignore[assignment]
        _write_parquet(rows, work.part(part))


def _plain_columns(table: pa.Table) -> pa.Table:
    """Without nested columns, which no model takes and which need not be kept."""
    return table.select(
        [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    )


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", compression_level=1)


def _contract_table(table: pa.Table, target: NDArray[Any], schema: Schema) -> pa.Table:
    """Features as the file contract promises them, the encoded target and the weight."""
    columns: dict[str, Any] = {}
    for feature in schema.features:
        columns[feature.name] = _contract_column(table.column(feature.name), feature)
    columns[schema.target] = pa.array(target)
    if schema.weight is not None:
        weights = as_numbers(table.column(schema.weight), schema.weight)
        wrong = np.flatnonzero(~(weights >= 0))
        if len(wrong):
            raise DataError(
                f'column "{schema.weight}" (data.weightColumn): {len(wrong):,} weights are '
                f"missing or negative, the first in row {wrong[0] + 1}"
            )
        columns[schema.weight] = pa.array(weights)
    return pa.table(columns)


def _contract_column(column: Any, feature: Feature) -> Any:
    if feature.kind == "categorical":
        return column
    values = as_numbers(column, feature.name)
    return pa.array(values, mask=np.isnan(values))


def _suspicions(
    table: pa.Table, target: NDArray[Any], parts: Parts, schema: Schema, data: Data
) -> tuple[str, ...]:
    rows = np.flatnonzero(parts == TRAIN)[: suspicions.MOST_ROWS]
    some = table.take(pa.array(rows))
    features = matrix(some, schema.numeric, schema.categorical)
    sensitive = {name: as_texts(text(some.column(name)), name) for name in data.sensitive}
    return (
        *suspicions.leaks(features, target[rows], len(schema.classes)),
        *suspicions.identifiers(features),
        *suspicions.proxies(features, sensitive),
    )
