"""Values made to fit their columns, and whatever has no column kept as it came: nothing that Lexer sends is dropped. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity import readings
from tap_lexer_activity.readings import Reading
from tap_lexer_activity.shapes import ADDITIONAL
from tap_lexer_activity.values import OddNumber, fits_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Final = object()
"""Stands for the part that does not fit, where all of a value fits. (`None` would be a value.)"""

_HOURS: Final = "gmtoffset"
"""The column of offsets in hours."""

_CONTAINERS: Final[dict[type, str]] = {dict: "object", list: "array"}
_WANTED: Final = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list of the documented kind",
    "object": "an object",
}


@dataclass
class Findings:
    """Differences of an answer from its schema, and how they were read.

    Attributes:
        odd: Columns that can't hold some value, each with what was expected. The value is in `additional_columns`.
        read: Columns by the kind of reading (`readings.KINDS`) that some value took.
        new: Names of fields that no column is for.
        zoneless: Columns with a time that names no zone, and is not read for that.
    """

    odd: dict[str, str] = field(default_factory=dict)
    read: dict[str, dict[str, None]] = field(default_factory=dict)
    new: dict[str, None] = field(default_factory=dict)
    zoneless: dict[str, None] = field(default_factory=dict)


def fitted(answer: Any, schema: Mapping[str, Any], *, utc_times: bool = False) -> tuple[Any, Findings]:
    """An answer with values of their columns' types: `"81"` as `81` in a column of integers, times in UTC; and what was found.

    A value that its column can't hold (text that is not a number, an integer beyond 64 bits) becomes null, if the column may be null, and
    `additional_columns` of its row keeps it as it came; so it does with fields that no column is for. A row is an object whose schema has
    such a property. All else is left to the check of the shape.
    """
    fitting = _Fitting(Findings(), utc_times=utc_times)
    return fitting.fit(answer, schema, "")[0], fitting.findings


@dataclass(frozen=True)
class _Fitting:
    findings: Findings
    utc_times: bool

    def fit(self, value: Any, schema: Mapping[str, Any], column: str) -> tuple[Any, Any]:
        """A value that its schema allows, and the part of it that does not fit, as it came (`_NOTHING` if all fits).

        A value that does not fit stays if it may not be null.
        """
        if value is None:
            return None, _NOTHING
        kinds = schema.get("type") or _CONTAINERS.get(type(value), "any")
        if "object" in kinds:
            return self._fit_object(value, schema, column)
        if "array" in kinds:
            return self._fit_list(value, schema, column)
        return self._fit_one(value, schema, column)

    def _fit_one(self, value: Any, schema: Mapping[str, Any], column: str) -> tuple[Any, Any]:
        if (found := self._read(value, schema, column)) is None and _may_be_null(schema) and _is_blank(value):
            found = Reading(None, readings.EMPTY)
        if found is None:
            return self._unfit(value, schema, column)
        if found.kind is not None:
            self._note(found.kind, column)
        return found.value, as_it_came(value) if found.is_kept else _NOTHING

    def _read(self, value: Any, schema: Mapping[str, Any], column: str) -> Reading | None:
        if _is_time(schema):
            return readings.read_time(value, utc_times=self.utc_times)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
        if not _may_be_null(schema) and kinds:
            return readings.read_key(value, kinds[0])
        found = (readings.read(value, kind, is_hours=column == _HOURS) for kind in kinds or [None])
        return next((reading for reading in found if reading is not None), None)

    def _note(self, kind: str, column: str) -> None:
        self.findings.read.setdefault(kind, {})[column] = None

    def _fit_list(self, value: Any, schema: Mapping[str, Any], column: str) -> tuple[Any, Any]:
        items = value if isinstance(value, list) else readings.as_list(value) if _may_be_null(schema) else None
        if items is None:
            return self._unfit(value, schema, column)
        inner = schema.get("items", {})
        are_integers = inner.get("type") == "integer"
        have_ids = are_integers and any(isinstance(item, dict) for item in items)
        if have_ids:
            items = [item.get("id") if isinstance(item, dict) else None for item in items]
            if None in items:
                return self._unfit(value, schema, column)
        pairs = [self.fit(item, inner, column) for item in items]
        if any(kept is not _NOTHING for _, kept in pairs) or (are_integers and None in items):
            # (A list of rows has no part that does not fit: each row keeps its own.)
            return self._unfit(value, schema, column)
        if have_ids:
            self._note(readings.WITH_IDS, column)
        elif items is not value:
            self._note(readings.LISTS, column)
        return [item for item, _ in pairs], as_it_came(value) if have_ids else _NOTHING

    def _fit_object(self, value: Any, schema: Mapping[str, Any], column: str) -> tuple[Any, Any]:
        if not isinstance(value, dict):
            found = {} if value == [] else readings.as_object(value)
            if found is None or not _may_be_null(schema):
                return self._unfit(value, schema, column)
            self._note(readings.OBJECTS, column)
            value = found
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        is_row = ADDITIONAL in properties
        result: dict[str, Any] = {}
        kept: dict[str, Any] = {}
        for name, inner in value.items():
            kind = properties.get(name)
            if is_row and (kind is None or name == ADDITIONAL):
                kept[name] = as_it_came(inner)
                self.findings.new[name] = None
                continue
            kind = kind if kind is not None else others if isinstance(others, dict) else {}
            result[name], piece = self.fit(inner, kind, name if is_row else column or name)
            if piece is not _NOTHING and (_may_be_null(kind) or not is_row):
                kept[name] = piece
        if is_row and kept:
            result[ADDITIONAL] = kept
        return result, kept if kept and not is_row else _NOTHING

    def _unfit(self, value: Any, schema: Mapping[str, Any], column: str) -> tuple[Any, Any]:
        """The column's content for a value that it can't hold, and the value as it came."""
        if not _may_be_null(schema):
            return value, as_it_came(value)
        self.findings.odd.setdefault(column, _expected(schema, value))
        if _is_time(schema) and readings.read_time(value, utc_times=True):
            self.findings.zoneless[column] = None
        return None, as_it_came(value)


def _expected(schema: Mapping[str, Any], value: Any) -> str:
    if _is_time(schema):
        return "a time with an offset"
    if _has_large(value):
        return "a number of at most 64 bits"
    kinds = schema["type"]
    return " or ".join(_WANTED[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null")


def _has_large(value: Any) -> bool:
    match value:
        case dict():
            return any(map(_has_large, value.values()))
        case list():
            return any(map(_has_large, value))
        case bool():
            return False
        case int():
            return not fits_integer(value)
        case _:
            return isinstance(value, OddNumber)


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, OddNumber) and not value.strip()


def _is_time(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "date-time"


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return "null" in schema.get("type", ())


def as_it_came(value: Any) -> Any:
    """A value with numbers beyond 64 bits as text."""
    match value:
        case dict():
            return {name: as_it_came(inner) for name, inner in value.items()}
        case list():
            return [as_it_came(inner) for inner in value]
        case OddNumber():
            return str(value)
        case int() if not fits_integer(value):
            return str(value)
        case Decimal() if not value.is_finite():
            return str(value)
        case _:
            return value
