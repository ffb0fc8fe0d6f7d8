"""The objects that Pawl creates: golden files, and what must hold of every pod."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from world import INSTALLATION, training_job

from pawl.api.deployment import DeploymentSpec, ServedVersion
from pawl.api.trainingjob import TrainingJobSpec
from pawl.core.manifests import router, serving, training
from pawl.core.routing.route import Backend, Route

GOLDEN = Path(__file__).parents[2] / "golden"
OWNER = training_job()
DEPLOYMENT = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "uid-d"},
}
VERSION = ServedVersion(
    name="churn-v7", version=7, uri="s3://m/churn/7", digest="sha256:" + "ab" * 32, since=None
)
ROUTE = Route(
    "churn",
    (
        Backend(7, "churn-v7.ml.svc.cluster.local.", 8080, 100),
        Backend(8, "churn-v8.ml.svc.cluster.local.", 8080, None),
    ),
)


def job(**spec: Any) -> dict[str, Any]:
    parsed = TrainingJobSpec.model_validate(training_job(**spec)["spec"])
    return training.build_job(OWNER, parsed, 1, {"pawl.dev/run": "1"}, INSTALLATION)


def container_job() -> dict[str, Any]:
    trainer = {"container": {"image": "me/train:1", "command": ["python", "train.py"]}}
    resources = {"requests": {"cpu": 2}, "limits": {"memory": "4Gi"}}
    data = {"uri": "pvc://lake/churn/", "task": "binary", "target": "churned"}
    return job(trainer=trainer, data=data, template={"resources": resources})


def prepared_job() -> dict[str, Any]:
    steps = [
        {"name": "clean", "image": "me/clean:1", "env": [{"name": "PAWL_DATA_DIR", "value": "/"}]},
        {"name": "join", "image": "me/join:1", "command": ["join"]},
    ]
    data = {"uri": "pvc://lake/x.csv", "task": "binary", "target": "churned"}
    return job(data=data | {"prepare": {"containers": steps}})


SPEC = DeploymentSpec(model="churn", replicas=2)
SCALED = DeploymentSpec.model_validate(
    {
        "model": "churn",
        "autoscaling": {"min": 1, "max": 5},
        "server": {"resources": {"requests": {"cpu": "500m"}}},
    }
)
BY_REQUESTS = DeploymentSpec.model_validate(
    {"model": "churn", "autoscaling": {"min": 1, "max": 5, "targetRequestsPerSecond": 200}}
)
CAPTURED = DeploymentSpec.model_validate(
    {
        "model": "churn",
        "capture": {
            "percent": 0.5,
            "uri": "pvc://lake/churn/captured",
            "drop": ["email"],
            "hash": ["customer_id"],
            "retention": "90d",
        },
    }
)
TLS = DeploymentSpec.model_validate({"model": "churn", "routing": {"tls": {"secretName": "c"}}})
OBJECTS = {
    "job-sklearn": job,
    "job-container": container_job,
    "server": lambda: serving.build_server(DEPLOYMENT, SPEC, VERSION, 2, INSTALLATION),
    "server-capture": lambda: serving.build_server(DEPLOYMENT, CAPTURED, VERSION, 1, INSTALLATION),
    "server-service": lambda: serving.build_server_service(DEPLOYMENT, SPEC, VERSION),
    "autoscaler": lambda: serving.build_autoscaler(DEPLOYMENT, SCALED, VERSION),
    "autoscaler-requests": lambda: serving.build_autoscaler(DEPLOYMENT, BY_REQUESTS, VERSION),
    "router": lambda: router.build_router(DEPLOYMENT, SPEC, INSTALLATION),
    "router-service": lambda: router.build_router_service(DEPLOYMENT, SPEC),
    "router-config": lambda: router.build_router_config(DEPLOYMENT, SPEC, ROUTE),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_golden(name: str):
    """PAWL_REWRITE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    path = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump(readable(OBJECTS[name]()), sort_keys=False, width=100)
    if os.environ.get("PAWL_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


PODS = {
    name: OBJECTS[name]
    for name in ("job-sklearn", "job-container", "server", "server-capture", "router")
} | {"router-tls": lambda: router.build_router(DEPLOYMENT, TLS, INSTALLATION)}


@pytest.mark.parametrize("name", PODS)
def test_every_pod_keeps_the_restricted_profile_and_has_no_token(name: str):
    pod = PODS[name]()["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostAliases"} & set(pod)
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"emptyDir", "configMap", "downwardAPI", "persistentVolumeClaim", "secret"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "runAsUser", "seLinuxOptions", "procMount"} & set(security)
        assert all("hostPort" not in port for port in container.get("ports", ()))


