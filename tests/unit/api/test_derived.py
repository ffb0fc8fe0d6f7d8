"""What the API server can tell of an expression: it refuses none that is understood."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawl.api.crds import all_crds
from pawl.api.derived import Derived
from pawl.expressions import ExpressionError, parse
from pawl.expressions.kinds import FUNCTIONS
from pawl.local.schema.structural import Structural


def _schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "TrainingJob")
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    derived = spec["properties"]["data"]["properties"]["derived"]["items"]
    return Structural({"type": "object", "properties": derived["properties"]})


SCHEMA = _schema()


def complaints(expression: str) -> str:
    return "; ".join(map(str, SCHEMA.validate({"name": "f", "expression": expression})))


@pytest.mark.parametrize(
    "expression",
    [
        "weight / (height * height)",
        "log1p(max(a, b)) if (a > 1 and(b > 2)) else -1e-3",
        "col('size (mm)') + col(\"it's (\")",
        "plan in ['basic', 'pro'] or not(plan in ('x',))",
        "(age - fitted.mean(age)) / fitted.std( age )",
        "(größe ** 2\n + 1)",
        "name == 'a\\'b('",
    ],
)
def test_what_is_understood_is_taken(expression: str) -> None:
    Derived(name="f", expression=expression)
    assert complaints(expression) == ""


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        pytest.param("sine(x)", "a function is none of abs, ", id="a function there is not"),
        pytest.param("x + 1(2)", "a function is none of", id="a number that is called"),
        pytest.param("plan == 'basic", "a text has no end", id="a text without an end"),
        pytest.param("(a + b", "as many brackets", id="a bracket without an end"),
        pytest.param("a + b)", "as many brackets", id="a bracket without a beginning"),
    ],
)
def test_what_cannot_be_understood_is_refused(expression: str, sentence: str) -> None:
    with pytest.raises(ExpressionError):
        parse(expression)
    assert sentence in complaints(expression)


PARTS = st.sampled_from(
    [*sorted(FUNCTIONS), "fitted.mean", "col", *"()+-*/%<>=,. []", "a", "b1", "2", "1e5", "'t('",
     '"it\'s)"', " and ", " if ", " else ", " in ", " not ", "not(", "ä"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(PARTS, min_size=1, max_size=12).map("".join))
def test_nothing_that_is_understood_is_refused(expression: str) -> None:
    try:
        parse(expression)
    except ExpressionError:
        return
    assert complaints(expression) == ""
