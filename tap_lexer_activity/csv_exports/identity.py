"""The `record_id` of a row."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.cells import _time
from tap_lexer_activity.csv_exports.names import column_name, unique_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_FIRST_SIZE: Final = 16
"""Rows of one export that need no larger table, as a power of two."""


# Identity


class Identity:
    """Gives each row of one export its `record_id`.

    Lexer sends no id. The cells of the columns that cannot change after the fact make one: a row whose state moved on keeps it. Rows
    that are alike in those are told apart by their order. They share a time as well, so they are always in the same export, however
    long its window is. Rows without a time are told apart by the window they were found in: alike rows of two windows would
    otherwise become one. Their order is the same again only if the window is read from its start again.
    """

    def __init__(
        self, headers: Sequence[str], stable: Sequence[Sequence[str]], window: str = "", *, by_the_clock: bool = False
    ) -> None:
        """Choose the columns.

        Args:
            headers: The cells of the first row.
            stable: Columns that do not change, each as the names it may have. If one of them is missing, all columns count.
            window: The export's window, as text.
            by_the_clock: Whether little but their time tells rows apart. Then all columns of a row count that has no time of day.
        """
        self._window = f"\x1f{window}"
        self._by_the_clock = by_the_clock
        self.timeless = 0
        """Rows so far that have no time."""
        self.undated = 0
        """Rows so far that have no time of day, where little else tells rows apart, and so an id of all their columns."""
        self.alike = 0
        """Rows so far that another one before them was like, in what makes their id."""
        places: dict[str, int] = {}
        for place, header in enumerate(headers):
            places.setdefault(column_name(header), place)
        found = [next((places[name] for name in choice if name in places), None) for choice in stable]
        chosen = [place for place in found if place is not None]
        self.is_stable = bool(stable) and len(chosen) == len(found)
        """Whether a row keeps its id when something in it changes."""
        self._places = chosen
        names = {place: name for name, place in places.items()}
        self._time = next((place for place in chosen if "date" in names[place]), None)
        self._named = sorted((key, place) for place, key in enumerate(unique_headers(headers)))
        # The digests seen so far, half of each, in a hash table without pointers: an export may have millions of rows, and a set of
        # as many takes ten times the memory.
        self._seen = array("Q", bytes(8 << _FIRST_SIZE))
        self._count = 0
        self._again: dict[int, int] = {}

    def of(self, cells: Sequence[Sequence[str]]) -> list[str]:
        """The ids of rows, 32 hex digits each.

        Args:
            cells: The rows' cells, column by column.
        """
        digests = b"".join([blake2b(key, digest_size=16).digest() for key in map(str.encode, self.keys(cells))])
        ids = digests.hex("\n", 16).split("\n")
        self._count += len(ids)
        while 3 * self._count > 2 * len(self._seen):
            self._grow()
        seen, last = self._seen, len(self._seen) - 1
        for row, half in enumerate(memoryview(digests).cast("Q")[::2].tolist()):
            place = half & last
            while (found := seen[place]) and found != half:
                place = (place + 1) & last
            if found:
                ordinal = self._again[half] = self._again.get(half, 0) + 1
                ids[row] = blake2b(bytes.fromhex(ids[row]) + ordinal.to_bytes(8), digest_size=16).hexdigest()
                self.alike += 1
            seen[place] = half
        return ids

    def keys(self, cells: Sequence[Sequence[str]]) -> Iterable[str]:
        """What identifies each row, but for the order of those that are alike."""
        return self._stable_keys(cells) if self.is_stable else map(self._whole_key, zip(*cells, strict=True))

    def _grow(self) -> None:
        """Make the table of digests twice as large, in its place: a second table beside it would be most of the tap's memory."""
        seen, size = self._seen, len(self._seen)
        while len(seen) < 2 * size:  # in pieces, for these take memory, too
            seen.frombytes(bytes(8 * min(size, 1 << _FIRST_SIZE)))
        # From behind an empty place on: then nothing is moved before what it had to make way for.
        start, last = seen.index(0), 2 * size - 1
        for old in chain(range(start, size), range(start)):
            if half := seen[old]:
                seen[old] = 0
                place = half & last
                while seen[place]:
                    place = (place + 1) & last
                seen[place] = half

    def _stable_keys(self, cells: Sequence[Sequence[str]]) -> Iterable[str]:
        """What identifies each row, by the columns that do not change."""
        keys = map("\x1f".join, zip(*(cells[place] for place in self._places), strict=True))
        times = None if self._time is None else cells[self._time]
        if times is None:
            return map(self._with_window, keys)
        if self._by_the_clock:
            if all(map(_has_clock, times)):
                return keys
            self.undated += sum(not _has_clock(time) for time in times)
            rows = zip(keys, times, zip(*cells, strict=True), strict=True)
            return [key if _has_clock(time) else self._whole_key(row) for key, time, row in rows]
        if "" not in times:
            return keys
        return [key if time else self._with_window(key) for key, time in zip(keys, times, strict=True)]

    def _whole_key(self, row: Sequence[str]) -> str:
        """What identifies a row, by all its columns.

        With their headers and without empty ones: a column that is added later changes nothing for rows that have nothing in it.
        """
        key = "\x1f".join(f"{header}\x1e{row[place]}" for header, place in self._named if row[place])
        return key if any(map(_time, row)) else self._with_window(key)

    def _with_window(self, key: str) -> str:
        self.timeless += 1
        return key + self._window


def _has_clock(time: str) -> bool:
    """Whether a time has a time of day in it, in whichever form it is written."""
    return ":" in time
