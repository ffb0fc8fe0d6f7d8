"""Whatever a client sends, the answer is an object or an ApiError that says what is wrong."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.crds import all_crds
from pawl.local.api import bootstrap
from pawl.local.api.errors import ApiError
from pawl.local.api.registry import Registry

CONTAINER = {
    "name": "c",
    "image": "x:1",
    "ports": [{"containerPort": 80, "name": "http"}],
    "env": [{"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}},
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    "livenessProbe": {"httpGet": {"port": 80}},
}
POD_SPEC = {"restartPolicy": "Never", "containers": [CONTAINER], "volumes": [{"name": "v"}]}
META = {
    "name": "x",
    "labels": {"a": "b"},
    "annotations": {"x": "y"},
    "finalizers": ["a.b/c"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
}
BODIES: dict[str, dict[str, Any]] = {
    "pods": {"metadata": META, "spec": POD_SPEC},
    "apps/deployments": {
        "metadata": META,
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "strategy": {"rollingUpdate": {"maxSurge": "25%"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
        },
    },
    "batch/jobs": {
        "metadata": META,
        "spec": {
            "completions": 2,
            "completionMode": "Indexed",
            "podFailurePolicy": {
                "rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]
            },
            "template": {"spec": POD_SPEC},
        },
    },
    "services": {"metadata": META, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    "secrets": {"metadata": META, "data": {"a": "Yg=="}, "stringData": {"c": "d"}},
    "autoscaling/horizontalpodautoscalers": {
        "metadata": META,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": "x"},
            "maxReplicas": 2,
            "behavior": {"scaleUp": {"policies": []}},
        },
    },
    "pawl.dev/trainingjobs": {
        "metadata": META,
        "spec": {
            "model": "m",
            "data": {"uri": "file:///x", "task": "binary", "target": "t"},
            "trainer": {"sklearn": {"estimator": "a.b", "parameters": {"x": 1}}},
        },
    },
}
ODD: list[Any] = [None, 0, -1, 1.5, True, "", "UPPER_", "1%", [], [None], [1], {}, {"a": None}]


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items: Any = ()
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        found += paths(item, (*at, key))
    return found


@st.composite
def odd_bodies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A valid object in which something has been replaced."""
    resource = draw(st.sampled_from(sorted(BODIES)))
    body = copy.deepcopy(BODIES[resource])
    for _ in range(draw(st.integers(1, 2))):
        *parents, last = draw(st.sampled_from(paths(body)))
        place: Any = body
        for key in parents:
            place = place[key]
        place[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return resource, body


def registry() -> Registry:
    made = Registry()
    bootstrap.populate(made)
    for crd in all_crds():
        made.create("apiextensions.k8s.io/customresourcedefinitions", None, crd, manager="test")
    return made


REGISTRY = registry()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(odd_bodies(), st.sampled_from(["create", "merge", "strategic", "apply"]))
def test_odd_objects_are_accepted_or_refused(odd, way):
    resource, body = odd
    kind = REGISTRY.catalog.named(resource)
    full = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
    code, said = 200, "fine"
    try:
        if way == "create":
            REGISTRY.create(resource, "default", full, manager="test")
        else:
            REGISTRY.patch(resource, "default", "x", full, kind=way, manager="test", force=True)
    except ApiError as error:
        code, said = error.code, error.message
    # kube-apiserver, too, answers 500 to what cannot be merged field by field
    assert code < 500 or way in ("apply", "strategic"), said
    assert said
