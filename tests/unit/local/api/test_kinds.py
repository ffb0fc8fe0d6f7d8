"""What the registry does with built-in kinds: defaults, allocation, deletion, printing."""

from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import pytest

from pawl.local.api import bootstrap
from pawl.local.api.addresses import AddressPool, ExhaustedError
from pawl.local.api.deletion import DeleteOptions
from pawl.local.api.errors import ApiError
from pawl.local.api.eviction import BUDGETS, evict
from pawl.local.api.registry import Registry
from pawl.local.api.tables.pods import pod_row

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    bootstrap.populate(made)
    return made


def create(registry: Registry, resource: str, spec: Any, **meta: Any) -> dict[str, Any]:
    body = {"metadata": {"name": "x", **meta}, "spec": spec}
    return registry.create(resource, "default", body, manager="test")


CONTAINER = {"name": "c", "image": "busybox"}


def test_pods_get_the_defaults_of_kubernetes(registry):
    container = {
        **CONTAINER,
        "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}},
        "livenessProbe": {"httpGet": {"port": 80}},
        "ports": [{"containerPort": 80}],
    }
    pod = create(registry, "pods", {"containers": [container], "volumes": [{"name": "v"}]})
    spec, made = pod["spec"], pod["spec"]["containers"][0]
    assert (spec["restartPolicy"], spec["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert made["imagePullPolicy"] == "Always"  # there is no tag
    assert made["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
    assert made["ports"][0]["protocol"] == "TCP"
    probe = made["livenessProbe"]
    assert (probe["periodSeconds"], probe["httpGet"]["path"]) == (10, "/")
    assert pod["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}


def test_jobs_get_labels_and_a_selector_of_their_own(registry):
    template = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
    job = create(registry, "batch/jobs", {"template": template})
    uid = job["metadata"]["uid"]
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == labels["job-name"] == "x"
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (1, 1)
    assert job["spec"]["backoffLimit"] == 6


def test_services_get_an_address_and_give_it_back():
    registry = Registry(services=IPv4Network("127.9.0.0/18"))
    bootstrap.populate(registry)
    ports = [{"port": 80}]
    first = create(registry, "services", {"ports": ports}, name="a")
    assert first["spec"]["clusterIP"] == "127.9.1.0"
    assert first["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        create(registry, "services", {"ports": ports, "clusterIP": "127.9.1.0"}, name="b")
    registry.delete("services", "default", "a", manager="test")
    again = create(registry, "services", {"ports": ports, "clusterIP": "127.9.1.0"}, name="b")
    assert again["spec"]["clusterIPs"] == ["127.9.1.0"]
    headless = create(registry, "services", {"clusterIP": "None"}, name="c")
    assert headless["spec"]["clusterIP"] == "None"


def test_a_refused_service_keeps_no_address(registry):
    for _ in range(3):
        with pytest.raises(ApiError, match=r"spec\.ports"):
            create(registry, "services", {})
    made = create(registry, "services", {"ports": [{"port": 1}]})
    taken = registry.addresses.take(made["spec"]["clusterIP"])
    assert not taken
    assert registry.addresses.take("127.96.1.0")  # those of the refused are free


def test_an_address_pool_can_be_empty():
    pool = AddressPool(IPv4Network("127.9.0.0/23"))
    for _ in range(255):
        pool.allocate()
    with pytest.raises(ExhaustedError):
        pool.allocate()


def test_secrets_merge_their_plain_strings(registry):
    body = {"metadata": {"name": "s"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}}
    made = registry.create("secrets", "default", body, manager="test")
    assert made["data"] == {"a": "Yg==", "c": "ZA=="}
    assert "stringData" not in made


def test_a_namespace_goes_when_it_is_finalized(registry):
    registry.create("namespaces", None, {"metadata": {"name": "gone"}}, manager="test")
    registry.delete("namespaces", None, "gone", manager="test")
    assert registry.get("namespaces", None, "gone")["status"]["phase"] == "Terminating"
    body = {"metadata": {"name": "late"}}
    with pytest.raises(ApiError) as error:
        registry.create("configmaps", "gone", body, manager="test")
    assert error.value.code == 403
    assert error.value.details["causes"][0]["reason"] == "NamespaceTerminating"
    body = {"spec": {"finalizers": None}}
    registry.patch(
        "namespaces", None, "gone", body, kind="merge", manager="test", subresource="finalize"
    )
    with pytest.raises(ApiError, match="not found"):
        registry.get("namespaces", None, "gone")


def test_graceful_deletion_can_only_be_shortened(registry):
    create(registry, "pods", {"nodeName": "n", "containers": [CONTAINER]})
    first = registry.delete("pods", "default", "x", manager="test")
    assert first["metadata"]["deletionGracePeriodSeconds"] == 30
    longer = registry.delete("pods", "default", "x", manager="test", grace_period=60)
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 30
    shorter = registry.delete("pods", "default", "x", manager="test", grace_period=5)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    assert shorter["metadata"]["deletionTimestamp"] < first["metadata"]["deletionTimestamp"]


def test_the_last_finalizer_ends_a_deletion(registry):
    create(registry, "pods", {"containers": [CONTAINER]}, finalizers=["a.b/c"])
    registry.delete("pods", "default", "x", manager="test")
    body = {"metadata": {"finalizers": None}}
    registry.patch("pods", "default", "x", body, kind="merge", manager="test")
    with pytest.raises(ApiError, match="not found"):
        registry.get("pods", "default", "x")


def test_jobs_orphan_their_pods_unless_told_otherwise(registry):
    template = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
    create(registry, "batch/jobs", {"template": template})
    marked = registry.delete("batch/jobs", "default", "x", manager="test")
    assert marked["metadata"]["finalizers"] == ["orphan"]


def test_stale_updates_are_conflicts(registry):
    made = create(registry, "pods", {"containers": [CONTAINER]})
    registry.patch(
        "pods", "default", "x", {"metadata": {"labels": {"a": "b"}}}, kind="merge", manager="test"
    )
    with pytest.raises(ApiError) as error:
        registry.update("pods", "default", made, manager="test")
    assert error.value.code == 409


def test_admission_policies_get_the_defaults_of_kubernetes(registry):
    resources = "admissionregistration.k8s.io/validatingadmissionpolicies"
    rule = {"apiGroups": ["x"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}]}
    body = {"metadata": {"name": "x"}, "spec": spec}
    made = registry.create(resources, None, body, manager="test")
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["failurePolicy"] == "Fail"
    assert made["spec"]["matchConstraints"] == {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [{**rule, "scope": "*"}],
    }
    binding = {"policyName": "x", "validationActions": ["Deny"]}
    bound = registry.create(
        f"{resources.removesuffix('ies')}ybindings",
        None,
        {"metadata": {"name": "x"}, "spec": binding},
        manager="test",
    )
    assert bound["spec"] == binding


def test_callers_objects_are_neither_kept_nor_changed(registry):
    body = {"metadata": {"name": "c"}, "data": {"k": "v"}}
    made = registry.create("configmaps", "default", body, manager="test")
    assert body == {"metadata": {"name": "c"}, "data": {"k": "v"}}
    body["data"]["k"] = "changed"
    assert made["data"] == {"k": "v"}


def test_repeated_events_are_counted(registry):
    pod = create(registry, "pods", {"containers": [CONTAINER]})
    for _ in range(3):
        registry.event(pod, type="Normal", reason="R", message="m", component="c")
    registry.event(pod, type="Normal", reason="R", message="other", component="c")
    counts = sorted(event["count"] for event in registry.list("events", "default"))
    assert counts == [1, 3]


def status(**state: Any) -> dict[str, Any]:
    return {"name": "c", "restartCount": 0, "ready": False, "state": state}


@pytest.mark.parametrize(
    ("pod_status", "meta", "ready", "shown"),
    [
        pytest.param({"phase": "Pending"}, {}, "0/1", "Pending", id="pending"),
        pytest.param(
            {"phase": "Running", "containerStatuses": [{**status(running={}), "ready": True}]},
            {}, "1/1", "Running", id="running",
        ),
        pytest.param(
            {"phase": "Running",
             "containerStatuses": [status(waiting={"reason": "CrashLoopBackOff"})]},
            {}, "0/1", "CrashLoopBackOff", id="crash-loop",
        ),
        pytest.param(
            {"phase": "Pending", "initContainerStatuses": [status(running={})]},
            {}, "0/1", "Init:0/0", id="init",
        ),
        pytest.param(
            {"phase": "Pending",
             "initContainerStatuses": [status(terminated={"exitCode": 3, "reason": "Error"})]},
            {}, "0/1", "Init:Error", id="init-failed",
        ),
        pytest.param(
            {"phase": "Succeeded",
             "containerStatuses": [status(terminated={"exitCode": 0, "reason": "Completed"})]},
            {}, "0/1", "Completed", id="completed",
        ),
        pytest.param(
            {"phase": "Running"}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "0/1",
            "Terminating", id="terminating",
        ),
    ],
)  # fmt: skip
def test_the_row_of_a_pod_tells_its_state(pod_status, meta, ready, shown):
    pod = {
        "metadata": {"name": "p", "creationTimestamp": "2025-12-31T23:59:30Z", **meta},
        "spec": {"containers": [CONTAINER]},
        "status": pod_status,
    }
    cells = pod_row(pod, NOW)
    assert cells[:5] == ["p", ready, shown, "0", "30s"]


def test_what_etcd_could_not_store_is_refused(registry):
    body = {
        "metadata": {"name": "big"},
        "spec": {"containers": [{**CONTAINER, "args": ["x" * 2_000_000]}]},
    }
    with pytest.raises(ApiError, match="etcdserver: request is too large"):
        registry.create("pods", "default", body, manager="test")


def ready_pod(registry: Registry, name: str) -> None:
    create(registry, "pods", {"containers": [CONTAINER]}, name=name, labels={"app": "web"})
    body = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    registry.patch(
        "pods", "default", name, body, kind="merge", manager="test", subresource="status"
    )


def test_an_eviction_spends_the_budget_and_is_refused_when_it_is_spent(registry):
    ready_pod(registry, "a")
    ready_pod(registry, "b")
    selector = {"matchLabels": {"app": "web"}}
    create(registry, BUDGETS, {"minAvailable": 1, "selector": selector})
    with pytest.raises(ApiError) as error:
        evict(registry, "default", "a", DeleteOptions())
    assert error.value.code == 429  # the controller has not looked at it yet
    status = {"observedGeneration": 1, "disruptionsAllowed": 1, "desiredHealthy": 1,
              "currentHealthy": 2, "expectedPods": 2}  # fmt: skip
    registry.patch(
        BUDGETS, "default", "x", {"status": status}, kind="merge", manager="test",
        subresource="status",
    )  # fmt: skip
    evict(registry, "default", "a", DeleteOptions())
    assert [pod["metadata"]["name"] for pod in registry.list("pods")] == ["b"]
    left = registry.get(BUDGETS, "default", "x")["status"]
    assert (left["disruptionsAllowed"], list(left["disruptedPods"])) == (0, ["a"])
    with pytest.raises(ApiError) as error:
        evict(registry, "default", "b", DeleteOptions())
    assert (error.value.code, error.value.reason) == (429, "TooManyRequests")
    assert "needs 1 healthy pods and has 2 currently" in error.value.details["causes"][0]["message"]
