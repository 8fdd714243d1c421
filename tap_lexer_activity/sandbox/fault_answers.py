"""Faults of the place `ANSWER`: they answer instead of Lexer, or spoil the right answer."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import TYPE_CHECKING

from flask import Response, request

from tap_lexer_activity.sandbox.answers import MOVED, cut, error, has_moved, head, raw, redirect

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from tap_lexer_activity.sandbox.answers import Broken
    from tap_lexer_activity.sandbox.faults import Fault


def strike(fault: Fault, answer: Callable[[], Response], file_host: str, stopping: threading.Event) -> Response:
    """The answer to a request under a fault of the place `ANSWER`.

    Args:
        fault: The fault.
        answer: Makes the right answer.
        file_host: The origin of the downloads.
        stopping: Set when the sandbox ends; delays end with it.
    """
    instead: dict[str, Callable[[], Response]] = {
        "rate_limited": lambda: _rate_limited(fault),
        "server_error": lambda: error(int(fault.number(500)), "Internal server error"),
        "html_error": lambda: Response("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, mimetype="text/html"),
        "unauthorized": lambda: error(401, "Unauthorized - api token not matching"),
        "forbidden": lambda: error(403, "Forbidden"),
        "bad_request": lambda: error(400, str(fault.value or "Invalid report - invalid type")),
        "not_found": lambda: error(404, "Not found"),
        "reset": lambda: raw((), sent=0, reset=True),
        "not_json": lambda: Response(str(fault.value or "It works!"), 200, mimetype="application/json"),
        "redirect": lambda: (
            answer() if has_moved() else redirect(f"{MOVED}{request.full_path}", int(fault.number(307)))
        ),
        "redirect_foreign": lambda: redirect(f"{file_host}/downloads/elsewhere", 307),
        "redirect_loop": lambda: redirect("/loop", 307),
        "echo_token": lambda: _echo(fault),
    }
    if fault.name in instead:
        return instead[fault.name]()
    idle = request.environ["sandbox.idle"]
    if fault.name == "idle_reset" and idle is not None and idle >= fault.number(1):
        return raw((), sent=0, reset=True)
    if fault.name == "early_hints":
        request.environ["werkzeug.socket"].sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </hint>; rel=preload\r\n\r\n")
        stopping.wait(fault.number(0.3))
    response = answer()
    body = response.get_data()
    half = body[: len(body) // 2]
    spoiled: dict[str, Callable[[], Response]] = {
        "idle_reset": lambda: response,
        "early_hints": lambda: response,
        "timeout": lambda: _delayed(response, 1, fault.number(600), stopping),
        "slow": lambda: _delayed(response, 10, fault.number(2), stopping),
        "slow_loris": lambda: _dripping(response, body, b"", fault.number(0.5), stopping),
        "slow_headers": lambda: _dripping(response, b"", body, fault.number(0.5), stopping),
        "truncated_json": lambda: _with(response, half),
        "duplicate_names": lambda: _with(response, re.sub(rb'{("\w+": )', rb"{\1null, \1", body, count=1)),
        "gzip_garbage": lambda: _with(response, gzip.compress(b"")[:10] + b"no gzip" + body, "gzip"),
        "gzip_bomb": lambda: _with(response, _bomb(int(fault.number(300))), "gzip"),
        "cut_body": lambda: cut(response, half, f"Content-Length: {len(body)}"),
        "long_body": lambda: cut(response, body, f"Content-Length: {len(half)}"),
        "cut_chunked": lambda: cut(response, b"%x\r\n%s\r\n" % (len(half), half), "Transfer-Encoding: chunked"),
    }
    return spoiled[fault.name]()


def _with(response: Response, body: bytes, encoding: str | None = None) -> Response:
    """The answer with another body."""
    response.set_data(body)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    return response


def _bomb(millions: int) -> bytes:
    """Many million spaces, compressed."""
    pack = zlib.compressobj(wbits=31)
    return b"".join([*(pack.compress(b" " * 1_000_000) for _ in range(millions)), pack.flush()])


def _dripping(response: Response, dripped: bytes, fast: bytes, seconds: float, stopping: threading.Event) -> Broken:
    """An answer byte by byte: its body, or its headers and then the body at once."""
    start = head(response, f"Content-Length: {len(dripped + fast)}")

    def parts() -> Iterator[bytes]:
        if dripped:
            yield start
        for number in dripped or start:
            stopping.wait(seconds)
            yield bytes([number])
        yield fast

    return raw(parts(), sent=200)


def _echo(fault: Fault) -> Response:
    """An error that repeats the headers in its body, and the token in its reason."""
    response = error(int(fault.number(400)), f"Bad request: {dict(sorted(request.headers))}")
    response.status = f"{response.status_code} No {request.headers.get('Auth-Api-Token', 'token')}"
    return response


def _rate_limited(fault: Fault) -> Response:
    """429, with the Retry-After of the fault if it has one."""
    response = error(429, "Rate limited exceeded")
    if fault.value is not None:
        response.headers["Retry-After"] = str(fault.value)
    return response


def _delayed(response: Response, pieces: int, seconds: float, stopping: threading.Event) -> Response:
    """The right answer in pieces, with equal waits between them."""
    body = response.get_data()
    size = max(1, -(-len(body) // pieces))

    def write() -> Iterator[bytes]:
        for start in range(0, len(body), size):
            stopping.wait(seconds / pieces)
            yield body[start : start + size]

    late = Response(write(), response.status_code, mimetype=response.mimetype)
    late.headers["Content-Length"] = str(len(body))
    return late
