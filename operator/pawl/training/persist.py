"""Saving and loading scikit-learn pipelines with skops: no pickle, an explicit list of types.

skops writes a zip with the time of day and the memory addresses of objects in it; `save` rewrites
these, so that the same model gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import skops.io as sio

from pawl.artifacts.skops_load import load_skops
from pawl.errors import IntegrityError, UserError

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


def save(model: Any, path: Path) -> None:
    """Writes `model` so that equal models give equal files."""
    path.write_bytes(_deterministic(sio.dumps(model)))


def load(path: Path, extra: Sequence[str] = ()) -> Any:
    """The model in a skops file, as `load_skops` gives it; UserError where it cannot be read."""
    try:
        return load_skops(path, extra)
    except IntegrityError as error:
        raise UserError(str(error), reason=error.reason) from error


def _deterministic(data: bytes) -> bytes:
    """The same archive with numbers in place of addresses, fixed times and sorted names."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    renumber = _Renumber()
    schema = renumber.walk(json.loads(contents.pop(_SCHEMA)))
    files = {renumber.file(name): content for name, content in contents.items()}
    files[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


class _Renumber:
    """Object ids in order of appearance; files are named `<id>.npy` and the like."""

    def __init__(self) -> None:
        self._ids: dict[int, int] = {}

    def _id(self, address: int) -> int:
        return self._ids.setdefault(address, len(self._ids) + 1)

    def file(self, name: str) -> str:
        stem, dot, ending = name.partition(".")
        return f"{self._id(int(stem))}{dot}{ending}" if stem.isdigit() else name

    def walk(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {key: self._entry(key, value) for key, value in node.items()}
        if isinstance(node, list):
            return [self.walk(item) for item in node]
        return node

    def _entry(self, key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            return self._id(value)
        if key == "file" and isinstance(value, str):
            return self.file(value)
        return self.walk(value)
