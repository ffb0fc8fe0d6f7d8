"""Kubernetes' rules for names, with its messages. Each function returns what is wrong, nothing when
the text is fine."""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"


def _check(text: str, pattern: str, limit: int, message: str, *examples: str) -> list[str]:
    problems = []
    if len(text.encode()) > limit:
        problems.append(f"must be no more than {limit} bytes")
    if not re.fullmatch(pattern, text):
        problems.append(_regex_error(message, pattern, *examples))
    return problems


def _regex_error(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def dns1123_subdomain(text: str) -> list[str]:
    message = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
        "or '.', and must start and end with an alphanumeric character"
    )
    return _check(text, _SUBDOMAIN, 253, message, "example.com")


def dns1035_label(text: str) -> list[str]:
    message = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with "
        "an alphabetic character, and end with an alphanumeric character"
    )
    return _check(text, _LABEL_1035, 63, message, "my-name", "abc-123")
