"""Deployment: which version of a model is served, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from pawl.api.audit import Request
from pawl.api.base import (
    ApiModel,
    Digest,
    Name,
    ObjectStatus,
    Resources,
    StatusModel,
    Time,
    Uri,
    cel,
)
from pawl.api.capture import CaptureSpec, capture_rules
from pawl.api.drift import DriftSpec, RetrainSpec, drift_rules
from pawl.api.drift_status import DriftStatus, RetrainStatus
from pawl.api.notify import Notify
from pawl.api.placement import Placement
from pawl.api.rollout import RolloutSpec
from pawl.api.rollout_status import RolledBack, RolloutStatus


class Autoscaling(ApiModel):
    """A HorizontalPodAutoscaler on the CPU of the server pods, or on the requests that they get."""

    model_config = cel(
        ("self.min <= self.max", "min must not exceed max"),
        (
            "!(has(self.targetCPUPercent) && has(self.targetRequestsPerSecond))",
            "give targetCPUPercent or targetRequestsPerSecond, not both",
        ),
    )
    min: Annotated[int, Field(ge=1, le=1000)] = 1
    max: Annotated[int, Field(ge=1, le=1000)]
    target_cpu_percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None,
        alias="targetCPUPercent",
        description="Of the CPU that the pods request; 70 when no target is given.",
    )
    target_requests_per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None,
        description="Inference requests for each pod, by the metric "
        "pawl_server_requests_per_second of a custom-metrics API (docs/serving.md); refused where "
        "the cluster has none.",
    )


class Server(Placement):
    """The pods that answer."""

    image: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        None, description="Default: the image of the installation for the version's format."
    )
    resources: Resources | None = None
    processes: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Processes per pod; one per core is what they can use."
    )
    max_batch_size: Annotated[int, Field(ge=1, le=4096)] = Field(
        64, description="Rows of waiting requests that are scored together at most."
    )
    max_batch_delay_millis: Annotated[int, Field(ge=0, le=1000)] = Field(
        0, description="How long a request may wait for company; 0: only while the model is busy."
    )
    feedback: bool = Field(
        True,
        description="Answers carry a token by which the truth can be told later "
        "(POST …/feedback); it costs about a tenth of the throughput at full load.",
    )


class Tls(ApiModel):
    """How the router proves who it is."""

    secret_name: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class ParentRef(ApiModel):
    """A Gateway, or one of its listeners."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    namespace: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="Default: the Deployment's own."
    )
    section_name: Annotated[str, Field(max_length=253)] | None = Field(
        None, description="A listener of the Gateway; default: all that accept the route."
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = None


class Gateway(ApiModel):
    """Gateways (gateway.networking.k8s.io) that an HTTPRoute is attached to."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=8)]
    hostnames: Annotated[
        tuple[
            Annotated[
                str, Field(max_length=253, pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
            ],
            ...,
        ],
        Field(max_length=16),
    ] = Field((), description="Default: all host names of the listeners.")


class Routing(ApiModel):
    """What stands in front of the pods: Pawl's own router (Envoy), or a Gateway."""

    model_config = cel(
        (
            "!(has(self.tls) && has(self.gateway))",
            "a Gateway's listener has its own tls; remove routing.tls",
        ),
    )
    gateway: Gateway | None = Field(
        None,
        description="Write an HTTPRoute for Gateways that are there already; then there are no "
        "router pods, and replicas and resources mean nothing.",
    )

    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30, description="A request that is not answered by then gets 504."
    )
    tls: Tls | None = Field(
        None,
        description="Answer by TLS, with the certificate of a Secret of type kubernetes.io/tls.",
    )
    resources: Resources | None = None


