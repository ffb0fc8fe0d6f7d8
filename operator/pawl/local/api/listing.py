"""Lists, in pieces if asked for: all pieces of one list show the same moment.

A continue token names the revision of the first piece and the key after which the next begins.
The state of that revision is rebuilt from the window of changes; when it is forgotten the answer
is 410, with a token to go on without consistency (apiserver pkg/storage/continue.go).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import orjson

from pawl.local.api import errors
from pawl.local.api.resources import Resource
from pawl.local.api.selectors import Filter
from pawl.local.api.store import Item, Key, Store, Table

Obj = dict[str, Any]
_VERSION = "meta.k8s.io/v1"
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True)
class Page:
    """`meta` is the list's metadata."""

    items: list[Item]
    meta: Obj


@dataclass(frozen=True)
class Wanted:
    """Which items: `exact` is a revision to look back to."""

    namespace: str
    filter: Filter | None
    limit: int = 0
    token: str = ""
    exact: int | None = None


def page(store: Store, resource: Resource, wanted: Wanted) -> Page:
    """ApiError 400 for a bad token, 410 when its moment is forgotten."""
    table = store.table(resource.table)
    revision, after = store.revision, None
    pairs: list[tuple[Key, Item]] | None = None
    if wanted.token:
        token_revision, after = _decode(wanted.token)
        if token_revision is not None:
            revision = token_revision
            pairs = _at(table, wanted, revision, after)
    elif wanted.exact is not None:
        revision = wanted.exact
        pairs = _past(table, wanted.namespace, revision)
    if pairs is None:
        pairs = table.pairs(wanted.namespace)
    if after is not None:
        pairs = [pair for pair in pairs if pair[0] > after]
    return _cut(pairs, wanted, revision)


def _at(table: Table, wanted: Wanted, revision: int, after: Key) -> list[tuple[Key, Item]]:
    try:
        return _past(table, wanted.namespace, revision)
    except errors.ApiError:
        error = errors.expired(_EXPIRED)
        error.continue_token = _encode(-1, after)
        raise error from None


def _past(table: Table, namespace: str, revision: int) -> list[tuple[Key, Item]]:
    found = table.at(revision)
    return sorted(
        ((key, item) for key, item in found.items() if not namespace or key.namespace == namespace),
        key=lambda pair: pair[0],
    )


def _cut(pairs: list[tuple[Key, Item]], wanted: Wanted, revision: int) -> Page:
    meta: Obj = {"resourceVersion": str(revision)}
    items: list[Item] = []
    for number, (_, item) in enumerate(pairs):
        if wanted.filter is not None and not wanted.filter(item.obj):
            continue
        if wanted.limit and len(items) == wanted.limit:
            meta["continue"] = _encode(revision, pairs[number - 1][0])
            if wanted.filter is None:
                meta["remainingItemCount"] = len(pairs) - number
            break
        items.append(item)
    return Page(items, meta)


def _encode(revision: int, after: Key) -> str:
    token = {"v": _VERSION, "rv": revision, "start": f"{after.namespace}/{after.name}"}
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode().rstrip("=")


def _decode(token: str) -> tuple[int | None, Key]:
    """Revision (None: whatever is now) and the last key of the piece before."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        found = orjson.loads(text)
        if found["v"] != _VERSION:
            raise ValueError("version")
        namespace, _, name = found["start"].partition("/")
        revision = int(found["rv"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise errors.bad_request(
            "invalid continue token: continue key is not valid: illegal base64 data "
            f"at input byte {len(token) // 4 * 4}"
        ) from None
    return (revision if revision > 0 else None), Key(namespace, name)
