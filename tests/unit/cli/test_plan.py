"""`pawl plan`: from a file or a cluster, what is said, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from commandline import pawl as run
from typer.testing import CliRunner

from pawl.cli import command_line
from pawl.errors import UserError

ROLLOUT: dict[str, Any] = {
    "shadow": {"duration": "10m", "gates": [{"metric": "disagreement", "aboveOffline": 0.05}]},
    "canary": {
        "steps": [{"weight": 5, "duration": "10m"}, {"weight": 50, "duration": "30m"}],
        "gates": [
            {"metric": "error_rate", "notWorseBy": 0.01},
            {"metric": "latency_p99_ratio", "max": 1.5, "required": False},
        ],
    },
    "decision": {"confidence": 0.99},
    "holdback": {"duration": "7d"},
}


def manifest(rollout: Any = ROLLOUT, name: str = "churn") -> dict[str, Any]:
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"model": "churn", "rollout": rollout},
    }


def pawl(*words: str) -> str:
    return run("plan", *words)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deployment.yaml"


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There is no cluster."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


@pytest.mark.usefixtures("nobody")
def test_a_file_needs_no_cluster(file: Path):
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "nginx"}}
    file.write_text(yaml.safe_dump_all([other, manifest(), None]))
    told = pawl("-f", str(file), "--rps", "5")
    for words in (
        "churn with 5 requests per second",
        "shadow 100 %",
        "canary 50 %",
        "error_rate",
        "1.00% errors",
        "latency_p99_ratio (not required)",
        "minSamples 200 takes 13m20s",
        "10,000 requests",
        "A good version is promoted after about",
        "7d of holdback",
    ):
        assert words in told


@pytest.mark.usefixtures("nobody")
def test_more_traffic_takes_less_time(file: Path):
    file.write_text(yaml.safe_dump(manifest()))
    slow, fast = (pawl("-f", str(file), "--rps", rps) for rps in ("1", "1000"))
    assert "promoted after about 50m." not in slow
    assert "promoted after about 50m;" in fast


@pytest.mark.usefixtures("nobody")
def test_what_is_supposed_may_be_said(file: Path):
    file.write_text(yaml.safe_dump(manifest()))
    assert "5.00% errors" in pawl("-f", str(file), "--rps", "5", "--error-rate", "0.05")


@pytest.mark.usefixtures("nobody")
def test_manual_promotion_is_said(file: Path):
    file.write_text(yaml.safe_dump(manifest({**ROLLOUT, "promotion": "Manual"})))
    assert "once somebody says `pawl promote`" in pawl("-f", str(file), "--rps", "50")


def test_a_cluster_knows_the_stable_versions_errors(api: Any):
    rollout = {
        "phase": "Canary",
        "candidate": "churn-v8",
        "digest": "sha256:" + "8" * 64,
        "reference": 7,
        "startedAt": "2026-09-21T14:13:20Z",
        "gates": [
            {
                "stage": "canary",
                "metric": "error_rate",
                "limit": "notWorseBy 0.01",
                "stable": {"value": 0.031, "samples": 900},
            }
        ],
    }
    api.deployment("planned", {"rollout": rollout}, rollout=ROLLOUT)
    assert "3.10% errors" in pawl("mdep/planned", "--rps", "5")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "cannot be read", id="no file"),
        pytest.param("a: [", "cannot be read", id="no YAML"),
        pytest.param("[]", "no Deployments of Pawl", id="something else"),
        pytest.param(
            yaml.safe_dump_all([manifest(), manifest()]), "2 Deployments of Pawl", id="two of them"
        ),
        pytest.param(yaml.safe_dump(manifest(None)), "has no rollout", id="no rollout"),
        pytest.param(yaml.safe_dump(manifest({})), "neither shadow nor canary", id="no stage"),
        pytest.param(
            yaml.safe_dump(manifest({"canary": {"steps": []}})),
            "rollout.canary.steps",
            id="no step",
        ),
        pytest.param(
            yaml.safe_dump(manifest({"canary": {"stepz": []}})), "stepz", id="an unknown field"
        ),
    ],
)
@pytest.mark.usefixtures("nobody")
def test_a_file_that_cannot_be_planned(file: Path, text: str | None, words: str):
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=words):
        pawl("-f", str(file), "--rps", "5")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--rps", "5"], "say which Deployment", id="nothing named"),
        pytest.param(["x", "-f", "x", "--rps", "5"], "say which Deployment", id="both named"),
        pytest.param(["x", "--rps", "0"], "no requests", id="no requests"),
        pytest.param(["x", "--rps", "inf"], "no requests", id="too many"),
        pytest.param(["mdep/nobody", "--rps", "5"], "there is no Deployment nobody", id="unknown"),
    ],
)
def test_a_command_that_cannot_be_followed(words: list[str], told: str):
    with pytest.raises(UserError, match=told):
        pawl(*words)


def test_the_rate_must_be_said():
    assert CliRunner().invoke(command_line(), ["plan", "mdep/churn"]).exit_code == 2
