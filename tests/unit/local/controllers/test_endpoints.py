"""Which addresses a service has."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pawl.local.controllers.changes import Create, Delete, Patch
from pawl.local.controllers.endpoints.legacy import plan_endpoints
from pawl.local.controllers.endpoints.slices import has_selector, plan_slices
from pawl.local.controllers.objects import Obj

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def service(**spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "targetPort": "web"}]
    full = {"selector": {"app": "a"}, "ports": ports, "clusterIP": "127.1.0.1", **spec}
    labels = {"app": "a"}
    metadata = {"name": "svc", "namespace": "default", "uid": "svc-uid", "labels": labels}
    return {"metadata": metadata, "spec": full}


def pod(name: str, *, ready: bool = True, port: int = 8080, **meta: Any) -> Obj:
    ports = [{"name": "web", "containerPort": port}]
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, **meta},
        "spec": {"nodeName": "local", "containers": [{"name": "main", "ports": ports}]},
        "status": {
            "phase": "Running",
            "podIP": f"127.0.1.{name[1:]}",
            "podIPs": [{"ip": f"127.0.1.{name[1:]}"}],
            "conditions": conditions,
        },
    }


TERMINATING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def stored(created: Create, name: str = "svc-abc") -> Obj:
    metadata = {**created.obj["metadata"], "name": name, "uid": name}
    return {**created.obj, "metadata": metadata}


def first(the_service: Obj, *pods: Obj) -> Obj:
    (created,) = plan_slices(the_service, pods, (), NOW)
    assert isinstance(created, Create)
    return stored(created)


def test_ready_pods_are_endpoints_with_the_ports_they_listen_on() -> None:
    made = first(service(), pod("p1"))
    assert made["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    (endpoint,) = made["endpoints"]
    assert endpoint["addresses"] == ["127.0.1.1"]
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert endpoint["nodeName"] == "local"
    assert endpoint["targetRef"] == {
        "kind": "Pod",
        "name": "p1",
        "namespace": "default",
        "uid": "p1",
    }
    assert made["metadata"]["labels"] == {
        "app": "a",
        "kubernetes.io/service-name": "svc",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }


@pytest.mark.parametrize(
    ("the_pod", "publish", "conditions"),
    [
        pytest.param(pod("p1", ready=False), False, (False, False, False), id="not-ready"),
        pytest.param(pod("p1", **TERMINATING), False, (False, True, True), id="terminating"),
        pytest.param(pod("p1", ready=False), True, (True, False, False), id="published"),
    ],
)
def test_conditions(the_pod: Obj, publish: bool, conditions: tuple[bool, ...]) -> None:
    (endpoint,) = first(service(publishNotReadyAddresses=publish), the_pod)["endpoints"]
    assert tuple(endpoint["conditions"].values()) == conditions


def test_finished_pods_and_pods_without_an_address_are_left_out() -> None:
    ended, waiting = pod("p1"), pod("p2")
    ended["status"]["phase"] = "Succeeded"
    del waiting["status"]["podIP"]
    assert first(service(), ended, waiting)["endpoints"] == []


def test_nothing_changes_when_nothing_changed() -> None:
    made = first(service(), pod("p1"))
    assert plan_slices(service(), [pod("p1")], [made], NOW) == ()


def test_a_change_is_a_patch_of_the_same_slice() -> None:
    made = first(service(), pod("p1"))
    (change,) = plan_slices(service(), [pod("p1"), pod("p2")], [made], NOW)
    assert isinstance(change, Patch)
    assert [e["addresses"] for e in change.body["endpoints"]] == [["127.0.1.1"], ["127.0.1.2"]]


def test_pods_with_other_ports_are_in_a_slice_of_their_own() -> None:
    slices = plan_slices(service(), [pod("p1"), pod("p2", port=9090)], (), NOW)
    assert [c.obj["ports"][0]["port"] for c in slices if isinstance(c, Create)] == [8080, 9090]


def test_the_empty_slice_is_filled_when_the_first_pod_comes_and_kept_when_the_last_goes() -> None:
    empty = first(service())
    (change,) = plan_slices(service(), [pod("p1")], [empty], NOW)
    assert isinstance(change, Patch)
    full = {**empty, "ports": change.body["ports"], "endpoints": change.body["endpoints"]}
    (back,) = plan_slices(service(), [], [full], NOW)
    assert isinstance(back, Patch)
    assert (back.body["ports"], back.body["endpoints"]) == (None, [])


def test_more_than_a_hundred_endpoints_are_split() -> None:
    slices = plan_slices(service(), [pod(f"p{n}") for n in range(1, 251)], (), NOW)
    sizes = [len(c.obj["endpoints"]) for c in slices if isinstance(c, Create)]
    assert sizes == [100, 100, 50]


def test_a_slice_of_a_service_that_had_the_name_before_is_deleted() -> None:
    old = first(service())
    old["metadata"]["ownerReferences"][0]["uid"] = "older"
    changes = plan_slices(service(), [], [old], NOW)
    assert [type(c) for c in changes] == [Create, Delete]


def test_headless_services_are_marked_and_name_their_hosts() -> None:
    named = pod("p1")
    named["spec"] |= {"hostname": "one", "subdomain": "svc"}
    made = first(service(clusterIP="None"), named)
    assert made["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert made["endpoints"][0]["hostname"] == "one"


@pytest.mark.parametrize(
    ("spec", "ours"),
    [
        pytest.param({}, True, id="selector"),
        pytest.param({"selector": None}, False, id="none"),
        pytest.param({"type": "ExternalName"}, False, id="external-name"),
    ],
)
def test_only_services_with_a_selector_are_looked_after(spec: Any, ours: bool) -> None:
    assert has_selector(service(**spec)) == ours


def test_endpoints_keep_unready_addresses_apart_and_drop_terminating_ones() -> None:
    pods = [pod("p1"), pod("p2", ready=False), pod("p3", **TERMINATING)]
    (created,) = plan_endpoints(service(), pods, None, NOW)
    assert isinstance(created, Create)
    (subset,) = created.obj["subsets"]
    assert [a["ip"] for a in subset["addresses"]] == ["127.0.1.1"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["127.0.1.2"]
    assert plan_endpoints(service(), pods, created.obj, NOW) == ()
