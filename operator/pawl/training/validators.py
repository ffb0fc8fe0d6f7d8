"""What a source tells of its files without giving them.

A strong validator (RFC 9110, 8.8.1) is the same only as long as the content is: an ETag that is not
weak (`W/`) with the size, or the size with the times of modification and of change in nanoseconds.
These vouch for nothing while a file is younger than two seconds: another write may leave the same
times ("racy git").
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from pawl.artifacts.redact import redact
from pawl.artifacts.remote import filesystem
from pawl.artifacts.retry import Retry
from pawl.training.source import local_files, objects

_YOUNG_SECONDS = 2.0
_WEAK = "W/"
#: Name, size, and what changes with the content.
Validator = tuple[str, int, str]


def of(
    uri: str, claim: Path | None, now: float, retry: Retry | None = None
) -> list[Validator] | None:
    """Of every file that `uri` names at `now` (s since 1970); None when the content must be read.

    DataError when there are no files; StoreError when the source does not answer.
    """
    scheme = urlsplit(uri).scheme
    if scheme in ("file", "pvc"):
        return _of_files(local_files(uri, claim), now)
    if scheme not in ("s3", "http", "https"):
        return None
    with filesystem(scheme) as fs:
        try:
            told = (retry or Retry()).call(
                f"looking at {redact(uri)}",
                lambda: objects(fs, uri) if scheme == "s3" else {uri: fs.info(uri)},
            )
        except FileNotFoundError:
            return None  # a web server may refuse this and yet give the file
    tags = [(name, info.get("size"), info.get("ETag") or _WEAK) for name, info in told.items()]
    every = [
        (name, int(size), str(tag))
        for name, size, tag in tags
        if size is not None and not tag.startswith(_WEAK)
    ]
    return every if len(every) == len(tags) else None


def _of_files(paths: list[Path], now: float) -> list[Validator] | None:
    found = [(str(path), os.stat(path)) for path in paths]
    if any(max(stat.st_mtime, stat.st_ctime) > now - _YOUNG_SECONDS for _, stat in found):
        return None
    return [(name, stat.st_size, f"{stat.st_mtime_ns} {stat.st_ctime_ns}") for name, stat in found]
