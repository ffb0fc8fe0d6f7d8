"""What ValidatingAdmissionPolicies refuse, and which of them are refused themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from both import APPLY, JSON, MERGE, Both, Each
from objects import Object, config_map, job, pod, workload

_GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES = f"{_GROUP}/validatingadmissionpolicies"
BINDINGS = f"{_GROUP}/validatingadmissionpolicybindings"
EVERYTHING = {
    "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"],
}  # fmt: skip
ASKED = """
request.operation + ' ' + request.kind.kind + ' ' + request.resource.resource +
' of ' + request.requestResource.version + ' ' +
(request.name.startsWith('x-') ? 'made' : request.name) + ' by ' + request.userInfo.username +
(has(request.subResource) ? ' sub ' + request.subResource : '') +
' groups ' + request.userInfo.groups.join(' ') +
' dry ' + string(request.dryRun) + ' options ' + request.options.kind +
(has(request.options.fieldManager) ? ' as ' + request.options.fieldManager : '') +
(has(request.options.fieldValidation) ? ' fields ' + request.options.fieldValidation : '') +
' object ' + (object == null ? 'null' : object.kind + ' ' + object.apiVersion) +
' uid ' + string(object != null && has(object.metadata.uid)) +
' old ' + (oldObject == null ? 'null' : oldObject.kind) +
' in ' + (namespaceObject == null ? 'null' : namespaceObject.status.phase)
"""


class Policies:
    """Policies that judge what users `ada` and `bob` do in the test's namespace."""

    def __init__(self, both: Both) -> None:
        self.both = both
        self._names: list[str] = []
        self._role()

    def _role(self) -> None:
        """Both users may do everything there."""
        rbac = "rbac.authorization.k8s.io/v1"
        rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        head = {"apiVersion": rbac, "metadata": {"name": "all"}}
        binding = {
            **head,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": rbac[:-3], "kind": "Role", "name": "all"},
            "subjects": [
                {"apiGroup": rbac[:-3], "kind": "User", "name": name} for name in ("ada", "bob")
            ],
        }
        self.both.post(f"{rbac}/roles", {**head, "kind": "Role", "rules": [rule]})
        self.both.post(f"{rbac}/rolebindings", binding)

    def make(
        self, *validations: Object, actions: Any = ("Deny",), match: Any = None,
        limits: Any = None, rule: Any = None, **spec: Any,
    ) -> None:  # fmt: skip
        """A policy with its binding, in force. It refuses a ConfigMap of its name, too."""
        name = f"{self.both.namespace}-{len(self._names)}"
        probe = {"expression": f"request.name != '{name}'", "message": f"{name} is in force"}
        own = {**EVERYTHING, "resources": ["configmaps"], "resourceNames": [name]}
        mine = {"matchLabels": {"kubernetes.io/metadata.name": self.both.namespace}}
        constraints = {
            "namespaceSelector": mine,
            "resourceRules": [rule or EVERYTHING],
            **(match or {}),
        }
        constraints["resourceRules"] = [*constraints["resourceRules"], own]
        spec = {
            "matchConstraints": constraints,
            "matchConditions": [
                {"name": "users", "expression": "request.userInfo.username in ['ada', 'bob']"},
                *spec.pop("matchConditions", ()),
            ],
            "validations": [probe, *validations],
            **spec,
        }
        bound = {"policyName": name, "validationActions": list(actions)}
        if limits:
            bound["matchResources"] = {"resourceRules": [limits, own]}
        self._names.append(name)
        drop = ("status",)  # controllers write it later
        for path, made in ((POLICIES, spec), (BINDINGS, bound)):
            got = self.both.post(path, {"metadata": {"name": name}, "spec": made}, drop=drop)
            assert got["kind"] != Each(("Status", "Status")), got
        self.both.until(
            lambda got: all(f"{name} is in force" in f"{one}" for one in got),
            "POST", "configmaps", config_map(name), user="ada", dryRun="All",
        )  # fmt: skip

    def remove(self) -> None:
        for name in self._names:
            self.both.delete(f"{BINDINGS}/{name}")
            self.both.delete(f"{POLICIES}/{name}", drop=("status",))


@pytest.fixture
def policies(both: Both) -> Iterator[Policies]:
    made = Policies(both)
    yield made
    made.remove()


