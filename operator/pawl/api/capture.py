"""spec.capture of a Deployment: which predictions are kept, what of them, where and how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pawl.api.base import ApiModel, Columns, cel
from pawl.api.duration import Duration


class CaptureSpec(ApiModel):
    """Sampled requests, their predictions and the truth about them, as parquet
    (docs/capture.md)."""

    model_config = cel(
        (
            "!has(self.drop) || !has(self.hash) || !self.drop.exists(c, c in self.hash)",
            "a column that is dropped cannot be hashed; take it out of one of the lists",
        ),
    )
    percent: Annotated[float, Field(gt=0, le=100)] = Field(
        description="Share of the predictions. Their ids decide, so that feedback joins."
    )
    uri: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^(file|s3|pvc)://[^\s@]+$")
    ] = Field(
        description="A folder of this Deployment's own. No credentials belong in it: they come "
        "from the Secret pawl-store."
    )
    drop: Columns = Field((), description="Features that are not kept.")
    hash: Columns = Field(
        (),
        description="Features of which only a hash is kept, keyed by the Secret of the feedback "
        "tokens.",
    )
    retention: Duration | None = Field(
        None, description="Older files are deleted while there are pods; default: never."
    )


def capture_rules() -> tuple[tuple[str, str], ...]:
    """CEL rules of a Deployment's spec that join capture with the rest."""
    return (
        (
            "!has(self.capture) || !has(self.capture.hash) || size(self.capture.hash) == 0 || "
            "!has(self.server) || !has(self.server.feedback) || self.server.feedback",
            "capture.hash needs server.feedback, whose key it uses",
        ),
    )
