"""A server that sends exactly what a test gives it, as Lexer's export and as the host of its files.

The answers are whole HTTP responses, head and body, so that a test can say every byte of them.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = b"Account Name,Source Type,Customer Publish Date (UTC),Customer Username,Customer Message,State\r\n"
JOB = "JOBTOKEN-0123456789abcdef"
ROW = b"Acme,Email,2026-01-05 01:00:00,jo,hello,closed\r\n"


def with_length(body: bytes, length: int | None = None, more: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """A response that says how long it is, or claims another length."""
    announced = len(body) if length is None else length
    return b"HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s" % (status, more, announced, body)


def without_length(body: bytes) -> bytes:
    """A response that ends with its connection."""
    return b"HTTP/1.0 200 OK\r\n\r\n" + body


def interim(status: bytes = b"103 Early Hints", more: bytes = b"Link: </hint>; rel=preload\r\n") -> bytes:
    """What a host may say before its answer."""
    return b"HTTP/1.1 %s\r\n%s\r\n" % (status, more)


def kept(answer: bytes) -> bytes:
    """A response after which the connection stays open for the next request."""
    return answer.replace(b"Connection: close", b"Connection: keep-alive")


def chunked(*parts: bytes, coding: bytes = b"chunked") -> bytes:
    """A response in chunks."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: %s\r\n\r\n%s" % (coding, chunks)


def status(status: str | None, url: str | None = None, token: str | None = JOB) -> bytes:
    """An answer about a job. In its URL, `ORIGIN` stands for this host."""
    return with_length(json.dumps({"status": status, "url": url, "token": token}).encode())


PENDING = status("pending")
PAUSE = b"<a short pause>"
"""In an answer: what follows is sent a little later."""
COMPLETE = status("complete", "ORIGIN/file?X-Amz-Signature=SIGNATURE")

HEADER_OF_NO_LENGTH = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: abc\r\n\r\n"
_PACKED = gzip.compress(HEADER + ROW, mtime=0)
WHOLE = [
    (with_length(HEADER + ROW), 1),
    (with_length(HEADER + ROW[:-2]), 1),
    (without_length(HEADER + ROW), 1),
    (with_length(HEADER), 0),
    (with_length(HEADER.replace(b",", b";")), 0),
    (with_length((HEADER + ROW).replace(b",", b";")), 1),
    (with_length((HEADER + ROW + ROW).replace(b",", b"\t")), 2),
    (with_length((HEADER + ROW.replace(b"hello", b"a\nb")).replace(b"\r\n", b"\r")), 1),
    (with_length(b""), 0),
    (with_length(b"\xef\xbb\xbf" + HEADER + ROW + ROW), 2),
    (without_length(gzip.compress(HEADER + ROW[:-2])), 1),
    (with_length(gzip.compress(HEADER) + gzip.compress(ROW), more=b"Content-Encoding: gzip\r\n"), 1),
    (with_length(HEADER + ROW, more=b"This line is no header\r\n"), 1),
    (with_length(b'"Source\r\nType, as sent",' + HEADER + b"Email," + ROW), 1),
    (chunked(HEADER, ROW[:-2]), 1),
    (chunked(HEADER, ROW[:-2], coding=b"CHUNKED"), 1),
    (chunked(_PACKED[:1], _PACKED[1:]), 1),
]
"""Downloads that are whole, and how many rows are in them."""