def test_what_is_refused_and_what_is_not(both: Both, policies: Policies):
    policies.make(
        {"expression": "object.data.?a.orValue('ok') == 'ok'", "message": "a must be ok"},
        {"expression": "object.data.?b.orValue('ok') == 'ok'", "reason": "Forbidden",
         "messageExpression": "'b is ' + object.data.b"},
        {"expression": "object.data.?c.orValue('ok') == 'ok'", "reason": "RequestEntityTooLarge"},
        {"expression": "object.data.?d.orValue('ok') == 'ok'", "message": "plain",
         "messageExpression": "string(object.data.nothing)"},
        {"expression": "object.data.?e.orValue('ok') == 'ok' || object.data.nothing == 'x'"},
        {"expression": "variables.f == 'ok'"},
        variables=[{"name": "g", "expression": "object.data.?g.orValue('ok')"},
                   {"name": "f", "expression": "variables.g == 'ok' ? 'ok' : object.data.none"}],
        rule={**EVERYTHING, "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]},
    )  # fmt: skip
    for key in "abcdeg":
        both.post("configmaps", config_map("x", {key: "bad"}), user="ada")
    both.post("configmaps", config_map("x", {"a": "bad", "b": "bad"}), user="ada")
    both.post("configmaps", config_map("x", {"a": "ok"}), user="ada")
    both.patch("configmaps/x", MERGE, {"data": {"b": "bad"}}, user="bob")
    both.patch("configmaps/x", MERGE, {"data": {"b": "bad"}}, user="bob", dryRun="All")
    both.put("configmaps/x", config_map("x", {"a": "bad"}), user="bob")
    both.patch("configmaps/y", APPLY, config_map("y", {"a": "bad"}), user="bob", fieldManager="m")
    both.patch("configmaps/x", MERGE, {"data": {"b": "bad"}})
    both.delete("configmaps/x", user="ada")


def test_what_a_policy_sees_of_a_request(both: Both, policies: Policies):
    said = {"expression": "false", "messageExpression": ASKED.replace("\n", " ")}
    policies.make(said, actions=["Warn", "Audit"])
    both.post("configmaps", config_map("x"), user="ada", fieldManager="m")
    made = {**config_map(), "metadata": {"generateName": "x-"}}
    both.post("configmaps", made, user="ada", fieldValidation="Strict", dryRun="All",
              drop=("metadata",))  # fmt: skip
    both.put("configmaps/x", config_map("x"), user="bob", drop=("metadata",))
    both.patch("configmaps/x", JSON, [{"op": "add", "path": "/data/b", "value": "2"}], user="ada",
               dryRun="All")  # fmt: skip
    both.patch("configmaps/y", APPLY, config_map("y"), user="ada", fieldManager="m")
    both.patch("configmaps/y", APPLY, config_map("y"), user="bob", fieldManager="m")
    both.delete("configmaps/y", user="ada")
    both.delete("configmaps/x", {"propagationPolicy": "Background"}, user="ada")


def test_subresources_are_judged_apart(both: Both, policies: Policies):
    both.post("apps/v1/deployments", workload("w"))
    both.post("pods", pod("p"))
    policies.make(
        {"expression": "object.spec.replicas < 3", "message": "too many"},
        rule={**EVERYTHING, "operations": ["UPDATE"], "resources": ["deployments/scale"]},
    )
    policies.make(
        {"expression": "false", "message": "nobody writes it"},
        rule={**EVERYTHING, "resources": ["jobs/status", "pods/eviction", "pods/binding"]},
    )
    both.patch("apps/v1/deployments/w/scale", MERGE, {"spec": {"replicas": 3}}, user="ada")
    both.patch("apps/v1/deployments/w", MERGE, {"spec": {"paused": True}}, user="ada",
               drop=("status", "metadata"))  # fmt: skip
    both.post("batch/v1/jobs", job("j"), user="ada", drop=("metadata", "spec"))
    both.patch("batch/v1/jobs/j/status", MERGE, {"status": {"failed": 1}}, user="ada")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    both.post("pods/p/eviction", eviction, user="ada")
    target = {"apiVersion": "v1", "kind": "Node", "name": "n"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": target}
    both.post("pods/p/binding", binding, user="ada")


def test_the_rules_that_match(both: Both, policies: Policies):
    maps = {**EVERYTHING, "resources": ["configmaps"]}
    policies.make(
        {"expression": "object.metadata.name.startsWith('t-')", "message": "but for y"},
        match={"excludeResourceRules": [{**maps, "resourceNames": ["y"]}]},
        limits={**maps, "operations": ["CREATE"]},
    )  # fmt: skip
    policies.make(
        {"expression": "false", "message": "but for what is free"},
        rule={**maps, "operations": ["CREATE"]},
        match={"objectSelector": {"matchExpressions": [
            {"key": "free", "operator": "DoesNotExist"}]}},
    )  # fmt: skip
    both.post("configmaps", config_map("y"), user="ada")
    both.post("configmaps", config_map("y", labels={"free": "yes"}), user="ada")
    both.post("configmaps", config_map("z", labels={"free": "yes"}), user="ada")
    both.patch("configmaps/y", MERGE, {"data": {"z": "1"}}, user="ada")
    both.post("secrets", {"metadata": {"name": "s"}}, user="ada")
    both.delete("configmaps/y", user="ada")


@pytest.mark.parametrize(
    "policy", [pytest.param("Equivalent", id="Equivalent"), pytest.param("Exact", id="Exact")]
)
def test_other_versions_of_a_resource(both: Both, policies: Policies, policy: str):
    policies.make(
        {"expression": "has(object.spec.targetCPUUtilizationPercentage)",
         "messageExpression": "object.apiVersion + ' ' + request.requestKind.version"},
        match={"matchPolicy": policy, "resourceRules": [
            {**EVERYTHING, "apiGroups": ["autoscaling"], "apiVersions": ["v1"]},
            {**EVERYTHING, "resources": ["configmaps"]}]},
    )  # fmt: skip
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}
    body = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": target, "maxReplicas": 2}}
    for version in ("v1", "v2"):
        at = f"autoscaling/{version}/horizontalpodautoscalers"
        both.post(at, body, user="ada", dryRun="All", drop=("metadata", "spec"))


def test_rights_that_policies_ask_for(both: Both, policies: Policies):
    rbac = "rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": ["pawl.dev"], "resources": ["modelversions"], "verbs": ["approve"]}
    head = {"apiVersion": rbac, "metadata": {"name": "approver"}}
    both.post(f"{rbac}/roles", {**head, "kind": "Role", "rules": [rule]})
    at = "authorizer.group('pawl.dev').resource('modelversions').namespace(request.namespace)"
    policies.make(
        {"expression": f"{at}.name(request.name).check('approve').allowed()",
         "messageExpression": "request.userInfo.username + ' may not approve'"},
        {"expression": "authorizer.serviceAccount('default', 'default').group('').resource('pods')"
                       ".check('get').allowed() || authorizer.requestResource.check('x').allowed()",
         "message": "never"},
        rule={**EVERYTHING, "resources": ["configmaps"], "operations": ["CREATE"]},
    )  # fmt: skip
    both.post("configmaps", config_map("x"), user="ada")


