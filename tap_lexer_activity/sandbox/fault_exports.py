"""Faults of the places `JOB`, `LINK` and `FILE`: they spoil an export's status, its link or its file."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox.answers import MOVED, cut, has_moved, redirect
from tap_lexer_activity.sandbox.connections import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from tap_lexer_activity.sandbox.faults import Fault

NO_HOST = "files.invalid"

OF_COLUMNS = frozenset({"export_extra_columns", "export_renamed_columns"})
"""Faults that change the rows of a file; the others of the place `FILE` spoil the download."""

RENAMED = {
    "Agent Reponse Date (UTC)": "Agent Response Date (UTC)",
    "Customer Note": "Note on Customer",
    "Last Agent": "Final Agent",
    "Comment": "Feedback",
}

EXTRA_COLUMNS = (("Sentiment (±1)", "-0.5"), ('Grüße, "quoted"', "a;b"), ("state", "extra"), ("", "no header"))


def lasting_status(fault: Fault) -> str:
    """The lasting status of a job under a fault of the place `JOB`."""
    status = {"export_slow": "pending", "export_failed": "failed", "export_unknown_status": "archived"}
    return str(fault.value or status[fault.name])


def bend_link(fault: Fault, link: Callable[..., str]) -> str | None:
    """The link to a file under a fault of the place `LINK`; None: the answer has none.

    Args:
        fault: The fault.
        link: Signs the right one, for so many `seconds` if told to.
    """
    if fault.name == "export_null_url":
        return None
    if fault.name == "export_expired_link":
        return link(seconds=-1)
    if fault.name == "export_unknown_host":
        return link().replace(f"http://{HOST}", f"https://{NO_HOST}")
    return link().replace(HOST, "localhost")


def bend_rows(fault: Fault, rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows of a file under a fault of `OF_COLUMNS`."""
    header, *rest = rows
    if fault.name == "export_renamed_columns":
        renamed = fault.value or RENAMED
        return [tuple(renamed.get(name, name) for name in header), *rest]
    names, cells = zip(*EXTRA_COLUMNS, strict=True)
    return [header + names, *(row + cells for row in rest)]


def bend_file(fault: Fault, response: Response, path: str) -> Response:
    """A download under the other faults of the place `FILE`."""
    body = response.get_data()
    if fault.name == "export_redirect":
        return response if has_moved() else redirect(f"{MOVED}{path}", 302)
    if fault.name == "export_gzip":
        response.set_data(gzip.compress(body, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        return response
    if fault.name == "export_cut":
        return cut(response, body[: len(body) // 2], f"Content-Length: {len(body)}")
    return cut(response, body[: _inside_a_cell(body)])


def _inside_a_cell(body: bytes) -> int:
    """A place inside a quoted cell, in the second half if possible; else the middle."""
    quotes = [found.start() for found in re.finditer(b'"', body)][::2]
    late = [place for place in quotes if place > len(body) // 2]
    return (late or quotes or [len(body) // 2])[0] + 1
