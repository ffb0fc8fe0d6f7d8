"""`python -m pawl.capture write|list|join|erase|expire`: an entry point of the trainer image."""

from __future__ import annotations

import sys

from pawl.capture.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
