"""A run that is ended anywhere, and run again from the last state that a target has kept, leaves the tables of one run that was not.

A target loads records in their order, and keeps a state when all before it is loaded. What it has loaded of the records behind its last
state is not known, so both extremes are compared: all of them, and none. What the next run does depends on the state alone (the
sandbox's clock stands still, or has moved to one later moment), so there is one such run for each state, and not for each crash.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from conftest import ENVIRONMENT, Run, Warehouse

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from conftest import Tap
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = [pytest.mark.proof, pytest.mark.hurried, pytest.mark.timeout(3 * 3600)]

EXPORTS = ("mention_sla_export", "nps_submissions")
ALL_KINDS = ("users", "summary", "nps_summary", "case_volume", "nps_volume", *EXPORTS)
START = {"start_date": "2026-04-29", "export_window_days": 1}
SMALLEST_PIPE = 4096
"""Bytes that the tap can be ahead of its reader: a few messages."""

ENDS = {number: 128 + number for number in (signal.SIGTERM, signal.SIGINT)} | {signal.SIGKILL: -signal.SIGKILL}
IS_OVER = (0, -signal.SIGTERM, -signal.SIGINT)
"""How a run ends that has written all before the signal comes: by itself, or by the interpreter, which no longer has the tap's handler."""


def batches(folder: Path) -> dict[str, Any]:
    return {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": folder.as_uri()},
            "batch_size": 3,
        }
    }


LATER = "a run a day later, with a lookback, continued after numbers have changed"
CHANGED = {"summary", "case_volume", "mention_sla_export"}
"""What the sandbox restates of the last two days within six hours, if its contact centre is grown of the seed 26."""
FIRST = "a first load, with the window that is still open, also by Ctrl-C"
MANY = "a first load, with 16 requests under way"
LARGE = "exports, written in pieces that are larger than the pipe"
KINDS_OF_RUNS: dict[str, Callable[[Path], dict[str, Any]]] = {
    FIRST: lambda _: {"lookback_days": 0, "include_partial": True},
    LATER: lambda _: {"lookback_days": 2},
    LARGE: lambda _: {"lookback_days": 0, "start_date": "2026-04-30"},
    "batch files": lambda folder: {"lookback_days": 0, **batches(folder)},
    "runs that max_requests ends": lambda _: {"lookback_days": 0, "max_requests": 9},
    MANY: lambda _: {"lookback_days": 0, "include_partial": True, "concurrency": 16},
}
SANDBOXES: dict[str, dict[str, Any]] = {LATER: {"seed": "26"}, LARGE: {"messages_per_day": 40}}


def loaded(lines: list[bytes]) -> Warehouse:
    """The tables of a target that has loaded these messages."""
    return Warehouse().load(Run(0, "".join(itertools.chain.from_iterable(map(records, lines))), ""))


def records(line: bytes) -> Iterator[str]:
    """A message; in place of one of batch files, those of the records in them."""
    message = json.loads(line)
    if message["type"] != "BATCH":
        yield line.decode()
        return
    for url in message["manifest"]:
        for row in gzip.decompress(Path(url.removeprefix("file://")).read_bytes()).splitlines():
            yield f'{{"type": "RECORD", "stream": "{message["stream"]}", "record": {row.decode()}}}\n'


def last_state(lines: list[bytes]) -> tuple[int, Any]:
    """How many messages go up to the last state, and the state. None of either at first."""
    for number in range(len(lines), 0, -1):
        message = json.loads(lines[number - 1])
        if message["type"] == "STATE":
            return number, message["value"]
    return 0, None


@dataclass(frozen=True)
class Crash:
    """A process that was ended by a signal: its exit code, and what was read of it before that, and could be read after it."""

    code: int
    read: list[bytes]
    rest: bytes

    def came_too_late(self, leg: Leg) -> bool:
        """True if all messages may have been written before the signal was sent: what had not been read then was all in the pipe."""
        total = len(self.read) + len(self.rest.splitlines())
        return self.code in IS_OVER and total == len(leg.messages) and len(self.rest) <= SMALLEST_PIPE


@dataclass(frozen=True)
class Leg:
    """An undisturbed run: from which state, what the target had loaded before, the run's messages, and how many requests it took."""

    state: Any
    before: list[bytes]
    messages: list[bytes]
    requests: int

    def points(self, *signals: signal.Signals) -> Iterator[dict[str, Any]]:
        """Every crash that there can be by one of these."""
        for number in signals:
            for unbuffered in ("", "1"):  # most images of containers set it: then stdout is the bare file
                way = {"number": number, "unbuffered": unbuffered}
                yield from (way | {"message": n + 1} for n in range(len(self.messages)))
                yield from (way | {"request": n + 1} for n in range(self.requests))

    def outcomes(self, crash: Crash) -> Iterator[tuple[list[bytes], Any]]:
        """What a target may have loaded after a crash, and the state that it has kept."""
        whole = [line for line in crash.rest.splitlines(keepends=True) if line.endswith(b"\n")]
        for read in [crash.read, crash.read + whole]:
            number, state = last_state(read)
            for kept in (read[:number], read):
                yield self.before + kept, state if number else self.state


