"""What is known of a container, as records: the input of `status`."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Obj = dict[str, Any]
Role = Literal["init", "sidecar", "main"]


def timestamp(moment: datetime) -> str:
    """metav1.Time: seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Waiting:
    reason: str
    message: str = ""

    def render(self) -> Obj:
        return {"waiting": {"reason": self.reason, **_some(message=self.message)}}


@dataclass(frozen=True)
class Running:
    started: datetime

    def render(self) -> Obj:
        return {"running": {"startedAt": timestamp(self.started)}}


@dataclass(frozen=True)
class Terminated:
    code: int
    reason: str
    started: datetime
    finished: datetime
    container_id: str
    message: str = ""

    def render(self) -> Obj:
        return {
            "terminated": {
                "exitCode": self.code,
                **_some(reason=self.reason, message=self.message),
                "startedAt": timestamp(self.started),
                "finishedAt": timestamp(self.finished),
                "containerID": self.container_id,
            }
        }


State = Waiting | Running | Terminated


def _some(**fields: Any) -> Obj:
    return {name: value for name, value in fields.items() if value}


@dataclass
class Record:
    """The state of one container; its container task writes it, everybody reads it."""

    spec: Obj
    role: Role
    state: State = field(default_factory=lambda: Waiting("ContainerCreating"))
    last: Terminated | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False
    container_id: str = ""

    @property
    def name(self) -> str:
        return str(self.spec["name"])
