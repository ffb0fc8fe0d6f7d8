"""The CRDs in the chart: those of crds/, behind two values, small enough for both ways to apply."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import render
import yaml
from kubernetes_validate import utils, validate

from pawl.api.crds import all_crds

NEWEST = list(dict.fromkeys(utils.major_minor(v) for v in utils.all_versions()))[-3:]
NAMES = [crd["metadata"]["name"] for crd in all_crds()]
#: What all annotations of an object may have together (apimachinery, TotalAnnotationSizeLimitB).
ANNOTATIONS = 256 * 1024


@cache
def chart(keep: bool = True) -> dict[str, dict[str, Any]]:
    found = render.objects({"crds": {"keep": keep}})
    return {i["metadata"]["name"]: i for i in found if i["kind"] == "CustomResourceDefinition"}


@pytest.mark.parametrize("name", NAMES)
def test_the_chart_has_the_crds_of_the_models(name: str):
    committed = yaml.load((render.ROOT / f"crds/{name}.yaml").read_text(), yaml.CSafeLoader)
    assert {**chart()[name], "metadata": {"name": name}} == committed


@pytest.mark.parametrize(
    ("keep", "annotations"),
    [
        pytest.param(True, {"helm.sh/resource-policy": "keep"}, id="keep"),
        pytest.param(False, None, id="go"),
    ],
)
def test_keep_leaves_them_when_the_chart_goes(keep: bool, annotations: dict[str, str] | None):
    for crd in chart(keep).values():
        assert crd["metadata"].get("annotations") == annotations


def test_not_installed():
    kinds = {item["kind"] for item in render.objects({"crds": {"install": False}})}
    assert "CustomResourceDefinition" not in kinds
    assert "Deployment" in kinds


@pytest.mark.parametrize("version", NEWEST)
def test_valid_for_every_supported_kubernetes(version: str):
    for crd in chart().values():
        validate(crd, f"{version}.0", strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_client_side_apply_has_room_for_its_annotation(name: str):
    crd = render.plain(chart()[name])
    crd["metadata"].setdefault("annotations", {})  # kubectl writes it into what it remembers
    remembered = json.dumps(crd, separators=(",", ":")) + "\n"
    assert len(remembered.encode()) < ANNOTATIONS


def test_text_that_helm_would_take_for_a_template_is_refused():
    with pytest.raises(ValueError, match="would take for a template"):
        render.crd_template("# header\nmetadata:\n  name: x\ndescription: '{{ x }}'\n")
