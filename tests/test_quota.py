"""The quota: what a run says that it will ask for, how it spends it, and how it ends when there is no more."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Run
from support.states import bookmarks

from tap_lexer_activity.streams.registry import STREAMS

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Tap, Warehouse
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

EVERYTHING = tuple(stream.name for stream in STREAMS if stream.selected_by_default)
NPS = ("nps_summary", "nps_volume", "nps_submissions")


def asked(sandbox: Sandbox) -> Counter[str]:
    """Requests by stream, polls and downloads left out."""
    found: Counter[str] = Counter()
    for request in sandbox.requests:
        if request.method == "POST":
            body = request.body or {}
            found[body["type"] + (f", form {body['form']}" if "form" in body else "")] += 1
        elif request.origin == "api":
            found[request.path.rsplit("/", 1)[-1]] += 1
    return found


def planned(run: Run) -> dict[str, int]:
    """Requests by stream, as the plan has them."""
    header, *lines = run.out.split("\n\n")[0].splitlines()
    end = header.index("requests") + len("requests")
    return {line.split("  ")[0]: int(line[:end].split()[-1].replace(",", "")) for line in lines}


# The plan


@pytest.mark.parametrize(
    ("streams", "config", "before"),
    [
        pytest.param(EVERYTHING, {"start_date": "2026-04-20"}, None, id="first load, everything"),
        pytest.param(EVERYTHING, {"start_date": "2026-04-10"}, {}, id="lookback"),
        pytest.param(EVERYTHING, {"start_date": "2026-04-20", "lookback_days": 0}, {}, id="nothing new"),
        pytest.param(("summary",), {"start_date": "2026-01-01"}, None, id="one stream"),
        pytest.param(NPS, {"start_date": "2026-04-01"}, None, id="several forms, not their list"),
        pytest.param(NPS, {"start_date": "2026-04-01", "form_ids": [56]}, None, id="one form"),
        pytest.param(
            EVERYTHING,
            {"start_date": "2026-03-01", "report_interval": "week", "timezone": "America/New_York"},
            None,
            id="weeks, New York, a change of clocks",
        ),
        pytest.param(
            ("states_volume", "response_volume", "summary"),
            {"start_date": "2026-03-28", "series_interval": "hour"},
            None,
            id="hours, Sydney, a change of clocks",
        ),
        pytest.param(
            EVERYTHING,
            {"start_date": "2025-11-03", "report_interval": "month", "timezone": "Asia/Kathmandu"},
            None,
            id="months, Kathmandu",
        ),
        pytest.param(
            ("case_volume", "case_summary", "mention_sla_export"),
            {"start_date": "2026-04-20", "include_partial": True},
            None,
            id="with the open window",
        ),
        pytest.param(
            ("case_details", "mention_sla_export"),
            {"start_date": "2026-01-10", "export_window_days": 7},
            None,
            id="exports of a week",
        ),
        pytest.param(
            EVERYTHING,
            {"start_date": "2026-04-20", "backfill_start": "2026-03-03", "backfill_end": "2026-03-11"},
            {"backfill_start": None, "backfill_end": None},
            id="backfill",
        ),
    ],
)
def test_a_run_asks_for_what_the_plan_says(
    tap: Tap,
    sandbox: Sandbox,
    new_sandbox: NewSandbox,
    catalog_of: CatalogOf,
    streams: tuple[str, ...],
    config: dict[str, Any],
    before: dict[str, Any] | None,
) -> None:
    """`before` is what the configuration of a run before this one has instead; without it there was none."""
    if "timezone" in config:
        sandbox = new_sandbox(timezone=config["timezone"])
    catalog = catalog_of(*streams)
    state = None
    if before is not None:
        state = tap.run(sandbox.config(**(config | before)), catalog=catalog).state
    begun = len(sandbox.requests)
    plan = tap.run(sandbox.config(**config), "--plan", catalog=catalog, state=state)
    assert plan.code == 0, plan.log
    assert len(sandbox.requests) - begun <= 1
    assert {request.path for request in sandbox.requests[begun:]} <= {"/v1/forms"}

    sandbox.requests.clear()
    run = tap.run(sandbox.config(**config), catalog=catalog, state=state)
    assert run.code == 0, run.log
    expected = Counter({stream: count for stream, count in planned(plan).items() if count})
    assert asked(sandbox) == expected
    total = int(re.search(r"^([\d,]+) requests", plan.out, re.MULTILINE)[1].replace(",", ""))  # type: ignore[index]
    assert total == asked(sandbox).total()
    polls = sum(request.origin == "status" for request in sandbox.requests)
    jobs = sum(count for stream, count in expected.items() if stream.split(",")[0] in EVERYTHING[-3:])
    assert jobs <= polls
    assert (f"about {jobs:,} polls of exports" in plan.out) is bool(jobs)


def test_a_plan_says_how_long_it_takes_and_what_would_be_shorter(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    config = sandbox.config(start_date="2025-05-01", rate_limit_requests=100, rate_limit_seconds=300)
    run = tap.run(config, "--plan", catalog=catalog_of("summary", "states_volume", "user_summary"))
    # 365 days, twice; and the series in four parts, for its clocks change twice and no request is longer than 360 days.
    states = planned(run)["states_volume"]
    assert planned(run) == {"users": 1, "summary": 365, "user_summary": 365, "states_volume": states}
    assert f"{731 + states} requests: at least 35 min, at 100 requests in 300 s." in run.out
    assert f"'week' {2 * 52 + states + 1} requests, at least 300 s" in run.out.replace("5 min", "300 s")
    assert "'month'" in run.out
    assert "first load" in run.out
    assert re.search(r"^summary +365 +365 +2025-05-01 to 2026-04-30 +first load$", run.out, re.MULTILINE)
    assert not sandbox.requests


def test_a_plan_says_why_nothing_is_due(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    config = sandbox.config(start_date="2026-04-20", lookback_days=2)
    catalog = catalog_of("summary", "states_volume")
    state = tap.run(config, catalog=catalog).state
    state["bookmarks"]["states_volume"]["replication_key_value"] = "2126-01-01T00:00:00Z"
    run = tap.run(config, "--plan", catalog=catalog, state=state)
    assert re.search(r"^summary +2 +2 .* lookback$", run.out, re.MULTILINE)
    assert re.search(r"^states_volume +0 +0 +the bookmark is in the future$", run.out, re.MULTILINE)
    assert "2126-01-01T00:00:00Z is in the future" in run.log


def test_a_plan_with_a_wrong_token_is_one_clear_line(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    run = tap.run(sandbox.config(api_token="wrong"), "--plan", catalog=catalog_of("nps_summary"))
    assert run.code == 1
    assert "401" in run.errors[0]
    assert "wrong" not in run.log.replace("is wrong", "")


def test_a_plan_counts_the_discovery_of_columns_and_does_not_begin_it(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-20", discover_export_columns=True), "--plan")
    assert run.code == 0, run.log
    assert planned(run)["(columns of exports)"] == 4
    assert {request.path for request in sandbox.requests} == {"/v1/forms"}


# max_requests


@pytest.mark.parametrize("batches", [False, True], ids=["records", "batches"])
def test_runs_of_few_requests_get_everything_in_the_end(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path, new_warehouse: type[Warehouse], batches: bool
) -> None:
    catalog = catalog_of("users", "summary", "classifications", "nps_summary", "states_volume")
    config: dict[str, Any] = {"start_date": "2026-04-21", "lookback_days": 2}
    whole = tap.run(sandbox.config(**config), catalog=catalog)
    more: dict[str, Any] = {}
    if batches:
        encoding = {"format": "jsonl", "compression": "none"}
        more = {"batch_config": {"encoding": encoding, "storage": {"root": tmp_path.as_uri()}, "batch_size": 1000}}
    warehouse, state = new_warehouse(), None
    for _ in range(30):
        sandbox.requests.clear()
        run = tap.run(sandbox.config(**config, **more, max_requests=12), catalog=catalog, state=state)
        assert run.code == 0, run.log
        assert len(sandbox.requests) <= 12
        state = run.state
        warehouse.load(run)
        if "More to read" not in run.log:
            break
        assert "max_requests (12) is used up. The next run continues from here" in run.log
        assert re.search(r"more to read$", run.log, re.MULTILINE)
    else:
        pytest.fail("it never came to an end")
    assert state == whole.state
    if not batches:
        assert warehouse.tables == new_warehouse().load(whole).tables


@pytest.mark.unhurried
@pytest.mark.parametrize(
    ("streams", "most"), [(("users", "summary"), 9), (("nps_summary",), 10), (("mention_sla_export", "users"), 5)]
)
def test_the_least_requests_that_get_any_further_are_enough_in_the_end(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, streams: tuple[str, ...], most: int
) -> None:
    config = {"start_date": "2026-04-20", "export_window_days": 7, "lookback_days": 7}
    whole = tap.run(sandbox.config(**config), catalog=catalog_of(*streams))
    state = None
    for _ in range(40):
        run = tap.run(sandbox.config(**config, max_requests=most), catalog=catalog_of(*streams), state=state)
        assert run.code == 0, run.log
        state = run.state
        if "The next run continues from here" not in run.log:
            break
    assert ("is used up before all of the lookback was re-read" in run.log) is ("More to read" in run.log)
    assert bookmarks(state) == bookmarks(whole.state)


def test_a_run_that_gets_no_further_says_so_and_is_no_success(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    catalog = catalog_of("summary")
    state = tap.run(sandbox.config(start_date="2026-04-10", max_requests=7), catalog=catalog).state
    run = tap.run(sandbox.config(start_date="2026-04-10", max_requests=7), catalog=catalog, state=state)
    assert "max_requests is 7, but summary needs at least 8 to get further, lookback included" in run.log
    assert run.code == 1
    assert run.errors[-1].startswith("max_requests (7) is used up, and no bookmark has moved")
    assert run.state == state


def test_columns_are_not_discovered_anew_in_each_run_of_few_requests(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(max_requests=5, discover_export_columns=True))
    assert run.code == 1
    assert run.errors[0].startswith("max_requests: can't be used with discover_columns unless")
    assert not sandbox.requests


# Backfills


def test_a_backfill_reads_a_range_again_and_leaves_the_bookmarks(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse]
) -> None:
    sandbox = new_sandbox(clock="2026-03-05T10:00:00+11:00")
    streams = ("summary", "nps_summary", "states_volume", "mention_sla_export")
    config = {"start_date": "2026-03-01", "report_interval": "week"}
    first = tap.run(sandbox.config(**config), catalog=catalog_of(*streams))
    sandbox.clock = "2026-05-01T10:00:00+10:00"
    backfill = config | {"backfill_start": "2026-02-25", "backfill_end": "2026-03-04T12:00:00"}
    run = tap.run(sandbox.config(**backfill), catalog=catalog_of(*streams), state=first.state)
    assert run.code == 0, run.log
    assert all(state == first.state for state in run.states)
    assert run.states
    assert [record["local_date"] for record in run.records["summary"]] == ["2026-02-23", "2026-03-02"]
    assert {record["local_date"] for record in run.records["states_volume"]} == {
        *(f"2026-02-{day}" for day in (25, 26, 27, 28)),
        *(f"2026-03-0{day}" for day in (1, 2, 3, 4)),
    }
    # What was read again is what a full load reads now, and not what was read at first.
    earlier = config | {"start_date": "2026-02-25"}
    fresh = new_warehouse().load(tap.run(sandbox.config(**earlier), catalog=catalog_of(*streams))).tables
    again, before = new_warehouse().load(run).tables, new_warehouse().load(first).tables
    for stream in streams:
        assert again[stream]
        assert {key: fresh[stream][key] for key in again[stream]} == again[stream]
    assert any(before["mention_sla_export"].get(key, row) != row for key, row in again["mention_sla_export"].items())


def test_a_backfill_without_a_state_leaves_none(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    run = tap.run(sandbox.config(backfill_start="2026-04-28"), catalog=catalog_of("summary", "nps_summary"))
    assert run.code == 0, run.log
    assert [record["local_date"] for record in run.records["summary"]] == ["2026-04-28", "2026-04-29", "2026-04-30"]
    assert run.states == []


def test_a_backfill_that_max_requests_ends_is_an_error(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    run = tap.run(sandbox.config(backfill_start="2026-04-01", max_requests=5), catalog=catalog_of("summary"))
    assert run.code == 1
    assert "max_requests (5) ended the backfill, which no later run continues" in run.errors[-1]


# Two at once, and none too many


@pytest.mark.unhurried
def test_two_taps_at_once_share_the_quota_and_keep_no_secret(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, tmp_path: Path
) -> None:
    sandbox = new_sandbox(quota=(15, 1))
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def run(stream: str) -> Run:
        config = sandbox.config(start_date="2026-03-27", rate_limit_requests=15, rate_limit_seconds=1)
        return tap.run(config, catalog=catalog_of(stream), env={"TMPDIR": str(temporary)})

    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(run, ["summary", "case_summary"]))
    assert [found.code for found in runs] == [0, 0], runs[0].log + runs[1].log
    assert asked(sandbox) == {"users": 2, "summary": 35, "case_summary": 35}
    assert sandbox.rate_limited == 0
    times = sorted(request.monotonic for request in sandbox.requests)
    assert all(later - sooner >= 1 for sooner, later in zip(times, times[15:], strict=False))
    (file,) = temporary.glob("*/*")
    assert sandbox.config()["api_token"].encode() not in file.read_bytes()  # type: ignore[attr-defined]
    assert "token" not in file.name
    assert file.parent.stat().st_mode & 0o077 == 0


def test_a_temporary_folder_of_someone_else_is_not_used(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path
) -> None:
    (tmp_path / f"tap-lexer-activity-{os.getuid()}").write_text("not a folder", encoding="utf-8")
    run = tap.run(sandbox.config(), catalog=catalog_of("users"), env={"TMPDIR": str(tmp_path)})
    assert run.code == 0, run.log
    assert run.log.count("The quota can't be shared with other runs on this machine") == 1


# The order of a run that has to wait for the quota


LATER = ("users", "summary", "mention_sla_export", "states_volume", "case_summary")


def rows_by_stream(run: Run) -> list[str]:
    """The streams of the rows in their order, each once for rows that follow each other."""
    return [name for name, _ in groupby(each["stream"] for each in run.messages if each["type"] == "RECORD")]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_first_load_that_waits_for_the_quota_reads_the_short_streams_first(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, concurrency: int
) -> None:
    sandbox = new_sandbox(export_seconds=0)
    catalog = catalog_of(*LATER)

    def read(calls: int) -> Run:
        config = sandbox.config(start_date="2026-04-12", concurrency=concurrency)
        return tap.run(config | {"rate_limit_requests": calls, "rate_limit_seconds": 1}, catalog=catalog)

    within, beyond = read(100), read(30)
    assert (within.code, beyond.code) == (0, 0), beyond.log
    assert rows_by_stream(within) == [stream.name for stream in STREAMS if stream.name in LATER], (
        "all are sent at once, so their order is the catalog's"
    )
    first = dict.fromkeys(rows_by_stream(beyond))
    first.pop("mention_sla_export")  # (which comes as soon as its file is there)
    assert list(first) == ["users", "states_volume", "summary", "case_summary"]
    assert beyond.records == within.records
    assert beyond.state == within.state


@pytest.mark.unhurried
@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_a_first_load_emits_an_export_as_soon_as_its_file_is_there(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, concurrency: int
) -> None:
    sandbox = new_sandbox(export_seconds=2.5, messages_per_day=5)
    config = sandbox.config(
        start_date="2026-02-01",
        concurrency=concurrency,
        rate_limit_requests=40,
        rate_limit_seconds=2,
        export_window_days=45,
    )
    catalog = catalog_of(*LATER)
    run = tap.run(config, catalog=catalog)
    assert run.code == 0, run.log
    order = rows_by_stream(run)
    assert order[:3] == ["users", "states_volume", "summary"], "it is not waited for"
    first = order.index("mention_sla_export")
    assert {"summary", "case_summary"} & set(order[first + 1 :]), "nor are the reports, once the first file is there"
    at_leisure = tap.run(config | {"rate_limit_requests": 1000}, catalog=catalog)
    assert run.records == at_leisure.records
    assert run.state == at_leisure.state


@pytest.mark.unhurried
def test_a_first_load_waits_for_a_job_that_hangs_when_all_else_is_read(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox(export_seconds=0, messages_per_day=5)
    sandbox.fault("export_slow", "mention_sla_export", times=None)
    config = sandbox.config(start_date="2026-04-20", rate_limit_requests=10, rate_limit_seconds=1)
    run = tap.run(
        config | {"export_timeout": 1, "export_retries": 0, "export_window_days": 4}, catalog=catalog_of(*LATER)
    )
    assert run.code == 1
    assert rows_by_stream(run) == ["users", "states_volume", "summary", "case_summary"]
    assert "mention_sla_export failed" in run.log
    assert "Complete: users, states_volume, summary, case_summary. Failed: mention_sla_export" in run.log


@pytest.mark.unhurried
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_signal_while_an_export_is_set_aside_loses_nothing(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, concurrency: int
) -> None:
    sandbox = new_sandbox(export_seconds=2.5, messages_per_day=5)
    config = sandbox.config(start_date="2026-03-01", concurrency=concurrency, export_window_days=20)
    config |= {"rate_limit_requests": 30, "rate_limit_seconds": 2}
    catalog = catalog_of(*LATER)
    whole = tap.run(config, catalog=catalog)
    assert whole.code == 0, whole.log
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LATER}
    state: dict[str, Any] | None = None
    for seconds in (1.5, 3.0):
        with tap.start(config, catalog=catalog, state=state) as process:
            time.sleep(seconds)
            process.send_signal(signal.SIGTERM)
            out, log = process.communicate(timeout=20)
        assert process.returncode == 143, log
        run = Run(process.returncode, out, log)
        state = run.state
        for name, rows in run.records.items():
            found[name] += rows
    last = tap.run(config, catalog=catalog, state=state)
    assert last.code == 0, last.log
    for name, rows in whole.records.items():
        every = {json.dumps(row, sort_keys=True) for row in [*found[name], *last.records[name]]}
        assert every == {json.dumps(row, sort_keys=True) for row in rows}
    assert last.state == whole.state


# Export jobs while other streams are read


def test_jobs_are_asked_for_and_follow_each_other_while_reports_are_read(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox(export_seconds=0.1)
    sandbox.fault("slow", "summary", times=None, value=0.4)
    config = sandbox.config(start_date="2026-04-20", export_window_days=4, concurrency=1)
    run = tap.run(config, catalog=catalog_of("summary", "mention_sla_export"))
    assert run.code == 0, run.log
    kinds = [(request.body or {}).get("type", request.origin) for request in sandbox.requests]
    last_report = len(kinds) - kinds[::-1].index("summary")
    assert kinds[:last_report].count("mention_sla_export") == 3, "no more than so many ahead, for links expire"
    assert "status" in kinds[:last_report]
    jobs = kinds.count("mention_sla_export")
    assert jobs == planned(tap.run(config, "--plan", catalog=catalog_of("mention_sla_export")))["mention_sla_export"]


def test_a_job_that_can_not_be_started_ahead_costs_one_request_and_no_time(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox(export_seconds=0)
    sandbox.fault("server_error", "mention_sla_export", times=None, after=1)
    sandbox.fault("slow", "summary", times=None, value=0.3)
    config = sandbox.config(start_date="2026-04-20", export_window_days=4, concurrency=1)
    tap.run(config, catalog=catalog_of("summary", "mention_sla_export"))
    kinds = [(request.body or {}).get("type", request.origin) for request in sandbox.requests]
    last_report = len(kinds) - kinds[::-1].index("summary")
    assert kinds[:last_report].count("mention_sla_export") == 2


@pytest.mark.parametrize("fault", ["rate_limited", "server_error", "timeout"])
def test_a_job_that_can_not_be_asked_for_ahead_waits_for_its_turn(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str
) -> None:
    sandbox.fault(fault, "status", times=1, value={"rate_limited": 30, "timeout": 5}.get(fault))
    sandbox.fault("slow", "summary", times=None, value=0.4)
    patience = {"request_timeout": 2} if fault == "timeout" else {}
    config = sandbox.config(start_date="2026-04-22", export_window_days=360, concurrency=1, **patience)
    run = tap.run(config, catalog=catalog_of("summary", "mention_sla_export"))
    assert run.code == 0, run.log
    kinds = [(request.body or {}).get("type", request.origin) for request in sandbox.requests]
    last_report = len(kinds) - kinds[::-1].index("summary")
    assert kinds[:last_report].count("status") == 1


def test_a_token_that_is_refused_ahead_ends_the_run_at_once(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("unauthorized", times=None)
    run = tap.run(sandbox.config(start_date="2026-04-02"), catalog=catalog_of("summary", "mention_sla_export"))
    assert (run.code, run.out) == (1, "")
    (line,) = run.errors
    assert line.startswith("export 'mention_sla_export' from ")
    assert "The api_token is wrong" in line
    assert not asked(sandbox)["summary"]


def test_a_job_that_is_refused_ahead_of_its_turn_leaves_the_other_streams_alone(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    sandbox.fault("unauthorized", "status", times=None)
    sandbox.fault("slow", "summary", times=None, value=0.4)
    run = tap.run(sandbox.config(start_date="2026-04-02"), catalog=catalog_of("summary", "mention_sla_export"))
    assert run.code == 1
    assert "401" in run.errors[-1]
    assert "Complete: summary. Failed: mention_sla_export" in run.log
    kinds = [(request.body or {}).get("type", request.origin) for request in sandbox.requests]
    assert kinds.count("summary") == 29
    assert kinds[: kinds.index("summary") + 20].count("status") == 1, "ahead, and not tried again there"


def test_check_does_not_wait_where_another_run_has_used_up_the_quota(
    tap: Tap, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = sandbox.config(rate_limit_requests=1, rate_limit_seconds=60)
    env = {"TMPDIR": str(tmp_path)}
    assert tap.run(config, "--check", env=env).code == 0
    run = tap.run(config, "--check", env=env, timeout=30)
    assert run.code == 1
    assert "Another run on this machine has used up this token's quota" in run.errors[0]
    assert len(sandbox.requests) == 1


def test_a_signal_is_heard_while_another_process_keeps_the_file_locked(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path
) -> None:
    config = sandbox.config(start_date="2026-04-20")
    env = {"TMPDIR": str(tmp_path)}
    tap.run(config, "--check", env=env)
    (file,) = tmp_path.glob("tap-lexer-activity-*/quota-*")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with tap.start(config, catalog=catalog_of("users", "summary"), env=env) as process:
            assert process.stderr is not None
            assert any("Beginning sync" in line for line in process.stderr), "a busy machine takes its time"
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            log = process.communicate(timeout=30)[1]
        other.execute("ROLLBACK")
    assert process.returncode == 143, log


# How it ends


def test_what_fails_is_named_the_rest_is_complete_and_the_next_run_repairs_it_alone(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse]
) -> None:
    catalog = catalog_of(*EVERYTHING)
    config: dict[str, Any] = {"start_date": "2026-04-27", "lookback_days": 0, "request_timeout": 1}
    whole = new_warehouse().load(tap.run(sandbox.config(**config), catalog=catalog)).tables
    sandbox.fault("bad_request", "summary", times=None, value="no such metric")
    sandbox.fault("unknown_shape", "user_summary", times=None)
    sandbox.fault("timeout", "case_volume", times=None, value=3)
    broken = ("summary", "user_summary", "case_volume")
    run = tap.run(sandbox.config(**config), catalog=catalog)
    assert run.code == 1
    assert (
        run.errors[3]
        == f"Complete: {', '.join(name for name in EVERYTHING if name not in broken)}. Failed: {', '.join(broken)}"
    )
    assert [line.split(":")[0] for line in run.errors[4:]] == list(broken)
    for line, reason in zip(run.errors[4:], ("no such metric", "", "no answer within 1 s"), strict=True):
        assert reason in line
    warehouse = new_warehouse().load(run)
    assert {name: rows for name, rows in whole.items() if name not in broken} == warehouse.tables

    sandbox.clear_faults()
    sandbox.requests.clear()
    assert tap.run(sandbox.config(**config), catalog=catalog, state=run.state).code == 0
    assert {name.split(",")[0] for name in asked(sandbox)} == {*broken, "users", "groups", "forms"}
    sandbox.requests.clear()
    warehouse.load(tap.run(sandbox.config(**config), catalog=catalog, state=run.state))
    assert warehouse.tables == whole


def test_the_end_says_what_came_of_each_stream(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("not_found", "case_summary", times=None)
    run = tap.run(
        sandbox.config(start_date="2026-04-29"), catalog=catalog_of("users", "summary", "case_summary", "nps_volume")
    )
    lines = [line.split("| ", 3)[3] for line in run.log.splitlines()]
    begin = next(place for place, line in enumerate(lines) if re.match("stream +records +requests +days +status", line))
    assert [re.split(" {2,}", line) for line in lines[begin + 1 : begin + 6]] == [
        ["users", "8", "1", "complete"],
        ["summary", "2", "2", "2026-04-29 to 2026-04-30", "complete"],
        ["case_summary", "0", "1", "failed"],
        ["nps_volume", "6", "2", "2026-04-28 to 2026-05-01", "complete"],
        ["forms", "0", "1", "read for the NPS streams"],
    ]


def test_a_list_that_was_cut_short_is_not_called_complete(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("unauthorized", "users", times=None)
    run = tap.run(sandbox.config(), catalog=catalog_of("users", "groups"))
    assert run.code == 1
    assert re.findall(r"(users|groups) .*  (\w.*)$", run.log, re.MULTILINE)[-2:] == [
        ("users", "ended early"),
        ("groups", "not read"),
    ]


def test_few_requests_are_not_spent_on_lists_or_on_jobs_that_would_be_lost(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    catalog = catalog_of("users", "summary", "mention_sla_export")
    run = tap.run(sandbox.config(start_date="2026-04-20", max_requests=8), catalog=catalog)
    assert run.code == 0, run.log
    assert asked(sandbox) == {"summary": 8}, "of eleven"


def test_a_plan_says_what_has_been_sent_already(tap: Tap, new_sandbox: NewSandbox) -> None:
    config = new_sandbox(quota=(10, 600)).config(start_date="2026-04-24")
    plan = ("--plan", "--select", "summary,users,groups,forms")
    assert "sent with this token" not in tap.run(config, *plan).out, "ten requests fit"
    assert tap.run(config, "--check").code == 0
    lines = tap.run(config, *plan).out.splitlines()
    assert lines[-2:] == [
        "10 requests: no wait for the quota, at 10 requests in 600 s.",
        "2 requests were sent with this token in the last 600 s: a run that starts now takes at least 10 min.",
    ]


@pytest.mark.unhurried
def test_a_plan_says_how_long_the_answers_take_that_runs_before_it_have_met(tap: Tap, new_sandbox: NewSandbox) -> None:
    sandbox = new_sandbox(quota=(1000, 600))
    config = sandbox.config(start_date="2026-02-01", rate_limit_requests=1000, rate_limit_seconds=600, concurrency=1)
    plan = ("--plan", "--select", "summary")
    assert "answers" not in tap.run(config, *plan).out, "nothing is known yet"
    sandbox.fault("timeout", times=None, value=0.5)
    assert tap.run(config, "--check").code == 0
    *_, count, answers = tap.run(config, *plan).out.splitlines()
    found = re.fullmatch(r"(\d+) requests: no wait for the quota, at 1000 requests in 600 s\.", count)
    assert found
    said = re.fullmatch(
        r"Their answers take about (\d+) s: 0\.[567] s each, as in the last two days, and 1 under way at once\.",
        answers,
    )
    assert said, answers
    assert 0.5 * int(found[1]) <= int(said[1]) <= 0.75 * int(found[1]) + 1
