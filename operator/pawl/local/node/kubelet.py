"""The node agent: a worker for each pod bound to this node, and the node object itself."""

import asyncio
import contextlib
import logging
import platform
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pawl.local.api.errors import ApiError
from pawl.local.node import claims, logs
from pawl.local.node.container import Container
from pawl.local.node.environment import allocatable
from pawl.local.node.host import COMPONENT, NODE_NAME, Host
from pawl.local.node.pod import PodWorker
from pawl.local.node.states import timestamp

Obj = dict[str, Any]

log = logging.getLogger(__name__)

_REFERENCED = ("configmaps", "secrets", "persistentvolumeclaims")
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
        """Until `stop` is set; then every pod is stopped and its processes are gone."""
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
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        since_time: str | None = None,
        timestamps: bool = False,
        previous: bool = False,
        limit_bytes: int | None = None,
    ) -> AsyncIterator[bytes]:
        """The log of a container. Raises ApiError 400 with the kubelet's sentence."""
        found = self._container(namespace, pod, container)
        record = found.record
        number = record.restarts - 1 if previous else record.restarts
        path = found.log_path(number)
        if not path.exists() and not previous and record.restarts:
            path = found.log_path(record.restarts - 1)  # it waits for its next start
        if not path.exists():
            if previous:
                message = f'previous terminated container "{container}" in pod "{pod}" not found'
            else:
                reason = getattr(record.state, "reason", "") or "ContainerCreating"
                message = f'container "{container}" in pod "{pod}" is waiting to start: {reason}'
            raise ApiError(400, "BadRequest", message, None)
        since = None if since_time is None else datetime.fromisoformat(since_time)
        if since_seconds is not None:
            since = datetime.now(UTC) - timedelta(seconds=since_seconds)
        selection = logs.Selection(follow, tail_lines, since, timestamps, limit_bytes)
        live = found.live_log
        if live is not None and live.path != path:
            live = None
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

    def _container(self, namespace: str, pod: str, container: str) -> Container:
        worker = self._workers.get(self._seen.get(f"{namespace}/{pod}", ""))
        if worker is None:
            raise ApiError(404, "NotFound", f'pods "{pod}" not found', None)
        if container not in worker.containers:
            raise ApiError(
                400, "BadRequest", f"container {container} is not valid for pod {pod}", None
            )
        return worker.containers[container]

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
        await asyncio.to_thread(self._host.spawner.close)


def create_node(host: Host) -> None:
    """The object of this node; it is Ready as long as the cluster runs."""
    now = timestamp(datetime.now(UTC))
    resources = allocatable()
    conditions = [
        _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", now),
        _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", now),
        _condition("PIDPressure", "False", "KubeletHasSufficientPID", now),
        _condition("Ready", "True", "KubeletReady", now),
    ]
    node: Obj = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE_NAME,
            "labels": {
                "kubernetes.io/hostname": NODE_NAME,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": _architecture(),
                "node-role.kubernetes.io/control-plane": "",
            },
        },
        "spec": {},
    }
    status = {
        "capacity": resources,
        "allocatable": resources,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": host.network.node_ip},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "nodeInfo": {
            "architecture": _architecture(),
            "bootID": "",
            "containerRuntimeVersion": "pawl://processes",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.36.0+pawl",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "host processes",
            "systemUUID": "",
        },
    }
    created = host.registry.create("nodes", None, node, manager=COMPONENT)
    host.registry.update(
        "nodes", None, {**created, "status": status}, manager=COMPONENT, subresource="status"
    )


def _condition(kind: str, status: str, reason: str, now: str) -> Obj:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
