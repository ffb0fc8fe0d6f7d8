"""Server-side apply: ownership, conflicts, and what is removed when it is no longer applied."""

from __future__ import annotations

from typing import Any

import pytest
from both import APPLY, MERGE, WORDS, Both
from objects import WIDGET, config_map, container, job, service, widget, workload

DEPLOYMENTS = "apps/v1/deployments"


def apply(both: Both, path: str, body: Any, manager: str | None = "me", **query: Any) -> Any:
    if manager is not None:
        query["fieldManager"] = manager
    return both.patch(path, APPLY, body, **query)


def test_apply_creates_changes_and_removes(both: Both) -> None:
    apply(both, "configmaps/a", config_map(data={"x": "1", "y": "2"}))
    apply(both, "configmaps/a", config_map(data={"x": "1", "y": "2"}))
    apply(both, "configmaps/a", config_map(data={"x": "3"}, labels={"a": "b"}))
    apply(both, "configmaps/a", config_map(data={}))


def test_conflicts_and_force(both: Both) -> None:
    apply(both, "configmaps/a", config_map(data={"x": "1", "y": "1"}))
    apply(both, "configmaps/a", config_map(data={"x": "2", "y": "2"}), "you")
    apply(both, "configmaps/a", config_map(data={"x": "1"}), "you")
    apply(both, "configmaps/a", config_map(data={"x": "2"}), "you", force="true")
    apply(both, "configmaps/a", config_map(data={"x": "1", "y": "1"}))
    apply(both, "configmaps/a", config_map(data={"y": "1"}))
    apply(both, "configmaps/a", config_map(data={}), "you")


def test_conflict_with_an_update(both: Both) -> None:
    both.post("configmaps", config_map(), fieldManager="editor")
    apply(both, "configmaps/a", config_map(data={"x": "2"}))
    apply(both, "configmaps/a", config_map(data={"x": "2"}), force="true")
    both.patch("configmaps/a", MERGE, {"data": {"x": "3"}}, fieldManager="editor")
    apply(both, "configmaps/a", config_map(data={"x": "2"}))


@pytest.mark.parametrize(
    ("body", "query"),
    [
        pytest.param(config_map(), {"manager": None}, id="no-manager"),
        pytest.param(config_map(), {"manager": ""}, id="empty-manager"),
        pytest.param(config_map(), {"manager": "x" * 129}, id="long-manager"),
        pytest.param(config_map("b"), {}, id="other-name"),
        pytest.param({**config_map(), "kind": "Secret"}, {}, id="other-kind"),
        pytest.param({"metadata": {"name": "a"}}, {}, id="no-kind"),
        pytest.param(config_map(managedFields=[{}]), {}, id="with-managed-fields"),
        pytest.param({**config_map(), "dota": 1}, {}, id="unknown-field"),
        pytest.param(config_map(data={"x": 1}), {}, id="wrong-type"),
        pytest.param("x: {", {}, id="broken", marks=WORDS),
        pytest.param("apiVersion: v1\nkind: ConfigMap\ndata: {x: '1'}", {}, id="yaml"),
        pytest.param(config_map(), {"force": "maybe"}, id="bad-force"),
        pytest.param(config_map(), {"dryRun": "All"}, id="dry-run"),
        pytest.param(config_map(resourceVersion="1"), {}, id="with-version"),
        pytest.param(config_map(uid="x"), {}, id="with-uid"),
    ],
)
def test_what_apply_asks_for(both: Both, body: Any, query: dict[str, Any]) -> None:
    apply(both, "configmaps/a", body, **query)


def test_lists_by_key_have_an_owner_an_entry(both: Both) -> None:
    def ports(*names: str, port: int = 1) -> Any:
        return widget(ports=[{"name": name, "port": port} for name in names])

    apply(both, f"{WIDGET}/a", ports("a", "b"))
    apply(both, f"{WIDGET}/a", ports("b", "c"), "you")
    apply(both, f"{WIDGET}/a", ports("b", port=2), "you")
    apply(both, f"{WIDGET}/a", ports("a"))
    apply(both, f"{WIDGET}/a", ports("c"), "you")
    apply(both, f"{WIDGET}/a", ports("c", "c"), "you")


