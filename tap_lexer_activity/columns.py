"""From the header and the cells of a CSV export to columns and values. Pure functions; no HTTP, no Singer.

Lexer documents the columns of one export, shows some of another on a screen, and says nothing of the third. So the header is read
at run time: what the stream's schema knows becomes a typed column, and all else arrives as text in `additional_columns`.
"""

from __future__ import annotations

import csv
import re
import sys
import unicodedata
from array import array
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.values import MOST_DIGITS, fits_float, fits_integer, storable, to_utc
from tap_lexer_activity.windows import local_date

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

LONGEST_NAME: Final = 60
"""Characters, and bytes, of a column's name: Postgres cuts names at 63 bytes."""

ALIASES: Final = {"agent_reponse_date_utc": "agent_response_date_utc"}
"""The documented spelling of a header has a slip in it. Whether the real one has it too is not known."""

# Letters that have an ASCII form and no decomposition in Unicode, beside those with a stroke or the like: see `_ascii`.
_ASCII: Final = {"ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ŋ": "n"}
_STRUCK: Final = re.compile("LATIN SMALL LETTER ([A-Z]) WITH ")
_DIGEST: Final = 8
"""Hex digits behind a name that would not be the only one."""
_FIRST_SIZE: Final = 16
"""Rows of one export that need no larger table, as a power of two."""
_JOINERS: Final = "\u200c\u200d"
"""Say how letters are joined in writing, and show nothing."""
_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")

csv.field_size_limit(sys.maxsize)  # a message may be longer than csv's own limit of 128 KiB


def column_name(header: str) -> str:
    """The column's name for a header: snake_case, ASCII where a letter has an ASCII form, at most 60 characters. May be empty.

    `Customer Wait Time (min)` becomes `customer_wait_time_min`.
    """
    name = _whole_name(header)
    return ALIASES.get(name) or _cut(name, LONGEST_NAME)


def _whole_name(header: str) -> str:
    kept = [""]
    for char in unicodedata.normalize("NFKD", _BOUNDARY.sub("_", header)).casefold():
        if char.isalnum():
            kept.append(_ascii(char))
        elif unicodedata.category(char).startswith("M"):
            if not kept[-1].isascii():
                kept.append(char)  # of a script whose letters are others without it, such as that of Hindi
        elif char not in _JOINERS:
            kept.append("_")
    return re.sub("_+", "_", unicodedata.normalize("NFC", "".join(kept))).strip("_")


def _ascii(char: str) -> str:
    """The ASCII form of a letter or digit, if it has one; else the character."""
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    struck = _STRUCK.match(unicodedata.name(char, ""))
    return struck[1].lower() if struck else _ASCII.get(char, char) if digit is None else str(digit)


def _cut(name: str, longest: int) -> str:
    return name.encode()[:longest].decode(errors="ignore").rstrip("_")


