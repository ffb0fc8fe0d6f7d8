"""The folder that the stages of a training pod share, and the records they leave each other.

data/        train.parquet, validation.parquet, schema.json   (the file contract)
parameters.json                                               (the file contract)
output/      model.onnx or model.skops                        (the file contract)
steps/       0/rows.parquet, 1/rows.parquet, …                (the file contract)
fetched.json                                                  of `fetch`, for `prepare`
held-out/    test.parquet, old.parquet, prepared.json, rows.npy, folds.npy, trained.json or, of
             a trial, scored.json; or recorded.json; derived.json, if there are
             derived features; tests.json, if there are model tests
bundle/      what publish uploads
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import Agreement, DataLineage, Proxy, Record, SourceLineage, Task
from pawl.artifacts.runs import (
    WORK_DATA,
    WORK_HELD_OUT,
    WORK_OUTPUT,
    WORK_PARAMETERS,
    WORK_STEPS,
    Moved,
)
from pawl.errors import PawlError, UserError

Kind = Literal["numeric", "boolean", "categorical"]
Label = bool | int | float | str
R = TypeVar("R", bound=Record)
#: The encoded target in test.parquet, beside all columns of the source.
ENCODED_TARGET = "__pawl_target__"


class Feature(Record):
    """A column that the model sees."""

    name: str
    kind: Kind


class Schema(Record):
    """schema.json: what the columns of train.parquet and validation.parquet mean.

    Numeric features are float64 and boolean ones float64 0 and 1 (null is missing), categorical
    ones strings (null is missing); `features` lists categorical ones last. A classification
    target is the index into `classes`; for binary `classes[1]` is the positive one. `weight` is
    a float64 column or null.
    """

    task: Task
    target: str
    classes: tuple[Label, ...] = ()
    features: tuple[Feature, ...]
    weight: str | None = None

    @property
    def numeric(self) -> tuple[str, ...]:
        """Columns of the matrix `numeric`: numbers and booleans, in order."""
        return tuple(f.name for f in self.features if f.kind != "categorical")

    @property
    def categorical(self) -> tuple[str, ...]:
        """Columns of the matrix `categorical`, in order."""
        return tuple(f.name for f in self.features if f.kind == "categorical")


class Fetched(Record):
    """What `fetch` found out, for `prepare`."""

    digest: str
    sources: tuple[SourceLineage, ...]
    warnings: tuple[str, ...]


class Prepared(Record):
    """What `prepare` found out, for `publish`."""

    data: DataLineage
    row_columns: tuple[str, ...]  # the columns whose hash identifies a row
    row_columns_are_ids: bool
    agreement: Agreement | None = None
    moved: Moved | None = None
    proxies: tuple[Proxy, ...] = ()
    warnings: tuple[str, ...] = ()


class Objectives(Record):
    """What a trial gave: the objectives, on the validation rows, and the seconds of the fit, which
    only the built-in trainer tells."""

    values: dict[str, float]
    seconds: float | None = None


class Trained(Record):
    """What the built-in trainer says, for `publish`. Absent after a container trainer."""

    parameters: dict[str, Any]
    fit_seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage leaves beside its files."""

    message: str = ""
    result: str | None = None
    digest: str | None = None
    warnings: tuple[str, ...] = ()
    reason: str = "Completed"
    exit_code: int = 0
    validator: str | None = None


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below PAWL_WORK_DIR."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / WORK_DATA

    @property
    def parameters(self) -> Path:
        return self.root / WORK_PARAMETERS

    @property
    def output(self) -> Path:
        return self.root / WORK_OUTPUT

    @property
    def held_out(self) -> Path:
        return self.root / WORK_HELD_OUT

    @property
    def bundle(self) -> Path:
        return self.root / "bundle"

    @property
    def fetched(self) -> Path:
        return self.root / "fetched.json"

    def step(self, number: int) -> Path:
        """Where the rows are after so many containers of `data.prepare`."""
        return self.root / WORK_STEPS / str(number)

    def step_rows(self, number: int) -> Path:
        return self.step(number) / "rows.parquet"

    @property
    def schema(self) -> Path:
        return self.data / "schema.json"

    @property
    def prepared(self) -> Path:
        return self.held_out / "prepared.json"

    @property
    def trained(self) -> Path:
        return self.held_out / "trained.json"

    @property
    def served(self) -> Path:
        return self.held_out / "served.json"

    @property
    def scored(self) -> Path:
        return self.held_out / "scored.json"

    @property
    def recorded(self) -> Path:
        return self.held_out / "recorded.json"

    @property
    def derivation(self) -> Path:
        return self.held_out / "derived.json"

    @property
    def tests(self) -> Path:
        return self.held_out / "tests.json"

    @property
    def folds(self) -> Path:
        return self.held_out / "folds.npy"

    @property
    def row_digests(self) -> Path:
        return self.held_out / "rows.npy"

    def part(self, name: str) -> Path:
        """The parquet file of a part (`split.PARTS`)."""
        given = name in ("train", "validation")
        return (self.data if given else self.held_out) / f"{name}.parquet"

    def fresh(self) -> None:
        """Makes the folders, empty: an earlier try of this pod may have left files in them. The
        output is open to the user of a container trainer's image."""
        for folder in (self.data, self.output, self.held_out):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.output.chmod(0o777)


def write_record(path: Path, record: Record) -> None:
    """Writes a record whole or not at all."""
    scratch = path.with_name(path.name + ".part")
    scratch.write_bytes(canonical_json(record))
    scratch.replace(path)


def read_record(path: Path, kind: type[R]) -> R:
    """Reads a record that an earlier stage left."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise PawlError(
            f"{path.name} is missing: the stage before this one did not finish",
            reason="StageOrder",
        ) from error
    except ValidationError as error:
        raise UserError(f"{path.name} is not readable: {error.errors()[0]['msg']}") from error
