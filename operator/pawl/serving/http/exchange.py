"""One request and its answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pawl.serving.protocol import error_response

if TYPE_CHECKING:
    from pawl.serving.http.connection import Connection

JSON = b"application/json"
_HEAD = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\ndate: %s"
_STATUS = {status.value: b"%d %s" % (status.value, status.phrase.encode()) for status in HTTPStatus}


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
        head = _HEAD % (_STATUS[status], content_type, len(body), self.connection.date)
        if self.request_id is not None:
            head += b"\r\nx-request-id: " + self.request_id
        for name, value in extra:
            head += f"\r\n{name}: {value}".encode("latin-1")
        if self.close:
            head += b"\r\nconnection: close"
        self.status = status
        self.answer = head + b"\r\n\r\n" + (b"" if self.method == b"HEAD" else body)
        self.connection.answered(self)

    def error(self, status: int, message: str, *, extra: tuple[tuple[str, str], ...] = ()) -> None:
        """Answers with the protocol's shape of an error."""
        self.respond(status, error_response(message), extra=extra)