def with_columns(properties: Mapping[str, Any], headers: Sequence[str], taken: Iterable[str] = ()) -> dict[str, Any]:
    """The properties, and one for each header that has none: text, or what the header says.

    Its `title` is the header. Two headers may make the same name, and a long one is cut. Then a digest of the whole header stands
    behind the name, so that it does not depend on the place of the column, or on what else there is.

    Args:
        properties: Properties of the stream's schema.
        headers: The cells of the first row.
        taken: Columns of the tap's own, which no column of the export may be named as.
    """
    result = dict(properties)
    known = matched(headers, properties, taken)
    for place, (header, key) in enumerate(zip(headers, unique_headers(headers), strict=True), start=1):
        if known[place - 1] is None:
            used = {*result, *taken}
            whole = _whole_name(header) or f"column_{place}"
            name, salt = column_name(header) or whole, key
            while name in used or (name == _cut(whole, LONGEST_NAME) != whole):
                digest = blake2b(salt.encode(), digest_size=_DIGEST // 2).hexdigest()
                name = f"{_cut(whole, LONGEST_NAME - 1 - _DIGEST)}_{digest}"
                salt += " "
            result[name] = {"title": key, **column_schema(header)}
    return result


def matched(headers: Sequence[str], properties: Mapping[str, Any], taken: Iterable[str] = ()) -> list[str | None]:
    """The property for each header, or `None` if it has none.

    A property that discovery has found is for the header that it names as its `title`, and for no other. Any other property is for the
    first header that makes its name. (In a catalog, a title may be anything: a list can't be looked up.)
    """
    found: list[str | None] = []
    by_header = {schema["title"]: name for name, schema in properties.items() if isinstance(schema.get("title"), str)}
    used = set(taken)
    for header, key in zip(headers, unique_headers(headers), strict=True):
        name = by_header.get(key) or column_name(header)
        if name in properties and name not in used and properties[name].get("title") in (None, key):
            used.add(name)
            found.append(name)
        else:
            found.append(None)
    return found


def unique_headers(headers: Iterable[str]) -> list[str]:
    """The headers as written, as keys of one object: an empty one by its place, one that stands twice with a number behind it.

    (No table can hold a NUL, so there is U+FFFD in its place.)
    """
    result: dict[str, None] = {}
    times: dict[str, int] = {}
    for place, header in enumerate(map(storable, headers), start=1):
        first = key = header or f"(column {place})"
        while key in result:
            times[first] = times.get(first, 1) + 1
            key = f"{first} ({times[first]})"
        result[key] = None
    return list(result)


def column_schema(header: str) -> dict[str, Any]:
    """The JSON schema of a column, by what its header says: `(UTC)` is a time, `(min)` a number, `Within ... SLA` a yes or no."""
    description = f"Column {header!r} of the export, found by discovery. Not named in any document of Lexer."
    lowered = header.strip().lower()
    if lowered.endswith("(utc)"):
        return {"description": f"{description} Time in UTC.", "type": ["null", "string"], "format": "date-time"}
    if lowered.endswith("(min)"):
        return {"description": f"{description} Minutes.", "type": ["null", "number"]}
    if lowered.startswith("within ") and lowered.endswith(" sla"):
        return {"description": f"{description} Yes or no.", "type": ["null", "boolean"]}
    return {"description": f"{description} Text.", "type": ["null", "string"]}


# Cells: a whole column at a time, because one regular expression over a thousand cells is ten times as fast as a thousand


_MONTH_AND_DAY: Final = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
_usual_times: Final = re.compile(
    rf"(?:(?!0000)\d{{4}}-{_MONTH_AND_DAY} (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\n)*", re.ASCII
).fullmatch
_time: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?[0-5]\d)?", re.ASCII).fullmatch
_date: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_NUMBER: Final = r"-?(?:0|[1-9]\d*)(?:\.\d+)?"
_LONG: Final = 300
"""Digits of a number from which on it may be more than a float can be."""
_usual_numbers: Final = re.compile(rf"(?:{_NUMBER}\n)*", re.ASCII).fullmatch
_number: Final = re.compile(rf"{_NUMBER}(?:[eE][+-]?\d{{1,3}})?", re.ASCII).fullmatch


def read_times(cells: Sequence[str]) -> Sequence[str | None]:
    """Times as RFC 3339 in UTC; `None` for a cell that is not written as year, month, day and time. Without an offset it is in UTC."""
    lines = "\n".join([*cells, ""])
    if _usual_times(lines) and lines.count("\n") == len(cells):
        return lines.replace(" ", "T").replace("\n", "Z\n").split("\n")[:-1]
    return [_read_time(cell) for cell in cells]


def _read_time(cell: str) -> str | None:
    text = cell.removesuffix(" UTC")
    try:
        moment = datetime.fromisoformat(text) if _time(text) else None
    except ValueError:
        return None
    if moment is None:
        return to_utc(cell)  # of another form, which says its offset
    if moment.tzinfo is None:
        return f"{moment.isoformat()}Z"
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # the first or last day that there is
        return None


def read_numbers(cells: Sequence[str]) -> Sequence[Decimal | None]:
    """Numbers with all their digits; `None` for a cell that is not written as JSON writes numbers."""
    lines = "\n".join([*cells, ""])
    if _usual_numbers(lines) and lines.count("\n") == len(cells) and len(max(cells, key=len, default="")) < _LONG:
        return list(map(Decimal, cells))
    return [_read_number(cell) for cell in cells]


def _read_number(cell: str) -> Decimal | None:
    number = Decimal(cell) if _number(cell) else None
    return number if number is not None and fits_float(number) else None


def read_integers(cells: Sequence[str]) -> Sequence[int | None]:
    """Whole numbers of 64 bits, also if they are written as `15.0`; `None` for another cell."""
    return [
        int(number)
        if number is not None
        and number.adjusted() <= MOST_DIGITS
        and number == number.to_integral_value()
        and fits_integer(int(number))
        else None
        for number in read_numbers(cells)
    ]


_WORDS: Final = {
    word: value
    for value, words in ((True, ("true", "yes", "1")), (False, ("false", "no", "0")))
    for text in words
    for word in (text, text.capitalize(), text.upper())
}


