"""What other targets make of the schemas, by their own code and without their databases: BigQuery and MySQL."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pipelines.programs import code_of
from pipelines.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

OF_BIGQUERY = """
import json, sys
from target_bigquery.schema import parse_schema
print(json.dumps({stream: {field.name: [field.field_type, field.mode, [inner.name for inner in field.fields]]
    for field in parse_schema(schema)} for stream, schema in json.load(sys.stdin).items()}))
"""
OF_MYSQL = """
import json, sys
from sqlalchemy.dialects import mysql
from target_mysql.sinks import MySQLConnector
types = MySQLConnector.__new__(MySQLConnector)
print(json.dumps({stream: {name: types.to_sql_type(column).compile(dialect=mysql.dialect())
    for name, column in schema["properties"].items()} for stream, schema in json.load(sys.stdin).items()}))
"""
LONGEST_KEY = 3072
"""Bytes of a key in MySQL; a character takes four."""


def asked(command: list[str], code: str, schemas: dict[str, Any], **env: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [*command, "-c", code], input=json.dumps(schemas), capture_output=True, check=False, text=True, env=env
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def schemas_with(tap: Tap, sandbox: Sandbox, all_streams: dict[str, Any]) -> Callable[..., dict[str, dict[str, Any]]]:
    """Gives the SCHEMA messages of a run with some settings, by stream."""

    def run(**settings: object) -> dict[str, dict[str, Any]]:
        config = sandbox.config(start_date="2026-04-30", report_parameters={"workflow_states": {"type": "states"}})
        messages = tap.run({**config, **settings}, catalog=all_streams).messages
        return {message["stream"]: message for message in messages if message["type"] == "SCHEMA"}

    return run


def test_one_target_for_bigquery_requires_no_column_and_flattening_leaves_it_no_dummy(
    environment: Callable[..., Path], schemas_with: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    python = [str(environment("target-bigquery", "target-bigquery-partition==0.2.5") / "python")]
    for flat in (False, True):
        messages = schemas_with(**({"flattening_enabled": True, "flattening_max_depth": 1} if flat else {}))
        assert len(messages) == len(SCHEMAS)
        found = asked(python, OF_BIGQUERY, {stream: message["schema"] for stream, message in messages.items()})
        fields = {(stream, name): field for stream, columns in found.items() for name, field in columns.items()}
        assert "REQUIRED" not in {mode for _, mode, _ in fields.values()}
        records = {name for (_, name), (kind, _, _) in fields.items() if kind == "RECORD"}
        assert records == (set() if flat else {"states", "additional_columns"})
        assert {inner for _, _, names in fields.values() for inner in names} == (set() if flat else {"dummy"})


def test_every_key_is_short_enough_for_mysql(schemas_with: Callable[..., dict[str, dict[str, Any]]]) -> None:
    messages = schemas_with()
    folder = code_of("thk-target-mysql==0.1.3")
    schemas = {stream: message["schema"] for stream, message in messages.items()}
    found = asked([sys.executable, "-W", "ignore"], OF_MYSQL, schemas, PYTHONPATH=str(folder))
    assert len(found) == len(SCHEMAS)
    for stream, columns in found.items():
        kinds = [columns[name] for name in messages[stream]["key_properties"]]
        assert all(kind in {"BIGINT", "DATETIME", "VARCHAR(255)"} for kind in kinds), stream
        assert sum(4 * 255 if kind == "VARCHAR(255)" else 8 for kind in kinds) <= LONGEST_KEY, stream
