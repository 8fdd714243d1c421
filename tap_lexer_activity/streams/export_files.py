"""The files of an export: their rows in blocks, and what in them is refused before a row is written."""

from __future__ import annotations

import csv
from functools import cached_property, partial
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.csv_exports.convert import Converter
from tap_lexer_activity.csv_exports.lines import is_data
from tap_lexer_activity.csv_exports.names import matched
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.run.events import Block
from tap_lexer_activity.streams.base import WindowedStream
from tap_lexer_activity.streams.export_rows import ExportFile, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Request, Window

ANY_COLUMNS: Final = "any_columns"
"""The word of the setting `accept` for files with columns that nobody knows."""
OWN_COLUMNS: Final = ("record_id", "form_id", "date_from", "date_to", "local_date", "additional_columns")
"""Columns of the tap's own, which no column of an export may be named as."""


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
        if count := file.repeated:
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

    @cached_property
    def _known_columns(self) -> dict[str, Any]:
        """The columns of the schema and of the catalog, by which a header is known."""
        return {**self.schema["properties"], **self.columns.properties}

    def opened(self, lines: TextIO, what: str) -> ExportFile:
        """A file, read up to its header.

        Raises:
            UnexpectedAnswerError: If the first row is not a header of this export.
        """
        known = self._known_columns
        file = ExportFile(lines, known.keys() - set(OWN_COLUMNS))
        if ANY_COLUMNS in self.settings.accept.get(self.name, ()) or any(matched(file.header, known, OWN_COLUMNS)):
            return file
        if self.is_documented and file.header:
            rows = "" if file.first else "no rows, and "
            said = f"the file has {rows}none of the columns of {self.name}"
        elif is_data(file.header, file.first):
            said = "the file does not begin with its header: it begins with a row [see: header-not-first]"
        else:
            return file
        way = f"set accept: {{{self.name!r}: [{ANY_COLUMNS!r}]}}"
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
