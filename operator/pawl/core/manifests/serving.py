"""The pods of one version: an apps/v1 Deployment and the headless Service that names them."""

from __future__ import annotations

from typing import Any

from pawl import constants as c
from pawl.api.deployment import Autoscaling, DeploymentSpec, ServedVersion
from pawl.api.names import child_name
from pawl.core.installation import Installation
from pawl.core.manifests import capture, common

WORK = "/pawl/work"
_CPU_PERCENT = 70


def server_name(deployment: str, version: int) -> str:
    """Name of a version's apps/v1 Deployment and Service."""
    return child_name(deployment, f"v{version}", limit=52)


def feedback_secret(deployment: str) -> str:
    """Name of the Secret whose `key` seals the feedback tokens of a Deployment's servers. It ends
    like this however long that name is: trainers may not mount it (artifacts.uris)."""
    return f"{child_name(deployment, limit=43)}-feedback"


def server_labels(deployment: str, model: str, version: int) -> dict[str, str]:
    """Labels that select the pods of one version."""
    return {
        c.LABEL_DEPLOYMENT: deployment,
        c.LABEL_MODEL: model,
        c.LABEL_VERSION: str(version),
        c.LABEL_ROLE: c.ROLE_SERVER,
    }


def server_image(spec: DeploymentSpec, version: ServedVersion, installation: Installation) -> str:
    """The user's image, else the installation's for the version's format."""
    if spec.server.image:
        return spec.server.image
    images = installation.images
    return images.server if version.format == "onnx" else images.server_sklearn


def build_server(
    owner: dict[str, Any],
    spec: DeploymentSpec,
    version: ServedVersion,
    replicas: int | None,
    installation: Installation,
) -> dict[str, Any]:
    """The apps/v1 Deployment of a version. `replicas` None leaves the count to its owner (HPA)."""
    meta = owner["metadata"]
    labels = server_labels(meta["name"], spec.model, version.version)
    body: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "template": {
            "metadata": {"labels": {c.LABEL_MANAGED_BY: "pawl", **labels}},
            "spec": _pod(meta, spec, version, installation),
        },
    }
    if replicas is not None:
        body["replicas"] = replicas
    metadata = common.metadata(
        server_name(meta["name"], version.version), meta["namespace"], owner, labels
    )
    # Enough to keep serving when the ModelVersion and our status are gone.
    metadata["annotations"] = {
        c.ANNOTATION_SERVED: version.model_dump_json(by_alias=True, exclude={"since"})
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body}


def build_server_service(
    owner: dict[str, Any], spec: DeploymentSpec, version: ServedVersion
) -> dict[str, Any]:
    """The headless Service by which the routers find the ready pods of a version."""
    meta = owner["metadata"]
    labels = server_labels(meta["name"], spec.model, version.version)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": common.metadata(
            server_name(meta["name"], version.version), meta["namespace"], owner, labels
        ),
        "spec": {
            "clusterIP": "None",
            "selector": labels,
            "ports": [{"name": "http", "port": c.SERVER_PORT, "targetPort": "http"}],
        },
    }


def build_autoscaler(
    owner: dict[str, Any], spec: DeploymentSpec, version: ServedVersion
) -> dict[str, Any]:
    """A HorizontalPodAutoscaler (autoscaling/v2). Requires `spec.autoscaling`."""
    scaling = spec.autoscaling
    if scaling is None:
        raise ValueError("autoscaling is not set")
    meta = owner["metadata"]
    name = server_name(meta["name"], version.version)
    labels = server_labels(meta["name"], spec.model, version.version)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": common.metadata(name, meta["namespace"], owner, labels),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": scaling.min,
            "maxReplicas": scaling.max,
            "metrics": [_metric(scaling)],
        },
    }


