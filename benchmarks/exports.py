"""The speed of an export's rows, beside a plain singer-sdk stream over the same file, in one run.

    python benchmarks/exports.py [--rows 100000 1000000] [--rounds 5] [--briefly]

Both read the same CSV (20 columns, about 400 bytes a row, quoted line breaks, text that is not ASCII) from a server on this machine and
write RECORD messages with the same ids and types. The plain stream is what most taps are: `csv.DictReader`, values cast by hand, and the
SDK's defaults for all else. "`csv.reader` and `msgspec` alone" writes the cells of a file on the disk as they are, without types or ids. No
row that Python's own module reads can cost less. Medians of the rounds; all take turns within each, so that a noisy machine is noisy for all.

Times are CPU seconds: other work on the machine and waits for a server are not in them. "Whole run" is the command from start to end, with
Python's imports. "Rows alone" is that less the same command's time for a file with one row: what each further row costs.

Bytecode is compiled first, and PYTHONDONTWRITEBYTECODE and PYTHONUNBUFFERED are taken out of the environment: either would measure itself.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, starmap
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
}
HEADER = [
    "Account Name", "Source Type", "Agent First Name", "Agent Last Name", "Last Action Date (UTC)", "Customer Wait Time (min)",
    "In Queue (min)", "Agent Response Time (min)", "Within Customer SLA", "Within Agent SLA", "State", "Customer Publish Date (UTC)",
    "Customer Username", "Customer Fullname", "Customer Message", "Agent Reponse Date (UTC)", "Agent Response", "Classifications",
    "Agent Notes", "Customer Note",
]  # fmt: skip
PLAIN = "plain singer-sdk stream"
LEAST = "`csv.reader` and `msgspec` alone"
STATES = ["new", "assigned", "in_progress", "responded", "closed", "irrelevant", "duplicate"]


def write_csv(path: Path, rows: int) -> None:
    """A file of messages, the same for the same number of rows."""
    chance = random.Random(rows)  # noqa: S311 (data, not secrets)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(rows):
            published = start + timedelta(seconds=number * 3)
            moments = [
                (published + timedelta(minutes=chance.randrange(600))).strftime("%Y-%m-%d %H:%M:%S") for _ in range(2)
            ]
            minutes = [f"{chance.uniform(0, 600):.4f}" if chance.random() < 0.8 else "" for _ in range(3)]
            text = "Where is my parcel, please? It was due on Monday." * (1 + number % 3)
            if number % 5 == 0:
                text = f'"Größe 42", they said\r\nand then nothing came – {text}'
            writer.writerow(
                [
                    "Acme Outdoors", "Facebook Comment", "Zoë", "O'Brien", moments[0], *minutes, "true", "false", STATES[number % 7],
                    published.strftime("%Y-%m-%d %H:%M:%S"), f"customer{number}", "Nguyễn Thị Hương", text, moments[1],
                    "Thank you for writing to us, we are looking into it.", "delivery, complaint", "", "VIP" if number % 9 == 0 else "",
                ]
            )  # fmt: skip


def write_cells(path: Path) -> None:
    """Write the rows of a file as RECORD messages, and do nothing else."""
    import msgspec  # noqa: PLC0415 (only this way needs it)

    names = [re.sub(r"\W+", "_", header).strip("_").lower() for header in HEADER]
    row = msgspec.defstruct("Row", names, gc=False)
    fields = [("stream", str), ("record", Any)]
    message = msgspec.defstruct("Record", fields, tag="RECORD", tag_field="type", gc=False)
    encode = msgspec.json.Encoder().encode_lines
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        next(rows)
        while chunk := list(islice(rows, 100)):
            sys.stdout.buffer.write(encode([message("mention_sla_export", each) for each in starmap(row, chunk)]))


class Server(ThreadingHTTPServer):
    """Lexer's export of one file: a job that is complete at once, and its download on the same port."""

    def __init__(self, path: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.path = path
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers of the server."""

    server: Server

    def do_POST(self) -> None:
        """Start a job."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._json({"status": "pending", "url": None, "token": "job"})

    def do_GET(self) -> None:
        """The status of the job, or its file."""
        if self.path != "/file.csv":
            self._json({"status": "complete", "url": f"{self.server.origin}/file.csv", "token": "job"})
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.path.stat().st_size))
        self.end_headers()
        with self.server.path.open("rb") as file:
            self.connection.settimeout(600)
            self.connection.sendfile(file)

    def _json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def measure(command: list[str]) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak resident megabytes of a command whose output goes to /dev/null."""
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 (the project's own commands)
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stderr is not None  # noqa: S101 (it is a pipe)
    log = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}:\n{log}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def config_of(server: Server, **more: object) -> dict[str, object]:
    """A configuration for one export job."""
    return {
        "api_token": "benchmark",
        "start_date": "2026-01-05",
        "end_date": "2026-01-06",
        "api_url": f"{server.origin}/v1",
        "export_status_url": f"{server.origin}/status",
        **more,
    }


def catalog() -> dict[str, object]:
    """A catalog with the one stream."""
    schema = json.loads((HERE.parent / "schemas" / "mention_sla_export.json").read_text(encoding="utf-8"))
    name = "mention_sla_export"
    return {
        "streams": [
            {
                "tap_stream_id": name,
                "stream": name,
                "schema": schema,
                "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
            }
        ]
    }


def ways(path: Path, folder: Path, *, briefly: bool) -> tuple[Server, dict[str, list[str]]]:
    """A server of one file, and the commands that read it, by the way they do."""
    folder.mkdir()
    server = Server(path)
    (folder / "catalog.json").write_text(json.dumps(catalog()), encoding="utf-8")
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{folder / 'batches'}"},
        "batch_size": 10_000,
    }

    def tap(name: str, **more: object) -> list[str]:
        file = folder / f"{name}.json"
        file.write_text(json.dumps(config_of(server, **more)), encoding="utf-8")
        return [str(BIN / "tap-lexer-activity"), "--catalog", str(folder / "catalog.json"), "--config", str(file)]

    def plain(name: str, **more: object) -> list[str]:
        file = folder / f"plain-{name}.json"
        file.write_text(json.dumps({"url": f"{server.origin}/file.csv", **more}), encoding="utf-8")
        return [sys.executable, str(HERE / "plain_stream.py"), "--config", str(file)]

    found = {
        PLAIN: plain("rows"),
        LEAST: [sys.executable, __file__, "--cells", str(path)],
        "this tap": tap("rows"),
        "this tap, with a stream map": tap("map", stream_maps={"mention_sla_export": {"customer_fullname": None}}),
        "this tap, with flattening": tap("flat", flattening_enabled=True, flattening_max_depth=1),
        f"{PLAIN}, batch files": plain("batch", batch_config=batches),
        "this tap, batch files": tap("batch", batch_config=batches),
    }
    if briefly:
        found = {name: way for name, way in found.items() if " with " not in name}
    return server, found


def compare(rows: int, rounds: int, folder: Path, *, briefly: bool) -> None:
    """Measure all ways over one file, and print a table."""
    times: dict[str, list[float]] = {}
    alone: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    sources = []
    for count in (rows, 1):
        write_csv(path := folder / f"{count}.csv", count)
        sources.append(ways(path, folder / f"ways-{count}", briefly=briefly))
    (_, full), (_, nearly_empty) = sources
    for _ in range(rounds):
        for name, command in full.items():
            _, seconds, peak = measure(command)
            _, standing, _ = measure(nearly_empty[name])
            times.setdefault(name, []).append(seconds)
            alone.setdefault(name, []).append(seconds - standing)
            peaks[name] = max(peak, peaks.get(name, 0))
    for server, _ in sources:
        server.shutdown()
        server.server_close()

    size = (folder / f"{rows}.csv").stat().st_size
    print(f"\n{rows:,} rows, {size / 1e6:.0f} MB, medians of {rounds}\n")
    print("| way | rows per CPU second, whole run | × plain | rows alone | × plain | peak memory, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in full:
        base = f"{PLAIN}, batch files" if name.endswith(", batch files") else PLAIN
        figures = []
        for found in (times, alone):
            ratio = statistics.median(b / s for b, s in zip(found[base], found[name], strict=True))
            figures.append(f"{rows / statistics.median(found[name]):,.0f} | {ratio:.1f}")
        print(f"| {name} | {' | '.join(figures)} | {peaks[name]:.0f} |", flush=True)


def main() -> None:
    """Run the comparison for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--briefly", action="store_true", help="neither stream maps nor flattening")
    parser.add_argument("--cells", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cells:
        write_cells(arguments.cells)
        return
    # In a process of its own: the memory of this one would count as that of those it starts.
    folders = [str(BIN.parent / "lib"), str(HERE.parent / "tap_lexer_activity")]
    subprocess.run([sys.executable, "-m", "compileall", "-qq", *folders], env=ENVIRONMENT, check=False)  # noqa: S603 (Python's own)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {resource.getpagesize()}-byte pages"
    )
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            (own := Path(folder, str(rows))).mkdir()
            compare(rows, arguments.rounds, own, briefly=arguments.briefly)


if __name__ == "__main__":
    main()
