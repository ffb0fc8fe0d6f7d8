"""The checks of `data.checks`, carried out by pandera: sentences that name the column, how many
rows fail, and which first.

All failing checks are reported at once. A missing value fails only `maxMissing`. Patterns are
matched by RE2, in time linear in the text. To import this takes half a second: only runs with
checks do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandera.errors import SchemaErrors
from pandera.pandas import Check as Holds

from pawl.api.data import Check
from pawl.api.duration import seconds
from pawl.errors import DataError
from pawl.training import times
from pawl.training.tables import missing_mask, text

_SHOWN_ROWS = 5
_SHOWN_FAILURES = 8


@dataclass(frozen=True, slots=True)
class _Rule:
    """What pandera is asked of some values, one a row. The `error` of `holds` says what the rows
    that fail are; it is the sentence where rows pass or fail as a `whole`."""

    columns: tuple[str, ...]
    values: pd.Series[Any]  # missing ones are never asked
    holds: Holds
    whole: bool = False


def run_checks(table: pa.Table, checks: Sequence[Check], now: int) -> None:
    """DataError(reason CheckFailed) when any check fails; `now` in microseconds."""
    failures = _failures(table, [rule for check in checks for rule in _rules(table, check, now)])
    if failures:
        raise failed(failures)


def failed(failures: Sequence[str]) -> DataError:
    """The error of failed checks, bounded."""
    more = len(failures) - _SHOWN_FAILURES
    rest = f"; and {more} more" if more > 0 else ""
    return DataError("; ".join(failures[:_SHOWN_FAILURES]) + rest, reason="CheckFailed")


def _failures(table: pa.Table, rules: Sequence[_Rule]) -> list[str]:
    if not rules:
        return []
    named = {str(i): rule for i, rule in enumerate(rules)}
    columns = {
        name: pandera.Column(checks=[rule.holds], nullable=True, coerce=False)
        for name, rule in named.items()
    }
    frame = pd.DataFrame({name: rule.values for name, rule in named.items()}, copy=False)
    try:
        pandera.DataFrameSchema(columns).validate(frame, lazy=True)
    except SchemaErrors as errors:
        return [_told(table, named[error.schema.name], error) for error in errors.schema_errors]
    return []


def _told(table: pa.Table, rule: _Rule, error: Any) -> str:
    if rule.whole:
        return str(rule.holds.error)
    passed = error.check_output  # of the rows that were asked
    return _sentence(table, rule, np.asarray(passed.index[~passed.astype(bool)]))


def _sentence(table: pa.Table, rule: _Rule, rows: NDArray[Any]) -> str:
    """`column "age": 3 of 100 rows are below 0 (rows 5, 17, 40; the first is '-3')`."""
    first = ", ".join(str(row + 1) for row in rows[:_SHOWN_ROWS])
    dots = ", …" if len(rows) > _SHOWN_ROWS else ""
    values = [table.column(name)[int(rows[0])].as_py() for name in rule.columns]
    value = str(values[0] if len(values) == 1 else tuple(values))
    shown = "" if value in ("None", "", "nan") else f"; the first is {value[:40]!r}"
    verb, plural = ("is", "row") if len(rows) == 1 else ("are", "rows")
    return (
        f"{_columns(rule.columns)}: {len(rows):,} of {table.num_rows:,} rows {verb} "
        f"{rule.holds.error} ({plural} {first}{dots}{shown})"
    )


def _columns(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"column {quoted}" if len(names) == 1 else f"columns {quoted}"


def _rules(table: pa.Table, check: Check, now: int) -> Iterable[_Rule]:
    if check.min_rows is not None:
        sentence = f"{table.num_rows:,} rows, at least {check.min_rows:,} expected"
        yield _whole((), np.zeros(table.num_rows), table.num_rows >= check.min_rows, sentence)
    elif check.unique:
        holds = Holds(lambda s: ~s.duplicated(), error="repeated", **_FEW)
        yield _Rule(check.unique, _groups(table, check.unique), holds)
    elif check.column is not None:
        yield from _of_column(table.column(check.column), check.column, check, now)


def _of_column(column: Any, name: str, check: Check, now: int) -> Iterable[_Rule]:
    missing = missing_mask(column)
    share = float(missing.mean())
    if check.max_missing is not None and share > check.max_missing:
        what = f"missing, {share:.2%} where at most {check.max_missing:.2%} may be"
        yield _Rule((name,), pd.Series(~missing), Holds(lambda s: s, error=what, **_FEW))
    if pa.types.is_null(column.type):
        return
    if check.type is not None and not _is_type(column, check.type):
        yield _of_type(column, name, check.type, missing)
        return
    yield from _bounds(column, name, check)
    yield from _dates(column, name, check, now)
    if check.allowed:
        listed = ", ".join(check.allowed[:6]) + (", …" if len(check.allowed) > 6 else "")
        holds = Holds.isin(check.allowed, error=f"not one of {listed}", **_FEW)
        yield _Rule((name,), _texts(column, missing), holds)
    if check.pattern is not None:
        yield _matches(column, name, check.pattern, missing)


#: One failing row is enough for pandera's own report, which is not read.
_FEW: dict[str, Any] = {"n_failure_cases": 1}


def _whole(names: tuple[str, ...], rows: NDArray[Any], passed: bool, sentence: str) -> _Rule:
    """A rule that all rows pass or fail together."""
    return _Rule(names, pd.Series(rows), Holds(lambda _: passed, error=sentence), whole=True)


def _groups(table: pa.Table, names: tuple[str, ...]) -> Any:
    """A number per distinct combination of values; missing where one of them is."""
    frame = table.select(names).to_pandas()
    found = frame.groupby(list(names), sort=False).ngroup().astype("float64")
    absent = np.logical_or.reduce([missing_mask(table.column(name)) for name in names])
    return found.mask(absent)


def _is_type(column: Any, wanted: str) -> bool:
    kind = column.type
    types = pa.types
    return bool(
        {
            "number": types.is_integer(kind) or types.is_floating(kind),
            "string": types.is_string(kind),
            "boolean": types.is_boolean(kind),
            "datetime": types.is_timestamp(kind),
        }[wanted]
    )


def _of_type(column: Any, name: str, wanted: str, missing: NDArray[np.bool_]) -> _Rule:
    """Text where numbers are expected is told by its rows, anything else by the column's type."""
    wrong = ~missing
    if wanted == "number" and pa.types.is_string(column.type):
        pattern = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
        numeric = np.asarray(pc.fill_null(pc.match_substring_regex(column, pattern), False))
        wrong = wrong & ~numeric.astype(bool)
    if not wrong.any():
        sentence = f'column "{name}": stored as text, {wanted} expected'
        return _whole((name,), np.zeros(len(column)), False, sentence)
    return _Rule((name,), pd.Series(~wrong), Holds(lambda s: s, error=f"no {wanted}", **_FEW))


