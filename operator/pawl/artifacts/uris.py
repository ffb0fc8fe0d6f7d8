"""Which URIs a namespace may name, for data, artifacts and captured rows.

A rule is the beginning of URIs, in whole folders: `s3://lake/a/` covers `s3://lake/a/x` and not
`s3://lake/ab`; `s3://` covers every bucket; `{namespace}` stands for the namespace. Where the
administrator has made no rules, everything may be named but files outside the store. Always
refused, unless a rule says the very place:

- folders that the store keeps for Pawl: artifacts of other namespaces, results, decisions, windows,
  snapshots;
- web servers at loopback and link-local addresses, where the metadata services of clouds are.

A Secret that `train` mounts, `secret://NAME`, may be named only where a rule says so, and never one
that is or may be Pawl's own: `pawl-…` (store, signing, notify, mlflow), and `…-feedback`, the key
of a Deployment's servers.

URIs with `..`, empty or encoded path segments are refused: what they name depends on the reader.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pawl.artifacts.addresses import is_address, is_own
from pawl.artifacts.redact import redact
from pawl.constants import ENV_ALLOWED_URIS
from pawl.errors import NotAllowedError

NOT_ALLOWED: Final = "UriNotAllowed"  # reason of conditions and events

#: What `runs`, `bundles` and the others below a store's URI are for: see `artifacts.records`.
RESERVED = ("bundles", "runs", "decisions", "windows", "snapshots")
_OWN_SECRET = re.compile("pawl-.*|.*-feedback")
_HOST = re.compile(
    r"([A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])?(:[0-9]{1,5})?"
)
_NUMBER = re.compile(r"(^|\.)(0x[0-9a-f]*|[0-9]+)$")  # resolvers read 2130706433 as an address
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_BARE = re.compile(r"[\\\x00-\x20\x7f]")
_HIDDEN = re.compile(r"%(2e|2f|5c|25|00|0a|0d)", re.IGNORECASE)
_GLOB = frozenset("*[{")


class Place(NamedTuple):
    """A URI taken apart: `folders` are the segments of its path."""

    scheme: str
    host: str
    folders: tuple[str, ...]

    def covers(self, other: Place) -> bool:
        """Whether `other` is at or below this place. No host: every host."""
        return (
            self.scheme == other.scheme
            and (not self.host or self.host == other.host)
            and self.folders == other.folders[: len(self.folders)]
        )


def place_of(uri: str) -> Place:
    """ValueError, with a reason to read after the URI, when it is none that one could trust."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise ValueError("is no URI") from None
    if not _HOST.fullmatch(parts.netloc):
        raise ValueError("has no plain host name")
    web = parts.scheme in ("http", "https")
    if web and _NUMBER.search(parts.hostname or "") and not is_address(parts.hostname or ""):
        raise ValueError("has a number for a host name")
    if _BARE.search(uri) or _HIDDEN.search(parts.path) or (not web and re.search("[?#]", uri)):
        raise ValueError("hides a part of its path")
    path = unquote(parts.path) if parts.scheme in ("file", "pvc") else parts.path
    folders = path.removeprefix("/").removesuffix("/").split("/") if path.strip("/") else []
    if any(folder in ("", ".", "..") for folder in folders):
        raise ValueError("has an empty folder, . or .. in its path")
    host = "" if parts.scheme == "file" and parts.netloc == "localhost" else parts.netloc.lower()
    if parts.scheme == "pvc" and not _CLAIM.fullmatch(parts.netloc):
        raise ValueError("names no PersistentVolumeClaim")
    return Place(parts.scheme, host, tuple(folders))


