"""Lexer's API: lists, reports, the start of exports and their status."""

from __future__ import annotations

import hmac
import math
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING

from flask import request
from typing_extensions import override
from werkzeug.exceptions import HTTPException

from tap_lexer_activity.sandbox import people
from tap_lexer_activity.sandbox.answers import MOVED, error, redirect
from tap_lexer_activity.sandbox.fault_contents import bend_json, bend_query
from tap_lexer_activity.sandbox.fault_exports import bend_link, lasting_status
from tap_lexer_activity.sandbox.faults import JOB, JSON, LINK, QUERY
from tap_lexer_activity.sandbox.host import Host, is_for_controls
from tap_lexer_activity.sandbox.query import RequestError
from tap_lexer_activity.sandbox.report_types import EXPORTS, answer

if TYPE_CHECKING:
    from flask import Response

    from tap_lexer_activity.sandbox.query import Query
    from tap_lexer_activity.sandbox.shared import Origin, Shared

REPORTS_PATH = "/v1/activity/reports"
STATUS_PATH = "/api/public/v1/activity/reports/status"
LISTS: dict[str, tuple[people.Agent | people.Group | people.Form, ...]] = {
    "users": people.AGENTS,
    "groups": people.GROUPS,
    "forms": people.FORMS,
}


class ApiHost(Host):
    """The host of the API."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        app = self.app
        app.register_error_handler(RequestError, lambda refused: error(refused.status, refused.text))
        app.register_error_handler(HTTPException, lambda _: error(404, "Not found"))
        for prefix in ("", MOVED):
            for name in LISTS:
                app.add_url_rule(f"{prefix}/v1/{name}", f"{prefix}{name}", self._list)
            app.add_url_rule(f"{prefix}{REPORTS_PATH}", f"{prefix}reports", self._report, methods=["POST"])
            app.add_url_rule(f"{prefix}{STATUS_PATH}", f"{prefix}status", self._status)
        app.add_url_rule("/loop", view_func=lambda: redirect("/loop", 307), methods=["GET", "POST"])

    @property
    @override
    def origin(self) -> Origin:
        return "status" if request.path.removeprefix(MOVED) == STATUS_PATH else "api"

    @override
    def enter(self) -> Response | None:
        if is_for_controls():
            return None
        self.shared.on_request()
        token = request.headers.get("Auth-Api-Token")
        if not token:
            return error(401, "Unauthorized")
        if not hmac.compare_digest(token.encode(), self.shared.token().encode()):
            return error(401, "Unauthorized - api token not matching")
        wait = self.shared.quota.admit()
        return self.strike(_target()) if wait is None else self._limit(wait)

    def _limit(self, wait: float) -> Response:
        """429, with the wait in seconds in the form that was chosen."""
        response = error(429, "Rate limited exceeded")
        if self.shared.retry_after == "seconds":
            response.headers["Retry-After"] = str(math.ceil(wait))
        elif self.shared.retry_after == "date":
            until = datetime.now(UTC) + timedelta(seconds=wait + 1)
            response.headers["Retry-After"] = format_datetime(until, usegmt=True)
        return response

    def _bent(
        self, fault_target: str, content: object, *, target: str = "", kind: str = "", query: Query | None = None
    ) -> Response:
        """JSON, after the faults and differences that change it."""
        fault = self.shared.faults.take(JSON, fault_target)
        return self.shared.differences.apply(
            bend_json(fault, content) if fault else content,
            target=target or fault_target,
            kind=kind or fault_target,
            account=self.shared.account,
            file_host=self.shared.file_host(),
            query=query,
        )

    def _list(self) -> Response:
        """Users, groups or forms. Users in the zone HOME have the account's zone."""
        name = _target()
        found = [asdict(each) for each in LISTS[name]]
        account = self.shared.account
        for user in found if account.timezone != people.HOME else ():
            if user.get("timezone") == people.HOME:
                offset = (account.clock.utcoffset() or timedelta()) - (account.clock.dst() or timedelta())
                user |= {"timezone": account.timezone, "gmtoffset": offset / timedelta(hours=1)}
        return self._bent(name, found)

    def _report(self) -> Response:
        """A report, or the start of an export."""
        kind, query = self.shared.account.read(request.get_json(force=True, silent=True))
        if fault := self.shared.faults.take(QUERY, kind):
            query = bend_query(fault, query)
        if kind not in EXPORTS:
            return self._bent(kind, answer(kind, query), query=query)
        fault = self.shared.faults.take(JOB, kind)
        token = self.shared.jobs.start(kind, query, lasting_status(fault) if fault else None)
        content = {"status": "pending", "url": None, "token": token}
        return self._bent(kind, content, target="start", query=query)

    def _status(self) -> Response:
        """The status of an export, with a fresh link once it is complete."""
        token = request.args.get("token", "")
        job = self.shared.jobs.find(token)
        if job is None:
            return error(404, "Not found")
        status, url = job.status, None
        if status == "complete":
            link = partial(self.shared.jobs.link, token, self.shared.file_host())
            fault = self.shared.faults.take(LINK, job.kind, "status")
            url = bend_link(fault, link) if fault else link()
        content = {"status": status, "url": url, "token": token}
        return self._bent("status", content, kind=job.kind, query=job.query)


def _target() -> str:
    """The target of the present request, as a fault's `match` names it."""
    path = request.path.removeprefix(MOVED)
    if path == REPORTS_PATH:
        body = request.get_json(force=True, silent=True)
        return str(body.get("type")) if isinstance(body, dict) else ""
    return "status" if path == STATUS_PATH else path.rsplit("/", 1)[-1]
