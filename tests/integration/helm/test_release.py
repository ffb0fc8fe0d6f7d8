"""A release from install to uninstall, by Helm's own library on an embedded cluster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

CHART = Path(__file__).parents[3] / "helm/pawl"
SYSTEM = "pawl-system"
STORE = {"store": {"uri": "file:///pawl/store", "claim": "pawl-store"}}
OFF = {**STORE, "replicas": 0}
SECRET = 1024 * 1024  # of which an API server takes no more
OF_CHART = (
    "all,configmaps,secrets,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,"
    "poddisruptionbudgets,leases,networkpolicies,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings"
)


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def claim(where: str, name: str = "pawl-store") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": where},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def job(where: str, name: str = "churn-1") -> dict[str, Any]:
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": where},
        "spec": {
            "model": "churn",
            "data": {"uri": "pvc://data/none.parquet", "task": "binary", "target": "churned"},
            "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
            "suspend": True,
        },
    }


@pytest.fixture
def releases(bare: Any) -> Iterator[helm.Config]:
    bare.apply(namespace(SYSTEM), claim(SYSTEM), namespace("team-a"), namespace("team-b"))
    with helm.Config(kubeconfig_path=bare.kubeconfig, namespace=SYSTEM) as config:
        yield config


def install(releases: helm.Config, values: dict[str, Any], chart: Path = CHART) -> None:
    done = releases.install(chart, "pawl", values, wait="watcher", timeout=60)
    assert done["status"] == "deployed"


def suspended(bare: Any, where: str) -> bool:
    """Whether an operator has answered for the TrainingJob of a namespace."""
    found = bare.items("trainingjobs", f"--field-selector=metadata.namespace={where}")
    return any(item.get("status", {}).get("phase") == "Suspended" for item in found)


def helms(secret: dict[str, Any]) -> bool:
    """What Helm remembers of a revision."""
    return str(secret["type"]).startswith("helm.sh/")


def left(bare: Any) -> list[str]:
    """What is left of the chart."""
    found = bare.items(OF_CHART, "-l", "app.kubernetes.io/part-of=pawl")
    found += [s for s in bare.items("secrets") if helms(s)]
    found += [item for item in bare.items("pods,replicasets,endpointslices,endpoints,leases")
              if item["metadata"].get("namespace") == SYSTEM]  # fmt: skip
    return [f"{item['kind']}/{item['metadata']['name']}" for item in found]


def variable(bare: Any, name: str) -> str:
    """Of the operator's pod template."""
    (operator,) = bare.items("deployments.apps")
    env = operator["spec"]["template"]["spec"]["containers"][0]["env"]
    return next(str(entry["value"]) for entry in env if entry["name"] == name)


def test_install_upgrade_roll_back_uninstall(bare: Any, releases: helm.Config, tmp_path: Path):
    install(releases, STORE)
    bare.kubectl("wait", "--for=condition=Established", "crd", "--all")
    bare.apply(job("team-a"))
    bare.until("an operator that works", lambda: suspended(bare, "team-a"))

    newer = tmp_path / "pawl"
    shutil.copytree(CHART, newer)
    template = newer / "templates/crds/trainingjobs.pawl.dev.yaml"
    text = template.read_text()
    template.write_text(text.replace("    - tj\n", "    - tj\n    - tjob\n"))
    values = {**STORE, "operator": {"workers": 3}}
    upgraded = releases.upgrade(newer, "pawl", values, wait="watcher", timeout=60)
    assert (upgraded["revision"], upgraded["status"]) == (2, "deployed")
    assert variable(bare, "PAWL_WORKERS") == "3"
    assert all(len(s["data"]["release"]) < SECRET for s in bare.items("secrets") if helms(s))
    crd = bare.items("crd", "--field-selector=metadata.name=trainingjobs.pawl.dev")[0]
    assert crd["spec"]["names"]["shortNames"] == ["tj", "tjob"]

    releases.rollback("pawl", version=1, wait="watcher", timeout=60)
    assert variable(bare, "PAWL_WORKERS") == "8"
    bare.apply(job("team-b"))
    bare.until("an operator that works", lambda: suspended(bare, "team-b"))

    releases.uninstall("pawl", wait="watcher", timeout=60)
    bare.until("nothing to be left", lambda: left(bare) == [])
    assert len(bare.items("crd")) == 3
    install(releases, OFF)  # takes the CRDs that it has left
    assert len(bare.items("trainingjobs")) == 2


def test_without_keep_the_crds_and_what_is_of_them_go_too(bare: Any, releases: helm.Config):
    install(releases, {**OFF, "crds": {"keep": False}})
    bare.apply(job("team-a"))
    releases.uninstall("pawl", wait="watcher", timeout=60)
    bare.until("nothing to be left", lambda: left(bare) == [])
    assert bare.items("crd") == []
    assert "could not find the requested resource" in bare.kubectl("get", "tj", fails=True)


def test_a_namespace_goes_when_the_operator_is_gone(bare: Any, releases: helm.Config):
    install(releases, STORE)
    bare.apply(job("team-a"))
    bare.until("an operator that works", lambda: suspended(bare, "team-a"))
    releases.uninstall("pawl", wait="watcher", timeout=60)
    bare.until("no operator", lambda: left(bare) == [])
    (made,) = bare.items("trainingjobs")
    assert "finalizers" not in made["metadata"]
    bare.kubectl("delete", "namespace", "team-a", SYSTEM, "--timeout=30s")
    assert bare.items("trainingjobs") == []


def test_named_namespaces_only(bare: Any, releases: helm.Config):
    install(releases, {**STORE, "namespaces": ["team-b"], "gateway": {"enabled": False}})
    assert bare.items("clusterrolebindings") == []
    roles = [role["metadata"] for role in bare.items("roles")]
    where = {(role["name"], role["namespace"]) for role in roles}
    assert where == {("pawl-operator", "team-b"), ("pawl-operator-lease", SYSTEM)}
    bare.apply(job("team-a"))
    bare.apply(job("team-b"))
    bare.until("an operator that works", lambda: suspended(bare, "team-b"))
    assert not suspended(bare, "team-a")
