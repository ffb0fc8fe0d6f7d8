"""custom.metrics.k8s.io: discovery, and what is answered."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from pawl.local.api import bootstrap
from pawl.local.api.errors import ApiError
from pawl.local.api.http.custommetrics import answer
from pawl.local.api.http.discovery import Discovery
from pawl.local.api.registry import Registry

Obj = dict[str, Any]
BASE = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default"


class Measured:
    name = "requests_per_second"

    def rates(self, pods: Iterable[Obj]) -> dict[str, float]:
        known = {"a": 1.5, "b": 2.0}
        names = [pod["metadata"]["name"] for pod in pods]
        return {name: known[name] for name in names if name in known}


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    bootstrap.populate(registry)
    for name, app in (("a", "x"), ("b", "y"), ("new", "x")):
        pod = {"metadata": {"name": name, "labels": {"app": app}}}
        pod["spec"] = {"containers": [{"name": "c", "image": "i"}]}
        registry.create("pods", "default", pod, manager="test")
    return registry


@pytest.mark.parametrize(
    ("pods", "query", "values"),
    [
        pytest.param("*", {}, {"a": "1500m", "b": "2"}, id="all-that-have-a-value"),
        pytest.param("*", {"labelSelector": "app=x"}, {"a": "1500m"}, id="by-label"),
        pytest.param("*", {"labelSelector": "app=z"}, {}, id="none"),
        pytest.param("b", {}, {"b": "2"}, id="by-name"),
    ],
)
def test_values(registry: Registry, pods: str, query: dict[str, str], values: Obj) -> None:
    path = f"{BASE}/pods/{pods}/requests_per_second"
    found = answer(Measured(), registry, path, query)
    assert found["kind"] == "MetricValueList"
    items = found["items"]
    assert {one["describedObject"]["name"]: one["value"] for one in items} == values
    assert {one["metric"]["name"] for one in items} <= {"requests_per_second"}


@pytest.mark.parametrize(
    ("path", "query", "code", "message"),
    [
        pytest.param("pods/*/else", {}, 404, "could not find the metric else", id="metric"),
        pytest.param("pods/new/requests_per_second", {}, 404, "for pods new", id="no-value"),
        pytest.param("pods/none/requests_per_second", {}, 404, '"none" not found', id="pod"),
        pytest.param("services/*/requests_per_second", {}, 404, "for services", id="resource"),
        pytest.param("pods", {}, 404, "could not find the requested resource", id="short"),
        pytest.param(
            "pods/*/requests_per_second", {"metricLabelSelector": "a=b"}, 400, "no labels",
            id="metric-selector",
        ),
    ],
)  # fmt: skip
def test_refusals(
    registry: Registry, path: str, query: dict[str, str], code: int, message: str
) -> None:
    with pytest.raises(ApiError, match=message) as raised:
        answer(Measured(), registry, f"{BASE}/{path}", query)
    assert raised.value.code == code


def test_discovery_tells_the_metric(registry: Registry) -> None:
    discovery = Discovery(registry.catalog, "requests_per_second")

    def document(path: str, aggregated: str = "") -> Any:
        return orjson.loads(discovery.document(path, aggregated) or b"null")

    group = document("/apis/custom.metrics.k8s.io")
    assert group["preferredVersion"]["groupVersion"] == "custom.metrics.k8s.io/v1beta2"
    (told,) = document("/apis/custom.metrics.k8s.io/v1beta2")["resources"]
    assert (told["name"], told["verbs"]) == ("pods/requests_per_second", ["get"])
    (item,) = [
        one
        for one in document("/apis", "v2")["items"]
        if one["metadata"]["name"] == "custom.metrics.k8s.io"
    ]
    (pods,) = item["versions"][0]["resources"]
    assert (pods["resource"], pods["verbs"]) == ("pods", [])
    assert [sub["subresource"] for sub in pods["subresources"]] == ["requests_per_second"]


def test_without_a_metric_there_is_no_such_group(registry: Registry) -> None:
    assert Discovery(registry.catalog).document("/apis/custom.metrics.k8s.io") is None
