"""Talking to Lexer: one session for the whole tap, because the quota belongs to the token and not to a stream.

Four concerns, four places: the quota is in the transport (`_ThrottledAdapter`), so that retries and redirects count; the token is
added by the authenticator (`_TokenAuth`), to known hosts only; `_verdict` says what an answer means and only raises; and the waits
between tries are in `LexerClient._send`.
"""

from __future__ import annotations

import json
import logging
import os
import re
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import (
    AccessDeniedError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
    without_token,
)
from tap_lexer_activity.http.reasons import ANOTHER_AUTHORITY, _never_arrived, is_distrusted, reason
from tap_lexer_activity.http.retry import is_transient, retry_after, waits
from tap_lexer_activity.http.session import _RedirectError, _Session, _ThrottledAdapter, _TokenAuth, origin
from tap_lexer_activity.http.transport import PIECE, ProxyVariableError
from tap_lexer_activity.settings.checks import SANDBOX
from tap_lexer_activity.values import json_text, read_decimal, read_integer

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from backoff.types import Details

    from tap_lexer_activity.http.limiter import Limiter
    from tap_lexer_activity.settings.settings import Settings


TRIES: Final = 5
"""Tries of one request in case of server errors, broken connections and timeouts."""
QUOTA_PERIODS: Final = 6
"""How many periods of the quota one request waits for a place before it gives up."""
_NO_WORD: Final = re.compile(
    r"""(?<!\S)(?!(?=\S{1,24}(?!\S))[("'\[]*[^\W\d_]+(?:[_'-][^\W\d_]+)*[.,:;!?)"'\]]*(?!\S))\S+"""
)
"""What stands between blanks and is not one word, with the signs that may stand around it."""
_OF_A_JOB: Final = re.compile(r'"(token|url)"\s*:\s*"(?:[^"\\]|\\.)*"?')
_LARGEST_ANSWER: Final = 1 << 28
"""Most bytes of an answer, unpacked: it has to fit into the memory, and a few bytes of gzip can stand for any number."""
QUOTE: Final = 200
"""Most characters of an answer that are quoted in an error."""
NOT_SHOWN: Final = "(not shown: it may hold a link)"
"""In place of what is quoted of other answers, where one is about an export."""


