"""Answers to Airbyte before it reads: the settings, and the streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.settings.schema import OWN_SETTINGS
from tap_lexer_activity.shapes import stream_schema
from tap_lexer_activity.streams.base import LexerStream
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.values import null_first

Schema: TypeAlias = dict[str, Any]


def is_object(definition: Mapping[str, Any]) -> bool:
    """True if a setting is an object, by its JSON schema."""
    return "object" in definition["type"]


def specification() -> dict[str, Any]:
    """The settings, as Airbyte shows them in a form."""
    properties = OWN_SETTINGS["properties"].items()
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Lexer Activity",
        "type": "object",
        "required": OWN_SETTINGS["required"],
        "properties": {name: _field(definition, order) for order, (name, definition) in enumerate(properties)},
        "additionalProperties": True,
    }
    modes = ["overwrite", "append", "append_dedup"]
    return {
        "protocol_version": "0.2.0",
        "connectionSpecification": schema,
        "supportsIncremental": True,
        "supported_destination_sync_modes": modes,
    }


def _field(definition: Mapping[str, Any], order: int) -> Schema:
    """A field of the form. Airbyte's form has none for objects with names of the user's, so such a setting is text."""
    kinds = [definition["type"]] if isinstance(definition["type"], str) else definition["type"]
    (kind,) = (kind for kind in kinds if kind != "null")
    field: Schema = {
        "type": kind,
        "title": definition["title"],
        "description": definition["description"],
        "order": order,
    }
    if is_object(definition):
        field |= {"type": "string", "title": f"{definition['title']} (JSON)"}
    if "items" in definition:
        field["items"] = definition["items"]
    if "enum" in definition:
        field["enum"] = [choice for choice in definition["enum"] if choice is not None]
    if definition.get("secret"):
        field["airbyte_secret"] = True
    return field | {word: definition[word] for word in ("default", "minimum", "maximum") if word in definition}


def catalog(columns: Mapping[str, Columns]) -> dict[str, Any]:
    """The streams with their columns."""
    return {"streams": [_stream(BY_NAME[name], each.properties) for name, each in columns.items()]}


def _stream(kind: type[LexerStream], properties: Mapping[str, Any]) -> dict[str, Any]:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **stream_schema(kind.name),
        "properties": properties,
    }
    found: dict[str, Any] = {
        "name": kind.name,
        "json_schema": null_first(schema) | {"additionalProperties": True},
        "supported_sync_modes": ["full_refresh"],
        "source_defined_primary_key": [[key] for key in kind.keys],
        "is_resumable": False,
    }
    if kind.bookmark_column is not None:
        found["supported_sync_modes"].append("incremental")
        found |= {"source_defined_cursor": True, "default_cursor_field": [kind.bookmark_column]}
    return found
