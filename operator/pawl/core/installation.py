"""What the administrator has decided once for all objects of an installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pawl.artifacts.uris import Rules


@dataclass(frozen=True)
class Images:
    """The images of the pods that Pawl creates."""

    server: str
    server_sklearn: str
    trainer: str
    router: str


@dataclass(frozen=True)
class Installation:
    """Settings that the planners may look at.

    `id` names this installation in the decision record; the record of another id is refused.
    `store_claim` is the PersistentVolumeClaim (in each namespace) that a `file://` store lies on;
    without it the path is taken to be there already, as on the embedded cluster. `prometheus` is
    the URL of the server that gates may query, if there is one. `allowed_uris` are rules by
    namespace (artifacts.uris).
    """

    id: str
    store: str
    images: Images
    store_claim: str | None = None
    cluster_domain: str = "cluster.local"
    allowed_estimators: tuple[str, ...] = ()
    server_drain_seconds: int = 45
    image_pull_policy: str = "IfNotPresent"
    prometheus: str | None = None
    #: An admission policy vouches for the annotation pawl.dev/requested-by.
    trust_requested_by: bool = False
    #: Public keys in PEM; with them only artifacts that one of them has signed are served.
    verify_keys: str = ""
    allowed_uris: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def uris(self) -> Rules:
        """Which URIs users may name."""
        return Rules(self.store, self.store_claim, self.allowed_uris)

    @property
    def store_path(self) -> str | None:
        """The folder of a `file://` store."""
        return self.store.removeprefix("file://") if self.store.startswith("file://") else None
