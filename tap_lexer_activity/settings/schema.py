"""JSON schemas of the settings: the tap's own, and what differs in the SDK's."""

from __future__ import annotations

from typing import Any, Final

from singer_sdk import typing as th

SETTINGS: Final = th.PropertiesList(
    th.Property(
        "api_token",
        th.StringType,
        required=True,
        secret=True,
        title="API token",
        description="Token of the type Activity API, made in Lexer's Hub. Sent as `Auth-Api-Token` to the API and status hosts only.",
    ),
    th.Property(
        "start_date",
        th.StringType,
        required=True,
        title="Start date",
        description="First day to read: a date or a date-time, in `timezone` unless it has an offset. Moved back to the start of its window.",
    ),
    th.Property(
        "end_date",
        th.StringType,
        title="End date",
        description="Read up to this date or date-time, exclusive. Default: now.",
    ),
    th.Property(
        "timezone",
        th.StringType,
        default="UTC",
        title="Time zone",
        description="IANA name of the account's time zone, such as `Australia/Sydney`. Windows begin at its midnights. "
        "Compared with the zones of the account's users.",
    ),
    th.Property(
        "report_interval",
        th.StringType,
        default="day",
        allowed_values=["day", "week", "month"],
        title="Report interval",
        description="Length of a report's window. One request per report and window: longer windows need fewer requests.",
    ),
    th.Property(
        "series_interval",
        th.StringType,
        default="day",
        allowed_values=["day", "hour"],
        title="Series interval",
        description="Length of a bucket of the series (`nps_volume` always has days).",
    ),
    th.Property(
        "lookback_days",
        th.IntegerType(minimum=0, maximum=3650),
        default=7,
        title="Lookback",
        description="Windows that started within this many days before the bookmark are re-read, because Lexer's numbers keep moving.",
    ),
    th.Property(
        "export_lookback_days",
        th.IntegerType(minimum=0, maximum=3650),
        title="Lookback of exports",
        description="`lookback_days` for the three exports, whose cases stay open for weeks. Default: `lookback_days`.",
    ),
    th.Property(
        "start_dates",
        th.ObjectType(additional_properties=th.StringType),
        title="Start dates of streams",
        description='Another `start_date` for single streams: stream name to a date or date-time. Example: `{"mention_sla_export": "2026-03-01"}`.',
    ),
    th.Property(
        "include_partial",
        th.BooleanType,
        default=False,
        title="Include the open window",
        description="Also read the window that has not ended yet. The next run re-reads it.",
    ),
    th.Property(
        "export_window_days",
        th.IntegerType(minimum=1, maximum=360),
        default=30,
        title="Export window",
        description="Days per export job.",
    ),
    th.Property(
        "export_timeout",
        th.IntegerType(minimum=1, maximum=86_400),
        default=1800,
        title="Export timeout",
        description="Longest wait for one export job, in seconds.",
    ),
    th.Property(
        "export_retries",
        th.IntegerType(minimum=0, maximum=5),
        default=2,
        title="Export retries",
        description="How often a job that failed or timed out is started again. After that, its window is split in halves, down to a day.",
    ),
    th.Property(
        "export_encoding",
        th.StringType,
        default="UTF-8",
        title="Export encoding",
        description="Encoding of export files, such as `Windows-1252`. A byte order mark in the file wins.",
    ),
    th.Property(
        "export_time_formats",
        th.ArrayType(th.StringType),
        title="Time formats of exports",
        description="For export files whose times are not written as year, month, day: their formats, as in Python's `strptime`, such as "
        "`%d/%m/%Y %H:%M`. Tried in this order, in UTC if the column's name says so, else in `timezone`.",
    ),
    th.Property(
        "discover_columns",
        th.BooleanType,
        default=False,
        title="Discover columns",
        description="Let discovery read a little of each stream and add the columns that it finds to the catalog. "
        "Columns that the catalog lacks arrive in `additional_columns`.",
    ),
    th.Property(
        "discover_export_columns",
        th.BooleanType,
        default=False,
        title="Discover export columns",
        description="`discover_columns` for exports only. An older setting, still accepted.",
    ),
    th.Property(
        "form_ids",
        th.ArrayType(th.IntegerType),
        title="NPS forms",
        description="Ids of the NPS forms to read. Default: every form with `nps: true`.",
    ),
    th.Property(
        "report_parameters",
        th.ObjectType(additional_properties=th.ObjectType(additional_properties=True)),
        title="Report parameters",
        description="Parameters to add to a stream's requests: stream name to an object. For filters that Lexer supports but does not "
        'document, or another `type`. Example: `{"workflow_states": {"type": "..."}}`.',
    ),
    th.Property(
        "max_range_days",
        # (A request for 4 days ends with their last second, and Lexer answers what is shorter than 4 days in hours.)
        th.IntegerType(minimum=5, maximum=360),
        default=360,
        title="Longest range",
        description="Most days in one request. If Lexer refuses longer ranges, or answers them in longer buckets, a run finds "
        "the limit by itself; set it here to spare the next run the search.",
    ),
    th.Property(
        "series_label",
        th.StringType,
        allowed_values=["start", "end"],
        title="Labels of series",
        description="Whether the label of a bucket is its start or its end. Default: what the answers show, else the start.",
    ),
    th.Property(
        "series_zone",
        th.StringType,
        title="Zone of series",
        description="IANA name of the zone in which Lexer counts days of series, if not `timezone`.",
    ),
    th.Property(
        "accept",
        th.ObjectType(additional_properties=th.ArrayType(th.StringType)),
        title="Accepted differences",
        description='Differences to accept that would be errors: stream name to words, which the errors name. Example: `{"summary": '
        '["member:result"]}`.',
    ),
    th.Property(
        "skip_windows",
        th.ObjectType(additional_properties=th.ArrayType(th.StringType)),
        title="Windows to skip",
        description="Windows that Lexer never answers, to skip without rows: stream name to their first dates. Example: "
        '`{"summary": ["2025-05-04"]}`.',
    ),
    th.Property(
        "backfill_start",
        th.StringType,
        title="Backfill: start",
        description="Start of a backfill: re-read from this date or date-time on, whatever the bookmarks say, and leave them as they "
        "are. For one run, not for good.",
    ),
    th.Property(
        "backfill_end",
        th.StringType,
        title="Backfill: end",
        description="End of a backfill, exclusive: a date or date-time, moved on to the end of its window. Default: the end of the last window "
        "that has ended by `end_date`, or by now.",
    ),
    th.Property(
        "max_requests",
        th.IntegerType(minimum=1),
        title="Most requests",
        description="Stop cleanly after this many API requests. The next run continues from there.",
    ),
    th.Property(
        "concurrency",
        th.IntegerType(minimum=1, maximum=16),
        default=4,
        title="Requests at once",
        description="Requests under way at once. With more, a run waits less for a slow Lexer; rows, order, states and quota stay the same.",
    ),
    th.Property(
        "rate_limit_requests",
        th.IntegerType(minimum=1, maximum=100_000),
        default=100,
        title="Quota: requests",
        description="Most requests in any `rate_limit_seconds`: the quota of the token.",
    ),
    th.Property(
        "rate_limit_seconds",
        th.IntegerType(minimum=1, maximum=86_400),
        default=300,
        title="Quota: seconds",
        description="Length of the quota's period, in seconds.",
    ),
    th.Property(
        "request_timeout",
        th.IntegerType(minimum=1, maximum=3_600),
        default=60,
        title="Request timeout",
        description="Longest wait for an answer, in seconds; for a long answer, also for each further 256 KiB.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        default="https://api.lexer.io/v1",
        title="API URL",
        description="Address of the API. Change it for a sandbox only.",
    ),
    th.Property(
        "export_status_url",
        th.StringType,
        default="https://clients.lexer.io/api/public/v1/activity/reports/status",
        title="Export status URL",
        description="Address to ask for the status of an export job. Lexer documents three forms of it; this is the newest.",
    ),
).to_dict()
"""JSON schema of the tap's own settings."""

