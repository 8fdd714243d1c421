"""From a configuration to settings, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from singer_sdk.exceptions import ConfigValidationError

from tap_lexer_activity.errors import without_token
from tap_lexer_activity.settings.checks import (
    encoding_errors,
    form_id_errors,
    parameter_errors,
    salt_errors,
    schema_errors,
    stray_token_errors,
    token_errors,
    url_errors,
    whole,
)
from tap_lexer_activity.settings.dates import range_errors, read_backfill, read_instant, read_starts, read_zone
from tap_lexer_activity.settings.first_contact import format_errors, read_accepted, read_series_zone, read_skipped
from tap_lexer_activity.settings.maps import flattening_errors, map_errors
from tap_lexer_activity.settings.schema import SETTINGS
from tap_lexer_activity.settings.settings import Settings

_SUMMARY: Final = "The configuration can't be used"
_NOT_AS_GIVEN: Final = frozenset({
    "accept", "discover_columns", "discover_export_columns", "export_lookback_days", "export_time_formats", "form_ids",
    "include_partial", "max_requests", "report_parameters", "series_label", "series_zone", "skip_windows",
})  # fmt: skip
"""Settings that may be missing without a default, or that depend on others. The rest are taken as they were given."""


def parse_settings(
    config: Mapping[str, Any],
    *,
    now: datetime,
    schema: Mapping[str, Any] = SETTINGS,
    report_streams: AbstractSet[str] = frozenset(),
    environment: str | None = None,
) -> Settings:
    """Read a configuration. A setting that is null counts as not given.

    Raises:
        ConfigValidationError: With one line in `errors` for everything that is wrong: the setting, its value (never the
            token's) and what would be right.
    """
    given = {name: value for name, value in config.items() if value is not None}
    for name, definition in schema["properties"].items():
        if "default" in definition:
            given.setdefault(name, definition["default"])
    errors = schema_errors(given, schema)
    if errors:
        raise _refused(errors, config)

    errors += [
        *token_errors(given["api_token"]),
        *stray_token_errors(given, environment),
        *url_errors("api_url", given["api_url"]),
        *url_errors("export_status_url", given["export_status_url"]),
        *encoding_errors(given["export_encoding"]),
        *parameter_errors(given.get("report_parameters", {}), report_streams),
        *form_id_errors(given.get("form_ids")),
        *salt_errors(given.get("stream_map_config", {})),
        *flattening_errors(given),
        *map_errors(given.get("stream_maps", {}), given.get("stream_map_config", {})),
        *format_errors(given.get("export_time_formats", ())),
    ]
    accepted = read_accepted(given, report_streams, errors)
    skipped = read_skipped(given, report_streams, errors)
    series_zone = read_series_zone(given, now, errors)
    if (zone := read_zone(given["timezone"], now, errors)) is None:
        raise _refused(errors, config)
    start = read_instant("start_date", given["start_date"], zone, errors)
    end = read_instant("end_date", given["end_date"], zone, errors) if "end_date" in given else now
    if start is None or end is None:
        raise _refused(errors, config)
    starts = read_starts(given, zone, report_streams, end=end, now=now, errors=errors)
    backfill = read_backfill(given, zone, end, now, errors)
    errors += range_errors(given, start, end, now)
    if errors:
        raise _refused(errors, config)
    form_ids = given.get("form_ids")
    # (The last window of a backfill may end after `end_date`.)
    present = (now if "backfill_end" in given else min(end, now)).replace(microsecond=0)
    return Settings(
        zone=zone,
        zone_is_set=config.get("timezone") is not None,
        start=start,
        present=present,
        backfill=backfill,
        starts=starts,
        export_lookback_days=whole(given.get("export_lookback_days", given["lookback_days"])),
        # No bookmark would bring a run back to a part of a window that is over.
        include_partial=given["include_partial"] and not (backfill and present < now.replace(microsecond=0)),
        form_ids=None if form_ids is None else tuple(sorted(map(whole, form_ids))),
        report_parameters=given.get("report_parameters", {}),
        accept=accepted,
        skip_windows=skipped,
        series_label=given.get("series_label"),
        series_zone=series_zone,
        export_time_formats=tuple(given.get("export_time_formats", ())),
        discover_columns=given["discover_columns"],
        discover_export_columns=given["discover_export_columns"] or given["discover_columns"],
        max_requests=whole(given.get("max_requests")),
        environment=environment,
        **{
            name: whole(given[name])
            for name in (field.name for field in fields(Settings))
            if name in SETTINGS["properties"] and name not in _NOT_AS_GIVEN
        },
    )


def _refused(errors: list[str], config: Mapping[str, Any]) -> ConfigValidationError:
    # (A value that is quoted may have the token in it: it is easily pasted into the wrong setting.)
    token = str(config.get("api_token") or "")
    return ConfigValidationError(_SUMMARY, errors=[without_token(line, token) for line in errors])
