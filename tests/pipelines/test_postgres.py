"""target-postgres into a real Postgres server: every way of loading, twice, a week later, and when things go wrong."""

from __future__ import annotations

import re
import time
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pipelines import odd_values
from pipelines.programs import ROOT
from pipelines.tables import SCHEMAS, of_an_earlier_version, table_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.conftest import Pipe, Project
    from pipelines.programs import Postgres
    from pipelines.tables import Emitted, Tables

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

A_WEEK_LATER = "2026-05-08T10:00:00+10:00"
START = "2026-04-13"
FAST: dict[str, object] = {"use_copy": True, "validate_records": False}
"""What meltano.yml sets."""
UTC = {"PGTZ": "UTC"}
"""Without COPY, times are converted to the zone of the session, and this server's is Australia/Sydney."""

WAYS: dict[str, tuple[dict[str, object], dict[str, str], bool]] = {
    "insert": ({}, UTC, False),
    "copy": (FAST, {}, False),
    "batch_files": (FAST, {}, True),
}
"""Name → the target's settings and environment, and whether the tap writes files."""


@pytest.fixture
def target(loader: Callable[[str], Path]) -> list[str]:
    return [str(loader("target-postgres"))]


@pytest.fixture
def settings_for(postgres: Postgres) -> Callable[..., dict[str, object]]:
    """Writes the target's settings to load into a schema."""

    def write(schema: str, **more: object) -> dict[str, object]:
        return {"sqlalchemy_url": postgres.url, "default_target_schema": schema, **more}

    return write


def tables(postgres: Postgres, schema: str, keys: dict[str, list[str]]) -> Tables:
    return {stream: table_of(stream, key, postgres.rows(f"table {schema}.{stream}")) for stream, key in keys.items()}


def columns(postgres: Postgres, schema: str) -> str:
    """Each column's name, type and whether it may be null, and each table's key, as `information_schema` has them."""
    found = postgres.rows("""
        select columns.*, key.ordinal_position as key
        from information_schema.columns left join information_schema.key_column_usage as key
        using (table_schema, table_name, column_name) order by table_name, columns.ordinal_position""")
    found = [column for column in found if column["table_schema"] == schema]
    lines = []
    for table in dict.fromkeys(column["table_name"] for column in found):
        lines.append(f"\n{table}")
        for column in (column for column in found if column["table_name"] == table):
            kind = column["data_type"] if column["data_type"] != "ARRAY" else f"{column['udt_name'].lstrip('_')}[]"
            null = "" if column["is_nullable"] == "YES" else " not null"
            key = f" key {column['key']}" if column["key"] else ""
            lines.append(f"  {column['column_name']} {kind}{null}{key}")
    return "\n".join(lines).lstrip() + "\n"


