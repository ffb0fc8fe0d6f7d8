"""One pod, from its binding to its removal.

volumes -> init containers in order (sidecars stay) -> main containers -> sidecars stop
deletion, deadline: every container stops, sidecars after the mains -> last status -> gone
"""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Any

from pawl.local.node import environment
from pawl.local.node.container import Container
from pawl.local.node.host import Host
from pawl.local.node.images import Image
from pawl.local.node.incarnation import MIN_GRACE
from pawl.local.node.launch import Launch, Surface, prepare
from pawl.local.node.report import PodReport
from pawl.local.node.states import Record, Role, Terminated, Waiting
from pawl.local.node.status import Verdict
from pawl.local.node.tokens import api_access
from pawl.local.node.volumes import PodVolumes, VolumeError

Obj = dict[str, Any]

log = logging.getLogger(__name__)

_MOUNT_RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 122.0)  # seconds, as the kubelet's
_DEFAULT_GRACE = 30.0


class PodWorker:
    """The node's side of one pod. `run()` returns when everything has ended and deletion, if
    asked for, is finished."""

    def __init__(self, pod: Obj, host: Host) -> None:
        self.uid: str = pod["metadata"]["uid"]
        self.directory = host.pods / self.uid
        self._host = host
        shared = pod["spec"].get("hostNetwork")
        self._address = host.network.node_ip if shared else host.network.pod_ip(self.uid)
        waiting = "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"
        records = [Record(each, role, Waiting(waiting)) for role, each in _by_role(pod["spec"])]
        self._report = PodReport(pod, self._address, records, host)
        self.containers = {record.name: Container(record, self, host) for record in records}
        self._volumes = PodVolumes(
            root=self.directory / "volumes",
            claims=host.claims,
            find=self._report.find,
            token=lambda: api_access(self.pod, host).token(),
        )
        self._poked = asyncio.Event()
        self._ending = asyncio.Event()  # deletion was asked for
        self._stopping = False
        self._grace = _grace_of(pod)

    @property
    def pod(self) -> Obj:
        return self._report.pod

    # What the kubelet tells the pod

    def update(self, pod: Obj) -> None:
        """The object has changed: labels for the downward API, images, or it is being deleted."""
        images = [container.record.spec["image"] for container in self.containers.values()]
        before, self._report.pod = self.pod, pod
        for _, spec in _by_role(pod["spec"]):
            if spec["name"] in self.containers:
                self.containers[spec["name"]].record.spec = spec
        if images != [container.record.spec["image"] for container in self.containers.values()]:
            self.poke()
        elif self._report.sandbox and _shown(pod) != _shown(before):
            self._volumes.refresh(self._report.with_addresses())
        if pod["metadata"].get("deletionTimestamp"):
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self.end(_DEFAULT_GRACE if grace is None else float(grace))

    def poke(self) -> None:
        """Something that the pod refers to (ConfigMap, Secret, claim) has changed."""
        if self._report.sandbox:
            self._volumes.refresh(self._report.with_addresses())
        self._poked.set()
        self._poked = asyncio.Event()

    def end(self, grace: float) -> None:
        """Stop everything within `grace` seconds; again, with less time, to hurry."""
        if self._stopping and grace < self._grace:
            for container in self.containers.values():
                container.hurry(grace)
        self._grace = grace
        self._ending.set()

    async def run(self) -> None:
        life = asyncio.create_task(self._live(), name=f"pod {self.pod['metadata']['name']}")
        ending = asyncio.create_task(self._ending.wait())
        deadline = self.pod["spec"].get("activeDeadlineSeconds")
        try:
            self.changed()
            await asyncio.wait({life, ending}, timeout=deadline, return_when="FIRST_COMPLETED")
            if not life.done() and not ending.done():
                message = "Pod was active on the node longer than the specified deadline"
                self._report.verdict = Verdict("DeadlineExceeded", message)
                self._report.event("Normal", "DeadlineExceeded", message)
            await self._stop_all(life)
            self._report.finished = True
            self._report.write()
            await ending
            self._report.remove()
        finally:
            ending.cancel()
            life.cancel()
            self._host.network.release(self.uid)

    def clean_up(self) -> None:
        """The object is gone: nobody asks for logs any more."""
        shutil.rmtree(self.directory, ignore_errors=True)

    # What containers ask of their pod (Surroundings)

    def changed(self) -> None:
        self._report.changed()

    def event(self, record: Record, kind: str, reason: str, message: str) -> None:
        self._report.event(kind, reason, message, record)

    def launch(self, record: Record, image: Image, home: Path, message_file: Path) -> Launch:
        pod, namespace = self._report.with_addresses(), self._report.namespace
        access = self._host.access()
        links = pod["spec"].get("enableServiceLinks", True)
        services = self._host.registry.list("services", namespace) if links else []
        variables = environment.service_variables(
            services, namespace, (access.address, access.port)
        )
        env = environment.build(record.spec, pod=pod, services=variables, find=self._report.find)
        path = record.spec.get("terminationMessagePath") or "/dev/termination-log"
        surface = Surface(
            address=self._address,
            hostname=pod["spec"].get("hostname") or pod["metadata"]["name"][:63],
            namespace=namespace,
            home=home,
            mounts={**self._volumes.mounts(record.spec, pod, env), path: str(message_file)},
            env=env,
            dns=self._host.dns,
            given=api_access(self.pod, self._host).env(),
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
        async with asyncio.TaskGroup() as group:
            if await self._initialize(group):
                mains = [group.create_task(c.run()) for c in self._of_role("main")]
                await asyncio.wait(mains)
            await self._stop_sidecars(_grace_of(self.pod))

    async def _mount(self) -> None:
        attempts = iter(_MOUNT_RETRIES)
        while True:
            try:
                self._volumes.set_up(self._report.with_addresses())
            except (VolumeError, OSError) as error:
                self._report.event("Warning", "FailedMount", str(error))
                await self.wait_poke(next(attempts, _MOUNT_RETRIES[-1]))
                continue
            self._report.sandbox = True
            self.changed()
            return

    async def _initialize(self, group: asyncio.TaskGroup) -> bool:
        """Run the init containers in order; False when one has failed for good."""
        for container in self.containers.values():
            if container.record.role == "main":
                continue
            task = group.create_task(container.run())
            if container.record.role == "sidecar":
                started = group.create_task(container.started.wait())
                await asyncio.wait({started, task}, return_when="FIRST_COMPLETED")
                started.cancel()
                continue
            await asyncio.wait({task})
            state = container.record.state
            if not (isinstance(state, Terminated) and state.code == 0):
                return False
        return True

    async def _stop_all(self, life: "asyncio.Task[None]") -> None:
        """Stop mains, then sidecars in reverse order, within the grace period. Sidecars wait for
        no init container (kuberuntime_termination_order.go)."""
        if not life.done():
            self._stopping = True
            until = asyncio.get_running_loop().time() + self._grace
            inits = asyncio.gather(*(each.stop(self._grace) for each in self._of_role("init")))
            await asyncio.gather(*(each.stop(self._grace) for each in self._of_role("main")))
            left = until - asyncio.get_running_loop().time()
            await self._stop_sidecars(max(left, min(self._grace, MIN_GRACE)))
            await inits
            # what ran has ended by now; the rest waits for an image, a back-off or a volume
            await asyncio.sleep(0)
            life.cancel()
            await asyncio.wait({life})
        elif error := life.exception():
            log.error("pod %s: %r", self.pod["metadata"]["name"], error, exc_info=error)

    async def _stop_sidecars(self, grace: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        for container in reversed(self._of_role("sidecar")):
            await container.stop(max(until - loop.time(), 0.0))

    def _of_role(self, role: Role) -> list[Container]:
        return [each for each in self.containers.values() if each.record.role == role]


def _grace_of(pod: Obj) -> float:
    grace = pod["spec"].get("terminationGracePeriodSeconds")
    return _DEFAULT_GRACE if grace is None else float(grace)


def _shown(pod: Obj) -> tuple[Any, Any]:
    """What the downward API shows and may change."""
    return pod["metadata"].get("labels"), pod["metadata"].get("annotations")


def _by_role(spec: Obj) -> list[tuple[Role, Obj]]:
    found: list[tuple[Role, Obj]] = [
        ("sidecar" if each.get("restartPolicy") == "Always" else "init", each)
        for each in spec.get("initContainers") or ()
    ]
    return [*found, *(("main", each) for each in spec["containers"])]
