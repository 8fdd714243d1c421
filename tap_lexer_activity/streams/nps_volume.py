"""The series of NPS surveys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import RangeTooLongError, UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL
from tap_lexer_activity.streams import grain
from tap_lexer_activity.streams.base import PerFormStream
from tap_lexer_activity.streams.placing import label_shift
from tap_lexer_activity.streams.survey_shapes import KINDS, shaped

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from tap_lexer_activity.run.events import Event, Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval, Request, Window

    Counted = Mapping[datetime, frozenset[tuple[str, Any]]]
    """What was counted, by the label; nothing for zeros."""


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
