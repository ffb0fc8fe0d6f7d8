"""What Envoy is told, by pairs of files: a route, and the configuration that is written for it.

Envoy itself reads them in tests/integration/routing/test_envoy.py.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.core.routing import envoy
from pawl.core.routing.route import Route

FOLDER = Path(__file__).parents[2] / "golden" / "envoy"
NAMES = sorted(path.name.removesuffix(".in.yaml") for path in FOLDER.glob("*.in.yaml"))


def route(name: str) -> Route:
    return Route.from_json(json.dumps(yaml.safe_load((FOLDER / f"{name}.in.yaml").read_text())))


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str):
    """PAWL_REWRITE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    made = {"cds.yaml": envoy.clusters(route(name)), "rds.yaml": envoy.routes(route(name))}
    text = yaml.dump(made, Dumper=_Plain, sort_keys=False, width=100)
    path = FOLDER / f"{name}.out.yaml"
    if os.environ.get("PAWL_REWRITE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", NAMES)
def test_a_route_names_only_clusters_that_are_told(name: str):
    known = {cluster["name"] for cluster in envoy.clusters(route(name))["resources"]}
    assert _clusters(envoy.routes(route(name))) <= known


@pytest.mark.parametrize("name", NAMES)
def test_only_inferences_are_mirrored_and_only_copies_go_to_the_shadow(name: str):
    table = envoy.routes(route(name))["resources"][0]["virtual_hosts"][0]["routes"]
    table = [item for item in table if "route" in item]
    mirrored = [item for item in table if "request_mirror_policies" in item["route"]]
    assert [item["match"]["path"] for item in mirrored] == (
        ["/v2/models/churn/infer"] * 2 if route(name).shadow is not None else []
    )
    for item in table:
        action = {k: v for k, v in item["route"].items() if k != "request_mirror_policies"}
        assert not any("shadow" in cluster for cluster in _clusters(action))


def test_the_admin_interface_is_no_port():
    assert "pipe" in envoy.bootstrap()["admin"]["address"]


def _clusters(value: Any) -> set[str]:
    """Of a route action or of anything that holds some."""
    if isinstance(value, list):
        return set().union(*map(_clusters, value))
    if not isinstance(value, dict):
        return set()
    found = {value["cluster"]} if isinstance(value.get("cluster"), str) else set()
    found |= {cluster["name"] for cluster in value.get("weighted_clusters", {}).get("clusters", ())}
    return found.union(*map(_clusters, value.values()))


class _Plain(yaml.SafeDumper):
    """Without anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True