def read_booleans(cells: Sequence[str]) -> Sequence[bool | None]:
    """True or false, yes or no, 1 or 0; `None` for another word."""
    return list(map(_WORDS.get, cells))


def reader_for(schema: Mapping[str, Any]) -> Callable[[Sequence[str]], Sequence[Any]] | None:
    """What reads the cells of a column with this schema, or `None` for text, which stays as it is."""
    kinds = schema.get("type", ())
    if "boolean" in kinds:
        return read_booleans
    if "number" in kinds:
        return read_numbers
    if "integer" in kinds:
        return read_integers
    return read_times if schema.get("format") == "date-time" else None


# Local dates


_ANSWERED: Final = (
    {"submitted", "submission", "submit"},
    {"completed", "completion"},
    {"received", "recorded"},
    {"answered", "responded"},
    {"created"},
)
"""Words for what is done with an answer to a survey, the best first."""
_A_TIME: Final = frozenset({"date", "datetime", "timestamp", "utc"})
_BESIDE: Final = frozenset({"at", "on", "time", "survey", "nps", "form", "customer", "response", "answer", "feedback"})
_MOST_HOURS: Final = 20_000
"""Hours whose date is kept: those of two years, so that a file full of odd times does not fill the memory."""


def place_of_time(headers: Sequence[str], names: Iterable[str] = ()) -> int | None:
    """The place of the column that says when a row happened, or `None` if there is none.

    Args:
        headers: The cells of the first row.
        names: Names that the column may have, the best first. Without any, it is the one that is named as the time of an answer to a
            survey: submitted, completed, received, answered or created, in this order, best with a word for a time beside it; else a
            mere `Date` or `Timestamp`. No other words may be in it, because a question may ask for a date, too.
    """
    found = [column_name(header) for header in headers]
    if names := tuple(names):
        return next((found.index(name) for name in names if name in found), None)
    ranks = {place: rank for place, name in enumerate(found) if (rank := _rank(set(name.split("_")))) is not None}
    return min(ranks, key=ranks.__getitem__, default=None)


def _rank(words: set[str]) -> tuple[bool, int] | None:
    """How well the words of a name say that it is the time of an answer, the least first; `None` if they do not."""
    done = next((rank for rank, choice in enumerate(_ANSWERED) if words & choice), None)
    if words - _A_TIME - _BESIDE - set().union(*_ANSWERED) or (done is None and not words & _A_TIME):
        return None
    is_time = bool(words & (_A_TIME | {"at", "on", "time"}))
    return (not is_time, len(_ANSWERED) if done is None else done)


