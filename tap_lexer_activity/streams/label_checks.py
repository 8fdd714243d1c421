"""What the labels of a series show of how Lexer counted: in which buckets, of which zone, and whether all of them came.

A request more, where nothing else can tell; the rows of an answer that is not what was asked for are never made.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_lexer_activity import windows
from tap_lexer_activity.errors import RangeTooLongError, RangeTooShortError, UnexpectedAnswerError
from tap_lexer_activity.streams import grain
from tap_lexer_activity.streams.label_texts import read_label
from tap_lexer_activity.streams.labels import grain_is_wrong
from tap_lexer_activity.streams.placing import Placed, Rule, are_midnights, edges, place
from tap_lexer_activity.streams.series_shapes import is_coarser
from tap_lexer_activity.windows import Request, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.streams.label_texts import Order
    from tap_lexer_activity.streams.series_shapes import Shaped
    from tap_lexer_activity.windows import Interval


@dataclass(frozen=True, slots=True)
class Bucket:
    """A number of a series.

    Attributes:
        key: What is counted.
        label: The label, as it came.
        value: The number.
        kept: What came that has no column.
    """

    key: str
    label: str
    value: Any
    kept: dict[str, Any] | None


class LabelChecks:
    """Checks of one stream's answers, and what they have shown in this run."""

    def __init__(
        self, run: Run, stream: str, interval: Interval, zone: ZoneInfo, ask: Callable[[Request], list[Bucket]]
    ) -> None:
        """Begin without knowing anything.

        Args:
            run: The run.
            stream: The stream.
            interval: The length of the buckets that are asked for.
            zone: The zone whose calendar cuts them.
            ask: The buckets of a request.
        """
        self._run = run
        self._stream = stream
        self._interval = interval
        self._zone = zone
        self._ask = ask
        self._longest_in_hours = windows.HOUR * 0
        self._longest_in_days = windows.HOUR * 0
        self._has_asked_for_silence = False
        self._rule: Rule | None = None
        self._is_shown = False

    def placed(self, rows: list[Bucket], shape: Shaped, request: Request, asked_for: str) -> Mapping[str, Window]:
        """The bucket of each label; labels of what was not asked for have none.

        Raises:
            UnexpectedAnswerError: If the buckets are not those that were asked for, with the setting that decides what they are.
            RangeTooLongError: If they are longer, or some are missing.
            RangeTooShortError: If they are shorter.
        """
        if not rows:
            return {}
        labels = {row.label for row in rows}
        found = self._place(labels, request)
        if found.is_ambiguous:
            msg = (
                f"{asked_for}: the labels may have the day or the month first: {self._quoted(labels)}. "
                f'Set accept to {{"{self._stream}": ["day_first"]}} or ["month_first"]'
            )
            raise UnexpectedAnswerError(msg)
        self._check_grain(rows, shape, found.order, request, asked_for)
        self._check_strays(labels, found, request, asked_for)
        found = self._check_edges(rows, found, request, asked_for)
        self._check_silence(rows, found, request, asked_for)
        self._note(found, asked_for)
        return found.buckets

    def _place(self, labels: Iterable[str], request: Request, *, ends: bool | None = None) -> Placed:
        settings = self._run.settings
        if settings.series_label is not None:
            ends = settings.series_label == "end"
        elif ends is None and self._is_shown and self._rule is not None:
            ends = self._rule.ends
        accepted = settings.accept.get(self._stream, ())
        return place(labels, request.asked, self._interval, self._zone, ends=ends, accepted=accepted)

    def _quoted(self, labels: Iterable[str]) -> str:
        return self._run.client.quote(", ".join(sorted(labels)))

    def _asked_for(self, labels: Iterable[str], asked_for: str) -> str:
        return (
            f"{asked_for}: one bucket for each {self._interval} was asked for, and these came: "
            f"{self._quoted(labels)}. If they are of another length, try another series_interval; "
            "if they are of another zone, set timezone to that of the account"
        )

    # Grain

    def _check_grain(
        self, rows: list[Bucket], shape: Shaped, order: Order | None, request: Request, asked_for: str
    ) -> None:
        """Refuse buckets that are longer than what was asked for."""
        labels = {row.label for row in rows}
        length = windows.DAY if self._interval == "day" else windows.HOUR
        is_long = any(
            _is_longer(first, last, length + windows.HOUR) for first, last in shape.ends.items() if first in labels
        )
        is_said = is_coarser(shape.grains, self._interval)
        if is_long or (self._interval == "day" and not self._are_days(rows, order, request, is_said=is_said)):
            msg = f"{self._asked_for(labels, asked_for)}. They are longer than a {self._interval}"
            raise RangeTooLongError(msg)

    def _are_days(self, rows: list[Bucket], order: Order | None, request: Request, *, is_said: bool) -> bool:
        """Whether buckets are days: as long as they are a day apart they can't be longer, and else a week of them is asked for again.

        Args:
            rows: The buckets.
            order: The order of day and month in their labels.
            request: What was asked for.
            is_said: Whether the answer itself calls them longer.
        """
        counted = _by_moment(rows, order)
        if not grain.is_in_doubt(counted, request.asked):
            self._longest_in_days = max(self._longest_in_days, request.asked.length)
            return True
        if is_said:
            return False
        if request.asked.length <= self._longest_in_days:
            return True
        largest = max(counted, key=lambda moment: sum(abs(value) for _, value in counted[moment]))
        if not counted[largest]:
            return True  # nothing was counted
        week = grain.week_from(largest.date(), self._run.settings.present, self._zone)
        short = _by_moment(self._ask(Request(week, ())), order)
        if not grain.are_days(counted, short, largest):
            return False
        self._longest_in_days = max(self._longest_in_days, request.asked.length)
        return True

    # Strays

    def _check_strays(self, labels: set[str], found: Placed, request: Request, asked_for: str) -> None:
        """Refuse buckets of another length, zone or time than was asked for.

        Days beside those that were asked for do no harm. (Hours might: they are how a zone is found to be another.)
        """
        strays = found.strays
        is_beside = self._interval == "day" and bool(found.buckets) and are_midnights(strays)
        if strays and not is_beside:
            msg = self._asked_for(labels, asked_for)
            if self._interval == "day" and _are_hours(labels):
                raise RangeTooShortError(msg)
            raise UnexpectedAnswerError(msg)
        if not self._is_of_hours(labels, found.buckets, request):
            raise RangeTooLongError(self._asked_for(labels, asked_for))
        if strays:
            self._run.logger.getChild(self._stream).warning(
                "%s: days that were not asked for came as well, and are left out: %s", asked_for, self._quoted(strays)
            )

    def _is_of_hours(self, labels: set[str], buckets: Mapping[str, Window], request: Request) -> bool:
        """Tell whether an answer may be one in hours, if hours were asked for.

        One with midnights only is in days, or nothing happened but in the hours after midnight: Lexer leaves out what did not occur. It
        is in hours if an answer to a request as long as this one was.
        """
        if self._interval != "hour":
            return True
        shown = [bucket.start.astimezone(self._zone).strftime("%Y-%m-%d %H:%M") for bucket in buckets.values()]
        if not grain_is_wrong(shown, request.asked, self._interval):
            if not all(label.endswith(" 00:00") for label in shown):
                self._longest_in_hours = max(self._longest_in_hours, request.asked.length)
            return True
        return request.asked.length <= self._longest_in_hours or self._is_quiet(labels, buckets)

    def _is_quiet(self, labels: set[str], buckets: Mapping[str, Window]) -> bool:
        """Tell whether nothing comes either if the rest of these days is asked for. Then what came is of the hours after midnight.

        It costs a request for each midnight, which no plan can know of.
        """
        for label in sorted(labels & buckets.keys()):
            hour = buckets[label]
            end = min(
                windows.following(windows.floor(hour.start, "day", self._zone), "day", self._zone),
                self._run.settings.present,
            )
            if end > hour.end and any(row.value for row in self._ask(Request(Window(hour.end, end), ()))):
                return False
        return True

    # Edges

    def _check_edges(self, rows: list[Bucket], found: Placed, request: Request, asked_for: str) -> Placed:
        """Refuse, or read as ends, labels that begin or end a bucket beside what was asked for: nothing should be counted there."""
        settings = self._run.settings
        has_value = _has_value(rows)
        beside = edges(has_value, found, request.asked)
        at_start = any(
            has_value[label] and bucket.start <= request.asked.start < bucket.end
            for label, bucket in found.buckets.items()
        )
        offsets = {instant.astimezone(self._zone).utcoffset() for instant in (request.asked.start, request.asked.end)}
        if not beside or len(offsets) > 1 or settings.series_label is not None or self._interval != "day":
            if at_start and not beside and not found.rule.ends:
                self._is_shown = True
            return found
        if beside == {"after"} and not at_start and not found.rule.ends and not (self._is_shown and self._rule):
            return self._as_ends(rows, request, asked_for)
        if settings.series_zone is not None:
            return found
        shown = self._quoted(_labels_beside(found, request))
        msg = (
            f"{asked_for}: something was counted on a day {' and '.join(sorted(beside))} those that were asked for: {shown}. "
            f"So Lexer's days are not those of {self._zone.key}. Set timezone to that of the account; "
            "if it is, set series_zone to the zone in which Lexer counts, such as UTC; "
            "if they are those days and a day more comes, set series_label to start (or to end, if labels are the ends of days)"
        )
        raise UnexpectedAnswerError(msg)

    def _as_ends(self, rows: list[Bucket], request: Request, asked_for: str) -> Placed:
        """The labels read as ends, if that is certain."""
        labels = {row.label for row in rows}
        found = self._place(labels, request, ends=True)
        inside = set(windows.windows(request.asked.start, request.asked.end, self._interval, self._zone))
        if inside == set(found.buckets.values()) and self._rule is None:
            self._is_shown = True
            return found
        msg = (
            f"{asked_for}: something was counted on the day after those that were asked for, and nothing on the first of them: "
            f"{self._quoted(labels)}. Labels may be the ends of days. Set series_label to end if they are, and read again from start_date on; "
            "to start if they are not; if the days are those of another zone, set series_zone to it"
        )
        raise UnexpectedAnswerError(msg)

    # Silence

    def _check_silence(self, rows: list[Bucket], found: Placed, request: Request, asked_for: str) -> None:
        """Ask once for a long head or tail of a range in which nothing came: Lexer may answer the rest alone."""
        if self._interval != "day" or self._has_asked_for_silence:
            return
        has_value = _has_value(rows)
        gap = grain.silence(
            (bucket.start for label, bucket in found.buckets.items() if has_value[label]), request.asked
        )
        if gap is None:
            return
        self._has_asked_for_silence = True
        again = self._ask(Request(gap, ()))
        inside = self._place({row.label for row in again}, Request(gap, ()), ends=found.rule.ends).buckets
        if any(row.value and row.label in inside and _is_in(inside[row.label], gap) for row in again):
            longest: timedelta = request.asked.length - gap.length
            msg = f"{asked_for}: a part of the range came alone, and asked for by itself the rest has numbers, too"
            raise RangeTooLongError(msg, longest)

    # Notices

    def _note(self, found: Placed, asked_for: str) -> None:
        """Say how labels are read, if not as Lexer documents them."""
        if self._rule is not None and found.rule != self._rule:
            msg = (
                f"{asked_for}: these labels can't be read as those before them in this run were. Set series_label to start or end, "
                f'or accept to {{"{self._stream}": ["utc_labels"]}} if they are read off a clock in UTC; then read again from start_date on'
            )
            raise UnexpectedAnswerError(msg)
        self._rule = found.rule
        if not found.is_documented:
            order = "" if found.order is None else f", {found.order.replace('_', ' ')}"
            said = f"{asked_for}: labels are not written as Lexer documents them; they are read all the same{order}: {self._quoted(found.buckets)}"
            self._run.notices.accept(self._stream, "labels in another form", said)
        if found.rule.in_utc and "utc_labels" not in self._run.settings.accept.get(self._stream, ()):
            said = f"{asked_for}: labels are read off a clock in UTC: that way they name the {self._interval}s that were asked for"
            self._run.notices.accept(self._stream, "labels in UTC", said)
        if found.rule.ends and self._run.settings.series_label is None:
            said = (
                f"{asked_for}: labels are read as the ends of {self._interval}s: that way they name what was asked for. "
                "Set series_label to end, or to start if that is wrong"
            )
            self._run.notices.accept(self._stream, "labels that are ends", said)


