"""From a container's spec to what is executed: command, environment, directory."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pawl.local.node import envoy
from pawl.local.node.checks import Outcome
from pawl.local.node.environment import expand
from pawl.local.node.images import Image
from pawl.local.node.paths import Rewriter
from pawl.local.node.process import Spawner
from pawl.local.node.zone import ZONE

Obj = dict[str, Any]

_MAX_OUTPUT = 10 * 1024
# Of the caller's environment only what a Python built with a shared library needs to start.
_INHERITED = ("LD_LIBRARY_PATH",)


@dataclass(frozen=True)
class Launch:
    """What to execute. `address` is the pod's; `ports` are the container's named ports; `rewrite`
    is for commands that are run beside it (probes, hooks)."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    address: str
    ports: dict[str, int]
    rewrite: Rewriter


@dataclass(frozen=True)
class Surface:
    """What the container sees besides its spec. `mounts`: mount path -> host path; `given` are
    variables of the node's own, whose paths are the host's already."""

    address: str
    hostname: str
    namespace: str
    home: Path
    mounts: Mapping[str, str]
    env: Mapping[str, str]  # as the pod's spec says (environment.build)
    dns: tuple[str, int]
    given: Mapping[str, str] = field(default_factory=dict)


def prepare(container: Obj, image: Image, surface: Surface) -> Launch:
    """The launch of `container`.

    `$(VAR)` is expanded with the values that the spec gives; mount paths and 0.0.0.0 are rewritten
    after that, once, so that a host path is never taken for a mount path.
    """
    rewrite = Rewriter.of(surface.mounts, surface.address)
    temporary = surface.home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    env = {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **image.env,
        "HOME": str(surface.home),
        "TMPDIR": str(temporary),
        "HOSTNAME": surface.hostname,
        "BIND_ADDRESS": surface.address,
        # for inpod.sitecustomize
        "PAWL_LOCAL_DNS": f"{surface.dns[0]}:{surface.dns[1]}",
        "PAWL_LOCAL_SEARCH": " ".join(
            [f"{surface.namespace}.svc.{ZONE}", f"svc.{ZONE}", ZONE],
        ),
        **surface.given,
        **{name: rewrite(value) for name, value in surface.env.items()},
    }
    words = [
        [rewrite(expand(word, surface.env)) for word in container.get(part) or ()]
        for part in ("command", "args")
    ]
    argv = image.argv(*words)
    if envoy.is_envoy(argv):
        argv = envoy.local_argv(argv, surface.dns)
    return Launch(
        argv=argv,
        env=env,
        cwd=_directory(container.get("workingDir") or "", rewrite, surface.home),
        address=surface.address,
        ports={
            port["name"]: port["containerPort"]
            for port in container.get("ports") or ()
            if port.get("name")
        },
        rewrite=rewrite,
    )


async def execute(spawner: Spawner, launch: Launch, argv: list[str], limit: float) -> Outcome:
    """Run `argv` beside the container's process; output is bounded to 10 KiB, time to `limit`."""
    argv = [launch.rewrite(word) for word in argv]
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    collected = bytearray()
    loop = asyncio.get_running_loop()
    os.set_blocking(read_end, False)
    loop.add_reader(read_end, _collect, read_end, collected)
    try:
        try:
            process = spawner.spawn(
                argv, env=launch.env, cwd=launch.cwd, stdout=write_end, stderr=subprocess.STDOUT
            )
        finally:
            os.close(write_end)
        try:
            async with asyncio.timeout(None if limit == float("inf") else limit):
                end = await process.wait()
        except TimeoutError:
            return Outcome(
                False, f'command timed out: "{" ".join(argv)}" timed out after {limit:g}s'
            )
        finally:
            process.kill()
        _collect(read_end, collected)
        return Outcome(end.code == 0, collected[:_MAX_OUTPUT].decode(errors="replace"))
    except (OSError, ValueError) as error:
        return Outcome(False, f'exec: "{argv[0] if argv else ""}": {problem(error)}')
    finally:
        loop.remove_reader(read_end)
        os.close(read_end)


def problem(error: Exception) -> str:
    """Why a program could not be started, in the container runtime's words."""
    if isinstance(error, FileNotFoundError):
        return "executable file not found in $PATH"
    if isinstance(error, PermissionError):
        return "permission denied"
    return str(error)


def _collect(fd: int, into: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        while data := os.read(fd, 65536):
            if len(into) < _MAX_OUTPUT:
                into += data
        asyncio.get_running_loop().remove_reader(fd)  # the end: nothing more can come


def _directory(working: str, rewrite: Rewriter, home: Path) -> str:
    """A mount, else a directory that the host has too, else the container's own."""
    path = rewrite(working) if working else ""
    return path if path and Path(path).is_dir() else str(home)
