"""Cells as values, a whole column at a time: one regular expression over a thousand cells is ten times as fast as a thousand."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.values import MOST_DIGITS, fits_float, fits_integer, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

match_date: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
"""The match of a text that is written as a date, or `None`. The date need not exist."""

match_time: Final = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?[0-5]\d)?", re.ASCII
).fullmatch
"""The match of a text that is written as a date with a time of day, or `None`."""

_MONTH_AND_DAY: Final = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
_match_usual_times: Final = re.compile(
    rf"(?:(?!0000)\d{{4}}-{_MONTH_AND_DAY} (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\n)*", re.ASCII
).fullmatch
"""Matches cells, a line each, in the form that exports use, with dates that exist in every year."""

_match_usual_numbers: Final = re.compile(r"(?:-?(?:0|[1-9]\d{0,99})(?:\.\d{1,99})?\n)*", re.ASCII).fullmatch
"""Matches cells, a line each, that are numbers without an exponent, all of which a float can be about as large as."""
_match_number: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII).fullmatch
_match_dot_for_decimals: Final = re.compile(
    r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+\.\d+|[1-9]\d{0,2}(?:,\d{3}){2,}|\d*\.\d+|\+\d+)", re.ASCII
).fullmatch
"""Matches numbers as people write them, such as `1,234.5` and `+.5`, that have one reading, in which a dot is before the decimals."""
_match_comma_for_decimals: Final = re.compile(
    r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}|0,\d+|[1-9]\d*,(?:\d{1,2}|\d{4,})|\d{4,},\d+)",
    re.ASCII,
).fullmatch
"""Matches those with one reading in which it is a comma, such as `1.234,5` and `12,5`."""


def read_times(cells: Sequence[str]) -> Sequence[str | None]:
    """Times as RFC 3339 in UTC; `None` for a cell that is not written as year, month, day and time. One without an offset is in UTC."""
    lines = "\n".join([*cells, ""])
    if _match_usual_times(lines) and lines.count("\n") == len(cells):
        return lines.replace(" ", "T").replace("\n", "Z\n").split("\n")[:-1]
    return [_read_time(cell) for cell in cells]


def _read_time(cell: str) -> str | None:
    text = cell.removesuffix(" UTC")
    try:
        moment = datetime.fromisoformat(text) if match_time(text) else None
    except ValueError:
        return None
    if moment is None:
        return to_utc(cell)  # another form of ISO 8601, which has to say its offset
    if moment.tzinfo is None:
        return f"{moment.isoformat()}Z"
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # on the first or last day of the calendar
        return None


def read_numbers(cells: Sequence[str]) -> Sequence[Decimal | None]:
    """Numbers with all their digits; `None` for a cell that is not a number, or can be read in more ways than one, such as `1,234`."""
    lines = "\n".join([*cells, ""])
    if _match_usual_numbers(lines) and lines.count("\n") == len(cells):
        return list(map(Decimal, cells))
    return [_read_number(cell) for cell in cells]


def _read_number(cell: str) -> Decimal | None:
    if _match_number(cell):
        number = Decimal(cell)
    elif _match_dot_for_decimals(cell):
        number = Decimal(cell.replace(",", ""))
    elif _match_comma_for_decimals(cell):
        number = Decimal(cell.replace(".", "").replace(",", "."))
    else:
        return None
    return number if fits_float(number) else None


def read_integers(cells: Sequence[str]) -> Sequence[int | None]:
    """Whole numbers of 64 bits, also those written as `15.0`; `None` for any other cell."""
    return [
        int(number)
        if number is not None
        and number.adjusted() <= MOST_DIGITS
        and number == number.to_integral_value()
        and fits_integer(int(number))
        else None
        for number in read_numbers(cells)
    ]


_WORDS: Final = {
    word: value
    for value, words in ((True, ("true", "yes", "1")), (False, ("false", "no", "0")))
    for text in words
    for word in (text, text.capitalize(), text.upper())
}


def read_booleans(cells: Sequence[str]) -> Sequence[bool | None]:
    """True for true, yes or 1, false for false, no or 0; `None` for any other word."""
    return list(map(_WORDS.get, cells))


def reader_for(
    schema: Mapping[str, Any], of_times: Callable[[Sequence[str]], Sequence[Any]] = read_times
) -> Callable[[Sequence[str]], Sequence[Any]] | None:
    """The function that reads the cells of a column with this schema; `None` for text, which stays as it is.

    Args:
        schema: The column's.
        of_times: What reads times.
    """
    kinds = schema.get("type", ())
    if "boolean" in kinds:
        return read_booleans
    if "number" in kinds:
        return read_numbers
    if "integer" in kinds:
        return read_integers
    return of_times if schema.get("format") == "date-time" else None
