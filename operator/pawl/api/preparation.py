"""spec.data.prepare of a TrainingJob: what is done to the rows before they are checked."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pawl.api.base import ApiModel, Column, Columns, EnvVar, Name, cel
from pawl.api.derived import understood
from pawl.expressions.tree import MAX_LENGTH

_Argument = Annotated[str, Field(max_length=8192)]
_FUNCTIONS = ("dropDuplicates", "dropMissing", "keep", "rename")
#: A function that begins to give other rows gets another version: recipes that use it run anew.
VERSIONS = dict.fromkeys(_FUNCTIONS, 1)


class StepContainer(ApiModel):
    """An image that reads the rows from one parquet file and writes them to another
    (docs/file-contract.md)."""

    name: Name = Field(description="What messages call it.")
    image: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        description="Best by digest: a tag that moves is no other recipe."
    )
    command: Annotated[tuple[_Argument, ...], Field(max_length=64)] = ()
    args: Annotated[tuple[_Argument, ...], Field(max_length=64)] = ()
    env: Annotated[tuple[EnvVar, ...], Field(max_length=64)] = ()


class ByColumns(ApiModel):
    """Columns that a function looks at."""

    columns: Columns = Field((), description="Default: all.")


class StepFunction(ApiModel):
    """One of Pawl's own functions."""

    model_config = cel(
        (
            "[" + ", ".join(f"has(self.{name})" for name in _FUNCTIONS) + "]"
            ".filter(x, x).size() == 1",
            "exactly one of " + ", ".join(_FUNCTIONS),
        )
    )
    drop_duplicates: ByColumns | None = Field(
        None, description="Of rows that are alike in these columns the first stays."
    )
    drop_missing: ByColumns | None = Field(
        None, description="Rows without a value in one of these columns go."
    )
    keep: (
        Annotated[str, Field(min_length=1, max_length=MAX_LENGTH), AfterValidator(understood)]
        | None
    ) = Field(None, description="Rows stay for which this expression (docs/features.md) is true.")
    rename: Annotated[dict[Column, Column], Field(min_length=1, max_length=64)] | None = Field(
        None, description="Columns and their new names."
    )

    @property
    def name(self) -> str:
        """Which it is."""
        return next(iter(self.model_dump(by_alias=True, exclude_none=True)), "")


class Preparation(ApiModel):
    """Containers first, then functions, each in their order."""

    containers: Annotated[
        tuple[StepContainer, ...],
        Field(
            max_length=8,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = ()
    functions: Annotated[tuple[StepFunction, ...], Field(max_length=16)] = ()

    @property
    def versions(self) -> dict[str, int]:
        """Of the functions that are used."""
        return {one.name: VERSIONS[one.name] for one in self.functions}
