"""spec.tracking of a TrainingJob: who else keeps a record of its runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pawl.api.base import ApiModel, ObjectName, StatusModel


class Mlflow(ApiModel):
    """An MLflow server (docs/tracking.md)."""

    uri: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^https?://[^\s@?#]+$")] = (
        Field(description="Of the tracking server. Redirects are not followed.")
    )
    experiment: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="Made when it is not there. Default: <namespace>.<model>."
    )
    secret_name: ObjectName | None = Field(
        None,
        description="A Secret with `token`, or `username` and `password`; default: none are sent. "
        "Of other names than pawl-mlflow the operator must be allowed to get it.",
    )


class Tracking(ApiModel):
    """Where runs are recorded beside the store. The operator writes it; no training pod does."""

    mlflow: Mlflow


class TrackedStatus(StatusModel):
    """Where the current run is recorded."""

    run: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Its id at the MLflow server."
    )
    version: Annotated[str, Field(max_length=16)] | None = Field(
        None, description="What MLflow calls its ModelVersion in the registry."
    )
