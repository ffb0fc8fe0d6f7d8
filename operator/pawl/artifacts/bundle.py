"""Bundles: a folder of files that the digest of its manifest vouches for (layout: `records`).

Writing is put-if-absent and the manifest goes last, so a bundle that has a manifest is whole.
Reading trusts nothing but the digest it is given: names, sizes and sha256 of every file are
checked before anybody opens one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from pawl.artifacts.canonical import canonical_json, digest, file_digest, hex_of
from pawl.artifacts.onnx_scan import refuse_external_data
from pawl.artifacts.records import FORMAT_VERSION, File, Manifest
from pawl.artifacts.redact import redact
from pawl.artifacts.retry import Retry
from pawl.artifacts.store import Store, open_store
from pawl.artifacts.uris import Guard
from pawl.errors import ConflictError, IntegrityError

MANIFEST = "manifest.json"
MODEL_ONNX = "model.onnx"
MODEL_SKOPS = "model.skops"
SIGNATURE = "signature.json"
METRICS = "metrics.json"
BASELINE = "baseline.json"
LINEAGE = "lineage.json"
DERIVED = "derived.json"
TESTS = "tests.json"
CARD = "card.md"
ROW_DIGESTS = "training-rows.npy"

MAX_MANIFEST_BYTES = 1 << 20
MAX_FILES = 64
#: Per kind of file; a bundle has no other kinds.
MAX_BYTES = {
    ".onnx": 4 << 30,
    ".skops": 4 << 30,
    ".json": 64 << 20,
    ".md": 1 << 20,
    ".npy": 4 << 30,
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_THREADS = 8


def bundle_path(namespace: str, model: str, digest_: str) -> str:
    """Where a bundle lives in its store."""
    return f"bundles/{namespace}/{model}/{hex_of(digest_)}"


def manifest_of(folder: Path) -> Manifest:
    """The manifest of the files in `folder`, sorted by name."""
    files = []
    for path in sorted(folder.iterdir()):
        if path.name == MANIFEST:
            continue
        sha256 = hex_of(file_digest(path))
        files.append(File(name=path.name, size_bytes=path.stat().st_size, sha256=sha256))
    manifest = Manifest(files=tuple(files))
    _check_manifest(manifest)
    return manifest


def write_bundle(store: Store, namespace: str, model: str, folder: Path) -> tuple[str, str, int]:
    """Uploads `folder` and gives (URI, digest, bytes). Writing a bundle twice is no error; it
    is then as young as a new one, and retention spares it."""
    manifest = manifest_of(folder)
    (folder / MANIFEST).write_bytes(canonical_json(manifest))
    digest_ = file_digest(folder / MANIFEST)
    base = bundle_path(namespace, model, digest_)

    def put(name: str) -> None:
        # Content-addressed: what is there already is the same, and readers check it.
        with suppress(ConflictError):
            store.put_file(f"{base}/{name}", folder / name)

    if store.exists(f"{base}/{MANIFEST}"):
        store.replace_file(f"{base}/{MANIFEST}", folder / MANIFEST)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(put, [file.name for file in manifest.files]))
    put(MANIFEST)
    return store.uri_of(base), digest_, sum(file.size_bytes for file in manifest.files)


def read_manifest(store: Store, digest_: str) -> Manifest:
    """The manifest at the store's own URI, verified. FileNotFoundError when there is none."""
    data = store.get(MANIFEST, max_bytes=MAX_MANIFEST_BYTES)
    return parse_manifest(data, digest_)


def parse_manifest(data: bytes, digest_: str) -> Manifest:
    """A manifest that has the digest and names only files that a bundle may hold."""
    if digest(data) != f"sha256:{hex_of(digest_)}":
        raise IntegrityError(f"manifest.json has digest {digest(data)}, expected {digest_}")
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise IntegrityError(f"manifest.json is no manifest: {error.errors()[0]['msg']}") from error
    _check_manifest(manifest)
    return manifest


