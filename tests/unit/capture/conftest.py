"""A store with captured files, written as the writer writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pawl.artifacts.store import Store, open_store
from pawl.capture import names as n
from pawl.capture.tables import Column, Head, table_of

NOON = datetime(2025, 11, 26, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


@dataclass
class Lake:
    """`uri` is its folder."""

    folder: Path
    store: Store
    files: int = 0

    @property
    def uri(self) -> str:
        return self.folder.as_uri()

    def predictions(
        self,
        *rows: tuple[str, float, Any],
        label: str | None = "text",
        hashed: bool = False,
        email: str = "text",
        days: float = 0.0,
        version: str = "7",
    ) -> str:
        """Rows of id, age and email, made so many days after NOON. Gives the path."""
        head = Head(
            format=2,
            kind="predictions",
            model="churn",
            version=version,
            columns=(Column(name="age", type="number"), Column(name="email", type=email)),  # type: ignore[arg-type]
            label=Column(name=n.LABEL, type=label) if label else None,  # type: ignore[arg-type]
            value=Column(name=n.VALUE, type="number"),
            hashed=("email",) if hashed else (),
        )
        lines = [
            {"id": [id_], "t": NOON + days * DAY, "r": [0], "n": [1], "g": [None], "w": [1.0],
             "v": [[age], [mail]], "y": None, "p": [0.5], "b": b""}
            for id_, age, mail in rows
        ]  # fmt: skip
        return self._put("predictions", version, head, lines)

    def feedback(self, *told: tuple[str, Any], days: float = 1.0) -> str:
        """Truth by id."""
        head = Head(format=2, kind="feedback", model="churn")
        lines = [
            {"id": id_, "t": NOON + days * DAY, "r": 0, "n": 1, "g": None, "version": "7",
             "age": days * DAY, "truth": [truth]}
            for id_, truth in told
        ]  # fmt: skip
        return self._put("feedback", "7", head, lines)

    def _put(self, kind: n.Kind, version: str, head: Head, lines: list[Any]) -> str:
        self.files += 1
        path = n.path_of(kind, version, lines[0]["t"], f"pod-{self.files}")
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table_of(head, lines), target)
        return path

    def read(self, kind: str) -> pa.Table:
        """All rows, by id."""
        found = [pq.ParquetFile(path).read() for path in (self.folder / kind).rglob("*.parquet")]
        return pa.concat_tables(found).sort_by(n.ID)

    def ids(self, kind: str) -> list[str]:
        found: list[str] = self.read(kind).column(n.ID).to_pylist()
        return found


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    folder = tmp_path / "lake"
    return Lake(folder, open_store(folder.as_uri()))


@pytest.fixture(scope="session")
def noon() -> float:
    return NOON
