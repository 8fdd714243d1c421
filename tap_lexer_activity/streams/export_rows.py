"""The rows of one export's file, a few at a time, and where reading has to stop."""

from __future__ import annotations

from itertools import compress, islice
from typing import TYPE_CHECKING, Any, Final, TextIO

from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    import csv
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from tap_lexer_activity.csv_exports.convert import Converter

_ROWS_AT_A_TIME: Final = 160
_BYTES_AT_A_TIME: Final = 1 << 22


class TimelessError(Exception):
    """There are rows without a time in the file of a part of a window.

    Attributes:
        written: Rows before them, which are written.
    """

    def __init__(self, written: int) -> None:
        super().__init__()
        self.written = written


def values_of(
    converter: Converter, chunks: Iterator[list[list[str]]], *, is_part: bool, written: AbstractSet[str]
) -> Iterator[list[Sequence[Any]]]:
    """The values of rows, column by column, but of those whose ids are written already.

    Raises:
        TimelessError: Before the first rows without a time, if they are of a part of a window.
    """
    count = 0
    for chunk in chunks:
        columns = converter.convert(chunk)
        if is_part and converter.has_timeless:
            converter.surprises.clear()  # they are said of the file that is read in place of this one
            raise TimelessError(count)
        count += len(chunk)
        if written:
            wanted = [row_id not in written for row_id in columns[0]]
            columns = [list(compress(column, wanted)) for column in columns]
        yield columns


def chunks_of(rows: Iterator[list[str]], lines: TextIO) -> Iterator[list[list[str]]]:
    """Rows, as many at a time as fit into the processor's cache: few are slow for Python, and many for the memory."""
    while True:
        chunk: list[list[str]] = []
        begun = lines.buffer.tell()
        while len(chunk) < _ROWS_AT_A_TIME and lines.buffer.tell() - begun < _BYTES_AT_A_TIME:
            chunk += (some := list(islice(rows, 20)))
            if len(some) < 20:  # noqa: PLR2004 (as above)
                break
        if not chunk:
            return
        yield chunk


def unreadable(what: str, error: csv.Error) -> FatalAPIError:
    """An error for a file that can't be read."""
    msg = f"{what}: the file is not well-formed CSV ({error})"
    return FatalAPIError(msg)
