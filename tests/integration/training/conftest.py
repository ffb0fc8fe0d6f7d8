"""A training pod without a cluster: its stages, with a folder of their own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_limits

from pawl.artifacts.runs import Code, KnownVersion, RunConfig, RunResult, StoreRef, Termination
from pawl.artifacts.store import Store
from pawl.training.stages import run_stage

SOURCE = Path(__file__).parents[3] / "operator"


@dataclass
class Pod:
    """One run of one recipe."""

    root: Path
    spec: dict[str, Any]
    store: str
    uid: str = "11111111-2222-3333-4444-555555555555"
    run: int = 1
    champion: StoreRef | None = None
    known: tuple[KnownVersion, ...] = ()
    threads: int = 1
    code: Code | None = None
    started_at: str = "2026-11-21T12:00:00Z"
    env: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)  # further fields of run.json
    processes: bool = False  # each stage in a process of its own, as in a real pod

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def termination(self) -> Termination:
        return Termination.model_validate_json((self.root / "termination").read_bytes())

    def environment(self) -> dict[str, str]:
        self.work.mkdir(parents=True, exist_ok=True)
        config = RunConfig(
            name="job",
            namespace="team",
            uid=self.uid,
            run=self.run,
            model=self.spec["model"],
            spec=self.spec,
            recipe_digest="sha256:" + "0" * 64,
            store=self.store,
            image="pawl/trainer:test",
            champion=self.champion,
            known=self.known,
            threads=self.threads,
            code=self.code,
            started_at=self.started_at,
            **self.more,
        )
        path = self.root / "run.json"
        path.write_text(config.model_dump_json(by_alias=True))
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "PYTHONPATH": str(SOURCE),
            "OMP_NUM_THREADS": "1",
            "PAWL_RUN_CONFIG": str(path),
            "PAWL_WORK_DIR": str(self.work),
            "PAWL_DATA_DIR": str(self.work / "data"),
            "PAWL_PARAMETERS": str(self.work / "parameters.json"),
            "PAWL_OUTPUT_DIR": str(self.work / "output"),
            "PAWL_SEED": str(self.spec.get("seed", 0)),
            "PAWL_TERMINATION_LOG": str(self.root / "termination"),
            **self.env,
        }

    def stage(self, name: Any, expect: int = 0) -> list[dict[str, Any]]:
        """Runs a stage; gives its log lines, each of which must be JSON."""
        code, out = self._in_a_process(name) if self.processes else self._here(name)
        assert code == expect, out
        return [json.loads(line) for line in out.splitlines()]

    def _in_a_process(self, name: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "pawl.training", name],
            env=self.environment()
            | ({"OMP_NUM_THREADS": str(self.threads)} if name == "train" else {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    def _here(self, name: Any) -> tuple[int, str]:
        out, before = io.StringIO(), logging.root.handlers[:]
        try:
            with contextlib.redirect_stdout(out):
                code = run_stage(name, self.environment())
        finally:
            logging.captureWarnings(False)
            logging.root.handlers[:] = before
        return code, out.getvalue()

    def all(self) -> RunResult:
        for name in ("prepare", "train", "publish"):
            self.stage(name)
        return self.result()

    def result_in(self, store: Store) -> RunResult:
        path = f"runs/{self.uid}-{self.run}/result.json"
        return RunResult.model_validate_json(store.get(path, max_bytes=1 << 20))

    def result(self) -> RunResult:
        path = Path(self.store.removeprefix("file://")) / f"runs/{self.uid}-{self.run}/result.json"
        return RunResult.model_validate_json(path.read_bytes())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a training pod; many threads on few cores cost more than they bring."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def breast_cancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The breast-cancer data set as parquet, with an id column."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    columns: dict[str, Any] = {
        str(name): column for name, column in zip(data.feature_names, data.data.T, strict=True)
    }
    columns["patient_id"] = [f"p{i:04d}" for i in range(len(data.target))]
    columns["diagnosis"] = np.array(["malignant", "benign"])[data.target]
    path = tmp_path_factory.mktemp("data") / "breast-cancer.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def recipe(breast_cancer: Path) -> dict[str, Any]:
    """A TrainingJob spec for it."""
    return {
        "model": "tumours",
        "data": {
            "uri": breast_cancer.as_uri(),
            "task": "binary",
            "target": "diagnosis",
            "positiveLabel": "malignant",
            "idColumns": ["patient_id"],
        },
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
        "seed": 7,
    }


@pytest.fixture
def store(tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri()


@pytest.fixture
def pod(tmp_path: Path, store: str) -> Callable[..., Pod]:
    """Makes pods that share a store."""
    made: list[Pod] = []

    def make(spec: dict[str, Any], **more: Any) -> Pod:
        made.append(Pod(tmp_path / f"pod-{len(made)}", spec, **{"store": store} | more))
        return made[-1]

    return make
