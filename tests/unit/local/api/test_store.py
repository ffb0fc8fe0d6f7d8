"""The store: revisions, the window of changes, watches, owners."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.api import listing
from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry
from pawl.local.api.store import Key, Store
from pawl.local.api.watch import Watch


def obj(name: str, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **meta}}


def put(store: Store, name: str, **meta: Any) -> int:
    return store.table("t").put(Key("ns", name), obj(name, **meta)).revision


def names(page: listing.Page) -> list[str]:
    return [item.obj["metadata"]["name"] for item in page.items]


def test_one_sequence_of_revisions_for_all_tables():
    store = Store()
    first = store.table("a").put(Key("", "x"), obj("x")).revision
    second = store.table("b").put(Key("", "x"), obj("x")).revision
    assert second == first + 1
    assert store.revision == second


def test_lists_are_sorted_by_namespace_and_name():
    table = Store().table("t")
    for namespace, name in (("b", "1"), ("a", "2"), ("a", "1")):
        table.put(Key(namespace, name), obj(name))
    assert [key for key, _ in table.pairs()] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert [key for key, _ in table.pairs("a")] == [("a", "1"), ("a", "2")]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_every_remembered_revision_can_be_looked_back_to(writes):
    store = Store()
    table = store.table("t")
    history: dict[int, set[str]] = {store.revision: set()}
    for name, keep in writes:
        key = Key("", name)
        if keep:
            table.put(key, obj(name))
        elif table.get(key) is not None:
            table.remove(key, obj(name))
        history[store.revision] = {key.name for key, _ in table.pairs()}
    for revision, expected in history.items():
        assert {key.name for key in table.at(revision)} == expected


def test_changes_are_forgotten_beyond_the_window():
    store = Store(window=2)
    first = put(store, "a")
    for name in "bcd":
        put(store, name)
    with pytest.raises(ApiError) as error:
        store.table("t").at(first)
    assert (error.value.code, error.value.reason) == (410, "Expired")


@given(limit=st.integers(1, 5), count=st.integers(0, 9))
def test_pieces_of_a_list_add_up_to_the_list_of_its_moment(limit, count):
    registry = Registry()
    resource = registry.catalog.named("configmaps")
    table = registry.store.table("configmaps")
    for number in range(count):
        table.put(Key("ns", f"{number}"), obj(f"{number}"))
    found: list[str] = []
    token = ""
    while True:
        page = listing.page(
            registry.store, resource, listing.Wanted("ns", None, limit=limit, token=token)
        )
        found += names(page)
        table.put(Key("ns", f"later-{len(found)}"), obj("later"))
        token = page.meta.get("continue", "")
        if not token:
            break
    assert found == [f"{number}" for number in range(count)]


async def test_a_watch_gets_what_happens_after_it_began():
    store = Store()
    put(store, "a")
    watch = Watch(store.table("t"), "ns", None)
    put(store, "a")
    put(store, "b")
    async with asyncio.timeout(5):
        seen = [(await anext(watch)).type for _ in range(2)]
    assert seen == ["MODIFIED", "ADDED"]
    watch.close()
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_a_watch_of_one_namespace_sees_no_other():
    store = Store()
    watch = Watch(store.table("t"), "other", None)
    put(store, "a")
    assert watch.take() == []
    watch.close()


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        pytest.param(True, True, ["MODIFIED"], id="stays"),
        pytest.param(True, False, ["DELETED"], id="leaves"),
        pytest.param(False, True, ["ADDED"], id="enters"),
        pytest.param(False, False, [], id="never"),
    ],
)
def test_a_filter_turns_changes_into_what_its_reader_sees(before, after, seen):
    store = Store()
    put(store, "a", wanted=before)
    watch = Watch(store.table("t"), "", lambda o: bool(o["metadata"]["wanted"]))
    revision = put(store, "a", wanted=after)
    changes = watch.take()
    assert [change.type for change in changes] == seen
    for change in changes:
        assert change.object["metadata"]["resourceVersion"] == str(revision)
    watch.close()


def test_a_table_knows_its_whole_life_but_not_that_of_one_that_was_dropped():
    store = Store()
    put(store, "a")
    assert [change.key.name for change in store.table("t").since(1)] == ["a"]
    store.drop("t")
    with pytest.raises(ApiError, match="too old resource version"):
        store.table("t").since(1)


async def test_a_dropped_table_ends_its_watches():
    store = Store()
    watch = Watch(store.table("t"), "", None)
    store.drop("t")
    async with asyncio.timeout(5):
        assert [event async for event in watch] == []


def test_owners_are_indexed_over_updates_and_deletion():
    store = Store()
    put(store, "a", ownerReferences=[{"uid": "u"}])
    put(store, "b", ownerReferences=[{"uid": "u"}, {"uid": "v"}])
    assert [item.obj["metadata"]["name"] for _, item in store.owned("u")] == ["a", "b"]
    put(store, "a", ownerReferences=[{"uid": "v"}])
    store.table("t").remove(Key("ns", "b"), obj("b"))
    assert store.owned("u") == []
    assert [item.obj["metadata"]["name"] for _, item in store.owned("v")] == ["a"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30), st.data())
def test_a_list_and_what_happened_since_folded_is_what_is_now(writes, data):
    """What every informer relies on."""
    store = Store()
    table = store.table("t")
    states = [(store.revision, {})]
    for name, keep in writes:
        key = Key("", name)
        if keep:
            table.put(key, obj(name))
        elif table.get(key) is not None:
            table.remove(key, obj(name))
        states.append((store.revision, {key: item.revision for key, item in table.pairs()}))
    revision, folded = data.draw(st.sampled_from(states))
    folded = dict(folded)
    for change in table.since(revision):
        if change.type == "DELETED":
            del folded[change.key]
        else:
            folded[change.key] = change.revision
    assert folded == states[-1][1]
