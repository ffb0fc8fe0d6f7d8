"""Predictions and the truth about them -> a table to train on.

A row is a captured prediction with its features and, as `target`, what was told of it: the truth
that came last, where several did. Rows count only when they are mature: made at least so long ago
that the truth of all of them has had time to come. Labels that come early are of one kind (who
cancels says so at once, who stays never does), and a model that learns from them learns that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pawl.artifacts.retry import describe
from pawl.artifacts.store import Store
from pawl.capture import names as n
from pawl.capture.erase import tables
from pawl.capture.expire import files
from pawl.capture.tables import TIMESTAMP
from pawl.errors import DataError

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Joined:
    """`table`: the features, the target, `pawl_id` (id/row, which identifies it) and `pawl_time`,
    by time. `young`: predictions that are not mature; `untold`: mature ones without truth."""

    table: pa.Table
    young: int
    untold: int


def join(
    store: Store, *, target: str, before: float, since: float = 0.0, version: str | None = None
) -> Joined:
    """Of predictions made in [since, before) (epoch seconds), of one version or all. DataError when
    there is nothing, or when files do not fit together."""
    made = _predictions(store, since, version)
    if target in made.column_names:
        raise DataError(f"there is a feature {target} already; choose another --target")
    mature = pc.less(made.column(n.TIME), pa.scalar(_moment(before), TIMESTAMP))
    old = made.filter(mature)
    truths = _truths(store)
    names = list(zip(old.column(n.ID).to_pylist(), old.column(n.ROW).to_pylist(), strict=True))
    read = _reader(made)
    values = [read(truths[name]) if name in truths else None for name in names]
    kind = made.schema.field(n.LABEL).type if n.LABEL in made.column_names else pa.float64()
    features = [name for name in old.column_names if not name.startswith(n.OWN)]
    table = old.select([*features, n.TIME])
    table = table.append_column(n.ID, pa.array([f"{id_}/{row}" for id_, row in names], pa.string()))
    table = table.append_column(target, pa.array(values, kind))
    table = table.filter(pc.is_valid(table.column(target)))
    if not table.num_rows:
        raise DataError(
            f"none of {old.num_rows:,} mature predictions has a truth", reason="NoTruth"
        )
    table = table.sort_by([(n.TIME, "ascending"), (n.ID, "ascending")])
    return Joined(
        table.replace_schema_metadata(None),
        made.num_rows - old.num_rows,
        old.num_rows - table.num_rows,
    )


def _predictions(store: Store, since: float, version: str | None) -> pa.Table:
    """Each once, also while a file is being replaced."""
    first = _moment(since - _DAY).date()
    days = {path: n.date_of(path) for path in files(store, "predictions")}
    found = []
    for _, table in tables(store, [path for path, day in days.items() if day and day >= first]):
        wanted = pc.greater_equal(table.column(n.TIME), pa.scalar(_moment(since), TIMESTAMP))
        if version is not None:
            wanted = pc.and_(wanted, pc.equal(table.column(n.VERSION), version))
        found.append(table.filter(wanted))
    found = [table for table in found if table.num_rows]
    try:
        joined = pa.concat_tables(found, promote_options="default") if found else None
    except pa.ArrowException as error:
        raise DataError(
            f"a column is not of one kind in all files ({describe(error)}); choose later ones by "
            "--since, or one version"
        ) from error
    if joined is None:
        raise DataError("there are no captured predictions", reason="DataNotFound")
    return _once(joined)


def _once(table: pa.Table) -> pa.Table:
    seen: set[tuple[str, int]] = set()
    first = []
    for name in zip(table.column(n.ID).to_pylist(), table.column(n.ROW).to_pylist(), strict=True):
        first.append(name not in seen)
        seen.add(name)
    return table.filter(pa.array(first))


def _truths(store: Store) -> dict[tuple[str, int], str]:
    """The last of each."""
    last: dict[tuple[str, int], tuple[datetime, str]] = {}
    for _, table in tables(store, files(store, "feedback")):
        columns = [table.column(name).to_pylist() for name in (n.ID, n.ROW, n.TIME, n.TRUTH)]
        for id_, row, time, truth in zip(*columns, strict=True):
            known = last.get((id_, row))
            if truth is not None and (known is None or known[0] <= time):
                last[id_, row] = time, truth
    return {name: truth for name, (_, truth) in last.items()}


def _reader(made: pa.Table) -> Callable[[str], Any]:
    """From a truth's text to a value like the labels, or a number; None for what is none."""
    kind = made.schema.field(n.LABEL).type if n.LABEL in made.column_names else pa.float64()
    if kind == pa.string():
        return str
    takes: tuple[type, ...] = (bool,) if kind == pa.bool_() else (int, float)
    if kind == pa.int64():
        takes = (int,)

    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            return None
        return value if type(value) in takes else None

    return read


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC)
