"""Readings: what a value of another type than its column's means, where that can only be one thing.

One table, by the type that a schema names. Whatever it can't read is for the caller to keep as it came. Pure functions.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.values import MOST_DIGITS, OddNumber, fits_float, fits_integer, is_whole, of_epoch, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT_FOR_NUMBERS: Final = "text for numbers"
NUMBERS_FOR_TEXT: Final = "numbers for text"
BOOLEANS: Final = "words for booleans"
EMPTY: Final = "empty text"
SECONDS: Final = "times as numbers"
DATES: Final = "dates for times"
NO_ZONE: Final = "times without a zone"
OTHER_TIMES: Final = "times in other words"
TIME_OF_TRUTH: Final = "times for booleans"
LISTS: Final = "lists in other words"
OBJECTS: Final = "objects in other words"
WITH_IDS: Final = "objects for ids"
OFFSETS: Final = "offsets for hours"

KINDS: Final[dict[str, str]] = {
    TEXT_FOR_NUMBERS: "numbers came as text, and are read as numbers",
    NUMBERS_FOR_TEXT: "numbers came where text is documented, and are read as text",
    BOOLEANS: "numbers or words came for true and false, and are read as those",
    EMPTY: "empty text came, and is read as null",
    SECONDS: "times came as seconds or milliseconds since 1970, and are read as such",
    DATES: "dates came where times are documented; each is read as its midnight in UTC, and kept in additional_columns",
    NO_ZONE: "times came without a zone, and are read as UTC, as the setting accept says",
    OTHER_TIMES: "times came in another form than ISO 8601, and are read by their own offset",
    TIME_OF_TRUTH: "a time came where true or false is documented; it is read as true, and kept in additional_columns",
    LISTS: "lists came as text, as a single value or as an object by number, and are read as lists",
    OBJECTS: "objects came as text or as lists, and are read as objects",
    WITH_IDS: "objects came where ids are documented; their ids are read, and they are kept in additional_columns",
    OFFSETS: "offsets came as clocks show them, and are read as hours",
}
"""The ways in which a value is read that its column does not document, and what is said of each."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that could be read.

    Attributes:
        value: The value as its column holds it.
        kind: How it was read, one of `KINDS`; None for a value as documented.
        is_kept: Whether it says less than what came, which has to be kept beside it.
    """

    value: Any
    kind: str | None = None
    is_kept: bool = False


_NUMBER: Final = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_PLAIN: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0+)?", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,18}", re.ASCII)
_CLOCK: Final = re.compile(r"([+-])(\d\d?):?([0-5]\d)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EPOCH: Final = re.compile(r"\d{9,10}(?:\.\d{1,6})?|\d{12,13}", re.ASCII)
_NAME_OF_A_ZONE: Final = re.compile(r"\s*\([^()]*\)$|(?<=[+-]\d{4})\s+[A-Z]{3,5}$")

_OF_MAIL: Final = re.compile(r"[A-Za-z]{3},? .*(?:GMT|UTC?|[+-]\d{4})")

_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_FORMS: Final = ("%a %b %d %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y")
"""Forms in which JavaScript and Ruby write a time for people, without their `GMT`."""


def read_integer(value: Any, *, is_key: bool = False) -> Reading | None:
    """A whole number of at most 64 bits. For a key, text has to be of digits alone."""
    if isinstance(value, bool | OddNumber):
        return None
    if isinstance(value, int):
        return Reading(value) if fits_integer(value) else None
    if isinstance(value, Decimal | float):
        return read_integer(int(value)) if is_whole(Decimal(value)) else None
    if isinstance(value, str):
        text = value.strip()
        if not (_DIGITS if is_key else _PLAIN).fullmatch(text):
            return None
        found = int(text.partition(".")[0]) if len(text) <= MOST_DIGITS else None
        return Reading(found, TEXT_FOR_NUMBERS) if found is not None and fits_integer(found) else None
    return None


def read_number(value: Any) -> Reading | None:
    """A number within the range of a float."""
    if isinstance(value, bool | OddNumber):
        return None
    if isinstance(value, Decimal | float):
        return Reading(value) if fits_float(Decimal(value)) else None
    if isinstance(value, int):
        if fits_integer(value):
            return Reading(value)
        return Reading(Decimal(value)) if fits_float(Decimal(value)) else None  # (it is written with all its digits)
    if isinstance(value, str) and len(value) <= MOST_DIGITS and _NUMBER.fullmatch(text := value.strip()):
        number = Decimal(text)
        return Reading(number, TEXT_FOR_NUMBERS) if fits_float(number) else None
    return None


def read_hours(value: Any) -> Reading | None:
    """An offset in hours, also as `+09:30`."""
    if isinstance(value, str) and (found := _CLOCK.fullmatch(value.strip().removeprefix("GMT").removeprefix("UTC"))):
        hours = Decimal(int(found[2])) + Decimal(int(found[3])) / 60
        return Reading(-hours if found[1] == "-" else hours, OFFSETS)
    return read_number(value)


def read_boolean(value: Any) -> Reading | None:
    """True or false, also as 0 and 1, or in words. Where the time came at which something became true, it is true."""
    if isinstance(value, bool):
        return Reading(value)
    if isinstance(value, int | Decimal):
        return Reading(bool(value), BOOLEANS) if value in {0, 1} else None
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _TRUE or word in _FALSE:
            return Reading(word in _TRUE, BOOLEANS)
        return Reading(value=True, kind=TIME_OF_TRUTH, is_kept=True) if to_utc(value) else None
    return None


def read_text(value: Any) -> Reading | None:
    """Text, also if a number or a boolean came."""
    if isinstance(value, OddNumber):
        return Reading(str(value))
    if isinstance(value, str):
        return Reading(value)
    if isinstance(value, bool):
        return Reading(str(value).lower(), NUMBERS_FOR_TEXT)
    if isinstance(value, int):
        return Reading(str(value), NUMBERS_FOR_TEXT) if fits_integer(value) else None
    return Reading(str(value), NUMBERS_FOR_TEXT) if isinstance(value, Decimal | float) else None


def read_time(value: Any, *, utc_times: bool = False) -> Reading | None:
    """A time as RFC 3339 in UTC."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _of_epoch(Decimal(value))
    if not isinstance(value, str):
        return None
    if (found := to_utc(value)) is not None:
        return Reading(found)
    text = value.strip()
    if _EPOCH.fullmatch(text):
        return _of_epoch(Decimal(text))
    for kind, other in (
        (DATES, f"{text}T00:00:00Z" if _DATE.fullmatch(text) else None),
        (OTHER_TIMES, _in_other_words(text)),
        (NO_ZONE, f"{text}Z" if utc_times else None),
    ):
        if other is not None and (found := to_utc(other)) is not None:
            return Reading(found, kind, is_kept=kind == DATES)
    return None


