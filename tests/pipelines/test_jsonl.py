"""target-jsonl: files to which every run appends, and the SQL that keeps the newest row of each key."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from pipelines import odd_values
from pipelines.programs import ROOT
from pipelines.tables import SCHEMAS, Tables, table_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.conftest import Pipe, Project
    from pipelines.tables import Emitted

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

A_WEEK_LATER = "2026-05-08T10:00:00+10:00"
LOOKBACK_BEGINS = "2026-04-20"  # a week before the oldest bookmark, which is that of weeks


@pytest.fixture
def statement() -> Callable[[str, list[str]], str]:
    """Writes the SQL statement of docs/warehouses.md for a stream and its key."""
    text = (ROOT / "docs" / "warehouses.md").read_text(encoding="utf-8")
    matches: list[str] = re.findall(r"```sql\n([^`]*read_json[^`]*)```", text)
    (found,) = matches
    stream, key = "output/user_summary*.jsonl", 'partition by date_from, "interval", user_id '
    assert found.count(stream) == found.count(key) == 1

    def write(name: str, columns: list[str]) -> str:
        quoted = ", ".join(f'"{column}"' for column in columns)
        return found.replace(stream, f"output/{name}*.jsonl").replace(key, f"partition by {quoted} ")

    return write


def plain(tables: Tables) -> Tables:
    """The same with plain objects: DuckDB gives all objects of a column the same names, and makes times of texts that look like them."""
    return {
        stream: {key: {name: _plain(value) for name, value in row.items()} for key, row in table.items()}
        for stream, table in tables.items()
    }


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: str(part) if isinstance(part, datetime) else part for name, part in value.items() if part is not None}


def before_the_lookback(stream: str, key: list[str]) -> set[int]:
    """How often each key is in the files that is older than the second run's lookback."""
    texts = [path.read_text(encoding="utf-8") for path in Path("output").glob(f"{stream}*")]
    rows = [json.loads(line) for text in texts for line in text.splitlines()]
    found = Counter(tuple(row[name] for name in key) for row in rows if row["local_date"] < LOOKBACK_BEGINS)
    return set(found.values())


@pytest.mark.parametrize("file_per_run", [True, False])
def test_recent_windows_appear_again_and_the_statement_keeps_the_newest_row_of_each_key(
    file_per_run: bool,
    new_project: Callable[[str], Project],
    new_centre: Callable[..., Sandbox],
    settings_of: Callable[..., dict[str, object]],
    full_load: Callable[..., Emitted],
    statement: Callable[[str, list[str]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = new_project("target-jsonl")
    sandbox = new_centre()
    start = sandbox.start_date
    env = {"TARGET_JSONL_DO_TIMESTAMP_FILE": json.dumps(file_per_run), "TZ": "UTC"}
    env["TARGET_JSONL_DESTINATION_PATH"] = "output"  # as in `prod`
    for clock in (sandbox.clock, A_WEEK_LATER):
        sandbox.clock = clock
        project.run(settings_of(sandbox, start_date=start), env)
    expected = full_load(sandbox, start_date=start)
    assert len(list((project.folder / "output").iterdir())) == len(SCHEMAS) * (1 + file_per_run)

    monkeypatch.chdir(project.folder)
    for stream, rows in plain(expected.tables).items():
        key = expected.keys[stream]
        lines = sum(path.read_bytes().count(b"\n") for path in Path("output").glob(f"{stream}*"))
        assert lines > len(rows), "the lookback's rows are there twice"
        if "interval" in key:
            assert before_the_lookback(stream, key) == {1}, "and no others: the second run has gone on from its state"
        found = duckdb.execute(statement(stream, key))
        names = [column[0] for column in found.description]
        kept = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        assert set(names) == set(SCHEMAS[stream]["properties"])
        assert plain({stream: table_of(stream, key, kept)}) == {stream: rows}


def test_values_that_no_target_stores_are_in_the_files_as_any_reader_can_read_them(
    pipe: Pipe,
    sandbox: Sandbox,
    catalog_of: Callable[..., dict[str, Any]],
    loader: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    (folder := tmp_path / "files").mkdir()
    settings = {"destination_path": str(folder), "do_timestamp_file": False}
    odd_values.load(pipe, sandbox, catalog_of, [str(loader("target-jsonl"))], settings)

    def rows_of(stream: str) -> list[dict[str, Any]]:
        with (
            duckdb.connect() as connection
        ):  # a reader that takes no half of a character, and no integer of more than 64 bits
            connection.execute(f"select * from read_json('{folder}/{stream}.jsonl')").fetchall()  # noqa: S608 (our own text)
        text = (folder / f"{stream}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    odd_values.check(odd_values.tables_of(rows_of))
