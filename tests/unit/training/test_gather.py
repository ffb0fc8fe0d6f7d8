"""The rows of a run, from one source or several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from told import run_config

from pawl.api.data import Data
from pawl.artifacts.runs import RunConfig
from pawl.constants import ENV_CLAIM_DIR, ENV_CLAIMS_DIR
from pawl.errors import DataError
from pawl.training.gather import Gathered, gather
from pawl.training.source import collect, content_digest


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    lake = tmp_path / "lake"
    (lake / "claims" / "crm" / "now").mkdir(parents=True)
    (lake / "rows.csv").write_text("id,n,y\n007,1,a\n7,2,b\n8,3,a\n")
    (lake / "claims" / "crm" / "now" / "plans.csv").write_text("id,plan\n7,pro\n007,basic\n")
    return lake


def config(lake: Path, data_digest: str | None = None) -> RunConfig:
    digest = "sha256:" + "0" * 64
    told = {"recipe_digest": digest, "data_digest": data_digest}
    return run_config(lake / "store", name="job", namespace="team", image="trainer", **told)


def read(lake: Path, *sources: Any, digest: str | None = None, **more: Any) -> Gathered:
    data = {"uri": (lake / "rows.csv").as_uri(), "task": "binary", "target": "y", **more}
    spec = Data.model_validate({**data, "sources": sources})
    return gather(spec, lake / "scratch", config(lake, digest))


def plans(lake: Path) -> dict[str, Any]:
    uri = (lake / "claims" / "crm" / "now" / "plans.csv").as_uri()
    return {"name": "plans", "uri": uri, "key": ["id"]}


def test_keys_are_read_as_text(lake: Path) -> None:
    found = read(lake, plans(lake))
    assert found.table.column("plan").to_pylist() == ["basic", "pro", None]
    assert found.warnings == (
        "1 of 3 rows have no match in source plans; their columns are missing",
    )


def test_without_sources_the_digest_is_that_of_the_files(lake: Path) -> None:
    files = collect((lake / "rows.csv").as_uri(), "auto", lake)
    assert read(lake).digest == content_digest(files)
    assert read(lake).sources == ()


def test_the_digest_covers_what_is_joined(lake: Path) -> None:
    before = read(lake, plans(lake))
    assert [source.name for source in before.sources] == ["plans"]
    path = lake / "claims" / "crm" / "now" / "plans.csv"
    path.write_text(path.read_text().replace("pro", "gold"))
    after = read(lake, plans(lake))
    assert before.digest != after.digest != read(lake).digest
    assert before.sources != after.sources


def test_nothing_that_was_fetched_stays(lake: Path) -> None:
    read(lake, plans(lake))
    assert not (lake / "scratch").exists()


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({ENV_CLAIMS_DIR: "claims"}, id="a claim of its own"),
        pytest.param({ENV_CLAIM_DIR: "claims/crm"}, id="that of the rows"),
    ],
)
def test_a_source_may_be_in_a_claim(
    lake: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {}
    if ENV_CLAIM_DIR in env:
        (lake / "claims" / "crm" / "rows.csv").write_text((lake / "rows.csv").read_text())
        rows = {"uri": "pvc://crm/rows.csv"}
    for name, folder in env.items():
        monkeypatch.setenv(name, str(lake / folder))
    source = {**plans(lake), "uri": "pvc://crm/now/*.csv"}
    assert read(lake, source, **rows).table.num_columns == 4


def blobs(lake: Path) -> list[Path]:
    return sorted((lake / "store/snapshots/team/files").iterdir())


def test_a_snapshot_brings_overwritten_data_back(lake: Path) -> None:
    before = read(lake, plans(lake), pin="snapshot")
    (lake / "rows.csv").write_text("id,n,y\n9,9,c\n")
    (lake / "claims" / "crm" / "now" / "plans.csv").unlink()
    again = read(lake, plans(lake), pin="snapshot", digest=before.digest)
    assert again.table.equals(before.table)
    assert (again.digest, again.sources) == (before.digest, before.sources)


def test_a_content_is_copied_once(lake: Path) -> None:
    read(lake, plans(lake), pin="snapshot")
    inodes = [path.stat().st_ino for path in blobs(lake)]
    assert len(inodes) == 2
    read(lake, plans(lake), pin="snapshot")
    (lake / "again.csv").write_text((lake / "rows.csv").read_text())
    read(lake, pin="snapshot", uri=(lake / "again.csv").as_uri())
    assert [path.stat().st_ino for path in blobs(lake)] == inodes


def test_without_a_pin_nothing_is_kept(lake: Path) -> None:
    read(lake)
    assert not (lake / "store").exists()


def test_a_snapshot_that_was_altered_is_refused(lake: Path) -> None:
    before = read(lake, pin="snapshot")
    (blob,) = blobs(lake)
    blob.write_text(blob.read_text().replace("a", "b"))
    with pytest.raises(DataError, match=r"the snapshot of .*rows\.csv has another content now"):
        read(lake, digest=before.digest)
    blob.unlink()
    with pytest.raises(DataError, match=r"the snapshot of .*rows\.csv is not there any more"):
        read(lake, digest=before.digest)


def test_data_that_nobody_pinned_are_read_where_they_are(lake: Path) -> None:
    before = read(lake)
    assert read(lake, digest=before.digest).table.equals(before.table)
