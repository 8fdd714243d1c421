"""The shapes that `nps_volume` may come in, made the documented one: a list of labelled rows with their counts. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tap_lexer_activity.streams.label_texts import read_label
from tap_lexer_activity.values import to_utc

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
