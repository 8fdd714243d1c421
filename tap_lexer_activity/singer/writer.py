"""Writing messages whole, whatever signal comes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from singer_sdk.io_base import SingerWriter
from singer_sdk.singerlib.messages import Message, RecordMessage, SchemaMessage, StateMessage
from typing_extensions import override

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.run.events import Row
from tap_lexer_activity.singer.stdout import discard_stdout, write_lines
from tap_lexer_activity.values import null_first

_NOBODY_LISTENS: Final = (
    "The target ended before the tap did; its own log says why. "
    "The next run continues from the last state that it kept [see: target-ended]"
)


class MessageWriter(SingerWriter):
    """A writer that ends a run only between two messages.

    A signal arrives anywhere, also while a write waits for a target that reads slowly. Then the message is finished first: half a
    line would be lost, and so would a second message written from inside the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._writing = False
        self._together = False
        self._end: EndOfRun | None = None
        self.state_came_last = False
        """True if nothing was written since the last STATE."""

    @override
    def write_message(self, message: Message) -> None:
        if isinstance(message, SchemaMessage):  # flattening, stream maps and catalogs bring types of their own
            message.schema = null_first(message.schema)
        self.write_lines(self._line(message))
        self.state_came_last = isinstance(message, StateMessage)

    def _line(self, message: Message) -> bytes:
        """A message as a line of JSON."""
        from tap_lexer_activity.singer.encode import ENCODE_ERRORS, encode_lines  # noqa: PLC0415 (a run needs it, --version and --discover do not)

        try:
            return encode_lines([message.to_dict()])
        except ENCODE_ERRORS:
            return f"{self.format_message(message)}\n".encode()

    def write_records(self, records: Sequence[tuple[str, Row]]) -> None:
        """Write many rows as RECORD messages, each with the name of its stream."""
        from tap_lexer_activity.singer.encode import ENCODE_ERRORS, encode_lines  # noqa: PLC0415 (as above)

        now = datetime.now(UTC)
        others = {"time_extracted": now.isoformat()}
        try:
            lines = encode_lines(
                [{"type": "RECORD", "stream": stream, "record": record, **others} for stream, record in records]
            )
        except ENCODE_ERRORS:
            messages = (RecordMessage(stream, record, time_extracted=now) for stream, record in records)
            lines = b"".join(map(self._line, messages))
        self.write_lines(lines)

    def write_lines(self, lines: bytes) -> None:
        """Write messages that are lines of JSON already. If nobody reads them, or if a signal came meanwhile, the run ends."""
        if sys.stdout is None:
            msg = "stdout is closed, but records are written there [see: stdout-closed]"
            raise EndOfRun(msg, exit_code=1)
        self._writing = True
        self.state_came_last = False
        try:
            write_lines(sys.stdout.buffer, lines, self._is_over)
        except OSError as error:
            discard_stdout()
            msg = f"stdout can't be written ({error.strerror}). The next run continues from the last state that was kept [see: stdout-unwritable]"
            raise EndOfRun(_NOBODY_LISTENS if isinstance(error, BrokenPipeError) else msg, exit_code=1) from error
        finally:
            self._writing = False
        if self._end is not None and self._is_over():
            raise self._end

    def _is_over(self) -> bool:
        """True if a signal came, and nothing that is being written belongs together."""
        return self._end is not None and not self._together

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Messages that belong together: a signal ends the run after the last of them, also one that came before the first."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
        if self._end is not None:
            raise self._end

    def interrupt(self, end: EndOfRun) -> None:
        """End the run: now, or after the message that is being written and those that belong to it.

        If the interpreter keeps the exception to itself, as it does with one from a finalizer, the run ends after the next message.
        """
        self._end = end
        if not (self._writing or self._together):
            raise end
