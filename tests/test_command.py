"""The command line: what it prints, how it ends, and what it says to bad input."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ENVIRONMENT
from singer_sdk.exceptions import ConfigurationError

from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from conftest import Tap
    from support.types import CatalogOf

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

STREAMS = {
    "users": (["id"], None),
    "groups": (["id"], None),
    "forms": (["id"], None),
    "summary": (["date_from", "interval"], "date_from"),
    "case_summary": (["date_from", "interval"], "date_from"),
    "workflow_states": (["date_from", "interval", "state"], "date_from"),
    "classifications": (["date_from", "interval", "classification_id", "state"], "date_from"),
    "case_classifications": (["date_from", "interval", "classification_id"], "date_from"),
    "user_summary": (["date_from", "interval", "user_id"], "date_from"),
    "user_volume": (["date_from", "interval", "user_id"], "date_from"),
    "nps_summary": (["form_id", "date_from", "interval"], "date_from"),
    "states_volume": (["date_from", "interval", "state"], "date_from"),
    "response_volume": (["date_from", "interval", "metric"], "date_from"),
    "case_volume": (["date_from", "interval", "status"], "date_from"),
    "nps_volume": (["form_id", "timestamp"], "date"),
    "case_details": (["record_id"], "date_from"),
    "mention_sla_export": (["record_id"], "date_from"),
    "nps_submissions": (["form_id", "record_id"], "date_from"),
}


def test_discovery_needs_no_settings_and_lists_streams_with_keys_and_descriptions(tap: Tap) -> None:
    run = tap.run(None, "--discover")
    assert run.code == 0
    entries = {entry["tap_stream_id"]: entry for entry in json.loads(run.out)["streams"]}
    assert {name: (entry["key_properties"], entry.get("replication_key")) for name, entry in entries.items()} == STREAMS
    for name, entry in entries.items():
        root = next(item["metadata"] for item in entry["metadata"] if not item["breadcrumb"])
        assert root["selected"] is (name != "workflow_states")
        assert all(field["description"] for field in entry["schema"]["properties"].values())


def test_a_discovered_catalog_is_accepted(tap: Tap, sandbox: Sandbox) -> None:
    catalog = json.loads(tap.run(None, "--discover").out)
    run = tap.run(sandbox.config(start_date="2026-04-30"), catalog=catalog)
    assert run.code == 0, run.log
    assert len(run.records) == len(STREAMS) - 1, "all but workflow_states"


def test_version_and_about_print_and_end_well(tap: Tap) -> None:
    assert tap.run(None, "--version").out.startswith("tap-lexer-activity v")
    about = tap.run(None, "--about", "--format", "json")
    assert about.code == 0
    assert json.loads(about.out)["name"] == "tap-lexer-activity"


END_OF_LIFE = """
import datetime
from singer_sdk.helpers import _compat
_compat.warn_python_eol.__defaults__ = (datetime.date.fromisoformat({day!r}), (3, 11))
from tap_lexer_activity.__main__ import main
main()
"""
"""The command on a day on which it runs on Python 3.11: the SDK's own way to test what it says."""


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2027-04-03", []),
        ("2027-04-04", ["Python 3.11 will reach its end of life on 2027-10. "]),
        ("2027-10-01", ["Python 3.11 reached its end of life on 2027-10. "]),
    ],
)
def test_the_end_of_life_of_a_python_is_one_line_of_the_log(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, day: str, said: list[str]
) -> None:
    line = tap.arguments(sandbox.config(start_date="2026-04-30"), catalog=catalog_of("users", "summary"))
    line[:1] = [sys.executable, "-c", END_OF_LIFE.format(day=day)]
    env = ENVIRONMENT | {"PYTHONWARNINGS": ""}
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=60, check=True)
    levels = [entry.split(" | ", 2)[1].strip() for entry in done.stderr.splitlines()]
    assert set(levels) <= {"INFO", "WARNING"}
    assert levels.count("WARNING") == len(said)
    warnings = [entry.split(" | ", 3)[3] for entry in done.stderr.splitlines() if " WARNING " in entry]
    assert [text[: len(beginning)] for text, beginning in zip(warnings, said, strict=True)] == said
    assert all(text.endswith(" (SingerSDKPythonEOLWarning)") for text in warnings)


