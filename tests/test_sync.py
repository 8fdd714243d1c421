"""Whole runs of the real command against the sandbox: what arrives is what happened, once."""

from __future__ import annotations

import hashlib
import itertools
import json
import signal
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from conftest import Run
from jsonschema import Draft202012Validator, FormatChecker

from tap_lexer_activity.sandbox import people

if TYPE_CHECKING:
    from conftest import Tap, Warehouse
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

SCHEMAS = Path(__file__).parents[1] / "schemas"
REPORTS = [
    "summary",
    "classifications",
    "user_summary",
    "user_volume",
    "case_summary",
    "case_classifications",
    "nps_summary",
]
SERIES = ["states_volume", "response_volume", "case_volume", "nps_volume"]
EXPORTS = ["case_details", "mention_sla_export", "nps_submissions"]
LISTS = ["users", "groups", "forms"]
# The sandbox's file has these with their unit behind them, as the file of messages is documented to have: `Date Opened (UTC)`.
UNSEEN = {
    **{
        stream: {"additional_columns"}
        for stream in (*REPORTS, *SERIES, *LISTS, "workflow_states", "mention_sla_export")
    },
    "case_details": {"date_opened", "date_closed", "first_reply_time", "resolution_time"},
}
TWO_FORMS = 2


def asked(sandbox: Sandbox, since: int = 0) -> Counter[str]:
    """Requests for reports by type, and for lists by name; the exports have tests of their own."""
    found = Counter(
        (request.body or {}).get("type", request.path.rpartition("/")[2])
        for request in sandbox.requests[since:]
        if request.origin == "api"
    )
    return Counter({name: count for name, count in found.items() if name not in EXPORTS})


def test_every_stream_arrives_valid_and_whole(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(start_date="2026-03-30"))
    assert run.code == 0, run.log
    assert set(run.records) == {*LISTS, *REPORTS, *SERIES, *EXPORTS}, "workflow_states is not selected by default"
    keys = {message["stream"]: message["key_properties"] for message in run.messages if message["type"] == "SCHEMA"}
    for stream, records in run.records.items():
        schema = json.loads((SCHEMAS / f"{stream}.json").read_text(encoding="utf-8"))
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        for record in records:
            assert not list(validator.iter_errors(record)), (stream, record)
            assert set(record) == set(schema["properties"]), stream
        seen = {name for record in records for name, value in record.items() if value is not None}
        assert set(schema["properties"]) - seen <= UNSEEN.get(stream, set()), (
            f"{stream}: every field seen at least once"
        )
        identities = [tuple(record[name] for name in keys[stream]) for record in records]
        assert len(set(identities)) == len(identities), stream
        assert all(None not in identity for identity in identities), stream


