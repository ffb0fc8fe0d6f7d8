"""What the operator may ask of the API server: its rights, and nothing that it does not use.

The roles in `manifests/base` say the same (a test compares them). The embedded cluster holds the
operator to these rules, so an end-to-end test fails where one is missing; what is never asked for
fails the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass

from pawl.constants import COMPONENT, GROUP

#: The Secret whose key signs notifications; administrators may add others beside each.
NOTIFY_SECRET = "pawl-notify"  # noqa: S105 - the name of a Secret, not its content
#: The Secret with which runs are recorded at an MLflow server.
MLFLOW_SECRET = "pawl-mlflow"  # noqa: S105 - likewise
_SEEN = ("list", "watch")
_OWN = (*_SEEN, "create", "patch", "delete")


@dataclass(frozen=True)
class Rule:
    """A rule of a Role (rbac.authorization.k8s.io/v1). `names` empty: all objects. `home`: in the
    operator's own namespace only."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    home: bool = False

    def allows(self, verb: str, group: str, resource: str, name: str, *, home: bool) -> bool:
        """`resource` is like `pods` or `trainingjobs/status`."""
        return (
            (home or not self.home)
            and group == self.group
            and resource in self.resources
            and verb in self.verbs
            and (not self.names or name in self.names)
        )


RULES = (
    Rule(GROUP, ("modeldeployments",), _SEEN),
    # those that drift starts are made, marked and removed
    Rule(GROUP, ("trainingjobs",), ("get", *_OWN)),
    # import and approve are asked for by the admission policy (docs/security.md)
    Rule(GROUP, ("modelversions",), ("get", *_SEEN, "create", "import", "approve")),
    Rule(GROUP, ("trainingjobs/status", "modelversions/status", "modeldeployments/status"),
         ("patch",)),
    # blockOwnerDeletion on children (OwnerReferencesPermissionEnforcement)
    Rule(GROUP, ("trainingjobs/finalizers", "modeldeployments/finalizers"), ("update",)),
    # get: to know its own again when what it creates is there already
    Rule("batch", ("jobs",), ("get", *_OWN)),
    Rule("", ("services",), ("get", *_OWN)),
    Rule("", ("configmaps",), _OWN),
    Rule("apps", ("deployments",), _OWN),
    Rule("policy", ("poddisruptionbudgets",), _OWN),
    Rule("autoscaling", ("horizontalpodautoscalers",), _OWN),
    Rule("", ("pods",), (*_SEEN, "patch")),
    # what train tells on the way: how far it is, and what prunes a trial
    Rule("", ("pods/log",), ("get",)),
    # list: why a Job has no pods
    Rule("", ("events",), ("create", "list")),
    # the key that seals feedback tokens: made once, never read
    Rule("", ("secrets",), ("create",)),
    Rule("", ("secrets",), ("get",), (NOTIFY_SECRET,)),
    Rule("", ("secrets",), ("get",), (MLFLOW_SECRET,)),
    # routing.gateway
    Rule("gateway.networking.k8s.io", ("httproutes",), ("get", "create", "patch", "delete")),
    Rule("gateway.networking.k8s.io", ("gateways", "gatewayclasses"), ("get",)),
    # which of several operators works
    Rule("coordination.k8s.io", ("leases",), ("create",), home=True),
    Rule("coordination.k8s.io", ("leases",), ("get", "patch"), (COMPONENT,), home=True),
    # the owner of the Lease, which goes with it
    Rule("apps", ("deployments",), ("get",), (COMPONENT,), home=True),
)  # fmt: skip


def rule_for(verb: str, group: str, resource: str, name: str, *, home: bool) -> Rule | None:
    """The first rule that allows a request; None when none does. `home`: it is about the operator's
    own namespace."""
    found = (rule for rule in RULES if rule.allows(verb, group, resource, name, home=home))
    return next(found, None)
