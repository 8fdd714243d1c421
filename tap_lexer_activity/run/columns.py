"""The columns of a stream, as a catalog selects them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tap_lexer_activity.run.events import Row
from tap_lexer_activity.shapes import ADDED_COLUMNS, ADDITIONAL, stream_schema
from tap_lexer_activity.values import to_utc

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}", re.ASCII)
"""A name that every database takes for a column."""
_OWN: Final = frozenset({*ADDED_COLUMNS, ADDITIONAL})
"""Columns that are not Lexer's."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one stream that the catalog names, and those of them that are selected: the JSON schema of each."""

    properties: Mapping[str, Any]
    selected: Mapping[str, Any]

    @classmethod
    def of_schema(cls, stream: str) -> Columns:
        """All columns of a stream's own schema: what there is without a catalog."""
        properties = stream_schema(stream)["properties"]
        return cls(properties, properties)

    @property
    def name_additional(self) -> bool:
        """True if the catalog knows `additional_columns`; one of an earlier version may not."""
        return ADDITIONAL in self.properties

    @property
    def keep_additional(self) -> bool:
        """True if `additional_columns` is loaded."""
        return ADDITIONAL in self.selected

    def placed(self, row: Row) -> Row:
        """A row with each of Lexer's values where the catalog has a place for it: in its column, or in `additional_columns`.

        The catalog may be of an earlier version, with fewer columns; or discovery may have found more since the row was read.
        """
        added = row.get(ADDITIONAL) or {}
        late = added.keys() & self.properties.keys() - row.keys()
        lost = row.keys() - self.properties.keys() - _OWN if self.keep_additional else set()
        if not late and not lost:
            return row
        rest = {name: value for name, value in row.items() if name in lost}
        rest |= {name: value for name, value in added.items() if name not in late}
        columns = {name: value for name, value in row.items() if name not in lost}
        columns |= {name: value for name, value in added.items() if name in late}
        return {**columns, ADDITIONAL: rest or None}


def with_found(properties: Mapping[str, Any], rows: Iterable[Row]) -> dict[str, Any]:
    """The properties, and one for each field that rows have beside them, if its values are all of one type and its name is plain."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in (row.get(ADDITIONAL) or {}).items():
            values.setdefault(name, []).append(value)
    result = dict(properties)
    taken = {name.casefold() for name in (*properties, *ADDED_COLUMNS)}
    for name, sent in values.items():
        kind = _type_of([value for value in sent if value is not None])
        if kind is not None and _PLAIN_NAME.fullmatch(name) and name.casefold() not in taken:
            description = f"Field {name!r} of the answer, found by discovery. Lexer does not document it."
            result[name] = {"description": description, **kind}
            taken.add(name.casefold())
    return result


def _type_of(values: Sequence[Any]) -> dict[str, Any] | None:
    """The type of values, if they have one, and a column can be of it."""
    for kinds, name in (((bool,), "boolean"), ((int, Decimal), "number"), ((str,), "string")):
        if values and all(
            isinstance(value, kinds) and (name == "boolean" or not isinstance(value, bool)) for value in values
        ):
            is_time = name == "string" and all(to_utc(value) for value in values)
            return {"type": ["null", name]} | ({"format": "date-time"} if is_time else {})
    return None
