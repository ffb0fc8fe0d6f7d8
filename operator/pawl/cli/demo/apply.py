"""Applies manifests: with kubectl where it is installed, else through the official client."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "default"


def apply(path: Path) -> None:
    """A file, or a folder with a kustomization."""
    if shutil.which("kubectl"):
        flag = "-k" if path.is_dir() else "-f"
        subprocess.run(  # noqa: S603
            ["kubectl", "apply", flag, str(path)],  # noqa: S607
            check=True,
            stdout=subprocess.DEVNULL,
        )
    else:
        _by_client(path)


def _by_client(path: Path) -> None:
    from kubernetes import client, config, dynamic  # noqa: PLC0415

    config.load_kube_config()  # type: ignore[no-untyped-call]
    api = dynamic.DynamicClient(client.ApiClient())  # type: ignore[no-untyped-call]
    for item in _manifests(path):
        resource = api.resources.get(api_version=item["apiVersion"], kind=item["kind"])
        resource.server_side_apply(
            body=item, name=item["metadata"]["name"], namespace=NAMESPACE, field_manager="pawl-demo"
        )


def _manifests(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir():
        names = yaml.safe_load((path / "kustomization.yaml").read_text())["resources"]
        files = [path / name for name in names]
    else:
        files = [path]
    for file in files:
        yield from yaml.safe_load_all(file.read_text())
