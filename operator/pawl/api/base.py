"""What the three kinds share: the model base, bounded scalar types, conditions.

The pydantic models are the source of the CRDs (`pawl.api.crds`), of the API reference and of what
the operator parses; a field's description is what `kubectl explain` prints.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """A part of an object's spec: frozen, camelCase in JSON, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class StatusModel(BaseModel):
    """A part of an object's status. Unknown fields are ignored: a newer operator may have written
    them, and an older one must still read its own."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )


def cel(*rules: tuple[str, str], **extra: Any) -> ConfigDict:
    """Model configuration that carries CEL rules `(rule, message)` into the CRD."""
    validations: list[Any] = [{"rule": rule, "message": message} for rule, message in rules]
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": validations, **extra})


def immutable(name: str) -> dict[str, Any]:
    """`json_schema_extra` of a field that never changes once set."""
    return {
        "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": f"{name} is immutable; write a new object"}
        ]
    }


#: RFC 1123 label of at most 40 characters: room is left for suffixes in 63-character names.
Name = Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
#: The name of an object of Kubernetes: an RFC 1123 subdomain.
ObjectName = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Column = Annotated[str, Field(min_length=1, max_length=128)]
Columns = Annotated[tuple[Column, ...], Field(max_length=512)]
Uri = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1024,
        pattern=r"^(file|s3|http|https|pvc)://[^\s@]+$",
        description="No credentials belong in it: they come from the Secret pawl-store.",
    ),
]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
#: A time in RFC 3339 with seconds, UTC.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, max_length=32)]
Verdict = Literal["Pass", "Fail", "Inconclusive", "Error"]
Quantity = Annotated[
    str | int,
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "pattern": r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$",
        }
    ),
]

#: A map whose values may be anything.
FreeForm = Annotated[
    dict[str, Any],
    Field(
        json_schema_extra={
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "maxProperties": 64,
        }
    ),
]


class Condition(StatusModel):
    """A condition as in KEP-1623: `lastTransitionTime` moves only when `status` does."""

    type: Annotated[str, Field(max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Field(max_length=128)]
    message: Annotated[str, Field(max_length=4096)] = ""
    last_transition_time: Time
    observed_generation: int = 0


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
        description="What holds of this object now; read Ready, Reconciling and Stalled first.",
    ),
]


class Resources(ApiModel):
    """Compute resources of one container, as in core/v1."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description="What the scheduler sets aside."
    )
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description="What the container may use at most."
    )


class EnvVar(ApiModel):
    """A literal environment variable."""

    name: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: Annotated[str, Field(max_length=4096)] = ""


class SliceStatus(StatusModel):
    """One slice of a gate. Without a value it has too few rows to be judged."""

    name: Annotated[str, Field(max_length=128)]
    verdict: Verdict
    value: float | None = None
    interval: Annotated[tuple[float, ...], Field(max_length=2)] = ()
    n: int = 0


class GateStatus(StatusModel):
    """One gate, decided: what was measured, with its 95 % interval, and what follows."""

    metric: Annotated[str, Field(max_length=64)]
    kind: Literal["min", "max", "champion", "dummy"]
    verdict: Verdict
    required: bool = True
    limit: float
    value: float | None = None
    interval: Annotated[tuple[float, ...], Field(max_length=2)] = ()
    n: int = 0
    message: Annotated[str, Field(max_length=512)] = ""
    column: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Whose values tell the slices, or the groups, apart."
    )
    slices: Annotated[tuple[SliceStatus, ...], Field(max_length=10)] = Field(
        (), description="The worst ones first; value, interval and n above are of the worst."
    )


class ObjectStatus(StatusModel):
    """What every status has."""

    observed_generation: int = Field(
        -1, description="The generation of the spec that this status speaks of."
    )
    conditions: Conditions = ()

    def render(self) -> dict[str, Any]:
        """As JSON, without what is not there."""
        dumped = self.model_dump(by_alias=True, exclude_none=True, mode="json")
        return {key: value for key, value in dumped.items() if value not in ([], {})}
