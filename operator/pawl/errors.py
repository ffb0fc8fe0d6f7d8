"""What can go wrong, as one tree. A leaf: it imports nothing.

PawlError
├── UserError              the input is wrong; a sentence the user can act on, never retried
│   ├── DataError          data missing, wrong column, failed check
│   ├── NotAllowedError    the administrator has not allowed it (estimator, URI, type)
│   └── SignatureError     a request does not fit the model's signature
├── StoreError             the artifact store did not answer; worth another try
├── IntegrityError         bytes do not have the digest they must have; never retried
└── ConflictError          somebody else was first (put-if-absent, optimistic concurrency)
"""


class PawlError(Exception):
    """Root of all errors that Pawl raises on purpose. `reason` is CamelCase for conditions."""

    reason = "Error"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class UserError(PawlError):
    """The input is wrong; trying again without a change cannot help."""

    reason = "InvalidInput"


class DataError(UserError):
    """The data are missing, have the wrong columns, or failed a check."""

    reason = "InvalidData"


class NotAllowedError(UserError):
    """The administrator has not allowed this."""

    reason = "NotAllowed"


class SignatureError(UserError):
    """A request does not fit the model's signature. `field` names the offending input."""

    reason = "InvalidRequest"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class StoreError(PawlError):
    """The artifact store did not answer as it should; worth another try."""

    reason = "StoreUnreachable"


class IntegrityError(PawlError):
    """Bytes do not have the digest they must have."""

    reason = "DigestMismatch"


class ConflictError(PawlError):
    """Somebody else was first."""

    reason = "Conflict"
