"""RE2 patterns on Python's engine."""

import pytest

from pawl.local.schema import regex


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        pytest.param("^a$", "a\n", False, id="dollar-is-the-end-of-the-text"),
        pytest.param(r"^\d$", "٣", False, id="digits-are-ascii"),
        pytest.param(r"^\w$", "é", False, id="words-are-ascii"),
        pytest.param("^[[:alpha:]]+$", "abc", True, id="posix-class"),
        pytest.param("^[[:digit:]_]+$", "1_2", True, id="posix-class-among-others"),
        pytest.param("(?i)^ABC$", "abc", True, id="flag"),
        pytest.param(r"^\Qa.b\E$", "a.b", True, id="quoted"),
        pytest.param(r"^\Qa.b\E$", "axb", False, id="quoted-is-literal"),
        pytest.param("^(?P<n>a)$", "a", True, id="named-group"),
        pytest.param("b", "abc", True, id="unanchored"),
        pytest.param(r"^\pL+$", "äö", True, id="unicode-letters"),
        pytest.param("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-b", True, id="dns-label"),
        pytest.param("^a{$", "a{", True, id="a-brace-that-repeats-nothing"),
        pytest.param(r"^\x{41}$", "A", True, id="hex-escape"),
    ],
)
def test_patterns_match_as_in_go(pattern: str, text: str, matches: bool) -> None:
    assert (regex.compile(pattern).search(text) is not None) is matches


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        pytest.param("a(?=b)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
                     id="look-ahead"),
        pytest.param("[", "error parsing regexp: missing closing ]: `[`", id="open-class"),
        pytest.param("a++", "invalid nested repetition operator", id="possessive"),
        pytest.param("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`",
                     id="too-many-repeats"),
        pytest.param(r"(a)\1", r"invalid escape sequence: `\1`", id="back-reference"),
        pytest.param("a\\", "trailing backslash", id="trailing-backslash"),
    ],
)  # fmt: skip
def test_what_re2_does_not_know_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(regex.PatternError) as caught:
        regex.compile(pattern)
    assert message in str(caught.value)
