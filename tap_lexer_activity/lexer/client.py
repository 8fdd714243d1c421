"""Lexer's Activity API: its requests, and what its answers mean.

How a request is sent is the matter of `http/`: there are the quota, the token, redirects, and the waits between tries.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
from requests.utils import get_encoding_from_headers
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity import turns
from tap_lexer_activity.errors import QuotaExceededError, RefusedAheadError, UnreachableError
from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.http.quota import wait_when_spent
from tap_lexer_activity.http.reasons import Failures, NoConnectionError
from tap_lexer_activity.http.retry import ApiWaits
from tap_lexer_activity.http.session import HttpClient, SessionWithToken, Slots, ThrottledAdapter, origin
from tap_lexer_activity.lexer.answers import NOT_SHOWN, is_nothing, parse_json, quoted, read_body, text_of_body
from tap_lexer_activity.lexer.envelopes import Expected
from tap_lexer_activity.lexer.errands import Errands
from tap_lexer_activity.lexer.lookahead import Ask, Lookahead, Part, Schedule
from tap_lexer_activity.lexer.verdicts import Verdicts
from tap_lexer_activity.lexer.whole import Reply, WholeAnswers
from tap_lexer_activity.notices import Notices
from tap_lexer_activity.settings.checks import SANDBOX
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
    - `RequestsSpentError` when `max_requests` is used up.

    Attributes:
        lookahead: Asks ahead, once the run has said what.
    """

    def __init__(  # noqa: PLR0913 (what it works with)
        self,
        settings: Settings,
        limiter: Limiter,
        logger: logging.Logger,
        *,
        notices: Notices | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._logger = logger
        self._notices = Notices(logger) if notices is None else notices
        self._verdicts = Verdicts(settings.rate_limit_seconds, self.quote)
        self._whole = WholeAnswers(self._notices, self.quote)
        self.limiter = limiter
        hosts = frozenset({origin(settings.api_url), origin(settings.export_status_url)})
        agent = f"tap-lexer-activity/{version('tap-lexer-activity')}"

        def new_session() -> SessionWithToken:
            session = SessionWithToken(settings.api_token, hosts)
            session.headers.update({"Accept": "application/json", "User-Agent": agent})
            return session

        adapter = ThrottledAdapter(limiter, hosts, slots=Slots(settings.concurrency))
        self.http = HttpClient(new_session, adapter, logger, timeout=settings.request_timeout, clock=clock, sleep=sleep)
        self.lookahead: Lookahead | None = None

    def get(self, path: str, *, tries: int, expected: Expected | None = None) -> Any:
        """The objects of a resource, such as `/users`; out of their envelope and from all pages, if it is said what is expected."""
        return self._whole_answer(self.ask_of_list(path, tries=tries), path.strip("/"), expected)

    def report(
        self,
        body: Mapping[str, Any],
        *,
        what: str,
        is_secret: bool = False,
        tries: int = TRIES,
        expected: Expected | None = None,
    ) -> Any:
        """The answer to a report request with `type`, `date_from`, `date_to` and what else `body` has.

        No log may have one that `is_secret`, such as that with the token of an export job. One that is `expected` comes out of its envelope and
        with all its pages; nothing is `[]`, `{}` or `None` then.
        """
        if is_secret:
            return self._reply("POST", self._reports, what=what, is_secret=True, tries=tries, json=body).answer
        return self._whole_answer(self.ask_of(body, what=what, tries=tries), what, expected)

    def status(self, token: str, *, what: str, tries: int = TRIES, address: tuple[str, str] | None = None) -> Any:
        """The status of an export job: from `address`, and by that parameter, if not from `export_status_url`."""
        url, name = address or (self._settings.export_status_url, "token")
        params = {name: token}
        return self._reply("GET", url, what=what, is_secret=True, tries=tries, params=params).answer

    @property
    def is_token_accepted(self) -> bool:
        """True if any request has been accepted."""
        return self._verdicts.accepted > 0

    def quote(self, text: str) -> str:
        """The beginning of an answer, fit for a log: on one line, and without secrets."""
        return quoted(text, self._settings.api_token)

    @property
    def _reports(self) -> str:
        return f"{self._settings.api_url.rstrip('/')}/activity/reports"

    def ask_of(self, body: Mapping[str, Any], *, what: str, tries: int = TRIES) -> Ask:
        """A report request, as one that may be sent ahead of its turn."""
        send = partial(self._reply, "POST", url=self._reports, what=what, tries=tries, json=body)
        return Ask(json.dumps(body, sort_keys=True), send)

    def ask_of_list(self, path: str, *, tries: int = TRIES) -> Ask:
        """The request for a resource, as one that may be sent ahead of its turn."""
        url = f"{self._settings.api_url.rstrip('/')}{path}"
        return Ask(path, partial(self._reply, "GET", url=url, what=path.strip("/"), tries=tries))

    def ask_ahead(
        self,
        parts: Iterable[tuple[Part, Iterable[Ask]]],
        *,
        while_waiting: Callable[[], float],
        errands: Errands | None = None,
    ) -> None:
        """From now on, send the requests of the run's parts ahead of their turn; until `lookahead.begin()`, do errands alone, if there may be any."""
        threads = self._settings.concurrency
        schedule = Schedule(((part, ask) for part, asks in parts for ask in asks), concurrency=threads)
        lookahead = Lookahead(schedule, threads, limiter=self.limiter, while_waiting=while_waiting, errands=errands)
        self.lookahead = lookahead if lookahead.threads else None

    def _in_turn(self, ask: Ask) -> Reply:
        """The answer to a request in its turn, which may have been sent ahead of it."""
        outcome = self.lookahead.take(ask.name) if self.lookahead is not None else None
        if outcome is None:
            return cast("Reply", ask.send())
        self.limiter.credit(outcome.requests)
        if isinstance(outcome.error, RefusedAheadError):
            return self._in_turn(ask)
        if outcome.error is not None:
            raise outcome.error
        return cast("Reply", outcome.answer)

    def _whole_answer(self, ask: Ask, what: str, expected: Expected | None) -> Any:
        """The answer to a request, out of its envelope and with all its pages."""
        reply = self._in_turn(ask)
        if expected is None:
            return reply.answer

        def ask_page(url: str, params: Mapping[str, Any] | None, tries: int | None) -> Reply:
            return cast("Reply", ask.send(url=url, params=params, **({} if tries is None else {"tries": tries})))

        expected = replace(expected, accepted=self._settings.accept.get(expected.stream, ()))
        return self._whole.read(reply, ask_page, expected, what)

    def _reply(self, method: str, url: str, *, what: str, tries: int, is_secret: bool = False, **content: Any) -> Reply:
        """Send a request until there is a usable answer, or the tries are used up."""
        failures = _ApiFailures(self._settings, url, what, quote=self.quote, is_secret=is_secret)
        refused = 0

        def send_once() -> Reply:
            nonlocal refused
            with self.http.open(method, url, failures, **content) as response:
                body = read_body(response, what)
            turns.received(len(body))
            if (wait := wait_when_spent(response.headers)) is not None:
                self.limiter.hold(wait)
            may_try_again = tries > 1 and not refused  # whatever else is accepted meanwhile
            refused += response.status_code == HTTPStatus.UNAUTHORIZED
            try:
                self._verdicts.check_status(response, body, what, is_secret=is_secret, may_try_again=may_try_again)
                answer = self._read(response, body, what, is_secret=is_secret)
                if not is_secret:
                    self._verdicts.check_words(response, answer, what)
            except QuotaExceededError:
                self._learn_of_refusal()
                raise
            if is_secret:
                self._verdicts.accept()  # when it came, as that of a poll always was
            else:
                turns.in_turn(self._verdicts.accept)
            return Reply(answer, response.status_code, response.headers, url)

        waits = ApiWaits(tries, self._settings.rate_limit_seconds)

        def next_wait(error: RetriableAPIError, elapsed: float) -> float | None:
            wait = waits(error, elapsed)
            if wait is not None and isinstance(error, QuotaExceededError) and self.lookahead is not None:
                self.limiter.hold(wait)  # no thread needs to learn it by a 429 of its own
            return wait

        try:
            return self.http.retry(send_once, next_wait)
        except NoConnectionError as error:
            raise failures.without_connection(error) from error

    def _read(self, response: requests.Response, body: bytearray, what: str, *, is_secret: bool) -> Any:
        """The JSON of an answer; `None` if it has no body on purpose."""
        if is_nothing(response, body) and not (is_secret and response.ok and response.status_code == HTTPStatus.OK):
            return None
        text, is_broken = text_of_body(body, get_encoding_from_headers(response.headers))
        answer = parse_json(text, what, quote=None if is_secret else self.quote)
        if is_broken:
            said = f"{what}: the answer has bytes that are not UTF-8. They are lost: U+FFFD (\N{REPLACEMENT CHARACTER}) stands for them"
            self._notices.accept(what.split("'")[1] if "'" in what else what, "bytes that are no text", said)
        return answer

    def _learn_of_refusal(self) -> None:
        if (limit := self.limiter.learn_of_refusal()) is not None:
            said = (
                f"Lexer's quota is smaller than rate_limit_requests: from now on, this run sends at most {limit} in "
                f"{self._settings.rate_limit_seconds} s. "
                f"If nothing else uses this token, set rate_limit_requests to {limit} [see: quota-lower-than-set]"
            )
            turns.in_turn(partial(self._logger.warning, "%s", said))


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
            f"{self.prefix}{self.host} is an invalid address, or redirects to one {shown}. "
            "Check api_url and export_status_url [see: redirect-refused]"
        )

    @override
    def redirected(self, said: str) -> FatalAPIError:
        return FatalAPIError(
            f"{self.prefix}{self.host} {said}. Set api_url (or export_status_url) to the address that Lexer uses now [see: redirect-refused]"
        )

    @override
    def unreachable(self, msg: str) -> FatalAPIError:
        """Without the API's host nothing works; without that of statuses no export does."""
        if self._environment is not None:
            msg += f". Meltano's environment is {self._environment!r} [see: meltano-environment]"
            if self._environment == SANDBOX:
                msg += ": start a sandbox with lexer-activity-sandbox, or use --environment=prod for your own data"
        return UnreachableError(msg) if self._is_api else FatalAPIError(msg)

    def without_connection(self, error: NoConnectionError) -> FatalAPIError:
        """The host was not reached by the last try."""
        return self.unreachable(
            f"{error}. Check the setting {self._setting}, this machine's network, and HTTPS_PROXY if there is a proxy [see: host-unreachable]"
        )
