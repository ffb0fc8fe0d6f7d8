"""What holds for all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made says something about the machine and nothing about the code. In CI the
# same examples are tried each time; elsewhere new ones are looked for.
settings.register_profile(
    "pawl",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("pawl")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", default=None, help="run on this cluster (e2e, differential)")
    parser.addoption("--volumes", default="/var/lib/pawl-e2e", help="folder for hostPath volumes")
    parser.addoption("--windows", default=4, type=int, help="how long is a long run without drift")
    parser.addoption("--requests", default=None, help="folder for the operator's requests")
    parser.addoption("--other", default=None, help="the cluster to compare with (differential)")
