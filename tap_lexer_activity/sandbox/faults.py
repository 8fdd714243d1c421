"""Everything that can go wrong on the way to Lexer and back, by name."""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flask import Response, request

from tap_lexer_activity.sandbox.reports import NPS_TYPES, SERIES, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_lexer_activity.sandbox.reports import Query

ANSWER, QUERY, JSON, JOB, LINK, FILE = "answer", "query", "json", "job", "link", "file"
"""Where a fault strikes: in place of an answer, on what a report is asked, on its JSON, on an export's job, link or file."""

FAULTS: dict[str, tuple[str, str]] = {
    "rate_limited": (ANSWER, "429; value: the Retry-After to send"),
    "server_error": (ANSWER, "500; value: another status"),
    "html_error": (ANSWER, "502 with a page in HTML"),
    "unauthorized": (ANSWER, "401"),
    "forbidden": (ANSWER, "403"),
    "bad_request": (ANSWER, "400; value: its text"),
    "not_found": (ANSWER, "404"),
    "reset": (ANSWER, "the connection is reset"),
    "timeout": (ANSWER, "no answer for value seconds (600), then the right one"),
    "slow": (ANSWER, "the right answer in dribs and drabs, over value seconds (2)"),
    "slow_loris": (ANSWER, "the right answer's body, a byte every value seconds (0.5)"),
    "slow_headers": (ANSWER, "the right answer, headers and all, a byte every value seconds (0.5)"),
    "early_hints": (ANSWER, "103 (Early Hints), and after value seconds (0.3) the right answer"),
    "idle_reset": (ANSWER, "the connection is reset if it was idle for value seconds (1), as firewalls do"),
    "cut_body": (ANSWER, "half the body that Content-Length announces, then the end"),
    "cut_chunked": (ANSWER, "a chunked body without its last chunks"),
    "long_body": (ANSWER, "a body twice as long as Content-Length announces"),
    "gzip_garbage": (ANSWER, "Content-Encoding: gzip, a gzip header, and then what is no gzip"),
    "gzip_bomb": (ANSWER, "value (300) million blanks, which gzip makes small"),
    "not_json": (ANSWER, "200 with text; value: the text"),
    "truncated_json": (ANSWER, "half the JSON under a Content-Length that fits"),
    "duplicate_names": (ANSWER, "the first name of the JSON's first object twice in it"),
    "redirect": (ANSWER, "307 to another path of the same host; value: another status"),
    "redirect_foreign": (ANSWER, "307 to the file host"),
    "redirect_loop": (ANSWER, "307 to a path that redirects to itself"),
    "echo_token": (
        ANSWER,
        "an error whose body repeats the request's headers, and whose reason the token; value: the status (400)",
    ),
    "unknown_shape": (JSON, "JSON of another shape; value: the JSON to send"),
    "empty": (JSON, "[] or {}"),
    "nan": (JSON, "NaN in place of the first number"),
    "long_number": (JSON, "a number of 30 digits in place of the last; value: its text"),
    "list_for_object": (JSON, "each outermost object in a list of its own"),
    "duplicate_rows": (JSON, "the first row of each list twice"),
    "nameless_user": (JSON, "a first user whose names are null"),
    "many_classifications": (JSON, "value (100,000) classifications in place of those that there are"),
    "other_shape": (QUERY, "user_volume answers Workflow States in place of Team Volume, or the other way round"),
    "hourly_buckets": (QUERY, "hours from a series whatever its range"),
    "daily_buckets": (QUERY, "days from a series whatever its range"),
    "other_window": (QUERY, "a window that ended value days (28) earlier"),
    "form_gone": (QUERY, "404 for the form of the id value (any), as once it has been deleted"),
    "export_slow": (JOB, "the job stays pending for ever"),
    "export_failed": (JOB, "the job's status is failed"),
    "export_unknown_status": (JOB, "a status that no document names; value: the status"),
    "export_null_url": (LINK, "complete without a URL"),
    "export_expired_link": (LINK, "a link that the file host refuses with 403"),
    "export_foreign_host": (LINK, "a link to the file host by another name"),
    "export_unknown_host": (LINK, "a link to a host whose name is not known"),
    "export_cut": (FILE, "half the file that Content-Length announces"),
    "export_cut_silent": (FILE, "no Content-Length and an early end, inside a quoted cell where there is one"),
    "export_redirect": (FILE, "302 to another path of the file host"),
    "export_gzip": (FILE, "the file under Content-Encoding: gzip"),
    "export_extra_columns": (FILE, "columns that no document names"),
    "export_renamed_columns": (FILE, "other headers; value: an object from old to new"),
}
"""Name → where it strikes, and what happens."""

