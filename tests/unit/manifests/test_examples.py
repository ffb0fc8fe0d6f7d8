"""The examples are what the CRDs take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.api.crds import all_crds
from pawl.local.schema.structural import Structural

ROOT = Path(__file__).parents[3] / "manifests/examples"
SCHEMAS = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in all_crds()
}
OBJECTS = {
    f"{path.parent.name}/{path.name}": item
    for path in sorted(ROOT.glob("*/*.yaml"))
    for item in yaml.safe_load_all(path.read_text())
    if item.get("apiVersion", "").startswith("pawl.dev/")
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_example_is_valid(name: str):
    item: dict[str, Any] = OBJECTS[name]
    item["metadata"]["namespace"] = "ml"
    schema = Structural(SCHEMAS[item["kind"]])
    assert schema.prune(item) == []
    schema.default(item)
    assert [str(cause) for cause in schema.validate(item)] == []
