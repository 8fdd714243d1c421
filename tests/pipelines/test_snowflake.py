"""target-snowflake: what it makes of the tap's messages, and what it would say to Snowflake.

No Snowflake can be had here. The real target runs against a double of it; `snowflake_double.py` says what that proves and what not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import trustme
import yaml
from pipelines.tables import of_an_earlier_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Run, Tap
    from support.types import CatalogOf, NewSandbox


pytestmark = pytest.mark.pipelines

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STREAMS = sorted(path.stem for path in (ROOT / "schemas").glob("*.json"))
(TARGET,) = (
    loader
    for loader in yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))["plugins"]["loaders"]
    if loader["name"] == "target-snowflake"
)
LOGIN = {"account": "double", "user": "double", "password": "double", "database": "TEST"}
CLOCK = "2026-05-01T10:00:00+10:00"
A_WEEK_LATER = "2026-05-08T10:00:00+10:00"
STATES = "states"  # the type under which the sandbox answers workflow_states: an account has that stream or user_volume

SNAPSHOT = HERE / "snowflake.sql"
SNAPSHOT_HEADER = f"""\
-- What {TARGET["pip_url"]} sends to make the tables of all streams, with the settings of meltano.yml.
-- Written by: WRITE_SNAPSHOTS=1 uv run --no-sync pytest tests/pipelines/test_snowflake.py -k snapshot
"""
# Types as sqlglot writes them in Snowflake's dialect: TIMESTAMPTZ is TIMESTAMP_TZ, DECIMAL(38, 0) what DECIMAL means, DOUBLE is FLOAT.
METADATA = {
    "_sdc_extracted_at": "TIMESTAMPTZ",
    "_sdc_received_at": "TIMESTAMPTZ",
    "_sdc_batched_at": "TIMESTAMPTZ",
    "_sdc_deleted_at": "TIMESTAMPTZ",
    "_sdc_sequence": "DECIMAL(38, 0)",
    "_sdc_table_version": "DECIMAL(38, 0)",
    "_sdc_sync_started_at": "DECIMAL(38, 0)",
}
COLUMN_TYPES = {
    ("string", None): "VARCHAR",
    ("string", "date-time"): "TIMESTAMPTZ",
    ("string", "date"): "DATE",
    ("integer", None): "DECIMAL(38, 0)",
    ("number", None): "DOUBLE",
    ("boolean", None): "BOOLEAN",
    ("object", None): "VARIANT",
    ("array", None): "VARIANT",
}

# Snowflake's reference, "Reserved & limited keywords". Those of the second list are limited in SHOW … IN <identifier> only.
RESERVED = """
    ALL ALTER AND ANY AS BETWEEN BY CASE CAST CHECK COLUMN CONNECT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
    CURRENT_TIMESTAMP CURRENT_USER DELETE DISTINCT DROP ELSE EXISTS FALSE FOLLOWING FOR FROM FULL GRANT GROUP HAVING ILIKE IN INCREMENT
    INNER INSERT INTERSECT INTO IS JOIN LATERAL LEFT LIKE LOCALTIME LOCALTIMESTAMP MINUS NATURAL NOT NULL OF ON OR ORDER QUALIFY REGEXP
    REVOKE RIGHT RLIKE ROW ROWS SAMPLE SELECT SET SOME START TABLE TABLESAMPLE THEN TO TRIGGER TRUE TRY_CAST UNION UNIQUE UPDATE USING
    VALUES WHEN WHENEVER WHERE WITH