APPLIES = {
    "other_shape": frozenset({"user_volume"}),
    "hourly_buckets": SERIES,
    "daily_buckets": SERIES,
    "nameless_user": frozenset({"users", "user_volume", "user_summary"}),
    "many_classifications": frozenset({"classifications", "case_classifications"}),
    "form_gone": NPS_TYPES,
}
"""What these faults can change at all; the others anything."""

NO_HOST = "files.invalid"
LONG_NUMBER = "123456789012345678901234567890"

RENAMED = {
    "Agent Reponse Date (UTC)": "Agent Response Date (UTC)",
    "Customer Note": "Note on Customer",
    "Last Agent": "Final Agent",
    "Comment": "Feedback",
}

EXTRA_COLUMNS = (("Sentiment (±1)", "-0.5"), ('Grüße, "quoted"', "a;b"), ("state", "extra"), ("", "no header"))


@dataclass
class Fault:
    """A fault in waiting.

    Attributes:
        name: Which, of `FAULTS`.
        match: The report type or `users`, `groups`, `forms`, `status`, `download` it strikes; None: any.
        times: How many requests it strikes; None: all.
        value: What some faults take.
        after: How many matching requests it lets pass first.
        struck: How many requests it has struck.
    """

    name: str
    match: str | None = None
    times: int | None = 1
    value: Any = None
    after: int = 0
    struck: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            msg = f"unknown fault {self.name!r}: use one of {', '.join(FAULTS)}"
            raise ValueError(msg)
        if self.times is not None and self.times < 1:
            msg = f"times is {self.times!r}: it must be 1 or more, or null for every request"
            raise ValueError(msg)

    def number(self, default: float) -> float:
        """Read the value as a number."""
        return default if self.value is None else float(self.value)


class FaultBook:
    """The faults in waiting, in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Let a fault wait for its requests."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._faults.clear()

    def names(self) -> list[str]:
        """Name the faults that still wait."""
        with self._lock:
            return [fault.name for fault in self._faults]

    def take(self, place: str, *targets: str) -> Fault | None:
        """Find the first fault that strikes this request, and count it.

        Args:
            place: Where the request has got to.
            targets: The report type, or the endpoint's name; both for an export's status and download.
        """
        with self._lock:
            for fault in self._faults:
                types = APPLIES.get(fault.name, frozenset(targets))
                if FAULTS[fault.name][0] != place or fault.match not in {None, *targets} or types.isdisjoint(targets):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                fault.struck += 1
                if fault.struck == fault.times:
                    self._faults.remove(fault)
                return fault
        return None


def parse(text: str) -> Fault:
    """Read `NAME[:MATCH][*TIMES][=VALUE]`; TIMES is a number or `all`, VALUE is JSON or text.

    Raises:
        ValueError: The text has another form, or there is no such fault.
    """
    found = re.fullmatch(r"(\w+)(?::(\w+))?(?:\*(\d+|all))?(?:=(.*))?", text, re.DOTALL)
    if not found:
        msg = f"{text!r} is no fault: write NAME[:MATCH][*TIMES][=VALUE], such as rate_limited:summary*2=30"
        raise ValueError(msg)
    name, match, times, value = found.groups()
    try:
        decoded = None if value is None else json.loads(value)
    except ValueError:
        decoded = value
    return Fault(name, match, None if times == "all" else int(times or 1), decoded)


class Broken(Response):
    """An answer that the handler must not finish: its generator writes to the socket itself.

    Attributes:
        sent: The status that the client gets to see, 0 for none.
    """

    sent: int = 0


def error(status: int, text: str, **more: object) -> Response:
    """Answer an error in JSON; what Lexer's bodies look like is not documented."""
    return Response(json.dumps({"error": text, **more}), status, mimetype="application/json")