@pytest.mark.unhurried  # it runs in this process, too, by another clock
def test_each_test_has_a_quota_of_its_own(tap: Tap, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    config = sandbox.config()
    assert tap.run(config, "--check").code == 0
    TapLexerActivity(config=config).check()
    folder = Path(tempfile.gettempdir())
    assert folder.parent == tmp_path_factory.getbasetemp()
    assert ENVIRONMENT["TMPDIR"] == str(folder)
    (quota,) = folder.glob("*/quota-*")
    with closing(sqlite3.connect(quota)) as database:
        assert database.execute("SELECT count(*) FROM calls").fetchall() == [(4,)], "two for each"


def test_the_sdk_s_test_mode_reads_one_record_per_stream(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-30"), "--test")
    assert run.code == 0, run.log
    assert {name: len(records) for name, records in run.records.items()} == dict.fromkeys(
        STREAMS.keys() - {"workflow_states"}, 1
    )


def test_the_sdk_s_test_mode_fails_with_a_stream(tap: Tap, sandbox: Sandbox) -> None:
    sandbox.fault("bad_request", "case_summary", times=None)
    run = tap.run(sandbox.config(start_date="2026-04-30"), "--test=all")
    assert run.code == 1
    assert run.errors[0].startswith("case_summary failed: report 'case_summary' from 2026-04-30T00:00:00+10:00")


def test_the_sdk_s_test_mode_describes_every_stream_without_a_request(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(), "--test=schema")
    assert run.code == 0, run.log
    assert {message["type"] for message in run.messages} == {"SCHEMA"}
    assert sorted(message["stream"] for message in run.messages) == sorted(STREAMS)
    assert not sandbox.requests


def test_a_test_mode_that_there_is_not_is_refused(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(), "--test=records", "--select", "users")
    assert (run.code, run.out, len(sandbox.requests)) == (2, "", 0)
    assert "'records' is not one of 'all', 'schema'" in run.log


def test_settings_come_from_the_environment_too(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    env = {
        f"TAP_LEXER_ACTIVITY_{name.upper()}": str(value)
        for name, value in sandbox.config(start_date="2026-04-30").items()
    }
    env |= {"TAP_LEXER_ACTIVITY_FORM_IDS": "[55]", "TAP_LEXER_ACTIVITY_INCLUDE_PARTIAL": "true"}
    run = tap.run(None, "--config=ENV", catalog=catalog_of("nps_summary"), env=env)
    assert run.code == 0, run.log
    assert len(run.records["nps_summary"]) == 2


# --check


def test_check_says_that_the_token_works(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(), "--check")
    assert (run.code, run.out) == (0, "")
    assert "The token works" in run.log
    assert "2 NPS forms" in run.log
    assert "| WARNING " not in run.log


@pytest.mark.parametrize(
    ("fault", "said"),
    [("unauthorized", "The api_token is wrong"), ("server_error", "500"), ("unknown_shape", "not as Lexer")],
)
def test_check_says_why_it_does_not_work_and_tries_once(tap: Tap, sandbox: Sandbox, fault: str, said: str) -> None:
    sandbox.fault(fault, times=None, value=5 if fault == "unknown_shape" else None)
    run = tap.run(sandbox.config(), "--check")
    assert (run.code, run.out) == (1, "")
    assert len(run.errors) == 1
    assert said in run.errors[0]
    assert len(sandbox.requests) == 1


def test_check_does_not_wait_for_the_quota(tap: Tap, sandbox: Sandbox) -> None:
    sandbox.fault("rate_limited", times=None, value=600)
    run = tap.run(sandbox.config(), "--check", timeout=20)
    assert run.code == 1
    assert "429" in run.errors[0]
    assert len(sandbox.requests) == 1


# Meltano's environments


def test_only_a_sandbox_s_token_leaves_the_environment_of_the_sandbox(tap: Tap, sandbox: Sandbox) -> None:
    meltano = {"MELTANO_ENVIRONMENT": "sandbox"}
    real = sandbox.config(api_token="0123456789-abcdef")
    for config in (real, real | {"api_url": "https://api.lexer.example/v1"}):
        for arguments in ((), ("--check",), ("--plan",)):
            run = tap.run(config, *arguments, env=meltano)
            assert (run.code, run.out) == (1, "")
            assert run.errors[0].startswith("api_token: is not a sandbox token")
            assert "'sandbox'" in run.errors[0]
            assert "--environment=prod" in run.errors[0]
            assert "0123456789" not in run.log
    assert sandbox.requests == []
    assert tap.run(sandbox.config(), "--check", env=meltano).code == 0

    for environment in ({}, {"MELTANO_ENVIRONMENT": "prod"}):
        run = tap.run(real, "--check", env=environment)
        assert "401" in run.errors[0], "a local stand-in may have tokens of any kind"


def test_a_failed_connection_names_the_environment(tap: Tap, sandbox: Sandbox) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        config = sandbox.config(api_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        for name in ("sandbox", "prod"):
            (line,) = tap.run(config, "--check", env={"MELTANO_ENVIRONMENT": name}).errors
            assert f"Meltano's environment is '{name}'" in line
            assert ("lexer-activity-sandbox" in line) is (name == "sandbox")
        (line,) = tap.run(config, "--check", env={"MELTANO_ENVIRONMENT": ""}).errors
    assert "environment" not in line


# The log


def test_settings_of_the_environment_are_read_without_a_line_for_each(tap: Tap, sandbox: Sandbox) -> None:
    env = {f"TAP_LEXER_ACTIVITY_{name.upper()}": str(value) for name, value in sandbox.config().items()}
    arguments = ("--config=ENV", "--check")
    lines = [line.split("|", 3)[3].strip() for line in tap.run(None, *arguments, env=env).log.splitlines()]
    assert [line.partition(" ")[0] for line in lines] == ["tap-lexer-activity", "The"]
    assert lines[1].startswith("The token works")
    assert "Skipping parse" not in tap.run(sandbox.config(), "--check").log
    debugged = tap.run(None, *arguments, env=env | {"TAP_LEXER_ACTIVITY_LOGLEVEL": "DEBUG"}).log
    assert "| DEBUG    | singer_sdk.configuration._dict_config | Parsing 'start_date' config" in debugged


# Bad input: one clear line, exit code 1, nothing on stdout


def refused(tap: Tap, *args: Any, **kwargs: Any) -> str:
    run = tap.run(*args, **kwargs)
    assert (run.code, run.out) == (1, ""), run.log
    assert "Traceback" not in run.log
    (line,) = run.errors
    return line


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            {"timezone": "Australia/Sidney"},
            "timezone: 'Australia/Sidney' is not an IANA time zone; did you mean Australia/Sydney?",
        ),
        ({"end_date": "2020-01-01"}, "end_date: '2020-01-01' is not after start_date"),
        ({"start_date": "2199-01-01"}, "start_date: '2199-01-01' is in the future"),
        ({"api_token": ""}, "api_token: is empty"),
        ({"api_token": "two\nlines"}, "api_token: has a line break"),
        ({"start_dat": "2026-01-01"}, "start_dat: there is no such setting; did you mean start_date?"),
        (
            {"batch_config": {"encoding": {"format": "parquet"}, "storage": {"root": "nowhere"}}},
            "batch_config[encoding][format]: 'parquet' should be one of jsonl",
        ),
        ({"batch_config": {"encoding": {"format": "jsonl"}}}, "batch_config: 'storage' is a required property"),
        (
            {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "nowhere"}, "batch_size": 0}},
            "batch_config[batch_size]: 0 should be 1 or more",
        ),
        (
            {"report_parameters": {"summary": {"type": ["a"]}}},
            "report_parameters['summary']: the type is ['a'] and should be text",
        ),
        (
            {"stream_maps": {"__else__": "drop"}},
            "stream_maps[__else__]: 'drop' is not valid under any of the given schemas",
        ),
        ({"report_parameters": {"sumary": {}}}, "report_parameters: there is no report stream 'sumary'"),
        *(
            (
                {"stream_map_config": {"hash_seed": salt}},
                "stream_map_config[hash_seed]: is empty, so digests are soon guessed",
            )
            for salt in ("", " \t")
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_before_the_first_request(
    tap: Tap, sandbox: Sandbox, setting: dict[str, Any], line: str
) -> None:
    assert refused(tap, sandbox.config(**setting)).startswith(line)
    assert not sandbox.requests


def test_a_wrong_token_is_refused_and_not_shown(tap: Tap, sandbox: Sandbox) -> None:
    config = sandbox.config(api_token="wrong-token-1234")
    line = refused(tap, config)
    assert "401" in line
    assert "wrong-token-1234" not in line
    assert "api token not matching" in line


def test_a_form_that_does_not_exist_is_named_with_those_that_do(tap: Tap, sandbox: Sandbox) -> None:
    line = refused(tap, sandbox.config(form_ids=[55, 99]))
    assert line.startswith("form_ids: 99 is not an NPS form of this account; its NPS forms are: 55 (")


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (
            {"bookmarks": {"orders": {"replication_key_value": "2026-01-01T00:00:00Z"}}},
            "The state can't be used: it has bookmarks of orders",
        ),
        (
            {"bookmarks": {"summary": {"replication_key_value": "then"}}},
            "The state can't be used: the bookmark of summary is 'then'",
        ),
        (
            {
                "bookmarks": {
                    "nps_summary": {
                        "partitions": [{"context": {"form_id": "55"}, "replication_key_value": "2026-01-01T00:00:00Z"}]
                    }
                }
            },
            "The state can't be used: nps_summary has a bookmark for {'form_id': '55'}, which should be like",
        ),
        ([], "The state can't be used: it is not a JSON object"),
        ("{", "3.json is not JSON"),
        ("null", "3.json is null. For a first load, leave out --state; otherwise pass the last state"),
        ("\n", "3.json is empty. For a first load, leave out --state; otherwise pass the last state"),
    ],
)
def test_a_state_that_is_not_one_is_refused(tap: Tap, sandbox: Sandbox, state: Any, line: str) -> None:
    assert line.removeprefix("3") in refused(tap, sandbox.config(), state=state)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("catalog", "line"),
    [
        (
            {"streams": [{"tap_stream_id": "orders", "schema": {"properties": {}}}]},
            "The catalog can't be used: it names orders, and this tap's streams are",
        ),
        ({}, "The catalog can't be used: it is not a valid catalog"),
        (
            {"streams": [{"tap_stream_id": "users", "schema": {"properties": {"id": None}}}]},
            "The catalog can't be used: at $.streams[0].schema.properties.id it is not a valid catalog",
        ),
        ("null", "is null. Make it again with --discover"),
        ([], "The catalog can't be used: it is not a valid catalog"),
        ("nonsense", "is not JSON"),
    ],
)
def test_a_catalog_that_is_not_one_is_refused(tap: Tap, sandbox: Sandbox, catalog: Any, line: str) -> None:
    assert line in refused(tap, sandbox.config(), catalog=catalog)
    assert not sandbox.requests


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONUTF8": "1"}]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_catalog_and_state_are_in_utf_8_under_any_locale(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, locale: dict[str, str], mark: str
) -> None:
    catalog = catalog_of("mention_sla_export")
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "mention_sla_export":
            entry["schema"]["properties"]["grüße"] = {"type": ["null", "string"], "title": "Grüße"}
    state = {"bookmarks": {"mention_sla_export": {"replication_key_value": "2026-04-30T14:00:00Z"}}}
    texts = [mark + json.dumps(content, ensure_ascii=False) for content in (catalog, state)]
    run = tap.run(sandbox.config(start_date="2026-04-20"), catalog=texts[0], state=texts[1], env=locale)
    assert run.code == 0, run.log
    (schema,) = (message["schema"] for message in run.messages if message["type"] == "SCHEMA")
    assert "grüße" in schema["properties"]
    assert "2026-04-20" not in {record["local_date"] for record in run.records["mention_sla_export"]}, "it has a state"


