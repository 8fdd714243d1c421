"""The time of a morning's run, by the seconds that an answer takes and the requests that are under way at once.

    python benchmarks/morning.py [--rounds 5] [--seconds 0 0.3 1 5] [--concurrency 1 4 8 16]

A first load of ten days of every stream but the exports, the run of the next morning with the default lookback, and that run is measured:
from its first request to the last answer, so that the start-up of the command is left out. Every answer comes whole after as many seconds
as the row says. `--exports` reads the exports as well, whose jobs then take five seconds each. The rows of all runs are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tap_lexer_activity.sandbox import Sandbox

BIN = Path(sys.executable).parent
TIME = re.compile(rb'"time_extracted":"[^"]*"')
EXPORTS = "!case_details,!nps_submissions,!mention_sla_export"


def run(folder: Path, select: list[str], state: Path | None) -> bytes:
    """The messages of a run."""
    more = ["--state", str(state)] if state else []
    line = [str(BIN / "tap-lexer-activity"), "--config", str(folder / "config.json"), *select, *more]
    env = os.environ | {"TMPDIR": str(folder)}
    done = subprocess.run(line, capture_output=True, env=env, check=False)  # noqa: S603 (the project's own command)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return done.stdout


def measure(seconds: float, concurrency: int, select: list[str], folder: Path) -> tuple[float, int, str]:
    """Seconds of the second run, its requests, and a digest of its messages."""
    with Sandbox(clock="2026-05-01T10:00:00+10:00", quota=(10_000, 1), messages_per_day=5, export_seconds=5) as sandbox:
        config = sandbox.config(start_date="2026-04-20", concurrency=concurrency)
        config |= {"rate_limit_requests": 10_000, "rate_limit_seconds": 1}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        states = [line for line in run(folder, select, None).splitlines() if b'"STATE"' in line]
        (folder / "state.json").write_text(json.dumps(json.loads(states[-1])["value"]), encoding="utf-8")
        sandbox.advance(86_400)
        before = len(sandbox.requests)
        if seconds:
            sandbox.fault("timeout", times=None, value=seconds)
        messages = run(folder, select, folder / "state.json")
        ended = time.monotonic()
        asked = sandbox.requests[before:]
        return ended - asked[0].monotonic, len(asked), hashlib.sha256(TIME.sub(b"", messages)).hexdigest()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, nargs="*", default=[0, 0.3, 1, 5])
    parser.add_argument("--concurrency", type=int, nargs="*", default=[1, 4, 8, 16])
    parser.add_argument("--exports", action="store_true")
    args = parser.parse_args()
    select = [] if args.exports else ["--select", EXPORTS]
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; medians of {args.rounds}\n"
    )
    print("| an answer takes | requests |" + "".join(f" `concurrency: {many}` |" for many in args.concurrency))
    print("|---:|---:|" + "---:|" * len(args.concurrency))
    for seconds in args.seconds:
        medians, counts, digests = [], set(), set()
        for many in args.concurrency:
            found = []
            for _ in range(args.rounds):
                with tempfile.TemporaryDirectory() as folder:
                    found.append(measure(seconds, many, select, Path(folder)))
            medians.append(statistics.median(each for each, _, _ in found))
            counts |= {count for _, count, _ in found}
            digests |= {digest for _, _, digest in found}
        if len(digests) > 1:
            sys.exit(f"{seconds} s: the messages differ")
        cells = "".join(f" {each:.1f} s ({medians[0] / each:.1f} ×) |" for each in medians)
        print(f"| {seconds:g} s | {'–'.join(map(str, sorted(counts)))} |{cells}", flush=True)


if __name__ == "__main__":
    main()
