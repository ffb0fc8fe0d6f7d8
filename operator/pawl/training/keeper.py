"""The sidecar beside `train` that copies checkpoints into the store (`checkpoints`).

A checkpoint is an entry of PAWL_CHECKPOINT_DIR that is complete: its name does not begin with a
dot nor end in `.part` or `.tmp`, and it was the same in two looks. The newest ones that fit are
kept. `train` is not trusted: no link is followed, and nothing is opened by a path that it could
bend meanwhile.

SIGTERM comes to the sidecar when it comes to `train`, since a pod's sidecars wait for its main
containers only and `train` is none. Nothing tells the sidecar how long `train` goes on. So it goes
on itself until the stage after `train` has begun, or a checkpoint has come that is younger than the
signal and no other is being written, or the time is up and it is killed.
"""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TypeVar

from pawl import constants
from pawl.api.quantity import parse
from pawl.api.template import StoredCheckpoints
from pawl.artifacts.canonical import canonical_json, file_digest
from pawl.artifacts.runs import RunConfig
from pawl.artifacts.store import Store, open_store
from pawl.errors import PawlError
from pawl.training import checkpoints, log
from pawl.training.checkpoints import MAX_FILES, Checkpoint, Kept, KeptFile

_UNFINISHED = (".part", ".tmp")
_EVERY, _HURRY = 2.0, 0.2  # seconds between looks; after SIGTERM


@dataclass(frozen=True)
class Seen:
    """An entry of the folder: path in it -> (size, modified)."""

    name: str
    modified: int
    is_folder: bool
    files: Mapping[str, tuple[int, int]]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(size for size, _ in self.files.values())

    def is_copy_of(self, kept: Checkpoint) -> bool:
        """Whether nothing has changed since it was kept, or restored."""
        files = {file.path: (file.size, file.modified) for file in kept.files}
        return (self.name, self.modified, self.files) == (kept.name, kept.modified, files)


_One = TypeVar("_One", bound=Seen | Checkpoint)


