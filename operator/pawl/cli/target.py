"""What a command is about: a Deployment of Pawl, in a cluster that may not answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from pawl.constants import FIELD_MANAGER, GROUP
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS, TRAINING_JOBS
from pawl.control.kube import Kube, KubeError
from pawl.errors import UserError

Target = Annotated[str, typer.Argument(help="mdep/NAME or NAME.", metavar="DEPLOYMENT")]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Default: the context's.")]

Version = Annotated[str, typer.Argument(help="mv/NAME or NAME.", metavar="VERSION")]
#: Field manager of what the command line writes.
MANAGER = f"{FIELD_MANAGER}-cli"

_VERSIONS = ("", "mv", "modelversion", "modelversions", f"modelversions.{GROUP}")
_JOBS = ("", "tj", "trainingjob", "trainingjobs", f"trainingjobs.{GROUP}")
_KINDS = ("", "mdep", "modeldeployment", "modeldeployments", f"modeldeployments.{GROUP}")


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


async def deployment(kube: Kube, target: str, namespace: str | None) -> dict[str, Any]:
    """The Deployment that is meant. UserError when there is none."""
    kind, _, name = target.rpartition("/")
    if kind not in _KINDS or not name:
        raise UserError(f"{target} is no Deployment of Pawl: write mdep/{name or 'NAME'}")
    where = namespace or kube.namespace
    item = await kube.get(DEPLOYMENTS, where, name)
    if item is None:
        raise UserError(f"there is no Deployment {name} in namespace {where}")
    return item


async def version(kube: Kube, target: str, namespace: str | None) -> dict[str, Any]:
    """The ModelVersion that is meant. UserError when there is none."""
    kind, _, name = target.rpartition("/")
    if kind not in _VERSIONS or not name:
        raise UserError(f"{target} is no ModelVersion: write mv/{name or 'NAME'}")
    where = namespace or kube.namespace
    item = await kube.get(MODEL_VERSIONS, where, name)
    if item is None:
        raise UserError(f"there is no ModelVersion {name} in namespace {where}")
    return item


async def training_job(kube: Kube, target: str, namespace: str | None) -> dict[str, Any]:
    """The TrainingJob that is meant. UserError when there is none."""
    kind, _, name = target.rpartition("/")
    if kind not in _JOBS or not name:
        raise UserError(f"{target} is no TrainingJob: write tj/{name or 'NAME'}")
    where = namespace or kube.namespace
    item = await kube.get(TRAINING_JOBS, where, name)
    if item is None:
        raise UserError(f"there is no TrainingJob {name} in namespace {where}")
    return item
