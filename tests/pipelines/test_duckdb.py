"""target-duckdb, as `demo/loader` mends it: what tests/test_meltano.py does not check of it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from pipelines import odd_values
from pipelines.tables import Table, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipelines.conftest import Pipe
    from pipelines.tables import Emitted, Tables

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

START = "2026-04-13"
MEGABYTES = 1


@pytest.fixture
def target(loader: Callable[[str], Path]) -> list[str]:
    return [str(loader("target-duckdb"))]


def tables(path: Path, keys: dict[str, list[str]]) -> Tables:
    """Tables of the file; its times are in UTC without saying so."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {stream: _table(connection, stream, key) for stream, key in keys.items()}


def _table(connection: duckdb.DuckDBPyConnection, stream: str, key: list[str]) -> Table:
    found = connection.table(f"lexer.{stream}")
    documents = {name for name, kind in zip(found.columns, found.types, strict=True) if str(kind) == "JSON"}
    rows = []
    for values in found.fetchall():
        row = dict(zip(found.columns, values, strict=True))
        rows.append(row | {name: json.loads(row[name]) for name in documents if row[name] is not None})
    return table_of(stream, key, rows)


def stored(expected: Tables) -> Tables:
    """The same with null for empty text: the loader can't tell them apart."""
    return {
        stream: {
            key: {name: None if value == "" else value for name, value in row.items()} for key, row in table.items()
        }
        for stream, table in expected.items()
    }


def columns(path: Path) -> str:
    """Each column's name and type, and whether it is part of the key."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.sql("""
            select table_name, column_name, data_type, is_nullable from information_schema.columns
            where table_schema = 'lexer' order by table_name, ordinal_position""").fetchall()
    lines = []
    for table in dict.fromkeys(row[0] for row in found):
        lines.append(f"\n{table}")
        for _, name, kind, nullable in (row for row in found if row[0] == table):
            lines.append(f"  {name} {kind.lower()}{'' if nullable == 'YES' else ' not null'}")
    return "\n".join(lines).lstrip() + "\n"


def test_two_loads_give_each_row_once_in_columns_of_its_type(
    pipe: Pipe,
    new_centre: Callable[..., Sandbox],
    settings_of: Callable[..., dict[str, object]],
    full_load: Callable[..., Emitted],
    all_streams: dict[str, Any],
    target: list[str],
    tmp_path: Path,
    snapshot: Callable[[str, str], None],
) -> None:
    sandbox, path = new_centre(), tmp_path / "warehouse.duckdb"
    for _ in range(2):
        settings = {"path": str(path), "default_target_schema": "lexer"}
        load = pipe.run(settings_of(sandbox, start_date=START), target, settings, catalog=all_streams)
        assert load.codes == (0, 0), load.tap_log + load.target_log
    expected = full_load(sandbox, start_date=START)
    assert tables(path, expected.keys) == stored(expected.tables)
    snapshot("duckdb.txt", columns(path))


def test_values_that_duckdb_does_not_store_stop_no_load(
    pipe: Pipe, sandbox: Sandbox, catalog_of: Callable[..., dict[str, Any]], target: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "warehouse.duckdb"
    odd_values.load(pipe, sandbox, catalog_of, target, {"path": str(path), "default_target_schema": "lexer"})
    odd_values.check(tables(path, odd_values.KEYS))


class SmallDisk:
    """A folder with room for little, until `grow` is called.

    Attributes:
        prefix: What a command line begins with to feel it.
        complaint: What the system says when it is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix: list[str] = []
        self.complaint = "No space left on device"
        self._mounted = self._mount(f"size={MEGABYTES}m")
        if not self._mounted:  # not everybody may; a limit on the size of a file strikes in the same place
            self.prefix = ["prlimit", f"--fsize={MEGABYTES * 2**20}"]
            self.complaint = "File too large"

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def grow(self) -> None:
        if self._mounted:
            assert self._mount("remount,size=200m")
        self.prefix = []

    def close(self) -> None:
        if self._mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    (folder := tmp_path / "disk").mkdir()
    disk = SmallDisk(folder)
    yield disk
    disk.close()


def test_when_the_disk_is_full_both_ends_say_so_and_the_next_run_completes_the_tables(
    pipe: Pipe,
    new_centre: Callable[..., Sandbox],
    settings_of: Callable[..., dict[str, object]],
    full_load: Callable[..., Emitted],
    all_streams: dict[str, Any],
    target: list[str],
    small_disk: SmallDisk,
) -> None:
    sandbox, path = new_centre(messages_per_day=60), small_disk.folder / "warehouse.duckdb"
    config = settings_of(sandbox)
    settings = {"path": str(path), "default_target_schema": "lexer", "batch_size_rows": 50}
    load = pipe.run(config, [*small_disk.prefix, *target], settings, catalog=all_streams)
    assert load.codes == (1, 1), load.tap_log + load.target_log
    assert small_disk.complaint in load.target_log
    assert "The target ended before the tap did" in load.tap_error

    small_disk.grow()
    load = pipe.run(config, target, settings, catalog=all_streams, state=load.state)
    assert load.codes == (0, 0), load.tap_log + load.target_log
    expected = full_load(sandbox)
    assert tables(path, expected.keys) == stored(expected.tables)
