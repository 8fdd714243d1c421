"""The events of a stream: rows, and how far it has been read.

The order is the promise: a `ReadUpTo` follows all rows of the windows that it speaks of. Whoever has dealt with what came before it may move
the bookmark.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Any, Literal

from tap_lexer_activity.windows import Request

Row = dict[str, Any]
"""One row: its columns by name."""


@dataclass(frozen=True, slots=True)
class Block:
    """Many rows, column by column, ready to be written. There is at least one.

    The values of a column that is the same for all rows may go on for ever.
    """

    names: tuple[str, ...]
    columns: Sequence[Iterable[Any]]
    count: int

    def rows(self, wanted: Container[str]) -> Iterator[Row]:
        """The rows, with the wanted columns only."""
        is_wanted = [name in wanted for name in self.names]
        names = list(compress(self.names, is_wanted))
        values = zip(*compress(self.columns, is_wanted), strict=False)
        return (dict(zip(names, row, strict=True)) for row in values)


@dataclass(frozen=True, slots=True)
class ReadUpTo:
    """The windows of a request have been read to their end.

    Attributes:
        instant: Up to where everything has been read: the new bookmark. None if there is none, because the window has not ended yet, or
            because a backfill leaves the bookmarks as they are.
        request: The request; None if the windows were skipped without one.
    """

    instant: datetime | None
    request: Request | None = None


Event = Row | Block | ReadUpTo | Literal["not yet"]
"""What a stream yields; `not yet` says that its next rows are not there, and that others may be read meanwhile."""
