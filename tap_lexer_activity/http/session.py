"""Sessions: the token goes to Lexer's own hosts only, and each request to them counts against the quota."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from typing_extensions import override

from tap_lexer_activity.http.transport import TimedAdapter, TimedSession

if TYPE_CHECKING:
    from tap_lexer_activity.http.limiter import Limiter


TOKEN_HEADER: Final = "Auth-Api-Token"  # noqa: S105 (a header's name)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL: what a token belongs to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class _RedirectError(requests.exceptions.RequestException):
    """A redirect that is not followed."""


class _TokenAuth(AuthBase):
    """Puts the token on requests to the given origins, and on no others."""

    def __init__(self, token: str, origins: frozenset[tuple[str, str, int]]) -> None:
        self._token = token
        self._origins = origins

    @override
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.knows(r.url or ""):
            r.headers[TOKEN_HEADER] = self._token
        return r

    def knows(self, url: str) -> bool:
        """Whether a URL is on one of the origins."""
        return origin(url) in self._origins


class _Session(TimedSession):
    """A session that follows redirects within Lexer's own hosts only.

    requests itself carries a custom header to any host. And what another host answers is not Lexer's data.
    """

    def __init__(self, auth: _TokenAuth) -> None:
        super().__init__()
        self.auth = auth

    @override
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        url = prepared_request.url or ""
        if not cast("_TokenAuth", self.auth).knows(url):
            msg = f"redirects to another host, {urlsplit(url).hostname}"
            raise _RedirectError(msg)
        if prepared_request.method != response.request.method:
            msg = f"redirects a {response.request.method} with {response.status_code}, which drops what was asked for"
            raise _RedirectError(msg)


class _ThrottledAdapter(TimedAdapter):
    """A transport that takes a place in the quota for each request it sends to the given origins."""

    def __init__(self, limiter: Limiter, origins: frozenset[tuple[str, str, int]]) -> None:
        super().__init__(max_retries=0)
        self._limiter = limiter
        self._origins = origins

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        # (By origin, and not by how a URL begins: that may have a port or a name in it that changes nothing.)
        with self._limiter.call() if origin(request.url or "") in self._origins else nullcontext():
            return super().send(request, *args, **kwargs)
