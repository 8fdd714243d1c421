"""Notices: differences from Lexer's documents that were accepted.

They go one way: once into the log when the difference is first met, and into the lines at the end of a run, with how often it was met.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tap_lexer_activity import turns
from tap_lexer_activity.errors import see_last


@dataclass(slots=True)
class Notice:
    """A difference that was accepted: a name for it, what the log said of it, and how often it was met."""

    stream: str
    kind: str
    said: str
    count: int = 1


class Notices:
    """The notices of one run."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._found: dict[tuple[str, str], Notice] = {}

    def accept(self, stream: str, kind: str, said: str) -> None:
        """Take note of a difference, and warn of it if it is the first of its kind for the stream.

        What is said is a sentence for people: what came, what is made of it, and which setting to set, if any. No value that a log may not have.
        """
        turns.in_turn(lambda: self._accept(stream, kind, said))

    def _accept(self, stream: str, kind: str, said: str) -> None:
        known = self._found.get((stream, kind))
        if known is not None:
            known.count += 1
            return
        said = see_last(said)
        self._found[stream, kind] = Notice(stream, kind, said)
        self._logger.getChild(stream).warning("%s", said)

    def summary(self) -> list[str]:
        """Lines for the end of a run: what was accepted, and how often."""
        times = [(notice, f"{notice.count:,} times" if notice.count > 1 else "once") for notice in self.all]
        return [f"Accepted: {notice.stream}: {notice.kind}, {often}" for notice, often in times]

    @property
    def all(self) -> list[Notice]:
        """All notices, in the order in which they came."""
        return list(self._found.values())
