"""Web servers lead elsewhere: only to where the namespace may go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pawl.artifacts.retry import Retry
from pawl.artifacts.store import open_store
from pawl.artifacts.uris import Guard
from pawl.errors import NotAllowedError
from pawl.training.source import collect

NO_WAIT = Retry(attempts=1)


class Leading(ThreadingHTTPServer):
    """Leads from /x.csv to `target`, and counts what is asked elsewhere."""

    daemon_threads = True
    target = ""
    asked = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Leading)
        if self.path == "/x.csv":
            self.send_response(302)
            self.send_header("Location", self.server.target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"a\n1\n")

    do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: object) -> None:
        """Not needed."""


@pytest.fixture
def leading() -> Iterator[Leading]:
    with Leading(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("http://169.254.169.254/latest/meta-data/iam", id="metadata"),
        pytest.param("http://localhost:{port}/secret", id="another name"),
        pytest.param("//127.0.0.2:{port}/secret", id="another address"),
        pytest.param("/secret/../../x", id="up"),
        pytest.param("/elsewhere/secret", id="a folder that is not allowed"),
        pytest.param("ftp://127.0.0.1/secret", id="another scheme"),
    ],
)
def test_what_an_answer_leads_to_is_checked(leading: Leading, target: str, tmp_path: Path):
    leading.target = target.format(port=leading.server_port)
    guard = Guard([f"{leading.address}/x.csv", f"{leading.address}/data/"])
    with (
        open_store(leading.address, retry=NO_WAIT, guard=guard) as store,
        pytest.raises(NotAllowedError),
    ):
        store.get("x.csv", max_bytes=99)
    assert leading.asked == 0


def test_where_it_may_go_it_is_led(leading: Leading):
    leading.target = "/data/y.csv"
    guard = Guard([f"{leading.address}/"])
    with open_store(leading.address, retry=NO_WAIT, guard=guard) as store:
        assert store.get("x.csv", max_bytes=99) == b"a\n1\n"


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1"])
def test_no_name_for_ones_own_machine_is_asked(leading: Leading, host: str, tmp_path: Path):
    """Data of a training pod that has no rules."""
    with pytest.raises(NotAllowedError, match=r"own machine|a number"):
        collect(f"http://{host}:{leading.server_port}/y.csv", "auto", tmp_path, retry=NO_WAIT)
    assert leading.asked == 0
