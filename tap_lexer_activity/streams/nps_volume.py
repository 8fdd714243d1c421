"""The series of NPS surveys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL
from tap_lexer_activity.streams.base import PerFormStream
from tap_lexer_activity.streams.labels import label_shift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.windows import Interval, Request, Window

_UTC: Final = ZoneInfo("UTC")


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
            "properties": {**outer, "data": {"type": "object", "properties": counts}, ADDITIONAL: {}},
            "required": ["date", "timestamp", "data"],
        }
        return {"type": "array", "items": item}

    @override
    def rows(self, request: Request, answer: Any, asked_for: str) -> Iterator[Row]:
        rows = self.checked(answer, asked_for)
        labels = [self._label(row, asked_for) for row in rows]
        shift = label_shift(labels, request.asked)
        first, last = request.asked.start - windows.DAY, request.asked.end + windows.DAY
        has_what_was_asked_for = any(first <= label <= last for label in labels)
        if has_what_was_asked_for:
            strays = [row["date"] for row, label in zip(rows, labels, strict=True) if not first <= label <= last]
            self.warn_of_strays(asked_for, strays)
        for row, label in zip(rows, labels, strict=True):
            if (label - request.asked.start) % windows.DAY or not has_what_was_asked_for:
                msg = f"{asked_for}: days of UTC were asked for, and a row of {row['date']} came"
                raise UnexpectedAnswerError(msg)
            # Where the label's meaning is unknown, a row on either edge may be wanted. It is complete in any case.
            if (
                request.windows[0].start <= label <= request.windows[-1].end
                if shift is None
                else request.windows[0].start <= label - shift < request.windows[-1].end
            ):
                yield self._record(row, label, shift)

    def _label(self, row: Mapping[str, Any], asked_for: str) -> datetime:
        label = datetime.fromisoformat(row["date"]).astimezone(UTC)
        if label.timestamp() != row["timestamp"]:
            msg = f"{asked_for}: date {row['date']} and timestamp {row['timestamp']} of a row are not the same instant"
            raise UnexpectedAnswerError(msg)
        return label

    def _record(self, row: Mapping[str, Any], label: datetime, shift: timedelta | None) -> Row:
        bucket = None if shift is None else windows.Window(label - shift, label - shift + windows.DAY)
        added = {"interval": "day"} if bucket is None else self.window_columns(bucket)
        more = {**(row.get(ADDITIONAL) or {}), **(row["data"].get(ADDITIONAL) or {})}
        return {**row["data"], "date": row["date"], "timestamp": row["timestamp"], ADDITIONAL: more or None, **added}
