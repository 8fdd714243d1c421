"""Which answers are worth another try, and how long to wait for it. The same for Lexer's hosts and for the host of its files."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Generator


_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.TOO_EARLY})


def is_transient(status: int) -> bool:
    """Whether a status says that the same request may be answered a little later: 408, 421, 425 and every 5xx."""
    return status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def waits(longest: float) -> Generator[float, Any, None]:
    """Seconds to wait before each further try: what the host asks for, but at least 1, 2, 4 and so on. For `backoff`.

    Args:
        longest: The longest wait.
    """
    least = 1.0
    error = yield 0.0
    while True:
        error = yield min(longest, max(getattr(error, "wait", 0.0), least))
        least *= 2


def retry_after(header: str | None, *, now: datetime) -> float | None:
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
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
