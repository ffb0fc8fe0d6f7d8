"""Answers as kube-apiserver gives them, which tests/differential compares with one."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
HELD = {"name": "x", "finalizers": ["example.com/a"]}


@pytest.fixture
async def http(api: Any) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.create_default_context(cadata=api.server.ca.decode())
    headers = {"Authorization": "Bearer a-token-for-tests"}
    async with httpx.AsyncClient(
        base_url=api.server.url, verify=context, headers=headers, timeout=30, trust_env=False
    ) as client:
        yield client


@pytest.fixture
def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def ask(
    http: httpx.AsyncClient, method: str, path: str, body: Any = None, **headers: str
) -> Any:
    content = body if body is None or isinstance(body, str) else json.dumps(body)
    sent = {"Content-Type": "application/json"} | headers
    answer = await http.request(method, path, content=content, headers=sent)
    is_json = "json" in answer.headers.get("content-type", "")
    return answer.status_code, answer.json() if is_json else answer.text


@pytest.mark.parametrize(
    ("body", "headers", "code", "message"),
    [
        pytest.param(
            {"apiVersion": "v1", "kind": "ConfigMap"},
            APPLY, 400, "was undeterminable", id="no-name",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "uid": "u"}},
            APPLY, 409, "uid mismatch", id="uid-of-nothing",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": 1}},
            APPLY, 500, "(/x; /v1, Kind=ConfigMap): .data.a: expected string", id="wrong-type",
        ),
    ],
)  # fmt: skip
async def test_apply_refuses(
    http: httpx.AsyncClient, maps: str, body: Any, headers: dict[str, str], code: int, message: str
):
    path = f"{maps}/x?fieldManager=me"
    status, answer = await ask(http, "PATCH", path, body, **headers)
    assert status == code
    assert message in answer["message"]


async def test_a_new_object_has_no_revision(http: httpx.AsyncClient, maps: str):
    body = {"metadata": {"name": "x", "resourceVersion": "1"}}
    assert (await ask(http, "POST", maps, body))[0] == 500


async def test_a_revision_is_a_number(http: httpx.AsyncClient, maps: str):
    await ask(http, "POST", maps, {"metadata": {"name": "x"}})
    body = {"metadata": {"name": "x", "resourceVersion": "y"}}
    status, answer = await ask(http, "PUT", f"{maps}/x", body)
    assert (status, answer["message"]) == (500, 'strconv.ParseUint: parsing "y": invalid syntax')


async def test_what_is_deleted_has_the_revision_that_it_had(http: httpx.AsyncClient, maps: str):
    _, made = await ask(http, "POST", maps, {"metadata": HELD})
    _, held = await ask(http, "DELETE", f"{maps}/x")
    taken = {"metadata": {"finalizers": None}}
    _, gone = await ask(http, "PATCH", f"{maps}/x", taken, **MERGE)
    revisions = [one["metadata"]["resourceVersion"] for one in (made, held, gone)]
    assert revisions[0] != revisions[1] == revisions[2]


async def test_a_name_that_is_being_deleted_is_taken(http: httpx.AsyncClient, maps: str):
    await ask(http, "POST", maps, {"metadata": HELD})
    await ask(http, "DELETE", f"{maps}/x")
    _, answer = await ask(http, "POST", maps, {"metadata": {"name": "x"}})
    assert answer["message"] == 'object is being deleted: configmaps "x" already exists'
    await ask(http, "PATCH", f"{maps}/x", {"metadata": {"finalizers": None}}, **MERGE)


async def test_delete_options_have_a_kind(http: httpx.AsyncClient, maps: str):
    await ask(http, "POST", maps, {"metadata": {"name": "x"}})
    status, _ = await ask(http, "DELETE", f"{maps}/x", {"kind": "Other", "apiVersion": "v1"})
    assert status == 400
    assert (await ask(http, "GET", f"{maps}/x"))[0] == 200


async def test_a_strategic_patch_does_not_change_the_kind(http: httpx.AsyncClient, maps: str):
    await ask(http, "POST", maps, {"metadata": {"name": "x"}})
    status, answer = await ask(http, "PATCH", f"{maps}/x", {"kind": "Secret"}, **STRATEGIC)
    assert (status, answer["kind"]) == (200, "ConfigMap")


async def test_a_patch_that_ends_too_early(http: httpx.AsyncClient, maps: str):
    await ask(http, "POST", maps, {"metadata": {"name": "x"}})
    _, answer = await ask(http, "PATCH", f"{maps}/x", "[", **JSON_PATCH)
    assert answer["message"] == "error decoding patch: unexpected end of JSON input"


async def test_a_named_object_is_not_watched(http: httpx.AsyncClient, maps: str):
    assert (await ask(http, "GET", f"{maps}/none?watch=true"))[0] == 404


async def test_lists_have_forms_of_their_own(http: httpx.AsyncClient, maps: str):
    partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert (await ask(http, "GET", maps, Accept=partial))[0] == 406
    table = "application/json;as=Table;g=meta.k8s.io;v=v1"
    assert (await ask(http, "GET", f"{maps}?includeObject=Odd", Accept=table))[0] == 400


async def test_the_budget_of_both(http: httpx.AsyncClient, namespace: str):
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    spec = {"minAvailable": 1, "maxUnavailable": 1}
    status, answer = await ask(http, "POST", path, {"metadata": {"name": "x"}, "spec": spec})
    assert status == 422
    assert "cannot be both set" in answer["message"]


async def test_the_scale_of_nothing_is_left_out(http: httpx.AsyncClient, namespace: str):
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    pod = {"containers": [{"name": "a", "image": "b"}]}
    labels = {"a": "b"}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    await ask(http, "POST", path, {"metadata": {"name": "x"}, "spec": spec})
    _, scale = await ask(http, "GET", f"{path}/x/scale")
    assert scale["spec"] == {}


async def test_a_custom_resource_says_its_kind(http: httpx.AsyncClient, namespace: str):
    path = f"/apis/pawl.dev/v1alpha1/namespaces/{namespace}/trainingjobs"
    status, answer = await ask(http, "POST", path, '{"metadata": {"name": "x"}}')
    assert status == 400
    assert "Object 'Kind' is missing in '{\"metadata\"" in answer["message"]
