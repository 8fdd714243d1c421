"""The buckets that the labels of an answer name, however they are written. Pure functions.

Lexer does not say where its labels are read off the clock, nor whether they are starts. The documents' samples are starts in the account's
zone, and so are labels taken as long as nothing contradicts it. What was asked for decides: a reading by which every label is of a bucket
that was asked for, where by the usual one none is, is the right one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from tap_lexer_activity import windows
from tap_lexer_activity.streams.label_texts import ORDERS, Label, Order, read_label

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.windows import Interval, Window

Edge: TypeAlias = Literal["before", "after"]

_TEXT: Final = "%Y-%m-%d %H:%M"
_LAST: Final = (timedelta(seconds=1), timedelta(minutes=1))
"""The time from a label to the end of its bucket, where labels are the last second or minute inside."""


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
    """The buckets that labels name.

    Args:
        labels: The labels.
        asked: The range that was asked for.
        interval: The length of its buckets.
        zone: The zone whose days they are.
        ends: Whether the labels are ends; None: what they show.
        accepted: Words of the setting `accept`, of which `day_first`, `month_first` and `utc_labels` are heeded.
    """
    given = sorted(set(labels))
    read = {label: read_label(label) for label in given}
    order, is_ambiguous = _order(read, asked, zone, accepted)
    by_order = {label: found.get(order or "day_first") for label, found in read.items()}
    usual = Rule(ends=bool(ends), in_utc="utc_labels" in accepted)
    best = _by_rule(by_order, asked, interval, zone, usual)
    if best.strays and (interval == "hour" or not best.buckets):
        rules = [Rule(ends=bool(ends), in_utc=True)]
        if ends is None:
            rules += [Rule(ends=True), Rule(ends=True, in_utc=True)]
        others = [_by_rule(by_order, asked, interval, zone, rule) for rule in rules]
        best = next((other for other in others if not other.strays and other.buckets), best)
    is_documented = all(label is not None and label.is_documented for label in by_order.values())
    is_choice = order if any(len(set(found.values())) > 1 or len(found) == 1 for found in read.values()) else None
    return replace(best, order=is_choice, is_documented=is_documented, is_ambiguous=is_ambiguous)


def _by_rule(
    labels: Mapping[str, Label | None], asked: Window, interval: Interval, zone: ZoneInfo, rule: Rule
) -> Placed:
    buckets: dict[str, Window] = {}
    by_clock, by_instant = _names(asked, interval, zone, rule)
    for text, label in labels.items():
        if label is None:
            continue
        moment = label.moment
        if moment.tzinfo is not None:
            found = by_instant.get(moment)
        else:
            found = by_clock.get(moment.strftime(_TEXT)) if not moment.second and not moment.microsecond else None
            if found is None and rule.ends:  # 23:59:59
                found = by_clock.get(moment.isoformat(sep=" ", timespec="seconds"))
        if found is not None:
            buckets[text] = found
    strays = tuple(text for text in labels if text not in buckets)
    return Placed(buckets, strays, rule, None, is_documented=True, is_ambiguous=False)


def _names(
    asked: Window, interval: Interval, zone: ZoneInfo, rule: Rule
) -> tuple[dict[str, Window], dict[datetime, Window]]:
    """The names of the buckets of a request, as a clock shows them and as instants."""
    starts = buckets_by_label(asked, interval, zone)
    found = sorted(
        set(starts.values()), key=lambda bucket: (bucket.start >= asked.end or asked.start >= bucket.end, bucket)
    )
    if not rule.ends:
        by_clock = {bucket.start.strftime(_TEXT): bucket for bucket in found} if rule.in_utc else starts
        return by_clock, {bucket.start: bucket for bucket in found}
    shown = UTC if rule.in_utc else zone
    by_clock, by_instant = {}, {}
    for bucket in found:
        by_clock.setdefault(bucket.end.astimezone(shown).strftime(_TEXT), bucket)
        if interval == "day" and not rule.in_utc:
            by_clock.setdefault(f"{windows.local_date(bucket.end, zone)} 00:00", bucket)
        by_instant[bucket.end] = bucket
        for before in _LAST:
            last = bucket.end - before
            by_clock.setdefault(last.astimezone(shown).isoformat(sep=" ", timespec="seconds")[:19], bucket)
            by_clock.setdefault(last.astimezone(shown).strftime(_TEXT), bucket)
            by_instant[last] = bucket
    return by_clock, by_instant


def buckets_by_label(asked: Window, interval: Interval, zone: ZoneInfo) -> dict[str, Window]:
    """The label of each bucket of a request, as a clock in the zone shows its start.

    One bucket more on either side is included: an answer may begin or end a bucket further out than was asked.
    A day may be labelled by midnight also where the clock jumps over it, and an hour by the full hour.
    """
    inside = list(windows.windows(asked.start, asked.end, interval, zone))
    before = windows.floor(inside[0].start - windows.SECOND, interval, zone)
    after = windows.following(inside[-1].start, interval, zone)
    outside = [windows.Window(start, windows.following(start, interval, zone)) for start in (before, after)]
    labels: dict[str, Window] = {}
    for bucket in (*inside, *outside):  # where a clock shows a time twice, the one that was asked for comes first
        shown = bucket.start.astimezone(zone)
        labels.setdefault(shown.strftime(_TEXT), bucket)
        if interval == "day":
            labels.setdefault(f"{windows.local_date(bucket.start, zone)} 00:00", bucket)
        else:
            labels.setdefault(shown.strftime("%Y-%m-%d %H:00"), bucket)
    return labels


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
    if len(fitting) == 1:
        return fitting[0], False
    return None, True


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
