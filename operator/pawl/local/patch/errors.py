"""What is wrong with a patch, with the HTTP status the API server answers."""

from __future__ import annotations

from pawl.errors import PawlError


class PatchError(PawlError):
    """A patch that cannot be applied. `code` is 400 (not a patch), 413 (too large) or 422 (a patch
    that does not fit the object)."""

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
