"""One container: pull, configure, run, back off, run again. Writes its Record, tells the pod."""

import asyncio
import time
from pathlib import Path
from typing import Any

from pawl.local.node import images
from pawl.local.node.backoff import Backoff, spoken
from pawl.local.node.environment import ConfigError
from pawl.local.node.host import Host
from pawl.local.node.incarnation import Incarnation
from pawl.local.node.logs import LogFile
from pawl.local.node.states import Record, Terminated, Waiting
from pawl.local.node.status import restarts
from pawl.local.node.surroundings import Surroundings

Obj = dict[str, Any]

_CONFIG_RETRY = 10.0
_PULL_ERROR_SHOWN = 1.0  # seconds until ErrImagePull turns into ImagePullBackOff


class Container:
    """Runs one container of a pod until it is not to be restarted, or is stopped."""

    def __init__(self, record: Record, pod: Surroundings, host: Host) -> None:
        self.record = record
        self.started = asyncio.Event()  # it runs, and its startup probe has succeeded
        self._pod = pod
        self._host = host
        self._crashes = Backoff()
        self._pulls = Backoff()
        self._incarnation: Incarnation | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def directory(self) -> Path:
        return self._pod.directory / "containers" / self.record.name

    @property
    def live_log(self) -> LogFile | None:
        """The log that is being written, None when nothing runs."""
        running = self._incarnation
        return None if running is None or running.log.closed else running.log

    @property
    def session(self) -> int | None:
        return None if self._incarnation is None else self._incarnation.session

    def log_path(self, incarnation: int) -> Path:
        return self.directory / f"{incarnation}.log"

    async def run(self) -> None:
        """Returns when the container has ended and will not be started again."""
        self._task = asyncio.current_task()
        policy = self._pod.pod["spec"].get("restartPolicy", "Always")
        while not self._stopping:
            image = await self._pulled()
            incarnation = self._configured(image)
            if incarnation is None:
                await self._pod.wait_poke(_CONFIG_RETRY)
                continue
            self._incarnation = incarnation
            ended = await incarnation.run()
            self.started.clear()
            self.record.started = self.record.ready = False
            self.record.state = ended
            incarnation.over = True
            self._pod.changed()
            if self._stopping or not restarts(self.record, policy, ended.code):
                return
            await self._back_off(ended)

    async def stop(self, grace: float) -> None:
        """End it for good: preStop, SIGTERM, and SIGKILL after `grace` seconds. While nothing
        runs (a back-off, an image), `run` is cancelled."""
        self._stopping = True
        if self._incarnation is not None and not self._incarnation.over:
            await self._incarnation.kill(grace, f"Stopping container {self.record.name}")
        elif self._task is not None:
            self._task.cancel()

    def hurry(self, grace: float) -> None:
        """It is being stopped, and there is less time than was said."""
        if self._incarnation is not None:
            self._incarnation.hurry(grace)

    async def _pulled(self) -> images.Image:
        while True:
            reference = self.record.spec["image"]
            try:
                image = images.pull(reference)
            except images.ImageError as error:
                await self._pull_failed(reference, error)
                continue
            self._event(
                "Normal", "Pulled", f'Container image "{reference}" already present on machine'
            )
            return image

    async def _pull_failed(self, reference: str, error: images.ImageError) -> None:
        if error.reason == "InvalidImageName":
            self._event("Warning", "InspectFailed", str(error))
            self._event("Warning", "Failed", "Error: InvalidImageName")
            self._wait(error.reason, str(error))
            await self._pod.wait_poke(_CONFIG_RETRY)
            return
        now = time.monotonic()
        self._pulls.count(now)
        self._event("Normal", "Pulling", f'Pulling image "{reference}"')
        self._event("Warning", "Failed", f'Failed to pull image "{reference}": {error}')
        self._event("Warning", "Failed", "Error: ErrImagePull")
        self._wait("ErrImagePull", str(error))
        if await self._pod.wait_poke(_PULL_ERROR_SHOWN):
            return
        message = f'Back-off pulling image "{reference}"'
        self._event("Normal", "BackOff", message)
        self._event("Warning", "Failed", "Error: ImagePullBackOff")
        self._wait("ImagePullBackOff", f"{message}: ErrImagePull: {error}")
        await self._pod.wait_poke(self._pulls.delay(now))

    def _configured(self, image: images.Image) -> Incarnation | None:
        """The next incarnation; None when what it refers to is not there."""
        self.directory.mkdir(parents=True, exist_ok=True)
        message_file = self.directory / "termination-log"
        try:
            launch = self._pod.launch(self.record, image, self.directory, message_file)
        except ConfigError as error:
            self._event("Warning", "Failed", f"Error: {error}")
            self._wait(error.reason, str(error))
            return None
        if not launch.argv:
            self._event("Warning", "Failed", "Error: no command specified")
            self._wait("CreateContainerError", "no command specified")
            return None
        message_file.write_bytes(b"")
        return Incarnation(
            self.record,
            launch,
            pod=self._pod,
            host=self._host,
            log=self.log_path(self.record.restarts),
            message_file=message_file,
            on_started=self.started.set,
        )

    async def _back_off(self, ended: Terminated) -> None:
        delay = self._crashes.delay(time.monotonic())
        self.record.last = ended
        if delay:
            metadata = self._pod.pod["metadata"]
            where = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            name = self.record.name
            self._event(
                "Warning", "BackOff", f"Back-off restarting failed container {name} in pod {where}"
            )
            self._wait(
                "CrashLoopBackOff",
                f"back-off {spoken(delay)} restarting failed container={name} pod={where}",
            )
            await asyncio.sleep(delay)
        self._crashes.count(time.monotonic())
        self._drop_old_logs()
        self.record.restarts += 1

    def _drop_old_logs(self) -> None:
        """Keep the log that ended last; the next incarnation makes its own."""
        for path in self.directory.glob("*.log*"):
            if path.name.split(".")[0] != str(self.record.restarts):
                path.unlink(missing_ok=True)

    def _wait(self, reason: str, message: str) -> None:
        self.record.state = Waiting(reason, message)
        self._pod.changed()

    def _event(self, kind: str, reason: str, message: str) -> None:
        self._pod.event(self.record, kind, reason, message)
