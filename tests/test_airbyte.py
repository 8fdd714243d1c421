"""`source-lexer-activity`: the commands of the Airbyte protocol, with the rows and bookmarks of the tap."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import BIN, ENVIRONMENT, Tap, select
from singer_sdk.exceptions import ConfigValidationError, RetriableAPIError
from test_signals import assert_that_a_signal_ends_the_rows

from tap_lexer_activity.errors import (
    EndOfRun,
    NotAllowedError,
    UnexpectedAnswerError,
    UnreachableError,
    without_see,
)
from tap_lexer_activity.fronts.airbyte.given import state_in
from tap_lexer_activity.fronts.airbyte.messages import NO_CURSOR, Messages, defect, kind_of, log
from tap_lexer_activity.fronts.airbyte.spec import catalog as catalog_of
from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.streams.registry import BY_NAME

if TYPE_CHECKING:
    from support.types import NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

START = {"start_date": "2026-04-26", "export_window_days": 2, "lookback_days": 0}
OWN_TYPE = {"workflow_states": {"type": "states"}}
COLUMNS = {name: Columns.of_schema(name) for name in BY_NAME}
LISTS = ("users", "groups", "forms")
Records = dict[str, list[dict[str, Any]]]
Make = Callable[..., dict[str, Any]]
"""Makes a configuration."""


@dataclass(frozen=True)
class Answer:
    """What a command of the source wrote, and its exit code."""

    code: int
    out: str
    log: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, kind: str) -> list[Any]:
        """The content of all messages of a type."""
        names = {"CONNECTION_STATUS": "connectionStatus"}
        return [each[names.get(kind, kind.lower())] for each in self.messages if each["type"] == kind]

    def traces(self, kind: str) -> list[Any]:
        return [each[kind.lower()] for each in self.of("TRACE") if each["type"] == kind]

    @property
    def records(self) -> Records:
        """Records by stream, as they came."""
        found: Records = defaultdict(list)
        for record in self.of("RECORD"):
            found[record["stream"]].append(record["data"])
        return found

    @property
    def states(self) -> list[dict[str, Any]]:
        """The last state of each stream, as Airbyte hands it over to the next run."""
        found = {state["stream"]["stream_descriptor"]["name"]: state for state in self.of("STATE")}
        return list(found.values())

    @property
    def status(self) -> dict[str, str]:
        """The last status of each stream."""
        return {each["stream_descriptor"]["name"]: each["status"] for each in self.traces("STREAM_STATUS")}

    @property
    def errors(self) -> list[tuple[str | None, str, str]]:
        """The errors: their streams, their kinds, and their texts without addresses."""
        return [
            (each.get("stream_descriptor", {}).get("name"), each["failure_type"], without_see(each["message"]))
            for each in self.traces("ERROR")
        ]


class Source:
    """The command `source-lexer-activity`."""

    def __init__(self, folder: Path) -> None:
        self._files = Tap(folder)

    def arguments(self, command: str, **files: Any) -> list[str]:
        """The whole command line."""
        line = [str(BIN / "source-lexer-activity"), command]
        for option, content in files.items():
            if content is not None:
                line += [f"--{option}", str(self._files.file(content))]
        return line

    def run(self, command: str, **files: Any) -> Answer:
        """Run it to its end."""
        line = self.arguments(command, **files)
        done = subprocess.run(
            line, capture_output=True, check=False, env=ENVIRONMENT, text=True, encoding="utf-8", timeout=120
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def sandbox(new_sandbox: NewSandbox) -> Sandbox:
    return new_sandbox(export_seconds=0, messages_per_day=6, workflow_states_type="states")


@pytest.fixture
def config(sandbox: Sandbox) -> Make:
    """A configuration as Airbyte's form gives it: objects are text."""
    return lambda **more: sandbox.config(**(START | {"report_parameters": json.dumps(OWN_TYPE)} | more))


