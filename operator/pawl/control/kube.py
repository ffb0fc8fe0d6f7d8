"""Requests to the Kubernetes API as JSON, over the official asyncio client.

The client gives authentication and connections; objects stay dictionaries, since the planners
think in JSON and every model class would have to be turned back into it.

Whatever goes wrong on the way is a KubeError. What the API server asks to send again later (429 or
503 with Retry-After) is sent again, and so is what it refuses because a token has expired: the
token is read anew before.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib import request
from urllib.parse import urlsplit

import aiohttp
import orjson
import yaml
from kubernetes.aio import client, config

from pawl.constants import FIELD_MANAGER
from pawl.control.kinds import API_GROUPS, PODS, USERS, Resource
from pawl.control.metrics import API_CALLS, API_SECONDS
from pawl.errors import PawlError, UserError
from pawl.tracing import span

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
#: As often is sent what is to be sent again later, at most so many seconds later.
_TRIES, _LONGEST_PAUSE = 5, 30.0


class KubeError(PawlError):
    """The API server refused a request; `code` is the HTTP status (0: there was no answer), and
    `causes` are the reasons that stand in its details."""

    def __init__(
        self, code: int, reason: str, message: str, causes: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(message, reason=reason)
        self.code = code
        self.causes = causes

    @property
    def namespace_ends(self) -> bool:
        """Nothing can be created any more where the request was for: trying again cannot help."""
        return "NamespaceTerminating" in self.causes

    @property
    def may_be_done(self) -> bool:
        """Whether a write may have been done in spite of it."""
        return self.code == 0 or self.code >= 500


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

        async def log_in() -> str:
            return await _log_in(configuration, kubeconfig)

        namespace = await log_in()
        configuration.proxy = configuration.proxy or _proxy(configuration.host)
        configuration.client_session_kwargs = {"trust_env": False}
        return cls(client.ApiClient(configuration), namespace, log_in, may_write)

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

    async def logs(self, namespace: str, pod: str, container: str, most_bytes: int) -> str:
        """The beginning of a container's log; empty while there is none."""
        query = {"container": container, "limitBytes": str(most_bytes)}
        with _told():
            response = await self._send("get", PODS, PODS.path(namespace, f"{pod}/log"), query)
            data = await response.read()
            if response.status in (400, 404):  # the container waits, or the pod is gone
                return ""
            if response.status >= 400:
                raise _error(response.status, data)
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
        with _told():
            path = resource.path(namespace)
            response = await self._send("watch", resource, path, query, limit=limit)
            try:
                if response.status >= 400:
                    raise _error(response.status, await response.read())
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
        with _told():
            response = await self._send(verb, resource, path, query or {}, body)
            data = await response.read()
            if response.status >= 400:
                raise _error(response.status, data)
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
            pause = _pause_wanted(response)
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


async def _log_in(configuration: client.Configuration, kubeconfig: str | None) -> str:
    """Reads who we are into the configuration, and gives the context's namespace."""
    namespace = "default"
    kubeconfig = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, client_configuration=configuration
            )
            contexts = config.list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
            namespace = contexts[1]["context"].get("namespace") or namespace
    except (config.ConfigException, yaml.YAMLError, OSError, TypeError, KeyError) as error:
        where = kubeconfig or "~/.kube/config"
        raise UserError(f"the kubeconfig {where} cannot be used: {error}") from error
    return namespace


@contextmanager
def _told() -> Iterator[None]:
    """Without an answer, or with half of one: a KubeError too."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
        raise KubeError(0, "NoAnswer", f"no answer of the API server: {error!r}") from error


def _pause_wanted(response: aiohttp.ClientResponse) -> float | None:
    """After how many seconds a request may be sent again, if that may help: at once with a new
    token, else when the API server wants it."""
    if response.status == 401:
        return 0.1
    after = response.headers.get("Retry-After", "")
    if response.status not in (429, 503) or not after.isdigit():
        return None
    return min(float(after), _LONGEST_PAUSE)


def _proxy(url: str) -> str | None:
    """What the environment says of one, read once: aiohttp would read it for every request, in a
    thread, and that is a third of what a request costs."""
    parts = urlsplit(url)
    if parts.hostname is None or request.proxy_bypass(parts.hostname):
        return None
    return request.getproxies().get(parts.scheme)


def _error(code: int, data: bytes) -> KubeError:
    try:
        status = orjson.loads(data)
        causes = (status.get("details") or {}).get("causes") or ()
        reasons = frozenset(cause.get("reason", "") for cause in causes)
        return KubeError(code, status.get("reason", ""), status.get("message", ""), reasons)
    except (orjson.JSONDecodeError, AttributeError):
        return KubeError(code, "Unknown", data[:300].decode(errors="replace"))
