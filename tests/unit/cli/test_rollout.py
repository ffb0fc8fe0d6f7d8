"""Commands to a rollout: the annotation that they write, and what they refuse."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from commandline import pawl as run

from pawl.cli.target import cluster
from pawl.core import commands
from pawl.errors import UserError

NAMES = (f"d{number}" for number in itertools.count())
ROLLING: dict[str, Any] = {
    "phase": "Canary",
    "candidate": "churn-v8",
    "digest": "sha256:" + "8" * 64,
    "reference": 7,
    "startedAt": "2026-09-21T14:13:20Z",
}
FAILED: dict[str, Any] = {
    "version": "churn-v8",
    "digest": "sha256:" + "8" * 64,
    "generation": 1,
    "at": "2026-09-21T14:13:20Z",
}


def status(**values: Any) -> dict[str, Any]:
    return {"observedGeneration": 1, "conditions": []} | values


def pawl(*words: str) -> str:
    """What needs a reason gets one."""
    if words[0] not in ("pause", "resume") and "-m" not in words:
        words = (*words, "-m", "it had to be")
    return run(*words)


@pytest.fixture
def name() -> str:
    return next(NAMES)


@pytest.mark.parametrize(
    ("command", "annotation"),
    [
        pytest.param("promote", commands.PROMOTE, id="promote"),
        pytest.param("abort", commands.ABORT, id="abort"),
        pytest.param("pause", commands.PAUSE, id="pause"),
    ],
)
@pytest.mark.parametrize(
    ("rollout", "value"),
    [
        pytest.param(ROLLING, "churn-v8", id="of the first rollout"),
        pytest.param({**ROLLING, "attempt": 3}, "churn-v8#3", id="of the third"),
    ],
)
def test_a_command_names_the_rollout_under_way(
    api: Any, name: str, command: str, annotation: str, rollout: Any, value: str
):
    before = api.deployment(name, status(rollout=rollout))
    assert pawl(command, f"mdep/{name}") == f"{annotation}: {value}\n"
    after = api.get(name)
    written = {annotation: value}
    if command != "pause":
        written["pawl.dev/reason"] = f"{command} {value}: it had to be"
        written["pawl.dev/requested-by"] = "kubernetes-admin"
    assert after["metadata"]["annotations"] == written
    assert (after["spec"], after["status"]) == (before["spec"], before["status"])
    managers = [entry["manager"] for entry in after["metadata"]["managedFields"]]
    assert "pawl-cli" in managers


@pytest.mark.parametrize("command", ["promote", "abort", "pause"])
@pytest.mark.parametrize(
    "told",
    [
        pytest.param(None, id="no status yet"),
        pytest.param(status(), id="none"),
        pytest.param(status(rollout={**ROLLING, "phase": "RollingBack"}), id="on the way back"),
    ],
)
def test_without_a_rollout_there_is_nothing_to_command(
    api: Any, name: str, command: str, told: Any
):
    api.deployment(name, told)
    with pytest.raises(UserError, match="no rollout is under way"):
        pawl(command, name)
    assert "annotations" not in api.get(name)["metadata"]


@pytest.mark.parametrize("phase", ["Promoting", "Holdback"])
@pytest.mark.parametrize("command", ["promote", "pause"])
def test_what_is_promoted_can_only_be_aborted(api: Any, name: str, phase: str, command: str):
    api.deployment(name, status(rollout={**ROLLING, "phase": phase}))
    with pytest.raises(UserError, match="is promoted already"):
        pawl(command, name)
    assert "churn-v8" in pawl("abort", name)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501], ids=["none", "blank", "a novel"])
def test_what_decides_needs_a_reason(api: Any, name: str, reason: str):
    api.deployment(name, status(rollout=ROLLING))
    with pytest.raises(UserError, match=r"say why|at most 500"):
        pawl("promote", name, "-m", reason)
    assert "annotations" not in api.get(name)["metadata"]


def test_resume_takes_the_pause_away(api: Any, name: str):
    api.deployment(name, status(rollout=ROLLING))
    pawl("pause", name)
    assert pawl("resume", name) == f"{commands.PAUSE} removed\n"
    assert commands.PAUSE not in api.get(name)["metadata"].get("annotations", {})
    assert pawl("resume", name) == f"{commands.PAUSE} removed\n"


def test_retry_names_what_was_rolled_back_last(api: Any, name: str):
    earlier = {**FAILED, "version": "churn-v7"}
    api.deployment(name, status(rolledBack=[{**FAILED, "attempt": 2}, earlier]))
    assert pawl("retry", name) == f"{commands.RETRY}: churn-v8#2\n"


def test_retry_needs_a_candidate_that_was_rolled_back(api: Any, name: str):
    api.deployment(name, status(rollout=ROLLING))
    with pytest.raises(UserError, match="no candidate was rolled back"):
        pawl("retry", name)


@pytest.mark.parametrize("kind", ["", "mdep/", "modeldeployment/", "modeldeployments.pawl.dev/"])
def test_names_as_kubectl_takes_them(api: Any, name: str, kind: str):
    api.deployment(name, status(rollout=ROLLING))
    assert "churn-v8" in pawl("pause", kind + name)


@pytest.mark.parametrize("target", ["deployment/churn", "mv/churn-v8", "mdep/", "a/mdep/churn"])
def test_names_of_something_else(target: str):
    with pytest.raises(UserError, match="write mdep/"):
        pawl("pause", target)


def test_another_namespace(api: Any, name: str):
    api.run(
        lambda: api.registry.create(
            "namespaces", None, {"metadata": {"name": name}}, manager="test"
        )
    )
    api.deployment(name, status(rollout=ROLLING), namespace=name)
    with pytest.raises(UserError, match=f"no Deployment {name} in namespace ml"):
        pawl("pause", name)
    assert "churn-v8" in pawl("pause", name, "-n", name)


def test_a_status_of_another_age_is_said(api: Any, name: str, monkeypatch: pytest.MonkeyPatch):
    api.deployment(name, status(rollout=ROLLING))

    item = api.get(name)
    item["status"]["rollout"]["phase"] = "Levitating"
    monkeypatch.setattr("pawl.cli.rollout.deployment", _given(item))
    with pytest.raises(UserError, match="cannot be read"):
        pawl("pause", name)


def _given(item: dict[str, Any]) -> Any:
    async def deployment(*_: Any) -> dict[str, Any]:
        return item

    return deployment


CONFIG = """
apiVersion: v1
kind: Config
current-context: a
clusters: [{name: a, cluster: {server: "https://127.0.0.1:9"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {}}]
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(CONFIG, "does not answer", id="nobody there"),
        pytest.param("", "cannot be used", id="empty"),
        pytest.param("a: [", "cannot be used", id="no YAML"),
        pytest.param(None, "cannot be used", id="no file"),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_said(kubeconfig: Path, text: str | None, words: str):
    kubeconfig.unlink() if text is None else kubeconfig.write_text(text)
    with pytest.raises(UserError, match=words):
        pawl("pause", "churn")


def test_a_refusal_of_the_cluster_is_said(api: Any, kubeconfig: Path, name: str):
    api.deployment(name, status(rollout=ROLLING))
    kubeconfig.write_text(kubeconfig.read_text().replace("a-token-for-tests", "another-token"))
    with pytest.raises(UserError, match="the cluster refused"):
        pawl("pause", name)


@pytest.mark.parametrize(
    ("group", "there"), [("autoscaling", True), ("custom.metrics.k8s.io", False)]
)
async def test_a_cluster_says_which_groups_it_has(api: Any, group: str, there: bool):
    async with cluster() as kube:
        assert await kube.serves(group) is there
