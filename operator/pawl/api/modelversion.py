"""ModelVersion: an immutable record of one trained or imported model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from pawl.api.audit import Request
from pawl.api.base import (
    ApiModel,
    Digest,
    FreeForm,
    GateStatus,
    Name,
    ObjectStatus,
    StatusModel,
    Time,
    Uri,
    immutable,
)

Stage = Literal["Pending", "Candidate", "Champion", "Archived", "Rejected"]


class Artifact(ApiModel):
    """Where the model is and what its bytes must hash to."""

    uri: Uri = Field(
        description="A bundle's folder, or for an import a single .onnx file (file, s3, http(s))."
    )
    digest: Digest = Field(
        description="Of the bundle's manifest.json, or of the single file: sha256:<hex>."
    )
    format: Literal["onnx", "skops"] = Field(
        "onnx", description="skops needs the server-sklearn image; pickle is never loaded."
    )
    size_bytes: Annotated[int, Field(ge=0)] | None = Field(None, description="Of all files.")


class TensorSpec(ApiModel):
    """An input or output as the Open Inference Protocol names it; -1 in shape is the batch."""

    name: Annotated[str, Field(max_length=128)]
    datatype: Annotated[str, Field(max_length=8)]
    shape: Annotated[tuple[int, ...], Field(max_length=8)] = ()


class SignatureSpec(ApiModel):
    """What the served model takes and gives."""

    inputs: Annotated[tuple[TensorSpec, ...], Field(max_length=512)] = ()
    outputs: Annotated[tuple[TensorSpec, ...], Field(max_length=32)] = ()


class TrainingJobRef(ApiModel):
    """The run that made this version."""

    name: Annotated[str, Field(max_length=253)]
    uid: Annotated[str, Field(max_length=64)]
    run: Annotated[int, Field(ge=1)] = 1


class WindowRef(ApiModel):
    """After a retrain: where the newest labelled rows were cut off, on which gates ran."""

    embargo: Time = Field(
        description="Older rows were trained on; rows from here to `start` were left out."
    )
    start: Time = Field(description="Rows from here on are the test rows.")
    end: Time = Field(description="The newest of them; younger rows had no certain label yet.")


class SourceRef(ApiModel):
    """What was joined to the rows."""

    name: Annotated[str, Field(max_length=40)]
    uri: Annotated[str, Field(max_length=1024)]
    digest: Annotated[str, Field(max_length=80)]


class DataRef(ApiModel):
    """What the model was trained on."""

    uri: Annotated[str, Field(max_length=1024)]
    digest: Annotated[str, Field(max_length=80)] = Field(
        description="Of the content of all files that were read."
    )
    rows: Annotated[int, Field(ge=0)] | None = None
    newest: Time | None = Field(
        None, description="Time of the newest row of any part, by data.timeColumn."
    )
    window: WindowRef | None = None
    sources: Annotated[tuple[SourceRef, ...], Field(max_length=8)] = ()
    pin: Literal["snapshot", "version"] | None = Field(
        None, description="How what was read is kept in the store; without it, it may be gone."
    )


class CodeRef(ApiModel):
    """The source that trained the model: of a run, what the annotations pawl.dev/code-repo and
    pawl.dev/code-revision of its TrainingJob said when it started."""

    repo: Annotated[str, Field(max_length=512)]
    revision: Annotated[str, Field(max_length=128)]


class SearchRef(ApiModel):
    """The search that chose the parameters, on validation rows."""

    algorithm: Annotated[str, Field(max_length=16)]
    trials: Annotated[int, Field(ge=1)] = Field(description="So many were tried,")
    trial: Annotated[int, Field(ge=0)] = Field(description="and this one was the best.")
    values: Annotated[dict[str, float], Field(max_length=3)]
    digest: Digest = Field(description="Of what all trials tried and gave.")
    table: Annotated[str, Field(max_length=1024)] = Field(
        description="Where in the store all trials are listed."
    )


class StepRef(ApiModel):
    """A step of data.prepare: a container by its image, or a function by its version."""

    name: Annotated[str, Field(max_length=63)]
    image: Annotated[str, Field(max_length=512)] | None = None
    image_id: Annotated[str, Field(max_length=512)] | None = Field(
        None,
        alias="imageID",
        description="What the image was on the node that ran it, by digest.",
    )
    version: Annotated[int, Field(ge=1)] | None = None


class LineageSpec(ApiModel):
    """How the version came to be."""

    training_job: TrainingJobRef | None = None
    recipe_digest: Annotated[str, Field(max_length=80)] | None = None
    parent: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="The champion when this version was trained."
    )
    data: DataRef | None = None
    preparation: Annotated[tuple[StepRef, ...], Field(max_length=24)] = ()
    code: CodeRef | None = None
    image: Annotated[str, Field(max_length=512)] | None = None
    parameters: FreeForm | None = None
    seed: int | None = None
    search: SearchRef | None = None
    threads: Annotated[int, Field(ge=1)] | None = Field(
        None, description="With how many threads it was trained; more give other last digits."
    )
    environment_digest: Annotated[str, Field(max_length=80)] | None = None


class Comparison(ApiModel):
    """How its answers differed from those of the champion then, on rows that neither was trained
    on: what the shadow of a rollout is expected to show (`aboveOffline`)."""

    version: Annotated[str, Field(max_length=63)]
    digest: Digest
    rows: Annotated[int, Field(ge=1)]
    disagreement: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Share of the rows with different labels."
    )


class OldWindow(ApiModel):
    """After a retrain: scores on older rows that were held out, beside those on the newest."""

    rows: Annotated[int, Field(ge=1)]
    metrics: Annotated[dict[str, float], Field(max_length=64)]
    champion: Annotated[dict[str, float], Field(max_length=64)] = Field(
        {}, description="Of the champion then, on the same rows."
    )


class ModelVersionSpec(ApiModel):
    """Everything is immutable but `approval`."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": " && ".join(
                        f"has(self.{f}) == has(oldSelf.{f})"
                        for f in (
                            *("signature", "metrics", "oldWindow"),
                            *("lineage", "gates", "comparison"),
                        )
                    ),
                    "message": "only approval can change; write a new version instead",
                },
            ]
        }
    )
    model: Name = Field(json_schema_extra=immutable("model"), description="The series it is of.")
    version: Annotated[int, Field(ge=1, le=999_999)] = Field(
        json_schema_extra=immutable("version"), description="Its number in the series."
    )
    artifact: Artifact = Field(json_schema_extra=immutable("artifact"))
    signature: SignatureSpec | None = Field(None, json_schema_extra=immutable("signature"))
    metrics: Annotated[dict[str, float], Field(max_length=64)] | None = Field(
        None,
        json_schema_extra=immutable("metrics"),
        description="Scores on rows that were held out.",
    )
    old_window: OldWindow | None = Field(None, json_schema_extra=immutable("oldWindow"))
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=40)] | None = Field(
        None,
        json_schema_extra=immutable("gates"),
        description="How its gates were decided; a required one that did not pass rejects it.",
    )
    comparison: Comparison | None = Field(None, json_schema_extra=immutable("comparison"))
    lineage: LineageSpec | None = Field(None, json_schema_extra=immutable("lineage"))
    approval: Literal["Automatic", "Required", "Approved", "Rejected"] = Field(
        "Automatic", description="Required waits for Approved; Rejected is never served by latest."
    )


