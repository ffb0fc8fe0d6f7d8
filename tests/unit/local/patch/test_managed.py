"""Server-side apply and field management."""

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.local.patch import PatchError, managed
from pawl.local.patch.managed import LAST_APPLIED
from pawl.local.schema.builtin import Builtins

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "2026-01-02T03:04:05Z"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "integer"},
                "atomic": {"type": "array", "items": {"type": "string"}},
                "set": {
                    "type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"},
                },
                "m": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {
                        "type": "object",
                        "required": ["k"],
                        "properties": {
                            "k": {"type": "string"},
                            "v": {"type": "integer"},
                            "w": {"type": "integer"},
                        },
                    },
                },
                "atomicMap": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": {"type": "string"},
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}  # fmt: skip
Object = dict[str, Any]


def thing(spec: Object | None = None, **meta: Any) -> Object:
    obj: Object = {"apiVersion": "g/v1", "kind": "Thing", "metadata": {"name": "x", **meta}}
    return obj if spec is None else {**obj, "spec": spec}


def apply(live: Object | None, spec: Object, manager: str = "me", **options: Any) -> Object:
    options = {"force": False, "now": NOW, "schema": SCHEMA, "api_version": "g/v1", **options}
    return managed.apply(live, thing(spec), manager=manager, **options)


def update(live: Object | None, new: Object, manager: str = "other", **options: Any) -> Object:
    return managed.update(live, new, manager=manager, **{"now": NOW, "schema": SCHEMA, **options})


def entries(obj: Object) -> dict[tuple[str, str], Object]:
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", [])
    }


def test_creation_by_apply_owns_what_was_said() -> None:
    created = apply(None, {"a": "1", "set": ["x"], "m": [{"k": "p", "v": 1}], "free": {"q": 1}})
    assert created["spec"] == {"a": "1", "set": ["x"], "m": [{"k": "p", "v": 1}], "free": {"q": 1}}
    assert created["metadata"]["managedFields"] == [
        {
            "manager": "me",
            "operation": "Apply",
            "apiVersion": "g/v1",
            "time": STAMP,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:a": {},
                    "f:free": {"f:q": {}},
                    "f:m": {'k:{"k":"p"}': {".": {}, "f:k": {}, "f:v": {}}},
                    "f:set": {'v:"x"': {}},
                }
            },
        }
    ]


def test_creation_by_post_owns_containers_too() -> None:
    created = update(None, thing({"a": "1", "m": [{"k": "p"}]}, labels={"l": "1"}))
    assert entries(created) == {
        ("other", "Update"): {
            "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
            "f:spec": {".": {}, "f:a": {}, "f:m": {".": {}, 'k:{"k":"p"}': {".": {}, "f:k": {}}}},
        }
    }


def test_built_in_structs_that_are_no_pointers_are_not_owned() -> None:
    schema = Builtins().schema("apps", "v1", "Deployment")
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}
    new = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": pod},
    }
    created = update(None, new, schema=schema)
    assert entries(created)[("other", "Update")] == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}}}},
            },
        }
    }


def test_defaulted_keys_are_part_of_the_key() -> None:
    schema = Builtins().schema("", "v1", "Service")
    new = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"},
        "spec": {"ports": [{"port": 80}]},
    }  # fmt: skip
    created = managed.apply(
        None, new, manager="me", force=False, schema=schema, api_version="v1", now=NOW
    )
    assert entries(created)[("me", "Apply")] == {
        "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}}
    }


def test_what_the_applier_leaves_out_goes() -> None:
    live = apply(None, {"a": "1", "b": 2, "m": [{"k": "p", "v": 1}, {"k": "q"}]})
    later = apply(live, {"a": "1", "m": [{"k": "p"}]}, now=NOW + timedelta(hours=1))
    assert later["spec"] == {"a": "1", "m": [{"k": "p"}]}
    assert later["metadata"]["managedFields"][0]["time"] == "2026-01-02T04:04:05Z"


def test_what_somebody_else_owns_too_stays() -> None:
    live = apply(apply(None, {"a": "1", "b": 2}), {"a": "1"}, "you")
    assert set(entries(live)) == {("me", "Apply"), ("you", "Apply")}
    assert apply(live, {"b": 2})["spec"] == {"a": "1", "b": 2}


def test_what_others_set_is_a_conflict() -> None:
    live = update(None, thing({"a": "1", "b": 1}))
    with pytest.raises(managed.Conflicts) as caught:
        apply(live, {"a": "2"})
    assert caught.value.code == 409
    assert str(caught.value) == (
        'Apply failed with 1 conflict: conflict with "other" using g/v1: .spec.a'
    )
    (cause,) = caught.value.causes
    assert (cause.reason, cause.message, cause.field) == (
        "FieldManagerConflict", 'conflict with "other" using g/v1', ".spec.a",
    )  # fmt: skip