@dataclass
class Pipeline:
    """A tap with its config, and a target that has loaded some of its messages. A run that is ended is gone on from at another time."""

    tap: Tap
    sandbox: Sandbox
    config: dict[str, Any]
    catalog: dict[str, Any]
    folder: Path
    later: datetime
    rest_by_state: dict[str, list[bytes]] = field(default_factory=dict)

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """At another time, by the sandbox's clock."""
        now, self.sandbox.clock = self.sandbox.clock, moment
        yield
        self.sandbox.clock = now

    def rest(self, state: Any) -> list[bytes]:
        """The messages of all runs from a state on, until there is no more to read."""
        key = json.dumps(state)
        if key not in self.rest_by_state:
            with self.at(self.later):
                run = self.tap.run(self.config, catalog=self.catalog, state=state)
            assert run.code == 0, run.log
            lines = run.out.encode().splitlines(keepends=True)
            if "More to read" in run.log:
                lines = [*lines, *self.rest(run.state)]
            self.rest_by_state[key] = lines
        return self.rest_by_state[key]

    def crash(
        self,
        state: Any,
        number: signal.Signals,
        unbuffered: str,
        *,
        message: int | None = None,
        request: int | None = None,
    ) -> Crash:
        """Run from a state, and send a signal when a message has been read, or when a request has arrived."""
        env = ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered}
        arrived = itertools.count(1)
        command = self.tap.arguments(self.config, catalog=self.catalog, state=state)
        with (
            (self.folder / "log").open("wb") as log,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, bufsize=0, pipesize=SMALLEST_PIPE, env=env
            ) as process,
        ):
            output = cast("io.FileIO", process.stdout)

            def strike() -> None:
                if next(arrived) == request:
                    process.send_signal(number)

            # (A run that would go on for ever fails the test by its exit code.)
            (too_long := threading.Timer(120, process.kill)).start()
            self.sandbox.on_request = strike
            read = [output.readline() for _ in range(message or 0)]
            if message is not None:
                process.send_signal(number)
            rest = output.readall()
            process.wait()
            too_long.cancel()
        self.sandbox.on_request = lambda: None
        return Crash(process.returncode, read, rest)

    def legs(self, state: Any, messages: list[bytes]) -> Iterator[Leg]:
        """The runs of this pipeline that are not disturbed, until there is no more to read."""
        while True:
            asked = len(self.sandbox.requests)
            run = self.tap.run(self.config, catalog=self.catalog, state=state)
            assert run.code == 0, run.log
            leg = Leg(state, messages, run.out.encode().splitlines(keepends=True), len(self.sandbox.requests) - asked)
            yield leg
            if "More to read" not in run.log:
                return
            state, messages = run.state, messages + leg.messages


@pytest.mark.parametrize("kind", KINDS_OF_RUNS)
def test_a_run_that_is_ended_anywhere_and_run_again_leaves_the_tables_of_one_that_was_not(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, tmp_path: Path, kind: str, is_long: bool,
    keep: Callable[..., None],
) -> None:  # fmt: skip
    sandbox = new_sandbox(export_seconds=0, **({"messages_per_day": 3} | SANDBOXES.get(kind, {})))
    catalog, more = catalog_of(*(EXPORTS if kind == LARGE else ALL_KINDS)), START | KINDS_OF_RUNS[kind](tmp_path)
    later = sandbox.clock + timedelta(hours=6 if kind == LATER else 0)
    pipeline = Pipeline(tap, sandbox, sandbox.config(**more), catalog, tmp_path, later)
    state, before = None, list[bytes]()
    if kind == LATER:
        with pipeline.at(sandbox.clock - timedelta(days=1)):
            yesterday = tap.run(sandbox.config(**START), catalog=catalog)
        state, before = yesterday.state, yesterday.out.encode().splitlines(keepends=True)
    with pipeline.at(later):
        once = {name: value for name, value in more.items() if name in {*START, "include_partial"}}
        expected = Warehouse().load(tap.run(sandbox.config(**once), catalog=catalog)).tables
    legs = list(pipeline.legs(state, before))
    undisturbed = loaded([*legs[-1].before, *legs[-1].messages]).tables
    assert {name for name in expected if undisturbed[name] != expected[name]} == (CHANGED if kind == LATER else set())
    signals = (signal.SIGKILL, signal.SIGTERM, *([signal.SIGINT] if kind == FIRST else []))
    points = [(leg, point) for leg in legs for point in leg.points(*signals)]
    if not is_long:
        points = random.Random(kind).sample(points, 3)  # noqa: S311 (the same in each run)

    different, late = [], 0
    for leg, point in points:
        crash = pipeline.crash(leg.state, **point)
        for messages, kept in leg.outcomes(crash):
            if loaded(messages + pipeline.rest(kept)).tables != expected:
                different.append((point, kept))
        if point["number"] != signal.SIGKILL:
            assert not crash.rest or crash.rest.endswith(b"\n"), point
        if crash.code != ENDS[point["number"]]:
            # (A tap that waits for an answer is there to be struck.)
            assert "message" in point, f"no signal at {point}: exit code {crash.code}"
            assert crash.came_too_late(leg), f"no end by {point}: exit code {crash.code}"
            late += 1
    if is_long:
        emitted = [
            message["value"] for leg in legs for message in map(json.loads, leg.messages) if message["type"] == "STATE"
        ]
        assert {json.dumps(state) for state in emitted} <= pipeline.rest_by_state.keys()
    assert not different
    keep("crashes", **{
        "run": kind, "messages": sum(len(leg.messages) for leg in legs), "requests": sum(leg.requests for leg in legs),
        "kill points": len(points) - late, "signals that came too late": late,
        "states continued from": len(pipeline.rest_by_state), "differences": len(different),
    })  # fmt: skip
