"""Pruning, forbidden nulls and defaults of structural schemas."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pawl.local.schema.structural import Structural

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "kind": {"type": "string", "default": "plain"},
                "nullable": {"type": "string", "nullable": True, "default": "d"},
                "nested": {
                    "type": "object",
                    "default": {"x": 1},
                    "properties": {
                        "x": {"type": "integer"},
                        "y": {"type": "integer", "default": 2},
                    },
                },
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"v": {"type": "integer", "default": 7}},
                    },
                },
                "map": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "properties": {"q": {"type": "string", "default": "q"}},
                    },
                },
                "free": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {
                        "known": {"type": "object", "properties": {"a": {"type": "string"}}}
                    },
                },
                "object": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "properties": {"spec": {"type": "object"}},
                },
            },
        }
    },
}
STRUCTURAL = Structural(SCHEMA)


def test_unknown_fields_are_removed_and_named() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "K",
        "metadata": {"name": "x", "labels": {"a": "b"}},
        "other": 1,
        "spec": {"name": "n", "zz": 1, "items": [{"v": 1, "w": 2}], "map": {"k": {"r": 1}}},
    }
    assert STRUCTURAL.prune(obj) == ["other", "spec.items[0].w", "spec.map.k.r", "spec.zz"]
    assert obj == {
        "apiVersion": "v1",
        "kind": "K",
        "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": {"name": "n", "items": [{"v": 1}], "map": {"k": {}}},
    }


def test_preserved_objects_are_pruned_only_where_they_are_specified() -> None:
    obj = {"spec": {"free": {"any": [{"x": None}], "known": {"a": "1", "b": 2}}}}
    assert STRUCTURAL.prune(obj) == ["spec.free.known.b"]
    assert obj == {"spec": {"free": {"any": [{"x": None}], "known": {"a": "1"}}}}


def test_embedded_resources_keep_their_metadata() -> None:
    obj = {"spec": {"object": {"apiVersion": "v1", "kind": "K", "metadata": {"a": 1}, "x": 1}}}
    assert STRUCTURAL.prune(obj) == ["spec.object.x"]
    assert obj["spec"]["object"] == {"apiVersion": "v1", "kind": "K", "metadata": {"a": 1}}


def test_nulls_go_where_they_are_neither_allowed_nor_defaulted() -> None:
    obj: dict[str, Any] = {"spec": {"name": None, "kind": None, "nullable": None, "items": [None]}}
    assert STRUCTURAL.prune(obj) == []
    assert obj == {"spec": {"kind": None, "nullable": None, "items": [None]}}
    STRUCTURAL.default(obj)
    assert obj["spec"]["kind"] == "plain"
    assert obj["spec"]["nullable"] is None
    assert obj["spec"]["items"] == [None]


def test_defaults_fill_defaulted_objects_list_items_and_map_values() -> None:
    obj: dict[str, Any] = {"spec": {"items": [{}, {"v": 1}], "map": {"k": {}}}}
    STRUCTURAL.default(obj)
    assert obj["spec"] == {
        "kind": "plain",
        "nullable": "d",
        "nested": {"x": 1, "y": 2},
        "items": [{"v": 7}, {"v": 1}],
        "map": {"k": {"q": "q"}},
    }


def test_a_default_is_a_copy() -> None:
    one: dict[str, Any] = {"spec": {}}
    STRUCTURAL.default(one)
    one["spec"]["nested"]["x"] = 99
    assert SCHEMA["properties"]["spec"]["properties"]["nested"]["default"] == {"x": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "items", "map", "free", "known", "nested", "object", "v",
                             "spec", "a", "zz", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_pruning_and_defaulting_twice_changes_nothing(spec: Any) -> None:
    obj = {"apiVersion": "v1", "kind": "K", "spec": spec}
    STRUCTURAL.prune(obj)
    pruned = copy.deepcopy(obj)
    assert STRUCTURAL.prune(obj) == []
    assert obj == pruned
    STRUCTURAL.default(obj)
    defaulted = copy.deepcopy(obj)
    STRUCTURAL.default(obj)
    assert obj == defaulted
    assert STRUCTURAL.prune(obj) == []