def test_several_conflicts_are_listed_by_manager() -> None:
    live = update(apply(None, {"a": "1", "m": [{"k": "p", "v": 1}]}, "you"), thing({"b": 1}))
    live = apply(live, {"a": "1", "m": [{"k": "p", "v": 1}]}, "you")
    with pytest.raises(managed.Conflicts) as caught:
        apply(live, {"a": "2", "b": 2, "m": [{"k": "p", "v": 2}]})
    assert str(caught.value) == (
        "Apply failed with 3 conflicts: "
        'conflicts with "other" using g/v1:\n- .spec.b\n'
        'conflicts with "you":\n- .spec.a\n- .spec.m[k="p"].v'
    )


def test_the_same_value_is_no_conflict_and_shared() -> None:
    live = apply(update(None, thing({"a": "1"})), {"a": "1"})
    assert entries(live)[("other", "Update")] == {"f:spec": {".": {}, "f:a": {}}}
    assert entries(live)[("me", "Apply")] == {"f:spec": {"f:a": {}}}


def test_force_takes_the_field_away() -> None:
    live = apply(update(None, thing({"a": "1", "b": 1})), {"a": "2"}, force=True)
    assert live["spec"] == {"a": "2", "b": 1}
    assert entries(live)[("other", "Update")] == {"f:spec": {".": {}, "f:b": {}}}


def test_an_update_takes_what_it_changes() -> None:
    live = apply(None, {"a": "1", "b": 1})
    new = update(live, {**live, "spec": {"a": "2", "b": 1}})
    assert entries(new) == {
        ("me", "Apply"): {"f:spec": {"f:b": {}}},
        ("other", "Update"): {"f:spec": {"f:a": {}}},
    }


def test_an_update_that_removes_takes_from_everybody() -> None:
    live = apply(None, {"a": "1", "b": 1})
    new = update(live, {**live, "spec": {"b": 1}})
    assert entries(new) == {("me", "Apply"): {"f:spec": {"f:b": {}}}}


def test_an_update_that_changes_nothing_leaves_no_entry() -> None:
    live = apply(None, {"a": "1"})
    assert entries(update(live, live)) == entries(live)


def test_atomic_values_have_one_owner() -> None:
    live = apply(None, {"atomic": ["a"], "atomicMap": {"x": "1"}})
    assert entries(live)[("me", "Apply")] == {"f:spec": {"f:atomic": {}, "f:atomicMap": {}}}
    with pytest.raises(managed.Conflicts):
        apply(live, {"atomic": ["a", "b"]}, "you")
    taken = apply(live, {"atomic": ["b"], "atomicMap": {"y": "1"}}, "you", force=True)
    assert taken["spec"] == {"atomic": ["b"], "atomicMap": {"y": "1"}}


def test_lists_merge_by_key_and_keep_the_order_of_the_applier() -> None:
    live = update(None, thing({"m": [{"k": "a"}, {"k": "b", "v": 1}, {"k": "c"}]}))
    merged = apply(live, {"m": [{"k": "c"}, {"k": "new"}, {"k": "b", "w": 2}]})
    assert [item["k"] for item in merged["spec"]["m"]] == ["a", "c", "new", "b"]
    assert merged["spec"]["m"][3] == {"k": "b", "v": 1, "w": 2}


def test_status_is_owned_through_status_only() -> None:
    live = apply(None, {"a": "1"})
    with_status = {**live, "status": {"phase": "A"}, "spec": {"a": "other"}}
    assert entries(update(live, with_status)) == {
        ("other", "Update"): {"f:spec": {"f:a": {}}},
    }
    through_status = update(live, with_status, subresource="status")
    entry = through_status["metadata"]["managedFields"][1]
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {".": {}, "f:phase": {}}}


def test_managed_fields_of_an_object_from_before_are_found_on_first_apply() -> None:
    live = thing({"a": "1", "b": 1}, uid="u")
    applied = apply(live, {"a": "1"})
    assert entries(applied)[("before-first-apply", "Update")] == {
        "f:spec": {".": {}, "f:a": {}, "f:b": {}}
    }
    with pytest.raises(managed.Conflicts, match="before-first-apply"):
        apply(live, {"a": "2"})


@pytest.mark.parametrize("reset", [[], [{}]])
def test_managed_fields_can_be_reset(reset: list[Any]) -> None:
    live = apply(None, {"a": "1"})
    new = copy.deepcopy(live)
    new["metadata"]["managedFields"] = reset
    cleared = update(live, new)
    assert "managedFields" not in cleared["metadata"]
    assert "managedFields" not in update(cleared, thing({"a": "2"}))["metadata"]


def test_managed_fields_that_are_left_out_come_from_the_live_object() -> None:
    live = apply(None, {"a": "1"})
    assert entries(update(live, thing({"a": "1"}))) == entries(live)


