"""What a command is about: an object of Pawl in a cluster that may not answer, and its bundle in a
store that may have another address here than there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from pawl.constants import FIELD_MANAGER, GROUP
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, TRAINING_JOBS, Resource
from pawl.control.kube import Kube, KubeError
from pawl.errors import UserError

Target = Annotated[str, typer.Argument(help="mdep/NAME or NAME.", metavar="DEPLOYMENT")]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Default: the context's.")]

Version = Annotated[str, typer.Argument(help="mv/NAME or NAME.", metavar="VERSION")]
StoreHere = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="PAWL_STORE",
        help="URI of the artifact store as this machine sees it; default: as the version says.",
    ),
]
#: Field manager of what the command line writes.
MANAGER = f"{FIELD_MANAGER}-cli"


@asynccontextmanager
async def cluster() -> AsyncIterator[Kube]:
    """A connection by KUBECONFIG. UserError when the cluster does not answer or refuses."""
    kube = await Kube.connect()
    try:
        yield kube
    except KubeError as error:
        what = "refused" if error.code else "does not answer"
        raise UserError(f"the cluster {what}: {error}") from error
    finally:
        await kube.close()


def seen_here(uri: str, store: str | None) -> str:
    """A bundle's URI, below the address that the store has for this machine, if it has another."""
    _, found, inside = uri.partition("/bundles/")
    return f"{store.rstrip('/')}/bundles/{inside}" if store and found else uri


async def deployment(kube: Kube, target: str, namespace: str | None) -> dict[str, Any]:
    """The Deployment that is meant. UserError when there is none."""
    return await _meant(kube, DEPLOYMENTS, "mdep", target, namespace)


async def version(kube: Kube, target: str, namespace: str | None) -> dict[str, Any]:
    """The ModelVersion that is meant. UserError when there is none."""
    return await _meant(kube, MODEL_VERSIONS, "mv", target, namespace)


async def training_job(kube: Kube, target: str, namespace: str | None) -> dict[str, Any]:
    """The TrainingJob that is meant. UserError when there is none."""
    return await _meant(kube, TRAINING_JOBS, "tj", target, namespace)


async def _meant(
    kube: Kube, resource: Resource, short: str, target: str, namespace: str | None
) -> dict[str, Any]:
    """By a name, or by KIND/NAME in the words that kubectl takes."""
    word, _, name = target.rpartition("/")
    plural = resource.plural
    if word not in ("", short, plural.removesuffix("s"), plural, f"{plural}.{GROUP}") or not name:
        raise UserError(f"{target} is no {resource.kind} of Pawl: write {short}/{name or 'NAME'}")
    where = namespace or kube.namespace
    item = await kube.get(resource, where, name)
    if item is None:
        raise UserError(f"there is no {resource.kind} {name} in namespace {where}")
    return item