@pytest.mark.parametrize("option", ["--state", "--catalog"])
def test_a_file_in_another_encoding_is_refused_by_its_name(
    tap: Tap, sandbox: Sandbox, tmp_path: Path, option: str
) -> None:
    (path := tmp_path / "given.json").write_bytes('{"bookmarks": "grüße"}'.encode("latin-1"))
    line = refused(tap, sandbox.config(), option, str(path))
    assert line.startswith(f"{option}: {path} is not in UTF-8. ")
    assert not sandbox.requests


@pytest.mark.parametrize("where", ["metadata", "entry"])
@pytest.mark.parametrize(
    ("method", "reads_all"),
    [("FULL_TABLE", True), ("full_table", True), ("full-table", True), ("INCREMENTAL", False), ("incremental", False)],
)
def test_a_replication_method_counts_however_it_is_written(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, where: str, method: str, *, reads_all: bool
) -> None:
    state = {"bookmarks": {"summary": {"replication_key_value": "2026-04-30T14:00:00Z"}}}
    catalog = with_method(catalog_of("summary"), where, method)
    run = tap.run(sandbox.config(start_date="2026-04-20", lookback_days=0), catalog=catalog, state=state)
    assert run.code == 0, run.log
    assert len(run.records["summary"]) == (11 if reads_all else 0)


