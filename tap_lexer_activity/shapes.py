"""The shapes of Lexer's answers as JSON schemas, and checks against them."""

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
from tap_lexer_activity.values import OddNumber, fits_integer, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
    if isinstance(value, Decimal):
        return is_whole(value)
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


def row_schema(
    schema: Mapping[str, Any], *, required: Iterable[str], columns: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """JSON schema of a row as Lexer sends it: a stream's, without the columns that the tap adds, and with those that only the catalog has."""
    properties = {**(columns or {}), **schema["properties"]}
    return {
        "type": "object",
        "properties": {name: kind for name, kind in properties.items() if name not in ADDED_COLUMNS},
        "required": [name for name in required if name not in ADDED_COLUMNS],
    }


def check(answer: Any, validator: Validator, *, what: str, quote: Callable[[str], str]) -> None:
    """Refuse an answer of another shape.

    Raises:
        UnexpectedAnswerError: If it is of another shape, with what was expected and what came.
    """
    error = next(iter(validator.iter_errors(answer)), None)
    if error is not None:
        msg = f"{what}: the answer is not as Lexer documents it: {_expected(error)}; it begins {quote(text_of(answer))} [see: answer-undocumented]"
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
