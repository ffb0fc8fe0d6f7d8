"""The folder of checkpoints is empty after a success, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

from pawl.training.checkpoints import clear


def test_everything_in_it_goes_and_it_stays(tmp_path: Path):
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x")
    (folder / "step-1" / "deep").mkdir(parents=True)
    (folder / "last.pt").write_text("x")
    (folder / "link").symlink_to(elsewhere)
    clear({"PAWL_CHECKPOINT_DIR": str(folder)})
    assert list(folder.iterdir()) == []
    assert (elsewhere / "kept").exists()


def test_without_one_nothing_is_done_and_one_that_is_gone_is_no_error(tmp_path: Path):
    clear({})
    clear({"PAWL_CHECKPOINT_DIR": str(tmp_path / "gone")})
