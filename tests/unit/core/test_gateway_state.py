"""What gateways can do, and when it is certain that they follow."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from test_gateway import ALL, schema

from pawl.core.routing.gateway import Attachment, Features, ParentRef
from pawl.core.routing.gateway_state import features, problems, unconfirmed

ONE = Attachment((ParentRef("public", "gateways"),))
TWO = Attachment((*ONE.parents, ParentRef("inner")))
WHEN = "2026-11-01T00:00:00Z"


def condition(kind: str, generation: int, status: str = "True", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": kind,
        "message": "words",
        "lastTransitionTime": WHEN,
        "observedGeneration": generation,
    } | more


def gateway_class(name: str = "envoy", can: Features | None = ALL) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [condition("Accepted", 1)]}
    if can is not None:
        status["supportedFeatures"] = [{"name": feature} for feature in sorted(can.names)]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name, "generation": 1},
        "spec": {"controllerName": "example.org/gateways"},
        "status": status,
    }


def gateway(name: str, namespace: str, class_name: str = "envoy") -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {
            "gatewayClassName": class_name,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    }


def http_route(*parents: dict[str, Any], generation: int = 3) -> dict[str, Any]:
    return {
        "metadata": {"name": "churn", "namespace": "ml", "generation": generation},
        "status": {"parents": list(parents)},
    }


def parent(
    name: str, namespace: str | None = None, generation: int = 3, **statuses: str
) -> dict[str, Any]:
    statuses = {"Accepted": "True", "ResolvedRefs": "True"} | statuses
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}
    if namespace:
        reference["namespace"] = namespace
    return {
        "parentRef": reference,
        "controllerName": "example.org/gateways",
        "conditions": [condition(k, generation, status) for k, status in statuses.items()],
    }


def test_the_objects_of_these_tests_are_sound():
    for plural, item in (
        ("gatewayclasses", gateway_class()),
        ("gateways", gateway("public", "gateways")),
    ):
        definition, seen = schema(plural), copy.deepcopy(item)
        assert definition.prune(seen) == []
        definition.default(seen)
        assert definition.validate(seen) == []


def test_gateways_that_can_do_all_have_no_problem():
    gateways = [gateway("public", "gateways"), gateway("inner", "ml")]
    assert problems([gateway_class()], gateways, TWO, "ml", shadow_percent=10) == []


def test_features_are_those_that_all_gateways_have():
    some = Features(frozenset({"HTTPRoute", "HTTPRouteRequestMirror"}))
    classes = [gateway_class(), gateway_class("other", some)]
    gateways = [gateway("public", "gateways"), gateway("inner", "ml", "other")]
    assert features(classes, gateways, TWO, "ml") == some
    assert features(classes, gateways, ONE, "ml") == ALL
    assert features([], gateways, ONE, "ml") == Features()


def test_features_were_plain_words_once():
    old = gateway_class()
    old["status"]["supportedFeatures"] = ["HTTPRoute", "HTTPRouteRequestMirror"]
    found = features([old], [gateway("public", "gateways")], ONE, "ml")
    assert found.names == {"HTTPRoute", "HTTPRouteRequestMirror"}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param({"sticky": True}, "sticky", id="sticky users"),
        pytest.param({"tls": True}, "routing.tls", id="tls of the router"),
        pytest.param({"shadow_percent": 100}, "HTTPRouteRequestMirror,", id="shadow"),
        pytest.param({"shadow_percent": 10}, "HTTPRouteRequestPercentageMirror,", id="a share"),
    ],
)
def test_what_a_gateway_cannot_do_is_a_problem(wanted: dict[str, Any], words: str):
    plain = gateway_class(can=Features(frozenset({"HTTPRoute"})))
    gateways = [gateway("public", "gateways")]
    assert problems([plain], gateways, ONE, "ml") == []
    assert any(words in problem for problem in problems([plain], gateways, ONE, "ml", **wanted))


def test_a_mirror_of_all_requests_needs_no_share():
    can = Features(frozenset({"HTTPRoute", "HTTPRouteRequestMirror"}))
    gateways = [gateway("public", "gateways")]
    assert problems([gateway_class(can=can)], gateways, ONE, "ml", shadow_percent=100) == []


def test_a_port_of_a_parent_is_a_feature():
    attachment = Attachment((ParentRef("public", "gateways", port=80),))
    found = problems([gateway_class()], [gateway("public", "gateways")], attachment, "ml")
    assert len(found) == 1
    assert "HTTPRouteParentRefPort" in found[0]


def test_a_missing_gateway_or_class_and_a_silent_one_are_problems():
    there = [gateway("public", "gateways")]
    assert "no Gateway gateways/public" in problems([gateway_class()], [], ONE, "ml")[0]
    assert "does not exist" in problems([], there, ONE, "ml")[0]
    assert "does not say" in problems([gateway_class(can=None)], there, ONE, "ml")[0]
    refused = gateway_class()
    refused["status"]["conditions"] = [condition("Accepted", 1, "False")]
    assert "no controller has accepted" in problems([refused], there, ONE, "ml")[0]
    refused["status"] = {}
    assert "no controller has accepted" in problems([refused], there, ONE, "ml")[0]


def test_a_route_that_every_gateway_accepted_at_this_generation_is_followed():
    told = http_route(parent("public", "gateways"), parent("inner", "ml"))
    assert unconfirmed(told, TWO) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param(None, "no HTTPRoute yet", id="not written"),
        pytest.param(http_route(), "not looked", id="not seen"),
        pytest.param(http_route(parent("public")), "not looked", id="a Gateway of our namespace"),
        pytest.param(
            http_route(parent("public", "gateways", 2)), "this generation", id="an older one"
        ),
        pytest.param(
            http_route(parent("public", "gateways", Accepted="False")),
            "Accepted is False: Accepted: words",
            id="refused",
        ),
        pytest.param(
            http_route(parent("public", "gateways", ResolvedRefs="False")),
            "ResolvedRefs is False",
            id="a backend is not found",
        ),
    ],
)
def test_a_route_is_not_followed_before_its_gateways_say_so(
    told: dict[str, Any] | None, words: str
):
    found = unconfirmed(told, ONE)
    assert found
    assert words in found[0]


def test_every_parent_must_follow():
    assert len(unconfirmed(http_route(parent("public", "gateways")), TWO)) == 1