def raw(parts: Iterable[bytes], *, sent: int, reset: bool = False) -> Broken:
    """Write bytes to the socket as they are, and end the connection.

    Args:
        parts: What to write.
        sent: The status among them, 0 for none.
        reset: End with a reset in place of an orderly close.
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


def strike(fault: Fault, answer: Callable[[], Response], file_host: str, stopping: threading.Event) -> Response:
    """Answer a request under a fault of the place `ANSWER`.

    Args:
        fault: The fault.
        answer: Makes the right answer.
        file_host: The origin of the downloads.
        stopping: Set when the sandbox ends; delays end with it.
    """
    plain: dict[str, Callable[[], Response]] = {
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
            answer() if _has_moved() else redirect(f"/moved{request.full_path}", int(fault.number(307)))
        ),
        "redirect_foreign": lambda: redirect(f"{file_host}/downloads/elsewhere", 307),
        "redirect_loop": lambda: redirect("/loop", 307),
        "echo_token": lambda: _echo(fault),
    }
    if fault.name in plain:
        return plain[fault.name]()
    idle = request.environ["sandbox.idle"]
    if fault.name == "idle_reset" and idle is not None and idle >= fault.number(1):
        return raw((), sent=0, reset=True)
    if fault.name == "early_hints":
        request.environ["werkzeug.socket"].sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </hint>; rel=preload\r\n\r\n")
        stopping.wait(fault.number(0.3))
    response = answer()
    body = response.get_data()
    half = body[: len(body) // 2]
    bent: dict[str, Callable[[], Response]] = {
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
    return bent[fault.name]()


def _has_moved() -> bool:
    """Tell whether a request is one that a redirect has led here."""
    return request.path.startswith("/moved/")


def redirect(location: str, status: int) -> Response:
    """Answer a redirect."""
    return Response("", status, {"Location": location.rstrip("?")})


def cut(response: Response, body: bytes, *headers: str) -> Broken:
    """Send something in place of an answer's body and close the connection."""
    return raw((_head(response, *headers), body), sent=200)


def _head(response: Response, *headers: str) -> bytes:
    """Write the status line and the headers of an answer after which the connection ends."""
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {response.content_type}", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode()


def _with(response: Response, body: bytes, encoding: str | None = None) -> Response:
    """Put another body into an answer."""
    response.set_data(body)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    return response


def _bomb(millions: int) -> bytes:
    """Pack so many million blanks."""
    pack = zlib.compressobj(wbits=31)
    return b"".join([*(pack.compress(b" " * 1_000_000) for _ in range(millions)), pack.flush()])


def _dripping(response: Response, dripped: bytes, fast: bytes, seconds: float, stopping: threading.Event) -> Broken:
    """Send an answer byte by byte: its body, or its headers and the body at once."""
    head = _head(response, f"Content-Length: {len(dripped + fast)}")

    def parts() -> Iterator[bytes]:
        if dripped:
            yield head
        for number in dripped or head:
            stopping.wait(seconds)
            yield bytes([number])
        yield fast

    return raw(parts(), sent=200)


def _echo(fault: Fault) -> Response:
    response = error(int(fault.number(400)), f"Bad request: {dict(sorted(request.headers))}")
    response.status = f"{response.status_code} No {request.headers.get('Auth-Api-Token', 'token')}"
    return response


def _rate_limited(fault: Fault) -> Response:
    response = error(429, "Rate limited exceeded")
    if fault.value is not None:
        response.headers["Retry-After"] = str(fault.value)
    return response


