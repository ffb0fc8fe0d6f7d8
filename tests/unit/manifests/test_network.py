"""NetworkPolicies, read as Kubernetes reads them (networking.k8s.io/v1): what one allows, and what
the pods that Pawl builds need."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
import render
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.deployment import DeploymentSpec, ServedVersion
from pawl.api.trainingjob import TrainingJobSpec
from pawl.core.installation import Images, Installation
from pawl.core.manifests import router, serving, training

VALUES = {
    "networkPolicies": {
        "namespaces": ["ml"],
        "prometheusNamespaces": ["monitoring"],
        "gatewayNamespaces": ["gateways"],
    }
}
INSTALLATION = Installation("test", "s3://pawl", Images("s", "k", "t", "r"))
OWNER = {"kind": "Deployment", "metadata": {"name": "churn", "namespace": "ml", "uid": "u"}}
SPEC = DeploymentSpec(model="churn")
VERSION = ServedVersion(name="churn-v1", version=1, uri="s3://m/1", digest="sha256:" + "0" * 64)
JOB = TrainingJobSpec.model_validate(
    {
        "model": "churn",
        "data": {"uri": "s3://lake/x", "task": "binary", "target": "y"},
        "trainer": {"sklearn": {"estimator": "sklearn.tree.DecisionTreeClassifier"}},
    }
)


class Peer(NamedTuple):
    """Somebody on the network: a pod, or an address outside of the cluster."""

    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    address: str = "10.0.0.9"


def pod(built: Mapping[str, Any]) -> Peer:
    return Peer("ml", tuple(built["spec"]["template"]["metadata"]["labels"].items()))


ROLE = {"pawl.dev/role": "trainer"}
TRAINER = pod(training.build_job(OWNER, JOB, 1, ROLE, INSTALLATION))
SERVER = pod(serving.build_server(OWNER, SPEC, VERSION, 1, INSTALLATION))
ROUTER = pod(router.build_router(OWNER, SPEC, INSTALLATION))
OPERATOR, PROMETHEUS = Peer(render.NAMESPACE), Peer("monitoring")
GATEWAY, STRANGER, NEIGHBOUR = Peer("gateways"), Peer("other"), Peer("ml", (("app", "web"),))
FALSE_ROUTER = Peer("other", ROUTER.labels)
FALSE_TRAINER = Peer("other", TRAINER.labels)
OUTSIDE, METADATA = Peer(address="52.1.2.3"), Peer(address="169.254.169.254")


def policies(**values: Any) -> list[Mapping[str, Any]]:
    merged = {"networkPolicies": VALUES["networkPolicies"] | values}
    return [item for item in render.objects(merged) if item["kind"] == "NetworkPolicy"]


def selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def is_peer(rule: Mapping[str, Any], other: Peer, home: str) -> bool:
    """Does an entry of from or to mean `other`? A podSelector alone is about its own namespace."""
    if "ipBlock" in rule:
        address, block = ipaddress.ip_address(other.address), rule["ipBlock"]
        inside = address in ipaddress.ip_network(block["cidr"])
        excepted = (ipaddress.ip_network(part) for part in block.get("except", ()))
        return not other.namespace and inside and not any(address in part for part in excepted)
    if not other.namespace:
        return False
    names = {"kubernetes.io/metadata.name": other.namespace}
    near = (
        selected(rule["namespaceSelector"], names)
        if "namespaceSelector" in rule
        else (other.namespace == home)
    )
    return near and selected(rule.get("podSelector", {}), dict(other.labels))


def allowed(
    subject: Peer, way: str, other: Peer, port: int, rules: list[Mapping[str, Any]] | None = None
) -> bool:
    """Whether policies let `subject` be reached by (ingress) or reach (egress) `other`."""
    mine = [
        policy["spec"]
        for policy in (policies() if rules is None else rules)
        if policy["metadata"]["namespace"] == subject.namespace
        and selected(policy["spec"]["podSelector"], dict(subject.labels))
        and way.capitalize() in policy["spec"]["policyTypes"]
    ]
    side = {"ingress": "from", "egress": "to"}[way]
    return not mine or any(
        ("ports" not in rule or port in [entry["port"] for entry in rule["ports"]])
        and (
            side not in rule or any(is_peer(peer, other, subject.namespace) for peer in rule[side])
        )
        for spec in mine
        for rule in spec.get(way, ())
    )


@pytest.mark.parametrize(
    ("subject", "other", "port"),
    [
        pytest.param(SERVER, ROUTER, 8080, id="routers ask servers"),
        pytest.param(SERVER, PROMETHEUS, 8080, id="Prometheus scrapes servers"),
        pytest.param(SERVER, GATEWAY, 8080, id="gateways ask servers"),
        pytest.param(SERVER, OPERATOR, 8082, id="the operator reads monitors"),
        pytest.param(ROUTER, STRANGER, 8080, id="anybody asks routers"),
        pytest.param(ROUTER, OUTSIDE, 8080, id="from outside, too"),
        pytest.param(ROUTER, OPERATOR, 8081, id="the operator reads routers"),
        pytest.param(ROUTER, PROMETHEUS, 8081, id="Prometheus scrapes routers"),
        pytest.param(TRAINER, TRAINER, 41234, id="workers meet"),
        pytest.param(NEIGHBOUR, STRANGER, 80, id="other pods of the namespace are as they were"),
    ],
)
def test_who_has_to_is_let_in(subject: Peer, other: Peer, port: int):
    assert allowed(subject, "ingress", other, port)


@pytest.mark.parametrize(
    ("subject", "other", "port"),
    [
        pytest.param(SERVER, STRANGER, 8080, id="servers are behind their router"),
        pytest.param(SERVER, NEIGHBOUR, 8080, id="in their namespace, too"),
        pytest.param(SERVER, FALSE_ROUTER, 8080, id="a router of another namespace"),
        pytest.param(SERVER, OUTSIDE, 8080, id="nobody from outside"),
        pytest.param(SERVER, ROUTER, 8082, id="routers do not read monitors"),
        pytest.param(SERVER, PROMETHEUS, 8082, id="nor does Prometheus"),
        pytest.param(ROUTER, STRANGER, 8081, id="the state of routers is the operator's"),
        pytest.param(TRAINER, OPERATOR, 8080, id="nobody asks training pods"),
        pytest.param(TRAINER, NEIGHBOUR, 8080, id="neighbours neither"),
        pytest.param(TRAINER, FALSE_TRAINER, 29500, id="nor workers of another namespace"),
    ],
)
def test_nobody_else_is(subject: Peer, other: Peer, port: int):
    assert not allowed(subject, "ingress", other, port)


@pytest.mark.parametrize("subject", [TRAINER, SERVER, ROUTER], ids=["trainer", "server", "router"])
def test_pods_reach_everything_but_the_metadata_service(subject: Peer):
    for other in (STRANGER, NEIGHBOUR, OUTSIDE, Peer(address="169.254.20.10")):
        assert allowed(subject, "egress", other, 443)
    for address in ("169.254.169.254", "fd00:ec2::254"):
        assert not allowed(subject, "egress", Peer(address=address), 80)
        assert allowed(subject, "egress", Peer(address=address), 80, policies(allowMetadata=True))


RULES = policies()


@given(st.ip_addresses(), st.integers(1, 65535))
def test_no_address_reaches_a_training_pod(address: Any, port: int):
    assert not allowed(TRAINER, "ingress", Peer(address=str(address)), port, RULES)


def test_there_are_none_where_nobody_asked_for_them():
    assert policies(namespaces=[]) == []
    assert not [item for item in render.objects() if item["kind"] == "NetworkPolicy"]


def test_ports_are_those_that_the_pods_have():
    def ports(built: Mapping[str, Any]) -> set[int]:
        containers = built["spec"]["template"]["spec"]["containers"]
        return {port["containerPort"] for one in containers for port in one.get("ports", ())}

    told = {
        policy["metadata"]["name"]: {
            entry["port"] for rule in policy["spec"]["ingress"] for entry in rule.get("ports", ())
        }
        for policy in RULES
    }
    assert told == {
        "pawl-trainer": set(),
        "pawl-server": ports(serving.build_server(OWNER, SPEC, VERSION, 1, INSTALLATION)),
        "pawl-router": ports(router.build_router(OWNER, SPEC, INSTALLATION)),
    }


def test_the_file_for_kubectl_is_of_no_namespace():
    path = render.ROOT / "manifests/policies/network.yaml"
    assert all("namespace" not in i["metadata"] for i in yaml.safe_load_all(path.read_text()))