def test_sets_have_an_owner_a_value(both: Both) -> None:
    apply(both, f"{WIDGET}/a", widget(tags=["a", "b"]))
    apply(both, f"{WIDGET}/a", widget(tags=["c", "b"]), "you")
    apply(both, f"{WIDGET}/a", widget(tags=["a"]))
    apply(both, f"{WIDGET}/a", widget(tags=["a", "a"]))


def test_other_lists_are_of_one_owner(both: Both) -> None:
    apply(both, f"{WIDGET}/a", widget(steps=[1, 2]))
    apply(both, f"{WIDGET}/a", widget(steps=[1]), "you")
    apply(both, f"{WIDGET}/a", widget(steps=[1], labels={"a": "b"}), "you", force="true")


def test_defaults_belong_to_nobody(both: Both) -> None:
    apply(both, f"{WIDGET}/a", widget(size="large"))
    apply(both, f"{WIDGET}/a", widget(replicas=1), "you")
    apply(both, f"{WIDGET}/a", widget(replicas=2), "they")
    apply(both, f"{WIDGET}/a", widget(), "you")


def test_null_and_unknown_fields_of_a_custom_resource(both: Both) -> None:
    apply(both, f"{WIDGET}/a", widget(secret=None, size=None, sise="x"))
    apply(both, f"{WIDGET}/b", {**widget("b"), "spec": {"sise": "x"}}, fieldValidation="Strict")
    apply(both, f"{WIDGET}/a", widget(replicas="three"))


def test_containers_are_told_apart_by_name(both: Both) -> None:
    drop = ("status", "metadata")
    both.patch(
        f"{DEPLOYMENTS}/a", APPLY, workload("a", container("a"), container("b")),
        fieldManager="me", drop=drop, dryRun="All",
    )  # fmt: skip
    made = {**workload("a", container("a"), container("b"))}
    made["spec"]["paused"] = True
    both.patch(f"{DEPLOYMENTS}/a", APPLY, made, fieldManager="me", drop=drop)
    sidecar = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [{"name": "b", "image": "x"}]}}},
    }  # fmt: skip
    both.patch(f"{DEPLOYMENTS}/a", APPLY, sidecar, fieldManager="you")
    both.patch(
        f"{DEPLOYMENTS}/a",
        APPLY,
        sidecar,
        fieldManager="you",
        force="true",
        dryRun="All",
        drop=drop,
    )


def test_ports_of_a_service(both: Both) -> None:
    apply(both, "services/a", service(ports=[{"port": 80, "name": "a"}]))
    apply(both, "services/a", service(ports=[{"port": 81, "name": "b"}]), "you")
    apply(both, "services/a", service(ports=[{"port": 80, "name": "a", "targetPort": 8}]))


def test_a_job_template_cannot_be_applied_anew(both: Both) -> None:
    drop = ("metadata", "status")
    both.patch("batch/v1/jobs/a", APPLY, job(), fieldManager="me", drop=drop)
    changed = job(parallelism=2)
    changed["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    both.patch("batch/v1/jobs/a", APPLY, changed, fieldManager="me", drop=drop)


def test_an_update_may_take_managed_fields_away(both: Both) -> None:
    apply(both, "configmaps/a", config_map())
    both.patch("configmaps/a", MERGE, {"metadata": {"managedFields": [{}]}}, fieldManager="you")
    apply(both, "configmaps/a", config_map(data={"x": "2"}))


def test_status_is_applied_on_its_own(both: Both) -> None:
    apply(both, f"{WIDGET}/a", widget(status={"phase": "Lost"}))
    apply(both, f"{WIDGET}/a/status", widget(status={"phase": "Done"}, size="large"), "status")
    apply(both, f"{WIDGET}/a/status", widget(status={"phase": "New"}), "other")
    apply(both, f"{WIDGET}/none/status", widget("none", status={"phase": "New"}), "other")
