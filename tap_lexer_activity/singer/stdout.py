"""Standard output that takes every byte, whatever it is connected to.

Python's own stdout may take a part of a write and say so in its result only: with `PYTHONUNBUFFERED=1` it is the bare file, and a signal
or a stopped process cuts a write short; and a pipe that another process has made non-blocking takes what fits and no more.
"""

from __future__ import annotations

import io
import logging
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from typing_extensions import override

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


_PAUSE: Final = 1.0
"""Longest wait in seconds for a reader, before it is looked again whether there is room."""
_PIECE: Final = 1 << 13
"""Bytes of lines that are written at once, about: a slow reader takes the rows of a block for minutes."""


class StdoutError(OSError):
    """Standard output can't be written."""

    @override
    def __str__(self) -> str:
        return f"stdout can't be written ({self.strerror})"


def write_all(file: BinaryIO | io.RawIOBase, data: ReadableBuffer) -> None:
    """Write all of some bytes to a file, raw or buffered, blocking or not, and flush it.

    Raises:
        OSError: If they can't be written. How many of them were is not known then.
    """
    rest = memoryview(data).cast("B")
    while rest:
        try:
            count = file.write(rest) or 0
        except BlockingIOError as error:  # of a buffered file, whose buffer is full
            count = error.characters_written
        if not count:
            _wait_for_room(file)
        rest = rest[count:]
    while True:
        try:
            return file.flush()
        except BlockingIOError:
            _wait_for_room(file)


def write_lines(file: BinaryIO, lines: bytes, is_over: Callable[[], bool]) -> None:
    """Write whole lines, and no more of them once the run is over.

    Raises:
        OSError: If they can't be written. How many of them were is not known then.
    """
    view, begin = memoryview(lines), 0
    while begin < len(lines):
        end = lines.find(b"\n", begin + _PIECE) + 1 or len(lines)
        write_all(file, view[begin:end])
        begin = end
        if is_over():
            return


def _wait_for_room(file: BinaryIO | io.RawIOBase) -> None:
    select.select([], [file], [], _PAUSE)


class _WholeFile(io.RawIOBase):
    """A raw file whose writes are never cut short."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    @override
    def writable(self) -> bool:
        return True

    @override
    def fileno(self) -> int:
        return self._file.fileno()

    @override
    def isatty(self) -> bool:
        return self._file.isatty()

    @override
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            write_all(self._file, data)
        except BrokenPipeError:  # the reader has ended, which may be all right
            raise
        except OSError as error:
            raise StdoutError(error.errno, error.strerror) from error
        return memoryview(data).nbytes


def make_stdout_whole() -> None:
    """Put a stdout that takes every byte in the place of Python's own. Nothing may have been written to that yet."""
    own = sys.stdout
    if own is None:  # closed
        return
    file = _WholeFile(io.FileIO(own.fileno(), "wb", closefd=False))
    sys.stdout = io.TextIOWrapper(
        cast("BinaryIO", io.BufferedWriter(file)),
        encoding=own.encoding,
        errors=own.errors,
        line_buffering=own.isatty(),
    )


def flush_stdout() -> None:
    """Write what a print has left in the buffer: at the interpreter's end, a failure would have an exit code of its own."""
    if sys.stdout is not None:
        sys.stdout.flush()


def discard_stdout() -> None:
    """Let what is still to be written go nowhere: the interpreter would try once more at its end, and fail with an exit code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end_around_threads(code: str | int | None) -> None:
    """End the process, if threads still wait for answers that nobody needs: Python may crash when it ends around them."""
    if threading.active_count() == 1:
        return
    logging.shutdown()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # `None` if it was closed before the start
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
