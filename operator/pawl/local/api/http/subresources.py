"""Subresources that are not just a part of their object: scale, binding, eviction, log."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from pawl.local import patch
from pawl.local.api import errors, metadata
from pawl.local.api.admission import Attempt
from pawl.local.api.checks import Options
from pawl.local.api.deletion import DeleteOptions
from pawl.local.api.eviction import evict
from pawl.local.api.http import body, options, rendering, tokenrequest
from pawl.local.api.http.paths import Target
from pawl.local.api.podlogs import LogOptions, PodBackend
from pawl.local.api.registry import Registry
from pawl.local.api.scale import scale_of, with_scale
from pawl.local.api.store import Key

Obj = dict[str, Any]
_STREAM = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/(attach|exec|portforward)")


class Subresources:
    def __init__(self, registry: Registry, backend: PodBackend | None, token: str) -> None:
        self._registry = registry
        self._backend = backend
        self._token = token

    async def scale(self, request: web.BaseRequest, at: Target) -> web.Response:
        live = self._registry.item(at.resource, at.namespace, at.name)
        before = scale_of(at.resource, live.obj)
        if request.method == "GET":
            return rendering.response(orjson.dumps(before))
        if request.method == "PUT":
            wanted, repeated = await body.decoded(request, at.resource.kind, strict=True)
            asked = options.write_options(request, repeated)
        else:
            change, kind, repeated = await body.patch(request)
            called = "ApplyOptions" if kind == "apply" else "PatchOptions"
            asked = options.write_options(request, repeated, kind=called)
            try:
                patched = patch.json_patch(before, change) if kind == "json" else None
                wanted = patched if patched is not None else patch.merge(before, change)
            except patch.PatchError as error:
                raise errors.ApiError(error.code, error.reason, str(error)) from None
            if not (isinstance(change, dict) and _names_revision(change)):
                wanted["metadata"].pop("resourceVersion", None)
        changed = with_scale(at.resource, live.obj, wanted)
        outcome = self._registry.update_item(
            at.resource, at.namespace, at.name, changed, asked, subresource="scale"
        )
        shown = scale_of(at.resource, outcome.item.obj)
        return rendering.response(orjson.dumps(shown), warnings=outcome.warnings)

    async def bind(self, request: web.BaseRequest, at: Target) -> web.Response:
        binding, _ = await body.decoded(request, at.resource.kind, strict=True)
        asked = options.write_options(request, kind="CreateOptions")
        warnings = self._judge(request, at, binding, asked.dry_run)
        node = (binding.get("target") or {}).get("name", "")
        live = self._registry.item(at.resource, at.namespace, at.name)
        bind(self._registry, at.namespace, at.name, live.obj, node, asked)
        return rendering.response(orjson.dumps(_success()), code=201, warnings=warnings)

    async def evict(self, request: web.BaseRequest, at: Target) -> web.Response:
        eviction, _ = await body.decoded(request, at.resource.kind, strict=True)
        if (eviction.get("metadata") or {}).get("name") != at.name:
            raise errors.bad_request("name in URL does not match name in Eviction object")
        sent = eviction.get("deleteOptions") or {}
        conditions = sent.get("preconditions") or {}
        asked = DeleteOptions(
            sent.get("propagationPolicy"), sent.get("gracePeriodSeconds"), conditions.get("uid"),
            conditions.get("resourceVersion"), bool(sent.get("dryRun")),
        )  # fmt: skip
        warnings = self._judge(request, at, eviction, asked.dry_run)
        evict(self._registry, at.namespace, at.name, asked)
        return rendering.response(orjson.dumps(_success()), code=201, warnings=warnings)

    async def token(self, request: web.BaseRequest, at: Target) -> web.Response:
        asked, _ = await body.decoded(request, "TokenRequest", strict=True)
        account = self._registry.item(at.resource, at.namespace, at.name).obj
        answered = tokenrequest.answer(account, asked, self._token)
        warnings = self._judge(request, at, asked, dry_run=False)
        return rendering.response(orjson.dumps(answered), code=201, warnings=warnings)

    def _judge(self, request: web.BaseRequest, at: Target, sent: Obj, dry_run: bool) -> list[str]:
        """What policies say of an object that is made, and not stored, for `at`."""
        attempt = Attempt(
            "CREATE", at.resource, at.subresource, at.namespace, at.name, sent, None,
            request[options.USER], dry_run, options.sent(request),
        )  # fmt: skip
        return self._registry.admission.judge(attempt)

    def refuse_stream(self, path: str) -> None:
        """ApiError 501 when a path is one of the streams into a pod, which are not offered."""
        found = _STREAM.fullmatch(path)
        if found is None:
            return
        namespace, name, stream = found.groups()
        pod = self._registry.get("pods", namespace, name)
        text = f"the embedded cluster does not offer {stream}: its pods are processes of this host"
        address = (pod.get("status") or {}).get("podIP")
        if stream == "portforward" and address:
            text += f"; {name} can be reached at {address}"
        raise errors.ApiError(501, "NotImplemented", text)

    async def log(self, request: web.BaseRequest, at: Target) -> web.StreamResponse:
        pod = self._registry.item(at.resource, at.namespace, at.name).obj
        query = request.query
        container = _container(pod, query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            return web.Response(text="")  # nothing has run yet
        if self._backend is None:
            raise errors.internal("no node runs the pods of this cluster")
        wanted = LogOptions(
            follow=options.flag(query, "follow"),
            tail_lines=options.number(query, "tailLines"),
            since_seconds=options.number(query, "sinceSeconds"),
            since_time=query.get("sinceTime"),
            timestamps=options.flag(query, "timestamps"),
            previous=options.flag(query, "previous"),
            limit_bytes=options.number(query, "limitBytes"),
        )
        blocks = self._backend.logs(at.namespace, at.name, container, wanted)
        first = await anext(blocks, None)  # errors come before the headers
        response = web.StreamResponse()
        response.headers["Content-Type"] = "text/plain"
        await response.prepare(request)
        if first is not None:
            await response.write(first)
            async for block in blocks:
                await response.write(block)
        await response.write_eof()
        return response


def _names_revision(change: Obj) -> bool:
    return bool((change.get("metadata") or {}).get("resourceVersion"))


def _container(pod: Obj, name: str) -> str:
    """The container that is meant. ApiError 400."""
    spec = pod["spec"]
    main = [c["name"] for c in spec.get("containers") or ()]
    first = [c["name"] for c in spec.get("initContainers") or ()]
    if name:
        if name not in main + first:
            raise errors.bad_request(f"container {name} is not valid for pod "
                                     f"{pod['metadata']['name']}")  # fmt: skip
        return name
    if len(main) == 1 and not first:
        return str(main[0])
    text = f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: "
    text += f"[{' '.join(main)}]"
    if first:
        text += f" or one of the init containers: [{' '.join(first)}]"
    raise errors.bad_request(text)


def bind(
    registry: Registry, namespace: str, name: str, pod: Obj, node: str, asked: Options
) -> None:
    """Give a pod its node. ApiError 409 when it has one."""
    if not node:
        raise errors.bad_request("target.name: Required value")
    taken = pod["spec"].get("nodeName")
    if taken:
        why = f'pod {name} is already assigned to node "{taken}"'
        raise errors.conflict("", "pods/binding", name, why)
    if "deletionTimestamp" in pod["metadata"]:
        why = f"pod {name} is being deleted, cannot be assigned to a host"
        raise errors.conflict("", "pods/binding", name, why)
    resource = registry.catalog.named("pods")
    changed = copy.deepcopy(pod)
    changed["spec"]["nodeName"] = node
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": metadata.stamp(datetime.now(UTC)),
    }
    status = changed.setdefault("status", {})
    others = [c for c in status.get("conditions") or () if c["type"] != scheduled["type"]]
    status["conditions"] = [*others, scheduled]
    if not asked.dry_run:  # a binding owns no fields
        registry.table(resource).put(Key(namespace, name), changed)
        registry.after_write(resource, pod, changed)


def _success() -> Obj:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }
