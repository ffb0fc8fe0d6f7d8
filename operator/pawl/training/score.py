"""Stage `score`, which ends a trial: its objectives on the validation rows, into the store.

The model is not converted and not kept. After the built-in trainer the values are there already
(`scored.json`): scikit-learn takes seconds to import, and `train` has it loaded anyway. When
`prepare` has found that the recipe was run on these data before, there is nothing to search: the
recorded version is the result of the run.
"""

from __future__ import annotations

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import RunConfig, TrialTask
from pawl.artifacts.store import open_store
from pawl.artifacts.trials import Scored, scored_path
from pawl.errors import ConflictError, PawlError
from pawl.training import artifact, log, recorded, results
from pawl.training.evaluate import on_validation
from pawl.training.parts import load_parts
from pawl.training.workspace import (
    Objectives,
    Outcome,
    Prepared,
    Schema,
    Workspace,
    read_record,
)


def score(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Outcome:
    """Leaves `<n>.scored.json` in the store; what an earlier try has left stands."""
    task = config.trial
    if task is None:
        raise PawlError("there is no trial to score", reason="StageOrder")
    known = recorded.noted(work)
    with open_store(config.store, retry=PATIENT) as store:
        if known is not None:
            results.put(store, config, recorded.result(config, known))
            return Outcome(f"{known.version.name} was made of the same recipe and data")
        found = _scored(config, spec, work, task)
        path = scored_path(config.uid, task.search_run, task.number)
        try:
            store.put(path, canonical_json(found))
        except ConflictError:
            log.info("another try of this trial was first", result=path)
    return Outcome(", ".join(f"{name} {value:.4g}" for name, value in found.values.items()), path)


def _scored(config: RunConfig, spec: TrainingJobSpec, work: Workspace, task: TrialTask) -> Scored:
    if work.scored.exists():
        objectives = read_record(work.scored, Objectives)
    else:
        schema = read_record(work.schema, Schema)
        parts = load_parts(work, schema)
        served = artifact.load(config, spec, work, schema, parts)
        objectives = Objectives(values=on_validation(spec, schema, served, parts))
    return Scored(
        number=task.number,
        parameters=task.parameters,
        values=objectives.values,
        data_digest=read_record(work.prepared, Prepared).data.digest,
        seconds=objectives.seconds,
    )
