"""Hostile objects, and the answer that each gets from an API server with Pawl's CRDs
(docs/security.md has the table)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.api.crds import all_crds
from pawl.cli.plan import _from_file
from pawl.errors import UserError
from pawl.local.api import bootstrap
from pawl.local.api.checks import Options
from pawl.local.api.errors import ApiError
from pawl.local.api.http.body import parse
from pawl.local.api.registry import Registry
from pawl.local.safeyaml import MAX_DEPTH, load_all

REGISTRY = Registry()
bootstrap.populate(REGISTRY)
for _crd in all_crds():
    REGISTRY.create("apiextensions.k8s.io/customresourcedefinitions", None, _crd, manager="test")

DIGEST = "sha256:" + "a" * 64
JOB = {
    "model": "m",
    "data": {"uri": "s3://lake/x.parquet", "task": "binary", "target": "y"},
    "trainer": {"sklearn": {"estimator": "sklearn.tree.DecisionTreeClassifier", "parameters": {}}},
}
VERSION = {"model": "m", "version": 1, "artifact": {"uri": "s3://lake/m.onnx", "digest": DIGEST}}
DEPLOYMENT = {"model": "m", "capture": {"percent": 1, "uri": "s3://lake/seen"}}
KINDS = {
    "trainingjobs": ("TrainingJob", "job", JOB),
    "modelversions": ("ModelVersion", "m-v1", VERSION),
    "modeldeployments": ("Deployment", "m", DEPLOYMENT),
}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def laughs(levels: int) -> str:
    """Each line is ten times the one before."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels + 1)]
    return "\n".join(lines)


def put(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(spec)
    *parents, last = path.split("/")
    place = changed
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return changed


def create(plural: str, path: str = "", value: Any = None, name: str | None = None) -> ApiError:
    """The refusal of an object in which one thing is hostile."""
    kind, usual, spec = KINDS[plural]
    body = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": usual if name is None else name, "namespace": "default"},
        "spec": put(spec, path, value) if path else spec,
    }
    resource = REGISTRY.catalog.named(f"pawl.dev/{plural}")
    options = Options("test", dry_run=True, field_validation="Strict")
    with pytest.raises(ApiError) as caught:
        REGISTRY.create_item(resource, "default", body, options)
    return caught.value


@pytest.mark.parametrize("plural", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../kube-system", id="up"),
        pytest.param("a/b", id="a folder"),
        pytest.param("Ω", id="Greek"),
        pytest.param("a\u202eb", id="written backwards"),
        pytest.param("a\x00b", id="a NUL"),
        pytest.param("x" * 300, id="long"),
        pytest.param("раwl", id="looks like Latin"),
    ],
)
def test_a_name_is_a_dns_label(plural: str, name: str):
    assert create(plural, name=name).code == 422


@pytest.mark.parametrize(
    ("plural", "path", "value", "words"),
    [
        pytest.param("trainingjobs", "data/uri", "s3://" + "x" * 2000, "Too long", id="huge URI"),
        pytest.param("trainingjobs", "data/uri", "gopher://x", "should match", id="scheme"),
        pytest.param("trainingjobs", "data/uri", "https://a:b@c/x", "should match", id="password"),
        pytest.param("trainingjobs", "data/uri", "s3://a/\u202e b", "should match", id="a space"),
        pytest.param("trainingjobs", "data/features", ["f"] * 10_000, "Too many", id="columns"),
        pytest.param("trainingjobs", "data/target", "y" * 10_000, "Too long", id="huge column"),
        pytest.param("trainingjobs", "model", "../../decisions", "should match", id="model up"),
        pytest.param("trainingjobs", "template/volumes",
            [{"name": "h", "hostPath": {"path": "/"}}], "unknown field", id="hostPath"),
        pytest.param("trainingjobs", "template/hostNetwork", True, "unknown field", id="network"),
        pytest.param("trainingjobs", "template/securityContext", {"privileged": True},
            "unknown field", id="privileged"),
        pytest.param("trainingjobs", "template/configMaps", ["../x"], "should match", id="mount"),
        pytest.param("trainingjobs", "template/configMaps", ["a", "a"], "Duplicate", id="twice"),
        pytest.param("trainingjobs", "template/serviceAccountName", "../x", "match", id="account"),
        pytest.param("trainingjobs", "trainer/sklearn/estimator", "os.system('x')",
            "should match", id="a call for an estimator"),
        pytest.param("trainingjobs", "trainer/sklearn/parameters",
            {f"p{i}": i for i in range(100)}, "must have at most 64", id="parameters"),
        pytest.param("modelversions", "artifact/uri", "ftp://x", "should match", id="artifact"),
        pytest.param("modelversions", "artifact/digest", "md5:0", "should match", id="digest"),
        pytest.param("modelversions", "artifact/format", "pickle", "Unsupported", id="pickle"),
        pytest.param("modelversions", "version", 10**18, "less than or equal", id="huge number"),
        pytest.param("modeldeployments", "capture/uri", "https://x/y", "should match", id="web"),
        pytest.param("modeldeployments", "replicas", 10**9, "less than or equal", id="replicas"),
        pytest.param("modeldeployments", "server/env", [{"name": "LD_PRELOAD"}],
            "unknown field", id="environment of the server"),
        pytest.param("modeldeployments", "server/volumes", [], "unknown field", id="volumes"),
    ],
)  # fmt: skip
def test_what_the_schema_refuses(plural: str, path: str, value: Any, words: str):
    error = create(plural, path, value)
    assert error.code in (400, 422)
    assert words in error.message


def test_an_object_that_etcd_could_not_store_is_refused():
    big = {f"p{i}": "x" * 40_000 for i in range(60)}
    assert create("trainingjobs", "trainer/sklearn/parameters", big).code in (413, 500)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(laughs(9), id="billion laughs"),
        pytest.param("a: &a [*a]", id="an alias inside its anchor"),
        pytest.param("[" * 5000 + "]" * 5000, id="deep flow"),
        pytest.param("\n".join("  " * i + "a:" for i in range(MAX_DEPTH + 1)), id="deep blocks"),
        pytest.param("!!python/object/apply:os.system ['x']", id="a constructor"),
        pytest.param("a: [", id="cut off"),
        pytest.param("\x00", id="a NUL"),
    ],
)
def test_yaml_that_explodes_is_refused(text: str, tmp_path: Path):
    with pytest.raises(ApiError) as caught:
        parse(text.encode(), yaml_body=True, strict=True)
    assert caught.value.code == 400
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        _from_file(path)


def test_json_that_is_too_deep_is_refused():
    with pytest.raises(ApiError) as caught:
        parse(b'{"a":' * 5000 + b"1" + b"}" * 5000, yaml_body=False, strict=True)
    assert caught.value.code == 400


def test_aliases_in_moderation_are_read():
    text = "a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 3}"
    assert load_all(text) == [yaml.safe_load(text)]
    assert load_all(laughs(2)) == [yaml.safe_load(laughs(2))]
