"""Cells as values, a whole column at a time: one regular expression over a thousand cells is ten times as fast as a thousand."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from tap_lexer_activity.values import fits_float, fits_integer, is_whole, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

match_date: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
"""The match of a text that is written as a date, or `None`. The date need not exist."""

match_time: Final = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?[0-5]\d)?", re.ASCII
).fullmatch
"""The match of a text that is written as a date with a time of day, or `None`."""

_match_usual_numbers: Final = re.compile(
    r"(?:(?:-?(?:0(?!\.0{6})|[1-9]\d{0,99}+)(?:\.\d{1,99}+)?+)?+\n)*+", re.ASCII
).fullmatch
"""Matches cells, a line each, that are empty or numbers as a decimal is written without an exponent, which fit into a float."""
_match_number: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII).fullmatch
_match_dot_for_decimals: Final = re.compile(
    r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+\.\d+|[1-9]\d{0,2}(?:,\d{3}){2,}|\d*\.\d+)|\+\d+", re.ASCII
).fullmatch
"""Matches numbers as people write them, such as `1,234.5` and `+.5`, that have one reading, in which a dot is before the decimals."""
_match_comma_for_decimals: Final = re.compile(
    r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}|0,\d+|[1-9]\d*,(?:\d{1,2}|\d{4,})|\d{4,},\d+)",
    re.ASCII,
).fullmatch
"""Matches those with one reading in which it is a comma, such as `1.234,5` and `12,5`."""


def read_times(cells: Sequence[str]) -> Sequence[str | None]:
    """Times as RFC 3339 in UTC; `None` for a cell that is not written as year, month, day and time. One without an offset is in UTC."""
    return _usual_times(cells) or [_read_time(cell) for cell in cells]


def _usual_times(cells: Sequence[str]) -> Sequence[str] | None:
    """Times, if each cell is in the form that exports use, such as `2026-03-01 10:15:00`; otherwise `None`.

    A column of such is a text with the same signs in every 21st place, and Python reads the digits between them.
    """
    text = "Z\n".join([*cells, ""])
    for place, sign in (20, "\n"), (4, "-"), (7, "-"), (10, " "), (13, ":"), (16, ":"):
        if text[place::21] != sign * len(cells):
            return None
    try:
        deque(map(datetime.fromisoformat, cells), 0)
    except ValueError:
        return None
    # (Python 3.14 reads this as midnight.)
    return None if " 24:" in text else text.replace(" ", "T").split("\n")[:-1]


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


class Numbers(Sequence[Decimal | None]):
    """Numbers that are decimals once somebody looks at them: most are written as they came, and a decimal costs more than all else of them.

    Attributes:
        texts: The numbers as JSON writes them, empty where there is none.
    """

    __slots__ = ("texts",)

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @override
    def __len__(self) -> int:
        return len(self.texts)

    @override
    def __getitem__(self, place: Any) -> Any:
        return list(self)[place]

    @override
    def __iter__(self) -> Iterator[Decimal | None]:
        return iter([Decimal(text) if text else None for text in self.texts])


def usual_numbers(cells: Sequence[str]) -> Numbers | None:
    """Numbers, if each cell is empty or a number without an exponent, as JSON and decimals write it; otherwise `None`."""
    lines = "\n".join([*cells, ""])
    if _match_usual_numbers(lines) and lines.count("\n") == len(cells):
        return Numbers(cells)
    return None


def read_numbers(cells: Sequence[str]) -> Sequence[Decimal | None]:
    """Numbers with all their digits; `None` for a cell that is not a number, or can be read in more ways than one, such as `1,234`."""
    return list(usual_numbers(cells) or map(_read_number, cells))


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
    wholes = [None if number is None or not is_whole(number) else int(number) for number in read_numbers(cells)]
    return [None if whole is None or not fits_integer(whole) else whole for whole in wholes]


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
    """The function that reads the cells of a column with this schema (times by `of_times`); `None` for text, which stays as it is."""
    kinds = schema.get("type", ())
    for kind, read in ("boolean", read_booleans), ("number", read_numbers), ("integer", read_integers):
        if kind in kinds:
            return read
    return of_times if schema.get("format") == "date-time" else None
