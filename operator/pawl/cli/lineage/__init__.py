"""`pawl lineage mv/NAME|mdep/NAME`: from which data, by which job, a version came, who serves it.

Versions and Deployments are the cluster's. The files of a bundle are the store's and are read with
the credentials of whoever asks, as `pawl trials` does it; where they cannot be read, that is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pawl.artifacts.bundle import MODEL_ONNX, read_manifest
from pawl.artifacts.canonical import hex_of
from pawl.artifacts.records import File
from pawl.artifacts.store import open_store
from pawl.cli.lineage import graph, picture, text
from pawl.cli.target import Namespace, StoreHere, cluster, deployment, seen_here, version
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS
from pawl.core.versions import Version, read_versions
from pawl.errors import PawlError

Object = Mapping[str, Any]
#: Columns; digests are not cut for want of them.
_WIDE = 4000
_Target = Annotated[str, typer.Argument(help="mv/NAME or mdep/NAME.", metavar="TARGET")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(lineage)


def lineage(
    target: _Target,
    namespace: Namespace = None,
    html: Annotated[Path | None, typer.Option(help="Write a picture to this file.")] = None,
    files: Annotated[bool, typer.Option(help="Read which files the bundles hold.")] = True,
    store: StoreHere = None,
) -> None:
    """Draw data, job, version and Deployment, with those that a version was compared with."""
    found = asyncio.run(_found(target, namespace))
    if files:
        found = found.with_files({v.name: _files(v, store) for v in found.versions})
    if html is not None:
        html.write_text(picture.page(target, found))
    Console(width=_WIDE).print(text.render(found))


async def _found(target: str, namespace: str | None) -> graph.Lineage:
    async with cluster() as kube:
        if target.startswith(("mdep/", "modeldeployment")):
            item = await deployment(kube, target, namespace)
            wanted = graph.served(item)
        else:
            item = await version(kube, target, namespace)
            wanted = [item["metadata"]["name"]]
        where, model = item["metadata"]["namespace"], item["spec"]["model"]
        listed = (await kube.list(MODEL_VERSIONS, where))[0]
        deployments = (await kube.list(DEPLOYMENTS, where))[0]
    versions = read_versions(listed, model)
    return graph.Lineage.of(
        wanted, versions, [d for d in deployments if d["spec"].get("model") == model]
    )


def _files(version: Version, here: str | None) -> tuple[File, ...] | str:
    """Those of its bundle, as its digest vouches for them; else why they are not known."""
    artifact = version.spec.artifact
    if artifact.uri.endswith(".onnx"):
        size = artifact.size_bytes or 0
        return (File(name=MODEL_ONNX, size_bytes=size, sha256=hex_of(artifact.digest)),)
    try:
        with open_store(seen_here(artifact.uri, here)) as store:
            return read_manifest(store, artifact.digest).files
    except FileNotFoundError:
        return "the bundle is not in the store"
    except PawlError as error:
        return f"the bundle cannot be read: {error}"