@dataclass
class Keeper:
    """Of the folder of one worker; `place` is that of its checkpoints in the store."""

    folder: Path
    store: Store
    place: str
    limits: StoredCheckpoints
    kept: Kept = field(init=False)
    _others: tuple[Checkpoint, ...] = field(init=False)  # which `prepare` has brought, too
    asked: float | None = field(init=False, default=None)  # to stop: when, since 1970
    _asked: Event = field(init=False, default_factory=Event)
    _before: dict[str, Seen] = field(init=False, default_factory=dict)
    _is_calm: bool = field(init=False, default=False)  # nothing was new or unfinished
    _refused: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.kept = checkpoints.read(self.store, f"{self.place}.json")
        every = checkpoints.of_all(self.store, self.place.rpartition("/")[0])
        self._others = tuple(one for place, one in every if place != self.place)

    def run(self) -> None:
        """Until it was asked to stop and need not wait any more."""
        while not self.is_done():
            try:
                self.look()
            except (PawlError, OSError) as error:
                log.warning("checkpoints are not kept", error=str(error))
            if self._asked.wait(_EVERY):
                time.sleep(_HURRY)

    def stop(self, *_: object) -> None:
        """SIGTERM."""
        self.asked = self.asked or time.time()
        self._asked.set()

    def is_done(self) -> bool:
        """See the module's docstring."""
        if self.asked is None:
            return False
        last = max((one.modified for one in self.kept.checkpoints), default=0)
        return self._ended() or (self._is_calm and last >= self.asked * 1e9)

    def look(self) -> None:
        """Copies what is new and complete."""
        if self._ended():
            return
        with _opened(self.folder) as root:
            names = os.listdir(root)
            seen = {one.name: one for one in self._newest(root, filter(_is_complete, names))}
            new = self._new(seen)
            self._is_calm = not new and not any(name.endswith(_UNFINISHED) for name in names)
            for one in new:
                if one == self._before.get(one.name):
                    with suppress(FileNotFoundError):  # train has removed it meanwhile
                        self._keep(root, one)
            self._before = seen

    def _new(self, seen: Mapping[str, Seen]) -> list[Seen]:
        """What is to be copied, the oldest first: not what would give way to others at once."""
        known = {one.name: one for one in self.kept.checkpoints}
        every: dict[str, Seen | Checkpoint] = {**known, **seen}
        return [
            one
            for one in self._fitting(every.values())
            if isinstance(one, Seen) and not (one.name in known and one.is_copy_of(known[one.name]))
        ]

    def _fitting(self, every: Iterable[_One]) -> list[_One]:
        """The newest ones that may be kept together, the oldest first."""
        newest = sorted(every, key=lambda one: (one.modified, one.name))[-self.limits.keep :]
        while sum(one.size for one in newest) > self._size_limit:
            newest.pop(0)
        return newest

    def _newest(self, root: int, names: Iterable[str]) -> Iterator[Seen]:
        """As many as are kept, the newest first, without those that other workers keep."""
        usable = []
        for name in names:
            with suppress(FileNotFoundError):
                state = os.stat(name, dir_fd=root, follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode) or stat.S_ISREG(state.st_mode):
                    usable.append((state.st_mtime_ns, name, stat.S_ISDIR(state.st_mode)))
        left = self.limits.keep
        for modified, name, is_folder in sorted(usable, reverse=True):
            files = _files(root, name, is_folder)
            one = Seen(name, modified, is_folder, files or {})
            if files is None:
                self._refuse(name, f"more than {MAX_FILES} files, or a name that is no text")
            elif one.size > self._size_limit:
                self._refuse(name, f"it alone is larger than {self.limits.size_limit}")
            elif files and not any(map(one.is_copy_of, self._others)):
                yield one
                left -= 1
            if not left:
                return

    def _keep(self, root: int, one: Seen) -> None:
        """Content first, then the list, then what the list names no more goes."""
        files = []
        for path, (size, modified) in one.files.items():
            inner = f"{one.name}/{path}" if one.is_folder else one.name
            with _opened_file(root, inner) as descriptor:
                source, blob = Path(f"/proc/self/fd/{descriptor}"), uuid.uuid4().hex
                digest = file_digest(source)
                self.store.put_file(f"{self.place}/{blob}", source)
            files.append(
                KeptFile(path=path, size=size, modified=modified, digest=digest, blob=blob)
            )
        changed = _files(root, one.name, one.is_folder) != one.files
        if not changed and not self._ended():
            new = Checkpoint(
                name=one.name, modified=one.modified, is_folder=one.is_folder, files=tuple(files)
            )
            self._list(new)
            log.info("kept", checkpoint=new.name, bytes=new.size)
        named = {f.blob for checkpoint in self.kept.checkpoints for f in checkpoint.files}
        for path in self.store.list(self.place):
            if path.rsplit("/", 1)[1] not in named:
                self.store.delete(path)

    def _list(self, new: Checkpoint) -> None:
        others = (one for one in self.kept.checkpoints if one.name != new.name)
        kept = Kept(checkpoints=tuple(self._fitting((*others, new))))
        with tempfile.TemporaryFile() as file:  # it has no name by which to reach it
            file.write(canonical_json(kept))
            file.flush()
            self.store.replace_file(f"{self.place}.json", Path(f"/proc/self/fd/{file.fileno()}"))
        self.kept = kept

    def _refuse(self, name: str, why: str) -> None:
        if name not in self._refused:
            log.warning("a checkpoint is not kept", checkpoint=ascii(name), reason=why)
            self._refused.add(name)

    @property
    def _size_limit(self) -> int:
        return int(parse(self.limits.size_limit))

    def _ended(self) -> bool:
        return os.path.lexists(self.folder / checkpoints.ENDED)


def keep(config: RunConfig, limits: StoredCheckpoints, env: Mapping[str, str]) -> None:
    """Runs until the pod ends."""
    worker = int(env.get(constants.ENV_INDEX, "0"))
    folder = Path(env[constants.ENV_CHECKPOINT_DIR])
    with open_store(config.store) as store:
        keeper = Keeper(folder, store, f"{checkpoints.place(config)}/{worker}", limits)
        signal.signal(signal.SIGTERM, keeper.stop)
        keeper.run()


def _is_complete(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_UNFINISHED)


def _files(root: int, name: str, is_folder: bool) -> dict[str, tuple[int, int]] | None:
    """Path -> (size, modified) of the plain files; None when they are too many or have no proper
    names. Links and the like are no part of a checkpoint."""
    found: dict[str, tuple[int, int]] = {}
    try:
        name.encode()
        if not is_folder:
            state = os.stat(name, dir_fd=root, follow_symlinks=False)
            return {name: (state.st_size, state.st_mtime_ns)}
        for folder, _, names, descriptor in os.fwalk(name, dir_fd=root):
            for each in names:
                state = os.stat(each, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISREG(state.st_mode):
                    path = f"{folder}/{each}".removeprefix(f"{name}/")
                    found[path] = (state.st_size, state.st_mtime_ns)
                    path.encode()
            if len(found) > MAX_FILES:
                return None
    except FileNotFoundError:  # gone meanwhile: another look will tell
        return {}
    except UnicodeEncodeError:
        return None
    return found


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened_file(root: int, path: str) -> Iterator[int]:
    """A plain file below `root`, by no link. OSError where it is none (any more)."""
    current = os.dup(root)
    try:
        for each in path.split("/"):
            following = os.open(each, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=current)
            os.close(current)
            current = following
        if not stat.S_ISREG(os.fstat(current).st_mode):
            raise OSError(f"{path} is no plain file")
        yield current
    finally:
        os.close(current)
