"""Export jobs: start one, wait for its file, fetch it, and be sure that it is whole.

Every way in which a job can end has a name of its own here. Only one of them gives a file; none of the others is ever "no data".
"""

from __future__ import annotations

import io
import math
import re
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, TextIO
from urllib.parse import urlsplit

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import (
    ExportFailedError,
    ExportTimedOutError,
    LinkExpiredError,
    NotFoundError,
    TruncatedError,
    UnexpectedAnswerError,
    without_token,
)
from tap_lexer_activity.http.reasons import ANOTHER_AUTHORITY, is_distrusted, reason
from tap_lexer_activity.http.retry import waits
from tap_lexer_activity.http.transport import ProxyVariableError
from tap_lexer_activity.lexer.client import NOT_SHOWN, TRIES, described
from tap_lexer_activity.lexer.decode import _spooled
from tap_lexer_activity.lexer.download import (
    DOWNLOADS,
    _check_encrypted,
    _download_session,
    _UnencryptedError,
    _verdict,
)
from tap_lexer_activity.shapes import answer_validator, check

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from backoff.types import Details

    from tap_lexer_activity.lexer.client import LexerClient
    from tap_lexer_activity.settings.settings import Settings


FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
LINKS: Final = 2
"""Links that are tried for one job: the first, and a fresh one. After that a new job is started, once."""
_PLAIN_WORD: Final = re.compile(r"[\w -]{1,30}", re.ASCII)

