"""RFC 6902, as lenient as the library of the API server."""

import copy
from typing import Any

import jsonpatch as other
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.local.patch import PatchError, json_patch

DOCUMENT: dict[str, Any] = {"m": {"a": 1, "b/c": 2}, "l": ["x", "y"]}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/m/d", "value": 1}, {"m": {"a": 1, "b/c": 2, "d": 1}}),
        ({"op": "add", "path": "/m/a~1b~0", "value": 1}, {"m": {"a": 1, "b/c": 2, "a/b~": 1}}),
        ({"op": "remove", "path": "/m/b~1c"}, {"m": {"a": 1}}),
        ({"op": "replace", "path": "/m/new", "value": 1}, {"m": {"a": 1, "b/c": 2, "new": 1}}),
        ({"op": "add", "path": "/l/0", "value": "q"}, {"l": ["q", "x", "y"]}),
        ({"op": "add", "path": "/l/-", "value": "q"}, {"l": ["x", "y", "q"]}),
        ({"op": "add", "path": "/l/-1", "value": "q"}, {"l": ["x", "y", "q"]}),
        ({"op": "remove", "path": "/l/-1"}, {"l": ["x"]}),
        ({"op": "replace", "path": "/l/1", "value": "q"}, {"l": ["x", "q"]}),
        ({"op": "move", "from": "/m/a", "path": "/l/0"}, {"m": {"b/c": 2}, "l": [1, "x", "y"]}),
        ({"op": "copy", "from": "/m", "path": "/l/-"}, {"l": ["x", "y", {"a": 1, "b/c": 2}]}),
        ({"op": "copy", "from": "/m/z", "path": "/m/a"}, {"m": {"a": None, "b/c": 2}}),
        ({"op": "test", "path": "/m", "value": {"b/c": 2, "a": 1.0}}, {}),
        ({"op": "test", "path": "/m/z", "value": None}, {}),
    ],
)
def test_operations_that_fit(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy(DOCUMENT)
    assert json_patch(DOCUMENT, [operation]) == {**DOCUMENT, **expected}
    assert before == DOCUMENT


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/m/z"},
        {"op": "add", "path": "/z/z", "value": 1},
        {"op": "add", "path": "/l/5", "value": 1},
        {"op": "add", "path": "/l/x", "value": 1},
        {"op": "replace", "path": "/l/2", "value": 1},
        {"op": "test", "path": "/m/a", "value": 2},
        {"op": "move", "from": "/m/z", "path": "/m/y"},
        {"op": "copy", "from": "/l/9", "path": "/m/y"},
        {"op": "add", "path": "", "value": {}},
        {"op": "add", "path": "m", "value": {}},
        {"op": "add", "value": 1},
        {"op": "frob", "path": "/m"},
    ],
)
def test_operations_that_do_not_fit_are_422(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError) as caught:
        json_patch(DOCUMENT, [operation])
    assert caught.value.code == 422
    assert str(caught.value) == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        ({}, 400, "error decoding patch: json: cannot unmarshal object into Go value of type "
                  "[]handlers.jsonPatchOp"),
        ([5], 400, "error decoding patch: json: cannot unmarshal number into Go value of type "
                   "handlers.jsonPatchOp"),
        ([{"op": 5}], 400, "error decoding patch: json: cannot unmarshal number into Go struct "
                           "field jsonPatchOp.op of type string"),
        ([{"op": "test", "path": "/m"}] * 10_001, 413,
         "The allowed maximum operations in a JSON patch is 10000, got 10001"),
    ],
)  # fmt: skip
def test_what_is_no_patch_is_refused(patch: Any, code: int, message: str) -> None:
    with pytest.raises(PatchError) as caught:
        json_patch(DOCUMENT, patch)
    assert (caught.value.code, str(caught.value)) == (code, message)


values = st.recursive(
    st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(objects, objects)
def test_a_computed_difference_leads_to_its_target(
    source: dict[str, Any], target: dict[str, Any]
) -> None:
    operations = other.make_patch(source, target).patch
    assert json_patch(source, operations) == target
