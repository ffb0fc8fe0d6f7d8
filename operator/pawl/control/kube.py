"""Requests to the Kubernetes API as JSON, over the official asyncio client.

The client gives authentication and connections; objects stay dictionaries, since the planners
think in JSON and every model class would have to be turned back into it.

Whatever goes wrong on the way is a KubeError. What the API server asks to send again later (429 or
503 with Retry-After) is sent again, and so is what it refuses because a token has expired: the
token is read anew before.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import aiohttp
import orjson
from kubernetes.aio import client

from pawl.constants import FIELD_MANAGER
from pawl.control import login
from pawl.control.answers import KubeError, pause_wanted, refusal, told
from pawl.control.kinds import API_GROUPS, EVENTS, PODS, USERS, Resource
from pawl.control.metrics import API_CALLS, API_SECONDS
from pawl.errors import UserError
from pawl.tracing import span

__all__ = ["Kube", "KubeError"]

Object = Mapping[str, Any]
_TIMEOUT = 30.0
#: Of a watch: API servers send a bookmark a minute, so who is silent for longer is not there.
_SILENCE = 90.0
_PAGE = 500
_JSON = "application/json"
#: What is asked -> how.
_VERBS = {
    "get": ("GET", _JSON),
    "list": ("GET", _JSON),
    "watch": ("GET", _JSON),
    "create": ("POST", _JSON),
    "apply": ("PATCH", "application/apply-patch+yaml"),
    "patch": ("PATCH", "application/merge-patch+json"),
    "delete": ("DELETE", _JSON),
}
#: As often is sent what is to be sent again later.
_TRIES = 5


class Kube:
    """One connection to one API server; close it with `close`."""

    def __init__(
        self,
        api: client.ApiClient,
        namespace: str = "default",
        log_in: Callable[[], Awaitable[object]] | None = None,
        may_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        #: Of the kubeconfig's context.
        self.namespace = namespace
        self._log_in = log_in
        self._may_write = may_write

    @classmethod
    async def connect(
        cls, kubeconfig: str | None = None, may_write: Callable[[], None] = lambda: None
    ) -> Kube:
        """By `kubeconfig`, else in a pod by its service account, else by KUBECONFIG. UserError when
        that cannot be read. `may_write` is called before every write and raises if it must not
        be."""
        configuration = client.Configuration()
        namespace = await login.log_in(configuration, kubeconfig)
        configuration.proxy = configuration.proxy or login.proxy(configuration.host)
        configuration.client_session_kwargs = {"trust_env": False}
        again = partial(login.log_in, configuration, kubeconfig)
        return cls(client.ApiClient(configuration), namespace, again, may_write)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def get(
        self, resource: Resource, namespace: str | None, name: str
    ) -> dict[str, Any] | None:
        """The object, or None; also when the cluster does not know the kind."""
        try:
            return await self._call("get", resource, resource.path(namespace, name))
        except KubeError as error:
            if error.code == 404:
                return None
            raise

    async def serves(self, group: str) -> bool:
        """Whether the cluster has an API group, by its discovery."""
        try:
            await self._call("get", API_GROUPS, f"/apis/{group}")
        except KubeError as error:
            if error.code == 404:
                return False
            raise
        return True

    async def list(self, resource: Resource, namespace: str | None) -> tuple[list[Object], str]:
        """All objects by the resource's selector, page by page, and the resourceVersion."""
        items: list[Object] = []
        query = {"limit": str(_PAGE)}
        if resource.selector:
            query["labelSelector"] = resource.selector
        while True:
            page = await self._call("list", resource, resource.path(namespace), query)
            for item in page["items"]:
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            items += page["items"]
            token = page["metadata"].get("continue")
            if not token:
                return items, page["metadata"]["resourceVersion"]
            query["continue"] = token

    async def events(self, namespace: str, uid: str, reason: str) -> Sequence[Object]:
        """Events of an object with that reason, at most a page of them."""
        selector = f"involvedObject.uid={uid},reason={reason}"
        query = {"fieldSelector": selector, "limit": str(_PAGE)}
        page = await self._call("list", EVENTS, EVENTS.path(namespace), query)
        return page["items"]  # type: ignore[no-any-return]

    async def logs(
        self, namespace: str, pod: str, container: str, most_bytes: int, tail: int | None = None
    ) -> str:
        """The beginning of a container's log, or of its last `tail` lines; empty while there is
        none."""
        query = {"container": container, "limitBytes": str(most_bytes)}
        if tail is not None:
            query["tailLines"] = str(tail)
        with told():
            response = await self._send("get", PODS, PODS.path(namespace, f"{pod}/log"), query)
            data = await response.read()
            if response.status in (400, 404):  # the container waits, or the pod is gone
                return ""
            if response.status >= 400:
                raise refusal(response.status, data)
            return data.decode(errors="replace")

    async def watch(
        self, resource: Resource, namespace: str | None, since: str, seconds: int
    ) -> AsyncIterator[dict[str, Any]]:
        """Watch events from a resourceVersion on, for about `seconds`. A 410 raises KubeError."""
        query = {
            "watch": "true",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        if resource.selector:
            query["labelSelector"] = resource.selector
        limit = aiohttp.ClientTimeout(total=seconds + 30.0, sock_read=_SILENCE)
        with told():
            path = resource.path(namespace)
            response = await self._send("watch", resource, path, query, limit=limit)
            try:
                if response.status >= 400:
                    raise refusal(response.status, await response.read())
                async for line in response.content:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise KubeError(
                            status.get("code", 500),
                            status.get("reason", ""),
                            status.get("message", ""),
                        )
                    yield event
            finally:
                response.close()

    async def create(self, resource: Resource, item: Object) -> dict[str, Any]:
        """POST."""
        path = resource.path(item["metadata"]["namespace"])
        return await self._call("create", resource, path, {"fieldManager": FIELD_MANAGER}, item)

    async def apply(self, resource: Resource, item: Object) -> dict[str, Any]:
        """Server-side apply; Pawl's children are its own, so conflicts are forced."""
        meta = item["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        path = resource.path(meta["namespace"], meta["name"])
        return await self._call("apply", resource, path, query, item)

    async def merge(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Object,
        *,
        status: bool = False,
        manager: str = FIELD_MANAGER,
    ) -> dict[str, Any]:
        """A merge patch of an object or of its status."""
        path = resource.path(namespace, name) + ("/status" if status else "")
        query = {"fieldManager": manager}
        return await self._call("patch", resource, path, query, patch)

    async def user(self) -> str | None:
        """Who the API server takes us for; None when it does not say."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self._call("create", USERS, USERS.path(None), body=review)
        except KubeError:  # not allowed, or older than 1.28
            return None
        return answer.get("status", {}).get("userInfo", {}).get("username")  # type: ignore[no-any-return]

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """Delete in the background, if it is still the same object."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._call("delete", resource, resource.path(namespace, name), {}, body)
        except KubeError as error:
            if error.code not in (404, 409):  # gone, or another object by now
                raise

    async def _call(
        self,
        verb: str,
        resource: Resource,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> dict[str, Any]:
        with told():
            response = await self._send(verb, resource, path, query or {}, body)
            data = await response.read()
            if response.status >= 400:
                raise refusal(response.status, data)
            answer: dict[str, Any] = orjson.loads(data)
            return answer

    async def _send(
        self,
        verb: str,
        resource: Resource,
        path: str,
        query: Mapping[str, str],
        body: Object | None = None,
        limit: aiohttp.ClientTimeout | None = None,
    ) -> aiohttp.ClientResponse:
        """The raw response, so that a watch can be read line by line."""
        for attempt in range(1, _TRIES + 1):
            if _VERBS[verb][0] != "GET":
                self._may_write()
            response = await self._once(verb, resource, path, query, body, limit)
            pause = pause_wanted(response)
            if pause is None or attempt == _TRIES:
                break
            response.release()
            if response.status == 401 and self._log_in is not None:
                with suppress(UserError):  # what cannot be read now is written just now
                    await self._log_in()
            await asyncio.sleep(pause * random.uniform(1.0, 1.2))  # noqa: S311 - no secret
        return response

    async def _once(
        self,
        verb: str,
        resource: Resource,
        path: str,
        query: Mapping[str, str],
        body: Object | None,
        limit: aiohttp.ClientTimeout | None,
    ) -> aiohttp.ClientResponse:
        method, content_type = _VERBS[verb]
        headers = {"Accept": _JSON, "Content-Type": content_type}
        # without the body: it would be copied, value by value
        method, url, headers, _, _ = await self._api.param_serialize(
            method=method,
            resource_path=path,
            query_params=list(query.items()),
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        code = "error"
        try:
            with (
                API_SECONDS.labels(verb, resource.plural).time(),
                span(f"{verb} {resource.plural}", **{"url.path": path}),
            ):
                answer = await self._api.call_api(
                    method,
                    url,
                    headers,
                    body,
                    _request_timeout=limit or _TIMEOUT,
                    _preload_content=False,
                )
            response: aiohttp.ClientResponse = answer.response
            code = str(response.status)
        finally:
            API_CALLS.labels(verb, resource.plural, code).inc()
        return response
