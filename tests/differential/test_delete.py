"""Deletion: propagation, finalizers, preconditions, collections."""

from __future__ import annotations

from typing import Any

import pytest
from both import MERGE, Both
from objects import LEASES, WIDGET, config_map, job, lease, pod, widget


def owned(both: Both, **more: Any) -> None:
    """ConfigMap `a` owns `b`."""
    owner = both.post("configmaps", config_map("a"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", **more}
    reference["uid"] = owner["metadata"]["uid"]
    both.post("configmaps", config_map("b", ownerReferences=[reference]))


@pytest.mark.parametrize(
    ("options", "dependent"),
    [
        pytest.param({"propagationPolicy": "Background"}, 404, id="background"),
        pytest.param({"propagationPolicy": "Foreground"}, 404, id="foreground"),
        pytest.param({"propagationPolicy": "Orphan"}, 200, id="orphan"),
        pytest.param({}, 404, id="default"),
    ],
)
def test_propagation(both: Both, options: dict[str, Any], dependent: int) -> None:
    owned(both, blockOwnerDeletion=True)
    both.delete("configmaps/a", **options)
    both.eventually("configmaps/a", 404)
    if dependent == 404:
        both.eventually("configmaps/b", 404)
    else:
        both.get("configmaps/b")


def test_options_in_the_body(both: Both) -> None:
    owned(both)
    both.delete(
        "configmaps/a",
        {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"},
    )
    both.eventually("configmaps/a", 404)
    both.get("configmaps/b")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"propagationPolicy": "Odd"}, id="bad-policy"),
        pytest.param({"orphanDependents": True, "propagationPolicy": "Orphan"}, id="both-forms"),
        pytest.param({"preconditions": {"resourceVersion": "1"}}, id="other-version"),
        pytest.param({"preconditions": {"uid": "x"}}, id="other-uid"),
        pytest.param({"gracePeriodSeconds": -1}, id="negative-grace"),
        pytest.param({"gracePeriodSeconds": "x"}, id="bad-grace"),
        pytest.param({"dryRun": ["Some"]}, id="bad-dry-run"),
        pytest.param({"dryRun": ["All"]}, id="dry-run"),
        pytest.param({"kind": "Other", "apiVersion": "v1"}, id="other-kind"),
        pytest.param("{", id="broken"),
    ],
)
def test_options(both: Both, options: Any) -> None:
    both.post("configmaps", config_map())
    both.delete("configmaps/a", options)
    both.get("configmaps/a")


def test_delete_answers(both: Both) -> None:
    both.delete("configmaps/none")
    both.post("configmaps", config_map())
    both.delete("configmaps/a")
    both.delete("configmaps/a")
    both.post(WIDGET, widget())
    both.delete(f"{WIDGET}/a")
    both.delete(f"{WIDGET}/a")
    made = both.post("configmaps", config_map())
    both.delete("configmaps/a", {"preconditions": {"uid": made["metadata"]["uid"]}})


def test_finalizers_hold_an_object(both: Both) -> None:
    both.post("configmaps", config_map(finalizers=["example.com/a", "example.com/b"]))
    both.delete("configmaps/a")
    both.delete("configmaps/a")
    both.get("configmaps/a")
    both.patch("configmaps/a", MERGE, {"data": {"x": "2"}})
    both.patch("configmaps/a", MERGE, {"metadata": {"finalizers": ["example.com/c"]}})
    both.patch("configmaps/a", MERGE, {"metadata": {"finalizers": ["example.com/b"]}})
    both.post("configmaps", config_map())
    both.patch("configmaps/a", MERGE, {"metadata": {"finalizers": None}})
    both.get("configmaps/a")


def test_finalizers_hold_a_custom_resource(both: Both) -> None:
    both.post(WIDGET, {**widget(), "metadata": {"name": "a", "finalizers": ["example.com/a"]}})
    both.delete(f"{WIDGET}/a", propagationPolicy="Background")
    both.patch(f"{WIDGET}/a", MERGE, {"spec": {"replicas": 4}})
    both.patch(f"{WIDGET}/a", MERGE, {"metadata": {"finalizers": []}})
    both.get(f"{WIDGET}/a")


def test_foreground_waits_for_a_dependent_with_a_finalizer(both: Both) -> None:
    owned(both, blockOwnerDeletion=True)
    both.patch("configmaps/b", MERGE, {"metadata": {"finalizers": ["example.com/a"]}})
    both.delete("configmaps/a", propagationPolicy="Foreground")
    both.get("configmaps/a")
    both.patch("configmaps/b", MERGE, {"metadata": {"finalizers": None}}, drop=("metadata",))
    both.eventually("configmaps/a", 404)
    both.eventually("configmaps/b", 404)


def test_an_owner_that_never_was(both: Both) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "no-such-uid"}
    both.post("configmaps", config_map("b", ownerReferences=[reference]))
    both.eventually("configmaps/b", 404)


def test_a_collection(both: Both) -> None:
    for name in ("a", "b", "c"):
        both.post(LEASES, lease(name, labels={"keep": str(name == "c").lower()}))
    both.delete(LEASES, labelSelector="keep=false", drop=("metadata",))
    both.get(LEASES, labelSelector="keep", drop=("metadata",))
    both.delete(LEASES, labelSelector="keep in", drop=("metadata",))
    both.delete(WIDGET, drop=("metadata",))


def test_a_pod_that_was_never_scheduled_goes_at_once(both: Both) -> None:
    both.post("pods", pod())
    both.delete("pods/a", drop=("status", "metadata"))
    both.get("pods/a")


def test_the_default_for_jobs_is_to_orphan(both: Both) -> None:
    both.post("batch/v1/jobs", job(), drop=("metadata",))
    both.delete("batch/v1/jobs/a", drop=("metadata", "status"))
    both.eventually("batch/v1/jobs/a", 404)
