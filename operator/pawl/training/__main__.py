"""`python -m pawl.training prepare|train|score|publish`: the entry point of the trainer image."""

from __future__ import annotations

import os
import sys

from pawl.training.stages import STAGES, run_stage, stop_on_sigterm


def main(arguments: list[str]) -> int:
    """Runs the named stage."""
    for stage in STAGES:
        if arguments == [stage]:
            stop_on_sigterm(stage, os.environ)
            return run_stage(stage, os.environ)
    sys.stderr.write(f"usage: python -m pawl.training {'|'.join(STAGES)}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
