"""Refuses skops files that unpack to more than a model can be, before skops opens them.

A skops file is a zip with a `schema.json` that names the other members. skops reads members whole
into memory, and one as often as the schema names it; scipy's matrices are zips once more. So
bounded are: the number of members, the bytes of the schema, and the bytes of all members, each
times its mentions, inner archives included. The sizes in a zip's directory are only claims, and
Python's zipfile inflates past them: every member is inflated once here, in pieces, and must end
where its claim says.
"""

from __future__ import annotations

import copy
import io
import json
import mmap
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pawl.errors import IntegrityError

_SCHEMA = "schema.json"
_ENTRY = b"PK\x01\x02"  # begins an entry of a zip's directory
_INNER = (b"PK\x03\x04", b"PK\x05\x06")  # with one of these a member is a zip to numpy
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE = 1 << 20
_BROKEN = "ModelUnreadable"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A forest has 5 members and 6 KB of schema a tree; to parse a schema takes up to 25 times its
    bytes."""

    members: int = 200_000
    schema_bytes: int = 128 << 20
    unpacked_bytes: int = 4 << 30


def refuse_oversized(path: Path, bounds: Bounds = Bounds()) -> None:
    """IntegrityError above the bounds (ModelTooLarge) and for members that are not as their
    directory says (ModelUnreadable); errors of zipfile and json where it is no skops file."""
    # Before zipfile opens it: that builds an object for every entry.
    if path.stat().st_size:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _refuse_many(data, path.name, bounds)
    with zipfile.ZipFile(path) as archive:
        schema = archive.getinfo(_SCHEMA)
        if schema.file_size > bounds.schema_bytes:
            raise _refused(path.name, f"its {_SCHEMA} has more than {bounds.schema_bytes} bytes")
        count = _Count(path.name, bounds)
        sizes = count.members(archive)
        mentions = Counter(_mentioned(json.loads(archive.read(schema))))
    for name, times in mentions.items():
        count.add((times - 1) * sizes.get(name, 0))


class _Count:
    """The bytes that an archive unpacks to, counted until they are too many."""

    def __init__(self, name: str, bounds: Bounds) -> None:
        self._name = name
        self._bounds = bounds
        self._bytes = 0

    def add(self, size: int) -> None:
        """IntegrityError as soon as the bound is passed."""
        self._bytes += size
        most = self._bounds.unpacked_bytes
        if self._bytes > most:
            raise _refused(self._name, f"it unpacks to more than {most} bytes")

    def members(self, archive: zipfile.ZipFile, *, inner: bool = False) -> dict[str, int]:
        """The bytes of each member, which are what the directory claims. Archives inside an inner
        archive are not looked into: nobody opens them."""
        sizes = {}
        for info in archive.infolist():
            before = self._bytes
            self.add(info.file_size)
            begins = self._inflated(archive, info)
            if begins in _INNER and not inner:
                content = archive.read(info)
                _refuse_many(content, self._name, self._bounds)
                with zipfile.ZipFile(io.BytesIO(content)) as packed:
                    self.members(packed, inner=True)
            sizes[info.filename] = self._bytes - before
        return sizes

    def _inflated(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        """The first bytes of a member that is as long as it claims, and no longer."""
        if info.compress_type not in _METHODS:
            raise _refused(self._name, "a member is packed by another method than deflate", _BROKEN)
        probe = copy.copy(info)
        probe.file_size += 1  # zipfile would cut the surplus off, but only after inflating it
        try:
            with archive.open(probe) as member:
                piece = member.read(_PIECE)
                begins, size = piece[:4], len(piece)
                while piece := member.read(_PIECE):
                    size += len(piece)
        except zipfile.BadZipFile:  # the checksum, of one byte too many
            size = -1
        if size != info.file_size:
            raise _refused(self._name, "a member is not what the archive says it is", _BROKEN)
        return begins


def _refuse_many(data: bytes | mmap.mmap, name: str, bounds: Bounds) -> None:
    """By the marks of directory entries, of which there are at least as many as entries."""
    count, at = 0, data.find(_ENTRY)
    while at >= 0:
        count, at = count + 1, data.find(_ENTRY, at + len(_ENTRY))
        if count > bounds.members:
            raise _refused(name, f"it holds more than {bounds.members} members")


def _mentioned(schema: Any) -> Iterator[str]:
    """The members that the schema names, once for each time."""
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if isinstance(node.get("file"), str):
                yield node["file"]
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def _refused(name: str, why: str, reason: str = "ModelTooLarge") -> IntegrityError:
    return IntegrityError(f"{name} is refused unopened: {why}", reason=reason)
