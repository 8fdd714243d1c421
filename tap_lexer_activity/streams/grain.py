"""The length of the buckets in an answer: longer or shorter ones than were asked for, and parts of a range that were left out.

Pure functions. A Monday is a day, too, so weeks are told from days by the distance of their labels, and proven by asking once more.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.windows import DAY, Window, local_date, start_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

SHORTEST_IN_DOUBT: Final = timedelta(days=8)
"""Shortest daily request whose answer could be in weeks without showing it."""

LONGEST_SILENCE: Final = timedelta(days=28)
"""A head or tail without a bucket that is longer than this may have been left out."""

PROBE: Final = timedelta(days=7)
"""Length of the request that tells days from longer buckets."""


def is_in_doubt(labels: Iterable[datetime], asked: Window) -> bool:
    """True if the buckets of a daily answer could be longer than days: no two of them are a day apart, but perhaps the first two."""
    found = sorted(set(labels))
    if asked.length < SHORTEST_IN_DOUBT or not found:
        return False
    gaps = [after - before for before, after in pairwise(found)][1:]
    return all(gap > timedelta(hours=30) for gap in gaps)


def week_from(day: date, present: datetime, zone: ZoneInfo) -> Window:
    """Seven days from a date on; the last seven that are over, if they have not all been."""
    newest = local_date(present, zone)
    end = min(day + PROBE, newest)
    return Window(start_of(min(day, end - PROBE), zone), start_of(end, zone))


def are_days(long: Mapping[datetime, object], short: Mapping[datetime, object], label: datetime) -> bool:
    """True if a long answer was in days, as a short one for a part of it shows.

    Args:
        long: What the long answer counts, by the times that its labels show. What is nothing is false.
        short: What the short one counts.
        label: A bucket of the long answer in which something was counted.
    """
    later = {moment for moment in short if moment >= label}
    return bool(short.get(label)) and all((short[moment] or None) == (long.get(moment) or None) for moment in later)


def silence(starts: Iterable[datetime], asked: Window) -> Window | None:
    """The head or tail of a range that has no bucket, if that is suspiciously long; `None` if there is none."""
    found = sorted(start for start in set(starts) if asked.start <= start < asked.end)
    if len(found) < 2:  # noqa: PLR2004 (nothing to compare with)
        return None
    usual = max(after - before for before, after in pairwise(found))
    head, tail = Window(asked.start, found[0]), Window(found[-1] + DAY, asked.end)
    longest = max(head, tail, key=lambda part: part.end - part.start)
    if longest.end - longest.start >= LONGEST_SILENCE and longest.end - longest.start > 3 * usual:
        return longest
    return None
