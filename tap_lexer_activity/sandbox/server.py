"""The sandbox's HTTP: the API, the status of exports, the downloads on an origin of their own, and the controls."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import math
import secrets
import socket
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from tap_lexer_activity.sandbox import faults, people, reports
from tap_lexer_activity.sandbox.ledger import SECOND, Ledger, find_zone, instant, moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

HOST = "127.0.0.1"
REPORTS_PATH = "/v1/activity/reports"
STATUS_PATH = "/api/public/v1/activity/reports/status"
FILES = "tap_lexer_activity.sandbox.files"
ENDPOINTS: dict[str, tuple[people.Agent | people.Group | people.Form, ...]] = {
    "users": people.AGENTS,
    "groups": people.GROUPS,
    "forms": people.FORMS,
}


@dataclass(frozen=True)
class Recorded:
    """A request as the sandbox saw it.

    Attributes:
        monotonic: When it came, in seconds of the monotonic clock.
        wall: The same by the real clock, in UTC; the sandbox's own clock plays no part.
        method: The HTTP method.
        path: The path without its query.
        query: The query.
        headers: The headers, as the client wrote them.
        body: The JSON object it carried, if any.
        status: The status it was answered with; 0: none.
        had_token: Whether it carried an `Auth-Api-Token`, right or wrong.
        origin: `api`, `status` or `download`.
        user_agent: The client's name for itself.
    """

    monotonic: float
    wall: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    status: int
    had_token: bool
    origin: Literal["api", "status", "download"]
    user_agent: str


@dataclass(frozen=True)
class Job:
    """An export job.

    Attributes:
        kind: The report type.
        query: What it exports, with the clock of its start.
        ready: When it is complete, in seconds of the monotonic clock.
        status: A status that it keeps for ever, by a fault.
    """

    kind: str
    query: reports.Query
    ready: float
    status: str | None


class Quota:
    """A sliding window of admitted requests; a refused one does not count."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.requests = requests
        self.seconds = seconds
        self._admitted: deque[float] = deque()
        self._lock = threading.Lock()

    def admit(self) -> float | None:
        """Admit a request (None), or tell for how many seconds none is."""
        now = time.monotonic()
        with self._lock:
            while self._admitted and self._admitted[0] <= now - self.seconds:
                self._admitted.popleft()
            if len(self._admitted) >= self.requests:
                return self._admitted[0] + self.seconds - now
            self._admitted.append(now)
            return None

    def reset(self) -> None:
        """Forget what was admitted."""
        with self._lock:
            self._admitted.clear()


