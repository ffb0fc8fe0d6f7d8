"""What holds for all tests."""

from __future__ import annotations

import os

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
