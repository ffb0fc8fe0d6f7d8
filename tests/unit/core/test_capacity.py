"""How many pods a version needs: a part of the traffic needs that part of the pods, rounded up."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api.deployment import DeploymentSpec
from pawl.core.capacity import Capacity
from pawl.core.routing.route import Shadow
from pawl.core.shift import Pods, Wanted

AUTO = {
    "autoscaling": {"min": 2, "max": 20},
    "server": {"resources": {"requests": {"cpu": "1"}}},
}


def spec(**values: Any) -> DeploymentSpec:
    return DeploymentSpec.model_validate({"model": "churn"} | values)


def server(
    replicas: int | None = 1,
    ready: int | None = None,
    *,
    updated: int | None = None,
    observed: int = 1,
    owner: str = "pawl",
) -> dict[str, Any]:
    has = replicas if ready is None else ready
    return {
        "metadata": {
            "generation": 1,
            "managedFields": [
                {"manager": "pawl", "fieldsV1": {"f:spec": {"f:template": {}}}},
                {"manager": owner, "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "kubelet", "fieldsV1": {"f:status": {"f:replicas": {}}}},
            ],
        },
        "spec": {} if replicas is None else {"replicas": replicas},
        "status": {
            "observedGeneration": observed,
            "readyReplicas": has,
            "updatedReplicas": has if updated is None else updated,
        },
    }


def capacity(
    weights: dict[int, int],
    servers: dict[int, Any] | None = None,
    *,
    published: dict[int, int | None] | None = None,
    stable: int | None = 7,
    shadow: Shadow | None = None,
    **values: Any,
) -> Capacity:
    wanted = Wanted(weights, 7, shadow)
    return Capacity(spec(**values), servers or {}, stable, wanted, published or {})


def test_the_first_version_has_all_pods():
    assert capacity({7: 100}, stable=None, replicas=3).replicas(7) == 3
    assert capacity({7: 100}, stable=None).replicas(7) == 1


@pytest.mark.parametrize(
    ("weight", "replicas", "pods"),
    [
        pytest.param(5, 10, 1, id="a twentieth of ten"),
        pytest.param(25, 10, 3, id="rounded up"),
        pytest.param(50, 10, 5, id="exactly half"),
        pytest.param(1, 1, 1, id="one at least"),
        pytest.param(99, 3, 3, id="nearly all"),
    ],
)
def test_a_candidate_has_the_pods_of_its_weight(weight: int, replicas: int, pods: int):
    found = capacity({7: 100 - weight, 8: weight}, replicas=replicas)
    assert (found.replicas(7), found.replicas(8)) == (replicas, pods)


@pytest.mark.parametrize(("percent", "pods"), [(100, 4), (50, 2), (10, 1)])
def test_a_shadow_has_the_pods_of_its_copies(percent: int, pods: int):
    found = capacity({7: 100}, shadow=Shadow(8, percent), replicas=4)
    assert found.replicas(8) == pods


def test_what_routers_still_send_counts_while_a_weight_falls():
    found = capacity({7: 95, 8: 5}, published={7: 50, 8: 50}, replicas=10)
    assert found.replicas(8) == 5


def test_the_stable_version_keeps_all_until_another_one_is_it():
    promoting = capacity({8: 100}, {7: server(10), 8: server(5)}, replicas=10)
    assert (promoting.replicas(7), promoting.replicas(8)) == (10, 10)
    held_back = capacity({7: 5, 8: 95}, {7: server(10), 8: server(10)}, stable=8, replicas=10)
    assert (held_back.replicas(7), held_back.replicas(8)) == (1, 10)


def test_what_leaves_keeps_what_it_has():
    assert capacity({8: 100}, {7: server(4)}, stable=8, replicas=10).replicas(7) == 4
    scaled = capacity({8: 100}, {7: server(4, owner="kubectl-scale")}, stable=8, replicas=10)
    assert scaled.replicas(7) is None


def test_without_an_autoscaler_the_count_of_the_spec_holds():
    found = capacity({7: 100}, {7: server(4, owner="kubectl-scale")}, replicas=2)
    assert (found.replicas(7), found.scaled(7)) == (2, False)


# -- with an autoscaler


def test_an_autoscaler_owns_the_count_of_who_has_all_traffic():
    found = capacity({7: 100}, {7: server(9, owner="kube-controller-manager")}, **AUTO)
    assert (found.replicas(7), found.scaled(7)) == (None, True)
    assert found.pods() == {7: Pods(9, 9)}


def test_before_it_takes_the_count_over_the_observed_one_stays():
    assert capacity({7: 100}, {7: server(9)}, **AUTO).replicas(7) == 9
    assert capacity({7: 100}, stable=None, **AUTO).replicas(7) == 2


def test_a_candidate_has_its_part_of_what_the_stable_version_was_scaled_to():
    servers = {7: server(12, owner="kube-controller-manager")}
    found = capacity({7: 75, 8: 25}, servers, **AUTO)
    assert (found.replicas(8), found.scaled(8)) == (3, False)


def test_a_candidate_has_all_pods_before_it_gets_all_traffic():
    servers = {7: server(12, owner="kube-controller-manager"), 8: server(6)}
    found = capacity({8: 100}, servers, **AUTO)
    assert (found.replicas(8), found.scaled(8)) == (12, True)
    assert not found.pods()[8].complete


def test_never_more_than_the_autoscaler_may_have():
    servers = {7: server(50, owner="kube-controller-manager")}
    assert capacity({8: 100}, servers, **AUTO).replicas(8) == 20


# -- which of them are ready


@pytest.mark.parametrize(
    ("there", "ready"),
    [
        pytest.param(server(4, 3), 3, id="those that are"),
        pytest.param(server(4, 4, updated=1), 1, id="of the latest template"),
        pytest.param(server(4, 4, observed=0), 0, id="nobody knows after a change"),
        pytest.param({**server(4), "status": {}}, 0, id="none yet"),
    ],
)
def test_pods_that_are_ready(there: Any, ready: int):
    assert capacity({7: 100}, {7: there}, replicas=4).pods() == {7: Pods(4, ready)}


def test_a_version_without_a_server_has_no_pod():
    assert capacity({7: 50, 8: 50}, {7: server(2)}, replicas=2).pods()[8] == Pods(1, 0)


@given(
    replicas=st.integers(1, 1000),
    weight=st.integers(0, 100),
    published=st.integers(0, 100),
    has=st.integers(1, 1000),
    scaled=st.booleans(),
    owner=st.sampled_from(["pawl", "kube-controller-manager"]),
)
def test_nobody_has_fewer_pods_than_its_traffic_needs(
    replicas: int, weight: int, published: int, has: int, scaled: bool, owner: str
):
    values: Any = AUTO if scaled else {"replicas": replicas}
    servers = {7: server(has, owner=owner if scaled else "pawl"), 8: server(1)}
    weights = {v: w for v, w in {7: 100 - weight, 8: weight}.items() if w}
    found = capacity(weights, servers, published={7: 100 - published, 8: published}, **values)
    full = min(max(has, 2), 20) if scaled else replicas
    needed = found.pods()
    if weight:
        assert needed[8].needed >= math.ceil(full * max(weight, published) / 100)
    assert needed[7].needed >= (has if scaled else replicas)
