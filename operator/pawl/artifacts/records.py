"""What is written in JSON into a bundle: one frozen record per file.

Bundle layout (`<store>/bundles/<namespace>/<model>/<hex of the manifest's digest>/`):

    manifest.json   Manifest: name, size and sha256 of every other file; its own sha256 is the
                    digest of the bundle
    model.onnx      and/or model.skops; never a pickle
    signature.json  Signature
    metrics.json    Metrics
    baseline.json   Baseline: what held-out rows looked like, as bins and counts
    derived.json    derivation.Derivation, of a model with derived features
    tests.json      checklist.Checklist, of a model with behavioural tests
    lineage.json    Lineage (a *pure* function of recipe, data and image: no run identity, no time,
                    so the same training gives the same digest twice)
    card.md         for people

Records are camelCase in JSON and ignore fields they do not know, so an older server reads a
newer bundle; `formatVersion` changes when that would be wrong.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

FORMAT_VERSION = 1

Task = Literal["binary", "multiclass", "regression"]
#: Open Inference Protocol v2 tensor datatypes.
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
Verdict = Literal["Pass", "Fail", "Inconclusive", "Error"]


class Record(BaseModel):
    """A frozen JSON record."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )


class File(Record):
    """One file of a bundle."""

    name: str
    size_bytes: int
    sha256: str  # lower-case hex


class Manifest(Record):
    """The table of contents of a bundle; serialised canonically (sorted keys, no spaces)."""

    format_version: int = FORMAT_VERSION
    files: tuple[File, ...]


class Tensor(Record):
    """An input or output as the protocol names it. In `shape`, -1 is the batch."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class Signature(Record):
    """What a served model takes and gives.

    `layout` says how the graph is fed:
    * `tabular`: `inputs` are columns, each of shape [-1]. The ONNX graph has the inputs `numeric`
      (double [N, k]; NaN is missing) and/or `categorical` (string [N, m]; "" is missing), whose
      columns are `numeric` and `categorical` below, in that order. Its outputs are `label` and
      `probabilities` [N, C] (classification) or `prediction` [N] or [N, 1] (regression). The skops
      engine is given a DataFrame with the columns in the order of `inputs`: numeric and boolean
      ones as float64 (NaN is missing; 0 and 1 for booleans), categorical ones as str ("" is
      missing). Column i of `probabilities` belongs to `classes[i]`; `label`, where a graph has
      it, is the index into `classes`, decided without the threshold: servers go by
      `probabilities`.
      A client may also send all numeric columns as one matrix input named `input` [N, k].
    * `tensor`: `inputs` are the graph's own, by name (imported ONNX models).

    With derived features (`derivation`), `inputs` are the columns that a client sends, and
    `numeric` and `categorical` are the features; the skops engine is given them in that order.

    For `binary`, `threshold` is applied by the server to the probability of `classes[1]`.
    """

    task: Task | None = None
    layout: Literal["tabular", "tensor"] = "tabular"
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    classes: tuple[str | int | float | bool, ...] = ()
    threshold: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of layout `tabular`: the features in the order that scikit-learn knows."""
        names = tuple(tensor.name for tensor in self.inputs)
        features = (*self.numeric, *self.categorical)
        return names if set(names) == set(features) else features


class Metrics(Record):
    """Scores of the artifact that will be served, on the held-out test rows."""

    rows: int
    values: dict[str, float]
    dummy: dict[str, float]  # the same metrics of a model that ignores the features
    validation: dict[str, float] = {}
    old_window: OldWindow | None = None
    agreement: Agreement | None = None
    proxies: tuple[Proxy, ...] = ()
    slices: tuple[SliceScore, ...] = ()
    importance: tuple[Importance, ...] = ()  # on validation rows, most important first


class SliceScore(Record):
    """A metric on the test rows with one value of a column, with its 95 % interval: None where
    there are too few rows. `positive` is the share of positive answers, of a binary model."""

    column: str
    value: str
    rows: int
    metric: str
    score: float | None = None
    interval: tuple[float, float] | None = None
    positive: float | None = None


class Importance(Record):
    """By how much a metric gets worse when a feature's column is shuffled: mean and standard
    deviation of several shuffles."""

    feature: str
    drop: float
    spread: float


