"""One pod, from its binding to its removal.

    volumes -> init containers in order (sidecars stay) -> main containers -> sidecars stop
    deletion, deadline: every container stops, mains before sidecars -> last status -> gone

The pod object in the registry is the only state that others see; it is written once per turn of
the event loop and only when it has changed.
"""

import asyncio
import contextlib
import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pawl.local.api.errors import ApiError
from pawl.local.node import environment, status
from pawl.local.node.container import Container
from pawl.local.node.host import COMPONENT, Host
from pawl.local.node.images import Image
from pawl.local.node.launch import Launch, Surface, prepare
from pawl.local.node.states import Record, Role, Terminated, Waiting
from pawl.local.node.status import Facts, Verdict
from pawl.local.node.tokens import api_access
from pawl.local.node.volumes import PodVolumes, VolumeError

Obj = dict[str, Any]

log = logging.getLogger(__name__)

_MOUNT_RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 122.0)  # seconds, as the kubelet's


class PodWorker:
    """The node's side of one pod. `run()` returns when the pod is gone from the registry."""

    def __init__(self, pod: Obj, host: Host) -> None:
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.directory = host.pods / self.uid
        self._host = host
        shared = pod["spec"].get("hostNetwork")
        self._address = host.network.node_ip if shared else host.network.pod_ip(self.uid)
        self._poked = asyncio.Event()
        self._begun = datetime.now(UTC)
        self._sandbox = self._finished = False
        self._verdict: Verdict | None = None
        self._dirty = False
        self._ending = asyncio.Event()  # deletion was asked for
        self._grace = 30.0
        self._stops: list[Container] = []
        self._volumes = PodVolumes(
            root=self.directory / "volumes",
            claims=host.claims,
            find=self._find,
            token=lambda: api_access(self.pod, host).token(),
        )
        spec = pod["spec"]
        waiting = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
        self.containers = {
            each["name"]: Container(Record(each, role, Waiting(waiting)), self, host)
            for role, each in _by_role(spec)
        }

    # What the kubelet tells the pod

    def update(self, pod: Obj) -> None:
        """The object has changed: labels for the downward API, images, or it is being deleted."""
        images_before = [r.spec["image"] for r in self._records()]
        self.pod = pod
        for _, spec in _by_role(pod["spec"]):
            if spec["name"] in self.containers:
                self.containers[spec["name"]].record.spec = spec
        if self._sandbox:
            self._volumes.refresh(self._with_status())
        if [r.spec["image"] for r in self._records()] != images_before:
            self.poke()
        if pod["metadata"].get("deletionTimestamp"):
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self.end(30.0 if grace is None else float(grace))

    def poke(self) -> None:
        """Something that the pod refers to (ConfigMap, Secret, claim) has changed."""
        if self._sandbox:
            self._volumes.refresh(self._with_status())
        self._poked.set()
        self._poked = asyncio.Event()

    def end(self, grace: float) -> None:
        """Stop everything within `grace` seconds; again, with less time, to hurry."""
        if self._ending.is_set() and grace < self._grace:
            for container in self._stops:
                container.hurry(grace)
        self._grace = grace
        self._ending.set()

    async def run(self) -> None:
        life = asyncio.create_task(self._live(), name=f"pod {self.pod['metadata']['name']}")
        ending = asyncio.create_task(self._ending.wait())
        try:
            self._publish()
            await asyncio.wait(
                {life, ending}, timeout=self._deadline(), return_when="FIRST_COMPLETED"
            )
            if not life.done() and not ending.done():
                self._verdict = Verdict(
                    "DeadlineExceeded",
                    "Pod was active on the node longer than the specified deadline",
                )
                self._pod_event("Normal", "DeadlineExceeded", self._verdict.message)
                self._grace = float(self.pod["spec"].get("terminationGracePeriodSeconds") or 30)
            await self._stop_all(life)
            self._finished = True
            self._publish()
            await ending
            self._remove_object()
        finally:
            ending.cancel()
            life.cancel()
            self._host.network.release(self.uid)

    def clean_up(self) -> None:
        """The object is gone: nobody asks for logs any more."""
        shutil.rmtree(self.directory, ignore_errors=True)

    # What containers ask of their pod (Surroundings)

    def changed(self) -> None:
        if not self._dirty:
            self._dirty = True
            asyncio.get_running_loop().call_soon(self._publish)

    def event(self, record: Record, kind: str, reason: str, message: str) -> None:
        field = "containers" if record.role == "main" else "initContainers"
        self._emit(kind, reason, message, f"spec.{field}{{{record.name}}}")

    def launch(self, record: Record, image: Image, home: Path, message_file: Path) -> Launch:
        pod = self._with_status()
        access = self._host.access()
        links = pod["spec"].get("enableServiceLinks", True)
        services = self._host.registry.list("services", self._namespace) if links else []
        env = environment.build(
            record.spec,
            pod=pod,
            services=environment.service_variables(
                services, self._namespace, (access.address, access.port)
            ),
            find=self._find,
        )
        mounts = self._volumes.mounts(record.spec, pod, env)
        path = record.spec.get("terminationMessagePath") or "/dev/termination-log"
        surface = Surface(
            address=self._address,
            hostname=pod["spec"].get("hostname") or pod["metadata"]["name"][:63],
            namespace=self._namespace,
            home=home,
            mounts={**mounts, path: str(message_file)},
            env={**api_access(self.pod, self._host).env(), **env},
            dns=self._host.dns,
        )
        return prepare(record.spec, image, surface)

    async def wait_poke(self, limit: float) -> bool:
        try:
            async with asyncio.timeout(limit):
                await self._poked.wait()
        except TimeoutError:
            return False
        return True

    # The pod's life

    async def _live(self) -> None:
        await self._mount()
        running: dict[str, asyncio.Task[None]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for container in self.containers.values():
                    if container.record.role == "main":
                        continue
                    running[container.record.name] = group.create_task(container.run())
                    if not await self._initialized(container, running[container.record.name]):
                        return
                mains = [c for c in self.containers.values() if c.record.role == "main"]
                tasks = [group.create_task(container.run()) for container in mains]
                await asyncio.wait(tasks)
                for task in tasks:
                    task.result()
                await self._stop_sidecars(running, self._pod_grace())
        finally:
            for task in running.values():
                task.cancel()

    async def _initialized(self, container: Container, task: asyncio.Task[None]) -> bool:
        """Wait until the next container may start; False when this one failed for good."""
        if container.record.role == "sidecar":
            started = asyncio.create_task(container.started.wait())
            await asyncio.wait({started, task}, return_when="FIRST_COMPLETED")
            started.cancel()
            return not task.done()
        await task
        state = container.record.state
        return isinstance(state, Terminated) and state.code == 0

    async def _mount(self) -> None:
        attempts = iter(_MOUNT_RETRIES)
        while True:
            try:
                self._volumes.set_up(self._with_status())
            except (VolumeError, OSError) as error:
                self._pod_event("Warning", "FailedMount", str(error))
                await self.wait_poke(next(attempts, _MOUNT_RETRIES[-1]))
                continue
            self._sandbox = True
            self.changed()
            return

    async def _stop_all(self, life: asyncio.Task[None]) -> None:
        """Stop mains, then sidecars in reverse order, within the grace period."""
        if life.done():
            if error := life.exception():
                log.error("pod %s: %r", self.pod["metadata"]["name"], error, exc_info=error)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + self._grace
        self._stops = list(self.containers.values())
        others = [c for c in self._stops if c.record.role != "sidecar"]
        await asyncio.gather(*(c.stop(self._grace) for c in others))
        for container in reversed(self._stops):
            if container.record.role == "sidecar":
                await container.stop(max(until - loop.time(), 0.0))
        # what runs has ended by now; the rest waits for an image, a back-off or a volume
        await asyncio.sleep(0)
        life.cancel()
        await asyncio.wait({life})

    async def _stop_sidecars(self, running: dict[str, asyncio.Task[None]], grace: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        for name in reversed(running):
            container = self.containers[name]
            if container.record.role == "sidecar":
                await container.stop(max(until - loop.time(), 0.0))
                running[name].cancel()

    def _pod_grace(self) -> float:
        grace = self.pod["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if grace is None else float(grace)

    def _deadline(self) -> float | None:
        deadline = self.pod["spec"].get("activeDeadlineSeconds")
        return None if deadline is None else float(deadline)

    # The registry

    @property
    def _namespace(self) -> str:
        return str(self.pod["metadata"]["namespace"])

    def _records(self) -> list[Record]:
        return [container.record for container in self.containers.values()]

    def _find(self, resource: str, name: str) -> Obj | None:
        try:
            return self._host.registry.get(resource, self._namespace, name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def _with_status(self) -> Obj:
        """The pod with the addresses that the downward API shows."""
        host = self._host.network.node_ip
        addresses = {
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
        }
        return {**self.pod, "status": {**(self.pod.get("status") or {}), **addresses}}

    def _publish(self) -> None:
        self._dirty = False
        live = self._find("pods", self.pod["metadata"]["name"])
        if live is None or live["metadata"]["uid"] != self.uid:
            return
        facts = Facts(
            records=self._records(),
            host_ip=self._host.network.node_ip,
            pod_ip=self._address,
            start=self._begun,
            sandbox=self._sandbox,
            finished=self._finished,
            verdict=self._verdict,
        )
        new = status.build(live, facts, datetime.now(UTC))
        if new != live.get("status"):
            self._host.registry.update(
                "pods",
                self._namespace,
                {**live, "status": new},
                manager=COMPONENT,
                subresource="status",
            )

    def _remove_object(self) -> None:
        with contextlib.suppress(ApiError):  # gone already, or another pod of that name
            self._host.registry.delete(
                "pods",
                self._namespace,
                self.pod["metadata"]["name"],
                manager=COMPONENT,
                grace_period=0,
                uid=self.uid,
            )

    def _pod_event(self, kind: str, reason: str, message: str) -> None:
        self._emit(kind, reason, message, "")

    def _emit(self, kind: str, reason: str, message: str, field_path: str) -> None:
        regarding = {**self.pod, "fieldPath": field_path} if field_path else self.pod
        self._host.registry.event(
            regarding, type=kind, reason=reason, message=message, component=COMPONENT
        )


def _by_role(spec: Obj) -> list[tuple[Role, Obj]]:
    found: list[tuple[Role, Obj]] = [
        ("sidecar" if each.get("restartPolicy") == "Always" else "init", each)
        for each in spec.get("initContainers") or ()
    ]
    return [*found, *(("main", each) for each in spec["containers"])]