"""
LIMITED = {"ACCOUNT", "CONNECTION", "DATABASE", "GSCLUSTER", "ISSUE", "ORGANIZATION", "SCHEMA", "VIEW"}

Tables = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


class Double:
    """The target, and in place of Snowflake the double, which keeps its tables from run to run."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.folder = folder
        self._command = [str(python), str(HERE / "snowflake_double.py"), str(folder)]

    def load(self, messages: str, **settings: object) -> list[dict[str, Any]]:
        """Load what the tap wrote, with the settings of `meltano.yml`, or others.

        Returns:
            The states that the target gave back.
        """
        config = self.folder / "target.json"
        config.write_text(json.dumps({**TARGET["config"], **LOGIN, **settings}), encoding="utf-8")
        return self.load_as_configured(messages)

    def load_as_configured(self, messages: str) -> list[dict[str, Any]]:
        """The same with what is in target.json."""
        config = self.folder / "target.json"
        done = subprocess.run(
            [*self._command, "--config", str(config)],
            input=messages,
            capture_output=True,
            check=False,
            cwd=self.folder,
            # Batches go to the temporary folder, and Snowflake's connector reads its settings from the home folder.
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)},
            text=True,
            encoding="utf-8",
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        assert [path for path in (self.folder / "stage").rglob("*") if path.is_file()] == [], (
            "the target removes its files"
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def statements(self, kind: str) -> list[dict[str, Any]]:
        """What the target has sent so far, of this kind."""
        journal = (self.folder / "journal.jsonl").read_text(encoding="utf-8")
        return [statement for statement in map(json.loads, journal.splitlines()) if statement["kind"] == kind]

    def tables_made(self) -> dict[str, dict[str, Any]]:
        """The CREATE TABLE statements so far, by stream."""
        return {each["table"].lower(): each for each in self.statements("create") if "columns" in each}

    def ddl(self) -> str:
        """The CREATE TABLE statements so far, as text with a header."""
        texts = []
        for statement in self.tables_made().values():
            first, *columns, last = statement["sql"].strip().splitlines()
            texts.append("\n".join([first, *(f"  {column.strip()}" for column in columns), last]) + ";\n")
        return "\n".join([SNAPSHOT_HEADER, *texts])

    def tables(self, keys: dict[str, list[str]]) -> Tables:
        """The rows by key, without the target's columns about the load."""
        found = {}
        with duckdb.connect(str(self.folder / "TEST.db"), read_only=True) as connection:
            for stream, key in keys.items():
                table = connection.table(f"TEST.{TARGET['config']['default_target_schema']}.{stream.upper()}")
                variants = {name for name, kind in zip(table.columns, table.types, strict=True) if str(kind) == "JSON"}
                rows = [
                    {
                        name.lower(): json.loads(value) if name in variants and value is not None else value
                        for name, value in zip(table.columns, values, strict=True)
                        if name.lower() not in METADATA
                    }
                    for values in table.fetchall()
                ]
                found[stream] = {tuple(row[name] for name in key): row for row in rows}
                assert len(found[stream]) == len(rows), f"{stream}: a key is there twice"
        return found


@pytest.fixture
def double(environment: Callable[..., Path], tmp_path: Path) -> Double:
    folder = tmp_path / "snowflake"
    folder.mkdir()
    return Double(environment("snowflake", TARGET["pip_url"], "fakesnow") / "python", folder)


@pytest.fixture
def run_all(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf) -> Callable[..., Run]:
    """Runs the tap with all 18 streams, a row a week."""

    def run(clock: str, state: Any = None, **settings: object) -> Run:
        sandbox = new_sandbox(clock=clock, workflow_states_type=STATES)
        every = {"report_interval": "week", "report_parameters": {"workflow_states": {"type": STATES}}}
        config = sandbox.config(**{"start_date": "2026-04-06", **every, **settings})
        done = tap.run(config, catalog=catalog_of(*STREAMS), state=state)
        assert done.code == 0, done.log
        return done

    return run


def without_rows(run: Run) -> str:
    """Only the lines of the SCHEMA messages."""
    lines = run.out.splitlines(keepends=True)
    return "".join(line for line in lines if json.loads(line)["type"] == "SCHEMA")


def schemas_of(run: Run) -> dict[str, dict[str, Any]]:
    """The SCHEMA messages by stream."""
    return {message["stream"]: message for message in run.messages if message["type"] == "SCHEMA"}


def keys_of(run: Run) -> dict[str, list[str]]:
    return {stream: message["key_properties"] for stream, message in schemas_of(run).items()}


def expected(run: Run) -> Tables:
    """The tables that a target with upsert has to make of a run: every property a column, times as times."""
    tables: Tables = {}
    records = run.records
    for stream, message in schemas_of(run).items():
        formats = {name: schema.get("format") for name, schema in message["schema"]["properties"].items()}
        rows = [{name: in_a_table(record.get(name), formats[name]) for name in formats} for record in records[stream]]
        tables[stream] = {tuple(row[name] for name in message["key_properties"]): row for row in rows}
        assert len(tables[stream]) == len(rows), (
            f"{stream}: no run sends a key twice, so nothing hangs on the order of rows"
        )
    return tables


def in_a_table(value: Any, kind: str | None) -> Any:
    if value is None or kind is None:
        return value
    return datetime.fromisoformat(value) if kind == "date-time" else date.fromisoformat(value)


def column_type(schema: dict[str, Any]) -> str:
    """The type that belongs to a property by its JSON schema alone."""
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    (kind,) = (kind for kind in kinds if kind != "null")
    name = COLUMN_TYPES[kind, schema.get("format")]
    return f"{name}({schema['maxLength']})" if "maxLength" in schema else name


def test_all_streams_arrive_whole_and_stay_so_in_a_second_run_and_when_history_is_restated(
    double: Double, run_all: Callable[..., Run]
) -> None:
    now, later = run_all(CLOCK), run_all(A_WEEK_LATER)
    keys = keys_of(now)
    assert sorted(keys) == STREAMS
    assert set(now.records) == set(STREAMS), "a table without rows would prove little"

    states = double.load(now.out)
    first = double.tables(keys)
    assert first == expected(now)
    assert states[-1] == now.state, "the target gives back the last state when all is loaded"

    again = run_all(CLOCK, state=states[-1])
    assert 0 < sum(map(len, again.records.values())) < sum(map(len, now.records.values())), "the lookback only"
    states = double.load(again.out)
    assert double.tables(keys) == first

    double.load(run_all(A_WEEK_LATER, state=states[-1]).out, batch_size_rows=100)
    full_load = expected(later)
    assert double.tables(keys) == full_load, "new and restated rows are those of a full load"
    restated = [
        stream for stream in STREAMS if any(row != full_load[stream][key] for key, row in first[stream].items())
    ]
    assert {"case_details", "mention_sla_export", "states_volume"} <= set(restated)
    assert len(double.statements("merge")) > 3 * len(STREAMS), (
        "batches of 100 rows need more than one MERGE for a table"
    )
    assert double.statements("alter") == [], "no row changes a table"


def test_the_target_json_of_the_docs_makes_the_same_tables(double: Double, run_all: Callable[..., Run]) -> None:
    """All but the account and the key is as it is printed. Logging in is what the double does not prove."""
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    (printed,) = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if "_key_path" in block
    )
    trustme.CA().issue_cert("user.example").private_key_pem.write_to_path(path := double.folder / "key.p8")
    config = printed | {"account": "double", "database": LOGIN["database"], "private_key_path": str(path)}
    assert config.keys() == printed.keys()
    (double.folder / "target.json").write_text(json.dumps(config), encoding="utf-8")
    run = run_all(CLOCK)
    assert double.load_as_configured(run.out)
    assert double.ddl() == SNAPSHOT.read_text(encoding="utf-8")
    assert double.tables(keys_of(run)) == expected(run)


