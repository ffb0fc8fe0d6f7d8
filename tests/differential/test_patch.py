"""The three kinds of patches that are not server-side apply."""

from __future__ import annotations

from typing import Any

import pytest
from both import JSON, MERGE, STRATEGIC, WORDS, Both
from objects import WIDGET, config_map, container, widget, workload

DEPLOYMENTS = "apps/v1/deployments"


def op(name: str, path: str, *value: Any, **more: Any) -> dict[str, Any]:
    made = {"op": name, "path": path, **more}
    return made | {"value": value[0]} if value else made


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param([op("add", "/data/y", "2")], id="add"),
        pytest.param([op("replace", "/data/x", "2")], id="replace"),
        pytest.param([op("remove", "/data/x")], id="remove"),
        pytest.param([op("remove", "/data/none")], id="remove-missing"),
        pytest.param([op("replace", "/data/none", "2")], id="replace-missing"),
        pytest.param([op("move", "/data/y", **{"from": "/data/x"})], id="move"),
        pytest.param([op("copy", "/data/y", **{"from": "/data/x"})], id="copy"),
        pytest.param([op("test", "/data/x", "1"), op("remove", "/data/x")], id="test-holds"),
        pytest.param([op("test", "/data/x", "2"), op("remove", "/data/x")], id="test-fails"),
        pytest.param([op("add", "/metadata/labels", {"a": "b"})], id="labels"),
        pytest.param([op("add", "/metadata/name", "b")], id="rename"),
        pytest.param([op("add", "/data/a~1b", "2")], id="escaped-bad-key"),
        pytest.param([op("add", "/data/y", 2)], id="wrong-type"),
        pytest.param([op("add", "/none/y", 2)], id="no-parent"),
        pytest.param([op("odd", "/data/y", "2")], id="unknown-operation"),
        pytest.param([op("add", "data", "2")], id="bad-pointer"),
        pytest.param([], id="nothing"),
        pytest.param({"data": {"y": "2"}}, id="no-list"),
        pytest.param("{", id="broken"),
        pytest.param([op("test", "/metadata/resourceVersion", "0")], id="other-version"),
    ],
)
def test_json_patch(both: Both, patch: Any) -> None:
    both.post("configmaps", config_map(), fieldManager="me")
    both.patch("configmaps/a", JSON, patch, fieldManager="you")


@pytest.mark.parametrize("content", [MERGE, STRATEGIC])
@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"data": {"y": "2"}}, id="add"),
        pytest.param({"data": {"x": None}}, id="remove"),
        pytest.param({"data": None}, id="remove-all"),
        pytest.param({"data": {"x": "1"}}, id="no-change"),
        pytest.param({}, id="empty"),
        pytest.param({"metadata": {"name": "b"}}, id="rename"),
        pytest.param({"metadata": {"resourceVersion": "1"}}, id="stale"),
        pytest.param(
            {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}, id="metadata"
        ),
        pytest.param({"metadata": {"finalizers": ["example.com/a"]}}, id="finalizer"),
        pytest.param({"kind": "Service"}, id="other-kind"),
        pytest.param({"unknown": 1}, id="unknown-field"),
        pytest.param([], id="a-list"),
        pytest.param("{", id="broken"),
    ],
)
def test_merge_and_strategic_patch_of_a_builtin(both: Both, content: str, patch: Any) -> None:
    both.post("configmaps", config_map(), fieldManager="me")
    both.patch("configmaps/a", content, patch, fieldManager="you")
    both.patch("configmaps/a", content, patch, fieldManager="you", fieldValidation="Strict")
    both.delete("configmaps/a")


