"""Who asks, and whether he may. The administrator may do everything; the operator has the rights
that it has on a real cluster (`control.rights`), so what it may not do there fails here too; and
the users that the administrator impersonates (`kubectl --as`) have those of their roles.

What the operator asks for is written down, each kind of request once: a JSON line with verb, group,
resource (with its subresource), the name where a rule is about names, and whether it was allowed.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import orjson
from aiohttp import web

from pawl.control import rights
from pawl.local.api import errors
from pawl.local.api.http.options import flag
from pawl.local.api.http.paths import Target
from pawl.local.api.rbac import Rights
from pawl.local.api.store import Key, Store
from pawl.local.api.users import AUTHENTICATED, HOME, MASTERS, OPERATOR, User, account
from pawl.local.schema.cel.authz import Question

_APPLY = "application/apply-patch"
_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"


def bearer(request: web.BaseRequest) -> bytes:
    """The token that a request carries; empty when there is none."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return sent.strip().encode() if scheme.lower() == "bearer" else b""


def impersonated(user: User, request: web.BaseRequest) -> User:
    """Whom a request is made for: `user`, or whom its headers name. ApiError 400, and 403 for
    everybody but the administrator."""
    headers = request.headers
    name, groups = headers.get("Impersonate-User", ""), headers.getall("Impersonate-Group", [])
    extra: dict[str, list[str]] = {}
    for key, value in headers.items():
        if key.lower().startswith(_EXTRA):
            extra.setdefault(unquote(key[len(_EXTRA) :].lower()), []).append(value)
    uid = headers.get("Impersonate-Uid", "")
    if not (name or groups or extra or uid):
        return user
    if not name:
        raise errors.internal(
            f"requested {groups or extra or uid} without impersonating a user name"
        )
    if MASTERS not in user.groups:
        why = f'User "{user.name}" cannot impersonate resource "users" in API group ""'
        raise errors.forbidden("", "users", name, f"{why} at the cluster scope")
    if name.startswith(_ACCOUNT) and not groups:
        groups = list(account(*name.removeprefix(_ACCOUNT).split(":", 1)).groups)
    return User(name, tuple(dict.fromkeys([*groups, AUTHENTICATED])), uid, extra)


def questions(request: web.BaseRequest, at: Target, verb: str, store: Store) -> Iterator[Question]:
    """What a request needs the right to. Who applies or puts what is not there needs that to create
    it, too."""
    watched = at.watched or flag(request.query, "watch")
    yield _question("watch" if verb in ("get", "list") and watched else verb, at)
    applies = verb == "patch" and request.headers.get("Content-Type", "").startswith(_APPLY)
    if applies or (verb == "update" and at.resource.behaviour.create_on_update):
        key = Key(at.namespace, at.name)
        if not at.subresource and store.table(at.resource.table).get(key) is None:
            yield _question("create", at)


def _question(verb: str, at: Target) -> Question:
    resource = at.resource
    namespace = at.name if resource.table == "namespaces" else at.namespace
    return Question(verb, resource.group, resource.plural, at.subresource, namespace, at.name)


def require(rights: Rights, user: User, asked: Iterable[Question]) -> None:
    """ApiError 403 for the first thing that a user may not do."""
    for question in asked:
        if not rights.decide(user, question).allowed:
            raise refused(user, question)


def refused(user: User, asked: Question) -> errors.ApiError:
    """As the API server words it."""
    resource = "/".join(filter(None, (asked.resource, asked.subresource)))
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {asked.verb} resource "{resource}" in API group '
        f'"{asked.group}" {where}'
    )
    return errors.forbidden(asked.group, asked.resource, asked.name, why)


class OperatorAccess:
    """The operator's account. `log` is the file that its requests are written to."""

    def __init__(self, token: str, log: Path) -> None:
        self._token = token.encode()
        self._log = log
        self._seen: set[bytes] = set()

    def is_from(self, token: bytes) -> bool:
        """Whether the operator asks."""
        return hmac.compare_digest(token, self._token)

    def check(self, request: web.BaseRequest, at: Target, verb: str, store: Store) -> None:
        """ApiError 403."""
        for question in questions(request, at, verb, store):
            self._check(question)

    def _check(self, asked: Question) -> None:
        resource = "/".join(filter(None, (asked.resource, asked.subresource)))
        home = asked.namespace == HOME
        rule = rights.rule_for(asked.verb, asked.group, resource, asked.name, home=home)
        named = asked.name if rule is None or rule.names else ""
        self._write_down(asked.verb, asked.group, resource, named, allowed=rule is not None)
        if rule is None:
            raise refused(OPERATOR, asked)

    def _write_down(
        self, verb: str, group: str, resource: str, name: str, *, allowed: bool
    ) -> None:
        line = orjson.dumps(
            {"verb": verb, "group": group, "resource": resource, "name": name, "allowed": allowed}
        )
        if line not in self._seen:
            self._seen.add(line)
            with self._log.open("ab") as file:
                file.write(line + b"\n")
