import base64
from typing import Any

import pytest

from pawl.local.node.environment import (
    ConfigError,
    allocatable,
    build,
    expand,
    field_value,
    service_variables,
)

Obj = dict[str, Any]

POD: Obj = {
    "metadata": {
        "name": "p",
        "namespace": "ns",
        "uid": "u-1",
        "labels": {"b": "2", "a": 'x"y'},
        "annotations": {"pawl.dev/note": "hi"},
    },
    "spec": {"nodeName": "local", "containers": []},
    "status": {"podIP": "127.20.64.1", "podIPs": [{"ip": "127.20.64.1"}], "hostIP": "127.20.0.1"},
}
OBJECTS = {
    ("configmaps", "cm"): {"data": {"A": "1", "B": "2"}},
    ("secrets", "s"): {"data": {"PW": base64.b64encode(b"geheim").decode()}},
}


def find(resource: str, name: str) -> Obj | None:
    return OBJECTS.get((resource, name))


def environment(container: Obj, services: dict[str, str] | None = None) -> dict[str, str]:
    return build({"name": "c", **container}, pod=POD, services=services or {}, find=find)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("$(A)-$(B)", "1-2", id="both"),
        pytest.param("$$(A)", "$(A)", id="escaped"),
        pytest.param("$$$(A)", "$1", id="escaped dollar, then a reference"),
        pytest.param("$(NO)", "$(NO)", id="unknown"),
        pytest.param("$A ${A} $", "$A ${A} $", id="the shell's syntax is not ours"),
        pytest.param("$(A", "$(A", id="not closed"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_later_entries_see_earlier_ones_and_override_sources() -> None:
    found = environment(
        {
            "envFrom": [
                {"configMapRef": {"name": "cm"}},
                {"prefix": "X_", "secretRef": {"name": "s"}},
            ],
            "env": [
                {"name": "B", "value": "own"},
                {"name": "C", "value": "$(A)$(B)$(X_PW)$(LATER)$(HOST)"},
                {"name": "LATER", "value": "l"},
            ],
        },
        services={"HOST": "h"},
    )
    assert found["B"] == "own"
    assert found["C"] == "1owngeheim$(LATER)h"


def test_values_from_fields_resources_and_keys() -> None:
    found = environment(
        {
            "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}, "requests": {"cpu": "1"}},
            "env": [
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {
                    "name": "MEM",
                    "valueFrom": {
                        "resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}
                    },
                },
                {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "s", "key": "PW"}}},
                {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "A"}}},
                {
                    "name": "NONE",
                    "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "Z", "optional": True}},
                },
            ],
        }
    )
    expected = {"IP": "127.20.64.1", "CPU": "2", "MEM": "1024", "PW": "geheim", "K": "1"}
    assert found == expected


def test_a_limit_that_is_not_set_is_what_the_node_has() -> None:
    reference = {"resource": "limits.cpu"}
    found = environment({"env": [{"name": "N", "valueFrom": {"resourceFieldRef": reference}}]})
    assert found == {"N": allocatable()["cpu"]}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        pytest.param(
            {"envFrom": [{"secretRef": {"name": "no"}}]}, 'secret "no" not found', id="secret"
        ),
        pytest.param(
            {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k"}}}]},
            'configmap "no" not found',
            id="configmap",
        ),
        pytest.param(
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            "couldn't find key k in Secret ns/s",
            id="key",
        ),
    ],
)
def test_what_is_missing_is_named_as_a_kubelet_names_it(container: Obj, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        environment(container)
    assert (caught.value.reason, str(caught.value)) == ("CreateContainerConfigError", message)


def test_an_optional_source_may_be_missing() -> None:
    assert environment({"envFrom": [{"configMapRef": {"name": "no", "optional": True}}]}) == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.labels['b']", "2"),
        ("metadata.annotations['pawl.dev/note']", "hi"),
        ("metadata.labels", 'a="x\\"y"\nb="2"'),
        ("spec.serviceAccountName", "default"),
        ("status.hostIP", "127.20.0.1"),
    ],
)
def test_downward_fields(path: str, expected: str) -> None:
    assert field_value(path, POD) == expected


def test_service_variables_are_of_the_pods_namespace_only() -> None:
    service = {
        "metadata": {"name": "my-db", "namespace": "ns"},
        "spec": {"clusterIP": "127.20.1.1", "ports": [{"name": "sql-tls", "port": 5432}]},
    }
    headless = {
        "metadata": {"name": "h", "namespace": "ns"},
        "spec": {"clusterIP": "None", "ports": [{"port": 1}]},
    }
    other = {**service, "metadata": {"name": "x", "namespace": "other"}}
    assert service_variables([service, headless, other], "ns", ("127.20.0.1", 6443)) == {
        "KUBERNETES_SERVICE_HOST": "127.20.0.1",
        "KUBERNETES_SERVICE_PORT": "6443",
        "MY_DB_SERVICE_HOST": "127.20.1.1",
        "MY_DB_SERVICE_PORT": "5432",
        "MY_DB_SERVICE_PORT_SQL_TLS": "5432",
    }
