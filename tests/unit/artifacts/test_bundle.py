"""A bundle is what its digest says, or it is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pawl.artifacts import bundle
from pawl.artifacts.canonical import canonical_json, digest, file_digest
from pawl.artifacts.records import File, Manifest
from pawl.artifacts.retry import Retry
from pawl.artifacts.store import Store, local_path, open_store
from pawl.errors import IntegrityError

NO_WAIT = Retry(attempts=2, sleep=lambda _: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    (made / "signature.json").write_text('{"inputs":[]}')
    (made / "model.skops").write_bytes(b"PK" * 400_000)
    (made / "card.md").write_text("# card")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri(), retry=NO_WAIT)


def test_what_is_written_can_be_fetched_and_verified(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    uri, digest_, size = bundle.write_bundle(store, "ns", "churn", folder)
    assert uri.endswith(f"bundles/ns/churn/{digest_.removeprefix('sha256:')}")
    into = tmp_path / "into"
    manifest = bundle.fetch_bundle(uri, digest_, into)
    assert bundle.verify_bundle(into, digest_) == manifest
    assert {p.name: p.read_bytes() for p in into.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }
    assert size == sum(file.size_bytes for file in manifest.files)


def test_writing_twice_is_the_same_bundle(folder: Path, store: Store) -> None:
    assert bundle.write_bundle(store, "ns", "m", folder) == bundle.write_bundle(
        store, "ns", "m", folder
    )


def test_only_what_is_asked_for_is_fetched(folder: Path, store: Store, tmp_path: Path) -> None:
    uri, digest_, _ = bundle.write_bundle(store, "ns", "m", folder)
    into = tmp_path / "into"
    bundle.fetch_bundle(uri, digest_, into, names=["card.md", "model.onnx"])
    assert sorted(p.name for p in into.iterdir()) == ["card.md", "manifest.json"]


def test_a_changed_file_is_refused_and_not_left_behind(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    uri, digest_, _ = bundle.write_bundle(store, "ns", "m", folder)
    (local_path(uri) / "card.md").write_text("# CARD")
    into = tmp_path / "into"
    with pytest.raises(IntegrityError, match=r"card\.md has sha256"):
        bundle.fetch_bundle(uri, digest_, into)
    assert not (into / "card.md").exists()


def test_a_cut_file_is_refused(folder: Path, store: Store, tmp_path: Path) -> None:
    uri, digest_, _ = bundle.write_bundle(store, "ns", "m", folder)
    (local_path(uri) / "model.skops").write_bytes(b"PK")
    with pytest.raises(IntegrityError, match="has 2 bytes, expected 800000"):
        bundle.fetch_bundle(uri, digest_, tmp_path / "into")


def test_a_changed_manifest_is_refused(folder: Path, store: Store, tmp_path: Path) -> None:
    uri, digest_, _ = bundle.write_bundle(store, "ns", "m", folder)
    manifest = local_path(uri) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match="expected sha256:"):
        bundle.fetch_bundle(uri, digest_, tmp_path / "into")


def test_a_bundle_without_its_manifest_is_not_found(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bundle.fetch_bundle(store.uri_of("bundles/x"), digest(b""), tmp_path / "into")


def test_an_extra_file_is_refused(folder: Path) -> None:
    manifest = bundle.manifest_of(folder)
    data = canonical_json(manifest)
    (folder / "manifest.json").write_bytes(data)
    (folder / "extra.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"extra\.json is not in the manifest"):
        bundle.verify_bundle(folder, digest(data))


def test_a_link_is_refused(folder: Path) -> None:
    (folder / "card.md").rename(folder.parent / "elsewhere.md")
    (folder / "card.md").symlink_to(folder.parent / "elsewhere.md")
    data = canonical_json(bundle.manifest_of(folder))
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises(IntegrityError, match="not a regular file"):
        bundle.verify_bundle(folder, digest(data))


def _manifest(**changes: object) -> bytes:
    file = {"name": "a.json", "size_bytes": 1, "sha256": "0" * 64} | changes
    return canonical_json(Manifest(files=(File.model_validate(file),)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(_manifest(name="../a.json"), "not a name", id="parent"),
        pytest.param(_manifest(name="a/b.json"), "not a name", id="folder"),
        pytest.param(_manifest(name="/a.json"), "not a name", id="absolute"),
        pytest.param(_manifest(name=".a.json"), "not a name", id="hidden"),
        pytest.param(_manifest(name="manifest.json"), "not a name", id="itself"),
        pytest.param(_manifest(name="model.pkl"), "a bundle holds", id="pickle"),
        pytest.param(_manifest(size_bytes=2**40), "is more than", id="absurd size"),
        pytest.param(_manifest(size_bytes=-1), "is more than", id="negative size"),
        pytest.param(_manifest(sha256="xyz"), "not a digest", id="digest"),
        pytest.param(canonical_json(Manifest(files=())), "1 to 64 files", id="empty"),
        pytest.param(
            canonical_json(Manifest(files=(File(name="a.md", size_bytes=0, sha256="0" * 64),) * 2)),
            "twice",
            id="twice",
        ),
        pytest.param(
            canonical_json({"formatVersion": 2, "files": []}), "format 2", id="a later format"
        ),
        pytest.param(b"[]", "is no manifest", id="no object"),
    ],
)
def test_a_manifest_that_names_what_no_bundle_holds_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        bundle.parse_manifest(data, digest(data))


def test_a_single_onnx_file_is_fetched_by_its_own_digest(tmp_path: Path) -> None:
    path = tmp_path / "imported.onnx"
    path.write_bytes(b"\x08\x07")
    into = tmp_path / "into"
    bundle.fetch_bundle(path.as_uri(), file_digest(path), into)
    assert (into / "model.onnx").read_bytes() == b"\x08\x07"
    with pytest.raises(IntegrityError, match=r"model\.onnx has sha256"):
        bundle.fetch_bundle(path.as_uri(), digest(b"other"), tmp_path / "other")


def test_the_reader_imports_nothing_heavy() -> None:
    heavy = ("numpy", "pandas", "sklearn", "fsspec", "pyarrow", "onnx")
    code = f"import sys, pawl.artifacts.bundle; print(sorted(set({heavy}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
