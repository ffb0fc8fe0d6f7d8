"""What a server's monitor port says, read with suspicion: a page is right as a whole or not used.

Another process may answer at the address of a pod that is gone, and a pod may run any image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import orjson

from pawl.stats import loghist, valuehist
from pawl.stats.drift.performance import Confusion
from pawl.stats.sequential.clusters import BUCKETS
from pawl.stats.shadow import Pair

_FORMAT = 1
_MOST_GROUPS = 64
#: Larger sums are taken to be this: squares of sums over a window are numbers still.
_MOST_SUM = 1e130


@dataclass(frozen=True)
class Feedback:
    """Truth that came in for the predictions of one version: (n, wrong) by age in minutes, n by the
    weight that the version had when it predicted. Of numbers the sums of |error| and error², of two
    classes (tp, fp, fn, tn), also by group."""

    labelled: int = 0
    wrong: int = 0
    ages: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    weights: Mapping[int, int] = field(default_factory=dict)
    absolute_error: Mapping[int, int] = field(default_factory=dict)
    total: float = 0.0
    squares: float = 0.0
    confusion: Confusion | None = None
    groups: Mapping[str, Confusion] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """Sums over the seconds [asked for, `end`). `errors` are answers 4xx and 5xx, `values` are
    predictions by bins that are the same for every version (`stats.valuehist`), or by class;
    `feedback` is by the version that predicted."""

    end: int
    requests: int
    errors: int
    latency: Mapping[int, int]
    values: Mapping[str, int]
    users: Mapping[int, tuple[int, int]]
    feedback: Mapping[int, Feedback]
    predictions: int = 0


def parse_snapshot(body: bytes, model: str | None, version: int) -> Snapshot:
    """A `/monitor` page of that version. ValueError when it is none."""
    try:
        page = page_of(body, model, version)
        errors = count(page["errors"]) + count(page.get("refused", 0))
        return Snapshot(
            end=count(page["to"]),
            requests=at_most(count(page["requests"]), errors),
            errors=errors,
            latency=loghist.from_wire(_counts(page["latency"])),
            values=_values(page),
            users=dict(map(_user, page.get("users", ()))),
            feedback={
                int(predicted): _feedback(counted)
                for predicted, counted in page.get("feedback", {}).items()
                if predicted.isdecimal()
            },
            predictions=count(page.get("predictions", 0)),
        )
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(f"not a page of a monitor: {error!r}") from error


def parse_pairs(body: bytes, model: str | None, version: int) -> list[Pair]:
    """A `/pairs` page of that version. ValueError when it is none."""
    try:
        return _pairs(page_of(body, model, version)["pairs"])
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a page of pairs: {error!r}") from error


def page_of(body: bytes, model: str | None, version: int) -> dict[str, Any]:
    """The page of a monitor that serves that version. ValueError when it is none."""
    page = orjson.loads(body)
    if not isinstance(page, dict) or page.get("format") != _FORMAT:
        raise ValueError(f"not a page of format {_FORMAT}")
    if page["version"] != version or (model is not None and page["model"] != model):
        raise ValueError(f"it serves version {page['version']} of {page['model']}")
    return page


def count(value: object) -> int:
    """A number of things. ValueError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError(f"not a count: {value!r}")
    return value


def at_most(n: int, part: int) -> int:
    """n. ValueError when a part of it is more."""
    if part > n:
        raise ValueError(f"{part} of {n}")
    return n


def _counts(wire: Mapping[str, object]) -> dict[str, int]:
    return {name: count(value) for name, value in wire.items()}


def _values(page: Mapping[str, Any]) -> dict[str, int]:
    if page.get("valueKind"):
        return _counts(page["values"])
    names = [*map(str, page.get("categories", ())), "(other)", "(none)"]
    counts: Iterable[object] = page.get("scores", ())
    return {name: count(n) for name, n in zip(names, counts, strict=False) if n}


def _user(row: Iterable[object]) -> tuple[int, tuple[int, int]]:
    bucket, requests, errors = map(count, row)
    if bucket >= BUCKETS:
        raise ValueError(f"there is no bucket {bucket}")
    return bucket, (at_most(requests, errors), errors)


def _feedback(counted: Mapping[str, Any]) -> Feedback:
    labelled, wrong = count(counted["n"]), count(counted.get("wrong", 0))
    errors = {int(bin_): n for bin_, n in _counts(counted.get("absoluteError", {})).items()}
    if any(not 0 <= bin_ < valuehist.SIZE for bin_ in errors):
        raise ValueError("an error is in a bin that there is not")
    classes = "wrong" in counted
    ages = {
        int(age): (at_most(count(row[0]), count(row[1])), count(row[1]))
        for age, row in counted.get("age", {}).items()
        if classes
    }
    weights = {int(weight): count(row[0]) for weight, row in counted.get("weights", {}).items()}
    confusion = counted.get("confusion")
    return Feedback(
        at_most(labelled, wrong),
        wrong,
        ages,
        weights,
        errors,
        _positive(counted.get("sum", 0.0)),
        _positive(counted.get("squares", 0.0)),
        _confusion(confusion) if confusion is not None else None,
        {
            str(name)[:64]: _confusion(found)
            for name, found in list(counted.get("groupConfusion", {}).items())[:_MOST_GROUPS]
        },
    )


def _confusion(counted: Mapping[str, object]) -> Confusion:
    return Confusion(*(count(counted[name]) for name in ("tp", "fp", "fn", "tn")))


def _positive(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < inf:
        raise ValueError(f"not a sum: {value!r}")
    return min(float(value), _MOST_SUM)


#: What may be in each column of a page of pairs.
_COLUMNS: tuple[frozenset[type], ...] = (
    frozenset((int, str)),
    frozenset((int,)),
    frozenset((int, type(None))),
    frozenset((int, float, type(None))),
    frozenset((int, float)),
    frozenset((int,)),
)


def _pairs(rows: list[list[Any]]) -> list[Pair]:
    """Checked by column: there are hundreds of them every few seconds."""
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    for column, kinds in zip(columns, _COLUMNS, strict=True):
        if not kinds.issuperset(map(type, column)):
            raise ValueError(f"not pairs: {set(map(type, column)) - kinds}")
    for number in (1, 5):
        count(min(columns[number]))
        count(max(columns[number]))
    return [
        Pair(id_, second, label, None if value is None else float(value), float(latency), status)
        for id_, second, label, value, latency, status in rows
    ]
