"""Tables, to be compared whole: as the tap's messages say, and as a warehouse returns them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]
Table = dict[tuple[Any, ...], Row]
Tables = dict[str, Table]

SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "schemas").glob("*.json")}


def of_an_earlier_version(catalog: dict[str, Any]) -> dict[str, Any]:
    """A catalog as 0.1.0 made it: lists and reports had no `additional_columns`, `null` stood last, and no text had a longest length."""
    for entry in catalog["streams"]:
        properties = entry["schema"]["properties"]
        if "record_id" not in properties:
            properties.pop("additional_columns", None)
        for column in properties.values():
            column.pop("maxLength", None)
            if isinstance(column["type"], list):
                column["type"] = sorted(column["type"], key="null".__eq__)
    return catalog


def comparable(value: Any, kind: str | None) -> Any:
    """A value as all sides have it: times as naive UTC, which is how warehouses keep them here, and numbers with all their digits.

    Args:
        value: Of a message or a table.
        kind: The `format` of its property.
    """
    if isinstance(value, float):
        return Decimal(repr(value))
    if kind == "date" and isinstance(value, date):
        return value.isoformat()
    if kind == "date-time" and value is not None:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return value


def table_of(stream: str, keys: Iterable[str], rows: Iterable[Row]) -> Table:
    """The rows by key, with every column of the stream's schema and no other.

    Raises:
        ValueError: If a key is there twice.
    """
    formats = {name: schema.get("format") for name, schema in SCHEMAS[stream]["properties"].items()}
    names = tuple(keys)
    table: Table = {}
    for row in rows:
        found = {name: comparable(row.get(name), kind) for name, kind in formats.items()}
        key = tuple(found[name] for name in names)
        if key in table:
            msg = f"{stream}: the key {key} is there twice"
            raise ValueError(msg)
        table[key] = found
    return table


class Emitted:
    """What runs of the tap wrote, as a target that upserts has to keep it.

    Attributes:
        keys: The key of each stream.
    """

    def __init__(self, *outputs: str) -> None:
        self.keys: dict[str, list[str]] = {}
        self._rows: dict[str, dict[tuple[Any, ...], Row]] = {}
        for output in outputs:
            for line in output.splitlines():
                message = json.loads(line, parse_float=Decimal)
                if message["type"] == "SCHEMA":
                    self.keys[message["stream"]] = message["key_properties"]
                    self._rows.setdefault(message["stream"], {})
                elif message["type"] == "RECORD":
                    row = message["record"]
                    key = tuple(row[name] for name in self.keys[message["stream"]])
                    self._rows[message["stream"]][key] = row

    @property
    def tables(self) -> Tables:
        """The tables that should be there."""
        return {stream: table_of(stream, self.keys[stream], rows.values()) for stream, rows in self._rows.items()}