@pytest.mark.parametrize("where", ["metadata", "entry"])
def test_a_replication_method_that_does_not_exist_is_refused(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, where: str
) -> None:
    for name, method in (("summary", "HOURLY"), ("summary", "LOG_BASED"), ("users", "log_based")):
        line = refused(tap, sandbox.config(), catalog=with_method(catalog_of(name), where, method, name))
        said = f"The catalog can't be used: the replication method of {name} is {method!r}; "
        assert line == f"{said}it can be FULL_TABLE or INCREMENTAL"
    assert not sandbox.requests


@pytest.mark.parametrize("where", ["metadata", "entry"])
def test_a_list_is_read_whole_by_either_method(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, where: str) -> None:
    for method in ("INCREMENTAL", "FULL_TABLE"):
        run = tap.run(sandbox.config(), catalog=with_method(catalog_of("users"), where, method, "users"))
        assert run.code == 0, run.log
        assert run.records["users"]


def with_method(catalog: dict[str, Any], where: str, method: str, name: str = "summary") -> dict[str, Any]:
    (entry,) = (entry for entry in catalog["streams"] if entry["tap_stream_id"] == name)
    if where == "entry":
        entry["replication_method"] = method
    else:
        (root,) = (item["metadata"] for item in entry["metadata"] if not item["breadcrumb"])
        root["replication-method"] = method
        entry["replication_method"] = "INCREMENTAL"  # as discovery writes it
    return catalog


