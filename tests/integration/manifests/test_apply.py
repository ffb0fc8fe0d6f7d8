"""kubectl applies the base either way. Kustomize's transformers on a user's own objects: the one
that works, and those that a cluster refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
#: What kubectl calls configured every time, also on kube-apiserver 1.36: kustomize gives policies a
#: namespace, which the server drops, and the selector of a budget is replaced, not merged.
TOLD = ("validatingadmissionpolic", "poddisruptionbudget")
EXAMPLE = """\
apiVersion: pawl.dev/v1alpha1
kind: Deployment
metadata:
  name: churn
spec:
  model: churn
"""


@pytest.mark.parametrize("side", ["--server-side=false", "--server-side"])
def test_the_base_applies_again_and_again(bare: Any, side: str):
    base = str(ROOT / "manifests/base")
    bare.kubectl("apply", side, "-k", base)
    bare.kubectl("wait", "--for=condition=Established", "crd", "--all")
    versions = {crd["metadata"]["uid"]: crd["metadata"] for crd in bare.items("crd")}
    again = bare.kubectl("apply", side, "-k", base)
    changed = [line for line in again.splitlines() if line.endswith((" created", " configured"))]
    assert [line for line in changed if not line.startswith(TOLD)] == []
    assert {crd["metadata"]["uid"]: crd["metadata"] for crd in bare.items("crd")} == versions
    bare.kubectl("delete", "--ignore-not-found", "--timeout=60s", "-k", base)
    assert bare.items("crd") == []


@pytest.mark.parametrize("side", ["--server-side=false", "--server-side"])
def test_one_way_to_apply_takes_over_from_the_other(bare: Any, side: str):
    crds = str(ROOT / "crds")
    bare.kubectl("apply", "--server-side=false", "-f", crds)
    bare.kubectl("apply", "--server-side", "--force-conflicts", "-f", crds)
    bare.kubectl("apply", side, "-f", crds)
    assert len(bare.items("crd")) == 3


@pytest.fixture
def with_crds(bare: Any) -> Any:
    bare.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    bare.kubectl("wait", "--for=condition=Established", "crd", "--all")
    return bare


def kustomization(folder: Path, **transformer: Any) -> str:
    (folder / "model.yaml").write_text(EXAMPLE)
    content = {"resources": ["model.yaml"], "namespace": "default", **transformer}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return str(folder)


ANNOTATE = [{"op": "add", "path": "/metadata/annotations", "value": {"team": "a"}}]


@pytest.mark.parametrize("side", ["--server-side=false", "--server-side"])
def test_what_docs_recommend_works(with_crds: Any, tmp_path: Path, side: str):
    folder = kustomization(
        tmp_path,
        labels=[{"pairs": {"team": "a"}}],
        namePrefix="x-",
        replicas=[{"name": "churn", "count": 3}],
        patches=[{"target": {"group": "pawl.dev"}, "patch": json.dumps(ANNOTATE)}],
    )
    with_crds.kubectl("apply", side, "-k", folder)
    made = json.loads(with_crds.kubectl("get", "mdep", "x-churn", "-o", "json"))
    assert made["metadata"]["labels"] == {"team": "a"}
    assert made["metadata"]["annotations"]["team"] == "a"
    assert made["spec"]["replicas"] == 3
    assert not {"selector", "template"} & set(made["spec"])


@pytest.mark.parametrize("side", ["--server-side=false", "--server-side"])
@pytest.mark.parametrize(
    ("transformer", "fields"),
    [
        pytest.param({"commonLabels": {"team": "a"}}, ("selector", "template"), id="commonLabels"),
        pytest.param({"commonAnnotations": {"team": "a"}}, ("template",), id="commonAnnotations"),
        pytest.param(
            {"labels": [{"pairs": {"team": "a"}, "includeSelectors": True}]},
            ("selector", "template"),
            id="includeSelectors",
        ),
        pytest.param(
            {"labels": [{"pairs": {"team": "a"}, "includeTemplates": True}]},
            ("template",),
            id="includeTemplates",
        ),
    ],
)
def test_transformers_for_the_other_deployment_are_refused(
    with_crds: Any, tmp_path: Path, transformer: Any, fields: tuple[str, ...], side: str
):
    said = with_crds.kubectl(
        "apply", side, "-k", kustomization(tmp_path, **transformer), fails=True
    )
    # the server-side answer may stop at the first
    named = [field for field in fields if f"spec.{field}" in said]
    assert named == list(fields[: len(named)])
    assert named
    assert with_crds.items("mdep") == []
