"""What a request or a start can fail with, beside `pawl.errors`. HTTP codes are given in
`http.routes` alone."""

from __future__ import annotations

from pawl.errors import PawlError, UserError


class NotServedError(UserError):
    """Another model, or another version than the one here."""

    reason = "NotServed"


class TooLargeError(UserError):
    """More bytes or rows than this server takes in one request."""

    reason = "TooLarge"


class TokenError(UserError):
    """What is said to be a feedback token is none, or none of ours."""

    reason = "BadToken"


class OverloadedError(PawlError):
    """Enough requests wait already; come back after `retry_after` seconds."""

    reason = "Overloaded"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(PawlError):
    """The model is not loaded yet."""

    reason = "NotReady"


class EngineError(PawlError):
    """The model failed on rows that fit its signature. The message holds no internals."""

    reason = "ModelFailed"
