"""Which pods may talk to the cluster's API, and how they learn where it is.

On a cluster every pod gets a token of its service account. Here there is one token, and it opens
everything, so a pod gets it only when it plainly asks: `automountServiceAccountToken: true` and a
service account other than `default`. Such a pod finds a kubeconfig in KUBECONFIG; the well-known
path below /var/run/secrets cannot exist for a host process. Training pods never get it.
"""

from dataclasses import dataclass
from typing import Any

from pawl.local.node.host import Host
from pawl.local.node.volumes import VolumeError

Obj = dict[str, Any]


@dataclass(frozen=True)
class ApiAccess:
    """What one pod may have of the API."""

    host: Host
    account: str
    granted: bool

    def env(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.host.access().kubeconfig)} if self.granted else {}

    def token(self) -> bytes:
        """For a projected serviceAccountToken, which asks by itself. Raises VolumeError."""
        if self.account == "default":
            raise VolumeError(
                "the embedded cluster issues no token for the service account default"
            )
        return self.host.access().token


def api_access(pod: Obj, host: Host) -> ApiAccess:
    spec = pod["spec"]
    account = spec.get("serviceAccountName") or "default"
    asked = spec.get("automountServiceAccountToken") is True
    return ApiAccess(host, account, asked and account != "default")
