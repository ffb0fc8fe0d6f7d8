"""Sets of field paths and FieldsV1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.patch.fieldset import FieldSet, Path, key_element, show, value_element

elements = st.sampled_from(
    ["f:a", "f:b", key_element({"name": "x", "port": 80}), value_element("v"), value_element(1)]
)
paths = st.lists(elements, min_size=1, max_size=3).map(tuple)
sets = st.lists(paths, max_size=6).map(lambda some: FieldSet.of(*some))


def as_set(fields: FieldSet) -> set[Path]:
    return set(fields)


def test_fields_v1_marks_what_is_a_member_and_a_parent() -> None:
    fields = FieldSet.of(
        ("f:spec", "f:l"), ("f:spec", "f:l", 'k:{"name":"a"}'), ("f:spec", "f:x"), ("f:spec",)
    )
    assert fields.to_fields() == {
        "f:spec": {".": {}, "f:l": {".": {}, 'k:{"name":"a"}': {}}, "f:x": {}}
    }


def test_keys_are_read_in_any_spelling() -> None:
    fields = FieldSet.from_fields({"f:l": {'k:{"port": 80, "name": "x"}': {".": {}}}})
    assert ("f:l", 'k:{"name":"x","port":80}') in fields


def test_what_is_no_path_element_is_refused() -> None:
    with pytest.raises(ValueError, match="missing colon"):
        FieldSet.from_fields({"spec": {}})


def test_paths_are_shown_as_in_conflicts() -> None:
    path = ("f:spec", "f:l", key_element({"name": "a", "port": 80}), "f:v", value_element("x"))
    assert show(path) == '.spec.l[name="a",port=80].v[="x"]'


@given(sets)
def test_fields_v1_loses_nothing(fields: FieldSet) -> None:
    assert FieldSet.from_fields(fields.to_fields()) == fields


@given(sets, sets)
def test_algebra_is_that_of_sets_of_paths(a: FieldSet, b: FieldSet) -> None:
    assert as_set(a | b) == as_set(a) | as_set(b)
    assert as_set(a & b) == as_set(a) & as_set(b)
    assert as_set(a - b) == as_set(a) - as_set(b)
    assert bool(a) is bool(as_set(a))
    assert all(path in a for path in a)


@given(sets, sets)
def test_without_below_leaves_nothing_at_or_under_the_other(a: FieldSet, b: FieldSet) -> None:
    expected = {p for p in as_set(a) if not any(p[: len(q)] == q for q in as_set(b))}
    assert as_set(a.without_below(b)) == expected
