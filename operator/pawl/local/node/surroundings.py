"""What a container needs of its pod. A leaf between `pod` and `container`."""

from pathlib import Path
from typing import Any, Protocol

from pawl.local.node.images import Image
from pawl.local.node.launch import Launch
from pawl.local.node.states import Record

Obj = dict[str, Any]


class Surroundings(Protocol):
    """The pod as its containers see it."""

    directory: Path

    @property
    def pod(self) -> Obj: ...

    def changed(self) -> None:
        """A record has changed: the status has to be written."""

    def event(self, record: Record, kind: str, reason: str, message: str) -> None: ...

    def launch(self, record: Record, image: Image, home: Path, message_file: Path) -> Launch:
        """How to start the container now. Raises ConfigError."""

    async def wait_poke(self, limit: float) -> bool:
        """Wait until something the pod refers to changes; False when `limit` seconds came first."""