@dataclass(frozen=True)
class Rules:
    """`store` is the store's URI, `claim` the PersistentVolumeClaim that it lies on, if any.
    `allowed`: namespace -> rules; those of `*` hold for namespaces that have none."""

    store: str
    claim: str | None = None
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, namespace: str) -> tuple[str, ...] | None:
        """The rules of a namespace; None when the administrator has made none."""
        found = self.allowed.get(namespace, self.allowed.get("*"))
        if found is None:
            return None if not self.allowed else ()
        return tuple(rule.replace("{namespace}", namespace) for rule in found)

    def problem(self, uri: str, namespace: str, *, artifact: bool = False) -> str:
        """Why a namespace may not name `uri`, in a sentence; empty when it may. `artifact`: it is
        a model's, which lies in the store's folder for the namespace."""
        try:
            place = place_of(uri)
        except ValueError as error:
            return f"{redact(uri)} {error}"
        if place.scheme == "secret":
            return self._secret_problem(place, namespace)
        return self._place_problem(place, uri, namespace, artifact)

    def _rules(self, namespace: str) -> list[Place]:
        return [rule_of(rule) for rule in self.of(namespace) or ()]

    def _secret_problem(self, place: Place, namespace: str) -> str:
        if _OWN_SECRET.fullmatch(place.host):
            return f"secret://{place.host} is named like Pawl's own, which are not for trainers"
        if any(rule.covers(place) for rule in self._rules(namespace)):
            return ""
        return f"secret://{place.host} is not allowed in namespace {namespace}: no rule names it"

    def _place_problem(self, place: Place, uri: str, namespace: str, artifact: bool) -> str:
        rules = self.of(namespace)
        covering = [rule for rule in self._rules(namespace) if rule.covers(place)]
        why = self._reserved(place, namespace, artifact) or _own_machine(place)
        if why and not any(_says(rule, self._store_place) for rule in covering):
            return f"{redact(uri)} {why}"
        in_store = artifact and self._is_bundle(place, namespace)
        if in_store or covering:
            return ""
        if rules is None:
            if place.scheme == "file" and not self._store_place.covers(place):
                return f"{redact(uri)} is a file outside the artifact store"
            return ""
        told = ", ".join(rules) or "none"
        return f"{redact(uri)} is not allowed in namespace {namespace}; allowed are {told}"

    @property
    def _store_place(self) -> Place:
        return place_of(self.store)

    def _in_store(self, place: Place) -> tuple[str, ...] | None:
        """The folders below the store, up to the first pattern; None outside of it, () for all of
        it."""
        store = self._store_place
        if place.scheme == "pvc" and place.host == self.claim:
            place = Place(store.scheme, store.host, (*store.folders, *place.folders))
        literal: list[str] = []
        for folder in place.folders:
            if _GLOB & set(folder):
                break
            literal.append(folder)
        short = Place(place.scheme, place.host, tuple(literal))
        if short.covers(store):
            return ()
        return short.folders[len(store.folders) :] if store.covers(short) else None

    def _is_bundle(self, place: Place, namespace: str) -> bool:
        folders = self._in_store(place)
        return folders is not None and folders[:2] == ("bundles", namespace)

    def _reserved(self, place: Place, namespace: str, artifact: bool) -> str:
        folders = self._in_store(place)
        if folders is None:
            return ""
        if not folders:
            return "is the whole artifact store"
        if folders[0] not in RESERVED or (artifact and folders[:2] == ("bundles", namespace)):
            return ""
        return "is a folder that the artifact store keeps for Pawl, or for another namespace"


def rule_of(text: str) -> Place:
    """A rule as a place. ValueError when it is none."""
    scheme, separator, rest = text.partition("://")
    if scheme not in ("file", "s3", "http", "https", "pvc", "secret") or not separator:
        raise ValueError(
            "does not begin with file://, s3://, http://, https://, pvc:// or secret://"
        )
    if not rest:
        return Place(scheme, "", ())
    return place_of(text)


def _own_machine(place: Place) -> str:
    if place.scheme not in ("http", "https"):
        return ""
    host = _hostname(place)
    own = is_own(host) or host == "localhost" or host.endswith(".localhost")
    return "is at an address of the pod's own machine or its link" if own else ""


def _hostname(place: Place) -> str:
    return re.sub(r":[0-9]+$", "", place.host).strip("[]")


def _says(rule: Place, store: Place) -> bool:
    """A rule that says the very place: a host, and not merely the store or what is around it."""
    return bool(rule.host or rule.folders) and not rule.covers(store)


class Guard:
    """Which web servers a process may ask for a namespace, by its rules (None: none were made)."""

    def __init__(self, rules: Iterable[str] | None) -> None:
        self._rules = None if rules is None else tuple(map(rule_of, rules))
        web = [rule for rule in self._rules or () if rule.scheme in ("http", "https")]
        self._named = frozenset(_hostname(rule) for rule in web)

    @classmethod
    def of_process(cls) -> Guard:
        """As the operator told this pod."""
        told = os.environ.get(ENV_ALLOWED_URIS)
        return cls(None if told is None else json.loads(told))

    def check(self, uri: str) -> None:
        """NotAllowedError for a URI, the first or one that an answer leads to."""
        try:
            place = place_of(uri)
            why = _own_machine(place) if _hostname(place) not in self._named else ""
        except ValueError as error:
            raise NotAllowedError(f"{redact(uri)} {error}", reason=NOT_ALLOWED) from None
        if self._rules is not None and not any(rule.covers(place) for rule in self._rules):
            why = "is not allowed in this namespace"
        if why:
            raise NotAllowedError(f"{redact(uri)} {why}", reason=NOT_ALLOWED)

    def check_address(self, host: str, address: str) -> None:
        """NotAllowedError for what a host's name stands for."""
        if host not in self._named and is_own(address):
            text = f"{host} is at {address}, an address of the pod's own machine or its link"
            raise NotAllowedError(text, reason=NOT_ALLOWED)
