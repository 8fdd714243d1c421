"""Time cut into windows, and windows put into requests.

Pure functions of instants, time zones and settings: no clock, no HTTP, no Singer. Every instant is an aware `datetime` in UTC, in
whole seconds; local time appears only where a calendar is needed. Windows are half open.

Three rules come from Lexer's documents:

- A series comes in days, or in hours if the request is short. Two sentences of the article disagree on the limit ("less than 4 days",
  "3 days or less"), so no request is ever between the two: see `SHORTEST_DAILY` and `LONGEST_HOURLY`.
- The label of a bucket has no offset. A request that spans a change of offset could be answered in calendar days of the account's zone,
  or in steps of 24 hours from its start; any other request gets the same answer either way. So requests are cut at changes of offset
  wherever that is possible.
- No request may be longer than 12 months.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

Interval = Literal["hour", "day", "week", "month"]

SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)

SHORTEST_DAILY: Final = timedelta(days=4, seconds=1)
"""Shortest request for a daily series. `date_to` is the last second inside, so `date_to - date_from` is 4 full days."""

LONGEST_HOURLY: Final = timedelta(days=3)
"""Longest request for an hourly series."""

USUAL_HOURLY: Final = timedelta(days=1)
"""Length that shorter hourly requests are widened to: it tells an answer in days (midnights only) from one in hours."""

LONGEST: Final = timedelta(days=360)
"""Longest request of any kind: 12 months, however they are counted."""

EARLIEST: Final = datetime(1999, 12, 31, 10, tzinfo=UTC)
"""Earliest instant of any window, when the first zone came to the year 2000: Lexer has no data that old."""
_GRID: Final = date(2000, 1, 3)
"""A date at which windows of exports begin, whatever their length. Any would do; from a Monday on, windows of seven days are weeks."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The instants from `start` up to, and without, `end` (both UTC)."""

    start: datetime
    end: datetime

    @property
    def last_second(self) -> datetime:
        """The last whole second inside: what Lexer calls `date_to`."""
        return self.end - SECOND

    @property
    def length(self) -> timedelta:
        """Elapsed time from start to end."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the API.

    Attributes:
        asked: The range to ask for. It may be wider than the windows (rows outside of them are dropped), and ends at the present if the
            last window has not ended yet.
        windows: The windows (of a series: buckets) inside it that are wanted.
    """

    asked: Window
    windows: tuple[Window, ...]

    def complete_to(self, present: datetime) -> datetime | None:
        """End of the newest window that had ended at `present`, or `None` if none had."""
        return max((window.end for window in self.windows if window.end <= present), default=None)


def to_text(instant: datetime) -> str:
    """An instant as records and bookmarks have it: RFC 3339 in UTC, in whole seconds. Such texts sort by time."""
    return f"{instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def resolve(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which a clock in `zone` shows the naive time `local`, or has jumped over it.

    If the clock shows the time twice, `local.fold` picks one of the two.
    """
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local:
        return instant
    # The clock jumped over it. With the offset after the jump the time lies before the jump, and the other way round (PEP 495).
    local = local.replace(microsecond=0)
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return _change(before, after, zone)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant between two at which the offset became that of the later one."""
    offset = _offset(after, zone)
    while after - before > SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a calendar date in `zone`; of the next date, if the zone skipped this one."""
    return resolve(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 (a wall clock time; resolve() gives it its zone)


def days_from(first: date, count: int, zone: ZoneInfo) -> Window:
    """So many calendar days, from a date on."""
    return Window(start_of(first, zone), start_of(first + timedelta(days=count), zone))


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date whose day contains an instant.

    A clock that is set back over midnight shows the old date once more; the instant belongs to the new day, which has begun.
    """
    day = instant.astimezone(zone).date()
    return day + DAY if start_of(day + DAY, zone) <= instant else day


def _first_date(day: date, interval: Interval) -> date:
    """The first date of the day, week (from Monday) or month that `day` is in."""
    match interval:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case _:
            return day


