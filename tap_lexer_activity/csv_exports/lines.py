"""Lines of an export's file that are not rows: titles above its header, headers further down, and a sum at its end. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.cells import match_date, match_time, read_numbers
from tap_lexer_activity.csv_exports.names import column_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

Row = list[str]

_MOST_TITLES: Final = 20
"""Lines above the header that are looked for."""
_FEWEST_KNOWN: Final = 2
"""Names of columns that make a line a header. One may be a cell like any other."""
_match_sum: Final = re.compile(
    r"\s*(?:grand |sub)?(?:totals?|sums?|count|rows|records)\b[^A-Za-z]*", re.IGNORECASE
).match
_find_number: Final = re.compile(r"\d[\d,]*").search

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