class LocalDates(dict[str, str | None]):
    """Calendar dates of times in UTC in one zone, by the beginning of a time: its hour, minute or second, as `2026-03-01T10`.

    `None` if the date changes within it, or if there is none. Rows share their hours, so most dates are found by one look.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, begin: str) -> str | None:
        if len(self) >= _MOST_HOURS:
            self.clear()
        start = datetime.fromisoformat(f"{begin}{':00:00'[len(begin) - 13 :]}+00:00")
        length = {13: timedelta(minutes=59, seconds=59), 16: timedelta(seconds=59)}.get(len(begin), timedelta())
        found = None
        with suppress(OverflowError):  # the first or last day that there is
            first, last = (local_date(moment, self._zone) for moment in (start, start + length))
            found = first.isoformat() if first == last else None
        self[begin] = found
        return found

    def of(self, times: Sequence[str | None], cells: Sequence[str]) -> Sequence[str | None]:
        """The dates of cells.

        Args:
            times: The cells as times in UTC (see `read_times`), `None` for one that is none.
            cells: The cells. One that is a date without a time of day is that date.
        """
        found = [time and self[time[:13]] for time in times]
        if None in found:
            return [day or self._of(time, cell) for day, time, cell in zip(found, times, cells, strict=True)]
        return found

    def _of(self, time: str | None, cell: str) -> str | None:
        if time:
            return self[time[:16]] or self[time[:19]]
        with suppress(ValueError):
            return date.fromisoformat(cell).isoformat() if _date(cell) else None
        return None


# Identity


class Identity:
    """Gives each row of one export its `record_id`.

    Lexer sends no id. The cells of the columns that cannot change after the fact make one: a row whose state moved on keeps it. Rows
    that are alike in those are told apart by their order. They share a time as well, so they are always in the same export, however
    long its window is. Rows without a time are told apart by the window they were found in: alike rows of two windows would
    otherwise become one. Their order is the same again only if the window is read from its start again.
    """

    def __init__(
        self, headers: Sequence[str], stable: Sequence[Sequence[str]], window: str = "", *, by_the_clock: bool = False
    ) -> None:
        """Choose the columns.

        Args:
            headers: The cells of the first row.
            stable: Columns that do not change, each as the names it may have. If one of them is missing, all columns count.
            window: The export's window, as text.
            by_the_clock: Whether little but their time tells rows apart. Then all columns of a row count that has no time of day.
        """
        self._window = f"\x1f{window}"
        self._by_the_clock = by_the_clock
        self.timeless = 0
        """Rows so far that have no time."""
        self.undated = 0
        """Rows so far that have no time of day, where little else tells rows apart, and so an id of all their columns."""
        self.alike = 0
        """Rows so far that another one before them was like, in what makes their id."""
        places: dict[str, int] = {}
        for place, header in enumerate(headers):
            places.setdefault(column_name(header), place)
        found = [next((places[name] for name in choice if name in places), None) for choice in stable]
        chosen = [place for place in found if place is not None]
        self.is_stable = bool(stable) and len(chosen) == len(found)
        """Whether a row keeps its id when something in it changes."""
        self._places = chosen
        names = {place: name for name, place in places.items()}
        self._time = next((place for place in chosen if "date" in names[place]), None)
        self._named = sorted((key, place) for place, key in enumerate(unique_headers(headers)))
        # The digests seen so far, half of each, in a hash table without pointers: an export may have millions of rows, and a set of
        # as many takes ten times the memory.
        self._seen = array("Q", bytes(8 << _FIRST_SIZE))
        self._count = 0
        self._again: dict[int, int] = {}

    def of(self, cells: Sequence[Sequence[str]]) -> list[str]:
        """The ids of rows, 32 hex digits each.

        Args:
            cells: The rows' cells, column by column.
        """
        digests = b"".join([blake2b(key, digest_size=16).digest() for key in map(str.encode, self.keys(cells))])
        ids = digests.hex("\n", 16).split("\n")
        self._count += len(ids)
        while 3 * self._count > 2 * len(self._seen):
            self._grow()
        seen, last = self._seen, len(self._seen) - 1
        for row, half in enumerate(memoryview(digests).cast("Q")[::2].tolist()):
            place = half & last
            while (found := seen[place]) and found != half:
                place = (place + 1) & last
            if found:
                ordinal = self._again[half] = self._again.get(half, 0) + 1
                ids[row] = blake2b(bytes.fromhex(ids[row]) + ordinal.to_bytes(8), digest_size=16).hexdigest()
                self.alike += 1
            seen[place] = half
        return ids

    def keys(self, cells: Sequence[Sequence[str]]) -> Iterable[str]:
        """What identifies each row, but for the order of those that are alike."""
        return self._stable_keys(cells) if self.is_stable else map(self._whole_key, zip(*cells, strict=True))

    def _grow(self) -> None:
        """Make the table of digests twice as large, in its place: a second table beside it would be most of the tap's memory."""
        seen, size = self._seen, len(self._seen)
        while len(seen) < 2 * size:  # in pieces, for these take memory, too
            seen.frombytes(bytes(8 * min(size, 1 << _FIRST_SIZE)))
        # From behind an empty place on: then nothing is moved before what it had to make way for.
        start, last = seen.index(0), 2 * size - 1
        for old in chain(range(start, size), range(start)):
            if half := seen[old]:
                seen[old] = 0
                place = half & last
                while seen[place]:
                    place = (place + 1) & last
                seen[place] = half

    def _stable_keys(self, cells: Sequence[Sequence[str]]) -> Iterable[str]:
        """What identifies each row, by the columns that do not change."""
        keys = map("\x1f".join, zip(*(cells[place] for place in self._places), strict=True))
        times = None if self._time is None else cells[self._time]
        if times is None:
            return map(self._with_window, keys)
        if self._by_the_clock:
            if all(map(_has_clock, times)):
                return keys
            self.undated += sum(not _has_clock(time) for time in times)
            rows = zip(keys, times, zip(*cells, strict=True), strict=True)
            return [key if _has_clock(time) else self._whole_key(row) for key, time, row in rows]
        if "" not in times:
            return keys
        return [key if time else self._with_window(key) for key, time in zip(keys, times, strict=True)]

    def _whole_key(self, row: Sequence[str]) -> str:
        """What identifies a row, by all its columns.

        With their headers and without empty ones: a column that is added later changes nothing for rows that have nothing in it.
        """
        key = "\x1f".join(f"{header}\x1e{row[place]}" for header, place in self._named if row[place])
        return key if any(map(_time, row)) else self._with_window(key)

    def _with_window(self, key: str) -> str:
        self.timeless += 1
        return key + self._window


