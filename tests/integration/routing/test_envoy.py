"""Envoy's own opinion of the configuration that is written for it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pawl.control.routers import parse_state
from pawl.core.routing import envoy
from pawl.core.routing.route import Backend, Route

BINARY = Path(sys.executable).parent / "envoy"
ADDRESS = "127.94.7.3"
ROUTE = Route("churn", (Backend(7, "localhost", 18080, 100), Backend(8, "localhost", 18081, None)))


def bootstrap(folder: Path) -> dict[str, Any]:
    text = json.dumps(envoy.bootstrap()).replace("$(BIND_ADDRESS)", ADDRESS)
    return json.loads(text.replace(envoy.CONFIG_DIR, str(folder)))  # type: ignore[no-any-return]


def publish(folder: Path, route: Route, name: str) -> None:
    """As the kubelet does: a new folder, then one swap of the link `..data`."""
    data = folder / name
    data.mkdir()
    (data / "cds.yaml").write_text(json.dumps(envoy.clusters(route)))
    (data / "rds.yaml").write_text(json.dumps(envoy.routes(route)))
    for file in ("cds.yaml", "rds.yaml"):
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(Path("..data") / file)
    (folder / "..swap").symlink_to(name)
    (folder / "..swap").rename(folder / "..data")


def validate(config: dict[str, Any]) -> None:
    done = subprocess.run(
        [BINARY, "--mode", "validate", "--config-yaml", json.dumps(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_bootstrap_is_valid(tmp_path: Path):
    publish(tmp_path, ROUTE, "..1")
    validate(bootstrap(tmp_path))


def test_clusters_and_routes_are_valid_without_a_deprecated_field(tmp_path: Path):
    """Inlined, since --mode validate does not read dynamic files."""
    config = bootstrap(tmp_path)
    del config["dynamic_resources"]
    clusters = [dict(c) for c in envoy.clusters(ROUTE)["resources"]]
    routes = copy.deepcopy(envoy.routes(ROUTE)["resources"][0])
    for item in (*clusters, routes):
        item.pop("@type")
    config["static_resources"]["clusters"] += clusters
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    del manager["typed_config"]["rds"]
    manager["typed_config"]["route_config"] = routes
    runtime = {"envoy.features.fail_on_any_deprecated_feature": True}
    config["layered_runtime"] = {"layers": [{"name": "strict", "static_layer": runtime}]}
    validate(config)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Path]:
    publish(tmp_path, ROUTE, "..1")
    process = subprocess.Popen(
        [BINARY, "--config-yaml", json.dumps(bootstrap(tmp_path)), "--concurrency", "1",
         "--base-id", str(os.getpid() % 30000), "--log-level", "error"],
        cwd=tmp_path,
    )  # fmt: skip
    try:
        yield tmp_path
    finally:
        process.terminate()
        process.wait(10)


def test_a_running_router_says_what_it_follows(router: Path):
    def follows(route: Route) -> bool:
        state = ask()
        return state is not None and (state.clusters_revision, state.routes_revision) == (
            route.clusters_revision,
            route.routes_revision,
        )

    eventually(lambda: follows(ROUTE))
    old, new = ROUTE.backends
    later = Route("churn", (replace(old, weight=0), replace(new, weight=100)))
    publish(router, later, "..2")
    eventually(lambda: follows(later))
    state = ask()
    assert state is not None
    assert state.healthy == {7: 0, 8: 0}  # nobody listens there
    assert state.active == {7: 0, 8: 0}


def test_the_state_listener_shows_four_pages_and_no_more(router: Path):
    eventually(lambda: ask() is not None)
    with httpx.Client(base_url=f"http://{ADDRESS}:8081", trust_env=False) as http:
        assert http.get("/ready").status_code == 200
        for path in ("/quitquitquit", "/config_dump", "/runtime", "/"):
            assert http.get(path).status_code == 404
        assert http.post("/ready").status_code == 404
    with httpx.Client(base_url=f"http://{ADDRESS}:8080", trust_env=False) as http:
        assert http.get("/clusters").status_code == 404


def ask() -> Any:
    try:
        with httpx.Client(base_url=f"http://{ADDRESS}:8081", trust_env=False) as http:
            texts = http.get("/stats", params={"filter": "version_text"}).raise_for_status().text
            clusters = http.get("/clusters", params={"format": "json"}).raise_for_status()
    except httpx.HTTPError:
        return None
    return parse_state(texts, clusters.content)


def eventually(holds: Any) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
