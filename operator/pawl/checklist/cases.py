"""Test cases as JSON lines, one case a line, and as tests.json of a bundle.

golden (CheckList's minimum functionality): an input and the answer there must be. invariance: a
change of the input that must not move the answer. directional: a change that must not lower, or not
raise it. The answer is compared as `label`, or as `score`: the probability of the positive class
(binary) or of `class` (multiclass), the number (regression).
"""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from pawl.artifacts.records import Record
from pawl.errors import UserError

MAX_BYTES = 1 << 20
MAX_CASES = 1000

Value = float | int | bool | Annotated[str, Field(max_length=4096)] | None
Row = Annotated[
    dict[Annotated[str, Field(max_length=128)], Value], Field(min_length=1, max_length=1024)
]


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )


class Expected(_Strict):
    """Of a golden case: exactly one of the two."""

    label: float | int | bool | str | None = None
    score: float | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.label is None) == (self.score is None):
            raise ValueError("expected: exactly one of label and score")
        return self


class Case(_Strict):
    """`input`: columns as a client sends them. `change`: values that take the place of some.
    `tolerance`: of the score."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    type: Literal["golden", "invariance", "directional"]
    input: Row
    expected: Expected | None = None
    change: Row | None = None
    expect: Literal["notLower", "notHigher"] | None = None
    class_: float | int | bool | str | None = Field(None, alias="class")
    tolerance: Annotated[float, Field(ge=0)] = 1e-6

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {
            "golden": ("expected",),
            "invariance": ("change",),
            "directional": ("change", "expect"),
        }[self.type]
        for name in ("expected", "change", "expect"):
            if (getattr(self, name) is not None) != (name in needed):
                verb = "needs" if name in needed else "has no"
                raise ValueError(f"{self.type} {verb} {name}")
        return self


class Checklist(Record):
    """tests.json."""

    cases: tuple[Case, ...]


def parse(data: bytes) -> Checklist:
    """JSON lines; empty lines are passed over. UserError says which line is wrong."""
    if len(data) > MAX_BYTES:
        raise UserError(f"model tests have {len(data):,} bytes, at most {MAX_BYTES:,}")
    cases: list[Case] = []
    names: set[str] = set()
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            case = Case.model_validate(json.loads(line))
        except ValidationError as error:
            first = error.errors()[0]
            words = (*map(str, first["loc"]), first["msg"].removeprefix("Value error, "))
            raise UserError(f"model tests, line {number}: {': '.join(words)}") from None
        except (ValueError, RecursionError):
            raise UserError(f"model tests, line {number}: no JSON object") from None
        if case.name in names:
            raise UserError(f'model tests, line {number}: "{case.name}" is there twice')
        names.add(case.name)
        cases.append(case)
    if not 0 < len(cases) <= MAX_CASES:
        raise UserError(f"model tests have {len(cases):,} cases; 1 to {MAX_CASES:,} are wanted")
    return Checklist(cases=tuple(cases))
