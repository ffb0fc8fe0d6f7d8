"""spec.data of a TrainingJob: where the rows come from, what their columns mean, how they are split
and checked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pawl.api.base import ApiModel, Column, Columns, Name, Time, Uri, cel
from pawl.api.derived import Derived, refuse_hidden
from pawl.api.duration import Duration
from pawl.api.metrics import Task
from pawl.api.preparation import Preparation

Format = Literal["auto", "csv", "parquet", "jsonl"]


class Split(ApiModel):
    """How rows are assigned to the train, validation and test parts."""

    model_config = cel(
        ("self.test + self.validation < 0.9", "test and validation must leave 10 % for training")
    )
    test: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.2, description="Share of rows that are scored once, when the model is finished."
    )
    validation: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.2, description="Share of rows on which thresholds are chosen."
    )
    strategy: Literal["hash", "time", "group"] = Field(
        "hash",
        description="hash: by the id columns, else by the row, so that a row stays in its part for "
        "every later version; time: the newest rows by timeColumn are the test rows; group: all "
        "rows of one groupColumn value go together.",
    )


class Check(ApiModel):
    """A sanity check of the data; one that fails stops the run before training."""

    model_config = cel(
        (
            "[has(self.minRows), has(self.unique) && size(self.unique) > 0, has(self.column), "
            "has(self.maxPsi)].exists_one(x, x)",
            "a check has one of minRows, unique, column and maxPsi",
        ),
        (
            "has(self.column) || !(has(self.type) || has(self.min) || has(self.max) || "
            "has(self.maxMissing) || has(self.allowed) || has(self.pattern) || "
            "has(self.notBefore) || has(self.notAfter) || has(self.maxAge))",
            "only minRows, unique and maxPsi do without a column",
        ),
        (
            "!has(self.pattern) || ''.matches(self.pattern) in [true, false]",
            "pattern must be a regular expression (RE2)",
        ),
    )
    min_rows: Annotated[int, Field(ge=1)] | None = Field(
        None, description="The data must have at least this many rows."
    )
    unique: Annotated[tuple[Column, ...], Field(max_length=8)] = Field(
        (), description="No two rows may have the same values in these columns."
    )
    max_psi: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="No feature may have moved farther since the champion was trained: the "
        "population stability index of the training rows against its baseline.",
    )
    column: Column | None = Field(None, description="The column that is checked.")
    type: Literal["number", "string", "boolean", "datetime"] | None = Field(
        None, description="What the values must be."
    )
    min: float | None = Field(None, description="No value may be below.")
    max: float | None = Field(None, description="No value may be above.")
    max_missing: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Largest share of missing values."
    )
    allowed: Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=256)] = (
        Field((), description="The only values there may be.")
    )
    pattern: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="A regular expression (RE2) that whole values must match."
    )
    not_before: Time | None = Field(None, description="No date may be before.")
    not_after: Time | None = Field(None, description="No date may be after.")
    max_age: Duration | None = Field(
        None, description="The newest date may be so much older than the start of the run."
    )


class AsOf(ApiModel):
    """The newest row of the key that is not after the row's own data.timeColumn."""

    time: Column = Field(description="Of the source: since when its row holds.")
    max_age: Duration | None = Field(
        None, description="An older row is no match; default: any age."
    )


class Source(ApiModel):
    """Columns from elsewhere, joined to the rows of data.uri by key: at most one row a key, or the
    one that held at the time of the row."""

    name: Name = Field(description="What messages call it.")
    uri: Uri = Field(description="As data.uri.")
    format: Format = Field("auto", description="auto goes by the file name.")
    key: Annotated[tuple[Column, ...], Field(min_length=1, max_length=8)] = Field(
        description="The key: columns of these names here and there, compared as text."
    )
    how: Literal["left", "inner"] = Field(
        "left", description="left keeps rows without a match, inner leaves them out."
    )
    columns: Columns = Field(
        (), description="Those that are joined; default: all but the key and asOf.time."
    )
    as_of: AsOf | None = Field(
        None, description="A key has a row for each time that its values have changed."
    )


class Labels(ApiModel):
    """Labels of several annotators: how far they agree, and what most of them say."""

    model_config = cel(
        (
            "self.annotators.all(a, self.annotators.exists_one(b, a == b))",
            "each annotator's column once",
        ),
    )
    annotators: Annotated[tuple[Column, ...], Field(min_length=2, max_length=20)] = Field(
        description="A column of labels each; missing where one gave none. They are no features."
    )
    min_kappa: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="The lower 95 % bound of their agreement beyond chance (Cohen's kappa of two, "
        "Fleiss' of more) must be at least this, else nothing is trained.",
    )
    aggregate: Literal["majority"] | None = Field(
        None,
        description="How data.target is made of them. majority: the label given most often; rows "
        "with a tie are left out. Default: data.target is a column of the data.",
    )