def configured(*names: str, mode: str = "incremental") -> dict[str, Any]:
    """A configured catalog of some streams: of all, if none is named. Those that can be read incrementally are, unless `mode` says otherwise."""
    streams = [each for each in catalog_of(COLUMNS)["streams"] if not names or each["name"] in names]
    modes = [mode if mode in each["supported_sync_modes"] else "full_refresh" for each in streams]
    in_table = {"incremental": "append_dedup", "full_refresh": "overwrite"}
    return {
        "streams": [
            {"stream": each, "sync_mode": chosen, "destination_sync_mode": in_table[chosen]}
            for each, chosen in zip(streams, modes, strict=True)
        ]
    }


def odd_catalog(**odd: Any) -> dict[str, Any]:
    """A configured catalog of `summary` with something odd in its stream."""
    found = configured("summary")
    found["streams"][0]["stream"] |= odd
    return found


# Before reading


def test_the_specification_is_a_form_for_every_setting_of_the_tap(source: Source, tap: Tap) -> None:
    (spec,) = source.run("spec").of("SPEC")
    form = spec["connectionSpecification"]
    sample = json.loads((Path(__file__).parents[1] / "sample_config.json").read_text(encoding="utf-8"))
    about = json.loads(tap.run(None, "--about", "--format=json").out)["settings"]
    own = {
        name: each
        for name, each in about["properties"].items()
        if not name.startswith(("stream_map", "faker_", "flattening_", "batch_"))
    }
    assert form["properties"].keys() == own.keys() >= sample.keys()
    assert form["required"] == about["required"]
    assert [name for name, field in form["properties"].items() if field.get("airbyte_secret")] == ["api_token"]
    assert sorted(field["order"] for field in form["properties"].values()) == list(range(len(own)))
    for name, field in form["properties"].items():
        assert field["type"] in {"string", "integer", "boolean", "array"}, "what Airbyte has a field for"
        assert field["description"] == own[name]["description"]
        assert field.get("default") == own[name].get("default")


def test_a_token_whose_quota_another_run_has_used_up_works(source: Source, config: Make) -> None:
    settings = config(rate_limit_requests=5, rate_limit_seconds=600)
    assert source.run("read", config=settings | {"max_requests": 5}, catalog=configured("summary")).code == 0
    answer = source.run("check", config=settings)
    assert answer.of("CONNECTION_STATUS") == [{"status": "SUCCEEDED"}]
    (warning,) = [each["message"] for each in answer.of("LOG") if each["level"] == "WARN"]
    assert warning.startswith("Another run on this machine has used up this token's quota, so the token works")


def test_a_failure_to_write_in_another_thread_is_met_by_the_main_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tap_lexer_activity.fronts.airbyte.messages.discard_stdout", lambda: None)
    with (tmp_path / "read only").open("wb") as made:
        made.write(b"")
    with (tmp_path / "read only").open("rb") as file:
        messages = Messages(file)
        thread = threading.Thread(target=messages.write, args=(log("INFO", "a wait"),))
        thread.start()
        thread.join()
        assert "stdout can't be written" in capsys.readouterr().err
        with pytest.raises(EndOfRun, match="stdout can't be written"):
            messages.write(log("INFO", "the next"))


def test_check_says_whether_the_token_works(source: Source, config: Make, tap: Tap) -> None:
    right, wrong = (
        source.run("check", config=config()),
        source.run("check", config=config(api_token="a-wrong-token-1234")),
    )
    assert (right.code, right.of("CONNECTION_STATUS")) == (0, [{"status": "SUCCEEDED"}])
    (status,) = wrong.of("CONNECTION_STATUS")
    assert (wrong.code, status["status"]) == (0, "FAILED")
    assert (
        without_see(status["message"])
        == tap.run(config(api_token="a-wrong-token-1234", report_parameters={}), "--check").errors[0]
    )
    assert "a-wrong-token-1234" not in wrong.out + wrong.log


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"timezone": "Nowhere"}, "timezone: 'Nowhere' is not an IANA time zone"),
        ({"accept": "{"}, "accept: should be a JSON object as text, and is not JSON"),
        ({"accept": '["rows"]'}, "accept: ['rows'] should be object"),
        ({"stream_maps": {}}, "stream_maps: there is no such setting"),
    ],
)
def test_a_setting_that_can_t_be_used_is_the_reason_why_a_check_fails(
    source: Source, config: Make, more: dict[str, Any], said: str
) -> None:
    (status,) = source.run("check", config=config(**more)).of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert status["message"].startswith(said)


