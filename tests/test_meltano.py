"""The Meltano project: its file, and whole runs of it into a DuckDB file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from jsonschema import Draft202012Validator
from support.hosts import Host

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap, Warehouse

    from tap_lexer_activity.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
START = "2026-03-02"
CLOCK = "2026-05-01T10:00:00+10:00"
A_WEEK_LATER = "2026-05-08T10:00:00+10:00"
MESSAGES_PER_DAY = 12

Tables = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


def test_the_file_is_what_meltano_expects(project: dict[str, Any]) -> None:
    schema = json.loads(files("meltano").joinpath("schemas/meltano.schema.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(project)] == []


def test_no_plugin_needs_the_hub_or_an_unknown_version(project: dict[str, Any]) -> None:
    for plugin in [*project["plugins"]["extractors"], *project["plugins"]["loaders"]]:
        assert plugin["namespace"], "without it Meltano asks its Hub for a definition"
        assert re.match(r"-e \.|[a-z-]+==\d", plugin["pip_url"]), plugin["name"]
    loader = (ROOT / "demo" / "loader" / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'dependencies = \["target-duckdb==\d', loader)


def test_nothing_is_reported_to_anyone(project: dict[str, Any]) -> None:
    assert project["send_anonymous_usage_stats"] is False


def test_jobs_and_schedules_name_what_exists(project: dict[str, Any]) -> None:
    names = {plugin["name"] for kind in project["plugins"].values() for plugin in kind}
    assert [task for job in project["jobs"] for task in job["tasks"] if not set(task.split()) <= names] == []
    assert {schedule["job"] for schedule in project["schedules"]} <= {job["name"] for job in project["jobs"]}
    assert project["default_environment"] in {environment["name"] for environment in project["environments"]}


def test_invented_rows_go_where_no_real_ones_go(project: dict[str, Any]) -> None:
    (sandbox,) = (each for each in project["environments"] if each["name"] == project["default_environment"])
    own = {loader["name"]: loader["config"] for loader in sandbox["config"]["plugins"]["loaders"]}
    assert own.keys() == {loader["name"] for loader in project["plugins"]["loaders"]}
    for loader in project["plugins"]["loaders"]:
        places = own[loader["name"]].items()
        assert places
        assert [(name, value) for name, value in places if loader["config"][name] == value] == []


class Pipeline:
    """The project in a folder of its own, with the tap and the loader of this environment in place of ones that Meltano installs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        project = (ROOT / "meltano.yml").read_text(encoding="utf-8")
        for command in ("tap-lexer-activity", "target-duckdb-exact"):
            assert project.count(f"executable: {command}\n") == 1
            project = project.replace(f"executable: {command}\n", f"executable: {BIN / command}\n")
        project = re.sub(r"^ +pip_url: -e .*\n", "", project, flags=re.MULTILINE)
        self._project = folder / "meltano.yml"
        self._project.write_text(project, encoding="utf-8")
        self._written = project

    def add_extractor(self, definition: str) -> None:
        """Add an extractor to the file."""
        self._written = self._written.replace(
            "  loaders:\n  - name: target-duckdb\n", f"{definition}  loaders:\n  - name: target-duckdb\n", 1
        )
        assert definition in self._written
        self._project.write_text(self._written, encoding="utf-8")

    def run(self, clock: str) -> int:
        """Run it against a sandbox at this time; how many requests it took."""
        return self.meltano(clock, "run", "lexer-to-duckdb")[0]

    def meltano(self, clock: str, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """A command of Meltano's in a sandbox at this time: how many requests it took, its output, and its log."""
        sandbox = [str(BIN / "lexer-activity-sandbox"), "run", "--clock", clock]
        command = [*sandbox, "--messages-per-day", str(MESSAGES_PER_DAY), "--", "meltano", *arguments]
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            cwd=self._folder,
            env={
                "PATH": path,
                "HOME": str(self._folder),
                "TMPDIR": os.environ["TMPDIR"],
                "TAP_LEXER_ACTIVITY_START_DATE": START,
                **variables,
            },
            text=True,
            encoding="utf-8",
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert self._project.read_text(encoding="utf-8") == self._written, "Meltano leaves the file as it is"
        served = re.search(r"(\d+) requests served, 0 answers of 429", done.stderr)
        assert served, done.stderr
        return int(served[1]), done.stdout, done.stderr

    def tables(self, keys: dict[str, list[str]]) -> Tables:
        """Rows by key, without the loader's own columns; timestamps are in UTC."""
        with duckdb.connect(str(self._folder / "demo.duckdb"), read_only=True) as connection:
            return {name: self._rows(connection.table(f"lexer.{name}"), key) for name, key in keys.items()}

    @staticmethod
    def _rows(table: duckdb.DuckDBPyRelation, key: list[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
        kinds = dict(zip(table.columns, map(str, table.types), strict=True))
        rows = {}
        for values in table.fetchall():
            row = {
                name: json.loads(value) if value is not None and kinds[name] == "JSON" else comparable(value)
                for name, value in zip(table.columns, values, strict=True)
                if not name.startswith("_sdc_")
            }
            rows[tuple(row[name] for name in key)] = row
        assert len(rows) == len(table.fetchall()), "a key is there twice"
        return rows


def comparable(value: Any) -> Any:
    """A value as both sides have it: DuckDB's timestamps are in UTC without saying so, and the loader stores empty text as null."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return None if value == "" else value


def expected(warehouse: Warehouse) -> Tables:
    """What the tap wrote, in a form to compare."""
    tables: Tables = {}
    for stream, records in warehouse.tables.items():
        rows = [{name: comparable(value) for name, value in record.items()} for record in records.values()]
        tables[stream] = {tuple(row[name] for name in warehouse.keys[stream]): row for row in rows}
    return tables


@pytest.fixture
def full_load(
    tap: Tap, new_sandbox: Callable[..., Sandbox], new_warehouse: type[Warehouse]
) -> Callable[[str], Warehouse]:
    """Reads everything at a time, without Meltano."""

    def load(clock: str) -> Warehouse:
        sandbox = new_sandbox(clock=clock, messages_per_day=MESSAGES_PER_DAY)
        run = tap.run(sandbox.config(start_date=START, report_interval="week", export_window_days=360))
        assert run.code == 0, run.log
        return new_warehouse().load(run)

    return load


def test_runs_load_every_row_once_and_then_only_what_is_new_or_restated(
    tmp_path: Path, full_load: Callable[[str], Warehouse]
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    pipeline = Pipeline(folder)
    now, later = full_load(CLOCK), full_load(A_WEEK_LATER)

    requests = pipeline.run(CLOCK)
    first = pipeline.tables(now.keys)
    assert first == expected(now)
    assert 50 < requests <= 100, "the first load of the demo fits into one period of the quota"

    assert pipeline.run(CLOCK) < requests / 2, "the second run asks for the lookback only"
    assert pipeline.tables(now.keys) == first, "and doubles nothing"

    assert pipeline.run(A_WEEK_LATER) < requests / 2
    assert pipeline.tables(later.keys) == expected(later), "new and restated weeks are those of a full load"
    shutil.rmtree(folder)


def test_the_commands_plan_what_is_selected_and_check_the_token(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    without = {"TAP_LEXER_ACTIVITY__SELECT": '["*.*", "!workflow_states.*", "!nps_*.*", "!classifications.*"]'}
    requests, out, log = pipeline.meltano(CLOCK, "invoke", "tap-lexer-activity:plan", **without)
    header, *lines = (line.split() for line in out.splitlines() if line)
    assert header[:3] == ["stream", "windows", "requests"]
    assert ["summary", "8", "8"] in [line[:3] for line in lines], log
    planned = {line[0] for line in lines}
    assert "case_details" in planned
    assert planned.isdisjoint({"classifications", "workflow_states", "nps_summary"})
    assert requests == 0, "the forms are needed for the NPS streams only"

    requests, _, log = pipeline.meltano(CLOCK, "invoke", "tap-lexer-activity:check")
    assert requests == 2
    assert "The token works: " in log
    assert "env var" not in log, "a line for each setting says nothing that a person needs"


def test_a_token_for_real_data_does_not_leave_the_environment_of_the_sandbox(tmp_path: Path) -> None:
    Pipeline(tmp_path)
    with Host() as host:
        variables = {
            "TAP_LEXER_ACTIVITY_API_TOKEN": "a-token-for-real-data",
            "TAP_LEXER_ACTIVITY_START_DATE": START,
            "TAP_LEXER_ACTIVITY_API_URL": f"{host.origin}/v1",
        }
        for arguments in (["invoke", "tap-lexer-activity:check"], ["run", "lexer-to-duckdb"]):
            done = subprocess.run(
                ["meltano", *arguments],
                capture_output=True,
                check=False,
                cwd=tmp_path,
                env={
                    "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
                    "HOME": str(tmp_path),
                    "TMPDIR": os.environ["TMPDIR"],
                    **variables,
                },
                text=True,
                encoding="utf-8",
                timeout=240,
            )
            said = done.stdout + done.stderr
            assert done.returncode != 0, said
            assert f"would send it to '{host.origin}/v1'. For your own data: meltano --environment=prod" in said
            assert "a-token-for-real-data" not in said
        assert host.asked == []


def test_a_backfill_leaves_the_state_of_the_daily_run_as_it_was(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    select = {"TAP_LEXER_ACTIVITY__SELECT": '["summary.*"]', "TAP_LEXER_ACTIVITY_START_DATE": "2026-04-06"}
    state = ("--environment=sandbox", "state", "get", "sandbox:tap-lexer-activity-to-target-duckdb")
    pipeline.meltano(CLOCK, "run", "lexer-to-duckdb", **select)
    _, before, _ = pipeline.meltano(CLOCK, *state)
    assert "replication_key_value" in before

    backfill = {"TAP_LEXER_ACTIVITY_BACKFILL_START": START, "TAP_LEXER_ACTIVITY_BACKFILL_END": "2026-03-16"}
    requests, _, log = pipeline.meltano(CLOCK, "run", "lexer-to-duckdb", **select, **backfill)
    assert requests == 2 + 1, "and the users"
    assert "Ignored" not in log, "Meltano sets a variable for each setting, and writes the same into a file"
    assert pipeline.meltano(CLOCK, *state)[1] == before
    rows = pipeline.tables({"summary": ["local_date"]})["summary"]
    assert "--state-id-suffix" in pipeline.meltano(CLOCK, "run", "--help")[1], "as the README has it"
    assert sorted(str(day) for (day,) in rows) == [
        "2026-03-02", "2026-03-09", "2026-04-06", "2026-04-13", "2026-04-20",
    ]  # fmt: skip


def test_an_extractor_that_inherits_plans_its_own_streams_and_hears_no_false_warning(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    child = """\
  - name: tap-lexer-activity--emea
    inherit_from: tap-lexer-activity
    select: [summary.*]
"""
    pipeline.add_extractor(child)
    for name, streams in (("tap-lexer-activity--emea", {"summary"}), ("tap-lexer-activity", {"groups", "summary"})):
        _, plan, log = pipeline.meltano(CLOCK, "invoke", f"{name}:plan")
        assert streams <= {line.split()[0] for line in plan.splitlines() if line and line[0].isalpha()}
        assert ("groups" in plan) == ("groups" in streams)
        assert "is not a setting" not in log
        _, _, log = pipeline.meltano(CLOCK, "invoke", f"{name}:check")
        assert "The token works" in log
        assert "is not a setting" not in log
