"""What a run says of itself, on a clock that the test turns."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import Clock

from tap_lexer_activity import windows
from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.run.plan import Plan, in_words, seconds_within, table
from tap_lexer_activity.run.progress import Progress

ZONE = ZoneInfo("Australia/Sydney")
PRESENT = datetime(2026, 5, 1, tzinfo=UTC)


def days(count: int) -> list[windows.Request]:
    first = windows.start_of(datetime(2026, 3, 1, tzinfo=UTC).date(), ZONE)
    wanted = windows.due(first, PRESENT, "day", ZONE, partial=False)[:count]
    return windows.report_requests(wanted, PRESENT)


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def limiter(clock: Clock) -> Limiter:
    return Limiter(10, 300, clock=clock, sleep=clock.sleep)


@pytest.fixture
def progress(clock: Clock, limiter: Limiter) -> Progress:
    found = Progress((10, 300), limiter, logging.getLogger("progress"), zone=ZONE, pace=60, clock=clock)
    requests = days(25)
    found.expect([Plan(stream="summary", reason="first load", count=len(requests), requests=requests)])
    return found


def test_a_line_comes_every_so_often_and_not_for_each_request(
    progress: Progress, limiter: Limiter, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    progress.begin("summary")
    for request in days(9):
        with progress.requests_of("summary"), limiter.call():
            clock.now += 20
        progress.records["summary"] += 1
        progress.read("summary", request)
    assert [record.getMessage() for record in caplog.records] == [
        "summary: 3 of 25 windows, 3 records; 3 of 25 requests, 3 of 10 in 300 s; about 10 min left",
        "summary: 6 of 25 windows, 6 records; 6 of 25 requests, 6 of 10 in 300 s; about 10 min left",
        "summary: 9 of 25 windows, 9 records; 9 of 25 requests, 9 of 10 in 300 s; about 10 min left",
    ]


def test_a_long_wait_is_said_before_it_begins_and_a_short_one_is_not(
    progress: Progress, limiter: Limiter, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    progress.begin("summary")
    for request in days(10):
        with progress.requests_of("summary"), limiter.call():
            clock.now += 0.1
        progress.read("summary", request)
    progress.wait(2)
    assert not caplog.records
    progress.wait(299)
    (line,) = (record.getMessage() for record in caplog.records)
    assert re.fullmatch(
        r"summary: 10 of 25 windows, 0 records; 10 of 25 requests, 10 of 10 in 300 s; "
        r"waiting for the quota until \d\d:\d\d:\d\d; about 10 min left",
        line,
    )


def test_no_more_is_expected_than_max_requests_allows(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    limiter = Limiter(10, 300, max_calls=12, clock=clock, sleep=clock.sleep)
    progress = Progress((10, 300), limiter, logging.getLogger("progress"), zone=ZONE, pace=60, clock=clock)
    requests = days(25)
    progress.expect([Plan(stream="summary", reason="first load", count=len(requests), requests=requests)])
    progress.begin("summary")
    for request in requests[:6]:
        with progress.requests_of("summary"), limiter.call():
            clock.now += 20
        progress.read("summary", request)
    # Six more, of which two have to wait for the next period.
    assert [record.getMessage() for record in caplog.records] == [
        "summary: 3 of 25 windows, 0 records; 3 of 12 requests, 3 of 10 in 300 s; about 5 min left",
        "summary: 6 of 25 windows, 0 records; 6 of 12 requests, 6 of 10 in 300 s; about 5 min left",
    ]


def test_a_wait_for_an_export_is_said_every_so_often(
    progress: Progress, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    progress.begin("summary")
    while clock.now < 150:
        progress.say(for_export=True)
        clock.now = progress.due
    assert [record.getMessage() for record in caplog.records] == [
        "summary: 0 of 25 windows, 0 records; 0 of 25 requests, 0 of 10 in 300 s; waiting for an export"
    ] * 2


def test_the_days_are_those_of_all_forms_whichever_was_read_first(progress: Progress) -> None:
    requests = days(5)
    for request in (requests[3], requests[0], requests[4], requests[1], requests[2]):
        progress.read("nps_summary", request)
    assert "2026-03-01 to 2026-03-05" in progress.summary(["nps_summary"])[1]


def test_requests_belong_to_the_stream_that_needs_them_also_inside_another(
    progress: Progress, limiter: Limiter
) -> None:
    with progress.requests_of("mention_sla_export"):
        with limiter.call():
            assert limiter.spent == 1
        with progress.requests_of("case_details"), limiter.call():
            assert limiter.spent == 2
        with limiter.call():
            assert limiter.spent == 3
    lines = progress.summary(["mention_sla_export", "case_details"])
    assert [line.split()[:3] for line in lines[1:]] == [["mention_sla_export", "0", "2"], ["case_details", "0", "1"]]


def test_the_status_of_each_stream(progress: Progress) -> None:
    requests = days(2)
    progress.expect(
        [Plan(stream=name, reason="new", count=2, requests=requests) for name in ("a", "b", "c", "d", "e")]
        + [Plan(stream="f", reason="nothing new", count=0)]
    )
    for name in ("a", "b", "c", "d", "f"):
        progress.begin(name)
    for request in requests:
        progress.read("a", request)
    progress.end("a")
    progress.end("f")
    progress.fail("b", "reason")
    progress.fall_short("c")
    assert progress.short == ["c"]
    status = [line.split("  ")[-1].strip() for line in progress.summary(["a", "b", "c", "d", "e", "f"])]
    assert status == ["status", "complete", "failed", "more to read", "ended early", "not read", "nothing due"]
    assert "2026-03-01 to 2026-03-02" in progress.summary(["a"])[1]


@given(st.integers(1, 200), st.integers(1, 400), st.integers(0, 2000))
def test_the_least_time_is_that_of_the_limiter(calls: int, seconds: int, requests: int) -> None:
    assert seconds_within((calls, seconds), requests) == max(0, requests - 1) // calls * seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (3540, "59 min"),
        (3600, "1 h 0 min"),
        (7680, "2 h 8 min"),
        (356_400, "99 h 0 min"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_table_has_numbers_to_the_right() -> None:
    assert table(("name", "count", "why"), [("a", 1000, "x"), ("long name", 7, "")]) == [
        "name       count  why",
        "a          1,000  x",
        "long name      7",
    ]
    assert table(("name", "count"), []) == ["name  count"]
