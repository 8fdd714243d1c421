"""Labels of buckets as Lexer may write them, read as what a clock shows or as instants. Pure functions.

The documents write `2018-04-27 00:00`, which names no zone. Whatever else names one moment and no other is read as well.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tap_lexer_activity.values import of_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

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
    moment = of_epoch(Decimal(value))
    return {} if moment is None else dict.fromkeys(ORDERS, Label(moment))


def ends_of(text: str) -> tuple[str, str | None]:
    """The two ends of a range that is written as one text; None for the second, if the text is a label by itself."""
    parts = _BOTH.split(text.strip())
    if len(parts) == 2 and all(map(read_label, parts)):  # noqa: PLR2004 (the two ends)
        return parts[0], parts[1]
    return text, None


def _of_parts(found: re.Match[str], *, is_documented: bool) -> dict[Order, Label]:
    parts = found.groupdict()
    result: dict[Order, Label] = {}
    for order in ORDERS:
        with suppress(ValueError, OverflowError):
            year, month, day = map(int, _date(parts, order))
            moment = datetime(year, month, day, *_clock(parts))  # noqa: DTZ001 (a wall clock time)
            if parts["zone"]:
                moment = moment.replace(tzinfo=_zone(parts["offset"])).astimezone(UTC)
            result[order] = Label(moment, is_documented)
    return result


def _date(parts: Mapping[str, Any], order: Order) -> tuple[str | int, ...]:
    """Year, month and day; `ValueError` if a word among them is no month."""
    if name := parts["name"] or parts["name_first"]:
        month = _MONTHS.index(name[:3].lower()) + 1
        return parts["year_named"] or parts["year_second"], month, parts["day_named"] or parts["day_second"]
    if compact := parts["compact"]:
        return compact[:4], compact[4:6], compact[6:]
    if parts["one"]:
        by_order = ("two", "one") if order == "day_first" else ("one", "two")
        return parts["year_last"], *(parts[name] for name in by_order)
    return parts["year"], parts["month"], parts["day"]


def _clock(parts: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Hour, minute, second and microsecond; `ValueError` if it is no hour before or after noon."""
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    if half := parts["half"]:
        if not 1 <= hour <= _NOON:
            raise ValueError(hour)
        hour = hour % _NOON + (_NOON if half in "Pp" else 0)
    return hour, minute, second, int((parts["fraction"] or "0").ljust(6, "0")[:6])


def _zone(offset: str | None) -> tzinfo | None:
    return datetime.strptime(offset.replace(":", "").ljust(5, "0"), "%z").tzinfo if offset else UTC