class DeployedBy(StatusModel):
    """A Deployment that serves this version, and as what."""

    name: Annotated[str, Field(max_length=63)]
    role: Literal["stable", "candidate"]


class ModelVersionStatus(ObjectStatus):
    """Where the version stands."""

    stage: Stage | None = Field(
        None,
        description="Candidate may be served next, Champion is the best known, Archived was "
        "overtaken, Rejected is not served by latest.",
    )
    verified_digest: Digest | None = Field(
        None, description="The digest that was found when the artifact was read."
    )
    signed_by: Annotated[str, Field(max_length=16)] | None = Field(
        None, description="The id of the trusted key that vouches for it, where one is asked for."
    )
    deployed_by: Annotated[tuple[DeployedBy, ...], Field(max_length=32)] = ()
    approval: Request | None = Field(
        None, description="Who approved or rejected it, when, and why."
    )
    score: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="The first metric, for kubectl get."
    )


class ModelVersion(ApiModel):
    """An immutable record of a model: artifact, digest, signature, metrics, lineage."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    # not by string(version): its length is unknown, and so is the rule's cost
                    "rule": "self.metadata.name.startsWith(self.spec.model + '-v') && "
                    "int(self.metadata.name.substring(size(self.spec.model) + 2)) == "
                    "self.spec.version",
                    "message": "the name must be <model>-v<version>: a number is given once",
                }
            ]
        },
    )
    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()
