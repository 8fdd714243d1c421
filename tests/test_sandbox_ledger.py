"""The sandbox's contact centre and the reports counted from it, without HTTP."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tap_lexer_activity.sandbox import Ledger, Sandbox
from tap_lexer_activity.sandbox.conversations import STATES
from tap_lexer_activity.sandbox.days import SETTLED
from tap_lexer_activity.sandbox.exports import CASE_COLUMNS, MENTION_COLUMNS
from tap_lexer_activity.sandbox.instants import DAY, HOUR, instant
from tap_lexer_activity.sandbox.query import RequestError
from tap_lexer_activity.sandbox.report_types import NPS_TYPES, REPORTS, SERIES

if TYPE_CHECKING:
    from collections.abc import Iterator

SUMMARY = """total_volume avg_response_time avg_action_response_time total_responded_to broke_sla broke_action_sla
    min_response_time median_response_time max_response_time min_action_response_time median_action_response_time
    max_action_response_time avg_action_response_time_min avg_response_time_min median_action_response_time_min
    median_response_time_min"""
USER_SUMMARY = """first_name last_name mentions_assigned user_id responded_to responded_to_in_private avg_response_time
    min_response_time max_response_time avg_action_response_time min_action_response_time max_action_response_time
    total_responded_to broke_sla broke_action_sla avg_response_time_min avg_action_response_time_min
    fraction_responded_to fraction_responded_to_in_private fraction_broke_sla fraction_broke_action_sla"""
NPS = "total_sent total_received total_promoters total_passives total_detractors nps_score"
EXPORTS = ("case_details", "mention_sla_export", "nps_submissions")
DST_CHANGES = [
    ("Australia/Sydney", date(2025, 10, 3)),
    ("Australia/Sydney", date(2026, 4, 3)),
    ("America/New_York", date(2025, 10, 31)),
    ("America/New_York", date(2026, 3, 6)),
    ("Asia/Kolkata", date(2026, 4, 3)),
    ("America/Santiago", date(2025, 9, 5)),
    ("Australia/Lord_Howe", date(2026, 4, 3)),
]


def sandbox(timezone: str = "Australia/Sydney", clock: str = "2026-05-10T10:00:00+00:00", **options: Any) -> Sandbox:
    return Sandbox(timezone=timezone, clock=clock, messages_per_day=12, history_start="2025-06-01", **options)


def window(zone: str, first: date, days: int = 1) -> tuple[str, str]:
    """Write the window of local dates as a request does, its end inclusive."""
    start, end = (
        datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) for day in (first, first + timedelta(days=days))
    )
    return start.isoformat(), (end.astimezone(ZoneInfo("UTC")) - timedelta(seconds=1)).astimezone(
        end.tzinfo
    ).isoformat()


def everything(box: Sandbox, day: date) -> dict[tuple[str, int], Any]:
    """Read every report and export of a day."""
    span = window(box.timezone, day)
    kinds = [(kind, form) for kind in (*REPORTS, *EXPORTS) for form in ((55, 56) if kind in NPS_TYPES else (0,))]
    return {(kind, form): box.report(kind, *span, form=form) for kind, form in kinds}


def labels(rows: list[dict[str, Any]]) -> list[str]:
    return [row["date_range"]["date_from"] for row in rows]


def test_a_day_is_the_same_for_two_clocks_two_ranges_and_two_starts() -> None:
    one = Ledger(history_start=date(2025, 1, 1), messages_per_day=20)
    other = Ledger(history_start=date(2025, 12, 1), messages_per_day=20)
    start, end = one.midnight(date(2026, 2, 2)), one.midnight(date(2026, 2, 3))
    one.messages(one.midnight(date(2025, 3, 1)), end + 90 * DAY, end + 90 * DAY)
    assert one.day(date(2026, 2, 2)) == other.day(date(2026, 2, 2))
    assert one.messages(start, end, end) == other.messages(start, end, end + 90 * DAY) != []
    assert one.messages(start, end, end) != Ledger(
        history_start=date(2025, 1, 1), messages_per_day=20, seed="another"
    ).messages(start, end, end)


def test_a_known_day_never_changes() -> None:
    ledger = Ledger(history_start=date(2026, 1, 1), messages_per_day=40)
    messages = [m for c in ledger.day(date(2026, 3, 3)) for m in c.messages]
    assert (len(messages), sum(m.created for m in messages) % 1_000_003) == (36, 648472)


def test_the_future_is_invisible() -> None:
    ledger = Ledger(history_start=date(2026, 1, 1))
    start = ledger.midnight(date(2026, 3, 3))
    noon = start + DAY // 2
    messages = ledger.messages(start, start + DAY, noon)
    assert messages
    assert all(m.created <= noon and m.last_action(noon)[0] <= noon for m in messages)
    assert [m.id for m in messages] == [
        m.id for m in ledger.messages(start, start + DAY, start + DAY) if m.created <= noon
    ]


def test_every_life_is_over_six_days_after_its_first_message() -> None:
    ledger = Ledger(history_start=date(2025, 1, 1), messages_per_day=60)
    for conversation in ledger.conversations(ledger.midnight(date(2025, 1, 1)), ledger.midnight(date(2025, 12, 31))):
        limit = conversation.messages[0].created + SETTLED
        assert all(m.trajectory[-1][0] <= limit for m in conversation.messages)
        assert [when for m in conversation.messages for when, _ in m.trajectory] == [
            when for m in conversation.messages for when in sorted(when for when, _ in m.trajectory)
        ]
        if conversation.case:
            assert conversation.case.closings[-1][0] <= limit
            assert conversation.case.closings[-1][1] is None


@pytest.mark.parametrize("zone", ["Australia/Sydney", "America/New_York"])
def test_a_day_is_final_six_days_after_its_end_and_moves_before_that(zone: str) -> None:
    box = sandbox(zone)
    draw = random.Random(zone)  # noqa: S311 days to look at, no secret
    moved: Counter[str] = Counter()
    for _ in range(12):
        day = date(2025, 7, 1) + timedelta(days=draw.randrange(250))
        end = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(days=1)
        box.clock = end
        fresh = everything(box, day)
        box.clock = end + timedelta(days=6)
        final = everything(box, day)
        box.clock = end + timedelta(days=6 + draw.randrange(1, 30), seconds=draw.randrange(86_400))
        assert everything(box, day) == final
        moved.update(kind for (kind, form), content in fresh.items() if content != final[kind, form])
    assert set(moved) >= {"summary", "states_volume", "user_volume", "classifications", "case_volume"}
    assert set(moved) >= {"case_details", "mention_sla_export"}


def test_cases_reopen_and_messages_are_reclassified() -> None:
    ledger = Ledger(history_start=date(2026, 1, 1))
    month = list(ledger.conversations(ledger.midnight(date(2026, 2, 1)), ledger.midnight(date(2026, 3, 1))))
    reopened = [(c.case, closed, again) for c in month if c.case for closed, again in c.case.closings if again]
    assert reopened
    for case, closed, again in reopened:
        assert closed < again <= closed + 2 * DAY
        assert (case.closed(closed - 1), case.closed(closed), case.closed(again)) == (None, closed, None)
        assert case.closed(again + SETTLED) == case.closings[-1][0] > again
    paths = [[state for _, state in m.trajectory] for c in month for m in c.messages]
    assert {"duplicate", "irrelevant"} <= {path[-1] for path in paths if "closed" in path[:-1]}


@pytest.mark.parametrize("size", [5, 40])
def test_every_state_occurs_in_every_month_and_some_days_are_quiet(size: int) -> None:
    ledger = Ledger(history_start=date(2025, 6, 1), messages_per_day=size)
    at = ledger.midnight(date(2026, 6, 30))
    for month in range(11):
        start = date(2025 + (5 + month) // 12, (5 + month) % 12 + 1, 1)
        end = (start + timedelta(days=32)).replace(day=1)
        found = ledger.messages(ledger.midnight(start), ledger.midnight(end), at)
        assert {m.state(at) for m in found} == set(STATES)
    for quiet in (date(2025, 12, 25), date(2026, 4, 25)):
        assert not ledger.messages(ledger.midnight(quiet), ledger.midnight(quiet + timedelta(days=1)), at)


@pytest.mark.parametrize(("zone", "first"), DST_CHANGES)
def test_reports_exports_and_truth_agree_on_each_day_around_a_change_of_clocks(zone: str, first: date) -> None:
    box = sandbox(zone)
    series = box.report("states_volume", *window(zone, first, 8))
    for number in range(8):
        day = first + timedelta(days=number)
        span = window(zone, day)
        total = box.report("summary", *span)["total_volume"]
        assert total == sum(rows[number]["value"] for rows in series.values())
        assert total == len(box.report("mention_sla_export", *span)) - 1 == len(box.truth(*span))
        assert total == sum(1 for m in box.truth(*span) if m["local_date"] == day.isoformat())
        assert total == sum(r["value"] for rows in box.report("states_volume", *span).values() for r in rows)
        for form in (55, 56):
            answers = box.report("nps_summary", *span, form=form)["total_received"]
            assert answers == len(box.report("nps_submissions", *span, form=form)) - 1
    assert all(labels(rows) == [f"{first + timedelta(days=n)} 00:00" for n in range(8)] for rows in series.values())


def test_each_report_has_the_documented_fields() -> None:
    box = sandbox()
    span = window(box.timezone, date(2026, 3, 1), 31)

    def report(kind: str) -> Any:
        return box.report(kind, *span, form=55)

    assert " ".join(report("summary")) == " ".join(SUMMARY.split())
    assert {" ".join(row) for row in report("user_summary")} == {" ".join(USER_SUMMARY.split())}
    assert all(isinstance(row["user_id"], str) for row in report("user_summary"))
    assert {tuple(row) for row in report("user_volume")} == {("user_id", "first_name", "last_name", "states")}
    assert {tuple(row["states"]) for row in report("user_volume")} == {("all_states", "all_closed_states", *STATES)}
    assert all(isinstance(row["user_id"], int) for row in report("user_volume"))
    assert {tuple(r) for r in report("classifications")} == {("classification_id", "classification", "state", "volume")}
    assert {tuple(r) for r in report("case_classifications")} == {("classification_id", "classification", "volume")}
    assert tuple(report("case_summary")) == (
        *("total_cases", "first_reply_time", "resolution_time", "median_first_reply_time", "median_resolution_time"),
        *("agent_interactions", "agents_involved"),
    )
    assert " ".join(report("nps_summary")) == NPS
    assert {(*row, *row["data"]) for row in report("nps_volume")} == {("date", "timestamp", "data", *NPS.split())}
    for kind, keys in (
        ("states_volume", set(STATES)),
        ("response_volume", {"avg_response_time"}),
        ("case_volume", {"open"}),
    ):
        series = report(kind)
        assert set(series) == keys
        assert all(
            {"value", "date_range"} <= set(row) <= {"state", "value", "date_range"}
            for r in series.values()
            for row in r
        )
    assert report("mention_sla_export")[0] == MENTION_COLUMNS
    assert report("case_details")[0] == CASE_COLUMNS
    assert len({len(row) for kind in EXPORTS for row in report(kind)}) == len(EXPORTS)


def test_a_window_without_messages_is_zeros_and_nulls() -> None:
    box = sandbox()
    span = window(box.timezone, date(2025, 5, 1))
    summary = box.report("summary", *span)
    assert {name for name, value in summary.items() if value == 0} == {
        *("total_volume", "total_responded_to", "broke_sla", "broke_action_sla")
    }
    assert set(summary.values()) == {0, None}
    assert box.report("states_volume", *span) == {}
    assert box.report("user_summary", *span) == box.report("classifications", *span) == []
    assert box.report("case_summary", *span)["first_reply_time"] is None
    assert box.report("nps_summary", *span, form=55)["nps_score"] == 0.0


@pytest.mark.parametrize("kind", sorted(SERIES))
def test_a_series_turns_to_hours_below_four_days(kind: str) -> None:
    box = sandbox()
    [short, *_] = box.report(kind, *window(box.timezone, date(2026, 3, 2), 3)).values()
    [long, *_] = box.report(kind, *window(box.timezone, date(2026, 3, 2), 4)).values()
    assert (len(short), len(long)) == (72, 4)
    assert labels(short)[:2] == ["2026-03-02 00:00", "2026-03-02 01:00"]
    # four calendar days, of which one has 23 hours, are shorter than four days
    [spring, *_] = box.report(kind, *window(box.timezone, date(2025, 10, 3), 4)).values()
    assert len(spring) == 95


def test_case_volume_can_be_told_to_stay_with_days() -> None:
    box = sandbox(case_volume_hours=False)
    assert len(box.report("case_volume", *window(box.timezone, date(2026, 3, 2)))["open"]) == 1


def test_a_case_is_counted_in_every_hour_from_its_opening_to_its_closing() -> None:
    box = sandbox(clock="2026-03-04T10:00:00+11:00")
    start, at = box.ledger.midnight(date(2026, 3, 2)), instant(box.clock)
    cases = box.ledger.cases(start, start + 3 * DAY, at)
    rows = box.report("case_volume", *window(box.timezone, date(2026, 3, 2), 3))["open"]
    for hour, row in enumerate(rows):
        begin, end = start + hour * HOUR, start + (hour + 1) * HOUR
        assert row["value"] == sum(c.opened < end and (c.closed(at) or at + 1) > begin for c in cases)
    assert max(row["value"] for row in rows) > 0 == rows[-1]["value"]


def test_the_hour_that_a_clock_shows_twice_gives_two_buckets() -> None:
    box = sandbox()
    hours = labels(box.report("response_volume", *window(box.timezone, date(2026, 4, 5)))["avg_response_time"])
    assert len(hours) == 25
    assert Counter(hours)["2026-04-05 02:00"] == 2


def test_a_clock_that_skips_midnight_gives_a_day_of_23_hours() -> None:
    box = sandbox("America/Santiago")
    hours = labels(box.report("case_volume", *window(box.timezone, date(2025, 9, 7)))["open"])
    assert (len(hours), hours[0]) == (23, "2025-09-07 01:00")


def test_buckets_can_follow_the_offset_of_the_request() -> None:
    box = sandbox(labels="offset")
    rows = box.report("response_volume", *window(box.timezone, date(2026, 4, 3), 4))["avg_response_time"]
    days = labels(rows)
    assert days == [f"2026-04-0{n} 00:00" for n in (3, 4, 5, 6, 7)]
    *_, left_over = box.report("case_volume", *window(box.timezone, date(2026, 4, 3), 4))["open"]
    *_, last_hour = sandbox().report("case_volume", *window(box.timezone, date(2026, 4, 6)))["open"]
    assert left_over["value"] == last_hour["value"] > 0


@pytest.mark.parametrize(
    ("nps_labels", "first"), [("end", "2026-04-03T13:00:00+00:00"), ("start", "2026-04-02T13:00:00+00:00")]
)
def test_nps_volume_counts_in_steps_of_24_hours(nps_labels: Any, first: str) -> None:
    box = sandbox(nps_labels=nps_labels)
    span = window(box.timezone, date(2026, 4, 3), 4)
    rows = box.report("nps_volume", *span, form=55)
    assert rows[0]["date"] == first
    assert len(rows) == 5  # the four days have 97 hours
    assert all(datetime.fromisoformat(row["date"]).timestamp() == row["timestamp"] for row in rows)
    whole = box.report("nps_summary", *span, form=55)
    for name in ("total_sent", "total_received", "total_promoters"):
        assert sum(row["data"][name] for row in rows) == whole[name]


def test_workflow_states_come_under_either_type() -> None:
    box = sandbox(workflow_states_type="states")
    span = window(box.timezone, date(2026, 3, 1), 31)
    rows = box.report("states", *span)
    assert {tuple(row) for row in rows} == {("state", "volume")}
    assert sum(row["volume"] for row in rows) == box.report("summary", *span)["total_volume"]
    assert sandbox(user_volume_shape="states").report("user_volume", *span) == rows


def test_the_totals_of_a_label_are_the_sum_of_its_states() -> None:
    box = sandbox()
    sums: Counter[tuple[int, bool]] = Counter()
    for row in box.report("classifications", *window(box.timezone, date(2026, 3, 1), 31)):
        sums[row["classification_id"], row["state"] == "all_states"] += row["volume"]
    assert all(count == sums[label, True] for (label, total), count in sums.items() if not total)
    assert (1472, True) in sums  # archived, and still counted


def refusals() -> Iterator[tuple[dict[str, object], int, str]]:
    good: dict[str, object] = {
        "type": "summary",
        "date_from": "2026-04-01T00:00:00+11:00",
        "date_to": "2026-04-30T23:59:59+10:00",
    }
    yield good | {"type": "nonsense"}, 400, "invalid type"
    yield good | {"type": None}, 400, "invalid type"
    yield good | {"date_from": "2026-05-11T00:00:00+10:00", "date_to": "2026-05-12T00:00:00+10:00"}, 400, "future date"
    yield good | {"date_from": "2025-04-30T23:59:59+10:00"}, 400, "too long"
    yield good | {"date_from": "yesterday"}, 404, "Not found"
    yield good | {"date_to": ""}, 404, "Not found"
    yield good | {"date_from": "2026-05-01T00:00:00+10:00"}, 404, "Not found"
    for form in ({}, {"form": 57}, {"form": 999}):
        yield good | {"type": "nps_summary"} | form, 404, "Not found"


@pytest.mark.parametrize(("body", "status", "text"), list(refusals()))
def test_a_request_that_the_article_forbids_is_refused(body: dict[str, Any], status: int, text: str) -> None:
    body = dict(body)
    with pytest.raises(RequestError, match=text) as refused:
        sandbox().report(body.pop("type"), body.pop("date_from"), body.pop("date_to"), **body)
    assert refused.value.status == status


def test_a_whole_year_is_not_too_long_and_a_future_end_is_accepted() -> None:
    box = sandbox()
    assert box.report("summary", "2025-07-01T00:00:00+10:00", "2026-06-30T23:59:59+10:00")["total_volume"] > 1000
    assert instant(box.clock) == instant(datetime(2026, 5, 10, 10, tzinfo=ZoneInfo("UTC")))
