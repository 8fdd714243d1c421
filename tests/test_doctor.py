"""`--doctor`: each finding against a sandbox that is set to either answer, and the accounts and servers that go wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from support.lexers import Lexers, as_dict, different, of

from tap_lexer_activity.doctor import reading
from tap_lexer_activity.doctor.doctor import MOST
from tap_lexer_activity.doctor.findings import Mark
from tap_lexer_activity.doctor.probes import access, exports, lists, ranges, reports, series, volume, zone
from tap_lexer_activity.doctor.report import as_json, as_text
from tap_lexer_activity.sandbox.differences import CONTRARY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

AS_ASSUMED, SETTLED, OPEN, UNKNOWN = Mark.AS_ASSUMED, Mark.SETTLED, Mark.OPEN, Mark.UNKNOWN
SINCE: Final = {"start_date": "2025-05-01"}
NEW_YORK: Final = {"timezone": "America/New_York", "clock": "2026-05-01T10:00:00-04:00"}
CHANGE: Final = {"clock": "2026-04-09T10:00:00+10:00"}
"""Four days after the clocks of Sydney changed."""


@pytest.fixture
def lexers(new_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Lexers:
    return Lexers(new_sandbox, monkeypatch)


# All as assumed


@pytest.mark.parametrize(
    "options", [{}, NEW_YORK, CHANGE, {"timezone": "Asia/Kolkata"}], ids=["", "west", "change", "half"]
)
def test_a_lexer_as_its_documents_say_leaves_nothing_to_do(lexers: Lexers, options: dict[str, Any]) -> None:
    found = lexers.examined(lexers.sandbox(**options), with_exports=True)
    assert different(found) == {}
    assert found.is_settled
    assert found.settings == {}
    assert found.requests <= MOST
    assert "Nothing to do." in as_text(found)


# Each finding: what the Lexer does, how the tap is set, and the mark, the settings and a word of what is found

CASES: Final[list[tuple[str, dict[str, Any], dict[str, Any], str, Mark, dict[str, Any], str]]] = [
    ("wrong zone", {}, {"timezone": "UTC"}, zone.ZONE, SETTLED, {"timezone": "Australia/Sydney"}, "Australia/Sydney"),
    ("no zone", NEW_YORK, {"timezone": None}, zone.ZONE, SETTLED, {"timezone": "America/New_York"}, "America/New_York"),
    (
        "zone without summer time",
        {},
        {"timezone": "Australia/Brisbane"},
        zone.ZONE,
        SETTLED,
        {"timezone": "Australia/Sydney"},
        "",
    ),
    ("days of UTC", {"differences": ["all_days_of_utc"]}, {}, zone.ZONE, SETTLED, {"series_zone": "UTC"}, "UTC"),
    (
        "days of UTC, set",
        {"differences": ["all_days_of_utc"]},
        {"series_zone": "UTC"},
        zone.ZONE,
        AS_ASSUMED,
        {},
        "UTC",
    ),
    ("instants", {"differences": ["labels_zulu"]}, {}, zone.ZONE, AS_ASSUMED, {}, "Australia/Sydney"),
    (
        "instants, wrong zone",
        {"differences": ["labels_zulu"]},
        {"timezone": "Australia/Perth"},
        zone.ZONE,
        SETTLED,
        {"timezone": "Australia/Sydney"},
        "",
    ),
    ("labels of a clock in UTC", {"differences": ["labels_in_utc"]}, {}, zone.ZONE, SETTLED, {"accept": ...}, "UTC"),
    ("offset", {"labels": "offset"}, {}, series.CLOCK, SETTLED, {}, "request's offset"),
    ("offset of the west", {"labels": "offset", **NEW_YORK}, {}, series.CLOCK, SETTLED, {}, "request's offset"),
    (
        "offset, wrong zone",
        {"labels": "offset"},
        {"timezone": "UTC"},
        zone.ZONE,
        SETTLED,
        {"timezone": "Australia/Sydney"},
        "",
    ),
    (
        "days for hours",
        {"differences": ["days_for_hours"]},
        {},
        series.GRAIN,
        SETTLED,
        {"series_interval": "day"},
        "72 hours: days",
    ),
    ("hours for a week", {"differences": ["hours_for_a_week"]}, {}, series.GRAIN, SETTLED, {}, "7 days: hours"),
    ("days of cases", {"case_volume_hours": False}, {}, series.CASES, SETTLED, {"series_interval": "day"}, "No"),
    ("labels are ends", {"differences": ["labels_of_ends"]}, {}, series.EDGE, SETTLED, {}, "end"),
    ("flat", {"differences": ["flat_series"]}, {}, series.SHAPE, SETTLED, {}, "one list"),
    ("labels in words", {"differences": ["labels_of_dates"]}, {}, series.SHAPE, SETTLED, {}, "99 aaa 9999"),
    ("a month", {"differences": ["ranges_of_a_month"]}, {}, ranges.LONGEST, SETTLED, {"max_range_days": 28}, "28 days"),
    ("weeks", {"differences": ["weeks_for_months"]}, {}, ranges.LONGEST, SETTLED, {"max_range_days": 28}, "28 days"),
    ("a part", {"differences": ["part_of_a_range"]}, {}, ranges.LONGEST, SETTLED, {"max_range_days": 30}, "30 days"),
    ("young", {"history_start": "2026-04-11"}, {}, ranges.OLDEST, SETTLED, {"start_date": "2026-04-11"}, "2026-04-11"),
    ("young is whole", {"history_start": "2026-04-11"}, {}, ranges.LONGEST, AS_ASSUMED, {}, "359"),
    ("old", {"history_start": "2024-02-10"}, {}, ranges.OLDEST, AS_ASSUMED, {}, "To 2024-02-10."),
    ("retention", {"differences": ["retention"]}, SINCE, ranges.OLDEST, SETTLED, {}, "too old"),
    ("states", {"user_volume_shape": "states"}, {}, volume.VOLUME, SETTLED, {}, "Workflow States"),
    ("snapshot", {"differences": ["volume_of_now"]}, {}, volume.MOVES, OPEN, {}, "As they are now"),
    (
        "a type",
        {"workflow_states_type": "workflow_states"},
        {},
        volume.STATES_TYPE,
        SETTLED,
        {"report_parameters": {"workflow_states": {"type": "workflow_states"}}},
        "'workflow_states'",
    ),
    ("minutes", {"differences": ["response_in_minutes"]}, {}, reports.UNIT, SETTLED, {}, "Minutes"),
    (
        "minutes of the west",
        {"differences": ["response_in_minutes"], **NEW_YORK},
        {},
        reports.UNIT,
        SETTLED,
        {},
        "Minutes",
    ),
    ("starts", {"nps_labels": "start"}, {}, reports.NPS, AS_ASSUMED, {}, "start"),
    ("ends", {"nps_labels": "end", **NEW_YORK}, {}, reports.NPS, AS_ASSUMED, {}, "end"),
    ("by date", {"differences": ["surveys_by_date"]}, {}, reports.NPS, AS_ASSUMED, {}, "end"),
    (
        "a field",
        {"differences": ["another_field"]},
        {},
        reports.FIELDS,
        SETTLED,
        {"discover_columns": True},
        "waiting_minutes",
    ),
    ("wrapped", {"differences": ["wrapped_lists"]}, {}, lists.SHAPE, SETTLED, {}, "under 'data'"),
    ("quota", {"differences": ["quota_of_60"]}, {}, access.QUOTA, SETTLED, {"rate_limit_requests": 60}, "60"),
]


BY_THE_CLOCK: Final = frozenset(
    {
        zone.ZONE,
        series.CLOCK,
        series.GRAIN,
        series.EDGE,
        series.CASES,
        ranges.LONGEST,
        reports.UNIT,
        reports.NPS,
        volume.MOVES,
    }
)
PLACES: Final = {"": {}, "in the west": NEW_YORK, "where the clocks change": CHANGE}
EVERYWHERE: Final = [
    pytest.param(case, options, id=f"{case[0]}{place and f', {place}'}", marks=[pytest.mark.thorough] if place else [])
    for case in CASES
    for place, options in PLACES.items()
    if not place or (case[3] in BY_THE_CLOCK and not {"clock", "history_start"} & case[1].keys())
]


@pytest.mark.parametrize(("case", "place"), EVERYWHERE)
def test_a_difference_is_found(lexers: Lexers, case: tuple[Any, ...], place: dict[str, Any]) -> None:
    _, options, config, question, mark, settings, words = case
    sandbox = lexers.sandbox(**{**options, **place})
    found = lexers.examined(sandbox, config)
    finding = of(found, question)
    home = {"Australia/Sydney": sandbox.timezone} if place else {}
    expected = {name: home.get(value, value) if isinstance(value, str) else value for name, value in settings.items()}
    assert (finding.mark, finding.settings.keys()) == (mark, expected.keys()), as_text(found)
    assert {name: value for name, value in finding.settings.items() if expected[name] is not ...} == {
        name: value for name, value in expected.items() if value is not ...
    }
    assert home.get(words, words) in finding.found
    assert found.requests <= MOST
    assert found.is_settled == (mark is not OPEN), as_text(found)


# Accounts and servers that go wrong


def test_a_wrong_token_ends_it_at_once(lexers: Lexers) -> None:
    found = lexers.examined(lexers.sandbox(), {"api_token": "another-token-1111"}, with_exports=True)
    assert found.requests == 1
    assert different(found) == {access.TOKEN: OPEN}
    assert "api_token" in of(found, access.TOKEN).advice


def test_a_token_without_some_rights_is_asked_for_the_rest(lexers: Lexers) -> None:
    sandbox = lexers.sandbox()
    for kind in ("case_details", "case_summary"):
        sandbox.fault("forbidden", match=kind, times=None)
    found = lexers.examined(sandbox, with_exports=True)
    assert different(found) == {access.RIGHTS: SETTLED}
    finding = of(found, access.RIGHTS)
    assert finding.facts["refused"] == {"case_details": 403, "case_summary": 403}
    assert "--select '!case_details,!case_summary'" in finding.advice
    assert found.is_settled


def test_a_token_that_may_not_read_users_is_asked_for_the_rest(lexers: Lexers) -> None:
    sandbox = lexers.sandbox()
    sandbox.fault("forbidden", match="users", times=None)
    found = lexers.examined(sandbox)
    assert different(found) == {access.RIGHTS: SETTLED}


def test_an_account_without_messages_says_that_it_can_not_tell_and_what_to_do(lexers: Lexers) -> None:
    found = lexers.examined(lexers.sandbox(messages_per_day=0), with_exports=True)
    marks = different(found)
    assert set(marks.values()) == {UNKNOWN}
    assert {series.CLOCK, series.GRAIN, series.EDGE, reports.UNIT, ranges.OLDEST} <= marks.keys()
    assert any("--doctor-from DATE" in line for line in as_text(found))
    assert not found.is_settled


def test_another_month_is_asked_about(lexers: Lexers) -> None:
    sandbox = lexers.sandbox()
    found = lexers.examined(sandbox, first="2025-09-10")
    assert different(found) == {}
    asked = [request for request in sandbox.requests if "summary" in str(request)]
    assert all("2025-09-1" in str(request) for request in asked)


@pytest.mark.parametrize(("first", "words"), [("soon", "should be a date"), ("2026-04-28", "are not over")])
def test_days_that_can_not_be_asked_about_are_refused(lexers: Lexers, first: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lexers.examined(lexers.sandbox(), first=first)


def test_a_server_that_answers_nothing_but_500_is_left_alone_soon(lexers: Lexers) -> None:
    sandbox = lexers.sandbox()
    sandbox.fault("server_error", times=None)
    found = lexers.examined(sandbox, with_exports=True)
    assert different(found) == {access.TOKEN: OPEN}
    assert found.requests == 4
    assert "4 times 500" in of(found, access.TOKEN).evidence


def test_a_quota_that_is_used_up_is_waited_for(lexers: Lexers) -> None:
    sandbox = lexers.sandbox(quota=(1, 3600), retry_after="seconds")
    waits: list[float] = []
    found = lexers.examined(sandbox, {"rate_limit_requests": 100, "rate_limit_seconds": 300}, sleep=waits.append)
    assert waits[:2] == [300, 300]
    assert of(found, access.QUOTA).mark is OPEN
    assert found.requests <= MOST


def test_a_quota_that_another_run_has_used_up_ends_it(lexers: Lexers) -> None:
    sandbox = lexers.sandbox()
    sandbox.fault("rate_limited", times=None)
    found = lexers.examined(sandbox)
    assert different(found) == {access.TOKEN: OPEN}
    assert "quota" in of(found, access.TOKEN).advice
    assert found.requests == 3


def test_a_host_that_is_not_there_is_said(lexers: Lexers) -> None:
    found = lexers.examined(lexers.sandbox(), {"api_url": "http://127.0.0.1:9/v1"})
    assert different(found) == {access.TOKEN: OPEN}
    assert "can't be reached" in of(found, access.TOKEN).found


@pytest.mark.parametrize("fault", ["not_json", "empty", "unknown_shape", "html_error", "cut_body", "duplicate_names"])
def test_one_odd_answer_stops_none_of_the_other_probes(lexers: Lexers, fault: str) -> None:
    sandbox = lexers.sandbox()
    sandbox.fault(fault, match="states_volume", times=None, value={"a": [1]} if fault == "unknown_shape" else None)
    found = lexers.examined(sandbox)
    assert of(found, access.TOKEN).mark is AS_ASSUMED
    assert of(found, volume.VOLUME).mark is AS_ASSUMED
    assert of(found, reports.NPS).mark is AS_ASSUMED
    assert of(found, series.CLOCK).mark is UNKNOWN
    assert not found.is_settled


@pytest.mark.thorough
def test_the_quota_is_kept(lexers: Lexers) -> None:
    sandbox = lexers.sandbox(quota=(12, 1))
    found = lexers.examined(sandbox, with_exports=True)
    assert sandbox.rate_limited == 0
    assert found.is_settled
    assert found.seconds > 2


@pytest.mark.parametrize("option", [("--report", "report.json"), ("--doctor-from", "2026-01-01"), ("--no-exports",)])
def test_its_options_without_it_are_an_error(tap: Tap, sandbox: Sandbox, option: tuple[str, ...]) -> None:
    run = tap.run(sandbox.config(), *option)
    assert (run.code, run.out, len(sandbox.requests)) == (1, "", 0)
    assert "are options of --doctor" in run.errors[0]


@pytest.mark.thorough
def test_a_report_that_can_not_be_written_loses_nothing(
    tap: Tap, new_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    sandbox = new_sandbox(export_seconds=0)
    run = tap.run(sandbox.config(), "--doctor", "--no-exports", "--report", str(tmp_path / "nowhere" / "report.json"))
    assert run.code == 1
    assert "Nothing to do." in run.out
    assert "No such file" in run.errors[0]


def test_columns_are_not_discovered_before(tap: Tap, new_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = new_sandbox(export_seconds=0)
    assert tap.run(sandbox.config(discover_columns=True), "--doctor", "--no-exports").code == 0
    assert len(sandbox.requests) == 22


def test_max_requests_is_kept(lexers: Lexers) -> None:
    found = lexers.examined(lexers.sandbox(), {"max_requests": 9}, with_exports=True)
    assert 5 < found.requests <= 9
    assert not found.is_settled


# Exports


@pytest.mark.parametrize(
    ("fault", "value", "question", "mark", "words"),
    [
        ("export_failed", None, exports.JOB, OPEN, "pending, then failed"),
        ("export_slow", None, exports.JOB, UNKNOWN, "not complete"),
        ("export_unknown_status", "cooking", exports.JOB, UNKNOWN, "cooking"),
        ("export_expired_link", None, exports.JOB, OPEN, "answers 403"),
        ("export_extra_columns", None, exports.FILE, SETTLED, "columns that no schema has"),
    ],
)
def test_what_exports_do_is_found(
    lexers: Lexers, fault: str, value: object, question: str, mark: Mark, words: str
) -> None:
    sandbox = lexers.sandbox()
    sandbox.fault(fault, match="mention_sla_export", times=None, value=value)
    found = lexers.examined(sandbox, with_exports=True)
    finding = of(found, question.format("mention_sla_export"))
    assert finding.mark is mark, finding
    assert words in finding.found
    assert different(found).keys() <= {finding.question, access.SPEED}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("difference", "question", "mark", "settings", "words"),
    [
        ("complete_is_success", exports.JOB, SETTLED, {}, "pending, then SUCCESS"),
        ("pending_is_processing", exports.JOB, SETTLED, {}, "processing"),
        ("status_renamed", exports.JOB, SETTLED, {}, "complete"),
        ("unknown_at_first", exports.JOB, SETTLED, {}, "(404), then complete"),
        ("no_data_in_words", exports.JOB, SETTLED, {}, "complete"),
        ("complete_without_link", exports.JOB, OPEN, {}, "names no file"),
        ("file_semicolons", exports.FILE, SETTLED, {}, "';'"),
        ("file_zip", exports.FILE, SETTLED, {}, "zip"),
        ("file_title", exports.FILE, SETTLED, {}, "1 lines above"),
        (
            "file_days_first",
            exports.FILE,
            SETTLED,
            {"export_time_formats": ["%d/%m/%Y %H:%M:%S"]},
            "99/99/9999 99:99:99",
        ),
        (
            "file_times_in_words",
            exports.FILE,
            SETTLED,
            {"export_time_formats": ["%b %d, %Y %I:%M:%S %p"]},
            "aaa 99, 9999",
        ),
        ("file_not_utf8", exports.FILE, OPEN, {}, "not UTF-8"),
        ("file_without_header", exports.FILE, OPEN, {}, "no header"),
    ],
)
def test_a_difference_of_exports_is_found(
    lexers: Lexers, difference: str, question: str, mark: Mark, settings: dict[str, Any], words: str
) -> None:
    found = lexers.examined(lexers.sandbox(differences=[difference]), with_exports=True)
    finding = of(found, question.format("mention_sla_export"))
    assert (finding.mark, finding.settings) == (mark, settings), finding
    assert words in finding.found
    assert found.is_settled == (mark is SETTLED)
    assert found.requests <= MOST


@pytest.mark.thorough
def test_polls_that_do_not_count_are_noticed(lexers: Lexers) -> None:
    for difference, counted in (("quota_of_60", True), ("free_polls", False)):
        found = lexers.examined(lexers.sandbox(differences=[difference]), with_exports=True)
        assert of(found, access.QUOTA).facts["polls_count"] is counted
        assert f"polls {'count' if counted else 'do not count'}" in of(found, access.QUOTA).found


# The report


def test_the_report_has_no_secret_name_or_text(lexers: Lexers) -> None:
    sandbox = lexers.sandbox()
    sandbox.fault("echo_token", match="case_summary", times=None)
    sandbox.fault("bad_request", match="classifications", times=None, value="Jane Remington may not ask for this")
    found = lexers.examined(sandbox, with_exports=True)
    report = as_json(found)
    assert as_dict(report)["findings"]
    from tap_lexer_activity.sandbox import people  # noqa: PLC0415 (what must not be in it)

    said = {*people.CUSTOMER_TEXTS, *people.AGENT_TEXTS, *people.SURVEY_COMMENTS, *people.AGENT_NOTES}
    names = {name for agent in people.AGENTS for name in (agent.full_name, agent.email, agent.last_name)}
    names |= {name for pair in people.CUSTOMERS for name in pair if len(name) > 4}
    names |= {form.name for form in people.FORMS} | {form.form_url for form in people.FORMS}
    names |= {each.name for each in people.CLASSIFICATIONS} | {group.name for group in people.GROUPS}
    for secret in (*sandbox.secrets, sandbox.token, *said, *names):
        if len(secret) > 4:
            assert secret not in report, secret
            assert json.dumps(secret)[1:-1] not in report, secret
    text = "\n".join(as_text(found))
    assert not any(secret in text for secret in (*sandbox.secrets, sandbox.token, *said, *names) if len(secret) > 4)
    assert "http" not in report


def test_the_report_tells_a_stranger_what_came(lexers: Lexers) -> None:
    report = as_dict(as_json(lexers.examined(lexers.sandbox(), with_exports=True)))
    shapes = {answer["to"]: answer["shape"] for answer in report["answers"]}
    assert shapes["the list of groups"] == [
        "3 of",
        {"id": "number", "name": "text", "comment": "text"},
        {"id": "number", "name": "text", "comment": "null"},
    ]
    assert {finding["mark"] for finding in report["findings"]} == {"as assumed"}
    header = next(f["facts"]["header"] for f in report["findings"] if "mention_sla_export written" in f["question"])
    assert header[:2] == ["Account Name", "Source Type"]


def test_no_question_is_asked_twice_and_all_are_within_the_plan(lexers: Lexers) -> None:
    sandbox = lexers.sandbox(differences=["part_of_a_range"])
    found = lexers.examined(sandbox, with_exports=True)
    assert found.requests == len([request for request in sandbox.requests if "download" not in str(request)]) <= MOST


# The command


@pytest.mark.thorough
def test_the_command_prints_and_writes_and_ends_by_what_it_found(
    tap: Tap, new_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    sandbox = new_sandbox(export_seconds=0)
    file = tmp_path / "report.json"
    run = tap.run(sandbox.config(), "--doctor", "--report", str(file))
    assert run.code == 0, run.log
    assert "Nothing to do." in run.out
    assert "an export of one day of mention_sla_export, case_details, nps_submissions" in run.log
    assert json.loads(file.read_text(encoding="utf-8"))["settings"] == {}

    run = tap.run(sandbox.config(timezone="UTC"), "--doctor", "--no-exports")
    assert run.code == 0, run.log
    assert '"timezone": "Australia/Sydney"' in run.out
    assert "an export of one day" not in run.log

    run = tap.run(sandbox.config(api_token="another-token-1111"), "--doctor")
    assert run.code == 1
    assert "! No: 401" in run.out
    assert run.errors == []
    assert tap.run(sandbox.config(), "--doctor", "--doctor-from", "soon").code == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("differences", "config", "streams"),
    [
        ([], {"timezone": "UTC"}, ("states_volume", "response_volume", "summary")),
        (["ranges_of_a_month"], {}, ("states_volume",)),
        (["weeks_for_months"], {}, ("states_volume", "case_volume")),
        (["labels_in_utc"], {}, ("states_volume",)),
        (["wrapped_lists"], {}, ("users", "groups", "forms")),
        (["all_days_of_utc"], {"series_zone": None}, ("summary",)),
        (["file_days_first"], {}, ("mention_sla_export",)),
        (list(CONTRARY), {}, ("summary", "states_volume", "case_volume", "nps_volume", "mention_sla_export")),
    ],
)
def test_with_the_settings_that_it_names_a_run_brings_the_rows_of_a_run_as_documented(
    lexers: Lexers, tap: Tap, differences: list[str], config: dict[str, Any], streams: tuple[str, ...]
) -> None:
    from conftest import Warehouse, select  # noqa: PLC0415 (see other tests)

    first = {"start_date": "2026-01-20"}
    other = lexers.sandbox(differences=differences)
    found = lexers.examined(other, {**config, **first}, with_exports=True)
    assert found.is_settled
    truth = tap.run(lexers.sandbox().config(**first), catalog=select(*streams))
    run = tap.run(other.config(**{**config, **first, **found.settings}), catalog=select(*streams))
    assert (truth.code, run.code) == (0, 0), run.log

    # The label is Lexer's own text, an id is made of a message's texts, and max_range_days shortens the windows of exports.
    free = {"date_label", "additional_columns", "record_id"}

    def rows(of_run: Any) -> dict[str, list[dict[str, Any]]]:
        return {
            stream: sorted(
                ({name: row[name] for name in row if name not in free | windows(stream)} for row in table.values()),
                key=json.dumps,
            )
            for stream, table in Warehouse().load(of_run).tables.items()
        }

    def windows(stream: str) -> set[str]:
        return {"date_from", "date_to"} if stream == "mention_sla_export" else set()

    assert rows(run) == rows(truth)


def test_reading_has_one_finding(lexers: Lexers) -> None:
    assert of(lexers.examined(lexers.sandbox()), reading.QUESTION).mark is AS_ASSUMED