class LexerClient:
    """Lexer's Activity API.

    Every call returns the answer's JSON, its decimals as `Decimal` with all their digits, or raises:

    - `AccessDeniedError` for 401 and 403, and `NotAllowedError` once another call has been accepted,
    - `UnreachableError` when the API's host can't be reached, or is not the one that its certificate says,
    - `UnexpectedAnswerError` for a body that is valid JSON and yet can't be told apart from another (a name that stands twice), or too long,
    - `RetriableAPIError` when the tries are used up, `QuotaExceededError` when the waits for the quota are,
    - `NotFoundError` for 404, `FatalAPIError` for every other status, and where a host of statuses of its own can't be reached,
    - `RequestsSpentError` when `max_requests` have been sent.
    """

    def __init__(self, settings: Settings, limiter: Limiter, logger: logging.Logger) -> None:
        self._settings = settings
        self._logger = logger
        self.limiter = limiter
        self._accepted = 0
        hosts = frozenset({origin(settings.api_url), origin(settings.export_status_url)})
        self._session = _Session(_TokenAuth(settings.api_token, hosts))
        self._adapter = _ThrottledAdapter(limiter, hosts)
        self.throttle(self._session)
        self._session.headers["Accept"] = "application/json"
        self._session.headers["User-Agent"] = f"tap-lexer-activity/{version('tap-lexer-activity')}"
        # urllib3 logs whole addresses, also in warnings: report tokens and signed links are in their queries. A configuration of the
        # log may have given its parts levels of their own.
        for name in [name for name in logging.root.manager.loggerDict if f"{name}.".startswith("urllib3.")]:
            logging.getLogger(name).setLevel(logging.ERROR)
        # requests itself reads REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, which come first.
        self._session.verify = os.environ.get("SSL_CERT_FILE") or True

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

    def status(self, token: str, *, what: str, tries: int = TRIES) -> Any:
        """How an export job stands.

        Args:
            token: Lexer's name for the job.
            what: What is asked for, for errors and the log.
            tries: Tries of the request.
        """
        url, params = self._settings.export_status_url, {"token": token}
        return self._send("GET", url, what=what, is_secret=True, tries=tries, params=params)

    def throttle(self, session: requests.Session) -> None:
        """Make the requests of a session count against the quota: those to Lexer's own hosts."""
        session.mount("https://", self._adapter)
        session.mount("http://", self._adapter)

    def _send(
        self, method: str, url: str, *, what: str, tries: int = TRIES, is_secret: bool = False, **content: Any
    ) -> Any:
        """Send a request until there is an answer that means something, or the tries are used up."""

        def log_retry(details: Details) -> None:
            self._logger.warning("%s; next try in %.0f s", details.get("exception"), details["wait"])

        @backoff.on_exception(
            _quota_waits,
            QuotaExceededError,
            period=self._settings.rate_limit_seconds,
            max_tries=None if tries > 1 else 1,
            max_time=QUOTA_PERIODS * self._settings.rate_limit_seconds,
            jitter=None,
            on_backoff=log_retry,
            logger=None,
        )
        @backoff.on_exception(
            waits,
            RetriableAPIError,
            longest=QUOTA_PERIODS * self._settings.rate_limit_seconds,
            giveup=lambda error: isinstance(error, QuotaExceededError),
            max_tries=tries,
            jitter=backoff.random_jitter,
            on_backoff=log_retry,
            logger=None,
        )
        def send() -> Any:
            return self._send_once(method, url, what, content, is_secret=is_secret)

        try:
            return send()
        except _NoConnectionError as error:
            msg = f"{error}. Check the setting {self._setting(url)}, this machine's network, and HTTPS_PROXY if there is a proxy"
            raise self._unreachable(url, msg) from error

    def _send_once(self, method: str, url: str, what: str, content: Mapping[str, Any], *, is_secret: bool) -> Any:
        # The library's own exceptions have the whole address in their text, and so would every stack trace that shows them as a cause.
        try:
            timeout = self._settings.request_timeout
            with self._session.request(method, url, timeout=timeout, stream=True, **content) as response:
                body = _body(response, what)
        except ValueError as error:  # of requests, urllib3 and the interpreter
            address = urlsplit(url).netloc
            shown = NOT_SHOWN if is_secret else f"({self.quote(str(error))})"
            msg = f"{what}: {address} is no address, or redirects to one that is none {shown}. Check api_url and export_status_url"
            raise FatalAPIError(msg) from None
        except ProxyVariableError as error:
            raise self._unreachable(url, f"{what}: {error}") from None
        except (requests.exceptions.TooManyRedirects, _RedirectError) as error:
            is_circle = isinstance(error, requests.exceptions.TooManyRedirects)
            said = "redirects in a circle" if is_circle else self.quote(str(error))
            msg = f"{what}: {urlsplit(url).netloc} {said}. Set api_url (or export_status_url) to the address that Lexer uses now"
            raise FatalAPIError(msg) from None
        except requests.exceptions.RequestException as error:
            msg = f"{what}: {reason(error, self._settings.request_timeout)} ({urlsplit(url).netloc})"
            if is_distrusted(error):
                msg += f". Check the setting {self._setting(url)}{ANOTHER_AUTHORITY}"
                raise self._unreachable(url, msg) from None
            raise (_NoConnectionError if _never_arrived(error) else RetriableAPIError)(msg) from None
        except OSError as error:  # a CA file that is not there
            msg = f"{what}: {self.quote(str(error))}"
            raise FatalAPIError(msg) from error
        self._verdict(response, body, what, is_secret=is_secret)
        answer = self._json(response, body, what, is_secret=is_secret)
        self._accepted += 1
        return answer

    def _setting(self, url: str) -> str:
        """The setting that a URL comes from."""
        return "export_status_url" if url == self._settings.export_status_url else "api_url"

    def _unreachable(self, url: str, msg: str) -> FatalAPIError:
        """What to raise where a host can't be reached: without the API's nothing works, without that of statuses no export does."""
        if self._settings.environment is not None:
            msg += f". Meltano's environment is {self._settings.environment!r}"
            if self._settings.environment == SANDBOX:
                msg += ": start a sandbox with lexer-activity-sandbox, or use --environment=prod for your own data"
        is_api = origin(url) == origin(self._settings.api_url)
        return UnreachableError(msg) if is_api else FatalAPIError(msg)

    def _verdict(self, response: requests.Response, body: bytearray, what: str, *, is_secret: bool) -> None:
        """Raise what an error status means."""
        status = response.status_code
        if status == HTTPStatus.OK or HTTPStatus.OK < status < HTTPStatus.MULTIPLE_CHOICES:
            return
        shown = plain_words if is_secret else str
        said = f"{what}: {status} {shown(self.quote(response.reason or ''))}".rstrip()
        if message := self._message(body):
            said += f", Lexer says: {shown(message)}"
        if is_secret and response.request.method == "GET":  # of a job that has been started
            said = f"{what}: {status} (Lexer's words are not shown: a link may be in them)"
        wait = retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC))
        match status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN if self._accepted:
                said += ". The token was accepted earlier in this run"
                raise NotAllowedError(said, status, self._accepted)
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                said += (
                    ". The api_token is wrong, has been reset, is not of the type Activity API, or is not allowed from this machine's address. "
                    "Tokens are made in Lexer's Hub (Integrate), by someone with the permission Edit Team"
                )
                raise AccessDeniedError(said)
            case HTTPStatus.TOO_MANY_REQUESTS:
                raise QuotaExceededError(said, self._settings.rate_limit_seconds if wait is None else wait)
            case HTTPStatus.NOT_FOUND:
                said += ". Lexer answers 404 both to a malformed request and to an address that does not exist"
                raise NotFoundError(said)
            case _ if is_transient(status):
                raise UnavailableError(said, wait or 0.0)
            case _:
                raise FatalAPIError(said)

    def _json(self, response: requests.Response, body: bytearray, what: str, *, is_secret: bool) -> Any:
        try:
            return json.loads(
                json_text(body),
                parse_float=read_decimal,
                parse_int=read_integer,
                parse_constant=_refuse_constant,
                object_pairs_hook=_no_name_twice,
            )
        except _TwiceError as error:
            name = "a name" if is_secret else f"the name {self.quote(str(error))}"
            msg = f"{what}: the answer has {name} twice in one object"
            raise UnexpectedAnswerError(msg) from None  # its own text is the name
        except (ArithmeticError, ValueError, RecursionError):
            shown = NOT_SHOWN if is_secret else self.quote(_text(body))
            msg = f"{what}: the answer is not JSON: {shown}"
            raise RetriableAPIError(msg, response) from None

    def quote(self, text: str) -> str:
        """The beginning of an answer, fit for a log: on one line, and without secrets.

        These are the token and parts of it, if the server sent them back, and what gives access to the file of an export.
        """
        text = _OF_A_JOB.sub(r'"\1": "[...]"', text)
        return " ".join(without_token(text, self._settings.api_token).split())[:QUOTE]

    def _message(self, body: bytearray) -> str:
        """What an error's body says. Its shape is not documented: JSON, text and HTML are all possible."""
        try:
            said = json.loads(json_text(body))
        except (ValueError, RecursionError):
            return self.quote(_text(body))
        if isinstance(said, dict):
            said = next((said[name] for name in ("error", "message", "errors") if said.get(name)), said)
        return self.quote(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))


