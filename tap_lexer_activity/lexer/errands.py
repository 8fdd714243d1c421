"""Errands: work ahead of its turn, in several steps with waits between them, by whichever thread is free.

Which step is next is said here, and is pure but for the lock. Threads do the steps in `lookahead.py`; what they are, `job_errands.py` says.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tap_lexer_activity import forks, turns

FILES_AHEAD: Final = 2
"""Most files on disk that wait for their turn, or are being fetched ahead of it."""


class Errand(ABC):
    """The work for one turn, ahead of it.

    Attributes:
        rank: Its place in the order of the run.
        held: What it has to say when its turn comes.
        requests: How many requests threads have sent for it.
        is_under_way: Whether a thread is at one of its steps.
        is_left: Whether a step failed, so that the rest is left for its turn.
        bug: An error that no step should have.
    """

    def __init__(self, rank: tuple[int, int]) -> None:
        self.rank = rank
        self.held = turns.Held()
        self.requests = 0
        self.is_under_way = False
        self.is_left = False
        self.bug: BaseException | None = None
        self._is_dropped = False

    @property
    @abstractmethod
    def due(self) -> float:
        """The time of the next step, in seconds of the clock; infinity if there is none ahead of its turn."""

    @property
    @abstractmethod
    def is_begun(self) -> bool:
        """True if its first step is done."""

    @property
    @abstractmethod
    def wants_file(self) -> bool:
        """True if the next step is to fetch a file, for which there has to be room."""

    @property
    @abstractmethod
    def has_file(self) -> bool:
        """True if it has taken that room."""

    @abstractmethod
    def step(self) -> None:
        """Do the next step."""

    @abstractmethod
    def after(self) -> None:
        """The consequences of a step that a thread has done, under the lock."""

    @abstractmethod
    def discard(self) -> None:
        """Free what it has taken: nobody needs it."""

    def done(self, requests: int) -> None:
        """The step that a thread has begun is done, by so many requests."""
        self.is_under_way = False
        self.requests += requests
        if self._is_dropped:
            self.discard()
        else:
            self.after()

    def drop(self) -> None:
        """Drop it: nobody needs it any more. A step that is under way is not waited for."""
        self._is_dropped = True
        self.held.drop()
        if not self.is_under_way:
            self.discard()


class Errands:
    """All errands of a run, in its order.

    Attributes:
        changed: The lock, told of each change.
        most_files: Most files that wait for their turn, or are being fetched ahead of it.
    """

    def __init__(self, clock: Callable[[], float], most_files: int) -> None:
        self.changed = forks.new_condition()
        self._clock = clock
        self.most_files = most_files
        self._all: list[Errand] = []
        self._is_in_turn = False
        """True if the reading thread fetches a file."""

    def add(self, errand: Errand) -> None:
        """Let threads work on an errand."""
        with self.changed:
            self._all = sorted([*self._all, errand], key=lambda each: each.rank)
            self.changed.notify_all()

    def next(self) -> Errand | None:
        """The errand to do a step of now, the first in the order of the run; `None` if no step is due."""
        now = self._clock()
        for errand in self._all:
            if not errand.is_under_way and errand.due <= now and (not errand.wants_file or self._has_room(errand)):
                errand.is_under_way = True
                return errand
        return None

    def _has_room(self, errand: Errand) -> bool:
        """True if a file may be fetched: one after the other, for a host that asks for patience means all of them.

        One place is always left for the file that is read next: those of far ahead take no more.
        """
        is_fetching = self._is_in_turn or self._is_fetching_ahead
        files = sum(each.has_file for each in self._all)
        return not is_fetching and files < self.most_files and errand in self._all[: self.most_files]

    @contextmanager
    def fetching_in_turn(self) -> Iterator[None]:
        """A block in which the reading thread waits for a file, so that no other is begun ahead of its turn."""
        with self.changed:
            self._is_in_turn = True
        try:
            yield
        finally:
            with self.changed:
                self._is_in_turn = False
                self.changed.notify_all()

    def free_room(self, while_waiting: Callable[[], float]) -> bool:
        """Give up the files that were fetched ahead of their turn, once none is on its way. No more are: each is fetched in its turn.

        Returns:
            Whether there was any, so that there may be more room now.
        """
        with self.changed:
            self.most_files = 0
            was_fetching = self._is_fetching_ahead
        self.wait_until(lambda: not self._is_fetching_ahead, while_waiting)
        with self.changed:
            files = [each for each in self._all if each.has_file]
            for each in files:
                each.discard()
        return was_fetching or bool(files)

    @property
    def _is_fetching_ahead(self) -> bool:
        return any(each.is_under_way and each.wants_file for each in self._all)

    def seconds_until_due(self) -> float | None:
        """Seconds until there is a step to do, unless something changes; `None` if there is none."""
        found = [each.due for each in self._all if not each.is_under_way and not each.wants_file]
        return None if min(found, default=math.inf) == math.inf else max(0.0, min(found) - self._clock())

    @property
    def are_starting(self) -> bool:
        """True if any has not begun, and will ahead of its turn."""
        return any(not each.is_begun and not each.is_left for each in self._all)

    def wait_until(self, is_so: Callable[[], bool], while_waiting: Callable[[], float]) -> None:
        """Wait until a condition holds, which is checked under the lock.

        Meanwhile `while_waiting` does other work, and says for how many seconds there is none.
        """
        while True:
            with self.changed:
                if is_so():
                    return
            wait = while_waiting()
            with self.changed:
                if is_so():
                    return
                self.changed.wait(min(wait, threading.TIMEOUT_MAX))

    def claim(self, errand: Errand, while_waiting: Callable[[], float]) -> None:
        """It is an errand's turn: the reading thread continues it, once no other thread works on it."""
        errand.held.release()

        def take() -> bool:
            if not errand.is_under_way:
                self._remove(errand)
            return not errand.is_under_way

        self.wait_until(take, while_waiting)
        if errand.bug is not None:
            raise errand.bug

    def drop(self, errand: Errand) -> None:
        """Drop an errand: nobody needs it any more."""
        with self.changed:
            self._remove(errand)
            errand.drop()

    def close(self) -> None:
        """The run has ended."""
        for errand in tuple(self._all):
            self.drop(errand)

    def _remove(self, errand: Errand) -> None:
        self._all = [each for each in self._all if each is not errand]
        self.changed.notify_all()  # there may be room for another file
