"""How fast the rows of an export are written, beside a plain singer-sdk stream over the same file, in one run.

    python benchmarks/exports.py [--rows 100000 1000000] [--rounds 5] [--briefly]

Both read the same CSV (25 columns, about 400 bytes a row, quoted line breaks, text that is not ASCII) from a server on this machine and
write RECORD messages with the same ids and types. The plain stream is what most taps are: `csv.DictReader`, values cast by hand, and the
SDK's defaults for all else. Medians of the rounds; the two take turns within each, so that a noisy machine is noisy for both.

Bytecode is compiled first, and PYTHONDONTWRITEBYTECODE and PYTHONUNBUFFERED are taken out of the environment: either would measure itself.
"""

from __future__ import annotations

import argparse
import compileall
import csv
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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
        """How the job stands, or its file."""
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


def measure(command: list[str], *, pipe: bool) -> tuple[float, float]:
    """Seconds and peak resident megabytes of a command whose output goes to /dev/null, or through a pipe."""
    output = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) if pipe else None  # noqa: S607
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 (the project's own commands)
        command, stdout=output.stdin if output else subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stderr is not None  # noqa: S101 (it is a pipe)
    log = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if output and output.stdin:
        output.stdin.close()
        output.wait()
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}:\n{log}")
    return seconds, usage.ru_maxrss / 1024


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


def compare(rows: int, rounds: int, folder: Path, *, briefly: bool) -> None:
    """Measure all ways over one file, and print a table."""
    path = folder / f"{rows}.csv"
    write_csv(path, rows)
    server = Server(path)
    (folder / "catalog.json").write_text(json.dumps(catalog()), encoding="utf-8")
    maps = {"mention_sla_export": {"customer_fullname": None}}
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{folder / 'batches'}"},
        "batch_size": 10_000,
    }
    tap = [str(BIN / "tap-lexer-activity"), "--catalog", str(folder / "catalog.json"), "--config"]
    plain = [sys.executable, str(HERE / "plain_stream.py"), "--config"]
    configs = {
        "tap": config_of(server),
        "tap, stream map": config_of(server, stream_maps=maps),
        "tap, batch files": config_of(server, batch_config=batches),
        "plain": {"url": f"{server.origin}/file.csv"},
        "plain, batch files": {"url": f"{server.origin}/file.csv", "batch_config": batches},
    }
    files = {}
    for number, (name, config) in enumerate(configs.items()):
        files[name] = folder / f"config{number}.json"
        files[name].write_text(json.dumps(config), encoding="utf-8")
    ways = {
        "plain singer-sdk stream": ([*plain, str(files["plain"])], False),
        "this tap": ([*tap, str(files["tap"])], False),
        "plain singer-sdk stream, through a pipe": ([*plain, str(files["plain"])], True),
        "this tap, through a pipe": ([*tap, str(files["tap"])], True),
        "this tap, with a stream map (the SDK's way)": ([*tap, str(files["tap, stream map"])], False),
        "plain singer-sdk stream, batch files": ([*plain, str(files["plain, batch files"])], False),
        "this tap, batch files": ([*tap, str(files["tap, batch files"])], False),
    }
    if briefly:
        ways = {name: way for name, way in ways.items() if "pipe" not in name and "map" not in name}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (command, pipe) in ways.items():
            found[name].append(measure(command, pipe=pipe))
    server.shutdown()
    server.server_close()

    print(f"\n{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, medians of {rounds}\n")
    print("| way | records a second | × plain | peak memory, MB |\n|---|---:|---:|---:|")
    against = {False: "plain singer-sdk stream", True: "plain singer-sdk stream, through a pipe"}
    for name, (_, pipe) in ways.items():
        base = "plain singer-sdk stream, batch files" if "batch" in name else against[pipe]
        seconds = statistics.median(seconds for seconds, _ in found[name])
        ratio = statistics.median(b / s for (b, _), (s, _) in zip(found[base], found[name], strict=True))
        print(f"| {name} | {rows / seconds:,.0f} | {ratio:.1f} | {max(memory for _, memory in found[name]):.0f} |")


def main() -> None:
    """Run the comparison for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--briefly", action="store_true", help="neither pipes nor stream maps")
    arguments = parser.parse_args()
    compileall.compile_dir(str(BIN.parent / "lib"), quiet=2)
    compileall.compile_dir(str(HERE.parent / "tap_lexer_activity"), quiet=2)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {resource.getpagesize()}-byte pages"
    )
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            compare(rows, arguments.rounds, Path(folder), briefly=arguments.briefly)


if __name__ == "__main__":
    main()
