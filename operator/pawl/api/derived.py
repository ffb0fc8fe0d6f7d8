"""spec.data.derived of a TrainingJob: features that are computed from the columns of the data."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from pawl.api.base import ApiModel, Column
from pawl.expressions import ExpressionError, columns_of, parse
from pawl.expressions.kinds import FUNCTIONS, STATISTICS
from pawl.expressions.tree import MAX_LENGTH

_CALLED = (*sorted(FUNCTIONS), "col")
#: RE2: a text in quotes, and what stands directly before a bracket.
_TEXT = r"\x27([^\x27\\]|\\.)*\x27|\x22([^\x22\\]|\\.)*\x22"
_OPENS = "|".join((*_CALLED, *STATISTICS, "and", "or", "not", "in", "if", "else"))


def _readable() -> dict[str, Any]:
    """What the API server can tell of an expression. What is understood passes; the operator says
    the rest."""
    word = rf"\w+([^\w(\x27\x22]|{_TEXT}|$)"
    token = rf"{_TEXT}|({_OPENS})[(]|{word}|[^\w\x27\x22]"
    rules = [
        {
            "rule": f"self.matches(r'(?s)^({token})*$')",
            "message": "expression: a text has no end, or a function is none of "
            f"{', '.join(_CALLED)}",
        },
        {
            "rule": r"self.matches(r'[\x27\x22]') || "
            "size(self.split('(')) == size(self.split(')'))",
            "message": "expression: as many brackets must be closed as are opened",
        },
    ]
    return {"x-kubernetes-validations": rules}


def understood(text: str) -> str:
    """Validates an expression."""
    try:
        parse(text)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return text


class Derived(ApiModel):
    """A feature that is computed from the columns of its row (docs/features.md)."""

    name: Column
    expression: Annotated[
        str,
        Field(min_length=1, max_length=MAX_LENGTH, json_schema_extra=_readable()),
        AfterValidator(understood),
    ] = Field(
        description="For example weight / (height * height). It may use columns of the data, and "
        "what is defined before it."
    )


def refuse_hidden(derived: tuple[Derived, ...], hidden: dict[str, str]) -> None:
    """ValueError when a definition uses or takes the name of a column that no feature may show;
    `hidden`: such columns, and what they are."""
    for one in derived:
        if one.name in hidden:
            raise ValueError(f"derived {one.name} has the name of {hidden[one.name]}")
        for column in sorted(columns_of(parse(one.expression)) & hidden.keys()):
            raise ValueError(f"derived {one.name} uses {column}, which is {hidden[column]}")
