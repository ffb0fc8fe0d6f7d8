"""Stage `fetch`, where containers prepare the rows: it brings them here, as one parquet file.

steps/0/rows.parquet    what was gathered
steps/N/rows.parquet    what the N-th container has made of it
"""

from __future__ import annotations

import pyarrow.parquet as pq

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.canonical import file_digest, hex_of
from pawl.artifacts.runs import RunConfig
from pawl.errors import DataError
from pawl.training.gather import Gathered, gather, text_columns
from pawl.training.source import SourceFile
from pawl.training.tables import read_table
from pawl.training.workspace import Fetched, Outcome, Workspace, read_record, write_record


def fetch(config: RunConfig, spec: TrainingJobSpec, work: Workspace) -> Outcome:
    """Leaves what was gathered for the first container."""
    gathered = gather(spec.data, work.root / "fetched", config)
    for number in range(len(spec.data.prepare.containers) + 1):
        folder = work.step(number)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # open to the user of a container's image
    pq.write_table(gathered.table, work.step_rows(0), compression="zstd", compression_level=1)
    record = Fetched(digest=gathered.digest, sources=gathered.sources, warnings=gathered.warnings)
    write_record(work.fetched, record)
    return Outcome(f"{gathered.table.num_rows:,} rows")


def prepared(spec: TrainingJobSpec, work: Workspace) -> Gathered:
    """What was gathered, with the rows that the last container has left. DataError when it has
    left none."""
    containers = spec.data.prepare.containers
    record, path = read_record(work.fetched, Fetched), work.step_rows(len(containers))
    name = containers[-1].name
    if path.is_symlink() or not path.is_file():
        raise DataError(f"{name} (data.prepare) left no rows.parquet in PAWL_OUTPUT_DIR")
    file = SourceFile(
        f"rows.parquet of {name}", path, "parquet", hex_of(file_digest(path)), gzip=False
    )
    table = read_table([file], text_columns(spec.data))
    return Gathered(table, record.digest, record.sources, record.warnings)
