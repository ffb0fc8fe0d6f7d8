"""Role-based access control (plugin/pkg/auth/authorizer/rbac): the rights of a user are the rules
of the roles that bindings give him. Administrators (system:masters) and the controllers have all.

Roles that aggregate others are kept in step with them, as the controller of a real cluster does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pawl.control import rights
from pawl.local.api import selectors, users
from pawl.local.api.resources import Resource
from pawl.local.api.store import Key
from pawl.local.api.users import User
from pawl.local.schema.cel.authz import Decision, Question

if TYPE_CHECKING:
    from pawl.local.api.registry import Registry

Obj = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
_ROLES, _CLUSTER_ROLES = f"{GROUP}/roles", f"{GROUP}/clusterroles"
_MANAGER = "kube-apiserver"


class Rights:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        registry.on_write(_CLUSTER_ROLES, self._aggregate)

    def decide(self, user: User, asked: Question) -> Decision:
        """Whether a user may do what is asked."""
        if users.MASTERS in user.groups or users.component(user.name.partition(":")[2]) == user:
            return Decision(True)
        if user == users.OPERATOR:
            return Decision(_operator_may(asked))
        return Decision(any(_allows(rule, asked) for rule in self.rules(user, asked.namespace)))

    def rules(self, user: User, namespace: str) -> Iterator[Obj]:
        """Of a user in a namespace; at the cluster scope when that is empty."""
        for binding in self._registry.list(f"{GROUP}/clusterrolebindings"):
            if _binds(binding, user, ""):
                yield from self._role(binding["roleRef"], "")
        for binding in self._registry.list(f"{GROUP}/rolebindings", namespace) if namespace else ():
            if _binds(binding, user, namespace):
                yield from self._role(binding["roleRef"], namespace)

    def _role(self, reference: Obj, namespace: str) -> list[Obj]:
        """Its rules; none where it does not exist."""
        clusters = reference["kind"] == "ClusterRole"
        key = Key("" if clusters else namespace, reference["name"])
        found = self._registry.store.table(_CLUSTER_ROLES if clusters else _ROLES).get(key)
        return (found.obj.get("rules") or []) if found is not None else []

    def _aggregate(self, _resource: Resource, _old: Obj | None, _new: Obj | None) -> None:
        roles = sorted(
            self._registry.list(_CLUSTER_ROLES), key=lambda r: str(r["metadata"]["name"])
        )
        for role in roles:
            wanted = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
            if wanted is None:
                continue
            rules: list[Obj] = []
            for other in roles:
                labels = other["metadata"].get("labels") or {}
                if other is not role and any(selectors.select(one, labels) for one in wanted):
                    rules += [rule for rule in other.get("rules") or () if rule not in rules]
            if rules != (role.get("rules") or []):
                # comes back here, with this role settled
                changed = {**role, "rules": rules}
                self._registry.update(_CLUSTER_ROLES, None, changed, manager=_MANAGER)
                return


def _operator_may(asked: Question) -> bool:
    resource = "/".join(filter(None, (asked.resource, asked.subresource)))
    home = asked.namespace == users.HOME
    found = rights.rule_for(asked.verb, asked.group, resource, asked.name, home=home)
    return not asked.path and found is not None


def _binds(binding: Obj, user: User, namespace: str) -> bool:
    return any(_is(subject, user, namespace) for subject in binding.get("subjects") or ())


def _is(subject: Obj, user: User, namespace: str) -> bool:
    match subject["kind"]:
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return users.account(home, subject["name"]).name == user.name
    return False


def _allows(rule: Obj, asked: Question) -> bool:
    """rbac.RuleAllows."""
    if asked.path:
        paths = rule.get("nonResourceURLs") or ()
        return _has(rule, "verbs", asked.verb) and any(_path(one, asked.path) for one in paths)
    names = rule.get("resourceNames") or ()
    return (
        _has(rule, "verbs", asked.verb)
        and _has(rule, "apiGroups", asked.group)
        and _resource(rule, asked)
        and (not names or asked.name in names)
    )


def _has(rule: Obj, field: str, value: str) -> bool:
    given = rule.get(field) or ()
    return "*" in given or value in given


def _resource(rule: Obj, asked: Question) -> bool:
    sub = asked.subresource
    wanted = {"*", f"{asked.resource}/{sub}" if sub else asked.resource}
    return bool(wanted.union({f"*/{sub}"} if sub else ()).intersection(rule.get("resources") or ()))


def _path(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path
