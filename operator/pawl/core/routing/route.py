"""A route: which versions a router knows, what share of the requests each gets, who is mirrored to.

A route is kept as JSON in an annotation; fields that are newer than the text get their defaults.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_HEADER = re.compile(r"[a-z0-9-]{1,64}")
_SALT = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Of the translation to Envoy: routers that follow another one have not confirmed ours.
_TRANSLATION = 5


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
class Shadow:
    """`percent` of the inference requests are mirrored to `version`; its answers are dropped."""

    version: int
    percent: int


@dataclass(frozen=True)
class Sticky:
    """Requests with the same value of `header` (lower case) get the same version.

    `salt` is of the rollout: another salt is another, independent assignment of the values.
    """

    header: str
    salt: str


@dataclass(frozen=True)
class Route:
    """What the routers shall do. Raises ValueError unless

    * the weights sum to 100, or no backend has one;
    * the shadow is a backend without traffic of its own, and 1 to 100 per cent go there;
    * the sticky header is a lower-case name that is not Pawl's, and the salt a plain word.

    `tls`: the routers answer by TLS, with the certificate of a Secret.
    """

    model: str
    backends: tuple[Backend, ...] = ()
    timeout_seconds: int = 30
    shadow: Shadow | None = None
    sticky: Sticky | None = None
    tls: bool = False

    def __post_init__(self) -> None:
        weights = [backend.weight for backend in self.routed if backend.weight is not None]
        if weights and (sum(weights) != 100 or min(weights) < 0):
            raise ValueError(f"weights must be positive and sum to 100: {weights}")
        if self.shadow is not None:
            if not 1 <= self.shadow.percent <= 100:
                raise ValueError(f"the shadow's percent must be 1 to 100: {self.shadow.percent}")
            if self.weights.get(self.shadow.version, 100):
                raise ValueError(f"v{self.shadow.version} cannot be the shadow of itself")
        if self.sticky is not None:
            name = self.sticky.header
            if not _HEADER.fullmatch(name) or name.startswith("x-pawl-"):
                raise ValueError(f"not a header to be sticky by: {name!r}")
            if not _SALT.fullmatch(self.sticky.salt):
                raise ValueError(f"not a salt: {self.sticky.salt!r}")

    @property
    def routed(self) -> tuple[Backend, ...]:
        """The backends that routes name."""
        return tuple(backend for backend in self.backends if backend.weight is not None)

    @property
    def weights(self) -> dict[int, int | None]:
        """Version -> weight."""
        return {backend.version: backend.weight for backend in self.backends}

    @property
    def main(self) -> Backend | None:
        """The backend with the largest weight (of several the oldest version): it gets what is
        not an inference."""
        return max(self.routed, key=lambda b: (b.weight or 0, -b.version), default=None)

    @property
    def clusters_revision(self) -> str:
        """Names the set of backends, whatever their weights, and which of them is a shadow."""
        shadow = self.shadow.version if self.shadow is not None else None
        backends = [(b.version, b.host, b.port) for b in self.backends]
        return _digest([_TRANSLATION, self.model, backends, shadow])

    @property
    def routes_revision(self) -> str:
        """Names the routes: who gets what, by which rule, within which time."""
        shadow = asdict(self.shadow) if self.shadow is not None else None
        sticky = asdict(self.sticky) if self.sticky is not None else None
        weights = [(b.version, b.weight) for b in self.routed]
        return _digest([_TRANSLATION, self.timeout_seconds, weights, shadow, sticky, self.tls])

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Route:
        """Inverse of `to_json`. Raises ValueError when it is no route."""
        try:
            raw = json.loads(text)
            backends = tuple(Backend(**backend) for backend in raw.pop("backends"))
            shadow, sticky = raw.pop("shadow", None), raw.pop("sticky", None)
            return cls(
                backends=backends,
                shadow=Shadow(**shadow) if shadow is not None else None,
                sticky=Sticky(**sticky) if sticky is not None else None,
                **raw,
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a route: {error}") from error


def _digest(value: list[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
