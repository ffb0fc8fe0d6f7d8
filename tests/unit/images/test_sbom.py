"""The bill of an image is that of its requirements."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

IMAGES = Path(__file__).parents[3] / "images"


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sbom", IMAGES / "sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIRST, SECOND = "1" * 64, "2" * 64
TEXT = f"""\
One_Two==1.0 ; python_full_version < '3.12' and sys_platform == 'linux' \\
    --hash=sha256:{FIRST}
one-two==2.0 ; python_full_version >= '3.12' and sys_platform == 'linux' \\
    --hash=sha256:{FIRST} \\
    --hash=sha256:{SECOND}
"""


@pytest.mark.parametrize(
    ("python", "version", "hashes"),
    [
        pytest.param("3.11", "1.0", [FIRST], id="older"),
        pytest.param("3.12", "2.0", [FIRST, SECOND], id="newer"),
    ],
)
def test_a_package_is_told_as_this_python_gets_it(
    sbom: ModuleType, python: str, version: str, hashes: list[str]
):
    (found,) = sbom.components(TEXT, python)
    assert found["purl"] == f"pkg:pypi/one-two@{version}"
    assert [one["content"] for one in found["hashes"]] == hashes


@pytest.mark.parametrize("name", ["operator", "router", "server", "server-sklearn", "trainer"])
def test_everything_in_an_image_is_pinned_and_told_once(sbom: ModuleType, name: str):
    bill = sbom.bill(name, "1", "3.12")
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references)) > 0
    assert bill["dependencies"][0]["dependsOn"] == references
    assert bill == sbom.bill(name, "1", "3.12")


def test_a_package_without_a_hash_is_refused(sbom: ModuleType, tmp_path: Path, monkeypatch):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/requirements.txt").write_text("a==1\n")
    monkeypatch.setattr(sbom, "IMAGES", tmp_path)
    with pytest.raises(ValueError, match="a is not pinned"):
        sbom.bill("x", "1", "3.12")
