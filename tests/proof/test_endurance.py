"""What goes on for a year, and what is a gigabyte large: nothing grows, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from conftest import ENVIRONMENT, Run
from exports import Handler, Server, config_of, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap, Warehouse
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3 * 3600)]

ONE_OF_EACH_KIND = ("users", "summary", "case_volume", "nps_volume", "mention_sla_export", "nps_submissions")
MIDNIGHT = datetime(2025, 1, 31, 13, tzinfo=UTC)  # in Sydney
LOOKBACK = {"lookback_days": 7, "series_interval": "hour", "form_ids": [55]}
MOST_MEMORY = 100 * 10**6
EARLY, LATE = "first month", "last month"


def table_of_digests(rows: int) -> int:
    """Bytes of what tells apart the rows of a file that are alike: 8 for a digest, in a table that is never fuller than two thirds."""
    places = 1 << 16
    while 3 * rows > 2 * places:
        places *= 2
    return 8 * places


def memory(process: int) -> dict[str, int]:
    """Bytes of memory that a process has (`VmRSS`), and has had at most (`VmHWM`), since it became the program that it is."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {name: int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM") if name in fields}


# A year


class Process:
    """A process that runs the tap as often as it is asked to."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._file = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proof.hours"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._file,
            env=ENVIRONMENT,
            text=True,
            encoding="utf-8",
        )

    def run(self, **given: Any) -> Run:
        """Run the tap with this config, catalog and state."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        lines = list[str]()
        for line in process.stdout:
            if line == '{"type": "END"}\n':
                return Run(0, "".join(lines), "")
            lines.append(line)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def memory(self) -> int:
        return memory(self._process.pid)["VmRSS"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)
        self._file.close()


@dataclass(frozen=True)
class Hour:
    """What one run took."""

    requests: int
    state: int
    memory: int


def without_time(run: Run) -> list[dict[str, Any]]:
    return [{name: value for name, value in message.items() if name != "time_extracted"} for message in run.messages]


