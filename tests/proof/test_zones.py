"""Windows, requests and bookmarks in every zone that Python knows, over thirty years.

What is right is worked out here from the list of a zone's changes of offset alone. Zones with the same list behave the same, so one of
each class is tried. And what a run asks for depends on nothing but the changes around it, so a sample tries each kind of change once,
and `--long` tries them all.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tap_lexer_activity import windows
from tap_lexer_activity.windows import DAY, HOUR, LONGEST, LONGEST_HOURLY, SECOND, Interval, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]  # the long run tries millions of windows

FIRST, LAST = date(2010, 1, 1), date(2040, 1, 1)
MARGIN = timedelta(days=60)
BEGIN, END = (datetime.combine(day, time(), UTC) + more for day, more in ((FIRST, -MARGIN), (LAST, MARGIN)))
DAYS_AT_LEAST = timedelta(days=4)
NEAR = timedelta(days=40)
"""Changes that are further away than this play no part in what a run that reads three weeks again asks for."""


@dataclass(frozen=True)
class Stretch:
    """Time with one offset."""

    start: datetime
    end: datetime
    offset: timedelta


@dataclass(frozen=True)
class Calendar:
    """A zone as a list of stretches; everything else about it follows from them."""

    name: str
    stretches: tuple[Stretch, ...]

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.name)

    @cached_property
    def changes(self) -> list[datetime]:
        return [stretch.start for stretch in self.stretches[1:]]

    @cached_property
    def cuts(self) -> list[datetime]:
        """The first midnight at or after each change: where the days of a request may end."""
        return [self.start_of(self.shown(change - SECOND).date() + DAY) for change in self.changes]

    def start_of(self, day: date) -> datetime:
        """The first instant at which a clock shows this date or a later one."""
        midnight = datetime.combine(day, time(), UTC)
        near = self.stretches[bisect_right(self.changes, midnight - DAY) :]
        return next(max(s.start, midnight - s.offset) for s in near if midnight - s.offset < s.end)

    def shown(self, instant: datetime) -> datetime:
        """What a clock shows."""
        return instant + self.stretches[bisect_right(self.changes, instant)].offset

    def starts(self, dates: Iterable[date]) -> list[datetime]:
        """The first instants of dates; one for a date that the zone skipped and the next."""
        return list(dict.fromkeys(map(self.start_of, dates)))

    def hours(self, start: datetime, end: datetime) -> list[datetime]:
        """The instants at which a clock shows a full hour, or is set."""
        found = set()
        for stretch in self.stretches:
            low, high = max(start, stretch.start), min(end, stretch.end)
            if low < high:
                full = low + -(low + stretch.offset - BEGIN.replace(hour=0)) % HOUR
                found |= {full + n * HOUR for n in range(-((full - high) // HOUR))}
                found |= {stretch.start} & {low}
        return sorted(found)

    def kind(self, change: datetime) -> tuple[object, ...]:
        """What the time around a change looks like, wherever in the years it lies."""
        near = [s for s in self.stretches if s.start < change + NEAR and change - NEAR < s.end]
        return (near[0].offset, *((self.shown(change).time(), s.start - change, s.offset) for s in near[1:]))


def stretches(zone: ZoneInfo, step: timedelta) -> tuple[Stretch, ...]:
    """The stretches of a zone, found by looking at its offset in steps, and halving where it is another."""

    def offset(instant: datetime) -> timedelta:
        return instant.astimezone(zone).utcoffset() or timedelta(0)

    starts = [(BEGIN, offset(BEGIN))]
    before = BEGIN
    while before < END:
        after = before + step
        if (new := offset(after)) != starts[-1][1]:
            low, high = before, after
            while high - low > SECOND:
                middle = low + (high - low) // SECOND // 2 * SECOND
                low, high = (low, middle) if offset(middle) == new else (middle, high)
            starts.append((high, new))
        before = after
    ends = [start for start, _ in starts[1:]]
    return tuple(Stretch(start, end, shift) for (start, shift), end in zip(starts, [*ends, END + step], strict=True))


@pytest.fixture(scope="session")
def calendars(is_long: bool) -> list[Calendar]:
    """One zone of each class. No zone's offset changes and changes back within days, so a sample looks for that no closer."""
    step = timedelta(hours=3 if is_long else 48)
    names = sorted(available_timezones())
    classes = {stretches(ZoneInfo(name), step): name for name in reversed(names)}
    return sorted((Calendar(name, found) for found, name in classes.items()), key=lambda calendar: calendar.name)


