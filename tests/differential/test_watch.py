"""Watches: what is told, from where on, and bookmarks."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from both import MERGE, Both
from objects import LEASES, WIDGET, lease, widget


def named(name: str, kind: str = "") -> Any:
    """Whether an event is about an object."""
    return lambda event: (
        event["object"].get("metadata", {}).get("name") == name
        and (not kind or event["type"] == kind)
    )


def changes(both: Both, path: str = LEASES, make: Any = lease) -> Any:
    """Creates, changes and deletes; the resourceVersion before. `z` comes last."""
    since = both.get(path, drop=("metadata",))["metadata"]["resourceVersion"]
    both.post(path, make("a"))
    both.post(path, make("b"))
    both.patch(f"{path}/a", MERGE, {"metadata": {"labels": {"l": "1"}}})
    both.patch(f"{path}/a", MERGE, {"metadata": {"labels": {"l": None}}})
    both.delete(f"{path}/b")
    both.post(path, make("z"))
    return since


@pytest.mark.parametrize(
    ("path", "make"),
    [
        pytest.param(LEASES, lease, id="builtin"),
        pytest.param(WIDGET, widget, id="custom"),
    ],
)
def test_from_a_version_on(both: Both, path: str, make: Any) -> None:
    since = changes(both, path, make)
    both.watch(path, named("z"), resourceVersion=since)


def test_a_selector_makes_changes_come_and_go(both: Both) -> None:
    since = changes(both)
    both.watch(LEASES, named("a", "DELETED"), resourceVersion=since, labelSelector="l=1")
    both.watch(LEASES, named("z"), resourceVersion=since, fieldSelector="metadata.name!=a")


@pytest.mark.parametrize("version", ["", "0"])
def test_without_a_version_what_is_there_comes_first(both: Both, version: str) -> None:
    for name in ("a", "b", "z"):
        both.post(WIDGET, widget(name))
    both.eventually(f"{WIDGET}/z", 200)
    told = count(1)  # three by each cluster, in the order of its cache
    both.watch(WIDGET, lambda _: next(told) % 3 == 0, resourceVersion=version, ordered=False)


def test_an_initial_list_ends_with_its_bookmark(both: Both) -> None:
    both.post(LEASES, lease("a", labels={"mine": "1"}))
    query = {
        "labelSelector": "mine", "sendInitialEvents": "true", "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }  # fmt: skip
    path, brief = both.path(LEASES), {**query, "timeoutSeconds": 1}
    (first, *_) = both.clusters[1].events(path, brief, lambda _: True)
    if first["type"] == "ERROR":  # it asks etcd for progress, and an old one does not tell
        pytest.skip(first["object"]["message"])
    events = both.watch(LEASES, lambda event: event["type"] == "BOOKMARK", **query)
    for seen in events.values:
        assert [event["type"] for event in seen] == ["ADDED", "BOOKMARK"]
        assert seen[-1]["object"]["kind"] == "Lease"
        annotations = seen[-1]["object"]["metadata"]["annotations"]
        assert annotations == {"k8s.io/initial-events-end": "true"}


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"resourceVersion": "x"}, id="bad-version"),
        pytest.param({"labelSelector": "a in"}, id="bad-selector"),
        pytest.param({"fieldSelector": "data.x=1"}, id="bad-field"),
        pytest.param({"sendInitialEvents": "true"}, id="initial-events-without-match"),
        pytest.param(
            {"sendInitialEvents": "true", "resourceVersionMatch": "Exact"},
            id="initial-events-exact",
        ),
        pytest.param({"resourceVersionMatch": "NotOlderThan"}, id="match-without-initial-events"),
    ],
)
def test_wrong_options(both: Both, query: dict[str, str]) -> None:
    both.watch(LEASES, lambda _: False, timeoutSeconds=1, **query)


def test_it_ends_after_its_timeout(both: Both) -> None:
    since = both.get(LEASES, drop=("metadata",))["metadata"]["resourceVersion"]
    both.watch(LEASES, lambda _: False, resourceVersion=since, timeoutSeconds=1)


def test_one_object(both: Both) -> None:
    since = changes(both)
    both.watch(f"{LEASES}/b", named("b", "DELETED"), resourceVersion=since)


def test_deletion_with_a_finalizer_is_told_twice(both: Both) -> None:
    since = both.get(LEASES, drop=("metadata",))["metadata"]["resourceVersion"]
    both.post(LEASES, lease(finalizers=["example.com/a"]))
    both.delete(f"{LEASES}/a")
    both.patch(f"{LEASES}/a", MERGE, {"metadata": {"finalizers": None}})
    both.watch(LEASES, named("a", "DELETED"), resourceVersion=since)


def test_a_namespace_of_the_test_only(both: Both) -> None:
    since = changes(both)
    both.watch(
        "/apis/coordination.k8s.io/v1/leases", named("z"), resourceVersion=since,
        fieldSelector=f"metadata.namespace={both.namespace}",
    )  # fmt: skip
