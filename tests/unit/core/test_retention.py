"""Which versions may go, and which never."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_world import deployment
from serving_world import version as made
from world import NOW

from pawl.core.conditions import timestamp
from pawl.core.recall import short, version_file
from pawl.core.retention import Known, Policy, Series, referenced, retirable

DAY = 86_400.0
POLICY = Policy(versions=2, min_age=30 * DAY)
RECIPE = "sha256:" + "e" * 64


def digest(number: int) -> str:
    return "sha256:" + f"{number:02x}" * 32


def version(number: int, *, days: float = 100, stage: str = "Archived", **changes: Any) -> Any:
    lineage = {"trainingJob": {"name": "j", "uid": "u", "run": number}, "recipeDigest": RECIPE}
    artifact = {"uri": f"s3://m/{number}", "digest": digest(number)}
    item = made(number, lineage=lineage, artifact=artifact)
    item["status"]["verifiedDigest"] = digest(number)
    item["metadata"] |= {
        "uid": f"uid-{number}",
        "labels": {"app.kubernetes.io/managed-by": "pawl"},
        "creationTimestamp": timestamp(NOW - timedelta(days=days)),
        **changes,
    }
    item["status"]["stage"] = stage
    return item


def serving(stable: int, **status: Any) -> Any:
    item = deployment()
    item["status"] = {"stable": served(stable), **status}
    return item


def served(number: int) -> dict[str, Any]:
    return {
        "name": f"churn-v{number}",
        "version": number,
        "uri": f"s3://m/{number}",
        "digest": digest(number),
    }


def series(*versions: Any, deployments: tuple[Any, ...] | None = None, **more: Any) -> Series:
    return Series(
        "ml", "churn", versions, (serving(9),) if deployments is None else deployments, **more
    )


def gone(found: Series, policy: Policy = POLICY) -> list[str]:
    return [known.name for known in retirable(found, policy, NOW.timestamp())]


NINE = tuple(version(number) for number in range(1, 10))


def test_the_newest_are_kept():
    assert gone(series(*NINE)) == [f"churn-v{n}" for n in range(1, 8)]
    assert gone(series(*NINE), replace(POLICY, versions=9)) == []


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"candidate": served(3)}, id="candidate"),
        pytest.param({"rollout": {"candidate": "churn-v3", "digest": "x"}}, id="on trial"),
        pytest.param({"rolledBack": [{"version": "churn-v3"}]}, id="rolled back"),
        pytest.param({"history": [{"version": "churn-v3"}]}, id="served lately"),
    ],
)
def test_what_a_deployment_names_is_kept(status: dict[str, Any]):
    assert "churn-v3" not in gone(series(*NINE, deployments=(serving(9, **status),)))


def test_what_is_served_or_pinned_or_the_champion_is_kept():
    pinned = deployment(version="churn-v2")
    pinned["status"] = {"stable": served(3)}
    found = gone(series(*NINE, deployments=(serving(5), pinned)))
    assert found == ["churn-v1", "churn-v4", "churn-v6", "churn-v7"]


def test_the_champion_of_a_model_without_a_deployment_is_kept():
    unapproved = [version(n) for n in (8, 9)]
    for item in unapproved:
        item["spec"]["approval"] = "Required"
    assert "churn-v7" not in gone(series(*NINE[:7], *unapproved, deployments=()))


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(version(1, days=29), id="young"),
        pytest.param(version(1, annotations={"pawl.dev/keep": "audited"}), id="annotated"),
        pytest.param(version(1, labels={}), id="written by somebody"),
    ],
)
def test_what_is_young_or_wanted_or_not_ours_is_kept(kept: Any):
    assert "churn-v1" not in gone(series(kept, *NINE[1:]))


def test_rejected_versions_do_not_push_good_ones_out():
    versions = [*NINE[:5], *(version(n, stage="Rejected") for n in (6, 7, 8)), NINE[8]]
    assert gone(series(*versions)) == [f"churn-v{n}" for n in range(1, 5)]


@pytest.mark.parametrize(
    ("jobs", "deployments"),
    [
        pytest.param(({"status": {"phase": "Running"}},), None, id="a run is under way"),
        pytest.param(({},), None, id="a run is about to start"),
        pytest.param((), (deployment(),), id="a Deployment has forgotten what it serves"),
    ],
)
def test_nothing_is_retired_while_it_is_not_known_what_is_needed(jobs: Any, deployments: Any):
    assert gone(series(*NINE, jobs=jobs, deployments=deployments)) == []


def recorded(*numbers: int, recipe: str = RECIPE) -> frozenset[str]:
    return frozenset(version_file(f"churn-v{n}", digest(n), recipe) for n in numbers)


def test_what_is_only_recorded_is_retired_too_but_not_in_a_cluster_that_forgot():
    lost = recorded(1, 2, 9)
    assert gone(series(*NINE[2:], recorded=lost))[:2] == ["churn-v1", "churn-v2"]
    assert gone(series(recorded=lost, deployments=())) == []
    imported = recorded(1, recipe="")
    assert "churn-v1" not in gone(series(*NINE[2:], recorded=imported))


@given(
    st.lists(st.integers(1, 30), unique=True, max_size=20),
    st.sets(st.integers(1, 30), max_size=5),
    st.integers(1, 30),
    st.integers(1, 10),
)
def test_never_one_that_is_needed(numbers: list[int], young: set[int], stable: int, keep: int):
    versions = [version(n, days=1 if n in young else 100) for n in numbers]
    found = gone(series(*versions, deployments=(serving(stable),)), replace(POLICY, versions=keep))
    left = set(numbers) - {int(name.removeprefix("churn-v")) for name in found}
    newest = set(sorted(numbers)[-keep:])
    assert (newest | young | {stable}) & set(numbers) <= left
    assert sorted(found, key=lambda n: int(n.removeprefix("churn-v"))) == found


def test_a_digest_is_needed_by_whoever_names_it():
    needed = referenced(
        recorded(1), (version(2),), (serving(3, rolledBack=[{"digest": "sha256:ff"}]),)
    )
    assert needed == {short(digest(n)) for n in (1, 2, 3)} | {"ff"}


def test_a_version_is_known_by_its_file():
    assert Known("churn-v12", "x").number == 12
