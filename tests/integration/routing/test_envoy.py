"""Envoy's own opinion of the configuration that is written for it, and what a router tells."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from town import Town, route

from pawl.core.routing import envoy
from pawl.core.routing.route import Route
from pawl.local.node.envoy import binary

GOLDEN = Path(__file__).parents[2] / "golden" / "envoy"


def validate(config: dict[str, Any], folder: Path) -> None:
    text = json.dumps(config).replace("$(BIND_ADDRESS)", "127.0.0.1")
    text = text.replace(envoy.CONFIG_DIR, str(folder))
    done = subprocess.run(
        [binary(), "--mode", "validate", "--config-yaml", text, "--base-id", "0",
         "--use-dynamic-base-id"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("tls", [pytest.param(False, id="http"), pytest.param(True, id="https")])
def test_the_bootstrap_is_valid(tmp_path: Path, tls: bool):
    for name in ("cds.yaml", "rds.yaml", "sds.yaml"):
        (tmp_path / name).write_text("{}")
    validate(envoy.bootstrap(tls=tls), tmp_path)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.in.yaml")), ids=lambda path: path.name)
def test_clusters_and_routes_are_valid_without_a_deprecated_field(tmp_path: Path, path: Path):
    """Inlined, since --mode validate does not read dynamic files."""
    given = Route.from_json(json.dumps(yaml.safe_load(path.read_text())))
    config = envoy.bootstrap()
    del config["dynamic_resources"]
    clusters = [dict(cluster) for cluster in envoy.clusters(given)["resources"]]
    routes = copy.deepcopy(envoy.routes(given)["resources"][0])
    for item in (*clusters, routes):
        item.pop("@type")
    config["static_resources"]["clusters"] += clusters
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    del manager["typed_config"]["rds"]
    manager["typed_config"]["route_config"] = {**routes, "validate_clusters": True}
    runtime = {"envoy.features.fail_on_any_deprecated_feature": True}
    config["layered_runtime"] = {"layers": [{"name": "strict", "static_layer": runtime}]}
    validate(config, tmp_path)


async def test_a_router_says_what_it_follows_and_whom_it_finds_healthy(town: Town):
    await town.pod(7, 2)
    (new,) = await town.pod(8)
    new.ready = False
    router = await town.start(route({7: 100, 8: None}))
    assert (await router.until(lambda state: state.healthy == {7: 2, 8: 0})).started == "uid/0"
    later = route({7: 0, 8: 100})
    new.ready = True
    router.publish(later)
    await router.follows(later)
    await router.until(lambda state: state.healthy == {7: 2, 8: 1} and state.uptime > 0)


async def test_a_router_without_a_version_is_ready_and_knows_no_model(town: Town):
    await town.start(route({}))
    assert (await town.client.ask()).status == 404


async def test_the_state_listener_shows_four_pages_and_no_more(town: Town):
    await town.start(route({}))
    async with httpx.AsyncClient(base_url=f"http://{town.address}:8081", trust_env=False) as http:
        assert (await http.get("/ready")).status_code == 200
        for path in ("/quitquitquit", "/config_dump", "/runtime", "/"):
            assert (await http.get(path)).status_code == 404
        assert (await http.post("/ready")).status_code == 404
    assert (await town.client.ask("/clusters", "GET")).status == 404