def _labels_beside(found: Placed, request: Request) -> list[str]:
    """Labels of buckets before and after what was asked for."""
    asked = request.asked
    return [label for label, bucket in found.buckets.items() if bucket.end <= asked.start or bucket.start >= asked.end]


def _is_in(bucket: Window, gap: Window) -> bool:
    return gap.start <= bucket.start < gap.end


def _has_value(rows: Iterable[Bucket]) -> dict[str, bool]:
    """Whether something was counted, by label."""
    found: dict[str, bool] = {}
    for row in rows:
        found[row.label] = bool(row.value) or found.get(row.label, False)
    return found


def _by_moment(rows: Iterable[Bucket], order: Order | None) -> dict[datetime, frozenset[tuple[str, Any]]]:
    """What was counted, by the time that a label shows; without what is nothing."""
    found: dict[datetime, set[tuple[str, Any]]] = defaultdict(set)
    for row in rows:
        if label := read_label(row.label).get(order or "day_first"):
            moment = label.moment.replace(tzinfo=None)
            found[moment] |= {(row.key, row.value)} if row.value else set()
    return {moment: frozenset(values) for moment, values in found.items()}


def _is_longer(first: str, last: Any, than: timedelta) -> bool:
    """Whether the two ends of a bucket are further apart than a length."""
    ends = [list(read_label(text).values())[:1] for text in (first, last)]
    if not all(ends) or len({end[0].is_instant for end in ends}) > 1:
        return False
    return ends[1][0].moment - ends[0][0].moment > than


def _are_hours(labels: Iterable[str]) -> bool:
    """Whether labels are of hours: several of one day."""
    moments = [label.moment for found in map(read_label, labels) for label in list(found.values())[:1]]
    return len({moment.date() for moment in moments}) < len(moments) and not any(moment.second for moment in moments)
