"""The local date of a row, and the column that it is taken from."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.cells import match_date
from tap_lexer_activity.csv_exports.names import column_name
from tap_lexer_activity.windows import local_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

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