def test_kubectl_may_take_what_client_side_apply_set() -> None:
    annotations = {LAST_APPLIED: '{"apiVersion":"g/v1","kind":"Thing","spec":{"a":"1"}}'}
    live = update(
        None, thing({"a": "1", "b": 1}, annotations=annotations), "kubectl-client-side-apply"
    )
    migrated = apply(live, {"a": "2"}, "kubectl")
    assert migrated["spec"] == {"a": "2", "b": 1}
    assert migrated["metadata"]["annotations"][LAST_APPLIED] == (
        '{"apiVersion":"g/v1","kind":"Thing","metadata":{"name":"x"},"spec":{"a":"2"}}\n'
    )
    with pytest.raises(managed.Conflicts, match=r"spec\.b"):
        apply(live, {"b": 2}, "kubectl")
    with pytest.raises(managed.Conflicts, match=r"spec\.a"):
        apply(live, {"a": "2"}, "somebody")


def test_old_updaters_are_merged_beyond_ten() -> None:
    live = update(None, thing({"a": "0"}))
    for at in range(1, 14):
        spec = {**live["spec"], "free": {**live["spec"].get("free", {}), f"f{at}": at}}
        live = update(live, {**live, "spec": spec}, f"m{at:02}", now=NOW + timedelta(seconds=at))
    managers = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert len(managers) == 10
    assert managers[0] == "ancient-changes"
    assert managers[-1] == "m13"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"foo": 1}, ".spec.foo: field not declared in schema"),
        ({"m": [{"k": "a"}, {"k": "a"}]}, '.spec.m: duplicate entries for key [k="a"]'),
        ({"set": ["a", "a"]}, '.spec.set: duplicate entries for key [="a"]'),
        ({"m": [{"v": 1}]}, '.spec.m: element 0: associative list with keys has an element that '
         'omits all key fields ["k"] (and doesn\'t have default values for any key fields)'),
        ({"b": "x"}, ".spec.b: expected numeric (int or float), got string"),
        ({"a": [1, "x"]}, ".spec.a: expected string, got "
         '&value.valueUnstructured{Value:[]interface {}{1, "x"}}'),
        ({"m": {"k": 1}}, ".spec.m: expected list, got &{map[k:1]}"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_schema_cannot_be_applied(spec: Object, message: str) -> None:
    with pytest.raises(PatchError) as caught:
        apply(None, spec)
    assert caught.value.code == 500
    assert str(caught.value) == (
        f"failed to create typed patch object (/x; g/v1, Kind=Thing): {message}"
    )


def test_an_applied_object_must_not_carry_managed_fields() -> None:
    with pytest.raises(PatchError, match=r"metadata\.managedFields must be nil") as caught:
        managed.apply(
            None, thing({}, managedFields=[]), manager="me", force=False, schema=SCHEMA,
            api_version="g/v1", now=NOW,
        )  # fmt: skip
    assert caught.value.code == 400


items = st.lists(
    st.fixed_dictionaries(
        {"k": st.sampled_from("abc")}, optional={"v": st.integers(0, 1), "w": st.integers(0, 1)}
    ),
    max_size=3,
    unique_by=lambda item: item["k"],
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from("12"),
        "b": st.integers(0, 1),
        "atomic": st.lists(st.sampled_from("xy"), max_size=2),
        "set": st.lists(st.sampled_from("xyz"), unique=True, max_size=3),
        "m": items,
        "atomicMap": st.dictionaries(st.sampled_from("pq"), st.sampled_from("12"), max_size=2),
        "free": st.recursive(
            st.integers(0, 1),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from("pq"), inner, max_size=2)
            ),
            max_leaves=3,
        ).filter(lambda value: isinstance(value, dict)),
    },
)


@settings(max_examples=60)
@given(specs, specs)
def test_applying_twice_is_applying_once(before: Object, spec: Object) -> None:
    once = apply(update(None, thing(before)), spec, force=True)
    assert apply(once, spec, now=NOW + timedelta(hours=1)) == once


@settings(max_examples=60)
@given(specs, specs)
def test_all_that_is_applied_is_in_the_object(before: Object, spec: Object) -> None:
    merged = apply(update(None, thing(before)), spec, force=True)["spec"]
    for name, value in spec.items():
        if name in ("a", "b", "atomic", "atomicMap"):
            assert merged[name] == value
    assert set(spec.get("set", [])) <= set(merged.get("set", []))
    found = {item["k"]: item for item in merged.get("m", [])}
    assert all(found[item["k"]].items() >= item.items() for item in spec.get("m", []))


@settings(max_examples=60)
@given(specs, specs, specs)
def test_the_last_owner_that_lets_go_removes(first: Object, second: Object, third: Object) -> None:
    live = apply(apply(None, first), second, "you", force=True)
    live = apply(apply(live, third, force=True), third, "you", force=True)
    alone = apply(None, third)
    assert to_text(live.get("spec", {})) == to_text(alone["spec"])


def to_text(spec: Object) -> str:
    """A spec without the order of granular lists and without empty leftovers."""
    plain = {name: value for name, value in spec.items() if value not in ([], {})}
    plain["set"] = sorted(plain.get("set", []))
    plain["m"] = sorted(plain.get("m", []), key=lambda item: str(item["k"]))
    return json.dumps(plain, sort_keys=True)
