from typing import Any

from pawl.local.node.services import table

Obj = dict[str, Any]


def service(name: str, **spec: Any) -> Obj:
    return {"metadata": {"namespace": "ns", "name": name}, "spec": spec}


def slice_of(service_name: str, endpoints: list[Obj], /, **port: Any) -> Obj:
    labels = {"kubernetes.io/service-name": service_name}
    return {
        "metadata": {"namespace": "ns", "name": f"{service_name}-x", "labels": labels},
        "ports": [port],
        "endpoints": endpoints,
    }


def endpoint(address: str, **conditions: bool) -> Obj:
    return {"addresses": [address], "conditions": conditions}


WEB = service("web", clusterIP="127.20.1.1", ports=[{"name": "http", "port": 80}])


def test_ready_endpoints_serve() -> None:
    slices = [
        slice_of(
            "web",
            [
                endpoint("127.20.64.2", ready=True),
                endpoint("127.20.64.1"),
                endpoint("x", ready=False),
            ],
            name="http",
            port=8080,
        )
    ]
    assert table([WEB], slices, "127.20.0.1") == {
        ("127.20.1.1", 80): [("127.20.64.1", 8080), ("127.20.64.2", 8080)]
    }


def test_terminating_endpoints_serve_when_there_is_no_other() -> None:
    ending = endpoint("127.20.64.1", ready=False, serving=True, terminating=True)
    slices = [slice_of("web", [ending], name="http", port=8080)]
    assert table([WEB], slices, "n") == {("127.20.1.1", 80): [("127.20.64.1", 8080)]}
    slices.append(slice_of("web", [endpoint("127.20.64.2", ready=True)], name="http", port=8080))
    assert table([WEB], slices, "n") == {("127.20.1.1", 80): [("127.20.64.2", 8080)]}


def test_a_service_without_endpoints_is_listed_with_none() -> None:
    assert table([WEB], [], "n") == {("127.20.1.1", 80): []}


def test_headless_services_and_udp_are_not_proxied() -> None:
    headless = service("h", clusterIP="None", ports=[{"port": 80}])
    udp = service("u", clusterIP="127.20.1.2", ports=[{"port": 53, "protocol": "UDP"}])
    assert table([headless, udp], [], "n") == {}


def test_a_node_port_is_served_on_the_node() -> None:
    ports = [{"port": 80, "nodePort": 30080}]
    node_port = service("web", clusterIP="127.20.1.1", ports=ports)
    assert set(table([node_port], [], "127.20.0.1")) == {("127.20.1.1", 80), ("127.20.0.1", 30080)}
