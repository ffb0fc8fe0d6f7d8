"""What the chart makes of values: golden files, valid for every supported Kubernetes, and what the
operator reads from it. The CRDs are in test_crds.py."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import render
import yaml
from kubernetes_validate import utils, validate

from pawl.control.settings import Settings, from_environment

GOLDEN = Path(__file__).parents[2] / "golden/helm"
CASES = sorted(path.name.removesuffix(".in.yaml") for path in GOLDEN.glob("*.in.yaml"))
#: A value that is not one of a documented group.
OWN = re.compile(r"  (?!requests:|limits:)\w+:")
#: Kinds that a Kubernetes before has not, or not in this version.
SINCE = {"MutatingAdmissionPolicy": "1.36", "MutatingAdmissionPolicyBinding": "1.36"}
NEWEST = list(dict.fromkeys(utils.major_minor(v) for v in utils.all_versions()))[-3:]


def values(case: str) -> dict[str, Any]:
    return yaml.safe_load((GOLDEN / f"{case}.in.yaml").read_text())  # type: ignore[no-any-return]


@cache
def made(case: str) -> list[dict[str, Any]]:
    return render.objects({**values(case), "crds": {"install": False}})


def operator(case: str) -> dict[str, Any]:
    return next(item for item in made(case) if item["kind"] == "Deployment")


def settings(case: str) -> Settings:
    """What the operator reads from its literal variables."""
    (container,) = operator(case)["spec"]["template"]["spec"]["containers"]
    return from_environment({e["name"]: e["value"] for e in container["env"] if "value" in e})


@pytest.mark.parametrize("case", CASES)
def test_objects_are_what_the_golden_file_says(case: str):
    """PAWL_REWRITE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    path = GOLDEN / f"{case}.out.yaml"
    text = yaml.safe_dump_all(made(case), sort_keys=False, width=100)
    if os.environ.get("PAWL_REWRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("version", NEWEST)
@pytest.mark.parametrize("case", CASES)
def test_every_object_is_valid(case: str, version: str):
    for item in made(case):
        if version >= SINCE.get(item["kind"], ""):
            validate(item, f"{version}.0", strict=True)


@pytest.mark.parametrize("stamp", ["auto", "never"])
def test_stamps_need_an_api_server_that_has_them(stamp: str):
    """Without a cluster none is known to have them."""
    found = render.objects({"policy": {"requestedBy": True, "stamp": stamp}})
    kinds = {item["kind"] for item in found}
    assert "ValidatingAdmissionPolicy" in kinds
    assert "MutatingAdmissionPolicy" not in kinds


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_made_twice(case: str):
    keys = [(i["kind"], i["metadata"].get("namespace"), i["metadata"]["name"]) for i in made(case)]
    assert len(set(keys)) == len(keys)


def test_the_operator_reads_what_the_values_say():
    read = settings("everything")
    installation = read.installation
    assert (installation.id, installation.store) == ("blue", "s3://models/pawl")
    assert installation.cluster_domain == "corp.internal"
    assert installation.server_drain_seconds == 90
    assert installation.allowed_estimators == ("xgboost.", "lightgbm.LGBMClassifier")
    assert installation.prometheus == "http://prometheus.monitoring:9090"
    assert (read.workers, read.notify_private, read.namespaces) == (16, True, ())
    assert settings("namespaces").namespaces == ("team-a", "team-b")


def test_by_default_the_operator_is_told_its_own_defaults():
    told, own = settings("default"), from_environment({"PAWL_STORE": "s3://pawl"})
    more = {"liveness": told.liveness, "metrics": told.metrics, "lease": told.lease}
    assert all(more.values())
    assert told == replace(own, **more)


def test_images_come_from_the_mirror():
    (container,) = operator("air-gapped")["spec"]["template"]["spec"]["containers"]
    images, mirror = settings("air-gapped").installation.images, "mirror.example.com:5000/pub"
    assert container["image"] == f"{mirror}/pawl/operator:0.1.0"
    assert images.server == f"{mirror}/pawl/server:0.1.0-internal"
    assert images.server_sklearn == f"{mirror}/pawl/server-sklearn:0.1.0"
    assert images.trainer == f"{mirror}/ml/trainer@sha256:{'1' * 64}"
    assert images.router == f"{mirror}/pawl/router:0.1.0"
    assert settings("air-gapped").installation.store_claim == "models"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        pytest.param({"replica": 2}, "additional properties 'replica' not allowed", id="unknown"),
        pytest.param({"replicas": "two"}, "/replicas': got string, want integer", id="type"),
        pytest.param({"replicas": 99}, "/replicas': maximum: got 99, want 9", id="too-many"),
        pytest.param({"store": {"uri": "gs://x"}}, "'gs://x' does not match pattern", id="store"),
        pytest.param({"namespaces": ["A"]}, "'A' does not match pattern", id="namespace"),
        pytest.param({"namespaces": "a"}, "/namespaces': got string, want array", id="list"),
        pytest.param(
            {"image": {"pullPolicy": "always"}}, "one of 'Always', 'IfNotPresent'", id="enum"
        ),
        pytest.param(
            {"images": {"server": {"digest": "abc"}}}, "'abc' does not match", id="digest"
        ),
        pytest.param({"extraEnv": [{"nam": "A"}]}, "missing property 'name'", id="env"),
        pytest.param(
            {"store": {"uri": "file:///pawl"}}, "lies on a PersistentVolumeClaim", id="claim"
        ),
        pytest.param({"store": {"claim": "c"}}, "only a file:///path store", id="claim-of-s3"),
        pytest.param({"serviceAccount": {"create": False}}, "name the one to use", id="account"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(wrong: dict[str, Any], sentence: str):
    with pytest.raises(helm.HelmError) as refused:
        render.objects(wrong)
    assert sentence in str(refused.value)


def test_each_value_has_a_comment_and_a_schema():
    text = (render.CHART / "values.yaml").read_text()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        told = line.strip().startswith("#") or lines[number - 1].strip().startswith("#")
        assert told or not OWN.match(line), f"no comment: {line}"
    with helm.Chart.load(render.CHART) as chart:
        schema, defaults = chart.schema, chart.values
    assert schema is not None
    assert set(schema["properties"]) - {"global"} == set(defaults)
    for name, value in defaults.items():
        declared = schema["properties"][name]
        if isinstance(value, dict) and "properties" in declared and value:
            assert set(value) <= set(declared["properties"]), name
