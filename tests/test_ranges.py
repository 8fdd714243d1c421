"""Ranges that Lexer does not answer as its documents say: they are cut, made longer or moved up, and nothing is read twice or left out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hosts import Host, with_length
from test_streams import Told, daily

from tap_lexer_activity import windows

UTC_ZONE = ZoneInfo("UTC")
GONE = with_length(b'{"error": "date is out of retention"}', status=b"400 Bad Request")
TOO_LONG = with_length(b'{"error": "date range is too long"}', status=b"400 Bad Request")
TOO_MUCH = with_length(b"", status=b"504 Gateway Timeout")
NONE = daily()


def asked(host: Host) -> list[tuple[str, str]]:
    bodies = [json.loads(body) for body in host.jobs]
    return [(body["date_from"][:10], body["date_to"][:10]) for body in bodies]


def long(host: Host, *streams: str, **config: Any) -> Told:
    """A tap for twenty days."""
    return Told(host, *(streams or ("case_volume",)), start_date="2025-12-19", **config)


@given(
    st.datetimes(datetime(2015, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0)),
    st.integers(1, 500),
    st.integers(5, 360),
    st.sampled_from(["UTC", "Australia/Sydney", "America/New_York", "Asia/Kolkata"]).map(ZoneInfo),
)
def test_no_request_is_longer_than_is_known_to_be_answered(
    present: datetime, length: int, longest: int, zone: ZoneInfo
) -> None:
    wanted = windows.due(present - timedelta(days=length), present, "day", zone, partial=False)
    most = timedelta(days=longest)
    requests = windows.series_requests(wanted, present, "day", zone, longest=most)
    assert [window for request in requests for window in request.windows] == wanted
    for request in requests:
        # (At a change of clocks a request can't be cut, if what is left would be in hours.)
        changes = {instant.astimezone(zone).utcoffset() for instant in (request.asked.start, request.asked.end)}
        assert request.asked.length <= most or (len(changes) > 1 and longest < 10)


def test_the_setting_says_how_long_a_range_may_be() -> None:
    with Host(starts=[NONE]) as host:
        long(host, max_range_days=10).run()
    assert asked(host) == [("2025-12-19", "2025-12-28"), ("2025-12-29", "2026-01-07")]


def test_a_range_that_is_too_long_is_cut_in_halves_and_the_next_stream_knows(caplog: pytest.LogCaptureFixture) -> None:
    with Host(starts=[TOO_LONG, NONE]) as host:
        told = long(host, "case_volume", "states_volume")
        told.run()
    halves = [("2025-12-19", "2025-12-28"), ("2025-12-29", "2026-01-07")]
    assert asked(host) == [("2025-12-19", "2026-01-07"), *halves, *halves]
    assert "Set max_range_days to 10" in caplog.text


def test_a_refusal_that_is_not_about_length_ends_the_stream_and_leaves_the_next_alone() -> None:
    with Host(starts=[*[TOO_LONG] * 3, NONE]) as host:
        told = long(host, "states_volume", "response_volume")
        assert "date range is too long" in told.failed()
    assert asked(host) == [
        ("2025-12-19", "2026-01-07"),
        ("2025-12-19", "2025-12-28"),
        ("2025-12-19", "2025-12-23"),
        ("2025-12-19", "2026-01-07"),
    ]


def test_a_range_that_takes_too_long_to_count_is_cut() -> None:
    with Host(starts=[*[TOO_MUCH] * 5, NONE]) as host:
        long(host).run()
    assert asked(host)[4:] == [("2025-12-19", "2026-01-07"), ("2025-12-19", "2025-12-28"), ("2025-12-29", "2026-01-07")]


@pytest.mark.parametrize("gone", [1, 5, 9, 15])
def test_what_is_too_old_is_passed_over_to_within_a_day(gone: int, caplog: pytest.LogCaptureFixture) -> None:
    first = date(2025, 12, 19) + timedelta(days=gone)
    # The answers of a search among the 19 days after the one that was refused, in the order in which it asks.
    low, high, answers = -1, 19 - 5, [GONE, NONE]
    while high - low > 1:
        middle = (low + high) // 2
        is_gone = date(2025, 12, 20) + timedelta(days=middle) < first
        answers.append(GONE if is_gone else NONE)
        low, high = (middle, high) if is_gone else (low, middle)
    days = [f"{first + timedelta(days=number)} 00:00" for number in range(3)]
    with Host(starts=[*answers, daily(*days)]) as host:
        told = long(host)
        told.run()
    assert [row["date_label"] for row in told.records] == days
    assert asked(host)[-1] == (str(first), "2026-01-07")
    assert f'Set start_dates to {{"case_volume": "{first}"}}' in caplog.text


def test_where_all_is_too_old_the_stream_fails() -> None:
    with Host(starts=[GONE]) as host:
        assert "out of retention" in long(host).failed()


def hours(day: int) -> bytes:
    return daily(*[f"2026-01-{day:02} {hour:02}:00" for hour in range(24)])


def test_days_that_come_in_hours_are_asked_for_with_more_days_around_them() -> None:
    with Host(starts=[hours(5), daily("2026-01-05 00:00", "2026-01-06 00:00", "2026-01-07 00:00")]) as host:
        told = Told(host, "case_volume")
        told.run()
    assert asked(host) == [("2026-01-03", "2026-01-07"), ("2025-12-29", "2026-01-07")]
    assert len(told.records) == 3


def test_weeks_are_told_from_days_by_asking_for_one_of_them() -> None:
    mondays = ["2025-12-22", "2025-12-29", "2026-01-05"]
    week = [f"2025-12-{day} 00:00" for day in range(22, 29)]
    weeks = daily(*[f"{day} 00:00" for day in mondays], value=7)
    days = [
        f"{start.date()} 00:00"
        for start, _ in pairwise(datetime(2025, 12, 19, tzinfo=UTC) + timedelta(days=n) for n in range(21))
    ]
    with Host(starts=[weeks, daily(*week), daily(*days[:10]), daily(*days[10:])]) as host:
        told = long(host)
        told.run()
    assert [row["date_label"] for row in told.records] == days
    assert {row["value"] for row in told.records} == {1}


def test_days_on_which_little_happens_cost_one_request_more() -> None:
    quiet = daily("2025-12-22 00:00", "2025-12-29 00:00", "2026-01-05 00:00", value=7)
    with Host(starts=[quiet, daily("2025-12-22 00:00", value=7), quiet]) as host:
        told = long(host)
        told.run()
    assert asked(host) == [("2025-12-19", "2026-01-07"), ("2025-12-22", "2025-12-28")]
    assert len(told.records) == 3


def test_labels_that_are_ends_are_read_as_such_if_the_setting_says_so() -> None:
    with Host(starts=[daily("2026-01-06 00:00", "2026-01-08 00:00")]) as host:
        told = Told(host, "case_volume", series_label="end")
        told.run()
    assert [row["local_date"] for row in told.records] == ["2026-01-05", "2026-01-07"]


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (["2026-01-02 00:00", "2026-01-05 00:00"], "series_zone"),
        (["2026-01-03 00:00", "2026-01-05 00:00", "2026-01-08 00:00"], "series_zone"),
        (["2026-01-05 00:00", "2026-01-08 00:00"], "series_label"),
    ],
)
def test_what_is_counted_beside_the_days_that_were_asked_for_is_an_error(labels: list[str], named: str) -> None:
    with Host(starts=[daily(*labels)]) as host:
        told = Told(host, "case_volume")
        assert f"set {named}" in told.failed().replace("Set", "set")
    assert not told.records


def test_days_of_another_zone_are_read_as_such_if_the_setting_says_so() -> None:
    with Host(starts=[daily("2026-01-05 00:00", "2026-01-06 00:00")]) as host:
        told = Told(host, "case_volume", timezone="Australia/Sydney", series_zone="UTC")
        told.run()
    assert [row["date_from"] for row in told.records] == ["2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"]