def test_a_schema_comes_before_its_records_and_the_final_state_is_clean(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-20"))
    described = set()
    for message in run.messages:
        if message["type"] == "SCHEMA":
            described.add(message["stream"])
        elif message["type"] == "RECORD":
            assert message["stream"] in described
    for state in run.states:
        text = json.dumps(state)
        for marker in ("progress_markers", "starting_replication_value", "replication_key_signpost"):
            assert marker not in text
    bookmarks = run.state["bookmarks"]
    for stream in {*REPORTS, *SERIES} - {"nps_summary", "nps_volume"}:
        assert bookmarks[stream] == {"replication_key": "date_from", "replication_key_value": "2026-04-30T14:00:00Z"}
    assert bookmarks["nps_summary"] == {
        "partitions": [
            {
                "context": {"form_id": form},
                "replication_key": "date_from",
                "replication_key_value": "2026-04-30T14:00:00Z",
            }
            for form in (55, 56)
        ]
    }
    assert [part["replication_key_value"] for part in bookmarks["nps_volume"]["partitions"]] == [
        "2026-05-01T00:00:00Z"
    ] * 2


@pytest.mark.parametrize(
    ("zone", "clock", "start", "changes"),
    [
        ("Australia/Sydney", "2026-04-20T09:00:00+10:00", "2026-03-20", {"2026-04-05": 25}),
        ("America/New_York", "2026-03-25T09:00:00-04:00", "2026-02-25", {"2026-03-08": 23}),
        ("Asia/Kolkata", "2026-04-20T09:00:00+05:30", "2026-03-20", {}),
    ],
)
@pytest.mark.parametrize("labels", ["zone", "offset"])
def test_a_month_with_a_change_of_clocks_agrees_with_the_ledger_day_by_day(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse],
    zone: str, clock: str, start: str, changes: dict[str, int], labels: str,
) -> None:  # fmt: skip
    sandbox = new_sandbox(timezone=zone, clock=clock, labels=labels)
    catalog = catalog_of("summary", "states_volume", "response_volume", "case_volume")
    config = sandbox.config(start_date=start)
    first = tap.run(config, catalog=catalog)
    assert first.code == 0, first.log

    truth = Counter(message["local_date"] for message in sandbox.truth(start, clock))
    summary = {record["local_date"]: record for record in first.records["summary"]}
    by_state: dict[str, int] = defaultdict(int)
    for record in first.records["states_volume"]:
        by_state[record["local_date"]] += record["value"]
    end = datetime.fromisoformat(clock).date()
    days = [(datetime.fromisoformat(start).date() + timedelta(days=n)).isoformat() for n in range(31)]
    days = [day for day in days if day < end.isoformat()]
    assert sorted(summary) == days
    for day in days:
        assert summary[day]["total_volume"] == by_state[day] == truth[day], day

    for records in (first.records["summary"], first.records["states_volume"], first.records["response_volume"]):
        for record in records:
            begin, last = (datetime.fromisoformat(record[name]) for name in ("date_from", "date_to"))
            assert begin.astimezone(ZoneInfo(zone)).isoformat()[10:19] == "T00:00:00"
            hours = (last + timedelta(seconds=1) - begin) / timedelta(hours=1)
            assert hours == changes.get(record["local_date"], 24)
            assert record["interval"] == "day"

    before = len(sandbox.requests)
    second = tap.run(config, catalog=catalog, state=first.state)
    assert asked(sandbox, before) == {
        "users": 1,
        "summary": 7,
        "states_volume": 1,
        "response_volume": 1,
        "case_volume": 1,
    }
    assert second.state == first.state
    for stream, table in new_warehouse().load(second).tables.items():
        once = new_warehouse().load(first).tables[stream]
        assert {key: once[key] for key in table} == table


def test_a_week_later_an_incremental_run_gives_what_a_full_load_gives(
    tap: Tap, new_sandbox: NewSandbox, new_warehouse: type[Warehouse]
) -> None:
    sandbox = new_sandbox(messages_per_day=25)
    first = tap.run(sandbox.config(start_date="2026-03-23"))
    sandbox.clock = "2026-05-08T11:30:00+10:00"
    config = sandbox.config(start_date="2026-03-23")
    before = len(sandbox.requests)
    second = tap.run(config, state=first.state)
    assert second.code == 0, second.log
    reports = dict.fromkeys(REPORTS, 14) | {"nps_summary": 14 * TWO_FORMS}
    series = dict.fromkeys(SERIES, 1) | {"nps_volume": TWO_FORMS}
    assert asked(sandbox, before) == reports | series | dict.fromkeys(LISTS, 1)

    full = new_warehouse().load(tap.run(config))
    incremental = new_warehouse().load(first).load(second)
    assert incremental.tables == full.tables
    old = new_warehouse().load(first).tables["summary"]
    restated = [key for key, row in old.items() if full.tables["summary"][key] != row]
    assert restated, "the sandbox restates history, or this test would prove nothing"


