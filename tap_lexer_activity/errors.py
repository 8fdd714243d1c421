"""What can go wrong beyond the SDK's own exceptions."""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

_SHORTEST_PART: Final = 8
"""Fewer characters of a token than these are not taken for a part of it."""


class AccessDeniedError(FatalAPIError):
    """The token is missing, wrong, of the wrong type, or not allowed from this address: nothing else will work either."""


class NotAllowedError(FatalAPIError):
    """Lexer answered 401 or 403 though it had accepted the token before, in this run.

    Attributes:
        status: Which of the two.
        accepted: How many calls had been accepted before.
    """

    def __init__(self, message: str, status: int, accepted: int) -> None:
        super().__init__(message)
        self.status = status
        self.accepted = accepted


class UnreachableError(FatalAPIError):
    """The API's host can't be reached, or is not the one it should be: nothing else will work either."""


class UnexpectedAnswerError(FatalAPIError):
    """Lexer answered with something that its documents do not describe."""


class NotFoundError(FatalAPIError):
    """Lexer answered 404: a request that is not well-formed, an address that does not exist, or a job that it has forgotten."""


class UnavailableError(RetriableAPIError):
    """A host answered that it can't answer now.

    Attributes:
        wait: Seconds that it asks to wait before the next try; 0 if it asks for none.
    """

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class QuotaExceededError(UnavailableError):
    """A host answered 429."""


class RequestsSpentError(FatalAPIError):
    """`max_requests` have been sent. Nothing is wrong; what is not read yet is for the next run."""


class ExportFailedError(FatalAPIError):
    """Lexer gave an export up, answers with an unknown status, or says that it is complete and not where."""


class ExportTimedOutError(FatalAPIError):
    """An export was not complete within `export_timeout`. What it would hold is not known: it is not "no data"."""


class LinkExpiredError(FatalAPIError):
    """The file host refuses a link to an export."""


class TruncatedError(RetriableAPIError):
    """An export's file came cut off."""


class EndOfRun(BaseException):
    """Ends the run now, whatever stream is being read. Not an `Exception`, so that no handler for failing streams takes it for one.

    Attributes:
        exit_code: Exit code of the process.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def without_token(text: str, token: str) -> str:
    """A text without the token and without parts of it, also where they are written as JSON or an address writes them."""
    if not token:
        return text
    forms = {token, json.dumps(token)[1:-1], quote(token, safe="")}
    length = min(_SHORTEST_PART, len(token))
    parts = {form[start : start + length] for form in forms for start in range(len(form) - length + 1)}
    begins = "|".join(map(re.escape, sorted(parts)))
    return re.sub(f"(?:(?={begins}).)+.{{{length - 1}}}", "[api_token]", text)