def test_activate_version_is_neither_named_nor_accepted(tap: Tap, sandbox: Sandbox) -> None:
    assert "activate" not in tap.run(None, "--about").out
    assert "emit_activate_version_messages: there is no such setting" in refused(
        tap, sandbox.config(emit_activate_version_messages=True)
    )


def test_a_config_that_is_no_file_or_no_json_is_refused(tap: Tap) -> None:
    assert "nowhere.json" in refused(tap, None, "--config", "nowhere.json")
    for content in ("{nonsense", "[5]", ""):
        assert "not a file with a JSON object of settings" in refused(tap, content)
    for path in ("nowhere.json", "."):
        assert tap.run(None, "--config", path).see == ["config-no-path"]


@pytest.mark.parametrize(
    ("name", "value", "like"),
    [
        ("LOOKBACK_DAYS", "seven", "7"),
        ("FORM_IDS", "55,56", "[55, 56]"),
        ("EXPORT_TIME_FORMATS", "%d/%m/%Y", '["%d/%m/%Y %H:%M"]'),
        ("REPORT_PARAMETERS", "{", "{}"),
        ("INCLUDE_PARTIAL", "ja", "true or false"),
    ],
)
def test_a_variable_that_can_not_be_read_is_refused_by_name(tap: Tap, name: str, value: str, like: str) -> None:
    env = {"TAP_LEXER_ACTIVITY_API_TOKEN": "secret-token", f"TAP_LEXER_ACTIVITY_{name}": value}
    line = refused(tap, None, "--config=ENV", env=env)
    assert line == f"The environment variable TAP_LEXER_ACTIVITY_{name} is {value!r} and should be like {like}"


@pytest.mark.parametrize("name", ["FORM_IDS", "LOOKBACK_DAYS", "REPORT_PARAMETERS", "INCLUDE_PARTIAL"])
def test_a_token_in_another_variable_is_not_shown(tap: Tap, sandbox: Sandbox, name: str) -> None:
    token = "a-token-that-nobody-knows"
    said = f"The environment variable TAP_LEXER_ACTIVITY_{name} is '[api_token]' and should be like "
    variable = {f"TAP_LEXER_ACTIVITY_{name}": token}
    known = variable | {"TAP_LEXER_ACTIVITY_API_TOKEN": token}
    for run in (
        tap.run(None, "--config=ENV", env=known),
        tap.run(sandbox.config(api_token=token), "--config=ENV", env=variable),
    ):
        assert (run.code, len(run.errors)) == (1, 1), run.log
        assert run.errors[0].startswith(said)
        assert token not in run.log