@pytest.mark.parametrize("interval", ["week", "month"])
def test_longer_windows_count_the_same_messages(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, interval: str
) -> None:
    run = tap.run(sandbox.config(start_date="2026-02-11", report_interval=interval), catalog=catalog_of("summary"))
    records = run.records["summary"]
    starts = [datetime.fromisoformat(record["local_date"]) for record in records]
    assert (
        all(start.weekday() == 0 for start in starts) if interval == "week" else all(start.day == 1 for start in starts)
    )
    assert records[0]["local_date"] == {"week": "2026-02-09", "month": "2026-02-01"}[interval], "aligned down"
    for record in records:
        assert record["interval"] == interval
        assert record["total_volume"] == len(sandbox.truth(record["date_from"], record["date_to"]))


@pytest.mark.parametrize("labels", ["zone", "offset"])
def test_the_hour_that_a_clock_shows_twice_gives_two_records(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, labels: str
) -> None:
    sandbox = new_sandbox(clock="2026-04-06T03:20:00+10:00", messages_per_day=80, labels=labels)
    run = tap.run(
        sandbox.config(start_date="2026-04-04", series_interval="hour"),
        catalog=catalog_of("states_volume", "response_volume", "case_volume"),
    )
    assert run.code == 0, run.log
    cases = run.records["case_volume"]
    assert len(cases) == 24 + 25 + 3
    twice = [record for record in cases if record["date_label"] == "2026-04-05 02:00"]
    assert [record["date_from"] for record in twice] == ["2026-04-04T15:00:00Z", "2026-04-04T16:00:00Z"]
    by_hour: dict[str, int] = defaultdict(int)
    for record in run.records["states_volume"]:
        assert record["interval"] == "hour"
        by_hour[record["date_from"]] += record["value"]
    for start, value in by_hour.items():
        hour = datetime.fromisoformat(start)
        assert value == len(sandbox.truth(hour, hour + timedelta(seconds=3599))), start


