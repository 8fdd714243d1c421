"""The series: one number per bucket, many buckets per request."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final
from zoneinfo import ZoneInfo

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL
from tap_lexer_activity.streams.base import STATES, PerFormStream, WindowedStream
from tap_lexer_activity.windows import Request, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from singer_sdk.helpers.types import Record

    from tap_lexer_activity.windows import Interval

_LABEL: Final = "%Y-%m-%d %H:%M"
_UTC: Final = ZoneInfo("UTC")


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
    """Whether an answer has days where hours were asked for.

    Every midnight is an hour too, so it takes a request with other hours in it to tell. (Hours in place of days need no such
    care: they have labels that no day has.)
    """
    shown = list(labels)
    longer_than_a_day = asked.length >= windows.USUAL_HOURLY - timedelta(hours=1)
    return interval == "hour" and longer_than_a_day and bool(shown) and all(label.endswith(" 00:00") for label in shown)


def _is_day(label: str) -> bool:
    """Whether a label is that of a day, and written as all labels are: another way to write it might be of a day that was asked for."""
    try:
        shown = datetime.strptime(label, _LABEL)  # noqa: DTZ007 (a wall clock time)
    except ValueError:
        return False
    return shown.time() == time() and shown.strftime(_LABEL) == label


def _tell_of_strays(stream: WindowedStream, what: str, dates: Iterable[str]) -> None:
    """Warn of days that were not asked for, if there are any."""
    if shown := ", ".join(sorted(dates)):
        quoted = stream.client.quote(shown)
        stream.logger.warning("%s: days that were not asked for came as well, and are left out: %s", what, quoted)


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
    def read(self, request: Request, answer: Any, what: str) -> Iterator[Record]:
        buckets = buckets_by_label(request.asked, self.interval, self.zone)
        rows = [
            (key, row, row["date_range"]["date_from"])
            for key, items in self.checked(answer, what).items()
            for row in items
        ]
        self._check_labels({label for _, _, label in rows}, buckets, request, what)
        rows = [row for row in rows if row[2] in buckets]
        spilt = self._spilt(rows, buckets, request, what)
        wanted = set(request.windows)
        present = set()
        labels: dict[Window, str] = {}
        for key, row, label in rows:
            if row.get(self.dimension, key) not in {key, None}:
                msg = f"{what}: a bucket of {row[self.dimension]!r} came under {key!r}"
                raise UnexpectedAnswerError(msg)
            bucket = buckets[label]
            labels[bucket] = label
            if bucket in wanted:
                present.add((key, bucket))
                value = row["value"]
                if key in spilt and bucket.end == request.asked.end:
                    value = (value or 0) + spilt[key]
                kept = {ADDITIONAL: row.get(ADDITIONAL)}
                yield self.columns(bucket) | {self.dimension: key, "date_label": label, "value": value} | kept
        for key in self.zero_filled:
            for bucket in filter(labels.__contains__, request.windows):  # a bucket that no key has says nothing of any
                if (key, bucket) not in present:
                    yield self.columns(bucket) | {self.dimension: key, "date_label": labels[bucket], "value": 0}

    def _check_labels(
        self, labels: AbstractSet[str], buckets: Mapping[str, Window], request: Request, what: str
    ) -> None:
        """Refuse buckets of another length, zone or time than was asked for.

        Days beside those that were asked for do no harm. (Hours might: they are how a zone is found to be another.)
        """
        strays = sorted(labels - buckets.keys())
        is_beside = self.interval == "day" and len(strays) < len(labels) and all(map(_is_day, strays))
        grain_fits = not grain_is_wrong(labels, request.asked, self.interval) or self._is_quiet(labels, buckets, what)
        if (not strays or is_beside) and grain_fits:
            _tell_of_strays(self, what, strays)
            return
        msg = (
            f"{what}: one bucket for each {self.interval} was asked for, and these came: "
            f"{self.client.quote(', '.join(sorted(labels)))}. If they are of another length, try another series_interval; "
            "if they are of another zone, set timezone to that of the account"
        )
        raise UnexpectedAnswerError(msg)

    def _is_quiet(self, labels: AbstractSet[str], buckets: Mapping[str, Window], what: str) -> bool:
        """Whether nothing happened but in the hours after midnight: Lexer leaves out what did not occur, so there are midnights only.

        Then nothing comes either if the rest of these days is asked for, and what came is of those hours. (And it is, if this answer is
        in days, too.)
        """
        for label in sorted(labels & buckets.keys()):
            hour = buckets[label]
            end = min(
                windows.following(windows.floor(hour.start, "day", self.zone), "day", self.zone), self.settings.present
            )
            if end <= hour.end:
                continue
            rest = Request(Window(hour.end, end), ())
            with self.tap.progress.requests_of(self.name):
                answer = self.checked(self.client.report(self.body(rest, None), what=what), what)
            if any(row["value"] for items in answer.values() for row in items):
                return False
        return True

    def _spilt(
        self, rows: list[tuple[str, Any, str]], buckets: Mapping[str, Window], request: Request, what: str
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
                "%s: the last hour of %s came as a row of its own, and is added to its day", what, last.start
            )
        elif spilt:
            self.logger.warning("%s: the last hour of %s is left out: Lexer gave it a row of its own", what, last.start)
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


class NpsVolume(PerFormStream):
    """Surveys sent and answered, and the score, of one NPS form.

    Lexer counts in steps of 24 hours from the start of the request and labels them in UTC, so this stream is read in days of UTC.
    It does not say whether a label is the start or the end of its step. Each answer shows it, unless it leaves out both the first
    and the last; then the columns that depend on it are null.
    """

    name = "nps_volume"
    keys = ("form_id", "timestamp")
    bookmark_column = "date"

    @property
    @override
    def interval(self) -> Interval:
        return "day"

    @property
    @override
    def zone(self) -> ZoneInfo:
        return _UTC

    @override
    def requests(self, wanted: list[Window]) -> list[Request]:
        return windows.series_requests(wanted, self.settings.present, self.interval, self.zone)

    @override
    def answer_schema(self) -> dict[str, Any]:
        row = self.row_schema()
        outer = {name: row["properties"][name] for name in ("date", "timestamp")}
        counts = {name: kind for name, kind in row["properties"].items() if name not in outer}
        item = {
            "type": "object",
            "properties": {**outer, "data": {"type": "object", "properties": counts}},
            "required": ["date", "timestamp", "data"],
        }
        return {"type": "array", "items": item}

    @override
    def read(self, request: Request, answer: Any, what: str) -> Iterator[Record]:
        rows = self.checked(answer, what)
        labels = [self._label(row, what) for row in rows]
        shift = label_shift(labels, request.asked)
        first, last = request.asked.start - windows.DAY, request.asked.end + windows.DAY
        has_what_was_asked_for = any(first <= label <= last for label in labels)
        if has_what_was_asked_for:
            strays = [row["date"] for row, label in zip(rows, labels, strict=True) if not first <= label <= last]
            _tell_of_strays(self, what, strays)
        for row, label in zip(rows, labels, strict=True):
            if (label - request.asked.start) % windows.DAY or not has_what_was_asked_for:
                msg = f"{what}: days of UTC were asked for, and a row of {row['date']} came"
                raise UnexpectedAnswerError(msg)
            # Where the label's meaning is unknown, a row on either edge may be wanted. It is complete in any case.
            if (
                request.windows[0].start <= label <= request.windows[-1].end
                if shift is None
                else request.windows[0].start <= label - shift < request.windows[-1].end
            ):
                yield self._record(row, label, shift)

    def _label(self, row: Mapping[str, Any], what: str) -> datetime:
        label = datetime.fromisoformat(row["date"]).astimezone(UTC)
        if label.timestamp() != row["timestamp"]:
            msg = f"{what}: date {row['date']} and timestamp {row['timestamp']} of a row are not the same instant"
            raise UnexpectedAnswerError(msg)
        return label

    def _record(self, row: Mapping[str, Any], label: datetime, shift: timedelta | None) -> Record:
        bucket = None if shift is None else windows.Window(label - shift, label - shift + windows.DAY)
        added = {"interval": "day"} if bucket is None else self.columns(bucket)
        return {**row["data"], "date": row["date"], "timestamp": row["timestamp"], **added}


def label_shift(labels: Iterable[datetime], asked: Window) -> timedelta | None:
    """How far a label lies behind the start of its day: nothing, or a day if it is its end. `None` if the answer does not show it.

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
