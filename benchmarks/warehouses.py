"""The speed of rows into Postgres and DuckDB, by the target's settings, and the share of each program in it.

    python benchmarks/warehouses.py [--loads export year] [--rows 100000] [--days 365] [--rounds 5] [--only NAME ...]

Two loads: one export, from the server of `exports.py`; and a year of daily reports and series, from a sandbox whose quota never makes a
request wait. Each way is the whole pipeline from start to end, through a pipe, into tables that do not exist yet. The ways take turns
within each round, and each is compared with the first of its round, so that a noisy machine is noisy for all.

CPU seconds are those of the tap + the target + the Postgres server: other work on the machine, and the time that answers take, are not
in them. "Times the first" are rows per CPU second of target and server, against the first way of the same warehouse. Seconds are those of
the whole pipeline, in which all three work at the same time.

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
from typing import Any, NamedTuple

import duckdb
import yaml
from exports import BIN, ENVIRONMENT, HERE, Server, catalog, config_of, write_csv

from tap_lexer_activity.sandbox import Sandbox

sys.path.append(str(HERE.parent / "tests"))
from pipelines.programs import Postgres, environment

QUOTA = 100_000
EXPORTS = "!case_details,!nps_submissions,!mention_sla_export"
BATCH = "batch files, "
DEFAULTS: dict[str, object] = {}
NO_VALIDATION: dict[str, object] = {"validate_records": False}
COPY: dict[str, object] = {"use_copy": True}
LOADERS = yaml.safe_load((HERE.parent / "meltano.yml").read_text(encoding="utf-8"))["plugins"]["loaders"]
OURS = {loader["name"]: loader["config"] for loader in LOADERS}
POSTGRES: dict[str, dict[str, object]] = {
    "defaults": DEFAULTS,
    "`validate_records: false`": NO_VALIDATION,
    "`use_copy: true`": COPY,
    "as in `meltano.yml`": OURS["target-postgres"],
    "as in `meltano.yml`, `batch_size_rows: 1000`": OURS["target-postgres"] | {"batch_size_rows": 1_000},
    "as in `meltano.yml`, `batch_size_rows: 100000`": OURS["target-postgres"] | {"batch_size_rows": 100_000},
    "as in `meltano.yml`, `add_record_metadata: false`": OURS["target-postgres"]
    | {"add_record_metadata": False, "activate_version": False},  # which goes with it
    f"{BATCH}as in `meltano.yml`": OURS["target-postgres"],
}
DUCKDB: dict[str, dict[str, object]] = {
    "as in `meltano.yml`": OURS["target-duckdb"],
    "as in `meltano.yml`, `batch_size_rows: 10000`": OURS["target-duckdb"] | {"batch_size_rows": 10_000},
    "as in `meltano.yml`, `validate_records: true`": OURS["target-duckdb"] | {"validate_records": True},
}
WAYS = {f"Postgres, {name}": settings for name, settings in POSTGRES.items()}
WAYS |= {f"DuckDB, {name}": settings for name, settings in DUCKDB.items()}
"""Name → its target's settings."""


class Spent(NamedTuple):
    """Seconds of a pipeline, and the CPU seconds of its programs."""

    seconds: float
    tap: float
    target: float
    server: float

    @property
    def loading(self) -> float:
        """CPU seconds that are not the tap's."""
        return self.target + self.server


