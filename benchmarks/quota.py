"""The time of a backfill, against the least that the quota allows.

    python benchmarks/quota.py [--rounds 5] [--only "late answers"]

The sandbox grants 20 requests in 2 seconds and is asked for 400 reports: by one run, by two runs at once that share the quota, and by one
whose own limit is set wrongly high, so that it meets answers of 429; and by one with 16 requests under way whose answers each take half a
second, which would take 200 s one after the other. Each run also asks for the users, to compare their time zones, so the least time is
`floor((401 - 1) / 20) * 2` = 40 s. To that comes the server's own time: where it takes half a second for an answer, that much for each
period, because it may count a request as late as at its answer. The start-up of the command does not count: the time is from the first
request to the last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_lexer_activity.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

BIN = Path(sys.executable).parent
SCHEMAS = Path(__file__).parent.parent / "schemas"
REQUESTS, CALLS, SECONDS = 400, 20, 2


def catalog(*streams: str) -> dict[str, object]:
    """A catalog of these streams."""
    return {
        "streams": [
            {
                "tap_stream_id": name,
                "stream": name,
                "schema": json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")),
                "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
            }
            for name in streams
        ]
    }


def measure(
    runs: Sequence[tuple[str, ...]], folder: Path, *, late: float = 0.0, **settings: object
) -> tuple[float, int, int]:
    """Seconds from the first request to the last, their number, and answers of 429, of runs at the same time with these streams each.

    Args:
        runs: The streams of each.
        folder: For files.
        late: Seconds that an answer takes.
        settings: Of the tap.
    """
    with Sandbox(clock="2026-05-01T10:00:00+10:00", quota=(CALLS, SECONDS), messages_per_day=5) as sandbox:
        (folder / "config.json").write_text(
            json.dumps(sandbox.config(**({"rate_limit_requests": CALLS, "rate_limit_seconds": SECONDS} | settings))),
            encoding="utf-8",
        )
        if late:
            sandbox.fault("timeout", times=None, value=late)
        processes = []
        for number, streams in enumerate(runs):
            file = folder / f"catalog{number}.json"
            file.write_text(json.dumps(catalog(*streams)), encoding="utf-8")
            line = [str(BIN / "tap-lexer-activity"), "--config", str(folder / "config.json"), "--catalog", str(file)]
            processes.append(
                subprocess.Popen(  # noqa: S603 (the project's own command)
                    line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(folder)}
                )
            )
        if any(process.wait() for process in processes):
            sys.exit("a run failed")
        times = sorted(request.monotonic for request in sandbox.requests)
        return times[-1] - times[0], len(times) - sandbox.rate_limited, sandbox.rate_limited


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="a part of the name of what is measured")
    args = parser.parse_args()
    rounds: int = args.rounds
    start, half = "2025-10-13", "2026-01-21"  # 200 days before the sandbox's clock, and 100
    ways: dict[str, tuple[list[tuple[str, ...]], dict[str, Any]]] = {
        "one run": ([("summary", "case_summary")], {"start_date": start}),
        "two runs at once": (
            [("summary", "case_summary"), ("user_summary", "user_volume")],
            {"start_date": half},
        ),
        "one run, its own limit set 10 times too high": (
            [("summary", "case_summary")],
            {"start_date": start, "rate_limit_requests": 10 * CALLS},
        ),
        "one run, late answers: 0.5 s each, 16 under way": (
            [("summary", "case_summary")],
            {"start_date": start, "late": 0.5, "concurrency": 16},
        ),
    }
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; medians of {rounds}\n")
    print(f"| {REQUESTS} reports at {CALLS} in {SECONDS} s | seconds | least | ratio | answers of 429 |")
    print("|---|---:|---:|---:|---:|")
    for name, (runs, settings) in ways.items():
        if args.only not in name:
            continue
        found = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(runs, Path(folder), **settings))
        seconds = statistics.median(seconds for seconds, _, _ in found)
        refused = statistics.median(refused for _, _, refused in found)
        counts = {count for _, count, _ in found}
        if counts != {REQUESTS + len(runs)}:
            sys.exit(
                f"{name}: {counts} requests were answered, and not {REQUESTS} for reports and one a run for the users"
            )
        least = (counts.pop() - 1) // CALLS * (SECONDS + settings.get("late", 0))
        print(f"| {name} | {seconds:.2f} | {least:.0f} | {seconds / least:.3f} | {refused:.0f} |", flush=True)


if __name__ == "__main__":
    main()
