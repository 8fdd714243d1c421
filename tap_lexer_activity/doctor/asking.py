"""The requests of the doctor: each question is sent once, whoever asks it, and its answer is kept as it came.

The streams of the tap can be given the same door. Then they read the answers that are kept, and no request is sent twice.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from requests.utils import get_encoding_from_headers
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity.errors import RequestsSpentError, UnreachableError, without_see
from tap_lexer_activity.http.reasons import Failures, NoConnectionError
from tap_lexer_activity.http.retry import retry_after
from tap_lexer_activity.lexer.answers import error_message, parse_json, plain_words, read_body, text_of_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import requests

    from tap_lexer_activity.http.retry import NextWait
    from tap_lexer_activity.http.session import HttpClient
    from tap_lexer_activity.lexer.client import LexerClient
    from tap_lexer_activity.settings.settings import Settings

WAITS_FOR_QUOTA: Final = 2
"""Most tries of a request after answers of 429."""
_HOPELESS: Final = 4
"""Failed questions, from the first on, after which no more are asked."""
_OF_QUOTA: Final = ("ratelimit", "rate-limit", "quota")


@dataclass(frozen=True, slots=True)
class Ask:
    """A question.

    Attributes:
        what: What is asked for, for people.
        path: The path of a list, such as `/users`; empty for a report.
        body: The body of a report's request, as JSON.
    """

    what: str = field(compare=False)
    path: str = ""
    body: str = ""

    @property
    def type(self) -> str:
        """The report type, or the list's name."""
        return str(json.loads(self.body)["type"]) if self.body else self.path.strip("/")


def of_list(name: str) -> Ask:
    """The question for a list."""
    return Ask(f"the list of {name}", path=f"/{name}")


def of_report(what: str, body: Mapping[str, Any]) -> Ask:
    """The question for a report with this body."""
    return Ask(what, body=json.dumps(body))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer.

    Attributes:
        status: Of HTTP; 0 if none came.
        content: Its JSON. `None`: it is null, or none.
        said: Lexer's words for an error, or why no answer came; fit for a log.
        seconds: From the request to the end of the answer.
        headers: Those about the quota, by their names in lower case.
        skew: Seconds that this machine's clock is ahead of the `Date` of the answer; `None` if it has none.
        wait: Seconds that it asks to wait before the next request, if it does.
        was_asked: Whether the request was sent at all.
        is_unreachable: Whether no other request will work either.
    """

    status: int = 0
    content: Any = None
    is_json: bool = False
    said: str = ""
    seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    skew: float | None = None
    wait: float | None = None
    was_asked: bool = True
    is_unreachable: bool = False

    @property
    def is_fine(self) -> bool:
        """True if it answers the question."""
        is_good = HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES
        return is_good and (self.is_json or self.status == HTTPStatus.NO_CONTENT)

    @property
    def is_refused(self) -> bool:
        """True if the token may not ask this."""
        return self.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

    @property
    def why(self) -> str:
        """The reason why it answers nothing, in a few words."""
        if not self.status:
            return self.said or "no answer"
        return f"{self.status}{f', {self.said}' if self.said else ''}{'' if self.is_json else ', which is not JSON'}"


class Door:
    """An HTTP client that sends each request once, and gives the same answer from then on."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._kept: dict[str, requests.Response] = {}
        self.is_shut = False
        """True if nothing more is sent."""

    @contextmanager
    def open(self, method: str, url: str, failures: Failures, **content: Any) -> Iterator[requests.Response]:
        """The answer to a request, for a block."""
        key = json.dumps([method, url, content], sort_keys=True, default=str)
        response = self._kept.get(key)
        if response is None:
            if self.is_shut:
                msg = "this needs one more request, which a run sends"
                raise RequestsSpentError(msg)
            response = self.fetched(method, url, failures, **content)
            if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:  # which is no answer to the question
                self._kept[key] = response
        yield response

    def fetched(self, method: str, url: str, failures: Failures, **content: Any) -> requests.Response:
        """The answer to a request that is sent now, whatever was answered before. Its body can be read any number of times."""
        with self._http.open(method, url, failures, **content) as response:
            response._content = bytes(read_body(response, "the answer"))  # noqa: SLF001 (its own `content` takes a body of any size)
        return response

    def retry(self, attempt: Callable[[], Any], next_wait: NextWait) -> Any:
        """The result of a single try: answers are kept, so another try would give the same."""
        del next_wait
        return attempt()

    def without_token(self, **options: Any) -> HttpClient:
        """A client for any other host."""
        return self._http.without_token(**options)


class HopelessError(Exception):
    """No question will be answered."""


def is_hopeless(answers: Iterable[Answer]) -> bool:
    """True if no question will be answered: the first was refused as unauthorized, or nothing but errors came."""
    asked = [answer for answer in answers if answer.was_asked]
    if not asked or any(answer.is_fine for answer in asked):
        return False
    is_certain = asked[0].is_unreachable or asked[0].status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
    return is_certain or len(asked) >= _HOPELESS


