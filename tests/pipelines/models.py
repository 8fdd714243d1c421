"""The models in `dbt/`, made by dbt of the tables in a warehouse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
from pipelines.programs import ROOT, Postgres

if TYPE_CHECKING:
    from pathlib import Path

    from tap_lexer_activity.sandbox import Sandbox

MODELLED_FROM = "2026-03-30"
"""A Monday; the clocks of Sydney change on the Sunday after it."""
BY_DAY_FROM = "2026-04-22"
"""Reports in the DuckDB file are by the week, and from this Wednesday on by the day as well."""

Row = dict[str, Any]


class DuckDB:
    """A DuckDB file.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, query: str) -> list[Row]:
        """The rows of a query."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            found = connection.execute(query)
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


class Models:
    """A warehouse with a sandbox's tables, and the models of them.

    Attributes:
        sandbox: Where the tables are from.
        warehouse: Where they are.
        built: What dbt said of each model and test, by name.
        log: What it said besides.
    """

    def __init__(self, sandbox: Sandbox, dbt: Path, folder: Path, warehouse: DuckDB | Postgres) -> None:
        self.sandbox = sandbox
        self.warehouse = warehouse
        self.built: dict[str, str] = {}
        self.log = ""
        self._dbt = dbt
        self._folder = folder

    def build(self) -> None:
        """Let dbt make the models and test them."""
        if isinstance(self.warehouse, DuckDB):
            variables = {"TARGET_DUCKDB_PATH": str(self.warehouse.path)}
        else:
            variables = {
                "DBT_TARGET": "postgres",
                "TARGET_POSTGRES_HOST": self.warehouse.url.partition("host=")[2],
                "TARGET_POSTGRES_USER": "postgres",
                "TARGET_POSTGRES_DATABASE": "postgres",
            }
        project = str(ROOT / "dbt")
        options = ["--project-dir", project, "--profiles-dir", project]
        options += ["--target-path", str(self._folder / "target"), "--log-path", str(self._folder)]
        done = subprocess.run(
            [str(self._dbt), "--no-use-colors", "build", *options],
            capture_output=True,
            check=False,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder)} | variables,
            text=True,
            encoding="utf-8",
            timeout=240,
        )
        results = json.loads((self._folder / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
        self.built = {each["unique_id"].split(".")[2]: each["status"] for each in results}
        self.log = done.stdout + done.stderr

    def rows(self, query: str) -> list[Row]:
        """The rows of a query: integers as they are, other numbers as floats, dates and times as ISO 8601."""
        return [{name: _plain(value) for name, value in row.items()} for row in self.warehouse.rows(query)]

    def copy(self, folder: Path) -> Models:
        """The same in a copy of the DuckDB file, to be changed."""
        assert isinstance(self.warehouse, DuckDB)
        shutil.copy(self.warehouse.path, folder)
        return Models(self.sandbox, self._dbt, folder, DuckDB(folder / self.warehouse.path.name))


def _plain(value: Any) -> Any:
    """A value in a form that both warehouses share."""
    if isinstance(value, date):  # or a datetime
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
