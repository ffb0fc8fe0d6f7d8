"""Probes, hooks and the end of a pod."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

Obj = dict[str, Any]

# Answers 200 while the file `ok` is in its directory, else 503; says when it is told to stop.
SERVER = """
import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists('ok') else 503)
        self.end_headers()

def stop(*_):
    print('stopping', flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
print('started', flush=True)
http.server.HTTPServer((os.environ['BIND_ADDRESS'], 8080), Handler).serve_forever()
"""


def server(tmp_path: Path, **container: Any) -> Obj:
    """A pod whose server looks for `ok` in `tmp_path`."""
    return {
        "terminationGracePeriodSeconds": 5,
        "volumes": [{"name": "v", "hostPath": {"path": str(tmp_path)}}],
        "containers": [
            {
                "name": "c",
                "image": "python:3",
                "command": ["python", "-c", SERVER],
                "workingDir": "/v",
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                "ports": [{"name": "web", "containerPort": 8080}],
                **container,
            }
        ],
    }


PROBE = {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1}


async def test_readiness_decides_when_a_pod_is_ready(pods: Any, words: Any, tmp_path: Path) -> None:
    pods.create(server(tmp_path, readinessProbe={**PROBE, "failureThreshold": 1}))
    message = await pods.event("Unhealthy")
    assert message.startswith("Readiness probe failed: ")
    assert words.container(pods.get())["ready"] is False
    (tmp_path / "ok").touch()
    await pods.ready()
    (tmp_path / "ok").unlink()
    await pods.until(lambda pod: not words.container(pod)["ready"])
    assert words.container(pods.get())["restartCount"] == 0


async def test_a_ready_server_is_ready_at_once(pods: Any, tmp_path: Path) -> None:
    """A kubelet's default period is 10 s; nobody waits for it here."""
    (tmp_path / "ok").touch()
    begun = time.monotonic()
    pods.create(server(tmp_path, readinessProbe={"httpGet": {"port": "web"}}))
    await pods.ready()
    assert time.monotonic() - begun < 8


async def test_liveness_restarts_a_container(pods: Any, words: Any, tmp_path: Path) -> None:
    (tmp_path / "ok").touch()
    probes = {
        "startupProbe": {**PROBE, "failureThreshold": 100},
        "livenessProbe": {**PROBE, "failureThreshold": 1},
    }
    pods.create(server(tmp_path, **probes))
    await pods.ready()
    (tmp_path / "ok").unlink()
    pod = await pods.until(lambda pod: words.container(pod)["restartCount"] == 1)
    assert words.container(pod)["lastState"]["terminated"]["exitCode"] == 0
    messages = [message for _, _, message in pods.events()]
    assert "Liveness probe failed: HTTP probe failed with statuscode: 503" in messages
    assert "Container c failed liveness probe, will be restarted" in messages


async def test_a_startup_probe_holds_the_others_back(pods: Any, words: Any, tmp_path: Path) -> None:
    probes = {
        "startupProbe": {**PROBE, "failureThreshold": 100},
        "livenessProbe": {**PROBE, "failureThreshold": 1},
    }
    pods.create(server(tmp_path, **probes))
    assert (await pods.event("Unhealthy")).startswith("Startup probe failed: ")
    assert words.container(pods.get())["started"] is False
    (tmp_path / "ok").touch()
    await pods.ready()
    assert words.container(pods.get())["restartCount"] == 0


async def test_an_exec_probe_runs_in_the_container(pods: Any, words: Any) -> None:
    probe = {"exec": {"command": ["test", "-e", "/v/ok"]}, "periodSeconds": 1}
    mounts = [{"name": "v", "mountPath": "/v"}]
    script = "sleep 0.3; touch /v/ok; sleep 600"
    pods.create(
        {
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [words.sh(script, volumeMounts=mounts, readinessProbe=probe)],
        }
    )
    await pods.ready()


async def test_a_deleted_pod_stops_gracefully(pods: Any, words: Any, tmp_path: Path) -> None:
    (tmp_path / "ok").touch()
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /v/hook"]}}}
    pods.create(server(tmp_path, readinessProbe=PROBE, lifecycle=hook))
    await pods.ready()
    following = asyncio.create_task(pods.logs(follow=True))
    await asyncio.sleep(0)
    watch = pods.registry.watch("pods")
    pods.delete()
    await pods.gone()
    assert "stopping" in await following
    last = None
    while (event := await anext(watch)).type != "DELETED":
        last = event.object
    watch.close()
    assert words.container(last)["state"]["terminated"]["exitCode"] == 0
    assert (tmp_path / "hook").read_text() == "hook\n"
    assert ("Normal", "Killing", "Stopping container c") in pods.events()


@pytest.mark.parametrize("grace", [1, 0])
async def test_what_does_not_stop_is_killed(pods: Any, words: Any, grace: int) -> None:
    script = "trap '' TERM; echo up; sleep 600 & wait; sleep 600"
    pods.create({"terminationGracePeriodSeconds": 30, "containers": [words.sh(script)]})
    await pods.ready()
    begun = time.monotonic()
    pods.delete(grace=grace)
    await pods.gone(limit=10)
    assert time.monotonic() - begun < 8


async def test_a_hook_that_fails_is_told(pods: Any, words: Any) -> None:
    container = words.sh("sleep 600", lifecycle={"preStop": {"exec": {"command": ["false"]}}})
    pods.create({"terminationGracePeriodSeconds": 1, "containers": [container]})
    await pods.ready()
    pods.delete()
    assert await pods.event("FailedPreStopHook") == "PreStopHook failed"
    await pods.gone()