@pytest.mark.parametrize("content", [MERGE, pytest.param(STRATEGIC, marks=WORDS)])
@pytest.mark.parametrize("data", [pytest.param([], id="list"), pytest.param({"x": 1}, id="number")])
def test_a_merge_gives_a_wrong_type(both: Both, content: str, data: Any) -> None:
    both.post("configmaps", config_map())
    both.patch("configmaps/a", content, {"data": data})


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"containers": [{"name": "b", "image": "new"}]}, id="change-one"),
        pytest.param({"containers": [container("c")]}, id="add-one"),
        pytest.param({"containers": [{"name": "a", "$patch": "delete"}]}, id="delete-one"),
        pytest.param({"containers": [{"$patch": "replace"}, container("c")]}, id="replace-all"),
        pytest.param({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}, id="order"),
        pytest.param({"containers": [{"image": "x"}]}, id="no-merge-key"),
        pytest.param(
            {"containers": [{"name": "a", "env": [{"name": "K", "value": "2"}]}]}, id="nested"
        ),
        pytest.param(
            {"containers": [{"name": "a", "env": [{"name": "K", "$patch": "delete"}]}]},
            id="nested-delete",
        ),
        pytest.param(
            {"containers": [{"name": "a", "args": ["z"]}]}, id="a-list-of-values-is-replaced"
        ),
        pytest.param(
            {"containers": [{"name": "a", "ports": [{"containerPort": 1, "name": "n"}]}]},
            id="ports-by-number",
        ),
        pytest.param({"nodeSelector": {"a": None, "c": "d"}}, id="map"),
        pytest.param({"nodeSelector": {"$patch": "replace", "c": "d"}}, id="replace-map"),
        pytest.param({"$retainKeys": ["containers"], "containers": []}, id="retain-keys"),
        pytest.param({"containers": [{"name": "a", "$patch": "odd"}]}, id="unknown-directive"),
    ],
)
def test_strategic_merge_of_lists(both: Both, patch: Any) -> None:
    """By a dry run: no controller writes in between."""
    a = container("a", args=["x", "y"], env=[{"name": "K", "value": "1"}, {"name": "L"}])
    a["ports"] = [{"containerPort": 1}, {"containerPort": 2}]
    made = workload("a", a, container("b"))
    made["spec"]["paused"] = True
    made["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
    both.post(DEPLOYMENTS, made, drop=("metadata", "status"))
    body = {"spec": {"template": {"spec": patch}}}
    both.patch(f"{DEPLOYMENTS}/a", STRATEGIC, body, dryRun="All", drop=("metadata", "status"))


def test_strategic_patches_are_not_for_custom_resources(both: Both) -> None:
    both.post(WIDGET, widget())
    both.patch(f"{WIDGET}/a", STRATEGIC, {"spec": {"replicas": 2}})


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"spec": {"replicas": 3}}, id="change"),
        pytest.param({"spec": {"replicas": None}}, id="default-comes-back"),
        pytest.param({"spec": {"size": "huge"}}, id="invalid"),
        pytest.param({"spec": {"size": "small", "replicas": 9}}, id="rule"),
        pytest.param({"spec": {"fixed": "two"}}, id="transition-rule"),
        pytest.param({"spec": {"fixed": None}}, id="transition-rule-does-not-hold-for-removal"),
        pytest.param({"spec": {"unknown": 1, "free": {"kept": {"a": None}}}}, id="pruned"),
        pytest.param({"spec": {"secret": None}}, id="nullable"),
        pytest.param({"spec": {"ports": [{"name": "b", "port": 2}]}}, id="lists-are-replaced"),
        pytest.param({"status": {"phase": "Done"}}, id="status-is-ignored"),
        pytest.param({"spec": None}, id="required"),
    ],
)
def test_merge_patch_of_a_custom_resource(both: Both, patch: Any) -> None:
    both.post(WIDGET, widget(fixed="one", size="large", ports=[{"name": "a", "port": 1}]))
    both.patch(f"{WIDGET}/a", MERGE, patch, fieldManager="you")


def test_patch_of_what_is_not_there(both: Both) -> None:
    for content in (JSON, MERGE, STRATEGIC):
        both.patch("configmaps/none", content, [] if content == JSON else {})
    both.patch("configmaps/none", MERGE, {}, dryRun="All")
    both.patch("configmaps/none", MERGE, {}, force="true")
