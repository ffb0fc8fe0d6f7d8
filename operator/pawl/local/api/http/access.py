"""Who asks. The administrator may do everything; the operator has the rights that it has on a real
cluster (`control.rights`), so what it may not do there fails here too.

What it asks for is written down, each kind of request once: a JSON line with verb, group, resource
(with its subresource), the name where a rule is about names, and whether it was allowed.
"""

from __future__ import annotations

import hmac
from pathlib import Path

import orjson
from aiohttp import web

from pawl.control import rights
from pawl.local.api import errors
from pawl.local.api.http.options import flag
from pawl.local.api.http.paths import Target
from pawl.local.api.store import Key, Store

HOME = "kube-system"
OPERATOR = f"system:serviceaccount:{HOME}:pawl-operator"
_APPLY = "application/apply-patch"


def bearer(request: web.BaseRequest) -> bytes:
    """The token that a request carries; empty when there is none."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return sent.strip().encode() if scheme.lower() == "bearer" else b""


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
        """ApiError 403. Who applies what is not there needs the right to create it, too."""
        watched = at.watched or flag(request.query, "watch")
        self._check("watch" if verb in ("get", "list") and watched else verb, at)
        if verb == "patch" and request.headers.get("Content-Type", "").startswith(_APPLY):
            key = Key(at.namespace, at.name)
            if not at.subresource and store.table(at.resource.table).get(key) is None:
                self._check("create", at)

    def _check(self, verb: str, at: Target) -> None:
        group = at.resource.group
        resource = "/".join(filter(None, (at.resource.plural, at.subresource)))
        rule = rights.rule_for(verb, group, resource, at.name, home=at.namespace == HOME)
        named = at.name if rule is None or rule.names else ""
        self._write_down(verb, group, resource, named, allowed=rule is not None)
        if rule is None:
            where = f"in the namespace {_quoted(at.namespace)}" if at.namespace else ""
            why = (
                f"User {_quoted(OPERATOR)} cannot {verb} resource {_quoted(resource)} in API group "
                f"{_quoted(group)} {where or 'at the cluster scope'}"
            )
            raise errors.forbidden(group, at.resource.plural, at.name, why)

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


def _quoted(text: str) -> str:
    return f'"{text}"'
