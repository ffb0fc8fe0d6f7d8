from typing import Any

import pytest

from pawl.local.node.zone import Answer, in_zone, resolve

Obj = dict[str, Any]

SERVICES: dict[tuple[str, str], Obj] = {
    ("ns", "web"): {
        "spec": {"clusterIP": "127.20.1.1", "ports": [{"name": "http", "port": 80}]},
    },
    ("ns", "nodes"): {"spec": {"clusterIP": "None"}},
    ("ns", "empty"): {"spec": {"clusterIP": "None"}},
    ("ns", "away"): {"spec": {"type": "ExternalName", "externalName": "example.com"}},
}
SLICES = {
    ("ns", "nodes"): [
        {
            "ports": [{"name": "grpc", "port": 9000, "protocol": "TCP"}],
            "endpoints": [
                {"addresses": ["127.20.64.1"], "hostname": "n0", "conditions": {"ready": True}},
                {"addresses": ["127.20.64.2"], "conditions": {}},
                {"addresses": ["127.20.64.3"], "conditions": {"ready": False}},
            ],
        }
    ],
    ("ns", "empty"): [
        {"endpoints": [{"addresses": ["127.20.64.9"], "conditions": {"ready": False}}]}
    ],
}


class Catalog:
    def namespace(self, name: str) -> bool:
        return name == "ns"

    def service(self, namespace: str, name: str) -> Obj | None:
        return SERVICES.get((namespace, name))

    def slices(self, namespace: str, service: str) -> list[Obj]:
        return SLICES.get((namespace, service), [])


NODES = "nodes.ns.svc.cluster.local"
MISSING = Answer(exists=False)
EMPTY = Answer(exists=True)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        pytest.param(
            "web.ns.svc.cluster.local.", "A", Answer(True, ("127.20.1.1",)), id="cluster IP"
        ),
        pytest.param("WEB.ns.svc.Cluster.Local", "A", Answer(True, ("127.20.1.1",)), id="any case"),
        pytest.param("web.ns.svc.cluster.local", "AAAA", EMPTY, id="no IPv6 is no data"),
        pytest.param("web.other.svc.cluster.local", "A", MISSING, id="namespace"),
        pytest.param(NODES, "A", Answer(True, ("127.20.64.1", "127.20.64.2")), id="headless"),
        pytest.param("n0." + NODES, "A", Answer(True, ("127.20.64.1",)), id="hostname"),
        pytest.param("127-20-64-2." + NODES, "A", Answer(True, ("127.20.64.2",)), id="by address"),
        pytest.param("n9." + NODES, "A", MISSING, id="unknown hostname"),
        pytest.param("empty.ns.svc.cluster.local", "A", MISSING, id="headless, none ready"),
        pytest.param(
            "_http._tcp.web.ns.svc.cluster.local",
            "SRV",
            Answer(True, targets=(("web.ns.svc.cluster.local", 80, "127.20.1.1"),)),
            id="SRV of a cluster IP",
        ),
        pytest.param(
            "_grpc._tcp." + NODES,
            "SRV",
            Answer(
                True,
                targets=(
                    ("n0." + NODES, 9000, "127.20.64.1"),
                    ("127-20-64-2." + NODES, 9000, "127.20.64.2"),
                ),
            ),
            id="SRV of a headless service",
        ),
        pytest.param("_x._tcp." + NODES, "SRV", MISSING, id="unknown port"),
        pytest.param(
            "away.ns.svc.cluster.local", "A", Answer(True, alias="example.com"), id="external"
        ),
        pytest.param("ns.svc.cluster.local", "A", EMPTY, id="a namespace"),
        pytest.param("svc.cluster.local", "A", EMPTY, id="the zone's own nodes"),
        pytest.param(
            "127-20-64-7.ns.pod.cluster.local", "A", Answer(True, ("127.20.64.7",)), id="pod"
        ),
        pytest.param("x.ns.pod.cluster.local", "A", MISSING, id="no pod address"),
    ],
)
def test_names(name: str, kind: Any, expected: Answer) -> None:
    assert resolve(name, kind, Catalog()) == expected


def test_what_is_in_the_zone() -> None:
    names = ("a.cluster.local.", "cluster.local", "mycluster.local", "example.com.")
    assert [in_zone(name) for name in names] == [True, True, False, False]
