"""The engine without Singer: a run that is ended at any of its steps, and gone on from, leaves the tables of one that was not.

A toy warehouse takes the steps of the engine as they come. It commits a bookmark together with all rows before it. Of the rows behind the
last bookmark both extremes are compared: all of them kept, and none. What the next run does depends on the bookmarks alone (the sandbox's
clock stands still, or has moved to one later moment), so there is one such run for each set of bookmarks, and not for each crash.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.clocks import Clock

import tap_lexer_activity
from tap_lexer_activity.run.events import Block, ReadUpTo
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.streams.registry import REPORTS
from tap_lexer_activity.sync.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.types import NewSandbox

    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.sandbox import Sandbox
    from tap_lexer_activity.sync.engine import Step

    Bookmarks = dict[tuple[str, int | None], datetime]
    Rows = dict[tuple[Any, ...], Row]
    """The rows of all tables, by the stream's name and the primary key."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3 * 3600)]

EXPORTS = ("mention_sla_export", "nps_submissions")
ALL_KINDS = ("users", "summary", "nps_summary", "case_volume", "nps_volume", *EXPORTS)
START = {"start_date": "2026-04-29", "export_window_days": 1, "lookback_days": 0}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Runs of one kind.

    Attributes:
        settings: Settings beside those of `START`.
        streams: What is read.
        sandbox: Options of the sandbox.
        moves: How long before the run an undisturbed one was, and how long after it the crashes are gone on from.
        changed: Streams whose numbers the sandbox restates meanwhile.
        takes_time: Whether polls wait for their time.
    """

    settings: dict[str, Any]
    streams: tuple[str, ...] = ALL_KINDS
    sandbox: dict[str, Any] = field(default_factory=dict)
    moves: tuple[timedelta, timedelta] | None = None
    changed: frozenset[str] = frozenset()
    takes_time: bool = False


A_DAY_LATER = (timedelta(days=1), timedelta(hours=6))
KINDS = {
    "a first load, with the window that is still open": Kind(settings={"include_partial": True}),
    # The numbers that change are those of a contact centre that is grown of the seed 26.
    "a run a day later, with a lookback, continued after numbers have changed": Kind(
        settings={"lookback_days": 2},
        sandbox={"seed": "26"},
        moves=A_DAY_LATER,
        changed=frozenset({"summary", "case_volume", "mention_sla_export"}),
    ),
    "exports in windows of a day, in many blocks": Kind(
        settings={}, streams=EXPORTS, sandbox={"messages_per_day": 400}
    ),
    "exports, gone on with in the middle of a window": Kind(
        settings={"export_window_days": 5, "lookback_days": 2, "start_date": "2026-04-25"},
        streams=EXPORTS,
        sandbox={"messages_per_day": 200},
        moves=A_DAY_LATER,
    ),
    "runs that max_requests ends": Kind(settings={"max_requests": 9}),
    "a first load, with 16 requests under way": Kind(settings={"concurrency": 16}),
    # The file of an export is there after a second, and by then some windows of the report have been read.
    "a first load that waits for the quota, and sets exports aside": Kind(
        settings={
            "start_date": "2026-04-25",
            "export_window_days": 3,
            "rate_limit_requests": 5,
            "rate_limit_seconds": 1,
        },
        streams=("users", "summary", "mention_sla_export"),
        takes_time=True,
    ),
}


@dataclass
class ToyWarehouse:
    """Tables with upserts.

    Attributes:
        committed: Rows that are safe.
        bookmarks: Committed with them.
        behind: Rows behind the last bookmark.
        steps: How many have been taken.
    """

    committed: Rows
    bookmarks: Bookmarks
    behind: Rows = field(default_factory=dict)
    steps: int = 0

    def take(self, steps: Iterable[Step]) -> None:
        """Upsert rows, and commit at bookmarks, of which none moves back."""
        for step in steps:
            self.steps += 1
            match step.event:
                case Block() as block:
                    self._upsert(step, block.rows(step.stream.columns.selected))
                case ReadUpTo(instant=datetime() as instant):
                    key = step.stream.name, step.form_id
                    self.bookmarks[key] = max(instant, self.bookmarks.get(key, instant))
                    self.commit()
                case dict() as row:
                    self._upsert(step, [row])

    def _upsert(self, step: Step, rows: Iterable[Row]) -> None:
        name, keys = step.stream.name, step.stream.keys
        self.behind.update(((name, *(row[key] for key in keys)), row) for row in rows)

    def commit(self) -> None:
        """Make all rows safe, as at the end of a run."""
        self.committed |= self.behind
        self.behind = {}

    def without_what_is_behind(self) -> ToyWarehouse:
        """A copy that has lost the rows behind the last bookmark."""
        return ToyWarehouse(dict(self.committed), dict(self.bookmarks))


@dataclass(frozen=True)
class Leg:
    """A run: what the warehouse had before it, and how many steps it has if nothing ends it."""

    before: ToyWarehouse
    steps: int


@dataclass(frozen=True)
class Crash:
    """Where a run was ended, and what it left."""

    point: tuple[int, int]
    left: ToyWarehouse


@dataclass
class Pipeline:
    """The engine with its settings, and warehouses that take its steps. A crash is gone on from at another time.

    Attributes:
        rest: The rows of all runs from some bookmarks on, until there is no more to read.
    """

    sandbox: Sandbox
    kind: Kind
    later: datetime
    rest: dict[frozenset[tuple[tuple[str, int | None], datetime]], Rows] = field(default_factory=dict)

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """At another time, by the sandbox's clock."""
        now, self.sandbox.clock = self.sandbox.clock, moment
        yield
        self.sandbox.clock = now

    def engine(self, bookmarks: Bookmarks, **settings: Any) -> Engine:
        """A run that goes on from bookmarks, prepared."""
        config = self.sandbox.config(**(START | self.kind.settings | settings))
        parsed = parse_settings(config, now=datetime.now(UTC), report_streams=REPORTS)
        clock = Clock()
        given: dict[str, Any] = {} if self.kind.takes_time else {"clock": clock, "sleep": clock.sleep}
        run = Run.begin(parsed, logging.getLogger("engine"), bookmarks=dict(bookmarks), **given)
        engine = Engine(run, self.kind.streams)
        engine.prepare()
        return engine

    def read(self, warehouse: ToyWarehouse, **settings: Any) -> bool:
        """A run to its end.

        Returns:
            Whether `max_requests` left more to read.
        """
        engine = self.engine(warehouse.bookmarks, **settings)
        warehouse.take(engine.steps())
        warehouse.commit()
        assert not engine.run.progress.failures
        return bool(engine.run.progress.short)

    def legs(self, warehouse: ToyWarehouse) -> Iterator[Leg]:
        """Runs that nothing ends, until there is no more to read."""
        more = True
        while more:
            before, warehouse.steps = warehouse.without_what_is_behind(), 0
            more = self.read(warehouse)
            yield Leg(before, warehouse.steps)

    def crashes(self, legs: Iterable[Leg]) -> Iterator[Crash]:
        """Runs that end when so many steps of them have been taken: before the first, and behind each."""
        for number, leg in enumerate(legs):
            for steps in range(leg.steps + 1):
                left = leg.before.without_what_is_behind()
                with closing(self.engine(left.bookmarks).steps()) as wanted:
                    left.take(islice(wanted, steps))
                assert left.steps == steps
                yield Crash((number, steps), left)

    def gone_on_from(self, bookmarks: Bookmarks) -> Rows:
        """The rows that come from bookmarks on."""
        key = frozenset(bookmarks.items())
        if key not in self.rest:
            warehouse = ToyWarehouse({}, dict(bookmarks))
            with self.at(self.later):
                list(self.legs(warehouse))
            self.rest[key] = warehouse.committed
        return self.rest[key]

    def ends_as(self, expected: Rows, crash: Crash) -> bool:
        """True if the tables are these after a crash and all that is read after it, with the rows behind the last bookmark or without."""
        rest = self.gone_on_from(crash.left.bookmarks)
        return all(crash.left.committed | kept | rest == expected for kept in ({}, crash.left.behind))


