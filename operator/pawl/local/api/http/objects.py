"""The verbs on objects: get, list, create, update, patch, delete, deletecollection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from pawl.local.api import errors, listing
from pawl.local.api.deletion import POLICIES, Deleted, DeleteOptions
from pawl.local.api.http import body, options, rendering
from pawl.local.api.http.negotiation import Form, negotiate
from pawl.local.api.http.paths import Target
from pawl.local.api.kinds.job import deletion_warning
from pawl.local.api.registry import Registry, build_filter
from pawl.local.api.resources import Resource
from pawl.local.api.write import Outcome
from pawl.local.schema import causes, golang

Obj = dict[str, Any]
Warnings = list[str]
_PATIENCE = 3.0  # seconds that a list waits for a revision from the future


def form_of(request: web.BaseRequest) -> Form:
    form = negotiate(request.headers.get("Accept", ""))
    if options.flag(request.query, "pretty"):
        form = replace(form, pretty=True)
    include = request.query.get("includeObject", "")
    if form.kind == "Table" and include not in ("", "Metadata", "Object", "None"):
        raise errors.bad_request(
            "Unable to convert to Table as requested: includeObject: Invalid value: "
            f"{golang.quote(include)}: must be 'Metadata', 'Object', 'None', or empty"
        )
    return replace(form, include=include) if form.kind == "Table" and include else form


class Objects:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def get(self, request: web.BaseRequest, at: Target) -> web.Response:
        item = self._registry.item(at.resource, at.namespace, at.name)
        form = form_of(request)
        return rendering.response(rendering.one(at.resource, item, form), form)

    async def list_(self, request: web.BaseRequest, at: Target) -> web.Response:
        form = form_of(request)
        if form.kind == "PartialObjectMetadata":
            what = "you requested PartialObjectMetadata, but the requested object is a list"
            group = at.resource.group.partition(".")[0] or "core"
            raise errors.ApiError(
                406, "NotAcceptable", f"{what} (*{group}.{at.resource.list_name})"
            )
        asked = options.list_options(request.query, watch=False)
        if asked.token and asked.revision:
            raise errors.bad_request(
                "specifying resource version is not allowed when using continue"
            )
        await self._reach(asked.revision or 0)
        wanted = build_filter(at.resource, asked.labels, asked.fields)
        exact = asked.revision if asked.match == "Exact" else None
        # before resourceVersionMatch, a limit with a revision meant exactly that revision
        if not asked.match and asked.limit and asked.revision:
            exact = asked.revision
        page = listing.page(
            self._registry.store,
            at.resource,
            listing.Wanted(at.namespace, wanted, asked.limit, asked.token, exact),
        )
        meta = page.meta
        if at.resource.storage_version and not form.kind:
            meta = {"continue": "", **meta}  # as lists of unstructured objects have it
        shown = rendering.many(at.resource, page.items, meta, form)
        return rendering.response(shown, form)

    async def _reach(self, revision: int) -> None:
        """Wait a little for a revision that has not been yet. ApiError 504."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while revision > self._registry.store.revision:
            if asyncio.get_running_loop().time() > deadline:
                raise errors.too_new(revision, self._registry.store.revision)
            await asyncio.sleep(0.05)

    async def create(self, request: web.BaseRequest, at: Target) -> web.Response:
        custom = bool(at.resource.storage_version)
        obj, repeated = await body.decoded(request, at.resource.kind, strict=True, custom=custom)
        asked = options.write_options(request, repeated, kind="CreateOptions")
        outcome = self._registry.create_item(at.resource, at.namespace, obj, asked)
        return self._written(request, at.resource, outcome)

    async def update(self, request: web.BaseRequest, at: Target) -> web.Response:
        custom = bool(at.resource.storage_version)
        obj, repeated = await body.decoded(request, at.resource.kind, strict=True, custom=custom)
        asked = options.write_options(request, repeated)
        outcome = self._registry.update_item(
            at.resource, at.namespace, at.name, obj, asked, subresource=at.subresource
        )
        return self._written(request, at.resource, outcome)

    async def patch(self, request: web.BaseRequest, at: Target) -> web.Response:
        change, kind, repeated = await body.patch(request)
        called = "ApplyOptions" if kind == "apply" else "PatchOptions"
        asked = options.write_options(request, repeated, kind=called)
        outcome = self._registry.patch_item(
            at.resource, at.namespace, at.name, change, asked, kind=kind,
            subresource=at.subresource,
        )  # fmt: skip
        return self._written(request, at.resource, outcome)

    def _written(
        self, request: web.BaseRequest, resource: Resource, outcome: Outcome
    ) -> web.Response:
        form = form_of(request)
        shown = rendering.one(resource, outcome.item, form)
        code = 201 if outcome.created else 200
        return rendering.response(shown, form, code=code, warnings=outcome.warnings)

    async def delete(self, request: web.BaseRequest, at: Target) -> web.Response:
        asked = await delete_options(request)
        warnings = self._deletion_warnings(at.resource, asked)
        done = self._registry.delete_item(at.resource, at.namespace, at.name, asked)
        form = form_of(request)
        if not done.gone or at.resource.behaviour.returns_deleted:
            shown = rendering.one(at.resource, done.item, form)
        else:
            shown = orjson.dumps(_success(at.resource, done))
            form = Form()
        return rendering.response(shown, form, warnings=[*warnings, *done.warnings])

    async def delete_collection(self, request: web.BaseRequest, at: Target) -> web.Response:
        asked = await delete_options(request)
        selected = options.list_options(request.query, watch=False)
        wanted = build_filter(at.resource, selected.labels, selected.fields)
        page = listing.page(
            self._registry.store, at.resource,
            listing.Wanted(at.namespace, wanted, selected.limit, selected.token),
        )  # fmt: skip
        gone = []
        warnings = self._deletion_warnings(at.resource, asked)
        for item in page.items:
            meta = item.obj["metadata"]
            try:
                done = self._registry.delete_item(
                    at.resource, meta.get("namespace", ""), meta["name"], asked
                )
            except errors.ApiError as error:
                if error.code != 404:  # it went while we were at it
                    raise
            else:
                gone.append(done.item)
                warnings += done.warnings
        form = form_of(request)
        shown = rendering.many(at.resource, gone, page.meta, form)
        return rendering.response(shown, form, warnings=warnings)

    def _deletion_warnings(self, resource: Resource, asked: DeleteOptions) -> Warnings:
        orphans = resource.behaviour.orphans_by_default and asked.propagation is None
        return [deletion_warning()] if orphans else []


