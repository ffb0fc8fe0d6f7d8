"""Images that are built here, from the sources that lie here: with buildah, as root, without a
container runtime. The base is PAWL_BASE_IMAGE, or a Debian of debootstrap with Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from image import ROOT, Image, buildah

BASE = "localhost/pawl-test-base:1"
SUITE, PACKAGES = "bookworm", "python3,python3-venv,python-is-python3,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    if os.geteuid():
        pytest.skip("images are built as root")
    needed = ["buildah"] if "PAWL_BASE_IMAGE" in os.environ else ["buildah", "debootstrap"]
    for tool in needed:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")


@pytest.fixture(scope="session")
def base(tools: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Made once on a machine, and kept in buildah's store."""
    given = os.environ.get("PAWL_BASE_IMAGE")
    if given:
        return given
    if buildah("inspect", "--type", "image", BASE, check=False).returncode == 0:
        return BASE
    root = tmp_path_factory.mktemp("base") / "root"
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for cache in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / cache)
    # the machine may reach the index of packages through a certificate of its own
    shutil.copyfile(CERTIFICATES, f"{root}{CERTIFICATES}")
    made = buildah("from", "scratch").stdout.strip()
    buildah("add", "-q", made, str(root), "/")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    buildah("config", "--env", f"PATH={path}", "--env", f"PIP_CERT={CERTIFICATES}", made)
    buildah("commit", "-q", "--rm", made, BASE)
    shutil.rmtree(root)
    return BASE


@pytest.fixture(scope="session")
def built(base: str) -> Callable[[str], Image]:
    """Builds an image by its name, once."""
    known: dict[str, Image] = {}

    def build(name: str) -> Image:
        if name not in known:
            tag = f"localhost/pawl-test/{name}:1"
            buildah(
                "bud", "-q", "--layers", "--isolation", "chroot", "--network", "host",
                "--build-arg", f"BASE_IMAGE={base}", "--build-arg", "VERSION=1",
                "-f", str(ROOT / "images/Dockerfile"), "--target", name, "-t", tag, str(ROOT),
            )  # fmt: skip
            known[name] = Image(name, tag)
        return known[name]

    return build
