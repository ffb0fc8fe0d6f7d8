"""What was rolled back is not tried again, however much was rolled back since."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from serving_world import version

from pawl.api.rollout_status import RolledBack
from pawl.core.commands import Commands
from pawl.core.failures import MOST, Failures, remember, withdrawn
from pawl.core.versions import Version, read_versions

NONE = Commands()


def entry(
    number: int, generation: int = 1, attempt: int = 1, approval: str = "Automatic"
) -> RolledBack:
    return RolledBack(
        version=f"churn-v{number}",
        digest="sha256:" + f"{number:064x}",
        attempt=attempt,
        generation=generation,
        approval=approval,
        at="2026-11-21T12:00:00Z",
        message="it failed",
    )


def versions(*numbers: int) -> tuple[Version, ...]:
    items = [version(number) for number in numbers]
    for item in items:
        item["metadata"]["uid"] = item["metadata"]["name"]
    return read_versions(items, "churn")


@given(st.lists(st.sampled_from(["next", "spec", "retry"]), max_size=60))
def test_latest_never_comes_back_to_a_version_by_itself(happens: list[str]):
    failures: Failures = ()
    generation, newest = 1, 2
    tried: set[tuple[int, int]] = set()
    for event in happens:
        newest += event == "next"
        generation += event == "spec"
        last = failures[0] if failures else None
        commands = NONE
        if event == "retry" and last is not None:
            name = last.version if last.attempt == 1 else f"{last.version}#{last.attempt}"
            commands = Commands(retry=name)
        there = versions(*range(2, newest + 1))
        out = withdrawn(failures, there, generation, commands)
        number = max((v.number for v in there if v.name not in out), default=None)
        if number is None:
            continue
        retried = commands is not NONE and last is not None and last.version == f"churn-v{number}"
        assert retried or (generation, number) not in tried
        tried.add((generation, number))
        attempts = [e.attempt for e in failures if e.version == f"churn-v{number}"]
        failures = remember(failures, entry(number, generation, max(attempts, default=0) + 1))
        assert len(failures) <= MOST


def test_an_old_version_is_not_tried_when_its_failure_fell_out_of_the_list():
    failures: Failures = ()
    for number in range(2, 20):
        failures = remember(failures, entry(number))
    assert [e.version for e in failures[:2]] == ["churn-v19", "churn-v18"]
    out = withdrawn(failures, versions(*range(2, 21)), 1, NONE)
    assert set(out) == {f"churn-v{number}" for number in range(2, 20)}
    assert out["churn-v3"] == "older than churn-v10, which was rolled back"
    assert withdrawn(failures, versions(*range(2, 21)), 2, NONE) == {}


def test_an_approval_that_changed_is_another_chance():
    failures = remember((), entry(2, approval="Required"))
    assert withdrawn(failures, versions(2), 1, NONE) == {}


def test_what_fails_again_is_remembered_by_its_last_attempt():
    failures = remember(remember((), entry(2)), entry(2, attempt=2))
    for word, found in (("churn-v2", {"churn-v2": "it failed"}), ("churn-v2#2", {})):
        assert withdrawn(failures, versions(2), 1, Commands(retry=word)) == found
