"""What is wrong with a patch, with the HTTP status the API server answers."""

from __future__ import annotations

from pawl.errors import PawlError


class PatchError(PawlError):
    """A patch that cannot be applied. `code` is what the API server answers: 400 (not a patch), 409
    (conflicts), 413 (too large), 422 (does not fit the object), or 500 where it never gave the
    mistake a code of its own."""

    reason = "Invalid"

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


def malformed(message: str) -> PatchError:
    """400: this is not a patch."""
    return PatchError(message, code=400)


def unfitting(message: str) -> PatchError:
    """422: a well-formed patch that does not fit this object."""
    return PatchError(message, code=422)


def unforeseen(message: str) -> PatchError:
    """500: wrong in a way for which the API server has no code."""
    return PatchError(message, code=500)
