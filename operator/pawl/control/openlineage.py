"""Runs of TrainingJobs as OpenLineage events (https://openlineage.io, RunEvent 2-0-2).

A run begins with START and ends with COMPLETE, FAIL or ABORT. Its input is the data, its output the
model: one dataset for all versions, with the version as its version, so that what is downstream
hangs on one node. They are sent like notifications (`control.notify`), to one address for all
namespaces, which is the administrator's.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
from pydantic import ValidationError

from pawl import __version__
from pawl import constants as c
from pawl.api.trainingjob import RunStatus, TrainingJob
from pawl.artifacts.redact import redact
from pawl.control.cloudevents import Message
from pawl.control.kube import Kube
from pawl.control.notify import Notifier
from pawl.control.outside import Outside
from pawl.control.webhooks import Target
from pawl.core.conditions import timestamp
from pawl.core.plan import Event
from pawl.core.versions import Version, read_versions

Object = Mapping[str, Any]


class Collector(NamedTuple):
    """Who collects lineage, and its API key."""

    url: str
    key: str | None = None


_SPEC = "https://openlineage.io/spec"
_PRODUCER = f"https://{c.GROUP}/{__version__}"
_TYPES = {
    "RunStarted": "START",
    "RunSucceeded": "COMPLETE",
    "NoNewData": "COMPLETE",
    "Reproduced": "COMPLETE",
    "NotReproduced": "COMPLETE",
    "RunFailed": "FAIL",
    "RunSuperseded": "ABORT",
}
#: Facet -> where its schema is.
_FACETS = {
    "version": "facets/1-0-1/DatasetVersionDatasetFacet.json",
    "schema": "facets/1-2-0/SchemaDatasetFacet.json",
    "dataSource": "facets/1-0-1/DatasourceDatasetFacet.json",
    "jobType": "facets/2-0-4/JobTypeJobFacet.json",
    "sourceCodeLocation": "facets/1-1-0/SourceCodeLocationJobFacet.json",
    "errorMessage": "facets/1-0-1/ErrorMessageRunFacet.json",
    "inputStatistics": "facets/1-0-0/InputStatisticsInputDatasetFacet.json",
    "outputStatistics": "facets/1-0-2/OutputStatisticsOutputDatasetFacet.json",
}


class OpenLineage:
    """Tells one collector, with an API key where it wants one. `versions_of` gives the
    ModelVersions of a namespace and model."""

    def __init__(
        self,
        kube: Kube,
        installation: str,
        collector: Collector,
        versions_of: Callable[[str, str], Collection[Object]],
    ) -> None:
        self._installation = installation
        self._url = collector.url
        self._versions_of = versions_of
        self._outside = Outside(kube, private=True)
        self._notifier = Notifier(kube, self._send)
        self._headers = {"content-type": "application/json"}
        if collector.key:
            self._headers["authorization"] = f"Bearer {collector.key}"

    def tell(self, item: Object, status: Object, event: Event) -> None:
        """Queues what an event on the TrainingJob `item` says, whose status is by now `status`."""
        meta = item["metadata"]
        versions = self._versions_of(meta["namespace"], item["spec"].get("model", ""))
        now = datetime.now(UTC)
        told = run_event(self._installation, item, status, event, versions, now)
        if told is not None:
            target = Target(meta["namespace"], meta["name"], self._url, None)
            self._notifier.put(target, item, told)

    async def close(self) -> None:
        """Tries once more what waits, then ends all sending."""
        await self._notifier.close()
        await self._outside.close()

    async def _send(self, target: Target, message: Message) -> None:
        answer = await self._outside.request(
            "POST", target.webhook, data=message.body, headers=self._headers
        )
        answer.check()


def run_event(
    installation: str,
    item: Object,
    status: Object,
    event: Event,
    versions: Collection[Object],
    now: datetime,
) -> Message | None:
    """What a Kubernetes event on the TrainingJob `item` says, whose status is by now `status`; None
    when it is about no beginning and no end of a run."""
    type_ = _TYPES.get(event.reason)
    if type_ is None:
        return None
    try:
        job = TrainingJob.model_validate({**item, "status": status})
    except ValidationError:
        return None
    run = job.status.runs[0] if type_ == "ABORT" and job.status.runs else job.status.run
    if run is None:
        return None
    meta, model = item["metadata"], job.spec.model
    made = {version.name: version for version in read_versions(versions, model)}
    version = made.get(run.model_version or "") if type_ == "COMPLETE" else None
    where = f"pawl://{installation}/{meta['namespace']}"
    body = {
        "eventType": type_,
        "eventTime": timestamp(now),
        "producer": _PRODUCER,
        "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id(meta["uid"], run.number), "facets": _run_facets(type_, run)},
        "job": {"namespace": where, "name": meta["name"], "facets": _job_facets(meta)},
        "inputs": [_data(meta["namespace"], job, version)],
        "outputs": [_model(where, model, version)] if version is not None else [],
    }
    return Message(f"{meta['uid']}-{run.number}-{type_}", orjson.dumps(body))


def run_id(uid: str, run: int) -> str:
    """The same UUID for the same run."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{uid}-{run}"))