@pytest.mark.parametrize(
    "text",
    [
        '{"api_token": "a-token"}',
        ' \n{"api_token":',
        '["a-token"]',
        '"a-token"',
        "'a-token'",
        "api_token=a-token",
        "x: a-token",
    ],
)
def test_a_configuration_in_place_of_its_path_is_not_shown(tap: Tap, sandbox: Sandbox, text: str) -> None:
    said = "--config: should be the path of a file, or ENV, but looks like settings (not shown)"
    assert refused(tap, None, "--config", text, "a-token") == said
    assert refused(tap, sandbox.config(), "--config", text) == said


def test_a_path_may_have_braces_in_it(tap: Tap, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "{it's}: [1].json"
    path.write_text(json.dumps(sandbox.config()), encoding="utf-8")
    assert tap.run(None, "--config", str(path), "--check").code == 0
    assert "should be the path of a file" in tap.run(None, "--config", f"{path}{'x' * 5000}", "--check").log


@pytest.mark.filterwarnings("ignore:Passing a .*config file path")
def test_a_variable_that_can_not_be_read_is_told_of_also_where_the_configuration_is_a_path(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(sandbox.config()), encoding="utf-8")
    monkeypatch.setenv("TAP_LEXER_ACTIVITY_LOOKBACK_DAYS", "x")
    for given in (path, [path]):
        with pytest.raises(ConfigurationError, match="LOOKBACK_DAYS is 'x' and should be like 7"):
            TapLexerActivity(config=given, parse_env_config=True)


def test_a_level_of_the_log_that_there_is_not_is_one_clear_line(tap: Tap) -> None:
    for name in ("TAP_LEXER_ACTIVITY_LOGLEVEL", "LOGLEVEL"):
        run = tap.run(None, "--version", env={name: "nonsense"})
        said = f"The environment variable {name} should be one of DEBUG, INFO, WARNING, ERROR and CRITICAL\n"
        assert (run.code, run.out, run.log) == (1, "", said)
    for levels in (("debug", "nonsense"), ("", "Warning")):
        env = dict(zip(("TAP_LEXER_ACTIVITY_LOGLEVEL", "LOGLEVEL"), levels, strict=True))
        assert tap.run(None, "--version", env=env).code == 0


def test_empty_variables_and_nulls_are_settings_that_are_not_given(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    env = {"TAP_LEXER_ACTIVITY_LOOKBACK_DAYS": "", "TAP_LEXER_ACTIVITY_END_DATE": "", "TAP_LEXER_ACTIVITY_FORM_IDS": ""}
    config = sandbox.config(start_date="2026-04-30", stream_maps=None, lookback_days=None, batch_config=None)
    line = [*tap.arguments(config, catalog=catalog_of("summary"))[1:], "--config=ENV"]
    run = tap.run(None, *line, env=env)
    assert run.code == 0, run.log
    assert len(run.records["summary"]) == 1


def test_settings_of_the_environment_that_are_not_read_are_told_of(tap: Tap, sandbox: Sandbox) -> None:
    env = {"TAP_LEXER_ACTIVITY_BACKFILL_START": "2026-03-01", "TAP_LEXER_ACTIVITY_TIMEZONE": ""}
    said = "Ignored, because --config ENV is missing: TAP_LEXER_ACTIVITY_BACKFILL_START"
    config = sandbox.config(start_date="2026-04-01")
    assert said in tap.run(config, "--plan", env=env).log
    run = tap.run(config, "--config=ENV", "--plan", env=env)
    assert "Ignored" not in run.log
    assert "backfill" in run.out


def test_variables_that_say_what_the_file_says_are_no_slips_as_meltano_sets_them_all(
    tap: Tap, sandbox: Sandbox
) -> None:
    config = sandbox.config(start_date="2026-04-01", include_partial=False, lookback_days=7, form_ids=[55])
    env = {f"TAP_LEXER_ACTIVITY_{name.upper()}": str(value) for name, value in config.items()}
    assert "Ignored" not in tap.run(config, "--plan", env=env).log
    said = "Ignored, because --config ENV is missing: TAP_LEXER_ACTIVITY_LOOKBACK_DAYS"
    assert said in tap.run(config, "--plan", env=env | {"TAP_LEXER_ACTIVITY_LOOKBACK_DAYS": "8"}).log


def test_variables_of_meltano_and_of_other_extractors_are_no_slips(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    settings = ("API_TOKEN", "START_DATE", "TIMEZONE", "API_URL", "LOOKBACK_DAYS", "EXPORT_TIMEOUT", "STREAM_MAPS")
    env = {f"TAP_LEXER_ACTIVITY_{name}_{setting}": "x" for name in ("_EMEA", "NORTH") for setting in settings}
    env |= {f"TAP_LEXER_ACTIVITY__{extra}": "x" for extra in ("SELECT", "CATALOG", "LOAD_SCHEMA", "STATE", "METADATA")}
    slips = {"TAP_LEXER_ACTIVITY_EXPRT_LOOKBACK_DAYS": "3", "TAP_LEXER_ACTIVITY_TIMEZON": "x"}
    line = [*tap.arguments(sandbox.config(), catalog=catalog_of())[1:], "--config=ENV"]
    run = tap.run(None, *line, env=env | slips)
    assert run.code == 0, run.log
    assert run.log.count("is not a setting; did you mean") == len(slips)
    assert "TIMEZON is not a setting; did you mean TAP_LEXER_ACTIVITY_TIMEZONE?" in run.log
    assert "EXPRT_LOOKBACK_DAYS is not a setting; did you mean TAP_LEXER_ACTIVITY_EXPORT_LOOKBACK_DAYS?" in run.log


def test_a_variable_that_is_nearly_a_setting_is_told_of(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    env = {"TAP_LEXER_ACTIVITY_LOOKBACK": "3", "TAP_LEXER_ACTIVITY_INCLUDE_PARTIAL": "No"}
    line = [*tap.arguments(sandbox.config(), catalog=catalog_of())[1:], "--config=ENV"]
    run = tap.run(None, *line, env=env)
    assert run.code == 0, run.log
    said = "variable TAP_LEXER_ACTIVITY_LOOKBACK is not a setting; did you mean TAP_LEXER_ACTIVITY_LOOKBACK_DAYS?"
    assert said in run.log
    assert "No stream is selected" in run.log


def test_whole_numbers_may_be_written_with_a_point(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    config = sandbox.config(start_date="2026-04-30", lookback_days=2.0, form_ids=[55.0], request_timeout=30.0)
    run = tap.run(config, catalog=catalog_of("nps_summary"))
    assert run.code == 0, run.log
    assert {record["form_id"] for record in run.records["nps_summary"]} == {55}


def test_a_catalog_that_names_a_stream_in_another_way_is_read_as_before(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    catalog = catalog_of("users")
    for entry in catalog["streams"]:
        entry["stream"] = f"Our {entry['tap_stream_id']}"
    run = tap.run(sandbox.config(), catalog=catalog)
    assert run.code == 0, run.log
    assert run.records["users"]


def test_a_slip_in_a_stream_map_is_told_of(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    maps = {
        "user": {"email": None},
        "users": {"emial": None, "email": None, "number": "id", "id": "id", "__else__": None},
        "us*": {"first_nam": None, "first_name": None},
        "copy": {"__source__": "users"},
        "groups": None,
        "__else__": None,
    }
    run = tap.run(sandbox.config(stream_maps=maps), catalog=catalog_of("users"))
    assert run.code == 0, run.log
    assert [line.split("stream_maps: ")[1] for line in run.log.splitlines() if "| WARNING " in line] == [
        "there is no stream 'user', so its map does nothing; did you mean users?",
        "users has no column 'emial', so none is removed; did you mean email?",
        "us* has no column 'first_nam', so none is removed; did you mean first_name?",
    ]


def test_a_stream_map_that_can_not_be_read_is_named(tap: Tap, sandbox: Sandbox) -> None:
    line = refused(tap, sandbox.config(stream_maps={"users": {"number": "1+"}}))
    assert line.startswith("stream_maps: the map for users can't be used: ")


def test_closed_outputs_are_no_reason_for_a_stack_trace(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    command = [str(word) for word in tap.arguments(sandbox.config(), catalog=catalog_of("users"))]
    for closed, code in ((">&-", 1), ("2>&-", 0)):
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command]
        done = subprocess.run(shell, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert ("stdout is closed, but records are written there" in done.stderr) == (code == 1)
        assert ('"RECORD"' in done.stdout) == (code == 0)


def test_a_stream_map_for_all_streams_works(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-30", stream_maps={"*": {"source": "'lexer'"}}))
    assert run.code == 0, run.log
    assert run.records.keys() == STREAMS.keys() - {"workflow_states"}
    assert {record["source"] for records in run.records.values() for record in records} == {"lexer"}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_dates_at_the_end_of_time_are_refused(tap: Tap, sandbox: Sandbox, moment: str) -> None:
    assert "start_date" in refused(tap, sandbox.config(start_date=moment))
    assert "summary" in refused(
        tap, sandbox.config(), state={"bookmarks": {"summary": {"replication_key_value": moment}}}
    )


@pytest.mark.parametrize(
    "metadata", [None, [{}], ["x"], 5, [{"breadcrumb": []}], [{"breadcrumb": [], "metadata": None}]]
)
def test_a_catalog_with_odd_metadata_is_refused(tap: Tap, sandbox: Sandbox, metadata: Any) -> None:
    entry = {"tap_stream_id": "users", "schema": {"properties": {}}, "metadata": metadata}
    assert "The catalog can't be used: at $.streams[0]" in refused(tap, sandbox.config(), catalog={"streams": [entry]})


def test_keys_that_are_no_columns_are_refused(tap: Tap, sandbox: Sandbox) -> None:
    entry = {"tap_stream_id": "users", "schema": {"properties": {}}, "key_properties": ["nope"]}
    assert "users has the key nope" in refused(tap, sandbox.config(), catalog={"streams": [entry]})


def test_a_start_date_after_the_bookmark_is_told_of(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    state = {
        "bookmarks": {"summary": {"replication_key": "date_from", "replication_key_value": "2026-03-01T13:00:00Z"}}
    }
    run = tap.run(sandbox.config(start_date="2026-04-29"), catalog=catalog_of("summary"), state=state)
    assert "what lies between them is not read" in run.log


def test_the_machine_s_own_zone_plays_no_part(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    config = sandbox.config(start_date="2026-04-04", series_interval="hour")
    catalog = catalog_of("summary", "case_volume")
    runs = [
        tap.run(config, catalog=catalog, env={"TZ": zone}) for zone in ("UTC", "America/New_York", "Pacific/Kiritimati")
    ]
    assert runs[0].records["summary"]
    assert runs[0].records == runs[1].records == runs[2].records


def test_odd_catalogs_and_states_are_no_reason_for_a_stack_trace(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    odd = {"progress_markers": 5, "replication_key_signpost": ["x"], "starting_replication_value": {}}
    bookmark = {"replication_key": "date_from", "replication_key_value": "2026-04-29T14:00:00Z", **odd}
    none = {"replication_key_value": None}
    parts = {"partitions": [{"context": {"form_id": 55}, **none}]}
    state = {"bookmarks": {"summary": bookmark, "users": odd, "user_volume": none, "nps_summary": parts}}
    catalog = catalog_of("summary", "users", "user_volume", "nps_summary")
    for entry in catalog["streams"]:
        entry["stream"] = f"Our {entry['tap_stream_id']}"
    run = tap.run(sandbox.config(start_date="2026-04-29"), catalog=catalog, state=state)
    assert run.code == 0, run.log
    assert run.records.keys() == {"summary", "users", "user_volume", "nps_summary"}

    for entry in catalog["streams"]:
        for column in entry["schema"]["properties"].values():
            del column["type"]
    run = tap.run(sandbox.config(), catalog=catalog)
    assert (run.code, len(run.errors)) == (1, 1)
    assert "Traceback" not in run.log


def test_salts_that_can_not_be_read_are_not_shown(tap: Tap, sandbox: Sandbox) -> None:
    salt = "a-salt-that-nobody-knows"
    line = refused(tap, sandbox.config(stream_map_config=salt))
    assert line == "stream_map_config: should be an object (its value is not shown here)"
    variable = {"TAP_LEXER_ACTIVITY_STREAM_MAP_CONFIG": f'{{"salt": "{salt}"'}
    line = refused(tap, sandbox.config(), "--config=ENV", env=variable)
    assert line == "The environment variable TAP_LEXER_ACTIVITY_STREAM_MAP_CONFIG is not JSON and should be like {}"
