"""Who asked for what: the part of a status that two kinds share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pawl.api.base import StatusModel, Time


class Request(StatusModel):
    """Something that a person or a pipeline asked for by writing to the object."""

    command: Annotated[str, Field(max_length=32)]
    value: Annotated[str, Field(max_length=128)] = Field("", description="What it was about.")
    at: Time
    by: Annotated[str, Field(max_length=128)] = Field(
        "", description="The field manager that wrote it, as the API server recorded it."
    )
    user: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="The user, where an admission policy vouches for the name."
    )
    reason: Annotated[str, Field(max_length=512)] | None = Field(
        None, description="Why, in the words that were given with it."
    )
