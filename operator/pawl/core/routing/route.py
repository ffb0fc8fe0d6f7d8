"""A route: which versions a router knows, and what share of the requests each gets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Backend:
    """A version behind the router. `host` is its headless Service's DNS name.

    `weight` is in per cent. None: the routers open connections and check its health, but no route
    names it; a version comes and goes through this state, so that no request meets a version that
    a router does not know.
    """

    version: int
    host: str
    port: int
    weight: int | None


@dataclass(frozen=True)
class Route:
    """The weights sum to 100, or no backend has one. Raises ValueError otherwise."""

    model: str
    backends: tuple[Backend, ...] = ()
    timeout_seconds: int = 30

    def __post_init__(self) -> None:
        weights = [backend.weight for backend in self.routed if backend.weight is not None]
        if weights and (sum(weights) != 100 or min(weights) < 0):
            raise ValueError(f"weights must be positive and sum to 100: {weights}")

    @property
    def routed(self) -> tuple[Backend, ...]:
        """The backends that routes name."""
        return tuple(backend for backend in self.backends if backend.weight is not None)

    @property
    def weights(self) -> dict[int, int | None]:
        """Version -> weight."""
        return {backend.version: backend.weight for backend in self.backends}

    @property
    def clusters_revision(self) -> str:
        """Names the set of backends, whatever their weights."""
        return _digest([self.model, [(b.version, b.host, b.port) for b in self.backends]])

    @property
    def routes_revision(self) -> str:
        """Names the routes: who gets what, within which time."""
        return _digest([self.timeout_seconds, [(b.version, b.weight) for b in self.routed]])

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Route:
        """Inverse of `to_json`. Raises ValueError when it is no route."""
        try:
            raw = json.loads(text)
            backends = tuple(Backend(**backend) for backend in raw.pop("backends"))
            return cls(backends=backends, **raw)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a route: {error}") from error


def _digest(value: list[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
