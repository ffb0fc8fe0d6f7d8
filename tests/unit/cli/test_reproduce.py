"""`pawl reproduce`: which TrainingJob it makes, and what it refuses."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts import bundle
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.records import DataLineage, Lineage
from pawl.artifacts.store import open_store
from pawl.cli import command_line
from pawl.core.recipe import recipe_digest
from pawl.errors import PawlError, UserError

DIGEST = "sha256:" + "ab" * 32
NUMBERS = itertools.count(1)
SKLEARN = {"sklearn": {"estimator": "sklearn.svm.SVC", "parameters": {"C": 2}}}
CONTAINER = {"container": {"image": "x", "command": ["t"], "env": [{"name": "KEY", "value": "s"}]}}
PARAMETER = {"name": "C", "type": "double", "min": 0, "max": 1}
SEARCH = {"objectives": [{"metric": "log_loss"}], "parameters": [PARAMETER]}


def recipe(trainer: dict[str, Any] = SKLEARN, **more: Any) -> dict[str, Any]:
    data = {"uri": "s3://lake/x", "task": "binary", "target": "churned"}
    return {"model": "again", "data": data, "trainer": trainer, **more}


def pawl(*words: str) -> str:
    result = CliRunner().invoke(command_line(), ["reproduce", *words, "--timeout", "1s"])
    if isinstance(result.exception, PawlError):
        raise result.exception
    return result.output


class Made:
    """A version whose bundle tells how it was made."""

    def __init__(self, api: Any, folder: Path, told: dict[str, Any], given: dict[str, Any]) -> None:
        self.api = api
        number = next(NUMBERS)
        self.name = f"again-v{number}"
        lineage = Lineage(
            data=DataLineage(uri="s3://lake/x", digest=DIGEST, rows=9, train_rows=5,
                             validation_rows=2, test_rows=2),
            recipe_digest=recipe_digest(TrainingJobSpec.model_validate(given)),
            recipe=told, trainer={}, parameters={}, seed=0, image="x", environment={},
            environment_digest=DIGEST,
        )  # fmt: skip
        files = folder / self.name
        files.mkdir()
        (files / bundle.LINEAGE).write_bytes(canonical_json(lineage))
        with open_store(f"file://{folder}/store") as store:
            uri, digest, _ = bundle.write_bundle(store, "ml", "again", files)
        spec = {
            "model": "again", "version": number, "artifact": {"uri": uri, "digest": digest},
            "lineage": {"trainingJob": {"name": "job", "uid": "u", "run": 1}},
        }  # fmt: skip
        self._create("pawl.dev/modelversions", "ModelVersion", self.name, spec)

    def _create(self, resource: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        item = {"apiVersion": "pawl.dev/v1alpha1", "kind": kind, "metadata": {"name": name},
                "spec": spec}  # fmt: skip
        api = self.api
        api.run(lambda: api.registry.create(resource, api.namespace, item, manager="user"))

    def started(self) -> dict[str, Any]:
        """The spec of the TrainingJob that was made."""
        with pytest.raises(UserError, match="goes on"):
            pawl(f"mv/{self.name}")
        return self.spec()

    def spec(self) -> dict[str, Any]:
        api = self.api
        found = api.run(
            lambda: api.registry.get("pawl.dev/trainingjobs", api.namespace, f"{self.name}-repro")
        )
        spec: dict[str, Any] = found["spec"]
        return spec


def test_the_recorded_recipe_is_run_again(api: Any, tmp_path: Path):
    made = Made(api, tmp_path, recipe(seed=7), recipe(seed=7))
    spec = made.started()
    assert (spec["reproduces"], spec["seed"]) == (made.name, 7)
    assert spec["trainer"]["sklearn"]["parameters"] == {"C": 2}


def test_the_store_may_have_another_address_here(api: Any, tmp_path: Path):
    made = Made(api, tmp_path, recipe(seed=8), recipe(seed=8))
    moved = (tmp_path / "store").rename(tmp_path / "here")
    with pytest.raises(UserError, match="not in the store"):
        pawl(f"mv/{made.name}")
    with pytest.raises(UserError, match="goes on"):
        pawl(f"mv/{made.name}", "--store", moved.as_uri())
    assert made.spec()["seed"] == 8


def test_a_second_one_needs_another_name(api: Any, tmp_path: Path):
    made = Made(api, tmp_path, recipe(), recipe())
    made.started()
    with pytest.raises(UserError, match=f"TrainingJob {made.name}-repro already"):
        pawl(f"mv/{made.name}")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param({}, "no recorded recipe", id="made by an older Pawl"),
        pytest.param(recipe(CONTAINER), "variables of a container", id="variables"),
    ],
)
def test_a_recipe_that_is_not_whole_is_asked_for(
    api: Any, tmp_path: Path, told: dict[str, Any], words: str
):
    made = Made(api, tmp_path, told, recipe(CONTAINER))
    with pytest.raises(UserError, match=words):
        pawl(f"mv/{made.name}")
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump({"kind": "TrainingJob", "spec": recipe(CONTAINER)}))
    with pytest.raises(UserError, match="goes on"):
        pawl(f"mv/{made.name}", "-f", str(file))
    assert made.spec()["trainer"]["container"]["env"] == [{"name": "KEY", "value": "s"}]


def test_a_given_recipe_takes_what_its_search_chose(api: Any, tmp_path: Path):
    given = recipe(search=SEARCH)
    chosen = recipe({"sklearn": {**SKLEARN["sklearn"], "parameters": {"C": 0.3}}})
    made = Made(api, tmp_path, chosen, given)
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump({"kind": "TrainingJob", "spec": given}))
    with pytest.raises(UserError, match="goes on"):
        pawl(f"mv/{made.name}", "-f", str(file))
    assert made.spec()["trainer"]["sklearn"]["parameters"] == {"C": 0.3}
    assert "search" not in made.spec()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(yaml.safe_dump({"spec": recipe(seed=9)}), "is another recipe", id="another"),
        pytest.param("spec: {model: 3}", "is no TrainingJob", id="no recipe"),
        pytest.param("{", "is no TrainingJob", id="no YAML"),
        pytest.param("", "is no TrainingJob", id="empty"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(api: Any, tmp_path: Path, text: str, words: str):
    made = Made(api, tmp_path, recipe(), recipe())
    file = tmp_path / "job.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=words):
        pawl(f"mv/{made.name}", "-f", str(file))
