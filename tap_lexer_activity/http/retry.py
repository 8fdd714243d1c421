"""One retry for all hosts: which errors are worth another try, how many, and how long to wait before each."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Final, TypeAlias, TypeVar

import backoff
from singer_sdk.exceptions import RetriableAPIError

from tap_lexer_activity import turns
from tap_lexer_activity.errors import QuotaExceededError, TruncatedError, without_see

QUOTA_PERIODS: Final = 6
"""Most periods of the quota that one request waits for a place."""
_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.TOO_EARLY})
_Result = TypeVar("_Result")

NextWait: TypeAlias = "Callable[[RetriableAPIError, float], float | None]"
"""The hook of a retry. After an error, so many seconds after the first try began, it says how many to wait before the next try, or `None`
if there is to be none. It counts, so each request needs a new one."""


def retry(
    attempt: Callable[[], _Result],
    next_wait: NextWait,
    *,
    logger: logging.Logger,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> _Result:
    """The result of the first try that does not raise a `RetriableAPIError`, or that error of the last one."""
    begun = clock()

    def waits() -> Generator[float, RetriableAPIError, None]:
        error = yield 0.0  # what `backoff` begins with
        while (wait := next_wait(error, clock() - begun)) is not None:
            turns.in_turn(partial(logger.warning, "%s; next try in %.0f s", without_see(str(error)), wait))
            # `backoff` sleeps by the machine's own clock, whatever it is given. So the wait is over when it gets to that.
            turns.sleep(wait, sleep)
            error = yield 0.0

    return backoff.on_exception(waits, RetriableAPIError, jitter=None, logger=None)(attempt)()


class ApiWaits:
    """The waits of a request to Lexer: for its quota, and after other trouble."""

    def __init__(self, tries: int, period: int) -> None:
        """Begin to count: tries in a row without a 429. If it is one try, the quota is not waited for either."""
        self._waits_for_quota = tries > 1
        self._period = period
        self._least = 1.0
        self._longest = QUOTA_PERIODS * period
        self._others = _Tries(tries, self._longest)

    def __call__(self, error: RetriableAPIError, elapsed: float) -> float | None:
        """Seconds to wait before the next try, or `None` if there is to be none."""
        if not isinstance(error, QuotaExceededError):
            return self._others.next_wait(error)
        self._others.begin_anew()
        if not self._waits_for_quota or elapsed >= self._longest:
            return None
        wait = max(error.wait, self._least)
        self._least = min(2 * self._least, self._period)
        return min(wait, self._longest - elapsed)


class FileWaits:
    """The waits of a download: after trouble of the file host, and after a file that came cut off."""

    def __init__(self, tries: int, downloads: int, longest: float) -> None:
        """Begin to count: tries altogether of which no file comes, and files in a row that come cut off."""
        self._others = _Tries(tries, longest)
        self._cut_off = _Tries(downloads, math.inf)

    def __call__(self, error: RetriableAPIError, elapsed: float) -> float | None:  # noqa: ARG002 (the tries alone end it)
        """Seconds to wait before the next try, or `None` if there is to be none."""
        if isinstance(error, TruncatedError):
            return self._cut_off.next_wait(error)
        self._cut_off.begin_anew()
        return self._others.next_wait(error)


class _Tries:
    """So many tries, with waits between them that double."""

    def __init__(self, count: int, longest: float) -> None:
        self._count = count
        self._longest = longest
        self._failed = 0

    def begin_anew(self) -> None:
        self._failed = 0

    def next_wait(self, error: RetriableAPIError) -> float | None:
        """The wait that the host asks for, but at least 1, 2, 4 s and so on; up to a second is added, so that no two runs ask in step."""
        self._failed += 1
        if self._failed == self._count:
            return None
        least = 2.0 ** (self._failed - 1)
        return backoff.random_jitter(min(self._longest, max(getattr(error, "wait", 0.0), least)))


def is_transient(status: int) -> bool:
    """True if a status says that the same request may be answered a little later: 408, 421, 425 and every 5xx."""
    return status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def retry_after(header: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds to wait that a `Retry-After` header asks for (a number of seconds or a date), or `None` if it says nothing usable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    now = now or datetime.now(UTC)
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
