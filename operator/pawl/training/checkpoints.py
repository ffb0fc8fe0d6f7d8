"""Checkpoints: what `train` leaves in PAWL_CHECKPOINT_DIR for the attempt after this one.

In a claim the folder itself survives. In the store it is a copy, made by a sidecar (`keeper`) and
brought back by `prepare`:

    runs/<uid>-<run>/checkpoints/[t<trial>/]
        <worker>.json       Kept: which ones of a worker there are
        <worker>/<random>   the content of a file

A file of content is written before the list that names it, and removed after the one that does not,
so a list that can be read names what is there. Every worker gets what all of them have left, as in
a claim that they share; of two checkpoints of one name the newer. A run that has succeeded leaves
none.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from pawl import constants
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.canonical import file_digest
from pawl.artifacts.records import Record
from pawl.artifacts.retry import describe
from pawl.artifacts.runs import RunConfig
from pawl.artifacts.store import Store, open_store
from pawl.errors import IntegrityError, PawlError
from pawl.training import log

#: In the folder: `train` has ended, what is there will not change. Written by the stage after it.
ENDED = ".ended"
MAX_FILES = 1000
MAX_BYTES = 16 << 20  # of a list
_LIST = re.compile(r"[0-9]{1,2}\.json")


def _below(path: str) -> str:
    for part in path.split("/"):
        if part in ("", ".", "..") or "\0" in part or len(part.encode()) > 255:
            raise ValueError("it leads out of its folder, or nowhere")
    return path


def _name(path: str) -> str:
    if "/" in path:
        raise ValueError("it is no name")
    return _below(path)


class KeptFile(Record):
    """A file of a checkpoint, by its path in it (that of a checkpoint which is a file is its name).
    `blob` is the name of its content; `modified` in nanoseconds since 1970."""

    path: Annotated[str, Field(max_length=4096), AfterValidator(_below)]
    size: Annotated[int, Field(ge=0)]
    modified: int
    digest: str
    blob: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Checkpoint(Record):
    """A file, or a folder of files, in PAWL_CHECKPOINT_DIR."""

    name: Annotated[str, AfterValidator(_name)]
    modified: int
    is_folder: bool
    files: Annotated[tuple[KeptFile, ...], Field(max_length=MAX_FILES)]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)


class Kept(Record):
    """The checkpoints of one worker that are in the store, the oldest first."""

    checkpoints: tuple[Checkpoint, ...] = ()


def place(config: RunConfig) -> str:
    """Where those of a run or a trial lie in the store."""
    run = f"runs/{config.uid}-{config.run}/checkpoints"
    return f"{run}/t{config.trial.number}" if config.trial else run


def read(store: Store, path: str) -> Kept:
    """A list; an empty one where there is none that can be read."""
    try:
        return Kept.model_validate_json(store.get(path, max_bytes=MAX_BYTES))
    except FileNotFoundError:
        pass
    except (ValidationError, IntegrityError) as error:
        log.warning("a list of checkpoints cannot be read", path=path, error=describe(error))
    return Kept()


def of_all(store: Store, top: str) -> Iterator[tuple[str, Checkpoint]]:
    """Those of all workers of a run or trial, and where their content is."""
    for path in store.list(top):
        if _LIST.fullmatch(path.removeprefix(f"{top}/")):
            for one in read(store, path).checkpoints:
                yield path.removesuffix(".json"), one


def restore(config: RunConfig, spec: TrainingJobSpec, env: Mapping[str, str]) -> None:
    """Fills the folder of a new pod from the store. A checkpoint that is not whole is left out and
    told: `train` goes on from an older one."""
    if spec.template.stored is None:
        return
    folder = Path(env[constants.ENV_CHECKPOINT_DIR])
    with open_store(config.store) as store:
        found: dict[str, tuple[str, Checkpoint]] = {}
        for blobs, one in of_all(store, place(config)):
            if one.name not in found or one.modified > found[one.name][1].modified:
                found[one.name] = (blobs, one)
        for blobs, one in sorted(found.values(), key=lambda pair: pair[1].modified):
            try:
                _bring(store, blobs, one, folder)
            except (FileNotFoundError, IntegrityError) as error:
                log.warning("a checkpoint is left out", checkpoint=one.name, error=str(error))
            else:
                log.info("restored", checkpoint=one.name, bytes=one.size)


def _bring(store: Store, blobs: str, one: Checkpoint, folder: Path) -> None:
    """Whole or not at all. What an earlier try of this pod has left is as new or newer."""
    if os.path.lexists(folder / one.name):
        return
    with tempfile.TemporaryDirectory(prefix=".restored-", dir=folder) as scratch:
        top = Path(scratch) / one.name
        for file in one.files:
            path = top / file.path if one.is_folder else top
            path.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(f"{blobs}/{file.blob}", path, max_bytes=file.size)
            if file_digest(path) != file.digest:
                raise IntegrityError(f"{file.path} is not what was written")
            path.chmod(0o666)
            os.utime(path, ns=(file.modified, file.modified))
        if one.is_folder:
            for inner in (top, *top.rglob("*/")):
                inner.chmod(0o777)
            os.utime(top, ns=(one.modified, one.modified))
        top.rename(folder / one.name)


def end(spec: TrainingJobSpec, env: Mapping[str, str]) -> None:
    """Tells the sidecar, if there is one, that `train` has ended well. A link that `train` has put
    there is not followed."""
    if spec.template.stored is not None:
        with suppress(FileExistsError):
            (Path(env[constants.ENV_CHECKPOINT_DIR]) / ENDED).open("x").close()


def clear(config: RunConfig, spec: TrainingJobSpec, env: Mapping[str, str]) -> None:
    """Removes what a run has left that has succeeded. What cannot be removed is left and told: the
    result is there."""
    try:
        if spec.template.stored is not None:
            with open_store(config.store) as store:
                for path in store.list(place(config)):
                    with suppress(FileNotFoundError):  # a sidecar has removed it meanwhile
                        store.delete(path)
        elif folder := env.get(constants.ENV_CHECKPOINT_DIR):
            _empty(Path(folder))
    except (OSError, PawlError) as error:
        log.info("checkpoints are left", error=str(error))


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
