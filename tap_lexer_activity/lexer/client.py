"""Lexer's Activity API: its requests, and what its answers mean.

How a request is sent is the matter of `http/`: there are the quota, the token, redirects, and the waits between tries.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_lexer_activity.errors import (
    AccessDeniedError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
    RangeTooLongError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from tap_lexer_activity.http.reasons import Failures, NoConnectionError
from tap_lexer_activity.http.retry import ApiWaits, is_transient, retry_after
from tap_lexer_activity.http.session import HttpClient, SessionWithToken, ThrottledAdapter, origin
from tap_lexer_activity.lexer.answers import (
    NOT_SHOWN,
    error_message,
    is_of_quota,
    is_range_too_long,
    parse_json,
    plain_words,
    quoted,
    read_body,
)
from tap_lexer_activity.lexer.envelopes import error_in
from tap_lexer_activity.lexer.pages import sign_of_more
from tap_lexer_activity.settings.checks import SANDBOX

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    import requests

    from tap_lexer_activity.http.limiter import Limiter
    from tap_lexer_activity.settings.settings import Settings


TRIES: Final = 5
"""Tries of one request in case of server errors, broken connections and timeouts."""


def request_label(body: Mapping[str, Any]) -> str:
    """A report request, for people."""
    form = f", form {body['form']}" if "form" in body else ""
    return f"{body['type']!r} from {body['date_from']} to {body['date_to']}{form}"


class LexerClient:
    """Lexer's Activity API. One for the whole run, because the quota belongs to the token and not to a stream.

    Every call returns the answer's JSON, its decimals as `Decimal` with all their digits, or raises:

    - `AccessDeniedError` for 401 and 403, and `NotAllowedError` once another call has been accepted,
    - `UnreachableError` when the API's host can't be reached, or its TLS verification failed,
    - `UnexpectedAnswerError` for a body that is valid JSON and yet can't be told apart from another (a name that stands twice), or too long,
    - `RetriableAPIError` when the tries are used up, `QuotaExceededError` when the waits for the quota are,
    - `RangeTooLongError` where the range is refused for its length,
    - `NotFoundError` for 404, `FatalAPIError` for every other status, and where a host of statuses of its own can't be reached,
    - `RequestsSpentError` when `max_requests` have been sent.

    Attributes:
        limiter: The quota.
        http: What requests go through.
    """

    def __init__(
        self,
        settings: Settings,
        limiter: Limiter,
        logger: logging.Logger,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make one.

        Args:
            settings: The tap's.
            limiter: The quota.
            logger: Told before a request is tried again.
            clock: Seconds that never run backwards, for the waits between tries.
            sleep: Waits that many seconds between tries.
        """
        self._settings = settings
        self._accepted = 0
        self.limiter = limiter
        hosts = frozenset({origin(settings.api_url), origin(settings.export_status_url)})
        session = SessionWithToken(settings.api_token, hosts)
        session.headers["Accept"] = "application/json"
        session.headers["User-Agent"] = f"tap-lexer-activity/{version('tap-lexer-activity')}"
        adapter = ThrottledAdapter(limiter, hosts)
        self.http = HttpClient(session, adapter, logger, timeout=settings.request_timeout, clock=clock, sleep=sleep)

    def get(self, path: str, *, tries: int) -> Any:
        """The objects of a resource, such as `/users`."""
        return self._send("GET", f"{self._settings.api_url.rstrip('/')}{path}", what=path.strip("/"), tries=tries)

    def report(self, body: Mapping[str, Any], *, what: str, is_secret: bool = False, tries: int = TRIES) -> Any:
        """The answer to a report request with `type`, `date_from`, `date_to` and what else `body` has.

        Args:
            body: The request.
            what: What is asked for, for errors and the log.
            is_secret: Whether the answer has something in it that no log may have, such as the token of an export job.
            tries: Tries of the request.
        """
        url = f"{self._settings.api_url.rstrip('/')}/activity/reports"
        return self._send("POST", url, what=what, is_secret=is_secret, tries=tries, json=body)

    def status(self, token: str, *, what: str, tries: int = TRIES, address: tuple[str, str] | None = None) -> Any:
        """How an export job stands.

        Args:
            token: Lexer's name for the job.
            what: What is asked for, for errors and the log.
            tries: Tries of the request.
            address: Where to ask, and by which parameter, if not at `export_status_url`.
        """
        url, name = address or (self._settings.export_status_url, "token")
        params = {name: token}
        return self._send("GET", url, what=what, is_secret=True, tries=tries, params=params)

    def quote(self, text: str) -> str:
        """The beginning of an answer, fit for a log: on one line, and without secrets."""
        return quoted(text, self._settings.api_token)

    def _send(self, method: str, url: str, *, what: str, tries: int, is_secret: bool = False, **content: Any) -> Any:
        """Send a request until there is an answer that means something, or the tries are used up."""
        failures = _ApiFailures(self._settings, url, what, quote=self.quote, is_secret=is_secret)

        def send_once() -> Any:
            with self.http.open(method, url, failures, **content) as response:
                body = read_body(response, what)
            self._check_status(response, body, what, is_secret=is_secret)
            answer = parse_json(body, what, quote=None if is_secret else self.quote)
            if not is_secret:
                self._check_whole(response, answer, what)
            self._accepted += 1
            return answer

        try:
            return self.http.retry(send_once, ApiWaits(tries, self._settings.rate_limit_seconds))
        except NoConnectionError as error:
            raise failures.without_connection(error) from error

    def _check_whole(self, response: requests.Response, answer: Any, what: str) -> None:
        """Raise the error that an answer with a good status says, and refuse one page of several: its rows would not be all."""
        if said := error_in(answer):
            shown = self.quote(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str))
            said = f"{what}: {response.status_code}, and yet Lexer says: {shown}"
            if is_of_quota(shown):
                wait = retry_after(response.headers.get("Retry-After"))
                raise QuotaExceededError(said, self._settings.rate_limit_seconds if wait is None else wait)
            raise FatalAPIError(said)
        if sign := sign_of_more(response.headers, answer):
            msg = f"{what}: the answer is one page of several: {self.quote(sign)}. Rows that are not all there are would be wrong"
            raise UnexpectedAnswerError(msg)

    def _check_status(self, response: requests.Response, body: bytearray, what: str, *, is_secret: bool) -> None:
        """Raise what an error status means."""
        status = response.status_code
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = self._said(response, body, what, is_secret=is_secret)
        wait = retry_after(response.headers.get("Retry-After"))
        match status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                raise self._refused(said, status)
            case HTTPStatus.TOO_MANY_REQUESTS:
                raise QuotaExceededError(said, self._settings.rate_limit_seconds if wait is None else wait)
            case HTTPStatus.NOT_FOUND:
                said += ". Lexer answers 404 both to a malformed request and to an address that does not exist"
                raise NotFoundError(said)
            case _ if is_transient(status):
                raise UnavailableError(said, wait or 0.0)
            case HTTPStatus.BAD_REQUEST | HTTPStatus.REQUEST_ENTITY_TOO_LARGE | HTTPStatus.UNPROCESSABLE_ENTITY if (
                response.request.method == "POST" and is_range_too_long(error_message(body))
            ):
                said += ". Set max_range_days to the longest range that Lexer accepts"
                raise RangeTooLongError(said)
            case _:
                raise FatalAPIError(said)

    def _refused(self, said: str, status: int) -> FatalAPIError:
        """What a 401 or 403 means: that the token is wrong, or, if it was accepted before, that it is not allowed for this."""
        if self._accepted:
            return NotAllowedError(f"{said}. The token was accepted earlier in this run", status, self._accepted)
        return AccessDeniedError(
            f"{said}. The api_token is wrong, has been reset, is not of the type Activity API, or is not allowed from this machine's address. "
            "Tokens are made in Lexer's Hub (Integrate), by someone with the permission Edit Team"
        )

    def _said(self, response: requests.Response, body: bytearray, what: str, *, is_secret: bool) -> str:
        """An error status with Lexer's words for it, as far as a log may have them."""
        status = response.status_code
        if is_secret and response.request.method == "GET":  # of a job that has been started
            return f"{what}: {status} (Lexer's words are not shown: a link may be in them)"
        shown = plain_words if is_secret else str
        said = f"{what}: {status} {shown(self.quote(response.reason or ''))}".rstrip()
        if message := self.quote(error_message(body)):
            said += f", Lexer says: {shown(message)}"
        return said