_ANSWER: Final = answer_validator(
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


def standing(answer: Mapping[str, Any]) -> Pending | Complete | CompleteWithoutUrl | Failed:
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
    """An export that has been asked for.

    Attributes:
        what: What was asked for, for people.
        body: The request.
        token: Lexer's name for the job, which is a secret: whoever has it can ask for the file.
        due: When to ask for the first or next time, in seconds of the clock.
        wait: Seconds between the last question and the next.
        url: Where the file lies, if that is known and has not been tried.
        is_tended: Whether it is asked for ahead of its turn; not any more after an error.
    """

    what: str
    body: Mapping[str, Any]
    token: str
    due: float
    wait: float = FIRST_WAIT
    url: str | None = None
    is_tended: bool = True


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
        meanwhile: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Make one.

        Args:
            client: Talks to Lexer.
            settings: The tap's.
            logger: For warnings.
            clock: Seconds that never run backwards.
            sleep: Waits that many seconds.
            meanwhile: Does other work before a wait, and says when it wants to be called again, in seconds of the clock.
        """
        self._client = client
        self._settings = settings
        self._logger = logger
        self._clock = clock
        self._sleep = sleep
        self._meanwhile = meanwhile
        self._session = _download_session(client)

    def start(self, body: Mapping[str, Any], *, tries: int = TRIES) -> Job:
        """Ask for an export with this request body, by one request that is tried so many times."""
        what = f"export {described(body)}"
        answer = self._client.report(body, what=what, is_secret=True, tries=tries)
        self._check(answer, what)
        if not answer.get("token"):
            msg = f"{what}: Lexer named no token to ask for the file by"
            raise UnexpectedAnswerError(msg)
        return Job(what, body, answer["token"], due=self._clock() + FIRST_WAIT)

    def is_due(self, job: Job) -> bool:
        """Whether it is time to ask for a job that is not known to be complete."""
        return job.url is None and job.due <= self._clock()

    def ask(self, job: Job, *, tries: int = TRIES, until: float = math.inf) -> Pending | Complete | CompleteWithoutUrl:
        """Ask how a job stands, and set when to ask for the next time.

        Args:
            job: The job.
            tries: Tries of the request.
            until: When the last question is due, whatever the growing waits say, in seconds of the clock.

        Raises:
            ExportFailedError: If Lexer gave it up, or answers with an unknown status.
        """
        answer = self._client.status(job.token, what=f"the status of {job.what}", tries=tries)
        self._check(answer, f"the status of {job.what}")
        job.due = min(self._clock() + job.wait, until)
        job.wait = min(2 * job.wait, LONGEST_WAIT)
        match found := standing(answer):
            case Failed(status, is_known=known):
                said = "Lexer gave it up" if known else "its status is one that no document names"
                msg = f"{job.what}: {said}: {self._shown(status, job)}"
                raise ExportFailedError(msg)
            case Complete(url):
                job.url = url
        return found

    def _shown(self, status: str, job: Job) -> str:
        """A status, if it is a plain word and no part of it is the job's token; all else may hold a secret."""
        is_plain = _PLAIN_WORD.fullmatch(status) and without_token(status, job.token) == status
        return repr(self._client.quote(status)) if is_plain else "(not shown)"

    def file(self, job: Job) -> TextIO:
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
            url = self._url(job)
            try:
                return self._download(url, job.what)
            except LinkExpiredError:
                if link == LINKS:
                    raise
        raise AssertionError  # the loop ends by one of the two

    def _url(self, job: Job) -> str:
        """Where the file lies, as soon as Lexer says so."""
        # From now on, and not from its start: other streams may have been read for hours since then.
        end = self._clock() + self._settings.export_timeout
        found: object = None
        while job.url is None:
            if isinstance(found, (Pending, CompleteWithoutUrl)) and self._clock() >= end:
                raise self._late(job, found)
            self._wait_until(min(job.due, end))
            found = self.ask(job, until=end)
        url, job.url = job.url, None
        return url

    def _wait_until(self, moment: float) -> None:
        while moment > self._clock():
            wanted = self._meanwhile()
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
        check(answer, _ANSWER, what=what, quote=lambda _: NOT_SHOWN)

    def _download(self, url: str, what: str) -> IO[bytes]:
        fetch = backoff.on_exception(
            backoff.expo,
            TruncatedError,
            max_tries=DOWNLOADS,
            jitter=backoff.random_jitter,
            on_backoff=self._log_retry,
            logger=None,
        )(self._download_once)
        fetch = backoff.on_exception(
            waits,
            RetriableAPIError,
            giveup=lambda error: isinstance(error, TruncatedError),
            longest=self._settings.export_timeout,
            max_tries=TRIES,
            jitter=backoff.random_jitter,
            on_backoff=self._log_retry,
            logger=None,
        )(fetch)
        try:
            return fetch(url, what)
        except TruncatedError as error:
            msg = (
                f"{error}, {DOWNLOADS} times. The next run starts this export again. "
                "If it ends so each time, ask for less with a smaller export_window_days"
            )
            raise TruncatedError(msg) from error

    def _log_retry(self, details: Details) -> None:
        self._logger.warning("%s; next try in %.0f s", details.get("exception"), details["wait"])

    def _download_once(self, url: str, what: str) -> IO[bytes]:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = f"{what}: what Lexer names as the file's address is none (it is not shown)"
            raise UnexpectedAnswerError(msg)
        host = parts.hostname
        try:
            _check_encrypted(url)
            with self._session.get(url, stream=True, timeout=self._settings.request_timeout) as response:
                _verdict(response, what, host)
                timeout, encoding = self._settings.request_timeout, self._settings.export_encoding
                return _spooled(response, what, timeout, encoding, say=self._logger.warning)
        except ValueError:  # of requests, urllib3 and the interpreter
            msg = f"{what}: what the file host {host} is named, or redirects to, is no address (it is not shown)"
            raise UnexpectedAnswerError(msg) from None
        except _UnencryptedError as error:
            msg = f"{what}: the file would come unencrypted, by http:// from {error} (the link is not shown)"
            raise FatalAPIError(msg) from None
        except ProxyVariableError as error:
            msg = f"{what}: no download: {error}"
            raise FatalAPIError(msg) from None
        except requests.exceptions.RequestException as error:
            msg = f"{what}: no download: {reason(error, self._settings.request_timeout)} ({host})"
            if is_distrusted(error):
                raise FatalAPIError(msg + ANOTHER_AUTHORITY) from None
            raise RetriableAPIError(msg) from None  # its text has the signed link in it
