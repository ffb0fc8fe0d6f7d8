"""`python -m pawl.capture write|list|join|erase|expire`: an entry point of the trainer image."""

from __future__ import annotations

import sys

from pawl import constants
from pawl.capture.main import main
from pawl.errors import PawlError, StoreError

if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PawlError as error:
        sys.stderr.write(f"{error}\n")
        unreachable = isinstance(error, StoreError)
        sys.exit(constants.EXIT_STORE_UNREACHABLE if unreachable else constants.EXIT_USER_ERROR)
