"""Export jobs: start one, wait for its file, fetch it, and be sure that it is whole.

Every way in which a job can end has a name of its own here. Only one of them gives a file; none of the others is ever "no data".
"""

from __future__ import annotations

import io
import math
import re
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, TextIO, TypeAlias

from tap_lexer_activity.errors import (
    ExportFailedError,
    ExportTimedOutError,
    LinkExpiredError,
    NotFoundError,
    UnexpectedAnswerError,
    without_token,
)
from tap_lexer_activity.lexer.answers import NOT_SHOWN
from tap_lexer_activity.lexer.client import TRIES, request_label
from tap_lexer_activity.lexer.download import Downloader
from tap_lexer_activity.shapes import answer_validator, check

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from singer_sdk.exceptions import FatalAPIError

    from tap_lexer_activity.lexer.client import LexerClient
    from tap_lexer_activity.settings.settings import Settings


FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
LINKS: Final = 2
"""Links that are tried for one job: the first, and a fresh one. After that a new job is started, once."""
_PLAIN_WORD: Final = re.compile(r"[\w -]{1,30}", re.ASCII)

JOB_ANSWER: Final = answer_validator(
    {
        "type": "object",
        "properties": {
            "status": {"type": "string"},
            "url": {"type": ["string", "null"]},
            "token": {"type": ["string", "null"]},
        },
        "required": ["status"],
    }
)
"""Checks an answer about a job."""


# How a job stands: one type for each answer that there can be


@dataclass(frozen=True, slots=True)
class Pending:
    """Lexer is still at work."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The file lies at `url`, which is a secret: whoever has it can read the file."""

    url: str


@dataclass(frozen=True, slots=True)
class CompleteWithoutUrl:
    """Complete, says Lexer, and not where: to be asked again, as if it were pending."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Lexer gave up, or says something that no document names."""

    status: str
    is_known: bool


Status: TypeAlias = Pending | Complete | CompleteWithoutUrl | Failed


def parse_status(answer: Mapping[str, Any]) -> Status:
    """What an answer about a job means. Lexer documents only `pending` and `complete`."""
    match answer["status"].lower():
        case "pending":
            return Pending()
        case "complete":
            return Complete(answer["url"]) if answer.get("url") else CompleteWithoutUrl()
        case "failed" | "error" | "cancelled" | "expired":
            return Failed(answer["status"], is_known=True)
        case _:
            return Failed(answer["status"], is_known=False)


@dataclass(slots=True)
class Job:
    """An export that has been asked for. It changes in two places: `advance`, after each poll, and `take_link`.

    Attributes:
        what: What was asked for, for people.
        body: The request.
        token: Lexer's name for the job, which is a secret: whoever has it can ask for the file.
        due: When the next poll is due, in seconds of the clock.
        wait: Seconds between the next poll and the one after it.
        url: Where the file lies, if that is known and has not been tried.
        is_polled_ahead: Whether it is polled ahead of its turn; not any more after an error.
    """

    what: str
    body: Mapping[str, Any]
    token: str
    due: float
    wait: float = FIRST_WAIT
    url: str | None = None
    is_polled_ahead: bool = True

    def advance(self, found: Status, *, now: float, until: float) -> None:
        """What a poll found. Whatever it is, the waits grow, and the last poll is due at the end.

        Args:
            found: How the job stands.
            now: Seconds of the clock.
            until: When the last poll is due, in seconds of the clock.
        """
        self.due = min(now + self.wait, until)
        self.wait = min(2 * self.wait, LONGEST_WAIT)
        if isinstance(found, Complete):
            self.url = found.url

    def take_link(self) -> str | None:
        """The link to the file, once: if it has expired, the next poll brings a fresh one."""
        url, self.url = self.url, None
        return url


