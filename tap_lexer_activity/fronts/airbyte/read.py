"""Events of the engine as Airbyte's messages.

As in `singer/output.py`, a `ReadUpTo` moves the bookmark when all rows before it have been written, and a STATE follows.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigurationError

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.fronts.airbyte import messages as m
from tap_lexer_activity.fronts.bookmarks import Bookmarks
from tap_lexer_activity.fronts.running import new_engine, rows_of
from tap_lexer_activity.run.events import Block, ReadUpTo
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.sync.outcome import say_outcome

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from tap_lexer_activity.fronts.airbyte.given import Wanted
    from tap_lexer_activity.settings.settings import Settings
    from tap_lexer_activity.sync.engine import Engine, Step

_OF_A_WINDOW = {"date_from", "interval", "form_id", "timestamp"}
"""Columns whose values are one for each window: a stream whose key has no other has one row a window."""


class StreamOutput:
    """The messages of one stream."""

    def __init__(self, name: str, wanted: Wanted, bookmarks: Bookmarks, messages: m.Messages) -> None:
        self._name = name
        self._wanted = wanted
        self._bookmarks = bookmarks
        self._messages = messages
        self._count = 0
        self._is_running = False
        self._written: Mapping[str, Any] | None = None
        messages.write(m.status(name, "STARTED"))

    def take(self, step: Step) -> int:
        """Write an event's rows, or move the bookmark to where it says.

        Returns:
            The number of rows.
        """
        rows = rows_of(step)
        match step.event:
            case Block() | dict():
                if not self._is_running:
                    self._is_running = True
                    self._messages.write(m.status(self._name, "RUNNING"))
                self._messages.write(*m.records(self._name, rows))
                self._count += len(rows)
            case ReadUpTo(instant=datetime() as instant) if self._wanted.is_incremental:
                self._bookmarks.move(self._name, step.form_id, instant)
                if self._bookmarks.state_of(self._name) != self._written:
                    self._write_state(self._bookmarks.state_of(self._name))
            case "end of part":
                self._bookmarks.note(self._name, step.form_id)
        return len(rows)

    def _write_state(self, state: Mapping[str, Any]) -> None:
        self._messages.write(m.state(self._name, state, self._count))
        self._written, self._count = state, 0

    def end(self, *, is_complete: bool) -> None:
        """Say that the stream has ended. A table is replaced only by all of it, so no state speaks for a part of that."""
        if is_complete:
            state = self._bookmarks.state_of(self._name) if self._wanted.is_incremental else {m.NO_CURSOR: True}
            if self._count or state != self._written:
                self._write_state(state)
        self._messages.write(m.status(self._name, "COMPLETE" if is_complete else "INCOMPLETE"))


def read(
    settings: Settings,
    wanted: Mapping[str, Wanted],
    state: Mapping[str, Any],
    messages: m.Messages,
    logger: logging.Logger,
) -> int:
    """Read the wanted streams.

    Returns:
        The exit code: 1 if a stream failed.

    Raises:
        EndOfRun: If nothing can work, or after a signal.
        ConfigurationError, FatalAPIError, RetriableAPIError: If nothing can begin.
    """
    bookmarks = Bookmarks(state, are_kept=settings.backfill is not None)
    _refuse_part_of_a_table(settings, wanted)
    incremental = [name for name, each in wanted.items() if each.is_incremental]
    columns = {name: each.columns for name, each in wanted.items()}
    engine = new_engine(settings, wanted.keys(), logger, bookmarks.instants(incremental), columns)
    engine.prepare()
    _write_estimates(engine, messages)
    progress = engine.run.progress
    cut_off: list[str] = []
    outputs: dict[str, StreamOutput] = {}
    try:
        with closing(engine.steps()) as steps:
            for step in steps:
                name = step.stream.name
                if step.event == "begin":
                    outputs[name] = StreamOutput(name, wanted[name], bookmarks, messages)
                elif step.event == "end":
                    if name in progress.short and (settings.backfill is not None or not wanted[name].is_incremental):
                        cut_off.append(name)
                    outputs.pop(name).end(is_complete=name not in progress.errors and name not in cut_off)
                else:
                    progress.records[name] += outputs[name].take(step)
                    if isinstance(step.event, Block):
                        progress.say()
    finally:
        for output in outputs.values():
            output.end(is_complete=False)
        for line in (*progress.summary([stream.name for stream in engine.streams]), *engine.run.notices.summary()):
            logger.info("%s", line)
    return _end(engine, cut_off, messages, has_moved=bookmarks.have_moved)


def _refuse_part_of_a_table(settings: Settings, wanted: Mapping[str, Wanted]) -> None:
    """Refuse a backfill whose days would replace a whole table.

    Raises:
        ConfigurationError: If there is one.
    """
    names = [name for name, each in wanted.items() if each.replaces and BY_NAME[name].bookmark_column is not None]
    if settings.backfill is not None and names:
        msg = (
            f"backfill_start: the days of a backfill would replace the whole tables of {', '.join(names)}. "
            "Give them a sync mode that appends, or remove backfill_start [see: airbyte-backfill]"
        )
        raise ConfigurationError(msg)


def _write_estimates(engine: Engine, messages: m.Messages) -> None:
    for stream in engine.windowed:
        if set(stream.keys) <= _OF_A_WINDOW:
            messages.write(m.estimate(stream.name, sum(plan.windows for plan in stream.plans())))


def _end(engine: Engine, cut_off: list[str], messages: m.Messages, *, has_moved: bool) -> int:
    """Say how the run ended; then its exit code."""
    progress = engine.run.progress
    code = 0
    try:
        say_outcome(engine, got_further=has_moved)
    except EndOfRun as end:
        code = 1
        for line in m.lines_of(end):
            messages.write(m.log("ERROR", line))
        if not (progress.failures or cut_off):  # no bookmark has moved
            messages.write(m.failure(m.lines_of(end)[-1], "config_error"))
    for name, reason in progress.failures:
        messages.write(m.failure(f"{name}: {reason}", m.kind_of(progress.errors.get(name)), name))
    for name in cut_off:
        code = 1
        whole = "backfill" if engine.run.settings.backfill else "full refresh"
        is_only_way = engine.run.settings.backfill or BY_NAME[name].bookmark_column is None
        way = "" if is_only_way else ", or read it incrementally"
        text = (
            f"{name}: max_requests ({engine.run.settings.max_requests}) ended it, and a {whole} can't continue later. "
            f"Raise max_requests{way} [see: airbyte-cut-off]"
        )
        messages.write(m.failure(text, "config_error", name))
    return code
