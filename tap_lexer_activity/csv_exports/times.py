"""The time of a row and its local date; and times that are not written as year, month and day, with the forms that read them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.cells import match_date, read_times
from tap_lexer_activity.csv_exports.names import column_name
from tap_lexer_activity.windows import local_date, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

_DATES: Final = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y"),
    *("%Y-%m-%d", "%Y/%m/%d", "%Y/%d/%m", "%Y.%m.%d", "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y"),
    *("%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%a, %d %b %Y", "%A, %d %B %Y", "%a %d %b %Y"),
)
_CLOCKS: Final = ("", "%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p", "%H:%M:%S.%f")
_BETWEEN: Final = (" ", ", ", "T", " at ")
FORMS: Final = (
    *dict.fromkeys(
        f"{date}{between if clock else ''}{clock}" for date, clock, between in product(_DATES, _CLOCKS, _BETWEEN)
    ),
    *("%a %b %d %H:%M:%S %Y", "%a %b %d %Y %H:%M:%S"),
)
"""Forms in which people write times."""
_signs: Final = re.compile(r"%?\w")
"""Finds all but the signs between the parts of a time, or of a form."""
_MOST_CELLS: Final = 500
_LONGEST: Final = 40
_FEWEST_DIGITS: Final = 3
"""Digits that the shortest time has, such as `1 May 26`. A cell with fewer is a word for nothing."""
_ANSWERED: Final = (
    {"submitted", "submission", "submit"},
    {"completed", "completion"},
    {"received", "recorded"},
    {"answered", "responded"},
    {"created"},
)
"""Words for what happens to an answer to a survey, the best first."""
_TIME_WORDS: Final = frozenset({"date", "datetime", "timestamp", "utc"})
"""Words that make a name one of a time, even alone."""
_WORDS_BESIDE: Final = frozenset(
    {"at", "on", "time", "survey", "nps", "form", "customer", "response", "answer", "feedback"}
)
"""Words that may stand beside the others."""
_MOST_HOURS: Final = 20_000
"""Most hours whose date is kept: those of two years, so that a file full of odd times does not fill the memory."""


def is_in_utc(header: str) -> bool:
    """True if the name of a column says that its times are in UTC."""
    return "utc" in header.lower() or "gmt" in header.lower()


def time_reader(forms: Sequence[str], zone: ZoneInfo | None) -> Callable[[Sequence[str]], Sequence[str | None]]:
    """A function as `read_times`, which also reads times in these forms, as `strptime` knows them: the first that fits.

    Unless they name their zone, they are of `zone`; `None` for UTC.
    """

    def read(cells: Sequence[str]) -> Sequence[str | None]:
        found = read_times(cells)
        if None not in found:
            return found
        return [_read(cell, forms, zone) if time is None else time for time, cell in zip(found, cells, strict=True)]

    return read


def _read(cell: str, forms: Iterable[str], zone: ZoneInfo | None) -> str | None:
    for form in forms:
        moment = _parsed(cell, form)
        if moment is None:
            continue
        try:
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC)
            elif zone is not None:
                fraction = moment.microsecond
                moment = resolve(moment.replace(microsecond=0), zone).replace(microsecond=fraction)
        except OverflowError:  # on the first or last day of the calendar
            return None
        return f"{moment.replace(tzinfo=None).isoformat()}Z"
    return None


def _parsed(cell: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(cell, form)  # noqa: DTZ007 (its zone is that of its column)
    except ValueError:
        return None


def only_form(cells: Iterable[str]) -> str | None:
    """The form that reads all cells, if there is one, and no other reads them as other times."""
    cells = list(cells)
    if not cells:
        return None
    signs = _signs.sub("", cells[0])
    found: dict[tuple[datetime | None, ...], str] = {}
    for form in FORMS:
        if _signs.sub("", form) == signs:  # (a form that is new to `strptime` takes it long)
            read = tuple(_parsed(cell, form) for cell in cells)
            if None not in read:
                found.setdefault(read, form)
    return next(iter(found.values())) if len(found) == 1 else None


class UnreadTimes:
    """Times of one column that can't be read."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._cells: dict[str, None] = {}

    def add(self, cells: Iterable[str]) -> None:
        """Note some that look like times."""
        if len(self._cells) < _MOST_CELLS:
            self._cells |= dict.fromkeys(
                cell
                for cell in cells
                if len(cell) <= _LONGEST and sum(map(str.isdigit, cell)) >= _FEWEST_DIGITS and not match_date(cell)
            )

    @property
    def advice(self) -> str | None:
        """Advice on how to read them; `None` if there are none."""
        if not self._cells:
            return None
        form = only_form(self._cells)
        said = f"times of the column {self._column!r} can't be read. Set export_time_formats to their form"
        return f"{said}, which is {form!r} [see: times-unreadable]" if form else f"{said} [see: times-unreadable]"


def place_of_time(headers: Sequence[str], names: Iterable[str] = ()) -> int | None:
    """The place of the column that says when a row happened, or `None` if there is none.

    It has one of the `names`, the best first. Without any, it is the column named as the time of an answer to a survey: submitted,
    completed, received, answered or created, in this order, best with a word for a time beside it; else a mere `Date` or `Timestamp`.
    No other word may be in the name, because a question may ask for a date, too.
    """
    found = [column_name(header) for header in headers]
    if names := tuple(names):
        return next((found.index(name) for name in names if name in found), None)
    ranks = {place: rank for place, name in enumerate(found) if (rank := _rank(set(name.split("_")))) is not None}
    return min(ranks, key=ranks.__getitem__, default=None)


def _rank(words: set[str]) -> tuple[bool, int] | None:
    """Rank of a name, by its words, as one of the time of an answer: the smallest is the best; `None` if it is no such name."""
    done = next((rank for rank, choice in enumerate(_ANSWERED) if words & choice), None)
    if words - _TIME_WORDS - _WORDS_BESIDE - set().union(*_ANSWERED) or (done is None and not words & _TIME_WORDS):
        return None
    is_time = bool(words & (_TIME_WORDS | {"at", "on", "time"}))
    return (not is_time, len(_ANSWERED) if done is None else done)


class LocalDates(dict[str, str | None]):
    """Calendar dates in one zone, by the hour, minute or second of a time in UTC, such as `2026-03-01T10`.

    `None` where the date changes within it, or where there is no date. Many rows share an hour, so most dates take one look-up.
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
        with suppress(OverflowError):  # on the first or last day of the calendar
            first, last = (local_date(moment, self._zone) for moment in (start, start + length))
            found = first.isoformat() if first == last else None
        self[begin] = found
        return found

    def of(self, times: Sequence[str | None], cells: Sequence[str]) -> Sequence[str | None]:
        """Dates of the cells of a column and of the times in them; `None` for one that is neither a time nor a date."""
        found = [time and self[time[:13]] for time in times]
        if None in found:
            return [day or self._of(time, cell) for day, time, cell in zip(found, times, cells, strict=True)]
        return found

    def _of(self, time: str | None, cell: str) -> str | None:
        if time:
            return self[time[:16]] or self[time[:19]]
        with suppress(ValueError):
            return date.fromisoformat(cell).isoformat() if match_date(cell) else None
        return None
