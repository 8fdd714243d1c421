"""Many accounts in one Meltano project, loaded by Dagster as docs/many-accounts.md says: several sandboxes, one Postgres."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import yaml
from pipelines.programs import ROOT
from pipelines.tables import SCHEMAS, table_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.conftest import Project
    from pipelines.programs import Postgres
    from pipelines.tables import Emitted, Tables

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = [pytest.mark.pipelines, pytest.mark.timeout(600)]

START = "2026-04-13"
PAGE = (ROOT / "docs" / "many-accounts.md").read_text(encoding="utf-8")
ACCOUNTS = yaml.safe_load((ROOT / "orchestrate" / "accounts.meltano.yml").read_text(encoding="utf-8"))["plugins"][
    "extractors"
]
ZONES = {plugin["namespace"]: plugin["config"]["timezone"] for plugin in ACCOUNTS}
NORTH, SOUTH, WEST = ZONES
ENDS = ("STEP_SUCCESS", "STEP_FAILURE", "STEP_UP_FOR_RETRY")
STREAMS = SCHEMAS.keys() - {"workflow_states"}


def command(*words: str) -> str:
    """The one command of the page that has all these words."""
    found = [line for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in text.splitlines()]
    only: str
    (only,) = [line for line in found if all(word in line for word in words)]
    return only


class Fleet:
    """The project of all accounts, each a sandbox of its own, on a machine with Dagster."""

    def __init__(self, project: Project, programs: Path, postgres: Postgres, sandboxes: dict[str, Sandbox]) -> None:
        self.folder = project.folder
        (included,) = re.findall(r"```yaml\n(include_paths.*?)```", PAGE, re.DOTALL)
        with (self.folder / "meltano.yml").open("a", encoding="utf-8") as file:
            file.write(included)
        shutil.copytree(ROOT / "orchestrate", self.folder / "orchestrate", ignore=shutil.ignore_patterns("*cache*"))
        self.env = {
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "HOME": str(self.folder),
            "TMPDIR": os.environ["TMPDIR"],
            "DAGSTER_HOME": str(self.folder / "orchestrate"),
            "RETRY_SECONDS": "1",
            "MELTANO_DATABASE_URI": postgres.url,
            "TARGET_POSTGRES_SQLALCHEMY_URL": postgres.url,
        }
        for schema, sandbox in sandboxes.items():
            config = sandbox.config(start_date=START, report_interval="week", export_window_days=360)
            del config["timezone"]  # it stands in the file
            self.env |= {f"TAP_{schema}_{name}".upper(): str(value) for name, value in config.items()}

        for line in (command("meltano", "state list"), "dagster instance info"):  # each makes a database
            done = self.call(line)
            assert done.returncode == 0, done.stderr

    def keep(self, schemas: set[str]) -> None:
        """Close all other accounts."""
        path = self.folder / "orchestrate" / "accounts.meltano.yml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = content["plugins"]["extractors"]
        content["plugins"]["extractors"] = [plugin for plugin in found if plugin["namespace"] in schemas]
        path.write_text(yaml.safe_dump(content), encoding="utf-8")

    def start(self, line: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a command as a shell does."""
        with log.open("wb") as file:
            command = ["sh", "-c", f"exec {line}"]
            return subprocess.Popen(command, stdout=file, stderr=file, cwd=self.folder, env=self.env)

    def schedule(self, times: int = 1) -> tuple[list[int], str]:
        """Run the job, so many times at once; the exit codes, and all that was logged."""
        logs = [self.folder / f"{number}.log" for number in range(times)]
        started = [self.start(command("dagster", "job execute"), log) for log in logs]
        try:
            codes = [process.wait(timeout=300) for process in started]
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return codes, "".join(log.read_text(encoding="utf-8") for log in logs)

    def events(self, *kinds: str) -> list[tuple[str, str]]:
        """What happened to which account, in order, as each run of Dagster has it."""
        query = "select step_key, dagster_event_type from event_logs order by id"
        found = []
        for path in self.folder.glob("orchestrate/history/runs/*-*.db"):  # one for each run
            with closing(sqlite3.connect(path)) as database:
                found += database.execute(query).fetchall()
        return [event for event in found if event[1] in kinds]

    def call(self, line: str, **env: str) -> subprocess.CompletedProcess[str]:
        """How a command ended."""
        return subprocess.run(
            ["sh", "-c", line],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.env | env,
            text=True,
            encoding="utf-8",
            timeout=120,
        )


