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


def test_a_name_is_trusted_only_where_a_policy_vouches_for_it():
    def policies(values: dict[str, Any]) -> dict[str, Any]:
        found = [i for i in objects(values) if i["kind"] == "ValidatingAdmissionPolicy"]
        return {item["metadata"]["name"]: item["spec"] for item in found}

    assert "PAWL_TRUST_REQUESTED_BY" not in variables({})
    assert "pawl-requested-by" not in policies({})
    trusting = {"policy": {"requestedBy": True}}
    assert variables(trusting)["PAWL_TRUST_REQUESTED_BY"]["value"] == "true"
    assert "pawl-requested-by" in policies(trusting)
    own = policies({**trusting, "namespaces": ["ml"]})["pawl-pawl-system-requested-by"]
    (where,) = own["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert where["values"] == ["ml"]