def cpu(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """The exit code and the CPU seconds of a process that is waited for."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


class Bench:
    """One load, and everything that it is loaded with."""

    def __init__(self, folder: Path, postgres: Postgres, config: dict[str, object], arguments: list[str]) -> None:
        """Prepare it, and find out how many rows it has.

        Args:
            folder: A folder of its own.
            postgres: The server.
            config: The tap's configuration.
            arguments: The tap's further arguments.
        """
        self._folder = folder
        self._postgres = postgres
        self._config = config
        self._arguments = arguments
        self._batches = folder / "batches"
        self.targets = {
            "Postgres": environment("target-postgres", _pip_url("target-postgres")) / "target-postgres",
            "DuckDB": BIN / "target-duckdb-exact",
        }
        done = subprocess.run(  # noqa: S603 (our own)
            self._tap(in_files=False), capture_output=True, env=ENVIRONMENT, check=False
        )
        if done.returncode:
            sys.exit(done.stderr.decode()[-2000:])
        self.rows = sum(line.startswith(b'{"type":"RECORD"') for line in done.stdout.splitlines())

    def _file(self, name: str, content: object) -> str:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def _tap(self, *, in_files: bool) -> list[str]:
        shutil.rmtree(self._batches, ignore_errors=True)
        self._batches.mkdir()
        batches = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": self._batches.as_uri()},
        }
        more = {"batch_config": batches} if in_files else {}
        config = self._file("tap", self._config | more)
        return [str(BIN / "tap-lexer-activity"), "--config", config, *self._arguments]

    def load(self, way: str) -> Spent:
        """A whole pipeline into an empty warehouse."""
        warehouse, _, name = way.partition(", ")
        database = self._folder / "warehouse.duckdb"
        database.unlink(missing_ok=True)
        self._postgres.execute("drop schema if exists benchmark cascade")
        where: dict[str, Any] = (
            {"sqlalchemy_url": self._postgres.url} if warehouse == "Postgres" else {"path": str(database)}
        )
        target = self._file("target", WAYS[way] | where | {"default_target_schema": "benchmark"})
        tap = self._tap(in_files=name.startswith(BATCH))
        log = self._folder / "log"
        temporary = self._folder / "temporary"  # anew each time: the quota's file in it would grow from load to load
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        begun, server = time.perf_counter(), self._postgres.cpu_seconds()
        with log.open("wb") as errors:
            source = subprocess.Popen(  # noqa: S603 (our own)
                tap, stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT | {"TMPDIR": str(temporary)}
            )
            sink = subprocess.Popen(  # noqa: S603 (a program of the tests)
                [self.targets[warehouse], "--config", target],
                stdin=source.stdout,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=ENVIRONMENT | {"PGTZ": "UTC"},
            )
            if source.stdout:
                source.stdout.close()
            (target_code, target_cpu), (tap_code, tap_cpu) = cpu(sink), cpu(source)
        seconds = time.perf_counter() - begun
        if (target_code, tap_code) != (0, 0):
            sys.exit(f"{way}: target and tap ended badly:\n{log.read_text(encoding='utf-8')[-2000:]}")
        loaded = self._loaded(warehouse, database)
        if loaded != self.rows:
            sys.exit(f"{way}: {loaded} rows were loaded, not {self.rows}")
        return Spent(seconds, tap_cpu, target_cpu, self._postgres.cpu_seconds() - server)

    def _loaded(self, warehouse: str, database: Path) -> int:
        names = "select table_name from information_schema.tables where table_schema = 'benchmark'"
        count = "select sum(n) from (%s)"
        each = "select count(*) as n from benchmark.{}"
        if warehouse == "Postgres":
            tables = self._postgres.execute(names).split()
            return int(self._postgres.execute(count % " union all ".join(map(each.format, tables)) + " as counts"))
        with duckdb.connect(str(database), read_only=True) as connection:
            tables = [str(name) for (name,) in connection.sql(names).fetchall()]
            return int(connection.sql(count % " union all ".join(map(each.format, tables))).fetchall()[0][0])


def _pip_url(name: str) -> str:
    (found,) = (loader["pip_url"] for loader in LOADERS if loader["name"] == name)
    return str(found)


def measure(bench: Bench, rounds: int, ways: list[str]) -> dict[str, list[Spent]]:
    """What each way takes, in each round."""
    spent: dict[str, list[Spent]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            spent[way].append(bench.load(way))
    return spent


def cells(way: str, spent: dict[str, list[Spent]]) -> str:
    """The cells of a way and a load: seconds, CPU seconds, and rows per CPU second, as a multiple of the warehouse's first way."""
    warehouse = way.partition(", ")[0]
    base = next(found for other, found in spent.items() if other.startswith(warehouse))
    seconds, *cpus = (statistics.median(column) for column in zip(*spent[way], strict=True))
    shown = " + ".join(f"{part:.1f}" for part in (cpus if way.startswith("Postgres") else cpus[:2]))
    times = statistics.median(b.loading / s.loading for b, s in zip(base, spent[way], strict=True))
    return f" {seconds:.0f} | {shown} | {times:.1f} |"


def print_table(found: dict[str, tuple[int, dict[str, list[Spent]]]], rounds: int) -> None:
    """One table of all loads."""
    print("; ".join(f"{load}: {rows:,} rows" for load, (rows, _) in found.items()), f"; medians of {rounds}\n", sep="")
    print("| way |" + "".join(f" {load}: seconds | CPU seconds | times the first |" for load in found))
    print("|---|" + "---:|---:|---:|" * len(found))
    for way in next(iter(found.values()))[1]:
        print(f"| {way} |" + "".join(cells(way, spent) for _, spent in found.values()))


def export(folder: Path, rows: int) -> tuple[dict[str, object], list[str]]:
    """The tap's configuration and arguments for one export, whose server ends with this process."""
    path = folder / "export.csv"
    write_csv(path, rows)
    (folder / "catalog.json").write_text(json.dumps(catalog()), encoding="utf-8")
    return config_of(Server(path)), ["--catalog", str(folder / "catalog.json")]


def year(sandbox: Sandbox, days: int) -> tuple[dict[str, object], list[str]]:
    """The same for daily reports and series up to the sandbox's clock."""
    start = sandbox.clock.date().toordinal() - days
    quota = {"rate_limit_requests": QUOTA, "rate_limit_seconds": 1}
    start_date = sandbox.clock.date().fromordinal(start).isoformat()
    return sandbox.config(start_date=start_date, **quota), ["--select", EXPORTS]


def main() -> None:
    """Run the comparison for each load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", nargs="+", choices=["export", "year"], default=["export", "year"])
    parser.add_argument("--rows", type=int, default=100_000, help="of the export")
    parser.add_argument("--days", type=int, default=365, help="of the reports")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", choices=WAYS, default=list(WAYS), metavar="NAME", help="of the table's ways"
    )
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    found: dict[str, tuple[int, dict[str, list[Spent]]]] = {}
    with (
        Postgres() as postgres,
        Sandbox(clock="2026-05-01T10:00:00+10:00", quota=(QUOTA, 1)) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        for load in arguments.loads:
            (own := Path(folder, load)).mkdir()
            asked = export(own, arguments.rows) if load == "export" else year(sandbox, arguments.days)
            bench = Bench(own, postgres, *asked)
            for program in bench.targets.values():  # the tap is among those of DuckDB
                compileall.compile_dir(str(program.parents[1] / "lib"), quiet=2)
            compileall.compile_dir(str(HERE.parent / "tap_lexer_activity"), quiet=2)
            found[load] = bench.rows, measure(bench, arguments.rounds, arguments.only)
    print_table(found, arguments.rounds)


if __name__ == "__main__":
    main()
