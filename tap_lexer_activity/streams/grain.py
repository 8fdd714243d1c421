"""The length of the buckets in an answer: longer or shorter ones than were asked for, and parts of a range that were left out.

A Monday is a day, too, so weeks are told from days by the distance of their labels, and proven by asking once more.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity import windows
from tap_lexer_activity.errors import RangeTooLongError
from tap_lexer_activity.streams.labels import read_label
from tap_lexer_activity.streams.series_shapes import is_coarser
from tap_lexer_activity.windows import DAY, HOUR, Request, Window, local_date, start_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.settings.settings import Settings
    from tap_lexer_activity.streams.labels import Order
    from tap_lexer_activity.streams.series_shapes import Shaped
    from tap_lexer_activity.windows import Interval

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
    """True if a long answer was in days, as a short one from `label` on shows: what both count, by the times of their labels."""
    later = {moment for moment in short if moment >= label}
    return bool(short.get(label)) and all((short[moment] or None) == (long.get(moment) or None) for moment in later)


def silence(starts: Iterable[datetime], asked: Window) -> Window | None:
    """The head or tail of a range that has no bucket, if that is suspiciously long; `None` if there is none."""
    found = sorted(start for start in set(starts) if asked.start <= start < asked.end)
    if len(found) < 2:  # noqa: PLR2004 (nothing to compare with)
        return None
    usual = max(after - before for before, after in pairwise(found))
    head, tail = Window(asked.start, found[0]), Window(found[-1] + DAY, asked.end)
    longest = max(head, tail, key=lambda part: part.length)
    return longest if longest.length >= LONGEST_SILENCE and longest.length > 3 * usual else None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A number of a series: what is counted, the label as it came, and what came that has no column."""

    key: str
    label: str
    value: Any
    kept: dict[str, Any] | None


class GrainChecks:
    """Checks of the length of one stream's buckets, and what they have shown in this run. `ask` gives the buckets of a request."""

    def __init__(
        self, settings: Settings, interval: Interval, zone: ZoneInfo, ask: Callable[[Request], list[Bucket]]
    ) -> None:
        self._settings = settings
        self._interval = interval
        self._zone = zone
        self._ask = ask
        self._longest_in_hours = timedelta(0)
        self._longest_in_days = timedelta(0)
        self._has_asked_for_silence = False
        self.has_shown_starts = False
        """True if a bucket came again when the time from its label on was asked for."""

    def check_lengths(
        self, rows: list[Bucket], shape: Shaped, order: Order | None, request: Request, what_came: str
    ) -> None:
        """Refuse buckets that are longer than what was asked for, by a `RangeTooLongError`."""
        labels = {row.label for row in rows}
        length = DAY if self._interval == "day" else HOUR
        is_long = any(_is_longer(first, last, length + HOUR) for first, last in shape.ends.items() if first in labels)
        is_said = is_coarser(shape.grains, self._interval)
        if is_long or (self._interval == "day" and not self._are_days(rows, order, request, is_said=is_said)):
            msg = f"{what_came}. They are longer than a {self._interval}"
            raise RangeTooLongError(msg)

    def _are_days(self, rows: list[Bucket], order: Order | None, request: Request, *, is_said: bool) -> bool:
        """True if buckets are days: as long as they are a day apart they can't be longer, and else a week of them is asked for again."""
        counted = _by_moment(rows, order)
        if not is_in_doubt(counted, request.asked):
            self._longest_in_days = max(self._longest_in_days, request.asked.length)
            return True
        if is_said:
            return False
        if request.asked.length <= self._longest_in_days:
            return True
        # (Of a day that goes on nothing can be said, but that a longer bucket would have begun on it as well.)
        over = [moment for moment in counted if moment.date() < local_date(self._settings.present, self._zone)]
        largest = max(over, key=lambda moment: sum(abs(value) for _, value in counted[moment]), default=None)
        if largest is None or not counted[largest]:
            return True  # nothing was counted
        week = week_from(largest.date(), self._settings.present, self._zone)
        short = _by_moment(self._ask(Request(week, ())), order)
        if not are_days(counted, short, largest):
            return False
        self._longest_in_days = max(self._longest_in_days, request.asked.length)
        self.has_shown_starts |= local_date(week.start, self._zone) == largest.date()
        return True

    def is_of_hours(self, buckets: Mapping[str, Window], request: Request) -> bool:
        """Tell whether an answer may be one in hours, if hours were asked for.

        One with midnights only is in days, or nothing happened but in the hours after midnight: Lexer leaves out what did not occur. It
        is in hours if an answer to a request as long as this one was.
        """
        if self._interval != "hour":
            return True
        if any(bucket.start.astimezone(self._zone).strftime("%H:%M") != "00:00" for bucket in buckets.values()):
            self._longest_in_hours = max(self._longest_in_hours, request.asked.length)
            return True
        is_short = request.asked.length < windows.USUAL_HOURLY - HOUR  # one of a day has other hours as well
        return is_short or request.asked.length <= self._longest_in_hours or self._is_quiet(buckets)

    def _is_quiet(self, buckets: Mapping[str, Window]) -> bool:
        """Tell whether nothing comes either if the rest of these days is asked for. Then what came is of the hours after midnight.

        It costs a request for each midnight, which no plan can know of.
        """
        for hour in sorted(set(buckets.values())):
            end = min(
                windows.following(windows.floor(hour.start, "day", self._zone), "day", self._zone),
                self._settings.present,
            )
            if end > hour.end and any(row.value for row in self._ask(Request(Window(hour.end, end), ()))):
                return False
        return True

    def silence(self, counted: Iterable[datetime], request: Request) -> tuple[Window | None, list[Bucket]]:
        """A long head or tail of a range in which nothing came, and what comes if it is asked for by itself: once in a run."""
        if self._interval != "day" or self._has_asked_for_silence:
            return None, []
        gap = silence(counted, request.asked)
        if gap is None:
            return None, []
        self._has_asked_for_silence = True
        return gap, self._ask(Request(gap, ()))


def has_values(rows: Iterable[Bucket]) -> dict[str, bool]:
    """True if something was counted, by label."""
    found: dict[str, bool] = {}
    for row in rows:
        found[row.label] = bool(row.value) or found.get(row.label, False)
    return found


def _by_moment(rows: Iterable[Bucket], order: Order | None) -> dict[datetime, frozenset[tuple[str, Any]]]:
    """The counts by the time that a label shows, without zeros."""
    found: dict[datetime, set[tuple[str, Any]]] = defaultdict(set)
    for row in rows:
        if label := read_label(row.label).get(order or "day_first"):
            moment = label.moment.replace(tzinfo=None)
            found[moment] |= {(row.key, row.value)} if row.value else set()
    return {moment: frozenset(values) for moment, values in found.items()}


def _is_longer(first: str, last: Any, than: timedelta) -> bool:
    """True if the two ends of a bucket are further apart than a length."""
    ends = [list(read_label(text).values())[:1] for text in (first, last)]
    if not all(ends) or len({end[0].is_instant for end in ends}) > 1:
        return False
    return ends[1][0].moment - ends[0][0].moment > than
