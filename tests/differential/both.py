"""The same request to two API servers, and what may not be compared of the answers.

`Both.send` sends, masks, compares, and gives the pair of answers, of which later requests can take
what each cluster made for itself (a resourceVersion, a uid, a continue token).

Masked: uids, times, resourceVersions, addresses of Services, lines of the server's code in
messages, objects that messages quote, and the descriptions of a table's columns. A uid or
resourceVersion of an object becomes a symbol by the order in which it is first seen, so that an
answer that should have changed one, or should not, differs.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client, config

JSON, MERGE, STRATEGIC, APPLY = (
    f"application/{kind}"
    for kind in (
        "json-patch+json",
        "merge-patch+json",
        "strategic-merge-patch+json",
        "apply-patch+yaml",
    )
)
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_AGE = re.compile(r"(<unknown>|\d+[smh](\d+s)?)")
# a version or a line of code in the middle of a sentence
# or what Go prints of an object, or of the difference of two
_OWN = re.compile(
    r"(?<=record \()\d+|pkg/[\w/]+\.go:\d+|(?<=Invalid value: )\"?\{.*\}\"?(?=:)|\n@@.*", re.DOTALL
)
_ADDRESSES = ("clusterIP", "clusterIPs")
LIMIT = 30.0
#: Known differences, which docs/local-cluster.md lists; a test of one fails, or the list is wrong.
WORDS = pytest.mark.xfail(strict=True, reason="words of a parser, and names of Go's types")
PROTOBUF = pytest.mark.xfail(strict=True, reason="protobuf is read and not written")
SCALE_TIME = pytest.mark.xfail(strict=True, reason="a scale keeps the times of managedFields")


@dataclass(frozen=True)
class Answer:
    """`body` is None where there is none, and text where it is not JSON."""

    status: int
    body: Any
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Each:
    """A value that is another one on each cluster; an item of it likewise."""

    values: tuple[Any, Any]

    def __getitem__(self, key: Any) -> Each:
        return Each((self.values[0][key], self.values[1][key]))


def resolved(value: Any, side: int) -> Any:
    """`value` with every `Each` in it replaced by that side's."""
    match value:
        case Each():
            return value.values[side]
        case Mapping():
            return {key: resolved(item, side) for key, item in value.items()}
        case list() | tuple():
            return [resolved(item, side) for item in value]
    return value


class Cluster:
    """One of the two."""

    def __init__(self, kubeconfig: Path) -> None:
        found = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=found)
        context = ssl.create_default_context(cafile=found.ssl_ca_cert)
        if found.cert_file:
            context.load_cert_chain(found.cert_file, found.key_file)
        bearer = found.api_key.get("BearerToken")
        headers = {"Authorization": bearer} if bearer else {}
        self.http = httpx.Client(
            base_url=found.host, verify=context, headers=headers, timeout=LIMIT, trust_env=False
        )

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Any,
        headers: Mapping[str, str],
    ) -> Answer:
        content = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        got = self.http.request(
            method, path, params=dict(query), content=content, headers=dict(headers)
        )
        return Answer(got.status_code, _parsed(got), tuple(got.headers.get_list("warning")))

    def events(
        self, path: str, query: Mapping[str, Any], until: Callable[[Any], bool]
    ) -> list[Any]:
        """What a watch tells up to and with the first event for which `until` holds, or its end."""
        seen: list[Any] = []
        with self.http.stream("GET", path, params={**query, "watch": "true"}) as got:
            if got.status_code != 200:
                got.read()
                return [_parsed(got)]
            for line in got.iter_lines():
                seen.append(json.loads(line))
                if until(seen[-1]):
                    break
        return seen


def _parsed(got: httpx.Response) -> Any:
    if not got.content:
        return None
    kind = got.headers.get("content-type", "").partition(";")[0]
    return json.loads(got.content) if kind == "application/json" else got.text


@dataclass
class Mask:
    """Of one cluster. Its symbols last as long as a test."""

    namespace: str
    symbols: dict[str, dict[str, str]] = field(default_factory=dict)

    def __call__(self, value: Any, key: str = "") -> Any:
        match value:
            case _ if key in _ADDRESSES and value != "None" and value != ["None"]:
                return "ADDRESS"
            case {"name": str(), "type": str(), "format": str(), "priority": int()}:  # a column
                return {**value, "description": ""}
            case {"reason": "Invalid", "details": {"causes": [_, _, *_]}}:
                # several errors come in no order; what the message says is in the causes
                return self._object({**value, "message": value["message"].partition("[")[0]})
            case dict():
                return self._object(value)
            case list() if key in ("managedFields", "causes"):  # ordered by time, or not at all
                return sorted(
                    (self(item) for item in value),
                    key=lambda item: json.dumps(item, sort_keys=True),
                )
            case list() if key == "cells":
                return [_AGE.sub("AGE", x) if isinstance(x, str) else x for x in map(self, value)]
            case list():
                return [self(item, key) for item in value]
            case str() if key in ("uid", "resourceVersion"):
                return self._symbol(value, key)
            case str() if key == "continue":
                return "CONTINUE"
            case str():
                return _OWN.sub("", _TIME.sub("TIME", _UID.sub("UID", value)))
        return value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        """In one order on both sides, for the symbols."""
        return {_UID.sub("UID", key): self(item, key) for key, item in sorted(value.items())}

    def _symbol(self, value: str, kind: str) -> str:
        known = self.symbols.setdefault(kind, {})
        return known.setdefault(value, f"{kind}-{len(known)}")


