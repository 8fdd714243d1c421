"""The series: one number per bucket, many buckets per request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL
from tap_lexer_activity.streams.base import WindowedStream
from tap_lexer_activity.streams.grain import Bucket
from tap_lexer_activity.streams.label_checks import LabelChecks
from tap_lexer_activity.streams.series_shapes import shaped
from tap_lexer_activity.streams.states import STATES, canonical_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.streams.series_shapes import Shaped
    from tap_lexer_activity.windows import Interval, Request, Window


class Series(WindowedStream):
    """A series that answers an object of lists: what is counted, to its buckets."""

    shape = "series"
    dimension: ClassVar[str]
    """Column for the object's keys."""
    only_key: ClassVar[str | None] = None
    """The thing that is counted, if it is one; then a bucket need not say it."""
    zero_filled: ClassVar[tuple[str, ...]] = ()
    """Keys that have a row for every bucket that any key has: Lexer leaves out what did not occur, and a row that an earlier run loaded
    would keep its old number."""
    additive: ClassVar[bool] = False
    """True if the numbers of two buckets may be added."""

    def __init_subclass__(cls) -> None:
        cls.keys = ("date_from", "interval", cls.dimension)

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._checks = LabelChecks(run, self.name, self.interval, self.zone, self._asked_again)

    @property
    @override
    def interval(self) -> Interval:
        return self.settings.series_interval

    @property
    @override
    def zone(self) -> ZoneInfo:
        return self.settings.series_zone or self.settings.zone

    @override
    def requests(self, wanted: list[Window]) -> list[Request]:
        lengths = {"longest": self.ranges.longest, "shortest": self.ranges.shortest}
        found = windows.series_requests(wanted, self.settings.present, self.interval, self.zone, **lengths)
        for request in found:
            ends = (request.asked.start, request.windows[-1].start)
            if len({instant.astimezone(self.zone).utcoffset() for instant in ends}) > 1:
                self.logger.warning(
                    "The clocks changed less than 4 days ago, and no request can be that short. If Lexer counts days by the offset of the "
                    "request, the days since then are an hour off until they are re-read: keep lookback_days at 5 or more [see: clocks-changed]"
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

    def documented_key(self, key: str) -> str:
        """The thing that is counted, by its documented name."""
        return key

    @override
    def rows(self, request: Request, answer: Any, label: str) -> Iterator[Row]:
        shape, rows = self._buckets_of(answer, label)
        buckets = self._checks.placed(rows, shape, request, label)
        rows = [row for row in rows if row.label in buckets]
        spilt = self._spilt(rows, buckets, request, label)
        wanted = set(request.windows)
        present = set()
        labels: dict[Window, str] = {}
        for row in rows:
            bucket = buckets[row.label]
            labels[bucket] = row.label
            if bucket in wanted:
                present.add((row.key, bucket))
                value = row.value
                if row.key in spilt and bucket.end == request.asked.end:
                    value = (value or 0) + spilt[row.key]
                columns = {self.dimension: row.key, "date_label": row.label, "value": value, ADDITIONAL: row.kept}
                yield self.window_columns(bucket) | columns
        for key in self.zero_filled:
            for bucket in filter(labels.__contains__, request.windows):  # a bucket that no key has says nothing of any
                if (key, bucket) not in present:
                    yield self.window_columns(bucket) | {self.dimension: key, "date_label": labels[bucket], "value": 0}

    def _asked_again(self, request: Request) -> list[Bucket]:
        """The buckets of an additional request, which shows how another was answered. It is in no plan."""
        return self._buckets_of(*self.asked(request, None))[1]

    def _buckets_of(self, answer: Any, label: str) -> tuple[Shaped, list[Bucket]]:
        """The buckets of an answer, whatever shape it has."""
        accepted = self.settings.accept.get(self.name, ())
        given = next((word.partition(":")[2] for word in accepted if word.startswith("key:")), None)
        shape = shaped(answer, self.dimension, given or self.only_key)
        for kind, clause in shape.said.items():
            said = f"{label}: {self.run.client.quote(clause)}; read as Lexer documents it"
            self.run.notices.accept(self.name, kind, said)
        if shape.is_keyless:
            msg = (
                f"{label}: the answer does not say which {self.dimension} its buckets count. If all count one, "
                f'set accept to {{"{self.name}": ["key:NAME"]}} [see: buckets-of-which]'
            )
            raise UnexpectedAnswerError(msg)
        rows: list[Bucket] = []
        for key, items in self.checked(shape.answer, label).items():
            name = self.documented_key(key)
            if name != key:
                said = (
                    f"{label}: each {self.dimension} has another name than Lexer documents; "
                    "the rows have the documented one, and additional_columns what came"
                )
                self.run.notices.accept(self.name, f"another name for each {self.dimension}", said)
            for row in items:
                own = row.get(self.dimension)
                if own not in {key, None} and self.documented_key(own) != name:
                    msg = f"{label}: a bucket of {own!r} came under {key!r} [see: answer-undocumented]"
                    raise UnexpectedAnswerError(msg)
                kept = row.get(ADDITIONAL)
                if name != key:
                    kept = {**(kept or {}), self.dimension: key}
                rows.append(Bucket(name, row["date_range"]["date_from"], row["value"], kept))
        return shape, rows

    def _spilt(
        self, rows: list[Bucket], buckets: Mapping[str, Window], request: Request, asked_for: str
    ) -> dict[str, Any]:
        """The counts of the last hour of a day of 25 hours, where Lexer counts in steps of 24 hours: they belong to that day.

        Counts are added to it. An average can't be, so the day goes without, and a warning says so.
        """
        last = request.windows[-1]
        if self.interval != "day" or last.end != request.asked.end or last.length <= windows.DAY:
            return {}
        spilt = {row.key: row.value for row in rows if buckets[row.label].start == last.end and row.value}
        if spilt:
            said = (
                "%s: the last hour of %s came as a row of its own, and is added to its day [see: hour-added]"
                if self.additive
                else "%s: the last hour of %s is left out: it came as a row of its own [see: hour-left-out]"
            )
            self.logger.warning(said, asked_for, last.start)
        return spilt if self.additive else {}


class StatesVolume(Series):
    """Messages in each workflow state."""

    name = "states_volume"
    dimension = "state"
    zero_filled = STATES
    additive = True

    @override
    def documented_key(self, key: str) -> str:
        return canonical_state(key)


class ResponseVolume(Series):
    """Average response time."""

    name = "response_volume"
    dimension = "metric"
    only_key = "avg_response_time"


class CaseVolume(Series):
    """Open cases."""

    name = "case_volume"
    dimension = "status"
    only_key = "open"
