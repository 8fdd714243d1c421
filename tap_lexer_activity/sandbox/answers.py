"""Answers of every kind: JSON, errors, redirects, and bytes written straight to the socket."""

from __future__ import annotations

import json
import socket
import struct
from typing import TYPE_CHECKING

from flask import Response, request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOVED = "/moved"
"""The path under which each host serves everything a second time: redirects lead there."""


class Broken(Response):
    """An answer that the handler does not finish: its generator writes to the socket itself.

    Attributes:
        sent: The status that the client gets to see; 0: none.
    """

    sent: int = 0


def json_answer(content: object) -> Response:
    """200 with JSON."""
    return Response(json.dumps(content), mimetype="application/json")


def error(status: int, text: str, **more: object) -> Response:
    """An error in JSON. The form of Lexer's own is not documented."""
    return Response(json.dumps({"error": text, **more}), status, mimetype="application/json")


def file_error(status: int, code: str) -> Response:
    """An error in XML, as file hosts send it."""
    return Response(f"<Error><Code>{code}</Code></Error>", status, mimetype="application/xml")


def redirect(location: str, status: int) -> Response:
    """A redirect."""
    return Response("", status, {"Location": location.rstrip("?")})


def has_moved() -> bool:
    """True if the request came by a redirect."""
    return request.path.startswith(f"{MOVED}/")


def raw(parts: Iterable[bytes], *, sent: int, reset: bool = False) -> Broken:
    """Bytes written to the socket as they are, and then the end of the connection.

    Args:
        parts: The bytes.
        sent: The status among them; 0: none.
        reset: End with a reset, not with an orderly close.
    """
    connection: socket.socket = request.environ["werkzeug.socket"]

    def write() -> Iterator[bytes]:
        for part in parts:
            connection.sendall(part)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(connection.detach())
        message = "broken off on purpose"
        yield from ()
        raise ConnectionAbortedError(message)

    broken = Broken(write())
    broken.sent = sent
    return broken


def cut(response: Response, body: bytes, *headers: str) -> Broken:
    """An answer with another body, after which the connection is closed."""
    return raw((head(response, *headers), body), sent=200)


def head(response: Response, *headers: str) -> bytes:
    """The status line and the headers of an answer after which the connection ends."""
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {response.content_type}", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode()
