"""Errands: export jobs that are worked on ahead of their turn, by whichever thread is free: the start, each poll when it is due, the file.

Which step is next is said here, and is pure but for the lock; `Exporter.work_ahead` does it, in the threads of `lookahead.py`. A start or a
poll that fails is left for the job's turn, which meets the error again. What becomes of the file is kept for it, be it an error.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity import forks, turns
from tap_lexer_activity.errors import RangeTooLongError
from tap_lexer_activity.lexer.job_answers import Job

FILES_AHEAD: Final = 2
"""Most files on disk that wait for their turn, or are being fetched ahead of it."""


class Errand:
    """A job that is worked on ahead of its turn.

    Attributes:
        rank: Its place in the order of the run.
        job: The job, once it has been started.
        may_go_on: Whether the next job may be started ahead, after what became of this one's start.
        held: What it has to say when its turn comes.
        requests: How many requests threads have sent for it.
        is_under_way: Whether a thread is at one of its steps.
        is_left: Whether a step failed, so that the rest is left for its turn.
        bug: An error that no step should have.
    """

    def __init__(
        self,
        rank: tuple[int, int],
        work: Callable[[Job | None], tuple[Job, bool]],
        logger: logging.Logger,
        *,
        job: Job | None = None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare.

        `work` does the next step of the job, or starts it, and says whether the one after that is due ahead of its turn, too. `after` is called
        after each step that a thread has done, under the lock.
        """
        self.rank = rank
        self.job = job
        self.may_go_on = True
        self.held = turns.Held()
        self.requests = 0
        self.is_under_way = False
        self.is_left = False
        self.bug: BaseException | None = None
        self._work = work
        self._logger = logger
        self._after = after
        self._is_dropped = False

    @property
    def is_begun(self) -> bool:
        """True if it has been started."""
        return self.job is not None

    @property
    def is_complete(self) -> bool:
        """True if it is known where the file lies, or that there is none."""
        return self.job is not None and (self.job.url is not None or self.job.is_empty)

    @property
    def is_ready(self) -> bool:
        """True if its turn would not wait: no thread is at work on it, and it is complete or left for its turn."""
        return not self.is_under_way and (self.is_complete or self.is_left or self.bug is not None)

    @property
    def wants_file(self) -> bool:
        """True if the next step is to fetch its file, for which there has to be room."""
        return self.job is not None and self.job.url is not None and not self.has_file and not self.is_left

    @property
    def has_file(self) -> bool:
        """True if it has taken that room."""
        return self.job is not None and self.job.fetched is not None

    @property
    def due(self) -> float:
        """The time of the next step, in seconds of the clock; infinity if there is none ahead of its turn."""
        if self.is_left or self.has_file or (self.job is not None and self.job.is_empty):
            return math.inf
        return -math.inf if self.job is None or self.is_complete else self.job.due

    def step(self) -> None:
        """Do the next step."""
        with turns.ahead(self.held):
            try:
                self.job, goes_on = self._work(self.job)
                self.is_left = not goes_on
            except (FatalAPIError, RetriableAPIError) as error:
                self.is_left = True
                self.may_go_on = self.job is not None or isinstance(error, RangeTooLongError)  # its turn shortens it
                said = (
                    "%s; left for its turn"
                    if self.job is not None
                    else "A job could not be started ahead of its turn: %s"
                )
                turns.in_turn(partial(self._logger.debug, said, error))

    def done(self, requests: int) -> None:
        """The step that a thread has begun is done, by so many requests."""
        self.is_under_way = False
        self.requests += requests
        if self._is_dropped:
            self.discard()
        else:
            self._after()

    def drop(self) -> None:
        """Drop it: nobody needs it any more. A step that is under way is not waited for."""
        self._is_dropped = True
        self.held.drop()
        if not self.is_under_way:
            self.discard()

    def discard(self) -> None:
        """Free what it has taken: nobody needs it."""
        if self.job is not None:
            self.job.discard()


class Errands:
    """All errands of a run, in its order, and the lock, which is told of each change. So many files at most are ahead of their turn."""

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
        """Give up the files that were fetched ahead of their turn, once none is on its way; then whether there was any. No more are fetched so."""
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
