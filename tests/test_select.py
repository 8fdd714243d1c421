"""Streams that are chosen on the command line, streams that begin elsewhere, and a trial run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigurationError

from tap_lexer_activity.singer.catalog import chosen
from tap_lexer_activity.streams.registry import STREAMS

if TYPE_CHECKING:
    from conftest import Run, Tap
    from support.types import CatalogOf

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

ONE_DAY = {"start_date": "2026-04-29", "end_date": "2026-04-30"}
ALL = ("users", "summary", "nps_summary", "nps_volume", "workflow_states")


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("summary", {"summary"}),
        ("summary, nps_*", {"summary", "nps_summary", "nps_volume"}),
        ("!users", {"summary", "nps_summary", "nps_volume"}),
        ("!nps_volume,nps_*", {"nps_summary"}),
        ("*", set(ALL)),
        ("workflow_states", {"workflow_states"}),
        ("summary,!summary", set()),
    ],
)
def test_patterns_choose_streams(select: str, expected: set[str]) -> None:
    assert chosen(select, ALL, set(ALL) - {"workflow_states"}) == expected


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("sumary", "--select: there is no stream like 'sumary'; did you mean summary?"),
        ("summary,!x*", "--select: there is no stream like '!x*'"),
        ("users.email", "--select: 'users.email' names a column, and it chooses streams"),
        (" , ", "--select: names no stream"),
    ],
)
def test_a_pattern_that_chooses_nothing_is_refused(tap: Tap, sandbox: Sandbox, select: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--select: "):
        chosen(select, ALL, set(ALL))
    run = tap.run(sandbox.config(**ONE_DAY), "--select", select)
    assert (run.code, sandbox.requests) == (1, [])
    assert run.errors[-1].startswith(said)


def streams_of(run: Run) -> set[str]:
    return {message["stream"] for message in run.messages if message["type"] == "SCHEMA"}


def test_a_run_reads_the_chosen_streams_and_no_others(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    config = sandbox.config(**ONE_DAY)
    run = tap.run(config, "--select", "summary,case_*,!case_details")
    assert run.code == 0, run.log
    assert streams_of(run) == {"summary", "case_summary", "case_classifications", "case_volume"}
    # In place of the catalog's selection of streams; that of columns stays.
    catalog = catalog_of("users")
    (entry,) = (entry for entry in catalog["streams"] if entry["tap_stream_id"] == "summary")
    entry["metadata"].append({"breadcrumb": ["properties", "total_volume"], "metadata": {"selected": False}})
    run = tap.run(config, "--select", "summary", catalog=catalog)
    assert (run.code, streams_of(run)) == (0, {"summary"})
    assert all("total_volume" not in row for row in run.records["summary"])
    plan = tap.run(config, "--plan", "--select", "summary")
    assert [line.split()[0] for line in plan.out.splitlines()[1:3]] == ["users", "summary"], "users for their zones"
    assert "groups" not in plan.out


def test_discovery_writes_the_choice_into_the_catalog(tap: Tap, sandbox: Sandbox) -> None:
    for order in (["--discover", "--select", "nps_*,!nps_volume"], ["--select", "nps_*,!nps_volume", "--discover"]):
        catalog = json.loads(tap.run(None, *order).out)
        roots = {
            entry["tap_stream_id"]: item["metadata"]
            for entry in catalog["streams"]
            for item in entry["metadata"]
            if not item["breadcrumb"]
        }
        assert {name for name, root in roots.items() if root["selected"]} == {"nps_summary", "nps_submissions"}
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog)
    assert (run.code, streams_of(run)) == (0, {"nps_summary", "nps_submissions"})


def test_patterns_may_come_one_by_one(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(
        sandbox.config(**ONE_DAY), "--select", "case_*", "--plan", "--select", "users", "--select", "!*_details"
    )
    assert run.code == 0, run.log
    planned = {line.split()[0] for line in run.out.splitlines()[1:5]}
    assert planned == {"users", "case_summary", "case_classifications", "case_volume"}


@pytest.mark.parametrize("option", ["--plan", "--discover"])
def test_columns_are_discovered_of_the_chosen_exports_only(tap: Tap, sandbox: Sandbox, option: str) -> None:
    config = sandbox.config(**ONE_DAY, discover_export_columns=True)
    run = tap.run(config, option, "--select", "summary,mention_sla_export")
    assert run.code == 0, run.log
    if option == "--plan":
        (line,) = (line for line in run.out.splitlines() if line.startswith("(columns of exports)"))
        assert line.split()[3:5] == ["0", "1"]
    else:
        assert [request.body["type"] for request in sandbox.requests if request.body] == ["mention_sla_export"]


# Streams that begin elsewhere


def test_a_stream_may_begin_elsewhere_and_exports_look_back_further(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    config = sandbox.config(
        start_date="2026-04-27",
        start_dates={"case_summary": "2026-04-29", "mention_sla_export": "2026-04-20"},
        lookback_days=1,
        export_lookback_days=5,
    )
    catalog = catalog_of("summary", "case_summary", "mention_sla_export")
    first = tap.run(config, catalog=catalog)
    assert first.code == 0, first.log
    days = {name: [row["local_date"] for row in rows] for name, rows in first.records.items()}
    assert min(days["summary"]) == "2026-04-27"
    assert days["case_summary"] == ["2026-04-29", "2026-04-30"]
    assert min(days["mention_sla_export"]) == "2026-04-20"
    plan = tap.run(config, "--plan", catalog=catalog, state=first.state)
    ranges = {line.split()[0]: line for line in plan.out.splitlines() if " to " in line}
    assert "2026-04-30 to 2026-04-30" in ranges["summary"]
    assert "2026-04-26 to 2026-04-30" in ranges["mention_sla_export"]
    asked = [body["date_from"] for body in bodies(sandbox, "mention_sla_export")]
    second = tap.run(config, catalog=catalog, state=first.state)
    assert second.code == 0, second.log
    assert [body["date_from"] for body in bodies(sandbox, "mention_sla_export")][len(asked) :] == [
        "2026-04-26T00:00:00+10:00"
    ]


def bodies(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    return [request.body for request in sandbox.requests if request.body and request.body.get("type") == kind]


def test_a_start_that_makes_no_sense_is_refused_by_its_stream(tap: Tap, sandbox: Sandbox) -> None:
    starts = {"sumary": "2026-01-01", "users": "2026-01-01", "summary": "soon", "case_summary": "2999-01-01"}
    starts |= {"user_volume": "1990-01-01", "case_volume": "2026-04-30"}
    run = tap.run(sandbox.config(start_dates=starts, end_date="2026-04-30"))
    assert (run.code, sandbox.requests) == (1, [])
    said = {line.partition(":")[0]: line for line in run.errors}
    assert said.keys() == {f"start_dates[{name}]" for name in starts}
    assert "did you mean summary?" in said["start_dates[sumary]"]
    assert "should be a date" in said["start_dates[summary]"]
    assert "is in the future" in said["start_dates[case_summary]"]
    assert "before the year 2000" in said["start_dates[user_volume]"]
    assert "'2026-04-30' is not before end_date ('2026-04-30')" in said["start_dates[case_volume]"]


def test_a_start_after_the_bookmark_is_named_by_its_setting(tap: Tap, sandbox: Sandbox) -> None:
    state = {"bookmarks": {"summary": {"replication_key_value": "2026-03-31T13:00:00Z"}}}
    config = sandbox.config(start_date="2026-03-01", start_dates={"summary": "2026-04-29"})
    run = tap.run(config, "--plan", "--select", "summary", state=state)
    assert "start_dates[summary] (2026-04-28T14:00:00Z) is after the bookmark (2026-03-31T13:00:00Z)" in run.log


# Trial runs


def test_a_trial_run_is_quiet_where_all_is_well(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(**ONE_DAY), "--test")
    assert run.code == 0, run.log
    assert "ERROR" not in run.log
    assert "unhandled" not in run.log
    assert f"All selected streams can be read: {sum(stream.selected_by_default for stream in STREAMS)}" in run.log
    assert "workflow_states" not in streams_of(run), "it is not selected by default"
    assert {name: len(rows) for name, rows in run.records.items()} == dict.fromkeys(run.records, 1)
    assert len(run.records) >= 15


def test_a_trial_run_in_which_a_stream_fails_says_so(tap: Tap, sandbox: Sandbox) -> None:
    sandbox.fault("bad_request", "summary", times=None)
    run = tap.run(sandbox.config(**ONE_DAY), "--test", "--select", "users,summary,case_summary")
    assert run.code == 1
    assert streams_of(run) == {"users", "summary", "case_summary"}
    assert "Failed: summary" in run.errors
    assert run.records.keys() == {"users", "case_summary"}


def test_a_trial_run_leaves_alone_what_the_catalog_deselects(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    config = sandbox.config(**ONE_DAY)
    for mode in ("--test", "--test=schema"):
        run = tap.run(config, mode, catalog=catalog_of("users", "summary"))
        assert run.code == 0, run.log
        assert streams_of(run) == {"users", "summary"}
    (path,) = {request.path for request in sandbox.requests if request.method == "GET"}
    assert path.endswith("/users")
    assert streams_of(tap.run(config, "--test=schema", "--select", "groups")) == {"groups"}


def test_a_trial_run_says_what_it_has_not_tried(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(**ONE_DAY, max_requests=2), "--test", "--select", "users,summary,case_summary")
    assert run.code == 1
    assert run.errors == ["Not tried, because max_requests (2) is used up: case_summary"]
    assert "can be read" not in run.log
