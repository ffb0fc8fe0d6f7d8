"""Policies in force judge every write but those of the cluster itself."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pawl.local.api.checks import Options
from pawl.local.api.deletion import DeleteOptions
from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry
from pawl.local.api.users import User

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = (f"{GROUP}/validatingadmissionpolic{end}" for end in ("ies", "ybindings"))
MAPS = {"apiGroups": [""], "apiVersions": ["*"], "operations": ["*"], "resources": ["configmaps"]}
ADA = User("ada", ("system:authenticated",))


class Cluster:
    """A registry, and Ada who writes ConfigMaps."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.maps = self.registry.catalog.named("configmaps")
        for name, labels in (("ml", {"team": "a"}), ("free", {})):
            body = {"metadata": {"name": name, "labels": labels}}
            self.registry.create("namespaces", None, body, manager="test")

    def policy(
        self, expression: str, name: str = "p", actions: tuple[str, ...] = ("Deny",),
        bound: dict[str, Any] | None = None, **spec: Any,
    ) -> None:  # fmt: skip
        spec = {
            "matchConstraints": {"resourceRules": [MAPS]},
            "validations": [{"expression": expression}],
            **spec,
        }
        body = {"metadata": {"name": name}, "spec": spec}
        self.registry.create(POLICIES, None, body, manager="test")
        bound = {"policyName": name, "validationActions": list(actions), **(bound or {})}
        body = {"metadata": {"name": name}, "spec": bound}
        self.registry.create(BINDINGS, None, body, manager="test")

    def write(self, value: str = "1", namespace: str = "ml", user: User | None = ADA) -> list[str]:
        """Creates or updates the ConfigMap `m`; the warnings."""
        body = {"metadata": {"name": "m"}, "data": {"x": value}}
        options = Options("test", user=user)
        if self.registry.list("configmaps", namespace):
            return self.registry.update_item(self.maps, namespace, "m", body, options).warnings
        return self.registry.create_item(self.maps, namespace, body, options).warnings


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def refusal(cluster: Cluster, value: str = "1", namespace: str = "ml") -> ApiError:
    with pytest.raises(ApiError) as caught:
        cluster.write(value, namespace)
    return caught.value


def test_nothing_is_stored_of_what_is_refused(cluster: Cluster):
    cluster.policy("object.data.x != 'bad'")
    cluster.write("good")
    error = refusal(cluster, "bad")
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.message == (
        "configmaps \"m\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied "
        "request: failed expression: object.data.x != 'bad'"
    )
    assert cluster.registry.get("configmaps", "ml", "m")["data"] == {"x": "good"}


def test_a_policy_without_a_binding_does_nothing(cluster: Cluster):
    cluster.policy("false")
    cluster.registry.delete(BINDINGS, None, "p", manager="test")
    cluster.write()


def test_a_changed_policy_is_in_force_at_once(cluster: Cluster):
    cluster.policy("false")
    old = cluster.registry.get(POLICIES, None, "p")
    spec = {**old["spec"], "validations": [{"expression": "true"}]}
    cluster.registry.update(POLICIES, None, {**old, "spec": spec}, manager="test")
    cluster.write()


def test_the_cluster_itself_is_not_judged(cluster: Cluster):
    cluster.policy("false")
    cluster.write(user=None)


def test_controllers_are_judged(cluster: Cluster):
    cluster.policy("request.userInfo.username != 'system:kube-controller-manager'")
    body = {"metadata": {"name": "m"}}
    with pytest.raises(ApiError, match="denied request"):
        cluster.registry.create("configmaps", "ml", body, manager="kube-controller-manager")
    cluster.registry.create("configmaps", "ml", body, manager="kubelet")


def test_deletions_have_an_old_object_only(cluster: Cluster):
    cluster.policy("request.operation != 'DELETE' || (object == null && oldObject.data.x == '1')")
    cluster.write("1")
    cluster.registry.delete_item(cluster.maps, "ml", "m", DeleteOptions(user=ADA))
    cluster.write("2")
    with pytest.raises(ApiError, match="denied request"):
        cluster.registry.delete_item(cluster.maps, "ml", "m", DeleteOptions(user=ADA))


def test_policies_do_not_judge_policies(cluster: Cluster):
    everything = {**MAPS, "apiGroups": ["*"], "resources": ["*/*"]}
    cluster.policy("false", matchConstraints={"resourceRules": [everything]})
    policies = cluster.registry.catalog.named(POLICIES)
    cluster.registry.delete_item(policies, None, "p", DeleteOptions(user=ADA))
    cluster.write()


def test_a_binding_narrows_its_policy(cluster: Cluster):
    selector = {"matchLabels": {"team": "a"}}
    cluster.policy("false", bound={"matchResources": {"namespaceSelector": selector}})
    cluster.write(namespace="free")
    assert refusal(cluster, namespace="ml").code == 422


def test_warnings_go_to_the_client_and_audits_to_the_log(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
):
    notes = [{"key": "who", "valueExpression": "request.userInfo.username"}]
    cluster.policy("false", actions=("Warn", "Audit"), auditAnnotations=notes)
    with caplog.at_level(logging.INFO, "pawl.local.api.admission"):
        said = cluster.write()
    assert said == [
        "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': "
        "failed expression: false"
    ]
    assert "audit annotation p/who: ada" in caplog.text
    assert "audit: validation failed for ValidatingAdmissionPolicy 'p'" in caplog.text


@pytest.mark.parametrize(
    ("policy", "refused"),
    [pytest.param("Fail", True, id="Fail"), pytest.param("Ignore", False, id="Ignore")],
)
def test_what_cannot_be_told_is_refused_unless_ignored(
    cluster: Cluster, policy: str, refused: bool
):
    cluster.policy("object.data.nothing == 'x'", failurePolicy=policy)
    if refused:
        assert "resulted in error: no such key: nothing" in refusal(cluster).message
    else:
        cluster.write()


def test_rights_are_those_of_the_writer(cluster: Cluster):
    cluster.policy(
        "authorizer.group('pawl.dev').resource('modelversions').namespace(request.namespace)"
        ".check('approve').allowed()"
    )
    assert refusal(cluster).code == 422
    rule = {"apiGroups": ["pawl.dev"], "resources": ["modelversions"], "verbs": ["approve"]}
    rbac = "rbac.authorization.k8s.io"
    role = {"metadata": {"name": "r"}, "rules": [rule]}
    cluster.registry.create(f"{rbac}/roles", "ml", role, manager="test")
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "ada"}],
    }
    cluster.registry.create(f"{rbac}/rolebindings", "ml", binding, manager="test")
    cluster.write()
    assert refusal(cluster, namespace="free").code == 422


@pytest.mark.parametrize(
    ("resource", "body", "field"),
    [
        pytest.param(POLICIES, {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}},
                     "spec.paramKind", id="policy"),
        pytest.param(BINDINGS, {"paramRef": {"name": "x"}}, "spec.paramRef", id="binding"),
    ],
)  # fmt: skip
def test_parameters_are_refused(cluster: Cluster, resource: str, body: Any, field: str):
    whole = {
        POLICIES: {"matchConstraints": {"resourceRules": [MAPS]},
                   "validations": [{"expression": "true"}]},
        BINDINGS: {"policyName": "x", "validationActions": ["Deny"]},
    }[resource]  # fmt: skip
    made = {"metadata": {"name": "x"}, "spec": {**whole, **body}}
    with pytest.raises(ApiError, match="the embedded cluster has no parameters") as caught:
        cluster.registry.create(resource, None, made, manager="test")
    assert [cause["field"] for cause in (caught.value.details or {})["causes"]] == [field]
