"""Times in cells that are not written as year, month and day: read by the forms of a setting, or the form found that would read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.cells import match_date, read_times
from tap_lexer_activity.windows import resolve

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
