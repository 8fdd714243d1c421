"""The faults by name, and the faults that wait for requests. What a fault does is in the module of its place."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from tap_lexer_activity.sandbox.report_types import NPS_TYPES, SERIES

ANSWER, QUERY, JSON, JOB, LINK, FILE = "answer", "query", "json", "job", "link", "file"
"""The place where a fault strikes.

In place of an answer (`fault_answers.py`), on what a report is asked or on its JSON (`fault_contents.py`), on an export's
job, link or file (`fault_exports.py`).
"""

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
    "slow": (ANSWER, "the right answer in small pieces, over value seconds (2)"),
    "slow_loris": (ANSWER, "the right answer's body, a byte every value seconds (0.5)"),
    "slow_headers": (ANSWER, "the right answer, headers included, a byte every value seconds (0.5)"),
    "early_hints": (ANSWER, "103 (Early Hints), and after value seconds (0.3) the right answer"),
    "idle_reset": (ANSWER, "the connection is reset if it was idle for value seconds (1), as firewalls do"),
    "cut_body": (ANSWER, "half the body that Content-Length announces, then the end"),
    "cut_chunked": (ANSWER, "a chunked body without its last chunks"),
    "long_body": (ANSWER, "a body twice as long as Content-Length announces"),
    "gzip_garbage": (ANSWER, "Content-Encoding: gzip, a gzip header, and then garbage"),
    "gzip_bomb": (ANSWER, "value (300) million spaces, compressed to little by gzip"),
    "not_json": (ANSWER, "200 with text; value: the text"),
    "truncated_json": (ANSWER, "half the JSON under a Content-Length that fits"),
    "duplicate_names": (ANSWER, "the JSON's first object with its first name twice"),
    "redirect": (ANSWER, "307 to another path of the same host; value: another status"),
    "redirect_foreign": (ANSWER, "307 to the file host"),
    "redirect_loop": (ANSWER, "307 to a path that redirects to itself"),
    "echo_token": (
        ANSWER,
        "an error that repeats the request's headers in its body, and the token in its reason; value: the status (400)",
    ),
    "unknown_shape": (JSON, "JSON of another shape; value: the JSON to send"),
    "empty": (JSON, "[] or {}"),
    "nan": (JSON, "NaN in place of the first number"),
    "long_number": (JSON, "a number of 30 digits in place of the last; value: its text"),
    "list_for_object": (JSON, "each outermost object in a list of its own"),
    "duplicate_rows": (JSON, "the first row of each list twice"),
    "nameless_user": (JSON, "a first user whose names are null"),
    "many_classifications": (JSON, "value (100,000) classifications instead of the real ones"),
    "other_shape": (QUERY, "user_volume answers Workflow States in place of Team Volume, or the other way round"),
    "hourly_buckets": (QUERY, "hours from a series whatever its range"),
    "daily_buckets": (QUERY, "days from a series whatever its range"),
    "other_window": (QUERY, "a window that ended value days (28) earlier"),
    "form_gone": (QUERY, "404 for the form whose id is value (any), as if it had been deleted"),
    "export_slow": (JOB, "the job stays pending"),
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
"""The faults by name: the place where each strikes, and what happens."""

APPLIES = {
    "other_shape": frozenset({"user_volume"}),
    "hourly_buckets": SERIES,
    "daily_buckets": SERIES,
    "nameless_user": frozenset({"users", "user_volume", "user_summary"}),
    "many_classifications": frozenset({"classifications", "case_classifications"}),
    "form_gone": NPS_TYPES,
}
"""The targets that these faults can change. Other faults can change any."""

LONG_NUMBER = "123456789012345678901234567890"
"""The number of `long_number`, unless it has a value."""


@dataclass
class Fault:
    """A fault that waits for its request.

    Attributes:
        name: Its name in `FAULTS`.
        match: The target that it strikes: a report type, `users`, `groups`, `forms`, `status` or `download`; None: any.
        times: The number of requests that it strikes; None: all.
        value: A number, text or JSON, as `FAULTS` says of it; None: the usual.
        after: The number of matching requests that it still lets pass.
        struck: The number of requests that it has struck.
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
        """The value as a number, or the default."""
        return default if self.value is None else float(self.value)


class FaultBook:
    """The faults that wait, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add a fault, after those that wait already."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def names(self) -> list[str]:
        """The names of those that still wait."""
        with self._lock:
            return [fault.name for fault in self._faults]

    def take(self, place: str, *targets: str) -> Fault | None:
        """The first fault that strikes a request, which counts as struck; None: none does.

        Args:
            place: The place that the request has come to, such as `ANSWER`.
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
    """The fault that `NAME[:MATCH][*TIMES][=VALUE]` describes; TIMES is a number or `all`, VALUE is JSON or text.

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
