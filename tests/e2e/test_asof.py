"""Features as of a time: computed once for all TrainingJobs of a namespace that need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from harness import Space

START = datetime(2026, 1, 1, tzinfo=UTC)


def _times(days: Any) -> Any:
    return pa.array([START + timedelta(days=int(day)) for day in days], pa.timestamp("us", "UTC"))


def _data(space: Space) -> dict[str, Any]:
    """Whether a payment fails hangs on the balance of its day; balances change every 10 days."""
    rng = np.random.default_rng(1)
    who, day = rng.integers(0, 30, 600), rng.integers(0, 100, 600)
    balances = rng.normal(0, 1, (30, 10))
    failed = balances[who, day // 10] + rng.normal(0, 0.1, 600) < 0
    payments = {
        "payment": [f"p{i}" for i in range(600)],
        "customer": [f"c{w}" for w in who],
        "at": _times(day),
        "failed": failed.tolist(),
    }
    accounts = {
        "customer": [f"c{i // 10}" for i in range(300)],
        "since": _times(np.tile(np.arange(10) * 10, 30)),
        "balance": balances.ravel(),
    }
    return {
        "uri": space.put("payments.parquet", payments),
        "task": "binary",
        "target": "failed",
        "idColumns": ["payment"],
        "timeColumn": "at",
        "ignore": ["customer"],
        "sources": [
            {
                "name": "accounts",
                "uri": space.put("accounts.parquet", accounts),
                "key": ["customer"],
                "asOf": {"time": "since"},
            }
        ],
        "derived": [{"name": "debt", "expression": "max(0 - balance, 0)"}],
    }


def _log(space: Space, job: str) -> str:
    (pod,) = space.list("Pod", f"pawl.dev/training-job={job}")
    return space.cluster.kubectl("logs", "-n", space.name, pod["metadata"]["name"], "-c", "prepare")


def test_two_trainingjobs_use_the_features_that_the_first_one_computed(space: Space):
    data = _data(space)
    estimators = ("sklearn.linear_model.LogisticRegression", "sklearn.naive_bayes.GaussianNB")
    logs, kept = [], []
    for number, estimator in enumerate(estimators):
        trainer = {"sklearn": {"estimator": estimator}}
        job = {"model": f"payments-{number}", "data": data, "trainer": trainer}
        space.create("TrainingJob", f"job-{number}", job)
        version = space.get("ModelVersion", space.trained(f"job-{number}")) or {}
        assert version["spec"]["metrics"]["roc_auc"] > 0.95  # the balance of another day is noise
        inputs = {tensor["name"] for tensor in version["spec"]["signature"]["inputs"]}
        assert inputs == {"balance"}
        logs.append(_log(space, f"job-{number}"))
        files = list((space.cluster.store / "features" / space.name).iterdir())
        kept.append([(file.name, file.stat().st_ino) for file in files])
    assert len(kept[0]) == 1
    assert kept[0] == kept[1]
    assert "features materialised before" not in logs[0]
    assert "features materialised before" in logs[1]
