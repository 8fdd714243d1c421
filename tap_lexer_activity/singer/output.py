"""Events of the engine as Singer messages: the one place where rows are written and bookmarks move.

Three things make a run's output:

- A bookmark is moved by a `ReadUpTo`, when all rows before it have been written, and not by the greatest record: an empty window has been
  read, too, and a record says nothing of those that came with it.
- A STATE follows each window. With batch files it has to wait for the BATCH message that the window's rows are in, which comes at the end of
  the stream at the latest, whatever ends it.
- A row of an export goes past the SDK where nothing is to be done with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import chain
from typing import Final, cast

from tap_lexer_activity.run.events import Block, Event, ReadUpTo, Row
from tap_lexer_activity.run.progress import Progress
from tap_lexer_activity.singer.mapper import stays_flat
from tap_lexer_activity.singer.sinks import BatchBuffer, BlockEncoder
from tap_lexer_activity.singer.stream import SingerStream
from tap_lexer_activity.singer.writer import MessageWriter
from tap_lexer_activity.sync.engine import Step
from tap_lexer_activity.windows import to_text

_ROWS_BETWEEN_LOOKS: Final = 256
"""Rows after which it is looked whether a line of progress is due: a stream map may take long for the rows of one window."""


class StreamOutput:
    """The messages of one stream."""

    def __init__(self, stream: SingerStream, writer: MessageWriter, progress: Progress, *, limit: int | None) -> None:
        self._stream = stream
        self._writer = writer
        self._progress = progress
        self._limit = limit
        self._pending_bookmarks: list[tuple[int | None, str]] = []
        self._selected = stream.columns.selected
        self._is_plain = stream.is_plain and limit is None
        self._encoders: dict[tuple[str, ...], BlockEncoder] = {}
        config = stream.get_batch_config(stream.config)
        self._buffer = None if config is None else BatchBuffer(writer, config)
        self._written = self._looks = 0
        self._form_id: int | None = None
        self._metrics = ExitStack()
        self._counter = self._metrics.enter_context(stream.get_record_counter())
        self._metrics.enter_context(stream.get_sync_timer())

    @property
    def is_done(self) -> bool:
        """True if as many rows have been written as may be."""
        return self._limit is not None and self._written >= self._limit

    def take(self, form_id: int | None, event: Event) -> None:
        """Write an event's rows, or move the bookmark to where it says."""
        if form_id != self._form_id:
            self._form_id = form_id
            self._counter.with_context({"form_id": form_id})
        match event:
            case Block() if self._is_plain and stays_flat(self._stream.stream_maps[0], event):
                self._write_block(event)
            case Block() if self._limit is None:
                self._write_mapped(event)
            case Block():
                for row in event.rows(self._selected):
                    self._write_row(row)
                    if self.is_done:
                        break
            case ReadUpTo():
                if event.instant is None:
                    return
                self._pending_bookmarks.append((form_id, to_text(event.instant)))
                if self._buffer is None or self._buffer.is_old() or self._stream.kind.is_export:
                    self.flush()
            case _:
                self._write_row(cast("Row", event))

    def _write_row(self, row: Row) -> None:
        messages = list(self._stream.messages(row))
        if self._buffer is not None:
            self._buffer.add([(message.stream, message.record) for message in messages], 1)
        else:
            for message in messages:
                self._writer.write_message(message)
        self._count(int(bool(messages)))
        self._looks += 1
        if self._looks % _ROWS_BETWEEN_LOOKS == 0:
            self._progress.say()
        self._flush_if_full()

    def _write_block(self, block: Block) -> None:
        alias = self._stream.stream_maps[0].stream_alias
        encoder = self._encoders.get(block.names)
        if encoder is None:
            encoder = self._encoders[block.names] = BlockEncoder(alias, block.names)
        if self._buffer is None:
            self._writer.write_lines(encoder.messages(block))
        else:
            self._buffer.add_lines({alias: encoder.rows(block)}, block.count)
        self._end_block(block.count)

    def _write_mapped(self, block: Block) -> None:
        found = list(filter(None, self._stream.mapped(block.rows(self._selected))))
        records = list(chain.from_iterable(found))
        if self._buffer is None:
            self._writer.write_records(records)
        else:
            self._buffer.add(records, len(found))
        self._end_block(len(found))

    def _end_block(self, rows: int) -> None:
        self._count(rows)
        self._progress.say()
        self._flush_if_full()

    def _count(self, rows: int) -> None:
        self._progress.records[self._stream.name] += rows  # once, however many streams are made of one
        self._written += rows
        self._counter.increment(rows)

    def _flush_if_full(self) -> None:
        if self._buffer is not None and self._buffer.is_full():
            self.flush()

    def flush(self) -> None:
        """Write the rows that are held back, and then the bookmarks of the windows that have been read to their end."""
        with self._writer.uninterrupted():
            bookmarks, self._pending_bookmarks = self._pending_bookmarks, []
            if self._buffer is not None:
                self._buffer.write()  # (if that fails, no bookmark says that they were)
            for form_id, instant in bookmarks:
                self._stream.move_bookmark(form_id, instant)
            if bookmarks:
                self._stream.write_state()

    def end_part(self, form_id: int | None) -> None:
        """Give a part its place in the state: it has been read, or as much of it as can be."""
        self._stream.note_part(form_id)

    def close(self) -> None:
        """Write what is held back, also before a signal or whatever else ends the run."""
        try:
            self.flush()
        finally:
            self._metrics.__exit__(*sys.exc_info())

    def finish(self) -> None:
        """End the stream: everything of it is written, and its place in the state, too."""
        self.close()
        self._stream.write_state()


def write_steps(steps: Iterable[Step], open_output: Callable[[str], StreamOutput]) -> None:
    """Write the messages of a run. If the number of rows is limited, it ends with the first stream that has as many."""
    outputs: dict[str, StreamOutput] = {}
    try:
        for step in steps:
            name = step.stream.name
            match step.event:
                case "begin":
                    outputs[name] = open_output(name)
                case "end of part":
                    outputs[name].end_part(step.form_id)
                case "end":
                    outputs.pop(name).finish()
                case event:
                    outputs[name].take(step.form_id, event)
                    if outputs[name].is_done:
                        outputs[name].end_part(step.form_id)
                        outputs.pop(name).finish()
                        return
    finally:
        for output in outputs.values():
            output.close()
