"""Records what a release leaves in a cluster: tests/fixtures/releases/<version>/*.yaml.

Done once, when a release is made: `PAWL_RECORD_RELEASE=1 pytest tests/e2e/test_releases.py`. Later
releases are held against it (tests/unit/test_releases.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import recipes
import yaml
from clusters import EmbeddedCluster
from harness import Space, columns_body
from load import Load
from trial import QUICK, canary, pawl

from pawl import __version__
from pawl.constants import VERSION

FOLDER = Path(__file__).parents[1] / "fixtures/releases" / f"{VERSION}-{__version__}"
KINDS = ("TrainingJob", "ModelVersion", "Deployment", "Job", "Workload", "Service", "ConfigMap")
MODEL = "cancer"
SPEC: dict[str, Any] = {
    "model": MODEL,
    "replicas": 1,
    "routing": {"replicas": 1},
    "rollout": {"canary": canary((30, "1h")), "decision": QUICK},
    "drift": {"window": "1h", "minSamples": 100, "action": "retrain"},
    "retrain": {"from": "job-1", "cooldown": "1h"},
}


@pytest.mark.skipif(not os.environ.get("PAWL_RECORD_RELEASE"), reason="only when a release is made")
def test_record(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    gates = {"metrics": ["roc_auc"], "gates": [{"metric": "roc_auc", "min": 0.8}]}
    jobs = [recipes.sklearn_job(uri, seed=seed, evaluation=gates) for seed in (1, 2, 3)]
    space.create("TrainingJob", "job-1", jobs[0])
    space.create("Deployment", MODEL, SPEC)
    space.serving(MODEL, space.trained("job-1"))
    body = columns_body({name: float(rows[name][0]) for name in recipes.FEATURES})
    where = (f"mdep/{MODEL}", "-n", space.name)
    with Load(space.url(MODEL), MODEL, body):
        space.create("TrainingJob", "job-2", jobs[1])
        _on_trial(space, 2)
        pawl(space.cluster, "abort", *where, "-m", "for the record")
        space.until("Deployment", MODEL, lambda s: bool(s.get("rolledBack")))
        space.create("TrainingJob", "job-3", jobs[2])
        _on_trial(space, 3)
        pawl(space.cluster, "pause", *where)
        space.until("Deployment", MODEL, lambda s: "pausedAt" in (s.get("rollout") or {}))
        found = {kind: space.list(kind, _selector(kind)) for kind in KINDS}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind, items in found.items():
        text = yaml.safe_dump_all(map(_stored, items), sort_keys=False, width=100)
        (FOLDER / f"{kind.lower()}s.yaml").write_text(_anywhere(text, space))


def _on_trial(space: Space, number: int) -> None:
    def judged(status: dict[str, Any]) -> bool:
        state = status.get("rollout") or {}
        candidate = state.get("candidate") == f"{MODEL}-v{number}"
        return candidate and state.get("stepSamples", 0) > 20 and "stepStartedAt" in state

    space.until("Deployment", MODEL, judged)


def _selector(kind: str) -> str:
    """A namespace has ConfigMaps and Services of others too."""
    return "app.kubernetes.io/managed-by=pawl" if kind in KINDS[3:] else ""


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    """As it is stored, without what the API server alone looks after."""
    item["metadata"].pop("managedFields", None)
    return item


def _anywhere(text: str, space: Space) -> str:
    """Without the place where it happened to run."""
    assert isinstance(space.cluster, EmbeddedCluster)
    return text.replace(str(space.cluster.data), "/pawl").replace(space.name, "ml")
