"""The grammar is closed: what is not in it is refused, with a sentence."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.expressions import ExpressionError, columns_of, parse
from pawl.expressions.evaluate import OPERATIONS
from pawl.expressions.kinds import FORMS
from pawl.expressions.tree import MAX_DEPTH, Call, Column, Constant, Fitted, fitted_of


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("x.__class__", "not understood in an expression", id="attribute"),
        pytest.param("open('/etc/passwd')", "there are abs, ", id="unknown function"),
        pytest.param("logg(x)", "did you mean log", id="misspelt"),
        pytest.param("(lambda: 1)()", "not understood", id="lambda"),
        pytest.param("[x for x in y]", "not understood", id="comprehension"),
        pytest.param("x[0]", "not understood", id="subscript"),
        pytest.param("f'{x}'", "not understood", id="format"),
        pytest.param("log(x, base=2)", "not understood", id="keyword"),
        pytest.param("max(*x)", "not understood", id="star"),
        pytest.param("x is y", "compare with", id="identity"),
        pytest.param("x in [y]", "holds constants only", id="columns in a list"),
        pytest.param("x in []", "in takes", id="empty list"),
        pytest.param("fitted.mode(x)", "fitted has mean, std", id="statistic"),
        pytest.param("fitted.mean(x + 1)", "of a column", id="statistic of an expression"),
        pytest.param("clip(x)", "clip takes numbers: a value", id="too few arguments"),
        pytest.param("None", "no number, boolean or text", id="none"),
        pytest.param("b'x'", "no number, boolean or text", id="bytes"),
        pytest.param("1e999", "no number, boolean or text", id="infinite"),
        pytest.param("9" * 400, "no number, boolean or text", id="integer beyond doubles"),
        pytest.param(f"'{'a' * 300}'", "no number, boolean or text", id="long text"),
        pytest.param("x +", "invalid syntax", id="syntax"),
        pytest.param("x = 1", "", id="assignment"),
        pytest.param("", "", id="nothing"),
        pytest.param("-" * 100 + "x", f"{MAX_DEPTH} levels deep", id="deep"),
        pytest.param("lambda: " + "-" * 900 + "x", "not understood", id="deep in what is refused"),
        pytest.param("f(" * 90 + ")" * 90, "not understood", id="deep calls"),
        pytest.param("+".join("x" * 110), "levels deep", id="long sum"),
        pytest.param("x" * 2000, "at most 1,024 characters", id="long"),
        pytest.param("(" * 500, "", id="parentheses"),
        pytest.param("x @ y", "not understood", id="matrix"),
    ],
)
def test_what_is_not_in_the_grammar_is_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert said in str(error.value)


@given(st.text(max_size=80) | st.text(alphabet="xy0123().,+-*/<>=!'[] andorif", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except ExpressionError:
        return
    assert isinstance(ast.parse(text.strip(), mode="eval"), ast.Expression)


def test_columns_and_statistics_are_told_apart() -> None:
    node = parse("(x - fitted.mean(y)) / fitted.std(y) if col('a b') > 0 else 0")
    assert columns_of(node) == {"x", "a b"}
    assert fitted_of(node) == (Fitted("mean", "y"), Fitted("std", "y"))


def test_a_chain_is_its_links() -> None:
    x = Column("x")
    assert parse("0 < x <= 9") == Call(
        "and", (Call("<", (Constant(0.0), x)), Call("<=", (x, Constant(9.0))))
    )


def test_every_operation_is_typed_and_every_type_has_an_operation() -> None:
    assert OPERATIONS.keys() == FORMS.keys()
