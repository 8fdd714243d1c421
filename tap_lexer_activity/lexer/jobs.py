"""Export jobs: start one, wait for its file, fetch it, and be sure that it is whole.

Every way in which a job can end has a name of its own here. Only one of them gives a file; none of the others is ever "no data".
"""

from __future__ import annotations

import io
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import IO, Any, Final, TextIO

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import (
    ExportFailedError,
    ExportTimedOutError,
    LinkExpiredError,
    NoRoomError,
    NotFoundError,
    RequestsSpentError,
    UnexpectedAnswerError,
    without_token,
)
from tap_lexer_activity.lexer.client import TRIES, LexerClient, request_label
from tap_lexer_activity.lexer.download import Downloader
from tap_lexer_activity.lexer.errands import FILES_AHEAD, Errands
from tap_lexer_activity.lexer.job_answers import (
    FIRST_WAIT,
    Complete,
    CompleteWithoutUrl,
    Failed,
    Job,
    Pending,
    Status,
    drafts,
    opened,
    parse_status,
    token_of,
)
from tap_lexer_activity.notices import Notices
from tap_lexer_activity.settings.settings import Settings

GRACE: Final = 30.0
"""Seconds after its start in which Lexer may not know a job yet."""
LINKS: Final = 2
"""Links that are tried for one job: the first, and a fresh one. After that a new job is started, once."""
_PLAIN_WORD: Final = re.compile(r"[\w -]{1,30}", re.ASCII)


