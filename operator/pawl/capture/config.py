"""What a server captures, as its environment tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from pawl import constants
from pawl.artifacts.records import Record
from pawl.errors import UserError


class Choice(Record):
    """PAWL_CAPTURE, as JSON: the share of predictions in percent, features that are left out, and
    features of which only a keyed hash is kept."""

    percent: float = Field(gt=0, le=100)
    drop: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaptureSettings:
    """`pod` names the files. A file ends after so many seconds, or sooner (`spool`); while more
    than `spool_bytes` wait for the writer, rows are dropped."""

    choice: Choice
    folder: Path
    pod: str
    roll_seconds: float = 300.0
    spool_bytes: int = 256 << 20


def from_env(env: Mapping[str, str], roll_seconds: float) -> CaptureSettings | None:
    """None when nothing is captured. UserError when PAWL_CAPTURE is wrong."""
    text = env.get(constants.ENV_CAPTURE, "").strip()
    if not text:
        return None
    try:
        choice = Choice.model_validate_json(text)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, found["loc"])) or "JSON" for found in error.errors())
        raise UserError(f"{constants.ENV_CAPTURE} is wrong: {where}") from None
    folder = env.get(constants.ENV_CAPTURE_DIR, "").strip()
    if not folder:
        raise UserError(f"{constants.ENV_CAPTURE_DIR} is not set")
    pod = env.get(constants.ENV_POD) or env.get("HOSTNAME") or "pod"
    return CaptureSettings(choice, Path(folder), pod, roll_seconds)
