"""What a run is told, and what it tells: records of run.json, result.json, the trials of a search
and termination messages, in JSON as those of bundles (`records`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import TypeAdapter

from pawl.artifacts.records import (
    FORMAT_VERSION,
    Lineage,
    OldWindow,
    Record,
    SearchLineage,
    Signature,
    Verdict,
    Window,
)

# Names below PAWL_WORK_DIR, the workspace that the stages of a training pod share. The file
# contract (docs/file-contract.md) promises the first three to a container trainer.
WORK_DATA = "data"  # = PAWL_DATA_DIR: train.parquet, validation.parquet, schema.json
WORK_PARAMETERS = "parameters.json"  # = PAWL_PARAMETERS
WORK_OUTPUT = "output"  # = PAWL_OUTPUT_DIR: model.onnx or model.skops
WORK_STEPS = "steps"  # N/rows.parquet: the rows after N containers of data.prepare
WORK_HELD_OUT = "held-out"  # test rows and bookkeeping: for publish only


class Code(Record):
    """The source that trained a model: a repository (credentials redacted) and a revision."""

    repo: str
    revision: str


class StoreRef(Record):
    """A bundle in the store."""

    name: str
    uri: str
    digest: str


class KnownVersion(Record):
    """A version that the same recipe gave before, and for which data."""

    version: StoreRef
    data_digest: str
    window: Window | None = None


class TrialTask(Record):
    """What a trial's pod is told beside run.json, as JSON in PAWL_TRIAL. `search_run` is the run in
    which the search began, `data_digest` what the data must have, once a trial has seen them;
    `steps` asks the built-in trainer for values on the way. `beside` are the trials that were under
    way when it was asked for."""

    number: int
    search_run: int
    parameters: dict[str, Any]
    data_digest: str | None = None
    steps: bool = False
    beside: tuple[int, ...] = ()


class Seen(Record):
    """What a look at the data found, for the next one, as JSON in PAWL_SEEN: what the sources told
    of their files, and the digest of the content that these had."""

    validator: str
    digest: str


class RunConfig(Record):
    """run.json: all that a training pod is told. An annotation of it (core.manifests.training)."""

    name: str
    namespace: str
    uid: str
    run: int
    started_at: str  # the run's, ISO 8601: a pod that is repeated takes the same rows
    model: str
    spec: dict[str, Any]  # TrainingJob.spec with its defaults filled in
    recipe_digest: str
    store: str
    image: str
    threads: int = 1  # OMP_NUM_THREADS of `train`
    code: Code | None = None
    champion: StoreRef | None = None
    known: tuple[KnownVersion, ...] = ()
    #: The version that is made again, to be compared with what comes of it, and how its rows were
    #: cut, if it is of a retrain.
    reproduces: StoreRef | None = None
    window: Window | None = None
    #: What the data must have, where they are known: those that the trials of a search saw, or
    #: those of the version that is made again. Then, of a search: what it found, and which trial
    #: this is.
    data_digest: str | None = None
    search: SearchLineage | None = None
    trial: TrialTask | None = None
    seen: Seen | None = None
    allowed_estimators: tuple[str, ...] = ()


class SliceResult(Record):
    """One slice of a gate, or one group's rate. `value` is None where it is not judged."""

    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    n: int
    verdict: Verdict


class GateResult(Record):
    """One gate, decided. `interval` is at 95 % and belongs to `value` (a difference for champion
    gates). `slices` are by the values of `column`, the worst first."""

    metric: str
    kind: Literal["min", "max", "champion", "dummy"]
    required: bool
    limit: float
    value: float | None
    interval: tuple[float, float] | None = None
    n: int
    verdict: Verdict
    message: str
    column: str | None = None
    slices: tuple[SliceResult, ...] = ()


class Disagreement(Record):
    """How often the version and the champion then gave different labels, on the test rows that
    neither was trained on: what a shadow of it is expected to show."""

    version: str
    digest: str
    rows: int
    share: float


class Move(Record):
    """How far a feature has moved: its population stability index (`training.moved`)."""

    feature: str
    psi: float


class Moved(Record):
    """How far the features have moved since the champion then was trained: `features` of the
    `compared` ones, the farthest first."""

    version: str
    digest: str
    compared: int
    features: tuple[Move, ...]


class RunResult(Record):
    """`runs/<uid>-<run>/result.json`: what a run gave, put if absent. The termination message
    carries only its digest."""

    format_version: int = FORMAT_VERSION
    uid: str
    run: int
    #: Recorded: the recipe and the data gave `artifact` before; nothing was trained.
    outcome: Literal["Succeeded", "Recorded"] = "Succeeded"
    artifact: StoreRef
    #: With which it was compared.
    champion: StoreRef | None = None
    format: Literal["onnx", "skops"]
    size_bytes: int
    signature: Signature
    metrics: dict[str, float]
    old_window: OldWindow | None = None
    gates: tuple[GateResult, ...] = ()
    warnings: tuple[str, ...] = ()
    disagreement: Disagreement | None = None
    moved: Moved | None = None
    lineage: Lineage
    code: Code | None = None  # not in the lineage: another commit may train the same model


class NoNewData(Record):
    """result.json of a run that found the data that had been trained on before, or too few new
    rows with a label (`message`), and trained nothing. `RunResult` does not read it, nor it a
    `RunResult`."""

    format_version: int = FORMAT_VERSION
    uid: str
    run: int
    outcome: Literal["NoNewData"] = "NoNewData"
    data_digest: str
    message: str = ""

    def sentence(self) -> str:
        """For the user."""
        short = self.data_digest[:19]  # sha256: and twelve digits
        why = self.message or f"the data have not changed since {short} was trained on"
        return f"{why}; nothing was trained"


class Compared(Record):
    """A file of a bundle, as it was and as it came out again: sha256, None where there is none."""

    name: str
    expected: str | None
    found: str | None

    @property
    def same(self) -> bool:
        """Bit by bit."""
        return self.expected == self.found


class Reproduction(Record):
    """result.json of a run that made `version` again: every file of both bundles. Neither
    `RunResult` nor `NoNewData` reads it."""

    format_version: int = FORMAT_VERSION
    uid: str
    run: int
    outcome: Literal["Reproduced", "Differs"]
    version: StoreRef
    data_digest: str
    files: tuple[Compared, ...]

    def sentence(self) -> str:
        """For the user."""
        other = [file.name for file in self.files if not file.same]
        if not other:
            return f"{self.version.name} is reproduced: all {len(self.files)} files are the same"
        return (
            f"{self.version.name} is not reproduced: {', '.join(other)} "
            f"{'differs' if len(other) == 1 else 'differ'}, of {len(self.files)} files"
        )


Result = RunResult | NoNewData | Reproduction


def read_result(data: bytes) -> Result:
    """result.json. ValidationError when it is none."""
    return _RESULT.validate_json(data)


_RESULT: TypeAdapter[Result] = TypeAdapter(Result)


class Termination(Record):
    """A stage's termination message (<= 1 KiB): how it ended, and where its result is."""

    stage: Literal["fetch", "prepare", "train", "score", "publish", "digest"]
    reason: str = "Completed"
    message: str = ""
    result: str | None = None  # path in the store
    digest: str | None = None  # of result.json, or of the data
    validator: str | None = None  # of the data
    warnings: tuple[str, ...] = ()


class LastWords(Record):
    """A server's termination message: why it has no model to serve. `Termination` reads as one."""

    reason: str
    message: str
