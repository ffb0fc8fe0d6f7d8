"""Hostile skops files are refused before skops reads them, and honest ones are not."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from pawl.artifacts.skops_bounds import Bounds, refuse_oversized
from pawl.artifacts.skops_load import load_skops
from pawl.errors import IntegrityError

SMALL = Bounds(members=20, schema_bytes=2000, unpacked_bytes=1 << 20)
Members = dict[str, bytes]


def archive(members: Members, method: int = zipfile.ZIP_DEFLATED, schema: Any = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in {"schema.json": json.dumps(schema or {}).encode(), **members}.items():
            made.writestr(name, content)
    return out.getvalue()


def lying(claimed: int, real: int) -> bytes:
    """A member that says it has `claimed` zeros, with their checksum, and inflates to `real`."""
    packed = archive({"bomb.npy": b"\0" * real})
    true = zlib.crc32(b"\0" * real).to_bytes(4, "little")
    false = zlib.crc32(b"\0" * claimed).to_bytes(4, "little")
    sizes = real.to_bytes(4, "little"), claimed.to_bytes(4, "little")
    return packed.replace(true, false).replace(*sizes)


def npz(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("data.npy", content)
    return out.getvalue()


NAMED_OFTEN = {"content": [{"file": "1.npy"}, {"deep": {"file": "1.npy"}}] * 30}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(archive({"1.npy": b"\0" * (2 << 20)}), "unpacks to more than", id="one"),
        pytest.param(
            archive({f"{i}.npy": b"\0" * (1 << 17) for i in range(10)}),
            "unpacks to more than",
            id="together",
        ),
        pytest.param(
            archive({"1.npy": b"\0" * 20_000}, schema=NAMED_OFTEN),
            "unpacks to more than",
            id="one member that is read 60 times",
        ),
        pytest.param(
            archive({"1.npz": npz(b"\0" * (2 << 20))}), "unpacks to more than", id="inner archive"
        ),
        pytest.param(
            archive({"1.npz": archive({str(i): b"" for i in range(30)})}),
            "more than 20 members",
            id="many inner members",
        ),
        pytest.param(
            archive({str(i): b"" for i in range(30)}), "more than 20 members", id="many members"
        ),
        pytest.param(
            archive({}, schema=["x" * 3000]), r"its schema\.json has more", id="long schema"
        ),
    ],
)
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=f"is refused unopened: .*{words}") as caught:
        refuse_oversized(path, SMALL)
    assert caught.value.reason == "ModelTooLarge"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            archive({"1.npy": b"\0" * 100}, zipfile.ZIP_BZIP2), "another method", id="bzip2"
        ),
        pytest.param(lying(1000, 2 << 20), "not what the archive says", id="larger than it says"),
        pytest.param(lying(3000, 2000), "not what the archive says", id="smaller than it says"),
    ],
)
def test_what_cannot_be_counted_is_refused(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=f"is refused unopened: .*{words}") as caught:
        refuse_oversized(path, SMALL)
    assert caught.value.reason == "ModelUnreadable"


def test_a_bomb_is_refused_without_inflating_it(tmp_path: Path):
    path = tmp_path / "model.skops"
    path.write_bytes(lying(1000, 256 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError, match="not what the archive says"):
            load_skops(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_models_are_within_the_bounds(tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(50, 4))
    labels = rows[:, 0] > 0
    sparse = scipy.sparse.csr_matrix(rows)
    for model in (
        RandomForestClassifier(3).fit(rows, labels),
        KNeighborsClassifier().fit(sparse, labels),  # holds a matrix as an inner archive
    ):
        path = tmp_path / "model.skops"
        skops.io.dump(model, path)
        loaded = load_skops(path, ("scipy.sparse.",))
        assert (loaded.predict(rows) == model.predict(rows)).all()


def test_an_empty_file_is_left_to_the_reader(tmp_path: Path):
    path = tmp_path / "model.skops"
    path.write_bytes(b"")
    with pytest.raises(IntegrityError, match="not a readable skops file"):
        load_skops(path)
