"""Files from Airbyte: the settings, the configured streams, and their states."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from singer_sdk.exceptions import ConfigurationError, ConfigValidationError

from tap_lexer_activity.fronts.airbyte.messages import NO_CURSOR
from tap_lexer_activity.fronts.airbyte.spec import Schema, is_object
from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.settings.schema import OWN_SETTINGS
from tap_lexer_activity.shapes import stream_schema
from tap_lexer_activity.streams.registry import BY_NAME


@dataclass(frozen=True, slots=True)
class Wanted:
    """One configured stream: whether to go on from its state, and whether what is read replaces the table."""

    is_incremental: bool
    replaces: bool
    columns: Columns


def read_file(option: str, path: str) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        wrong = f"can't be read ({error.strerror})"
    except (ValueError, RecursionError):
        wrong = "is not JSON"
    msg = f"{option}: the file {wrong} [see: airbyte-file]"
    raise ConfigurationError(msg)


def settings_in(content: Any) -> dict[str, Any]:
    """The settings: those that are objects may be text, as a form has them, and what a form leaves empty is not set."""
    if not isinstance(content, dict):
        msg = "--config: the file has no JSON object of settings [see: airbyte-file]"
        raise ConfigurationError(msg)
    found = {
        name: value for name, value in content.items() if value not in ("", []) or name in OWN_SETTINGS["required"]
    }
    errors = []
    for name, definition in OWN_SETTINGS["properties"].items():
        if is_object(definition) and isinstance(text := found.get(name), str):
            try:
                found[name] = json.loads(text)
            except ValueError:
                errors.append(f"{name}: should be a JSON object as text, and is not JSON [see: airbyte-json-setting]")
    if errors:
        raise ConfigValidationError(errors[0], errors=errors)
    return found


def streams_in(content: Any) -> dict[str, Wanted]:
    """The streams of a configured catalog."""
    try:
        named = {
            str(entry["stream"]["name"]): (
                entry["sync_mode"] == "incremental",
                entry["destination_sync_mode"].startswith("overwrite"),
                dict(entry["stream"]["json_schema"].get("properties") or {}),
            )
            for entry in content["streams"]
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        msg = "--catalog: the file is not a configured catalog of Airbyte. Refresh the connection's schema [see: airbyte-catalog]"
        raise ConfigurationError(msg) from None
    if strangers := sorted(named.keys() - BY_NAME.keys()):
        msg = f"--catalog: it names {', '.join(strangers)}, which this source does not have. Refresh the connection's schema [see: airbyte-catalog]"
        raise ConfigurationError(msg)
    return {
        name: Wanted(is_incremental, replaces, _columns(name, chosen))
        for name, (is_incremental, replaces, chosen) in named.items()
    }


def _columns(name: str, chosen: Schema) -> Columns:
    """The columns of a stream: Airbyte leaves those that are not selected out of the schema. The key and the cursor always come."""
    kind, own = BY_NAME[name], stream_schema(name)["properties"]
    chosen = chosen or own
    always = {*kind.keys, kind.bookmark_column}
    properties = {**own, **chosen}
    return Columns(properties, {each: properties[each] for each in properties if each in chosen or each in always})


def state_in(content: Any) -> dict[str, Any]:
    """The state of an earlier run, as the tap has it."""
    entries = [content] if isinstance(content, dict) and content else content or []
    try:
        parts = [entry["stream"] for entry in entries if entry != {"type": "LEGACY", "data": {}}]
        found = {part["stream_descriptor"]["name"]: part.get("stream_state") for part in parts}
        return {"bookmarks": {name: value for name, value in found.items() if value and NO_CURSOR not in value}}
    except (AttributeError, KeyError, TypeError):
        msg = "--state: the file has no states of streams. Clear the connection's state to read again from start_date [see: airbyte-state]"
        raise ConfigurationError(msg) from None
