"""Creation and replacement: what is stored, what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from both import MERGE, Both
from objects import GROUP, WIDGET, config_map, container, job, pod, service, widget, workload

PAWL = "pawl.dev/v1alpha1"


def test_create_and_create_again(both: Both) -> None:
    both.post("configmaps", config_map(labels={"a": "b"}), fieldManager="me")
    both.post("configmaps", config_map())
    both.get("configmaps/a")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("apps/v1/deployments", workload(), id="deployment"),
        pytest.param("batch/v1/jobs", job(completions=2, backoffLimit=3), id="job"),
        pytest.param("services", service(), id="service"),
        pytest.param("services", service(clusterIP="None"), id="headless-service"),
        pytest.param("pods", pod(), id="pod"),
        pytest.param(
            "secrets",
            {"metadata": {"name": "a"}, "stringData": {"k": "v"}},
            id="secret-string-data",
        ),
        pytest.param(
            "policy/v1/poddisruptionbudgets",
            {"metadata": {"name": "a"}, "spec": {"minAvailable": "50%", "selector": {}}},
            id="budget",
        ),
        pytest.param(
            "autoscaling/v2/horizontalpodautoscalers",
            {
                "metadata": {"name": "a"},
                "spec": {
                    "maxReplicas": 3,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
                },
            },
            id="autoscaler",
        ),
        pytest.param(
            "coordination.k8s.io/v1/leases",
            {"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}},
            id="lease",
        ),
        pytest.param(
            "persistentvolumeclaims",
            {
                "metadata": {"name": "a"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "",
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            },
            id="claim",
        ),
        pytest.param(WIDGET, widget(ports=[{"name": "a", "port": 1}], unknown=1), id="custom"),
    ],
)
def test_what_is_left_out_has_the_same_default(both: Both, path: str, body: Any) -> None:
    """By a dry run, so that no controller is faster than the answer. Finalizers that protect
    volumes are left out: the embedded cluster has none."""
    both.post(path, body, dryRun="All", drop=("metadata",) if "claim" in path else ())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("configmaps", {"data": {}}, id="no-name"),
        pytest.param("configmaps", config_map("Not_Valid"), id="bad-name"),
        pytest.param("configmaps", config_map("x" * 254), id="long-name"),
        pytest.param("configmaps", config_map(data={"a/b": "1"}), id="bad-key"),
        pytest.param("configmaps", config_map(labels={"a b": "c", "d": "-"}), id="bad-labels"),
        pytest.param("configmaps", config_map(annotations={"a b": "c"}), id="bad-annotation"),
        pytest.param("configmaps", config_map(data={"a": 1}), id="number-for-string"),
        pytest.param("configmaps", config_map(data=[]), id="list-for-map"),
        pytest.param("configmaps", config_map(namespace="elsewhere"), id="other-namespace"),
        pytest.param("configmaps", config_map(resourceVersion="1"), id="with-version"),
        pytest.param("configmaps", config_map(finalizers=["x"]), id="bad-finalizer"),
        pytest.param("configmaps", config_map(ownerReferences=[{"name": "x"}]), id="bad-owner"),
        pytest.param("configmaps", {**config_map(data={}), "kind": "Secret"}, id="other-kind"),
        pytest.param("configmaps", {**config_map(), "apiVersion": "v2"}, id="other-version"),
        pytest.param("configmaps", {**config_map(), "immutable": "yes"}, id="text-for-bool"),
        pytest.param("secrets", {"metadata": {"name": "a"}, "data": {"k": "?"}}, id="not-base64"),
        pytest.param("pods", pod(containers=[]), id="pod-no-container"),
        pytest.param("pods", pod(containers=[{"name": "a"}]), id="pod-no-image"),
        pytest.param("pods", pod(containers=[container("A"), container("A")]), id="pod-bad-names"),
        pytest.param("pods", pod(restartPolicy="Sometimes"), id="pod-bad-policy"),
        pytest.param(
            "pods",
            pod(containers=[container(resources={"requests": {"cpu": "x"}})]),
            id="pod-bad-quantity",
        ),
        pytest.param(
            "pods",
            pod(containers=[container(resources={"requests": {"cpu": 2}, "limits": {"cpu": 1}})]),
            id="pod-requests-above-limits",
        ),
        pytest.param(
            "pods",
            pod(containers=[container(volumeMounts=[{"name": "no", "mountPath": "/x"}])]),
            id="pod-unknown-volume",
        ),
        pytest.param("services", service(ports=[{"port": 0}]), id="service-bad-port"),
        pytest.param(
            "services", service(ports=[{"port": 1}, {"port": 2}]), id="service-port-names"
        ),
        pytest.param("services", service(type="Other"), id="service-bad-type"),
        pytest.param(
            "apps/v1/deployments",
            workload(selector={"matchLabels": {"app": "b"}}),
            id="deployment-selects-others",
        ),
        pytest.param("apps/v1/deployments", workload(replicas=-1), id="deployment-negative"),
        pytest.param("apps/v1/deployments", workload(replicas="1"), id="deployment-text-replicas"),
        pytest.param(
            "apps/v1/deployments",
            workload(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
            id="deployment-no-progress",
        ),
        pytest.param("batch/v1/jobs", job(template={}), id="job-no-template"),
        pytest.param("batch/v1/jobs", job(completionMode="Odd"), id="job-bad-mode"),
        pytest.param("batch/v1/jobs", job(backoffLimit=-1, parallelism=-1), id="job-negative"),
        pytest.param(
            "policy/v1/poddisruptionbudgets",
            {"metadata": {"name": "a"}, "spec": {"minAvailable": 1, "maxUnavailable": 1}},
            id="budget-both",
        ),
        pytest.param(
            "autoscaling/v2/horizontalpodautoscalers",
            {"metadata": {"name": "a"}, "spec": {"minReplicas": 3, "maxReplicas": 1}},
            id="autoscaler-bad-range",
        ),
        pytest.param(WIDGET, {**widget(), "spec": None}, id="custom-null-spec"),
        pytest.param(WIDGET, {"metadata": {"name": "a"}}, id="custom-no-kind"),
        pytest.param(
            WIDGET,
            widget(replicas=-1, size="huge", short="TOO LONG", tags=["a", "a"], steps=[1, "2"]),
            id="custom-many-errors",
        ),
        pytest.param(WIDGET, widget(size="small", replicas=7), id="custom-rule"),
        pytest.param(WIDGET, widget(ports=[{"name": "a"}]), id="custom-required"),
        pytest.param(
            WIDGET, widget(ports=[{"name": "a", "port": 1}] * 2), id="custom-duplicate-keys"
        ),
        pytest.param(WIDGET, widget(when="yesterday", any=1.5), id="custom-formats"),
        pytest.param(WIDGET, widget(replicas=2**40, steps=[1, 2, 3, 4]), id="custom-bounds"),
        pytest.param(
            f"{PAWL}/trainingjobs",
            {"apiVersion": PAWL, "kind": "TrainingJob", "metadata": {"name": "a"}, "spec": {}},
            id="training-job-empty",
        ),
        pytest.param(
            f"{PAWL}/modeldeployments",
            {
                "apiVersion": PAWL,
                "kind": "Deployment",
                "metadata": {"name": "a"},
                "spec": {"model": "Bad Name", "rollout": {"canary": {"steps": [{"weight": 200}]}}},
            },
            id="model-deployment-wrong",
        ),
        pytest.param(
            f"{PAWL}/modelversions",
            {
                "apiVersion": PAWL,
                "kind": "ModelVersion",
                "metadata": {"name": "a"},
                "spec": {"model": "m", "version": 0, "artifact": {"uri": "", "digest": "x"}},
            },
            id="model-version-wrong",
        ),
    ],
)
def test_invalid_objects_are_refused_in_the_same_words(both: Both, path: str, body: Any) -> None:
    both.post(path, body)


@pytest.mark.parametrize("mode", ["Strict", "Warn", "Ignore", "Other"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("configmaps", config_map() | {"dota": {}, "immutable": False}, id="builtin"),
        pytest.param(
            "configmaps",
            '{"metadata": {"name": "a"}, "data": {"x": "1", "x": "2"}}',
            id="builtin-twice",
        ),
        pytest.param(WIDGET, widget(size="large", sise=1, ports=[]), id="custom"),
    ],
)
def test_unknown_fields(both: Both, path: str, body: Any, mode: str) -> None:
    both.post(path, body, fieldValidation=mode)


@pytest.mark.parametrize(
    ("method", "path", "body", "content"),
    [
        pytest.param("POST", "configmaps", "{", "application/json", id="broken-json"),
        pytest.param("POST", "configmaps", "[]", "application/json", id="a-list"),
        pytest.param("POST", "configmaps", "", "application/json", id="empty"),
        pytest.param("POST", "configmaps", "x: 1", "text/plain", id="unknown-media-type"),
        pytest.param(
            "POST",
            "configmaps",
            "metadata: {name: a}\ndata: {k: 'no'}",
            "application/yaml",
            id="yaml",
        ),
        pytest.param("POST", "configmaps/a", "{}", "application/json", id="post-to-an-object"),
        pytest.param("PUT", "configmaps", "{}", "application/json", id="put-to-a-collection"),
        pytest.param("PATCH", "configmaps/a", "{}", "text/plain", id="unknown-patch-type"),
        pytest.param("POST", "nonesuch", "{}", "application/json", id="unknown-resource"),
        pytest.param("POST", f"{GROUP}/v9/widgets", "{}", "application/json", id="unknown-version"),
    ],
)
def test_requests_that_are_none(
    both: Both, method: str, path: str, body: str, content: str
) -> None:
    both.send(method, path, body, content=content)


def test_names_are_generated(both: Both) -> None:
    made = both.post("configmaps", {"metadata": {"generateName": "a-"}}, drop=("metadata",))
    for body in made.values:
        assert body["metadata"]["name"].startswith("a-")
        assert len(body["metadata"]["name"]) == 7


def test_a_dry_run_stores_nothing(both: Both) -> None:
    both.post("configmaps", config_map(), dryRun="All")
    both.get("configmaps/a")
    both.post("configmaps", config_map(), dryRun="Some")
    both.post("configmaps", config_map())
    both.put("configmaps/a", config_map(data={"y": "2"}), dryRun="All")
    both.delete("configmaps/a", dryRun="All")
    both.get("configmaps/a")


def test_replace(both: Both) -> None:
    both.put("configmaps/a", config_map())
    made = both.post("configmaps", config_map(), fieldManager="me")
    both.put("configmaps/b", config_map())
    both.put("configmaps/a", made, fieldManager="me")
    changed = both.put("configmaps/a", config_map(data={"y": "2"}), fieldManager="you")
    both.put("configmaps/a", made)
    both.put("configmaps/a", config_map(resourceVersion=changed["metadata"]["resourceVersion"]))
    both.put("configmaps/a", config_map(uid="00000000-0000-0000-0000-000000000000"))
    both.put("configmaps/a", config_map(resourceVersion="x"))


def test_what_may_not_change(both: Both) -> None:
    both.post("configmaps", {**config_map(), "immutable": True})
    both.put("configmaps/a", {**config_map(data={"x": "2"}), "immutable": True})
    both.put("configmaps/a", config_map())
    both.post(WIDGET, widget(fixed="one"))
    both.put(f"{WIDGET}/a", {**widget(fixed="two"), "metadata": {"name": "a"}})
    made = both.get(f"{WIDGET}/a")
    version = made["metadata"]["resourceVersion"]
    changed = widget(fixed="two")
    changed["metadata"]["resourceVersion"] = version
    both.put(f"{WIDGET}/a", changed)
    both.post("batch/v1/jobs", job(), drop=("metadata",))
    both.patch("batch/v1/jobs/a", MERGE, {"spec": {"completions": 5}})


def test_generation_counts_changes_of_the_spec(both: Both) -> None:
    made = both.post(WIDGET, widget(size="large"))
    version = made["metadata"]["resourceVersion"]
    body = widget(size="large", replicas=2)
    body["metadata"] |= {"resourceVersion": version, "labels": {"a": "b"}}
    changed = both.put(f"{WIDGET}/a", body)
    body["metadata"] |= {
        "resourceVersion": changed["metadata"]["resourceVersion"], "labels": {"a": "c"}
    }  # fmt: skip
    both.put(f"{WIDGET}/a", body)
