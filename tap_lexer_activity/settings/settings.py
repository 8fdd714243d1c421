"""The settings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from tap_lexer_activity.windows import Interval, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings that make sense, as `parse_settings` reads them from a configuration. Instants are in UTC.

    Attributes:
        zone_is_set: Whether `timezone` is set, or `zone` is the default.
        present: The instant up to which there is anything to read.
        backfill: The range to read again in place of what the bookmarks say, if there is one.
        starts: The beginning of each stream in `start_dates`: see `start_of`.
        series_zone: Where series are counted, if not in `zone`.
        accept: Words for what to make of answers that are refused otherwise, by stream.
        skip_windows: First dates of windows to skip, by stream.
        environment: Meltano's environment, if Meltano runs the tap.
    """

    api_token: str = field(repr=False)
    zone: ZoneInfo
    zone_is_set: bool
    start: datetime
    present: datetime
    backfill: Window | None
    report_interval: Interval
    series_interval: Interval
    lookback_days: int
    export_lookback_days: int
    starts: Mapping[str, datetime]
    include_partial: bool
    export_window_days: int
    export_timeout: int
    export_retries: int
    export_time_formats: tuple[str, ...]
    export_encoding: str
    discover_columns: bool
    discover_export_columns: bool
    max_range_days: int
    series_label: Literal["start", "end"] | None
    series_zone: ZoneInfo | None
    accept: Mapping[str, AbstractSet[str]]
    skip_windows: Mapping[str, AbstractSet[date]]
    form_ids: tuple[int, ...] | None
    report_parameters: Mapping[str, Mapping[str, Any]]
    max_requests: int | None
    concurrency: int
    rate_limit_requests: int
    rate_limit_seconds: int
    request_timeout: int
    api_url: str
    export_status_url: str
    environment: str | None = None

    def start_of(self, stream: str) -> datetime:
        """The start of a stream: by `start_dates`, or at `start_date`."""
        return self.starts.get(stream, self.start)

    def cautions(self) -> list[str]:
        """Sentences about settings that are allowed and probably not meant."""
        days = {"week": 7, "month": 31}.get(self.report_interval, 0)
        if 0 < self.lookback_days < days:
            caution = (
                f"lookback_days is {self.lookback_days} and report_interval is {self.report_interval!r}: a {self.report_interval} "
                "that has ended is not re-read, though its numbers still change. "
                f"Set lookback_days to {days} or more [see: lookback-too-short]"
            )
            return [caution]
        return []