@pytest.mark.parametrize(
    ("uri", "mounts"),
    [
        pytest.param(
            "pvc://lake/rows/",
            {"/pawl/claim": "lake", "/pawl/claims/crm": "crm"},
            id="beside that of the rows",
        ),
        pytest.param("s3://lake/rows/", {"/pawl/claims/crm": "crm"}, id="rows from elsewhere"),
        pytest.param("pvc://crm/rows/", {"/pawl/claim": "crm"}, id="in that of the rows"),
    ],
)
def test_claims_of_joined_sources_are_mounted_once_and_for_prepare_only(
    uri: str, mounts: dict[str, str]
):
    sources = [{"name": n, "uri": f"pvc://crm/{n}.csv", "key": ["id"]} for n in ("plans", "prices")]
    data = {"uri": uri, "task": "binary", "target": "churned", "sources": sources}
    pod = job(data=data)["spec"]["template"]["spec"]
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if volume["name"].startswith("claim")
    }
    assert {
        mount["mountPath"]: claims[mount["name"]]
        for mount in pod["initContainers"][0]["volumeMounts"]
        if mount["name"] in claims
    } == mounts
    others = [pod["initContainers"][1], *pod["containers"]]
    assert not any(m["name"] in claims for other in others for m in other["volumeMounts"])


def test_train_has_neither_the_store_nor_its_credentials():
    for made in (job(), container_job()):
        train = made["spec"]["template"]["spec"]["initContainers"][1]
        assert train["name"] == "train"
        assert "envFrom" not in train
        assert "PAWL_STORE" not in {variable["name"] for variable in train["env"]}


@pytest.mark.parametrize(
    ("resources", "threads"),
    [
        pytest.param(None, "1", id="nothing asked"),
        pytest.param({"limits": {"cpu": "4"}, "requests": {"cpu": "2"}}, "4", id="the limit"),
        pytest.param({"limits": {"memory": "1Gi"}, "requests": {"cpu": 3}}, "3", id="the request"),
        pytest.param({"limits": {"cpu": "2500m"}}, "2", id="whole CPUs"),
        pytest.param({"limits": {"cpu": "200m"}}, "1", id="less than one"),
        pytest.param({"limits": {"cpu": "1.2.3"}}, "1", id="no quantity"),
    ],
)
def test_train_computes_with_as_many_threads_as_it_has_cpus(resources: Any, threads: str):
    template = {"resources": resources} if resources else {}
    pod = job(template=template)["spec"]["template"]["spec"]
    told = {c["name"]: variables(c) for c in (*pod["initContainers"], *pod["containers"])}
    assert told["train"]["OMP_NUM_THREADS"] == threads
    assert told["prepare"]["OMP_NUM_THREADS"] == told["publish"]["OMP_NUM_THREADS"] == "1"


def test_a_container_trainer_may_set_its_threads_itself():
    env = [{"name": "OMP_NUM_THREADS", "value": "6"}]
    trainer = {"container": {"image": "me/train:1", "env": env}}
    template = {"resources": {"limits": {"cpu": 2}}}
    made = job(trainer=trainer, template=template)["spec"]["template"]["spec"]["initContainers"][1]
    assert variables(made)["OMP_NUM_THREADS"] == "6"


def test_a_container_trainer_does_not_see_the_test_rows():
    train = container_job()["spec"]["template"]["spec"]["initContainers"][1]
    work = [m for m in train["volumeMounts"] if m["name"] == "work"]
    assert {m["subPath"] for m in work} == {"data", "output", "parameters.json"}


