"""The chart is the single source: what is made from it is fresh, and lint has nothing to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import helm_python as helm
import pytest
import yaml

import pawl

ROOT = Path(__file__).parents[3]
CHART = ROOT / "helm/pawl"
WARNING = 2


def test_what_is_made_from_the_chart_is_fresh():
    done = subprocess.run(
        [sys.executable, "helm/render.py", "--check"],
        check=False,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
    )
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("version", ["v1.31.0", "v1.36.0"])
def test_lint_has_nothing_to_say(version: str):
    report = helm.lint(CHART, strict=True, kube_version=version)
    assert [m for m in report["messages"] if m["severity"] >= WARNING] == []
    assert report["errors"] == []


def test_chart_and_package_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (pawl.__version__, pawl.__version__)
