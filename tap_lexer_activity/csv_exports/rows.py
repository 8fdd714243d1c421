"""Rows of a CSV file."""

from __future__ import annotations

import csv
import re
import sys
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.names import column_name

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence


# Rows


csv.field_size_limit(sys.maxsize)  # a message may be longer than csv's own limit of 128 KiB


def without_headers(rows: list[list[str]], headers: Sequence[str]) -> list[list[str]]:
    """Rows without those that are the header once more, as in a file that was joined of several."""
    if headers[-1] not in map(itemgetter(-1), rows):
        return rows
    first = {headers[0], f"\ufeff{headers[0]}", f'\ufeff"{headers[0]}"'}  # each file may begin with its mark
    return [row for row in rows if row[0] not in first or row[1:] != headers[1:]]


def is_title(headers: Sequence[str], below: Iterable[list[str]], names: Container[str]) -> bool:
    """Whether the first row of a file, which has no known column in it, is a title above the header.

    It is if a row below it has known columns, or if it leaves half of the cells below it without a name.

    Args:
        headers: The first row.
        below: The rows below it, the first of them.
        names: Names of the columns that are known.
    """
    rows = list(below)
    is_narrow = bool(rows) and 2 * sum(map(bool, headers)) <= len(rows[0])
    return is_narrow or any(sum(column_name(cell) in names for cell in row) > 1 for row in rows)


_names_the_separator: Final = re.compile(r'\ufeff?"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE).fullmatch


def read_rows(lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
    """The rows of a CSV, the header first. Blank lines are no rows, and neither is a first line such as `sep=;`.

    Spreadsheets write that line to name what separates the columns.

    Args:
        lines: A text file opened with `newline=""`, so that cells keep their own line breaks.
        strict: Whether quotes have to be right.

    Raises:
        csv.Error: Where quotes are not closed or do not end a cell, if they have to be.
    """
    lines = iter(lines)
    first = next(lines, "")
    named = _names_the_separator(first)
    separator = named[1] if named else ","
    return filter(None, csv.reader(lines if named else chain([first], lines), strict=strict, delimiter=separator))


def is_cut_off(lines: Iterable[str], *, ends_a_line: bool) -> bool:
    """Whether a CSV breaks off: inside a quoted cell, or in a row that is too short. Reads all of it.

    Args:
        lines: A text file opened with `newline=""`.
        ends_a_line: Whether its end is a line break. Then a row that is too short is whole, and ragged.
    """
    first: list[str] = []
    last: list[str] = []
    try:
        for row in read_rows(lines):
            first, last = first or row, row
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return not ends_a_line and len(last) < len(first)