class Asker:
    """Asks, and keeps count. The client's requests go through a `Door` from then on."""

    def __init__(
        self,
        client: LexerClient,
        settings: Settings,
        kept: int,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.door = Door(client.http)
        client.http = self.door  # type: ignore[assignment]  # all that the client uses of it
        self.client = client
        self.settings = settings
        self.clock = clock
        self.sleep = sleep
        self._kept = kept
        self.answers: dict[Ask, Answer] = {}
        self.polls: list[Answer] = []
        """Answers about export jobs."""

    @property
    def spent(self) -> int:
        """Requests so far."""
        return self.client.limiter.spent

    @property
    def left(self) -> int:
        """Requests that may still be sent."""
        most = self.client.limiter.max_calls
        return 0 if most is None else max(0, most - self.spent)

    def ask(self, ask: Ask) -> Answer:
        """The answer to a question, as long as more requests are left than are kept for export jobs.

        Raises:
            HopelessError: If none will be answered.
        """
        has_room = self.left > self._kept
        answer = self._send(ask) if has_room else Answer(said="not asked: no request is left", was_asked=False)
        self.answers[ask] = answer
        if is_hopeless(self.answers.values()):
            raise HopelessError
        return answer

    def start(self, ask: Ask) -> Answer:
        """The answer to the start of an export."""
        self.answers[ask] = self._send(ask, is_of_job=True)
        return self.answers[ask]

    def poll(self, token: str, what: str, address: tuple[str, str] | None) -> Answer:
        """The status of an export job."""
        url, name = address or (self.settings.export_status_url, "token")
        answer = self._patiently("GET", url, what, is_of_job=True, params={name: token})
        self.polls.append(answer)
        return answer

    def _send(self, ask: Ask, *, is_of_job: bool = False) -> Answer:
        base = self.settings.api_url.rstrip("/")
        if ask.path:
            return self._patiently("GET", f"{base}{ask.path}", ask.what)
        body = json.loads(ask.body)
        return self._patiently("POST", f"{base}/activity/reports", ask.what, is_of_job=is_of_job, json=body)

    def _patiently(self, method: str, url: str, what: str, **options: Any) -> Answer:
        """The answer. A 429 is waited for, twice."""
        period = self.settings.rate_limit_seconds
        answer = self._once(method, url, what, **options)
        for _ in range(WAITS_FOR_QUOTA):
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                break
            self.sleep(period if answer.wait is None else min(max(answer.wait, 1.0), period))
            answer = self._once(method, url, what, **options)
        return answer

    def _once(self, method: str, url: str, what: str, *, is_of_job: bool = False, **content: Any) -> Answer:
        """The answer. One about a job is asked for anew each time, and may hold a secret."""
        host, timeout = urlsplit(url).netloc, self.settings.request_timeout
        failures = NoAnswer("", host, timeout=timeout, quote=self.client.quote)
        begun, at = self.clock(), datetime.now(UTC)
        try:
            if is_of_job:
                response = self.door.fetched(method, url, failures, **content)
            else:
                with self.door.open(method, url, failures, **content) as response:
                    pass
            body = read_body(response, what)
        except RequestsSpentError as error:
            return Answer(said=f"not asked: {without_see(str(error))}", was_asked=False)
        except (FatalAPIError, RetriableAPIError) as error:
            is_lost = isinstance(error, (UnreachableError, NoConnectionError))
            return Answer(said=without_see(str(error)), seconds=self.clock() - begun, is_unreachable=is_lost)
        seconds = self.clock() - begun
        answer, is_json = None, False
        text, _ = text_of_body(body, get_encoding_from_headers(response.headers))
        with suppress(FatalAPIError, RetriableAPIError):
            answer, is_json = parse_json(text, "the answer", quote=None), True
        is_good = HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES
        said = "" if is_good else self.client.quote(error_message(body))
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(
            status=response.status_code,
            content=answer,
            is_json=is_json,
            said=plain_words(said) if is_of_job else said,
            seconds=seconds,
            headers={name: value for name, value in headers.items() if any(word in name for word in _OF_QUOTA)},
            skew=_skew(headers.get("date"), at),
            wait=retry_after(headers.get("retry-after")),
        )


def _skew(date: str | None, at: datetime) -> float | None:
    """Seconds that `at` is ahead of a `Date`, which has whole seconds only."""
    try:
        moment = parsedate_to_datetime(date) if date else None
    except (ValueError, OverflowError):
        return None
    return None if moment is None else (at - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds()


class NoAnswer(Failures):
    """Errors for a request that got no answer."""

    @override
    def no_address(self, text: str) -> FatalAPIError:
        return UnreachableError(f"{self.host} is not a valid address. Check api_url and export_status_url")

    @override
    def redirected(self, said: str) -> FatalAPIError:
        return FatalAPIError(f"{self.host} {said}")

    @override
    def unreachable(self, msg: str) -> FatalAPIError:
        return UnreachableError(msg)
