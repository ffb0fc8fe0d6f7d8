"""The images that the chart runs are those that can be built, and they are built alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
LINES = (ROOT / "images/Dockerfile").read_text().splitlines()
VALUES = yaml.safe_load((ROOT / "helm/pawl/values.yaml").read_text())
NAMES = [image["repository"].removeprefix("pawl/") for image in VALUES["images"].values()]
STAGE = re.compile(r"FROM (\S+) AS (\S+)")


def stages() -> dict[str, str]:
    """Name -> what it is made from."""
    found = (STAGE.fullmatch(line) for line in LINES)
    return {match[2]: match[1] for match in found if match}


def test_every_image_of_the_chart_is_a_target_and_has_its_requirements():
    assert {name for name, base in stages().items() if base == "runtime"} == set(NAMES)
    for name in NAMES:
        assert f"COPY images/{name}/requirements.txt ." in LINES
        assert f'LABEL org.opencontainers.image.title="pawl-{name}" \\' in LINES


def test_the_base_comes_from_outside():
    own = stages()
    assert {base for base in own.values() if base not in own} == {"${BASE_IMAGE}"}


def test_the_last_stages_take_no_root_and_run_nothing():
    """All of them are made from `runtime`, which is that of nobody."""
    begin = LINES.index("FROM runtime AS operator")
    assert "USER 65532:65532" in LINES[:begin]
    assert [line for line in LINES[begin:] if line.startswith(("RUN", "USER", "ADD"))] == []


@pytest.mark.parametrize("word", ["HEALTHCHECK", "EXPOSE", "curl", "apt-get"])
def test_no_image_has_what_a_cluster_does_otherwise(word: str):
    assert word not in "\n".join(LINES)
