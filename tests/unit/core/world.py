"""A small cluster for planner tests: it keeps objects, carries plans out, and can die in the
middle of one."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pawl.artifacts.records import DataLineage, Lineage, Signature, Tensor
from pawl.artifacts.runs import GateResult, NoNewData, RunResult, StoreRef
from pawl.core.installation import Images, Installation
from pawl.core.manifests.training import configuration
from pawl.core.modelversion import ModelVersionObserved, Verification, plan_model_version
from pawl.core.plan import (
    Apply,
    ClaimNumber,
    Create,
    Delete,
    Event,
    MergePatch,
    Plan,
    RecordDecision,
)
from pawl.core.trainingjob import TrainingJobObserved, plan_training_job

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
INSTALLATION = Installation(
    id="test",
    store="file:///store",
    images=Images("pawl/server:1", "pawl/server-sklearn:1", "pawl/trainer:1", "pawl/router:1"),
)
DIGEST = "sha256:" + "ab" * 32
Key = tuple[str, str]


class OperatorDiedError(Exception):
    """Thrown in the middle of a plan."""


class ConflictError(Exception):
    """409."""


def training_job(name: str = "churn-nov", uid: str = "uid-1", **spec: Any) -> dict[str, Any]:
    """A TrainingJob as the API server would return it."""
    return {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {
            "name": name,
            "namespace": "ml",
            "uid": uid,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-21T12:00:00Z",
        },
        "spec": {
            "model": "churn",
            "data": {"uri": "s3://lake/x.parquet", "task": "binary", "target": "churned"},
            "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
            **spec,
        },
    }


def run_result(uid: str = "uid-1", run: int = 1, **changes: Any) -> RunResult:
    """What publish leaves in the store."""
    values: dict[str, Any] = {
        "uid": uid,
        "run": run,
        "artifact": StoreRef(name="churn", uri=f"file:///store/b/{uid}-{run}", digest=DIGEST),
        "format": "onnx",
        "size_bytes": 1000,
        "signature": Signature(
            inputs=(Tensor(name="a", datatype="FP64", shape=(-1,)),),
            outputs=(Tensor(name="label", datatype="INT64", shape=(-1,)),),
        ),
        "metrics": {"roc_auc": 0.9},
        "gates": (
            GateResult(
                metric="roc_auc", kind="min", required=True, limit=0.8, value=0.9, n=100,
                verdict="Pass", message="0.9 >= 0.8",
            ),
        ),
        "lineage": Lineage(
            data=DataLineage(
                uri="s3://lake/x.parquet", digest=DIGEST, rows=100, train_rows=60,
                validation_rows=20, test_rows=20,
            ),
            recipe_digest=DIGEST,
            trainer={},
            parameters={},
            seed=0,
            image="pawl/trainer:1",
            environment={},
            environment_digest=DIGEST,
        ),
    }  # fmt: skip
    return RunResult(**values | changes)


@dataclass
class World:
    """Objects by (kind, name), the store's records, and the events that were told."""

    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, RunResult | NoNewData] = field(default_factory=dict)
    claims: dict[int, str] = field(default_factory=dict)
    decisions: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    pods: list[dict[str, Any]] = field(default_factory=list)
    poll_pods: list[dict[str, Any]] = field(default_factory=list)
    versions_made: int = 0
    clock: datetime = NOW
    _revision: int = 1

    def add(self, item: dict[str, Any]) -> None:
        self._revision += 1
        item["metadata"].setdefault("uid", f"uid-{self._revision}")
        item["metadata"]["resourceVersion"] = str(self._revision)
        if item["kind"] == "ModelVersion":  # its planner has looked at it
            item.setdefault("status", {"observedGeneration": 1})
        self.objects[(item["kind"], item["metadata"]["name"])] = item

    def of(self, kind: str) -> tuple[dict[str, Any], ...]:
        return tuple(item for (k, _), item in self.objects.items() if k == kind)

    def deployments(self) -> tuple[dict[str, Any], ...]:
        """Pawl's, not those of apps/v1."""
        return tuple(i for i in self.of("Deployment") if i["apiVersion"].startswith("pawl.dev"))

    def status(self, kind: str, name: str) -> dict[str, Any]:
        return self.objects[(kind, name)].get("status", {})

    # -- carrying out ------------------------------------------------------------------------

    def carry_out(self, item: Mapping[str, Any], plan: Plan, die_after: int | None = None) -> None:
        """The executor's order; `die_after` n writes the operator is no more."""
        writes = 0

        def written() -> None:
            nonlocal writes
            writes += 1
            if die_after is not None and writes > die_after:
                raise OperatorDiedError

        for action in plan.actions:
            written()
            self._act(action)
        key = (item["kind"], item["metadata"]["name"])
        if plan.status is not None and plan.status != item.get("status"):
            written()
            live = self.objects[key]
            if live["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                raise ConflictError
            self.add({**live, "status": copy.deepcopy(dict(plan.status))})
        written()
        self.events += plan.events
        for action in plan.afterwards:
            self._act(action)

    def _act(self, action: Any) -> None:
        match action:
            case Apply(item):
                key = (item["kind"], item["metadata"]["name"])
                old = self.objects.get(key, {"metadata": {}})
                meta = {**old["metadata"], **item["metadata"]}
                new = {**old, **copy.deepcopy(dict(item)), "metadata": meta}
                if new != old:
                    self.add(new)
            case Create(item):
                key = (item["kind"], item["metadata"]["name"])
                if key in self.objects:
                    mine = item["spec"].get("lineage") if "spec" in item else None
                    there = self.objects[key].get("spec", {}).get("lineage")
                    if mine is not None and mine["trainingJob"] != there["trainingJob"]:
                        raise ConflictError
                    return
                self.versions_made += item["kind"] == "ModelVersion"
                self.add(copy.deepcopy(dict(item)))
            case Delete(_, kind, _, name, _):
                self.objects.pop((kind, name), None)
            case MergePatch(_, kind, _, name, patch):
                live = copy.deepcopy(self.objects[(kind, name)])
                live["spec"] |= patch.get("spec", {})
                meta = patch.get("metadata", {})
                live["metadata"].setdefault("annotations", {}).update(meta.get("annotations", {}))
                self.add(live)
            case ClaimNumber(_, _, number, key):
                if self.claims.setdefault(number, key) != key:
                    raise ConflictError
            case RecordDecision(_, _, name, content):
                self.decisions[name] = content

    # -- reconciling -------------------------------------------------------------------------

    def observe_job(self, name: str) -> TrainingJobObserved:
        item = copy.deepcopy(self.objects[("TrainingJob", name)])
        uid = item["metadata"]["uid"]
        owned = [
            job for job in self.of("Job") if job["metadata"]["ownerReferences"][0]["uid"] == uid
        ]
        jobs = tuple(job for job in owned if "pawl.dev/poll" not in job["metadata"]["labels"])
        run = (item.get("status", {}).get("run") or {}).get("number") or max(
            (int(job["metadata"]["labels"]["pawl.dev/run"]) for job in jobs), default=1
        )
        reserved = (item.get("status", {}).get("run") or {}).get("reservedVersion")
        return TrainingJobObserved(
            object=item,
            jobs=jobs,
            pods=tuple(self.pods),
            versions=self.of("ModelVersion"),
            deployments=self.deployments(),
            result=self.results.get(f"{uid}-{run}"),
            highest_claim=max(self.claims, default=0),
            claim=self.claims.get(reserved) if reserved else None,
            polls=tuple(job for job in owned if job not in jobs),
            poll_pods=tuple(self.poll_pods),
        )

    def reconcile_job(self, name: str = "churn-nov", die_after: int | None = None) -> Plan:
        observed = self.observe_job(name)
        plan = plan_training_job(observed, INSTALLATION, self.clock)
        self.clock += timedelta(seconds=1)
        self.carry_out(observed.object, plan, die_after)
        return plan

    def verify(self, name: str) -> None:
        """A ModelVersion's own planner, with an artifact that is what it should be."""
        item = self.objects[("ModelVersion", name)]
        observed = ModelVersionObserved(
            object=copy.deepcopy(item),
            siblings=self.of("ModelVersion"),
            deployments=self.deployments(),
            verification=Verification(digest=item["spec"]["artifact"]["digest"]),
        )
        self.carry_out(observed.object, plan_model_version(observed, self.clock))

    def verify_all(self) -> None:
        """All of them."""
        for item in self.of("ModelVersion"):
            self.verify(item["metadata"]["name"])

    def finish_job(self, result: RunResult | None = None, name: str = "churn-nov") -> None:
        """The newest Job completes and its result is in the store."""
        job = max(self.of("Job"), key=lambda job: job["metadata"]["labels"]["pawl.dev/run"])
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
        uid = self.objects[("TrainingJob", name)]["metadata"]["uid"]
        number = int(job["metadata"]["labels"]["pawl.dev/run"])
        self.results[f"{uid}-{number}"] = result or run_result(uid, number)

    def fail_job(self, reason: str = "BackoffLimitExceeded") -> None:
        """The Job fails."""
        for job in self.of("Job"):
            condition = {"type": "Failed", "status": "True", "reason": reason, "message": "told"}
            job["status"] = {"conditions": [condition]}

    def settle(self, name: str = "churn-nov", limit: int = 12) -> None:
        """Reconcile until nothing changes any more."""
        for _ in range(limit):
            before = copy.deepcopy(self.objects)
            self.reconcile_job(name)
            if self.objects == before:
                return
        raise AssertionError("it does not settle")


def run_json(job: Mapping[str, Any]) -> Any:
    """What the pods of a Job are told."""
    return json.loads(configuration(job))


def failed_pod(stage: str, code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    """A pod of the first run whose stage ended badly."""
    ended = {"exitCode": code, "reason": reason, "message": message}
    init = stage != "publish"
    status = {"name": stage, "state": {"terminated": ended}}
    key = "initContainerStatuses" if init else "containerStatuses"
    limit = {"resources": {"limits": {"memory": "512Mi"}}}
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-11-21T12:00:00Z"},
        "spec": {"initContainers": [{"name": stage, **limit}], "containers": []},
        "status": {"phase": "Failed", key: [status]},
    }
