"""From a container's spec to what is executed."""

from __future__ import annotations

from pathlib import Path

from pawl.local.node.images import pull
from pawl.local.node.launch import Surface, prepare


def test_paths_of_the_node_are_not_taken_for_mount_paths(tmp_path: Path):
    surface = Surface(
        address="127.20.64.1",
        hostname="p",
        namespace="ns",
        home=tmp_path / "home",
        mounts={"/tmp": "/volumes/tmp"},
        env={"SCRATCH": "/tmp/x"},
        dns=("127.20.0.10", 53),
        given={"KUBECONFIG": "/tmp/cluster/kubeconfig"},
    )
    env = prepare({"name": "c"}, pull("pawl/operator:1"), surface).env
    assert env["SCRATCH"] == "/volumes/tmp/x"
    assert env["KUBECONFIG"] == "/tmp/cluster/kubeconfig"


def test_the_spec_goes_before_what_the_node_gives(tmp_path: Path):
    surface = Surface(
        address="127.20.64.1",
        hostname="p",
        namespace="ns",
        home=tmp_path / "home",
        mounts={},
        env={"KUBECONFIG": "/mine"},
        dns=("127.20.0.10", 53),
        given={"KUBECONFIG": "/theirs"},
    )
    assert prepare({"name": "c"}, pull("pawl/operator:1"), surface).env["KUBECONFIG"] == "/mine"