def test_a_year_of_hourly_runs_takes_no_more_at_its_end_than_at_its_beginning(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse], tmp_path: Path,
    is_long: bool, keep: Callable[..., None],
) -> None:  # fmt: skip
    hours = (365 if is_long else 2) * 24
    sandbox = new_sandbox(clock=MIDNIGHT, messages_per_day=4, export_seconds=0)
    catalog = catalog_of(*ONE_OF_EACH_KIND)
    warehouse, took = new_warehouse(), list[Hour]()
    state: dict[str, Any] = {}
    with Process(tmp_path / "log") as process:
        for hour in range(-1, hours):  # before the first midnight comes the first load
            sandbox.clock = MIDNIGHT + timedelta(hours=hour, minutes=10)
            sandbox.requests.clear()
            config = sandbox.config(start_date="2025-01-20", **LOOKBACK)
            run = process.run(config=config, catalog=catalog, state=state)
            if hour >= 0:
                took.append(Hour(len(sandbox.requests), len(json.dumps(run.state)), process.memory()))
            if hour % (hours // 3) == hours // 9:
                command = tap.run(config, catalog=catalog, state=state)
                assert without_time(run) == without_time(command), "a process of its own writes the same"
            warehouse.load(run)
            state = run.state

    full = tap.run(config, catalog=catalog, timeout=3600)
    truth = new_warehouse().load(full).tables
    different = [
        (stream, key)
        for stream in ONE_OF_EACH_KIND
        for key in truth[stream].keys() | warehouse.tables[stream].keys()
        if truth[stream].get(key) != warehouse.tables[stream].get(key)
    ]
    for name, row in figures(took).items():
        keep("year", what=name, **row)
    keep("year", what="rows that differ from those of one full load", **{LATE: len(different)})
    assert not different
    assert daily(truth["summary"]) == Counter(
        m["local_date"] for m in sandbox.truth("2025-01-20", last_midnight(sandbox))
    )

    early, late = took[: hours // 2], took[hours // 2 :]
    assert max(hour.requests for hour in late) <= max(hour.requests for hour in early)
    assert len({hour.state for hour in took}) == 1
    assert max(hour.memory for hour in late) < 1.1 * max(hour.memory for hour in early)


def figures(took: list[Hour]) -> dict[str, dict[str, object]]:
    """The least and the most of each measure, in the first thirty days and in the last."""
    month = min(30 * 24, len(took) // 2)
    found: dict[str, dict[str, object]] = {"runs": {EARLY: month, LATE: month}}
    measures: dict[str, Callable[[Hour], int]] = {
        "requests of a run": lambda hour: hour.requests,
        "bytes of the state": lambda hour: hour.state,
        "megabytes of memory": lambda hour: round(hour.memory / 1e6),
    }
    for what, measure in measures.items():
        found[what] = {}
        for column, part in ((EARLY, took[:month]), (LATE, took[-month:])):
            values = [measure(hour) for hour in part]
            found[what][column] = f"{min(values)} to {max(values)}"
    return found


def daily(summary: dict[tuple[Any, ...], dict[str, Any]]) -> dict[str, int]:
    return {row["local_date"]: row["total_volume"] for row in summary.values() if row["total_volume"]}


def last_midnight(sandbox: Sandbox) -> datetime:
    return sandbox.clock.replace(hour=0, minute=0) - timedelta(seconds=1)


# A gigabyte


class CuttingHandler(Handler):
    """Breaks off the first download in the middle."""

    server: CuttingServer

    def do_GET(self) -> None:
        if self.path != "/file.csv" or self.server.has_cut:
            super().do_GET()
            return
        self.server.has_cut = True
        size = self.server.path.stat().st_size
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        with self.server.path.open("rb") as file:
            self.connection.sendfile(file, count=size // 2)
        self.close_connection = True


class CuttingServer(Server):
    """Serves a file, the first time only half of it."""

    def __init__(self, path: Path) -> None:
        self.has_cut = False
        super().__init__(path)
        self.RequestHandlerClass = CuttingHandler


class Watch(threading.Thread):
    """Watches the most memory of a process, and the most bytes that it has in files without a name."""

    def __init__(self, process: int) -> None:
        super().__init__()
        self.memory = self.disk = 0
        self._process = process
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.01):
            with suppress(OSError):  # of a file that has just been closed, a process that has just ended
                self.memory = max(self.memory, memory(self._process).get("VmHWM", 0))
                files = Path(f"/proc/{self._process}/fd").iterdir()
                self.disk = max(self.disk, sum(file.stat().st_size for file in files if is_without_name(file)))

    def end(self) -> None:
        self._ended.set()
        self.join()


def is_without_name(file: Path) -> bool:
    return str(file.readlink()).endswith(" (deleted)")


def test_a_file_takes_few_bytes_of_memory_for_a_row_and_its_own_size_on_the_disk(
    tap: Tap, catalog_of: CatalogOf, tmp_path: Path, is_long: bool, keep: Callable[..., None]
) -> None:
    peaks = []
    row_size = 370
    for size, exports in ((10**8, 3), (10**9, 1)) if is_long else ((10**6, 3), (10**7, 1)):
        rows = size // row_size
        write_csv(path := tmp_path / "export.csv", rows)
        (temporary := tmp_path / str(size)).mkdir()
        server = CuttingServer(path)
        # So many exports, one after the other; the first of them is cut off at the first try.
        # (With more requests under way, files wait on the disk for their turn as well: tests/test_jobs_ahead.py counts them.)
        config = config_of(server, end_date=f"2026-01-{5 + exports:02}", export_window_days=1, concurrency=1)
        command = tap.arguments(config, catalog=catalog_of("mention_sla_export"))
        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=ENVIRONMENT | {"TMPDIR": str(temporary)}
            ) as process,
        ):
            watch = Watch(process.pid)
            assert process.stdout is not None
            records = sum(line.startswith(b'{"type":"RECORD"') for line in process.stdout)
            watch.end()
        server.shutdown()
        server.server_close()
        assert process.returncode == 0, (tmp_path / "log").read_text(encoding="utf-8")
        assert server.has_cut
        assert records == exports * rows
        whole = path.stat().st_size
        assert whole >= size
        assert 0 < watch.disk <= whole
        assert watch.memory < MOST_MEMORY
        assert all("quota" in file.name for file in temporary.rglob("*") if file.is_file())
        peaks.append(watch.memory - table_of_digests(rows))
        keep("gigabyte", **{
            "size of the file, MB": round(whole / 1e6), "rows": rows, "exports": exports, "most memory, MB": round(watch.memory / 1e6),
            "most temporary disk, MB": round(watch.disk / 1e6),
        })  # fmt: skip
        shutil.rmtree(temporary)
        path.unlink()
    assert peaks[1] < 1.05 * peaks[0], "all but that table takes the same for every size"
