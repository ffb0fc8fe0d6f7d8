"""What the operator is told by its environment."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from pawl import __version__
from pawl.api.duration import Duration, seconds
from pawl.artifacts.signing import public_keys
from pawl.artifacts.uris import rule_of
from pawl.constants import ENV_VERIFY_KEYS
from pawl.control.elector import Lease
from pawl.control.openlineage import Collector
from pawl.core.installation import Images, Installation
from pawl.core.retention import Policy
from pawl.errors import UserError

_DURATION: TypeAdapter[str] = TypeAdapter(Duration)


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


class Probe(NamedTuple):
    """What the kubelet asks."""

    address: Address
    path: str


@dataclass(frozen=True)
class Settings:
    """`namespaces` empty: all. `liveness` is where the kubelet's probe is answered, `metrics`
    where GET /metrics is answered, if it is; `notify_private` lets servers that users name be at
    loopback and link-local addresses (control.addresses); `openlineage` is told of runs, if it is
    there; without a `lease` this operator is the only one."""

    installation: Installation
    namespaces: tuple[str, ...] = ()
    workers: int = 8
    resync_seconds: float = 300.0
    liveness: Probe | None = None
    metrics: Address | None = None
    notify_private: bool = False
    openlineage: Collector | None = None
    lease: Lease | None = None
    retention: Policy | None = None


def from_environment(env: Mapping[str, str] | None = None) -> Settings:
    """Reads PAWL_*; raises UserError with the variable's name when one is missing or wrong."""
    env = os.environ if env is None else env
    store = env.get("PAWL_STORE", "")
    if not store.startswith(("file:///", "s3://")):
        raise UserError("PAWL_STORE must be the artifact store's URI: file:///path or s3://bucket")
    installation = Installation(
        id=env.get("PAWL_INSTALLATION", "default"),
        store=store.rstrip("/"),
        images=_images(env),
        store_claim=env.get("PAWL_STORE_CLAIM") or None,
        cluster_domain=env.get("PAWL_CLUSTER_DOMAIN", "cluster.local"),
        allowed_estimators=_list(env.get("PAWL_ALLOWED_ESTIMATORS", "")),
        server_drain_seconds=_number(env, "PAWL_SERVER_DRAIN_SECONDS", 45),
        image_pull_policy=env.get("PAWL_IMAGE_PULL_POLICY", "IfNotPresent"),
        prometheus=env.get("PAWL_PROMETHEUS") or None,
        verify_keys=_public_keys(env),
        trust_requested_by=_flag(env, "PAWL_TRUST_REQUESTED_BY"),
        allowed_uris=_uris(env),
    )
    return Settings(
        installation,
        namespaces=_list(env.get("PAWL_NAMESPACES", "")),
        workers=_number(env, "PAWL_WORKERS", 8),
        liveness=_probe(env),
        metrics=_address(env, "PAWL_METRICS_ADDRESS"),
        notify_private=_flag(env, "PAWL_NOTIFY_PRIVATE"),
        openlineage=_collector(env),
        lease=_lease(env),
        retention=retention(env),
    )


def retention(env: Mapping[str, str]) -> Policy | None:
    """How many versions are kept; None: all."""
    count = _number(env, "PAWL_RETAIN_VERSIONS", 0)
    return Policy(count, duration(env.get("PAWL_RETAIN_AGE", "30d"))) if count else None


def duration(text: str) -> int:
    """Seconds. UserError when it is none, or less than an hour: a run may be about to publish."""
    try:
        found = seconds(_DURATION.validate_python(text))
    except ValidationError as error:
        raise UserError(f"PAWL_RETAIN_AGE must be a duration like 30d, not {text!r}") from error
    if found < 3600:
        raise UserError(f"PAWL_RETAIN_AGE must be an hour or more, not {text!r}")
    return found


def _uris(env: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """PAWL_ALLOWED_URIS: JSON, namespace (or *) -> list of rules; none when it is empty."""
    try:
        told = json.loads(env.get("PAWL_ALLOWED_URIS") or "{}")
        found = {str(namespace): tuple(rules) for namespace, rules in told.items()}
        for rule in (rule for rules in found.values() for rule in rules):
            rule_of(rule.replace("{namespace}", "x"))
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(
            'PAWL_ALLOWED_URIS must be JSON like {"*": ["s3://lake/{namespace}/"]}: ' + str(error)
        ) from error
    return found


def _images(env: Mapping[str, str]) -> Images:
    prefix = env.get("PAWL_IMAGE_PREFIX", "pawl")

    def image(name: str) -> str:
        variable = "PAWL_IMAGE_" + name.upper().replace("-", "_")
        return env.get(variable) or f"{prefix}/{name}:{__version__}"

    return Images(
        server=image("server"),
        server_sklearn=image("server-sklearn"),
        trainer=image("trainer"),
        router=image("router"),
    )


def _lease(env: Mapping[str, str]) -> Lease | None:
    """Holders are processes: a container that is started again in its pod is another one."""
    text = env.get("PAWL_LEASE", "")
    if not text:
        return None
    namespace, _, name = text.partition("/")
    if not (namespace and name):
        raise UserError(f"PAWL_LEASE must be <namespace>/<name>, not {text!r}")
    length = _number(env, "PAWL_LEASE_SECONDS", 15)
    if not 1 <= length <= 3600:
        raise UserError(f"PAWL_LEASE_SECONDS must be 1 to 3600, not {length}")
    process = env.get("PAWL_IDENTITY") or socket.gethostname()
    holder, owner = f"{process}_{uuid.uuid4().hex[:8]}", env.get("PAWL_LEASE_OWNER", "")
    return Lease(namespace, name, holder, length, owner)


def _collector(env: Mapping[str, str]) -> Collector | None:
    url = env.get("PAWL_OPENLINEAGE_URL", "")
    if url and not url.startswith(("http://", "https://")):
        raise UserError(f"PAWL_OPENLINEAGE_URL must be an http or https address, not {url!r}")
    return Collector(url, env.get("PAWL_OPENLINEAGE_API_KEY") or None) if url else None


def _public_keys(env: Mapping[str, str]) -> str:
    text = env.get(ENV_VERIFY_KEYS, "").strip()
    if text:
        try:
            public_keys(text)
        except UserError as error:
            raise UserError(f"{ENV_VERIFY_KEYS}: {error}") from error
    return text


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _address(env: Mapping[str, str], name: str) -> Address | None:
    text = env.get(name, "")
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UserError(f"{name} must be an address and a port, like 0.0.0.0:8081, not {text!r}")
    return Address(host.strip("[]"), int(port))


def _probe(env: Mapping[str, str]) -> Probe | None:
    text = env.get("PAWL_LIVENESS_URL", "")
    if not text:
        return None
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if not host or port is None or url.scheme != "http":
        raise UserError(f"PAWL_LIVENESS_URL must be like http://0.0.0.0:8080/healthz, not {text!r}")
    return Probe(Address(host, port), url.path or "/")


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "false")
    if text not in ("true", "false"):
        raise UserError(f"{name} must be true or false, not {text!r}")
    return text == "true"


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not text.isdigit():
        raise UserError(f"{name} must be a whole number, not {text!r}")
    return int(text)
