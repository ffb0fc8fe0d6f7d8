"""Takes out of the base image what nobody needs who runs in it: pip, and programs that run as their
owner (setuid and setgid). Run as root while an image is built."""

from __future__ import annotations

import os
import shutil
import site
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

_BIN = ("/usr/local/bin", "/usr/bin", "/bin")
_SKIPPED = ("/proc", "/sys", "/dev")


def pip() -> Iterator[Path]:
    """pip's packages and commands, and the copies that make a virtual environment with it."""
    for folder in site.getsitepackages():
        yield from Path(folder).glob("pip")
        yield from Path(folder).glob("pip-*")
    yield from Path(sys.prefix).glob("lib/python3*/ensurepip")
    yield from Path("/usr/lib").glob("python3*/ensurepip")
    yield Path("/usr/share/python-wheels")
    for folder in _BIN:
        yield from Path(folder).glob("pip*")


def privileged() -> Iterator[Path]:
    """Files that run as their owner or group."""
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in _SKIPPED]
        for path in (Path(folder, name) for name in names):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                yield path


def main() -> None:
    for path in pip():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in list(privileged()):
        path.chmod(path.stat().st_mode & ~(stat.S_ISUID | stat.S_ISGID))


if __name__ == "__main__":
    main()