CUT = [
    (without_length(b""), "did not say how long the file is"),
    (without_length(HEADER + ROW[:-2]), "did not say how long the file is"),
    (with_length(b"<!DOCTYPE html><p>Sign in, please"), "a web page, JSON or a sentence instead of a CSV"),
    (with_length(b"Come back later"), "a web page, JSON or a sentence instead of a CSV"),
    (with_length(b"Come back later\r\nor tomorrow, please\r\n"), "a web page, JSON or a sentence instead of a CSV"),
    (
        with_length(b'\xef\xbb\xbf {"error": "later", "code": 5}\r\n'),
        "a web page, JSON or a sentence instead of a CSV",
    ),
    (with_length(b"Internal error, please retry\n"), "a web page, JSON or a sentence instead of a CSV"),
    (with_length(b'"Access denied, try later"\n'), "a web page, JSON or a sentence instead of a CSV"),
    (with_length(b'[{"error": "later", "code": 5}]\n'), "a web page, JSON or a sentence instead of a CSV"),
    (HEADER_OF_NO_LENGTH + HEADER + ROW[:-2], "did not say how long the file is"),
    (with_length(HEADER + ROW[:20]), "the file ends in the middle of a row"),
    (with_length(HEADER + b'Acme,"Ema'), "the file ends in the middle of a row"),
    (with_length(HEADER + b'Acme,"a ""b\r\n'), "the file ends in the middle of a row"),
    (with_length(HEADER + b'Acme,"\xff'), "the file ends in the middle of a row"),
    (with_length(HEADER + b'Acme,"' + b"hello\r\n" * 100_000), "the file ends in the middle of a row"),
    (with_length(HEADER + ROW, len(HEADER + ROW) + 5), "the file was cut off"),
    (with_length(gzip.compress(HEADER + ROW)[:-6]), "the file was cut off"),
    (with_length(gzip.compress(HEADER + ROW)[:-6], more=b"Content-Encoding: gzip\r\n"), "the file was cut off"),
    (with_length(b"\x1f\x8b" + HEADER), "the file is not valid gzip"),
]
"""Downloads that are not whole, and what is said of them."""


class Host(ThreadingHTTPServer):
    """Sends starts of jobs, answers about them and files: each list in its order, and its last for ever.

    A run asks for the users, to compare their time zones: it has none, or what it is given. That request is none of `asked`.

    Attributes:
        asked: What has been asked for: `start`, `status` or `file`, and `token` after it if the API token came along, and
            `password` if a name and a password did.
        jobs: The body of each start, and the query of each question about a job.
        path: What the last request was sent to.
        headers: Those of the last request.
        connections: The client's port of each request, and so which came over one connection.
        answers: What is still to be sent, by what is asked for.
        elsewhere: Answers by the beginning of the paths below `/v1/activity/reports`, with the names of their parameters.
    """

    def __init__(
        self,
        *files: bytes,
        statuses: Sequence[bytes] = (COMPLETE,),
        starts: Sequence[bytes] = (PENDING,),
        users: bytes | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.users = users or with_length(b"[]")
        self.asked: list[str] = []
        self.jobs: list[str] = []
        self.path = ""
        self.headers: dict[str, str] = {}
        self.connections: list[int] = []
        self.elsewhere: dict[str, bytes] = {}
        self.answers = {"file": list(files), "status": list(statuses), "start": list(starts)}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next(self, kind: str) -> bytes:
        answers = self.answers[kind]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return self.with_origin(answer)

    def with_origin(self, answer: bytes) -> bytes:
        """An answer with this host in its links."""
        if b"ORIGIN" not in answer:
            return answer
        return with_length(answer.partition(b"\r\n\r\n")[2].replace(b"ORIGIN", self.origin.encode()))

    def config(self, **more: object) -> dict[str, object]:
        """The settings to read one day of exports from here."""
        return {
            "api_token": "a-token-of-the-tests",
            "start_date": "2026-01-05",
            "end_date": "2026-01-06",
            "api_url": f"{self.origin}/v1",
            "export_status_url": f"{self.origin}/status",
            **more,
        }

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Answers(BaseHTTPRequestHandler):
    server: Host

    def do_POST(self) -> None:
        self.server.jobs.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer("start")

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/v1/users":
            self.wfile.write(self.server.users)
            return
        if path.startswith("/v1/activity/reports"):
            found = (answer for begin, answer in self.server.elsewhere.items() if self.path.startswith(begin))
            answer = next(found, with_length(b"", status=b"404 Not Found"))
            self.wfile.write(self.server.with_origin(answer))
            return
        if path == "/status":
            self.server.jobs.append(query)
        self._answer("status" if path == "/status" else "file")

    def _answer(self, kind: str) -> None:
        self.server.path, self.server.headers = self.path, dict(self.headers)
        secrets = {"Auth-Api-Token": " token", "Authorization": " password"}
        self.server.asked.append(kind + "".join(secrets[name] for name in secrets if name in self.headers))
        self.server.connections.append(self.client_address[1])
        first, *later = (answer := self.server.next(kind)).split(PAUSE)
        self.wfile.write(first)
        for piece in later:
            time.sleep(0.3)
            self.wfile.write(piece)
        self.close_connection = b"Connection: keep-alive" not in answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""
