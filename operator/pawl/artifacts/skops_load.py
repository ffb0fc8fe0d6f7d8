"""Opening skops files that anybody may have written: bounds first, then types, then objects.

Never a pickle: skops builds objects only of types that are trusted, and trusted are those that a
bundle of ours can hold (`skops_types`) and what the administrator adds.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import skops.io

from pawl.artifacts.retry import describe
from pawl.artifacts.skops_bounds import refuse_oversized
from pawl.artifacts.skops_types import is_trusted
from pawl.errors import IntegrityError, NotAllowedError, PawlError


def load_skops(path: Path, extra: Sequence[str] = ()) -> Any:
    """The model in a skops file. `extra` are types that are trusted too: paths, or prefixes that
    end in a dot.

    NotAllowedError (TypeNotAllowed) for other types; IntegrityError for files that are damaged
    (ModelUnreadable) or too large (ModelTooLarge); MemoryError is passed on.
    """
    try:
        refuse_oversized(path)
        unknown = skops.io.get_untrusted_types(file=path)
        refused = sorted(name for name in unknown if not is_trusted(name, extra))
        if refused:
            raise NotAllowedError(
                f"{path.name} holds types that are not allowed: {', '.join(refused[:5])}",
                reason="TypeNotAllowed",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of estimators that scikit-learn deprecates
            return skops.io.load(path, trusted=unknown)
    except (PawlError, MemoryError):
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise IntegrityError(
            f"{path.name} is not a readable skops file: {describe(error)}",
            reason="ModelUnreadable",
        ) from error
