"""What the store knows of objects that the cluster has forgotten, as planners look at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from pawl.api.trainingjob import TrainingJob, TrainingJobStatus
from pawl.constants import LABEL_RUN
from pawl.control.records import Records
from pawl.core import recall
from pawl.core.recall import Recorded
from pawl.core.recipe import recipe_digest
from pawl.errors import StoreError

Object = Mapping[str, Any]


class Recalled:
    """Reads the decision record of a Deployment once: only its own plans add to it."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._read: dict[str, Recorded] = {}  # by uid of the Deployment

    def forget(self, known: Collection[str]) -> None:
        """What was read for Deployments that are gone."""
        self._read = {uid: found for uid, found in self._read.items() if uid in known}

    async def deployment(self, item: Object, published: Object | None) -> Recorded | None:
        """For a Deployment that the cluster knows nothing of: it has neither a stable version nor
        ever `published` a route. None for all others."""
        uid = item["metadata"]["uid"]
        if item.get("status", {}).get("stable") or published is not None:
            self._read.pop(uid, None)
            return None
        if uid not in self._read:
            try:
                self._read[uid] = await self._record(item)
            except StoreError as error:
                return Recorded(error=str(error))
        return self._read[uid]

    async def _record(self, item: Object) -> Recorded:
        meta, model = item["metadata"], item["spec"].get("model", "")
        log = await self._records.log(meta["namespace"], model, meta["name"])
        names = recall.wanted(log, item["spec"].get("version", "latest"))
        if not names:
            return Recorded(tuple(log))
        digests = {name: digest and recall.short(digest) for name, digest in names.items()}

        def wanted(name: str, digest: str, _: str) -> bool:
            return name in digests and digests[name] in (None, digest)

        versions = await self._records.versions(meta["namespace"], model, wanted)
        return Recorded(tuple(log), versions)

    async def of_recipe(self, item: Object, digest: str) -> tuple[Object, ...]:
        """The ModelVersions that a recipe has given, for a TrainingJob."""
        short = recall.short(digest)
        namespace, model = item["metadata"]["namespace"], item["spec"].get("model", "")
        return await self._records.versions(namespace, model, lambda *of: of[2] == short)


def starting(item: Object, jobs: tuple[Object, ...]) -> str | None:
    """The digest of the recipe of a run that is about to get its Job."""
    try:
        digest = recipe_digest(TrainingJob.model_validate(item).spec)
    except ValidationError:
        return None
    run = TrainingJobStatus.model_validate(item.get("status") or {}).run
    if run is not None and run.recipe_digest == digest:
        if run.phase not in ("Pending", "Running"):
            return None
        if any(job["metadata"]["labels"].get(LABEL_RUN) == str(run.number) for job in jobs):
            return None
    return digest
