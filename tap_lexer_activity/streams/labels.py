"""Labels of buckets: which bucket of a series each one names. Pure functions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from tap_lexer_activity import windows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.windows import Interval, Window

_LABEL: Final = "%Y-%m-%d %H:%M"


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
        labels.setdefault(shown.strftime(_LABEL), bucket)
        if interval == "day":
            labels.setdefault(f"{windows.local_date(bucket.start, zone)} 00:00", bucket)
        else:
            labels.setdefault(shown.strftime("%Y-%m-%d %H:00"), bucket)
    return labels


def grain_is_wrong(labels: Iterable[str], asked: Window, interval: Interval) -> bool:
    """Tell whether an answer has days where hours were asked for.

    Every midnight is an hour too, so it takes a request with other hours in it to tell. (Hours in place of days need no such
    care: they have labels that no day has.)
    """
    shown = list(labels)
    longer_than_a_day = asked.length >= windows.USUAL_HOURLY - timedelta(hours=1)
    return interval == "hour" and longer_than_a_day and bool(shown) and all(label.endswith(" 00:00") for label in shown)


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
