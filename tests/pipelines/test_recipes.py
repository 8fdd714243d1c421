"""docs/meltano.md: each section's settings and commands, as they stand there, with Meltano, real loaders and a sandbox."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pipelines.conftest import BIN
from pipelines.programs import ROOT
from pipelines.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.conftest import Project
    from pipelines.programs import Postgres
    from pipelines.tables import Emitted

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

START = "2026-03-02"
PAGE = (ROOT / "docs" / "meltano.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
STATE_ID = "prod:tap-lexer-activity-to-target-postgres"


def block(section: str, language: str) -> str:
    """The one code block of this language in a section."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)
    return str(found)


def merge(there: Any, more: Any) -> Any:
    """Put a fragment into a document: what has a name joins what has the same, and all else is replaced."""
    if isinstance(there, dict) and isinstance(more, dict):
        return there | {name: merge(there.get(name), part) for name, part in more.items()}
    if isinstance(there, list) and isinstance(more, list) and all(isinstance(part, dict) for part in more):
        named = {part["name"]: part for part in there}
        return list((named | {part["name"]: merge(named.get(part["name"]), part) for part in more}).values())
    return more


class Recipes:
    """The Meltano project, the account of a sandbox, a Postgres server, and the page's sections to follow."""

    def __init__(self, project: Project, sandbox: Sandbox, postgres: Postgres) -> None:
        self.folder = project.folder
        self.sandbox = sandbox
        self._postgres = postgres
        config = sandbox.config(start_date=START, report_interval="week", export_window_days=360)
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()}
        self.env = {f"TAP_LEXER_ACTIVITY_{name.upper()}": text for name, text in texts.items()}
        self.env |= {"TARGET_POSTGRES_SQLALCHEMY_URL": postgres.url, "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "recipes"}
        postgres.execute("drop schema if exists recipes cascade")

    def configure(self, section: str) -> None:
        """Put a section's fragment into meltano.yml."""
        path = self.folder / "meltano.yml"
        project = merge(yaml.safe_load(path.read_text(encoding="utf-8")), yaml.safe_load(block(section, "yaml")))
        path.write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")

    def run(self, commands: str, **env: str) -> str:
        """Run commands as a shell does; what they printed."""
        done = subprocess.run(
            ["sh", "-ec", commands],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env={
                "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
                "HOME": str(self.folder),
                "TMPDIR": os.environ["TMPDIR"],
                **self.env,
                **env,
            },
            text=True,
            encoding="utf-8",
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def asked(self, commands: str, **env: str) -> list[dict[str, Any]]:
        """Run commands; what reports were asked for."""
        before = len(self.sandbox.requests)
        self.run(commands, **env)
        return [request.body for request in self.sandbox.requests[before:] if isinstance(request.body, dict)]

    def state(self, command: str = f"meltano --environment=prod state get {STATE_ID}") -> dict[str, str]:
        """The bookmark of each stream."""
        found = json.loads(self.run(command))["singer_state"]["bookmarks"]
        return {stream: bookmark["replication_key_value"] for stream, bookmark in found.items()}

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Ask the warehouse."""
        return self._postgres.rows(sql)

    def empty(self, *tables: str) -> None:
        """Empty tables of the warehouse."""
        self._postgres.execute(f"truncate {', '.join(tables)}")


@pytest.fixture
def recipes(new_project: Callable[[str], Project], new_centre: Callable[..., Sandbox], postgres: Postgres) -> Recipes:
    """A project that loads Postgres."""
    return Recipes(new_project("target-postgres"), new_centre(), postgres)


SELECTED = {"TAP_LEXER_ACTIVITY__SELECT": '["summary.*", "case_volume.*"]'}
COUNT = "select (select count(*) from recipes.summary) as weeks, (select count(*) from recipes.case_volume) as rows"


def test_an_environment_has_settings_a_selection_and_states_of_its_own(
    new_project: Callable[[str], Project], new_sandbox: Callable[..., Sandbox], postgres: Postgres
) -> None:
    recipes = Recipes(new_project("target-jsonl"), new_sandbox(), postgres)
    recipes.configure("Environments")
    del recipes.env["TAP_LEXER_ACTIVITY_REPORT_INTERVAL"]
    recipes.run(block("Environments", "sh"))
    files = {path.name.partition("-")[0]: path for path in (recipes.folder / "trial").iterdir()}
    assert files.keys() == {"users", "summary"}
    months = [json.loads(line) for line in files["summary"].read_text(encoding="utf-8").splitlines()]
    assert [(row["local_date"], row["interval"]) for row in months] == [
        ("2026-03-01", "month"),
        ("2026-04-01", "month"),
    ]
    states = recipes.run("meltano --environment=trial state list").split()
    assert states == ["trial:tap-lexer-activity-to-target-jsonl"]


def test_state_is_kept_between_runs_of_an_environment(recipes: Recipes) -> None:
    load, get = block("State between runs", "sh").splitlines()
    asked = recipes.asked(load, **SELECTED)
    assert recipes.state(get) == {"summary": "2026-04-26T14:00:00Z", "case_volume": "2026-04-30T14:00:00Z"}
    assert min(body["date_from"] for body in asked).startswith(START)
    assert {body["date_from"][:10] for body in recipes.asked(load, **SELECTED)} == {"2026-04-20", "2026-04-24"}


def test_a_full_refresh_of_one_stream_reads_no_other_and_keeps_all_bookmarks(recipes: Recipes) -> None:
    recipes.run(block("State between runs", "sh"), **SELECTED)
    state, rows = recipes.state(), recipes.query(COUNT)
    recipes.empty("recipes.case_volume", "recipes.summary")
    asked = recipes.asked(block("One stream anew", "sh"))
    assert {body["type"] for body in asked} == {"case_volume"}
    assert recipes.query(COUNT) == [{"weeks": 0, "rows": rows[0]["rows"]}]
    assert recipes.state() == state


def test_a_backfill_reads_its_range_and_leaves_the_bookmarks(recipes: Recipes) -> None:
    load = block("State between runs", "sh")
    recipes.run(load, **SELECTED)
    state = recipes.state()
    recipes.empty("recipes.case_volume", "recipes.summary")
    backfill = block("A backfill", "sh")
    recipes.run(backfill, **SELECTED)
    days = recipes.query(
        "select min(local_date)::text as first, max(local_date)::text as last from recipes.case_volume"
    )
    assert days == [{"first": "2026-03-16", "last": "2026-03-29"}]
    assert recipes.query(COUNT)[0]["weeks"] == 2
    assert recipes.state() == state
    assert recipes.run("meltano --environment=prod state list").split() == [STATE_ID]


def test_streams_and_columns_that_are_not_selected_stay_away(recipes: Recipes) -> None:
    recipes.configure("Streams and columns")
    asked = recipes.asked(block("State between runs", "sh"))
    assert {body["type"] for body in asked} == {"summary", "mention_sla_export"}
    tables = recipes.query(
        "select table_name, column_name from information_schema.columns where table_schema = 'recipes'"
    )
    columns: dict[str, set[str]] = {}
    for row in tables:
        columns.setdefault(row["table_name"], set()).add(row["column_name"])
    assert columns.keys() == {"summary", "mention_sla_export"}
    assert {"date_from", "total_volume", "avg_response_time"} < columns["summary"]
    assert {"record_id", "state", "in_queue_min"} < columns["mention_sla_export"]
    assert [name for name in columns["mention_sla_export"] if name.startswith(("customer_", "agent_"))] == []
    assert [name for name in columns["summary"] if name.startswith("m")] == []


def test_a_stream_map_hashes_a_customers_name_and_drops_another(
    recipes: Recipes, full_load: Callable[..., Emitted]
) -> None:
    recipes.configure("Customers' names")
    commands = block("Customers' names", "sh")
    (salt,) = re.findall(r'"hash_seed": "(.*?)"', commands)
    recipes.run(commands)
    rows = recipes.query("table recipes.mention_sla_export")
    names = {row["record_id"]: row["customer_username"] for row in rows}
    expected = full_load(recipes.sandbox, start_date=START).tables["mention_sla_export"].values()
    plain = {row["record_id"]: row["customer_username"] for row in expected}
    assert names == {key: name and hashlib.sha256((salt + name).encode()).hexdigest() for key, name in plain.items()}
    assert any(names.values())
    assert not {"customer_fullname", "additional_columns"} & rows[0].keys()


def test_flattening_makes_text_and_a_stream_map_makes_a_column_of_one_key(recipes: Recipes) -> None:
    recipes.run("meltano --environment=prod run lexer-to-postgres", TAP_LEXER_ACTIVITY__SELECT='["users.*"]')
    recipes.configure("Flattening")
    recipes.run(block("Flattening", "sh"))
    kinds = recipes.query("""select column_name, data_type from information_schema.columns
        where table_schema = 'lexer_flat' and column_name in ('states', 'groups', 'closed_messages')""")
    assert {row["column_name"]: row["data_type"] for row in kinds} == {
        "states": "text",
        "groups": "text",
        "closed_messages": "bigint",
    }
    rows = recipes.query("select states, closed_messages from lexer_flat.user_volume")
    assert [row["closed_messages"] for row in rows] == [json.loads(row["states"])["closed"] for row in rows]
    assert any(row["closed_messages"] for row in rows)


def test_batch_files_lie_in_the_folder_and_their_rows_in_the_warehouse(
    recipes: Recipes, full_load: Callable[..., Emitted]
) -> None:
    recipes.configure("Batch files")
    recipes.run(block("Batch files", "sh"))
    expected = full_load(recipes.sandbox, start_date=START)
    for stream in ("users", "mention_sla_export"):
        rows = recipes.query(f"table recipes.{stream}")
        assert table_of(stream, expected.keys[stream], rows) == expected.tables[stream]
    lines = [gzip.decompress(path.read_bytes()).splitlines() for path in (recipes.folder / "batches").iterdir()]
    assert sum(map(len, lines)) == sum(len(expected.tables[stream]) for stream in ("users", "mention_sla_export"))
