"""Who writes: users as authentication tells them (authentication.k8s.io/v1 UserInfo)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Obj = dict[str, Any]
AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"
_CONTROLLERS = ("kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict, hash=False)

    def info(self) -> Obj:
        """As JSON; what is empty is left out."""
        found = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        return {key: value for key, value in (found | {"extra": self.extra}).items() if value}


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
ADMIN = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


def account(namespace: str, name: str) -> User:
    """A service account."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


#: Where the operator's account is.
HOME = "kube-system"
OPERATOR = account(HOME, "pawl-operator")


def component(manager: str) -> User | None:
    """A controller, by the name under which it owns fields. None for the node, the API server
    itself and who sets the cluster up: no policy judges them."""
    return User(f"system:{manager}", (AUTHENTICATED,)) if manager in _CONTROLLERS else None
