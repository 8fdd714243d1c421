"""The `record_id` of a row."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.csv_exports.cells import match_time
from tap_lexer_activity.csv_exports.names import column_name, unique_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FIRST_SIZE: Final = 18
"""Places of the first table of digests, as a power of two. Few exports need more."""
_copy_of_blank: Final = blake2b(digest_size=16).copy
"""Makes a hash that has seen nothing: a third faster than with arguments."""


class Identity:
    """Gives each row of one export its `record_id`.

    Lexer sends no id. The cells of the columns that cannot change after the fact make one, so a row whose state moves on keeps its id.
    Rows that are alike in those cells are told apart by their order: they share a time, so they are always in the same export, however
    long its window is. The id of a row without a time also holds the window it was found in, or alike rows of two windows would become
    one. The order of such rows comes out the same only if the window is read from its start again.

    Attributes:
        is_stable: Whether a row keeps its id when something in it changes.
        timeless: Rows so far without a time.
        undated: Rows so far without a time of day, where little else tells rows apart. Their ids are made of all their columns.
        alike: Rows so far that were like an earlier one in all that makes their id.
    """

    def __init__(
        self, headers: Sequence[str], stable: Sequence[Sequence[str]], window: str = "", *, by_the_clock: bool = False
    ) -> None:
        """Choose the columns that make the ids.

        Args:
            headers: The cells of the first row.
            stable: Columns that cannot change, each as the names it may have. If one of them is missing, all columns count.
            window: The export's window, as text.
            by_the_clock: Whether little but their time tells rows apart. Then all columns count for a row without a time of day.
        """
        self._window = f"\x1f{window}"
        self._by_the_clock = by_the_clock
        self.timeless = self.undated = self.alike = 0
        places: dict[str, int] = {}
        for place, header in enumerate(headers):
            places.setdefault(column_name(header), place)
        found = [next((places[name] for name in choice if name in places), None) for choice in stable]
        chosen = [place for place in found if place is not None]
        self.is_stable = bool(stable) and len(chosen) == len(found)
        self._places = chosen
        names = {place: name for name, place in places.items()}
        self._time = next((place for place in chosen if "date" in names[place]), None)
        self._named = sorted((key, place) for place, key in enumerate(unique_headers(headers)))
        # The first half of each digest seen so far, in a hash table without pointers: an export may have millions of rows, and a set of
        # them takes ten times the memory.
        self._seen = array("Q", bytes(8 << _FIRST_SIZE))
        self._count = 0
        self._repeats: dict[int, int] = {}

    def go_on_from(self, before: Identity) -> None:
        """Count the rows of another header of the same file, which came before, among those that may be alike."""
        self._seen, self._count, self._repeats = before._seen, before._count, before._repeats
        self.timeless, self.undated, self.alike = before.timeless, before.undated, before.alike

    def of(self, cells: Sequence[Sequence[str]]) -> list[str]:
        """Ids of rows, 32 hex digits each, by their cells, column by column."""
        found = []
        keys = self._stable_keys(cells) if self.is_stable else map(self._whole_key, zip(*cells, strict=True))
        for key in map(str.encode, keys):
            made = _copy_of_blank()
            made.update(key)
            found.append(made.digest())
        digests = b"".join(found)
        ids = digests.hex("\n", 16).split("\n")
        self._count += len(ids)
        while 3 * self._count > 2 * len(self._seen):
            self._grow()
        seen, last = self._seen, len(self._seen) - 1
        for row, half in enumerate(memoryview(digests).cast("Q")[::2].tolist()):
            place = half & last
            while (old := seen[place]) and old != half:
                place = (place + 1) & last
            if old:
                ordinal = self._repeats[half] = self._repeats.get(half, 0) + 1
                ids[row] = blake2b(bytes.fromhex(ids[row]) + ordinal.to_bytes(8), digest_size=16).hexdigest()
                self.alike += 1
            seen[place] = half
        return ids

    def _grow(self) -> None:
        """Double the table of digests in its place: a second one beside it would be most of the tap's memory."""
        seen, size = self._seen, len(self._seen)
        while len(seen) < 2 * size:  # in pieces, which take memory, too
            seen.frombytes(bytes(8 * min(size, 1 << _FIRST_SIZE)))
        # Begin behind an empty place: then no digest moves before the one that it had to make way for.
        start, last = seen.index(0), 2 * size - 1
        for old in chain(range(start, size), range(start)):
            if half := seen[old]:
                seen[old] = 0
                place = half & last
                while seen[place]:
                    place = (place + 1) & last
                seen[place] = half

    def _stable_keys(self, cells: Sequence[Sequence[str]]) -> Iterable[str]:
        """Keys of rows, made of the columns that cannot change."""
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
        """Key of a row, made of all its columns with their headers, without empty cells.

        So a column that Lexer adds later changes nothing for the rows that are empty in it.
        """
        key = "\x1f".join(f"{header}\x1e{row[place]}" for header, place in self._named if row[place])
        return key if any(map(match_time, row)) else self._with_window(key)

    def _with_window(self, key: str) -> str:
        self.timeless += 1
        return key + self._window


def _has_clock(time: str) -> bool:
    """True if a time says a time of day, in whatever form it is written."""
    return ":" in time