def test_what_a_form_leaves_empty_is_no_setting(source: Source, config: Make) -> None:
    (status,) = source.run("check", config=config(end_date="", skip_windows="", series_zone="", form_ids=[])).of(
        "CONNECTION_STATUS"
    )
    assert status == {"status": "SUCCEEDED"}


def test_the_streams_are_those_of_the_tap(source: Source, config: Make, tap: Tap) -> None:
    (found,) = source.run("discover", config=config()).of("CATALOG")
    assert found == catalog_of(COLUMNS)
    streams = {each["name"]: each for each in found["streams"]}
    for entry in json.loads(tap.run(None, "--discover").out)["streams"]:
        stream = streams.pop(entry["tap_stream_id"])
        assert stream["json_schema"]["properties"] == entry["schema"]["properties"]
        assert stream["source_defined_primary_key"] == [[key] for key in entry["key_properties"]]
        cursor = [entry["replication_key"]] if "replication_key" in entry else None
        assert stream.get("default_cursor_field") == cursor
        assert (
            ("incremental" in stream["supported_sync_modes"])
            is stream.get("source_defined_cursor", False)
            is bool(cursor)
        )
    assert streams == {}


def test_whoever_chooses_every_stream_gets_no_error(source: Source, new_sandbox: NewSandbox) -> None:
    settings = new_sandbox(export_seconds=0, messages_per_day=6).config(**START)
    (found,) = source.run("discover", config=settings).of("CATALOG")
    assert {each["name"] for each in found["streams"]} == BY_NAME.keys() - {"workflow_states"}
    chosen = {
        "streams": [
            {"stream": each, "sync_mode": each["supported_sync_modes"][-1], "destination_sync_mode": "append_dedup"}
            for each in found["streams"]
        ]
    }
    answer = source.run("read", config=settings, catalog=chosen)
    assert answer.code == 0, answer.out
    (found,) = source.run("discover", config=settings | {"report_parameters": '{"workflow_states": {}}'}).of("CATALOG")
    assert {each["name"] for each in found["streams"]} == BY_NAME.keys()


def test_columns_are_discovered_if_a_setting_wants_it(source: Source, config: Make) -> None:
    (found,) = source.run("discover", config=config(discover_columns=True)).of("CATALOG")
    (stream,) = (each for each in found["streams"] if each["name"] == "nps_submissions")
    assert "found by discovery" in json.dumps(stream)


# Reading


def test_a_read_has_the_rows_and_bookmarks_of_the_tap(source: Source, tap: Tap, config: Make) -> None:
    run = tap.run(config(report_parameters=OWN_TYPE), catalog=select(*BY_NAME))
    answer = source.run("read", config=config(), catalog=configured())
    assert answer.code == 0, answer.out
    assert answer.records == run.records
    states = {name: value for name, value in run.state["bookmarks"].items() if name not in LISTS}
    assert state_in(answer.states)["bookmarks"] == states
    assert answer.status == dict.fromkeys(BY_NAME, "COMPLETE")
    assert answer.errors == []
    assert answer.log == "", "all of it is in messages"


def test_the_states_count_every_record_once(source: Source, config: Make) -> None:
    answer = source.run("read", config=config(include_partial=True), catalog=configured())
    counted: dict[str, int] = defaultdict(int)
    for state in answer.of("STATE"):
        counted[state["stream"]["stream_descriptor"]["name"]] += state["sourceStats"]["recordCount"]
    assert {name: count for name, count in counted.items() if count} == {
        name: len(rows) for name, rows in answer.records.items()
    }
    for name in LISTS:
        (state,) = (each for each in answer.states if each["stream"]["stream_descriptor"]["name"] == name)
        assert state["stream"]["stream_state"] == {NO_CURSOR: True}


