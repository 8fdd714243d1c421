"""The rows of one export's file, a few at a time, and where reading has to stop."""

from __future__ import annotations

from itertools import chain, compress, islice
from typing import TYPE_CHECKING, Any, Final, TextIO

from singer_sdk.exceptions import FatalAPIError

from tap_lexer_activity.csv_exports.lines import LastLine, Sections, from_header
from tap_lexer_activity.csv_exports.rows import has_nul, read_rows

if TYPE_CHECKING:
    import csv
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from tap_lexer_activity.csv_exports.convert import Converter

_ROWS_AT_A_TIME: Final = 100
_BYTES_AT_A_TIME: Final = 1 << 22
_ROUND_DIGITS: Final = frozenset({"1", "2", "25", "5"})
_SHORTEST_ROUND: Final = 1000
_LONGEST_SHEETS: Final = frozenset({65_535, 65_536, 1_048_575, 1_048_576})
"""Rows that spreadsheets take, with their header and without."""


class TimelessError(Exception):
    """There are rows without a time in the file of a part of a window.

    Attributes:
        written: Rows before them, which are written.
    """

    def __init__(self, written: int) -> None:
        super().__init__()
        self.written = written


class ExportFile:
    """A file that is read.

    Attributes:
        header: Its first header; empty if it has none.
        first: The row below it; empty if there is none.
        count: Rows that have been read so far.
        converter: Converts the rows that were read last.
    """

    def __init__(self, lines: TextIO, names: AbstractSet[str]) -> None:
        """Read up to the header, by the names of known columns, of a file opened with `newline=""`; `csv.Error` if it is no CSV."""
        self._lines = lines
        self._has_nul = has_nul(lines.buffer)
        self.header, self._titles, self._rows = from_header(read_rows(lines), names)
        self.first = next(self._rows, [])
        self._sections = Sections(self.header or [""], names)
        self._last = LastLine()
        self.count = 0
        self.converter: Converter | None = None

    def chunks(self) -> Iterator[tuple[list[str], list[list[str]]]]:
        """The rows, as many at a time as are fast to read, each time with their header."""
        if self.first:
            rows = chain([self.first], self._rows)
            yield from self._sections.of(self._last.without(chunks_of(rows, self._lines)))

    def columns(
        self,
        converter_under: Callable[[list[str], Converter | None], Converter],
        *,
        is_part: bool = False,
        written: AbstractSet[str] = frozenset(),
    ) -> Iterator[tuple[Converter, list[Sequence[Any]]]]:
        """The values of rows, column by column, and what converted them, which `converter_under` makes for each header after another.

        Rows whose ids are `written` are left out.

        Raises:
            TimelessError: Before the first rows without a time, if the file is of a part of its window.
        """
        header: list[str] | None = None
        for under, chunk in self.chunks():
            if self.converter is None or under is not header:
                header, self.converter = under, converter_under(under, self.converter)
            columns = self.converter.convert(chunk, has_nul=self._has_nul)
            if is_part and self.converter.has_timeless:
                self.converter.forget_surprises()  # they are said of the file that is read in place of this one
                raise TimelessError(self.count)
            self.count += len(chunk)
            if written:
                wanted = [row_id not in written for row_id in columns[0]]
                columns = [list(compress(column, wanted)) for column in columns]
            yield self.converter, columns

    def notices(self) -> Iterator[tuple[str, str]]:
        """The lines that were no rows: a name for each kind, and a sentence."""
        if self._titles:
            yield "title above the header", f"lines above the header, which are left out: {self._titles}"
        if self._sections.others:
            said = "there are other headers in the middle of the file, and the rows below each are read by it"
            yield "headers in the middle", f"{said}: {self._sections.others}"
        if self._last.is_found:
            said = "the last line is a total, and is left out"
            if self._last.named is not None and self._last.named != self.count:
                counts = f"It names {self._last.named}, and there are {self.count} rows"
                said += f". {counts}: check whether some are missing"
            yield "sum below the rows", said

    @property
    def repeated(self) -> int:
        """Lines that were the header once more."""
        return self._sections.repeated


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


def may_be_cut_short(count: int) -> bool:
    """True if a number of rows is one at which servers stop silently."""
    digits = str(count).rstrip("0")
    return count in _LONGEST_SHEETS or (count >= _SHORTEST_ROUND and digits in _ROUND_DIGITS)


def unreadable(what: str, error: csv.Error) -> FatalAPIError:
    """An error for a file that can't be read."""
    msg = f"{what}: the file is not well-formed CSV ({error}) [see: csv-malformed]"
    return FatalAPIError(msg)
