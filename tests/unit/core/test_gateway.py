"""The HTTPRoute for a route: golden files, and the Gateway API's own schema."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from pawl.core.routing.gateway import Attachment, Features, ParentRef, build_http_route
from pawl.core.routing.route import Backend, Route, Shadow
from pawl.local.schema.structural import Structural

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway"
DATA = Path(__file__).parents[2] / "data" / "gateway-api"
OWNER = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "uid-d"},
}
ALL = Features(
    frozenset(
        {
            "HTTPRoute",
            "HTTPRouteRequestMirror",
            "HTTPRouteRequestPercentageMirror",
            "HTTPRouteRequestTimeout",
            "HTTPRouteBackendRequestHeaderModification",
        }
    )
)
CORE = Features(frozenset({"HTTPRoute"}))
PUBLIC = Attachment(
    (ParentRef("public", "gateways", "https"), ParentRef("inner")), ("models.example.org",)
)


def route(*weights: tuple[int, int | None], shadow: Shadow | None = None) -> Route:
    backends = tuple(
        Backend(version, f"churn-v{version}.ml.svc.cluster.local.", 8080, weight)
        for version, weight in weights
    )
    return Route("churn", backends, 30, shadow)


CASES = {
    "one": (route((7, 100)), Attachment((ParentRef("inner", port=8080),)), ALL),
    "canary": (route((7, 95), (8, 5)), PUBLIC, ALL),
    "canary-core": (route((7, 95), (8, 5)), PUBLIC, CORE),
    "shadow": (route((7, 100), (8, None), shadow=Shadow(8, 10)), PUBLIC, ALL),
    "shadow-canary": (route((7, 50), (8, 0), (9, 50), shadow=Shadow(8, 100)), PUBLIC, ALL),
    "nothing": (route(), PUBLIC, ALL),
}


def schema(plural: str) -> Structural:
    text = (DATA / f"{plural}.yaml").read_text()
    versions = yaml.load(text, Loader=yaml.CSafeLoader)["spec"]["versions"]
    one = next(version for version in versions if version["name"] == "v1")
    return Structural(one["schema"]["openAPIV3Schema"])


@pytest.fixture(scope="module")
def http_routes() -> Structural:
    return schema("httproutes")


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str):
    """PAWL_REWRITE_GOLDEN=1 writes the files anew; read the difference before you commit it."""
    given, attachment, can = CASES[name]
    made = build_http_route(OWNER, given, attachment, can)
    text = yaml.safe_dump(made, sort_keys=False, width=100)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("PAWL_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", CASES)
def test_an_api_server_takes_it_as_it_is(http_routes: Structural, name: str):
    """Nothing unknown, nothing wrong by schema or rule, and no default that would be ours to say:
    so what is applied and what is read back are equal."""
    given, attachment, can = CASES[name]
    made = build_http_route(OWNER, given, attachment, can)
    seen = copy.deepcopy(made)
    assert http_routes.prune(seen) == []
    http_routes.default(seen)
    assert http_routes.validate(seen) == []
    assert seen == made


def test_the_schema_is_one_that_refuses(http_routes: Structural):
    made = build_http_route(OWNER, route((7, 100)), PUBLIC, ALL)
    made["spec"]["parentRefs"][1] = dict(made["spec"]["parentRefs"][0])
    assert any("sectionName must be unique" in str(cause) for cause in http_routes.validate(made))
    made["spec"]["rules"][0]["backendRefs"][0]["weight"] = -1
    assert any("weight" in str(cause) for cause in http_routes.validate(made))


@pytest.mark.parametrize("name", CASES)
def test_the_route_is_read_back_from_its_annotation(name: str):
    given, attachment, can = CASES[name]
    made = build_http_route(OWNER, given, attachment, can)
    assert Route.from_json(made["metadata"]["annotations"]["pawl.dev/route"]) == given


@pytest.mark.parametrize("name", CASES)
def test_clients_headers_are_removed_wherever_a_server_would_read_them(name: str):
    """Once on each way: where a rule and its backend both change a header, which of the two comes
    last is the implementation's."""
    given, attachment, can = CASES[name]
    for rule in build_http_route(OWNER, given, attachment, can)["spec"]["rules"]:
        for backend in rule.get("backendRefs", []):
            changes = [*_changes(rule), *_changes(backend)]
            assert len(changes) == 1
            named = {item["name"] for item in changes[0].get("set", [])} | set(changes[0]["remove"])
            assert named == {"x-pawl-weight", "x-pawl-user", "x-pawl-salt"}


def test_only_the_inference_is_mirrored_and_never_to_a_backend():
    made = build_http_route(OWNER, *CASES["shadow"])
    mirrored = [r for r in made["spec"]["rules"] if "RequestMirror" in str(r.get("filters"))]
    assert [rule["matches"] for rule in mirrored] == [
        [{"path": {"type": "Exact", "value": "/v2/models/churn/infer"}}]
    ]
    backends = [b["name"] for rule in made["spec"]["rules"] for b in rule["backendRefs"]]
    assert "churn-v8" not in backends


def _changes(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        each["requestHeaderModifier"]
        for each in item.get("filters", [])
        if each["type"] == "RequestHeaderModifier"
    ]
