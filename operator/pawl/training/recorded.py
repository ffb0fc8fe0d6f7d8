"""A recipe that has been run on the same data before gives its old version back.

`prepare` finds it out by the data's digest and leaves a note; `train` then has nothing to do, and
`publish` reports the version that is recorded. A container trainer does not know of the note and
trains for nothing, but no second version comes of it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pawl.artifacts import bundle
from pawl.artifacts.canonical import file_digest, hex_of
from pawl.artifacts.records import Lineage, Metrics, Signature, Window
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import KnownVersion, RunConfig, RunResult, StoreRef
from pawl.artifacts.store import open_store
from pawl.training.workspace import Workspace, read_record


def find(
    config: RunConfig, data_digest: str, window: Window | None, work: Workspace
) -> KnownVersion | None:
    """The newest version that the recipe gave for these data, cut in the same way, and which the
    same model tests have judged."""
    wanted = (data_digest, window)
    for known in reversed(config.known):
        if (known.data_digest, known.window) == wanted and _tested_alike(known.version, work):
            return known
    return None


def _tested_alike(version: StoreRef, work: Workspace) -> bool:
    """Another content of `evaluation.tests.uri` is no other recipe."""
    if not work.tests.exists():
        return True
    with open_store(version.uri, retry=PATIENT) as store:
        files = bundle.read_manifest(store, version.digest).files
    sha256 = hex_of(file_digest(work.tests))
    return any((file.name, file.sha256) == (bundle.TESTS, sha256) for file in files)


def noted(work: Workspace) -> KnownVersion | None:
    """What `prepare` has left."""
    return read_record(work.recorded, KnownVersion) if work.recorded.exists() else None


def result(config: RunConfig, known: KnownVersion) -> RunResult:
    """The run's result, read back (and verified) from the bundle of the recorded version."""
    names = (bundle.SIGNATURE, bundle.METRICS, bundle.LINEAGE)
    version = known.version
    with tempfile.TemporaryDirectory(prefix="pawl-recorded-") as scratch:
        folder = Path(scratch)
        manifest = bundle.fetch_bundle(
            version.uri, version.digest, folder, names=names, retry=PATIENT
        )
        signature, metrics, lineage = ((folder / name).read_bytes() for name in names)
    files = {file.name: file.size_bytes for file in manifest.files}
    scores = Metrics.model_validate_json(metrics)
    return RunResult(
        uid=config.uid,
        run=config.run,
        outcome="Recorded",
        artifact=version,
        champion=config.champion,
        format="onnx" if bundle.MODEL_ONNX in files else "skops",
        size_bytes=sum(files.values()),
        signature=Signature.model_validate_json(signature),
        metrics=scores.values,
        old_window=scores.old_window,
        lineage=Lineage.model_validate_json(lineage),
    )
