"""Built-in kinds: decoding, unknown fields, required fields."""

import copy
from typing import Any

import pytest

from pawl.local.schema.builtin import Builtins
from pawl.local.schema.decode import decode_strict

DEPLOYMENT = ("apps", "v1", "Deployment")
BUILTINS = Builtins()
GOOD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "x", "labels": {"a": "b"}},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    },
}


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    obj = copy.deepcopy(GOOD)
    place = obj
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return obj


CONTAINER = ["spec", "template", "spec", "containers", 0]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param(
            ["spec", "replicas"], "x",
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of "
            "type int32", id="string-for-int32",
        ),
        pytest.param(
            ["spec", "replicas"], 1.5,
            "json: cannot unmarshal number 1.5 into Go struct field "
            "DeploymentSpec.spec.replicas of "
            "type int32", id="fraction-for-int32",
        ),
        pytest.param(
            ["spec"], [],
            "json: cannot unmarshal array into Go struct field Deployment.spec of type "
            "v1.DeploymentSpec", id="array-for-struct",
        ),
        pytest.param(
            ["metadata", "labels"], {"a": 1},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type "
            "string", id="number-in-a-map-of-strings",
        ),
        pytest.param(
            ["metadata", "labels"], [],
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type "
            "map[string]string", id="array-for-map",
        ),
        pytest.param(
            [*CONTAINER, "args"], ["a", 5],
            "json: cannot unmarshal number into Go struct field "
            "Container.spec.template.spec.containers.args of type string", id="number-in-a-list",
        ),
        pytest.param(
            [*CONTAINER, "ports"], "x",
            "json: cannot unmarshal string into Go struct field "
            "Container.spec.template.spec.containers.ports of type []v1.ContainerPort",
            id="string-for-list-of-structs",
        ),
        pytest.param(
            [*CONTAINER, "resources"], {"limits": {"cpu": "many"}},
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'", id="quantity",
        ),
        pytest.param(
            ["metadata", "creationTimestamp"], "2020-01-01",
            'parsing time "2020-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"',
            id="time",
        ),
    ],
)  # fmt: skip
def test_values_of_a_wrong_type_are_told_in_go_words(
    path: list[Any], value: Any, message: str
) -> None:
    assert BUILTINS.type_error(DEPLOYMENT, changed(path, value)) == message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["spec", "replicas"], None),
        ([*CONTAINER, "resources"], {"limits": {"cpu": 1.5, "memory": "1Gi", "x": "1e3"}}),
        (["spec", "strategy"], {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}),
        (["metadata", "creationTimestamp"], "2020-01-01T00:00:00.5+01:00"),
    ],
)
def test_values_that_decode(path: list[Any], value: Any) -> None:
    assert BUILTINS.type_error(DEPLOYMENT, changed(path, value)) is None


def test_unknown_fields_are_named_and_pruned_with_nulls() -> None:
    obj = changed([*CONTAINER, "bar"], {"a": 1})
    obj["spec"]["foo"] = 1
    obj["metadata"] |= {"zz": 1, "creationTimestamp": None, "annotations": {"k": None}}
    expected = ["metadata.zz", "spec.foo", "spec.template.spec.containers[0].bar"]
    assert BUILTINS.unknown_fields(DEPLOYMENT, obj) == expected
    assert BUILTINS.prune(DEPLOYMENT, obj) == expected
    assert BUILTINS.unknown_fields(DEPLOYMENT, obj) == []
    assert obj["metadata"] == {"name": "x", "labels": {"a": "b"}, "annotations": {"k": ""}}
    assert obj["spec"] == GOOD["spec"]


@pytest.mark.parametrize(
    ("gvk", "obj", "fields"),
    [
        pytest.param(DEPLOYMENT, GOOD, [], id="complete"),
        pytest.param(
            DEPLOYMENT, {"metadata": {}}, ["spec.selector", "spec.template.spec.containers"],
            id="no-spec",
        ),
        pytest.param(
            DEPLOYMENT, changed([*CONTAINER, "name"], ""),
            ["spec.template.spec.containers[0].name"], id="empty-name",
        ),
        pytest.param(("", "v1", "Pod"), {"spec": {}}, ["spec.containers"], id="pod"),
        pytest.param(("", "v1", "ConfigMap"), {"data": {"a": "b"}}, [], id="config-map"),
        pytest.param(
            ("", "v1", "Pod"), {"spec": {"containers": [{"name": "c"}]}, "status": {"x": 1}}, [],
            id="status-is-not-judged",
        ),
    ],
)  # fmt: skip
def test_required_fields(gvk: tuple[str, str, str], obj: dict[str, Any], fields: list[str]) -> None:
    found = BUILTINS.validate(gvk, obj)
    assert [str(cause) for cause in found] == [f"{field}: Required value" for field in fields]


def test_schemas_follow_references_and_keep_patch_keywords() -> None:
    schema = BUILTINS.schema(*DEPLOYMENT)
    containers = schema["properties"]["spec"]["properties"]["template"]["properties"]["spec"][
        "properties"
    ]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    port = containers["items"]["properties"]["ports"]["items"]
    assert port["properties"]["protocol"]["default"] == "TCP"
    assert port["x-go-type"] == "v1.ContainerPort"


def test_cyclic_definitions_resolve() -> None:
    crd = BUILTINS.schema("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    version = crd["properties"]["spec"]["properties"]["versions"]["items"]
    schema = version["properties"]["schema"]["properties"]["openAPIV3Schema"]
    nested = schema["properties"]["properties"]["additionalProperties"]
    assert nested["properties"]["not"]["properties"].keys() == schema["properties"].keys()


def test_kinds_that_do_not_exist() -> None:
    with pytest.raises(KeyError):
        BUILTINS.schema("apps", "v1", "Nothing")


def test_keys_that_come_twice_are_found_and_the_last_wins() -> None:
    body = b'{"metadata":{"name":"a","name":"b"},"l":[{"x":1,"x":2,"y":{"z":1,"z":3}}]}'
    obj, paths = decode_strict(body)
    assert paths == ["metadata.name", "l[0].x", "l[0].y.z"]
    assert obj == {"metadata": {"name": "b"}, "l": [{"x": 2, "y": {"z": 3}}]}
    assert type(obj["metadata"]) is dict


def test_integers_beyond_int64_become_floats() -> None:
    obj, paths = decode_strict(b"[9223372036854775807, 9223372036854775808]")
    assert (obj, paths) == ([2**63 - 1, float(2**63)], [])
    assert [type(item) for item in obj] == [int, float]


def test_bad_json_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        decode_strict(b'{"a":')


def test_json_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="exceeded max depth"):
        decode_strict(b'{"a":' * 100_000)
