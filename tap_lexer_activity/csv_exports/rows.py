"""Rows of a CSV file: how its columns are separated and its lines end; and lines that are none: titles, other headers, a sum."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.cells import match_date, match_time, read_numbers
from tap_lexer_activity.csv_exports.names import column_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

csv.field_size_limit(sys.maxsize)  # a message may be longer than csv's own limit of 128 KiB

_LINES_LOOKED_AT: Final = 40
_LETTERS_LOOKED_AT: Final = 1 << 16
_SEPARATORS: Final = ",;\t|"
_BLOCK: Final = 1 << 16
_LINE_FEED: Final = "\udc0a"
"""Stands for a line feed that ends no line. No file has it."""

_match_separator_line: Final = re.compile(r'\ufeff?"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE).fullmatch

Row = list[str]

_MOST_TITLES: Final = 20
"""Lines above the header that are looked for."""
_FEWEST_KNOWN: Final = 2
"""Names of columns that make a line a header. One may be a cell like any other."""
_match_sum: Final = re.compile(
    r"\s*(?:grand |sub)?(?:totals?|sums?|count|rows|records)\b[^A-Za-z]*", re.IGNORECASE
).match
_find_number: Final = re.compile(r"\d[\d,]*").search


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
    """The first row of the table that a sign makes, and the number of its columns, negated: the more, the better. `None` if it makes none.

    Rows above it, of another width, may be a title. A comma makes columns from the row `by_comma` on.
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

    If the file ends with a line break, a last row that is too short is merely ragged.
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


# Above the header


def from_header(rows: Iterator[Row], names: AbstractSet[str] = frozenset()) -> tuple[Row, int, Iterator[Row]]:
    """The header of a file (empty if there is none), the number of lines above it, and the rows below it.

    The header is the line with the most columns that are known, by their `names`. If no line has any, it is the first that has names for
    more than half of the columns of what is below it.
    """
    header = next(rows, [])
    count = sum(column_name(cell) in names for cell in header)
    if count >= _FEWEST_KNOWN and 2 * count >= len(header):
        return header, 0, rows
    ahead = [header, *islice(rows, _MOST_TITLES)] if header else []
    known = [sum(column_name(cell) in names for cell in row) for row in ahead] if names else []
    most = max(known, default=0)
    if most >= _FEWEST_KNOWN or (known and known[0]):
        place = known.index(most)
    else:
        place = 0
        while place + 1 < len(ahead) and _is_narrow(ahead[place], ahead[place + 1 :]):
            place += 1
    return (ahead[place] if ahead else []), place, chain(ahead[place + 1 :], rows)


def _is_narrow(row: Row, below: Sequence[Row]) -> bool:
    """True if a line leaves half of the columns below it without a name."""
    widths = Counter(map(len, below))
    usual = max(widths, key=lambda width: (widths[width], width))
    return 2 * sum(map(bool, row)) <= usual


def is_data(header: Row, below: Row) -> bool:
    """True if what stands in the place of a header is a row: it has a date or a time, or a number above a number."""
    if any(match_time(cell) or match_date(cell) for cell in header):
        return True
    first, second = read_numbers(header), read_numbers(below)
    return any(None not in pair for pair in zip(first, second, strict=False))


# Among the rows


class Sections:
    """Rows of a file, and the header that each is under: a server that joins files may leave theirs in.

    Attributes:
        repeated: Lines that were the header once more, and are left out.
        others: Headers with other columns than the first.
    """

    def __init__(self, header: Row, names: AbstractSet[str]) -> None:
        """Begin with the first header, and the names of the columns that are known."""
        self.repeated = self.others = 0
        self._header = header
        self._names = names
        self._cells = {*header, f"\ufeff{header[0]}", f'\ufeff"{header[0]}"'} - {""}

    def of(self, chunks: Iterable[list[Row]]) -> Iterator[tuple[Row, list[Row]]]:
        """The rows, a few at a time, each with their header."""
        first, last = itemgetter(0), itemgetter(-1)
        for chunk in chunks:
            if self._cells.isdisjoint(map(first, chunk)) and self._cells.isdisjoint(map(last, chunk)):
                yield self._header, chunk
            else:
                yield from self._split(chunk)

    def _split(self, chunk: list[Row]) -> Iterator[tuple[Row, list[Row]]]:
        """The parts of some rows, each below its own header."""
        part: list[Row] = []
        for row in chunk:
            plain = [row[0].lstrip("\ufeff").strip('"'), *row[1:]]
            if not self._is_header(plain):
                part.append(row)
                continue
            if plain == self._header:
                self.repeated += 1
                continue
            if part:
                yield self._header, part
            part, self._header = [], plain
            self._cells |= {*plain, f"\ufeff{plain[0]}"} - {""}
            self.others += 1
        if part:
            yield self._header, part

    def _is_header(self, row: Row) -> bool:
        cells = [cell for cell in row if cell]
        if not cells or not (row[0] in self._cells or row[-1] in self._cells):
            return False
        known = sum(cell in self._cells or column_name(cell) in self._names for cell in cells)
        return row == self._header or (known >= _FEWEST_KNOWN and 2 * known >= len(cells))


# Below the rows


class LastLine:
    """Rows without a sum at the end of the file.

    Attributes:
        named: The number that the sum names, if it is a line of one cell; else `None`.
        is_found: Whether there is one.
    """

    def __init__(self) -> None:
        self.named: int | None = None
        self.is_found = False

    def without(self, chunks: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """The chunks, one later than they come: whether a row is the last is known only then."""
        kept = next(chunks, None)
        while kept is not None:
            following = next(chunks, None)
            if following is None and is_sum(kept[-1]):
                self.is_found, last = True, [cell for cell in kept.pop() if cell]
                found = _find_number(last[0]) if len(last) == 1 else None
                self.named = int(found[0].replace(",", "")) if found else None
            if kept:
                yield kept
            kept = following


def is_sum(row: Row) -> bool:
    """True if a line is a sum of those above it: it begins with a word for one, and has nothing but numbers besides."""
    first, *others = (cell for cell in row if cell) if any(row) else ("",)
    if not _match_sum(first) or not any(map(str.isdigit, "".join([first, *others]))):
        return False
    is_alone = not others and len(first) < 80  # noqa: PLR2004 (a line, and no message)
    return is_alone or (bool(others) and 2 * len(others) < len(row) and None not in read_numbers(others))
