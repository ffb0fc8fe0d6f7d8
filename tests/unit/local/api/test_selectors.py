"""Label and field selectors in their string form."""

import pytest

from pawl.local.api import fieldselectors, selectors
from pawl.local.api.selectors import SelectorError

LABELS = {"app": "web", "tier": "", "size": "5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", True, id="everything"),
        pytest.param("app=web", True, id="equal"),
        pytest.param("app==web", True, id="double-equal"),
        pytest.param("app!=web", False, id="not-equal"),
        pytest.param("other!=web", True, id="absent-is-not-equal"),
        pytest.param("app", True, id="exists"),
        pytest.param("!app", False, id="not-exists"),
        pytest.param("!other", True, id="absent"),
        pytest.param("app in (web, db)", True, id="in"),
        pytest.param("app notin (web,db)", False, id="notin"),
        pytest.param("other notin (web)", True, id="absent-notin"),
        pytest.param("tier in (,x)", True, id="empty-value-in"),
        pytest.param("tier=", True, id="empty-value"),
        pytest.param("in in (in)", False, id="keywords-as-words"),
        pytest.param("size>4", True, id="greater"),
        pytest.param("size<5", False, id="less"),
        pytest.param("app>4", False, id="no-number"),
        pytest.param("app=web,size in (5),!x", True, id="all"),
        pytest.param(" app = web , tier ", True, id="spaces"),
    ],
)
def test_labels_match(text, expected):
    assert selectors.matches(selectors.parse(text), LABELS) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a b", "found 'b', expected: in, notin, =, ==, !=, gt, lt", id="operator"),
        pytest.param("a in b", "unable to parse requirement: found 'b' expected: '('", id="set"),
        pytest.param("a,,b", "found ',', expected: identifier after ','", id="comma"),
        pytest.param("=a", "found '=', expected: !, identifier, or 'end of string'", id="no-key"),
        pytest.param("!", "unable to parse requirement: found '', expected: identifier", id="bang"),
        pytest.param("a=b c", "found 'c', expected: ',' or 'end of string'", id="rest"),
    ],
)
def test_what_is_no_selector_is_refused_in_the_words_of_kubernetes(text, said):
    with pytest.raises(SelectorError) as error:
        selectors.parse(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        pytest.param(None, "<none>", id="none"),
        pytest.param({}, "<none>", id="empty"),
        pytest.param({"matchLabels": {"b": "1", "a": "2"}}, "a=2,b=1", id="labels"),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]},
                                  {"key": "b", "operator": "DoesNotExist"}]},
            "a in (x,y),!b", id="expressions",
        ),
    ],
)  # fmt: skip
def test_label_selectors_of_objects_have_a_string_form(selector, text):
    assert selectors.render(selector) == text


def test_no_selector_selects_nothing_and_an_empty_one_everything():
    assert not selectors.select(None, LABELS)
    assert selectors.select({}, LABELS)


def test_field_selectors_compare_and_unescape():
    terms = fieldselectors.parse(r"metadata.name=a\,b,status.phase!=Running")
    getters = {
        "metadata.name": lambda obj: obj["name"],
        "status.phase": lambda obj: obj["phase"],
    }
    wanted = fieldselectors.compile(terms, getters)
    assert wanted({"name": "a,b", "phase": "Pending"})
    assert not wanted({"name": "a,b", "phase": "Running"})


def test_a_field_selector_without_operator_is_refused():
    with pytest.raises(SelectorError, match="invalid selector: 'foo'; can't understand 'foo'"):
        fieldselectors.parse("foo")
