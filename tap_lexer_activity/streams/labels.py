"""Labels of buckets, however they are written: the times that they name, and the buckets that an answer means by them. Pure functions.

The documents write `2018-04-27 00:00`, which names no zone. Whatever else names one moment and no other is read as well.

Lexer does not say where its labels are read off the clock, nor whether they are starts. The documents' samples are starts in the account's
zone, and so are labels taken as long as nothing contradicts it. What was asked for decides: a reading by which every label is of a bucket
that was asked for, where by the usual one none is, is the right one.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tap_lexer_activity import windows
from tap_lexer_activity.values import of_epoch

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from datetime import tzinfo
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.windows import Interval, Window

# What a label says

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


# Which bucket it names

Edge: TypeAlias = Literal["before", "after"]

_LAST: Final = (timedelta(0), timedelta(seconds=1), timedelta(minutes=1))
"""The time from a label to the end of its bucket, where labels are ends, or the last second or minute inside."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The reading of labels.

    Attributes:
        ends: Whether they are the ends of buckets.
        in_utc: Whether a clock in UTC shows them, though the buckets are those of another zone.
    """

    ends: bool = False
    in_utc: bool = False


@dataclass(frozen=True)
class Placed:
    """The labels of an answer, placed.

    Attributes:
        buckets: The bucket of each label that names one: those that were asked for, and one more on either side.
        strays: Labels that name none of them.
        rule: How they were read.
        order: The order of day and month; None if there was nothing to choose, or no way to choose.
        is_documented: Whether all of them are written as the documents write them.
        is_ambiguous: Whether the labels could have the day or the month first.
    """

    buckets: Mapping[str, Window]
    strays: tuple[str, ...]
    rule: Rule
    order: Order | None
    is_documented: bool
    is_ambiguous: bool


def place(  # noqa: PLR0913 (what was asked for, and what settings say)
    labels: Iterable[str],
    asked: Window,
    interval: Interval,
    zone: ZoneInfo,
    *,
    ends: bool | None = None,
    accepted: Container[str] = (),
) -> Placed:
    """The buckets that labels name, in the range that was asked for.

    Labels are `ends` of buckets, or starts; None: what they show. Of the `accepted` words of the setting, `day_first`, `month_first` and
    `utc_labels` are heeded.
    """
    read = {label: read_label(label) for label in sorted(set(labels))}
    order, is_ambiguous = _order(read, asked, zone, accepted)
    by_order = {text: found.get(order or "day_first") for text, found in read.items()}
    starts = buckets_by_start(asked, interval, zone)
    rule = Rule(ends=bool(ends), in_utc="utc_labels" in accepted)
    buckets = _by_rule(by_order, _names(starts, interval, zone, rule), rule)
    if len(buckets) < len(read) and (interval == "hour" or not buckets):
        others = [Rule(ends=bool(ends), in_utc=True)]
        if ends is None:
            others += [Rule(ends=True), Rule(ends=True, in_utc=True)]
        for other in others:
            found = _by_rule(by_order, _names(starts, interval, zone, other), other)
            if len(found) == len(read):
                rule, buckets = other, found
                break
    is_choice = any(len(set(found.values())) > 1 or len(found) == 1 for found in read.values())
    return Placed(
        buckets,
        tuple(text for text in read if text not in buckets),
        rule,
        order if is_choice else None,
        is_documented=all(label is not None and label.is_documented for label in by_order.values()),
        is_ambiguous=is_ambiguous,
    )


def _by_rule(labels: Mapping[str, Label | None], names: Mapping[datetime, Window], rule: Rule) -> dict[str, Window]:
    """The bucket of each label that has one of its names."""
    found: dict[str, Window] = {}
    for text, label in labels.items():
        if label is not None:
            is_cut = rule.ends and not label.is_instant  # 23:59:59.999
            moment = label.moment.replace(microsecond=0) if is_cut else label.moment
            if moment in names:
                found[text] = names[moment]
    return found


def _names(starts: Mapping[datetime, Window], interval: Interval, zone: ZoneInfo, rule: Rule) -> dict[datetime, Window]:
    """The buckets of a request by their names: as instants, and as a clock shows them."""
    names: dict[datetime, Window] = {} if rule.ends or rule.in_utc else dict(starts)
    clock = UTC if rule.in_utc else zone
    for bucket in dict.fromkeys(starts.values()):
        if not rule.ends:
            names[bucket.start] = bucket
            names.setdefault(bucket.start.astimezone(clock).replace(tzinfo=None), bucket)
            continue
        if interval == "day" and not rule.in_utc:
            names.setdefault(datetime.combine(windows.local_date(bucket.end, zone), time()), bucket)
        for before in _LAST:
            last = bucket.end - before
            shown = last.astimezone(clock).replace(tzinfo=None)
            names[last] = bucket
            names.setdefault(shown, bucket)
            names.setdefault(shown.replace(second=0), bucket)
    return names


def buckets_by_start(asked: Window, interval: Interval, zone: ZoneInfo) -> dict[datetime, Window]:
    """The buckets of a request, by the time without a zone that a clock in the zone shows at their start.

    One bucket more on either side is included: an answer may begin or end a bucket further out than was asked.
    A day goes by midnight also where the clock jumps over it, and an hour by the full hour.
    """
    inside = list(windows.windows(asked.start, asked.end, interval, zone))
    before = windows.floor(inside[0].start - windows.SECOND, interval, zone)
    after = windows.following(inside[-1].start, interval, zone)
    outside = [windows.Window(start, windows.following(start, interval, zone)) for start in (before, after)]
    found: dict[datetime, Window] = {}
    for bucket in (*inside, *outside):  # where a clock shows a time twice, the one that was asked for comes first
        shown = bucket.start.astimezone(zone).replace(tzinfo=None)
        found.setdefault(shown, bucket)
        if interval == "day":
            found.setdefault(datetime.combine(windows.local_date(bucket.start, zone), time()), bucket)
        else:
            found.setdefault(shown.replace(minute=0), bucket)
    return found


def _order(
    read: Mapping[str, Mapping[Order, Label]], asked: Window, zone: ZoneInfo, accepted: Container[str]
) -> tuple[Order | None, bool]:
    """The order of day and month, and whether both are possible."""
    for order in ORDERS:
        if order in accepted:
            return order, False
    possible = [order for order in ORDERS if all(order in found for found in read.values() if found)]
    choices = [found for found in read.values() if len(set(found.values())) > 1]
    if len(possible) < 2 or not choices:  # noqa: PLR2004 (both of them)
        return (possible[0] if possible else None), False
    first = asked.start.astimezone(zone).replace(tzinfo=None) - windows.DAY
    last = asked.end.astimezone(zone).replace(tzinfo=None) + windows.DAY
    fitting = [
        order for order in ORDERS if all(first <= found[order].moment.replace(tzinfo=None) <= last for found in choices)
    ]
    return (fitting[0], False) if len(fitting) == 1 else (None, True)


def beside(placed: Placed, asked: Window) -> dict[str, Edge]:
    """The labels of buckets that lie before or after what was asked for, and on which side each does."""
    buckets = placed.buckets.items()
    before: dict[str, Edge] = {label: "before" for label, bucket in buckets if bucket.end <= asked.start}
    return before | {label: "after" for label, bucket in buckets if bucket.start >= asked.end}


def are_midnights(labels: Iterable[str]) -> bool:
    """True if all labels are dates, or midnights of the clock that they were read off."""
    read = [found.get("day_first") or found.get("month_first") for found in map(read_label, labels)]
    return all(label is not None and label.moment.time() == time() for label in read)


def label_shift(labels: Iterable[datetime], asked: Window) -> timedelta | None:
    """The time from the start of a day to its label: nothing, or a day if the label is its end. `None` if the answer does not show it.

    Only the start of the first day and the end of the last tell: every label between would fit both. Nor do they tell if other days
    than those that were asked for came as well.
    """
    seen = set(labels)
    days = -((asked.start - asked.end) // windows.DAY)
    end = asked.start + days * windows.DAY
    starts, ends = asked.start in seen, end in seen
    if starts == ends or min(seen) < asked.start or max(seen) > end:
        return None
    return timedelta(0) if starts else windows.DAY
