"""spec.trainer of a TrainingJob: scikit-learn, or a container of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import ApiModel, EnvVar, FreeForm, cel


class SklearnTrainer(ApiModel):
    """A scikit-learn estimator by import path."""

    estimator: Annotated[
        str, Field(max_length=256, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$")
    ] = Field(
        description="For example sklearn.ensemble.HistGradientBoostingClassifier. scikit-learn's "
        "own estimators are allowed, others where the administrator has added them."
    )
    parameters: FreeForm = Field(
        default_factory=dict, description="Keyword arguments of the estimator."
    )
    preprocessing: Literal["auto", "none"] = Field(
        "auto",
        description="auto: imputes and scales numbers and encodes categories as the estimator "
        "needs; none: the estimator gets the numeric columns as they are.",
    )


class ContainerTrainer(ApiModel):
    """An image of one's own that keeps the file contract (docs/file-contract.md)."""

    image: Annotated[str, Field(min_length=1, max_length=512)]
    command: Annotated[tuple[Annotated[str, Field(max_length=8192)], ...], Field(max_length=64)] = (
        Field((), description="Replaces the image's entrypoint.")
    )
    args: Annotated[tuple[Annotated[str, Field(max_length=8192)], ...], Field(max_length=64)] = ()
    env: Annotated[tuple[EnvVar, ...], Field(max_length=64)] = ()
    parameters: FreeForm = Field(
        default_factory=dict, description="Written to the file that PAWL_PARAMETERS names."
    )


class Trainer(ApiModel):
    """Who trains: exactly one of the two."""

    model_config = cel(
        ("has(self.sklearn) != has(self.container)", "exactly one of sklearn and container")
    )
    sklearn: SklearnTrainer | None = None
    container: ContainerTrainer | None = None
