"""Names, label keys and label values (apimachinery pkg/util/validation), with its wording.

Each function returns what is wrong as a list of sentences, empty when nothing is.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*".replace(r"\.", "\\.")
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_ENV_NAME = "[ -<>-~]*"

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_QUALIFIED_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character"
)
_VALUE_TEXT = "a valid label must be an empty string or consist of " + _QUALIFIED_TEXT.removeprefix(
    "must consist of "
)
_CONFIG_KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"


def _pattern_error(text: str, pattern: str, *examples: str) -> str:
    shown = ",  or ".join(f"'{example}'" for example in examples)
    return f"{text} (e.g. {shown}, regex used for validation is '{pattern}')"


def _too_long(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def dns_label(text: str) -> list[str]:
    """RFC 1123 label: names of namespaces, containers, ports."""
    found = [_too_long(63)] if len(text) > 63 else []
    if not re.fullmatch(_LABEL, text):
        if re.fullmatch(_SUBDOMAIN, text):
            return [*found, "must not contain dots"]
        found.append(_pattern_error(_LABEL_TEXT, _LABEL, "my-name", "123-abc"))
    return found


def dns1035_label(text: str) -> list[str]:
    found = [_too_long(63)] if len(text) > 63 else []
    if not re.fullmatch(_LABEL_1035, text):
        found.append(_pattern_error(_LABEL_1035_TEXT, _LABEL_1035, "my-name", "abc-123"))
    return found


def dns_subdomain(text: str) -> list[str]:
    """RFC 1123 subdomain: the names of most objects."""
    found = [_too_long(253)] if len(text) > 253 else []
    if not re.fullmatch(_SUBDOMAIN, text):
        found.append(_pattern_error(_SUBDOMAIN_TEXT, _SUBDOMAIN, "example.com"))
    return found


def path_segment(text: str) -> list[str]:
    """What can stand between two slashes of a URL: names of roles and their bindings."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in text]


def qualified_name(text: str) -> list[str]:
    """Label and annotation keys, finalizers: `[prefix/]name`."""
    found: list[str] = []
    parts = text.split("/")
    if len(parts) > 2:
        text = "a qualified name " + _pattern_error(
            _QUALIFIED_TEXT, _QUALIFIED, "MyName", "my.name", "123-abc"
        )
        return [text + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if len(parts) == 2:
        if not parts[0]:
            found.append("prefix part must be non-empty")
        else:
            problems = dns_subdomain(parts[0])
            if len(parts[0]) > 253:
                problems[0] = _too_long(253, "bytes")
            found += [f"prefix part {problem}" for problem in problems]
    name = parts[-1]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append("name part " + _too_long(63, "bytes"))
    if not re.fullmatch(_QUALIFIED, name):
        found.append(
            "name part "
            + _pattern_error(_QUALIFIED_TEXT, _QUALIFIED, "MyName", "my.name", "123-abc")
        )
    return found


def label_value(text: str) -> list[str]:
    found = [_too_long(63, "bytes")] if len(text) > 63 else []
    if not re.fullmatch(_VALUE, text):
        found.append(_pattern_error(_VALUE_TEXT, _VALUE, "MyValue", "my_value", "12345"))
    return found


def config_key(text: str) -> list[str]:
    """Keys of ConfigMaps and Secrets: they become file names."""
    found = [_too_long(253)] if len(text) > 253 else []
    if not re.fullmatch(_CONFIG_KEY, text):
        found.append(
            _pattern_error(_CONFIG_KEY_TEXT, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name")
        )
    if text == ".":
        found.append("must not be '.'")
    elif text.startswith(".."):
        found.append("must not be '..'" if text == ".." else "must not start with '..'")
    return found


def env_name(text: str) -> list[str]:
    """Names of environment variables: printable ASCII but `=`."""
    if not text:
        return ["environment variable name must be non-empty"]
    if not re.fullmatch(_ENV_NAME, text):
        return ["a valid environment variable name must consist only of printable ASCII "
                "characters other than '='"]  # fmt: skip
    return []


def port_number(value: object) -> list[str]:
    if isinstance(value, int) and 1 <= value <= 65535:
        return []
    return ["must be between 1 and 65535, inclusive"]


def port_name(text: str) -> list[str]:
    """IANA service names: named container ports."""
    found = ["must be no more than 15 characters"] if len(text) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", text):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def generated_prefix(text: str) -> str:
    """What a generateName is checked as: a trailing dash is fine, five characters will follow."""
    return text[:-1] + "a" if text.endswith("-") and len(text) > 1 else text