def _has_clock(time: str) -> bool:
    """Whether a time has a time of day in it, in whichever form it is written."""
    return ":" in time


# Rows


def without_headers(rows: list[list[str]], headers: Sequence[str]) -> list[list[str]]:
    """Rows without those that are the header once more, as in a file that was joined of several."""
    if headers[-1] not in map(itemgetter(-1), rows):
        return rows
    first = {headers[0], f"\ufeff{headers[0]}", f'\ufeff"{headers[0]}"'}  # each file may begin with its mark
    return [row for row in rows if row[0] not in first or row[1:] != headers[1:]]


def is_title(headers: Sequence[str], below: Iterable[list[str]], names: Container[str]) -> bool:
    """Whether the first row of a file, which has no known column in it, is a title above the header.

    It is if a row below it has known columns, or if it leaves half of the cells below it without a name.

    Args:
        headers: The first row.
        below: The rows below it, the first of them.
        names: Names of the columns that are known.
    """
    rows = list(below)
    is_narrow = bool(rows) and 2 * sum(map(bool, headers)) <= len(rows[0])
    return is_narrow or any(sum(column_name(cell) in names for cell in row) > 1 for row in rows)


class Converter:
    """Turns the rows of one export into columns of values.

    It works on many rows at a time, column by column: that is what Python does fast.

    Attributes:
        columns: Names of the columns: `record_id`, those that the schema and the export have in common, `local_date` if it is wanted
            and there is a time to have it from, `additional_columns`.
        surprises: What was found and should be said once: a sentence for each kind.
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
    ) -> None:
        """Compare a header with a schema.

        Args:
            headers: The cells of the first row.
            properties: Properties of the stream's schema.
            wanted: Names of those that are selected; the others are left out altogether.
            stable: See `Identity`.
            taken: Columns of the tap's own, which no column of the export may be named as.
            window: The export's window, as text.
            by_the_clock: See `Identity`.
            dated_by: Names of the column that says when a row happened: see `place_of_time`.
            zone: Whose calendar the `local_date` is of; without it there is none.
        """
        names = matched(headers, properties, taken)
        known = [(place, name) for place, name in enumerate(names) if name is not None and name in wanted]
        self._width = len(headers)
        self._keys = unique_headers(headers)
        self._known = [(place, reader_for(properties[name])) for place, name in known]
        self._others = [place for place, name in enumerate(names) if name is None]
        self._identity = Identity(headers, stable, window, by_the_clock=by_the_clock)
        self._dates: LocalDates | None = None
        if zone is not None and "local_date" in wanted and (time := place_of_time(headers, dated_by)) is not None:
            self._dates, self._time = LocalDates(zone), time
            typed = (
                number for number, (place, read) in enumerate(self._known, 1) if (place, read) == (time, read_times)
            )
            self._typed_time = next(typed, None)  # among the columns
        dates = () if self._dates is None else ("local_date",)
        self.columns = ("record_id", *(name for _, name in known), *dates, "additional_columns")
        self.surprises: dict[str, str] = {}
        if stable and not self._identity.is_stable:
            wanted = ", ".join(choice[0] for choice in stable)
            self.surprises["identity"] = (
                f"the export lacks one of the columns {wanted}; a row's id is made of all its columns instead, "
                "so a row that changes becomes a new one"
            )

    def convert(self, rows: Sequence[list[str]]) -> list[Sequence[Any]]:
        """The values of rows, column by column in the order of `columns`.

        Nothing in a row is lost: what has no column of its own is in the last one, as text by its header.
        """
        more: dict[int, dict[str, str | None]] = {}
        if set(map(len, rows)) != {self._width}:
            rows = [
                row if len(row) == self._width else self._evened(row, more.setdefault(n, {}))
                for n, row in enumerate(rows)
            ]
        cells = list(zip(*rows, strict=True))
        columns: list[Sequence[Any]] = [self._identity.of(cells)]
        cells = _storable(cells)  # (ids are made of what the file holds)
        for place, read in self._known:
            column = cells[place]
            if read is None:
                columns.append([cell or None for cell in column] if "" in column else column)
            elif "" in column:
                found = read(list(filter(None, column)))
                rest_of = iter(found)
                columns.append([next(rest_of) if cell else None for cell in column])
                if NoneType in map(type, found):  # (to compare decimals with `None` takes six times as long)
                    self._keep_unread(place, column, columns[-1], more)
            else:
                columns.append(values := read(column))
                if NoneType in map(type, values):
                    self._keep_unread(place, column, values, more)
        if self._dates is not None:
            column = cells[self._time]
            times = read_times(column) if self._typed_time is None else columns[self._typed_time]
            columns.append(self._dates.of(times, column))
        if self._others:
            keys = [self._keys[place] for place in self._others]
            others = zip(*(cells[place] for place in self._others), strict=True)
            rest: list[Any] = [{key: cell or None for key, cell in zip(keys, row, strict=True)} for row in others]
            for number, beyond in more.items():
                rest[number] |= beyond
        else:
            rest = [more.get(number) or None for number in range(len(rows))] if more else [None] * len(rows)
        columns.append(rest)
        self._say_what_ids_are_worth()
        return columns

    @property
    def has_timeless(self) -> bool:
        """Whether some of the rows so far have no time, so that only their order tells them apart."""
        return self._identity.timeless > 0

    def _say_what_ids_are_worth(self) -> None:
        if self._identity.timeless:
            self.surprises.setdefault(
                "timeless",
                "a row has no time to know it by; such rows are doubled if they change, or are read again with another export_window_days, "
                "and may take each other's place if a backfill reads a part of their window",
            )
        if self._identity.undated:
            self.surprises.setdefault(
                "undated",
                "a row is dated without a time of day, which many may share; its id is made of all its columns instead, "
                "so if it changes it becomes a new row",
            )
        if self._identity.alike and self._identity.is_stable:
            self.surprises.setdefault(
                "alike",
                "rows are alike in all that can't change, and are told apart by their order; if only some of them come again, "
                "one may take another's place",
            )

    def _evened(self, row: list[str], more: dict[str, str | None]) -> list[str]:
        """A row that is too short or too long, as wide as the header; the cells beyond it go to `more`."""
        self.surprises.setdefault(
            "ragged",
            f"a row has {len(row)} cells where the header has {self._width}; it is kept, as are others like it",
        )
        for place in range(self._width, len(row)):
            key = f"(column {place + 1})"
            more[f"{key} (beyond the header)" if key in self._keys else key] = storable(row[place]) or None
        return [*row[: self._width], *[""] * (self._width - len(row))]

    def _keep_unread(
        self, place: int, column: Sequence[str], values: Sequence[Any], more: dict[int, dict[str, str | None]]
    ) -> None:
        """Keep cells that are not of their column's type as text."""
        key = self._keys[place]
        for number, (cell, value) in enumerate(zip(column, values, strict=True)):
            if cell and value is None:
                more.setdefault(number, {})[key] = cell
                self.surprises.setdefault(
                    key,
                    f"a cell of the column {key!r} is not of its type; such cells are kept as text in additional_columns",
                )