def _bounds(column: Any, name: str, check: Check) -> Iterable[_Rule]:
    if check.min is None and check.max is None:
        return
    if not _is_type(column, "number"):
        sentence = f'column "{name}": min and max need numbers, it holds {column.type}'
        yield _whole((name,), np.zeros(len(column)), False, sentence)
        return
    values = pc.cast(column, pa.float64(), safe=False).to_pandas()
    if check.min is not None:
        yield _Rule((name,), values, Holds.ge(check.min, error=f"below {check.min:g}", **_FEW))
    if check.max is not None:
        yield _Rule((name,), values, Holds.le(check.max, error=f"above {check.max:g}", **_FEW))


def _dates(column: Any, name: str, check: Check, now: int) -> Iterable[_Rule]:
    if not (check.not_before or check.not_after or check.max_age):
        return
    if not _is_type(column, "datetime"):
        what = "notBefore, notAfter and maxAge need dates"
        sentence = f'column "{name}": {what}, it holds {column.type}'
        yield _whole((name,), np.zeros(len(column)), False, sentence)
        return
    moments = pc.cast(column, pa.int64()).to_pandas()
    if check.not_before is not None:
        least = times.read(check.not_before)
        holds = Holds.ge(least, error=f"before {check.not_before}", **_FEW)
        yield _Rule((name,), moments, holds)
    if check.not_after is not None:
        most = times.read(check.not_after)
        yield _Rule((name,), moments, Holds.le(most, error=f"after {check.not_after}", **_FEW))
    newest = pc.max(column).as_py()
    if check.max_age is not None and newest is not None:
        age = now - pc.cast(pc.max(column), pa.int64()).as_py()
        fresh = age <= seconds(check.max_age) * 1_000_000
        sentence = f'column "{name}": the newest row is of {newest:%Y-%m-%dT%H:%M:%SZ}, older than '
        yield _whole((name,), np.zeros(len(column)), fresh, sentence + check.max_age)


def _matches(column: Any, name: str, pattern: str, missing: NDArray[np.bool_]) -> _Rule:
    try:
        found = pc.match_substring_regex(text(column), f"^(?:{pattern})$")
    except pa.ArrowInvalid as error:
        raise DataError(
            f'column "{name}": pattern {pattern!r} is no regular expression (RE2): {error}'
        ) from error
    matched = np.asarray(pc.fill_null(found, True)).astype(bool) | missing
    what = f"not like {pattern}"
    return _Rule((name,), pd.Series(matched), Holds(lambda s: s, error=what, **_FEW))


def _texts(column: Any, missing: NDArray[np.bool_]) -> Any:
    return text(column).to_pandas().mask(missing)
