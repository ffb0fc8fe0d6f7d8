"""One request and its answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pawl.serving.protocol import error_response

if TYPE_CHECKING:
    from pawl.serving.http.connection import Connection

JSON = b"application/json"
_HEAD = {
    status.value: b"HTTP/1.1 %d %s\r\ncontent-type: " % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
_LENGTH = b"\r\ncontent-length: "
_REQUEST_ID = b"\r\nx-request-id: "
_CLOSE = b"\r\nconnection: close"
_DATE = b"\r\ndate: "


class Exchange:
    """Made when a request begins; its parts are filled in as they arrive."""

    __slots__ = (
        "answer",
        "body",
        "close",
        "connection",
        "content_type",
        "headers",
        "method",
        "operation",
        "path",
        "request_id",
        "started",
        "status",
    )

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.method = b""
        self.path = b""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.request_id: bytes | None = None
        self.close = False
        self.started = 0.0
        self.operation = "other"
        self.status = 0
        self.answer: bytes | None = None

    @property
    def abandoned(self) -> bool:
        """Whether the client is gone."""
        return self.connection.lost

    def respond(
        self,
        status: int,
        body: bytes,
        *,
        content_type: bytes = JSON,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answers, once. Header values in `extra` are this server's own, never a client's."""
        parts = [
            _HEAD[status],
            content_type,
            _LENGTH,
            b"%d" % len(body),
            _DATE,
            self.connection.date,
        ]
        if self.request_id is not None:
            parts += (_REQUEST_ID, self.request_id)
        for name, value in extra:
            parts.append(f"\r\n{name}: {value}".encode("latin-1"))
        if self.close:
            parts.append(_CLOSE)
        parts.append(b"\r\n\r\n")
        if self.method != b"HEAD":
            parts.append(body)
        self.status = status
        self.answer = b"".join(parts)
        self.connection.answered(self)

    def error(self, status: int, message: str, *, extra: tuple[tuple[str, str], ...] = ()) -> None:
        """Answers with the protocol's shape of an error."""
        self.respond(status, error_response(message), extra=extra)
