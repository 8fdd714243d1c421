"""The export jobs of one bookmark: started ahead of their turn, polled ahead of it, and read in their order."""

from __future__ import annotations

import json
import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity import windows
from tap_lexer_activity.errors import AccessDeniedError, EndOfRun, ExportTimedOutError, RangeTooLongError, see_last
from tap_lexer_activity.lexer.client import TRIES
from tap_lexer_activity.lexer.errands import Errand
from tap_lexer_activity.windows import Request, Window, evenly

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from tap_lexer_activity.lexer.job_answers import Job
    from tap_lexer_activity.run.run import Run

JOBS_AHEAD: Final = 3
"""Jobs of one bookmark that are started ahead of their turn, for links expire."""


class JobQueue:
    """Requests whose jobs are not started, and jobs that are started and not read."""

    def __init__(
        self, run: Run, name: str, requests: Iterable[Request], body: Callable[[Request], Mapping[str, Any]]
    ) -> None:
        self._name = name
        self._place = len(run.polls_ahead)
        """Its place among the queues of the run, which are made in their order."""
        self._planned = tuple(requests)
        self._requests = deque(self._planned)
        self._jobs: deque[tuple[Request, Errand]] = deque()
        self._count = 0
        self._again: deque[Request] = deque()
        """Requests that come before all others: their jobs failed, or are for a part of what failed."""
        self._retries = run.settings.export_retries
        self._body = body
        self._run = run
        self._errands = run.exporter.errands
        self._logger = run.logger.getChild(name)
        self._is_held = False
        """True if no more jobs are started ahead of their turn."""

    def __iter__(self) -> Generator[tuple[Request, Job]]:
        """The jobs in their order, each with its request, until there is none or something ends it."""
        try:
            while self._again or self._jobs or self._requests:
                if self._again:
                    yield self._started(self._again)
                    continue
                request, errand = self._next()
                self._retries = self._run.settings.export_retries
                if not self._jobs:
                    self.start_ahead()
                yield request, self._claimed(errand)
        finally:
            self.close()

    @property
    def is_ready(self) -> bool:
        """True if the next job need not be waited for: it is complete, or its turn has to deal with it."""
        with self._errands.changed:
            return bool(self._again) or not self._jobs or self._jobs[0][1].is_ready

    def _next(self) -> tuple[Request, Errand]:
        """The next job, started."""
        if self._jobs:
            request, errand = self._jobs[0]
            self._errands.wait_until(
                lambda: errand.job is not None or not errand.is_under_way, self._run.work_while_waiting
            )
            if errand.job is None:
                self._claimed(errand)
            with self._errands.changed:
                self._jobs.popleft()
                if errand.job is not None:
                    return request, errand
                self._requests.appendleft(request)
        request, job = self._started(self._requests)
        return request, self._errand_of(request, job)

    def _errand_of(self, request: Request, job: Job | None) -> Errand:
        self._count += 1
        rank = self._place, self._count
        work = partial(self._run.exporter.work_ahead, self._body(request))
        return Errand(rank, work, self._logger, job=job, after=self._start_more)

    def _claimed(self, errand: Errand) -> Job:
        """The job of an errand whose turn has come."""
        self._errands.claim(errand, self._run.work_while_waiting)
        self._credit(errand)
        return cast("Job", errand.job)

    def _credit(self, errand: Errand) -> None:
        """Count the requests that other threads have sent for an errand."""
        with self._run.progress.requests_of(self._name):
            self._run.client.limiter.credit(errand.requests)
        errand.requests = 0

    def close(self) -> None:
        """Give up the jobs that were started ahead, and start no more."""
        with self._errands.changed:  # a thread may be about to start the next
            left = [errand for _, errand in self._jobs]
            for each in (self._requests, self._again, self._jobs):
                each.clear()
        for errand in left:
            self._errands.drop(errand)
            self._credit(errand)

    def is_cut(self, request: Request) -> bool:
        """True if a request is for a part of what was planned as one."""
        return request not in self._planned

    def put_back(self, requests: Iterable[Request]) -> None:
        """Read these before all others."""
        self._again.extendleft(reversed(list(requests)))

    def put_back_failed(self, request: Request, error: FatalAPIError) -> None:
        """Start the job of a request again, or, if it was started often enough, those of its halves.

        Raises:
            FatalAPIError: If it is for one day, which is not cut.
        """
        days = len(request.windows)
        if self._retries:
            self._retries -= 1
            self._logger.warning(
                "%s", see_last(f"{error}; starting the job again (export_retries) [see: export-again]")
            )
            self.put_back([request])
        elif days > 1:
            self._logger.warning("%s", see_last(f"{error}; asking for it in halves [see: export-in-halves]"))
            self.put_back(halves(request))
        else:
            day = windows.local_date(request.windows[0].start, self._run.settings.zone).isoformat()
            is_late = isinstance(error, ExportTimedOutError)
            way = "Raise export_timeout, or skip it" if is_late else "If it keeps failing, skip it"
            setting = json.dumps({self._name: [day]})
            msg = f"{error}. A single day, {day}, can't be split. {way}: set skip_windows to {setting} [see: export-day-fails]"
            raise type(error)(msg) from error

    def start_first(self) -> None:
        """Start the first job ahead of its turn.

        Raises:
            EndOfRun: If the token does not work.
        """
        # (The very first is started by whoever reads: it shows whether the token works, and how long an export may be.)
        self.start_ahead(by_thread=self._place > 0 and self._run.client.is_token_accepted)

    def start_ahead(self, *, by_thread: bool = True) -> None:
        """Start the next job ahead of its turn, by a thread if there are any. After an error no more are: their turn meets it again.

        Nor are any where `max_requests` might end the run before the turn of the job, which would be lost.

        Raises:
            EndOfRun: If the token does not work.
        """
        if by_thread and self._run.client.lookahead is not None:
            with self._errands.changed:
                if self._may_start():
                    request = self._first_of(self._requests)
                    self._requests.popleft()
                    self._keep(request, None)
        elif self._may_start():
            try:
                self._keep(*self._started(self._requests, tries=1))
            except AccessDeniedError as error:
                raise EndOfRun(str(error), exit_code=1) from error
            except (FatalAPIError, RetriableAPIError) as error:
                self._logger.debug("A job could not be started ahead of its turn: %s", error)
                self._is_held = True

    def _may_start(self) -> bool:
        return not self._is_held and bool(self._requests) and self._run.settings.max_requests is None

    def _keep(self, request: Request, job: Job | None) -> None:
        errand = self._errand_of(request, job)
        self._jobs.append((request, errand))
        self._errands.add(errand)

    def poll_ahead(self) -> float:
        """Poll the jobs that are due, and start the next where all are complete: what can be done while other streams are read.

        Returns:
            When to call this again, in seconds of the clock.
        """
        for _, errand in self._jobs:
            if errand.job is not None and not errand.is_left and self._run.exporter.is_due(errand.job):
                with self._run.progress.requests_of(self._name):
                    errand.step()
        self._start_more()
        return min((errand.due for _, errand in self._jobs if not errand.is_complete), default=math.inf)

    def _start_more(self) -> None:
        """Start the next job if all that were started ahead are complete, and not many."""
        if not all(errand.may_go_on for _, errand in self._jobs):
            self._is_held = True
        if self._jobs and len(self._jobs) < JOBS_AHEAD and all(errand.is_complete for _, errand in self._jobs):
            self.start_ahead()

    def _first_of(self, requests: deque[Request]) -> Request:
        """The first of some requests; if it is too long for Lexer, a part takes its place."""
        first, *rest = in_parts(requests[0], self._run.exporter.longest_days)
        if rest:
            requests.popleft()
            requests.extendleft(reversed([first, *rest]))
        return first

    def _started(self, requests: deque[Request], *, tries: int = TRIES) -> tuple[Request, Job]:
        """Take the first of some requests, and start its job. If it is too long for Lexer, a part takes its place, and the run remembers."""
        exporter = self._run.exporter
        while True:
            first = self._first_of(requests)
            try:
                with self._run.progress.requests_of(self._name):
                    job = exporter.start(self._body(first), tries=tries)
            except RangeTooLongError:
                days = len(first.windows)
                if days == 1:
                    raise
                exporter.longest_days = shorter = days // 2
                said = (
                    f"Lexer refuses an export of {days} days as too long, so each export now covers {shorter} days. "
                    f"Set export_window_days (or max_range_days) to what it accepts to spare the next run the search [see: export-too-long]"
                )
                self._run.notices.accept(self._name, "longest export", said)
                continue
            return requests.popleft(), job


def in_parts(request: Request, days: float) -> list[Request]:
    """A request in as few parts as there can be with so many days each, about equal in size."""
    count = math.ceil(len(request.windows) / days)
    if count <= 1:
        return [request]
    groups = evenly(request.windows, count)
    starts = [request.asked.start, *(group[0].start for group in groups[1:])]
    asked = map(Window, starts, [*starts[1:], request.asked.end])
    return [Request(each, tuple(group)) for each, group in zip(asked, groups, strict=True)]


def halves(request: Request) -> list[Request]:
    """A request of several days in two parts."""
    return in_parts(request, math.ceil(len(request.windows) / 2))
