"""How a version came to be: a pure function of recipe, data and image."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from pawl import __version__
from pawl.api.preparation import Preparation
from pawl.api.trainingjob import RECIPE_FIELDS, TrainingJobSpec, containers_of
from pawl.artifacts.bundle import ROW_DIGESTS
from pawl.artifacts.canonical import canonical_json, digest
from pawl.artifacts.records import Lineage, StepLineage
from pawl.artifacts.runs import RunConfig
from pawl.training.workspace import Prepared, Trained

#: Distributions whose version may change a model's numbers or its bytes.
_DECISIVE = (
    "numpy",
    "scipy",
    "scikit-learn",
    "skops",
    "skl2onnx",
    "onnx",
    "onnxruntime",
    "pyarrow",
)


def build_lineage(
    config: RunConfig, spec: TrainingJobSpec, prepared: Prepared, trained: Trained | None
) -> Lineage:
    """The lineage of what `trained` left; `trained` is None after a container trainer."""
    environment = {"python": platform.python_version(), "pawl": __version__}
    environment |= {name: metadata.version(name) for name in _DECISIVE}
    return Lineage(
        data=prepared.data,
        preparation=_preparation(spec.data.prepare),
        recipe_digest=config.recipe_digest,
        recipe=_recipe(spec),
        trainer=_trainer(spec),
        parameters=trained.parameters if trained else _given(spec),
        seed=spec.seed,
        search=config.search,
        image=config.image,
        threads=config.threads,
        environment=environment,
        environment_digest=digest(
            canonical_json({"image": config.image, "threads": config.threads, **environment})
        ),
        training_row_digests=ROW_DIGESTS,
        training_row_columns=prepared.row_columns,
    )


def _preparation(preparation: Preparation) -> tuple[StepLineage, ...]:
    return (
        *(StepLineage(name=one.name, image=one.image) for one in preparation.containers),
        *(
            StepLineage(name=one.name, version=preparation.versions[one.name])
            for one in preparation.functions
        ),
    )


def _recipe(spec: TrainingJobSpec) -> dict[str, Any]:
    """What has to be written to train the same again; what may be a credential is left out."""
    recipe = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        include=set(RECIPE_FIELDS - {"search", "reproduces"}),
    )
    for container in containers_of(recipe):
        if "env" in container:
            container["env"] = [{"name": variable["name"]} for variable in container["env"]]
    return recipe


def _trainer(spec: TrainingJobSpec) -> dict[str, Any]:
    """Who trained; the environment of a container is left out, it may hold credentials."""
    if spec.trainer.sklearn is not None:
        own = spec.trainer.sklearn
        return {"sklearn": {"estimator": own.estimator, "preprocessing": own.preprocessing}}
    if spec.trainer.container is None:
        return {}
    image = spec.trainer.container
    return {
        "container": {
            "image": image.image,
            "command": list(image.command),
            "args": list(image.args),
        }
    }


def _given(spec: TrainingJobSpec) -> dict[str, Any]:
    trainer = spec.trainer.container or spec.trainer.sklearn
    return dict(trainer.parameters) if trainer else {}