class Exporter:
    """Runs export jobs. One for the whole tap, which knows the most days that Lexer takes, and the jobs that are worked on ahead of their turn.

    Before a wait, `while_waiting` does other work, and says when it wants to be called again, in seconds of the clock.
    """

    def __init__(  # noqa: PLR0913 (what it works with)
        self,
        client: LexerClient,
        settings: Settings,
        logger: logging.Logger,
        *,
        notices: Notices,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        while_waiting: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self.longest_days: float = math.inf
        # (One request at least is left for reports.)
        self.errands = Errands(clock, min(FILES_AHEAD, settings.concurrency - 1))
        self._client = client
        self._settings = settings
        self._logger = logger
        self._notices = notices
        self._seeking = threading.Lock()
        self._addresses: list[tuple[str, str] | None] = [None, *drafts(settings.api_url)]
        self._clock = clock
        self._sleep = sleep
        self._while_waiting = while_waiting
        self._downloader = Downloader(client, settings, logger)

    def start(self, body: Mapping[str, Any], *, tries: int = TRIES) -> Job:
        """Ask for an export with this request body, by one request that is tried so many times."""
        what = f"export {request_label(body)}"
        answer = opened(self._client.report(body, what=what, is_secret=True, tries=tries))
        if answer is None:
            msg = f"{what}: the answer to the start of an export can't be read (not shown: it may hold a link) [see: export-no-token]"
            raise UnexpectedAnswerError(msg)
        now = self._clock()
        job = Job(what, body, token_of(answer) or "", begun=now, due=now + FIRST_WAIT)
        found = parse_status(answer, self._settings.api_url)
        if isinstance(found, Failed):
            raise self._given_up(job, found)
        if isinstance(found, Complete):
            job.url = found.url
        elif not job.token:
            msg = f"{what}: Lexer's answer has no token to poll with [see: export-no-token]"
            raise UnexpectedAnswerError(msg)
        return job

    def is_due(self, job: Job) -> bool:
        """True if it is time to poll a job that is not known to be complete."""
        return job.url is None and not job.is_empty and job.due <= self._clock()

    def poll(self, job: Job, *, tries: int = TRIES, until: float = math.inf) -> Pending | Complete | CompleteWithoutUrl:
        """Ask how a job stands, and set when the next poll is due: at `until` at the latest, whatever the growing waits say.

        Raises:
            ExportFailedError: If Lexer gave it up.
            NotFoundError: If Lexer does not know it.
        """
        found = self._status(job, tries=tries)
        job.advance(found, now=self._clock(), until=until)
        if isinstance(found, Failed):
            raise self._given_up(job, found)
        if isinstance(found, Pending) and not found.is_known:
            said = f"an unfinished export has the undocumented status {self._shown(found.word, job)}"
            self._notices.accept(
                str(job.body["type"]),
                "status of an export",
                f"{said}. It counts as pending [see: export-status-pending]",
            )
        return found

    def _status(self, job: Job, *, tries: int) -> Status:
        """The status of a job, from the first address that knows it: only that one is asked from then on."""
        with self._seeking if len(self._addresses) > 1 else nullcontext():  # one thread finds it out for all
            return self._status_by_one(job, tries=tries)

    def _status_by_one(self, job: Job, *, tries: int) -> Status:
        what = f"the status of {job.what}"
        try:
            address = self._addresses[0]
            answer = self._client.status(job.token, what=what, tries=tries, address=address)
        except NotFoundError:
            is_late = self._clock() >= job.begun + min(GRACE, self._settings.export_timeout)
            found = self._elsewhere(job, what) if is_late or not job.is_sought else None
            job.is_sought = True
            if found is None and is_late:
                raise
            if found is None:
                return Pending()  # it may be on its way to the host that was asked
            address, answer = found
        self._addresses = [address]
        if (content := opened(answer)) is None:
            return Pending("", is_known=answer is None)
        return parse_status(content, address[0] if address else self._settings.export_status_url)

    def _elsewhere(self, job: Job, what: str) -> tuple[tuple[str, str], Any] | None:
        """The other address that knows a job, and its answer. An error of these addresses, which may not exist, says nothing."""
        for address in filter(None, self._addresses[1:]):
            try:
                answer = self._client.status(job.token, what=what, tries=1, address=address)
            except RequestsSpentError:
                raise
            except (FatalAPIError, RetriableAPIError):
                continue
            if opened(answer) is not None:
                said = (
                    f"the status of exports is at {address[0]}, not at export_status_url [see: export-status-address]"
                )
                self._notices.accept(str(job.body["type"]), "address of statuses", said)
                return address, answer
        return None

    def _given_up(self, job: Job, found: Failed) -> ExportFailedError:
        return ExportFailedError(
            f"{job.what}: the job failed at Lexer: {self._shown(found.word, job)} [see: export-failed]"
        )

    def _shown(self, status: str, job: Job) -> str:
        """A status, if it is a plain word and no part of it is the job's token; all else may hold a secret."""
        is_plain = _PLAIN_WORD.fullmatch(status) and (not job.token or without_token(status, job.token) == status)
        return repr(self._client.quote(status)) if is_plain else "(not shown)" if status else "(none)"

    def fetch(self, job: Job) -> TextIO | None:
        """Wait for a job and fetch its file, whole and decompressed, into a temporary file without a name, which vanishes when closed.

        Line breaks stay as they are in the file: a cell may hold one. `None` if Lexer says that there is no data.

        Raises:
            ExportTimedOutError: If it is not complete within `export_timeout`.
            ExportFailedError: If Lexer gave up, or names no file.
            LinkExpiredError: If the file host refuses every link, also those of a new job.
            NotFoundError: If Lexer does not know the job, nor a new one.
            TruncatedError: If the file comes cut off every time.
            FatalAPIError: If the file can't be kept on this machine.
        """
        with self.errands.fetching_in_turn():
            try:
                spool = self._file_of(job)
            except (LinkExpiredError, NotFoundError):
                said = "its links have expired, or Lexer has forgotten it; starting it again [see: export-expired]"
                self._logger.warning("%s: %s", job.what, said)
                spool = self._file_of(self.start(job.body))
        return None if spool is None else io.TextIOWrapper(spool, encoding="utf-8-sig", errors="replace", newline="")

    def work_ahead(self, body: Mapping[str, Any], job: Job | None) -> tuple[Job, bool]:
        """Do the next step of a job ahead of its turn: start it, poll it, or fetch its file, and keep that or its error.

        Returns:
            The job, and whether it may go on: not if there is no room for its file, for when its turn comes there may be.
        """
        if job is None:
            return self.start(body, tries=1), True
        if job.url is None:
            self.poll(job, tries=1)
            return job, True
        try:
            job.fetched = self._downloader.fetch(job.url, job.what)
        except NoRoomError:
            self.errands.most_files = 0
            return job, False
        except (FatalAPIError, RetriableAPIError) as error:
            job.fetched = error
        return job, True

    def _file_of(self, job: Job) -> IO[bytes] | None:
        for link in range(1, LINKS + 1):
            url = self._link(job)
            if url is None:
                return None
            try:
                return job.take_file() or self._downloader.fetch(url, job.what, free_room=self._free_room)
            except LinkExpiredError:
                if link == LINKS or not job.token:
                    raise
        raise AssertionError  # the loop ends by one of the two

    def _free_room(self) -> bool:
        return self.errands.free_room(lambda: max(0.0, self._while_waiting() - self._clock()))

    def _link(self, job: Job) -> str | None:
        """The link to the file, as soon as Lexer sends it; `None` if it says that there is no data."""
        # From now on, and not from its start: other streams may have been read for hours since then.
        end = self._clock() + self._settings.export_timeout
        found: Status | None = None
        while (url := job.take_link()) is None and not job.is_empty:
            if isinstance(found, (Pending, CompleteWithoutUrl)) and self._clock() >= end:
                raise self._late(job, found)
            self._wait_until(min(job.due, end))
            found = self.poll(job, until=end)
        if job.is_empty:
            said = "an export is complete, has no file, and Lexer says that there is no data: it is read as one without rows"
            self._notices.accept(str(job.body["type"]), "export without data", f"{job.what}: {said}")
        return url

    def _wait_until(self, moment: float) -> None:
        while moment > self._clock():
            wanted = self._while_waiting()
            self._sleep(max(0.0, min(moment, wanted) - self._clock()))

    def _late(self, job: Job, found: Pending | CompleteWithoutUrl) -> FatalAPIError:
        if isinstance(found, CompleteWithoutUrl):
            return ExportFailedError(
                f"{job.what}: Lexer says that it is complete, but names no file [see: export-no-file]"
            )
        last = "" if found.is_known else f". Its last status was {self._shown(found.word, job)}"
        return ExportTimedOutError(
            f"{job.what}: not complete after {self._settings.export_timeout} s (export_timeout){last} [see: export-timeout]"
        )
