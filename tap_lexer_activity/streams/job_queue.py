"""The export jobs of one bookmark: started ahead of their turn, polled ahead of it, and read in their order."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import AccessDeniedError, EndOfRun
from tap_lexer_activity.lexer.client import TRIES

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_lexer_activity.lexer.jobs import Job
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Request

JOBS_AHEAD: Final = 3
"""Jobs of one bookmark that are started ahead of their turn, for links expire."""


class JobQueue:
    """Requests whose jobs are not started, and jobs that are started and not read."""

    def __init__(
        self,
        name: str,
        requests: Iterable[Request],
        body: Callable[[Request], Mapping[str, Any]],
        *,
        run: Run,
        logger: logging.Logger,
    ) -> None:
        """Prepare.

        Args:
            name: The stream's name.
            requests: What it asks for, oldest first.
            body: Makes the body of a request.
            run: The run.
            logger: The stream's part of the log.
        """
        self._name = name
        self._requests = deque(requests)
        self._jobs: deque[tuple[Request, Job]] = deque()
        self._body = body
        self._run = run
        self._logger = logger
        self._is_held = False
        """Whether no more jobs are started ahead of their turn."""

    def __iter__(self) -> Iterator[tuple[Request, Job]]:
        """The jobs in their order, each with its request, until there is none or something ends it."""
        try:
            while self._jobs or self._requests:
                if not self._jobs:
                    self._start()
                found = self._jobs.popleft()
                if not self._jobs:
                    self.start_ahead()
                yield found
        finally:
            self._requests.clear()
            self._jobs.clear()

    def start_ahead(self) -> None:
        """Start the next job ahead of its turn. After an error no more are: their turn meets it again.

        Nor are any where `max_requests` might end the run before the turn of the job, which would be lost.

        Raises:
            EndOfRun: If the token does not work.
        """
        if self._is_held or self._run.settings.max_requests is not None:
            return
        try:
            self._start(tries=1)
        except AccessDeniedError as error:
            raise EndOfRun(str(error), exit_code=1) from error
        except (FatalAPIError, RetriableAPIError) as error:
            self._logger.debug("A job could not be started ahead of its turn: %s", error)
            self._is_held = True

    def poll_ahead(self) -> float:
        """Poll the jobs that are due, and start the next where all are complete: what can be done while other streams are read.

        Returns:
            When to call this again, in seconds of the clock.
        """
        for _, job in self._jobs:
            if job.is_polled_ahead and self._run.exporter.is_due(job):
                self._poll(job)
        if self._jobs and len(self._jobs) < JOBS_AHEAD and all(job.url for _, job in self._jobs):
            self.start_ahead()
        return min((job.due for _, job in self._jobs if job.is_polled_ahead and not job.url), default=math.inf)

    def _start(self, *, tries: int = TRIES) -> None:
        if self._requests:
            with self._run.progress.requests_of(self._name):
                job = self._run.exporter.start(self._body(self._requests[0]), tries=tries)
            self._jobs.append((self._requests.popleft(), job))

    def _poll(self, job: Job) -> None:
        """Poll a job ahead of its turn. After an error it is left for its turn, which meets it again."""
        try:
            with self._run.progress.requests_of(self._name):
                self._run.exporter.poll(job, tries=1)
        except (FatalAPIError, RetriableAPIError) as error:
            self._logger.debug("%s; left for its turn", error)
            job.is_polled_ahead = False
