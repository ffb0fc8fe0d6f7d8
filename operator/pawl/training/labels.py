"""What several annotators say: how far they agree, the target made of it, the rows in dispute.

Agreement is measured on all rows with two labels at least, before the rows are split. The limit is
for the lower bound of its 95 % interval, as few rows may agree by luck, and needs `FEWEST` of them.
Disputed rows are those on which annotators differ: `runs/<uid>-<run>/disputed.jsonl` lists those
with the least agreement, a `Disputed` record a line, also when the limit ends the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.api.data import Data
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import Agreement, Record
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import RunConfig
from pawl.artifacts.store import open_store
from pawl.errors import ConflictError, DataError
from pawl.stats.agreement import Labels, agreement, kappa, majority
from pawl.stats.metrics import UndefinedMetricError
from pawl.training import log
from pawl.training.tables import missing_mask, text

FEWEST = 30
MOST_LISTED = 1000
_LONGEST = 256


class Disputed(Record):
    """A line of disputed.jsonl. `row` counts the rows of the data from 1; values are as text."""

    row: int
    ids: dict[str, str | None]
    labels: dict[str, str | None]
    agreement: float  # share of pairs of labels that are equal


def settle(
    table: pa.Table, data: Data, config: RunConfig
) -> tuple[pa.Table, Agreement | None, tuple[str, ...]]:
    """The rows that are not in a tie, with the target, how far annotators agree, and warnings.
    DataError where they agree too little, unless the run makes a version again: its data have
    passed."""
    wanted = data.labels
    if wanted is None:
        return table, None, ()
    values, labels = _coded(table, wanted.annotators)
    agreed = agreement(labels)
    rows = np.flatnonzero(agreed < 1)
    winner, tied = majority(labels)
    found = _measured(labels, len(rows), None if wanted.aggregate is None else int(tied.sum()))
    log.info(told(found))
    listed = ""
    if len(rows) and config.reproduces is None:
        worst = rows[np.argsort(agreed[rows], kind="stable")[:MOST_LISTED]]
        listed = f"; disputed rows are in {_list(table, data, config, worst, agreed)}"
    if wanted.min_kappa is not None and config.reproduces is None:
        _require(found, wanted.min_kappa, listed)
    if wanted.aggregate is None:
        return table, found, ()
    if data.target in table.column_names:
        raise DataError(
            f'column "{data.target}" (data.target) is in the data; labels.aggregate makes it: '
            "leave that out, or name the target otherwise"
        )
    chosen = values.take(pa.array(winner, mask=winner < 0))
    table = table.append_column(data.target, chosen).filter(pa.array(~tied))
    return table, found, _ties(int(tied.sum()), len(tied), listed)


def told(found: Agreement) -> str:
    """In a sentence."""
    low, high = found.interval
    name = "Cohen's" if found.annotators == 2 else "Fleiss'"
    gone = f", of which {found.tied:,} are tied and left out" if found.tied else ""
    return (
        f"{found.annotators} annotators agree with {name} kappa {found.kappa:.2f} (95 % interval "
        f"{low:.2f} to {high:.2f}, {found.rows:,} rows with two labels or more); they differ on "
        f"{found.disputed:,} rows{gone}"
    )


def path(config: RunConfig) -> str:
    """Where the disputed rows of a run are listed in the store."""
    return f"runs/{config.uid}-{config.run}/disputed.jsonl"


def _coded(table: pa.Table, names: Sequence[str]) -> tuple[Any, Labels]:
    """The different labels, and their positions [rows, annotators], negative where missing."""
    columns = [table.column(name) for name in names]
    kind = _kind({name: c.type for name, c in zip(names, columns, strict=True)})
    columns = [pc.cast(column, kind) for column in columns]
    chunks = [chunk for column in columns for chunk in column.chunks]
    values = pc.unique(pa.chunked_array(chunks, type=kind))
    codes = np.empty((table.num_rows, len(names)), dtype=np.int64)
    for code, column in zip(codes.T, columns, strict=True):
        found = pc.fill_null(pc.index_in(column, value_set=values), -1).to_numpy()
        code[:] = np.where(missing_mask(column), -1, found)
    return values, codes


def _kind(kinds: dict[str, Any]) -> Any:
    """The type that all labels have; columns without any have none of their own."""
    known = {name: kind for name, kind in kinds.items() if not pa.types.is_null(kind)}
    if set(known.values()) == {pa.int64(), pa.float64()}:
        return pa.float64()
    for name, kind in known.items():
        if kind not in (pa.bool_(), pa.int64(), pa.float64(), pa.string()):
            raise DataError(f'column "{name}" (data.labels) holds {kind}; that is no label')
        first = next(iter(known))
        if kind != known[first]:
            raise DataError(
                f'columns "{first}" and "{name}" (data.labels) hold {known[first]} and {kind}; '
                "annotators choose from the same labels"
            )
    return next(iter(known.values()), pa.string())


def _measured(labels: Labels, disputed: int, tied: int | None) -> Agreement:
    try:
        found = kappa(labels)
    except UndefinedMetricError as error:
        raise DataError(f"how far annotators agree cannot be told: {error}") from error
    return Agreement(
        annotators=labels.shape[1],
        kappa=found.value,
        interval=(found.lower, found.upper),
        rows=found.n,
        disputed=disputed,
        tied=tied,
    )


def _require(found: Agreement, least: float, listed: str) -> None:
    if found.rows < FEWEST:
        raise DataError(
            f"only {found.rows} rows have labels of two annotators; minKappa needs {FEWEST}",
            reason="TooFewRows",
        )
    if found.interval[0] < least:
        raise DataError(
            f"{told(found)}; the lower bound must be at least {least:g} (minKappa){listed}",
            reason="CheckFailed",
        )


def _ties(tied: int, rows: int, listed: str) -> tuple[str, ...]:
    if not tied:
        return ()
    return (
        f"{tied:,} of {rows:,} rows have no label that most annotators gave and were left out"
        f"{listed}",
    )


def _list(
    table: pa.Table, data: Data, config: RunConfig, rows: NDArray[Any], agreed: NDArray[Any]
) -> str:
    """Writes the rows, unless another try has; gives the path."""
    some = table.take(pa.array(rows))
    ids = _texts(some, data.id_columns)
    labels = _texts(some, data.labels.annotators if data.labels else ())
    lines = [
        Disputed(
            row=int(row) + 1,
            ids={name: values[i] for name, values in ids.items()},
            labels={name: values[i] for name, values in labels.items()},
            agreement=float(agreed[row]),
        )
        for i, row in enumerate(rows)
    ]
    content = b"".join(canonical_json(line) + b"\n" for line in lines)
    with open_store(config.store, retry=PATIENT) as store:
        try:
            store.put(path(config), content)
        except ConflictError:
            log.info("another try of this run, or a trial, has listed them", disputed=path(config))
    return path(config)


def _texts(table: pa.Table, names: Sequence[str]) -> dict[str, list[str | None]]:
    """Columns as texts of bounded length."""
    columns = {name: text(table.column(name)) for name in names}
    return {
        name: pc.utf8_slice_codeunits(column, 0, _LONGEST).to_pylist()
        for name, column in columns.items()
    }
