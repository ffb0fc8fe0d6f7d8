"""What is in an image, as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/).

    python images/sbom.py IMAGE [--version 0.1.0] [--python 3.12] > IMAGE.cdx.json

The components are the Python packages of `images/IMAGE/requirements.txt` that this Python gets,
with every hash that is accepted for them. What the base image brings is told by its own bill. The
same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

IMAGES = Path(__file__).parent
NAMES = ("operator", "router", "server", "server-sklearn", "trainer")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(requirements: str, python: str) -> Iterator[dict[str, Any]]:
    """One for each package, in the file's order."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
    }
    for block in re.split(r"\n(?=\S)", requirements.strip()):
        wanted = Requirement(block.partition(" \\")[0])
        if wanted.marker is not None and not wanted.marker.evaluate(environment):
            continue
        name = canonicalize_name(wanted.name)
        version = str(wanted.specifier).removeprefix("==")
        url = f"pkg:pypi/{name}@{version}"
        yield {
            "type": "library",
            "bom-ref": url,
            "name": name,
            "version": version,
            "purl": url,
            "hashes": [{"alg": "SHA-256", "content": found} for found in _HASH.findall(block)],
        }


def bill(image: str, version: str, python: str) -> dict[str, Any]:
    """ValueError when a package is not pinned by version and hash."""
    found = list(components((IMAGES / image / "requirements.txt").read_text(), python))
    for component in found:
        if not component["hashes"] or not component["version"]:
            raise ValueError(f"{component['name']} is not pinned")
    main = {
        "type": "container",
        "bom-ref": f"pawl-{image}",
        "name": f"pawl-{image}",
        "version": version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    content = json.dumps([main, found], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, content).urn,
        "version": 1,
        "metadata": {"component": main},
        "components": found,
        "dependencies": [
            {"ref": main["bom-ref"], "dependsOn": [component["bom-ref"] for component in found]}
        ],
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", choices=NAMES)
    parser.add_argument("--version", default="dev")
    parser.add_argument("--python", default="3.12")
    options = parser.parse_args(arguments)
    print(json.dumps(bill(options.image, options.version, options.python), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
