"""Lexer's streams for a Python program or a notebook.

No signal handler, no exit, nothing on stdout: rows are handed out, and errors are raised.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, TypeAlias

from singer_sdk.exceptions import ConfigValidationError, SingerSDKError

from tap_lexer_activity.errors import EndOfRun, see_last
from tap_lexer_activity.fronts.bookmarks import Bookmarks
from tap_lexer_activity.fronts.running import as_json, discovered, new_engine, rows_of, settings_of
from tap_lexer_activity.run.events import Block, ReadUpTo
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.sync.checks import check_token, describe_plan
from tap_lexer_activity.sync.engine import Engine
from tap_lexer_activity.sync.outcome import say_counts, say_outcome

Record: TypeAlias = dict[str, Any]
"""One row: its columns by name, with the values that JSON has. A time is text in UTC."""

_LOGGER = logging.getLogger("tap_lexer_activity")


class LexerError(Exception):
    """An error, in the words of the tap's log, and with the same addresses in Troubleshooting: `[see: token-refused]`."""


@contextmanager
def _lexer_errors() -> Generator[None]:
    try:
        yield
    except EndOfRun as error:
        raise LexerError("\n".join(map(see_last, str(error).splitlines()))) from error
    except ConfigValidationError as error:
        raise LexerError("\n".join(map(see_last, error.errors or [str(error)]))) from error
    except SingerSDKError as error:
        raise LexerError(see_last(" ".join(str(error).split()))) from error


def _refuse_another(process: int) -> None:
    """Refuse to go on in a fork: both processes would have the same connections, and get each other's answers."""
    if os.getpid() != process:
        msg = "this read was begun before the process was forked, and can't continue in the new one: begin another there [see: read-in-a-fork]"
        raise LexerError(msg)


class Lexer:
    """A Lexer account.

        lexer = Lexer(api_token="…", start_date="2026-01-01", timezone="Australia/Sydney")
        rows = list(lexer.read("summary"))

    Each `read` begins at the state that was given, and so gives the same rows again. `state` is where the reads have come to.
    """

    def __init__(
        self, config: Mapping[str, Any] | None = None, /, *, state: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        """Check settings and state. Nothing is asked of Lexer yet.

        Args:
            config: The settings, as in the file of the tap's `--config`.
            state: Where to go on: the `state` of an earlier `Lexer`, or one that the tap wrote.
            settings: Settings by their names. They win over `config`.

        Raises:
            LexerError: If a setting or the state can't be used.
        """
        self._config = {**(config or {}), **settings}
        with _lexer_errors():
            is_backfill = settings_of(self._config).backfill is not None
            self._given = Bookmarks(state, are_kept=is_backfill)
            self._reached = Bookmarks(state, are_kept=is_backfill)

    @property
    def streams(self) -> list[str]:
        """The names of all streams."""
        return list(BY_NAME)

    @property
    def state(self) -> dict[str, Any]:
        """The point up to which streams have been read, in the form of the tap's state.

        It speaks of a window as soon as the row after it has been asked for.
        """
        return self._reached.state

    def read(self, stream: str) -> Iterator[Record]:
        """The rows of one stream.

        Raises:
            LexerError: If there is no such stream; later, if it can't be read, or not to its end.
        """
        return (record for _, record in self.read_all(stream))

    def read_all(self, *streams: str) -> Iterator[tuple[str, Record]]:
        """The rows of some streams, each with the name of its stream. Without names, of those that are selected by default.

        A stream that fails does not keep the others from being read: the error comes at the end.

        Raises:
            LexerError: If there is no such stream; later, if streams can't be read, or not to their end.
        """
        return self._records(self._named(streams))

    def check(self) -> None:
        """Find out whether the token works, by one or two requests.

        Raises:
            LexerError: If it does not, or if that can't be found out.
        """
        with _lexer_errors():
            check_token(Run.begin(settings_of(self._config), _LOGGER))

    def plan(self, *streams: str) -> str:
        """The requests that a read of these streams would send, and how long that takes, as a text. Without names, of those selected by default.

        Raises:
            LexerError: If there is no such stream, or if the list of forms is needed and can't be read.
        """
        names = self._named(streams)
        with _lexer_errors():
            run = Run.begin(settings_of(self._config), _LOGGER, bookmarks=self._given.instants(names))
            engine = Engine(run, [name for name in BY_NAME if name in names])
            return "\n".join(describe_plan(engine, discovered(run.settings, names)))

    def _named(self, streams: Sequence[str]) -> list[str]:
        for name in streams:
            if name not in BY_NAME:
                close = difflib.get_close_matches(name, BY_NAME, n=1)
                hint = f"did you mean {close[0]}?" if close else f"the streams are {', '.join(BY_NAME)}"
                msg = f"there is no stream {name!r}; {hint} [see: no-such-stream]"
                raise LexerError(msg)
        return list(streams) or [name for name, kind in BY_NAME.items() if kind.selected_by_default]

    def _records(self, names: Sequence[str]) -> Iterator[tuple[str, Record]]:
        with _lexer_errors():
            # (Settings are read anew: "now" is when a read begins.)
            engine = new_engine(settings_of(self._config), names, _LOGGER, self._given.instants(names))
            engine.prepare()
            process = os.getpid()
            progress, bookmarks = engine.run.progress, Bookmarks(self._given.state)
            with closing(engine.steps()) as steps:
                for step in steps:
                    name = step.stream.name
                    match step.event:
                        case Block() | dict():
                            records = as_json(rows_of(step))
                            progress.records[name] += len(records)
                            yield from ((name, record) for record in records)
                            _refuse_another(process)
                            if isinstance(step.event, Block):
                                progress.say()
                        case ReadUpTo(instant=datetime() as instant):
                            for each in (bookmarks, self._reached):
                                each.move(name, step.form_id, instant)
                        case "end of part":
                            self._reached.note(name, step.form_id)
            say_counts(engine.run, [stream.name for stream in engine.streams])
            say_outcome(engine, got_further=bookmarks.have_moved)
