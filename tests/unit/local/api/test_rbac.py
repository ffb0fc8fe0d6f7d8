"""Rights are the rules of the roles that bindings give."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.local.api import users
from pawl.local.api.registry import Registry
from pawl.local.api.users import User
from pawl.local.schema.cel.authz import Question

GROUP = "rbac.authorization.k8s.io"
ADA = User("ada", ("system:authenticated", "approvers"))


def bind(registry: Registry, subject: dict[str, str], rule: Any, namespace: str | None) -> None:
    kind = "Role" if namespace else "ClusterRole"
    role = {"metadata": {"name": "r"}, "rules": [rule]}
    registry.create(f"{GROUP}/{kind.lower()}s", namespace, role, manager="test")
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": kind, "name": "r"},
        "subjects": [subject],
    }
    registry.create(f"{GROUP}/{kind.lower()}bindings", namespace, binding, manager="test")


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made.create("namespaces", None, {"metadata": {"name": "ml"}}, manager="test")
    return made


PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        pytest.param(PODS, Question("get", "", "pods", "", "ml", "p"), True, id="as it says"),
        pytest.param(PODS, Question("list", "", "pods", "", "ml"), False, id="another verb"),
        pytest.param(PODS, Question("get", "", "pods", "log", "ml"), False, id="a subresource"),
        pytest.param(PODS, Question("get", "x", "pods", "", "ml"), False, id="another group"),
        pytest.param(PODS, Question("get", "", "pods", "", "other"), False, id="elsewhere"),
        pytest.param(PODS, Question("get", "", "pods"), False, id="everywhere"),
        pytest.param({**PODS, "resources": ["*/log"]},
                     Question("get", "", "pods", "log", "ml"), True, id="a subresource of all"),
        pytest.param({**PODS, "resources": ["*"], "verbs": ["*"], "apiGroups": ["*"]},
                     Question("x", "y", "z", "s", "ml"), True, id="everything"),
        pytest.param({**PODS, "resourceNames": ["a"]},
                     Question("get", "", "pods", "", "ml", "a"), True, id="by name"),
        pytest.param({**PODS, "resourceNames": ["a"]},
                     Question("get", "", "pods", "", "ml", "b"), False, id="another name"),
    ],
)  # fmt: skip
def test_what_a_rule_of_a_namespace_allows(
    registry: Registry, rule: Any, asked: Question, allowed: bool
):
    bind(registry, {"kind": "User", "name": "ada"}, rule, "ml")
    assert registry.rights.decide(ADA, asked).allowed is allowed


@pytest.mark.parametrize(
    ("subject", "user"),
    [
        pytest.param({"kind": "Group", "name": "approvers"}, ADA, id="group"),
        pytest.param({"kind": "ServiceAccount", "name": "ci", "namespace": "ml"},
                     users.account("ml", "ci"), id="service account"),
    ],
)  # fmt: skip
def test_who_is_bound(registry: Registry, subject: dict[str, str], user: User):
    bind(registry, subject, PODS, None)
    asked = Question("get", "", "pods", "", "ml", "p")
    assert registry.rights.decide(user, asked).allowed
    assert not registry.rights.decide(User("bob"), asked).allowed


def test_rules_about_paths(registry: Registry):
    rule = {"nonResourceURLs": ["/logs/*", "/metrics"], "verbs": ["get"]}
    bind(registry, {"kind": "User", "name": "ada"}, rule, None)
    paths = ("/logs/a", "/metrics", "/metrics/x")
    answers = [registry.rights.decide(ADA, Question("get", path=path)).allowed for path in paths]
    assert answers == [True, True, False]


def test_administrators_and_controllers_may_everything(registry: Registry):
    asked = Question("delete", "", "nodes", "", "", "n")
    assert registry.rights.decide(users.ADMIN, asked).allowed
    controllers = users.component("kube-controller-manager")
    assert controllers is not None
    assert registry.rights.decide(controllers, asked).allowed
    assert not registry.rights.decide(User("kube-controller-manager"), asked).allowed


def test_the_operator_has_its_own_rights(registry: Registry):
    approve = Question("approve", "pawl.dev", "modelversions", "", "ml", "m-v1")
    promote = Question("promote", "pawl.dev", "modeldeployments", "", "ml", "m")
    decide = registry.rights.decide
    assert decide(users.OPERATOR, approve).allowed
    assert not decide(users.OPERATOR, promote).allowed


def test_roles_gather_the_rules_of_others(registry: Registry):
    roles = f"{GROUP}/clusterroles"
    selector = {"matchLabels": {"aggregate": "yes"}}
    whole = {
        "metadata": {"name": "whole"},
        "aggregationRule": {"clusterRoleSelectors": [selector]},
    }
    part = {"metadata": {"name": "part", "labels": {"aggregate": "yes"}}, "rules": [PODS]}
    registry.create(roles, None, whole, manager="test")
    registry.create(roles, None, part, manager="test")
    assert registry.get(roles, None, "whole")["rules"] == [PODS]
    registry.delete(roles, None, "part", manager="test")
    assert not registry.get(roles, None, "whole")["rules"]
