"""What the workflows call is there, and what they take from others is pinned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")

pytestmark = pytest.mark.parametrize(
    "workflow", [pytest.param(path, id=path.stem) for path in WORKFLOWS]
)


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield from job["steps"]


def commands(path: Path) -> str:
    scripts = [(ROOT / name).read_text() for name in (".ci/run", "tests/e2e/kind.sh")]
    return "\n".join([*(step.get("run", "") for step in steps(path)), *scripts])


def test_actions_are_pinned_by_commit(workflow: Path):
    for step in steps(workflow):
        if "uses" in step:
            assert PINNED.fullmatch(step["uses"]), step["uses"]


def test_nothing_may_be_written_unless_a_job_says_so(workflow: Path):
    content = yaml.safe_load(workflow.read_text())
    assert content["permissions"] == {"contents": "read"}
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_what_comes_from_outside_is_no_part_of_a_command(workflow: Path):
    """`${{ … }}` in a script is filled in before the shell reads it."""
    for step in steps(workflow):
        assert "${{" not in step.get("run", "")


def test_every_target_of_make_is_there(workflow: Path):
    called = re.findall(r"^(?:sudo \S+ )?make (.+)$", commands(workflow), re.MULTILINE)
    words = {word for line in called for word in line.split() if "=" not in word}
    assert words
    assert words <= TARGETS


def test_every_path_is_there(workflow: Path):
    text = commands(workflow)
    paths = set(re.findall(r"(?<![\w/.$-])((?:tests|images|helm|\.ci|manifests)/[\w./-]+)", text))
    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_job_ends(workflow: Path):
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        assert job["timeout-minutes"] <= 90


def test_all_images_of_the_chart_are_built_and_no_others(workflow: Path):
    values = yaml.safe_load((ROOT / "helm/pawl/values.yaml").read_text())["images"]
    wanted = {image["repository"].removeprefix("pawl/") for image in values.values()}
    for loop in re.findall(r"for image in ([\w -]+);", commands(workflow)):
        assert set(loop.split()) == wanted
