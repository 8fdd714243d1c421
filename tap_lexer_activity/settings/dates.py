"""Settings that are dates or a time zone: the values that they stand for. What is wrong with them is added to the errors."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from tap_lexer_activity import zones
from tap_lexer_activity.windows import EARLIEST, Window, resolve, start_of

_DATE_FORMS: Final = "a date (2026-03-01) or a date-time (2026-03-01T00:00:00+11:00)"
_DATE_OR_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?[0-5]\d)?)?", re.ASCII | re.IGNORECASE
)


def read_zone(name: str, now: datetime, errors: list[str]) -> ZoneInfo | None:
    """The zone of a name."""
    if found := zones.of_abbreviation(name, now):
        errors.append(
            f"timezone: {name!r} is an abbreviation of {', '.join(found)}; set your account's zone. "
            "If it is not set, --check shows your users' zones [see: zone-abbreviation]"
        )
        return None
    if (zone := zones.named(name)) is None:
        close = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean {close[0]}?" if close else "use one such as Australia/Sydney"
        errors.append(f"timezone: {name!r} is not an IANA time zone; {hint} [see: zone-unknown]")
    return zone


def read_instant(name: str, text: str, zone: ZoneInfo, errors: list[str]) -> datetime | None:
    """The instant that a date or date-time stands for."""
    try:
        moment = datetime.fromisoformat(text) if _DATE_OR_TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        errors.append(f"{name}: {text!r} should be {_DATE_FORMS} [see: setting-value]")
        return None
    try:
        return _in_utc(moment, text, zone)
    except OverflowError:
        errors.append(f"{name}: {text!r} is out of range [see: year-out-of-range]")
        return None


def _in_utc(moment: datetime, text: str, zone: ZoneInfo) -> datetime:
    """The instant of a text. One without an offset is in `zone`; one without a time is the beginning of its day."""
    if moment.tzinfo:
        return moment.astimezone(UTC)
    return start_of(moment.date(), zone) if len(text) == len("2026-03-01") else resolve(moment, zone)


def range_errors(given: Mapping[str, Any], start: datetime, end: datetime, now: datetime) -> Iterator[str]:
    """An error for a range from `start_date` to `end_date` in which there is nothing to read."""
    if wrong := _start_error("start_date", given["start_date"], start, now):
        yield wrong
    elif end <= start:
        given_end, given_start = given.get("end_date"), given["start_date"]
        yield (
            f"end_date: {given_end!r} is not after start_date ({given_start!r}); "
            "it is exclusive, so the day after the last one to read [see: end-before-start]"
        )


def _start_error(name: str, text: str, start: datetime, now: datetime) -> str | None:
    """An error for a beginning at which there can be nothing to read; `None` for any other."""
    if start < EARLIEST:
        return f"{name}: {text!r} is before the year 2000; Lexer has no data that old [see: year-out-of-range]"
    if start > now:
        return f"{name}: {text!r} is in the future; it should be the first day to read [see: start-in-future]"
    return None


def read_starts(  # noqa: PLR0913 (what a start is compared with)
    given: Mapping[str, Any],
    zone: ZoneInfo,
    report_streams: AbstractSet[str],
    *,
    end: datetime,
    now: datetime,
    errors: list[str],
) -> dict[str, datetime]:
    """The setting `start_dates`."""
    starts: dict[str, datetime] = {}
    for stream, text in given.get("start_dates", {}).items():
        name = f"start_dates[{stream}]"
        if stream not in report_streams:
            close = difflib.get_close_matches(stream, report_streams, n=1)
            hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(sorted(report_streams))}"
            wrong = f"there is no stream {stream!r} that is read in windows; {hint} [see: no-such-stream]"
            errors.append(f"{name}: {wrong}")
        elif (start := read_instant(name, text, zone, errors)) is None:
            continue
        elif error := _start_error(name, text, start, now):
            errors.append(error)
        elif start >= end:
            given_end = given.get("end_date")
            wrong = f"is not before end_date ({given_end!r}), so nothing would be read [see: end-before-start]"
            errors.append(f"{name}: {text!r} {wrong}")
        else:
            starts[stream] = start
    return starts


def read_backfill(
    given: Mapping[str, Any], zone: ZoneInfo, present: datetime, now: datetime, errors: list[str]
) -> Window | None:
    """The range of the backfill, if there is one."""
    if "backfill_start" not in given:
        if "backfill_end" in given:
            errors.append("backfill_end: needs backfill_start, too [see: backfill-without-start]")
        return None
    start = read_instant("backfill_start", given["backfill_start"], zone, errors)
    if start is None:
        return None
    end = read_instant("backfill_end", given["backfill_end"], zone, errors) if "backfill_end" in given else present
    if end is None:
        return None
    given_start, given_end = given["backfill_start"], given.get("backfill_end", given.get("end_date"))
    if not EARLIEST <= start <= now:
        errors.append(
            f"backfill_start: {given_start!r} should be in the year 2000 or later, and not in the future [see: backfill-start]"
        )
    elif end <= start:
        errors.append(
            f"backfill_end: {given_end!r} is not after backfill_start ({given_start!r}); it is exclusive [see: backfill-end]"
        )
    else:
        return Window(start, min(end, now))
    return None
