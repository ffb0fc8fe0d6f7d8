"""Which files a URI names, and the digest of what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pawl.errors import DataError
from pawl.training.source import collect, content_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (data / "b.csv").write_text("n\n2\n")
    (data / "deep" / "a.csv").write_text("n\n1\n")
    (data / "notes.txt").write_text("not data")
    return data


def _digest(uri: str, into: Path) -> str:
    return content_digest(collect(uri, "auto", into))


def test_the_digest_is_of_the_content_not_of_names_or_order(folder: Path, tmp_path: Path) -> None:
    before = _digest(folder.as_uri(), tmp_path)
    (folder / "b.csv").rename(folder / "deep" / "z.csv")
    (folder / "deep" / "a.csv").rename(folder / "a.csv")
    assert _digest(folder.as_uri(), tmp_path) == before


@pytest.mark.parametrize("change", ["another row", "another file", "a file less"])
def test_the_digest_changes_with_the_content(folder: Path, tmp_path: Path, change: str) -> None:
    before = _digest(folder.as_uri(), tmp_path)
    if change == "another row":
        (folder / "b.csv").write_text("n\n2\n3\n")
    elif change == "another file":
        (folder / "c.csv").write_text("n\n2\n")
    else:
        (folder / "b.csv").unlink()
    assert _digest(folder.as_uri(), tmp_path) != before


def test_a_claim_is_a_folder(folder: Path, tmp_path: Path) -> None:
    files = collect("pvc://churn/deep", "auto", tmp_path, claim=folder)
    assert [file.path.name for file in files] == ["a.csv"]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("pvc://churn/../../etc/passwd", "leads out of the claim"),
        ("pvc://churn/x.csv", "does not exist"),
        ("gs://bucket/x.csv", "gs is not supported; use file, pvc, s3, http or https"),
        ("relative.csv", "no scheme is not supported"),
        ("file:///nowhere/x.csv", "does not exist"),
        ("file:///nowhere/*.csv", "there are no data files"),
    ],
)
def test_what_cannot_be_found_is_told(folder: Path, tmp_path: Path, uri: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        collect(uri, "auto", tmp_path, claim=folder)


def test_a_claim_that_is_not_mounted_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the claim is not mounted"):
        collect("pvc://churn/x.csv", "auto", tmp_path)


def test_a_name_that_tells_no_format_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"set data\.format"):
        collect((folder / "notes.txt").as_uri(), "auto", tmp_path)
    assert collect((folder / "notes.txt").as_uri(), "csv", tmp_path)[0].format == "csv"