def fetch_bundle(
    uri: str,
    digest_: str,
    into: Path,
    *,
    names: Iterable[str] | None = None,
    retry: Retry | None = None,
    guard: Guard | None = None,
) -> Manifest:
    """Fetches a bundle into the folder `into`, files side by side, and verifies it.

    `names` limits what is fetched (names that the bundle lacks are passed over). A URI that ends in
    `.onnx` is a single file whose own digest is `digest_`; it becomes `model.onnx`.
    Raises FileNotFoundError, StoreError or IntegrityError; nothing unverified is left in `into`.
    """
    into.mkdir(parents=True, exist_ok=True)
    if uri.endswith(".onnx"):
        return _fetch_single(uri, digest_, into, retry, guard)
    wanted = None if names is None else set(names)
    with open_store(uri, retry=retry, guard=guard) as store, ThreadPoolExecutor(_THREADS) as pool:
        manifest = read_manifest(store, digest_)

        def get(file: File) -> None:
            target = into / file.name
            store.get_file(file.name, target, max_bytes=file.size_bytes)
            _verify_or_remove(target, file)

        chosen = [file for file in manifest.files if wanted is None or file.name in wanted]
        list(pool.map(get, chosen))
    (into / MANIFEST).write_bytes(canonical_json(manifest))
    return manifest


def verify_bundle(folder: Path, digest_: str) -> Manifest:
    """Verifies a local bundle: every file of the manifest is there and right, and no other is."""
    manifest = parse_manifest((folder / MANIFEST).read_bytes(), digest_)
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    expected = {file.name for file in manifest.files}
    for name in sorted(present ^ expected):
        problem = "is not in the manifest" if name in present else "is missing"
        raise IntegrityError(f"{name} {problem}")
    for file in manifest.files:
        _verify(folder / file.name, file)
    return manifest


def bundle_exists(uri: str, *, retry: Retry | None = None, guard: Guard | None = None) -> bool:
    """Whether there is something at an artifact's URI. StoreError when its store does not answer,
    UserError when there can be none of that scheme."""
    base, name = uri.rsplit("/", 1) if uri.endswith(".onnx") else (uri, MANIFEST)
    with open_store(base, retry=retry, guard=guard) as store:
        return store.exists(name)


def _fetch_single(
    uri: str, digest_: str, into: Path, retry: Retry | None, guard: Guard | None
) -> Manifest:
    base, _, name = uri.rpartition("/")
    target = into / MODEL_ONNX
    with open_store(base, retry=retry, guard=guard) as store:
        store.get_file(name, target, max_bytes=MAX_BYTES[".onnx"])
    file = File(name=MODEL_ONNX, size_bytes=target.stat().st_size, sha256=hex_of(digest_))
    _verify_or_remove(target, file)
    return Manifest(files=(file,))


def _verify_or_remove(path: Path, file: File) -> None:
    try:
        _verify(path, file)
    except IntegrityError:
        path.unlink(missing_ok=True)
        raise


def _verify(path: Path, file: File) -> None:
    if path.is_symlink() or not path.is_file():
        raise IntegrityError(f"{file.name} is not a regular file")
    if path.stat().st_size != file.size_bytes:
        raise IntegrityError(
            f"{file.name} has {path.stat().st_size} bytes, expected {file.size_bytes}"
        )
    found = hex_of(file_digest(path))
    if found != file.sha256:
        raise IntegrityError(f"{file.name} has sha256 {found}, expected {file.sha256}")
    if path.suffix == ".onnx":
        refuse_external_data(path)


def _check_manifest(manifest: Manifest) -> None:
    if manifest.format_version != FORMAT_VERSION:
        raise IntegrityError(
            f"bundle format {manifest.format_version} is not known here (this is {FORMAT_VERSION})"
        )
    if not 0 < len(manifest.files) <= MAX_FILES:
        raise IntegrityError(f"a bundle has 1 to {MAX_FILES} files, not {len(manifest.files)}")
    names = [file.name for file in manifest.files]
    if len(set(names)) != len(names):
        raise IntegrityError("the manifest names a file twice")
    for file in manifest.files:
        shown = redact(file.name[:120])
        if not _NAME.fullmatch(file.name) or file.name == MANIFEST:
            raise IntegrityError(f'"{shown}" is not a name that a bundle may hold')
        limit = MAX_BYTES.get(Path(file.name).suffix)
        if limit is None:
            raise IntegrityError(f"{shown}: a bundle holds " + ", ".join(sorted(MAX_BYTES)))
        if not 0 <= file.size_bytes <= limit:
            raise IntegrityError(f"{shown}: {file.size_bytes} bytes is more than {limit}")
        hex_of(f"sha256:{file.sha256}")
