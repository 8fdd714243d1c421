"""What goes wrong on the wire, by name, over a real socket."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import ENVIRONMENT, Run
from singer_sdk.singerlib.messages import StateMessage
from support.states import bookmark

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.singer.writer import MessageWriter

if TYPE_CHECKING:
    from conftest import Tap
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

ONE_DAY = {"start_date": "2026-04-30"}
BOOKMARK = "2026-04-30T14:00:00Z"


def statuses(sandbox: Sandbox, stream: str) -> list[int]:
    return [request.status for request in sandbox.requests if (request.body or {}).get("type") == stream]


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("server_error", 503),
        ("html_error", None),
        ("reset", None),
        ("cut_body", None),
        ("cut_chunked", None),
        ("not_json", None),
        ("truncated_json", None),
    ],
)
def test_a_passing_fault_is_tried_again(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str, value: object
) -> None:
    sandbox.fault(fault, "summary", value=value)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("summary"))
    assert run.code == 0, run.log
    assert len(run.records["summary"]) == 1
    assert len(statuses(sandbox, "summary")) == 2
    assert "next try in" in run.log


def test_a_slow_answer_is_given_up_and_asked_for_again(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("timeout", "summary", value=4)
    run = tap.run(sandbox.config(**ONE_DAY, request_timeout=1), catalog=catalog_of("summary"))
    assert run.code == 0, run.log
    assert "no answer within 1 s (request_timeout)" in run.log
    assert len(run.records["summary"]) == 1


@pytest.mark.parametrize("lasting", ["server_error", "not_json"])
def test_a_lasting_fault_fails_its_stream_and_no_other(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, lasting: str
) -> None:
    sandbox.fault(lasting, "case_summary", times=None, after=1)
    config = sandbox.config(start_date="2026-04-28", concurrency=1)  # (the fault counts requests)
    run = tap.run(config, catalog=catalog_of("case_summary", "summary", "user_volume"))
    assert run.code == 1
    assert bookmark(run.state, "case_summary") == "2026-04-28T14:00:00Z", "what was read before"
    assert bookmark(run.state, "summary") == bookmark(run.state, "user_volume") == BOOKMARK
    assert len(run.records["summary"]) == 3
    assert len(statuses(sandbox, "case_summary")) == 1 + 5
    assert run.log.splitlines()[-2].endswith("Complete: summary, user_volume. Failed: case_summary")
    assert (
        "case_summary: report 'case_summary' from 2026-04-29T00:00:00+10:00 to 2026-04-29T23:59:59+10:00"
        in run.log.splitlines()[-1]
    )

    sandbox.clear_faults()
    before = len(sandbox.requests)
    again = tap.run(
        sandbox.config(start_date="2026-04-28", lookback_days=0),
        catalog=catalog_of("case_summary", "summary"),
        state=run.state,
    )
    assert again.code == 0
    assert Counter(request.body["type"] for request in sandbox.requests[before:] if request.body) == {"case_summary": 2}


@pytest.mark.parametrize(("fault", "status"), [("bad_request", 400), ("not_found", 404)])
def test_a_refused_request_fails_its_stream_with_lexer_s_message(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str, status: int
) -> None:
    sandbox.fault(fault, "summary", times=None)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("summary"))
    assert run.code == 1
    assert len(statuses(sandbox, "summary")) == 1, "not tried again"
    assert f"report 'summary' from 2026-04-30T00:00:00+10:00 to 2026-04-30T23:59:59+10:00: {status}" in run.errors[0]
    assert "Lexer says: " in run.errors[0]
    assert run.states == [{"bookmarks": {"summary": {}}}]


@pytest.mark.parametrize("fault", ["unauthorized", "forbidden"])
def test_a_refused_token_ends_the_run_at_once(tap: Tap, sandbox: Sandbox, fault: str) -> None:
    sandbox.fault(fault, times=None)
    run = tap.run(sandbox.config(**ONE_DAY, concurrency=1))
    assert (run.code, run.out) == (1, "")
    assert len(run.errors) == 1
    assert "The api_token is wrong" in run.errors[0]
    # (A 403 may be for the first list alone, so it takes a second one.)
    assert len(sandbox.requests) == (2 if fault == "forbidden" else 1)


@pytest.mark.parametrize(("fault", "status"), [("unauthorized", 401), ("forbidden", 403)])
@pytest.mark.parametrize("target", ["users", "user_volume", "nps_volume", "mention_sla_export", "status"])
def test_what_the_token_may_not_read_fails_alone(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str, status: int, target: str
) -> None:
    stream = "mention_sla_export" if target == "status" else target
    sandbox.fault(fault, target, times=None)
    streams = {"users", "summary", "user_volume", "nps_volume", "mention_sla_export"}
    run = tap.run(sandbox.config(start_date="2026-04-29"), catalog=catalog_of(*streams))
    assert run.code == 1
    assert run.records.keys() == streams - {stream}
    for other in run.records.keys() - {"users", "nps_volume"}:
        assert bookmark(run.state, other) == "2026-04-30T14:00:00Z"
    assert f"Failed: {stream}" in run.log
    said = run.errors[-1]
    assert said.startswith(f"{stream}: ")
    assert f": {status} " in said
    assert said.endswith(f"earlier in this run, but not for this stream: deselect {stream}, or ask for access")
    assert "may have been reset" not in run.log


def test_columns_that_the_token_may_not_discover_are_left_out(tap: Tap, sandbox: Sandbox) -> None:
    sandbox.fault("forbidden", "mention_sla_export", times=None)
    sandbox.fault("export_extra_columns", times=None)
    run = tap.run(sandbox.config(discover_export_columns=True), "--discover")
    assert run.code == 0, run.log
    found = {entry["stream"]: entry["schema"]["properties"].keys() for entry in json.loads(run.out)["streams"]}
    assert "sentiment_1" in found["case_details"]
    assert "sentiment_1" not in found["mention_sla_export"]
    assert "mention_sla_export: its columns can't be read: export 'mention_sla_export' from" in run.log
    assert "deselect mention_sla_export" in run.log


def test_a_token_that_is_reset_in_the_middle_is_told_from_one_report_that_is_not_allowed(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    reset = "may have been reset since: if so, put the new one into api_token"
    catalog = catalog_of("summary", "user_volume", "case_volume")
    sandbox.fault("unauthorized", "summary", times=None, after=2)
    run = tap.run(sandbox.config(start_date="2026-04-26", concurrency=1), catalog=catalog)
    assert run.code == 1
    assert bookmark(run.state, "summary") == "2026-04-27T14:00:00Z"
    assert bookmark(run.state, "user_volume") == bookmark(run.state, "case_volume") == "2026-04-30T14:00:00Z"
    assert run.errors[-1].startswith("summary: ")
    assert run.errors[-1].endswith(reset), "it had been read"

    sandbox.clear_faults()
    sandbox.fault("unauthorized", times=None, after=2)
    run = tap.run(
        sandbox.config(**ONE_DAY, concurrency=1), catalog=catalog_of("users", "summary", "user_volume", "case_volume")
    )
    assert run.records.keys() == {"users", "summary"}
    alone, in_a_row = run.errors[-2:]
    assert alone.endswith("deselect user_volume, or ask for access")
    assert in_a_row.startswith("case_volume: ")
    assert in_a_row.endswith(reset)


def test_a_list_of_forms_that_is_refused_once_is_not_taken_for_a_token_that_was_reset(
    tap: Tap, sandbox: Sandbox
) -> None:
    sandbox.fault("unauthorized", "forms", times=None)
    run = tap.run(sandbox.config(**ONE_DAY, discover_export_columns=True))
    assert run.code == 1
    assert "Failed: forms, nps_summary, nps_volume, nps_submissions" in run.log
    assert "may have been reset" not in run.log
    # (A 401 in the middle of a run may be a slip, so it is asked once more.)
    assert len([request for request in sandbox.requests if request.path == "/v1/forms"]) == 2


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("unknown_shape", "expected"), ("other_window", "asked for")],
)
@pytest.mark.parametrize("stream", ["states_volume", "response_volume", "case_volume"])
def test_an_unknown_series_is_an_error_and_never_a_row(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str, expected: str, stream: str
) -> None:
    sandbox.fault(fault, stream, times=None)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of(stream))
    assert run.code == 1
    assert not run.records
    assert expected in run.errors[0]
    assert not any(bookmark(state, stream) for state in run.states)


@pytest.mark.parametrize(
    "answer",
    [
        "5",
        '"text"',
        '{"a": 1}',
        "[1]",
        '[{"a": 1}]',
        '{"closed": [{"value": 1}]}',
        '{"volume": "many"}',
        '[{"user_id": "x", "states": {}}]',
    ],
)
def test_a_shape_that_is_not_documented_is_an_error_and_never_a_row(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, answer: str
) -> None:
    streams = ("user_volume", "states_volume", "nps_volume", "summary", "users")
    for stream in streams:
        sandbox.fault("unknown_shape", stream, times=None, value=json.loads(answer))
    run = tap.run(sandbox.config(**ONE_DAY, form_ids=[55]), catalog=catalog_of(*streams))
    assert (run.code, dict(run.records)) == (1, {})
    for stream in streams:
        said = [line for line in run.errors if line.startswith((f"{stream} failed:", f"{stream}:"))]
        assert len(said) == 2, "when it happens, and at the end"
        assert all("is not as Lexer documents it" in line or "set accept to" in line for line in said), said
        assert not any(bookmark(state, stream) for state in run.states)


@pytest.mark.parametrize("answer", ["{}", "[]"])
def test_nothing_is_an_empty_window_and_never_the_end_of_a_stream(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, answer: str
) -> None:
    expected = {"user_volume": "[]", "states_volume": "{}", "nps_volume": "[]", "summary": "", "groups": "[]"}
    for stream in expected:
        sandbox.fault("unknown_shape", stream, times=None, value=json.loads(answer))
    run = tap.run(sandbox.config(**ONE_DAY, form_ids=[55]), catalog=catalog_of(*expected))
    assert (run.code, dict(run.records)) == (0, {})
    for stream, empty in expected.items():
        assert (f"{stream}: nothing" in run.log) == (answer != empty)
        assert stream in {"groups", "nps_volume"} or bookmark(run.states[-1], stream)


@pytest.mark.parametrize("stream", ["classifications", "user_volume", "case_classifications", "users"])
def test_a_row_that_comes_twice_and_is_alike_is_one(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, stream: str
) -> None:
    found = []
    for fault in (None, "duplicate_rows"):
        sandbox = new_sandbox()
        if fault:
            sandbox.fault(fault, stream, times=None)
        run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of(stream))
        assert run.code == 0
        assert ("a row came twice, and is kept once" in run.log) == bool(fault)
        found.append(run.records)
    assert found[0] == found[1]


@pytest.mark.parametrize("stream", ["classifications", "user_summary", "users"])
def test_two_rows_for_one_key_that_differ_are_an_error(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, stream: str
) -> None:
    key = {"id": 1, "user_id": 1, "classification_id": 1, "state": "new"}
    rows = [key | {"first_name": name, "volume": number} for number, name in enumerate(("Jo", "Mo"))]
    sandbox.fault("unknown_shape", stream, times=None, value=rows)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of(stream))
    assert (run.code, dict(run.records)) == (1, {})
    assert "the answer has two rows for" in run.errors[0]


def test_hours_in_place_of_days_are_an_error(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("hourly_buckets", "case_volume", times=None)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("case_volume"))
    assert (run.code, dict(run.records)) == (1, {})
    assert "asked for one bucket per day" in run.errors[0]


def test_days_in_place_of_hours_are_an_error(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> None:
    sandbox = new_sandbox(case_volume_hours=False)
    run = tap.run(sandbox.config(**ONE_DAY, series_interval="hour"), catalog=catalog_of("case_volume", "states_volume"))
    assert run.code == 1
    assert set(run.records) == {"states_volume"}
    assert "asked for one bucket per hour" in run.errors[0]


def test_labels_of_another_zone_are_an_error_that_names_the_setting(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    run = tap.run(
        sandbox.config(start_date="2026-04-20", timezone="Asia/Kolkata", series_interval="hour"),
        catalog=catalog_of("states_volume"),
    )
    assert run.code == 1
    assert "set timezone to the account's" in run.errors[0]


# The quota


@pytest.mark.unhurried
def test_a_backfill_keeps_the_quota_and_uses_it(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> None:
    sandbox = new_sandbox(quota=(20, 2))
    run = tap.run(sandbox.config(start_date="2026-03-20"), catalog=catalog_of("summary", "case_summary"))
    assert run.code == 0, run.log
    assert sandbox.rate_limited == 0
    assert len(sandbox.requests) == 84 + 1, "the windows, and the users"
    assert re.search(r"summary +42 +42 +2026-03-20 to 2026-04-30 +complete", run.log)


@pytest.mark.unhurried
@pytest.mark.parametrize("retry_after", [None, "seconds", "date"])
def test_a_quota_that_others_use_too_is_waited_out(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, retry_after: str | None
) -> None:
    sandbox = new_sandbox(quota=(2, 3), retry_after=retry_after)
    config = sandbox.config(start_date="2026-04-27", rate_limit_requests=1000, rate_limit_seconds=3)
    run = tap.run(config, catalog=catalog_of("summary"))
    assert run.code == 0, run.log
    assert sandbox.rate_limited > 0
    assert [record["local_date"] for record in run.records["summary"]] == [f"2026-04-{day}" for day in range(27, 31)]


def test_a_quota_that_stays_used_up_fails_after_six_periods(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("rate_limited", "summary", times=None)
    config = sandbox.config(**ONE_DAY, rate_limit_requests=100, rate_limit_seconds=1)
    run = tap.run(config, catalog=catalog_of("summary", "user_volume"))
    assert run.code == 1
    assert 1 < len(statuses(sandbox, "summary")) <= 8, (
        "fewer where the machine is busy; tests/test_client.py counts them"
    )
    assert "429" in run.errors[0]
    assert bookmark(run.state, "user_volume") == BOOKMARK


# The token


@pytest.mark.parametrize("kind", ["redirect", "redirect_foreign", "redirect_loop"])
def test_the_token_goes_along_to_the_configured_hosts_only(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, kind: str
) -> None:
    sandbox.fault(kind, "users", value=307)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("users"))
    assert run.code == (0 if kind == "redirect" else 1), run.log
    assert not sandbox.leaks
    assert any(request.had_token for request in sandbox.requests)
    assert not any(request.origin == "download" for request in sandbox.requests), (
        "what another host answers is not Lexer's data"
    )
    if kind == "redirect_foreign":
        assert "redirects to another host" in run.errors[0]


def test_a_server_that_repeats_the_token_does_not_bring_it_into_the_log(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    sandbox.fault("echo_token", times=None)
    run = tap.run(
        sandbox.config(**ONE_DAY), catalog=catalog_of("summary", "users"), env={"TAP_LEXER_ACTIVITY_LOGLEVEL": "DEBUG"}
    )
    assert run.code == 1
    assert sandbox.token not in run.out + run.log

    sandbox.clear_faults()
    sandbox.fault("bad_request", "summary", value=f"the token {sandbox.token} may not do that")
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("summary"))
    assert "the token [api_token] may not do that" in run.errors[0]


def test_an_answer_is_quoted_up_to_200_characters(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("bad_request", "summary", times=None, value="no " * 1000)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("summary"))
    assert all(len(line) < 500 for line in run.errors)


# Hosts that are not there


def test_an_unreachable_host_is_one_clear_line(tap: Tap, sandbox: Sandbox) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        run = tap.run(sandbox.config(api_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1"))
    assert (run.code, run.out) == (1, "")
    assert len(run.errors) == 1
    assert "refuses the connection" in run.errors[0]
    assert "Check the setting api_url" in run.errors[0]


def test_a_proxy_of_the_environment_is_used(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    catalog = catalog_of("users")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        beyond = sandbox.config(**ONE_DAY, api_url=f"{nobody}/v1")
        through = tap.run(beyond, catalog=catalog, env={"HTTP_PROXY": sandbox.origin})
        assert (through.code, len(through.records["users"])) == (0, 8), through.log
        assert len(sandbox.requests) == 1, "it stands in the place of the proxy, the only one who answers"
        past = tap.run(sandbox.config(**ONE_DAY), catalog=catalog, env={"HTTP_PROXY": nobody, "NO_PROXY": "127.0.0.1"})
        assert (past.code, len(past.records["users"])) == (0, 8), past.log


def test_a_proxy_s_password_is_nowhere_in_the_log(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    env = {"HTTP_PROXY": "http://corpuser:Pa#ss-w0rd@proxy.corp:3128", "TAP_LEXER_ACTIVITY_LOGLEVEL": "DEBUG"}
    config, catalog = sandbox.config(**ONE_DAY), catalog_of("users")
    for arguments in ((), ("--check",), ("--plan",)):
        run = tap.run(config, *arguments, catalog=catalog_of("nps_summary"), env=env)
        assert (run.code, len(run.errors)) == (1, 1), run.log
        assert "HTTP_PROXY is not the address of a proxy (not shown). " in run.errors[0]
        assert not [secret for secret in ("corpuser", "Pa#", "ss-w0rd", "proxy.corp", "Traceback") if secret in run.log]
    past = tap.run(config, catalog=catalog, env=env | {"NO_PROXY": "127.0.0.1"})
    assert (past.code, len(past.records["users"])) == (0, 8), past.log


# Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_between_two_messages(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, number: signal.Signals, code: int
) -> None:
    sandbox = new_sandbox(quota=(10, 60))
    with tap.start(sandbox.config(start_date="2026-03-20"), catalog=catalog_of("summary")) as process:
        deadline = time.monotonic() + 30
        while len(sandbox.requests) < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)  # now it waits for the quota
        begun = time.monotonic()
        process.send_signal(number)
        out, log = process.communicate(timeout=30)
        assert time.monotonic() - begun < 10
    assert process.returncode == code
    messages = [json.loads(line) for line in out.splitlines()]
    assert messages[-1]["type"] == "STATE"
    assert bookmark(messages[-1]["value"], "summary") == "2026-03-28T13:00:00Z", "nine windows, after the users"
    assert f"Ended by {number.name}" in log


def test_a_signal_while_the_target_reads_slowly_tears_no_message(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox(messages_per_day=60)
    with tap.start(sandbox.config(start_date="2026-02-01"), catalog=catalog_of("classifications")) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(3)  # the pipe is full, and the tap is in the middle of a write
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)  # as schedulers do that are stopped themselves; the first one counts
        time.sleep(0.5)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    messages = [json.loads(line) for line in (first + out).splitlines()]
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    last = bookmark(states[-1], "classifications") or ""
    read = {message["record"]["date_to"] for message in messages if message["type"] == "RECORD"}
    assert all(date_to < last or date_to == max(read) for date_to in read)


def test_an_end_that_got_lost_in_a_finalizer_comes_after_the_next_message(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    writer = MessageWriter()
    with suppress(EndOfRun):
        writer.interrupt(EndOfRun("Ended by SIGTERM", exit_code=143))
    with pytest.raises(EndOfRun, match="Ended by SIGTERM"):
        writer.write_message(StateMessage(value={}))
    assert capsysbinary.readouterr().out == b'{"type":"STATE","value":{}}\n'


def test_a_target_that_goes_away_is_one_clear_line(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    with tap.start(sandbox.config(start_date="2026-02-01"), catalog=catalog_of("classifications")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The target ended before the tap did" in log
    assert "Traceback" not in log


def test_a_stdout_that_is_full_is_one_clear_line(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    line = tap.arguments(sandbox.config(**ONE_DAY), catalog=catalog_of("summary"))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            line, check=False, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, encoding="utf-8", timeout=120
        )
    run = Run(done.returncode, "", done.stderr)
    assert run.code == 1
    said = "stdout can't be written (No space left on device). The next run continues from the last state that was kept"
    assert run.errors == [said]
    assert run.log.splitlines()[-1].endswith(said), "and nothing of the interpreter's own after it"
    assert "Traceback" not in run.log


# Two reports under one type


def test_the_states_report_under_another_type(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> None:
    sandbox = new_sandbox(workflow_states_type="states")
    config = sandbox.config(**ONE_DAY, report_parameters={"workflow_states": {"type": "states"}})
    run = tap.run(config, catalog=catalog_of("workflow_states", "user_volume"))
    assert run.code == 0, run.log
    assert len(run.records["workflow_states"]) == 10
    assert sum(record["volume"] for record in run.records["workflow_states"]) == len(
        sandbox.truth("2026-04-30", "2026-04-30T23:59:59")
    )


@pytest.mark.parametrize(
    ("shape", "served", "failed"),
    [("agents", "user_volume", "workflow_states"), ("states", "workflow_states", "user_volume")],
)
def test_each_shape_of_user_volume_belongs_to_one_stream(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, shape: str, served: str, failed: str
) -> None:
    sandbox = new_sandbox(user_volume_shape=shape)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("workflow_states", "user_volume"))
    assert run.code == 1
    assert set(run.records) == {served}
    assert f"this is the report of the stream {served}" in run.errors[0]
    assert f'set report_parameters to {{"{failed}"' in run.errors[0]


def test_report_parameters_are_sent_along(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    tap.run(
        sandbox.config(**ONE_DAY, report_parameters={"summary": {"groups": [1, 2]}}),
        catalog=catalog_of("summary", "case_summary"),
    )
    bodies = {request.body["type"]: request.body for request in sandbox.requests if request.body}
    assert bodies["summary"]["groups"] == [1, 2]
    assert "groups" not in bodies["case_summary"]


# What a second pair of eyes found


def test_a_first_request_that_breaks_fails_its_stream_and_no_other(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    sandbox.fault("reset", "users", times=None)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("users", "groups", "summary"))
    assert run.code == 1
    assert set(run.records) == {"groups", "summary"}
    assert "Failed: users" in run.log


def test_columns_of_an_answer_do_not_override_the_keys(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    answer = {"total_volume": 5, "date_from": "2020-01-01", "interval": "year", "form_id": 1}
    sandbox.fault("unknown_shape", "summary", times=None, value=answer)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("summary"))
    (record,) = run.records["summary"]
    assert (record["date_from"], record["interval"]) == ("2026-04-29T14:00:00Z", "day")


def test_one_form_that_fails_leaves_the_others_alone(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("bad_request", "nps_summary", times=1)
    run = tap.run(sandbox.config(**ONE_DAY, concurrency=1), catalog=catalog_of("nps_summary"))
    assert run.code == 1
    assert [record["form_id"] for record in run.records["nps_summary"]] == [56]
    assert "form 55" in run.errors[0]


def test_a_retry_after_of_nothing_is_not_hammered(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("rate_limited", "summary", times=None, value=0)
    config = sandbox.config(**ONE_DAY, rate_limit_requests=1000, rate_limit_seconds=2)
    run = tap.run(config, catalog=catalog_of("summary"))
    assert run.code == 1
    assert len(statuses(sandbox, "summary")) < 12


@pytest.mark.parametrize("answer", ['[{"id": 1e99999999}]', '[{"id": 1, "id": 2}]', "[" * 100_000])
def test_answers_that_would_choke_a_reader_are_errors(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, answer: str
) -> None:
    sandbox.fault("not_json", "users", times=None, value=answer)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("users"), timeout=60)
    assert (run.code, dict(run.records)) == (1, {})
    assert "Traceback" not in run.log


def test_zeros_are_filled_in_only_where_the_answer_shows_that_there_was_something(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    row = {"classification_id": 1, "classification": "x", "state": "new", "volume": 5}
    sandbox.fault("unknown_shape", "classifications", times=None, value=[row])
    sandbox.fault("empty", "states_volume", times=None)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("classifications", "states_volume"))
    volumes = {record["state"]: record["volume"] for record in run.records["classifications"]}
    assert volumes.pop("new") == 5
    assert set(volumes.values()) == {0}
    assert "all_states" not in volumes, "a sum is never made up"
    assert "states_volume" not in run.records


@pytest.mark.parametrize("labels", ["zone", "offset"])
@pytest.mark.parametrize(
    ("start", "clock"), [("2026-04-03", "2026-04-06T09:00:00+10:30"), ("2025-10-02", "2025-10-06T09:00:00+11:00")]
)
def test_clocks_that_change_by_half_an_hour_stop_no_hourly_series(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, labels: str, start: str, clock: str
) -> None:
    sandbox = new_sandbox(timezone="Australia/Lord_Howe", clock=clock, messages_per_day=40, labels=labels)
    run = tap.run(sandbox.config(start_date=start, series_interval="hour"), catalog=catalog_of("states_volume"))
    assert run.code == 0, run.log
    whole = sum(record["value"] for record in run.records["states_volume"])
    assert whole == len(sandbox.truth(start, run.state["bookmarks"]["states_volume"]["replication_key_value"]))


def test_each_form_that_fails_is_named_in_the_last_lines(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("bad_request", "nps_summary", times=None)
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("nps_summary"))
    complete, *failed = (line.split("|", 3)[3].strip() for line in run.log.splitlines()[-3:])
    assert complete == "Complete: no stream. Failed: nps_summary"
    assert [re.findall(r"form \d+", line) for line in failed] == [["form 55"], ["form 56"]]


def test_an_answer_does_not_say_which_form_it_is_of(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("unknown_shape", "nps_summary", times=None, value={"total_sent": 5, "form_id": 1})
    run = tap.run(sandbox.config(**ONE_DAY), catalog=catalog_of("nps_summary"))
    assert [record["form_id"] for record in run.records["nps_summary"]] == [55, 56]


def test_a_bucket_that_an_answer_leaves_out_gets_no_zeros(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    days = ("2026-04-28", "2026-04-30")
    buckets = [{"value": 5, "date_range": {"date_from": f"{day} 00:00"}} for day in days]
    sandbox.fault("unknown_shape", "states_volume", times=None, value={"new": buckets})
    run = tap.run(sandbox.config(start_date=days[0]), catalog=catalog_of("states_volume"))
    assert run.code == 0, run.log
    assert Counter(record["local_date"] for record in run.records["states_volume"]) == dict.fromkeys(days, 10)
