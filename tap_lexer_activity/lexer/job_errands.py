"""Export jobs that are worked on ahead of their turn: the start, each poll when it is due, the file.

A start or a poll that fails is left for the job's turn, which meets the error again. What becomes of the file is kept for it, be it an error.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity import turns
from tap_lexer_activity.errors import RangeTooLongError
from tap_lexer_activity.lexer.errands import Errand
from tap_lexer_activity.lexer.jobs import Exporter, Job


class JobErrand(Errand):
    """A job that is worked on ahead of its turn. After each step that a thread has done, `after` is called.

    Attributes:
        job: The job, once it has been started.
        may_go_on: Whether the next job may be started ahead, after what became of this one's start.
    """

    def __init__(  # noqa: PLR0913 (what it works with)
        self,
        rank: tuple[int, int],
        exporter: Exporter,
        body: Mapping[str, Any],
        logger: logging.Logger,
        *,
        job: Job | None = None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(rank)
        self._exporter = exporter
        self._body = body
        self._logger = logger
        self._after = after
        self.job = job
        self.may_go_on = True

    @property
    @override
    def is_begun(self) -> bool:
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
    @override
    def wants_file(self) -> bool:
        return self.job is not None and self.job.url is not None and not self.has_file and not self.is_left

    @property
    @override
    def has_file(self) -> bool:
        return self.job is not None and self.job.fetched is not None

    @property
    @override
    def due(self) -> float:
        if self.is_left or self.has_file or (self.job is not None and self.job.is_empty):
            return math.inf
        return -math.inf if self.job is None or self.is_complete else self.job.due

    @override
    def step(self) -> None:
        with turns.ahead(self.held):
            try:
                if self.job is None:
                    self.job = self._exporter.start(self._body, tries=1)
                elif self.job.url is None:
                    self._exporter.poll(self.job, tries=1)
                else:
                    self.is_left = not self._exporter.fetch_ahead(self.job)
            except (FatalAPIError, RetriableAPIError) as error:
                self.is_left = True
                self.may_go_on = self.job is not None or isinstance(error, RangeTooLongError)  # its turn shortens it
                said = (
                    "%s; left for its turn"
                    if self.job is not None
                    else "A job could not be started ahead of its turn: %s"
                )
                turns.in_turn(partial(self._logger.debug, said, error))

    @override
    def after(self) -> None:
        self._after()

    @override
    def discard(self) -> None:
        if self.job is not None:
            self.job.discard()
