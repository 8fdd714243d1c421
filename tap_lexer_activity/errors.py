"""The tap's own exceptions, and texts without the token."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

_SHORTEST_PART: Final = 8
"""Fewest characters that count as a part of a token."""
_SEE: Final = re.compile(r" ?\[see: ([a-z0-9-]+(?:, [a-z0-9-]+)*)\]")
"""The address of a message's entry in docs/troubleshooting.md. Each message names its own, so one made of others has several."""


class AccessDeniedError(FatalAPIError):
    """The token is missing, wrong, of the wrong type, or not allowed from this address: no other call will work either.

    A 403 may also be for what was asked for alone: that shows when another call is accepted. `said` is Lexer's answer, without advice.
    """

    def __init__(self, said: str, advice: str, status: int) -> None:
        super().__init__(f"{said}. {advice}")
        self.said = said
        self.status = status


class NotAllowedError(FatalAPIError):
    """Lexer answered 401 or 403 though it had accepted the token before, in this run: for so many calls."""

    def __init__(self, message: str, status: int, accepted: int) -> None:
        super().__init__(message)
        self.status = status
        self.accepted = accepted


class QuotaUsedUpError(RetriableAPIError):
    """Another run has used up the quota of the same token, which so works."""


class UnreachableError(FatalAPIError):
    """The API's host can't be reached, or is not the one it should be: no other call will work either."""


class UnexpectedAnswerError(FatalAPIError):
    """Lexer's answer is not as its documents describe it."""


class NotFoundError(FatalAPIError):
    """Lexer answered 404: the request is not well-formed, the address does not exist, or Lexer has forgotten the job."""


class RangeTooLongError(FatalAPIError):
    """Lexer refused a request for the length of its range, or did not answer all of it as asked: a shorter one may be answered.

    `longest` is the length that is known to be answered, if one is.
    """

    def __init__(self, message: str, longest: timedelta | None = None) -> None:
        super().__init__(message)
        self.longest = longest


class RangeTooShortError(FatalAPIError):
    """Lexer answered a request in shorter buckets than were asked for, as it does where a range is short: a longer one may be answered."""


class UnavailableError(RetriableAPIError):
    """A host answered that it can't answer now. It asks to wait so many seconds before the next try, if any."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class QuotaExceededError(UnavailableError):
    """A host answered 429, or in other words that the quota is used up."""


class RequestsSpentError(FatalAPIError):
    """`max_requests` is used up. Nothing is wrong: the next run reads the rest."""


class ExportFailedError(FatalAPIError):
    """Lexer gave up an export, answered with an unknown status, or called it complete without a link to the file."""


class ExportTimedOutError(FatalAPIError):
    """An export was not complete within `export_timeout`. That does not mean that it has no data."""


class RefusedAheadError(FatalAPIError):
    """A refusal of a request that was sent ahead of its turn. What it means depends on what is accepted before it, so its turn asks again."""


class LinkExpiredError(FatalAPIError):
    """The file host refuses a link to an export."""


class NoRoomError(FatalAPIError):
    """A file can't be kept on this machine."""


class TruncatedError(RetriableAPIError):
    """An export's file came cut off."""


class EndOfRun(BaseException):
    """The end of the run, whatever stream is being read. Not an `Exception`, so that no handler of a stream's failure catches it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def see_last(text: str) -> str:
    """A message with the addresses of its entries in docs/troubleshooting.md at its end, where people and `grep` look for them."""
    names = dict.fromkeys(name for found in _SEE.findall(text) for name in found.split(", "))
    return f"{without_see(text)} [see: {', '.join(names)}]" if names else text


def without_see(text: str) -> str:
    """A message without the addresses of its entries."""
    return _SEE.sub("", text)


def without_token(text: str, token: str) -> str:
    """A text without the token and without parts of it, also as JSON or an address would write them."""
    if not (token := token.strip()):
        return text
    forms = {token, json.dumps(token)[1:-1], quote(token, safe="")}
    parts: dict[int, set[str]] = {}
    for form in forms:
        length = min(_SHORTEST_PART, len(form))
        parts.setdefault(length, set()).update(form[start : start + length] for start in range(len(form) - length + 1))
    found = [
        f"(?:(?={'|'.join(map(re.escape, sorted(parts[length])))}).)+.{{{length - 1}}}"
        for length in sorted(parts, reverse=True)
    ]
    return re.sub("|".join(found), "[api_token]", text)