def _delayed(response: Response, pieces: int, seconds: float, stopping: threading.Event) -> Response:
    """Spread a right answer over a time, in pieces with equal waits before each."""
    body = response.get_data()
    size = max(1, -(-len(body) // pieces))

    def write() -> Iterator[bytes]:
        for start in range(0, len(body), size):
            stopping.wait(seconds / pieces)
            yield body[start : start + size]

    late = Response(write(), response.status_code, mimetype=response.mimetype)
    late.headers["Content-Length"] = str(len(body))
    return late


def bend_query(fault: Fault, query: Query) -> Query:
    """Ask a report something else than was asked, under a fault of the place `QUERY`."""
    if fault.name == "hourly_buckets":
        return replace(query, grain="hour")
    if fault.name == "daily_buckets":
        return replace(query, grain="day")
    if fault.name == "other_shape":
        agents = query.options.user_volume_shape == "agents"
        return replace(query, options=replace(query.options, user_volume_shape="states" if agents else "agents"))
    if fault.name == "form_gone":
        if query.form == fault.number(query.form):
            raise RequestError(404, "Not found")
        return query
    days = int(fault.number(28)) * 86_400_000_000
    return replace(query, start=query.start - days, end=query.end - days)


def bend_json(fault: Fault, content: Any) -> Any:
    """Change what an endpoint answers, under a fault of the place `JSON`."""
    bent: dict[str, Callable[[], Any]] = {
        "unknown_shape": lambda: {"data": {"items": [content]}} if fault.value is None else fault.value,
        "empty": lambda: [] if isinstance(content, list) else {},
        "nan": lambda: _with_number(content, float("nan"))[0],
        "long_number": lambda: _with_number(content, int(fault.value or LONG_NUMBER), last=True)[0],
        "list_for_object": lambda: [[row] for row in content] if isinstance(content, list) else [content],
        "duplicate_rows": lambda: _with_a_row_twice(content),
        "nameless_user": lambda: [content[0] | {"first_name": None, "last_name": None}, *content[1:]],
        "many_classifications": lambda: [
            content[0] | {"classification_id": number} for number in range(int(fault.number(100_000)))
        ],
    }
    return bent[fault.name]()


def _with_a_row_twice(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _with_a_row_twice(part) if isinstance(part, list) else part for key, part in content.items()}
    return content[:1] + content


def _with_number(content: Any, number: float, *, last: bool = False) -> tuple[Any, bool]:
    """Put a number in place of the first or last one; tell whether there was one."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        return number, True
    parts = (
        [*content.items()] if isinstance(content, dict) else [*enumerate(content)] if isinstance(content, list) else []
    )
    for key, part in reversed(parts) if last else parts:
        bent, done = _with_number(part, number, last=last)
        if done:
            copy = content.copy()
            copy[key] = bent
            return copy, True
    return content, False


def bend_rows(fault: Fault, rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Change a file's columns, under `export_extra_columns` or `export_renamed_columns`."""
    header, *rest = rows
    if fault.name == "export_renamed_columns":
        renamed = fault.value or RENAMED
        return [tuple(renamed.get(name, name) for name in header), *rest]
    names, cells = zip(*EXTRA_COLUMNS, strict=True)
    return [header + names, *(row + cells for row in rest)]


def bend_file(fault: Fault, response: Response, path: str) -> Response:
    """Spoil a download, under the other faults of the place `FILE`."""
    body = response.get_data()
    if fault.name == "export_redirect":
        return response if _has_moved() else redirect(f"/moved{path}", 302)
    if fault.name == "export_gzip":
        response.set_data(gzip.compress(body, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        return response
    if fault.name == "export_cut":
        return cut(response, body[: len(body) // 2], f"Content-Length: {len(body)}")
    return cut(response, body[: _inside_a_cell(body)])


def _inside_a_cell(body: bytes) -> int:
    """Find a place inside a quoted cell, in the second half if possible; else the middle."""
    quotes = [found.start() for found in re.finditer(b'"', body)][::2]
    late = [place for place in quotes if place > len(body) // 2]
    return (late or quotes or [len(body) // 2])[0] + 1
