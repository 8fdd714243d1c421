"""What a run would ask for, as lines for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_lexer_activity import windows
from tap_lexer_activity.run.plan import Plan, dates, format_plan
from tap_lexer_activity.settings.parse import parse_settings

if TYPE_CHECKING:
    from tap_lexer_activity.settings.settings import Settings

NOW = datetime(2026, 5, 1, tzinfo=UTC)
MINIMAL = {"api_token": "a-token", "start_date": "2026-04-01", "timezone": "Australia/Sydney"}


def settings(**config: Any) -> Settings:
    return parse_settings(MINIMAL | config, now=NOW)


def plan(count: int, **more: Any) -> Plan:
    return Plan(stream="summary", reason="first load", count=count, **more)


@pytest.mark.parametrize(
    ("count", "alternatives", "hint"),
    [
        (
            730,
            {("report_interval", "week"): 150, ("report_interval", "month"): 40, ("series_interval", "day"): 700},
            ["Another report_interval would take less: 'week' 150 requests, at least 5 min; 'month' 40 requests, no wait for the quota."],
        ),
        (
            730,
            {("report_interval", "week"): 700, ("series_interval", "day"): 300},
            ["Another series_interval would take less: 'day' 300 requests, at least 10 min."],
        ),
        (730, {("report_interval", "week"): 701, ("report_interval", "month"): 702}, []),  # as long a wait
        (101, {("report_interval", "week"): 100}, ["Another report_interval would take less: 'week' 100 requests, no wait for the quota."]),
        (100, {("report_interval", "week"): 20}, []),
        (730, {("report_interval", "month"): 731}, []),
        (730, {}, []),
    ],
)  # fmt: skip
def test_another_interval_is_named_if_it_saves_a_wait(
    count: int, alternatives: dict[tuple[str, str], int], hint: list[str]
) -> None:
    _, said, *more = format_plan([plan(count)], alternatives, settings())[2:]
    assert said.startswith(f"{count} requests: ")
    assert more == hint


@pytest.mark.parametrize(("zone", "first"), [("Australia/Sydney", 14), ("America/New_York", 4)])
def test_a_plan_is_a_table_and_a_sum(zone: str, first: int) -> None:
    begin = datetime(2026, 4, 26, first, tzinfo=UTC)
    wanted = windows.due(begin, NOW, "day", settings(timezone=zone).zone, partial=False)[:3]
    requests = windows.report_requests(wanted, NOW)
    plans = [
        plan(3, requests=requests),
        Plan(stream="nps_submissions", form_id=55, reason="new", count=1041, polls=41),
        Plan(stream="users", reason="full table", count=1),
    ]
    days = "2026-04-27 to 2026-04-29" if first == 14 else "2026-04-26 to 2026-04-28"
    assert format_plan(plans, {("report_interval", "week"): 1001}, settings(timezone=zone)) == [
        "stream                    windows  requests  polls     days                      why",
        f"summary                         3         3            {days}  first load",
        "nps_submissions, form 55        0     1,041  about 41                            new",
        "users                           0         1                                      full table",
        "",
        "1,045 requests and about 41 polls of exports: at least 50 min, at 100 requests in 300 s.",
    ]


@pytest.mark.parametrize(
    ("count", "per_answer", "config", "said"),
    [
        (64, 1.04, {}, ["Their answers take about 17 s: 1.0 s each, as in the last two days, and 4 under way at once."]),
        (64, 1.04, {"concurrency": 16}, []),
        (64, 5, {"concurrency": 16}, ["Their answers take about 20 s: 5.0 s each, as in the last two days, and 16 under way at once."]),
        (64, 5, {"max_requests": 30}, ["Their answers take about 2 min: 5.0 s each, as in the last two days, and 1 under way at once."]),
        (2600, 1, {}, []),  # 11 min of answers, and 130 min of quota
        (2600, 15, {}, ["Their answers take about 2 h 42 min: 15.0 s each, as in the last two days, and 4 under way at once."]),
        (64, None, {}, []),
    ],
)  # fmt: skip
def test_the_time_of_the_answers_is_said_if_it_is_known_and_longer_than_that_of_the_quota(
    count: int, per_answer: float | None, config: dict[str, Any], said: list[str]
) -> None:
    lines = format_plan([plan(count)], {}, settings(**config), per_answer=per_answer)
    assert [line for line in lines if line.startswith("Their answers")] == said


@pytest.mark.parametrize(("most", "is_said"), [(49, True), (50, False), (51, False)])
def test_max_requests_is_said_if_it_ends_the_run(most: int, is_said: bool) -> None:
    lines = format_plan([plan(40, polls=10)], {}, settings(max_requests=most))
    assert (f"max_requests ends the run after {most} of them." in lines) is is_said


def test_the_days_are_the_first_and_the_last_of_the_zone() -> None:
    zone = settings().zone
    wanted = windows.due(NOW - timedelta(days=4, hours=10), NOW, "day", zone, partial=False)
    requests = windows.report_requests(wanted, NOW)
    assert dates(requests, zone) == "2026-04-27 to 2026-04-30"
    assert dates(reversed(requests), zone) == "2026-04-27 to 2026-04-30"
    assert dates([], zone) == ""
