"""spec.template: what passes through to the pods, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kubernetes_validate import validate
from world import INSTALLATION, World, training_job

from pawl.api.crds import all_crds
from pawl.api.deployment import DeploymentSpec, ServedVersion
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.runs import TrialTask
from pawl.core.manifests import serving, training
from pawl.core.trainingjob import plan_training_job
from pawl.local.schema.structural import Structural

CONTAINER = {"container": {"image": "me/train:1"}}
SHM = {"mountPath": "/dev/shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}
IMAGES = {
    "mountPath": "/data/images",
    "persistentVolumeClaim": {"claimName": "images", "readOnly": True},
}


TOKEN = {
    "mountPath": "/secrets/hub",
    "secret": {"secretName": "hub-token", "items": [{"key": "token", "path": "token"}]},
}
PROMPTS = {"mountPath": "/prompts", "configMap": {"name": "prompts"}}
UP = {"key": "token", "path": "../token"}


def pod(task: TrialTask | None = None, **template: Any) -> dict[str, Any]:
    owner = training_job(trainer=CONTAINER, template=template)
    spec = TrainingJobSpec.model_validate(owner["spec"])
    job = training.build_job(owner, spec, 3, {}, INSTALLATION, task)
    return job["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def mounts(stage: dict[str, Any]) -> dict[str, Any]:
    return {mount["mountPath"]: mount for mount in stage["volumeMounts"]}


def variables(stage: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable.get("value") for variable in stage["env"]}


AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["gpu"]}]},
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
            ]
        },
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 10,
                "preference": {"matchExpressions": [{"key": "fast", "operator": "Exists"}]},
            }
        ],
    },
    "podAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "zone", "labelSelector": {}, "namespaces": ["other"]}
        ]
    },
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {
                        "matchLabels": {"pawl.dev/training-job": "churn-nov"},
                        "matchExpressions": [{"key": "x", "operator": "DoesNotExist"}],
                    },
                },
            }
        ]
    },
}
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "topology.kubernetes.io/zone",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"pawl.dev/role": "trainer"}},
    "minDomains": 2,
    "matchLabelKeys": ["pawl.dev/run"],
    "nodeTaintsPolicy": "Honor",
}


def test_affinity_and_spread_pass_through_and_are_those_of_kubernetes():
    asked = {"affinity": AFFINITY, "topologySpreadConstraints": [SPREAD]}
    owner = training_job(trainer=CONTAINER, template=asked | {"checkpoints": {"store": {}}})
    job = training.build_job(
        owner, TrainingJobSpec.model_validate(owner["spec"]), 3, {}, INSTALLATION
    )
    validate(job, "1.36", strict=True)
    assert asked.items() <= job["spec"]["template"]["spec"].items()


def test_servers_are_placed_like_training_pods():
    asked = {"affinity": AFFINITY, "topologySpreadConstraints": [SPREAD]}
    spec = DeploymentSpec.model_validate({"model": "churn", "server": asked})
    version = ServedVersion(
        name="churn-v7", version=7, uri="s3://m/churn/7", digest="sha256:" + "ab" * 32, since=None
    )
    server = serving.build_server(training_job(), spec, version, 2, INSTALLATION)
    validate(server, "1.36", strict=True)
    assert asked.items() <= server["spec"]["template"]["spec"].items()


def test_placement_passes_through():
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists"}
    asked = {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [toleration],
        "priorityClassName": "batch",
        "runtimeClassName": "nvidia",
        "terminationGracePeriodSeconds": 90,
        "serviceAccountName": "trainer",
    }
    built = pod(**asked, imagePullSecrets=["registry"])
    assert asked.items() <= built.items()
    assert built["imagePullSecrets"] == [{"name": "registry"}]


def test_gpus_are_the_train_container_s():
    built = pod(resources={"limits": {"nvidia.com/gpu": 2}})
    prepare, train = built["initContainers"]
    assert train["resources"] == {"limits": {"nvidia.com/gpu": 2}}
    for other in (prepare, *built["containers"]):
        assert "nvidia.com/gpu" not in str(other["resources"])


def test_volumes_are_the_train_container_s():
    built = pod(volumes=[SHM, IMAGES])
    sources = {volume["name"]: volume for volume in built["volumes"]}
    prepare, train = built["initContainers"]
    shm, images = (mounts(train)[v["mountPath"]]["name"] for v in (SHM, IMAGES))
    assert sources[shm]["emptyDir"] == SHM["emptyDir"]
    assert sources[images]["persistentVolumeClaim"] == IMAGES["persistentVolumeClaim"]
    for other in (prepare, *built["containers"]):
        assert not {"/dev/shm", "/data/images"} & mounts(other).keys()


@pytest.mark.parametrize(
    ("task", "folder"),
    [
        pytest.param(None, "uid-1-3", id="a run"),
        pytest.param(TrialTask(number=4, search_run=3, parameters={}), "uid-1-3-t4", id="a trial"),
    ],
)
def test_checkpoints_are_in_a_folder_of_the_run(task: TrialTask | None, folder: str):
    built = pod(task, checkpoints={"claim": "scratch"})
    (source,) = (v for v in built["volumes"] if v["name"] == "checkpoints")
    assert source["persistentVolumeClaim"] == {"claimName": "scratch"}
    train, last = built["initContainers"][1], built["containers"][0]
    for stage in (train, last):
        path = variables(stage)["PAWL_CHECKPOINT_DIR"]
        assert mounts(stage)[path] == {
            "name": "checkpoints",
            "mountPath": path,
            "subPath": folder,
        }
    assert "PAWL_CHECKPOINT_DIR" not in variables(built["initContainers"][0])


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(None, id="a run"),
        pytest.param(TrialTask(number=4, search_run=3, parameters={}), id="a trial"),
    ],
)
def test_a_sidecar_copies_checkpoints_into_the_store(task: TrialTask | None):
    built = pod(task, checkpoints={"store": {}})
    prepare, keeper, train = built["initContainers"]
    (source,) = (v for v in built["volumes"] if v["name"] == "checkpoints")
    assert source == {"name": "checkpoints", "emptyDir": {}}
    for stage in (prepare, keeper, train, *built["containers"]):
        path = variables(stage)["PAWL_CHECKPOINT_DIR"]
        assert mounts(stage)[path] == {"name": "checkpoints", "mountPath": path}
    assert (keeper["restartPolicy"], keeper["args"]) == ("Always", ["checkpoints"])
    assert "/pawl/work" not in mounts(keeper)
    assert [stage["name"] for stage in built["initContainers"] if "envFrom" in stage] == [
        "prepare",
        "checkpoints",
    ]
    assert ("PAWL_TRIAL" in variables(keeper)) is (task is not None)


def test_of_checkpoints_in_a_claim_there_is_no_sidecar():
    built = pod(checkpoints={"claim": "scratch"})
    assert [stage["name"] for stage in built["initContainers"]] == ["prepare", "train"]


@pytest.fixture(scope="module")
def schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "TrainingJob")
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def nodes(operator: str, *values: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "pool", "operator": operator, "values": list(values)}]}
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}}


def pods(operator: str, *values: str) -> dict[str, Any]:
    chosen = {"matchExpressions": [{"key": "app", "operator": operator, "values": list(values)}]}
    term = {"topologyKey": "zone", "labelSelector": chosen}
    return {"affinity": {"podAntiAffinity": {REQUIRED: [term]}}}


def volume(path: str) -> dict[str, Any]:
    return {"volumes": [{"mountPath": path, "emptyDir": {}}]}


SYSTEM = "mountPath is Pawl's or the system's"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        pytest.param({"volumes": [SHM, IMAGES]}, "", id="volumes"),
        pytest.param({"checkpoints": {"claim": "scratch"}}, "", id="checkpoints"),
        pytest.param({"checkpoints": {"store": {}}}, "", id="checkpoints in the store"),
        pytest.param({"checkpoints": {}}, "exactly one of claim", id="checkpoints nowhere"),
        pytest.param({"affinity": AFFINITY}, "", id="affinity"),
        pytest.param({"topologySpreadConstraints": [SPREAD]}, "", id="spread"),
        pytest.param({"topologySpreadConstraints": [SPREAD] * 2}, "Duplicate", id="spread twice"),
        pytest.param(
            {"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]},
            "minDomains is for",
            id="domains that nobody waits for",
        ),
        pytest.param(nodes("In"), "In and NotIn need values", id="In nothing"),
        pytest.param(nodes("Gt", "1", "2"), "Gt and Lt one", id="greater than two"),
        pytest.param(nodes("Exists", "x"), "DoesNotExist none", id="Exists as something"),
        pytest.param(pods("NotIn"), "which need some", id="pods NotIn nothing"),
        pytest.param(pods("Gt", "1"), "Unsupported value", id="pods are not compared"),
        pytest.param(
            {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}},
            "at least 1 items",
            id="no node at all",
        ),
        pytest.param(
            {"checkpoints": {"claim": "a", "store": {}}}, "exactly one of claim", id="in both"
        ),
        pytest.param(
            {"checkpoints": {"store": {"sizeLimit": "0Gi"}}}, "should match", id="no room"
        ),
        pytest.param(
            {"checkpoints": {"store": {"keep": 11}}}, "less than or equal to", id="too many"
        ),
        pytest.param({"volumes": [TOKEN, PROMPTS]}, "", id="a Secret and a ConfigMap"),
        pytest.param({"volumes": [{**TOKEN, **PROMPTS}]}, "exactly one of", id="both in one"),
        pytest.param(
            {"volumes": [{**TOKEN, "secret": {"secretName": "x", "items": [UP]}}]},
            "should match",
            id="a key that leads up",
        ),
        pytest.param(volume("/pawl"), SYSTEM, id="Pawl's folder"),
        pytest.param(volume("/pawl/work/data"), SYSTEM, id="in Pawl's folder"),
        pytest.param(volume("/tmp"), SYSTEM, id="the system's"),
        pytest.param(volume("/pawls"), "", id="only a beginning alike"),
        pytest.param(volume("/data/../pawl"), "should match", id="up and away"),
        pytest.param(volume("data"), "should match", id="no absolute path"),
        pytest.param({"volumes": [{**SHM, **IMAGES}]}, "exactly one of", id="two sources"),
        pytest.param({"volumes": [{"mountPath": "/x"}]}, "exactly one of", id="no source"),
        pytest.param({"volumes": [SHM, SHM]}, "Duplicate value", id="one path twice"),
        pytest.param(
            {"terminationGracePeriodSeconds": 3601}, "less than or equal to", id="an hour's grace"
        ),
    ],
)
def test_what_a_template_may_say(schema: Structural, template: dict[str, Any], words: str):
    found = complaints(schema, trainer=CONTAINER, template=template)
    assert words in found
    assert bool(found) is bool(words), found


@pytest.mark.parametrize("template", [{"volumes": [SHM]}, {"checkpoints": {"claim": "scratch"}}])
def test_scikit_learn_has_no_use_for_volumes(schema: Structural, template: dict[str, Any]):
    assert "are for trainer.container" in complaints(schema, template=template)


def complaints(schema: Structural, **spec: Any) -> str:
    item = training_job(**spec)
    schema.default(item)
    return "; ".join(str(cause) for cause in schema.validate(item))


def test_secrets_and_config_maps_are_mounted_as_they_are_asked_for():
    built = pod(volumes=[TOKEN, PROMPTS])
    sources = {volume["name"]: volume for volume in built["volumes"]}
    train = built["initContainers"][-1]
    for asked, kind in ((TOKEN, "secret"), (PROMPTS, "configMap")):
        mount = mounts(train)[asked["mountPath"]]
        assert sources[mount["name"]][kind] == asked[kind]
    owner = training_job(trainer=CONTAINER, template={"volumes": [TOKEN, PROMPTS]})
    spec = TrainingJobSpec.model_validate(owner["spec"])
    validate(training.build_job(owner, spec, 3, {}, INSTALLATION), "1.36", strict=True)


@pytest.mark.parametrize(
    ("rules", "starts"),
    [
        pytest.param({}, False, id="no rules"),
        pytest.param({"*": ("s3://", "pvc://")}, False, id="none for it"),
        pytest.param({"*": ("s3://", "secret://hub-token")}, True, id="one for it"),
    ],
)
def test_a_secret_is_mounted_only_where_a_rule_names_it(
    rules: dict[str, tuple[str, ...]], starts: bool
):
    w = World()
    w.add(training_job(trainer=CONTAINER, template={"volumes": [TOKEN]}))
    ours = replace(INSTALLATION, allowed_uris=rules)
    plan = plan_training_job(w.observe_job("churn-nov"), ours, w.clock)
    assert bool(plan.actions) is starts
    if not starts:
        (told,) = (event for event in plan.events if event.reason == "UriNotAllowed")
        assert "secret://hub-token" in told.message


def test_a_claim_that_the_namespace_may_not_name_starts_nothing():
    w = World()
    store = {"mountPath": "/x", "persistentVolumeClaim": {"claimName": "pawl-store"}}
    w.add(training_job(trainer=CONTAINER, template={"volumes": [store]}))
    ours = replace(INSTALLATION, store="file:///pawl/store", store_claim="pawl-store")
    plan = plan_training_job(w.observe_job("churn-nov"), ours, w.clock)
    assert plan.actions == ()
    assert plan.status is not None
    (stalled,) = (c for c in plan.status["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == "UriNotAllowed"
    assert stalled["message"].startswith("template pvc://pawl-store")


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        pytest.param("exceeded quota: team, limited: pods=4", "QuotaExceeded", id="a quota"),
        pytest.param("no PriorityClass with name x was found", "PodsRefused", id="anything else"),
    ],
)
def test_pods_that_cannot_be_created_are_told_once(refused: str, reason: str):
    w = World()
    w.add(training_job())
    w.settle()
    for _ in range(2):
        observed = replace(w.observe_job("churn-nov"), refused=refused)
        plan = plan_training_job(observed, INSTALLATION, w.clock)
        w.carry_out(observed.object, plan)
        assert plan.requeue_after == 10
    conditions = w.status("TrainingJob", "churn-nov")["conditions"]
    (ready,) = (c for c in conditions if c["type"] == "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", reason, refused)
    assert [e.message for e in w.events if e.reason == "RunBlocked"] == [f"{reason}: {refused}"]


def test_a_users_container_has_no_volume_of_a_stage_that_has_credentials():
    """But for the parts of the workspace that the file contract names."""
    prepares = {"containers": [{"name": "clean", "image": "me/clean:1"}]}
    owner = training_job(trainer=CONTAINER, template={"checkpoints": {"store": {}}})
    owner["spec"]["data"]["prepare"] = prepares
    spec = TrainingJobSpec.model_validate(owner["spec"])
    built = training.build_job(owner, spec, 3, {}, INSTALLATION)["spec"]["template"]["spec"]
    stages = {stage["name"]: stage for stage in (*built["initContainers"], *built["containers"])}
    theirs = [stages.pop("train"), stages.pop("step-clean")]
    ours = {m["name"] for stage in stages.values() for m in stage["volumeMounts"]}
    for stage in theirs:
        shared = [mount for mount in stage["volumeMounts"] if mount["name"] in ours]
        assert {mount["name"] for mount in shared} <= {"work", "checkpoints"}
        assert all("subPath" in mount for mount in shared if mount["name"] == "work")
