"""Settings that make sense."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError

from tap_lexer_activity.settings.parse import (
    _PARSED,
    _SUMMARY,
    _backfill,
    _encoding_errors,
    _form_errors,
    _form_id_errors,
    _instant,
    _map_errors,
    _parameter_errors,
    _range_errors,
    _salt_errors,
    _starts,
    _stray_token_errors,
    _token_errors,
    _url_errors,
    _whole,
    _zone,
)
from tap_lexer_activity.settings.schema import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.windows import Interval, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings that make sense. Instants are in UTC; `present` is the instant up to which there is anything to read.

    `backfill` is the range to read again in place of what the bookmarks say, if there is one. `environment` is Meltano's, if it runs the tap.
    """

    api_token: str = field(repr=False)
    zone: ZoneInfo
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
    export_encoding: str
    discover_export_columns: bool
    form_ids: tuple[int, ...] | None
    report_parameters: Mapping[str, Mapping[str, Any]]
    max_requests: int | None
    rate_limit_requests: int
    rate_limit_seconds: int
    request_timeout: int
    api_url: str
    export_status_url: str
    environment: str | None = None

    @classmethod
    def parse(
        cls,
        config: Mapping[str, Any],
        *,
        now: datetime,
        schema: Mapping[str, Any] = SETTINGS,
        report_streams: AbstractSet[str] = frozenset(),
        environment: str | None = None,
    ) -> Settings:
        """Read a configuration.

        Args:
            config: The settings as the user gave them; a setting that is null is one that is not given.
            now: The present instant.
            schema: JSON schema of all settings, those of the SDK included.
            report_streams: Names of the streams that `report_parameters` may name.
            environment: Meltano's environment, if Meltano runs the tap.

        Raises:
            ConfigValidationError: With one line in `errors` for everything that is wrong: the setting, its value (never the
                token's) and what would be right.
        """
        given = {name: value for name, value in config.items() if value is not None}
        for name, definition in SETTINGS["properties"].items():
            if "default" in definition:
                given.setdefault(name, definition["default"])
        errors = _form_errors(given, schema)
        if errors:
            raise ConfigValidationError(_SUMMARY, errors=errors)

        errors = [
            *_token_errors(given["api_token"]),
            *_stray_token_errors(given, environment),
            *_url_errors("api_url", given["api_url"]),
            *_url_errors("export_status_url", given["export_status_url"]),
            *_encoding_errors(given["export_encoding"]),
            *_parameter_errors(given.get("report_parameters", {}), report_streams),
            *_form_id_errors(given.get("form_ids")),
            *_salt_errors(given.get("stream_map_config", {})),
            *_map_errors(given.get("stream_maps", {}), given.get("stream_map_config", {})),
        ]
        zone = _zone(given["timezone"], now)
        if isinstance(zone, str):
            raise ConfigValidationError(_SUMMARY, errors=[*errors, zone])
        start = _instant("start_date", given["start_date"], zone)
        end = _instant("end_date", given["end_date"], zone) if "end_date" in given else now
        if isinstance(start, str) or isinstance(end, str):
            raise ConfigValidationError(
                _SUMMARY, errors=[*errors, *(wrong for wrong in (start, end) if isinstance(wrong, str))]
            )
        starts, wrong_starts = _starts(given, zone, report_streams, end, now)
        errors += wrong_starts
        backfill = _backfill(given, zone, end, now)
        if isinstance(backfill, str):
            errors.append(backfill)
        errors += _range_errors(given, start, end, now)
        if errors or isinstance(backfill, str):
            raise ConfigValidationError(_SUMMARY, errors=errors)
        form_ids = given.get("form_ids")
        # (The last window of a backfill may end after `end_date`.)
        present = (now if "backfill_end" in given else min(end, now)).replace(microsecond=0)
        return cls(
            zone=zone,
            start=start,
            present=present,
            backfill=backfill,
            starts=starts,
            export_lookback_days=_whole(given.get("export_lookback_days", given["lookback_days"])),
            # No bookmark would bring a run back to a part of a window that is over.
            include_partial=given["include_partial"] and not (backfill and present < now.replace(microsecond=0)),
            form_ids=None if form_ids is None else tuple(sorted(map(_whole, form_ids))),
            report_parameters=given.get("report_parameters", {}),
            max_requests=_whole(given.get("max_requests")),
            environment=environment,
            **{
                name: _whole(given[name])
                for name in cls.__slots__
                if name in SETTINGS["properties"] and name not in _PARSED
            },
        )

    def start_of(self, stream: str) -> datetime:
        """Where a stream begins: by `start_dates`, or at `start_date`."""
        return self.starts.get(stream, self.start)

    def cautions(self) -> list[str]:
        """What is allowed and yet probably not meant, one sentence each."""
        days = {"week": 7, "month": 31}.get(self.report_interval, 0)
        if 0 < self.lookback_days < days:
            caution = (
                f"lookback_days is {self.lookback_days} and report_interval is {self.report_interval!r}: a {self.report_interval} "
                "that has ended is never read again, though Lexer's numbers go on moving. "
                f"Set lookback_days to {days} or more to read the last one again"
            )
            return [caution]
        return []
