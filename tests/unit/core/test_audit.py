"""Who asked for what: by whom, when, why, told once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from serving_world import Serving, deployment, serving, version
from world import NOW

from pawl.core import audit, commands

EARLY, LATE = "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"


def entry(manager: str, at: str, *annotations: str, spec: tuple[str, ...] = ()) -> dict[str, Any]:
    owned = {f"f:{name}": {} for name in annotations}
    fields = {"f:metadata": {"f:annotations": owned}, "f:spec": {name: {} for name in spec}}
    return {"manager": manager, "time": at, "fieldsV1": fields}


def told(annotations: dict[str, str], *fields: dict[str, Any], trusted: bool = False) -> Any:
    item = deployment()
    item["metadata"] |= {"annotations": annotations, "managedFields": list(fields)}
    return audit.asked(item, trusted=trusted, now=NOW)


def test_the_last_writer_of_a_command_is_its_actor():
    asked = {commands.ABORT: "churn-v8", commands.PAUSE: "churn-v8"}
    (abort, pause) = told(
        asked,
        entry("pawl-cli", EARLY, commands.ABORT),
        entry("argocd", LATE, commands.ABORT),
        entry("kubectl-annotate", LATE, commands.PAUSE),
    )
    assert (abort.command, abort.value, abort.by, abort.at) == ("abort", "churn-v8", "argocd", LATE)
    assert (pause.command, pause.by) == ("pause", "kubectl-annotate")


def test_without_managed_fields_nobody_is_named():
    (abort,) = told({commands.ABORT: "churn-v8"})
    assert (abort.by, abort.at) == ("unknown", "2026-11-21T12:00:00Z")


@pytest.mark.parametrize(
    ("reason", "understood"),
    [
        pytest.param("abort churn-v8: it is slow", "it is slow", id="of this command"),
        pytest.param("abort churn-v7: it is slow", None, id="of another rollout"),
        pytest.param("promote churn-v8: it is good", None, id="of another command"),
        pytest.param(
            "abort churn-v8: see https://a:secret@b/c", "see https://***@b/c", id="a secret"
        ),
    ],
)
def test_a_reason_is_for_the_command_that_it_names(reason: str, understood: str | None):
    (abort,) = told({commands.ABORT: "churn-v8", audit.REASON: reason})
    assert abort.reason == understood


@pytest.mark.parametrize(
    ("trusted", "owner", "user"),
    [
        pytest.param(True, "pawl-cli", "alice", id="an admission policy vouches for it"),
        pytest.param(False, "pawl-cli", None, id="nobody vouches for it"),
        pytest.param(True, "somebody-else", None, id="somebody else wrote it"),
    ],
)
def test_a_user_counts_only_where_it_is_vouched_for(trusted: bool, owner: str, user: str | None):
    (abort,) = told(
        {commands.ABORT: "churn-v8", audit.REQUESTED_BY: "alice"},
        entry("pawl-cli", EARLY, commands.ABORT),
        entry(owner, LATE, audit.REQUESTED_BY)
        if owner != "pawl-cli"
        else entry("pawl-cli", LATE, commands.ABORT, audit.REQUESTED_BY),
        trusted=trusted,
    )
    assert abort.user == user


@pytest.mark.parametrize(
    ("trusted", "user"),
    [
        pytest.param(True, "ada", id="an admission policy vouches for it"),
        pytest.param(False, None, id="nobody vouches for it"),
    ],
)
def test_the_stamp_of_a_command_names_its_user(trusted: bool, user: str | None):
    """It has no owner; and somebody else may have named himself for another command since."""
    (promote, abort) = told(
        {
            commands.PROMOTE: "churn-v8",
            commands.ABORT: "churn-v9",
            audit.REQUESTED_BY: "bob",
            "requested-by.pawl.dev/promote": "ada",
        },
        entry("kubectl-annotate", LATE, commands.PROMOTE, commands.ABORT, audit.REQUESTED_BY),
        trusted=trusted,
    )
    assert (promote.user, abort.user) == (user, "bob" if trusted else None)


@pytest.mark.parametrize("decision", ["approval", "import"])
def test_the_stamp_of_a_decision_names_its_user(decision: str):
    item = {
        "metadata": {"name": "m-v1", "annotations": {f"requested-by.pawl.dev/{decision}": "ada"}},
        "spec": {"approval": "Approved"},
    }
    made = audit.decided if decision == "approval" else audit.imported
    request = made(item, trusted=True, now=NOW)
    assert request is not None
    assert request.user == "ada"
    other = made({**item, "spec": {"approval": "Approved"}}, trusted=False, now=NOW)
    assert other is not None
    assert other.user is None


def asking(world: Serving, by: str, at: str, **annotations: str) -> None:
    item = world.objects[("Deployment", "churn")]
    given = {f"pawl.dev/{name}": value for name, value in annotations.items()}
    item["metadata"] |= {"annotations": given, "managedFields": [entry(by, at, *given)]}


def lines(world: Serving) -> list[tuple[str, str]]:
    return [(c["command"], c["version"]) for c in world.decisions.values() if "command" in c]


def test_a_command_is_recorded_and_told_once_whatever_else_its_writer_writes():
    world = serving(version(1))
    asking(world, "kubectl", EARLY, promote="churn-v8")
    for _ in range(3):
        status = world.reconcile()
    asking(world, "kubectl", LATE, promote="churn-v8", abort="churn-v9")
    status = world.reconcile()
    assert [(r["command"], r["at"]) for r in status["requests"]] == [
        ("promote", EARLY),
        ("abort", LATE),
    ]
    assert lines(world) == [("promote", "churn-v8"), ("abort", "churn-v9")]
    assert [e.message for e in world.events if e.reason == "Requested"] == [
        "promote churn-v8 by kubectl",
        "abort churn-v9 by kubectl",
    ]


def test_cleared_managed_fields_make_no_other_request():
    world = serving(version(1))
    asking(world, "kubectl", EARLY, promote="churn-v8")
    world.reconcile()
    world.objects[("Deployment", "churn")]["metadata"]["managedFields"] = []
    status = world.reconcile()
    assert [(r["by"], r["at"]) for r in status["requests"]] == [("kubectl", EARLY)]
    assert lines(world) == [("promote", "churn-v8")]


def test_a_pause_that_is_given_again_is_recorded_again():
    world = serving(version(1))
    for at in (EARLY, LATE):
        asking(world, "kubectl", at, pause="churn-v8")
        world.reconcile()
        world.clock += timedelta(minutes=1)
        asking(world, "kubectl", at)
        world.reconcile()
    assert lines(world) == [("pause", "churn-v8")] * 2


def test_what_is_asked_for_does_not_wait_for_the_record():
    world = serving(version(1))
    asking(world, "kubectl", EARLY, promote="churn-v8")
    world.objects[("Deployment", "churn")]["spec"]["replicas"] = 5
    observed = world.observe()
    from pawl.core.deployment import plan_deployment
    from pawl.core.plan import Apply, RecordDecision

    plan = plan_deployment(observed, _installation(), world.clock)
    kinds = [type(action) for action in plan.actions]
    assert kinds.index(RecordDecision) > max(i for i, k in enumerate(kinds) if k is Apply)


def _installation() -> Any:
    from world import INSTALLATION

    return INSTALLATION