@pytest.fixture(scope="session")
def changes(is_long: bool, calendars: list[Calendar]) -> list[tuple[Calendar, datetime]]:
    """Changes of clocks: the first of each kind, or all."""
    inside = [
        (calendar, change)
        for calendar in calendars
        for change in calendar.changes
        if BEGIN + NEAR < change < END - NEAR
    ]
    if is_long:
        return inside
    return list({calendar.kind(change): (calendar, change) for calendar, change in reversed(inside)}.values())


Around = tuple[Calendar, datetime, list[datetime]]


@pytest.fixture(scope="session")
def around(changes: list[tuple[Calendar, datetime]]) -> list[Around]:
    """Changes of clocks, with the starts of the days around each: that of its own is the 26th."""
    return [
        (calendar, change, calendar.starts(calendar.shown(change).date() + n * DAY for n in range(-25, 16)))
        for calendar, change in changes
    ]


def starts_of(found: Iterable[Window]) -> list[datetime]:
    """The starts of windows that follow each other, and the end of the last."""
    listed = list(found)
    assert all(before.end == after.start for before, after in pairwise(listed)), "no gap, no overlap"
    return [window.start for window in listed] + [listed[-1].end]


def test_days_weeks_and_months_are_those_of_the_calendar(calendars: list[Calendar], keep: Callable[..., None]) -> None:
    dates = [FIRST + n * DAY for n in range((LAST - FIRST).days + 1)]
    mondays, firsts = [day for day in dates if day.weekday() == 0], [day for day in dates if day.day == 1]
    grains: list[tuple[Interval, list[date]]] = [("day", dates), ("week", mondays), ("month", firsts)]
    count = 0
    for calendar in calendars:
        for interval, first_dates in grains:
            starts = calendar.starts(first_dates)
            found = starts_of(windows.windows(starts[0], starts[-1], interval, calendar.zone))
            assert found == starts, calendar.name
            count += len(found) - 1
    keep("zones", what="Days, weeks and months of thirty years", of=f"{len(calendars)} classes of zones", cases=count)


def test_hours_begin_at_full_hours_and_where_clocks_are_set(
    calendars: list[Calendar], around: list[Around], is_long: bool, keep: Callable[..., None]
) -> None:
    ranges = (
        [(calendar, calendar.start_of(FIRST), calendar.start_of(LAST)) for calendar in calendars]
        if is_long
        else [(calendar, days[0], days[-1]) for calendar, _, days in around]
    )
    count = 0
    for calendar, first, end in ranges:
        hours = calendar.hours(first, end)
        assert starts_of(windows.windows(first, end, "hour", calendar.zone)) == [*hours, end], calendar.name
        count += len(hours)
    keep("zones", what="Hours", of=f"{len(ranges):,} ranges of time", cases=count)


def test_a_run_goes_on_from_any_bookmark_in_the_same_windows(around: list[Around], keep: Callable[..., None]) -> None:
    count = 0
    for calendar, change, days in around:
        zone = calendar.zone
        hours = calendar.hours(change - 5 * HOUR, change + 5 * HOUR)
        grains: list[tuple[Interval, Sequence[datetime]]] = [("day", days), ("hour", hours)]
        for interval, starts in grains:
            texts = list(map(windows.to_text, starts))
            assert texts == sorted(set(texts)), "bookmarks are compared as text"
            assert list(map(datetime.fromisoformat, texts)) == starts
            for start, end in pairwise(starts):
                middle = start + (end - start) // SECOND // 2 * SECOND
                inside = {windows.floor(instant, interval, zone) for instant in (start, middle, end - SECOND)}
                assert inside == {start}, calendar.name
                assert windows.following(start, interval, zone) == end
                assert windows.first_to_read(starts[0], start, 0, interval, zone) == start
                count += 1
    keep("zones", what="Bookmarks next to a change", of=f"{len(around):,} changes", cases=count)


