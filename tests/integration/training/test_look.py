"""The stage `digest` tells what `prepare` would find, and leaves nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from pawl.artifacts.runs import Seen, Termination
from pawl.constants import EXIT_USER_ERROR
from pawl.training import look


class Web(ThreadingHTTPServer):
    """A web server with one file, and what it was asked."""

    daemon_threads = True
    content = b"n,y\n1,a\n2,b\n"
    tag = '"one"'
    asked: list[str]

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/rows.csv"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Web)
        self.server.asked.append(self.command)
        self.send_response(200)
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.server.content)

    do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: object) -> None:
        """Not needed."""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with Web(("127.0.0.1", 0), _Handler) as server:
        server.asked = []
        monkeypatch.setenv("PAWL_NAMESPACE_URIS", json.dumps([server.uri]))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def looks(pod: Any, spec: dict[str, Any], uid: str, before: Termination | None = None) -> Any:
    """A look, told what the one before it has found: its last words."""
    env = {}
    if before is not None and before.digest and before.validator:
        seen = Seen(digest=before.digest, validator=before.validator)
        env = {"PAWL_SEEN": seen.model_dump_json(by_alias=True)}
    looking = pod(spec, uid=uid, env=env)
    looking.stage("digest")
    return looking.termination


def test_it_tells_the_digest_of_the_data(recipe: dict[str, Any], pod: Any) -> None:
    trained = pod(recipe).all()
    looking = pod(recipe, uid="look")
    looking.stage("digest")
    assert looking.termination.stage == "digest"
    assert looking.termination.digest == trained.lineage.data.digest
    assert [path.name for path in looking.work.iterdir()] == []


def test_data_that_are_not_there_are_told(recipe: dict[str, Any], pod: Any) -> None:
    gone = {**recipe, "data": {**recipe["data"], "uri": recipe["data"]["uri"] + ".gone.csv"}}
    looking = pod(gone)
    looking.stage("digest", expect=EXIT_USER_ERROR)
    assert looking.termination.reason == "DataNotFound"


def test_files_that_are_as_they_were_are_not_read(
    recipe: dict[str, Any], pod: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "time", SimpleNamespace(time=lambda: 1e10))  # no file is young
    first = looks(pod, recipe, "first")
    monkeypatch.setattr(look, "collect", lambda *_: pytest.fail("it read them"))
    assert looks(pod, recipe, "second", first).digest == first.digest
    joined = [{"name": "more", "uri": recipe["data"]["uri"], "key": ["patient_id"]}]
    other = {**recipe, "data": {**recipe["data"], "sources": joined}}
    with pytest.raises(pytest.fail.Exception):
        looks(pod, other, "another recipe", first)


def test_a_web_server_is_asked_for_the_tag_before_the_file(
    recipe: dict[str, Any], pod: Any, web: Web
) -> None:
    spec = {**recipe, "data": {"uri": web.uri, "task": "binary", "target": "y"}}
    first = looks(pod, spec, "first")
    web.asked.clear()
    assert looks(pod, spec, "the same", first).digest == first.digest
    assert web.asked == ["HEAD"]
    web.tag = '"two"'
    again = looks(pod, spec, "written again", first)
    assert (again.digest, again.validator != first.validator) == (first.digest, True)
    web.content, web.tag = b"n,y\n1,a\n3,b\n", '"three"'
    file = sha256(web.content).hexdigest()
    assert looks(pod, spec, "other", again).digest == "sha256:" + sha256(file.encode()).hexdigest()


@pytest.mark.parametrize("tag", [pytest.param("", id="none"), pytest.param('W/"one"', id="weak")])
def test_a_web_server_without_strong_tags_is_read(
    recipe: dict[str, Any], pod: Any, web: Web, tag: str
) -> None:
    web.tag = tag
    spec = {**recipe, "data": {"uri": web.uri, "task": "binary", "target": "y"}}
    first = looks(pod, spec, "first")
    assert (first.digest is not None, first.validator) == (True, None)
    assert "GET" in web.asked
