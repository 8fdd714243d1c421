"""Several requests under way at once: the same messages as one after the other, within the quota, and an end at once."""

from __future__ import annotations

import json
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Run, Tap
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

REPORTS = "!case_details,!nps_submissions,!mention_sla_export"
"""Streams whose requests are asked ahead. (When an export is polled depends on the clock, and not on this.)"""
LATE = 0.3


def told(run: Run) -> list[str]:
    """All messages, warnings and errors of a run, without times."""
    log = [line.split("|", 1)[1] for line in run.log.splitlines() if "| WARNING " in line or "| ERROR " in line]
    return [re.sub(r'"time_extracted":"[^"]*"', "", line) for line in run.out.splitlines()] + log


def table_at_the_end(run: Run) -> list[str]:
    """The table of streams, with the requests of each."""
    return [line.split("|", 3)[3] for line in run.log.splitlines() if re.search(r"\| +\w+ +[\d,]+ +[\d,]+ ", line)]


@pytest.mark.parametrize(
    "config",
    [
        {"start_date": "2026-04-20"},
        {"start_date": "2026-03-01", "report_interval": "week", "series_interval": "hour", "include_partial": True},
        {"start_date": "2026-04-20", "backfill_start": "2026-03-03", "backfill_end": "2026-03-11"},
    ],
    ids=["days", "weeks and hours", "a backfill"],
)
def test_messages_are_those_of_one_request_after_the_other(tap: Tap, sandbox: Sandbox, config: dict[str, Any]) -> None:
    runs = [tap.run(sandbox.config(**config, concurrency=many), "--select", REPORTS) for many in (1, 4, 16)]
    assert [run.code for run in runs] == [0, 0, 0]
    assert told(runs[1]) == told(runs[0])
    assert told(runs[2]) == told(runs[0])
    assert table_at_the_end(runs[2]) == table_at_the_end(runs[0]) != []


def test_a_run_with_a_lookback_says_the_same_too(tap: Tap, sandbox: Sandbox) -> None:
    first = tap.run(sandbox.config(start_date="2026-04-20", end_date="2026-04-29"), "--select", REPORTS)
    config = sandbox.config(start_date="2026-04-20", lookback_days=3)
    runs = [tap.run(config | {"concurrency": many}, "--select", REPORTS, state=first.state) for many in (1, 4, 16)]
    assert told(runs[1]) == told(runs[2]) == told(runs[0])


@pytest.mark.parametrize("fault", ["server_error", "reset", "cut_body", "not_json", "truncated_json", "slow"])
@pytest.mark.parametrize("concurrency", [4, 16])
def test_what_passes_costs_no_row(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, fault: str, concurrency: int
) -> None:
    def rows(many: int, *, with_fault: bool) -> dict[str, Any]:
        sandbox = new_sandbox()
        if with_fault:
            for after in (3, 13, 23):
                sandbox.fault(fault, times=1, after=after)
        run = tap.run(
            sandbox.config(start_date="2026-04-20", concurrency=many),
            catalog=catalog_of("users", "summary", "user_volume", "states_volume", "nps_summary"),
        )
        assert run.code == 0, run.log
        return {"rows": run.records, "state": run.state}

    assert rows(concurrency, with_fault=True) == rows(1, with_fault=False)


@pytest.mark.parametrize("concurrency", [4, 16])
def test_a_stream_that_fails_leaves_what_it_leaves_one_after_the_other(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, concurrency: int
) -> None:
    def run_of(many: int) -> Run:
        sandbox = new_sandbox()
        sandbox.fault("bad_request", "case_summary", times=None)
        sandbox.fault("unknown_shape", "classifications", times=None, value=5)
        return tap.run(
            sandbox.config(start_date="2026-04-20", concurrency=many),
            catalog=catalog_of("users", "summary", "classifications", "case_summary", "user_volume"),
        )

    one, many = run_of(1), run_of(concurrency)
    assert (one.code, many.code) == (1, 1)
    assert told(many) == told(one)


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_there_are_never_more_under_way(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, concurrency: int) -> None:
    sandbox.fault("timeout", times=None, value=LATE)
    run = tap.run(
        sandbox.config(start_date="2026-04-25", concurrency=concurrency), catalog=catalog_of("summary", "user_volume")
    )
    assert run.code == 0, run.log
    times = sorted(request.monotonic for request in sandbox.requests)
    assert len(times) > 12
    # (Each takes so long that one more than may be under way could only come before the first had its answer.)
    assert all(later - earlier >= LATE for earlier, later in zip(times, times[concurrency:], strict=False))


def test_answers_that_come_in_another_order_are_emitted_in_their_turn(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox()
    for after in range(0, 12, 3):
        sandbox.fault("timeout", "summary", times=1, value=0.5, after=after)
    run = tap.run(sandbox.config(start_date="2026-04-19", concurrency=16), catalog=catalog_of("summary"))
    days = [row["local_date"] for row in run.records["summary"]]
    assert days == sorted(days)
    assert len(days) == 12


@pytest.mark.unhurried
def test_the_quota_holds_for_all_of_them(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> None:
    sandbox = new_sandbox(quota=(10, 2))
    config = sandbox.config(start_date="2026-04-10", rate_limit_requests=10, rate_limit_seconds=2, concurrency=16)
    run = tap.run(config, catalog=catalog_of("summary", "user_volume"))
    assert run.code == 0, run.log
    assert sandbox.rate_limited == 0
    asked = [(request.body or {}).get("date_from") for request in sandbox.requests if request.method == "POST"]
    assert len(set(asked)) == len(asked) / 2


@pytest.mark.unhurried
def test_a_refusal_for_the_quota_pauses_all_of_them(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> None:
    sandbox = new_sandbox(quota=(10, 2), retry_after="seconds")
    config = sandbox.config(start_date="2026-04-05", rate_limit_requests=1000, rate_limit_seconds=2, concurrency=4)
    run = tap.run(config, catalog=catalog_of("summary"))
    assert run.code == 0, run.log
    assert len(run.records["summary"]) == 26
    periods = 3
    assert 0 < sandbox.rate_limited <= 4 * periods, "those that were under way, and no more"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_whatever_is_under_way(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, number: signal.Signals, code: int
) -> None:
    sandbox.fault("timeout", "summary", times=None, value=60, after=3)
    config = sandbox.config(start_date="2026-04-01", concurrency=16)
    with tap.start(config, catalog=catalog_of("summary")) as process:
        deadline = time.monotonic() + 30
        while len(sandbox.requests) < 20 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        out, log = process.communicate(timeout=20)
    assert process.returncode == code, log
    messages = [json.loads(line) for line in out.splitlines()]
    assert messages[-1]["type"] == "STATE"
    assert 0 < [message["type"] for message in messages].count("RECORD") <= 3
    assert "Traceback" not in log


@pytest.mark.parametrize("concurrency", [0, 17, "four"])
def test_a_number_that_makes_no_sense_is_refused_before_the_first_request(
    tap: Tap, sandbox: Sandbox, concurrency: object
) -> None:
    run = tap.run(sandbox.config(concurrency=concurrency))
    assert run.code == 1
    assert any(line.startswith("concurrency") for line in run.errors)
    assert sandbox.requests == []