def _body(response: requests.Response, what: str) -> bytearray:
    """What was answered, unpacked."""
    body = bytearray()
    for piece in response.iter_content(PIECE):
        body += piece
        if len(body) > _LARGEST_ANSWER:
            msg = f"{what}: the answer is longer than {_LARGEST_ANSWER >> 20} MiB"
            raise UnexpectedAnswerError(msg)
    return body


def _text(body: bytearray) -> str:
    return body.decode(errors="replace")


def _quota_waits(period: int) -> Generator[float, Any, None]:
    """Seconds to wait for the quota: what Lexer asks for, but at least 1, 2, 4 and so on up to a whole period."""
    least = 1.0
    error = yield 0.0
    while True:
        error = yield max(error.wait, least)
        least = min(2 * least, period)


def plain_words(text: str) -> str:
    """A text with its words, and with nothing that could be a token or a part of an address."""
    return _NO_WORD.sub("[...]", text)


def described(body: Mapping[str, Any]) -> str:
    """A report request, for people."""
    form = f", form {body['form']}" if "form" in body else ""
    return f"{body['type']!r} from {body['date_from']} to {body['date_to']}{form}"


class _NoConnectionError(RetriableAPIError):
    """A request did not reach its host."""


class _TwiceError(Exception):
    """A JSON object has the same name twice."""


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return result


def _refuse_constant(name: str) -> None:
    msg = f"{name} is not JSON"
    raise ValueError(msg)
