"""The series of NPS surveys, in whatever shape it comes: the documented one is a list of labelled rows with their counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import RangeTooLongError, UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL
from tap_lexer_activity.streams import grain
from tap_lexer_activity.streams.base import PerFormStream
from tap_lexer_activity.streams.labels import label_shift, read_label
from tap_lexer_activity.values import to_utc

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from tap_lexer_activity.run.events import Event, Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval, Request, Window

    Counted = Mapping[datetime, frozenset[tuple[str, Any]]]
    """What was counted, by the label; nothing for zeros."""

OTHER: Final = "another shape"
NO_ZONE: Final = "dates without a zone"
NO_DATE: Final = "one time in place of two"
OTHER_UNIT: Final = "timestamps in another unit"
FLAT: Final = "counts beside the date"

KINDS: Final = {
    OTHER: "rows did not come as a list; they are read as one",
    NO_ZONE: "dates name no zone; each is read by its timestamp, or as UTC if there is none",
    NO_DATE: "a date or a timestamp is missing; it is made of the other",
    OTHER_UNIT: "timestamps are not in seconds; they are read as such",
    FLAT: "counts came beside the date, and not in data",
}
"""Ways in which rows may differ, and what is said of each."""

_AROUND: Final = ("data", "result", "results", "rows", "items", "nps_volume")
_FARTHEST: Final = timedelta(hours=14)
"""The most that the clocks of any zone differ from UTC."""


class NpsVolume(PerFormStream):
    """Surveys sent and answered, and the score, of one NPS form.

    Lexer counts in steps of 24 hours from the start of the request and labels them in UTC, so this stream is read in days of UTC.
    It does not say whether a label is the start or the end of its step. Each answer shows it, unless it leaves out both the first
    and the last; then the columns that depend on it are null.
    """

    name = "nps_volume"
    shape = "surveys"
    keys = ("form_id", "timestamp")
    bookmark_column = "date"
    interval: Interval = "day"
    zone = ZoneInfo("UTC")

    @override
    def requests(self, wanted: list[Window]) -> list[Request]:
        longest = self.ranges.longest
        return windows.series_requests(wanted, self.settings.present, self.interval, self.zone, longest=longest)

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._form: int | None = None
        self._asked_for_silence: set[int | None] = set()

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        self._form = form_id
        yield from super().events(form_id)

    @override
    def answer_schema(self) -> dict[str, Any]:
        row = self.row_schema()
        outer = {name: row["properties"][name] for name in ("date", "timestamp")}
        counts = {name: kind for name, kind in row["properties"].items() if name not in outer}
        item = {
            "type": "object",
            "properties": {**outer, "data": {"type": "object", "properties": counts}, ADDITIONAL: {}},
            "required": ["date", "timestamp", "data"],
        }
        return {"type": "array", "items": item}

    @override
    def rows(self, request: Request, answer: Any, asked_for: str) -> Iterator[Row]:
        rows = self._labelled(answer, asked_for)
        counted = _counted(rows)
        self._check_grain(counted, request, asked_for)
        shift = self._shift(counted, request, asked_for)
        first, last = request.asked.start - windows.DAY, request.asked.end + windows.DAY
        strays = [row["date"] for label, row in rows if not first <= label <= last]
        has_what_was_asked_for = len(strays) < len(rows)
        if strays and has_what_was_asked_for:
            said = "%s: days outside the range came, too, and are left out: %s [see: days-not-asked-for]"
            self.logger.warning(said, asked_for, self.run.client.quote(", ".join(sorted(strays))))
        for label, row in rows:
            if (label - request.asked.start) % windows.DAY or not has_what_was_asked_for:
                msg = f"{asked_for}: asked for days of UTC, and got a row of {row['date']} [see: buckets-differ]"
                raise UnexpectedAnswerError(msg)
            # Where the label's meaning is unknown, a row on either edge may be wanted. It is complete in any case.
            start, end = request.windows[0].start, request.windows[-1].end
            if start <= label <= end if shift is None else start <= label - shift < end:
                yield self._record(row, label, shift)

    def _labelled(self, answer: Any, asked_for: str) -> list[tuple[datetime, dict[str, Any]]]:
        """The rows of an answer, whatever shape it has, each with its label."""
        answer, kinds = shaped(answer)
        for kind in sorted(kinds):
            self.run.notices.accept(self.name, kind, f"{asked_for}: {KINDS[kind]}")
        return [(self._label(row, asked_for), row) for row in self.checked(answer, asked_for)]

    def _label(self, row: Mapping[str, Any], asked_for: str) -> datetime:
        label = datetime.fromisoformat(row["date"]).astimezone(UTC)
        if label.timestamp() != row["timestamp"]:
            msg = f"{asked_for}: date {row['date']} and timestamp {row['timestamp']} of a row are not the same instant [see: answer-undocumented]"
            raise UnexpectedAnswerError(msg)
        return label

    def _check_grain(self, counted: Counted, request: Request, asked_for: str) -> None:
        """Refuse steps of more than a day, and a part of what was asked for: a week, or the rest, is asked for again where nothing else tells."""
        newest = windows.floor(self.settings.present, "day", self.zone)
        over = [moment for moment, values in counted.items() if moment < newest and values]
        if over and grain.is_in_doubt(counted, request.asked):
            largest = max(over, key=lambda moment: sum(abs(value) for _, value in counted[moment]))
            week = grain.week_from((largest - windows.DAY).date(), self.settings.present, self.zone)
            if not grain.are_days(counted, self._asked_again(week, asked_for), largest):
                msg = f"{asked_for}: asked for days, and got longer steps [see: buckets-differ]"
                raise RangeTooLongError(msg)
        gap = grain.silence((label for label in counted if counted[label]), request.asked)
        if gap is not None and self._form not in self._asked_for_silence:
            self._asked_for_silence.add(self._form)
            again = self._asked_again(gap, asked_for)
            # (A label on the edge may be that of the day before.)
            if any(values and gap.start < label < gap.end for label, values in again.items()):
                msg = f"{asked_for}: only a part of the range came; asked again, the rest has numbers, too [see: range-incomplete]"
                raise RangeTooLongError(msg, request.asked.length - gap.length)

    def _asked_again(self, window: Window, asked_for: str) -> Counted:
        answer, _ = self.asked(windows.Request(window, ()), self._form)
        return _counted(self._labelled(answer, asked_for))

    def _shift(self, counted: Counted, request: Request, asked_for: str) -> timedelta | None:
        """The time from the start of a day to its label."""
        if self.settings.series_label is not None:
            return windows.DAY if self.settings.series_label == "end" else timedelta(0)
        days = -((request.asked.start - request.asked.end) // windows.DAY)
        start, end = request.asked.start, request.asked.start + days * windows.DAY
        if start not in counted or end not in counted:
            return label_shift(counted, request.asked)
        if not counted[start] and not counted[end]:
            return None
        msg = (
            f"{asked_for}: rows came for both edges of the range, so one belongs to another day. Set series_label to start if "
            "labels are the starts of days, to end if they are the ends [see: buckets-at-both-edges]"
        )
        raise UnexpectedAnswerError(msg)

    def _record(self, row: Mapping[str, Any], label: datetime, shift: timedelta | None) -> Row:
        bucket = None if shift is None else windows.Window(label - shift, label - shift + windows.DAY)
        added = {"interval": "day"} if bucket is None else self.window_columns(bucket)
        more = {**(row.get(ADDITIONAL) or {}), **(row["data"].get(ADDITIONAL) or {})}
        return {**row["data"], "date": row["date"], "timestamp": row["timestamp"], ADDITIONAL: more or None, **added}


def _counted(rows: Iterable[tuple[datetime, Mapping[str, Any]]]) -> Counted:
    """The counts by label, without zeros."""
    return {
        label: frozenset(
            (name, value)
            for name, value in (row["data"] or {}).items()
            if isinstance(value, int | float | Decimal) and value
        )
        for label, row in rows
    }


# The shapes that it may come in


def shaped(answer: Any) -> tuple[Any, set[str]]:
    """The rows as documented, and how they differed (`KINDS`). What could mean something else stays as it came."""
    found: set[str] = set()
    rows = _rows(answer, found)
    if not isinstance(rows, list):
        return answer, set()
    return [_row(row, found) if isinstance(row, dict) else row for row in rows], found


def _rows(answer: Any, found: set[str]) -> Any:
    if answer is None or answer == {}:
        return []
    if not isinstance(answer, dict):
        return answer
    if all(map(read_label, answer)) and all(isinstance(part, dict) for part in answer.values()):
        found.add(OTHER)
        rows = {label: part if isinstance(part.get("data"), dict) else {"data": part} for label, part in answer.items()}
        return [{"date": label, **part} for label, part in rows.items()]
    parts = (
        list(answer)
        if len(answer) == 1
        else [name for name, part in answer.items() if part and isinstance(part, list | dict)]
    )
    if len(parts) == 1 and parts[0] in _AROUND and (len(answer) == 1 or isinstance(answer[parts[0]], list)):
        found.add(OTHER)
        return _rows(answer[parts[0]], found)
    return answer


def _row(row: dict[str, Any], found: set[str]) -> dict[str, Any]:
    if "data" not in row and any(name.startswith(("total_", "nps_")) for name in row):
        found.add(FLAT)
        times: dict[str, Any] = {name: row[name] for name in ("date", "timestamp") if name in row}
        row = {**times, "data": {name: part for name, part in row.items() if name not in times}}
    kind, instant = _instant(row)
    if kind is None or instant is None:
        return row
    found.add(kind)
    return {**row, "date": to_utc(instant.isoformat()), "timestamp": int(instant.timestamp())}


def _instant(row: dict[str, Any]) -> tuple[str | None, datetime | None]:
    """The instant that labels a row, and how it differs from the documents; nothing for a row as documented, or one that is not clear."""
    date, timestamp = _moment(row.get("date")), _moment(row.get("timestamp"))
    if timestamp is not None and timestamp.tzinfo is None:
        return None, None
    if date is None:
        return (NO_DATE, timestamp) if row.get("date") is None else (None, None)
    if date.tzinfo is None:
        instant = date.replace(tzinfo=UTC) if row.get("timestamp") is None else timestamp
        is_near = instant is not None and abs(instant.replace(tzinfo=None) - date) <= _FARTHEST
        return (NO_ZONE, instant) if is_near else (None, None)
    if row.get("timestamp") is None:
        return NO_DATE, date
    is_in_seconds = str(row["timestamp"]).strip() == str(int(date.timestamp()))
    return (None, None) if is_in_seconds or timestamp != date else (OTHER_UNIT, date)


def _moment(value: Any) -> datetime | None:
    labels = read_label(value)
    if len(set(labels.values())) != 1:
        return None  # no time, or one of two dates
    return next(iter(labels.values())).moment
