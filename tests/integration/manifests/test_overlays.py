"""kustomize and Helm make the same objects, apart from what each marks as its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "helm"))
import render  # noqa: E402

STORE = {"store": {"uri": "s3://models/pawl"}}
#: Belongs to the cluster, as the CRDs do; an overlay for one namespace leaves it as it is.
OF_CLUSTER = ("pawl-view", "pawl-edit", "pawl-approver", "pawl-verbs")


def built(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl kustomize` makes of a folder."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


def normal(items: list[dict[str, Any]]) -> dict[str, Any]:
    """By kind and name; variables of a container by name."""
    found = {}
    for item in items:
        found[f"{item['kind']}/{item['metadata']['name']}"] = item
        if item["kind"].startswith("ValidatingAdmissionPolicy"):
            # newer than kustomize's schema, and taken for namespaced; an API server drops it
            item["metadata"].pop("namespace", None)
        if item["kind"] == "Deployment":
            (container,) = item["spec"]["template"]["spec"]["containers"]
            container["env"].sort(key=lambda entry: entry["name"])
    return found


def of_helm(values: dict[str, Any]) -> dict[str, Any]:
    """The chart's objects; where kustomize says which namespace, so does the chart."""
    items = render.objects(values)
    namespaces = [item["metadata"].get("namespace") for item in items]
    plain = [render.plain(item) for item in items]
    for item, namespace in zip(plain, namespaces, strict=True):
        if namespace:
            item["metadata"]["namespace"] = namespace
    return normal(plain)


@pytest.mark.parametrize(
    ("folder", "values"),
    [
        pytest.param("base", {}, id="base"),
        pytest.param("overlays/cluster-wide", STORE, id="cluster-wide"),
        pytest.param("overlays/namespaced", {**STORE, **render.OWN_NAMESPACE}, id="namespaced"),
    ],
)
def test_kustomize_and_helm_agree(folder: str, values: dict[str, Any]):
    found = normal(built(ROOT / "manifests" / folder))
    del found["Namespace/pawl-system"]  # Helm leaves it to --create-namespace
    common = {k: v for k, v in of_helm({}).items() if k.rpartition("/")[2] in OF_CLUSTER}
    assert found == common | of_helm(values)


@pytest.mark.parametrize("overlay", ["cluster-wide", "namespaced"])
def test_another_namespace_is_named_once(overlay: str, tmp_path: Path):
    copied = shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    path = copied / "overlays" / overlay / "kustomization.yaml"
    text = path.read_text()
    assert text.count("pawl-system") == 1
    path.write_text(text.replace("pawl-system", "team-a"))
    made = built(path.parent)
    assert "pawl-system" not in yaml.safe_dump_all(made)
    namespaces = [i["metadata"].get("namespace") for i in made if "Cluster" not in i["kind"]]
    assert set(namespaces) - {None} == {"team-a"}
