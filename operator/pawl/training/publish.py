"""Stage `publish`: what `train` left becomes a bundle in the store, and a result.

Artifact (ONNX where it answers like the pipeline) → threshold on validation rows → metrics, dummy
and gates on test rows → baseline → bundle → its signature, where the namespace has a key →
`result.json`, put if absent. A second try after a
crash finds the result and reports it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts import bundle, signing
from pawl.artifacts.canonical import canonical_json, digest
from pawl.artifacts.derivation import Derivation
from pawl.artifacts.records import Record, Signature
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import Result, RunConfig, RunResult, StoreRef, read_result
from pawl.artifacts.store import Store, open_store
from pawl.checklist import Checklist
from pawl.constants import ENV_SIGNING_KEY
from pawl.training import (
    artifact,
    baseline,
    card,
    log,
    model_tests,
    recorded,
    reproduction,
    results,
)
from pawl.training.evaluate import Judgement, judge
from pawl.training.lineage import build_lineage
from pawl.training.parts import load_parts
from pawl.training.signature import build_signature
from pawl.training.workspace import Outcome, Prepared, Schema, Trained, Workspace, read_record


def publish(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Outcome:
    """Leaves the bundle and the result in the store."""
    with open_store(config.store, retry=PATIENT) as store:
        return _publish(config, spec, work, store)


def _publish(config: RunConfig, spec: TrainingJobSpec, work: Workspace, store: Store) -> Outcome:
    path = results.path(config)
    if store.exists(path):
        log.info("an earlier try of this run has published already", result=path)
        return _outcome(store, path)
    known = recorded.noted(work)
    result = recorded.result(config, known) if known else _made(config, spec, work, store)
    if isinstance(result, RunResult):
        _sign(result.artifact)
    results.put(store, config, result)
    return _outcome(store, path)


def _sign(artifact_: StoreRef) -> None:
    """With the key of the namespace, if it has one."""
    pem = os.environ.get(ENV_SIGNING_KEY, "")
    if not pem:
        return
    key = signing.private_key(pem)
    id_ = signing.sign(artifact_.uri, artifact_.digest, key, retry=PATIENT)
    log.info("signed", key=id_, digest=artifact_.digest)


def _made(config: RunConfig, spec: TrainingJobSpec, work: Workspace, store: Store) -> Result:
    """Judges what was trained and writes its bundle, or compares it with the one that is there."""
    config = reproduction.taken_over(config)
    schema = read_record(work.schema, Schema)
    prepared = read_record(work.prepared, Prepared)
    trained = read_record(work.trained, Trained) if work.trained.exists() else None
    parts = load_parts(work, schema)
    served = artifact.load(config, spec, work, schema, parts)
    lineage = build_lineage(config, spec, prepared, trained)
    signature, derivation = _signature(work, schema, served)
    judgement = judge(config, spec, work, schema, parts, served, prepared)
    failures: list[str] = []
    if work.tests.exists():
        cases = read_record(work.tests, Checklist)
        tested, failures = model_tests.gate(cases, served, signature, derivation, schema)
        judgement = replace(judgement, gates=(*judgement.gates, tested))
    for gate in judgement.gates:
        log.info(gate.message, gate=gate.kind, verdict=gate.verdict, required=gate.required)
    profile = baseline.build(parts.train, judgement.test_answers, schema.task, schema.classes)
    records = {
        bundle.SIGNATURE: signature,
        bundle.METRICS: judgement.metrics,
        bundle.BASELINE: profile,
        bundle.LINEAGE: lineage,
    }
    told = card.render(
        signature, judgement.metrics, lineage, profile, failures, moved=prepared.moved
    )
    folder = _write_folder(work, served, records, told)
    if config.reproduces is not None:
        return reproduction.compared(config, config.reproduces, prepared.data.digest, folder)
    uri, digest_, size = bundle.write_bundle(store, config.namespace, spec.model, folder)
    log.info("bundle written", uri=uri, digest=digest_, bytes=size)
    return RunResult(
        uid=config.uid,
        run=config.run,
        artifact=StoreRef(name=spec.model, uri=uri, digest=digest_),
        champion=config.champion,
        format=served.choice.format,
        size_bytes=size,
        signature=signature,
        metrics=judgement.metrics.values,
        old_window=judgement.metrics.old_window,
        gates=judgement.gates,
        warnings=_warnings(prepared, trained, served, judgement),
        disagreement=judgement.disagreement,
        moved=prepared.moved,
        lineage=lineage,
        code=config.code,
    )


def _signature(
    work: Workspace, schema: Schema, served: artifact.Served
) -> tuple[Signature, Derivation | None]:
    derivation = read_record(work.derivation, Derivation) if work.derivation.exists() else None
    return build_signature(schema, served.choice.threshold, derivation), derivation


def _outcome(store: Store, path: str) -> Outcome:
    """What the store says the run's result is: the truth, whoever wrote it."""
    data = store.get(path, max_bytes=results.MAX_BYTES)
    result = read_result(data)
    if not isinstance(result, RunResult):
        return Outcome(result.sentence(), path, digest(data))
    return Outcome(_summary(result), path, digest(data), result.warnings)


def _summary(result: RunResult) -> str:
    held = [gate for gate in result.gates if gate.required and gate.verdict != "Pass"]
    if held:
        return "; ".join(f"gate {gate.verdict}: {gate.message}" for gate in held)
    return ", ".join(f"{name} {value:.4g}" for name, value in result.metrics.items())


def _warnings(
    prepared: Prepared, trained: Trained | None, served: artifact.Served, judgement: Judgement
) -> tuple[str, ...]:
    every = (
        *prepared.warnings,
        *(trained.warnings if trained else ()),
        *served.choice.warnings,
        *judgement.warnings,
    )
    return tuple(dict.fromkeys(every))


def _write_folder(
    work: Workspace, served: artifact.Served, records: Mapping[str, Record], told: str
) -> Path:
    """The files of the bundle. Everything in it is a function of recipe, data and image."""
    folder = work.bundle
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in served.files:
        shutil.copyfile(work.output / name, folder / name)
    shutil.copyfile(work.row_digests, folder / bundle.ROW_DIGESTS)
    for name, path in ((bundle.DERIVED, work.derivation), (bundle.TESTS, work.tests)):
        if path.exists():
            shutil.copyfile(path, folder / name)
    for name, record in records.items():
        (folder / name).write_bytes(canonical_json(record))
    (folder / bundle.CARD).write_text(told)
    return folder
