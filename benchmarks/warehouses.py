"""How fast an export's rows reach Postgres and DuckDB, by the target's settings, and how much of that time is the tap's.

    python benchmarks/warehouses.py [--rows 100000] [--rounds 5] [--only NAME ...]

The CSV and the server that it comes from are those of `exports.py`. Each way is the whole pipeline from start to end, through a pipe, into
tables that do not exist yet. The ways take turns within each round, and each is compared with the others of its round, so that a noisy
machine is noisy for all; the table has medians of these ratios. Medians of seconds may come from different rounds, and contradict them.

"The tap alone" is the tap's own command with its output to /dev/null, with batch files where the way has them. Its share is that time over
the whole pipeline's. The rest is not the target's share: both work at the same time.

The targets and the Postgres server are those of the tests, in environments of their own under `.pipelines`.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import yaml
from exports import BIN, ENVIRONMENT, HERE, Server, catalog, config_of, measure, write_csv

sys.path.append(str(HERE.parent / "tests"))
from pipelines.programs import Postgres, environment

STREAM = "mention_sla_export"
DEFAULTS: dict[str, object] = {}
NO_VALIDATION: dict[str, object] = {"validate_records": False}
COPY: dict[str, object] = {"use_copy": True}
WAYS: dict[str, tuple[str, dict[str, object], bool]] = {
    "Postgres, defaults": ("postgres", DEFAULTS, False),
    "Postgres, `validate_records: false`": ("postgres", NO_VALIDATION, False),
    "Postgres, `use_copy: true`": ("postgres", COPY, False),
    "Postgres, both (as in `meltano.yml`)": ("postgres", COPY | NO_VALIDATION, False),
    "Postgres, batch files, defaults": ("postgres", DEFAULTS, True),
    "Postgres, batch files, `use_copy: true`": ("postgres", COPY, True),
    "DuckDB (as in `meltano.yml`)": ("duckdb", DEFAULTS, False),
}
"""Name → the warehouse, its target's settings, and whether the tap writes batch files."""


class Bench:
    """One CSV on a server, and everything that it is loaded with."""

    def __init__(self, rows: int, folder: Path, postgres: Postgres) -> None:
        self._folder = folder
        self._rows = rows
        self._postgres = postgres
        path = folder / "export.csv"
        write_csv(path, rows)
        self._server = Server(path)
        self._batches = folder / "batches"
        self._file("catalog", catalog())
        loaders = yaml.safe_load((HERE.parent / "meltano.yml").read_text(encoding="utf-8"))["plugins"]["loaders"]
        (found,) = (loader for loader in loaders if loader["name"] == "target-postgres")
        self.targets = {
            "postgres": environment("target-postgres", found["pip_url"]) / "target-postgres",
            "duckdb": BIN / "target-duckdb-exact",
        }

    def _file(self, name: str, content: object) -> str:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def tap(self, *, in_files: bool) -> list[str]:
        """The tap's command."""
        shutil.rmtree(self._batches, ignore_errors=True)
        self._batches.mkdir()
        batches = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": self._batches.as_uri()},
            "batch_size": 10_000,
        }
        more = {"batch_config": batches} if in_files else {}
        config = self._file("tap", config_of(self._server, **more))
        return [str(BIN / "tap-lexer-activity"), "--catalog", str(self._folder / "catalog.json"), "--config", config]

    def load(self, way: str) -> float:
        """Seconds of a whole pipeline into an empty warehouse."""
        warehouse, settings, in_files = WAYS[way]
        database = self._folder / "warehouse.duckdb"
        database.unlink(missing_ok=True)
        self._postgres.execute("drop schema if exists benchmark cascade")
        where: dict[str, Any] = (
            {"sqlalchemy_url": self._postgres.url} if warehouse == "postgres" else {"path": str(database)}
        )
        target = self._file("target", {"default_target_schema": "benchmark", **where, **settings})
        tap = self.tap(in_files=in_files)
        log = self._folder / "log"
        begun = time.perf_counter()
        with log.open("wb") as errors:
            source = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT)  # noqa: S603 (our own)
            sink = subprocess.Popen(  # noqa: S603 (a program of the tests)
                [self.targets[warehouse], "--config", target],
                stdin=source.stdout,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=ENVIRONMENT | {"PGTZ": "UTC"},
            )
            if source.stdout:
                source.stdout.close()
            codes = sink.wait(), source.wait()
        seconds = time.perf_counter() - begun
        if codes != (0, 0):
            sys.exit(f"{way}: target and tap ended with {codes}:\n{log.read_text(encoding='utf-8')[-2000:]}")
        if self._loaded(warehouse, database) != self._rows:
            sys.exit(f"{way}: the table has not {self._rows} rows")
        return seconds

    def _loaded(self, warehouse: str, database: Path) -> int:
        count = f"select count(*) from benchmark.{STREAM}"  # noqa: S608 (our own text)
        if warehouse == "postgres":
            return int(self._postgres.execute(count))
        with duckdb.connect(str(database), read_only=True) as connection:
            return int(connection.sql(count).fetchall()[0][0])

    def close(self) -> None:
        """End the server of the file."""
        self._server.shutdown()
        self._server.server_close()


def compare(bench: Bench, rows: int, rounds: int, ways: list[str]) -> None:
    """Measure all ways, and print a table."""
    taps: dict[bool, list[float]] = {False: [], True: []}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for in_files, found in taps.items():
            found.append(measure(bench.tap(in_files=in_files))[0])
        for way in ways:
            times[way].append(bench.load(way))

    print(f"\n{rows:,} rows, medians of {rounds}. The tap alone: {statistics.median(taps[False]):.1f} s; ", end="")
    print(f"with batch files: {statistics.median(taps[True]):.1f} s\n")
    base = times.get("Postgres, defaults")
    if base:
        seconds = statistics.median(base)
        print(f"Postgres with the target's defaults: {seconds:.1f} s, {rows / seconds:,.0f} rows a second.\n")
    print("| way | times the defaults | the tap's share |")
    print("|---|---:|---:|")
    for way, found in times.items():
        ratio = (
            statistics.median(b / s for b, s in zip(base, found, strict=True)) if base and "Postgres" in way else None
        )
        share = statistics.median(t / s for t, s in zip(taps[WAYS[way][2]], found, strict=True))
        print(f"| {way} | {f'{ratio:.1f}' if ratio else ''} | {share:.0%} |")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", choices=WAYS, default=list(WAYS), metavar="NAME", help="of the table's ways"
    )
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    with Postgres() as postgres, tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.rows, Path(folder), postgres)
        for program in bench.targets.values():  # the tap is among those of DuckDB
            compileall.compile_dir(str(program.parents[1] / "lib"), quiet=2)
        compileall.compile_dir(str(HERE.parent / "tap_lexer_activity"), quiet=2)
        try:
            compare(bench, arguments.rows, arguments.rounds, arguments.only)
        finally:
            bench.close()


if __name__ == "__main__":
    main()