class Exporter:
    """Runs export jobs. One for the whole tap."""

    def __init__(  # noqa: PLR0913 (what it works with)
        self,
        client: LexerClient,
        settings: Settings,
        logger: logging.Logger,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        while_waiting: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Make one.

        Args:
            client: Talks to Lexer.
            settings: The tap's.
            logger: For warnings.
            clock: Seconds that never run backwards.
            sleep: Waits that many seconds.
            while_waiting: Does other work before a wait, and says when it wants to be called again, in seconds of the clock.
        """
        self._client = client
        self._settings = settings
        self._logger = logger
        self._clock = clock
        self._sleep = sleep
        self._while_waiting = while_waiting
        self._downloader = Downloader(client, settings, logger)

    def start(self, body: Mapping[str, Any], *, tries: int = TRIES) -> Job:
        """Ask for an export with this request body, by one request that is tried so many times."""
        what = f"export {request_label(body)}"
        answer = self._client.report(body, what=what, is_secret=True, tries=tries)
        self._check(answer, what)
        if not answer.get("token"):
            msg = f"{what}: Lexer named no token to ask for the file by"
            raise UnexpectedAnswerError(msg)
        return Job(what, body, answer["token"], due=self._clock() + FIRST_WAIT)

    def is_due(self, job: Job) -> bool:
        """Whether it is time to poll a job that is not known to be complete."""
        return job.url is None and job.due <= self._clock()

    def poll(self, job: Job, *, tries: int = TRIES, until: float = math.inf) -> Pending | Complete | CompleteWithoutUrl:
        """Ask how a job stands, and set when the next poll is due.

        Args:
            job: The job.
            tries: Tries of the request.
            until: When the last poll is due, whatever the growing waits say, in seconds of the clock.

        Raises:
            ExportFailedError: If Lexer gave it up, or answers with an unknown status.
        """
        what = f"the status of {job.what}"
        answer = self._client.status(job.token, what=what, tries=tries)
        self._check(answer, what)
        found = parse_status(answer)
        job.advance(found, now=self._clock(), until=until)
        if isinstance(found, Failed):
            said = "Lexer gave it up" if found.is_known else "its status is one that no document names"
            msg = f"{job.what}: {said}: {self._shown(found.status, job)}"
            raise ExportFailedError(msg)
        return found

    def _shown(self, status: str, job: Job) -> str:
        """A status, if it is a plain word and no part of it is the job's token; all else may hold a secret."""
        is_plain = _PLAIN_WORD.fullmatch(status) and without_token(status, job.token) == status
        return repr(self._client.quote(status)) if is_plain else "(not shown)"

    def fetch(self, job: Job) -> TextIO:
        """Wait for a job and fetch its file, whole and unpacked, into a temporary file that has no name and vanishes when closed.

        Its lines keep the line breaks that they have in the file, for these may be in the middle of a cell.

        Raises:
            ExportTimedOutError: If it is not complete within `export_timeout`.
            ExportFailedError: If Lexer gave up, answers with an unknown status, or names no file.
            LinkExpiredError: If the file host refuses every link, also those of a new job.
            NotFoundError: If Lexer does not know the job, nor a new one.
            TruncatedError: If the file comes cut off every time.
            FatalAPIError: If the file can't be kept on this machine.
        """
        try:
            spool = self._file_of(job)
        except (LinkExpiredError, NotFoundError):
            self._logger.warning("%s: its links have expired, or Lexer has forgotten it; starting it again", job.what)
            spool = self._file_of(self.start(job.body))
        return io.TextIOWrapper(spool, encoding="utf-8-sig", errors="replace", newline="")

    def _file_of(self, job: Job) -> IO[bytes]:
        for link in range(1, LINKS + 1):
            url = self._link(job)
            try:
                return self._downloader.fetch(url, job.what)
            except LinkExpiredError:
                if link == LINKS:
                    raise
        raise AssertionError  # the loop ends by one of the two

    def _link(self, job: Job) -> str:
        """Where the file lies, as soon as Lexer says so."""
        # From now on, and not from its start: other streams may have been read for hours since then.
        end = self._clock() + self._settings.export_timeout
        found: object = None
        while (url := job.take_link()) is None:
            if isinstance(found, (Pending, CompleteWithoutUrl)) and self._clock() >= end:
                raise self._late(job, found)
            self._wait_until(min(job.due, end))
            found = self.poll(job, until=end)
        return url

    def _wait_until(self, moment: float) -> None:
        while moment > self._clock():
            wanted = self._while_waiting()
            self._sleep(max(0.0, min(moment, wanted) - self._clock()))

    def _late(self, job: Job, found: Pending | CompleteWithoutUrl) -> FatalAPIError:
        if isinstance(found, CompleteWithoutUrl):
            return ExportFailedError(f"{job.what}: Lexer says that it is complete, and names no file")
        msg = (
            f"{job.what}: not complete after {self._settings.export_timeout} s (export_timeout). "
            "Allow it more time, or ask for less with a smaller export_window_days"
        )
        return ExportTimedOutError(msg)

    def _check(self, answer: Any, what: str) -> None:
        # The answer is not quoted: a link and a token are in it.
        check(answer, JOB_ANSWER, what=what, quote=lambda _: NOT_SHOWN)