def _run_facets(type_: str, run: RunStatus) -> dict[str, Any]:
    if type_ != "FAIL":
        return {}
    return _facet("errorMessage", message=redact(run.message), programmingLanguage="python")


def _job_facets(meta: Object) -> dict[str, Any]:
    facets = _facet("jobType", processingType="BATCH", integration="PAWL", jobType="TRAINING")
    told = meta.get("annotations") or {}
    repo, revision = (told.get(a) for a in (c.ANNOTATION_CODE_REPO, c.ANNOTATION_CODE_REVISION))
    if repo and revision:
        facets |= _facet("sourceCodeLocation", type="git", url=redact(repo), version=revision)
    return facets


def _data(namespace: str, job: TrainingJob, version: Version | None) -> dict[str, Any]:
    """The data of a run; what was read is known when there is a version."""
    uri = redact(job.spec.data.uri)
    facets = _facet("dataSource", name=uri, uri=uri)
    found = version.spec.lineage.data if version and version.spec.lineage else None
    statistics: dict[str, Any] = {}
    if version is not None and found is not None:
        inputs = version.spec.signature.inputs if version.spec.signature else ()
        fields = [{"name": tensor.name, "type": tensor.datatype} for tensor in inputs]
        facets |= _facet("version", datasetVersion=found.digest)
        facets |= _facet("schema", fields=[*fields, {"name": job.spec.data.target}])
        if found.rows is not None:
            statistics = _facet("inputStatistics", rowCount=found.rows)
    return {**_dataset(namespace, uri), "facets": facets, "inputFacets": statistics}


def _model(where: str, model: str, version: Version) -> dict[str, Any]:
    artifact = version.spec.artifact
    size = artifact.size_bytes
    return {
        "namespace": where,
        "name": f"models/{model}",
        "facets": {
            **_facet("version", datasetVersion=f"{version.name}@{artifact.digest}"),
            **_facet("dataSource", name=version.name, uri=artifact.uri),
        },
        "outputFacets": _facet("outputStatistics", size=size) if size is not None else {},
    }


def _dataset(namespace: str, uri: str) -> dict[str, str]:
    """By OpenLineage's rules for names, where it has one for the scheme: `s3://{bucket}` and the
    key, `file` and the path. A claim is one of its namespace."""
    parts = urlsplit(uri)
    path = parts.path.strip("/") or "/"
    match parts.scheme:
        case "file":
            return {"namespace": "file", "name": parts.path}
        case "pvc":
            return {"namespace": f"pvc://{namespace}/{parts.netloc}", "name": path}
        case _:
            return {"namespace": f"{parts.scheme}://{parts.netloc}", "name": path}


def _facet(facet: str, /, **fields: Any) -> dict[str, Any]:
    base = {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/{_FACETS[facet]}"}
    return {facet: base | fields}
