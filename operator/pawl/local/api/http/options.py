"""Query parameters, checked (metav1 ListOptions, CreateOptions, …)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from pawl.local.api import errors
from pawl.local.api.checks import FieldValidation, Options
from pawl.local.api.users import User
from pawl.local.schema import causes, golang
from pawl.local.schema.causes import Cause

#: Where a request keeps who makes it.
USER = web.RequestKey("user", User)
_OPTIONS = ("fieldManager", "fieldValidation")
_MATCHES = ("Exact", "NotOlderThan")
_TRUE = ("true", "1", "True", "TRUE", "t", "T", "")


def flag(query: Mapping[str, str], name: str) -> bool:
    return name in query and query[name] in _TRUE


def number(query: Mapping[str, str], name: str) -> int | None:
    """ApiError 400 when it is no whole number."""
    text = query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(
            f"strconv.ParseInt: parsing {golang.quote(text)}: invalid syntax"
        ) from None


def write_options(
    request: web.BaseRequest, repeated: tuple[str, ...] = (), *, kind: str = "UpdateOptions"
) -> Options:
    """ApiError 422 for values that do not exist."""
    query = request.query
    found: list[Cause] = []
    dry_run: list[str] = query.getall("dryRun", [])
    found += dry_run_causes(dry_run)
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        known = ["", "Ignore", "Strict", "Warn"]
        found.append(causes.not_supported("fieldValidation", validation, known))
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        found.append(causes.too_long("fieldManager", 128))
    if kind == "ApplyOptions":
        if not manager:
            text = "is required for apply patch"
            found.append(causes.required("fieldManager", text))
    elif "force" in query and kind == "PatchOptions":
        found.append(causes.forbidden("force", "may not be specified for non-apply patch"))
    if found:
        shown = "PatchOptions" if kind == "ApplyOptions" else kind
        raise errors.invalid("meta.k8s.io", shown, "", found)
    return Options(
        manager=manager or agent(request),
        dry_run=bool(dry_run),
        field_validation=cast(FieldValidation, validation),
        force=flag(query, "force"),
        repeated=repeated,
        user=request.get(USER),
        sent=sent(request),
    )


def sent(request: web.BaseRequest) -> dict[str, object]:
    """Of the options of a write those that were given."""
    query = request.query
    found: dict[str, object] = {name: query[name] for name in _OPTIONS if query.get(name)}
    dry_run = query.getall("dryRun", [])
    return {**found, "dryRun": dry_run} if dry_run else found


def dry_run_causes(values: list[str]) -> list[Cause]:
    if set(values) <= {"All"}:
        return []
    text = f'Unsupported value: {golang.to_json(values)}: supported values: "All"'
    return [Cause(causes.NOT_SUPPORTED, text, "dryRun")]


def agent(request: web.BaseRequest) -> str:
    """The field manager of a client that does not name itself: the start of its User-Agent."""
    name = request.headers.get("User-Agent", "").split("/")[0]
    return "".join(c for c in name if c.isprintable())[:128] or "unknown"


@dataclass(frozen=True)
class ListOptions:
    """`revision`: None when the client did not say which."""

    labels: str
    fields: str
    revision: int | None
    match: str
    limit: int
    token: str
    timeout: int | None
    bookmarks: bool
    initial: bool


def list_options(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """ApiError 400, 422."""
    text = query.get("resourceVersion", "")
    revision: int | None = None
    if text:
        if not text.isdigit():
            why = f"strconv.ParseUint: parsing {golang.quote(text)}: invalid syntax"
            cause = causes.invalid("resourceVersion", text, why)
            if watch:  # kube-apiserver does not expect this either
                raise errors.ApiError(500, "", f"{cause}")
            raise errors.bad_request(f"invalid resource version: {cause}")
        revision = int(text)
    match = query.get("resourceVersionMatch", "")
    found = _match_causes(query, revision, match, watch=watch)
    if found:
        raise errors.invalid("meta.k8s.io", "ListOptions", "", found)
    return ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        revision=revision,
        match=match,
        limit=number(query, "limit") or 0,
        token=query.get("continue", ""),
        timeout=number(query, "timeoutSeconds"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial=flag(query, "sendInitialEvents"),
    )


def _match_causes(
    query: Mapping[str, str], revision: int | None, match: str, *, watch: bool
) -> list[Cause]:
    found: list[Cause] = []
    at = "resourceVersionMatch"
    if watch:
        initial = "sendInitialEvents" in query
        if initial and match != "NotOlderThan":
            text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            found.append(causes.forbidden(at, text))
        if match and not initial:
            text = (
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
            found.append(causes.forbidden(at, text))
        if match and match != "NotOlderThan":
            found.append(causes.not_supported(at, match, ["NotOlderThan"]))
        return found
    if "sendInitialEvents" in query:
        text = "sendInitialEvents is forbidden for list"
        found.append(causes.forbidden("sendInitialEvents", text))
    if not match:
        return found
    if revision is None:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        found.append(causes.forbidden(at, text))
    if query.get("continue"):
        text = "resourceVersionMatch is forbidden when continue is provided"
        found.append(causes.forbidden(at, text))
    if match not in _MATCHES:
        found.append(causes.not_supported(at, match, [*_MATCHES, ""]))
    elif match == "Exact" and revision == 0:
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(causes.forbidden(at, text))
    return found
