"""Everything that can go wrong on the way to Lexer and back, by name."""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flask import Response, request

from tap_lexer_activity.sandbox.reports import SERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    "cut_body": (ANSWER, "half the body that Content-Length announces, then the end"),
    "cut_chunked": (ANSWER, "a chunked body without its last chunks"),
    "not_json": (ANSWER, "200 with text; value: the text"),
    "truncated_json": (ANSWER, "half the JSON under a Content-Length that fits"),
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
    "duplicate_rows": (JSON, "the first row of each list twice"),
    "other_shape": (QUERY, "user_volume answers Workflow States in place of Team Volume, or the other way round"),
    "hourly_buckets": (QUERY, "hours from a series whatever its range"),
    "daily_buckets": (QUERY, "days from a series whatever its range"),
    "other_window": (QUERY, "a window that ended value days (28) earlier"),
    "export_slow": (JOB, "the job stays pending for ever"),
    "export_failed": (JOB, "the job's status is failed"),
    "export_unknown_status": (JOB, "a status that no document names; value: the status"),
    "export_null_url": (LINK, "complete without a URL"),
    "export_expired_link": (LINK, "a link that the file host refuses with 403"),
    "export_foreign_host": (LINK, "a link to the file host by another name"),
    "export_cut": (FILE, "half the file that Content-Length announces"),
    "export_cut_silent": (FILE, "no Content-Length and an early end, inside a quoted cell where there is one"),
    "export_redirect": (FILE, "302 to another path of the file host"),
    "export_gzip": (FILE, "the file under Content-Encoding: gzip"),
    "export_extra_columns": (FILE, "columns that no document names"),
    "export_renamed_columns": (FILE, "other headers; value: an object from old to new"),
}
"""Name → where it strikes, and what happens."""

APPLIES = {"other_shape": frozenset({"user_volume"}), "hourly_buckets": SERIES, "daily_buckets": SERIES}
"""The report types that these faults can change at all; the others any."""

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
    """

    name: str
    match: str | None = None
    times: int | None = 1
    value: Any = None
    after: int = 0

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
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
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


def raw(*parts: bytes, sent: int, reset: bool = False) -> Broken:
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
        "reset": lambda: raw(sent=0, reset=True),
        "not_json": lambda: Response(str(fault.value or "It works!"), 200, mimetype="application/json"),
        "redirect": lambda: redirect(f"/moved{request.full_path}", int(fault.number(307))),
        "redirect_foreign": lambda: redirect(f"{file_host}/downloads/elsewhere", 307),
        "redirect_loop": lambda: redirect("/loop", 307),
        "echo_token": lambda: _echo(fault),
    }
    if fault.name in plain:
        return plain[fault.name]()
    response = answer()
    body = response.get_data()
    if fault.name == "timeout":
        return _delayed(response, 1, fault.number(600), stopping)
    if fault.name == "slow":
        return _delayed(response, 10, fault.number(2), stopping)
    if fault.name == "truncated_json":
        response.set_data(body[: len(body) // 2])
        return response
    if fault.name == "cut_body":
        return cut(response, body[: len(body) // 2], f"Content-Length: {len(body)}")
    chunk = f"{len(body) // 2:x}\r\n".encode() + body[: len(body) // 2] + b"\r\n"
    return cut(response, chunk, "Transfer-Encoding: chunked")


def redirect(location: str, status: int) -> Response:
    """Answer a redirect."""
    return Response("", status, {"Location": location.rstrip("?")})


def cut(response: Response, body: bytes, *headers: str) -> Broken:
    """Send the start of an answer and close the connection."""
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {response.content_type}", "Connection: close", *headers, "", "")
    return raw("\r\n".join(lines).encode(), body, sent=200)


def _echo(fault: Fault) -> Response:
    response = error(int(fault.number(400)), f"Bad request: {dict(sorted(request.headers))}")
    response.status = f"{response.status_code} No {request.headers['Auth-Api-Token']}"
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
    days = int(fault.number(28)) * 86_400_000_000
    return replace(query, start=query.start - days, end=query.end - days)


def bend_json(fault: Fault, content: Any) -> Any:
    """Change what an endpoint answers, under a fault of the place `JSON`."""
    if fault.name == "unknown_shape":
        return {"data": {"items": [content]}} if fault.value is None else fault.value
    if fault.name == "empty":
        return [] if isinstance(content, list) else {}
    if fault.name == "duplicate_rows":
        if isinstance(content, dict):
            return {key: bend_json(fault, part) if isinstance(part, list) else part for key, part in content.items()}
        return content[:1] + content
    return _with_nan(content)[0]


def _with_nan(content: Any) -> tuple[Any, bool]:
    """Put NaN in place of the first number; tell whether there was one."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        return float("nan"), True
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, part in parts:
        bent, done = _with_nan(part)
        if done:
            return (
                (content | {key: bent}, True)
                if isinstance(content, dict)
                else ([*content[:key], bent, *content[key + 1 :]], True)
            )
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
        return redirect(f"/moved{path}", 302)
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
