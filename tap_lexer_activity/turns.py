"""A request that is asked ahead of its turn: its messages are kept until its turn, and it ends early if nobody needs it any more.

Several threads ask, and one emits. A warning, or a count that later errors depend on, belongs to the place of its request in the order of
the run, and not to the moment at which an answer happened to come.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class NotNeededError(Exception):
    """Nobody needs the answer of this request any more."""


@dataclass(slots=True)
class Held:
    """The messages of one request, in their order.

    `when_received` is called with each answer's size, before it is read: it may wait until there is room.
    """

    actions: list[Callable[[], None]] = field(default_factory=list)
    size: int = 0
    when_received: Callable[[int], None] = lambda _: None
    is_its_turn: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _dropped: threading.Event = field(default_factory=threading.Event)

    def add(self, action: Callable[[], None]) -> None:
        """Keep an action until its turn. If it is its turn already, act."""
        with self._lock:
            if not self.is_its_turn:
                self.actions.append(action)
                return
        action()

    def release(self) -> None:
        """It is its turn: do all that was kept. What comes from now on is done at once."""
        with self._lock:
            self.is_its_turn = True
            actions, self.actions = self.actions, []
        for action in actions:
            action()

    def drop(self) -> None:
        """Nobody needs its answer: its thread ends what it does at the next step, and waits for nothing."""
        self._dropped.set()

    def check(self, wait: float = 0.0) -> None:
        """Wait so many seconds, unless nobody needs its answer."""
        if self._dropped.wait(wait) if wait else self._dropped.is_set():
            raise NotNeededError


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
    """Count the bytes of an answer that may have to wait for its turn, and wait until there is room for what is in it."""
    if _HERE.held is not None:
        _HERE.held.size = size
        _HERE.held.when_received(size)


def check_needed() -> None:
    """End what this thread asks ahead of its turn, if nobody needs it any more."""
    if _HERE.held is not None:
        _HERE.held.check()


def sleep(seconds: float, by: Callable[[float], None] = time.sleep) -> None:
    """Wait so many seconds, in its turn by `by`. A wait ahead of its turn ends with the need for it."""
    if _HERE.held is None:
        by(seconds)
    else:
        _HERE.held.check(seconds)
