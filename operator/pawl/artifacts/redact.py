"""Credentials never leave the pod: what `redact` returns is fit for logs, events and status."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s@'\"]*@")
_SECRET_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[a-z0-9_.-]*(?:secret|token|password|passwd|signature|credential|"
    r"api[-_]?key|access[-_]?key(?:[-_]?id)?|accesskeyid|sig|auth)[a-z0-9_.-]*)=)[^&#\s'\";]+",
    re.IGNORECASE,
)
_KEY_VALUE = re.compile(
    r"(?P<name>\b(?:aws_)?(?:secret_access_key|access_key_id|session_token|secret|password|token)"
    r"['\"]?\s*[=:]\s*['\"]?)[^\s'\",}&]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """`text` without user names, passwords and keys in the URIs and settings it mentions.

    `s3://key:secret@bucket/a?token=x` becomes `s3://***@bucket/a?token=***`. Redacting twice
    changes nothing.
    """
    text = _USERINFO.sub(r"\g<scheme>***@", text)
    text = _SECRET_PARAMETER.sub(r"\g<name>***", text)
    return _KEY_VALUE.sub(r"\g<name>***", text)