def test_a_stream_begins_runs_and_ends_in_this_order(source: Source, config: Make) -> None:
    answer = source.run("read", config=config(), catalog=configured("summary"))
    kinds = [
        trace["stream_status"]["status"] if trace["type"] == "STREAM_STATUS" else trace["type"]
        for message in answer.messages
        if (trace := message.get("trace", {"type": message["type"]}))["type"] != "LOG"
    ]
    assert kinds == ["ESTIMATE", "STARTED", "RUNNING", *["RECORD", "STATE"] * 5, "COMPLETE"]
    assert answer.traces("ESTIMATE") == [{"name": "summary", "type": "STREAM", "row_estimate": 5}]


def test_streams_may_be_open_side_by_side_while_an_export_is_not_there(source: Source, new_sandbox: NewSandbox) -> None:
    settings = new_sandbox(export_seconds=2, messages_per_day=6).config(start_date="2026-03-01")
    chosen = configured("summary", "case_summary", "mention_sla_export")
    answer = source.run("read", config=settings | {"rate_limit_requests": 20, "rate_limit_seconds": 1}, catalog=chosen)
    assert answer.code == 0, answer.out
    told = [(each["stream_descriptor"]["name"], each["status"]) for each in answer.traces("STREAM_STATUS")]
    assert told.index(("summary", "STARTED")) < told.index(("mention_sla_export", "RUNNING"))
    assert answer.status == dict.fromkeys(("summary", "case_summary", "mention_sla_export"), "COMPLETE")
    at_leisure = source.run("read", config=settings, catalog=chosen)
    assert answer.records == at_leisure.records
    assert state_in(answer.states) == state_in(at_leisure.states)


def test_the_next_read_goes_on_from_the_states(source: Source, config: Make) -> None:
    streams = ("users", "summary", "nps_summary", "case_details")
    first = source.run("read", config=config(end_date="2026-04-28"), catalog=configured(*streams))
    second = source.run("read", config=config(), catalog=configured(*streams), state=first.states)
    whole = source.run("read", config=config(), catalog=configured(*streams))
    assert second.records["users"] == whole.records["users"]
    assert first.records["summary"] + second.records["summary"] == whole.records["summary"]
    assert {row["form_id"] for row in second.records["nps_summary"]} == {55, 56}
    assert second.states == whole.states
    third = source.run("read", config=config(), catalog=configured(*streams), state=second.states)
    assert third.records.keys() == {"users"}
    assert state_in(third.states) == state_in(second.states)


def test_a_full_refresh_goes_on_from_nothing(source: Source, config: Make) -> None:
    first = source.run("read", config=config(), catalog=configured("summary"))
    again = source.run("read", config=config(), catalog=configured("summary", mode="full_refresh"), state=first.states)
    assert again.records == first.records
    assert [state["stream"]["stream_state"] for state in again.of("STATE")] == [{NO_CURSOR: True}]
    after = source.run("read", config=config(), catalog=configured("summary"), state=again.states)
    assert after.records == first.records, "incremental again: nothing is known of where it had come to"


def test_columns_that_are_not_selected_are_left_out_and_nowhere_else(source: Source, config: Make) -> None:
    wanted = configured("users", "case_details")
    for entry in wanted["streams"]:
        properties = entry["stream"]["json_schema"]["properties"]
        entry["stream"]["json_schema"]["properties"] = {
            name: each for name, each in properties.items() if name in {"timezone", "network", "additional_columns"}
        }
    answer = source.run("read", config=config(), catalog=wanted)
    assert {tuple(row) for row in answer.records["users"]} == {("id", "timezone", "additional_columns")}
    assert answer.records["users"] == [row | {"additional_columns": None} for row in answer.records["users"]]
    for row in answer.records["case_details"]:
        assert row.keys() == {"record_id", "date_from", "network", "additional_columns"}
        assert "name" not in (row["additional_columns"] or {})


def test_a_read_that_is_killed_anywhere_and_gone_on_from_has_every_row(source: Source, config: Make) -> None:
    """A destination keeps what came before the last state, or more."""
    whole = source.run("read", config=config(), catalog=configured())
    lines = whole.out.splitlines(keepends=True)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        killed = Answer(-9, "".join(lines[: int(len(lines) * share)]), "")
        rest = source.run("read", config=config(), catalog=configured(), state=killed.states)
        for name in whole.records:
            assert by_key(killed, name) | by_key(rest, name) == by_key(whole, name), (name, share)