def test_a_daily_series_is_asked_for_within_every_rule(around: list[Around], keep: Callable[..., None]) -> None:
    count = 0
    for calendar, _, days in around:
        for now in range(23, 38):  # from two days before the change to twelve after it
            for present, partial in ((days[now], False), (days[now] + 7 * HOUR, True)):
                for lookback in (0, 7, 20):
                    first = windows.first_to_read(days[0], days[now - 1], lookback, "day", calendar.zone)
                    wanted = windows.due(first, present, "day", calendar.zone, partial=partial)
                    count += keeps_every_rule(calendar, wanted, present, "day")
    keep("zones", what="Runs of a daily series next to a change", of=f"{len(around):,} changes", cases=count)


def test_a_daily_series_is_first_loaded_within_every_rule(
    calendars: list[Calendar], changes: list[tuple[Calendar, datetime]], is_long: bool, keep: Callable[..., None]
) -> None:
    some_years = [(calendar, change.date() - 500 * DAY, change.date() + 500 * DAY) for calendar, change in changes]
    ranges = [(calendar, FIRST, LAST) for calendar in calendars] if is_long else some_years
    for calendar, first, last in ranges:
        present = calendar.start_of(min(last, LAST))
        wanted = windows.due(calendar.start_of(max(first, FIRST)), present, "day", calendar.zone, partial=False)
        keeps_every_rule(calendar, wanted, present, "day")
    keep("zones", what="First loads of a daily series", of="thirty years" if is_long else "years", cases=len(ranges))


def test_an_hourly_series_is_asked_for_within_every_rule(
    around: list[Around], is_long: bool, keep: Callable[..., None]
) -> None:
    count = 0
    for calendar, change, _ in around:
        hours = calendar.hours(change - 5 * DAY, change + 4 * DAY)
        place = hours.index(change)
        ahead = (*range(-1, 3), *range(9, 90, 9)) if is_long else (-1, 0, 1, 23, 80)
        for present in (hours[place + n] + more for n in ahead for more in (timedelta(0), timedelta(minutes=20))):
            for back in (1, 40, 110):
                partial = present not in hours
                wanted = windows.due(hours[place - back], present, "hour", calendar.zone, partial=partial)
                count += keeps_every_rule(calendar, wanted, present, "hour")
    keep("zones", what="Runs of an hourly series next to a change", of=f"{len(around):,} changes", cases=count)


def test_an_export_asks_for_each_day_once(around: list[Around], keep: Callable[..., None]) -> None:
    count = 0
    for calendar, _, days in around:
        for length in (1, 7, 30, 360):
            present = days[-1]
            wanted = windows.due(days[0], present, "day", calendar.zone, partial=False)
            requests = windows.export_requests(wanted, present, length, calendar.zone)
            assert [window for request in requests for window in request.windows] == wanted
            for request in requests:
                whole = windows.export_window(request.asked.start, length, calendar.zone)
                assert whole.start <= request.asked.start < request.asked.end <= whole.end
                assert all(windows.export_window(day.start, length, calendar.zone) == whole for day in request.windows)
            count += 1
    keep("zones", what="Exports next to a change", of=f"{len(around):,} changes", cases=count)


def keeps_every_rule(calendar: Calendar, wanted: list[Window], present: datetime, grain: Interval) -> int:
    """Check what a run asks for, and say that it is one."""
    requests = windows.series_requests(wanted, present, grain, calendar.zone)
    assert [window for request in requests for window in request.windows] == wanted, "each bucket in one request"
    for request in requests:
        asked = request.asked
        assert asked.end <= present, "nothing in the future"
        assert asked.start <= request.windows[0].start
        assert min(request.windows[-1].end, present) <= asked.end
        assert windows.floor(asked.start, grain, calendar.zone) == asked.start
        if grain == "hour":
            assert asked.length <= LONGEST_HOURLY
            assert not any(asked.start < change < asked.end for change in calendar.changes), "one offset"
        else:
            assert DAYS_AT_LEAST <= asked.last_second - asked.start < LONGEST
            spanned = [cut for cut in calendar.cuts if asked.start < cut < asked.end]
            assert all(_had_to_be_spanned(calendar, cut, present) for cut in spanned), calendar.name
    return 1


def _had_to_be_spanned(calendar: Calendar, cut: datetime, present: datetime) -> bool:
    """True if one side of a cut could not be asked for alone."""
    place = calendar.cuts.index(cut)
    before, _, after = [BEGIN, *calendar.cuts, END][place : place + 3]
    return min(after, present) - cut <= DAYS_AT_LEAST or cut - before <= DAYS_AT_LEAST
