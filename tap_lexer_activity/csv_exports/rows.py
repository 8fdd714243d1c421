"""Rows of a CSV file: how its columns are separated and its lines end."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from functools import partial
from itertools import chain
from typing import IO, TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.lines import from_header, is_sum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

csv.field_size_limit(sys.maxsize)  # a message may be longer than csv's own limit of 128 KiB

_LINES_LOOKED_AT: Final = 40
_LETTERS_LOOKED_AT: Final = 1 << 16
_SEPARATORS: Final = ",;\t|"
_BLOCK: Final = 1 << 16
_LINE_FEED: Final = "\udc0a"
"""Stands for a line feed that ends no line. No file has it."""

_match_separator_line: Final = re.compile(r'\ufeff?"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE).fullmatch


def read_rows(lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
    """Rows of a CSV, from its very first line on. Blank lines are no rows.

    Neither is a first line such as `sep=;`, by which spreadsheets name the separator of the columns. Without one they are separated by
    commas, or by what the first lines leave no doubt of. Where lines end in CR alone, a line feed is a part of a cell.

    Args:
        lines: A text file opened with `newline=""`, so that cells keep their own line breaks.
        strict: Whether to refuse misplaced quotes.

    Raises:
        csv.Error: If `strict`, at quotes that are not closed or do not end a cell.
    """
    return separated(lines, strict=strict)[1]


def separated(lines: Iterable[str], *, strict: bool) -> tuple[str, Iterator[list[str]]]:
    """The separator of a CSV's columns, and its rows: see `read_rows`."""
    lines = iter(lines)
    head = _head(lines)
    if named := _match_separator_line(head[0]) if head else None:
        head, separator = head[1:], named[1]
    else:
        separator = separator_of(head)
    lines = chain(head, lines)
    if not _end_in_cr(head):
        return separator, filter(None, csv.reader(lines, strict=strict, delimiter=separator))
    rows = csv.reader(_lines_by_cr(lines), strict=strict, delimiter=separator)
    return separator, ([cell.replace(_LINE_FEED, "\n") for cell in row] for row in rows if row)


def separator_of(head: Sequence[str]) -> str:
    """The separator of a file's columns, by its first lines: the sign that makes a table of them, from the earliest on."""
    tables = {sign: _rows_of(head, sign) for sign in _SEPARATORS}
    by_comma = next((place for place, row in enumerate(tables[","]) if len(row) > 1), len(head))
    found = {sign: columns for sign, rows in tables.items() if (columns := _columns(rows, by_comma)) is not None}
    return min(found, key=found.__getitem__, default=",")


def _head(lines: Iterator[str]) -> list[str]:
    head, size = [], 0
    for line in lines:
        head.append(line)
        size += len(line)
        if len(head) == _LINES_LOOKED_AT or size >= _LETTERS_LOOKED_AT:
            break
    return head


def _rows_of(head: Sequence[str], sign: str) -> list[list[str]]:
    """The rows that a sign makes of the first lines."""
    rows = list(filter(None, csv.reader(head, delimiter=sign)))
    may_go_on = len(head) == _LINES_LOOKED_AT or sum(map(len, head)) >= _LETTERS_LOOKED_AT
    is_cut = sign == "," and len(rows) > 1 and len(rows[-1]) < len(rows[0])  # (which says nothing against commas)
    return rows[:-1] if is_cut or (may_go_on and len(rows) > 1) else rows


def _columns(rows: Sequence[list[str]], by_comma: int) -> tuple[int, int] | None:
    """The first row of the table that a sign makes, and the number of its columns, negated: the more, the better.

    `None` if it makes none. Rows above it, of another width, may be a title.

    Args:
        rows: What the sign makes of the first lines.
        by_comma: The first row in which a comma makes columns.
    """
    if rows and len(rows[-1]) == 1 and is_sum(rows[-1]):  # which may be all that is below a header
        rows = rows[:-1]
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return None
    width = max(widths, key=lambda each: (widths[each], each))
    place = next(place for place, row in enumerate(rows) if len(row) == width)
    below = [len(row) == width for row in rows[place + 1 :]]
    is_sentence = any(cell.startswith(" ") for cell in rows[place][1:])
    is_doubtful = is_sentence or (place > 0 and (width == 2 or by_comma <= place))  # noqa: PLR2004 (as a title may have)
    is_alone = not below and is_doubtful
    return None if is_alone or 2 * sum(below) < len(below) else (place, -width)


def _end_in_cr(head: Sequence[str]) -> bool:
    """True if the lines of a file end in CR alone. What stands in quotes is no end of a line."""
    quotes, ends = 0, []
    for line in head:
        quotes += line.count('"')
        if quotes % 2 == 0:
            ends.append(line[-2:])
    by_cr = sum(end.endswith("\r") for end in ends)
    by_lf = sum(end.endswith("\n") for end in ends)
    return by_cr > 0 and by_cr >= by_lf and ends[0].endswith("\r") and "\r\n" not in ends


def _lines_by_cr(lines: Iterable[str]) -> Iterator[str]:
    begun = ""
    for line in lines:
        begun += line if line.endswith("\r\n") else line.replace("\n", _LINE_FEED)
        if begun.endswith(("\r", "\r\n")):
            yield begun
            begun = ""
    if begun:
        yield begun


def is_cut_off(lines: Iterable[str], *, ends_a_line: bool) -> bool:
    """True if a CSV breaks off, inside a quoted cell or in a row that is too short. Reads all of it.

    Args:
        lines: A text file opened with `newline=""`.
        ends_a_line: Whether the file ends with a line break. Then a last row that is too short is merely ragged.
    """
    last: list[str] = []
    try:
        header, _, rows = from_header(read_rows(lines))
        for row in rows:
            last = row
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return not ends_a_line and len(last or header) < len(header)


def has_nul(file: IO[bytes]) -> bool:
    """True if a file has a NUL, which hardly any has: to look for it here costs a fifth of looking for it in cells. Goes back to the start."""
    found = any(b"\0" in block for block in iter(partial(file.read, _BLOCK), b""))
    file.seek(0)
    return found
