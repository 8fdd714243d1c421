"""Values that every target can store: text without halves of characters, numbers that fit, times in UTC; and schemas that all read alike.

Pure functions.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

MOST_DIGITS: Final = 400
"""Most digits of a number that is read as one: more than any float has. Python takes long for thousands."""

_REPLACEMENT: Final = "\ufffd"
_LARGEST: Final = 2**63 - 1

# Text

_ODD_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE: Final = re.compile(
    r"""\\(?:
        u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}  # two halves that belong together
          |(?P<odd>0000|[dD][89a-fA-F][0-9a-fA-F]{2}))
        |.)""",
    re.VERBOSE | re.DOTALL,
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def json_text(body: bytes | bytearray) -> str:
    """The text of a JSON document, without characters that no table can hold.

    Half of a character (a lone surrogate, left by a server that cuts text in the middle of an emoji) and NUL become U+FFFD. This is done
    before the JSON is read, so it holds for names and values alike.

    Raises:
        UnicodeDecodeError: If the document is not in Unicode.
    """
    return storable_json(body.decode(json.detect_encoding(body), "surrogatepass"))


def storable_json(text: str) -> str:
    """A JSON document, decoded, without characters that no table can hold."""
    if _ODD_ESCAPE.search(text):
        text = _ESCAPE.sub(lambda found: r"\ufffd" if found["odd"] else found[0], text)
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def storable(text: str) -> str:
    """Text with U+FFFD for NUL, which no table can hold."""
    return text.replace("\0", _REPLACEMENT)


# Numbers


class OddNumber(str):
    """A number that neither an integer nor a float of 64 bits can hold, as Lexer wrote it."""

    __slots__ = ()


def read_integer(text: str) -> int | OddNumber:
    """A whole number of a JSON document."""
    return int(text) if len(text) <= MOST_DIGITS else OddNumber(text)


def read_decimal(text: str) -> Decimal | OddNumber:
    """A number with a point or an exponent of a JSON document."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return OddNumber(text)
    return number if fits_float(number) else OddNumber(text)


def fits_float(number: Decimal) -> bool:
    """True if a float can be about as large as a number. Most readers of JSON would take 1e999 for infinity.

    A number next to nothing may become 0 in them, but one with a million zeros behind the point is too long for a table.
    """
    return not number or (-MOST_DIGITS <= number.adjusted() <= MOST_DIGITS and isfinite(number))


def is_whole(number: Decimal) -> bool:
    """True if a number is a whole one, and not so large that it takes for ever to write."""
    return number.is_finite() and number.adjusted() <= MOST_DIGITS and number == number.to_integral_value()


def fits_integer(number: int) -> bool:
    """True if a whole number fits into a column of 64 bits."""
    return -_LARGEST - 1 <= number <= _LARGEST


# Times

_WITH_BLANK: Final = re.compile(r" (?:UTC|([+-]\d\d:?\d\d))$", re.ASCII)
_ODD_OFFSET: Final = re.compile(r"[+-]\d\d:?[6-9]\d$", re.ASCII)  # Python counts on beyond 59 minutes
_YEAR_1990, _YEAR_2100 = 631_152_000, 4_102_444_800
"""In seconds since 1970."""
_UTC_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)


def to_utc(text: str) -> str | None:
    """A time as RFC 3339 in UTC; `None` for text that is not a time, or has no offset and so may be of any zone.

    Every form of ISO 8601 that Python reads will do, also with ` UTC` or a blank before the offset. A fraction has up to 6 digits. A text
    that is in this form already stays as it is.
    """
    try:
        moment = datetime.fromisoformat(_WITH_BLANK.sub(lambda found: found[1] or "Z", text))
        if moment.tzinfo is None or _ODD_OFFSET.search(text):
            return None
        return text if _UTC_TIME.fullmatch(text) else f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
    except (ValueError, OverflowError):  # (the latter on the first or last day of the calendar)
        return None


def of_epoch(number: Decimal) -> datetime | None:
    """The instant of a number of seconds, or of milliseconds, since 1970; `None` if it is not between 1990 and 2100."""
    if not number.is_finite():
        return None
    seconds = number if number < _YEAR_2100 else number / 1000
    if not _YEAR_1990 <= seconds < _YEAR_2100:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(seconds * 1_000_000))


# Schemas


def null_first(schema: Any) -> Any:
    """A JSON schema with `null` first in each list of types: some targets look at the first alone, and require the column without it."""
    match schema:
        case dict():
            return {
                name: sorted(inner, key="null".__ne__)
                if name == "type" and isinstance(inner, list)
                else null_first(inner)
                for name, inner in schema.items()
            }
        case list():
            return [null_first(inner) for inner in schema]
        case _:
            return schema
