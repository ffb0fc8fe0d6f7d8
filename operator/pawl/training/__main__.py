"""`python -m pawl.training prepare|train|score|publish|checkpoints`: the entry point of the trainer
image."""

from __future__ import annotations

import os
import sys

from pawl.constants import CHECKPOINTS
from pawl.training.stages import STAGES, keep_checkpoints, run_stage, stop_on_sigterm


def main(arguments: list[str]) -> int:
    """Runs the named stage."""
    for stage in STAGES:
        if arguments == [stage]:
            stop_on_sigterm(stage, os.environ)
            return run_stage(stage, os.environ)
    if arguments == [CHECKPOINTS]:
        return keep_checkpoints(os.environ)
    sys.stderr.write(f"usage: python -m pawl.training {'|'.join((*STAGES, CHECKPOINTS))}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