class _Handler(WSGIRequestHandler):
    """Keeps connections alive (werkzeug's own closes each after one answer) and writes no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    _answered: float | None = None
    """When the last answer on this connection was sent."""

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self.make_environ()
        environ["sandbox.idle"] = None if self._answered is None else time.monotonic() - self._answered
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
        else:
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        try:
            body, status, headers = run_wsgi_app(self.server.app, environ)
            code, _, reason = status.partition(" ")
            self.send_response(int(code), reason)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            for part in body:
                self.wfile.write(part)
            self._answered = time.monotonic()
        except ConnectionError:
            self.close_connection = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 the base class's name
        """Say nothing: the sandbox records its requests itself."""


class _Server(ThreadedWSGIServer):
    """A threaded server that can end its open connections."""

    def __init__(self, app: Flask, port: int) -> None:
        with socket.create_server((HOST, port)) as listener:
            super().__init__(HOST, port, app, _Handler, fd=listener.fileno())
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and remember it while it lasts."""
        self._connections[threading.current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._connections[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a connection that broke: clients may go when they like."""

    def close(self) -> None:
        """End everything, and wait until it has ended."""
        self.shutdown()
        self._thread.join()
        for thread, connection in list(self._connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)


class Sandbox:
    """Lexer's Activity API on this machine.

    It serves from `start` to `close`, or inside a `with` statement.

    Attributes:
        ledger: What really happened.
        token: The only token that is accepted.
        requests: Every request but those of the controls, in order.
        leaks: The requests to the file host that carried a token.
        secrets: What it has told that no log may have: the tokens of export jobs, and the signatures of links.
        timezone: The account's zone, by name.
        on_request: Called when a request has arrived, before anything is done about it.
    """

    def __init__(  # noqa: PLR0913 every option has a name and a default
        self,
        *,
        clock: str | datetime | None = None,
        timezone: str = "Australia/Sydney",
        messages_per_day: int = 40,
        seed: str = "lexer",
        history_start: str | date | None = None,
        quota: tuple[int, float] = (100, 300),
        retry_after: Literal["seconds", "date"] | None = None,
        labels: Literal["zone", "offset"] = "zone",
        nps_labels: Literal["end", "start"] = "end",
        case_volume_hours: bool = True,
        user_volume_shape: Literal["agents", "states"] = "agents",
        workflow_states_type: str | None = None,
        export_seconds: float = 1.0,
        link_seconds: float = 3600,
        token: str = "sandbox-token-0000",  # noqa: S107 it opens nothing but this
        port: int = 0,
    ) -> None:
        """Prepare a sandbox.

        Args:
            clock: Its time; it stands still until moved. None: the real time, running.
            timezone: The account's IANA zone.
            messages_per_day: The size of the contact centre.
            seed: The same seed gives the same contact centre.
            history_start: The first date with customers; None: the first of the month 14 months before the clock.
            quota: The requests that are admitted, and in how many seconds.
            retry_after: How a 429 names the wait: not at all (None), in `seconds`, or as a `date`.
            labels: See `reports.Options`.
            nps_labels: See `reports.Options`.
            case_volume_hours: See `reports.Options`.
            user_volume_shape: See `reports.Options`.
            workflow_states_type: See `reports.Options`.
            export_seconds: How long an export job takes.
            link_seconds: How long a download link lives.
            token: The only token that is accepted.
            port: The API's port; 0: a free one. The file host always takes a free one.

        Raises:
            ValueError: An option makes no sense.
        """
        self._zone = find_zone(timezone)
        self._options = reports.Options(labels, nps_labels, case_volume_hours, user_volume_shape, workflow_states_type)
        self._standing = None if clock is None else self._moment(clock)
        self._shift = timedelta(0)
        self._quota = Quota(*quota)
        self._retry_after = retry_after
        self._export_seconds = export_seconds
        self._link_seconds = link_seconds
        self._key = secrets.token_bytes(32)
        self._port = port
        self._jobs: dict[str, Job] = {}
        self._faults = faults.FaultBook()
        self._stopping = threading.Event()
        self._servers: list[_Server] = []
        self.timezone = timezone
        self.token = token
        self.on_request: Callable[[], None] = lambda: None
        self.requests: list[Recorded] = []
        self.leaks: list[Recorded] = []
        self.secrets: list[str] = []
        start = date.fromisoformat(history_start) if isinstance(history_start, str) else history_start
        self.ledger = Ledger(
            timezone,
            history_start=start or _months_before(self.clock.date(), 14),
            messages_per_day=messages_per_day,
            seed=seed,
        )

    def start(self) -> Self:
        """Listen on 127.0.0.1.

        Raises:
            OSError: The port is taken.
        """
        self._servers = [_Server(self._api(), self._port)]
        self._servers.append(_Server(self._files(), 0))
        return self

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._stopping.set()
        while self._servers:
            self._servers.pop().close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port of the API."""
        return f"http://{HOST}:{self._servers[0].port}"

    @property
    def api_url(self) -> str:
        """The tap's setting `api_url`."""
        return f"{self.origin}/v1"

    @property
    def export_status_url(self) -> str:
        """The tap's setting `export_status_url`."""
        return f"{self.origin}{STATUS_PATH}"

    @property
    def download_url(self) -> str:
        """Scheme, host and port of the file host."""
        return f"http://{HOST}:{self._servers[1].port}"

    @property
    def clock(self) -> datetime:
        """The sandbox's present moment, in the account's zone. Once set, it stands still."""
        return self._standing or (datetime.now(UTC) + self._shift).astimezone(self._zone)

    @clock.setter
    def clock(self, value: str | datetime) -> None:
        self._standing = self._moment(value)

    def advance(self, seconds: float) -> None:
        """Move the clock; one that runs goes on running."""
        if self._standing is None:
            self._shift += timedelta(seconds=seconds)
        else:
            self._standing = (self._standing.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(self._zone)

    @property
    def rate_limited(self) -> int:
        """The number of 429s sent."""
        return sum(recorded.status == 429 for recorded in list(self.requests))  # noqa: PLR2004 the status itself

    def fault(
        self, name: str, match: str | None = None, times: int | None = 1, value: object = None, after: int = 0
    ) -> faults.Fault:
        """Let something go wrong.

        Args:
            name: Which fault, of `faults.FAULTS`.
            match: The report type or `users`, `groups`, `forms`, `status`, `download`; None: any.
            times: How many matching requests; None: all.
            value: What some faults take.
            after: How many matching requests pass first.

        Returns:
            The fault, which counts what it strikes.

        Raises:
            ValueError: There is no such fault.
        """
        fault = faults.Fault(name, match, times, value, after)
        self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()

    def reset_quota(self) -> None:
        """Give the whole quota again."""
        self._quota.reset()

    def config(self, **extra: object) -> dict[str, object]:
        """Write a configuration for the tap.

        Args:
            extra: Settings to add or replace.
        """
        config: dict[str, object] = {
            "api_token": self.token,
            "api_url": self.api_url,
            "export_status_url": self.export_status_url,
            "timezone": self.timezone,
            "start_date": self.start_date,
            "rate_limit_requests": self._quota.requests,
            "rate_limit_seconds": self._quota.seconds,
        }
        if self.end_date:
            config["end_date"] = self.end_date
        return config | extra

    @property
    def start_date(self) -> str:
        """A date to start from: the Monday at least eight weeks before the clock."""
        weeks_ago = self.clock.date() - timedelta(weeks=8)
        return (weeks_ago - timedelta(days=weeks_ago.weekday())).isoformat()

    @property
    def end_date(self) -> str | None:
        """The clock, when it stands still."""
        return self._standing.isoformat() if self._standing else None

    def report(self, kind: str, date_from: str | datetime, date_to: str | datetime, **extra: object) -> Any:
        """Return what the API would answer to a report now, without HTTP.

        Args:
            kind: The report type.
            date_from: As in a request.
            date_to: As in a request, inclusive.
            extra: More of the body, such as `form`.

        Returns:
            The decoded JSON, or an export's rows of text with the header first.

        Raises:
            RequestError: The API would refuse.
        """
        first, last = (text if isinstance(text, str) else text.isoformat() for text in (date_from, date_to))
        kind, query = self._read({"type": kind, "date_from": first, "date_to": last, **extra})
        return reports.EXPORTS[kind](query) if kind in reports.EXPORTS else reports.answer(kind, query)

    def truth(self, date_from: str | datetime, date_to: str | datetime) -> list[dict[str, object]]:
        """List the messages created in `[date_from, date_to]`, as they are now.

        Args:
            date_from: The first moment; in the account's zone where it has no offset.
            date_to: The last second, inclusive.
        """
        start, end = (instant(self._moment(value)) for value in (date_from, date_to))
        at = instant(self.clock)
        return [
            {
                "id": message.id,
                "created": moment(message.created).isoformat(),
                "local_date": self.ledger.local_date(message.created).isoformat(),
                "state": message.state(at),
                "agent_id": agent.id if (agent := message.agent(at)) else None,
                "wait_seconds": None if (wait := message.wait(at)) is None else wait / SECOND,
                "handling_seconds": None if (time := message.handling(at)) is None else time / SECOND,
            }
            for message in self.ledger.messages(start, end + SECOND, at)
        ]

    def _moment(self, value: str | datetime) -> datetime:
        """Read a moment; one without an offset is in the account's zone."""
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            msg = f"{value!r} is no date: write ISO 8601 such as 2026-05-01T10:00:00+10:00"
            raise ValueError(msg) from None
        return (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(self._zone)

    def _read(self, body: object) -> tuple[str, reports.Query]:
        return reports.read_query(self.ledger, self._options, instant(self.clock), body)

    # The two applications

    def _api(self) -> Flask:
        app = Flask("tap_lexer_activity.sandbox", static_folder=None)
        app.before_request(lambda: self._enter(app))
        app.after_request(self._record)
        app.register_error_handler(reports.RequestError, lambda refused: faults.error(refused.status, refused.text))
        app.register_error_handler(HTTPException, lambda _: faults.error(404, "Not found"))
        for prefix in ("", "/moved"):  # where the fault `redirect` leads
            for name in ENDPOINTS:
                app.add_url_rule(f"{prefix}/v1/{name}", f"{prefix}{name}", self._list)
            app.add_url_rule(f"{prefix}{REPORTS_PATH}", f"{prefix}reports", self._report, methods=["POST"])
            app.add_url_rule(f"{prefix}{STATUS_PATH}", f"{prefix}status", self._status)
        app.add_url_rule("/loop", view_func=lambda: faults.redirect("/loop", 307), methods=["GET", "POST"])
        app.add_url_rule("/_sandbox/state", "state", lambda: _json(self._state()))
        app.add_url_rule("/_sandbox/clock", "clock", self._control_clock, methods=["POST"])
        app.add_url_rule("/_sandbox/faults", "faults", self._control_faults, methods=["POST", "DELETE"])
        app.add_url_rule("/_sandbox/requests", "requests", lambda: _json([_plain(each) for each in self.requests]))
        app.add_url_rule("/_sandbox/ledger", "ledger", self._control_ledger)
        return app

    def _files(self) -> Flask:
        app = Flask(FILES, static_folder=None)
        app.before_request(lambda: self._enter_files(app))
        app.after_request(self._record)
        for prefix in ("", "/moved"):
            app.add_url_rule(f"{prefix}/downloads/activity_<token>", f"{prefix}download", self._download)
        app.add_url_rule("/loop", view_func=lambda: faults.redirect("/loop", 307))
        return app

    def _enter(self, app: Flask) -> Response | None:
        """Check token and quota, then let a fault strike."""
        g.arrived = time.monotonic(), datetime.now(UTC)
        if _origin() is None:
            return None
        self.on_request()
        token = request.headers.get("Auth-Api-Token")
        if not token:
            return faults.error(401, "Unauthorized")
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return faults.error(401, "Unauthorized - api token not matching")
        wait = self._quota.admit()
        if wait is not None:
            return self._limit(wait)
        return self._strike(app, _target())

    def _limit(self, wait: float) -> Response:
        response = faults.error(429, "Rate limited exceeded")
        if self._retry_after == "seconds":
            response.headers["Retry-After"] = str(math.ceil(wait))
        elif self._retry_after == "date":
            until = datetime.now(UTC) + timedelta(seconds=wait + 1)
            response.headers["Retry-After"] = format_datetime(until, usegmt=True)
        return response

    def _strike(self, app: Flask, target: str) -> Response | None:
        fault = self._faults.take(faults.ANSWER, target)
        if fault is None:
            return None
        return faults.strike(
            fault, lambda: app.make_response(app.dispatch_request()), self.download_url, self._stopping
        )

    def _record(self, response: Response) -> Response:
        origin = _origin()
        if origin:
            body = request.get_json(force=True, silent=True) if request.content_length else None
            recorded = Recorded(
                monotonic=g.arrived[0],
                wall=g.arrived[1],
                method=request.method,
                path=request.path,
                query=request.query_string.decode(),
                headers=dict(request.headers),
                body=body if isinstance(body, dict) else None,
                status=response.sent if isinstance(response, faults.Broken) else response.status_code,
                had_token="Auth-Api-Token" in request.headers,
                origin=origin,
                user_agent=request.headers.get("User-Agent", ""),
            )
            self.requests.append(recorded)
            if origin == "download" and recorded.had_token:
                self.leaks.append(recorded)
        return response

    def _bent(self, target: str, content: object) -> Response:
        """Answer JSON, after the faults that change it."""
        fault = self._faults.take(faults.JSON, target)
        return _json(faults.bend_json(fault, content) if fault else content)

    # The API's endpoints

    def _list(self) -> Response:
        name = _target()
        found = [asdict(each) for each in ENDPOINTS[name]]
        for user in found if self.timezone != people.HOME else ():
            if user.get("timezone") == people.HOME:
                offset = (self.clock.utcoffset() or timedelta()) - (self.clock.dst() or timedelta())
                user |= {"timezone": self.timezone, "gmtoffset": offset / timedelta(hours=1)}
        return self._bent(name, found)

    def _report(self) -> Response:
        kind, query = self._read(request.get_json(force=True, silent=True))
        if fault := self._faults.take(faults.QUERY, kind):
            query = faults.bend_query(fault, query)
        if kind not in reports.EXPORTS:
            return self._bent(kind, reports.answer(kind, query))
        fault = self._faults.take(faults.JOB, kind)
        stays = {"export_slow": "pending", "export_failed": "failed", "export_unknown_status": "archived"}
        token = str(uuid.uuid4())
        self.secrets.append(token)
        self._jobs[token] = Job(
            kind=kind,
            query=query,
            ready=time.monotonic() + self._export_seconds,
            status=str(fault.value or stays[fault.name]) if fault else None,
        )
        return self._bent(kind, {"status": "pending", "url": None, "token": token})

    def _status(self) -> Response:
        token = request.args.get("token", "")
        job = self._jobs.get(token)
        if job is None:
            return faults.error(404, "Not found")
        status = job.status or ("complete" if time.monotonic() >= job.ready else "pending")
        url = None
        if status == "complete":
            fault = self._faults.take(faults.LINK, job.kind, "status")
            url = self._link(token, fault.name if fault else None)
        return self._bent("status", {"status": status, "url": url, "token": token})

    def _link(self, token: str, fault: str | None) -> str | None:
        if fault == "export_null_url":
            return None
        expires = int(time.time() + (-1 if fault == "export_expired_link" else self._link_seconds))
        signature = self._sign(token, expires)
        self.secrets.append(signature)
        url = f"{self.download_url}/downloads/activity_{token}?X-Amz-Expires={expires}&X-Amz-Signature={signature}"
        if fault == "export_unknown_host":
            return url.replace(f"http://{HOST}", f"https://{faults.NO_HOST}")
        return url.replace(HOST, "localhost") if fault == "export_foreign_host" else url

    def _sign(self, token: str, expires: int) -> str:
        return hmac.new(self._key, f"{token}:{expires}".encode(), hashlib.sha256).hexdigest()

    # The file host

    def _enter_files(self, app: Flask) -> Response | None:
        """Refuse whoever brings a token, then let a fault strike."""
        g.arrived = time.monotonic(), datetime.now(UTC)
        self.on_request()
        if "Auth-Api-Token" in request.headers:
            return _xml(400, "InvalidArgument")
        return self._strike(app, "download")

    def _download(self, token: str) -> Response:
        job = self._jobs.get(token)
        expires = request.args.get("X-Amz-Expires", 0, int)
        signature = request.args.get("X-Amz-Signature", "")
        right = hmac.compare_digest(signature.encode(), self._sign(token, expires).encode())
        if job is None or not right or expires < time.time():
            return _xml(403, "AccessDenied")
        rows = reports.EXPORTS[job.kind](job.query)
        fault = self._faults.take(faults.FILE, job.kind, "download")
        if fault and fault.name in {"export_extra_columns", "export_renamed_columns"}:
            rows, fault = faults.bend_rows(fault, rows), None
        response = Response(reports.write_csv(rows), mimetype="text/csv")
        return faults.bend_file(fault, response, request.full_path) if fault else response

    # The controls

    def _state(self) -> dict[str, object]:
        return {
            "clock": self.clock.isoformat(),
            "clock_runs": self._standing is None,
            "timezone": self.timezone,
            "history_start": self.ledger.history_start.isoformat(),
            "messages_per_day": self.ledger.messages_per_day,
            "quota": [self._quota.requests, self._quota.seconds],
            "requests": len(self.requests),
            "rate_limited": self.rate_limited,
            "leaks": len(self.leaks),
            "faults": self._faults.names(),
        }

    def _control_clock(self) -> Response:
        body = request.get_json(force=True, silent=True) or {}
        try:
            if "clock" in body:
                self.clock = str(body["clock"])
            else:
                self.advance(float(body["advance_seconds"]))
        except (KeyError, TypeError, ValueError) as error:
            return faults.error(400, f'send {{"clock": ISO 8601}} or {{"advance_seconds": number}}: {error}')
        return _json(self._state())

    def _control_faults(self) -> Response:
        if request.method == "DELETE":
            self.clear_faults()
            return _json(self._state())
        try:
            self.fault(**(request.get_json(force=True, silent=True) or {}))
        except (TypeError, ValueError) as error:
            return faults.error(400, str(error))
        return _json(self._state())

    def _control_ledger(self) -> Response:
        # a plus sign that a client did not escape has become a space
        first, last = (request.args.get(name, "").replace(" ", "+") for name in ("date_from", "date_to"))
        try:
            return _json(self.truth(first, last))
        except ValueError as error:
            return faults.error(400, str(error))


def _json(content: object) -> Response:
    return Response(json.dumps(content), mimetype="application/json")


def _xml(status: int, code: str) -> Response:
    return Response(f"<Error><Code>{code}</Code></Error>", status, mimetype="application/xml")


def _plain(recorded: Recorded) -> dict[str, object]:
    return asdict(recorded) | {"wall": recorded.wall.isoformat()}


def _origin() -> Literal["api", "status", "download"] | None:
    """Name the part of Lexer that a request is for; None: the controls."""
    if request.path.startswith("/_sandbox/"):
        return None
    if current_app.name == FILES:
        return "download"
    return "status" if request.path.removeprefix("/moved") == STATUS_PATH else "api"


def _target() -> str:
    """Name what a request asks the API for, as a fault's `match` does."""
    path = request.path.removeprefix("/moved")
    if path == REPORTS_PATH:
        body = request.get_json(force=True, silent=True)
        return str(body.get("type")) if isinstance(body, dict) else ""
    return "status" if path == STATUS_PATH else path.rsplit("/", 1)[-1]


def _months_before(day: date, months: int) -> date:
    """Find the first day of an earlier month."""
    count = day.year * 12 + day.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)