def _success(resource: Resource, done: Deleted) -> Obj:
    meta = done.item.obj["metadata"]
    details = {
        "name": meta["name"],
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.plural,
        "uid": meta["uid"],
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


async def delete_options(request: web.BaseRequest) -> DeleteOptions:
    """From the body, or else from the query. ApiError 400, 422."""
    sent = await body.optional(request)
    query = request.query
    policy = sent.get("propagationPolicy", query.get("propagationPolicy"))
    orphan = sent.get("orphanDependents", _tristate(query.get("orphanDependents")))
    grace = sent.get("gracePeriodSeconds", options.number(query, "gracePeriodSeconds"))
    dry_run: list[str] = sent.get("dryRun") or list(query.getall("dryRun", []))
    found = []
    if policy is not None and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        found.append(causes.invalid("propagationPolicy", policy, text))
    if policy is not None and policy not in POLICIES:
        known = ["Foreground", "Background", "Orphan", "nil"]
        found.append(causes.not_supported("propagationPolicy", policy, known))
    found += options.dry_run_causes(dry_run)
    if grace is not None and not isinstance(grace, int):
        kind = golang.json_kind(grace)
        raise errors.bad_request(
            f"json: cannot unmarshal {kind} into Go struct field DeleteOptions.gracePeriodSeconds "
            "of type int64"
        )
    if found:
        raise errors.invalid("meta.k8s.io", "DeleteOptions", "", found)
    if policy is None and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    conditions = sent.get("preconditions") or {}
    return DeleteOptions(
        policy, grace, conditions.get("uid"), conditions.get("resourceVersion"), bool(dry_run),
        request.get(options.USER), _given(policy, grace, conditions, dry_run),
    )  # fmt: skip


def _given(policy: str | None, grace: int | None, conditions: Obj, dry_run: list[str]) -> Obj:
    """Of the options of a deletion those that were given."""
    found: Obj = {"propagationPolicy": policy, "gracePeriodSeconds": grace}
    found |= {"preconditions": conditions or None, "dryRun": dry_run or None}
    return {name: value for name, value in found.items() if value is not None}


def _tristate(text: str | None) -> bool | None:
    return None if text is None else text.lower() in ("true", "1")
