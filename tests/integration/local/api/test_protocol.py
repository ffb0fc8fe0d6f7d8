"""The HTTP API as informers and careful clients use it: watches, revisions, pieces, limits."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

MERGE = {"Content-Type": "application/merge-patch+json"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


class Client:
    """Requests below one namespace."""

    def __init__(self, http: httpx.AsyncClient, namespace: str) -> None:
        self.http = http
        self.root = f"/api/v1/namespaces/{namespace}"

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        url = path if path.startswith("/") else f"{self.root}/{path}"
        content = body if isinstance(body, str | None) else json.dumps(body)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        answer = await self.http.request(
            method, url, content=content, headers=sent | (headers or {})
        )
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.status_code, answer.json() if is_json else answer.text

    async def create(self, name: str, **data: str) -> Any:
        body = {"metadata": {"name": name}, "data": data}
        code, made = await self.call("POST", "configmaps", body)
        assert code == 201, made
        return made

    async def events(self, path: str, count: int, **query: str) -> list[tuple[str, dict[str, Any]]]:
        """The first events of a watch."""
        found = []
        async with asyncio.timeout(20), aclosing(self.watch(path, **query)) as stream:
            async for event in stream:
                found.append((event["type"], event["object"]))
                if len(found) == count:
                    return found
        raise AssertionError(f"the watch ended after {found}")

    async def watch(
        self, path: str, headers: dict[str, str] | None = None, **query: str
    ) -> AsyncGenerator[dict[str, Any], None]:
        url, params = f"{self.root}/{path}", {"watch": "true", **query}
        async with self.http.stream("GET", url, params=params, headers=headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                yield json.loads(line)


@pytest.fixture
async def client(api, namespace) -> AsyncIterator[Client]:
    context = ssl.create_default_context(cadata=api.server.ca.decode())
    headers = {"Authorization": "Bearer a-token-for-tests"}
    async with httpx.AsyncClient(
        base_url=api.server.url, verify=context, headers=headers, timeout=30
    ) as http:
        yield Client(http, namespace)


async def test_a_watch_starts_after_the_revision_it_names(client):
    made = await client.create("a")
    await client.create("b")
    await client.call("PATCH", "configmaps/a", {"data": {"k": "v"}}, headers=MERGE)
    await client.call("DELETE", "configmaps/b")
    since = made["metadata"]["resourceVersion"]
    events = await client.events("configmaps", 3, resourceVersion=since)
    assert [(kind, obj["metadata"]["name"]) for kind, obj in events] == [
        ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"),
    ]  # fmt: skip
    revisions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
    assert revisions == sorted(revisions)
    assert revisions[0] > int(since)


async def test_a_watch_without_revision_begins_with_what_exists(client):
    await client.create("a")
    events = await client.events("configmaps", 1)
    assert [(kind, obj["metadata"]["name"]) for kind, obj in events] == [("ADDED", "a")]


async def test_an_object_that_stops_matching_is_deleted_for_the_watcher(client):
    await client.create("a")
    label = {"metadata": {"labels": {"app": "x"}}}
    code, labelled = await client.call("PATCH", "configmaps/a", label, headers=MERGE)
    assert code == 200
    await client.call("PATCH", "configmaps/a", {"metadata": {"labels": None}}, headers=MERGE)
    before = str(int(labelled["metadata"]["resourceVersion"]) - 1)
    events = await client.events("configmaps", 2, labelSelector="app=x", resourceVersion=before)
    assert [kind for kind, _ in events] == ["ADDED", "DELETED"]
    assert events[1][1]["metadata"]["labels"] == {"app": "x"}


async def test_bookmarks_carry_a_revision_to_go_on_from(client):
    await client.create("a")
    events = await client.events("configmaps", 2, allowWatchBookmarks="true")
    kind, obj = events[1]
    assert kind == "BOOKMARK"
    assert obj["kind"] == "ConfigMap"
    made = await client.create("b")
    since = obj["metadata"]["resourceVersion"]
    events = await client.events("configmaps", 1, resourceVersion=since)
    assert events[0][1]["metadata"]["uid"] == made["metadata"]["uid"]


async def test_initial_events_end_with_a_marked_bookmark(client):
    await client.create("a")
    events = await client.events(
        "configmaps", 2, sendInitialEvents="true", allowWatchBookmarks="true",
        resourceVersionMatch="NotOlderThan",
    )  # fmt: skip
    assert [kind for kind, _ in events] == ["ADDED", "BOOKMARK"]
    assert events[1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_ends_when_its_time_is_up(client):
    assert [event async for event in client.watch("configmaps", timeoutSeconds="1")] == []


async def test_a_forgotten_revision_is_gone(api, client):
    made = await client.create("a")
    await client.create("b")
    table = api.registry.store.table("configmaps")
    api.run(lambda: table.compact(0))
    since = made["metadata"]["resourceVersion"]
    events = await client.events("configmaps", 1, resourceVersion=since)
    assert events[0][0] == "ERROR"
    assert (events[0][1]["code"], events[0][1]["reason"]) == (410, "Expired")
    code, status = await client.call(
        "GET", f"configmaps?resourceVersion={since}&resourceVersionMatch=Exact"
    )
    assert (code, status["reason"]) == (410, "Expired")


async def test_all_pieces_of_a_list_show_one_moment(client):
    for name in "abcd":
        await client.create(name)
    code, first = await client.call("GET", "configmaps?limit=2")
    assert code == 200
    assert first["metadata"]["remainingItemCount"] == 2
    await client.call("DELETE", "configmaps/c")
    await client.create("e")
    token = first["metadata"]["continue"]
    _, second = await client.call("GET", f"configmaps?limit=2&continue={token}")
    names = [item["metadata"]["name"] for item in first["items"] + second["items"]]
    assert names == ["a", "b", "c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_piece_whose_moment_is_forgotten_can_be_continued_inconsistently(api, client):
    for name in "abc":
        await client.create(name)
    _, first = await client.call("GET", "configmaps?limit=1")
    await client.call("DELETE", "configmaps/b")
    api.run(lambda: api.registry.store.table("configmaps").compact(0))
    token = first["metadata"]["continue"]
    code, status = await client.call("GET", f"configmaps?continue={token}")
    assert (code, status["reason"]) == (410, "Expired")
    token = status["metadata"]["continue"]
    code, rest = await client.call("GET", f"configmaps?continue={token}")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]


async def test_lists_of_built_in_kinds_name_the_kind_once(client):
    await client.create("a")
    _, listed = await client.call("GET", "configmaps")
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert "kind" not in listed["items"][0]


async def test_a_table_watch_sends_its_columns_once(client):
    await client.create("a")
    await client.create("b")
    tables = []
    async with aclosing(client.watch("configmaps", headers=TABLE)) as stream:
        async for event in stream:
            tables.append(event["object"])
            if len(tables) == 2:
                break
    assert [column["name"] for column in tables[0]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert tables[1]["columnDefinitions"] is None
    assert tables[1]["rows"][0]["cells"][0] == "b"


async def test_status_is_changed_only_through_its_subresource(client):
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await client.call("POST", "pods", {**pod, "status": {"phase": "Running"}})
    body = {"status": {"phase": "Failed"}}
    _, main = await client.call("PATCH", "pods/p", body, headers=MERGE)
    assert main["status"]["phase"] == "Pending"
    body = {"status": {"phase": "Running"}, "spec": {"nodeName": "other"}}
    _, changed = await client.call("PATCH", "pods/p/status", body, headers=MERGE)
    assert changed["status"]["phase"] == "Running"
    assert "nodeName" not in changed["spec"]
    assert changed["metadata"]["generation"] == 1


async def test_an_update_that_changes_nothing_keeps_the_revision(client):
    made = await client.create("a", k="v")
    _, same = await client.call("PATCH", "configmaps/a", {"data": {"k": "v"}}, headers=MERGE)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_preconditions_of_a_deletion(client):
    await client.create("a")
    body = {"preconditions": {"uid": "somebody-else"}}
    code, status = await client.call("DELETE", "configmaps/a", body)
    assert (code, status["reason"]) == (409, "Conflict")
    assert (await client.call("GET", "configmaps/a"))[0] == 200


async def test_delete_collection_by_selector(client):
    for name in "abc":
        await client.create(name)
    body = {"metadata": {"labels": {"doomed": "yes"}}}
    for name in "ab":
        await client.call("PATCH", f"configmaps/{name}", body, headers=MERGE)
    code, gone = await client.call("DELETE", "configmaps?labelSelector=doomed")
    assert code == 200
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "b"]
    _, left = await client.call("GET", "configmaps")
    assert [item["metadata"]["name"] for item in left["items"]] == ["c"]


async def test_binding_assigns_a_node_once(client):
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await client.call("POST", "pods", pod)
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    code, _ = await client.call("POST", "pods/p/binding", binding)
    assert code == 201
    _, bound = await client.call("GET", "pods/p")
    assert bound["spec"]["nodeName"] == "n"
    assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
    code, status = await client.call("POST", "pods/p/binding", binding)
    assert code == 409
    assert 'pod p is already assigned to node "n"' in status["message"]


async def test_eviction_deletes(client):
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await client.call("POST", "pods", pod)
    code, _ = await client.call("POST", "pods/p/eviction", {"metadata": {"name": "p"}})
    assert code == 201
    assert (await client.call("GET", "pods/p"))[0] == 404


async def test_an_evicted_pod_says_so_until_it_is_gone(client):
    pod = {
        "metadata": {"name": "p", "finalizers": ["example.com/kept"]},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    await client.call("POST", "pods", pod)
    try_out = {"metadata": {"name": "p"}, "deleteOptions": {"dryRun": ["All"]}}
    await client.call("POST", "pods/p/eviction", try_out)
    assert "DisruptionTarget" not in str((await client.call("GET", "pods/p"))[1]["status"])
    await client.call("POST", "pods/p/eviction", {"metadata": {"name": "p"}})
    _, evicted = await client.call("GET", "pods/p")
    assert "deletionTimestamp" in evicted["metadata"]
    (target,) = [c for c in evicted["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert (target["status"], target["reason"]) == ("True", "EvictionByEvictionAPI")


async def test_events_have_two_views_of_one_store(api, client, namespace):
    made = await client.create("a")
    api.run(
        lambda: api.registry.event(
            made | {"kind": "ConfigMap", "apiVersion": "v1"},
            type="Normal", reason="Seen", message="it is there", component="tester",
        )
    )  # fmt: skip
    _, old = await client.call("GET", "events")
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    _, new = await client.call("GET", path)
    assert old["items"][0]["message"] == new["items"][0]["note"] == "it is there"
    assert old["items"][0]["metadata"] == new["items"][0]["metadata"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        pytest.param("GET", "configmaps", {"Authorization": "Bearer wrong"}, 401, id="token"),
        pytest.param("GET", "/api/v1/nothings", {}, 404, id="resource"),
        pytest.param("PUT", "configmaps", {}, 405, id="method"),
        pytest.param("GET", "configmaps", {"Accept": "text/html"}, 406, id="accept"),
        pytest.param("GET", "configmaps?resourceVersion=x", {}, 400, id="revision"),
        pytest.param("GET", "configmaps?labelSelector=a%20b", {}, 400, id="selector"),
        pytest.param("GET", "configmaps?continue=x", {}, 400, id="continue"),
    ],
)
async def test_refusals_are_statuses(client, method, path, headers, code):
    answered, status = await client.call(method, path, headers=headers)
    assert answered == code
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", code)


async def test_a_body_beyond_the_limit_is_refused(client):
    big = {"metadata": {"name": "a"}, "data": {"k": "x" * (3 * 1024 * 1024)}}
    code, status = await client.call("POST", "configmaps", big)
    assert (code, status["reason"]) == (413, "RequestEntityTooLarge")


async def test_an_unknown_body_format_is_refused(client):
    code, status = await client.call("POST", "configmaps", "x", {"Content-Type": "text/plain"})
    assert (code, status["reason"]) == (415, "UnsupportedMediaType")


async def test_yaml_is_read_and_written(client):
    headers = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n"
    code, text = await client.call("POST", "configmaps", body, headers)
    assert code == 201
    assert "kind: ConfigMap\n" in text


async def test_openapi_describes_the_custom_resources(client):
    index = (await client.http.get("/openapi/v3")).json()
    url = index["paths"]["apis/pawl.dev/v1alpha1"]["serverRelativeURL"]
    document = (await client.http.get(url)).json()
    kinds = {
        gvk["kind"]
        for schema in document["components"]["schemas"].values()
        for gvk in schema.get("x-kubernetes-group-version-kind", ())
    }
    assert {"TrainingJob", "ModelVersion", "Deployment"} <= kinds
