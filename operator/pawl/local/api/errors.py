"""API errors, as kube-apiserver words them (apimachinery pkg/api/errors), and their Status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pawl.errors import PawlError
from pawl.local.schema.causes import Cause, invalid_message

Obj = dict[str, Any]

MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class ApiError(PawlError):
    """An error with an HTTP code. `details` is `status.details` of the metav1.Status."""

    def __init__(self, code: int, reason: str, message: str, details: Obj | None = None) -> None:
        super().__init__(message, reason=reason)
        self.code = code
        self.message = message
        self.details = details
        self.continue_token: str | None = None

    def status(self) -> Obj:
        metadata = {"continue": self.continue_token} if self.continue_token else {}
        body: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if not self.reason:
            del body["reason"]
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


def qualified(group: str, plural: str) -> str:
    """`pods`, `deployments.apps`: a resource with its group, as messages name it."""
    return f"{plural}.{group}" if group else plural


def _details(group: str, kind: str, name: str = "", **more: Any) -> Obj:
    return {
        **({"name": name} if name else {}),
        **({"group": group} if group else {}),
        **({"kind": kind} if kind else {}),
        **more,
    }


def not_found(group: str, plural: str, name: str) -> ApiError:
    message = f'{qualified(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(group, plural, name))


def no_such_path() -> ApiError:
    """A URL, or a kind, that this server does not know at all."""
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, {})


def already_exists(group: str, plural: str, name: str, ending: bool = False) -> ApiError:
    message = f'{qualified(group, plural)} "{name}" already exists'
    if ending:
        message = f"object is being deleted: {message}"
    return ApiError(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = MODIFIED) -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(group, plural, name))


def apply_conflict(conflicts: Iterable[tuple[str, str]]) -> ApiError:
    """Server-side apply meets fields of others: (message, field path) of each conflict."""
    found = list(conflicts)
    causes = [
        {"reason": "FieldManagerConflict", "message": message, "field": path}
        for message, path in found
    ]
    managers: dict[str, list[str]] = {}
    for message, path in found:
        managers.setdefault(message, []).append(path)
    lines = []
    for message in sorted(managers):
        paths = managers[message]
        if len(paths) == 1:
            lines.append(f"{message}: {paths[0]}")
        else:
            lines.append(f"{message}:\n" + "\n".join(f"- {path}" for path in paths))
    plural = "conflict" if len(found) == 1 else "conflicts"
    text = f"Apply failed with {len(found)} {plural}: " + "\n".join(lines)
    return ApiError(409, "Conflict", text, {"causes": causes})


def invalid(group: str, kind: str, name: str, causes: Iterable[Cause]) -> ApiError:
    found = list(causes)
    rendered = [{"reason": c.reason, "message": c.message, "field": c.field} for c in found]
    message = invalid_message(group, kind, name, found)
    return ApiError(422, "Invalid", message, _details(group, kind, name, causes=rendered))


def forbidden(group: str, plural: str, name: str, why: str) -> ApiError:
    subject = f' "{name}"' if name else ""
    message = f"{qualified(group, plural)}{subject} is forbidden: {why}"
    return ApiError(403, "Forbidden", message, _details(group, plural, name))


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_supported(group: str, plural: str, verb: str) -> ApiError:
    message = f"{verb} is not supported on resources of kind {qualified(group, plural)!r}".replace(
        "'", '"'
    )
    return ApiError(405, "MethodNotAllowed", message, _details(group, plural))


def method_not_allowed() -> ApiError:
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text, {})


def not_acceptable(accepted: Iterable[str]) -> ApiError:
    text = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(accepted)
    return ApiError(406, "NotAcceptable", text, {})


def unsupported_media_type(accepted: Iterable[str]) -> ApiError:
    text = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", text + ", ".join(accepted))


def unsupported_patch() -> ApiError:
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def too_large(limit: int) -> ApiError:
    text = f"Request entity too large: limit is {limit}"
    return ApiError(413, "RequestEntityTooLarge", text)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def too_old(wanted: int, oldest: int) -> ApiError:
    return expired(f"too old resource version: {wanted} ({oldest})")


def too_new(wanted: int, current: int) -> ApiError:
    """A resourceVersion from the future: the client may try again in a second."""
    message = f"Too large resource version: {wanted}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", f"Timeout: {message}", details)


def internal(message: str) -> ApiError:
    details = {"causes": [{"message": message}]}
    text = f"Internal error occurred: {message}"
    return ApiError(500, "InternalError", text, details)
