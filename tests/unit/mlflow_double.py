"""An MLflow server on this machine, as far as the operator uses one: what it stores can be looked
at, and it can be made to fail. A real one answers the same (tests/integration/tracking)."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]
_API = "/api/2.0/mlflow/"
_FILES = "/api/2.0/mlflow-artifacts/artifacts/"
_FILTER = re.compile(
    r"(?:name = '(?P<name>[^']*)' and )?tags\.`(?P<tag>[^`]*)` = '(?P<value>[^']*)'"
)


class RefusalError(Exception):
    """An answer with an error_code."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class MlflowDouble(ThreadingHTTPServer):
    """`asked` are the requests, with their Authorization; while `down` is set all get a 503."""

    daemon_threads = True

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.experiments: dict[str, str] = {}
        self.stored: dict[str, Json] = {}
        self.models: dict[str, list[Json]] = {}
        self.aliases: dict[tuple[str, str], str] = {}
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.down = False
        self._ids = itertools.count(1)
        self.lock = threading.Lock()

    @property
    def uri(self) -> str:
        host, port, *_ = self.server_address
        return f"http://{host!s}:{port}"

    def runs(self) -> list[Json]:
        """By name, with tags, params and metrics as maps; parents only."""
        return [run for run in self.stored.values() if "mlflow.parentRunId" not in run["tags"]]

    def nested(self, run: str) -> list[Json]:
        return [r for r in self.stored.values() if r["tags"].get("mlflow.parentRunId") == run]

    def answer(self, method: str, what: str, body: Json) -> Json:
        name = f"{method} {what}"
        match name:
            case "GET experiments/get-by-name":
                return self._experiment(body["experiment_name"])
            case "POST experiments/create":
                self.experiments[body["name"]] = str(next(self._ids))
                return {"experiment_id": self.experiments[body["name"]]}
            case "POST runs/search":
                return self._search(body)
            case "POST runs/create":
                return self._create(body)
            case "POST runs/log-batch":
                return self._log(body)
            case "GET artifacts/list":
                root = self.stored[body["run_id"]]["artifact_uri"].partition("/")[2] + "/"
                names = [name.removeprefix(root) for name in self.files if name.startswith(root)]
                return {"files": [{"path": name} for name in sorted(names)]}
            case "POST runs/update":
                run = self.stored[body["run_id"]]
                run |= {"status": body["status"], "end_time": body["end_time"]}
                return {"run_info": {}}
            case _:
                return self._registry(name, body)

    def _registry(self, name: str, body: Json) -> Json:
        match name:
            case "POST registered-models/create":
                if body["name"] in self.models:
                    raise RefusalError("RESOURCE_ALREADY_EXISTS")
                self.models[body["name"]] = []
                return {"registered_model": {"name": body["name"]}}
            case "GET model-versions/search":
                found = _FILTER.fullmatch(body["filter"])
                assert found is not None, body
                versions = self.models.get(found["name"], [])
                hits = [v for v in versions if v["tags"].get(found["tag"]) == found["value"]]
                return {"model_versions": hits} if hits else {}
            case "POST model-versions/create":
                versions = self.models[body["name"]]
                made = {**body, "version": str(len(versions) + 1), "tags": _map(body["tags"])}
                versions.append(made)
                return {"model_version": made}
            case "GET registered-models/alias":
                return self._alias(body)
            case "POST registered-models/alias":
                self.aliases[(body["name"], body["alias"])] = body["version"]
                return {}
            case "DELETE registered-models/alias":
                self.aliases.pop((body["name"], body["alias"]), None)
                return {}
        raise RefusalError("ENDPOINT_NOT_FOUND", 404)

    def _experiment(self, name: str) -> Json:
        if name not in self.experiments:
            raise RefusalError("RESOURCE_DOES_NOT_EXIST", 404)
        return {"experiment": {"experiment_id": self.experiments[name], "name": name}}

    def _alias(self, body: Json) -> Json:
        if body["name"] not in self.models:
            raise RefusalError("RESOURCE_DOES_NOT_EXIST", 404)
        if (body["name"], body["alias"]) not in self.aliases:
            raise RefusalError("INVALID_PARAMETER_VALUE")
        return {"model_version": {"version": self.aliases[(body["name"], body["alias"])]}}

    def _create(self, body: Json) -> Json:
        id_ = f"{next(self._ids):032x}"
        run = {
            "run_id": id_,
            "name": body["run_name"],
            "experiment": body["experiment_id"],
            "status": "RUNNING",
            "artifact_uri": f"mlflow-artifacts:/{body['experiment_id']}/{id_}/artifacts",
            "start_time": body["start_time"],
            "tags": _map(body["tags"]),
            "params": {},
            "metrics": {},
        }
        self.stored[id_] = run
        return {"run": _told(run)}

    def _log(self, body: Json) -> Json:
        run = self.stored[body["run_id"]]
        for key, value in _map(body["params"]).items():
            if run["params"].setdefault(key, value) != value:
                raise RefusalError("INVALID_PARAMETER_VALUE")
        run["metrics"] |= _map(body["metrics"])
        run["tags"] |= _map(body["tags"])
        return {}

    def _search(self, body: Json) -> Json:
        found = _FILTER.fullmatch(body["filter"])
        assert found is not None, body
        hits = [
            run
            for run in self.stored.values()
            if run["experiment"] in body["experiment_ids"]
            and run["tags"].get(found["tag"]) == found["value"]
        ]
        at = int(body.get("page_token") or 0)
        end = at + body["max_results"]
        more = {"next_page_token": str(end)} if end < len(hits) else {}
        return {"runs": [_told(run) for run in hits[at:end]], **more}


class _Handler(BaseHTTPRequestHandler):
    server: MlflowDouble

    def _do(self) -> None:
        path = urlsplit(self.path)
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.lock:
            self.server.asked.append(
                (f"{self.command} {path.path}", self.headers.get("authorization"))
            )
            try:
                self._send(200, self._answer(path.path, path.query, data))
            except RefusalError as refusal:
                self._send(refusal.status, {"error_code": refusal.code, "message": "told so"})

    def _answer(self, path: str, query: str, data: bytes) -> Json:
        if self.server.down:
            raise RefusalError("TEMPORARILY_UNAVAILABLE", 503)
        if path.startswith(_FILES):
            self.server.files[path.removeprefix(_FILES)] = data
            return {}
        body = dict(parse_qsl(query)) if query else json.loads(data or b"{}")
        return self.server.answer(self.command, path.removeprefix(_API), body)

    def _send(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - names of http.server

    def log_message(self, *_: Any) -> None:
        return None


def _map(pairs: list[Json]) -> Json:
    return {pair["key"]: pair["value"] for pair in pairs}


def _told(run: Json) -> Json:
    info = {key: run[key] for key in ("run_id", "status", "artifact_uri", "start_time")}
    data = {
        kind: [{"key": key, "value": value} for key, value in run[kind].items()]
        for kind in ("tags", "params", "metrics")
    }
    return {"info": {**info, "lifecycle_stage": "active"}, "data": data}


@contextmanager
def mlflow_double(host: str = "127.0.0.1") -> Iterator[MlflowDouble]:
    """It listens in the block."""
    with MlflowDouble(host) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
