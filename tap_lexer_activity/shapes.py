"""Checks of Lexer's answers against their documented shape, and values made to fit their columns."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.validators import extend
from singer_sdk.singerlib.json import serialize_json

from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.values import MOST_DIGITS, OddNumber, fits_float, fits_integer, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_PACKAGED = Path(__file__).parent / "schemas"
_CHECKOUT = Path(__file__).parents[1] / "schemas"

SCHEMAS: Final = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
"""Folder of one JSON schema per stream: inside the package in a wheel, at the top of the repository in a checkout."""

ADDITIONAL: Final = "additional_columns"
"""The column of every stream for values that have no place in the others."""

ADDED_COLUMNS: Final = ("date_from", "date_to", "interval", "local_date", "date_label", "form_id")
"""Columns that the tap adds to what Lexer sends."""


def _is_number(_: object, value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _is_integer(_: object, value: object) -> bool:
    if isinstance(value, Decimal):  # (one with a huge exponent would take for ever to write)
        return value.is_finite() and value.adjusted() <= MOST_DIGITS and value == value.to_integral_value()
    if isinstance(value, int):
        return _is_number(_, value) and fits_integer(value)
    return isinstance(value, float) and value.is_integer()


_FORMATS: Final = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_AnswerValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]  # jsonschema leaves it untyped
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer}),
)
"""A validator of JSON Schema whose decimals are `Decimal`."""


def answer_validator(schema: Mapping[str, Any]) -> Validator:
    """A validator of Lexer's answers, whose decimals are `Decimal`, with date-times checked."""
    return _AnswerValidator(schema, format_checker=_FORMATS)


@cache
def stream_schema(stream: str) -> dict[str, Any]:
    """The JSON schema of a stream's rows. All callers share it, so nobody may change it."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{stream}.json").read_text(encoding="utf-8"))
    return found


def list_schema(stream: str) -> dict[str, Any]:
    """JSON schema of the answer with a list of objects that have an `id`."""
    rows = row_schema(stream_schema(stream), without=ADDED_COLUMNS, required=("id",))
    return {"type": "array", "items": rows}


def row_schema(stream_schema: Mapping[str, Any], *, without: Iterable[str], required: Iterable[str]) -> dict[str, Any]:
    """Schema of a row as Lexer sends it: the stream's schema without the columns that the tap adds."""
    left_out = set(without)
    return {
        "type": "object",
        "properties": {name: kind for name, kind in stream_schema["properties"].items() if name not in left_out},
        "required": [name for name in required if name not in left_out],
    }


def check(answer: Any, validator: Validator, *, what: str, quote: Callable[[str], str]) -> None:
    """Refuse an answer of another shape.

    Args:
        answer: The JSON.
        validator: The expected shape.
        what: The request, as the error names it.
        quote: Makes the beginning of an answer fit for a log.

    Raises:
        UnexpectedAnswerError: If it is of another shape, with what was expected and what came.
    """
    error = next(iter(validator.iter_errors(answer)), None)
    if error is not None:
        msg = f"{what}: the answer is not as Lexer documents it: {_expected(error)}; it begins {quote(text_of(answer))}"
        raise UnexpectedAnswerError(msg)


def _expected(error: ValidationError) -> str:
    """A clause that says what was expected, and where."""
    place = f"in {error.json_path.removeprefix('$').lstrip('.')} " if error.absolute_path else ""
    wanted: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "type":
            kinds = wanted if isinstance(wanted, list) else [wanted]
            return f"{place}{' or '.join(kinds)} was expected, {_kind(instance)} came"
        case "required":
            return f"{place}{', '.join(name for name in wanted if name not in instance)} was expected and is missing"
        case "format":
            return f"{place}a {wanted} with an offset was expected"
        case "maxLength":
            return f"{place}at most {wanted} characters were expected, {len(instance)} came"
        case "anyOf":
            return f"{place}one of {', '.join(choice['required'][0] for choice in wanted)} was expected"
        case _:
            return f"{place}{error.validator} {wanted} was expected"


def _kind(value: object) -> str:
    if isinstance(value, OddNumber) or (isinstance(value, int) and not fits_integer(value)):
        return "a number of more than 64 bits"
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def text_of(answer: object) -> str:
    """An answer as JSON text."""
    return serialize_json(answer, ensure_ascii=False)


_NOTHING: Final = object()
"""Stands for the part that does not fit, where all of a value fits. (`None` would be a value.)"""


def fitted(answer: Any, schema: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """An answer with values of their columns' types: `81.0` as `81` in a column of integers, times in UTC.

    A value that its column can't hold (an integer beyond 64 bits, a text that is no time) becomes null, if the column may be null, and
    `additional_columns` of its row keeps it as it came. A row is an object whose schema has such a property. All else is left to `check`.

    Args:
        answer: The JSON.
        schema: The answer's shape.

    Returns:
        The answer, and the columns that can't hold some value, each with what was expected.
    """
    odd: dict[str, str] = {}
    return _fitted(answer, schema, odd)[0], odd


def _fitted(value: Any, schema: Mapping[str, Any], odd: dict[str, str]) -> tuple[Any, Any]:
    """A value that its schema allows, and the part of it that does not fit, as it came (`_NOTHING` if all fits).

    A value that does not fit stays if it may not be null.
    """
    if value is None:
        return None, _NOTHING
    found: Any
    if _is_time(schema):
        found = to_utc(value) if isinstance(value, str) else None
    elif isinstance(value, dict):
        return _fitted_object(value, schema, odd)
    elif isinstance(value, list):
        pairs = [_fitted(inner, schema.get("items", {}), odd) for inner in value]
        found = [inner for inner, _ in pairs] if all(kept is _NOTHING for _, kept in pairs) else None
    else:
        found = _fitted_number(value, schema.get("type", ()))
    if found is not None:
        return found, _NOTHING
    return None if _may_be_null(schema) else value, _as_it_came(value)


def _fitted_object(value: dict[str, Any], schema: Mapping[str, Any], odd: dict[str, str]) -> tuple[Any, Any]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    is_row = ADDITIONAL in properties
    result: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        if is_row and name == ADDITIONAL:
            continue
        column = properties.get(name, others if isinstance(others, dict) else {})
        result[name], piece = _fitted(inner, column, odd)
        if piece is not _NOTHING and (_may_be_null(column) or not is_row):
            kept[name] = piece
            if is_row:
                odd.setdefault(name, "a time with an offset" if _is_time(column) else "a number of at most 64 bits")
    if is_row and kept:
        result[ADDITIONAL] = kept
    return result, kept if kept and not is_row else _NOTHING


def _fitted_number(value: Any, kinds: Container[str]) -> Any:
    """A value as its column holds it; `None` for a number that is too large."""
    is_integer, is_number = "integer" in kinds, "number" in kinds
    if isinstance(value, OddNumber):
        return None if is_integer or is_number else str(value)
    if is_integer and _is_integer(None, value if isinstance(value, Decimal) else None):
        value = int(value)
    if isinstance(value, int) and not fits_integer(value):
        if is_integer:
            return None
        if is_number:  # (as a decimal it is written with all its digits)
            return Decimal(value) if fits_float(Decimal(value)) else None
    return value


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return "null" in schema.get("type", ())


def _is_time(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "date-time"


def _as_it_came(value: Any) -> Any:
    """A value with numbers beyond 64 bits as text."""
    match value:
        case dict():
            return {name: _as_it_came(inner) for name, inner in value.items()}
        case list():
            return [_as_it_came(inner) for inner in value]
        case OddNumber():
            return str(value)
        case int() if not fits_integer(value):
            return str(value)
        case _:
            return value
