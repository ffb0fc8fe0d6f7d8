"""The ModelVersion that records what a run gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pawl import constants as c
from pawl.api.names import version_name
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.records import OldWindow
from pawl.artifacts.runs import RunResult
from pawl.artifacts.trials import table_path
from pawl.core.manifests.stages import STEP

#: Of a gate; result.json has them all.
MOST_SLICES = 10


def build_model_version(
    owner: dict[str, Any],
    spec: TrainingJobSpec,
    result: RunResult,
    number: int,
    image_ids: Mapping[str, str],
) -> dict[str, Any]:
    """It carries no ownerReference: it outlives its TrainingJob, and no label of the user's.
    `image_ids`: what the images of the pod's containers were, as far as it is known."""
    meta = owner["metadata"]
    lineage = result.lineage
    return {
        "apiVersion": c.API_VERSION,
        "kind": "ModelVersion",
        "metadata": {
            "name": version_name(spec.model, number),
            "namespace": meta["namespace"],
            "labels": {c.LABEL_MANAGED_BY: "pawl", c.LABEL_MODEL: spec.model},
            "annotations": {c.ANNOTATION_RUN_KEY: f"{result.uid}-{result.run}"},
        },
        "spec": {
            "model": spec.model,
            "version": number,
            "artifact": {
                "uri": result.artifact.uri,
                "digest": result.artifact.digest,
                "format": result.format,
                "sizeBytes": result.size_bytes,
            },
            "signature": {
                side: [
                    {"name": t.name, "datatype": t.datatype, "shape": list(t.shape)}
                    for t in tensors
                ]
                for side, tensors in (
                    ("inputs", result.signature.inputs),
                    ("outputs", result.signature.outputs),
                )
            },
            "metrics": dict(result.metrics),
            **_old_window(result.old_window),
            **_comparison(result),
            "gates": [gate_status(gate.model_dump()) for gate in result.gates],
            "lineage": {
                "trainingJob": {"name": meta["name"], "uid": result.uid, "run": result.run},
                "recipeDigest": lineage.recipe_digest,
                **({"parent": result.champion.name} if result.champion else {}),
                "data": lineage.data.model_dump(
                    mode="json",
                    include={"uri", "digest", "rows", "newest", "window", "sources", "pin"},
                    exclude_defaults=True,
                ),
                **_preparation(result, image_ids),
                **({"code": result.code.model_dump()} if result.code else {}),
                "image": lineage.image,
                "parameters": lineage.parameters,
                "seed": lineage.seed,
                **_search(result),
                "threads": lineage.threads,
                "environmentDigest": lineage.environment_digest,
            },
            "approval": spec.approval,
        },
    }


def _preparation(result: RunResult, image_ids: Mapping[str, str]) -> dict[str, Any]:
    steps = []
    for step in result.lineage.preparation:
        image_id = image_ids.get(f"{STEP}{step.name}") if step.image else None
        told = step.model_dump(exclude_none=True)
        steps.append(told | ({"imageID": image_id[:512]} if image_id else {}))
    return {"preparation": steps} if steps else {}


def _old_window(found: OldWindow | None) -> dict[str, Any]:
    if found is None:
        return {}
    scores = {"metrics": dict(found.values), "champion": dict(found.champion)}
    return {"oldWindow": {"rows": found.rows, **scores}}


def _search(result: RunResult) -> dict[str, Any]:
    found = result.lineage.search
    if found is None:
        return {}
    told = found.model_dump(include={"algorithm", "trials", "trial", "values", "digest"})
    return {"search": {**told, "table": table_path(result.uid, result.run)}}


def _comparison(result: RunResult) -> dict[str, Any]:
    found = result.disagreement
    if found is None:
        return {}
    return {
        "comparison": {
            "version": found.version,
            "digest": found.digest,
            "rows": found.rows,
            "disagreement": found.share,
        }
    }


def gate_status(gate: dict[str, Any]) -> dict[str, Any]:
    """A gate result as the API shows it: no nulls, bounded text, the worst slices."""
    shown = _without_nulls(gate)
    shown["message"] = shown.get("message", "")[:512]
    if slices := shown.pop("slices", ()):
        shown["slices"] = [
            {**_without_nulls(part), "name": part["name"][:128]} for part in slices[:MOST_SLICES]
        ]
    return shown


def _without_nulls(result: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in result.items() if value is not None}
    if "interval" in shown:
        shown["interval"] = list(shown["interval"])
    return shown
