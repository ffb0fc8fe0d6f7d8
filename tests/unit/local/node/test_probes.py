import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pawl.local.node.checks import Outcome, Target, check
from pawl.local.node.probes import Schedule, verdicts

Obj = dict[str, Any]
HOST = "127.0.0.1"


class Answers:
    """An exec target that gives these answers in turn, the last one for ever."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, argv: list[str], limit: float) -> Outcome:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return Outcome(answer, "" if answer else "no")

    @property
    def target(self) -> Target:
        return Target(HOST, {}, self)


async def run(probe: Obj, answers: Answers, count: int, failures: list[str]) -> list[bool]:
    found: list[bool] = []
    async with asyncio.timeout(5):
        async for verdict in verdicts(probe, answers.target, eager=False, failed=failures.append):
            found.append(verdict)
            if len(found) == count:
                return found
    raise AssertionError("verdicts ended")


def exec_probe(**numbers: float) -> Obj:
    return {"exec": {"command": ["x"]}, "periodSeconds": 0.001, **numbers}


async def test_thresholds_count_in_a_row() -> None:
    answers, failures = Answers(False, False, True, False, False, False), []
    probe = exec_probe(failureThreshold=3, successThreshold=1)
    assert await run(probe, answers, 2, failures) == [True, False]
    assert failures == ["no"] * 5


async def test_a_success_threshold_is_waited_for() -> None:
    answers = Answers(True, False, True, True)
    assert await run(exec_probe(successThreshold=2), answers, 1, []) == [True]
    assert answers.asked == 4


def test_defaults_are_the_apis() -> None:
    assert Schedule.of({}) == Schedule(0, 10, 1, 1, 3)


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answers every request with the status of its path; `/hang` never, `/cut` by closing."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(head)
            path = head.split()[1].decode().strip("/")
            if path == "hang":
                await reader.read()
            elif path != "cut":
                writer.write(f"HTTP/1.1 {path} X\r\nContent-Length: 2\r\n\r\nhi".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as listening:
        yield listening.sockets[0].getsockname()[1], seen


@pytest.mark.parametrize(
    ("path", "success", "output"),
    [
        ("/200", True, ""),
        ("/302", True, ""),
        ("/404", False, "HTTP probe failed with statuscode: 404"),
        ("/503", False, "HTTP probe failed with statuscode: 503"),
        (
            "/hang",
            False,
            'Get "http://127.0.0.1:PORT/hang": context deadline exceeded '
            "(Client.Timeout exceeded while awaiting headers)",
        ),
        ("/cut", False, 'Get "http://127.0.0.1:PORT/cut": EOF'),
    ],
)
async def test_http(server: tuple[int, list[bytes]], path: str, success: bool, output: str) -> None:
    port, _ = server
    target = Target(HOST, {"web": port}, Answers(True))
    patience = 0.3 if path == "/hang" else 5.0
    outcome = await check({"httpGet": {"path": path, "port": "web"}}, target, patience, agent="a")
    assert outcome == Outcome(success, output.replace("PORT", str(port)))


async def test_http_headers_are_sent(server: tuple[int, list[bytes]]) -> None:
    port, seen = server
    headers = [{"name": "X-Probe", "value": "1"}]
    action = {"httpGet": {"path": "/200", "port": port, "httpHeaders": headers}}
    await check(action, Target(HOST, {}, Answers(True)), 1, agent="kube-probe/1.36")
    assert b"X-Probe: 1\r\n" in seen[0]
    assert b"User-Agent: kube-probe/1.36\r\n" in seen[0]


async def test_tcp(server: tuple[int, list[bytes]]) -> None:
    port, _ = server
    target = Target(HOST, {}, Answers(True))
    assert (await check({"tcpSocket": {"port": port}}, target, 1, agent="")).success


async def test_nobody_listens(unused_tcp_port: int) -> None:
    target = Target(HOST, {}, Answers(True))
    port = unused_tcp_port
    refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    tcp = await check({"tcpSocket": {"port": port}}, target, 1, agent="")
    http = await check({"httpGet": {"port": port}}, target, 1, agent="")
    assert tcp == Outcome(False, refused)
    assert http == Outcome(False, f'Get "http://127.0.0.1:{port}/": {refused}')


async def test_readiness_does_not_wait_for_its_period(
    server: tuple[int, list[bytes]],
) -> None:
    """The first tries fail, the period is a minute, and yet it is ready at once, unreported."""
    port, seen = server
    probe = {"httpGet": {"path": "/503", "port": port}, "periodSeconds": 60}
    failures: list[str] = []

    async def first() -> bool:
        async for verdict in verdicts(
            probe, Target(HOST, {}, Answers(True)), eager=True, failed=failures.append
        ):
            return verdict
        raise AssertionError("verdicts ended")

    waiting = asyncio.create_task(first())
    async with asyncio.timeout(5):
        while len(seen) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
    probe["httpGet"]["path"] = "/200"  # type: ignore[index]
    assert await asyncio.wait_for(waiting, 5)
    assert failures == []
