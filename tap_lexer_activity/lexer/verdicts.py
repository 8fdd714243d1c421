"""Verdicts: which error the status of an answer is, or its words where the status is good."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import requests
from singer_sdk.exceptions import FatalAPIError

from tap_lexer_activity import turns
from tap_lexer_activity.errors import (
    AccessDeniedError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
    RangeTooLongError,
    RefusedAheadError,
    UnavailableError,
)
from tap_lexer_activity.http.quota import wait_for_quota
from tap_lexer_activity.http.retry import is_transient, retry_after
from tap_lexer_activity.lexer.answers import (
    error_message,
    is_of_quota,
    is_range_too_long,
    plain_words,
)
from tap_lexer_activity.lexer.envelopes import error_in

_OF_RANGES: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Statuses of refusals whose words may be about the length of a range."""


class Verdicts:
    """Raises the error that an answer means. One for the run: what a 401 means depends on the answers before it."""

    def __init__(self, period: int, quote: Callable[[str], str]) -> None:
        self._period = period
        self._quote = quote
        self.accepted = 0
        """Requests that Lexer has accepted so far."""
        self._is_in_doubt = True

    def accept(self) -> None:
        """Lexer has accepted a request: the token works."""
        self.accepted += 1
        self._is_in_doubt = True

    def check_status(
        self, response: requests.Response, body: bytearray, what: str, *, is_secret: bool, may_try_again: bool
    ) -> None:
        """Raise what an error status means.

        No log may have what is secret. If `may_try_again`, a refusal in the middle of a run is asked once more.
        """
        status = response.status_code
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = self._said(response, body, what, is_secret=is_secret)
        words = error_message(body)
        wait = retry_after(response.headers.get("Retry-After"))
        if status == HTTPStatus.TOO_MANY_REQUESTS or (status != HTTPStatus.NOT_FOUND and is_of_quota(words)):
            raise self._quota_exceeded(said, response)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise self._refused(said, status, may_try_again=may_try_again)
        if response.request.method == "POST" and status in _OF_RANGES and is_range_too_long(words):
            said += ". Set max_range_days to the longest range that Lexer accepts"
            raise RangeTooLongError(said)
        if status == HTTPStatus.NOT_FOUND:
            said += ". The request is malformed, or the address does not exist [see: lexer-404]"
            raise NotFoundError(said)
        if is_transient(status):
            raise UnavailableError(said, wait or 0.0)
        raise FatalAPIError(said)

    def check_words(self, response: requests.Response, answer: Any, what: str) -> None:
        """Raise the error that an answer with a good status says."""
        if not (said := error_in(answer)):
            return
        shown = self._quote(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str))
        said = f"{what}: {response.status_code}, but Lexer says: {shown} [see: answer-error-under-200]"
        raise self._quota_exceeded(said, response) if is_of_quota(shown) else FatalAPIError(said)

    def _quota_exceeded(self, said: str, response: requests.Response) -> QuotaExceededError:
        wait = wait_for_quota(response.headers)
        return QuotaExceededError(said, self._period if wait is None else wait)

    def _refused(self, said: str, status: int, *, may_try_again: bool) -> Exception:
        """The error for a 401 or 403: the token is wrong, or, if it was accepted before, not allowed for this.

        A 401 after that may be a slip of a host that is one of many, so it is asked once more.
        """
        if turns.is_ahead():
            return RefusedAheadError(said)
        if not self.accepted:
            return AccessDeniedError(
                said,
                "The api_token is wrong, has been reset, is not of the type Activity API, or is not allowed from this machine's address. "
                "Someone with the permission Edit Team makes tokens in Lexer's Hub (Integrate) [see: token-refused]",
                status,
            )
        if status == HTTPStatus.UNAUTHORIZED and may_try_again and self._is_in_doubt:
            self._is_in_doubt = False  # until another answer shows that the token still works
            return UnavailableError(said)
        return NotAllowedError(f"{said}. The token was accepted earlier in this run", status, self.accepted)

    def _said(self, response: requests.Response, body: bytearray, what: str, *, is_secret: bool) -> str:
        """An error status with Lexer's words for it, as far as a log may have them."""
        status = response.status_code
        if is_secret and response.request.method == "GET":  # of a job that has been started
            return f"{what}: {status} (Lexer's words are not shown: a link may be in them) [see: lexer-says-hidden]"
        shown = plain_words if is_secret else str
        said = f"{what}: {status} {shown(self._quote(response.reason or ''))}".rstrip()
        if message := self._quote(error_message(body)):
            said += f", Lexer says: {shown(message)}"
        return f"{said} [see: lexer-says]"
