"""What values of the chart become."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "helm"))

from render import objects


def variables(values: dict[str, Any]) -> dict[str, Any]:
    (operator,) = (item for item in objects(values) if item["kind"] == "Deployment")
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable for variable in container["env"]}


def test_trusted_keys_come_from_a_secret():
    assert "PAWL_VERIFY_KEYS" not in variables({})
    found = variables({"signatures": {"secretName": "trusted"}})["PAWL_VERIFY_KEYS"]
    assert found["valueFrom"]["secretKeyRef"] == {"name": "trusted", "key": "keys.pem"}
