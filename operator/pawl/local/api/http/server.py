"""The HTTPS server: authentication, routing, errors as metav1.Status.

server = Server(registry, token)
await server.start("127.0.0.1", 0)     # then server.url, server.ca
await server.stop()
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import platform
import socket
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from pathlib import Path

import orjson
from aiohttp import web

from pawl.local.api import errors
from pawl.local.api.http import body, custommetrics, negotiation, paths, rendering, reviews, tls
from pawl.local.api.http.access import (
    OperatorAccess,
    bearer,
    impersonated,
    questions,
    require,
)
from pawl.local.api.http.discovery import REVIEWS, Discovery
from pawl.local.api.http.documents import OpenApi
from pawl.local.api.http.objects import Objects
from pawl.local.api.http.options import USER, flag
from pawl.local.api.http.paths import Target
from pawl.local.api.http.subresources import Subresources
from pawl.local.api.http.watching import BOOKMARK_SECONDS, Watching
from pawl.local.api.podlogs import PodBackend
from pawl.local.api.registry import Registry
from pawl.local.api.users import ADMIN, ANONYMOUS, OPERATOR, User
from pawl.local.schema.cel.authz import Question

log = logging.getLogger(__name__)

VERSION = "v1.36.0+pawl"
Serve = Callable[[web.BaseRequest, Target], Awaitable[web.StreamResponse]]
_PUBLIC = frozenset({"/healthz", "/livez", "/readyz", "/version", "/version/"})
_HEALTH = ("/healthz", "/livez", "/readyz")
_METRICS = f"/apis/{custommetrics.GROUP}/{custommetrics.VERSION}/"
_OPENAPI_PROTOBUF = "application/com.github.proto-openapi"


class Server:
    def __init__(
        self,
        registry: Registry,
        token: str,
        *,
        backend: PodBackend | None = None,
        operator: OperatorAccess | None = None,
        pod_metric: custommetrics.PodMetric | None = None,
        bookmark_seconds: float = BOOKMARK_SECONDS,
    ) -> None:
        self._registry = registry
        self._token = token
        self._operator = operator
        self._objects = Objects(registry)
        self._watching = Watching(registry, bookmark_seconds)
        self._subresources = Subresources(registry, backend, token)
        self._verbs: dict[str, Serve] = {
            "get": self._objects.get,
            "list": self._objects.list_,
            "create": self._objects.create,
            "update": self._objects.update,
            "patch": self._objects.patch,
            "delete": self._objects.delete,
            "deletecollection": self._objects.delete_collection,
        }
        self._subresources_verbs: dict[tuple[str, str], Serve] = {
            ("log", "get"): self._subresources.log,
            ("binding", "create"): self._subresources.bind,
            ("eviction", "create"): self._subresources.evict,
            ("token", "create"): self._subresources.token,
            **{("scale", verb): self._subresources.scale for verb in ("get", "update", "patch")},
            **{("status", verb): self._verbs[verb] for verb in ("get", "update", "patch")},
            **{("finalize", verb): self._verbs[verb] for verb in ("update", "patch")},
        }
        self._pod_metric = pod_metric
        self._discovery = Discovery(registry.catalog, pod_metric.name if pod_metric else "")
        self._openapi = OpenApi(registry.catalog, VERSION)
        self._runner: web.ServerRunner | None = None
        self.url = ""
        self.ca = b""

    async def start(self, host: str, ports: int | Iterable[int] = 0) -> None:
        """Listen on the first port that is free. OSError when none is."""
        bound = _listen(host, [ports] if isinstance(ports, int) else ports)
        certificate = tls.self_signed(dict.fromkeys([host, "127.0.0.1", "localhost"]))
        self.ca = certificate.certificate
        context = _ssl_context(certificate)
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.SockSite(self._runner, bound, ssl_context=context, backlog=512).start()
        self.url = f"https://{host}:{bound.getsockname()[1]}"

    async def stop(self) -> None:
        """Close; requests and watches that are open end."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._route(request)
        except errors.ApiError as error:
            return failure(error)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            log.exception("%s %s", request.method, request.path)
            return failure(errors.internal(f"{type(error).__name__}: {error}"))

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        user = self._user(request)
        request[USER] = user
        at = paths.target(request.rel_url.raw_path, self._registry.catalog)
        if at is not None:
            return await self._resource(request, at, user)
        self._subresources.refuse_stream(path)
        review = reviews.kind_at(path)
        if review is None or user == OPERATOR:
            self._check_path(request, user)
        if review is not None and request.method == "POST":
            sent, _ = await body.decoded(request, review[2], strict=False)
            answered = reviews.answer(*review, sent, self._token, user, self._registry.rights)
            return rendering.response(orjson.dumps(answered), code=201)
        if request.method not in ("GET", "HEAD"):
            if self._served(path):
                raise errors.method_not_allowed()
            if path.startswith("/apis/"):
                return web.Response(text="404 page not found\n", status=404)
            raise errors.no_such_path()
        if self._pod_metric and user != OPERATOR and path.startswith(_METRICS):
            found = custommetrics.answer(
                self._pod_metric, self._registry, request.rel_url.raw_path, request.query
            )
            return rendering.response(orjson.dumps(found))
        return self._document(request, path)

    def _served(self, path: str) -> bool:
        return path in _PUBLIC or self._discovery.document(path.rstrip("/")) is not None

    def _user(self, request: web.BaseRequest) -> User:
        """Who asks. ApiError 401, 403."""
        token = bearer(request)
        if self._operator and self._operator.is_from(token):
            return impersonated(OPERATOR, request)
        if hmac.compare_digest(token, self._token.encode()):
            return impersonated(ADMIN, request)
        if request.path in _PUBLIC:
            return ANONYMOUS
        raise errors.unauthorized()

    def _check_path(self, request: web.BaseRequest, user: User) -> None:
        """Documents are for everybody who is known (system:discovery)."""
        asked = Question(request.method.lower(), path=request.path)
        if request.method not in ("GET", "HEAD") and not (
            self._registry.rights.decide(user, asked).allowed
        ):
            why = f'User "{user.name}" cannot {asked.verb} path "{request.path}"'
            raise errors.forbidden("", "", "", why)

    async def _resource(
        self, request: web.BaseRequest, at: Target, user: User
    ) -> web.StreamResponse:
        verb = paths.verb(request.method, at)
        if user == OPERATOR and self._operator is not None:
            self._operator.check(request, at, verb, self._registry.store)
        elif user != ADMIN:
            require(self._registry.rights, user, questions(request, at, verb, self._registry.store))
        if at.subresource:
            return await self._subresource(request, at, verb)
        if at.watched or (verb == "list" and flag(request.query, "watch")):
            return await self._watching.serve(request, at)
        return await self._verbs[verb](request, at)

    async def _subresource(
        self, request: web.BaseRequest, at: Target, verb: str
    ) -> web.StreamResponse:
        serve = self._subresources_verbs.get((at.subresource, verb))
        if serve is None:
            raise errors.method_not_allowed()
        return await serve(request, at)

    def _document(self, request: web.BaseRequest, path: str) -> web.Response:
        path = path.rstrip("/") or "/"
        if path.startswith(_HEALTH):
            return web.Response(text="ok")
        if path == "/version":
            return rendering.response(orjson.dumps(version_info(), option=orjson.OPT_INDENT_2))
        accept = request.headers.get("Accept", "")
        if path.startswith("/openapi/"):
            return self._openapi_document(accept, path)
        if path == "/":
            return rendering.response(orjson.dumps({"paths": self._paths()}))
        return self._discovered(request, path, accept)

    def _discovered(self, request: web.BaseRequest, path: str, accept: str) -> web.Response:
        wanted = negotiation.aggregated(accept) if path in ("/api", "/apis") else ""
        document = self._discovery.document(path, wanted)
        if document is None:
            if path.startswith("/api/"):
                raise errors.no_such_path()
            return web.Response(text="404 page not found\n", status=404)
        etag = self._discovery.etag(document)
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        answer = rendering.response(document)
        answer.headers["ETag"] = etag
        answer.headers["Vary"] = "Accept"
        if wanted:
            kind = f"g=apidiscovery.k8s.io;v={wanted};as=APIGroupDiscoveryList"
            answer.headers["Content-Type"] = f"application/json;{kind}"
        return answer

    def _openapi_document(self, accept: str, path: str) -> web.Response:
        offered = [clause.split(";")[0].strip() for clause in accept.split(",")]
        if accept and all(one.startswith(_OPENAPI_PROTOBUF) for one in offered):
            if path != "/openapi/v2":
                raise errors.not_acceptable(["application/json"])
            kind = f"{_OPENAPI_PROTOBUF}.spec.v2.v1.0+protobuf"
            return web.Response(body=self._openapi.protobuf(), headers={"Content-Type": kind})
        document = self._openapi.document(path.rstrip("/"))
        if document is None:
            return web.Response(text="404 page not found\n", status=404)
        return rendering.response(document)

    def _paths(self) -> list[str]:
        groups = {(r.group, r.version) for r in self._registry.catalog if r.group} | set(REVIEWS)
        if self._pod_metric:
            groups.add((custommetrics.GROUP, custommetrics.VERSION))
        versions = {f"/apis/{group}/{version}" for group, version in groups}
        found = {"/api", "/api/v1", "/apis", *versions, *(f"/apis/{group}" for group, _ in groups)}
        return sorted({*found, *_HEALTH, "/openapi/v2", "/openapi/v3", "/version"})


def failure(error: errors.ApiError) -> web.Response:
    answer = rendering.response(orjson.dumps(error.status()), code=error.code)
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        answer.headers["Retry-After"] = str(seconds)
    if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        answer.force_close()  # what is left of the body is not read
    return answer


def version_info() -> dict[str, str]:
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "platform": f"linux/{machine}",
    }


def _listen(host: str, ports: Iterable[int]) -> socket.socket:
    failed: OSError | None = None
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            listener.close()
            failed = error
        else:
            listener.setblocking(False)
            return listener
    raise failed or OSError("no port was given")


def _ssl_context(certificate: tls.Certificate) -> ssl.SSLContext:
    """The key passes through a file that only we can read, and that is gone at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    handle, name = tempfile.mkstemp(prefix="pawl-")
    try:
        os.write(handle, certificate.key + certificate.certificate)
        context.load_cert_chain(name)
    finally:
        os.close(handle)
        Path(name).unlink()
    return context