@pytest.mark.parametrize(
    "failure", [pytest.param("Fail", id="Fail"), pytest.param("Ignore", id="Ignore")]
)
def test_what_cannot_be_told(both: Both, policies: Policies, failure: str):
    policies.make(
        {"expression": "object.data.nothing == 'x'"},
        {"expression": "variables.none == 'x'"},
        failurePolicy=failure,
        variables=[{"name": "none", "expression": "object.spec.none"}],
        rule={**EVERYTHING, "resources": ["configmaps"], "operations": ["CREATE"]},
        matchConditions=[{"name": "a", "expression": "!('skip' in object.data)"},
                         {"name": "b", "expression": "!('odd' in object.data) || object.x == 1"}],
    )  # fmt: skip
    both.post("configmaps", config_map("x"), user="ada")
    both.post("configmaps", config_map("y", {"odd": "1"}), user="ada")
    both.post("configmaps", config_map("z", {"odd": "1", "skip": "1"}), user="ada")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"failurePolicy": "Maybe"}, id="failurePolicy"),
        pytest.param({"matchConstraints": {"matchPolicy": "Foo"}}, id="matchPolicy"),
        pytest.param({"matchConstraints": {"resourceRules": [{**EVERYTHING, "scope": "X"}]}},
                     id="scope"),
        pytest.param({"matchConstraints": {"resourceRules": [
            {**EVERYTHING, "operations": ["*", "NOPE"], "resources": []}]}}, id="operations"),
        pytest.param({"matchConditions": [{"name": "a b", "expression": "object.foo"},
                                          {"name": "a", "expression": "variables.a"},
                                          {"name": "a", "expression": " "}]}, id="conditions"),
        pytest.param({"variables": [{"name": "1a", "expression": "1"}]}, id="name of a variable"),
        pytest.param({"variables": [{"name": "a", "expression": "variables.b"},
                                    {"name": "b", "expression": "1"}]}, id="later variable"),
        pytest.param({"validations": [{"expression": "object.foo"}]}, id="not bool"),
        pytest.param({"validations": [{"expression": "request.foo == 'x'"}]}, id="no field"),
        pytest.param({"validations": [{"expression": "foo ="}]}, id="syntax"),
        pytest.param({"validations": [{"expression": "string(request) == ''"}]}, id="overload"),
        pytest.param({"validations": [
            {"expression": "true", "message": "a\nb"}, {"expression": "true", "reason": "Foo"},
            {"expression": "true", "messageExpression": "1"},
            {"expression": "true", "messageExpression": "authorizer.path('/x').check('get')"},
        ]}, id="messages"),
    ],
)  # fmt: skip
def test_policies_that_are_refused(both: Both, spec: Object):
    whole = {
        "matchConstraints": {"resourceRules": [EVERYTHING]},
        "validations": [{"expression": "true"}],
    }
    body = {"metadata": {"name": both.namespace}, "spec": {**whole, **spec} if spec else {}}
    both.post(POLICIES, body)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"policyName": ""}, id="no policy"),
        pytest.param({"validationActions": []}, id="no action"),
        pytest.param({"validationActions": ["Deny", "Warn"]}, id="Deny and Warn"),
        pytest.param({"validationActions": ["Foo", "Audit", "Audit"]}, id="unknown action"),
        pytest.param({"matchResources": {"objectSelector": {"matchLabels": {"a b": "1"}}}},
                     id="selector"),
    ],
)  # fmt: skip
def test_bindings_that_are_refused(both: Both, spec: Object):
    whole = {"policyName": "x", "validationActions": ["Deny"]}
    both.post(BINDINGS, {"metadata": {"name": both.namespace}, "spec": {**whole, **spec}})
