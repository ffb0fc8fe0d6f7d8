"""kubectl delete: cascades, finalizers, grace."""

from typing import Any

import pytest


def config_map(name: str = "a", **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}}


@pytest.mark.parametrize(
    ("cascade", "finalizer"),
    [
        pytest.param("foreground", "foregroundDeletion", id="foreground"),
        pytest.param("orphan", "orphan", id="orphan"),
    ],
)
def test_cascade_leaves_the_work_to_the_garbage_collector(kubectl, cascade, finalizer):
    kubectl("create", "-f-", stdin=config_map())
    kubectl("delete", "cm", "a", f"--cascade={cascade}", "--wait=false")
    meta = kubectl.json("get", "cm", "a")["metadata"]
    assert meta["finalizers"] == [finalizer]
    assert meta["deletionGracePeriodSeconds"] == 0
    kubectl("patch", "cm", "a", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in kubectl("get", "cm", "a", fails=True)


def test_background_deletion_is_immediate(kubectl):
    kubectl("create", "-f-", stdin=config_map())
    assert kubectl("delete", "cm", "a") == 'configmap "a" deleted\n'
    assert "NotFound" in kubectl("get", "cm", "a", fails=True)


def test_a_finalizer_keeps_the_object_until_it_is_removed(kubectl):
    kubectl("create", "-f-", stdin=config_map(finalizers=["example.com/hold"]))
    kubectl("delete", "cm", "a", "--wait=false")
    error = kubectl(
        "patch", "cm", "a", "--type=merge", "-p",
        '{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}', fails=True,
    )  # fmt: skip
    assert "no new finalizers can be added if the object is being deleted" in error
    kubectl("patch", "cm", "a", "--type=json", "-p",
            '[{"op":"remove","path":"/metadata/finalizers"}]')  # fmt: skip
    assert "NotFound" in kubectl("get", "cm", "a", fails=True)


def test_delete_by_label_and_all(kubectl):
    for name in "abc":
        label = {"app": "x"} if name != "c" else {}
        kubectl("create", "-f-", stdin=config_map(name, labels=label))
    kubectl("delete", "cm", "-l", "app=x")
    assert kubectl("get", "cm", "-o", "name") == "configmap/c\n"
    kubectl("delete", "cm", "--all")
    assert kubectl("get", "cm", "-o", "name") == ""


def test_a_scheduled_pod_is_ended_by_its_node(kubectl, api, namespace):
    pod = {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "local", "containers": [{"name": "c", "image": "busybox"}]},
    }
    api.run(lambda: api.registry.create("pods", namespace, pod, manager="test"))
    kubectl("delete", "pod", "p", "--wait=false")
    meta = kubectl.json("get", "pod", "p")["metadata"]
    assert meta["deletionGracePeriodSeconds"] == 30
    kubectl("delete", "pod", "p", "--grace-period=0", "--force")
    assert "NotFound" in kubectl("get", "pod", "p", fails=True)


def test_deleting_a_definition_deletes_its_objects(kubectl):
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "toys.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "toys", "kind": "Toy"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
    kubectl("create", "-f-", stdin=crd)
    toy = {"apiVersion": "example.com/v1", "kind": "Toy", "metadata": {"name": "t"}}
    kubectl("create", "-f-", stdin={**toy, "metadata": {"name": "t", "finalizers": ["x.y/z"]}})
    kubectl("delete", "crd", "toys.example.com", "--wait=false")
    conditions = kubectl.json("get", "crd", "toys.example.com")["status"]["conditions"]
    assert any(c["type"] == "Terminating" for c in conditions)
    error = kubectl("create", "-f-", stdin={**toy, "metadata": {"name": "u"}}, fails=True)
    assert "create not allowed while custom resource definition is terminating" in error
    kubectl("patch", "toy", "t", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in kubectl("get", "crd", "toys.example.com", fails=True)
    assert "could not find the requested resource" in kubectl("get", "toys", fails=True)