def test_hours_go_on_from_the_hour(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> None:
    sandbox = new_sandbox()
    settings = {"start_date": "2026-04-29", "series_interval": "hour", "lookback_days": 0}
    first = tap.run(sandbox.config(**settings), catalog=catalog_of("case_volume"))
    assert first.state["bookmarks"]["case_volume"]["replication_key_value"] == "2026-05-01T00:00:00Z"
    sandbox.clock = "2026-05-01T12:05:00+10:00"
    second = tap.run(sandbox.config(**settings), catalog=catalog_of("case_volume"), state=first.state)
    assert [record["date_label"] for record in second.records["case_volume"]] == [
        "2026-05-01 10:00",
        "2026-05-01 11:00",
    ]


@pytest.mark.parametrize("nps_labels", ["start", "end"])
def test_nps_days_are_right_whichever_end_lexer_labels(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, nps_labels: str
) -> None:
    sandbox = new_sandbox(nps_labels=nps_labels, messages_per_day=40)
    run = tap.run(sandbox.config(start_date="2026-03-20"), catalog=catalog_of("nps_volume"))
    records = [record for record in run.records["nps_volume"] if record["form_id"] == 55]
    assert [record["date_from"][:10] for record in records] == [
        (datetime(2026, 3, 19, tzinfo=UTC) + timedelta(days=n)).date().isoformat() for n in range(43)
    ]
    for record in records:
        truth = sandbox.report("nps_summary", record["date_from"], record["date_to"], form=55, nps_category="all")
        assert {name: record[name] for name in truth} == truth
        assert datetime.fromisoformat(record["date"]).timestamp() == record["timestamp"]


def test_an_open_window_comes_on_demand_and_again_in_the_next_run(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    catalog = catalog_of("summary", "case_volume", "nps_volume")
    settings = {"start_date": "2026-04-28", "include_partial": True, "lookback_days": 0}
    first = tap.run(sandbox.config(**settings), catalog=catalog)
    assert first.code == 0, first.log
    last = first.records["summary"][-1]
    assert (last["date_from"], last["date_to"]) == ("2026-04-30T14:00:00Z", "2026-05-01T13:59:59Z"), (
        "the end that it will have"
    )
    assert first.state["bookmarks"]["summary"]["replication_key_value"] == "2026-04-30T14:00:00Z"
    request = sandbox.requests[-1].body or {}
    assert all(datetime.fromisoformat(r.body["date_to"]) <= sandbox.clock for r in sandbox.requests if r.body)
    assert request

    sandbox.clock = "2026-05-01T18:00:00+10:00"
    second = tap.run(sandbox.config(**settings), catalog=catalog, state=first.state)
    (again,) = second.records["summary"]
    assert again["date_from"] == last["date_from"]
    assert again["total_volume"] == len(sandbox.truth("2026-05-01", sandbox.clock))
    assert [record["date_label"] for record in second.records["case_volume"]] == ["2026-05-01 00:00"]


def test_a_state_comes_last_also_after_an_open_window(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    catalog = catalog_of("users", "summary")
    for config in ({"include_partial": True}, {}):
        run = tap.run(sandbox.config(start_date="2026-04-29", **config), catalog=catalog)
        assert run.messages[-1] == {"type": "STATE", "value": run.states[-2] if config else run.state}


def test_a_year_of_series_takes_a_handful_of_requests(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> None:
    sandbox = new_sandbox(messages_per_day=3)
    run = tap.run(sandbox.config(start_date="2025-05-01"), catalog=catalog_of(*SERIES))
    assert run.code == 0, run.log
    assert asked(sandbox) == {
        "states_volume": 3,
        "response_volume": 3,
        "case_volume": 3,
        "nps_volume": 2 * TWO_FORMS,
        "forms": 1,
        "users": 1,
    }
    assert len(run.records["case_volume"]) == 365


def test_one_selected_stream_costs_the_requests_of_one_stream(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-28"), catalog=catalog_of("user_summary"))
    assert asked(sandbox) == {"users": 1, "user_summary": 3}, "and one to compare the zone with that of the users"
    assert set(run.records) == {"user_summary"}


def test_deselected_streams_keep_their_bookmarks_and_the_given_state_comes_first(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    state = {
        "bookmarks": {"summary": {"replication_key": "date_from", "replication_key_value": "2026-01-31T13:00:00Z"}}
    }
    run = tap.run(sandbox.config(start_date="2026-04-28"), catalog=catalog_of("case_volume"), state=state)
    assert run.messages[0] == {"type": "STATE", "value": state}
    assert run.state["bookmarks"]["summary"] == state["bookmarks"]["summary"]


def test_columns_that_are_not_selected_are_left_out(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    catalog = catalog_of("users")
    (users,) = [entry for entry in catalog["streams"] if entry["stream"] == "users"]
    users["metadata"].append({"breadcrumb": ["properties", "email"], "metadata": {"selected": False}})
    run = tap.run(sandbox.config(), catalog=catalog)
    wanted = frozenset(users["schema"]["properties"].keys() - {"email"})
    assert {frozenset(record) for record in run.records["users"]} == {wanted}


def test_user_ids_join(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-20"), catalog=catalog_of("users", "user_summary", "user_volume"))
    known = {record["id"] for record in run.records["users"]}
    for stream in ("user_summary", "user_volume"):
        assert {record["user_id"] for record in run.records[stream]} <= known


def test_numbers_keep_all_their_digits(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    value = "123456789012345678901234567890.12345678901234567890123"
    sandbox.fault(
        "unknown_shape", "summary", times=1, value=json.loads('{"total_volume": 81.0, "avg_response_time": 0.1}')
    )
    run = tap.run(sandbox.config(start_date="2026-04-30"), catalog=catalog_of("summary"))
    assert '"total_volume":81,' in run.out
    assert value not in run.out


def test_only_the_given_forms_are_read(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-28", form_ids=[56]), catalog=catalog_of("nps_summary"))
    assert {record["form_id"] for record in run.records["nps_summary"]} == {56}
    assert asked(sandbox) == {"forms": 1, "users": 1, "nps_summary": 3}


def test_an_account_without_nps_forms_has_empty_nps_streams(tap: Tap, sandbox: Sandbox) -> None:
    sandbox.fault("empty", "forms", times=None)
    run = tap.run(sandbox.config(start_date="2026-04-30"))
    assert run.code == 0, run.log
    assert not {"nps_summary", "nps_volume", "forms"} & set(run.records)


def test_one_object_in_place_of_a_list_is_one_record(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sample = json.loads((Path(__file__).parent / "samples" / "users.json").read_text(encoding="utf-8"))
    sandbox.fault("unknown_shape", "users", value=sample)
    run = tap.run(sandbox.config(), catalog=catalog_of("users"))
    assert run.records["users"] == [sample | {"additional_columns": None}]


# State


def test_from_every_state_that_was_emitted_a_run_completes_the_tables(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse]
) -> None:
    config = sandbox.config(start_date="2026-04-29")
    catalog = catalog_of("summary", "nps_summary", "states_volume", "nps_volume", "case_details", "nps_submissions")
    whole = tap.run(config, catalog=catalog)
    expected = new_warehouse().load(whole).tables
    lines = whole.out.splitlines(keepends=True)
    for number, line in enumerate(lines):
        message = json.loads(line)
        if message["type"] != "STATE":
            continue
        # What a target holds that got exactly this far.
        warehouse = new_warehouse().load(type(whole)(0, "".join(lines[:number]), ""))
        resumed = tap.run(config | {"lookback_days": 0}, catalog=catalog, state=message["value"])
        assert resumed.code == 0, resumed.log
        assert warehouse.load(resumed).tables == expected, f"resumed from message {number}"


def test_an_empty_window_moves_the_bookmark(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("empty", times=None)
    catalog = catalog_of("user_summary", "states_volume")
    run = tap.run(sandbox.config(start_date="2026-04-28"), catalog=catalog)
    assert run.code == 0, run.log
    assert not run.records
    values = [state["bookmarks"].get("user_summary", {}).get("replication_key_value") for state in run.states]
    assert [value for value in dict.fromkeys(values) if value] == [
        "2026-04-28T14:00:00Z",
        "2026-04-29T14:00:00Z",
        "2026-04-30T14:00:00Z",
    ]
    assert run.state["bookmarks"]["states_volume"]["replication_key_value"] == "2026-04-30T14:00:00Z"


def test_a_state_follows_each_window_and_never_claims_more_than_was_emitted(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-24"), catalog=catalog_of("classifications"))
    emitted = ""
    bookmarks = []
    for message in run.messages:
        if message["type"] == "RECORD":
            emitted = max(emitted, message["record"]["date_to"])
        elif message["type"] == "STATE" and (
            bookmark := message["value"]["bookmarks"]["classifications"].get("replication_key_value")
        ):
            bookmarks.append(bookmark)
            assert emitted < bookmark
    assert len(bookmarks) == 7


def test_without_lookback_a_second_run_asks_for_nothing(tap: Tap, sandbox: Sandbox) -> None:
    config = sandbox.config(start_date="2026-04-20", lookback_days=0)
    first = tap.run(config)
    before = len(sandbox.requests)
    second = tap.run(config, state=first.state)
    assert asked(sandbox, before) == dict.fromkeys(LISTS, 1)
    assert second.state == first.state


def test_a_state_in_the_future_reads_nothing_warns_and_stays(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    future = {"replication_key": "date_from", "replication_key_value": "2199-01-01T00:00:00Z"}
    run = tap.run(sandbox.config(), catalog=catalog_of("summary"), state={"bookmarks": {"summary": future}})
    assert run.code == 0
    assert not sandbox.requests
    assert run.state["bookmarks"]["summary"] == future
    assert "The bookmark 2199-01-01T00:00:00Z is in the future" in run.log


def test_a_change_of_interval_reads_the_window_that_the_bookmark_lies_in(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    state = {
        "bookmarks": {"summary": {"replication_key": "date_from", "replication_key_value": "2026-03-14T13:00:00Z"}}
    }
    run = tap.run(
        sandbox.config(start_date="2025-12-01", report_interval="month", lookback_days=0),
        catalog=catalog_of("summary"),
        state=state,
    )
    assert [record["local_date"] for record in run.records["summary"]] == ["2026-03-01", "2026-04-01"]


def test_a_full_table_reads_everything_again(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    catalog = catalog_of("summary")
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    state = {
        "bookmarks": {"summary": {"replication_key": "date_from", "replication_key_value": "2026-04-30T14:00:00Z"}}
    }
    run = tap.run(sandbox.config(start_date="2026-04-20", lookback_days=0), catalog=catalog, state=state)
    assert len(run.records["summary"]) == 11


# The SDK's own settings


def test_stream_maps_and_flattening_work_as_in_every_tap(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    config = sandbox.config(
        start_date="2026-04-30",
        stream_maps={"users": {"email": "md5(email)", "last_name": None}},
        flattening_enabled=True,
        flattening_max_depth=1,
    )
    run = tap.run(config, catalog=catalog_of("users", "user_volume"))
    assert run.code == 0, run.log
    digests = {hashlib.md5(agent.email.encode()).hexdigest() for agent in people.AGENTS}  # noqa: S324 (the map's own)
    assert {record["email"] for record in run.records["users"]} == digests
    assert not any("last_name" in record for record in run.records["users"])
    assert run.records["user_volume"]
    assert not any(isinstance(value, dict) for record in run.records["user_volume"] for value in record.values())


def test_batch_files_hold_what_the_state_claims(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path
) -> None:
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
        "batch_size": 7,
    }
    config = sandbox.config(start_date="2026-04-26")
    catalog = catalog_of("user_volume")
    plain = tap.run(config, catalog=catalog).records["user_volume"]
    run = tap.run(config | {"batch_config": batch}, catalog=catalog)
    assert run.code == 0, run.log
    read: list[dict[str, Any]] = []
    bookmark = ""
    for message in run.messages:
        if message["type"] == "BATCH":
            for url in message["manifest"]:
                read += read_gzip(Path(url.removeprefix("file://")))
        elif message["type"] == "STATE":
            bookmark = message["value"]["bookmarks"]["user_volume"].get("replication_key_value", "")
            complete = [record for record in plain if record["date_to"] < bookmark]
            assert all(record in read for record in complete), "no state ahead of its batch"
    assert read == plain
    assert bookmark == "2026-04-30T14:00:00Z"


@pytest.mark.parametrize(("end", "code"), [("a signal", 143), ("a refused token", 1)])
def test_whatever_ends_a_run_batch_files_hold_the_windows_that_were_read(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path, end: str, code: int
) -> None:
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": f"file://{tmp_path}"}}
    config, catalog = sandbox.config(start_date="2026-04-01", concurrency=1), catalog_of("user_volume")
    plain = tap.run(config, catalog=catalog).records["user_volume"]
    arrived = itertools.count(1)
    if end == "a refused token":
        sandbox.fault("unauthorized", "user_volume", times=None, after=9)
    with tap.start(config | {"batch_config": batch}, catalog=catalog) as process:
        if end == "a signal":
            sandbox.on_request = lambda: process.send_signal(signal.SIGTERM) if next(arrived) == 11 else None
        run = Run(code, *process.communicate(timeout=60))
    assert process.returncode == code, run.log
    described, written, state = run.messages
    assert (described["type"], written["type"], state["type"]) == ("SCHEMA", "BATCH", "STATE")
    read = [row for url in written["manifest"] for row in read_gzip(Path(url.removeprefix("file://")))]
    bookmark = state["value"]["bookmarks"]["user_volume"]["replication_key_value"]
    assert bookmark == "2026-04-09T14:00:00Z", "nine windows"
    assert read == [record for record in plain if record["date_from"] < bookmark]
    said = "ended early" if end == "a signal" else "failed"
    (line,) = [line for line in run.log.splitlines() if line.endswith(f"  {said}")]
    assert line.split("|", 3)[3].split()[:2] == ["user_volume", str(len(read))]


def read_gzip(path: Path) -> list[dict[str, Any]]:
    import gzip  # noqa: PLC0415 (needed here alone)

    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