@pytest.fixture
def sandboxes(new_centre: Callable[..., Sandbox]) -> dict[str, Sandbox]:
    """Accounts with people, zones and tokens of their own."""
    return {
        schema: new_centre(seed=schema, timezone=zone, token=f"token-of-{schema}", messages_per_day=6)
        for schema, zone in ZONES.items()
    }


@pytest.fixture
def fleet(
    new_project: Callable[[str], Project],
    environment: Callable[..., Path],
    postgres: Postgres,
    sandboxes: dict[str, Sandbox],
) -> Fleet:
    postgres.execute(f"drop schema if exists {', '.join(ZONES)}, public cascade; create schema public")
    (packages,) = re.findall(r"uv tool install (\S+) --with '(.*?)'", PAGE)
    return Fleet(new_project("target-postgres"), environment("scheduler", *packages), postgres, sandboxes)


def tables(postgres: Postgres, schema: str, keys: dict[str, list[str]]) -> Tables:
    return {name: table_of(name, key, postgres.rows(f"table {schema}.{name}")) for name, key in keys.items()}


def test_accounts_are_loaded_side_by_side_and_one_that_fails_stops_no_other(
    fleet: Fleet, sandboxes: dict[str, Sandbox], full_load: Callable[..., Emitted], postgres: Postgres
) -> None:
    sandboxes[SOUTH].fault("not_found", "classifications")
    sandboxes[WEST].token = "another"
    codes, log = fleet.schedule()
    assert codes == [1], "the job fails, because an account has"
    assert sorted(fleet.events(*ENDS)) == [
        (NORTH, "STEP_SUCCESS"),
        (SOUTH, "STEP_SUCCESS"),
        (SOUTH, "STEP_UP_FOR_RETRY"),
        (WEST, "STEP_FAILURE"),
        (WEST, "STEP_UP_FOR_RETRY"),
        (WEST, "STEP_UP_FOR_RETRY"),
    ], log
    assert {request.status for request in sandboxes[WEST].requests} == {401}
    begun = [account for account, _ in fleet.events("STEP_START", *ENDS)[: len(ZONES)]]
    assert sorted(begun) == sorted(ZONES), "all begin before one ends"
    for schema in (NORTH, SOUTH):
        expected = full_load(sandboxes[schema], start_date=START)
        loaded = {name: key for name, key in expected.keys.items() if name != "workflow_states"}
        assert tables(postgres, schema, loaded) == {name: expected.tables[name] for name in loaded}
    schemas = {row["table_schema"] for row in postgres.rows("select table_schema from information_schema.tables")}
    assert schemas & ZONES.keys() == {NORTH, SOUTH}

    states = postgres.rows("select state_id, completed_state::text as state from state order by state_id")
    for state, schema in zip(states, (NORTH, SOUTH), strict=True):
        assert state["state_id"] == f"accounts:tap-{schema.replace('_', '-')}-to-target-postgres"
        assert json.loads(state["state"])["singer_state"]["bookmarks"].keys() == STREAMS


@pytest.mark.parametrize("places", [1, 2], ids=["as the page says", "Dagster lets in both"])
def test_two_runs_at_once_take_turns_at_each_account(fleet: Fleet, sandboxes: dict[str, Sandbox], places: int) -> None:
    fleet.keep({NORTH})
    path = fleet.folder / "orchestrate" / "dagster.yaml"
    before, after = path.read_text(encoding="utf-8").split("default_limit: 1")
    path.write_text(f"{before}default_limit: {places}{after}", encoding="utf-8")
    codes, log = fleet.schedule(times=2)
    assert codes == [0, 0], log
    assert fleet.events(*ENDS) == [(NORTH, "STEP_SUCCESS")] * 2, f"one finds the other at work, and fails: {log}"
    assert sandboxes[SOUTH].requests == []


def test_an_account_without_a_token_does_not_use_another(fleet: Fleet, sandboxes: dict[str, Sandbox]) -> None:
    del fleet.env[f"TAP_{WEST}_API_TOKEN".upper()]
    line = f"meltano --environment=accounts invoke tap-{WEST.replace('_', '-')} --check"
    done = fleet.call(line, TAP_LEXER_ACTIVITY_API_TOKEN=sandboxes[WEST].token)
    assert done.returncode
    assert "api_token" in done.stderr
    assert sandboxes[WEST].requests == []
