"""The router's objects: TLS, and what a drain of nodes may take."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from test_manifests import DEPLOYMENT, ROUTE, SPEC, readable
from world import INSTALLATION

from pawl.api.deployment import DeploymentSpec
from pawl.core.manifests import router
from pawl.core.routing import envoy
from pawl.core.routing.route import Route

GOLDEN = Path(__file__).parents[2] / "golden"
TLS = DeploymentSpec.model_validate(
    {"model": "churn", "replicas": 2, "routing": {"tls": {"secretName": "churn-tls"}}}
)
OBJECTS = {
    "router-tls": lambda: router.build_router(DEPLOYMENT, TLS, INSTALLATION),
    "router-service-tls": lambda: router.build_router_service(DEPLOYMENT, TLS),
    "router-budget": lambda: router.build_router_budget(DEPLOYMENT, SPEC),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_golden(name: str):
    """PAWL_REWRITE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    path = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump(readable(OBJECTS[name]()), sort_keys=False, width=100)
    if os.environ.get("PAWL_REWRITE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


def test_the_budget_holds_for_the_routers_pods():
    pods = router.build_router(DEPLOYMENT, SPEC, INSTALLATION)["spec"]["template"]["metadata"]
    selector = router.build_router_budget(DEPLOYMENT, SPEC)["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pods["labels"].items()


@pytest.mark.parametrize(
    ("spec", "scheme"), [pytest.param(SPEC, "http"), pytest.param(TLS, "https")]
)
def test_the_service_meets_routers_that_speak_what_it_says(spec: DeploymentSpec, scheme: str):
    (port,) = router.build_router_service(DEPLOYMENT, spec)["spec"]["ports"]
    container = _container(spec)
    assert (port["name"], port["targetPort"]) == (scheme, scheme)
    assert scheme in {each["name"] for each in container["ports"]}


def test_the_certificate_is_found_from_the_working_directory():
    """Relative, so that it is also found where a volume is another directory of the host."""
    container = _container(TLS)
    files = envoy.secrets()["resources"][0]["tls_certificate"]
    for part in ("certificate_chain", "private_key"):
        found = os.path.normpath(PurePosixPath(container["workingDir"]) / files[part]["filename"])
        assert PurePosixPath(found).parent == PurePosixPath(envoy.TLS_DIR)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts[envoy.TLS_DIR] == PurePosixPath(envoy.TLS_DIR).name
    assert mounts[container["workingDir"]] == PurePosixPath(container["workingDir"]).name


def test_a_router_with_tls_is_asked_by_tls_whether_it_is_ready():
    plain, secure = (_container(spec)["readinessProbe"]["httpGet"] for spec in (SPEC, TLS))
    assert plain == {"path": "/ready", "port": "state"}
    assert secure == {"path": "/pawl/ready", "port": "https", "scheme": "HTTPS"}


def test_routes_with_tls_say_where_the_certificate_is():
    plain = router.build_router_config(DEPLOYMENT, SPEC, ROUTE)
    secure = router.build_router_config(DEPLOYMENT, TLS, Route("churn", ROUTE.backends, tls=True))
    assert set(plain["data"]) == {"cds.yaml", "rds.yaml"}
    assert set(secure["data"]) == {"cds.yaml", "rds.yaml", "sds.yaml"}


def _container(spec: DeploymentSpec) -> dict[str, Any]:
    made = router.build_router(DEPLOYMENT, spec, INSTALLATION)
    found: dict[str, Any] = made["spec"]["template"]["spec"]["containers"][0]
    return found
