"""CEL: what expressions mean, and how mistakes in them are told."""

from typing import Any

import pytest

from pawl.local.schema import cel
from pawl.local.schema.rule_types import declared, to_value

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "i": {"type": "integer"},
        "n": {"type": "number"},
        "s": {"type": "string"},
        "b": {"type": "boolean"},
        "time": {"type": "string", "format": "date-time"},
        "span": {"type": "string", "format": "duration"},
        "bytes": {"type": "string", "format": "byte"},
        "l": {"type": "array", "items": {"type": "integer"}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "m": {"type": "object", "additionalProperties": {"type": "integer"}},
        "o": {
            "type": "object",
            "properties": {
                "a-b": {"type": "string"},
                "namespace": {"type": "string"},
                "x__y": {"type": "integer"},
            },
        },
        "ios": {"x-kubernetes-int-or-string": True},
        "gone": {"type": "string", "nullable": True},
    },
}
VALUE = {
    "i": 5, "n": 3, "s": "héllo wörld", "b": True, "time": "2021-03-04T05:06:07.5Z", "span": "90m",
    "bytes": "aGVsbG8=", "l": [3, 1, 2], "set": ["x", "y"], "m": {"x": 1, "y": 2},
    "o": {"a-b": "q", "namespace": "ns", "x__y": 3}, "ios": 7, "gone": None,
}  # fmt: skip


def evaluate(text: str) -> Any:
    kind = declared(SCHEMA)
    assert kind is not None
    tree = cel.parse(text)
    cel.check(text, tree, {"self": kind})
    return cel.build(tree, frozenset({"self"}))({"self": to_value(VALUE, SCHEMA)})


