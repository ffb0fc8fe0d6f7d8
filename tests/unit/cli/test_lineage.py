"""`pawl lineage`: what a version came from, and who serves it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from commandline import pawl as run

from pawl.artifacts import bundle
from pawl.artifacts.store import open_store
from pawl.errors import UserError

KIND = "pawl.dev/modelversions"
DATA, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32


def pawl(*words: str) -> str:
    return run(*words, columns=80)


def version(
    api: Any, name: str, artifact: tuple[str, str], data: str | None = DATA, **lineage: Any
) -> None:
    model, _, number = name.rpartition("-v")
    told: dict[str, Any] = {**lineage}
    if data is not None:
        joined = {"name": "plans", "uri": "s3://lake/plans", "digest": OTHER}
        uri = f"s3://lake/{data[-2:]}"
        told["data"] = {"uri": uri, "digest": data, "rows": 1200, "sources": [joined]}
        told["trainingJob"] = {"name": f"{model}-nov", "uid": "u", "run": int(number)}
    uri, digest = artifact
    spec = {
        "model": model,
        "version": int(number),
        "artifact": {"uri": uri, "digest": digest},
        "lineage": told,
    }
    item = {"apiVersion": "pawl.dev/v1alpha1", "kind": "ModelVersion", "metadata": {"name": name},
            "spec": spec}  # fmt: skip
    api.run(lambda: api.registry.create(KIND, api.namespace, item, manager="user"))


@pytest.fixture
def artifact(tmp_path: Path) -> tuple[str, str]:
    """A bundle in a store."""
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / bundle.CARD).write_text("# card")
    with open_store(f"file://{tmp_path}/store") as store:
        uri, digest, _ = bundle.write_bundle(store, "ml", "churn", folder)
    return uri, digest


@pytest.fixture
def served(api: Any, artifact: tuple[str, str], request: pytest.FixtureRequest) -> str:
    """v1 → v2 → v3 of a model of its own, v3 of other data; v3 is tried beside v2."""
    model = "m" + re.sub("[^a-z0-9]", "", request.node.name.lower())[-30:]
    version(api, f"{model}-v1", artifact)
    code = {"repo": "https://git.example/x", "revision": "1234"}
    version(api, f"{model}-v2", artifact, parent=f"{model}-v1", code=code, seed=7)
    version(api, f"{model}-v3", artifact, OTHER, parent=f"{model}-v2")
    version(api, f"{model}-v4", artifact, OTHER, parent=f"{model}-v0")
    status = {
        role: {"name": f"{model}-v{number}", "version": number, "uri": artifact[0], "digest": DATA}
        for role, number in (("stable", 2), ("candidate", 3))
    }
    api.deployment(model, status, model=model)
    return model


def test_a_version_is_told_with_all_its_parents(served: str):
    said = pawl("lineage", f"mv/{served}-v3")
    for part in (
        DATA,
        OTHER,
        f"tj/{served}-nov run 2",
        "plans s3://lake/plans",
        "code https://git.example/x @ 1234",
    ):
        assert part in said
    places = [said.index(f"mv/{served}-v{n}") for n in (1, 2, 3)]
    assert places == sorted(places)
    assert f"{served}-v4" not in said


def test_the_files_are_told_by_their_digests(served: str, artifact: tuple[str, str]):
    said = pawl("lineage", f"mv/{served}-v1")
    with open_store(artifact[0]) as store:
        (file,) = bundle.read_manifest(store, artifact[1]).files
    assert f"{file.name}  sha256:{file.sha256}" in said


def test_the_store_may_have_another_address_here(served: str, tmp_path: Path):
    moved = (tmp_path / "store").rename(tmp_path / "here")
    assert "not in the store" in pawl("lineage", f"mv/{served}-v1")
    assert "card.md" in pawl("lineage", f"mv/{served}-v1", "--store", moved.as_uri())


def test_the_same_data_are_told_once(served: str):
    assert pawl("lineage", f"mv/{served}-v2").count(f"s3://lake/ab  {DATA}") == 1


def test_a_deployment_is_told_with_its_versions(served: str):
    said = pawl("lineage", f"mdep/{served}")
    assert f"mdep/{served} (stable)" in said
    assert f"mdep/{served} (candidate)" in said
    assert f"mv/{served}-v1" in said


def test_a_parent_that_is_gone_is_said_to_be(served: str):
    assert f"mv/{served}-v0 is no more" in pawl("lineage", f"mv/{served}-v4")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        pytest.param("file:///nowhere/at/all", "the bundle is not in the store", id="gone"),
        pytest.param("https://127.0.0.1:1/x", "the bundle cannot be read", id="no answer"),
    ],
)
def test_a_bundle_that_cannot_be_read_is_said_to_be(api: Any, served: str, uri: str, words: str):
    version(api, f"{served}-v9", (uri, DATA))
    assert words in pawl("lineage", f"mv/{served}-v9")


def test_an_imported_file_is_its_own_artifact(api: Any, served: str):
    version(api, f"{served}-v9", ("https://a.example/x.onnx", DATA), None)
    said = pawl("lineage", f"mv/{served}-v9")
    assert "imported" in said
    assert f"model.onnx  {DATA}" in said


def test_the_picture_has_a_box_for_each_and_needs_no_other_file(served: str, tmp_path: Path):
    page = tmp_path / "lineage.html"
    pawl("lineage", f"mdep/{served}", "--html", str(page))
    html = page.read_text()
    assert not re.findall(r'(?:src|href)="', html)
    drawing = ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])
    boxes = [rect[0].text or "" for rect in drawing.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(boxes) == len(set(boxes)) == 2 + 3 + 3 + 2  # data, jobs, versions, two roles
    lines = list(drawing.iter("{http://www.w3.org/2000/svg}path"))
    dashed = [line for line in lines if "stroke-dasharray" in line.attrib]
    assert (len(lines) - len(dashed), len(dashed)) == (3 + 3 + 2, 2)
    assert "card.md" in html


@pytest.mark.parametrize("target", ["mv/none-v1", "mdep/none", "tj/none"])
def test_what_is_not_there_is_named(api: Any, target: str):
    with pytest.raises(UserError, match="none"):
        pawl("lineage", target)
