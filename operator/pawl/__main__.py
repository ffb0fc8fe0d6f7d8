"""`python -m pawl` and the command `pawl`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; the exit code is 2 for what the user should change, 1 else."""
    from pawl.cli import run  # noqa: PLC0415 - a bad argument answers before heavy imports

    sys.exit(run())


if __name__ == "__main__":
    main()
