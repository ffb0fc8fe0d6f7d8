"""The resources that Pawl touches, and where the API server has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pawl.constants import API_VERSION, LABEL_MANAGED_BY

MANAGED = f"{LABEL_MANAGED_BY}=pawl"


@dataclass(frozen=True)
class Resource:
    """`selector` is the label selector by which it is watched ("" for our own kinds)."""

    api_version: str
    kind: str
    plural: str
    selector: str = MANAGED

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """URL path of the collection or of one object."""
        root = "/api" if "/" not in self.api_version else "/apis"
        path = f"{root}/{self.api_version}"
        if namespace is not None:
            path += f"/namespaces/{namespace}"
        path += f"/{self.plural}"
        return f"{path}/{name}" if name is not None else path


TRAINING_JOBS = Resource(API_VERSION, "TrainingJob", "trainingjobs", "")
MODEL_VERSIONS = Resource(API_VERSION, "ModelVersion", "modelversions", "")
DEPLOYMENTS = Resource(API_VERSION, "Deployment", "modeldeployments", "")
OURS = (TRAINING_JOBS, MODEL_VERSIONS, DEPLOYMENTS)

JOBS = Resource("batch/v1", "Job", "jobs")
PODS = Resource("v1", "Pod", "pods")
WORKLOADS = Resource("apps/v1", "Deployment", "deployments")
SERVICES = Resource("v1", "Service", "services")
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
AUTOSCALERS = Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
BUDGETS = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
CHILDREN = (JOBS, PODS, WORKLOADS, SERVICES, CONFIG_MAPS, AUTOSCALERS, BUDGETS)

# Not watched, since a cluster may not have them; asked for by the Deployments that use them.
_GATEWAY_API = "gateway.networking.k8s.io/v1"
HTTP_ROUTES = Resource(_GATEWAY_API, "HTTPRoute", "httproutes")
GATEWAYS = Resource(_GATEWAY_API, "Gateway", "gateways")
GATEWAY_CLASSES = Resource(_GATEWAY_API, "GatewayClass", "gatewayclasses")
EVENTS = Resource("v1", "Event", "events")
API_GROUPS = Resource("apiregistration.k8s.io/v1", "APIGroup", "apis", "")
CUSTOM_METRICS = "custom.metrics.k8s.io"
SECRETS = Resource("v1", "Secret", "secrets")
USERS = Resource("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")

_BY_KIND = {(r.api_version, r.kind): r for r in (*OURS, *CHILDREN, HTTP_ROUTES)}


def resource_of(item: Mapping[str, Any]) -> Resource:
    """The resource of an object by its apiVersion and kind."""
    return named(item["apiVersion"], item["kind"])


def named(api_version: str, kind: str) -> Resource:
    """The resource of a kind. KeyError when it is none that Pawl touches."""
    return _BY_KIND[(api_version, kind)]
