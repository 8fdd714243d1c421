"""Messages of a request that is asked ahead of its turn, kept until its turn.

Several threads ask, and one emits. A warning, or a count that later errors depend on, belongs to the place of its request in the order of
the run, and not to the moment at which an answer happened to come.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(slots=True)
class Held:
    """The messages of one request."""

    actions: list[Callable[[], None]] = field(default_factory=list)
    size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_its_turn: bool = False

    def add(self, action: Callable[[], None]) -> None:
        """Keep an action until its turn. If it is its turn already, act."""
        with self._lock:
            if not self._is_its_turn:
                self.actions.append(action)
                return
        action()

    def release(self) -> None:
        """It is its turn: do all that was kept. What comes from now on is done at once."""
        with self._lock:
            self._is_its_turn = True
            actions, self.actions = self.actions, []
        for action in actions:
            action()


class _Here(threading.local):
    held: Held | None = None


_HERE = _Here()


@contextmanager
def ahead(held: Held) -> Iterator[None]:
    """A block in which this thread asks ahead of its turn."""
    _HERE.held = held
    try:
        yield
    finally:
        _HERE.held = None


def is_ahead() -> bool:
    """True if this thread asks ahead of its turn."""
    return _HERE.held is not None


def in_turn(action: Callable[[], None]) -> None:
    """Do something in its turn: at once, unless this thread asks ahead of it."""
    if _HERE.held is None:
        action()
    else:
        _HERE.held.add(action)


def received(size: int) -> None:
    """Count the bytes of an answer that may have to wait for its turn."""
    if _HERE.held is not None:
        _HERE.held.size += size