@pytest.mark.parametrize("name", KINDS)
def test_an_engine_that_is_ended_at_any_step_and_gone_on_from_leaves_the_tables_of_one_that_was_not(
    new_sandbox: NewSandbox, name: str, is_long: bool
) -> None:
    kind = KINDS[name]
    sandbox = new_sandbox(export_seconds=0, **({"messages_per_day": 3} | kind.sandbox))
    before, after = kind.moves or (timedelta(), timedelta())
    pipeline = Pipeline(sandbox, kind, sandbox.clock + after)
    warehouse, whole = ToyWarehouse({}, {}), ToyWarehouse({}, {})
    if kind.moves:
        with pipeline.at(sandbox.clock - before):
            pipeline.read(warehouse)
    with pipeline.at(pipeline.later):
        pipeline.read(whole, max_requests=None)
    expected = whole.committed
    legs = list(pipeline.legs(warehouse))
    # (What is read must be worth it: the numbers that change make a difference.)
    assert {key[0] for key, row in expected.items() if warehouse.committed.get(key) != row} >= kind.changed
    assert {key[0] for key in expected} == set(kind.streams)
    assert (len(legs) > 1) == ("max_requests" in kind.settings)

    crashes = list(pipeline.crashes(legs))
    different: list[tuple[int, ...]] = [crash.point for crash in crashes if not pipeline.ends_as(expected, crash)]
    if is_long:
        with pipeline.at(pipeline.later):
            for first in {frozenset(crash.left.bookmarks.items()): crash for crash in crashes}.values():
                seconds = pipeline.crashes(pipeline.legs(first.left.without_what_is_behind()))
                different += [
                    (*first.point, *crash.point) for crash in seconds if not pipeline.ends_as(expected, crash)
                ]
    assert not different


def test_the_engine_imports_nothing_of_singer() -> None:
    folder = Path(tap_lexer_activity.__file__).parent
    above = {"singer", "fronts", "sandbox", "tap.py", "__main__.py"}
    files = [path.relative_to(folder) for path in folder.rglob("*.py")]
    names = [".".join((folder.name, *path.with_suffix("").parts)) for path in files if path.parts[0] not in above]
    assert "tap_lexer_activity.sync.engine" in names
    code = f"import importlib, sys; [importlib.import_module(name) for name in {names}]; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    forbidden = ("tap_lexer_activity.singer", "tap_lexer_activity.tap", "tap_lexer_activity.sandbox")
    assert "tap_lexer_activity.sync.engine" in loaded
    assert not [name for name in loaded if name.startswith(forbidden)]
