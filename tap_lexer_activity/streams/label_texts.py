"""Labels of buckets as Lexer may write them, read as what a clock shows or as instants. Pure functions.

The documents write `2018-04-27 00:00`, which names no zone. Whatever else names one moment and no other is read as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tap_lexer_activity.values import of_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping

Order: TypeAlias = Literal["day_first", "month_first"]
"""The order of day and month in `01/02/2018`."""

ORDERS: Final[tuple[Order, ...]] = ("day_first", "month_first")


@dataclass(frozen=True, slots=True)
class Label:
    """A label that was read.

    Attributes:
        moment: With a zone: an instant, in UTC. Without: what a clock shows, and nothing says where.
        is_documented: Whether it is written as the documents write it.
    """

    moment: datetime
    is_documented: bool = False

    @property
    def is_instant(self) -> bool:
        """True if it says for certain which instant it is."""
        return self.moment.tzinfo is not None


_DOCUMENTED: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LABEL: Final = re.compile(
    r"""
    (?:[A-Za-z]{3,9},?\ +)??                                             # the day of the week
    (?: (?P<year>\d{4})(?P<sign>[-/.])(?P<month>\d\d?)(?P=sign)(?P<day>\d\d?)
      | (?P<one>\d\d?)(?P<mark>[-/.])(?P<two>\d\d?)(?P=mark)(?P<year_last>\d{4})
      | (?P<day_named>\d\d?)[-\ ]+(?P<name>[A-Za-z]{3,9})\.?,?[-\ ]+(?P<year_named>\d{4})
      | (?P<name_first>[A-Za-z]{3,9})\.?\ +(?P<day_second>\d\d?),?\ +(?P<year_second>\d{4})
      | (?P<compact>\d{8})(?=T|$)
    )
    (?: (?:T|,?\ +(?:at\ +)?)
        (?P<hour>\d\d?):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?
        (?:\ ?(?P<half>[AaPp])\.?[Mm]\.?)?
    )?
    \ ?(?P<zone>Z|z|UTC|GMT|(?:UTC|GMT)?(?P<offset>[+-]\d\d(?::?[0-5]\d)?))?
    """,
    re.VERBOSE | re.ASCII,
)
_BOTH: Final = re.compile(r"\s+(?:-|\u2013|to|until)\s+|\s*(?:\.\.+|/(?=\d{4}-))\s*")
"""The signs between the two ends of a range."""
_EPOCH: Final = re.compile(r"(\d{9,10}|\d{12,13})(?:\.\d+)?", re.ASCII)
_NOON: Final = 12


def read_label(value: Any) -> dict[Order, Label]:
    """The times that a label may mean, by the order of day and month; both are the same where there is nothing to choose. Empty: it is no label."""
    if isinstance(value, str):
        text = value.strip()
        if found := _LABEL.fullmatch(text):
            return _of_parts(found, is_documented=bool(_DOCUMENTED.fullmatch(value)))
        value = Decimal(text) if _EPOCH.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return {}
    return _of_epoch(Decimal(value))


def ends_of(text: str) -> tuple[str, str | None]:
    """The two ends of a range that is written as one text; None for the second, if the text is a label by itself."""
    parts = _BOTH.split(text.strip())
    if len(parts) == 2 and all(map(read_label, parts)):  # noqa: PLR2004 (the two ends)
        return parts[0], parts[1]
    return text, None


def _of_epoch(number: Decimal) -> dict[Order, Label]:
    moment = of_epoch(number)
    return {} if moment is None else dict.fromkeys(ORDERS, Label(moment))


def _of_parts(found: re.Match[str], *, is_documented: bool) -> dict[Order, Label]:
    parts = found.groupdict()
    result: dict[Order, Label] = {}
    for order in ORDERS:
        try:
            date = _date(parts, order)
            moment = None if date is None else _at(date, parts)
        except (ValueError, OverflowError):
            continue
        if moment is not None:
            result[order] = Label(moment, is_documented)
    return result


def _date(parts: Mapping[str, str | None], order: Order) -> datetime | None:
    """The date; `None` if a word in it is no month."""
    name = parts["name"] or parts["name_first"]
    if name is not None:
        month = _MONTHS.index(name[:3].lower()) + 1 if name[:3].lower() in _MONTHS else 0
        year, day = parts["year_named"] or parts["year_second"], parts["day_named"] or parts["day_second"]
        return _day(year, month, day) if month else None
    if (compact := parts["compact"]) is not None:
        return _day(compact[:4], compact[4:6], compact[6:])
    if parts["one"] is not None:
        day, month_ = (parts["one"], parts["two"]) if order == "day_first" else (parts["two"], parts["one"])
        return _day(parts["year_last"], month_, day)
    return _day(parts["year"], parts["month"], parts["day"])


def _day(year: str | None, month: str | int | None, day: str | None) -> datetime:
    return datetime(int(year or 0), int(month or 0), int(day or 0))  # noqa: DTZ001 (a wall clock time)


def _at(date: datetime, parts: Mapping[str, str | None]) -> datetime:
    hour = int(parts["hour"] or 0)
    if half := parts["half"]:
        if not 1 <= hour <= _NOON:
            raise ValueError(hour)
        hour = hour % _NOON + (_NOON if half in "Pp" else 0)
    fraction = int((parts["fraction"] or "0").ljust(6, "0")[:6])
    minute, second = int(parts["minute"] or 0), int(parts["second"] or 0)
    moment = date.replace(hour=hour, minute=minute, second=second, microsecond=fraction)
    if not parts["zone"]:
        return moment
    return moment.replace(tzinfo=_zone(parts["offset"])).astimezone(UTC)


def _zone(offset: str | None) -> timezone:
    if offset is None:
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if offset[0] == "-" else ahead)
