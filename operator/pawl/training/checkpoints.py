"""The folder of checkpoints (PAWL_CHECKPOINT_DIR): it is for a run that goes on, so it is emptied
when that has succeeded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from pawl.constants import ENV_CHECKPOINT_DIR
from pawl.training import log


def clear(env: Mapping[str, str]) -> None:
    """Removes what is in it. What cannot be removed is left and told: the result is there."""
    folder = env.get(ENV_CHECKPOINT_DIR)
    if not folder:
        return
    try:
        for entry in Path(folder).iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        log.info("checkpoints are left", folder=folder, error=str(error))
