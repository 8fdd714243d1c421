"""Stream maps: what their expressions need, arithmetic with all digits, and errors that name the column."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from types import NoneType, SimpleNamespace
from typing import Any, Final

from singer_sdk.exceptions import ConfigurationError, MapExpressionError, MappingError
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.mapper import CustomStreamMap, PluginMapper, StreamMap
from singer_sdk.singerlib import Catalog

from tap_lexer_activity.run.events import Block, Row
from tap_lexer_activity.singer.catalog import without_effect

_PLAIN: Final = frozenset({NoneType, bool, int, float, Decimal, str})
"""Types of values that flattening leaves as they are."""


class MapFailedError(Exception):
    """An expression of a stream map fails. Its text names the column and the kind of error, and nothing of the row."""


def mend(stream_map: StreamMap) -> None:
    """Prepare a map: its expressions compute with decimals, its errors name their column, its flattening is fast."""
    if stream_map.flattening_enabled:
        stream_map.flatten_record = _flattener(stream_map.flatten_record)  # type: ignore[assignment,method-assign]  # (of this one alone)
    if not isinstance(stream_map, CustomStreamMap):
        return
    evaluator = stream_map.expr_evaluator
    evaluator.functions["json"] = SimpleNamespace(dumps=partial(json.dumps, default=_number), loads=json.loads)
    evaluator.operators = {kind: _exact(operator) for kind, operator in evaluator.operators.items()}
    evaluate = stream_map._eval  # noqa: SLF001 (nothing public knows the column)

    def named(*, property_name: str | None, **more: Any) -> Any:
        try:
            return evaluate(property_name=property_name, **more)
        except Exception as error:  # noqa: BLE001 (whatever an expression does)
            cause = error.__cause__ if isinstance(error, MapExpressionError) and error.__cause__ else error
            msg = f"the stream map for {property_name or '__filter__'} fails with {type(cause).__name__} [see: stream-map-fails]"
            raise MapFailedError(msg) from None

    stream_map._eval = named  # type: ignore[assignment]  # noqa: SLF001 (as above)


def _flattener(flatten: Callable[[Row], Row]) -> Callable[[Row], Row]:
    """The flattening of the SDK, which has a look at each value, left to do it for objects and arrays alone."""

    @lru_cache
    def flat_names(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(next(iter(flatten({name: None}))) for name in names)

    def flattened(record: Row) -> Row:
        names = flat_names(keys := tuple(record))
        if names == keys and _PLAIN.issuperset(map(type, record.values())):
            return record
        result: Row = {}
        for name, (key, value) in zip(names, record.items(), strict=True):
            if type(value) in _PLAIN:
                result[name] = value
            else:
                result |= flatten({key: value})
        return result

    return flattened


def stays_flat(stream_map: StreamMap, block: Block) -> bool:
    """True if flattening, if it is enabled, leaves the rows of an export as they are. Only one of their columns may hold objects."""
    if not stream_map.flattening_enabled:
        return True
    names = tuple(stream_map.flatten_record(dict.fromkeys(block.names)))
    return names == block.names and not any(block.columns[names.index("additional_columns")])


def _number(value: object) -> float:
    """A decimal as `json.dumps` can write it: with the 17 digits of a float, which are all that JSON's readers keep."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError


def _exact(operator: Callable[..., Any]) -> Callable[..., Any]:
    """An operator that takes decimals, as numbers of the API are, together with the floats that an expression has."""

    def calculate(*values: Any) -> Any:
        if any(isinstance(value, Decimal) for value in values):
            values = tuple(Decimal(repr(value)) if isinstance(value, float) else value for value in values)
        return operator(*values)

    return calculate


def mapper_for(config: Mapping[str, Any], catalog: Catalog, logger: logging.Logger) -> PluginMapper:
    """The stream maps of a configuration, for the streams of a catalog.

    As the SDK makes them, but for streams that are not selected: it takes their properties away, keys included, and then a map for all
    streams (`"*"`) fails for want of them.
    """
    mapper = PluginMapper(plugin_config=dict(config), logger=logger)
    schemas = {entry.tap_stream_id: entry.schema.to_dict() for entry in catalog.streams}
    for entry in catalog.streams:
        name = entry.tap_stream_id
        mask = entry.metadata.resolve_selection()
        schema = get_selected_schema(name, schemas[name], mask) if mask[()] else schemas[name]
        try:
            mapper.register_raw_stream_schema(name, schema, entry.key_properties)
        except MappingError as error:
            msg = f"stream_maps: the map for {name} can't be used: {error} [see: stream-map-refused]"
            raise ConfigurationError(msg) from error
        except ValueError as error:  # of flattening: two columns would have one name
            msg = (
                f"flattening_max_key_length: two columns of {name} would have one name ({error}); "
                "set it to 60 or more, or leave it out [see: flattening-one-name]"
            )
            raise ConfigurationError(msg) from error
        for stream_map in mapper.stream_maps[name]:
            mend(stream_map)
    for caution in without_effect(config.get("stream_maps") or {}, schemas):
        logger.warning("%s", caution)
    return mapper