class Both:
    """Two clusters, and a namespace of the same name on each of them."""

    def __init__(self, clusters: tuple[Cluster, Cluster], namespace: str) -> None:
        self.clusters = clusters
        self.namespace = namespace
        self._masks = Mask(namespace), Mask(namespace)

    def send(
        self, method: str, path: str, body: Any = None, /, *, accept: str = "application/json",
        content: str = "application/json", drop: tuple[str, ...] = (), user: str = "",
        **query: Any,
    ) -> Each:  # fmt: skip
        """`path` is absolute, or `RESOURCE[/NAME[/SUBRESOURCE]]` of the namespace: core, else
        `GROUP/VERSION/RESOURCE…`. `drop` are top-level parts of the answers not to compare;
        `user` is who asks, else the administrator."""
        answers = self._answers(method, self.path(path), body, accept, content, query, user)
        self._compare(f"{method} {path}", answers, drop)
        return Each((answers[0].body, answers[1].body))

    def get(self, path: str, /, **options: Any) -> Each:
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any, /, **options: Any) -> Each:
        return self.send("POST", path, body, **options)

    def put(self, path: str, body: Any, /, **options: Any) -> Each:
        return self.send("PUT", path, body, **options)

    def patch(self, path: str, content: str, body: Any, /, **options: Any) -> Each:
        return self.send("PATCH", path, body, content=content, **options)

    def delete(self, path: str, body: Any = None, /, **options: Any) -> Each:
        return self.send("DELETE", path, body, **options)

    def eventually(self, path: str, status: int, /) -> Each:
        """GET once both answer with `status`: what controllers do takes its time."""
        self.wait(path, status)
        return self.get(path)

    def until(self, holds: Callable[[tuple[Answer, Answer]], bool], method: str, path: str,
              body: Any = None, /, *, user: str = "", **query: Any) -> None:  # fmt: skip
        """Sends until something holds of both answers, whatever else they say."""
        deadline = time.monotonic() + LIMIT
        while True:
            answers = self._answers(
                method, self.path(path), body, "application/json", "application/json", query, user
            )
            if holds(answers):
                return
            assert time.monotonic() < deadline, f"{path}: {answers}"
            time.sleep(0.05)

    def wait(self, path: str, status: int, /) -> None:
        """Until both answer a GET with `status`, whatever else they say."""
        self.until(lambda got: all(answer.status == status for answer in got), "GET", path)

    def watch(
        self, path: str, until: Callable[[Any], bool], /, *, ordered: bool = True, **query: Any
    ) -> Each:
        """The events of both (bookmarks left out). `ordered`: as they came, else by name."""
        events = [
            cluster.events(self.path(path), resolved(query, side), until)
            for side, cluster in enumerate(self.clusters)
        ]
        changes = [[e for e in seen if e.get("type") != "BOOKMARK"] for seen in events]
        if not ordered:
            for seen in changes:
                seen.sort(key=lambda event: str(event["object"]["metadata"].get("name")))
        ours, others = (mask(seen) for mask, seen in zip(self._masks, changes, strict=True))
        told(f"WATCH {path}", ours, others)
        return Each((events[0], events[1]))

    def path(self, path: str) -> str:
        if path.startswith("/"):
            return path
        parts = path.split("/")
        group = next((i for i, part in enumerate(parts) if re.fullmatch(r"v\d\w*", part)), None)
        if group is None:
            return f"/api/v1/namespaces/{self.namespace}/{path}"
        head, tail = "/".join(parts[: group + 1]), "/".join(parts[group + 1 :])
        return f"/apis/{head}/namespaces/{self.namespace}/{tail}"

    def _answers(
        self, method: str, path: str, body: Any, accept: str, content: str,
        query: Mapping[str, Any], user: str = "",
    ) -> tuple[Answer, Answer]:  # fmt: skip
        headers = {"Accept": accept} | ({"Content-Type": content} if body is not None else {})
        headers |= {"Impersonate-User": user} if user else {}

        def asked(side: int) -> Answer:
            asked = resolved(body, side), resolved(query, side)
            return self.clusters[side].send(method, path, asked[1], asked[0], headers)

        return asked(0), asked(1)

    def _compare(self, what: str, answers: tuple[Answer, Answer], drop: tuple[str, ...]) -> None:
        ours, others = (
            {
                "status": answer.status,
                "warnings": answer.warnings,
                "body": mask(_without(answer.body, drop)),
            }
            for mask, answer in zip(self._masks, answers, strict=True)
        )
        told(what, ours, others)


def _without(body: Any, drop: tuple[str, ...]) -> Any:
    if not isinstance(body, dict):
        return body
    return {key: value for key, value in body.items() if key not in drop}


def told(what: str, ours: Any, others: Any) -> None:
    """Fails with one line for each place that is not the same."""
    __tracebackhide__ = True
    if found := [*differences(ours, others)]:
        pytest.fail("\n".join([what, *found]))


def differences(ours: Any, others: Any, at: str = "") -> Iterator[str]:
    """One line for each place that is not the same."""
    if isinstance(ours, dict) and isinstance(others, dict):
        for key in sorted(ours.keys() | others.keys()):
            yield from differences(ours.get(key), others.get(key), f"{at}.{key}")
    elif isinstance(ours, list) and isinstance(others, list) and len(ours) == len(others):
        for number, pair in enumerate(zip(ours, others, strict=True)):
            yield from differences(*pair, f"{at}[{number}]")
    elif ours != others:
        yield f"{at}: {ours!r} | {others!r}"
