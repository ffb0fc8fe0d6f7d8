"""Importing, approving and promoting need verbs of their own, as API servers judge."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from realapi import BASE, Api

NAME = uuid.uuid4().hex[:6]
WRITER = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": f"writer-{NAME}"},
    "rules": [{"apiGroups": ["pawl.dev"], "resources": ["*"], "verbs": ["create", "patch", "get"]}],
}


def version(number: int, **spec: Any) -> str:
    artifact = {"uri": "s3://m/1", "digest": "sha256:" + "a" * 64}
    return json.dumps(
        {
            "apiVersion": "pawl.dev/v1alpha1",
            "kind": "ModelVersion",
            "metadata": {"name": f"m-v{number}"},
            "spec": {"model": "m", "version": number, "artifact": artifact, **spec},
        }
    )


DEPLOYMENT = json.dumps(
    {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "m"},
        "spec": {"model": "m"},
    }
)


@pytest.fixture(scope="module", autouse=True)
def people(api: Api) -> None:
    """writer may write all kinds but has no verb of Pawl's; approver has pawl-approver; importer
    has only import beside what writer has."""
    importer = {**WRITER, "metadata": {"name": f"importer-{NAME}"}}
    rule = {"apiGroups": ["pawl.dev"], "resources": ["modelversions"], "verbs": ["import"]}
    importer["rules"] = [*WRITER["rules"], rule]
    for role in (WRITER, importer):
        api.done("create", "-f", "-", text=json.dumps(role))
    for user, role in (
        ("writer", f"writer-{NAME}"),
        ("importer", f"importer-{NAME}"),
        ("approver", "pawl-approver"),
    ):
        api.done("create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}")
    api.done("create", "-f", "-", text=version(1, approval="Required"))
    api.done("create", "-f", "-", text=DEPLOYMENT)
    _wait_for_the_policy(api)


def _wait_for_the_policy(api: Api) -> None:
    """It is in force a moment after it was created."""
    for _ in range(200):
        tried = api.kubectl("create", "--as=writer", "--dry-run=server", "-f", "-", text=version(9))
        if tried.returncode:
            return
    raise AssertionError("the policy does not come into force")


def test_without_the_verb_nobody_imports(api: Api):
    said = api.kubectl("create", "--as=writer", "-f", "-", text=version(2)).stderr
    assert "writer may not import model versions: it needs the verb import" in said


def test_who_imports_does_not_approve(api: Api):
    said = api.kubectl("create", "--as=importer", "-f", "-", text=version(3)).stderr
    assert "or import it with spec.approval: Required" in said
    api.done("create", "--as=importer", "-f", "-", text=version(3, approval="Required"))


def test_the_approver_imports_and_approves(api: Api):
    api.done("create", "--as=approver", "-f", "-", text=version(4))
    patch = '{"spec": {"approval": "Approved"}}'
    words = ("patch", "modelversion", "m-v1", "--type=merge", "-p", patch)
    said = api.kubectl(*words, "--as=writer").stderr
    assert "writer may not decide spec.approval: it needs the verb approve" in said
    api.done(*words, "--as=approver")


@pytest.mark.parametrize("command", ["promote", "abort", "pause", "retry", "reset-breaker"])
def test_commands_need_promote(api: Api, command: str):
    words = ("annotate", "modeldeployment", "m", f"pawl.dev/{command}=m-v4", "--overwrite")
    said = api.kubectl(*words, "--as=writer").stderr
    assert "writer may not give commands to a rollout: it needs the verb promote" in said
    api.done(*words, "--as=approver")
    said = api.kubectl("annotate", "modeldeployment", "m", f"pawl.dev/{command}-", "--as=writer")
    assert said.returncode, "a command is not taken back either"


def test_other_changes_need_no_verb_of_ours(api: Api):
    api.done("annotate", "modeldeployment", "m", "team=a", "--overwrite", "--as=writer")
    api.done("label", "modelversion", "m-v1", "team=a", "--overwrite", "--as=writer")


def test_the_other_policies_are_accepted(api: Api):
    served = api.done("api-resources", "--api-group=admissionregistration.k8s.io")
    for path in sorted((BASE.parent / "policies").glob("*.yaml")):
        if path.stem != "stamp" or "mutatingadmissionpolicies" in served:
            api.done("apply", "--dry-run=server", "-f", str(path))


@pytest.mark.parametrize(
    ("user_role", "verb", "what", "answer"),
    [
        pytest.param("view", "list", "modelversions", "yes", id="view reads"),
        pytest.param("view", "patch", "modeldeployments", "no", id="view writes nothing"),
        pytest.param("edit", "create", "trainingjobs", "yes", id="edit trains"),
        pytest.param("edit", "patch", "modeldeployments", "yes", id="edit deploys"),
        pytest.param("edit", "promote", "modeldeployments", "no", id="edit promotes not"),
        pytest.param("edit", "create", "modelversions", "no", id="edit imports not"),
        pytest.param("edit", "patch", "modelversions", "no", id="edit approves not"),
        pytest.param("edit", "patch", "modelversions/status", "no", id="nobody writes status"),
    ],
)
def test_what_the_usual_roles_may(api: Api, user_role: str, verb: str, what: str, answer: str):
    found = json.loads(api.done("get", "clusterrole", f"pawl-{user_role}", "-o", "json"))
    labels = found["metadata"]["labels"]
    assert labels[f"rbac.authorization.k8s.io/aggregate-to-{user_role}"] == "true"
    api.kubectl(
        "create", "rolebinding", f"by-{user_role}", f"--clusterrole=pawl-{user_role}",
        f"--user={user_role}",
    )  # fmt: skip
    group = f"{what.partition('/')[0]}.pawl.dev"
    words = ["auth", "can-i", verb, group, f"--as={user_role}"]
    if "/" in what:
        words.append(f"--subresource={what.partition('/')[2]}")
    assert api.kubectl(*words).stdout.strip() == answer
