"""File systems that are reached over the network: s3 and http(s), through fsspec.

`s3://` writes put-if-absent (`If-None-Match: *`), `http(s)://` is read-only.

One layer tries again, and it is `Retry`: botocore and s3fs, which both would, are told not to. A
request is given up when the other end takes no connection within 3 s or is silent for 7 s (a web
server, which may have to make up its answer first: 60 s). With the patience of `Retry`, a call to
an S3 that cannot be reached or does not answer ends within 15 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from pawl.artifacts.redact import redact
from pawl.artifacts.retry import CONNECT_SECONDS, READ_SECONDS
from pawl.artifacts.uris import Guard
from pawl.errors import NotAllowedError, UserError

_CLOSE_SECONDS = 5.0


@contextmanager
def filesystem(scheme: str, *, versions: bool = False) -> Iterator[Any]:
    """The fsspec file system for `scheme`: s3, http or https. With `versions` that of s3 tells and
    takes version ids, as `key?versionId=id`."""
    fs = _open(scheme, None, versions=versions)
    try:
        yield fs
    finally:
        _close(fs)


def _open(scheme: str, guard: Guard | None, *, versions: bool = False) -> Any:
    import fsspec  # noqa: PLC0415 - 0.2 s that a file:// store does not pay

    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme != "s3":
        from pawl.artifacts import web  # noqa: PLC0415

        return web.filesystem(scheme, guard or Guard.of_process(), **options)
    config = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
    }
    options |= {"version_aware": True} if versions else {}
    s3 = fsspec.filesystem("s3", session=_session(), config_kwargs=config, **options)
    s3.retries = 1
    return s3


def _close(fs: Any) -> None:
    """Ends the connections of a file system. Left to its finalizer they get a tenth of a second,
    and on a busy machine stay open."""
    from fsspec.asyn import sync  # noqa: PLC0415

    client = getattr(fs, "_s3", None) or getattr(fs, "_session", None)
    if client is not None:
        with suppress(Exception):  # a courtesy: what was read or written is done
            sync(fs.loop, client.close, timeout=_CLOSE_SECONDS)


def _session() -> Any:
    """Without `Expect: 100-continue`: the wait for that answer has no limit in aiohttp."""
    from aiobotocore.session import AioSession  # noqa: PLC0415
    from botocore.handlers import add_expect_header  # noqa: PLC0415

    session = AioSession()
    session.unregister("before-call.s3", add_expect_header)
    return session


class RemoteBackend:
    """A store at s3:// or http(s)://. Credentials come from the environment (Secret
    `pawl-store`: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, …). `guard` is for
    http(s)://, by default the process's own."""

    def __init__(self, uri: str, guard: Guard | None = None) -> None:
        parts = urlsplit(uri)
        if "@" in parts.netloc:
            raise UserError(
                f"{redact(uri)}: credentials belong in the Secret pawl-store, not in the URI"
            )
        self._scheme = parts.scheme
        self._guard = guard
        self._root = uri.rstrip("/")
        self._opened: Any = None
        self._opening = Lock()

    @property
    def _fs(self) -> Any:
        with self._opening:  # threads share a store
            if self._opened is None:
                self._opened = _open(self._scheme, self._guard)
            return self._opened

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            _close(opened)

    def _full(self, path: str) -> str:
        full = self._root if path in ("", ".") else f"{self._root}/{path}"
        return str(self._fs._strip_protocol(full))

    def put_file(self, path: str, source: Path) -> None:
        try:
            self._write(path, source, "create")
        except OSError as error:
            if _s3_code(error) == "PreconditionFailed":
                raise FileExistsError(path) from error
            raise

    def replace_file(self, path: str, source: Path) -> None:
        self._write(path, source, "overwrite")

    def _write(self, path: str, source: Path, mode: str) -> None:
        if self._scheme != "s3":
            raise NotAllowedError(f"a store at {self._scheme}:// can only be read")
        self._fs.put_file(str(source), self._full(path), mode=mode)

    def open(self, path: str) -> Any:
        with _refusals():
            return self._fs.open(self._full(path), "rb", cache_type="readahead")

    def size(self, path: str) -> int:
        with _refusals():
            info = self._fs.info(self._full(path))
        if info.get("type") == "directory":
            raise FileNotFoundError(path)
        return int(info.get("size") or 0)

    def modified(self, path: str) -> float:
        return float(self._fs.modified(self._full(path)).timestamp())

    def list(self, prefix: str) -> list[str]:
        root = self._full("") + "/"
        return [str(found).removeprefix(root) for found in self._fs.find(self._full(prefix))]

    def delete(self, path: str) -> None:
        self._fs.rm_file(self._full(path))


@contextmanager
def _refusals() -> Iterator[None]:
    """fsspec takes whatever goes wrong on the web for a file that is not there."""
    try:
        yield
    except FileNotFoundError as error:
        if isinstance(error.__cause__, NotAllowedError):
            raise error.__cause__ from None
        raise


def _s3_code(error: OSError) -> str:
    """The code of the S3 error that s3fs turned into an OSError."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
