"""What the environment of a server pod says, checked once at the start."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pawl import constants
from pawl.artifacts.signing import PublicKey, public_keys
from pawl.capture.config import CaptureSettings, from_env
from pawl.errors import UserError

_MODEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_KEY_BYTES, _MAX_KEYS = 32, 8
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Settings:
    """Durations are in seconds; every limit is per process."""

    model: str
    version: str
    artifact_uri: str
    artifact_digest: str
    work_dir: Path
    host: str = "127.0.0.1"
    port: int = constants.SERVER_PORT
    processes: int = 1
    max_batch_rows: int = 64
    max_batch_delay: float = 0.0
    max_body_bytes: int = 8 << 20
    max_rows: int = 10_000
    max_waiting: int = 512
    max_wait: float = 10.0
    max_connections: int = 1024
    request_timeout: float = 30.0
    keep_alive: float = 75.0
    drain: float = 45.0
    load_timeout: float = 300.0
    allowed_types: tuple[str, ...] = ()
    termination_log: Path | None = None
    monitor_port: int | None = None
    pair_by: str = "request-id"
    monitor_warm_up: float = 60.0
    feedback_keys: tuple[bytes, ...] = field(default=(), repr=False)
    feedback_max_age: float = 30 * 86_400.0
    capture: CaptureSettings | None = None
    verify_keys: tuple[PublicKey, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """UserError names the variable that is missing or wrong."""
        model = _word(env, constants.ENV_MODEL, _MODEL)
        version = _word(env, constants.ENV_MODEL_VERSION, _VERSION)
        termination_log = env.get(constants.ENV_TERMINATION_LOG)
        return cls(
            model=model,
            version=version,
            artifact_uri=_required(env, constants.ENV_ARTIFACT_URI),
            artifact_digest=_required(env, constants.ENV_ARTIFACT_DIGEST),
            work_dir=Path(env.get(constants.ENV_WORK_DIR) or "/tmp/pawl"),  # noqa: S108 - a pod's own
            host=env.get(constants.ENV_BIND_ADDRESS) or cls.host,
            port=int(_number(env, constants.ENV_PORT, cls.port, 0, 65_535)),
            processes=int(_number(env, "PAWL_PROCESSES", cls.processes, 1, 64)),
            max_batch_rows=int(_number(env, "PAWL_MAX_BATCH_SIZE", cls.max_batch_rows, 1, 65_536)),
            max_batch_delay=_number(env, "PAWL_MAX_BATCH_DELAY_MS", 0, 0, 10_000) / 1000,
            max_body_bytes=int(
                _number(env, "PAWL_MAX_BODY_BYTES", cls.max_body_bytes, 1024, 1 << 30)
            ),
            max_rows=int(_number(env, "PAWL_MAX_ROWS", cls.max_rows, 1, 10_000_000)),
            max_waiting=int(_number(env, "PAWL_MAX_WAITING", cls.max_waiting, 1, 100_000)),
            max_wait=_number(env, "PAWL_MAX_WAIT_SECONDS", cls.max_wait, 0.01, 3600),
            max_connections=int(
                _number(env, "PAWL_MAX_CONNECTIONS", cls.max_connections, 1, 60_000)
            ),
            request_timeout=_number(
                env, "PAWL_REQUEST_TIMEOUT_SECONDS", cls.request_timeout, 0.1, 3600
            ),
            keep_alive=_number(env, "PAWL_KEEP_ALIVE_SECONDS", cls.keep_alive, 0.1, 86_400),
            drain=_number(env, "PAWL_DRAIN_SECONDS", cls.drain, 0, 3600),
            load_timeout=_number(env, "PAWL_LOAD_TIMEOUT_SECONDS", cls.load_timeout, 1, 86_400),
            allowed_types=tuple(
                filter(None, env.get(constants.ENV_ALLOWED_ESTIMATORS, "").split(","))
            ),
            termination_log=Path(termination_log) if termination_log else None,
            monitor_port=int(_number(env, constants.ENV_MONITOR_PORT, 0, 0, 65_535)) or None,
            pair_by=_one_of(env, constants.ENV_PAIR_BY, ("request-id", "body")),
            monitor_warm_up=_number(
                env, "PAWL_MONITOR_WARM_UP_SECONDS", cls.monitor_warm_up, 0, 3600
            ),
            feedback_keys=feedback_keys(env),
            feedback_max_age=_number(
                env, "PAWL_FEEDBACK_MAX_AGE_SECONDS", cls.feedback_max_age, 1, 366 * 86_400
            ),
            verify_keys=_verify_keys(env),
            capture=from_env(env, _number(env, "PAWL_CAPTURE_ROLL_SECONDS", 300, 0.1, 86_400)),
        )


def feedback_keys(env: Mapping[str, str]) -> tuple[bytes, ...]:
    """The keys of feedback tokens, the one that seals first. None of them is ever shown."""
    texts = [text.strip() for text in env.get(constants.ENV_FEEDBACK_KEY, "").split(",")]
    keys = []
    for text in filter(None, texts):
        try:
            key = b64decode(text, validate=True)
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise UserError(
                f"{constants.ENV_FEEDBACK_KEY}: every key must be {_KEY_BYTES} bytes in base64"
            )
        keys.append(key)
    if len(keys) > _MAX_KEYS:
        raise UserError(f"{constants.ENV_FEEDBACK_KEY}: there are more than {_MAX_KEYS} keys")
    return tuple(keys)


def _verify_keys(env: Mapping[str, str]) -> tuple[PublicKey, ...]:
    text = env.get(constants.ENV_VERIFY_KEYS, "").strip()
    return public_keys(text) if text else ()


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise UserError(f"{name} is not set")
    return value


def _word(env: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = _required(env, name)
    if not pattern.fullmatch(value):
        raise UserError(f"{name} is {value[:80]!r}; letters, digits, dots and dashes are allowed")
    return value


def _one_of(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = env.get(name, "").strip() or allowed[0]
    if value not in allowed:
        raise UserError(f"{name} is {value[:80]!r}; it must be {' or '.join(allowed)}")
    return value


def _number(
    env: Mapping[str, str], name: str, default: float, minimum: float, maximum: float
) -> float:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{name} is {text[:80]!r}, not a number") from None
    if not minimum <= value <= maximum:
        raise UserError(f"{name} is {text[:80]}; it must be from {minimum:g} to {maximum:g}")
    return value