@pytest.mark.parametrize(
    "text",
    [
        "self.i == 5 && self.i > 4.5 && self.n >= 3 && self.n / 2.0 == 1.5",
        "self.i / 2 == 2 && -7 / 2 == -3 && -7 % 2 == -1 && 1 + 2 * 3 == 7 && 2 - 1 - 1 == 0",
        "-9223372036854775808 < 0 && 0x10 == 16 && 1u < 2 && 1e3 == 1000.0",
        "self.s.size() == 11 && self.s.matches('^h.*d$') && self.s.substring(1, 3) == 'él'",
        "self.s.upperAscii() == 'HéLLO WöRLD' && self.s.indexOf('w') == 6",
        "self.s.charAt(1) == 'é'",
        "self.s.split(' ') == ['héllo', 'wörld'] && ['a', 'b'].join('-') == 'a-b'",
        "self.s.find('w.') == 'wö' && self.s.findAll('l', 2) == ['l', 'l']",
        "self.s.replace('l', 'L', 1) == 'héLlo wörld' && '  a '.trim() == 'a'",
        r"r'\d' == '\\d' && '\x41\u00e9' == 'Aé' && b'ab'.size() == 2 && '''a'b'''.size() == 3",
        "self.l.all(x, x > 0) && self.l.exists(x, x == 2) && self.l.exists_one(x, x > 2)",
        "self.l.map(x, x * 2) == [6, 2, 4] && self.l.map(x, x > 1, x) == [3, 2]",
        "self.l.filter(x, x > 1).size() == 2 && !self.l.isSorted() && self.l.sum() == 6",
        "self.l.max() == 3 && self.l.min() == 1 && self.l.indexOf(2) == 2 && self.l[0] == 3",
        "self.l.all(i, v, v > i || i == 2 || i == 1)",
        "self.l.sort() == [1, 2, 3] && self.l.slice(1, 2) == [1] && lists.range(2) == [0, 1]",
        "self.m.all(k, self.m[k] > 0) && self.m.exists(k, v, k == 'y' && v == 2) && 'x' in self.m",
        "self.m.transformMap(k, v, v + 1) == {'x': 2, 'y': 3} && self.m.x == 1",
        "self.o.a__dash__b == 'q' && self.o.__namespace__ == self.o.namespace",
        "self.o.x__underscores__y == 3 && has(self.o.namespace) && !has(self.m.z)",
        "self.set == ['y', 'x'] && self.set + ['x', 'z'] == ['z', 'y', 'x']",
        "!has(self.gone) && !self.?gone.hasValue()",
        "self.?s.orValue('') != '' && self.m[?'z'].orValue(9) == 9",
        "self.?o.?namespace.orValue('d') == 'ns' && optional.ofNonZeroValue(0) == optional.none()",
        "self.?s.optMap(x, x.size()).orValue(0) == 11 && [?self.?gone, 'a'] == ['a']",
        "type(self.ios) == int && self.ios > 5 && type(self.l) == list && type(self.s) == string",
        "type(self.ios) == string ? self.ios.endsWith('%') : self.ios < 10",
        "self.time.getFullYear() == 2021 && self.time.getMonth() == 2 && self.time.getHours() == 5",
        "self.time.getHours('America/New_York') == 0 && self.time.getMinutes('+01:30') == 36",
        "self.time - timestamp('2021-03-04T05:06:07Z') == duration('500ms')",
        "string(self.time) == '2021-03-04T05:06:07.5Z' && self.time + duration('1h') > self.time",
        "self.span == duration('1h30m') && self.span.getMinutes() == 90",
        "string(self.span) == '5400s' && duration('1500ms').getMilliseconds() == 1500",
        "self.bytes == b'hello' && string(self.bytes) == 'hello'",
        "int('5') == 5 && int(-2.9) == -2 && double('1.5') == 1.5 && string(2.5) == '2.5'",
        "bool('t')",
        "quantity('1Gi').isGreaterThan(quantity('1G'))",
        "quantity('50k').add(20) == quantity('50020')",
        "isQuantity('100m') && !isQuantity('1Q') && quantity('2k').asInteger() == 2000",
        "isURL('http://a.b/c') && !isURL('../x')",
        "url('https://[::1]:80/').getHostname() == '::1'",
        "url('https://u:p@a.b:80/p?k=1&k=2').getQuery() == {'k': ['1', '2']}",
        "isIP('127.0.0.1') && ip('::1').family() == 6 && !ip.isCanonical('2001:DB8::1')",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3')",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "format.dns1123Label().validate('A').hasValue()",
        "!format.named('uuid').value().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()",
        "sets.contains(self.l, [1]) && sets.equivalent(self.l, [1, 2, 3])",
        "semver('1.2.3-rc.1').isLessThan(semver('1.2.3')) && isSemver('v1.2', true)",
        "'%s is %d, %.1f, %x'.format(['a', 1, 2.55, 255]) == 'a is 1, 2.5, ff'",
        "self.l[9] > 1 || self.i > 1",
        "!(self.i > 100 && self.l[9] > 1)",
        "self.l.exists(x, self.l[x] == 2)",
        "!(1 == 2) && !!true && (true || false && false)",
        "{'a': 1}.a == 1 && [1, 2] == [1, 2] && dyn(null) == null && dyn(1) == 1.0",
    ],
)  # fmt: skip
def test_true_expressions(text: str) -> None:
    assert evaluate(text) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self.l[9] == 1", "index out of bounds: 9"),
        ("self.m['z'] == 1", "no such key: z"),
        ("self.i / 0 == 1", "division by zero"),
        ("9223372036854775807 + self.i > 0", "integer overflow"),
        ("self.ios.size() > 1", "no such overload: size"),
        ("dyn(self.i) + 'a' == 'b'", "no such overload"),
        ("self.l[9] > 1 && self.i > 1", "index out of bounds: 9"),
        ("[].max() == 1", "max called on empty list"),
        ("optional.none().value() == 1", "optional.none() dereference"),
        ("quantity('1.5').asInteger() == 1", "cannot convert value to integer"),
        ("self.s.matches(self.s + '[')", "error parsing regexp: missing closing ]: `[`"),
    ],
)
def test_failures_of_evaluation_name_their_cause(text: str, message: str) -> None:
    with pytest.raises(cel.EvaluationError) as caught:
        evaluate(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self.zz == 1",
         "ERROR: <input>:1:5: undefined field 'zz'\n | self.zz == 1\n | ....^"),
        ("foo == 1",
         "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo == 1\n | ^"),
        ("self.i == self.n",
         "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, double)'\n"
         " | self.i == self.n\n | .......^"),
        ("self.s == null",
         "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(string, null)'\n"
         " | self.s == null\n | .......^"),
        ("self.s.foo()",
         "ERROR: <input>:1:11: undeclared reference to 'foo' (in container '')\n"
         " | self.s.foo()\n | ..........^"),
        ("self.i && true",
         "ERROR: <input>:1:5: expected type 'bool' but found 'int'\n | self.i && true\n | ....^"),
        ("self.i.x == 1",
         "ERROR: <input>:1:7: type 'int' does not support field selection\n"
         " | self.i.x == 1\n | ......^"),
        ("self.s.all(x, true)",
         "ERROR: <input>:1:5: expression of type 'string' cannot be range of a comprehension "
         "(must be list, map, or dynamic)\n | self.s.all(x, true)\n | ....^"),
        ("[1, 'a'].size() == 2",
         "ERROR: <input>:1:5: expected type 'int' but found 'string'\n"
         " | [1, 'a'].size() == 2\n | ....^"),
        ("self.s.matches('[')",
         "ERROR: <input>:1:16: invalid matches argument\n"
         " | self.s.matches('[')\n | ...............^"),
        ("has(self)",
         "ERROR: <input>:1:5: invalid argument to has() macro\n | has(self)\n | ....^"),
        ("self.i == 5 5",
         "ERROR: <input>:1:13: Syntax error: extraneous input '5' expecting <EOF>\n"
         " | self.i == 5 5\n | ............^"),
        ("(self.i",
         "ERROR: <input>:1:8: Syntax error: missing ')' at '<EOF>'\n | (self.i\n | .......^"),
        ("self.l.all(1, true)",
         "ERROR: <input>:1:12: argument must be a simple name\n"
         " | self.l.all(1, true)\n | ...........^"),
        ("as == 1", "ERROR: <input>:1:1: reserved identifier: as\n | as == 1\n | ^"),
        ("true &&\n  zz",
         "ERROR: <input>:2:3: undeclared reference to 'zz' (in container '')\n |   zz\n | ..^"),
    ],
)  # fmt: skip
def test_mistakes_are_shown_where_cel_shows_them(text: str, message: str) -> None:
    with pytest.raises(cel.CompileError) as caught:
        evaluate(text)
    assert str(caught.value) == message


def test_deep_nesting_is_refused_not_fatal() -> None:
    assert evaluate("(" * 50 + "true" + ")" * 50) is True
    with pytest.raises(cel.CompileError, match="expression recursion limit exceeded: 250"):
        evaluate("(" * 5000 + "true" + ")" * 5000)