def test_three_mornings_load_every_row_once_and_then_only_what_is_new_or_restated(
    new_project: Callable[[str], Project],
    new_centre: Callable[..., Sandbox],
    settings_of: Callable[..., dict[str, object]],
    full_load: Callable[..., Emitted],
    postgres: Postgres,
) -> None:
    project = new_project("target-postgres")
    sandbox = new_centre()
    env = {"TARGET_POSTGRES_SQLALCHEMY_URL": postgres.url, "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "mornings"}
    start = sandbox.start_date

    def morning() -> int:
        before = len(sandbox.requests)
        project.run(settings_of(sandbox, start_date=start), env)
        return len(sandbox.requests) - before

    requests = morning()
    now = full_load(sandbox)
    first = tables(postgres, "mornings", now.keys)
    assert len(first) == len(SCHEMAS)
    assert first == now.tables

    assert morning() < requests / 2, "the second run asks for the lookback only"
    assert tables(postgres, "mornings", now.keys) == first, "and changes nothing"

    sandbox.clock = A_WEEK_LATER
    assert morning() < requests / 2
    later = full_load(sandbox, start_date=start).tables
    assert tables(postgres, "mornings", now.keys) == later, "as if all had been read anew"
    restated = {name for name, table in first.items() if any(later[name][key] != row for key, row in table.items())}
    assert {"case_details", "states_volume", "mention_sla_export"} <= restated


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_loading_gives_the_same_tables_of_the_same_types(
    way: str,
    pipe: Pipe,
    new_centre: Callable[..., Sandbox],
    settings_of: Callable[..., dict[str, object]],
    settings_for: Callable[..., dict[str, object]],
    full_load: Callable[..., Emitted],
    all_streams: dict[str, Any],
    target: list[str],
    postgres: Postgres,
    tmp_path: Path,
    snapshot: Callable[[str, str], None],
) -> None:
    sandbox = new_centre()
    settings, env, in_files = WAYS[way]
    (folder := tmp_path / "batches").mkdir()
    batches = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": folder.as_uri()}}
    config = settings_of(sandbox, start_date=START, **({"batch_config": batches} if in_files else {}))

    for _ in range(2):
        load = pipe.run(config, target, settings_for(way, **settings), catalog=all_streams, env=env)
        assert load.codes == (0, 0), load.tap_log + load.target_log
    expected = full_load(sandbox, start_date=START)
    assert tables(postgres, way, expected.keys) == expected.tables
    assert any(folder.iterdir()) == in_files
    snapshot("postgres.txt", columns(postgres, way))


USER = {"id": 7, "email": None, "archived": False, "groups": [11, 12], "timezone": "Australia/Adelaide"}
HARD = USER | {
    "first_name": "Zoë\t\\N\\ \r\n\"🎧'",
    "last_name": "",
    "gmtoffset": 0.30000000000000004,
    "sign_in_count": 2**53 + 1,
    "last_sign_in_at": "2026-04-12T14:00:00.123456Z",
}


@pytest.mark.parametrize("way", ["insert", "copy"])
def test_hard_values_arrive_as_they_were_sent(
    way: str,
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
) -> None:
    settings, env, _ = WAYS[way]
    sandbox.fault("unknown_shape", "users", value=[HARD])
    load = pipe.run(
        sandbox.config(), target, settings_for(f"hard_{way}", **settings), catalog=catalog_of("users"), env=env
    )
    assert load.codes == (0, 0), load.tap_log + load.target_log
    (row,) = table_of("users", ["id"], postgres.rows(f"table hard_{way}.users")).values()
    assert row == HARD | {
        "additional_columns": None,
        "gmtoffset": Decimal("0.30000000000000004"),
        "last_sign_in_at": datetime(2026, 4, 12, 14, 0, 0, 123456),
    }


def test_without_copy_and_without_a_zone_times_are_those_of_the_servers_zone(
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
) -> None:
    sandbox.fault("unknown_shape", "users", value=[HARD])
    load = pipe.run(sandbox.config(), target, settings_for("zone"), catalog=catalog_of("users"))
    assert load.codes == (0, 0), load.tap_log + load.target_log
    (row,) = postgres.rows("select last_sign_in_at from zone.users")
    assert row["last_sign_in_at"] == "2026-04-13T00:00:00.123456", "which the documentation warns of"


@pytest.mark.parametrize("way", WAYS)
def test_values_that_postgres_does_not_store_stop_no_load(
    way: str,
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
    tmp_path: Path,
) -> None:
    settings, env, in_files = WAYS[way]
    more: dict[str, object] = {}
    if in_files:
        (folder := tmp_path / "batches").mkdir()
        more = {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": folder.as_uri()}}}
    odd_values.load(pipe, sandbox, catalog_of, target, settings_for(f"odd_{way}", **settings), env, **more)
    odd_values.check(odd_values.tables_of(lambda stream: postgres.rows(f"table odd_{way}.{stream}")))


def test_tables_of_an_earlier_version_take_the_rows_of_this_one(
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
) -> None:
    now = catalog_of("users", "states_volume")
    before = of_an_earlier_version(catalog_of("users", "states_volume"))
    config, settings = sandbox.config(start_date="2026-04-27"), settings_for("older", **FAST)
    counts = []
    for catalog in (before, now):
        load = pipe.run(config, target, settings, catalog=catalog)
        assert load.codes == (0, 0), load.tap_log + load.target_log
        counts.append([len(postgres.rows(f"table older.{stream}")) for stream in ("users", "states_volume")])
    assert counts[0] == counts[1]
    kinds = columns(postgres, "older")
    assert "state text not null key 3" in kinds, "as it was"
    assert kinds.count("additional_columns jsonb") == 2


def test_when_the_target_is_killed_the_tap_says_so_and_the_next_run_completes_the_tables(
    pipe: Pipe,
    new_centre: Callable[..., Sandbox],
    settings_of: Callable[..., dict[str, object]],
    settings_for: Callable[..., dict[str, object]],
    full_load: Callable[..., Emitted],
    all_streams: dict[str, Any],
    target: list[str],
    postgres: Postgres,
) -> None:
    sandbox = new_centre()
    sandbox.fault("timeout", "case_volume", value=3)  # the tap has not ended before
    config, settings = settings_of(sandbox), settings_for("killed", batch_size_rows=50, **FAST)
    running = pipe.start(config, target, settings, catalog=all_streams)
    deadline = time.monotonic() + 60
    while postgres.rows("select from pg_tables where schemaname = 'killed' and tablename = 'user_volume'") == []:
        assert running.target.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.target.kill()
    killed = time.monotonic()
    load = running.wait(timeout=20)
    assert time.monotonic() - killed < 10
    assert load.codes == (1, -9)
    assert load.tap_error == (
        "The target ended before the tap did; its own log says why. The next run continues from the last state that it kept"
    )
    partial = len(postgres.rows("table killed.classifications"))
    assert partial > 0, "it was in the middle"

    load = pipe.run(config, target, settings, catalog=all_streams, state=load.state)
    assert load.codes == (0, 0), load.tap_log + load.target_log
    expected = full_load(sandbox)
    assert tables(postgres, "killed", expected.keys) == expected.tables
    assert load.state is not None


def test_a_column_of_another_type_is_refused_by_name_and_nothing_is_lost(
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
) -> None:
    postgres.execute("""
        create schema other;
        create table other.users (id bigint primary key, first_name bigint);
        insert into other.users values (1, 2)""")
    config, settings = sandbox.config(start_date=START), settings_for("other", **FAST)
    catalog = catalog_of("users", "summary")
    load = pipe.run(config, target, settings, catalog=catalog)
    assert load.target == 1
    assert "Could not convert column 'other.users.first_name' from 'BIGINT' to 'TEXT'" in load.target_log
    assert load.states == []
    assert postgres.rows("select id, first_name from other.users") == [{"id": 1, "first_name": 2}]

    postgres.execute("alter table other.users rename to users_before")
    load = pipe.run(config, target, settings, catalog=catalog, state=load.state)
    assert load.codes == (0, 0), load.tap_log + load.target_log
    assert len(postgres.rows("table other.users")) == 8
    assert len(postgres.rows("table other.summary")) == 18


def test_a_value_that_an_older_column_can_not_hold_is_never_cut_to_fit(
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
) -> None:
    postgres.execute("create schema narrow; create table narrow.users (id bigint primary key, gmtoffset bigint)")
    sandbox.fault("unknown_shape", "users", value=[HARD | {"gmtoffset": 9.5}])
    load = pipe.run(sandbox.config(), target, settings_for("narrow", **FAST), catalog=catalog_of("users"))
    assert load.target == 1
    assert 'invalid input syntax for type bigint: "9.5"' in load.target_log
    assert postgres.rows("table narrow.users") == []


def test_a_column_made_with_a_time_zone_keeps_it(
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
) -> None:
    postgres.execute(
        "create schema aware; create table aware.users (id bigint primary key, last_sign_in_at timestamptz)"
    )
    sandbox.fault("unknown_shape", "users", value=[HARD])
    load = pipe.run(sandbox.config(), target, settings_for("aware", **FAST), catalog=catalog_of("users"))
    assert load.codes == (0, 0), load.tap_log + load.target_log
    (row,) = postgres.rows("select last_sign_in_at from aware.users")
    assert row["last_sign_in_at"] == "2026-04-13T00:00:00.123456+10:00"


def test_the_query_of_the_docs_shows_the_rows_that_the_newest_reading_did_not_bring(
    pipe: Pipe,
    sandbox: Sandbox,
    settings_for: Callable[..., dict[str, object]],
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    postgres: Postgres,
) -> None:
    query = re.search(
        r"```sql\n(select interval, local_date.*?);\n```",
        (ROOT / "docs" / "incremental.md").read_text("utf-8"),
        re.DOTALL,
    )
    assert query
    load = pipe.run(
        sandbox.config(start_date="2026-04-28"),
        target,
        settings_for("gone", **FAST),
        catalog=catalog_of("user_summary"),
    )
    assert load.codes == (0, 0), load.tap_log + load.target_log
    sql = query[1].replace("lexer.", "gone.")
    assert postgres.rows(sql) == []
    postgres.execute("""
        insert into gone.user_summary (date_from, interval, user_id, first_name, _sdc_sync_started_at)
        select min(date_from), 'day', 99, 'Gone', min(_sdc_sync_started_at) - 1 from gone.user_summary""")
    assert [row["first_name"] for row in postgres.rows(sql)] == ["Gone"]
