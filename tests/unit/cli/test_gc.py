"""`pawl gc`: what would go is shown, and goes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import pawl

from pawl.errors import UserError

VERSIONS = "pawl.dev/modelversions"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """With a bundle that no version needs."""
    digest, then = "7" * 64, time.time() - 40 * 86_400
    files = [
        tmp_path / f"bundles/ml/unneeded/{digest}/manifest.json",
        tmp_path / "decisions/default/ml/unneeded/numbers/1.json",
    ]
    for path in files:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 2_500_000)
        os.utime(path, (then, then))
    (tmp_path / "decisions/default/ml/unneeded/versions").mkdir()
    (tmp_path / "decisions/default/ml/unneeded/versions/unneeded-v1.aa.bb.json").write_text("{}")
    return tmp_path


def test_a_dry_run_shows_sizes_and_removes_nothing(api: Any, store: Path):
    shown = pawl("gc", "--store", store.as_uri(), "--versions", "3", "--dry-run")
    assert "0 versions and 1 bundles (2.5 MB) would go" in shown
    assert "7" * 64 in shown
    assert len(list(store.glob("bundles/*/*/*/*"))) == 1
    assert "are gone" in pawl("gc", "--store", store.as_uri(), "--versions", "3")
    assert list(store.glob("bundles/*/*/*/*")) == []
    assert list(store.glob("decisions/*/*/*/*/*")) != []


def test_an_age_that_would_take_what_is_being_published_is_refused(store: Path):
    with pytest.raises(UserError, match="an hour or more"):
        pawl("gc", "--store", store.as_uri(), "--versions", "3", "--age", "5m", "--dry-run")


def test_a_version_that_is_too_many_is_deleted_from_the_cluster(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pawl.cli.gc.duration", lambda _: 0)  # they are made now
    for number in (1, 2):
        lineage = {"trainingJob": {"name": "j", "uid": "u", "run": number}}
        artifact = {"uri": f"s3://m/{number}", "digest": f"sha256:{str(number) * 64}"}
        item = {
            "apiVersion": "pawl.dev/v1alpha1",
            "kind": "ModelVersion",
            "metadata": {
                "name": f"many-v{number}",
                "labels": {"app.kubernetes.io/managed-by": "pawl"},
            },
            "spec": {"model": "many", "version": number, "artifact": artifact, "lineage": lineage},
        }
        api.run(lambda item=item: api.registry.create(VERSIONS, api.namespace, item, manager="t"))
    (tmp_path / "decisions").mkdir()
    shown = pawl("gc", "--store", tmp_path.as_uri(), "--versions", "1", "--namespaces", "ml")
    assert "many-v1" in shown
    names = {i["metadata"]["name"] for i in api.run(lambda: api.registry.list(VERSIONS, "ml"))}
    assert "many-v2" in names
    assert "many-v1" not in names
    assert list(tmp_path.glob("decisions/default/ml/many/retired/many-v1.*"))
