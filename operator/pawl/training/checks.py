"""The checks of `data.checks`: sentences that name the column, how many rows fail, and which first.

All failing checks are reported at once. A missing value fails only `maxMissing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pawl.api.data import Check
from pawl.errors import DataError
from pawl.training.tables import text

_SHOWN_ROWS = 5
_SHOWN_FAILURES = 8


def run_checks(table: pa.Table, checks: tuple[Check, ...]) -> None:
    """DataError(reason CheckFailed) when any check fails."""
    failures = [sentence for check in checks for sentence in _failures(table, check)]
    if failures:
        more = len(failures) - _SHOWN_FAILURES
        rest = f"; and {more} more" if more > 0 else ""
        raise DataError("; ".join(failures[:_SHOWN_FAILURES]) + rest, reason="CheckFailed")


def _failures(table: pa.Table, check: Check) -> list[str]:
    if check.column is None:
        least = check.min_rows or 0
        found = table.num_rows
        return [f"{found:,} rows, at least {least:,} expected"] if found < least else []
    column = table.column(check.column)
    missing = missing_mask(column)
    failures = _missing_failure(check, missing)
    if check.type is not None and not _is_type(column, check.type):
        return [*failures, _type_failure(check, column, missing)]
    failures += _bound_failures(check, column, missing)
    if check.allowed:
        values = text(column)
        outside = ~np.asarray(pc.is_in(values, pa.array(check.allowed, pa.string()))) & ~missing
        if outside.any():
            listed = ", ".join(check.allowed[:6]) + (", …" if len(check.allowed) > 6 else "")
            failures.append(_sentence(check.column, f"not one of {listed}", outside, values))
    return failures


def missing_mask(column: Any) -> NDArray[np.bool_]:
    """Rows without a value: null, NaN or an empty text."""
    mask = np.asarray(pc.is_null(column, nan_is_null=pa.types.is_floating(column.type)))
    if pa.types.is_string(column.type):
        mask = mask | np.asarray(pc.fill_null(pc.equal(column, ""), False))
    return mask.astype(bool)


def _missing_failure(check: Check, missing: NDArray[np.bool_]) -> list[str]:
    if check.max_missing is None or missing.mean() <= check.max_missing:
        return []
    what = f"missing, {missing.mean():.2%} where at most {check.max_missing:.2%} may be"
    return [_sentence(str(check.column), what, missing, None)]


def _is_type(column: Any, wanted: str) -> bool:
    kind = column.type
    types = pa.types
    if types.is_null(kind):
        return True
    return bool(
        {
            "number": types.is_integer(kind) or types.is_floating(kind),
            "string": types.is_string(kind),
            "boolean": types.is_boolean(kind),
            "datetime": types.is_timestamp(kind),
        }[wanted]
    )


def _type_failure(check: Check, column: Any, missing: NDArray[np.bool_]) -> str:
    """Text where numbers are expected is told by its rows, anything else by the column's type."""
    wrong = ~missing
    if check.type == "number" and pa.types.is_string(column.type):
        pattern = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
        numeric = np.asarray(pc.fill_null(pc.match_substring_regex(column, pattern), False))
        wrong = wrong & ~numeric.astype(bool)
    if not wrong.any():
        return f'column "{check.column}": stored as text, {check.type} expected'
    return _sentence(str(check.column), f"no {check.type}", wrong, column)


def _bound_failures(check: Check, column: Any, missing: NDArray[np.bool_]) -> list[str]:
    if (check.min is None and check.max is None) or pa.types.is_null(column.type):
        return []
    if not _is_type(column, "number"):
        return [f'column "{check.column}": min and max need numbers, it holds {column.type}']
    values = np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
    failures = []
    if check.min is not None and (below := (values < check.min) & ~missing).any():
        failures.append(_sentence(str(check.column), f"below {check.min:g}", below, column))
    if check.max is not None and (above := (values > check.max) & ~missing).any():
        failures.append(_sentence(str(check.column), f"above {check.max:g}", above, column))
    return failures


def _sentence(name: str, what: str, wrong: NDArray[np.bool_], values: Any | None) -> str:
    """`column "age": 3 of 100 rows are below 0 (rows 5, 17, 40; the first is -3)`."""
    rows = np.flatnonzero(wrong)
    first = ", ".join(str(row + 1) for row in rows[:_SHOWN_ROWS])
    dots = ", …" if len(rows) > _SHOWN_ROWS else ""
    shown = "" if values is None else f"; the first is {str(values[int(rows[0])].as_py())[:40]!r}"
    verb = "is" if len(rows) == 1 else "are"
    plural = "row" if len(rows) == 1 else "rows"
    return (
        f'column "{name}": {len(rows):,} of {len(wrong):,} rows {verb} {what} '
        f"({plural} {first}{dots}{shown})"
    )
