"""Approving is a right of its own, and the record says who did it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from clusters import Cluster, EmbeddedCluster
from harness import Space, condition
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

MANIFESTS = Path(__file__).parents[2] / "manifests"
WRITER, APPROVER = "ada", "grace"
NAMES = "pawl.dev/requested-by"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Cluster]:
    """A cluster with the policies and the roles of the base. An embedded one of its own, whose
    operator trusts the names that a policy vouches for."""
    if not isinstance(cluster, EmbeddedCluster):
        yield cluster
        return
    made = EmbeddedCluster(tmp_path_factory.mktemp("guarded"), PAWL_TRUST_REQUESTED_BY="true")
    try:
        base = MANIFESTS / "base"
        roles = [
            item
            for item in yaml.safe_load_all((base / "rbac.yaml").read_text())
            if item["metadata"]["name"] == "pawl-approver"
        ]
        made.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(roles))
        for path in (base / "policy.yaml", MANIFESTS / "policies" / "requested-by.yaml"):
            made.kubectl("apply", "-f", str(path))
        yield made
    finally:
        made.down(None)


@pytest.fixture
def guarded_space(guarded: Cluster) -> Iterator[Space]:
    made = Space(guarded)
    made.open()
    rule = {"apiGroups": ["pawl.dev"], "resources": ["modelversions"], "verbs": ["get", "patch"]}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "writer", "namespace": made.name},
        "rules": [rule],
    }
    guarded.kubectl("apply", "-f", "-", text=json.dumps(role))
    bind = ("create", "rolebinding", "-n", made.name)
    guarded.kubectl(*bind, "writers", "--role=writer", f"--user={WRITER}", f"--user={APPROVER}")
    guarded.kubectl(*bind, "approvers", "--clusterrole=pawl-approver", f"--user={APPROVER}")
    try:
        yield made
    finally:
        made.close()


def approve(space: Space, user: str, name: str) -> str:
    """What kubectl says when a user approves the version in the name of `name`."""
    patch = {"metadata": {"annotations": {NAMES: name}}, "spec": {"approval": "Approved"}}
    return space.cluster.kubectl(
        "patch", "modelversion", "m-v1", "-n", space.name, "--type=merge", f"--as={user}",
        "-p", json.dumps(patch), check=False,
    )  # fmt: skip


def test_only_an_approver_approves_and_the_record_names_him(guarded_space: Space):
    space = guarded_space
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    model = to_onnx(LogisticRegression().fit(x, x[:, 0] > 0), x[:1]).SerializeToString()
    artifact = {
        "uri": space.cluster.store_file(f"imports/{space.name}/model.onnx", model),
        "digest": "sha256:" + hashlib.sha256(model).hexdigest(),
        "format": "onnx",
    }
    spec = {"model": "m", "version": 1, "artifact": artifact, "approval": "Required"}
    space.create("ModelVersion", "m-v1", spec)
    waiting = space.until("ModelVersion", "m-v1", lambda s: bool(s.get("conditions")))
    assert condition(waiting, "Approved")["status"] != "True"
    refused = approve(space, WRITER, WRITER)
    assert f"{WRITER} may not decide spec.approval: it needs the verb approve" in refused
    assert "patched" in approve(space, APPROVER, APPROVER)
    status = space.until("ModelVersion", "m-v1", lambda s: bool(s.get("approval")))
    assert condition(status, "Approved")["status"] == "True"
    assert status["approval"]["command"] == "approve"
    if isinstance(space.cluster, EmbeddedCluster):  # elsewhere it is the administrator's choice
        assert status["approval"]["user"] == APPROVER
        assert f"approve m-v1 by {APPROVER} (" in space.told("m-v1", "Requested: approve")