class DeploymentSpec(ApiModel):
    """What is wanted; what is running is in status."""

    model_config = cel(
        (
            "!(has(self.replicas) && has(self.autoscaling))",
            "give replicas or autoscaling, not both",
        ),
        (
            "!has(self.autoscaling) || has(self.autoscaling.targetRequestsPerSecond) || "
            "(has(self.server) && has(self.server.resources) && "
            "has(self.server.resources.requests) && 'cpu' in self.server.resources.requests)",
            "autoscaling by CPU needs server.resources.requests.cpu: the target is a share of it",
        ),
        (
            "self.version == 'latest' || self.version.startsWith(self.model + '-v')",
            "version must be latest or a version of this model, like <model>-v7",
        ),
        (
            "!has(self.server) || !has(self.server.feedback) || self.server.feedback || "
            "!has(self.rollout) || !has(self.rollout.canary) || !has(self.rollout.canary.gates) || "
            "self.rollout.canary.gates.all(g, !has(g.metric) || "
            "!(g.metric in ['accuracy', 'absolute_error_p90_ratio']))",
            "accuracy and absolute_error_p90_ratio need server.feedback",
        ),
        (
            "!has(self.routing) || !has(self.routing.gateway) || !has(self.rollout) || "
            "!has(self.rollout.canary) || !has(self.rollout.canary.sticky)",
            "an HTTPRoute cannot keep a user at a version; remove rollout.canary.sticky or "
            "routing.gateway",
        ),
        *drift_rules(),
        *capture_rules(),
    )
    model: Name = Field(
        description="The series of ModelVersions that is served.",
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "self == oldSelf", "message": "model is immutable; write a new Deployment"}
            ]
        },
    )
    version: Annotated[
        str, Field(max_length=63, pattern=r"^(latest|[a-z0-9][-a-z0-9]*-v[0-9]+)$")
    ] = Field(
        "latest",
        description="latest: the newest approved version that passed its gates; or one by name "
        "(an older one rolls back).",
    )
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Server pods; default 1."
    )
    autoscaling: Autoscaling | None = None
    server: Server = Server()
    routing: Routing = Routing()
    rollout: RolloutSpec | None = Field(
        None,
        description="How a new version is tried before it is promoted. Without it a version "
        "replaces the one before directly, as soon as its pods are ready; so do the first version "
        "and a pin of an older one.",
    )
    drift: DriftSpec | None = Field(
        None, description="What the stable version sees is watched, and compared with its baseline."
    )
    retrain: RetrainSpec | None = Field(
        None, description="What drift.action retrain starts; the gates and the rollout decide then."
    )
    capture: CaptureSpec | None = Field(
        None, description="Keep sampled predictions; default: no feature ever leaves a pod."
    )
    notify: Annotated[tuple[Notify, ...], Field(max_length=8)] = Field(
        (), description="Who is told what happens to this Deployment."
    )


class ServedVersion(StatusModel):
    """A version that has pods, with all that is needed to keep serving it when its object is
    gone."""

    name: Annotated[str, Field(max_length=63)]
    version: int
    uri: Uri
    digest: Digest
    format: Literal["onnx", "skops"] = "onnx"
    since: Time | None = None


class Traffic(StatusModel):
    """The share of the requests that a version gets, as the routers have confirmed it."""

    version: Annotated[str, Field(max_length=63)]
    role: Literal["stable", "candidate", "holdback", "shadow"]
    weight: Annotated[int, Field(ge=0, le=100)]


class HistoryEntry(StatusModel):
    """A version that became the served one."""

    version: Annotated[str, Field(max_length=63)]
    at: Time
    reason: Annotated[str, Field(max_length=128)]


class DeploymentStatus(ObjectStatus):
    """What is running."""

    phase: Annotated[str, Field(max_length=32)] | None = Field(
        None, description="In a word, for kubectl get."
    )
    url: Annotated[str, Field(max_length=512)] | None = Field(
        None, description="Where the model answers inside the cluster (Open Inference Protocol v2)."
    )
    routing: Literal["Envoy", "Gateway"] | None = Field(None, description="What stands in front.")
    stable: ServedVersion | None = None
    candidate: ServedVersion | None = None
    traffic: Annotated[tuple[Traffic, ...], Field(max_length=4)] = ()
    replicas: int | None = Field(None, description="Server pods of the stable version.")
    ready_replicas: int | None = None
    rollout: RolloutStatus | None = Field(None, description="The rollout under way.")
    rolled_back: Annotated[tuple[RolledBack, ...], Field(max_length=10)] = Field(
        (), description="Candidates that are not tried again; newest first."
    )
    drift: DriftStatus | None = Field(None, description="What the stable version sees.")
    retrain: RetrainStatus | None = None
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=10)] = Field(
        (), description="Newest first."
    )
    requests: Annotated[tuple[Request, ...], Field(max_length=8)] = Field(
        (), description="The commands that stand: who asked for each, when, and why."
    )


class Deployment(ApiModel):
    """Serves the best approved version of a model behind a router."""

    model_config = ConfigDict(extra="ignore")
    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()
