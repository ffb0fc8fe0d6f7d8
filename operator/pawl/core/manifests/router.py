"""The router in front of a model: Envoy pods, their configuration, and the Service users call."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pawl import constants as c
from pawl.api.deployment import DeploymentSpec
from pawl.api.names import child_name
from pawl.core.installation import Installation
from pawl.core.manifests import common
from pawl.core.routing import envoy
from pawl.core.routing.route import Route


def router_name(deployment: str) -> str:
    """Name of the router's apps/v1 Deployment and ConfigMap."""
    return child_name(deployment, "router", limit=52)


def router_labels(deployment: str, model: str) -> dict[str, str]:
    """Labels that select the router's pods."""
    return {
        c.LABEL_DEPLOYMENT: deployment,
        c.LABEL_MODEL: model,
        c.LABEL_ROLE: c.ROLE_ROUTER,
    }


def build_router(
    owner: dict[str, Any], spec: DeploymentSpec, installation: Installation
) -> dict[str, Any]:
    """The router's apps/v1 Deployment."""
    meta = owner["metadata"]
    labels = router_labels(meta["name"], spec.model)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": common.metadata(router_name(meta["name"]), meta["namespace"], owner, labels),
        "spec": {
            "replicas": spec.routing.replicas,
            "selector": {"matchLabels": labels},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {"labels": {c.LABEL_MANAGED_BY: "pawl", **labels}},
                "spec": _pod(spec, router_name(meta["name"]), installation),
            },
        },
    }


def build_router_service(owner: dict[str, Any], spec: DeploymentSpec) -> dict[str, Any]:
    """The Service that users call; it has the Deployment's own name."""
    meta = owner["metadata"]
    labels = router_labels(meta["name"], spec.model)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": common.metadata(meta["name"], meta["namespace"], owner, labels),
        "spec": {
            "selector": labels,
            "ports": [{"name": _scheme(spec), "port": c.ROUTER_PORT, "targetPort": _scheme(spec)}],
        },
    }


def build_router_budget(owner: dict[str, Any], spec: DeploymentSpec) -> dict[str, Any]:
    """The PodDisruptionBudget: a drained node takes one router at a time. (A router that is alone
    may go.)"""
    meta = owner["metadata"]
    labels = router_labels(meta["name"], spec.model)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": common.metadata(router_name(meta["name"]), meta["namespace"], owner, labels),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": labels},
            # A router that is not ready serves nobody, and must not keep a node from its drain.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def build_router_config(
    owner: dict[str, Any], spec: DeploymentSpec, route: Route
) -> dict[str, Any]:
    """The ConfigMap that Envoy watches. JSON is YAML, and leaves nothing to quoting."""
    meta = owner["metadata"]
    labels = router_labels(meta["name"], spec.model)
    metadata = common.metadata(router_name(meta["name"]), meta["namespace"], owner, labels)
    metadata["annotations"] = {c.ANNOTATION_ROUTE: route.to_json()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": dict(_files(route)),
    }


@lru_cache(maxsize=1024)
def _files(route: Route) -> tuple[tuple[str, str], ...]:
    """Remembered: a route is looked at far more often than it changes."""
    files = {"cds.yaml": envoy.clusters(route), "rds.yaml": envoy.routes(route)}
    if route.tls:
        files["sds.yaml"] = envoy.secrets()
    return tuple((name, json.dumps(content, indent=1)) for name, content in files.items())


def _scheme(spec: DeploymentSpec) -> str:
    """Also the port's name: a Service whose routers are being replaced by ones with TLS meets only
    those that speak what it says."""
    return "http" if spec.routing.tls is None else "https"


def _ready(spec: DeploymentSpec) -> dict[str, Any]:
    """Ready only when the first routes are there and their clusters are warm. Envoy calls itself
    ready without a certificate that it can use, so with TLS it is asked by TLS."""
    if spec.routing.tls is None:
        return {"path": "/ready", "port": "state"}
    return {"path": envoy.READY, "port": _scheme(spec), "scheme": "HTTPS"}


def _pod(spec: DeploymentSpec, config_map: str, installation: Installation) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": config_map}},
        {"name": "tmp", "emptyDir": {}},
    ]
    if spec.routing.tls is not None:
        secret = {"secretName": spec.routing.tls.secret_name, "defaultMode": 0o440}
        volumes.append({"name": "tls", "secret": secret})
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": common.pod_security(),
        "terminationGracePeriodSeconds": installation.server_drain_seconds + 15,
        "containers": [_container(spec, installation)],
        "volumes": volumes,
    }


@lru_cache(maxsize=2)
def _bootstrap(*, tls: bool) -> str:
    return json.dumps(envoy.bootstrap(tls=tls), separators=(",", ":"))


def _container(spec: DeploymentSpec, installation: Installation) -> dict[str, Any]:
    tls = spec.routing.tls is not None
    mounts = [{"name": "config", "mountPath": envoy.CONFIG_DIR, "readOnly": True}, common.TMP_MOUNT]
    if tls:
        mounts.append({"name": "tls", "mountPath": envoy.TLS_DIR, "readOnly": True})
    return {
        "name": "envoy",
        "image": installation.images.router,
        "imagePullPolicy": installation.image_pull_policy,
        "args": [
            "--config-yaml",
            _bootstrap(tls=tls),
            "--log-level",
            "warning",
            "--concurrency",
            "1",
            "--drain-time-s",
            str(installation.server_drain_seconds),
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "workingDir": common.TMP,  # where the admin socket is, and from where sds.yaml looks
        "env": common.env(
            **{c.ENV_BIND_ADDRESS: "0.0.0.0", **common.TMP_ENV}  # noqa: S104
        ),
        "ports": [
            {"name": _scheme(spec), "containerPort": c.ROUTER_PORT},
            {"name": "state", "containerPort": c.ROUTER_STATE_PORT},
        ],
        "resources": common.resources(spec.routing.resources, cpu="100m", memory="128Mi"),
        "securityContext": common.container_security(),
        "readinessProbe": {
            "httpGet": _ready(spec),
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
        },
        # Endpoints forget a terminating pod only after a while: keep answering meanwhile.
        "lifecycle": {
            "preStop": {"sleep": {"seconds": min(10, installation.server_drain_seconds)}}
        },
        "volumeMounts": mounts,
    }
