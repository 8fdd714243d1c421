"""Fetching the file of an export from the file host, which never sees the token."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override
from urllib3.exceptions import HTTPError

from tap_lexer_activity.errors import (
    LinkExpiredError,
    QuotaExceededError,
    UnavailableError,
    UnexpectedAnswerError,
)
from tap_lexer_activity.http.retry import is_transient, retry_after
from tap_lexer_activity.http.transport import TimedSession
from tap_lexer_activity.settings.checks import is_this_machine

if TYPE_CHECKING:
    from tap_lexer_activity.lexer.client import LexerClient

DOWNLOADS: Final = 3
"""Times that a file is fetched before it counts as cut off for good."""
_LONGEST_ERROR: Final = 1 << 14
_LINK_REFUSED: Final = re.compile(
    rb"expired|access ?denied|invalid ?(?:token|signature)|signature ?does ?not ?match|authentication ?failed",
    re.IGNORECASE,
)
"""What the file hosts of the large clouds say of a link that is too old."""
_NOT_ASKED_FOR: Final = frozenset({"br", "compress", "deflate", "zstd"})


class _UnencryptedError(requests.exceptions.RequestException):
    """A file that anyone on the way could read. Its text is the host."""


def _check_encrypted(url: str) -> None:
    """Refuse `http://` but to this machine: customers' words are in the file."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
        raise _UnencryptedError(parts.hostname)


class _DownloadSession(TimedSession):
    """A session that sends no host a password of the machine's `.netrc`, and follows redirects without one."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request

    @override
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Add nothing, and follow it only if it is safe."""
        _check_encrypted(prepared_request.url or "")


def _download_session(client: LexerClient) -> requests.Session:
    """A session that has never seen the token. Requests to the API's own hosts count against the quota all the same."""
    session = _DownloadSession()
    client.throttle(session)
    session.headers["Accept-Encoding"] = "gzip, identity"
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    return session


def _verdict(response: requests.Response, what: str, host: str) -> None:
    """Raise what an error status of the file host means. Its body is not quoted: file hosts repeat signed links there."""
    status = response.status_code
    if status == HTTPStatus.OK:
        if (packed := response.headers.get("Content-Encoding", "").lower()) in _NOT_ASKED_FOR:
            msg = f"{what}: the file host {host} sends the file packed as {packed}, which was not asked for"
            raise UnexpectedAnswerError(msg)
        return
    said = f"{what}: the file host {host} answers {status}"
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE} or _refuses_the_link(response):
        raise LinkExpiredError(said)
    wait = retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC)) or 0.0
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise QuotaExceededError(said, wait)
    if is_transient(status):
        raise UnavailableError(said, wait)
    raise FatalAPIError(said)


def _refuses_the_link(response: requests.Response) -> bool:
    """Whether an error that might be about anything is about the link: S3 answers 400 where the key that signed it has expired."""
    if response.status_code not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        return False
    try:
        body = response.raw.read(_LONGEST_ERROR, decode_content=True)
    except (HTTPError, OSError):
        return False
    return _LINK_REFUSED.search(body) is not None
