"""Checking what Lexer answers against what it documents."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.validators import extend
from singer_sdk import SchemaDirectory
from singer_sdk.singerlib.json import serialize_json

from tap_lexer_activity.errors import UnexpectedAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_PACKAGED = Path(__file__).parent / "schemas"
_CHECKOUT = Path(__file__).parents[1] / "schemas"

SCHEMAS: Final = SchemaDirectory(_PACKAGED if _PACKAGED.is_dir() else _CHECKOUT)
"""One JSON schema per stream: inside the package in a wheel, at the top of the repository in a checkout."""


MOST_DIGITS: Final = 400
"""Digits of a whole number that are read: more than any number has that Python's floats can be."""


def _is_number(_: object, value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _is_integer(_: object, value: object) -> bool:
    if isinstance(value, Decimal):  # (one with a huge exponent would take for ever to write)
        return value.is_finite() and value.adjusted() <= MOST_DIGITS and value == value.to_integral_value()
    return _is_number(_, value) and (not isinstance(value, float) or value.is_integer())


_FORMATS: Final = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_AnswerValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]  # jsonschema leaves it untyped
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer}),
)
"""As JSON Schema says, with `Decimal` for decimals."""


def answer_validator(schema: Mapping[str, Any]) -> Validator:
    """A validator of Lexer's answers, whose decimals are `Decimal`, with date-times checked."""
    return _AnswerValidator(schema, format_checker=_FORMATS)


def row_schema(stream_schema: Mapping[str, Any], *, without: Iterable[str], required: Iterable[str]) -> dict[str, Any]:
    """The shape of a row as Lexer sends it: a stream's schema less the columns that the tap adds."""
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
        what: What was asked for, for the error.
        quote: Makes the beginning of an answer fit for a log.

    Raises:
        UnexpectedAnswerError: With what was expected and what came.
    """
    error = next(iter(validator.iter_errors(answer)), None)
    if error is not None:
        msg = f"{what}: the answer is not as Lexer documents it: {_expected(error)}; it begins {quote(text_of(answer))}"
        raise UnexpectedAnswerError(msg)


def _expected(error: ValidationError) -> str:
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
        case "anyOf":
            return f"{place}one of {', '.join(choice['required'][0] for choice in wanted)} was expected"
        case _:
            return f"{place}{error.validator} {wanted} was expected"


def _kind(value: object) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def text_of(answer: object) -> str:
    """An answer as text again."""
    return serialize_json(answer, ensure_ascii=False)


def with_integers(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value, with `81.0` as `81` where the schema says integer."""
    match value:
        case Decimal() if "integer" in schema.get("type", ()):
            return int(value)
        case dict():
            properties, others = schema.get("properties", {}), schema.get("additionalProperties")
            of_others = others if isinstance(others, dict) else {}
            return {name: with_integers(inner, properties.get(name, of_others)) for name, inner in value.items()}
        case list():
            return [with_integers(inner, schema.get("items", {})) for inner in value]
        case _:
            return value
