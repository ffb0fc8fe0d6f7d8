"""Who goes when its owners go."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.controllers.changes import Delete, Patch
from pawl.local.controllers.garbage import Observed, Standing, plan_item, plan_owner
from pawl.local.controllers.objects import Obj

ORPHANING = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["orphan", "mine"]}
FOREGROUND = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}


def thing(uid: str = "thing", owners: tuple[str, ...] = (), **meta: Any) -> Obj:
    refs = [{"uid": owner, "name": owner, "blockOwnerDeletion": True} for owner in owners]
    return {"metadata": {"name": uid, "uid": uid, "ownerReferences": refs, **meta}}


def item(*standings: Standing, dependents: tuple[Obj, ...] = (), **meta: Any) -> Observed:
    owners = tuple(f"owner-{n}" for n in range(len(standings)))
    obj = thing(owners=owners, **meta)
    return Observed("pods", obj, standings, tuple(("pods", d) for d in dependents))


def test_an_object_whose_owners_are_all_gone_is_deleted_in_the_background() -> None:
    (change,) = plan_item(item("gone", "gone"))
    assert isinstance(change, Delete)
    assert change.propagation == "Background"


def test_a_live_owner_keeps_the_object_and_dead_references_are_dropped() -> None:
    (change,) = plan_item(item("gone", "solid", "waiting"))
    assert isinstance(change, Patch)
    assert [r["uid"] for r in change.body["metadata"]["ownerReferences"]] == ["owner-1"]


def test_an_object_without_owners_is_nobodys_garbage() -> None:
    assert plan_item(item()) == ()


def test_dependants_of_a_foreground_deletion_that_own_things_go_in_the_foreground() -> None:
    (change,) = plan_item(item("waiting", dependents=(thing("leaf", ("thing",)),)))
    assert isinstance(change, Delete)
    assert change.propagation == "Foreground"


def test_a_cycle_of_foreground_deletions_is_unblocked() -> None:
    partner = thing("partner", ("thing",), **FOREGROUND)
    unblock, delete = plan_item(item("waiting", dependents=(partner,)))
    assert isinstance(unblock, Patch)
    (ref,) = unblock.body["metadata"]["ownerReferences"]
    assert ref["blockOwnerDeletion"] is False
    assert isinstance(delete, Delete)


def test_an_orphaning_owner_frees_its_dependants_then_itself() -> None:
    owner = thing("owner", **ORPHANING)
    child = thing("child", ("owner", "other"))
    freed, done = plan_owner(Observed("pods", owner, (), (("pods", child),)))
    assert isinstance(freed, Patch)
    assert [r["uid"] for r in freed.body["metadata"]["ownerReferences"]] == ["other"]
    assert isinstance(done, Patch)
    assert done.body["metadata"]["finalizers"] == ["mine"]


@pytest.mark.parametrize(("blocking", "waits"), [(True, True), (False, False)])
def test_a_foreground_owner_waits_for_blocking_dependants(blocking: bool, waits: bool) -> None:
    owner, child = thing("owner", **FOREGROUND), thing("child", ("owner",))
    child["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = blocking
    changes = plan_owner(Observed("pods", owner, (), (("pods", child),)))
    assert (changes == ()) == waits


@given(st.lists(st.sampled_from(get_args(Standing)), max_size=4), st.booleans())
def test_nothing_with_a_live_or_unknown_owner_is_ever_deleted(
    standings: list[Standing], with_dependents: bool
) -> None:
    dependents = (thing("leaf", ("thing",)),) if with_dependents else ()
    changes = plan_item(item(*standings, dependents=dependents))
    deletes = any(isinstance(change, Delete) for change in changes)
    keeps = not standings or {"solid", "unknown"} & set(standings)
    assert deletes == (not keeps)
