"""One image, and what runs in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def buildah(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"buildah {' '.join(words)}: {done.stderr[-3000:]}")
    return done


@dataclass(frozen=True)
class Image:
    name: str
    tag: str

    @cached_property
    def _inspected(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", self.tag).stdout)
        return told

    @property
    def config(self) -> dict[str, Any]:
        """As the OCI image specification has it: Entrypoint, User, Labels, Env, …"""
        found: dict[str, Any] = self._inspected["OCIv1"]["config"]
        return found

    @contextmanager
    def container(self, mounts: Mapping[Path, str] | None = None) -> Iterator[Container]:
        made = buildah("from", self.tag).stdout.strip()
        try:
            yield Container(self, made, mounts or {})
        finally:
            buildah("rm", made)


@dataclass(frozen=True)
class Container:
    """Commands run as the image's user, with the machine's network."""

    image: Image
    id: str
    mounts: Mapping[Path, str]

    def command(self, *words: str, env: Mapping[str, str] | None = None) -> list[str]:
        options = [f"--env={name}={value}" for name, value in (env or {}).items()]
        options += [f"--volume={source}:{target}" for source, target in self.mounts.items()]
        return ["buildah", "run", "--isolation", "chroot", *options, self.id, "--", *words]

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words, env=env),
            capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def enter(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The image's entrypoint with these arguments."""
        return self.run(*self.image.config["Entrypoint"], *words, **options)

    @contextmanager
    def root(self) -> Iterator[Path]:
        """Its files."""
        path = Path(buildah("mount", self.id).stdout.strip())
        try:
            yield path
        finally:
            buildah("umount", self.id)
