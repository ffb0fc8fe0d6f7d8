"""The API server itself says who gave a command or made a decision: manifests/policies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from subprocess import CompletedProcess

import pytest
from realapi import BASE, Api

PREFIX = "requested-by.pawl.dev/"
DEPLOYMENT = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "m"},
    "spec": {"model": "m"},
}
VERSION = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "ModelVersion",
    "metadata": {"name": "m-v1"},
    "spec": {
        "model": "m",
        "version": 1,
        "approval": "Required",
        "artifact": {"uri": "s3://m/1", "digest": "sha256:" + "a" * 64},
    },
}


class Space:
    """A namespace in which everybody is an administrator."""

    def __init__(self, api: Api) -> None:
        self.name = f"t-{uuid.uuid4().hex[:8]}"
        self._api = api
        api.done("create", "namespace", self.name)

    def ask(self, user: str, *words: str, text: str | None = None) -> CompletedProcess[str]:
        who = (f"--as={user}", "--as-group=system:masters", "-n", self.name)
        return self._api.kubectl(*words, *who, text=text)

    def annotate(self, user: str, *annotations: str) -> CompletedProcess[str]:
        return self.ask(user, "annotate", "modeldeployment", "m", "--overwrite", *annotations)

    def stamps(self, what: str) -> dict[str, str]:
        found = self._api.done("get", what, "-n", self.name, "-o", "json")
        given = json.loads(found)["metadata"].get("annotations") or {}
        return {k.removeprefix(PREFIX): v for k, v in given.items() if k.startswith(PREFIX)}


@pytest.fixture(scope="module")
def stamped(real: Api) -> Iterator[Api]:
    served = real.done("api-resources", "--api-group=admissionregistration.k8s.io")
    if "mutatingadmissionpolicies" not in served:
        pytest.skip("needs an API server that has MutatingAdmissionPolicies (1.36)")
    files = [
        f"--filename={BASE.parent / 'policies' / name}.yaml" for name in ("requested-by", "stamp")
    ]
    real.done("apply", *files)
    space = Space(real)
    space.ask("ada", "create", "-f", "-", text=json.dumps(DEPLOYMENT))
    for turn in range(200):  # both are in force a moment after they were created
        space.annotate("ada", f"pawl.dev/pause=v{turn}")
        refused = space.annotate("ada", f"{PREFIX}abort=ada").returncode
        if refused and space.stamps("modeldeployment/m") == {"pause": "ada"}:
            break
    else:
        raise AssertionError("the policies do not come into force")
    yield real
    real.done("delete", *files)


@pytest.fixture
def space(stamped: Api) -> Space:
    made = Space(stamped)
    made.ask("ada", "create", "-f", "-", text=json.dumps(DEPLOYMENT))
    return made


def test_each_command_has_the_user_who_gave_it(space: Space):
    assert space.stamps("modeldeployment/m") == {}
    space.annotate("ada", "pawl.dev/promote=m-v1")
    space.annotate("bob", "pawl.dev/pause=m-v1", "team=a")
    assert space.stamps("modeldeployment/m") == {"promote": "ada", "pause": "bob"}
    space.annotate("eve", "pawl.dev/promote=m-v2")
    assert space.stamps("modeldeployment/m") == {"promote": "eve", "pause": "bob"}


def test_nobody_writes_stamps_himself(space: Space):
    space.annotate("ada", "pawl.dev/promote=m-v1", f"{PREFIX}promote=bob")
    assert space.stamps("modeldeployment/m") == {"promote": "ada"}
    space.annotate("bob", f"{PREFIX}promote=bob")
    space.annotate("bob", f"{PREFIX}promote-")
    assert space.stamps("modeldeployment/m") == {"promote": "ada"}
    said = space.annotate("bob", f"{PREFIX}abort=ada")
    assert "is written by the API server only" in said.stderr


def test_imports_and_approvals_have_their_users(space: Space):
    space.ask("ada", "create", "-f", "-", text=json.dumps(VERSION))
    space.ask("bob", "label", "modelversion", "m-v1", "a=b")
    assert space.stamps("modelversion/m-v1") == {"import": "ada"}
    patch = json.dumps({"spec": {"approval": "Approved"}})
    space.ask("bob", "patch", "modelversion", "m-v1", "--type=merge", "-p", patch)
    assert space.stamps("modelversion/m-v1") == {"import": "ada", "approval": "bob"}
