"""spec.data.derived of a TrainingJob: features that are computed from the columns of the data."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pawl.api.base import ApiModel, Column
from pawl.expressions import ExpressionError, columns_of, parse
from pawl.expressions.tree import MAX_LENGTH


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
        str, Field(min_length=1, max_length=MAX_LENGTH), AfterValidator(understood)
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