class Proxy(Record):
    """How well the features predict a sensitive column, cross-validated on training rows: the AUC
    of `value` against the rest, or of a number the share of its variance that is explained."""

    column: str
    measure: Literal["roc_auc", "r2"]
    value: str | None = None
    estimate: float
    interval: tuple[float, float]  # 95 %
    rows: int


class Agreement(Record):
    """How far the annotators of data.labels agree beyond chance: Cohen's kappa of two, Fleiss' of
    more, over the rows with two labels at least. They differ on `disputed` of these; `tied` have no
    label that is given most often, and were left out where the target is made of the labels."""

    annotators: int
    kappa: float
    interval: tuple[float, float]  # 95 %
    rows: int
    disputed: int
    tied: int | None = None


class OldWindow(Record):
    """After a retrain, whose test rows are the newest: scores on held-out rows from before, and
    the champion's on the same rows."""

    rows: int
    values: dict[str, float]
    champion: dict[str, float] = {}


class NumericBaseline(Record):
    """Quantile bins with open ends. len(counts) == len(edges) + 1, bin i is
    (edges[i-1], edges[i]]; `fine_sums[i]` is the sum of the values in fine bin i."""

    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    fine_edges: tuple[float, ...]
    fine_counts: tuple[int, ...]
    fine_sums: tuple[float, ...]
    minimum: float
    maximum: float
    missing: int


class CategoryBaseline(Record):
    """A table of the frequent categories; everything else known counts as `other`."""

    name: str
    categories: tuple[str, ...]
    counts: tuple[int, ...]
    other: int
    missing: int


class Baseline(Record):
    """What the data looked like: features over the training rows, predictions over held-out rows
    only (training rows would look like drift)."""

    rows: int
    numeric: tuple[NumericBaseline, ...] = ()
    categorical: tuple[CategoryBaseline, ...] = ()
    prediction_rows: int
    prediction: NumericBaseline | CategoryBaseline  # score (binary, regression) or class counts


class Window(Record):
    """How a retrain cuts rows by time (ISO 8601): trained on before `embargo`, in no part from
    there to `start`, test rows from `start` to `end`."""

    embargo: str
    start: str
    end: str


class SourceLineage(Record):
    """What was joined to the rows."""

    name: str
    uri: str  # credentials redacted
    digest: str


class DataLineage(Record):
    """What was read. `digest` is over content, not over names or times, and covers `sources`.
    `newest` is the time of the newest row of any part, those of the future aside."""

    uri: str  # credentials redacted
    digest: str
    rows: int
    train_rows: int
    validation_rows: int
    test_rows: int
    newest: str | None = None
    window: Window | None = None
    sources: tuple[SourceLineage, ...] = ()
    pin: Literal["snapshot", "version"] | None = None  # `artifacts.pins` has it, by the digest


class SearchLineage(Record):
    """The search that chose the parameters: `trial` of `trials` was the best, by `values` on
    validation rows. `digest` is of what all trials tried and gave, without times."""

    algorithm: str
    objectives: dict[str, Literal["maximize", "minimize"]]
    trials: int
    trial: int
    values: dict[str, float]
    digest: str


class StepLineage(Record):
    """A step of data.prepare: a container by its image, or a function by its version."""

    name: str
    image: str | None = None
    version: int | None = None


class Lineage(Record):
    """How a model came to be; no run identity in it (see the module docstring)."""

    data: DataLineage
    preparation: tuple[StepLineage, ...] = ()
    recipe_digest: str
    #: The recipe fields of the TrainingJob that are not their defaults, with the parameters that
    #: its search chose and without that search; values of a container's `env` are left out.
    recipe: dict[str, Any] = {}
    trainer: dict[str, Any]
    parameters: dict[str, Any]
    seed: int
    search: SearchLineage | None = None
    image: str
    threads: int = 1  # that the trainer computed with: more give other last digits
    environment: dict[str, str]  # distribution -> version, of what decides the result
    environment_digest: str
    # Name of the bundle's file with the sorted 64-bit hashes (.npy, uint64) of the rows that the
    # trainer was given (train and validation), and the columns that were hashed.
    training_row_digests: str | None = None
    training_row_columns: tuple[str, ...] = ()
