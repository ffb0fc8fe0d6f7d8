"""`pawl trials`: the trials of a search, read from the store."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from commandline import pawl

from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.store import open_store
from pawl.artifacts.trials import Trial, trial_path
from pawl.errors import UserError

NAMES = (f"tuned{number}" for number in itertools.count())
KIND = "pawl.dev/trainingjobs"


def create(api: Any, name: str, search: bool = True) -> str:
    """A TrainingJob whose run is over, and its uid."""
    parameters = [
        {"name": "C", "type": "double", "min": 0, "max": 1},
        {"name": "noise", "type": "double", "min": 0, "max": 1},
    ]
    spec: dict[str, Any] = {
        "model": "churn",
        "data": {"uri": "s3://lake/churn/", "task": "binary", "target": "churned"},
        "trainer": {"sklearn": {"estimator": "sklearn.svm.SVC"}},
    }
    if search:
        spec["search"] = {"objectives": [{"metric": "roc_auc"}], "parameters": parameters}
    item = {"apiVersion": "pawl.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": name},
            "spec": spec}  # fmt: skip
    made = api.run(lambda: api.registry.create(KIND, api.namespace, item, manager="user"))
    run = {"number": 2, "resumes": 1, "phase": "Succeeded", "recipeDigest": "sha256:" + "0" * 64}
    status = {"observedGeneration": 1, "phase": "Succeeded", "run": run, "search": "MaxTrials"}
    api.run(
        lambda: api.registry.update(
            KIND, api.namespace, {**made, "status": status}, manager="pawl", subresource="status"
        )
    )
    return str(made["metadata"]["uid"])


@pytest.fixture
def name(api: Any, tmp_path: Path) -> str:
    """Twelve trials, the last one failed, of a search that run 2 went on with."""
    name = next(NAMES)
    uid, store = create(api, name), open_store(tmp_path.as_uri())
    for number in range(12):
        given = {"C": number / 12, "noise": (number * 7 % 12) / 12}
        told: dict[str, Any] = {"number": number, "parameters": given}
        if number < 11:
            told |= {"outcome": "Succeeded", "values": {"roc_auc": 1 - abs(given["C"] - 0.5)}}
        else:
            told |= {"outcome": "Failed", "message": "train: <out of memory>"}
        store.put(trial_path(uid, 1, number), canonical_json(Trial(**told)))
    return name


@pytest.fixture
def store(tmp_path: Path) -> str:
    return tmp_path.as_uri()


def test_a_line_a_trial_and_how_far_it_is(name: str, store: str):
    output = pawl("trials", f"tj/{name}", "--store", store)
    assert "12 of 20 trials" in output
    assert "11 succeeded" in output
    assert "ended: MaxTrials" in output
    assert "train: <out of memory>" in output


def test_as_json_a_record_a_line(name: str, store: str):
    lines = pawl("trials", name, "--store", store, "-o", "json").splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(12))


def test_watching_ends_with_the_run(name: str, store: str):
    assert "12 of 20 trials" in pawl("trials", name, "--store", store, "--watch")


def test_the_picture_shows_every_trial_and_what_decides(name: str, store: str, tmp_path: Path):
    path = tmp_path / "search.html"
    pawl("trials", name, "--store", store, "--html", str(path))
    page = path.read_text()
    assert page.count("<circle") == 11
    assert "best: trial 6, roc_auc 1" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    told = page.split('aria-label="Importance: ')[1].split('"')[0]
    assert told.startswith("C ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["mv/x"], "is no TrainingJob", id="another kind"),
        pytest.param(["tj/nothing-here"], "there is no TrainingJob", id="none"),
    ],
)
def test_what_is_none_is_told(words: list[str], sentence: str, store: str):
    with pytest.raises(UserError, match=sentence):
        pawl("trials", *words, "--store", store)


def test_without_a_search_there_are_no_trials(api: Any, store: str):
    name = next(NAMES)
    create(api, name, search=False)
    with pytest.raises(UserError, match="it has no spec"):
        pawl("trials", name, "--store", store)


def test_a_store_must_be_named(name: str):
    with pytest.raises(UserError, match="--store"):
        pawl("trials", name)