def _storable(cells: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Cells that any table can hold, column by column: NUL is hardly ever in any, and one look at a whole column says so."""
    if any("\0" in "".join(column) for column in cells):
        return [tuple(map(storable, column)) for column in cells]
    return cells


_names_the_separator: Final = re.compile(r'\ufeff?"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE).fullmatch


def read_rows(lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
    """The rows of a CSV, the header first. Blank lines are no rows, and neither is a first line such as `sep=;`.

    Spreadsheets write that line to name what separates the columns.

    Args:
        lines: A text file opened with `newline=""`, so that cells keep their own line breaks.
        strict: Whether quotes have to be right.

    Raises:
        csv.Error: Where quotes are not closed or do not end a cell, if they have to be.
    """
    lines = iter(lines)
    first = next(lines, "")
    named = _names_the_separator(first)
    separator = named[1] if named else ","
    return filter(None, csv.reader(lines if named else chain([first], lines), strict=strict, delimiter=separator))


def is_cut_off(lines: Iterable[str], *, ends_a_line: bool) -> bool:
    """Whether a CSV breaks off: inside a quoted cell, or in a row that is too short. Reads all of it.

    Args:
        lines: A text file opened with `newline=""`.
        ends_a_line: Whether its end is a line break. Then a row that is too short is whole, and ragged.
    """
    first: list[str] = []
    last: list[str] = []
    try:
        for row in read_rows(lines):
            first, last = first or row, row
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return not ends_a_line and len(last) < len(first)
