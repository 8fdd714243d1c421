"""Settings for a Lexer that differs from its documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from tap_lexer_activity.settings.dates import read_zone

WORDS: Final[dict[str, str]] = {
    "member:NAME": "the rows are those under NAME, whatever else the answer has",
    "one_page": "the answer is all there is, whatever it says of pages and totals",
    "day_first": "labels of series such as 01/02/2018 have the day first",
    "key:NAME": "buckets of a series that do not say what they count are of NAME",
    "merge_doubles": "if rows with the same key differ, the first is taken",
    "unassigned": "rows without a user_id or classification_id belong to nobody: their id is 0",
    "month_first": "labels of series such as 01/02/2018 have the month first",
    "utc_labels": "labels of series that name no zone are in UTC",
    "utc_times": "times that name no zone are in UTC",
    "any_columns": "files of this export are read though none of their columns is known",
}
"""Words that the setting `accept` knows, and what each means for a stream's answers. NAME is to be put in."""

_LISTS: Final = frozenset({"users", "groups", "forms"})


def read_accepted(
    given: Mapping[str, Any], report_streams: AbstractSet[str], errors: list[str]
) -> dict[str, frozenset[str]]:
    """The setting `accept`. What is wrong with it is added to the errors."""
    accepted = {stream: frozenset(words) for stream, words in given.get("accept", {}).items()}
    errors += _stream_errors("accept", accepted, report_streams | _LISTS if report_streams else frozenset())
    for stream, words in accepted.items():
        for word in sorted(words):
            kind, colon, name = word.partition(":")
            if word not in WORDS and not (name and f"{kind}{colon}NAME" in WORDS):
                errors.append(
                    f"accept[{stream}]: {word!r} is not a known word; choose from {', '.join(WORDS)} [see: accept-unknown]"
                )
    return accepted


def read_skipped(
    given: Mapping[str, Any], report_streams: AbstractSet[str], errors: list[str]
) -> dict[str, frozenset[date]]:
    """The setting `skip_windows`. What is wrong with it is added to the errors."""
    skipped: dict[str, set[date]] = {}
    errors += _stream_errors("skip_windows", given.get("skip_windows", {}), report_streams)
    for stream, texts in given.get("skip_windows", {}).items():
        skipped[stream] = set()
        for text in texts:
            try:
                skipped[stream].add(date.fromisoformat(text))
            except ValueError:
                errors.append(
                    f"skip_windows[{stream}]: {text!r} should be the first date of a window (2026-03-01) [see: skip-windows-date]"
                )
    return {stream: frozenset(days) for stream, days in skipped.items()}


def read_series_zone(given: Mapping[str, Any], now: datetime, errors: list[str]) -> ZoneInfo | None:
    """The setting `series_zone`, if there is one. What is wrong with it is added to the errors."""
    wrong: list[str] = []
    zone = read_zone(given["series_zone"], now, wrong) if "series_zone" in given else None
    errors += [line.replace("timezone:", "series_zone:", 1) for line in wrong]
    return zone


def format_errors(formats: Iterable[str]) -> Iterator[str]:
    """Errors for forms of times that no day can be read by."""
    moment = datetime(2019, 6, 15, 22, 7, 33)  # noqa: DTZ001 (a wall clock time)
    for form in formats:
        try:
            is_whole = datetime.strptime(moment.strftime(form), form).date() == moment.date()  # noqa: DTZ007 (likewise)
        except ValueError:
            is_whole = False
        if not is_whole:
            yield f"export_time_formats: {form!r} should name a day, month and year, such as %d/%m/%Y %H:%M [see: export-time-formats]"


def _stream_errors(setting: str, given: Iterable[str], known: AbstractSet[str]) -> list[str]:
    if not known:
        return []
    names = ", ".join(sorted(known))
    return [
        f"{setting}: there is no stream {stream!r}; choose from {names} [see: no-such-stream]"
        for stream in given
        if stream not in known
    ]
