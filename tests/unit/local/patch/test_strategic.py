"""Strategic merge patch on real kinds."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.patch import PatchError, strategic
from pawl.local.schema.builtin import Builtins

POD = Builtins().schema("", "v1", "Pod")
DEPLOYMENT = Builtins().schema("apps", "v1", "Deployment")
LIVE: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}, "finalizers": ["f/1", "f/2"]},
    "spec": {
        "containers": [
            {"name": "one", "image": "i", "args": ["a"], "env": [{"name": "A", "value": "1"}]},
            {"name": "two", "image": "i"},
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "tolerations": [{"key": "k"}],
    },
}


def spec(patch: dict[str, Any]) -> dict[str, Any]:
    patched: dict[str, Any] = strategic(LIVE, {"spec": patch}, POD)["spec"]
    return patched


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


def test_lists_with_a_merge_key_merge_and_others_are_replaced() -> None:
    patched = spec(
        {
            "containers": [
                {"name": "two", "args": ["z"]},
                {"name": "one", "args": ["b"], "env": [{"name": "B", "value": "2"}]},
            ],
            "tolerations": [{"key": "other"}],
        }
    )
    two, one = patched["containers"]
    assert one["args"] == ["b"]
    assert one["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
    assert two == {"name": "two", "image": "i", "args": ["z"]}
    assert patched["tolerations"] == [{"key": "other"}]


def test_null_removes() -> None:
    patched = spec({"containers": [{"name": "one", "args": None}], "volumes": None})
    assert "args" not in patched["containers"][0]
    assert "volumes" not in patched


def test_delete_directive_removes_items_and_replace_directive_replaces_lists() -> None:
    assert names(spec({"containers": [{"name": "one", "$patch": "delete"}]})["containers"]) == [
        "two"
    ]
    replaced = spec({"containers": [{"$patch": "replace"}, {"name": "new", "image": "i"}]})
    assert replaced["containers"] == [{"name": "new", "image": "i"}]
    labels = strategic(LIVE, {"metadata": {"labels": {"$patch": "replace", "b": "2"}}}, POD)
    assert labels["metadata"]["labels"] == {"b": "2"}


def test_delete_from_primitive_list() -> None:
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["f/1"], "finalizers": ["f/3"]}}
    assert strategic(LIVE, patch, POD)["metadata"]["finalizers"] == ["f/3", "f/2"]


def test_set_element_order_orders_what_it_names() -> None:
    patch = {
        "$setElementOrder/containers": [{"name": "new"}, {"name": "two"}, {"name": "one"}],
        "containers": [{"name": "new", "image": "i"}],
    }
    assert names(spec(patch)["containers"]) == ["new", "two", "one"]
    only_order = {"$setElementOrder/containers": [{"name": "two"}, {"name": "one"}]}
    assert names(spec(only_order)["containers"]) == ["two", "one"]


def test_retain_keys_drops_the_others() -> None:
    volume = {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}
    assert spec({"volumes": [volume]})["volumes"] == [{"name": "v", "hostPath": {"path": "/"}}]


def deployment(ports: list[dict[str, Any]]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "ports": ports}]}}}}


def test_ports_merge_by_container_port() -> None:
    live = deployment([{"containerPort": 80, "name": "a"}])
    patch = deployment([{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 81}])
    both = [{"containerPort": 80, "name": "a", "protocol": "UDP"}, {"containerPort": 81}]
    assert strategic(live, patch, DEPLOYMENT) == deployment(both)


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        pytest.param(
            {"spec": {"containers": [{"image": "i"}]}}, 500,
            "map: map[image:i] does not contain declared merge key: name", id="no-merge-key",
        ),
        pytest.param(
            {"spec": {"$patch": "frob"}}, 500, "unknown patch type: frob in map: map[$patch:frob]",
            id="unknown-directive",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a", "b"], "$setElementOrder/finalizers": ["b", "a"]}},
            500,
            "The order in patch list:\n[a b]\n doesn't match $setElementOrder list:\n[b a]\n",
            id="wrong-order",
        ),
        pytest.param(
            {"spec": {"$retainKeys": ["a"], "b": 1}}, 400, "invalid patch format of retainKeys",
            id="retain-keys",
        ),
        pytest.param(
            [], 400, "json: cannot unmarshal array into Go value of type "
            "map[string]interface {}", id="no-object",
        ),
    ],
)  # fmt: skip
def test_bad_patches(patch: Any, code: int, message: str) -> None:
    with pytest.raises(PatchError) as caught:
        strategic(LIVE, patch, POD)
    assert (caught.value.code, str(caught.value)) == (code, message)


container = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c"])},
    optional={
        "image": st.sampled_from(["1", "2"]),
        "args": st.lists(st.sampled_from("xy"), max_size=2),
        "env": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from("AB")}, optional={"value": st.sampled_from("12")}
            ),
            max_size=2,
            unique_by=lambda item: item["name"],
        ),
    },
)
pods = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {}, optional={"finalizers": st.lists(st.sampled_from("fgh"), unique=True, max_size=3)}
        ),
        "spec": st.fixed_dictionaries(
            {"containers": st.lists(container, max_size=3, unique_by=lambda item: item["name"])}
        ),
    }
)


@given(pods)
def test_an_object_patched_with_itself_stays_as_it_is(pod: dict[str, Any]) -> None:
    before = copy.deepcopy(pod)
    assert strategic(pod, pod, POD) == before
    assert pod == before


@given(pods, pods)
def test_patching_twice_is_patching_once(live: dict[str, Any], patch: dict[str, Any]) -> None:
    once = strategic(live, patch, POD)
    assert strategic(once, patch, POD) == once
