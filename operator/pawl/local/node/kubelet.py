"""The node agent: a worker for each pod bound to this node, and the node object itself."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pawl.local.api.errors import bad_request
from pawl.local.api.podlogs import LogOptions
from pawl.local.node import claims, logs
from pawl.local.node.host import NODE_NAME, Host
from pawl.local.node.pod import PodWorker
from pawl.local.node.registration import create_node
from pawl.local.node.states import Waiting

Obj = dict[str, Any]

log = logging.getLogger(__name__)

_REFERENCED = ("configmaps", "secrets", "persistentvolumeclaims")
_IMAGE_TROUBLE = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}
_SHUTDOWN_GRACE = 0.5  # seconds; the cluster goes away, nobody is served any more


class Kubelet:
    """Runs the pods of node `local`. Also the PodBackend of the API server."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._workers: dict[str, PodWorker] = {}  # by uid
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._vanished: set[str] = set()  # uids whose object is gone while something still runs
        self._seen: dict[str, str] = {}  # "namespace/name" -> uid

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then every pod is stopped."""
        create_node(self._host)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._follow_pods()),
                group.create_task(self._host.monitor.run()),
                group.create_task(claims.follow(self._host)),
                *(group.create_task(self._follow(resource)) for resource in _REFERENCED),
            ]
            await stop.wait()
            for task in tasks:
                task.cancel()
        await self._shut_down()

    async def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """The log of a container; nothing for a pod that has no node yet. Raises ApiError 400 with
        the kubelet's sentence."""
        worker = self._workers.get(self._seen.get(f"{namespace}/{pod}", ""))
        if worker is None:
            return
        path, live = _chosen_log(worker, container, previous=options.previous)
        since = None if options.since_time is None else datetime.fromisoformat(options.since_time)
        if options.since_seconds is not None:
            since = datetime.now(UTC) - timedelta(seconds=options.since_seconds)
        selection = logs.Selection(
            options.follow, options.tail_lines, since, options.timestamps, options.limit_bytes
        )
        yield b""  # the log exists: an answer can begin, however long the first line takes
        async for block in logs.read(path, selection, live):
            yield block

    def cpu_millicores(self, namespace: str, pod: str) -> float | None:
        """What the pod's processes use, averaged over 15 s; None when that is not known yet."""
        worker = self._workers.get(self._seen.get(f"{namespace}/{pod}", ""))
        if worker is None:
            return None
        sessions = (container.session for container in worker.containers.values())
        cores = self._host.monitor.cores(session for session in sessions if session is not None)
        return None if cores is None else cores * 1000

    async def _follow_pods(self) -> None:
        registry = self._host.registry
        selector = f"spec.nodeName={NODE_NAME}"
        while True:
            watch = registry.watch("pods", fields=selector)
            with contextlib.closing(watch):
                listed = registry.list("pods", fields=selector)
                for uid in self._workers.keys() - {pod["metadata"]["uid"] for pod in listed}:
                    self._gone(uid)
                for pod in listed:
                    self._see(pod)
                async for event in watch:
                    if event.type == "DELETED":
                        self._gone(event.object["metadata"]["uid"])
                    elif event.type in ("ADDED", "MODIFIED"):
                        self._see(event.object)

    async def _follow(self, resource: str) -> None:
        """Tell the pods of a namespace when something they may refer to has changed."""
        while True:
            with contextlib.closing(self._host.registry.watch(resource)) as watch:
                async for event in watch:
                    if event.type in ("ADDED", "MODIFIED"):
                        namespace = event.object["metadata"]["namespace"]
                        for worker in list(self._workers.values()):
                            if worker.pod["metadata"]["namespace"] == namespace:
                                worker.poke()

    def _see(self, pod: Obj) -> None:
        metadata = pod["metadata"]
        uid = metadata["uid"]
        worker = self._workers.get(uid)
        if worker is None:
            worker = self._workers[uid] = PodWorker(pod, self._host)
            self._seen[f"{metadata['namespace']}/{metadata['name']}"] = uid
            task = self._tasks[uid] = asyncio.create_task(worker.run())
            task.add_done_callback(lambda done: self._ended(uid, done))
        worker.update(pod)

    def _gone(self, uid: str) -> None:
        """The object vanished: deleted by the worker itself, or by force."""
        if uid in self._tasks:
            self._vanished.add(uid)
            self._workers[uid].end(0.0)
        else:
            self._forget(uid)

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("pod worker failed: %r", error, exc_info=error)
        if uid in self._vanished:  # else finalizers keep the object, and we must not start it again
            self._forget(uid)

    def _forget(self, uid: str) -> None:
        self._vanished.discard(uid)
        worker = self._workers.pop(uid, None)
        if worker is not None:
            metadata = worker.pod["metadata"]
            key = f"{metadata['namespace']}/{metadata['name']}"
            if self._seen.get(key) == uid:
                del self._seen[key]
            worker.clean_up()

    async def _shut_down(self) -> None:
        for worker in list(self._workers.values()):
            worker.end(_SHUTDOWN_GRACE)
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=_SHUTDOWN_GRACE + 3)


def _chosen_log(
    worker: PodWorker, name: str, *, previous: bool
) -> tuple[Path, logs.LogFile | None]:
    """The log that is meant, and who writes it. While a container waits for its next start, the
    last one is both the current and the previous."""
    pod = worker.pod["metadata"]["name"]
    found = worker.containers.get(name)
    if found is None:
        raise bad_request(f"container {name} is not valid for pod {pod}")
    record = found.record
    number = record.restarts
    if isinstance(record.state, Waiting):
        number -= not found.log_path(number).exists()
        if number < 0 and not previous:
            reason = record.state.reason
            why = f"is waiting to start: {_IMAGE_TROUBLE.get(reason, reason)}"
            raise bad_request(f'container "{name}" in pod "{pod}" {why}')
    elif previous:
        number -= 1
    path = found.log_path(number)
    if not path.exists():
        which = "previous terminated container" if previous else "container"
        raise bad_request(f'{which} "{name}" in pod "{pod}" not found')
    live = found.live_log
    return path, live if live is not None and live.path == path else None
