"""The judgements of `--doctor` on answers that are made up: no server, and some hundreds of each."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_lexer_activity import zones
from tap_lexer_activity.doctor.asking import Answer, Ask
from tap_lexer_activity.doctor.doctor import PROBES
from tap_lexer_activity.doctor.files import look_at
from tap_lexer_activity.doctor.findings import Finding, Mark, is_settled, settings_of
from tap_lexer_activity.doctor.jobs import Jobs, JobSeen
from tap_lexer_activity.doctor.probes import exports, ranges, series, zone
from tap_lexer_activity.doctor.probes.base import Evidence
from tap_lexer_activity.doctor.probes.reports import unit_of
from tap_lexer_activity.doctor.probes.zone import Sign, by_signs, signs_of_hours
from tap_lexer_activity.doctor.seen import form_of, see_series, shape_of
from tap_lexer_activity.doctor.situation import Situation, range_of
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.shapes import stream_schema
from tap_lexer_activity.windows import DAY, HOUR, Window, local_date, start_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from tap_lexer_activity.settings.settings import Settings

ZONES: Final = st.sampled_from(
    [
        "Australia/Sydney",
        "America/New_York",
        "Asia/Kolkata",
        "UTC",
        "Europe/London",
        "Pacific/Auckland",
        "Asia/Kathmandu",
    ]
)
MOMENTS: Final = st.datetimes(datetime(2020, 6, 1), datetime(2027, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
MENTIONS: Final = stream_schema("mention_sla_export")["properties"]


def situation(
    key: str = "Australia/Sydney", now: datetime = datetime(2026, 5, 1, tzinfo=UTC), **more: Any
) -> Situation:
    config = {
        "api_token": "sandbox-token-0000",
        "start_date": "2020-01-01",
        "timezone": key,
        "api_url": "http://127.0.0.1:9/v1",
    }
    return Situation.of(parse_settings({**config, **more}, now=now))


def judged(evidence: Evidence, probe: Callable[[Evidence], Finding | None]) -> Finding:
    found = probe(evidence)
    assert found is not None
    return found


# A server in ten lines: messages by the hour since some day, in a zone or by the offset of the request


def answer_to(
    ask: Ask,
    account: ZoneInfo,
    *,
    since: date = date(2000, 1, 1),
    by_offset: bool = False,
    longest: int = 400,
    per_hour: int = 1,
) -> Answer:
    asked = range_of(ask)
    if asked.length > longest * DAY + HOUR:
        return Answer(status=400, is_json=True, content={}, said="date range is too long")
    shown = datetime.fromisoformat(json.loads(ask.body)["date_from"]).tzinfo if by_offset else account
    is_hourly = asked.length < 4 * DAY
    values: Counter[str] = Counter()
    at = asked.start
    step = HOUR / 4 if is_hourly and per_hour != 1 else HOUR
    while at < asked.end:
        clock = at.astimezone(shown)
        label = f"{clock:%Y-%m-%d %H}:00" if is_hourly else f"{clock:%Y-%m-%d} 00:00"
        values[label] += per_hour if at.astimezone(account).date() >= since else 0
        at += step
    rows = [{"value": value, "date_range": {"date_from": label}} for label, value in values.items()]
    return Answer(status=200, is_json=True, content={"closed": rows})


def answered(found: Situation, account: ZoneInfo, **how: Any) -> Evidence:
    """Evidence whose questions that server answers."""
    answers: dict[Ask, Answer] = {}

    def send(ask: Ask) -> Answer:
        is_known = ask.body and ask.type == "states_volume"
        answers[ask] = answer_to(ask, account, **how) if is_known else Answer(status=404)
        return answers[ask]

    return Evidence(found, answers, send=send)


# Zone


@given(ZONES, ZONES, MOMENTS, st.sampled_from([0, 1, 60]))
def test_hours_show_the_offset_of_the_account(own: str, account: str, now: datetime, per_hour: int) -> None:
    found = situation(own, now)
    counted = ZoneInfo(account)
    (ask,) = [found.report("states_volume", found.hours)]
    shown = see_series("states_volume", answer_to(ask, counted, per_hour=per_hour).content, range_of(ask))
    assert shown is not None
    signs = signs_of_hours(shown, found.hours, ends=False)
    assert signs
    assert all(sign.fits(counted) for sign in signs)
    changes = found.hours.start.astimezone(counted).utcoffset() != found.hours.end.astimezone(counted).utcoffset()
    if per_hour != 1 and not changes:
        is_aligned = found.hours.start.astimezone(counted).minute == 0
        assert {len(sign.offsets) for sign in signs} == ({1} if is_aligned else {3})


def test_hours_that_are_missing_leave_offsets_open() -> None:
    found = situation("UTC")
    content = answer_to(found.report("states_volume", found.hours), ZoneInfo("UTC")).content
    for missing, possible in ((1, 8), (3, 16), (4, 0)):
        shown = see_series("states_volume", {"closed": content["closed"][missing:]}, found.hours)
        assert shown is not None
        offsets = [offset for sign in signs_of_hours(shown, found.hours, ends=False) for offset in sign.offsets]
        assert len(offsets) == possible
        assert not possible or timedelta() in offsets


@given(ZONES, ZONES, MOMENTS, st.booleans())
@settings(max_examples=40)
def test_the_probe_of_the_zone_names_a_zone_that_shows_what_was_seen(
    own: str, account: str, now: datetime, knows: bool
) -> None:
    found = situation(own, now)
    signs = [
        Sign(window.start, (window.start.astimezone(ZoneInfo(account)).utcoffset() or timedelta(),))
        for window in (found.hours, found.other_season)
    ]
    finding = by_signs(signs, Counter({account: 3} if knows else {}), found, "")
    named = finding.settings.get("timezone") or finding.settings.get("series_zone") or own
    if finding.mark is not Mark.OPEN:
        assert all(sign.fits(ZoneInfo(named)) for sign in signs)
    assert (finding.mark is Mark.AS_ASSUMED) == all(sign.fits(ZoneInfo(own)) for sign in signs)
    if knows and finding.mark is not Mark.AS_ASSUMED:
        assert finding.settings == {"timezone": account}


def test_midnights_show_the_zone_as_well() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    assert Sign(datetime(2026, 4, 24, 14, tzinfo=UTC)).fits(sydney)
    assert not Sign(datetime(2026, 1, 24, 14, tzinfo=UTC)).fits(sydney)
    assert "Australia/Sydney" in zones.zone_names()


@given(ZONES, MOMENTS, st.booleans())
@settings(max_examples=40)
def test_days_by_the_offset_of_the_request_are_told_from_those_of_a_zone(
    key: str, now: datetime, by_offset: bool
) -> None:
    found = situation(key, now)
    evidence = answered(found, ZoneInfo(key), by_offset=by_offset)
    judged(evidence, series.probe_clock)
    assert series.follows_offset(evidence) is by_offset


# Ranges


@given(st.integers(1, 2000), st.sampled_from([400, 180, 92, 31, 8]), ZONES, MOMENTS)
@settings(max_examples=60)
def test_the_longest_range_and_the_oldest_day_are_found(age: int, longest: int, key: str, now: datetime) -> None:
    found = situation(key, now)
    last = local_date(found.week.end, found.zone)
    since = last - timedelta(days=age)
    evidence = answered(found, found.zone, since=since, longest=longest)
    length = judged(evidence, ranges.probe_longest)
    oldest = judged(evidence, ranges.probe_oldest)
    assert len(evidence.answers) <= 1 + 4 + 6, "most of the two probes"
    expected = next(days for days in (359, 89, 28, 7) if days <= longest)
    assert length.settings.get("max_range_days", 359) == expected
    first = date.fromisoformat(oldest.facts["first"])
    assert first >= since
    if oldest.facts["is_exact"]:
        assert first == since
    if "start_date" in oldest.settings:
        assert date.fromisoformat(oldest.settings["start_date"]) <= since


# Units


@given(st.decimals(1, 10**6, places=2), st.decimals("0.8", "1.25", places=3))
def test_a_unit_is_told_within_a_factor(seconds: Decimal, factor: Decimal) -> None:
    assert unit_of(seconds * factor, seconds) == "seconds"
    assert unit_of(seconds * factor / 60, seconds) == "minutes"
    assert unit_of(seconds * factor / 3600, seconds) == "hours"
    assert unit_of(seconds * 10, seconds) is None


# Whatever comes


JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["2026-04-24 00:00", "closed", "UTC"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=6)
            | st.sampled_from(
                ["id", "value", "date_range", "date_from", "closed", "state", "volume", "date", "nps", "timezone"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ANSWERS: Final = st.builds(
    Answer,
    status=st.sampled_from([0, 200, 200, 200, 200, 204, 400, 401, 403, 404, 429, 500]),
    content=JSON,
    is_json=st.booleans(),
    said=st.text(max_size=20),
    seconds=st.floats(0, 100),
    headers=st.dictionaries(
        st.sampled_from(["date", "x-ratelimit-limit", "ratelimit-remaining", "link"]),
        st.text(max_size=5) | st.just("17"),
    ),
    skew=st.none() | st.floats(-1e6, 1e6),
    was_asked=st.booleans(),
)


@pytest.mark.parametrize("name", PROBES)
@given(st.data())
@settings(max_examples=60)
def test_no_probe_fails_whatever_comes(name: str, data: st.DataObject) -> None:
    answers: dict[Ask, Answer] = {}

    def send(ask: Ask) -> Answer:
        assert len(answers) < 40, "it never stops asking"
        return answers.setdefault(ask, data.draw(ANSWERS))

    evidence = Evidence(situation(), answers, data.draw(st.lists(ANSWERS, max_size=3)), send=send)
    PROBES[name](evidence)
    if finding := PROBES[name](replace(evidence, send=None)):
        assert finding.question
        assert finding.found
        json.dumps({"facts": dict(finding.facts), "settings": dict(finding.settings)})


WORDS: Final = frozenset({"text", "number", "boolean", "null", "object", "array", "of", "(others)"})


@given(JSON)
def test_a_shape_has_none_of_the_values(content: Any) -> None:
    shown = json.dumps(shape_of(content), ensure_ascii=False)

    def values(part: Any) -> set[str]:
        match part:
            case dict():
                return {text for inner in part.values() for text in values(inner)}
            case list():
                return {text for inner in part for text in values(inner)}
            case str():
                return {part}
            case _:
                return set()

    for text in values(content):
        if len(text) > 3 and text != "closed" and not any(text in word for word in WORDS):
            assert text not in shown


def test_names_of_people_are_no_shape() -> None:
    assert shape_of({"jane": 3, "barry": 4}) == "object of 2"
    assert shape_of([{"id": 1, "by_agent": {"jane": 3}}]) == ["1 of", {"id": "number", "by_agent": "object of 1"}]
    assert form_of("2026-04-24T10:00:00Z by Jane") == "9999-99-99T99:99:99Z aa aaaa"


# Files


def _file(rows: list[list[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


ROWS: Final = [
    ["Account Name", "State", "Customer Publish Date (UTC)", "In Queue (min)", "Customer Message"],
    ["Acme", "closed", "2026-04-24 10:00:00", "12.5", "a text, with; signs\tin it"],
    ["Acme", "open", "2026-04-24 11:00:00", "0.25", "another|one"],
]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("packed", ["", "gzip"])
def test_a_file_is_seen_as_it_is_written(separator: str, encoding: str, packed: str) -> None:
    body = _file(ROWS, separator).encode(encoding)
    found = look_at(gzip.compress(body) if packed else body, MENTIONS)
    assert (found.separator, found.encoding, found.packed) == (separator, encoding, packed)
    assert found.header == tuple(ROWS[0])
    assert (found.rows, found.titles, found.times, found.numbers) == (2, 0, {}, {})


def test_the_rows_of_a_file_are_counted_as_a_run_reads_them() -> None:
    rows = [*ROWS[:2], [*ROWS[2][:4], "two\nlines"]]
    assert look_at("\r".join(map(",".join, rows)).encode(), MENTIONS).rows == 2
    named = look_at(f"sep=;\n{_file(rows, ';')}".encode(), MENTIONS)
    assert (named.separator, named.titles, named.rows) == (";", 0, 2)


def test_the_rows_of_a_file_without_a_header_are_not_shown() -> None:
    found = look_at(_file(ROWS[1:]).encode(), MENTIONS)
    assert found.header == ()
    assert "Acme" not in json.dumps(exports.of_file("mention_sla_export", found).facts)
    assert exports.of_file("mention_sla_export", found).mark is Mark.OPEN
    assert not look_at(b"<html>no file</html>", MENTIONS).is_csv


@pytest.mark.parametrize(
    ("cell", "settings_", "mark"),
    [
        ("24/04/2026 10:00:00", {"export_time_formats": ["%d/%m/%Y %H:%M:%S"]}, Mark.SETTLED),
        ("04/24/2026 10:00 AM", {"export_time_formats": ["%m/%d/%Y %I:%M %p"]}, Mark.SETTLED),
        ("04/05/2026 10:00:00", {}, Mark.OPEN),
        ("2026-04-24T10:00:00Z", {}, Mark.AS_ASSUMED),
    ],
)
def test_the_way_times_are_written_is_named(cell: str, settings_: dict[str, Any], mark: Mark) -> None:
    rows = [ROWS[0], [*ROWS[1][:2], cell, *ROWS[1][3:]]]
    finding = exports.of_file("mention_sla_export", look_at(_file(rows).encode(), MENTIONS))
    assert (finding.settings, finding.mark) == (settings_, mark)


def test_what_a_run_refuses_is_open() -> None:
    found = look_at(_file(ROWS).encode(), MENTIONS)
    assert exports.of_file("mention_sla_export", found, "it is cut off").mark is Mark.OPEN


def test_a_job_with_other_words_is_settled() -> None:
    started = Answer(status=200, is_json=True, content={})
    job = JobSeen(
        kind="case_details",
        started=started,
        words=["queued", "SUCCESS"],
        shape=("status", "url"),
        outcome="complete",
        seconds=9.0,
    )
    job.file = look_at(_file(ROWS).encode(), MENTIONS)
    assert exports.of_job(job, 600).mark is Mark.SETTLED
    assert exports.of_job(replace(job, words=["pending", "complete"]), 600).mark is Mark.AS_ASSUMED


# Findings


def test_the_settings_of_all_findings_are_one_block() -> None:
    def finding(mark: Mark, **block: Any) -> Finding:
        return Finding(question="", mark=mark, found="", assumed="", settings=block)

    found = [
        finding(Mark.SETTLED, accept={"users": ["member:data"]}, max_range_days=30),
        finding(Mark.SETTLED, accept={"forms": ["member:data"], "users": ["utc_times"]}, max_range_days=28),
        finding(Mark.AS_ASSUMED),
    ]
    assert settings_of(found) == {
        "accept": {"users": ["member:data", "utc_times"], "forms": ["member:data"]},
        "max_range_days": 28,
    }
    assert is_settled(found)
    assert not is_settled([*found, finding(Mark.UNKNOWN)])
    assert not is_settled([*found, finding(Mark.OPEN)])


def test_the_days_are_whole_and_in_the_zone() -> None:
    found = situation("America/New_York", datetime(2026, 3, 10, 12, tzinfo=UTC))
    assert found.week == Window(start_of(date(2026, 3, 3), found.zone), start_of(date(2026, 3, 10), found.zone))
    assert found.week.length == 7 * DAY - HOUR  # the clocks changed in them
    other = found.with_other_offset("states_volume", found.week)
    assert range_of(other) == range_of(found.report("states_volume", found.week))
    assert datetime.fromisoformat(json.loads(other.body)["date_from"]).tzinfo == timezone(timedelta(hours=6))
    assert zone.ZONE in {finding.question for probe in PROBES.values() if (finding := probe(Evidence(found)))}


# What stands around answers


def _around(*answers: Answer, polls: tuple[Answer, ...] = ()) -> Evidence:
    asks = [Ask(f"question {number}", path=f"/{number}") for number in range(len(answers))]
    return Evidence(situation(), dict(zip(asks, answers, strict=True)), polls)


FINE: Final = Answer(status=200, is_json=True, content=[], seconds=1.0)


@pytest.mark.parametrize(
    ("skew", "mark"), [(0.4, Mark.AS_ASSUMED), (-55, Mark.AS_ASSUMED), (300, Mark.OPEN), (-7200, Mark.OPEN)]
)
def test_a_clock_that_is_wrong_is_said(skew: float, mark: Mark) -> None:
    finding = judged(_around(replace(FINE, skew=skew), replace(FINE, skew=skew + 0.5)), PROBES["clock"])
    assert finding.mark is mark
    assert ("ahead" in finding.found) == (mark is Mark.OPEN and skew > 0)


@pytest.mark.parametrize(("seconds", "settings_"), [(5, {}), (55, {"request_timeout": 165})])
def test_slow_answers_ask_for_a_longer_timeout(seconds: float, settings_: dict[str, int]) -> None:
    assert judged(_around(FINE, replace(FINE, seconds=seconds)), PROBES["speed"]).settings == settings_


@pytest.mark.parametrize(("left", "counted"), [((40, 39, 38), True), ((40, 40, 40), False), ((40,), None), ((), None)])
def test_polls_count_if_fewer_requests_are_left_after_them(left: tuple[int, ...], counted: bool | None) -> None:
    polls = tuple(replace(FINE, headers={"x-ratelimit-remaining": str(number)}) for number in left)
    assert judged(_around(FINE, polls=polls), PROBES["quota"]).facts["polls_count"] is counted


def test_a_refused_report_is_left_out() -> None:
    day = Ask("summary", body=json.dumps({"type": "summary"}))
    finding = judged(
        Evidence(situation(), {Ask("users", path="/users"): FINE, day: Answer(status=403)}), PROBES["rights"]
    )
    assert finding.mark is Mark.SETTLED
    assert "--select '!summary'" in finding.advice


class _Asker:
    """Answers polls at one address."""

    left = 20

    def __init__(self, address: str | None, settings_: Settings) -> None:
        self.address = address
        self.settings = settings_
        self.client = Run.begin(settings_, logging.getLogger("tests.doctor")).client
        self.door = self.client.http
        self.clock = time.monotonic
        self.asked: list[str | None] = []

    def sleep(self, seconds: float) -> None:
        del seconds

    def start(self, ask: Ask) -> Answer:
        del ask
        return Answer(status=200, is_json=True, content={"status": "pending", "url": None, "token": "t-1"})

    def poll(self, token: str, what: str, address: tuple[str, str] | None) -> Answer:
        del token, what
        self.asked.append(address and address[0])
        if self.asked[-1] != self.address:
            return Answer(status=404)
        return Answer(status=200, is_json=True, content={"status": "complete", "url": "ftp://nowhere/at/all"})


@pytest.mark.parametrize(
    ("place", "polls"), [(None, 1), ("http://127.0.0.1:9/v1/activity/reports/status", 3), ("nowhere", 4)]
)
def test_the_status_of_a_job_is_looked_for_at_other_addresses_after_two_questions(
    place: str | None, polls: int
) -> None:
    found = situation()
    asker: Any = _Asker(place, found.settings)
    seen = Jobs(asker).run([found.report("case_details", found.day(0))])["case_details"]
    assert seen.polls == polls
    assert seen.address == (place if polls == 3 else "")
    finding = exports.judge(Evidence(found, jobs={"case_details": seen}))
    assert [each.settings for each in finding if each.settings] == (
        [{"export_status_url": place}] if polls == 3 else []
    )
