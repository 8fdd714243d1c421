"""The host of the exports' files: signed links, and no token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request
from typing_extensions import override

from tap_lexer_activity.sandbox.answers import MOVED, file_error, redirect
from tap_lexer_activity.sandbox.exports import write_csv
from tap_lexer_activity.sandbox.fault_exports import OF_COLUMNS, bend_file, bend_rows
from tap_lexer_activity.sandbox.faults import FILE
from tap_lexer_activity.sandbox.host import Host
from tap_lexer_activity.sandbox.report_types import EXPORTS

if TYPE_CHECKING:
    from flask import Response

    from tap_lexer_activity.sandbox.shared import Origin, Shared


class FileHost(Host):
    """The host of the downloads."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        for prefix in ("", MOVED):
            rule = f"{prefix}/downloads/activity_<token>"
            self.app.add_url_rule(rule, f"{prefix}download", self._download)
        self.app.add_url_rule("/loop", view_func=lambda: redirect("/loop", 307))

    @property
    @override
    def origin(self) -> Origin:
        return "download"

    @override
    def enter(self) -> Response | None:
        self.shared.on_request()
        if "Auth-Api-Token" in request.headers:
            return file_error(400, "InvalidArgument")
        return self.strike("download")

    def _download(self, token: str) -> Response:
        """The file of a job, as it was when the job was started."""
        expires = request.args.get("X-Amz-Expires", 0, int)
        signature = request.args.get("X-Amz-Signature", "")
        job = self.shared.jobs.find(token)
        if job is None or not self.shared.jobs.is_valid(token, expires, signature):
            return file_error(403, "AccessDenied")
        rows = EXPORTS[job.kind](job.query)
        fault = self.shared.faults.take(FILE, job.kind, "download")
        if fault and fault.name in OF_COLUMNS:
            rows, fault = bend_rows(fault, rows), None
        response = self.shared.differences.apply(
            write_csv(rows),
            target="download",
            kind=job.kind,
            account=self.shared.account,
            file_host=self.shared.file_host(),
            query=job.query,
        )
        return bend_file(fault, response, request.full_path) if fault else response