def test_the_tables_are_those_of_the_reviewed_snapshot_before_any_row_is_there(
    double: Double, run_all: Callable[..., Run], snapshot: Callable[[str, str], None]
) -> None:
    run = run_all(CLOCK, start_date="2026-04-27")
    double.load(without_rows(run))
    assert double.statements("merge") == []
    snapshot(SNAPSHOT.name, double.ddl())

    made = double.tables_made()
    assert sorted(made) == STREAMS
    for stream, message in schemas_of(run).items():
        types = {name: column_type(schema) for name, schema in message["schema"]["properties"].items()}
        assert made[stream]["columns"] == types | METADATA
        assert made[stream]["key"] == message["key_properties"]
    variants = {
        f"{stream}.{name}" for stream in STREAMS for name, kind in made[stream]["columns"].items() if kind == "VARIANT"
    }
    assert {"user_volume.states", "users.groups", "nps_submissions.additional_columns"} <= variants


def test_tables_of_an_earlier_version_get_a_column_and_stay_as_they_are(
    double: Double, tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    config = new_sandbox().config(start_date="2026-04-27")
    streams = ("users", "states_volume", "mention_sla_export")
    now = tap.run(config, catalog=catalog_of(*streams))
    double.load(tap.run(config, catalog=of_an_earlier_version(catalog_of(*streams))).out)
    assert double.tables_made()["states_volume"]["columns"]["state"] == "VARCHAR"
    double.load(now.out)
    assert double.tables(keys_of(now)) == expected(now)
    changes = sorted(each["sql"] for each in double.statements("alter"))
    assert len(changes) == 2
    assert all("ADD COLUMN additional_columns VARIANT" in change for change in changes)


def test_each_merge_joins_on_the_key_and_casts_each_value_to_the_type_of_its_column(
    double: Double, run_all: Callable[..., Run]
) -> None:
    run = run_all(CLOCK, start_date="2026-04-20")
    double.load(run.out)
    assert double.ddl() == SNAPSHOT.read_text(encoding="utf-8"), "rows make no other tables than the schemas alone"
    made, keys = double.tables_made(), keys_of(run)
    merges = {each["table"].lower(): each for each in double.statements("merge")}
    assert set(merges) == set(run.records)
    assert {each["sql"].split()[0] for each in double.statements("command")} == {"remove"}, "all else can be parsed"
    for stream, merge in merges.items():
        columns = list(made[stream]["columns"])
        assert merge["on"] == [f"d.{name} = s.{name}" for name in keys[stream]]
        assert merge["one_row_of"] == keys[stream]
        assert merge["paths"] == {name: name for name in columns}
        assert merge["casts"] == made[stream]["columns"]
        assert merge["updated"] == [f"d.{name} = s.{name}" for name in columns]
        assert merge["inserted"] == {name: f"s.{name}" for name in columns}


def test_no_name_of_a_table_or_column_needs_quotes_or_is_too_long(double: Double, run_all: Callable[..., Run]) -> None:
    run = run_all(CLOCK, start_date="2026-04-27")
    double.load(without_rows(run))
    made = double.tables_made()
    names = {name.upper() for stream, table in made.items() for name in [stream, *table["columns"]]}
    assert [name for name in names if not re.fullmatch(r"[A-Z_][A-Z0-9_]{,254}", name)] == []
    assert names & set(RESERVED.split()) == set()
    assert names & LIMITED == {"ACCOUNT"}, "of case_details"
    for stream, table in made.items():
        assert table["quoted"] == [stream.upper(), "LEXER"], "the target quotes schema and table always, in capitals"


def test_batch_files_are_staged_as_the_tap_wrote_them(
    double: Double, run_all: Callable[..., Run], tmp_path: Path
) -> None:
    folder = tmp_path / "batches"
    folder.mkdir()
    files = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": folder.as_uri()}}
    with_files = run_all(CLOCK, start_date="2026-04-20", batch_config=files)
    assert with_files.records == {}
    double.load(with_files.out)
    assert list(folder.iterdir()) == [], "the target removes the files that it has loaded"
    assert double.tables(keys_of(with_files)) == expected(run_all(CLOCK, start_date="2026-04-20"))


def test_columns_that_discovery_finds_are_quoted_where_they_need_it(
    double: Double, tap: Tap, new_sandbox: NewSandbox
) -> None:
    sandbox = new_sandbox()
    headers = {"Comment": "Order", "Category": "2nd question?", "Agent": "Was the 店 clean?"}
    sandbox.fault("export_renamed_columns", times=None, value=headers)
    config = sandbox.config(discover_export_columns=True, start_date="2026-04-01")
    catalog = json.loads(tap.run(config, "--discover").out)
    for entry in catalog["streams"]:
        (stream,) = (each["metadata"] for each in entry["metadata"] if each["breadcrumb"] == [])
        stream["selected"] = entry["tap_stream_id"] == "nps_submissions"
    run = tap.run(config, catalog=catalog)
    assert run.code == 0, run.log

    for _ in range(2):
        double.load(run.out)
        assert double.tables(keys_of(run)) == expected(run)
    assert double.statements("alter") == []
    (made,) = double.tables_made().values()
    assert set(made["quoted"]) == {"LEXER", "NPS_SUBMISSIONS", "ORDER", "2ND_QUESTION", "WAS_THE_店_CLEAN"}
    assert any(record["order"] for record in run.records["nps_submissions"])
