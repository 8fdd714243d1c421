"""Messages of the Airbyte protocol, and writing them whole, whatever signal comes and whichever thread writes."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final, TypeAlias

from singer_sdk.exceptions import ConfigurationError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity.errors import (
    AccessDeniedError,
    EndOfRun,
    ExportTimedOutError,
    NotAllowedError,
    UnreachableError,
    see_last,
)
from tap_lexer_activity.run.events import Row
from tap_lexer_activity.singer.encode import as_lines
from tap_lexer_activity.singer.stdout import discard_stdout, write_lines

Message: TypeAlias = Mapping[str, Any]

NO_CURSOR: Final = "__ab_no_cursor_state_message"
"""The one member of the state of a stream that was read whole: Airbyte's mark for a state that nothing goes on from."""

_SIGNALLED: Final = 128
"""Exit codes above this one are of signals."""


def now() -> int:
    """The present instant, in milliseconds."""
    return int(time.time() * 1000)


def log(level: str, text: str) -> Message:
    """A line for people."""
    return {"type": "LOG", "log": {"level": level, "message": text}}


def records(stream: str, rows: Sequence[Row]) -> list[Message]:
    """Rows of a stream."""
    at = now()
    return [{"type": "RECORD", "record": {"stream": stream, "data": row, "emitted_at": at}} for row in rows]


def state(stream: str, value: Mapping[str, Any], count: int) -> Message:
    """The point up to which a stream has been read, with the number of its records since its last state."""
    part = {"stream_descriptor": {"name": stream}, "stream_state": value}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": part, "sourceStats": {"recordCount": count}}}


def _trace(kind: str, **content: Any) -> Message:
    return {"type": "TRACE", "trace": {"type": kind, "emitted_at": now(), **content}}


def status(stream: str, word: str) -> Message:
    """The status of a stream: STARTED, RUNNING, COMPLETE or INCOMPLETE."""
    return _trace("STREAM_STATUS", stream_status={"stream_descriptor": {"name": stream}, "status": word})


def estimate(stream: str, rows: int) -> Message:
    """About how many rows a stream will have."""
    return _trace("ESTIMATE", estimate={"name": stream, "type": "STREAM", "row_estimate": rows})


def failure(text: str, kind: str, stream: str | None = None, stack_trace: str | None = None) -> Message:
    """An error, of one stream if it names one.

    Its kind is `config_error`, `transient_error` or `system_error`: who has to do something, and whether another try may help.
    """
    more: dict[str, Any] = {} if stream is None else {"stream_descriptor": {"name": stream}}
    if stack_trace is not None:
        more["stack_trace"] = stack_trace
    return _trace("ERROR", error={"message": text, "internal_message": text, "failure_type": kind, **more})


def kind_of(error: BaseException | None) -> str:
    """Who has to do something about an error: see `failure`."""
    match error:
        case EndOfRun():
            return "transient_error" if error.exit_code > _SIGNALLED else kind_of(error.__cause__)
        case ConfigurationError() | AccessDeniedError() | NotAllowedError():
            return "config_error"
        case RetriableAPIError() | UnreachableError() | ExportTimedOutError():
            return "transient_error"
        case _:
            return "system_error"


def lines_of(error: BaseException) -> list[str]:
    """An error as the lines of a log."""
    said = getattr(error, "errors", None) or str(error).splitlines() or [type(error).__name__]
    return [see_last(line) for line in said]


def defect(error: Exception) -> Message:
    """An error that nobody foresaw. Its own text is left out: data may be in it."""
    place = "".join(traceback.format_tb(error.__traceback__))
    text = f"A defect of the connector: {type(error).__name__}. Please report it with its stack trace [see: airbyte-defect]"
    return failure(text, "system_error", stack_trace=f"{place}{type(error).__name__}")


class Messages:
    """Writes messages. A signal ends the run only between two of them, and in the main thread."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._writing = False
        self._end: EndOfRun | None = None

    def write(self, *messages: Message) -> None:
        """Write messages, one a line.

        Raises:
            EndOfRun: In the main thread, if nobody reads them, if they can't be written, or if a signal came meanwhile. What happens to
                another thread, which would die of it, the main thread meets when it writes next.
        """
        is_main = threading.current_thread() is threading.main_thread()
        if is_main:
            self._writing = True
        try:
            with self._lock:
                write_lines(self._file, as_lines(messages), lambda: is_main and self._end is not None)
        except OSError as error:
            discard_stdout()
            msg = f"stdout can't be written ({error.strerror}). The next run continues from the last state that was kept [see: stdout-unwritable]"
            sys.stderr.write(f"{msg}\n")
            self._end = EndOfRun(msg, exit_code=1)
            self._end.__cause__ = error
        finally:
            if is_main:
                self._writing = False
        if is_main and self._end is not None:
            end, self._end = self._end, None
            raise end

    def interrupt(self, end: EndOfRun) -> None:
        """End the run: now, or after the message that is being written."""
        if not self._writing:
            raise end
        self._end = end


class LogHandler(logging.Handler):
    """Lines of the log as LOG messages."""

    def __init__(self, messages: Messages) -> None:
        super().__init__(logging.INFO)
        self._messages = messages

    @override
    def emit(self, record: logging.LogRecord) -> None:
        level = {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(record.levelname, record.levelname)
        self._messages.write(log(level, record.getMessage()))