def _metric(scaling: Autoscaling) -> dict[str, Any]:
    """What is scaled by. Pods that answer no metric are left out, as the controller does it."""
    if scaling.target_requests_per_second is not None:
        rate = str(scaling.target_requests_per_second)
        target: dict[str, Any] = {"type": "AverageValue", "averageValue": rate}
        return {"type": "Pods", "pods": {"metric": {"name": c.METRIC_REQUESTS}, "target": target}}
    percent = scaling.target_cpu_percent or _CPU_PERCENT
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _pod(
    meta: dict[str, Any], spec: DeploymentSpec, version: ServedVersion, installation: Installation
) -> dict[str, Any]:
    server = spec.server
    access = common.store_access(installation)
    kept = spec.capture
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": common.pod_security(),
        "terminationGracePeriodSeconds": installation.server_drain_seconds + 30,
        "containers": [
            {
                "name": "server",
                "image": server_image(spec, version, installation),
                "imagePullPolicy": installation.image_pull_policy,
                "terminationMessagePath": common.TERMINATION_LOG,
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "env": [
                    *_feedback_key(meta["name"], spec),
                    *common.env(
                        **{
                            c.ENV_MODEL: spec.model,
                            c.ENV_MODEL_VERSION: str(version.version),
                            c.ENV_ARTIFACT_URI: version.uri,
                            c.ENV_ARTIFACT_DIGEST: version.digest,
                            c.ENV_WORK_DIR: WORK,
                            c.ENV_BIND_ADDRESS: "0.0.0.0",  # noqa: S104 - port-forward needs it
                            c.ENV_PORT: str(c.SERVER_PORT),
                            c.ENV_MONITOR_PORT: str(c.MONITOR_PORT),
                            c.ENV_TERMINATION_LOG: common.TERMINATION_LOG,
                            "PAWL_PROCESSES": str(server.processes),
                            "PAWL_MAX_BATCH_SIZE": str(server.max_batch_size),
                            "PAWL_MAX_BATCH_DELAY_MS": str(server.max_batch_delay_millis),
                            "PAWL_DRAIN_SECONDS": str(installation.server_drain_seconds),
                            "OMP_NUM_THREADS": "1",
                            **({c.ENV_PAIR_BY: "body"} if spec.routing.gateway else {}),
                            **_allowed(version, installation),
                            **_trusted(installation),
                            **_from_web(version, meta["namespace"], installation),
                            **common.TMP_ENV,
                        }
                    ),
                    *(capture.server_env(kept) if kept else ()),
                ],
                "envFrom": access["envFrom"],
                "ports": [
                    {"name": "http", "containerPort": c.SERVER_PORT},
                    {"name": "monitor", "containerPort": c.MONITOR_PORT},
                ],
                "resources": common.resources(server.resources, cpu="100m", memory="192Mi"),
                "securityContext": common.container_security(),
                "startupProbe": _probe("/v2/health/live", period=1, failures=120),
                "readinessProbe": _probe("/v2/health/ready", period=2, failures=2),
                "livenessProbe": _probe("/v2/health/live", period=10, failures=6),
                "volumeMounts": [
                    {"name": "work", "mountPath": WORK},
                    common.TMP_MOUNT,
                    *access.get("volumeMounts", []),
                    *([capture.MOUNT] if kept else ()),
                ],
            },
            *([capture.writer(kept, installation)] if kept else ()),
        ],
        "volumes": [
            {"name": "work", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            *common.store_volumes(installation),
            *(capture.volumes(kept) if kept else ()),
        ],
        **common.placement(server),
    }


def _feedback_key(deployment: str, spec: DeploymentSpec) -> list[dict[str, Any]]:
    """What seals feedback tokens; without it there are none."""
    if not spec.server.feedback:
        return []
    key = {"name": feedback_secret(deployment), "key": "key", "optional": True}
    return [{"name": c.ENV_FEEDBACK_KEY, "valueFrom": {"secretKeyRef": key}}]


def _allowed(version: ServedVersion, installation: Installation) -> dict[str, str]:
    """What the administrator allows in a skops file. Pods of ONNX versions need no restart when
    that changes, so they are not told."""
    if version.format == "onnx" or not installation.allowed_estimators:
        return {}
    return {c.ENV_ALLOWED_ESTIMATORS: ",".join(installation.allowed_estimators)}


def _trusted(installation: Installation) -> dict[str, str]:
    """Whose signatures the server asks for before it loads."""
    keys = installation.verify_keys
    return {c.ENV_VERIFY_KEYS: keys} if keys else {}


def _from_web(version: ServedVersion, namespace: str, installation: Installation) -> dict[str, str]:
    """Only who fetches from a web server may be led elsewhere."""
    web = version.uri.startswith(("http://", "https://"))
    return common.uri_rules(installation, namespace) if web else {}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
