"""The index finds what a look at everything would find."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pawl.constants import LABEL_DEPLOYMENT
from pawl.control import index
from pawl.control.index import Index, name_of

NAMES, WORDS = st.sampled_from("abc"), st.sampled_from(["", "x", "y"])


def thing(name: str, namespace: str, owner: str, model: str, label: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": namespace}
    if owner:
        meta["ownerReferences"] = [{"uid": owner}, {"uid": "both"}]
    if label:
        meta["labels"] = {LABEL_DEPLOYMENT: label, "other": label}
    return {"metadata": meta, "spec": {"model": model} if model else {}}


things = st.builds(thing, NAMES, st.sampled_from("nm"), WORDS, WORDS, WORDS)


@given(st.lists(st.tuples(st.booleans(), things), max_size=30))
def test_groups_are_what_a_search_finds(changes: list[tuple[bool, dict[str, Any]]]):
    found, expected = Index(), dict[tuple[str, str], dict[str, Any]]()
    for comes, item in changes:
        if comes:
            found.put(item)
            expected[name_of(item)] = item
        else:
            found.drop(name_of(item))
            expected.pop(name_of(item), None)

    def search(holds: Any) -> list[dict[str, Any]]:
        return ordered(item for item in expected.values() if holds(item))

    assert ordered(found.all()) == search(lambda _: True)
    for uid in ("x", "y", "both"):
        owned = search(lambda i, u=uid: {"uid": u} in i["metadata"].get("ownerReferences", []))
        assert ordered(found.group(index.owned_by(uid))) == owned
    for word in ("x", "y"):
        of_model = search(
            lambda i, w=word: i["metadata"]["namespace"] == "n" and i["spec"].get("model") == w
        )
        assert ordered(found.group(index.of_model("n", word))) == of_model
        labelled = search(
            lambda i, w=word: (
                i["metadata"]["namespace"] == "m"
                and i["metadata"].get("labels", {}).get(LABEL_DEPLOYMENT) == w
            )
        )
        group = index.labelled("m", LABEL_DEPLOYMENT, word)
        assert ordered(found.group(group)) == labelled


def ordered(items: Any) -> list[dict[str, Any]]:
    return sorted(items, key=name_of)
