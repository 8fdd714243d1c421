"""Windows and requests: every instant once, every rule of the API kept, in any zone."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tap_lexer_activity import windows
from tap_lexer_activity.windows import HOUR, SECOND, Window

ZONES = [
    "UTC",
    "Africa/Cairo",  # the clock jumps over midnight
    "Africa/Casablanca",  # four changes a year
    "America/Havana",  # midnight twice
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",  # set back over midnight until 2011, and half an hour off
    "Antarctica/Troll",  # two hours at once
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",  # half an hour at 23:30
    "Asia/Tehran",
    "Australia/Adelaide",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Australia/Sydney",
    "Europe/London",
    "Pacific/Apia",  # no 30 December 2011
    "Pacific/Chatham",
    "Pacific/Kiritimati",  # no 31 December 1994 (or 1 January 1995)
]
zones = (st.sampled_from(ZONES) | st.sampled_from(sorted(available_timezones()))).map(ZoneInfo)
instants = st.datetimes(datetime(2005, 1, 1), datetime(2035, 12, 31)).map(
    lambda d: d.replace(tzinfo=UTC, microsecond=0)
)


def spans(shortest: timedelta, longest: timedelta) -> st.SearchStrategy[timedelta]:
    """Whole seconds."""
    return st.integers(int(shortest.total_seconds()), int(longest.total_seconds())).map(lambda n: timedelta(seconds=n))


intervals = st.sampled_from(["hour", "day", "week", "month"])
grains = st.sampled_from(["hour", "day"])
lengths = spans(timedelta(0), timedelta(days=800))


@given(instants, intervals, zones)
@example(datetime(2011, 12, 30, 9, 30, tzinfo=UTC), "day", ZoneInfo("Pacific/Apia"))
@example(datetime(2026, 4, 4, 15, 10, tzinfo=UTC), "hour", ZoneInfo("Australia/Lord_Howe"))
def test_an_instant_is_in_the_window_it_is_floored_to(
    instant: datetime, interval: windows.Interval, zone: ZoneInfo
) -> None:
    start = windows.floor(instant, interval, zone)
    assert start <= instant < windows.following(start, interval, zone)
    assert windows.floor(start, interval, zone) == start


@given(instants, spans(timedelta(hours=1), timedelta(days=40)), intervals, zones)
def test_windows_cover_a_range_without_gap_or_overlap(
    first: datetime, length: timedelta, interval: windows.Interval, zone: ZoneInfo
) -> None:
    found = list(windows.windows(first, first + length, interval, zone))
    assert found[0].start <= first
    assert found[-1].start < first + length <= found[-1].end
    assert all(before.end == after.start for before, after in pairwise(found))
    assert all(window.length > timedelta(0) for window in found)


@given(instants, zones)
def test_days_begin_at_the_first_instant_of_their_date(instant: datetime, zone: ZoneInfo) -> None:
    start = windows.floor(instant, "day", zone)
    day = windows.local_date(start, zone)
    assert start.astimezone(zone).date() >= day
    before = (start - timedelta(seconds=1)).astimezone(zone)
    assert before.date() < day


@given(instants, st.sampled_from(["week", "month"]), zones)
def test_weeks_start_on_monday_and_months_on_the_first(
    instant: datetime, interval: windows.Interval, zone: ZoneInfo
) -> None:
    day = windows.local_date(windows.floor(instant, interval, zone), zone)
    assume(
        windows.start_of(day - timedelta(days=1), zone) != windows.start_of(day, zone)
    )  # a date that the zone skipped
    assert day.weekday() == 0 if interval == "week" else day.day == 1


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 4, 5), "Australia/Sydney", 25),
        (date(2026, 10, 4), "Australia/Sydney", 23),
        (date(2026, 4, 5), "Australia/Lord_Howe", 24.5),
        (date(2026, 3, 8), "America/New_York", 23),
        (date(2026, 3, 8), "Asia/Kolkata", 24),
        (date(2026, 4, 24), "Africa/Cairo", 23),
        (date(2011, 12, 29), "Pacific/Apia", 24),
        (date(2011, 12, 30), "Pacific/Apia", 0),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(day: date, zone: str, hours: float) -> None:
    start, end = (windows.start_of(day + timedelta(days=n), ZoneInfo(zone)) for n in (0, 1))
    assert (end - start) / timedelta(hours=1) == hours
    assert start.tzinfo is end.tzinfo is UTC


@pytest.mark.parametrize("local", ["02:00:00", "02:00:01", "02:30:00", "02:59:59", "03:00:00"])
def test_a_time_that_a_clock_jumps_over_is_that_of_the_jump(local: str) -> None:
    found = windows.resolve(datetime.fromisoformat(f"2026-10-04T{local}"), ZoneInfo("Australia/Sydney"))
    assert found == datetime(2026, 10, 3, 16, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_a_day_that_has_begun_goes_on_where_a_clock_shows_the_day_before_once_more() -> None:
    st_johns = ZoneInfo("America/St_Johns")
    midnight, change = datetime(2010, 11, 7, 2, 30, tzinfo=UTC), datetime(2010, 11, 7, 2, 31, tzinfo=UTC)
    assert change.astimezone(st_johns).isoformat() == "2010-11-06T23:01:00-03:30"
    for instant in (midnight, change, change + HOUR):
        assert windows.local_date(instant, st_johns) == date(2010, 11, 7)
        assert windows.floor(instant, "day", st_johns) == midnight


def test_a_date_that_a_zone_skipped_is_no_day() -> None:
    apia = ZoneInfo("Pacific/Apia")
    first = windows.start_of(date(2011, 12, 28), apia)
    days = [
        windows.local_date(day.start, apia).day
        for day in windows.windows(first, first + timedelta(days=3), "day", apia)
    ]
    assert days == [28, 29, 31]


def test_a_fraction_of_a_second_belongs_to_its_hour() -> None:
    assert windows.floor(datetime(2026, 4, 5, 7, 8, 9, 10, tzinfo=UTC), "hour", ZoneInfo("UTC")).isoformat() == (
        "2026-04-05T07:00:00+00:00"
    )


def test_the_hour_that_a_clock_shows_twice_is_two_windows() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    start = windows.start_of(date(2026, 4, 5), sydney)
    hours = list(windows.windows(start, windows.start_of(date(2026, 4, 6), sydney), "hour", sydney))
    shown = [hour.start.astimezone(sydney).strftime("%H:%M%z") for hour in hours]
    assert len(hours) == 25
    assert shown[1:5] == ["01:00+1100", "02:00+1100", "02:00+1000", "03:00+1000"]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2026, 4, 5), ["02:00+1345", "03:00+1345", "02:45+1245", "03:00+1245", "04:00+1245"]),
        (date(2026, 9, 27), ["01:00+1245", "02:00+1245", "03:45+1345", "04:00+1345", "05:00+1345"]),
    ],
)
def test_an_hour_begins_also_where_a_clock_is_set_in_the_middle_of_one(day: date, hours: list[str]) -> None:
    chatham = ZoneInfo("Pacific/Chatham")
    first, last = (datetime.fromisoformat(f"{day} {hour}").astimezone(UTC) for hour in (hours[0], hours[-1]))
    found = list(windows.windows(first, last + SECOND, "hour", chatham))
    assert [hour.start.astimezone(chatham).strftime("%H:%M%z") for hour in found] == hours
    for hour in found:
        assert windows.floor(hour.last_second, "hour", chatham) == hour.start, "whatever instant of it is known"


# What a run reads


@given(instants, st.integers(0, 60), st.sampled_from(["day", "week", "month"]), zones, lengths)
def test_a_second_run_reads_the_lookback_and_what_is_new(
    start: datetime, lookback: int, interval: windows.Interval, zone: ZoneInfo, length: timedelta
) -> None:
    bookmark = windows.floor(start + length, interval, zone)
    first = windows.first_to_read(start, bookmark, lookback, interval, zone)
    origin = windows.floor(start, interval, zone)
    assert origin <= first <= max(bookmark, origin)
    expected = {
        window.start
        for window in windows.windows(origin, max(bookmark, origin + timedelta(seconds=1)), interval, zone)
        if window.end <= bookmark
        and windows.local_date(window.start, zone) >= windows.local_date(bookmark, zone) - timedelta(days=lookback)
    }
    assert {w.start for w in windows.windows(first, bookmark, interval, zone) if w.end <= bookmark} == expected


@given(instants, st.integers(0, 20), zones, st.integers(0, 900))
def test_the_lookback_of_hours_counts_days_by_the_clock(
    start: datetime, lookback: int, zone: ZoneInfo, hours: int
) -> None:
    bookmark = windows.floor(start + timedelta(hours=hours), "hour", zone)
    first = windows.first_to_read(start, bookmark, lookback, "hour", zone)
    assert max(windows.floor(start, "hour", zone), bookmark - timedelta(days=lookback, hours=2)) <= first <= bookmark


@given(instants, intervals, zones, spans(timedelta(0), timedelta(days=90)))
def test_without_lookback_a_second_run_reads_nothing_twice(
    start: datetime, interval: windows.Interval, zone: ZoneInfo, length: timedelta
) -> None:
    present = start + length
    done = windows.due(windows.first_to_read(start, None, 0, interval, zone), present, interval, zone, partial=False)
    assume(done)
    bookmark = done[-1].end
    again = windows.first_to_read(start, bookmark, 0, interval, zone)
    assert again == bookmark
    assert windows.due(again, present, interval, zone, partial=False) == []


@pytest.mark.parametrize(
    ("interval", "bookmark", "lookback", "first"),
    [
        ("day", date(2026, 4, 13), 3, date(2026, 4, 10)),
        ("week", date(2026, 4, 13), 10, date(2026, 4, 6)),
        ("week", date(2026, 4, 13), 14, date(2026, 3, 30)),
        ("month", date(2026, 5, 1), 31, date(2026, 4, 1)),
        ("month", date(2026, 5, 1), 29, date(2026, 5, 1)),
    ],
)
def test_the_lookback_goes_by_the_account_s_calendar(
    interval: windows.Interval, bookmark: date, lookback: int, first: date
) -> None:
    sydney = ZoneInfo("Australia/Sydney")
    start, reached = datetime(2026, 1, 1, tzinfo=UTC), windows.start_of(bookmark, sydney)
    assert windows.first_to_read(start, reached, lookback, interval, sydney) == windows.start_of(first, sydney)


def test_the_lookback_of_hours_ends_at_the_same_hour_of_another_day() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    start, bookmark = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 6, 3, tzinfo=UTC)
    assert windows.first_to_read(start, bookmark, 1, "hour", sydney) == bookmark - timedelta(hours=24)
    assert windows.first_to_read(start, bookmark, 2, "hour", sydney) == bookmark - timedelta(hours=49)


def test_a_bookmark_in_the_hour_that_comes_twice_reads_only_what_is_new() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    start, second = datetime(2026, 4, 4, tzinfo=UTC), datetime(2026, 4, 4, 16, tzinfo=UTC)
    assert windows.first_to_read(start, second, 0, "hour", sydney) == second
    assert windows.first_to_read(start, second - HOUR, 0, "hour", sydney) == second - HOUR


def test_a_bookmark_in_the_middle_of_a_window_reads_that_window_whole() -> None:
    utc = ZoneInfo("UTC")
    first = windows.first_to_read(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC), 0, "month", utc)
    assert first == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_month_that_began_before_the_lookback_is_not_read_again() -> None:
    utc = ZoneInfo("UTC")
    bookmark = datetime(2026, 3, 1, tzinfo=UTC)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    assert windows.first_to_read(start, bookmark, 7, "month", utc) == bookmark
    assert windows.first_to_read(start, bookmark, 28, "month", utc) == datetime(2026, 2, 1, tzinfo=UTC)


@given(instants, spans(timedelta(seconds=1), timedelta(days=90)), intervals, zones)
def test_the_open_window_is_read_only_on_demand(
    start: datetime, length: timedelta, interval: windows.Interval, zone: ZoneInfo
) -> None:
    present = start + length
    closed = windows.due(start, present, interval, zone, partial=False)
    everything = windows.due(start, present, interval, zone, partial=True)
    assert all(window.end <= present for window in closed)
    assert everything[: len(closed)] == closed
    assert len(everything) - len(closed) <= 1
    assert all(window.start < present < window.end for window in everything[len(closed) :])


# Requests


@given(instants, lengths, st.sampled_from(["day", "week", "month"]), zones, st.booleans())
def test_a_report_has_one_request_per_window(
    start: datetime, length: timedelta, interval: windows.Interval, zone: ZoneInfo, partial: bool
) -> None:
    present = start + length
    wanted = windows.due(start, present, interval, zone, partial=partial)
    requests = windows.report_requests(wanted, present)
    assert [request.windows for request in requests] == [(window,) for window in wanted]
    assert all(request.asked.start == request.windows[0].start for request in requests)
    assert all(request.asked.end == min(request.windows[0].end, present) for request in requests)


@given(
    instants,
    spans(timedelta(0), timedelta(days=900)),
    spans(timedelta(0), timedelta(days=9)),
    grains,
    zones,
    st.booleans(),
)
@example(datetime(2026, 4, 1, tzinfo=UTC), timedelta(days=5), timedelta(0), "day", ZoneInfo("Australia/Sydney"), False)
@example(datetime(2026, 4, 1, tzinfo=UTC), timedelta(days=400), timedelta(0), "day", ZoneInfo("UTC"), False)
def test_requests_for_a_series_keep_every_rule(
    start: datetime, length: timedelta, later: timedelta, grain: windows.Interval, zone: ZoneInfo, partial: bool
) -> None:
    if grain == "hour":
        length = timedelta(seconds=length // timedelta(seconds=20))
    present = start + length + later
    wanted = [w for w in windows.due(start, present, grain, zone, partial=partial) if w.start < start + length]
    requests = windows.series_requests(wanted, present, grain, zone)

    assert [window for request in requests for window in request.windows] == wanted, "every bucket once, in order"
    for request in requests:
        asked = request.asked
        assert asked.end <= present
        assert asked.start <= request.windows[0].start
        assert min(request.windows[-1].end, present) <= asked.end
        assert asked.start == windows.floor(asked.start, grain, zone)
        if grain == "hour":
            assert asked.length <= timedelta(days=3)
        else:
            assert timedelta(days=4) <= asked.last_second - asked.start <= timedelta(days=360)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


@given(instants, spans(timedelta(days=1), timedelta(days=900)), zones)
def test_daily_requests_are_cut_at_changes_of_offset_and_nowhere_else_if_they_can(
    start: datetime, length: timedelta, zone: ZoneInfo
) -> None:
    present = start + length
    wanted = windows.due(start, present, "day", zone, partial=False)
    requests = windows.series_requests(wanted, present, "day", zone)
    changes = [
        after.start for before, after in pairwise(wanted) if _offset(before.start, zone) != _offset(after.start, zone)
    ]
    cuts = {request.windows[0].start for request in requests[1:]}
    for change in changes:
        later = [c for c in changes if c > change]
        room = (later[0] if later else present) - change
        assert (change in cuts) == (room >= windows.SHORTEST_DAILY)
    spans = [*changes_that_were_cut(changes, cuts), wanted[-1].end] if wanted else []
    edges = [wanted[0].start, *spans] if wanted else []
    fewest = sum(-(-(b - a) // (windows.LONGEST - timedelta(hours=2))) for a, b in pairwise(edges))
    assert len(requests) <= fewest + 1, (
        "as few as the longest request allows (one more where days do not divide evenly)"
    )


def changes_that_were_cut(changes: list[datetime], cuts: set[datetime]) -> list[datetime]:
    return [change for change in changes if change in cuts]


@given(instants, spans(timedelta(hours=1), timedelta(days=30)), zones)
@example(datetime(2026, 4, 3, tzinfo=UTC), timedelta(days=3), ZoneInfo("Australia/Sydney"))
@example(datetime(2026, 4, 3, tzinfo=UTC), timedelta(hours=45), ZoneInfo("Australia/Sydney"))
@example(datetime(2026, 9, 25, tzinfo=UTC), timedelta(days=3), ZoneInfo("Pacific/Chatham"))
def test_hourly_requests_have_one_offset(start: datetime, length: timedelta, zone: ZoneInfo) -> None:
    wanted = windows.due(start, start + length, "hour", zone, partial=False)
    requests = windows.series_requests(wanted, start + length, "hour", zone)
    assert [window for request in requests for window in request.windows] == wanted
    for request in requests:
        starts = [w.start for w in windows.windows(request.asked.start, request.asked.end, "hour", zone)]
        assert len({_offset(instant, zone) for instant in (*starts, request.asked.last_second)}) == 1


@pytest.mark.parametrize(
    ("zone", "requests"), [("UTC", 2), ("Asia/Kolkata", 2), ("Australia/Sydney", 3), ("America/New_York", 3)]
)
def test_a_year_of_a_daily_series_is_a_handful_of_requests(zone: str, requests: int) -> None:
    account = ZoneInfo(zone)
    present = windows.start_of(date(2026, 1, 1), account)
    wanted = windows.due(windows.start_of(date(2025, 1, 1), account), present, "day", account, partial=False)
    assert len(windows.series_requests(wanted, present, "day", account)) == requests


@pytest.mark.parametrize(
    ("interval", "length", "requests"),
    [
        ("hour", timedelta(hours=72), 1),
        ("hour", timedelta(hours=73), 2),
        ("day", timedelta(days=359), 1),
        ("day", timedelta(days=360), 2),
        ("day", timedelta(days=719), 3),
    ],
)
def test_a_request_is_as_long_as_it_may_be(interval: windows.Interval, length: timedelta, requests: int) -> None:
    utc, present = ZoneInfo("UTC"), datetime(2026, 6, 1, tzinfo=UTC)
    wanted = windows.due(present - length, present, interval, utc, partial=False)
    assert len(windows.series_requests(wanted, present, interval, utc)) == requests


def test_one_hour_is_asked_for_with_the_others_of_a_day() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    change = datetime(2026, 4, 4, 16, tzinfo=UTC)
    for first, asked in (
        (change + 40 * HOUR, change + 17 * HOUR),
        (change, change),
        (change - HOUR, change - 24 * HOUR),
    ):
        wanted = [Window(first, first + HOUR)]
        (request,) = windows.series_requests(wanted, change + 50 * HOUR, "hour", sydney)
        assert request.asked == Window(asked, asked + 24 * HOUR)


def test_one_day_is_asked_for_with_days_before_it() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    present = windows.start_of(date(2026, 6, 11), sydney)
    (request,) = windows.series_requests(
        windows.due(present - timedelta(days=1), present, "day", sydney, partial=False), present, "day", sydney
    )
    assert request.asked == Window(windows.start_of(date(2026, 6, 6), sydney), present)
    assert request.windows == (Window(windows.start_of(date(2026, 6, 10), sydney), present),)


def test_a_day_after_a_change_of_offset_is_asked_for_with_days_after_it_where_there_are_any() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    change = windows.start_of(date(2026, 4, 6), sydney)
    wanted = [Window(change, windows.start_of(date(2026, 4, 7), sydney))]
    (in_time,) = windows.series_requests(wanted, windows.start_of(date(2026, 5, 1), sydney), "day", sydney)
    assert in_time.asked == Window(change, windows.start_of(date(2026, 4, 11), sydney))
    (too_soon,) = windows.series_requests(wanted, windows.start_of(date(2026, 4, 7), sydney), "day", sydney)
    assert too_soon.asked.start < change


def test_an_open_bucket_is_asked_for_up_to_now() -> None:
    utc = ZoneInfo("UTC")
    present = datetime(2026, 6, 11, 15, 30, 12, tzinfo=UTC)
    wanted = windows.due(datetime(2026, 6, 1, tzinfo=UTC), present, "day", utc, partial=True)
    (request,) = windows.series_requests(wanted, present, "day", utc)
    assert request.asked.end == present
    assert request.windows[-1].end == datetime(2026, 6, 12, tzinfo=UTC)
    assert request.complete_to(present) == datetime(2026, 6, 11, tzinfo=UTC)


def test_no_buckets_need_no_request() -> None:
    assert windows.series_requests([], datetime(2026, 1, 1, tzinfo=UTC), "day", ZoneInfo("UTC")) == []


def test_a_request_is_complete_to_the_end_of_its_last_window_that_has_ended() -> None:
    ends = [datetime(2026, 6, day, tzinfo=UTC) for day in (1, 2, 3)]
    request = windows.Request(Window(ends[0], ends[2]), (Window(ends[0], ends[1]), Window(ends[1], ends[2])))
    assert request.complete_to(ends[2]) == ends[2]
    assert request.complete_to(ends[2] - SECOND) == ends[1]
    assert request.complete_to(ends[1] - SECOND) is None


@pytest.mark.parametrize(("interval", "count"), [("hour", 48), ("day", 3), ("week", 1), ("month", 2)])
def test_a_backfill_reads_the_windows_that_have_something_of_it(interval: windows.Interval, count: int) -> None:
    sydney = ZoneInfo("Australia/Sydney")
    backfill = Window(datetime(2026, 4, 29, 3, tzinfo=UTC), datetime(2026, 5, 1, 3, tzinfo=UTC))
    later = backfill.end + timedelta(days=40)

    def due(present: datetime, *, partial: bool) -> list[Window]:
        return windows.due(backfill.start, present, interval, sydney, partial=partial, until=backfill.end)

    found = due(later, partial=False)
    assert len(found) == count
    assert found[0].start == windows.floor(backfill.start, interval, sydney)
    assert found[-1].start < backfill.end <= found[-1].end
    present = found[-1].end - SECOND
    assert due(found[-1].end, partial=False) == found
    assert due(present, partial=False) == found[:-1]
    assert due(present, partial=True) == found


def test_instants_are_written_in_utc_wherever_the_tap_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Australia/Sydney")
        time.tzset()
        assert windows.to_text(datetime(2026, 3, 1, tzinfo=ZoneInfo("Asia/Kolkata"))) == "2026-02-28T18:30:00Z"
    time.tzset()


@given(instants)
def test_bookmarks_sort_as_text(instant: datetime) -> None:
    text = windows.to_text(instant)
    assert datetime.fromisoformat(text) == instant
    assert (text < windows.to_text(instant + timedelta(seconds=1))) is True


@given(instants, st.integers(1, 360), zones)
def test_export_windows_lie_on_a_grid_whenever_a_run_begins(instant: datetime, length: int, zone: ZoneInfo) -> None:
    window = windows.export_window(instant, length, zone)
    assert window.start <= instant < window.end
    assert windows.export_window(window.start, length, zone) == window
    assert windows.export_window(window.end - timedelta(seconds=1), length, zone) == window


@given(instants, spans(timedelta(0), timedelta(days=400)), st.integers(1, 360), zones, st.booleans())
@example(datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=60), 7, ZoneInfo("Australia/Sydney"), False)
@example(datetime(2005, 1, 1, tzinfo=UTC), timedelta(days=303), 1, ZoneInfo("Antarctica/Troll"), False)
def test_an_export_asks_for_every_day_once_in_one_window_each(
    start: datetime, length: timedelta, per_job: int, zone: ZoneInfo, partial: bool
) -> None:
    present = start + length
    wanted = windows.due(start, present, "day", zone, partial=partial)
    requests = windows.export_requests(wanted, present, per_job, zone)
    assert [window for request in requests for window in request.windows] == wanted
    for request in requests:
        assert request.asked.end <= present
        assert len({windows.export_window(day.start, per_job, zone) for day in request.windows}) == 1
        begin, last = request.asked.start, request.asked.last_second
        days = windows.local_date(last, zone) - windows.local_date(begin, zone) + timedelta(days=1)
        assert days <= timedelta(days=per_job), "by the calendar, whatever the clocks are moved by"
    assert len(requests) == len({windows.export_window(day.start, per_job, zone) for day in wanted}), "and no more"