def _of_epoch(number: Decimal) -> Reading | None:
    moment = of_epoch(number)
    return None if moment is None else Reading(to_utc(moment.isoformat()), SECONDS)


def _in_other_words(text: str) -> str | None:
    """A time as mail, JavaScript, Ruby or Go write it for people, with its offset."""
    text = _NAME_OF_A_ZONE.sub("", text)
    if (found := to_utc(text)) is not None:
        return found
    for form in _FORMS:
        try:
            moment = datetime.strptime(text.replace("GMT", "").replace("UTC", "+0000"), form)  # noqa: DTZ007 (each form has %z)
        except ValueError:
            continue
        return to_utc(moment.isoformat())
    if not _OF_MAIL.fullmatch(text):
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return to_utc(moment.isoformat())  # (without a zone it is none)


def as_list(value: Any) -> list[Any] | None:
    """The items of a list that came as text (`[1, 2]` or `1, 2`), as a single value, or as an object by number."""
    match value:
        case str():
            found = _of_json(value, "[")
            if isinstance(found, list):
                return found
            return [part.strip() for part in value.split(",")] if value.strip() else []
        case dict():
            numbers = [str(number) for number in range(len(value))]
            return list(value.values()) if value and set(value) == set(numbers) else None
        case bool() | None:
            return None
        case _:
            return [value]


def as_object(value: Any) -> dict[str, Any] | None:
    """The object that came as text or as a list, each of whose items has one text and one number."""
    if isinstance(value, str):
        found = _of_json(value, "{")
        return found if isinstance(found, dict) else None
    if not isinstance(value, list):
        return None
    pairs: dict[str, Any] = {}
    for item in value:
        parts = list(item.values()) if isinstance(item, dict) else []
        names = [part for part in parts if isinstance(part, str) and not read_number(part)]
        if len(parts) != 2 or len(names) != 1 or names[0] in pairs:  # noqa: PLR2004 (a name and its number)
            return None
        pairs[names[0]] = next(part for part in parts if part is not names[0])
    return pairs


def _of_json(text: str, begin: str) -> Any:
    if not text.lstrip().startswith(begin):
        return None
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=str)
    except (ValueError, ArithmeticError, RecursionError):
        return None


_TABLE: Final[dict[str, Callable[[Any], Reading | None]]] = {
    "boolean": read_boolean,
    "integer": read_integer,
    "number": read_number,
    "string": read_text,
}
"""The readings of single values, by the type that a schema names. Those of times, lists and objects need more than the value."""


def read(value: Any, kind: str | None, *, is_hours: bool = False) -> Reading | None:
    """A value of a type that a schema names. One of no type, or of one that someone has put into a catalog, stays as it is."""
    if is_hours and kind == "number":
        return read_hours(value)
    if kind in _TABLE:
        return _TABLE[kind](value)
    return Reading(str(value) if isinstance(value, OddNumber) else value)


def read_key(value: Any, kind: str) -> Reading | None:
    """A value of a column that may not be null: what is unclear is no key. Text stands for a number if it is of digits alone."""
    if kind == "integer":
        return read_integer(value, is_key=True)
    return Reading(value) if isinstance(value, str) and not isinstance(value, OddNumber) else None
