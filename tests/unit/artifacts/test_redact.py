"""Nothing secret survives `redact`, and nothing else is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.redact import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("s3://key:secret@bucket/a", "s3://***@bucket/a", id="user and password"),
        pytest.param("https://token@host/x?a=1", "https://***@host/x?a=1", id="user only"),
        pytest.param(
            "https://h/x?X-Amz-Signature=abc&v=1",
            "https://h/x?X-Amz-Signature=***&v=1",
            id="signed",
        ),
        pytest.param(
            "https://h/x?v=1&access_token=abc", "https://h/x?v=1&access_token=***", id="q"
        ),
        pytest.param(
            "https://h/x?X-Amz-Credential=AK%2F1&se=2",
            "https://h/x?X-Amz-Credential=***&se=2",
            id="c",
        ),
        pytest.param("https://h/x?sig=abc%3D", "https://h/x?sig=***", id="shared access signature"),
        pytest.param("AWS_SECRET_ACCESS_KEY=abc x", "AWS_SECRET_ACCESS_KEY=*** x", id="setting"),
        pytest.param("{'password': 'hunter2'}", "{'password': '***'}", id="mapping"),
        pytest.param("s3://bucket/a b@c", "s3://bucket/a b@c", id="an at sign in a path"),
        pytest.param("nothing to hide: 3 of 5", "nothing to hide: 3 of 5", id="plain"),
    ],
)
def test_secrets_are_starred_and_the_rest_stays(text: str, expected: str) -> None:
    assert redact(text) == expected


@given(st.text())
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.from_regex(r"[A-Za-z0-9+]{8,20}", fullmatch=True), st.sampled_from(["s3", "https"]))
def test_a_password_never_survives(password: str, scheme: str) -> None:
    assert password not in redact(f"cannot read {scheme}://user:{password}@host/path: timed out")