def by_key(answer: Answer, name: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of a stream as a table with upsert keeps them."""
    return {tuple(row[key] for key in BY_NAME[name].keys): row for row in answer.records[name]}


def test_no_message_has_the_token(source: Source, sandbox: Sandbox, config: Make) -> None:
    sandbox.fault("echo_token", "summary", times=None)
    answer = source.run("read", config=config(), catalog=configured())
    assert answer.code == 1
    assert sandbox.token not in answer.out + answer.log


# Trouble


def test_a_reader_that_ends_ends_the_source(source: Source, config: Make) -> None:
    line = source.arguments("read", config=config(), catalog=configured())
    for end, said in (("| head -1", "stdout can't be written (Broken pipe)"), (">&-", "stdout is closed")):
        pipe = ["bash", "-c", f'"$0" "$@" {end}; exit ${{PIPESTATUS[0]}}', *line]
        done = subprocess.run(pipe, capture_output=True, check=False, env=ENVIRONMENT, text=True)
        assert done.returncode == 1
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") == 1


def test_a_stream_that_fails_is_incomplete_and_the_others_are_not(
    source: Source, tap: Tap, config: Make, sandbox: Sandbox
) -> None:
    sandbox.fault("unknown_shape", "summary", times=None)
    streams = ("users", "summary", "case_details")
    run = tap.run(config(report_parameters={}), catalog=select(*streams))
    answer = source.run("read", config=config(), catalog=configured(*streams))
    assert (answer.code, answer.records) == (run.code, run.records) == (1, run.records)
    assert answer.status == {"users": "COMPLETE", "summary": "INCOMPLETE", "case_details": "COMPLETE"}
    assert answer.errors == [("summary", "system_error", run.errors[-1])]


@pytest.mark.parametrize(
    ("fault", "match", "kind"),
    [
        ("unauthorized", None, "config_error"),
        ("forbidden", "summary", "config_error"),
        ("bad_request", "summary", "system_error"),
    ],
)
def test_an_error_says_who_has_to_do_something(
    source: Source, config: Make, sandbox: Sandbox, fault: str, match: str, kind: str
) -> None:
    wanted = configured("summary", "case_summary", "case_details")
    sandbox.fault(fault, match, times=None)
    answer = source.run("read", config=config(export_retries=0), catalog=wanted)
    assert answer.code == 1
    assert {error[1] for error in answer.errors} == {kind}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnreachableError("no host"), "transient_error"),
        (RetriableAPIError("500"), "transient_error"),
        (NotAllowedError("403", 403, 5), "config_error"),
        (ConfigValidationError("no zone"), "config_error"),
        (UnexpectedAnswerError("a list"), "system_error"),
        (EndOfRun("a signal", exit_code=143), "transient_error"),
    ],
)
def test_another_try_helps_if_the_host_may_answer_later(error: BaseException, kind: str) -> None:
    assert kind_of(error) == kind
    end = EndOfRun("the end", exit_code=1)
    end.__cause__ = error
    assert kind_of(end) == kind


def test_a_defect_is_told_without_the_text_of_the_error_which_may_have_data_in_it() -> None:
    try:
        int("a customer's text")
    except ValueError as error:
        trace = defect(error)["trace"]["error"]
    assert trace["failure_type"] == "system_error"
    assert "ValueError" in trace["message"]
    assert "test_airbyte.py" in trace["stack_trace"]
    assert "a customer's text" not in json.dumps([trace["message"], trace["internal_message"]])


def test_max_requests_end_what_is_incremental_and_spoil_what_is_not(source: Source, config: Make) -> None:
    limited = config(max_requests=3)
    answer = source.run("read", config=limited, catalog=configured("summary"))
    assert (answer.code, answer.status, len(answer.records["summary"])) == (0, {"summary": "COMPLETE"}, 3)
    answer = source.run("read", config=limited, catalog=configured("summary", mode="full_refresh"))
    assert (answer.code, answer.status, answer.states) == (1, {"summary": "INCOMPLETE"}, [])
    said = "max_requests (3) ended it, and a full refresh can't continue later. Raise max_requests"
    assert answer.errors[0][2].startswith(f"summary: {said}, or read it incrementally")
    answer = source.run("read", config=limited, catalog=configured("summary", "users"))
    assert answer.errors[0][2] == f"users: {said}", "a list has no other mode"


def test_a_backfill_leaves_the_states_as_they_were_and_replaces_no_table(source: Source, config: Make) -> None:
    first = source.run("read", config=config(), catalog=configured("summary"))
    days = config(backfill_start="2026-04-27", backfill_end="2026-04-28")
    answer = source.run("read", config=days, catalog=configured("summary"), state=first.states)
    assert [row["local_date"] for row in answer.records["summary"]] == ["2026-04-27"]
    assert state_in(answer.states) == state_in(first.states)
    answer = source.run("read", config=days, catalog=configured("summary", mode="full_refresh"))
    assert (answer.code, answer.errors[0][1], answer.records) == (1, "config_error", {})


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"catalog": "{"}, "--catalog: the file is not JSON"),
        ({"catalog": {"streams": [{}]}}, "--catalog: the file is not a configured catalog of Airbyte"),
        ({"catalog": odd_catalog(json_schema=[1])}, "--catalog: the file is not a configured catalog of Airbyte"),
        ({"catalog": odd_catalog(name=None)}, "--catalog: it names None, which this source does not have"),
        (
            {"state": [{"stream": {"stream_descriptor": {"name": "summary"}, "stream_state": 1}}]},
            "--state: the file has",
        ),
        ({"state": {"type": "GLOBAL", "global": {}}}, "--state: the file has no states of streams"),
        ({"config": []}, "--config: the file has no JSON object of settings"),
    ],
)
def test_files_that_can_t_be_used_are_errors_of_the_configuration(
    source: Source, config: Make, files: dict[str, Any], said: str
) -> None:
    answer = source.run("read", **({"config": config(), "catalog": configured("summary")} | files))
    ((_, kind, text),) = answer.errors
    assert (answer.code, kind) == (1, "config_error")
    assert text.startswith(said)


@pytest.mark.parametrize("given", [None, [], {}, [{"type": "LEGACY", "data": {}}]])
def test_a_first_load_has_no_state(given: Any) -> None:
    assert state_in(given) == {"bookmarks": {}}


def test_a_signal_ends_a_read_between_two_messages_and_the_next_goes_on(
    source: Source, config: Make, sandbox: Sandbox
) -> None:
    wanted = configured("summary", "case_summary")
    whole = source.run("read", config=config(), catalog=wanted)
    sandbox.fault("slow", "case_summary", times=None, value=30, after=2)
    line = source.arguments("read", config=config(concurrency=1), catalog=wanted)
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        lines = []
        for text in process.stdout:
            lines.append(text)
            if json.loads(text)["type"] == "STATE" and "case_summary" in text:
                process.send_signal(signal.SIGTERM)
                break
        rest, log = process.communicate()
    answer = Answer(process.returncode, "".join(lines) + rest, log)
    assert (answer.code, answer.log) == (143, "")
    assert answer.status == {"summary": "COMPLETE", "case_summary": "INCOMPLETE"}
    assert answer.errors == [(None, "transient_error", "Ended by SIGTERM. The next run continues from the last state")]
    sandbox.clear_faults()
    again = source.run("read", config=config(), catalog=wanted, state=answer.states)
    for name in ("summary", "case_summary"):
        both = answer.records[name] + again.records[name]
        assert [row for number, row in enumerate(both) if row not in both[:number]] == whole.records[name]


def test_a_signal_does_not_wait_for_a_block_of_rows_that_is_read_slowly(
    source: Source, new_sandbox: NewSandbox
) -> None:
    sandbox = new_sandbox(messages_per_day=300, export_seconds=0)
    config = sandbox.config(start_date="2026-04-01")
    assert_that_a_signal_ends_the_rows(
        source.arguments("read", config=config, catalog=configured("mention_sla_export"))
    )