def test_only_pods_that_load_skops_files_are_told_what_types_are_allowed():
    installation = replace(INSTALLATION, allowed_estimators=("acme.Model", "acme.steps."))
    told = {}
    for format_ in ("onnx", "skops"):
        version = VERSION.model_copy(update={"format": format_})
        server = serving.build_server(DEPLOYMENT, SPEC, version, 1, installation)
        told[format_] = variables(server["spec"]["template"]["spec"]["containers"][0])
    assert told["skops"]["PAWL_ALLOWED_ESTIMATORS"] == "acme.Model,acme.steps."
    assert "PAWL_ALLOWED_ESTIMATORS" not in told["onnx"]


def told_rules(item: dict[str, Any]) -> dict[str, Any]:
    """Container -> the rules of URIs that it is told."""
    pod = item["spec"]["template"]["spec"]
    containers = (*pod.get("initContainers", ()), *pod["containers"])
    told = {one["name"]: variables(one).get("PAWL_NAMESPACE_URIS") for one in containers}
    return {name: json.loads(rules) for name, rules in told.items() if rules is not None}


def test_who_fetches_from_the_web_is_told_the_rules_of_its_namespace():
    ruled = replace(INSTALLATION, allowed_uris={"*": ("https://{namespace}.example.com/",)})
    own = ["https://ml.example.com/"]
    spec = TrainingJobSpec.model_validate(training_job()["spec"])
    assert told_rules(training.build_job(OWNER, spec, 1, {}, ruled)) == {
        "prepare": own,
        "publish": own,
    }
    web = VERSION.model_copy(update={"uri": "https://ml.example.com/m.onnx"})
    for version, rules in ((VERSION, {}), (web, {"server": own})):
        assert told_rules(serving.build_server(DEPLOYMENT, SPEC, version, 1, ruled)) == rules
    assert told_rules(job()) == {}


def variables(container: dict[str, Any]) -> dict[str, str | None]:
    """Environment variables (None: not a literal); the last of a name counts."""
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def readable(item: dict[str, Any]) -> dict[str, Any]:
    """JSON inside strings is shown as what it is."""
    if item["kind"] == "ConfigMap":
        item["data"] = {name: json.loads(text) for name, text in item["data"].items()}
    if item["metadata"]["name"] == "churn-router" and item["kind"] == "Deployment":
        args = item["spec"]["template"]["spec"]["containers"][0]["args"]
        args[1] = json.loads(args[1])
    return item


def test_servers_without_feedback_have_no_key():
    names = {}
    for feedback in (True, False):
        spec = SPEC.model_copy(
            update={"server": SPEC.server.model_copy(update={"feedback": feedback})}
        )
        pod = serving.build_server(DEPLOYMENT, spec, VERSION, 1, INSTALLATION)["spec"]["template"]
        names[feedback] = {var["name"] for var in pod["spec"]["containers"][0]["env"]}
    assert names[True] - names[False] == {"PAWL_FEEDBACK_KEY"}


def test_containers_of_prepare_run_between_fetch_and_prepare_and_see_rows_only() -> None:
    pod = prepared_job()["spec"]["template"]["spec"]
    names = [container["name"] for container in pod["initContainers"]]
    assert names == ["fetch", "step-clean", "step-join", "prepare", "train"]
    fetch, clean, join, *_ = pod["initContainers"]
    assert "/pawl/claim" in {mount["mountPath"] for mount in fetch["volumeMounts"]}
    assert [(m["mountPath"], m.get("readOnly", False)) for m in join["volumeMounts"]] == [
        ("/pawl/tmp", False),
        ("/tmp", False),
        ("/pawl/work/steps/1", True),
        ("/pawl/work/steps/2", False),
    ]
    assert (join["image"], join["command"]) == ("me/join:1", ["join"])
    told = {variable["name"]: variable["value"] for variable in clean["env"]}
    assert told["PAWL_DATA_DIR"] == "/pawl/work/steps/0"
    assert told["PAWL_OUTPUT_DIR"] == "/pawl/work/steps/1"
    for step in (clean, join):
        assert "envFrom" not in step  # no credentials
        assert not {"PAWL_STORE", "PAWL_RUN_CONFIG", "PAWL_WORK_DIR"} & {
            variable["name"] for variable in step["env"]
        }
        assert step["securityContext"] == fetch["securityContext"]