OWN_SETTINGS: Final[dict[str, Any]] = {**SETTINGS, "properties": dict(SETTINGS["properties"])}
"""The same for whoever does without Singer. The SDK adds its settings to `SETTINGS` later."""

BATCH_CONFIG: Final[dict[str, Any]] = {
    "type": ["object", "null"],
    "title": "Batch files",
    "description": "Where and how to write files of BATCH messages in place of records.",
    "properties": {
        "encoding": {
            "type": "object",
            "title": "Encoding",
            "description": "What the files are: JSON lines, compressed or not.",
            "properties": {
                "format": {"type": "string", "enum": ["jsonl"]},
                "compression": {"type": ["string", "null"], "enum": ["gzip", "none", None], "default": "gzip"},
            },
            "required": ["format"],
            "additionalProperties": False,
        },
        "storage": {
            "type": "object",
            "title": "Storage",
            "description": "The folder as a path or URL, the beginning of file names, and what its kind of storage needs.",
            "properties": {
                "root": {"type": "string", "minLength": 1},
                "prefix": {"type": ["string", "null"]},
                "params": {"type": "object"},
            },
            "required": ["root"],
            "additionalProperties": False,
        },
        "batch_size": {
            "type": ["integer", "null"],
            "title": "Batch size",
            "description": "Most records in a file.",
            "minimum": 1,
            "default": 10000,
        },
    },
    "required": ["encoding", "storage"],
    "additionalProperties": False,
}
"""JSON schema of `batch_config`, stricter than the SDK's: that allows Parquet, too, but the SDK leaves unselected columns in such files."""

FAKER_CONFIG: Final = (
    "Seed and locale of [Faker](https://faker.readthedocs.io), which stream maps use as `fake`. "
    "Needs this package's extra `faker`."
)
"""Description of `faker_config`. The SDK's own does not say whether there is such an extra."""


def without_bare_types(schema: Any) -> Any:
    """A JSON schema without choices that are not schemas, on which validators fail: the SDK has the text `"null"` in those of `stream_maps`."""
    if isinstance(schema, list):
        return [without_bare_types(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: without_bare_types([part for part in value if isinstance(part, dict)] if name == "anyOf" else value)
        for name, value in schema.items()
    }