class _ApiFailures(Failures):
    """Errors for a request to the API, or to the host of statuses, that got no answer."""

    def __init__(
        self, settings: Settings, url: str, what: str, *, quote: Callable[[str], str], is_secret: bool
    ) -> None:
        super().__init__(f"{what}: ", urlsplit(url).netloc, timeout=settings.request_timeout, quote=quote)
        self._environment = settings.environment
        self._is_api = origin(url) == origin(settings.api_url)
        self._setting = "export_status_url" if url == settings.export_status_url else "api_url"
        self._is_secret = is_secret
        self.certificate_advice = f". Check the setting {self._setting}"

    @override
    def no_address(self, text: str) -> FatalAPIError:
        shown = NOT_SHOWN if self._is_secret else f"({self.quote(text)})"
        return FatalAPIError(
            f"{self.prefix}{self.host} is no address, or redirects to one that is none {shown}. Check api_url and export_status_url"
        )

    @override
    def redirected(self, said: str) -> FatalAPIError:
        return FatalAPIError(
            f"{self.prefix}{self.host} {said}. Set api_url (or export_status_url) to the address that Lexer uses now"
        )

    @override
    def unreachable(self, msg: str) -> FatalAPIError:
        """Without the API's host nothing works; without that of statuses no export does."""
        if self._environment is not None:
            msg += f". Meltano's environment is {self._environment!r}"
            if self._environment == SANDBOX:
                msg += ": start a sandbox with lexer-activity-sandbox, or use --environment=prod for your own data"
        return UnreachableError(msg) if self._is_api else FatalAPIError(msg)

    def without_connection(self, error: NoConnectionError) -> FatalAPIError:
        """The host was not reached by the last try."""
        return self.unreachable(
            f"{error}. Check the setting {self._setting}, this machine's network, and HTTPS_PROXY if there is a proxy"
        )