def floor(instant: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    """The start of the window that contains an instant."""
    if interval == "hour":
        shown = instant.astimezone(zone)
        full = instant - timedelta(minutes=shown.minute, seconds=shown.second, microseconds=shown.microsecond)
        # Where a clock is not set by full hours, or not at one, an hour also begins at the change.
        return full if _offset(full, zone) == shown.utcoffset() else _change(full, instant, zone)
    return start_of(_first_date(local_date(instant, zone), interval), zone)


def following(start: datetime, interval: Interval, zone: ZoneInfo) -> datetime:
    """The start of the window after the one that begins at `start`."""
    if interval == "hour":
        shown = start.astimezone(zone)
        full = start + HOUR - timedelta(minutes=shown.minute, seconds=shown.second)
        return full if _offset(full, zone) == shown.utcoffset() else _change(start, full, zone)
    day = _first_date(local_date(start, zone), interval)
    length = timedelta(days={"week": 7, "month": 32}.get(interval, 1))
    while True:
        day = _first_date(day + length, interval)
        if (result := start_of(day, zone)) > start:  # a date that the zone skipped has no length
            return result


def windows(first: datetime, end: datetime, interval: Interval, zone: ZoneInfo) -> Iterator[Window]:
    """Consecutive windows from the one containing `first` to the last that starts before `end`."""
    start = floor(first, interval, zone)
    while start < end:
        after = following(start, interval, zone)
        yield Window(start, after)
        start = after


def first_to_read(
    start: datetime, bookmark: datetime | None, lookback_days: int, interval: Interval, zone: ZoneInfo
) -> datetime:
    """The start of the first window that a run reads.

    Without a bookmark, that is the window of `start`. With one, it is the first window that began within `lookback_days` calendar days
    before the bookmark, but none after the bookmark itself, and none before the window of `start`.
    """
    origin = floor(start, interval, zone)
    if bookmark is None:
        return origin
    lookback = timedelta(days=lookback_days)
    if interval == "hour":
        shown = bookmark.astimezone(zone).replace(tzinfo=None)
        reach = resolve((shown - lookback).replace(fold=shown.fold), zone)
    else:
        reach = start_of(local_date(bookmark, zone) - lookback, zone)
    first = floor(reach, interval, zone)
    if first < reach:
        first = following(first, interval, zone)
    return max(origin, min(first, floor(bookmark, interval, zone)))


def due(  # noqa: PLR0913 (a range, the present, and how windows are cut)
    first: datetime,
    present: datetime,
    interval: Interval,
    zone: ZoneInfo,
    *,
    partial: bool,
    until: datetime | None = None,
) -> list[Window]:
    """Windows to read, from the one that contains `first` to the last that begins before `until` (default: `present`).

    One that ends after `present` has not ended yet, and is read only if `partial`.
    """
    end = present if until is None else until
    return [window for window in windows(first, end, interval, zone) if window.end <= present or partial]


def report_requests(wanted: Sequence[Window], present: datetime) -> list[Request]:
    """One request for each window: a report has one number for its range, so no other request can give that of a window."""
    return [Request(Window(window.start, min(window.end, present)), (window,)) for window in wanted]


def series_requests(  # noqa: PLR0913 (what is wanted, and what Lexer grants)
    wanted: Sequence[Window],
    present: datetime,
    interval: Interval,
    zone: ZoneInfo,
    *,
    longest: timedelta = LONGEST,
    shortest: timedelta = SHORTEST_DAILY,
) -> list[Request]:
    """The fewest requests that give every bucket of `wanted` (consecutive buckets of `interval`) in its own grain.

    None ends after `present`, none is longer than `longest` (of days 5 at least), and none of days is shorter than `shortest`.
    """
    if not wanted:
        return []
    hourly = interval == "hour"
    longest = min(longest, LONGEST_HOURLY if hourly else LONGEST - timedelta(hours=2))
    shortest = min(longest, USUAL_HOURLY) if hourly else shortest
    result = []
    for stretch in _stretches(wanted, present, interval, zone, shortest=timedelta(0) if hourly else shortest):
        buckets = [bucket for bucket in wanted if stretch.start <= bucket.start < stretch.end]
        for part in _split(buckets, longest):
            start, end = part[0].start, min(part[-1].end, present)
            while end - start < shortest and start > stretch.start:
                start = floor(start - SECOND, interval, zone)
            while end - start < shortest and end < min(stretch.end, present):
                end = min(following(end, interval, zone), present)
            result.append(Request(Window(start, end), tuple(part)))
    return result


def export_window(instant: datetime, days: int, zone: ZoneInfo) -> Window:
    """The window of exports that contains an instant.

    These windows lie on a grid of `days` calendar days that does not depend on when a run begins, so a row that is read again is in the
    same window as before.
    """
    day = local_date(instant, zone)
    first = day - timedelta(days=(day - _GRID).days % days)
    return days_from(first, days, zone)


def export_requests(wanted: Sequence[Window], present: datetime, days: int, zone: ZoneInfo) -> list[Request]:
    """One request for each window of exports, with those of `wanted` (consecutive days) that lie in it."""
    groups = (tuple(group) for _, group in groupby(wanted, key=lambda day: export_window(day.start, days, zone)))
    return [Request(Window(group[0].start, min(group[-1].end, present)), group) for group in groups]


def _stretches(
    wanted: Sequence[Window], present: datetime, interval: Interval, zone: ZoneInfo, *, shortest: timedelta
) -> list[Window]:
    """Stretches of time that cover `wanted` and room around it, each with one offset and long enough for a request of its own.

    A stretch shorter than `shortest` joins the one before it: a request has to span that change of offset.
    """
    room = SHORTEST_DAILY + 2 * DAY
    begin = floor(wanted[0].start - room, interval, zone)
    end = min(wanted[-1].end + room, present) if wanted[-1].end <= present else wanted[-1].end
    starts = [begin]
    offset = _offset(begin, zone)
    for window in windows(begin, end, interval, zone):
        if (new := _offset(window.start, zone)) != offset:
            starts.append(window.start)
            offset = new
    stretches: list[Window] = []
    for stretch in map(Window, starts, [*starts[1:], end]):
        goes_on = stretch.end == end < present  # beyond the room that is looked at
        if stretches and not goes_on and min(stretch.end, present) - stretch.start < shortest:
            stretch = Window(stretches.pop().start, stretch.end)  # noqa: PLW2901 (joined to its neighbour)
        stretches.append(stretch)
    return [stretch for stretch in stretches if stretch.start < wanted[-1].end and wanted[0].start < stretch.end]


def _split(buckets: Sequence[Window], longest: timedelta) -> list[Sequence[Window]]:
    """Consecutive buckets in the fewest parts, about equal in size, of which none is longer than `longest`."""
    if not buckets:
        return []
    least = math.ceil((buckets[-1].end - buckets[0].start) / longest)
    found = (evenly(buckets, count) for count in range(least, len(buckets) + 1))
    return next(parts for parts in found if all(part[-1].end - part[0].start <= longest for part in parts))


def evenly(days: Sequence[Window], count: int) -> list[Sequence[Window]]:
    """Windows in so many parts, about equal in size."""
    bounds = [len(days) * index // count for index in range(count + 1)]
    return [days[low:high] for low, high in pairwise(bounds)]
