"""Rows of an export as columns of values.

Lexer documents the columns of one export, shows some of another on a screen, and says nothing of the third. So the header is read
at run time: a column that the stream's schema knows is typed, and all else arrives as text in `additional_columns`.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.csv_exports.cells import (
    read_booleans,
    read_integers,
    read_numbers,
    read_times,
    reader_for,
    usual_numbers,
)
from tap_lexer_activity.csv_exports.identity import Identity
from tap_lexer_activity.csv_exports.names import matched, unique_headers
from tap_lexer_activity.csv_exports.times import LocalDates, UnreadTimes, is_in_utc, place_of_time, time_reader
from tap_lexer_activity.values import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    Extras = dict[int, dict[str, str | None]]
    """Cells that have no column of their own, by the number of the row and the column's header."""


_OTHER_READERS: Final = (read_booleans, read_integers, read_numbers)


class Converter:
    """Converts the rows of one export to columns of values, many rows at a time: Python is fast with whole columns.

    Attributes:
        columns: Names of the columns: `record_id`, those that the schema and the export have in common, `local_date` if it is wanted
            and the export has a time to take it from, `additional_columns`.
    """

    def __init__(  # noqa: PLR0913 (what an export and a catalog are made of)
        self,
        headers: Sequence[str],
        properties: Mapping[str, Any],
        wanted: Container[str],
        stable: Sequence[Sequence[str]] = (),
        *,
        taken: Iterable[str] = (),
        window: str = "",
        by_the_clock: bool = False,
        dated_by: Iterable[str] = (),
        zone: ZoneInfo | None = None,
        time_formats: Sequence[str] = (),
        before: Converter | None = None,
    ) -> None:
        """Match a header with the properties of a schema, of which those that are not `wanted` are left out altogether.

        For `stable`, `window` and `by_the_clock` see `Identity`, for `taken` `matched`, for `dated_by` `place_of_time`, and for
        `time_formats` `time_reader`. `zone` is that whose calendar dates the rows; without it there is no `local_date`. `before` is what
        converted the rows above, if they are under another header of the same file.
        """
        names = matched(headers, properties, taken)
        known = [(place, name) for place, name in enumerate(names) if name is not None and name in wanted]
        self._width = len(headers)
        self._keys = unique_headers(headers)
        of_times = [
            time_reader(time_formats, None if is_in_utc(header) else zone) if time_formats else read_times
            for header in headers
        ]
        self._known = [(place, reader_for(properties[name], of_times[place])) for place, name in known]
        self._others = [place for place, name in enumerate(names) if name is None]
        self._identity = Identity(headers, stable, window, by_the_clock=by_the_clock)
        if before is not None:
            self._identity.go_on_from(before._identity)  # noqa: SLF001 (of its own class)
        self._dates: LocalDates | None = None
        if zone is not None and "local_date" in wanted and (time := place_of_time(headers, dated_by)) is not None:
            self._dates, self._time, self._read_times = LocalDates(zone), time, of_times[time]
            own = (time, of_times[time])
            typed = (number for number, (place, read) in enumerate(self._known, 1) if (place, read) == own)
            self._typed_time = next(typed, None)  # the number of its column, if that has times already
        dates = () if self._dates is None else ("local_date",)
        self.columns = ("record_id", *(name for _, name in known), *dates, "additional_columns")
        self._unread: dict[int, UnreadTimes] = {}
        self._surprises: dict[str, str] = {} if before is None else dict(before.surprises)
        if stable and not self._identity.is_stable:
            lacking = ", ".join(choice[0] for choice in stable)
            self._surprises["identity"] = (
                f"the export lacks one of the columns {lacking}; a row's id is made of all its columns instead, "
                "so a row that changes becomes a new one [see: column-of-id-missing]"
            )

    @property
    def surprises(self) -> dict[str, str]:
        """Sentences about the rows so far that should be said once, one for each kind of surprise."""
        unread = {f"{self._keys[place]} (times)": said for place, each in self._unread.items() if (said := each.advice)}
        return {**self._surprises, **unread}

    @property
    def has_timeless(self) -> bool:
        """True if some of the rows so far have no time, so that only their order tells them apart."""
        return self._identity.timeless > 0

    def convert(self, rows: Sequence[list[str]], *, has_nul: bool = True) -> list[Sequence[Any]]:
        """Values of one or more rows, column by column in the order of `columns`; `has_nul` tells whether the file has a NUL.

        Nothing in a row is lost: a cell without a column of its own is in the last one, as text, by its header.
        """
        extras: Extras = {}
        if set(map(len, rows)) != {self._width}:
            rows = [
                row if len(row) == self._width else self._fit_to_header(row, extras.setdefault(n, {}))
                for n, row in enumerate(rows)
            ]
        cells = list(zip(*rows, strict=True))
        columns: list[Sequence[Any]] = [self._identity.of(cells)]  # ids are made of the cells as they are in the file
        if has_nul:  # (one look at a whole column tells; hardly any has a NUL)
            cells = [tuple(map(storable, column)) if "\0" in "".join(column) else column for column in cells]
        columns += [self._values(place, read, cells[place], extras) for place, read in self._known]
        if self._dates is not None:
            column = cells[self._time]
            times = self._read_times(column) if self._typed_time is None else columns[self._typed_time]
            if self._typed_time is None and None in times:
                self._note_unread(self._time, column, times)
            columns.append(self._dates.of(times, column))
        columns.append(self._additional(cells, extras, len(rows)))
        self._note_weak_ids()
        return columns

    def _fit_to_header(self, row: list[str], extra: dict[str, str | None]) -> list[str]:
        """A row that is too short or too long, as wide as the header; the cells beyond it go to `extra`."""
        self._surprises.setdefault(
            "ragged",
            f"a row has {len(row)} cells where the header has {self._width}; such rows are kept [see: row-length]",
        )
        for place in range(self._width, len(row)):
            key = f"(column {place + 1})"
            extra[f"{key} (beyond the header)" if key in self._keys else key] = storable(row[place]) or None
        return [*row[: self._width], *[""] * (self._width - len(row))]

    def _values(
        self,
        place: int,
        read: Callable[[Sequence[str]], Sequence[Any]] | None,
        column: Sequence[str],
        extras: Extras,
    ) -> Sequence[Any]:
        """The values of a column, `None` for an empty cell; cells that are not of its type go to `extras`."""
        if read is read_numbers and (numbers := usual_numbers(column)) is not None:
            return numbers
        has_empty = not all(column)
        if read is None:
            return [cell or None for cell in column] if has_empty else column
        values = found = read(list(filter(None, column)) if has_empty else column)
        if has_empty:
            rest = iter(found)
            values = [next(rest) if cell else None for cell in column]
        if NoneType in map(type, found):  # (to compare decimals with `None` takes six times as long)
            self._keep_unread(place, column, values, extras)
            if read not in _OTHER_READERS:
                self._note_unread(place, column, values)
        return values

    def _keep_unread(self, place: int, column: Sequence[str], values: Sequence[Any], extras: Extras) -> None:
        """Keep cells that are not of their column's type as text."""
        key = self._keys[place]
        said = f"a cell of the column {key!r} is not of its type; such cells are kept as text in additional_columns [see: cell-of-other-type]"
        self._surprises.setdefault(key, said)
        for number, (cell, value) in enumerate(zip(column, values, strict=True)):
            if cell and value is None:
                extras.setdefault(number, {})[key] = cell

    def _note_unread(self, place: int, column: Sequence[str], values: Sequence[Any]) -> None:
        """Note times that can't be read, for the advice how they could be."""
        unread = self._unread.setdefault(place, UnreadTimes(self._keys[place]))
        unread.add(cell for cell, value in zip(column, values, strict=True) if value is None)

    def _additional(self, cells: Sequence[tuple[str, ...]], extras: Extras, count: int) -> Sequence[Any]:
        """The column `additional_columns` of so many rows."""
        if not self._others:
            return [extras.get(number) or None for number in range(count)] if extras else [None] * count
        keys = [self._keys[place] for place in self._others]
        others = zip(*(cells[place] for place in self._others), strict=True)
        result: list[Any] = [{key: cell or None for key, cell in zip(keys, row, strict=True)} for row in others]
        for number, extra in extras.items():
            result[number] |= extra
        return result

    def _note_weak_ids(self) -> None:
        """Add the surprises about rows whose ids may not last."""
        if self._identity.timeless:
            self._surprises.setdefault(
                "timeless",
                "a row has no time for its id; such rows are loaded twice if they or export_window_days change, "
                "and may overwrite each other if a backfill reads a part of their window [see: rows-without-time]",
            )
        if self._identity.undated:
            self._surprises.setdefault(
                "undated",
                "a row has a date without a time of day, which others may share; its id is made of all its columns, "
                "so a row that changes becomes a new one [see: rows-without-time-of-day]",
            )
        if self._identity.alike and self._identity.is_stable:
            self._surprises.setdefault(
                "alike",
                "rows are alike in all that can't change, and are told apart by their order; if only some come again, "
                "one may overwrite another [see: rows-alike]",
            )
