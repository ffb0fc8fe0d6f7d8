"""The images that run our Python are built alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

IMAGES = Path(__file__).parents[2] / "images"
PYTHON = ("operator", "server", "server-sklearn", "trainer")


def common(name: str) -> str:
    """A Dockerfile without what an image has of its own."""
    text = (IMAGES / name / "Dockerfile").read_text()
    text = re.sub(rf"images/{name}/|packages {name}\n|pawl-{name}\"", "NAME", text)
    text = re.sub(r'(image\.description=)".*"', r"\1", text)
    return re.sub(r"ENTRYPOINT .*", "ENTRYPOINT", text)


@pytest.mark.parametrize("name", PYTHON[1:])
def test_the_python_images_differ_in_name_and_entrypoint_only(name: str):
    assert common(name) == common(PYTHON[0])


@pytest.mark.parametrize("name", [*PYTHON, "router"])
def test_every_image_takes_its_base_from_outside_and_runs_as_nobody(name: str):
    lines = (IMAGES / name / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM")] == [
        "FROM ${BASE_IMAGE} AS build",
        "FROM ${BASE_IMAGE}",
    ]
    assert "USER 65532:65532" in lines
    assert f'LABEL org.opencontainers.image.title="pawl-{name}" \\' in lines
