"""`pawl sign | verify mv/NAME`: signatures of a version's artifact, in the store beside it.

The store is read and written with the credentials of whoever asks, from the environment, as those
that the Secret pawl-store holds.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from pawl.api.modelversion import Artifact
from pawl.artifacts import signing
from pawl.artifacts.bundle import fetch_bundle
from pawl.cli.target import Namespace, StoreHere, Version, cluster, seen_here, version
from pawl.errors import UserError

Key = Annotated[Path, typer.Option("--key", help="A private key in PEM, not encrypted.")]
Keys = Annotated[Path, typer.Option("--keys", help="Public keys in PEM, one after the other.")]
_MAX_PEM = 64 << 10


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (sign, verify):
        app.command(rich_help_panel="Versions")(command)


def sign(target: Version, key: Key, namespace: Namespace = None, store: StoreHere = None) -> None:
    """Vouch for a version: sign the digest of its artifact and leave the signature beside it."""
    artifact = asyncio.run(_artifact(target, namespace, store))
    id_ = signing.sign(artifact.uri, artifact.digest, signing.private_key(_pem(key)))
    typer.echo(f"{artifact.digest} is signed by key {id_}")


def verify(
    target: Version, keys: Keys, namespace: Namespace = None, store: StoreHere = None
) -> None:
    """Read a version's artifact whole and tell whether one of the keys vouches for its bytes."""
    trusted = signing.public_keys(_pem(keys))
    artifact = asyncio.run(_artifact(target, namespace, store))
    try:
        id_ = signing.verify(artifact.uri, artifact.digest, trusted)
        with tempfile.TemporaryDirectory(prefix="pawl-verify-") as folder:
            fetch_bundle(artifact.uri, artifact.digest, Path(folder))
    except FileNotFoundError as error:
        raise UserError(f"{artifact.uri} does not exist") from error
    typer.echo(f"{artifact.digest} is what key {id_} has signed")


async def _artifact(target: str, namespace: str | None, store: str | None) -> Artifact:
    async with cluster() as kube:
        item = await version(kube, target, namespace)
    try:
        artifact = Artifact.model_validate(item["spec"]["artifact"])
        return artifact.model_copy(update={"uri": seen_here(artifact.uri, store)})
    except ValidationError as error:
        raise UserError(f"the artifact of {target} cannot be read: {error}") from error


def _pem(path: Path) -> str:
    try:
        with path.open() as file:
            return file.read(_MAX_PEM)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
