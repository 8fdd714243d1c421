"""Series in whatever shape, with whatever labels: what is read is what was meant, and what could mean two things is not read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity import windows
from tap_lexer_activity.streams import grain, nps_volume, series_shapes
from tap_lexer_activity.streams.labels import Rule, beside, ends_of, place, read_label
from tap_lexer_activity.windows import DAY, Window

if TYPE_CHECKING:
    from collections.abc import Callable

SYDNEY = ZoneInfo("Australia/Sydney")
UTC_ZONE = ZoneInfo("UTC")

moments = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)).map(lambda at: at.replace(second=0, microsecond=0))


def days(first: date, last: date, zone: ZoneInfo = SYDNEY) -> Window:
    return Window(windows.start_of(first, zone), windows.start_of(last + DAY, zone))


# Labels


@given(
    moments,
    st.sampled_from(
        [
            "%Y-%m-%d %H:%M",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%dT%H:%M:%S.000",
            "%Y/%m/%d %H:%M",
            "%Y-%m-%d %I:%M %p",
            "%d %b %Y %H:%M",
            "%d %B %Y, %H:%M",
            "%b %d, %Y %I:%M %p",
            "%a, %d %b %Y %H:%M:%S",
            "%Y%m%dT%H%M%S",
        ]
    ),
)
def test_a_label_is_what_its_form_says(at: datetime, form: str) -> None:
    found = read_label(at.strftime(form))
    assert {label.moment for label in found.values()} == {at}
    assert all(label.is_documented == (form == "%Y-%m-%d %H:%M") for label in found.values())


@given(moments, st.integers(-56, 56).map(lambda quarters: timedelta(minutes=15 * quarters)))
def test_a_label_with_an_offset_is_an_instant(at: datetime, ahead: timedelta) -> None:
    minutes = abs(ahead) // timedelta(minutes=1)
    text = f"{at.isoformat()}{'-' if ahead < timedelta(0) else '+'}{minutes // 60:02}:{minutes % 60:02}"
    assert {label.moment for label in read_label(text).values()} == {at.replace(tzinfo=UTC) - ahead}


@given(moments)
def test_numbers_are_seconds_or_milliseconds(at: datetime) -> None:
    seconds = int(at.replace(tzinfo=UTC).timestamp())
    for value in (seconds, seconds * 1000, str(seconds), str(seconds * 1000)):
        assert {label.moment for label in read_label(value).values()} == {at.replace(tzinfo=UTC)}


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_whatever_comes_is_read_or_is_no_label(value: Any) -> None:
    assert all(isinstance(label.moment, datetime) for label in read_label(value).values())


@pytest.mark.parametrize(
    "text", ["", "closed", "2026-13-01 00:00", "2026-02-30", "25:00", "13:00 PM", "May 2026", "2026", "12 Foo 2026"]
)
def test_what_is_no_moment_is_no_label(text: str) -> None:
    assert not read_label(text)


def test_a_day_and_a_month_that_could_be_either_are_both() -> None:
    found = read_label("03/04/2026 00:00")
    assert (found["day_first"].moment.month, found["month_first"].moment.month) == (4, 3)
    assert list(read_label("13/04/2026")) == ["day_first"]
    assert list(read_label("04/13/2026")) == ["month_first"]


def test_a_range_in_one_text_has_two_ends() -> None:
    assert ends_of("2026-05-01 00:00 - 2026-05-01 23:59") == ("2026-05-01 00:00", "2026-05-01 23:59")
    assert ends_of("2026-05-01 00:00") == ("2026-05-01 00:00", None)


# The buckets that labels name

ZONES = st.sampled_from(["Australia/Sydney", "America/New_York", "Asia/Kolkata", "UTC", "Pacific/Kiritimati"])


@given(st.dates(date(2015, 1, 1), date(2030, 1, 1)), st.integers(5, 80), ZONES, st.booleans())
def test_days_are_found_by_any_label_of_theirs(first: date, count: int, name: str, are_instants: bool) -> None:
    zone = ZoneInfo(name)
    asked = days(first, first + timedelta(days=count - 1), zone)
    buckets = list(windows.windows(asked.start, asked.end, "day", zone))
    write: Callable[[datetime], str] = (
        (lambda at: at.isoformat()) if are_instants else (lambda at: at.astimezone(zone).strftime("%d/%m/%Y %H:%M"))
    )
    labels = [write(bucket.start) for bucket in buckets]
    placed = place(labels, asked, "day", zone)
    if placed.is_ambiguous:
        return  # (a range of less than a fortnight or so may fit both ways)
    assert [placed.buckets[label] for label in labels] == buckets
    assert not placed.strays


def test_labels_of_a_clock_in_utc_are_recognised_where_no_other_reading_fits() -> None:
    asked = days(date(2026, 5, 1), date(2026, 5, 5))
    labels = [f"2026-05-0{day} 14:00" for day in range(1, 5)]
    placed = place(labels, asked, "day", SYDNEY)
    assert placed.rule == Rule(in_utc=True)
    assert placed.buckets[labels[0]].start == windows.start_of(date(2026, 5, 2), SYDNEY)


def test_labels_of_the_last_minute_are_ends() -> None:
    asked = days(date(2026, 5, 1), date(2026, 5, 5))
    for last in ("23:59", "23:59:59"):
        placed = place([f"2026-05-0{day} {last}" for day in range(1, 6)], asked, "day", SYDNEY)
        assert placed.rule == Rule(ends=True)
        assert placed.buckets[f"2026-05-01 {last}"].start == asked.start


def test_the_request_says_whether_the_day_comes_first() -> None:
    labels = [f"0{day}/05/2026" for day in range(1, 6)]
    asked = days(date(2026, 5, 1), date(2026, 5, 5))
    assert place(labels, asked, "day", SYDNEY).order == "day_first"
    half_a_year = days(date(2026, 1, 1), date(2026, 6, 30))
    assert place(labels, half_a_year, "day", SYDNEY).is_ambiguous
    assert place(labels, half_a_year, "day", SYDNEY, accepted={"month_first"}).order == "month_first"


def test_what_lies_beside_a_request_is_seen() -> None:
    asked = days(date(2026, 5, 1), date(2026, 5, 5))
    labels = ["2026-04-30 00:00", "2026-05-01 00:00", "2026-05-06 00:00"]
    found = place(labels, asked, "day", SYDNEY)
    assert beside(found, asked) == {"2026-04-30 00:00": "before", "2026-05-06 00:00": "after"}


# The length of buckets


@given(st.integers(8, 359), st.sampled_from([2, 7, 28, 31]))
def test_buckets_that_are_never_a_day_apart_are_in_doubt(length: int, step: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    asked = Window(start, start + timedelta(days=length))
    assert grain.is_in_doubt((start + timedelta(days=day) for day in range(0, length, step)), asked)
    assert not grain.is_in_doubt((start + timedelta(days=day) for day in range(length)), asked)


def test_a_week_of_days_tells_days_from_weeks() -> None:
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    week = {monday + timedelta(days=day): frozenset({("new", day + 1)}) for day in range(7)}
    assert not grain.are_days({monday: frozenset({("new", 28)})}, week, monday)
    assert not grain.are_days({monday: week[monday]}, week, monday), "the other days are missing"
    alone = {monday: week[monday]}
    assert grain.are_days(alone, alone, monday)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(2, 60))
def test_a_long_silence_at_one_end_is_found(head: int, tail: int, count: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    asked = Window(start, start + timedelta(days=head + count + tail))
    gap = grain.silence((start + timedelta(days=head + day) for day in range(count)), asked)
    assert (gap is not None) == (max(head, tail) >= 28)
    if gap is not None:
        assert gap.length == timedelta(days=max(head, tail))


# Shapes

keys = st.sampled_from(["new", "closed", "in_progress", "something else"])
numbers = st.one_of(st.none(), st.integers(0, 999))
labels_of_days = st.integers(1, 28).map(lambda day: f"2026-05-{day:02} 00:00")
counts = st.dictionaries(keys, st.dictionaries(labels_of_days, numbers, min_size=1), min_size=1)


def documented(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        key: [{"value": value, "date_range": {"date_from": label}} for label, value in part.items()]
        for key, part in found.items()
    }


def plain(answer: Any) -> dict[str, dict[str, Any]]:
    return {key: {row["date_range"]["date_from"]: row["value"] for row in rows} for key, rows in answer.items()}


def by_date(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    dates = {label for part in found.values() for label in part}
    return {label: {key: part[label] for key, part in found.items() if label in part} for label in dates}


@given(counts)
def test_every_shape_has_all_the_numbers(found: dict[str, dict[str, Any]]) -> None:
    series = documented(found)
    shapes: list[Any] = [
        series,
        {"data": series},
        {"data": series, "meta": {"total": 5}},
        [series],
        [{"state": key, **row} for key, rows in series.items() for row in rows],
        [{"name": key, "data": rows} for key, rows in series.items()],
        by_date(found),
        {key: dict(part) for key, part in found.items()},
        {**series, "total": 771},
        {key: [{**row, "date_range": row["date_range"]["date_from"]} for row in rows] for key, rows in series.items()},
        {
            key: [{"value": r["value"], "date": r["date_range"]["date_from"]} for r in rows]
            for key, rows in series.items()
        },
    ]
    for shape in shapes:
        assert plain(series_shapes.shaped(shape, "state", None).answer) == found, shape


def test_a_list_of_buckets_is_of_the_one_thing_that_is_counted() -> None:
    rows = [{"value": 5, "date_range": {"date_from": "2026-05-01 00:00"}}]
    for answer in (rows, {"data": rows}):
        assert series_shapes.shaped(answer, "metric", "avg_response_time").answer == {"avg_response_time": rows}


def test_buckets_that_do_not_say_what_is_counted_are_known_as_such() -> None:
    rows = [{"value": 5, "date_range": {"date_from": "2026-05-01 00:00"}}]
    for answer in (rows, {"data": rows}, {"2026-05-01": 5}, {"2026-05-01": {"value": 5}}):
        assert series_shapes.shaped(answer, "state", None).is_keyless
        assert not series_shapes.shaped(answer, "state", "closed").is_keyless


def test_pairs_are_buckets() -> None:
    shape = series_shapes.shaped({"new": [["2026-05-01 00:00", 5]]}, "state", None)
    assert plain(shape.answer) == {"new": {"2026-05-01 00:00": 5}}


@given(counts)
def test_the_documented_shape_stays_as_it_is_and_nothing_is_said(found: dict[str, dict[str, Any]]) -> None:
    shape = series_shapes.shaped(documented(found), "state", None)
    assert shape.answer == documented(found)
    assert not shape.said


@pytest.mark.parametrize(
    "answer",
    [
        [{"value": 5, "date_range": {"date_from": "2026-05-01 00:00"}}],  # of what?
        {"data": [{"value": 5, "date_range": {"date_from": "2026-05-01 00:00"}}]},
        {name: {"new": [{"value": 5, "date": "2026-05-01"}]} for name in ("data", "result")},  # which of them?
        {"value": 5, "date_range": {"date_from": "2026-05-01 00:00"}},
        "closed",
        7,
    ],
)
def test_what_could_be_something_else_stays_as_it_came(answer: Any) -> None:
    assert series_shapes.shaped(answer, "state", None).answer == answer


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), labels_of_days),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.text(max_size=5), labels_of_days, st.sampled_from(["data", "value", "date_range", "date", "state"])
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(json_values)
def test_whatever_comes_is_shaped_without_a_crash(answer: Any) -> None:
    series_shapes.shaped(answer, "state", None)
    series_shapes.shaped(answer, "metric", "avg_response_time")
    nps_volume.shaped(answer)


@given(st.lists(st.integers(1, 28), unique=True, min_size=1), st.sampled_from([0, 1, 2, 3, 4, 5]))
def test_rows_of_surveys_are_those_of_their_days(found: list[int], way: int) -> None:
    rows: list[dict[str, Any]] = []
    for day in found:
        at = datetime(2026, 5, day, tzinfo=UTC)
        rows.append(
            {
                "date": at.isoformat().replace("+00:00", "Z"),
                "timestamp": int(at.timestamp()),
                "data": {"total_sent": day},
            }
        )
    other: Any = [
        rows,
        [{**row, "date": row["date"][:10]} for row in rows],
        [{"date": row["date"], "data": row["data"]} for row in rows],
        {row["date"][:10]: row["data"] for row in rows},
        [{"timestamp": row["timestamp"], "data": row["data"]} for row in rows],
        {"data": [{**row, "timestamp": row["timestamp"] * 1000} for row in rows]},
    ][way]
    shaped, kinds = nps_volume.shaped(other)
    assert [(row["date"], row["timestamp"], row["data"]) for row in shaped] == [
        (row["date"], row["timestamp"], row["data"]) for row in rows
    ]
    assert bool(kinds) == bool(way)


def test_two_times_of_a_survey_that_differ_stay_as_they_came() -> None:
    row = {"date": "2026-05-01", "timestamp": 1_777_766_400, "data": {}}  # two days later
    assert nps_volume.shaped([row]) == ([row], set())
