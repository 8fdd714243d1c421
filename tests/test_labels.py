"""Labels of buckets: which bucket they name, and when they give away a wrong grain."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity import windows
from tap_lexer_activity.http.retry import retry_after
from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.streams.grain import Bucket, GrainChecks
from tap_lexer_activity.streams.labels import buckets_by_start, label_shift
from tap_lexer_activity.windows import DAY, HOUR, Request, Window

SYDNEY = ZoneInfo("Australia/Sydney")


def days(first: date, last: date, zone: ZoneInfo = SYDNEY) -> Window:
    return Window(windows.start_of(first, zone), windows.start_of(last + DAY, zone))


def by_label(asked: Window, interval: windows.Interval, zone: ZoneInfo) -> dict[str, Window]:
    return {f"{start:%Y-%m-%d %H:%M}": bucket for start, bucket in buckets_by_start(asked, interval, zone).items()}


def test_days_are_labelled_by_their_local_midnight() -> None:
    asked = days(date(2026, 4, 3), date(2026, 4, 7))
    buckets = by_label(asked, "day", SYDNEY)
    assert buckets["2026-04-05 00:00"].length == timedelta(hours=25)
    assert sorted(buckets) == [f"2026-04-0{n} 00:00" for n in range(2, 9)], (
        "what was asked for, and a day on either side"
    )


def test_a_day_whose_midnight_does_not_exist_goes_by_both_names() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    buckets = by_label(days(date(2026, 4, 22), date(2026, 4, 27), cairo), "day", cairo)
    assert buckets["2026-04-24 00:00"] == buckets["2026-04-24 01:00"]


def test_hours_are_labelled_by_the_clock() -> None:
    asked = Window(datetime(2026, 4, 4, 14, tzinfo=UTC), datetime(2026, 4, 4, 16, tzinfo=UTC))
    buckets = by_label(asked, "hour", SYDNEY)
    assert sorted(buckets) == ["2026-04-05 00:00", "2026-04-05 01:00", "2026-04-05 02:00"]
    assert buckets["2026-04-05 02:00"].start == datetime(2026, 4, 4, 15, tzinfo=UTC), "the one that was asked for"


def is_of_hours(hours: list[int], asked: Window, interval: windows.Interval, *, comes_again: bool = True) -> bool:
    """Whether buckets at these hours of May 1 are taken for hours; and what comes where the rest of the day is asked for again."""
    settings = parse_settings({"api_token": "token", "start_date": "2026-01-01"}, now=datetime(2026, 6, 1, tzinfo=UTC))
    again = [Bucket("new", "2026-05-01 05:00", 1, None)] if comes_again else []
    starts = [asked.start + hour * HOUR for hour in hours]
    buckets = {str(start): Window(start, start + HOUR) for start in starts}
    return GrainChecks(settings, interval, SYDNEY, lambda _: again).is_of_hours(buckets, Request(asked, ()))


@pytest.mark.parametrize(
    ("hours", "interval", "wrong"),
    [([0, 24], "hour", True), ([0, 7], "hour", False), ([0, 24], "day", False), ([], "hour", False)],
)
def test_days_in_place_of_hours_are_found_out(hours: list[int], interval: windows.Interval, wrong: bool) -> None:
    assert is_of_hours(hours, days(date(2026, 5, 1), date(2026, 5, 2)), interval) is not wrong


def test_hours_after_midnight_alone_are_hours_if_nothing_comes_again() -> None:
    assert is_of_hours([0], days(date(2026, 5, 1), date(2026, 5, 1)), "hour", comes_again=False)


@pytest.mark.parametrize(("hours", "wrong"), [(22, False), (23, True), (24, True), (25, True)])
def test_a_midnight_alone_is_a_day_if_a_whole_day_was_asked_for(hours: int, wrong: bool) -> None:
    start = windows.start_of(date(2026, 5, 1), SYDNEY)
    assert is_of_hours([0], Window(start, start + hours * HOUR), "hour") is not wrong


START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "count", "length", "shift"),
    [
        (0, 5, 5 * DAY, timedelta(0)),  # labels are starts
        (1, 5, 5 * DAY, DAY),  # labels are ends
        (1, 4, 5 * DAY, None),  # only those between
        (0, 6, 5 * DAY, None),  # one too many
        (1, 6, 5 * DAY, None),  # one too many, and the first is missing
        (-1, 5, 5 * DAY, None),  # one too many before
        (-1, 7, 5 * DAY, None),
        (0, 0, 5 * DAY, None),  # none at all
        (0, 5, 4 * DAY + timedelta(hours=7), timedelta(0)),  # the last day is still open
        (1, 5, 4 * DAY + timedelta(hours=7), DAY),
    ],
)
def test_an_answer_shows_whether_its_labels_are_starts_or_ends(
    first: int, count: int, length: timedelta, shift: timedelta | None
) -> None:
    labels = [START + (first + n) * DAY for n in range(count)]
    assert label_shift(labels, Window(START, START + length)) == shift


NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("99999999999999999999 May 2 12:00", None),
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("Fri, 01 May 2026 12:01:30 GMT", 90),
        ("Fri, 01 May 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=NOW) == seconds


@given(st.text())
def test_any_retry_after_is_read_or_passed_over(header: str) -> None:
    seconds = retry_after(header, now=NOW)
    assert seconds is None or seconds >= 0
