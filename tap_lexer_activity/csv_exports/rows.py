"""Rows of a CSV file, and what in it is no row."""

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

csv.field_size_limit(sys.maxsize)  # a message may be longer than csv's own limit of 128 KiB


def without_headers(rows: list[list[str]], headers: Sequence[str]) -> list[list[str]]:
    """Rows without repetitions of the header, which a file has that was joined of several."""
    if headers[-1] not in map(itemgetter(-1), rows):
        return rows
    first = {headers[0], f"\ufeff{headers[0]}", f'\ufeff"{headers[0]}"'}  # each file may begin with its byte order mark
    return [row for row in rows if row[0] not in first or row[1:] != headers[1:]]


def is_title(headers: Sequence[str], below: Iterable[list[str]], names: Container[str]) -> bool:
    """Whether the first row of a file is a title above the header, given that none of its cells is a known column.

    It is one if a row below it has known columns, or if it leaves half of the cells below it without a name.

    Args:
        headers: The first row.
        below: The first of the rows below it.
        names: Names of the columns that are known.
    """
    rows = list(below)
    is_narrow = bool(rows) and 2 * sum(map(bool, headers)) <= len(rows[0])
    return is_narrow or any(sum(column_name(cell) in names for cell in row) > 1 for row in rows)


_match_separator_line: Final = re.compile(r'\ufeff?"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE).fullmatch


def read_rows(lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
    """Rows of a CSV, the header first. Blank lines are no rows.

    Neither is a first line such as `sep=;`, by which spreadsheets name the separator of the columns.

    Args:
        lines: A text file opened with `newline=""`, so that cells keep their own line breaks.
        strict: Whether to refuse misplaced quotes.

    Raises:
        csv.Error: If `strict`, at quotes that are not closed or do not end a cell.
    """
    lines = iter(lines)
    first = next(lines, "")
    named = _match_separator_line(first)
    separator = named[1] if named else ","
    return filter(None, csv.reader(lines if named else chain([first], lines), strict=strict, delimiter=separator))


def is_cut_off(lines: Iterable[str], *, ends_a_line: bool) -> bool:
    """Whether a CSV breaks off, inside a quoted cell or in a row that is too short. Reads all of it.

    Args:
        lines: A text file opened with `newline=""`.
        ends_a_line: Whether the file ends with a line break. Then a last row that is too short is merely ragged.
    """
    first: list[str] = []
    last: list[str] = []
    try:
        for row in read_rows(lines):
            first, last = first or row, row
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return not ends_a_line and len(last) < len(first)
