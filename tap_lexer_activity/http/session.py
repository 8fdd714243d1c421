"""One door for HTTP: each request of the API and of the file host goes through an `HttpClient`.

The token goes to Lexer's own hosts only, and each request to them counts against the quota: retries, polls and redirects, too.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

import requests
from typing_extensions import override

from tap_lexer_activity import turns
from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.http.reasons import Failures, RefusedRedirectError
from tap_lexer_activity.http.retry import NextWait, retry
from tap_lexer_activity.http.transport import TimedAdapter, TimedSession

TOKEN_HEADER: Final = "Auth-Api-Token"  # noqa: S105 (a header's name)

MOST_CONNECTIONS: Final = 16
"""Connections to one host that are kept open, for as many threads."""

Origin: TypeAlias = tuple[str, str, int]
_Result = TypeVar("_Result")


def origin(url: str) -> Origin:
    """Scheme, host and port of a URL: what a token belongs to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class HttpClient:
    """Sends requests, within the quota, and makes our own errors of all that the libraries raise."""

    def __init__(  # noqa: PLR0913 (what it works with)
        self,
        new_session: Callable[[], requests.Session],
        adapter: ThrottledAdapter,
        logger: logging.Logger,
        *,
        timeout: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Each thread has a session of its own, with the token or without it. All share the adapter, and its connections."""
        self._new_session = new_session
        self._here = threading.local()
        self._adapter = adapter
        self._logger = logger
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        _silence_urllib3()

    @property
    def _session(self) -> requests.Session:
        """This thread's session: requests does not promise that threads can share one."""
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is None:
            session = self._here.session = self._new_session()
            self.throttle(session)
            # requests itself reads REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, which come first.
            session.verify = os.environ.get("SSL_CERT_FILE") or True
        return session

    def throttle(self, session: requests.Session) -> None:
        """Make the requests of a session count against the quota: those to Lexer's own hosts."""
        session.mount("https://", self._adapter)
        session.mount("http://", self._adapter)

    def without_token(
        self, *, headers: Mapping[str, str], check_redirect: Callable[[str], None], logger: logging.Logger
    ) -> HttpClient:
        """A client for any other host, with the same quota, timeout and clock. `check_redirect` raises if a URL is not to be followed."""

        def new_session() -> requests.Session:
            session = SessionWithoutToken(check_redirect)
            session.headers.update(headers)
            return session

        return HttpClient(
            new_session, self._adapter, logger, timeout=self._timeout, clock=self._clock, sleep=self._sleep
        )

    @contextmanager
    def open(self, method: str, url: str, failures: Failures, **content: Any) -> Iterator[requests.Response]:
        """Send a request once, with the `params` or `json` of `content`, and give its answer for a block, which reads its body.

        Raises:
            FatalAPIError, RetriableAPIError: As `failures` says, where no answer comes, or where it breaks off in the block.
            RequestsSpentError: If `max_requests` is used up.
        """
        try:
            with self._session.request(method, url, timeout=self._timeout, stream=True, **content) as response:
                yield response
        except (ValueError, OSError) as error:
            raise failures.error_for(error) from None
        finally:
            self._adapter.slots.give_back()

    def retry(self, attempt: Callable[[], _Result], next_wait: NextWait) -> _Result:
        """The result of the first try that does not raise a `RetriableAPIError`, or that error of the last one."""
        return retry(attempt, next_wait, logger=self._logger, clock=self._clock, sleep=self._sleep)


class Slots:
    """So many requests under way at once, over all threads. One that is asked in its turn goes before those ahead of theirs."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._in_turn = 0
        self._changed = threading.Condition()
        self._here = threading.local()

    def take(self) -> None:
        """Wait for a slot, unless this thread has one."""
        if getattr(self._here, "has_one", False):
            return
        is_in_turn = not turns.is_ahead()
        with self._changed:
            self._in_turn += is_in_turn
            try:
                while not self._free or (self._in_turn and not is_in_turn):
                    self._changed.wait()
            finally:
                self._in_turn -= is_in_turn
            self._free -= 1
        self._here.has_one = True

    def give_back(self) -> None:
        """Free this thread's slot, if it has one."""
        if getattr(self._here, "has_one", False):
            self._here.has_one = False
            with self._changed:
                self._free += 1
                self._changed.notify_all()


class ThrottledAdapter(TimedAdapter):
    """A transport that takes a place in the quota for each request it sends to the given origins.

    Its slots bound how many requests are under way, to whatever host.
    """

    def __init__(self, limiter: Limiter, origins: frozenset[Origin], *, slots: Slots | None = None) -> None:
        self.slots = slots or Slots(1)
        super().__init__(max_retries=0, pool_maxsize=MOST_CONNECTIONS)
        self._limiter = limiter
        self._origins = origins

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        turns.check_needed()
        # (By origin, and not by how a URL begins: that may have a port or a name in it that changes nothing.)
        with self._limiter.call() if origin(request.url or "") in self._origins else nullcontext():
            self.slots.take()  # behind the wait for the quota: one that waits is not under way
            turns.check_needed()
            return super().send(request, *args, **kwargs)


class SessionWithToken(TimedSession):
    """A session that puts the token on requests to the given origins, and follows redirects within them only.

    requests itself carries a custom header to any host. And what another host answers is not Lexer's data.
    """

    def __init__(self, token: str, origins: frozenset[Origin]) -> None:
        super().__init__()
        self._origins = origins
        self._token = token
        self.auth = self._with_token

    def _with_token(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if origin(request.url or "") in self._origins:
            request.headers[TOKEN_HEADER] = self._token
        return request

    @override
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        url = prepared_request.url or ""
        if origin(url) not in self._origins:
            msg = f"redirects to another host, {urlsplit(url).hostname}"
            raise RefusedRedirectError(msg)
        if prepared_request.method != response.request.method:
            msg = f"redirects a {response.request.method} with {response.status_code}, which drops the request's body"
            raise RefusedRedirectError(msg)


class SessionWithoutToken(TimedSession):
    """A session that has never seen the token, sends no host a password of the machine's `.netrc`, and checks each redirect."""

    def __init__(self, check_redirect: Callable[[str], None]) -> None:
        super().__init__()
        self._check_redirect = check_redirect
        self.auth = lambda request: request

    @override
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Add nothing, and follow it only if that is allowed."""
        self._check_redirect(prepared_request.url or "")


def _silence_urllib3() -> None:
    """Keep whole addresses out of the log, also those in warnings: report tokens and signed links are in their queries."""
    # A configuration of the log may have given the parts of urllib3 levels of their own.
    for name in [name for name in logging.root.manager.loggerDict if f"{name}.".startswith("urllib3.")]:
        logging.getLogger(name).setLevel(logging.ERROR)
