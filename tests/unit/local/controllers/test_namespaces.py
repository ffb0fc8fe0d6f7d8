"""How a namespace is furnished and emptied."""

from datetime import UTC, datetime
from typing import Any

from pawl.local.controllers.changes import Create, Delete, Patch
from pawl.local.controllers.namespaces import (
    Observed,
    plan_deletion,
    plan_furniture,
    plan_termination,
)
from pawl.local.controllers.objects import Obj, name

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GONE = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def thing(called: str, **meta: Any) -> Obj:
    return {"metadata": {"name": called, "namespace": "n", "uid": called, **meta}}


def namespace(**meta: Any) -> Obj:
    return {**thing("n", **meta), "spec": {"finalizers": ["kubernetes"]}}


def test_pods_go_before_everything_else() -> None:
    content = {"pods": [thing("p")], "configmaps": [thing("c")]}
    (change,) = plan_deletion(Observed(namespace(**GONE), content)).changes
    assert isinstance(change, Delete)
    assert (change.resource, name(change.obj)) == ("pods", "p")


def test_what_is_being_deleted_is_not_deleted_again() -> None:
    content = {"configmaps": [thing("c", **GONE), thing("d")]}
    (change,) = plan_deletion(Observed(namespace(**GONE), content)).changes
    assert isinstance(change, Delete)
    assert name(change.obj) == "d"


def test_a_namespace_that_lives_is_not_touched() -> None:
    observed = Observed(namespace(), {"pods": [thing("p")]})
    assert plan_deletion(observed).changes == ()
    assert plan_termination(observed, NOW).changes == ()


def test_what_remains_and_why_is_said() -> None:
    held = thing("c", finalizers=["example.com/hold"], **GONE)
    observed = Observed(namespace(**GONE), {"apps/deployments": [held, held]})
    (change,) = plan_termination(observed, NOW).changes
    assert isinstance(change, Patch)
    said = {c["type"]: c for c in change.body["status"]["conditions"]}
    remaining = "Some resources are remaining: deployments.apps has 2 resource instances"
    assert said["NamespaceContentRemaining"]["message"] == remaining
    assert said["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: "
        "example.com/hold in 2 resource instances"
    )
    assert said["NamespaceDeletionContentFailure"]["status"] == "False"


def test_an_empty_namespace_is_finalized() -> None:
    _, finalize = plan_termination(Observed(namespace(**GONE), {}), NOW).changes
    assert isinstance(finalize, Patch)
    assert (finalize.subresource, finalize.body) == ("finalize", {"spec": {"finalizers": None}})


def test_every_namespace_gets_its_account_and_bundle_once() -> None:
    changes = plan_furniture(namespace(), frozenset(), "PEM").changes
    assert [c.resource for c in changes if isinstance(c, Create)] == [
        "serviceaccounts",
        "configmaps",
    ]
    there = frozenset({"serviceaccounts", "configmaps"})
    assert plan_furniture(namespace(), there, "PEM").changes == ()
    assert plan_furniture(namespace(**GONE), frozenset(), "PEM").changes == ()
