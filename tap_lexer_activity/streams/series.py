"""The series: one number per bucket, many buckets per request."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL
from tap_lexer_activity.streams.base import WindowedStream
from tap_lexer_activity.streams.labels import buckets_by_label, grain_is_wrong, is_day
from tap_lexer_activity.streams.states import STATES
from tap_lexer_activity.windows import Request, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval


class Series(WindowedStream):
    """A series that answers an object of lists: what is counted, to its buckets."""

    dimension: ClassVar[str]
    """Column for the object's keys."""
    zero_filled: ClassVar[tuple[str, ...]] = ()
    """Keys that have a row for every bucket that any key has: Lexer leaves out what did not occur, and a row that an earlier run loaded
    would keep its old number."""
    additive: ClassVar[bool] = False
    """Whether the numbers of two buckets may be added."""

    def __init_subclass__(cls) -> None:
        cls.keys = ("date_from", "interval", cls.dimension)

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._longest_in_hours = timedelta(0)

    @property
    @override
    def interval(self) -> Interval:
        return self.settings.series_interval

    @override
    def requests(self, wanted: list[Window]) -> list[Request]:
        found = windows.series_requests(wanted, self.settings.present, self.interval, self.zone)
        for request in found:
            ends = (request.asked.start, request.windows[-1].start)
            if len({instant.astimezone(self.zone).utcoffset() for instant in ends}) > 1:
                self.logger.warning(
                    "The clocks changed less than 4 days ago, and no request can be that short. If Lexer counts days by the offset of the "
                    "request, the days since then are an hour off until they are read again: keep lookback_days at 5 or more"
                )
        return found

    @override
    def answer_schema(self) -> dict[str, Any]:
        label = {"type": "object", "properties": {"date_from": {"type": "string"}}, "required": ["date_from"]}
        bucket = {
            "type": "object",
            "properties": {
                "value": self.schema["properties"]["value"],
                "date_range": label,
                self.dimension: {"type": ["null", "string"]},
                ADDITIONAL: {},
            },
            "required": ["value", "date_range"],
        }
        of_any_key = {"type": "array", "items": bucket}
        longest = self.schema["properties"][self.dimension]["maxLength"]
        return {"type": "object", "propertyNames": {"maxLength": longest}, "additionalProperties": of_any_key}

    @override
    def rows(self, request: Request, answer: Any, asked_for: str) -> Iterator[Row]:
        buckets = buckets_by_label(request.asked, self.interval, self.zone)
        rows = [
            (key, row, row["date_range"]["date_from"])
            for key, items in self.checked(answer, asked_for).items()
            for row in items
        ]
        self._check_labels({label for _, _, label in rows}, buckets, request, asked_for)
        rows = [row for row in rows if row[2] in buckets]
        spilt = self._spilt(rows, buckets, request, asked_for)
        wanted = set(request.windows)
        present = set()
        labels: dict[Window, str] = {}
        for key, row, label in rows:
            if row.get(self.dimension, key) not in {key, None}:
                msg = f"{asked_for}: a bucket of {row[self.dimension]!r} came under {key!r}"
                raise UnexpectedAnswerError(msg)
            bucket = buckets[label]
            labels[bucket] = label
            if bucket in wanted:
                present.add((key, bucket))
                value = row["value"]
                if key in spilt and bucket.end == request.asked.end:
                    value = (value or 0) + spilt[key]
                kept = {ADDITIONAL: row.get(ADDITIONAL)}
                yield self.window_columns(bucket) | {self.dimension: key, "date_label": label, "value": value} | kept
        for key in self.zero_filled:
            for bucket in filter(labels.__contains__, request.windows):  # a bucket that no key has says nothing of any
                if (key, bucket) not in present:
                    yield self.window_columns(bucket) | {self.dimension: key, "date_label": labels[bucket], "value": 0}

    def _check_labels(
        self, labels: AbstractSet[str], buckets: Mapping[str, Window], request: Request, asked_for: str
    ) -> None:
        """Refuse buckets of another length, zone or time than was asked for.

        Days beside those that were asked for do no harm. (Hours might: they are how a zone is found to be another.)
        """
        strays = sorted(labels - buckets.keys())
        is_beside = self.interval == "day" and len(strays) < len(labels) and all(map(is_day, strays))
        if (not strays or is_beside) and self._is_of_hours(labels, buckets, request, asked_for):
            self.warn_of_strays(asked_for, strays)
            return
        msg = (
            f"{asked_for}: one bucket for each {self.interval} was asked for, and these came: "
            f"{self.run.client.quote(', '.join(sorted(labels)))}. If they are of another length, try another series_interval; "
            "if they are of another zone, set timezone to that of the account"
        )
        raise UnexpectedAnswerError(msg)

    def _is_of_hours(
        self, labels: AbstractSet[str], buckets: Mapping[str, Window], request: Request, asked_for: str
    ) -> bool:
        """Tell whether an answer may be one in hours, if hours were asked for.

        One with midnights only is in days, or nothing happened but in the hours after midnight: Lexer leaves out what did not occur. It
        is in hours if an answer to a request as long as this one was.
        """
        if self.interval != "hour" or not grain_is_wrong(labels, request.asked, self.interval):
            if self.interval == "hour" and not all(label.endswith(" 00:00") for label in labels):
                self._longest_in_hours = max(self._longest_in_hours, request.asked.length)
            return True
        return request.asked.length <= self._longest_in_hours or self._is_quiet(labels, buckets, asked_for)

    def _is_quiet(self, labels: AbstractSet[str], buckets: Mapping[str, Window], asked_for: str) -> bool:
        """Tell whether nothing comes either if the rest of these days is asked for. Then what came is of the hours after midnight.

        It costs a request for each midnight, which no plan can know of.
        """
        for label in sorted(labels & buckets.keys()):
            hour = buckets[label]
            end = min(
                windows.following(windows.floor(hour.start, "day", self.zone), "day", self.zone), self.settings.present
            )
            if end <= hour.end:
                continue
            rest = Request(Window(hour.end, end), ())
            with self.run.progress.requests_of(self.name):
                answer = self.checked(self.run.client.report(self.body(rest, None), what=asked_for), asked_for)
            if any(row["value"] for items in answer.values() for row in items):
                return False
        return True

    def _spilt(
        self, rows: list[tuple[str, Any, str]], buckets: Mapping[str, Window], request: Request, asked_for: str
    ) -> dict[str, Any]:
        """What spilt over the end of a day of 25 hours, where Lexer counts in steps of 24 hours: it belongs to that day.

        Counts are added to it. An average can't be, so the day goes without, and a warning says so.
        """
        last = request.windows[-1]
        if self.interval != "day" or last.end != request.asked.end or last.length <= windows.DAY:
            return {}
        spilt = {key: row["value"] for key, row, label in rows if buckets[label].start == last.end and row["value"]}
        if spilt and self.additive:
            self.logger.warning(
                "%s: the last hour of %s came as a row of its own, and is added to its day", asked_for, last.start
            )
        elif spilt:
            self.logger.warning(
                "%s: the last hour of %s is left out: Lexer gave it a row of its own", asked_for, last.start
            )
            return {}
        return spilt


class StatesVolume(Series):
    """Messages in each workflow state."""

    name = "states_volume"
    dimension = "state"
    zero_filled = STATES
    additive = True


class ResponseVolume(Series):
    """Average response time."""

    name = "response_volume"
    dimension = "metric"


class CaseVolume(Series):
    """Open cases."""

    name = "case_volume"
    dimension = "status"