class Data(ApiModel):
    """Where the rows come from and what their columns mean."""

    model_config = cel(
        (
            "!(has(self.features) && size(self.features) > 0 && has(self.ignore) && "
            "size(self.ignore) > 0)",
            "give features or ignore, not both",
        ),
        (
            "!has(self.pin) || self.pin != 'version' || (self.uri.startsWith('s3://') && "
            "(!has(self.sources) || self.sources.all(s, s.uri.startsWith('s3://'))))",
            "pin version is for s3:// only; use snapshot",
        ),
        (
            "!has(self.positiveLabel) || self.task == 'binary'",
            "positiveLabel is for task binary",
        ),
        (
            "!has(self.split) || self.split.strategy != 'time' || has(self.timeColumn)",
            "split.strategy time needs timeColumn",
        ),
        (
            "!has(self.split) || self.split.strategy != 'group' || has(self.groupColumn)",
            "split.strategy group needs groupColumn",
        ),
        (
            "!has(self.sources) || has(self.timeColumn) || !self.sources.exists(s, has(s.asOf))",
            "asOf needs timeColumn: when did the row happen?",
        ),
        (
            "!has(self.features) || !(self.target in self.features)",
            "the target cannot be a feature",
        ),
        (
            "!has(self.features) || !has(self.sensitive) || "
            "!self.sensitive.exists(c, c in self.features)",
            "a sensitive column is kept out of the features; take it out of one of the lists",
        ),
        (
            "!has(self.labels) || self.task != 'regression'",
            "labels of annotators are for classification",
        ),
        (
            "!has(self.labels) || !has(self.features) || "
            "!self.labels.annotators.exists(c, c in self.features)",
            "the label of an annotator cannot be a feature",
        ),
        (
            "!has(self.labels) || !has(self.labels.aggregate) || "
            "!(self.target in self.labels.annotators)",
            "labels.aggregate makes the target; give it a name that no annotator has",
        ),
    )
    uri: Uri = Field(
        description="file, s3, http(s): one file, a folder or a glob of csv, parquet or JSON lines."
    )
    format: Format = Field("auto", description="auto goes by the file name.")
    sources: Annotated[tuple[Source, ...], Field(max_length=8)] = Field(
        (),
        description="Further columns, joined by key in this order, before anything else is done.",
    )
    prepare: Preparation = Preparation()
    pin: Literal["none", "snapshot", "version"] = Field(
        "none",
        description="How what a run reads is kept, so that it can be read again. snapshot: the "
        "files are copied into the artifact store, each content once; version: the S3 version ids "
        "are recorded. A change of it starts no run.",
    )
    task: Task = Field(description="What is predicted.")
    target: Column = Field(description="The column that is predicted.")
    labels: Labels | None = None
    positive_label: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="The value of target whose probability is meant; default: the greater."
    )
    features: Columns = Field(
        (),
        description="Columns the model sees; default: all but target, sensitive and those named "
        "below.",
    )
    ignore: Columns = Field((), description="Columns the model does not see.")
    id_columns: Columns = Field(
        (), description="They identify a row, decide its part, and are never features."
    )
    time_column: Column | None = Field(None, description="When the row happened; no feature.")
    group_column: Column | None = Field(None, description="Rows that belong together; no feature.")
    weight_column: Column | None = Field(None, description="Weight of the row; no feature.")
    sensitive: Columns = Field(
        (), description="Kept out of the features; a warning says when they can be predicted."
    )
    split: Split = Split()
    checks: Annotated[tuple[Check, ...], Field(max_length=64)] = ()
    derived: Annotated[
        tuple[Derived, ...],
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = Field(
        (),
        description="Features computed from the columns, in training and by the server. They are "
        "features like columns: all of them, or those that `features` names, less `ignore`.",
    )

    @model_validator(mode="after")
    def _derived_show_nothing_hidden(self) -> Self:
        hidden = dict.fromkeys(self.id_columns, "an id column")
        hidden |= dict.fromkeys(self.sensitive, "sensitive")
        if self.labels is not None:
            hidden |= dict.fromkeys(self.labels.annotators, "an annotator's label")
        refuse_hidden(self.derived, hidden | {self.target: "the target"})
        return self

    @property
    def uris(self) -> dict[str, str]:
        """Every URI that is read, by the field that names it."""
        joined = {f"data.sources[{i}].uri": s.uri for i, s in enumerate(self.sources)}
        return {"data.uri": self.uri, **joined}
