"""The files of an export: their rows, a few at a time, where reading has to stop, and what is refused before a row is written."""

from __future__ import annotations

import csv
from functools import partial
from itertools import chain, compress, islice, repeat
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.csv_exports.convert import Converter
from tap_lexer_activity.csv_exports.names import matched
from tap_lexer_activity.csv_exports.rows import LastLine, Sections, from_header, has_nul, is_data, read_rows
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.run.events import Block
from tap_lexer_activity.streams.base import WindowedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Request, Window

OWN_COLUMNS: Final = ("record_id", "form_id", "date_from", "date_to", "local_date", "additional_columns")
"""Columns of the tap's own, which no column of an export may be named as."""
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
        sections: The headers that its rows are under.
        count: Rows that have been read so far.
        converter: Converts the rows that were read last.
    """

    def __init__(self, lines: TextIO, names: AbstractSet[str]) -> None:
        """Read up to the header, by the names of known columns, of a file opened with `newline=""`; `csv.Error` if it is no CSV."""
        self._lines = lines
        self._has_nul = has_nul(lines.buffer)
        self.header, self._titles, self._rows = from_header(read_rows(lines), names)
        self.first = next(self._rows, [])
        self.sections = Sections(self.header or [""], names)
        self._last = LastLine()
        self.count = 0
        self.converter: Converter | None = None

    def chunks(self) -> Iterator[tuple[list[str], list[list[str]]]]:
        """The rows, as many at a time as are fast to read, each time with their header."""
        if self.first:
            rows = chain([self.first], self._rows)
            yield from self.sections.of(self._last.without(chunks_of(rows, self._lines)))

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
                self.converter = None  # its surprises are said of the file that is read in place of this one
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
        if self.sections.others:
            said = "there are other headers in the middle of the file, and the rows below each are read by it"
            yield "headers in the middle", f"{said}: {self.sections.others}"
        if self._last.is_found:
            said = "the last line is a total, and is left out"
            if self._last.named is not None and self._last.named != self.count:
                counts = f"It names {self._last.named}, and there are {self.count} rows"
                said += f". {counts}: check whether some are missing"
            yield "sum below the rows", said


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


class ExportFiles(WindowedStream):
    """The rows and columns of an export's files."""

    stable: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Columns that cannot change after the fact, each as the names it may have. They make the `record_id`; if none, all columns do."""
    by_the_clock: ClassVar[bool] = False
    """True if little but their time tells rows apart, so that a date alone does not."""
    dated_by: ClassVar[tuple[str, ...]] = ()
    """Names of the column that says when a row happened; if none, it is found by its name (see `place_of_time`)."""
    is_documented: ClassVar[bool] = False
    """True if a document names the columns."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._said: set[str] = set()

    @property
    def window_days(self) -> int:
        """Days of a window, and of a job."""
        return min(self.settings.export_window_days, self.settings.max_range_days)

    def blocks(  # noqa: PLR0913 (what a file is read with)
        self,
        lines: TextIO,
        request: Request,
        form_id: int | None,
        what: str,
        *,
        is_part: bool = False,
        written: AbstractSet[str] = frozenset(),
    ) -> Iterator[Block]:
        """The rows of a file, without those whose ids were `written` before. Errors name it by `what`.

        Raises:
            TimelessError: Before the first rows without a time, if the file is of a part of its window.
        """
        file: ExportFile | None = None
        try:
            file = self.opened(lines, what)
            if not file.header:
                self.logger.warning("%s: the file is empty, without even a header [see: file-empty]", what)
                return
            wanted = self.columns.selected
            form = {} if form_id is None else {"form_id": form_id}
            fixed = dict.fromkeys(wanted) | self.window_columns(self._window(request)) | form
            found = file.columns(partial(self._converter, request), is_part=is_part, written=written)
            for converter, values in found:
                if size := len(values[0]):
                    own = {name: fixed[name] for name in fixed if name not in converter.columns and name in wanted}
                    yield Block((*converter.columns, *own), [*values, *map(repeat, own.values())], size)
        except csv.Error as error:
            raise unreadable(what, error) from error
        finally:
            if file is not None:
                self._say_surprises(file, what)

    def _say_surprises(self, file: ExportFile, what: str) -> None:
        for surprise in file.converter.surprises.values() if file.converter is not None else ():
            if surprise not in self._said:
                self.logger.warning("%s: %s", what, surprise)
                self._said.add(surprise)
        if count := file.sections.repeated:
            self.logger.warning("%s: %d lines repeat the header, and are left out [see: header-repeated]", what, count)
        for kind, said in file.notices():
            self.run.notices.accept(self.name, kind, f"{what}: {said}")

    def _window(self, request: Request) -> Window:
        """The window of the grid that a request is for, or for a part of."""
        return windows.export_window(request.asked.start, self.window_days, self.zone)

    def _converter(self, request: Request, headers: list[str], before: Converter | None) -> Converter:
        """Converts the rows under a header, after those under another in the same file."""
        return Converter(
            headers,
            self.columns.properties,
            self.columns.selected,
            self.stable,
            taken=OWN_COLUMNS,
            window=windows.to_text(self._window(request).start),
            by_the_clock=self.by_the_clock,
            dated_by=self.dated_by,
            zone=self.zone,
            time_formats=self.settings.export_time_formats,
            before=before,
        )

    def opened(self, lines: TextIO, what: str) -> ExportFile:
        """A file, read up to its header.

        Raises:
            UnexpectedAnswerError: If the first row is not a header of this export.
        """
        known = {**self.schema["properties"], **self.columns.properties}
        file = ExportFile(lines, known.keys() - set(OWN_COLUMNS))
        if "any_columns" in self.settings.accept.get(self.name, ()) or any(matched(file.header, known, OWN_COLUMNS)):
            return file
        if self.is_documented and file.header:
            rows = "" if file.first else "no rows, and "
            said = f"the file has {rows}none of the columns of {self.name}"
        elif is_data(file.header, file.first):
            said = "the file does not begin with its header: it begins with a row [see: header-not-first]"
        else:
            return file
        way = f"set accept: {{{self.name!r}: ['any_columns']}}"
        msg = f"{what}: {said}. Ask Lexer for its header; if it is right as it is, {way} [see: file-header-unknown]"
        raise UnexpectedAnswerError(msg)

    def ids_of(self, lines: TextIO, request: Request, what: str, count: int) -> set[str]:
        """The ids of so many rows, the first of a file."""
        lines.seek(0)
        file = self.opened(lines, what)
        ids = chain.from_iterable(columns[0] for _, columns in file.columns(partial(self._converter, request)))
        return set(islice(ids, count))

    @override
    def window_columns(self, window: Window) -> Row:
        # (The date of a row is its own.)
        columns = super().window_columns(window)
        return {name: columns[name] for name in ("date_from", "date_to")}
