"""One incarnation of a container: a process with its log, hooks and probes, from start to end."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pawl.api.quantity import parse
from pawl.local.node.checks import Outcome, Target, check
from pawl.local.node.host import Host
from pawl.local.node.launch import Launch, execute, problem
from pawl.local.node.logs import LogFile, tail
from pawl.local.node.probes import verdicts
from pawl.local.node.process import Exit, Process
from pawl.local.node.states import Record, Running, Terminated
from pawl.local.node.surroundings import Surroundings

Obj = dict[str, Any]

_HOOK_AGENT = "kube-lifecycle/1.36"
MIN_GRACE = 2.0  # seconds that a process gets when hooks or other containers used up its time
_MAX_MESSAGE = 4096
_MAX_POD_MESSAGES = 12 * 1024


class Incarnation:
    """Start with `run()`; `kill()` ends it. `log` is kept after the end."""

    def __init__(
        self,
        record: Record,
        launch: Launch,
        *,
        pod: Surroundings,
        host: Host,
        log: Path,
        message_file: Path,
        on_started: Callable[[], None],
    ) -> None:
        self.log = LogFile(log)
        self.over = False  # it has ended, and how is in the record
        self._record = record
        self._launch = launch
        self._pod = pod
        self._host = host
        self._message_file = message_file
        self._on_started = on_started
        self._process: Process | None = None
        self._oom = False
        self._dying = False
        self._killers: set[asyncio.Task[None]] = set()

    @property
    def session(self) -> int | None:
        """The session of its processes while it runs."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    async def run(self) -> Terminated:
        """Start the process and wait for its end; the record is Running in between."""
        begun = datetime.now(UTC)
        self._record.container_id = f"pawl://{uuid.uuid4().hex}{uuid.uuid4().hex}"
        try:
            process = self._process = self._start()
        except (OSError, ValueError) as error:
            return self._not_started(error, begun)
        self._event("Normal", "Created", "Container created")
        self._event("Normal", "Started", "Container started")
        self._record.state = Running(begun)
        self._host.monitor.watch(process.pid, self._memory_limit(), self._out_of_memory)
        watcher = asyncio.create_task(self._attend())
        try:
            end = await process.wait()
        finally:
            process.kill()  # it is alive only when we are cancelled
            watcher.cancel()
            self._host.monitor.forget(process.pid)
            self.log.finish()  # before anything is waited for: we may be cancelled there
            await asyncio.wait({watcher})
        return self._ended(end, begun)

    async def kill(self, grace: float, message: str) -> None:
        """preStop, SIGTERM, and SIGKILL after `grace` seconds; returns when it has ended."""
        process = self._process
        if process is None or not process.alive:
            return
        if self._dying:
            await asyncio.wait({process.exited})
            return
        self._dying = True
        self._event("Normal", "Killing", message)
        begun = time.monotonic()
        hook = (self._record.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0:
            await self._pre_stop(hook, process, grace)
        left = max(grace - (time.monotonic() - begun), min(grace, MIN_GRACE))
        process.send(signal.SIGTERM)
        await asyncio.wait({process.exited}, timeout=left)
        process.kill()
        await asyncio.wait({process.exited})

    def hurry(self, grace: float) -> None:
        """There is less time than `kill` was told."""
        if self._process is not None and self._process.alive:
            asyncio.get_running_loop().call_later(grace, self._process.kill)

    async def execute(self, argv: list[str], limit: float) -> Outcome:
        """Run a command in the container."""
        return await execute(self._host.spawner, self._launch, argv, limit)

    def _start(self) -> Process:
        stdout, stderr = self.log.capture()
        try:
            return self._host.spawner.spawn(
                self._launch.argv,
                env=self._launch.env,
                cwd=self._launch.cwd,
                stdout=stdout,
                stderr=stderr,
            )
        finally:
            os.close(stdout)
            os.close(stderr)

    def _not_started(self, error: Exception, now: datetime) -> Terminated:
        program = self._launch.argv[0] if self._launch.argv else ""
        message = (
            "failed to create containerd task: failed to create shim task: OCI runtime create "
            f'failed: runc create failed: unable to start container process: exec: "{program}": '
            f"{problem(error)}"
        )
        self._event("Normal", "Created", "Container created")
        self._event("Warning", "Failed", f"Error: {message}")
        self.log.finish()
        epoch = datetime.fromtimestamp(0, UTC)
        return Terminated(128, "StartError", epoch, now, self._record.container_id, message)

    def _ended(self, end: Exit, begun: datetime) -> Terminated:
        code = 137 if self._oom else end.code
        reason = "OOMKilled" if self._oom else "Error" if code else "Completed"
        return Terminated(
            code, reason, begun, datetime.now(UTC), self._record.container_id, self._message(code)
        )

    def _message(self, code: int) -> str:
        spec = self._pod.pod["spec"]
        count = len(spec["containers"]) + len(spec.get("initContainers") or ())
        limit = min(_MAX_MESSAGE, _MAX_POD_MESSAGES // count)
        try:
            with self._message_file.open("rb") as file:
                message = file.read(limit).decode(errors="replace")
        except OSError:  # the container removed it
            message = ""
        policy = self._record.spec.get("terminationMessagePolicy")
        if not message and code and policy == "FallbackToLogsOnError":
            message = tail(self.log.path, lines=80, max_bytes=min(2048, limit))
        return message

    def _memory_limit(self) -> int | None:
        limits = (self._record.spec.get("resources") or {}).get("limits") or {}
        return int(parse(limits["memory"])) if "memory" in limits else None

    def _out_of_memory(self) -> None:
        if self._process is not None:
            self._oom = True
            self._process.kill()

    async def _attend(self) -> None:
        """postStart, then probes, as long as the process runs."""
        target = Target(self._launch.address, self._launch.ports, self.execute)
        spec = self._record.spec
        self._pod.changed()
        hook = (spec.get("lifecycle") or {}).get("postStart")
        if hook and not await self._post_start(hook, target):
            return
        if "startupProbe" in spec:
            await self._startup(spec["startupProbe"], target)
        self._record.started = True
        self._record.ready = "readinessProbe" not in spec
        self._on_started()
        self._pod.changed()
        async with asyncio.TaskGroup() as group:
            if "readinessProbe" in spec:
                group.create_task(self._readiness(spec["readinessProbe"], target))
            if "livenessProbe" in spec:
                group.create_task(self._liveness(spec["livenessProbe"], target))

    async def _post_start(self, hook: Obj, target: Target) -> bool:
        outcome = await check(hook, target, float("inf"), agent=_HOOK_AGENT)
        if not outcome.success:
            self._event("Warning", "FailedPostStartHook", "PostStartHook failed")
            self._kill_soon(None, "FailedPostStartHook")
        return outcome.success

    async def _startup(self, probe: Obj, target: Target) -> None:
        failed = self._failed("Startup")
        async with aclosing(verdicts(probe, target, eager=True, failed=failed)) as seen:
            async for healthy in seen:
                if healthy:
                    return
                self._probe_kill(probe, "startup")

    async def _readiness(self, probe: Obj, target: Target) -> None:
        failed = self._failed("Readiness")
        async for healthy in verdicts(probe, target, eager=True, failed=failed):
            if healthy != self._record.ready:
                self._record.ready = healthy
                self._pod.changed()

    async def _liveness(self, probe: Obj, target: Target) -> None:
        failed = self._failed("Liveness")
        async for healthy in verdicts(probe, target, eager=False, failed=failed):
            if not healthy:
                self._probe_kill(probe, "liveness")

    def _failed(self, kind: str) -> Callable[[str], None]:
        return lambda output: self._event("Warning", "Unhealthy", f"{kind} probe failed: {output}")

    def _probe_kill(self, probe: Obj, kind: str) -> None:
        name = self._record.name
        self._kill_soon(probe, f"Container {name} failed {kind} probe, will be restarted")

    def _kill_soon(self, probe: Obj | None, message: str) -> None:
        """Kill without waiting: the end of the process cancels whoever asks for it."""
        if self._dying:
            return
        own = (probe or {}).get("terminationGracePeriodSeconds")
        pod = self._pod.pod["spec"].get("terminationGracePeriodSeconds")
        grace = own if own is not None else 30 if pod is None else pod
        task = asyncio.create_task(self.kill(float(grace), message))
        self._killers.add(task)
        task.add_done_callback(self._killers.discard)

    async def _pre_stop(self, hook: Obj, process: Process, grace: float) -> None:
        target = Target(self._launch.address, self._launch.ports, self.execute)
        doing = asyncio.create_task(check(hook, target, grace, agent=_HOOK_AGENT))
        process.exited.add_done_callback(lambda _: doing.cancel())
        await asyncio.wait({doing}, timeout=grace)
        if not doing.done():
            doing.cancel()
        elif not doing.cancelled() and not doing.result().success:
            self._event("Warning", "FailedPreStopHook", "PreStopHook failed")

    def _event(self, kind: str, reason: str, message: str) -> None:
        self._pod.event(self._record, kind, reason, message)
