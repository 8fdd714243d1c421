"""The plan of a run: its requests, and the time that they take within the quota. Pure functions of requests; the streams make the plans."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from tap_lexer_activity import windows
from tap_lexer_activity.settings.settings import Settings
from tap_lexer_activity.windows import Request

_SHORTEST_TOLD: Final = 10
"""Seconds of the shortest time that is told of answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The requests of one stream, for one NPS form if it is read by forms, oldest first.

    Attributes:
        reason: Why these and no others, for people.
        count: How many there are; `requests` names the windows of those that have any.
        rereads: How many of them read only windows that have been read before.
        polls: Polls of export jobs, estimated: one a job, if each is complete at the first.
        caution: What is probably not meant.
    """

    stream: str
    form_id: int | None = None
    reason: str
    count: int
    requests: Sequence[Request] = ()
    rereads: int = 0
    polls: int = 0
    caution: str | None = None

    @property
    def windows(self) -> int:
        """Windows (of a series: buckets; of an export: days) in it."""
        return sum(len(request.windows) for request in self.requests)


def reason_for(requests: Sequence[Request], *, bookmark: datetime | None, first: datetime, since: datetime) -> str:
    """The reason for these requests, which begin at `first`, where everything had been read up to `since`."""
    if not requests:
        return "nothing new"
    if bookmark is None:
        return "first load"
    if requests[-1].windows[-1].end <= since:
        return "lookback"
    return "new, and lookback" if first < since else "new"


def seconds_within(quota: tuple[int, int], requests: int, *, free: int | None = None) -> int:
    """The least time that so many requests take. So many of them may go at once as are `free`: a whole burst, if nothing has been sent before."""
    calls, seconds = quota
    return max(0, math.ceil((requests - (calls if free is None else free)) / calls)) * seconds


def in_words(seconds: float) -> str:
    """A time as people say it: `40 s`, `15 min`, `2 h 8 min`."""
    minutes = round(seconds / 60)
    if seconds < 100:  # noqa: PLR2004 (a minute and a half is shorter said in seconds)
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 (minutes)


def dates(requests: Iterable[Request], zone: ZoneInfo) -> str:
    """First and last calendar date of the requests' windows, in the account's zone; empty if there are none."""
    found = [window for request in requests for window in (request.windows[0], request.windows[-1])]
    if not found:
        return ""
    first, last = min(found).start, max(window.last_second for window in found)
    return f"{windows.local_date(first, zone)} to {windows.local_date(last, zone)}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of text in columns, numbers to the right."""
    lines = [header, *([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    marks = [">" if rows and isinstance(cell, int) else "<" for cell in (rows or [header])[0]]
    return [
        "  ".join(f"{cell:{m}{w}}" for cell, m, w in zip(line, marks, widths, strict=True)).rstrip() for line in lines
    ]


def format_plan(
    plans: Sequence[Plan],
    alternatives: Mapping[tuple[str, str], int],
    settings: Settings,
    *,
    per_answer: float | None = None,
) -> list[str]:
    """A plan as lines for people.

    The alternatives are requests of the same run with another setting, by the setting and its value; `per_answer` the seconds that an
    answer takes, if they are known.
    """
    rows = [
        (
            plan.stream if plan.form_id is None else f"{plan.stream}, form {plan.form_id}",
            plan.windows,
            plan.count,
            f"about {plan.polls}" if plan.polls else "",
            dates(plan.requests, settings.zone),
            plan.reason,
        )
        for plan in plans
    ]
    quota = settings.rate_limit_requests, settings.rate_limit_seconds
    count, polls = sum(plan.count for plan in plans), sum(plan.polls for plan in plans)
    asked = f" and about {polls:,} polls of exports" if polls else ""
    lines = table(("stream", "windows", "requests", "polls", "days", "why"), rows)
    lines += ["", f"{count:,} requests{asked}: {_time(quota, count + polls)}, at {quota[0]} requests in {quota[1]} s."]
    lines += _answers(settings, quota, count + polls, per_answer)
    if settings.max_requests is not None and settings.max_requests < count + polls:
        lines.append(f"max_requests ends the run after {settings.max_requests:,} of them.")
    return lines + _hint(quota, count + polls, alternatives, with_polls=polls > 0)


def _time(quota: tuple[int, int], requests: int) -> str:
    seconds = seconds_within(quota, requests)
    return f"at least {in_words(seconds)}" if seconds else "no wait for the quota"


def _answers(settings: Settings, quota: tuple[int, int], planned: int, per_answer: float | None) -> list[str]:
    """The time that the answers take, if it is longer than that of the quota."""
    most = settings.max_requests
    requests, at_once = (planned, settings.concurrency) if most is None else (min(planned, most), 1)
    seconds = requests * (per_answer or 0.0) / at_once
    if seconds < max(_SHORTEST_TOLD, seconds_within(quota, requests)):
        return []
    one = f"{per_answer:.1f} s each, as in the last two days"
    return [f"Their answers take about {in_words(seconds)}: {one}, and {at_once} under way at once."]


def _hint(
    quota: tuple[int, int], total: int, alternatives: Mapping[tuple[str, str], int], *, with_polls: bool
) -> list[str]:
    """The setting that would save most, if it saves a wait."""
    useful = {
        choice: requests
        for choice, requests in alternatives.items()
        if seconds_within(quota, requests) < seconds_within(quota, total)
    }
    if not useful:
        return []
    best, _ = min(useful, key=lambda choice: useful[choice])
    ways = [
        f"{value!r} {requests:,} requests, {_time(quota, requests)}"
        for (name, value), requests in useful.items()
        if name == best
    ]
    return [f"Another {best} would take less{', polls included' if with_polls else ''}: {'; '.join(ways)}."]
