"""String formats of CRD schemas."""

import pytest

from pawl.local.schema import formats


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("datetime", ["2020-01-01T00:00:00Z", "2020-01-01t00:00:00z", "2020-01-01T00:00:00+01:00"],
         ["2020-01-01", "2020-01-01T25:00:00Z", "2020-13-01T00:00:00Z", "2020-01-01T00:00:00"]),
        ("date", ["2020-02-29"], ["2021-02-29", "20200101"]),
        ("duration", ["1h", "1h30m", "1.5h", "5 days"], ["", "abc", "h"]),
        ("ipv4", ["1.2.3.4"], ["1.2.3", "::1"]),
        ("ipv6", ["::1"], ["1.2.3.4"]),
        ("cidr", ["10.0.0.0/8", "::/0"], ["10.0.0.0", "10.0.0.0/33"]),
        ("uri", ["http://a/b", "/path"], ["a b", ""]),
        ("email", ["a@b.c", "A <a@b.c>"], ["@", "x"]),
        ("hostname", ["foo.com", "foo", "a-b"], ["-foo", "foo_bar", "2020-01-01", "a.b1"]),
        ("byte", ["YWJj", "aGk="], ["YWJj=", "%"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000", "123E4567e89b12d3a456426614174000"],
         ["123e4567"]),
        ("mac", ["00:1a:2b:3c:4d:5e", "001a.2b3c.4d5e"], ["00:1a"]),
        ("isbn", ["0321751043", "978-0321751041"], ["0321751044"]),
        ("creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112"]),
        ("hexcolor", ["#FFF", "ffffff"], ["#ff"]),
        ("k8sshortname", ["a-b"], ["-a", "A", "a.b"]),
        ("k8slongname", ["a-b.c"], ["a..b"]),
    ],
)  # fmt: skip
def test_formats(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not formats.matches(name, text)] == []
    assert [text for text in bad if formats.matches(name, text)] == []


@pytest.mark.parametrize(
    ("type_name", "written", "applied"),
    [
        ("string", "date-time", "datetime"),
        (None, "date-time", "datetime"),
        ("string", "made-up", ""),
        ("integer", "int32", "int32"),
        ("integer", "double", ""),
        ("number", "double", "double"),
        ("boolean", "date-time", ""),
    ],
)
def test_a_format_counts_only_for_its_type(type_name: str, written: str, applied: str) -> None:
    assert formats.supported(type_name, written) == applied
