"""The input of a run beside its settings: the streams and columns to read, and the maps of them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from copy import deepcopy
from fnmatch import fnmatch
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.singerlib import Catalog
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL

from tap_lexer_activity.streams.base import LexerStream
from tap_lexer_activity.streams.registry import BY_NAME


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    """A JSON schema of objects."""
    return {"type": "object", "properties": properties, "required": list(required)}


_ANY_OBJECT: Final = {"type": "object"}
_METADATA: Final = _object("breadcrumb", "metadata", breadcrumb={"type": "array"}, metadata=_ANY_OBJECT)
_SCHEMA: Final = _object("properties", properties={"type": "object", "additionalProperties": _ANY_OBJECT})
_STREAM: Final = _object(
    "tap_stream_id",
    "schema",
    tap_stream_id={"type": "string"},
    schema=_SCHEMA,
    metadata={"type": "array", "items": _METADATA},
)
_CATALOG: Final = _object("streams", streams={"type": "array", "items": _STREAM})
"""The parts of a catalog that the tap needs."""


def checked_catalog(catalog: Any) -> dict[str, Any]:
    """The catalog, with the keys of streams that it names without one: a table without a key doubles every row that is re-read.

    Raises:
        ConfigurationError: If it is not a catalog of this tap: what is wrong with it, and what to do.
    """
    content = deepcopy(catalog.to_dict() if isinstance(catalog, Catalog) else catalog)
    try:
        Draft202012Validator(_CATALOG).validate(content)
    except ValidationError as error:
        where = f"at {error.json_path} " if error.absolute_path else ""
        msg = f"The catalog can't be used: {where}it is not a valid catalog; make one with --discover [see: catalog-refused]"
        raise ConfigurationError(msg) from error
    if strangers := sorted({entry["tap_stream_id"] for entry in content["streams"]} - BY_NAME.keys()):
        named, known = ", ".join(strangers), ", ".join(sorted(BY_NAME))
        msg = f"The catalog can't be used: it names {named}, and this tap's streams are {known} [see: catalog-refused]"
        raise ConfigurationError(msg)
    return {**content, "streams": [_with_keys(entry) for entry in content["streams"]]}


def _with_keys(entry: dict[str, Any]) -> dict[str, Any]:
    name = entry["tap_stream_id"]
    stream = BY_NAME[name]
    root: dict[str, Any] = next((item["metadata"] for item in entry.get("metadata", []) if not item["breadcrumb"]), {})
    keys = entry.get("key_properties") or root.get("table-key-properties") or list(stream.keys)
    if missing := [key for key in keys if key not in entry["schema"]["properties"]]:
        msg = f"The catalog can't be used: {name} has the key {', '.join(missing)}, but no such property [see: catalog-refused]"
        raise ConfigurationError(msg)
    # What a user sets stands in the metadata; beside it, the entry may have the method that discovery wrote.
    methods = (root.get("replication-method"), root.get("forced-replication-method"), entry.get("replication_method"))
    method = next((given for given in methods if given is not None), None)
    metadata = [item for item in entry.get("metadata", []) if item["breadcrumb"][1:] not in [[key] for key in keys]]
    metadata += [{"breadcrumb": ["properties", key], "metadata": {"inclusion": "automatic"}} for key in keys]
    more: dict[str, Any] = {
        "stream": name,
        "metadata": metadata,
        "key_properties": keys,
        "replication_key": stream.bookmark_column,
    }
    if method is not None:
        more["replication_method"] = _method(name, stream, method)
    return {**entry, **more}


def _method(name: str, stream: type[LexerStream], given: object) -> str:
    """A replication method in the SDK's spelling: it compares the text, and would take `full_table` for incremental."""
    method = str(given).upper().replace("-", "_")
    if method not in {REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL}:
        msg = (
            f"The catalog can't be used: the replication method of {name} is {given!r}; "
            f"it can be {REPLICATION_FULL_TABLE} or {REPLICATION_INCREMENTAL} [see: catalog-refused]"
        )
        raise ConfigurationError(msg)
    # (A pattern of Meltano's gives each stream the same one. A list is read whole by either.)
    return method if stream.bookmark_column else REPLICATION_FULL_TABLE


def chosen(select: str, streams: Collection[str], default: AbstractSet[str]) -> set[str]:
    """The streams that `--select` chooses by patterns with commas between them, such as `summary,nps_*` or `!users`.

    A `!` takes away what others have chosen; if there is nothing else, from those that are selected by default.
    """
    patterns = [pattern.strip() for pattern in select.split(",") if pattern.strip()]
    for pattern in patterns:
        name = pattern.removeprefix("!")
        if any(fnmatch(stream, name) for stream in streams):
            continue
        if name.partition(".")[0] in streams:
            msg = f"--select: {pattern!r} names a column, and it chooses streams; columns are chosen in a catalog [see: select-unknown]"
        else:
            msg = f"--select: there is no stream like {pattern!r}{_hint(name, streams)} [see: select-unknown]"
        raise ConfigurationError(msg)
    if not patterns:
        msg = "--select: names no stream; it should be like 'summary,nps_*' or '!users' [see: select-unknown]"
        raise ConfigurationError(msg)
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    first = {stream for stream in streams if any(fnmatch(stream, name) for name in wanted)} if wanted else set(default)
    return {stream for stream in first if not any(fnmatch(stream, name) for name in unwanted)}


def without_effect(stream_maps: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Parts of `stream_maps` that do nothing, one sentence each: such a slip lets data through that should stay out."""
    found = []
    for name, definition in stream_maps.items():
        columns = definition if isinstance(definition, dict) else {}
        source = columns.get("__source__", name)
        meant = [schema["properties"] for stream, schema in schemas.items() if fnmatch(stream, source)]
        if name != "__else__" and not meant:
            found.append(
                f"stream_maps: there is no stream {source!r}, so its map does nothing{_hint(source, schemas)} [see: stream-map-unknown]"
            )
            continue
        found += [
            f"stream_maps: {name} has no column {column!r}, so none is removed{_hint(column, *meant)} [see: stream-map-unknown]"
            for column, value in columns.items()
            if value is None and not column.startswith("__") and not any(column in properties for properties in meant)
        ]
    return found


def _hint(name: str, *known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, [each for names in known for each in names], n=1)
    return f"; did you mean {close[0]}?" if close else ""
