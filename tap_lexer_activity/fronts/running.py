"""Shared by the fronts without Singer: from a configuration to an engine, and from its events to records."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from singer_sdk.exceptions import ConfigValidationError

from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.run.events import Block, Row
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.settings.schema import OWN_SETTINGS
from tap_lexer_activity.settings.settings import Settings
from tap_lexer_activity.singer.encode import as_lines
from tap_lexer_activity.streams.registry import BY_NAME, REPORTS
from tap_lexer_activity.sync.checks import discover_columns, discoverable
from tap_lexer_activity.sync.engine import Engine, Step

_DECODER: Final = msgspec.json.Decoder()


def settings_of(config: Mapping[str, Any]) -> Settings:
    """The settings of a configuration."""
    return parse_settings(config, now=datetime.now(UTC), schema=OWN_SETTINGS, report_streams=REPORTS)


def discovered(settings: Settings, names: Collection[str]) -> list[str]:
    """Those of some streams whose columns discovery finds, as the settings want it."""
    wanted = discoverable(of_exports=settings.discover_export_columns, of_all=settings.discover_columns)
    return [name for name in wanted if name in names]


def all_columns(run: Run, names: Collection[str]) -> dict[str, Columns]:
    """All columns of some streams, with those that discovery finds, if the settings want it."""
    found = dict(discover_columns(run, discovered(run.settings, names)))
    return {name: Columns(found[name], found[name]) if name in found else Columns.of_schema(name) for name in names}


def new_engine(
    settings: Settings,
    names: Collection[str],
    logger: logging.Logger,
    bookmarks: Mapping[tuple[str, int | None], datetime],
    columns: Mapping[str, Columns] | None = None,
) -> Engine:
    """An engine that reads some streams, in the tap's order, with all columns that there are unless some are given."""
    if settings.max_requests and settings.discover_export_columns and columns is None:
        msg = (
            "max_requests: can't be used with discover_export_columns or discover_columns here: "
            "each run would spend them on the columns. Remove one of the two [see: max-requests-discovery]"
        )
        raise ConfigValidationError(msg, errors=[msg])
    run = Run.begin(settings, logger, bookmarks=bookmarks)
    found = all_columns(run, names) if columns is None else columns
    return Engine(replace(run, columns=found), [name for name in BY_NAME if name in names])


def rows_of(step: Step) -> Sequence[Row]:
    """The rows of a step, with the selected columns."""
    wanted = step.stream.columns.selected
    match step.event:
        case Block() as block:
            return list(block.rows(wanted))
        case dict() as row:
            return [{name: value for name, value in row.items() if name in wanted}]
        case _:
            return ()


def as_json(rows: Sequence[Row]) -> list[Row]:
    """Rows with the values that readers of JSON get: a number with a point is a float."""
    lines = as_lines(rows)
    try:
        found: list[Row] = _DECODER.decode_lines(lines)
    except msgspec.DecodeError:
        return [json.loads(line) for line in lines.splitlines()]
    return found
