"""The labels of a series, checked: in which buckets Lexer counted, in which zone, and whether all of them came.

A request more, where nothing else can tell; the rows of an answer that is not what was asked for are never made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_lexer_activity import windows
from tap_lexer_activity.errors import RangeTooLongError, RangeTooShortError, UnexpectedAnswerError
from tap_lexer_activity.streams.grain import GrainChecks, has_values
from tap_lexer_activity.streams.labels import Placed, Rule, are_midnights, beside, place, read_label
from tap_lexer_activity.streams.ranges import SHORTEST
from tap_lexer_activity.windows import Request, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.streams.grain import Bucket
    from tap_lexer_activity.streams.series_shapes import Shaped
    from tap_lexer_activity.windows import Interval


class LabelChecks:
    """Checks of one stream's answers, and what they have shown in this run. `ask` gives the buckets of a request."""

    def __init__(
        self, run: Run, stream: str, interval: Interval, zone: ZoneInfo, ask: Callable[[Request], list[Bucket]]
    ) -> None:
        self._run = run
        self._stream = stream
        self._interval = interval
        self._zone = zone
        self._ask = ask
        self._grain = GrainChecks(run.settings, interval, zone, ask)
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
                f'Set accept to {{"{self._stream}": ["day_first"]}} or ["month_first"] [see: labels-day-or-month]'
            )
            raise UnexpectedAnswerError(msg)
        self._grain.check_lengths(rows, shape, found.order, request, self._what_came(labels, asked_for))
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

    def _what_came(self, labels: Iterable[str], asked_for: str) -> str:
        return (
            f"{asked_for}: asked for one bucket per {self._interval}, and got: "
            f"{self._quoted(labels)}. If their length differs, try another series_interval; "
            "if their zone differs, set timezone to the account's [see: buckets-differ]"
        )

    # Strays

    def _check_strays(self, labels: set[str], found: Placed, request: Request, asked_for: str) -> None:
        """Refuse buckets of another length, zone or time than was asked for.

        Days beside those that were asked for do no harm. (Hours might: they are how a zone is found to be another.)
        """
        strays = found.strays
        is_beside = self._interval == "day" and bool(found.buckets) and are_midnights(strays)
        if strays and not is_beside:
            msg = self._what_came(labels, asked_for)
            if self._interval == "day" and _are_hours(labels):
                raise RangeTooShortError(msg)
            raise UnexpectedAnswerError(msg)
        if not self._grain.is_of_hours(found.buckets, request):
            raise RangeTooLongError(self._what_came(labels, asked_for))
        if strays:
            said = "%s: days outside the range came, too, and are left out: %s [see: days-not-asked-for]"
            self._run.logger.getChild(self._stream).warning(said, asked_for, self._quoted(strays))

    # Edges

    def _check_edges(self, rows: list[Bucket], found: Placed, request: Request, asked_for: str) -> Placed:
        """Refuse, or read as ends, labels that begin or end a bucket beside what was asked for: nothing should be counted there."""
        settings = self._run.settings
        has_value = has_values(rows)
        sides = beside(found, request.asked)
        counted = {side for label, side in sides.items() if has_value[label]}
        at_start = any(
            has_value[label] and bucket.start <= request.asked.start < bucket.end
            for label, bucket in found.buckets.items()
        )
        offsets = {instant.astimezone(self._zone).utcoffset() for instant in (request.asked.start, request.asked.end)}
        if not counted or len(offsets) > 1 or settings.series_label is not None:
            if at_start and not counted and not found.rule.ends:
                self._is_shown = True
            elif not (self._is_shown or counted or found.rule.ends or found.rule.in_utc or settings.series_label):
                self._check_starts(has_value, found, request, asked_for)
            return found
        if counted == {"after"} and not at_start and not found.rule.ends and not (self._is_shown and self._rule):
            return self._as_ends(rows, request, asked_for)
        if settings.series_zone is not None:
            return found
        msg = (
            f"{asked_for}: counts came in a bucket {' and '.join(sorted(counted))} the range: {self._quoted(sides)}. "
            f"So Lexer's {self._interval}s are not those of {self._zone.key}. Set timezone to the account's; "
            "if it is that, set series_zone to the zone Lexer counts in, such as UTC; "
            "if the days match and one more comes, set series_label to start (or to end, if labels are the ends of buckets) [see: buckets-beyond]"
        )
        raise UnexpectedAnswerError(msg)

    def _check_starts(self, has_value: Mapping[str, bool], found: Placed, request: Request, asked_for: str) -> None:
        """Ask once for the time from a label on, if neither the first nor the last bucket has one: a label that is a start comes again."""
        asked = request.asked
        # (The last day has something but for quiet accounts; of hours the last is often empty.)
        if self._grain.has_shown_starts or any(
            bucket.start <= asked.start < bucket.end or (self._interval == "day" and bucket.end >= asked.end)
            for bucket in found.buckets.values()
        ):
            self._is_shown = True
            return
        length = SHORTEST[self._interval]
        latest = self._run.settings.present - length
        counted = [label for label, bucket in found.buckets.items() if has_value[label] and bucket.start <= latest]
        if not counted:
            return
        label = min(counted, key=lambda each: found.buckets[each])
        start = found.buckets[label].start
        end = windows.floor(start + length + windows.HOUR * 2, self._interval, self._zone)
        again = self._ask(Request(Window(start, min(end, self._run.settings.present)), ()))
        if any(row.label == label and row.value for row in again):
            self._is_shown = True
            return
        msg = (
            f"{asked_for}: asked again from {self._quoted([label])} on, Lexer sends nothing under this label, but did before. "
            "So labels may be the ends of buckets: set series_label to end if they are, to start if not, "
            "and re-read from start_date [see: label-of-nothing]"
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
            f"{asked_for}: counts came in the bucket after the range, and none in its first bucket: "
            f"{self._quoted(labels)}. Labels may be the ends of buckets. If so, set series_label to end and re-read from start_date; "
            "if not, to start; if the days are of another zone, set series_zone to it [see: bucket-after]"
        )
        raise UnexpectedAnswerError(msg)

    def _check_silence(self, rows: list[Bucket], found: Placed, request: Request, asked_for: str) -> None:
        """Ask once for a long head or tail of a range in which nothing came: Lexer may answer the rest alone."""
        has_value = has_values(rows)
        counted = {bucket.start for label, bucket in found.buckets.items() if has_value[label]}
        gap, again = self._grain.silence(counted, request)
        if gap is None:
            return
        inside = self._place({row.label for row in again}, Request(gap, ()), ends=found.rule.ends).buckets
        if any(row.value and row.label in inside and gap.start <= inside[row.label].start < gap.end for row in again):
            longest = request.asked.length - gap.length
            msg = f"{asked_for}: only a part of the range came; asked again, the rest has numbers, too [see: range-incomplete]"
            raise RangeTooLongError(msg, longest)

    # Notices

    def _note(self, found: Placed, asked_for: str) -> None:
        """Say how labels are read, if not as Lexer documents them."""
        if self._rule is not None and found.rule != self._rule:
            msg = (
                f"{asked_for}: these labels can't be read like the earlier ones in this run. Set series_label to start or end, "
                f'or accept to {{"{self._stream}": ["utc_labels"]}} if they show UTC; then re-read from start_date [see: labels-change]'
            )
            raise UnexpectedAnswerError(msg)
        self._rule = found.rule
        if not found.is_documented:
            order = "" if found.order is None else f", {found.order.replace('_', ' ')}"
            said = f"{asked_for}: labels are not in Lexer's documented form, but can be read{order}: {self._quoted(found.buckets)}"
            self._run.notices.accept(self._stream, "labels in another form", said)
        if found.rule.in_utc and "utc_labels" not in self._run.settings.accept.get(self._stream, ()):
            said = f"{asked_for}: labels are read in UTC: that way they match the {self._interval}s asked for"
            self._run.notices.accept(self._stream, "labels in UTC", said)
        if found.rule.ends and self._run.settings.series_label is None:
            said = (
                f"{asked_for}: labels are read as the ends of {self._interval}s: that way they match the range. "
                "Set series_label to end, or to start if that is wrong"
            )
            self._run.notices.accept(self._stream, "labels that are ends", said)


def _are_hours(labels: Iterable[str]) -> bool:
    """True if labels are of hours: several of one day."""
    moments = [label.moment for found in map(read_label, labels) for label in list(found.values())[:1]]
    return len({moment.date() for moment in moments}) < len(moments) and not any(moment.second for moment in moments)
