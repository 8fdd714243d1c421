"""Fetching the file of an export from the file host, which never sees the token."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import IO, Final
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override
from urllib3.exceptions import HTTPError

from tap_lexer_activity import turns
from tap_lexer_activity.errors import (
    LinkExpiredError,
    NoRoomError,
    QuotaExceededError,
    TruncatedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from tap_lexer_activity.http.reasons import Failures
from tap_lexer_activity.http.retry import FileWaits, is_transient, retry_after
from tap_lexer_activity.lexer.client import TRIES, LexerClient
from tap_lexer_activity.lexer.decode import spooled
from tap_lexer_activity.settings.checks import is_this_machine
from tap_lexer_activity.settings.settings import Settings

DOWNLOADS: Final = 3
"""Times that a file is fetched before it counts as cut off for good."""
_LONGEST_ERROR: Final = 1 << 14
_LINK_REFUSED: Final = re.compile(
    rb"expired|access ?denied|invalid ?(?:token|signature)|signature ?does ?not ?match|authentication ?failed",
    re.IGNORECASE,
)
"""Words of the large clouds' file hosts for a link that has expired."""
_NOT_ASKED_FOR: Final = frozenset({"br", "compress", "deflate", "zstd"})


class Downloader:
    """Fetches files. Requests to the API's own hosts count against the quota, here, too."""

    def __init__(self, client: LexerClient, settings: Settings, logger: logging.Logger) -> None:
        self._settings = settings
        self._logger = logger
        self._quote = client.quote
        headers = {"Accept-Encoding": "gzip, identity"}
        self._http = client.http.without_token(headers=headers, check_redirect=_check_encrypted, logger=logger)

    def fetch(self, url: str, what: str, *, free_room: Callable[[], bool] = lambda: False) -> IO[bytes]:
        """The file behind a link, whole, decompressed and in UTF-8, in a temporary file that has no name.

        The link is a secret: whoever has it can read the file. If there is no room for the file, `free_room` makes some, and says whether it
        could.

        Raises:
            LinkExpiredError: If the file host refuses the link.
            TruncatedError: If the file comes cut off every time.
            RetriableAPIError: If the tries are used up.
            UnexpectedAnswerError: If the link is no address, or if the file is packed, encoded or begun in a way that can't be read.
            FatalAPIError: For every other status, and if the file can't be kept on this machine.
        """
        try:
            return self._fetch(url, what)
        except NoRoomError:
            if not free_room():
                raise
        return self._fetch(url, what)

    def _fetch(self, url: str, what: str) -> IO[bytes]:
        waits = FileWaits(TRIES, DOWNLOADS, longest=self._settings.export_timeout)
        try:
            return self._http.retry(lambda: self._fetch_once(url, what), waits)
        except TruncatedError as error:
            msg = (
                f"{error}, {DOWNLOADS} times. The next run starts this export again. "
                "If it fails each time, lower export_window_days"
            )
            raise TruncatedError(msg) from error

    def _say(self, said: str) -> None:
        turns.in_turn(partial(self._logger.warning, "%s", said))

    def _fetch_once(self, url: str, what: str) -> IO[bytes]:
        host = host_of(url, what)
        timeout, encoding = self._settings.request_timeout, self._settings.export_encoding
        failures = _FileFailures(what, host, timeout=timeout, quote=self._quote)
        try:
            _check_encrypted(url)
            with self._http.open("GET", url, failures) as response:
                _check_status(response, what, host)
                return spooled(response, what, timeout, encoding, say=self._say)
        except _UnencryptedError as error:
            msg = f"{what}: the file would come unencrypted, by http:// from {error} (the link is not shown) [see: file-unencrypted]"
            raise FatalAPIError(msg) from None


class _FileFailures(Failures):
    """Errors for a download that did not begin. They show no link."""

    def __init__(self, what: str, host: str, *, timeout: int, quote: Callable[[str], str]) -> None:
        super().__init__(f"{what}: no download [see: file-host-unreachable]: ", host, timeout=timeout, quote=quote)
        self._export = what

    @override
    def no_address(self, text: str) -> UnexpectedAnswerError:
        return UnexpectedAnswerError(
            f"{self._export}: the file host {self.host} has an invalid address, or redirects to one (not shown) [see: file-address]"
        )

    @override
    def redirected(self, said: str) -> RetriableAPIError:
        # (In a circle, that is: any other redirect is followed, or refused by `_check_encrypted`.)
        return RetriableAPIError(f"{self.prefix}the host redirects in a circle ({self.host}) [see: file-address]")


class _UnencryptedError(Exception):
    """A file that anyone on the way could read. Its text is the host."""


def _check_encrypted(url: str) -> None:
    """Refuse `http://` but to this machine: customers' words are in the file."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
        raise _UnencryptedError(parts.hostname)


def host_of(url: str, what: str) -> str:
    """The host that a link leads to.

    Raises:
        UnexpectedAnswerError: If it is no address of the web.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f"{what}: Lexer's link to the file is not a valid address (not shown) [see: file-address]"
        raise UnexpectedAnswerError(msg)
    return parts.hostname


def _check_status(response: requests.Response, what: str, host: str) -> None:
    """Raise what an error status of the file host means. Its body is not quoted: file hosts repeat signed links there."""
    status = response.status_code
    if status == HTTPStatus.OK:
        if (packed := response.headers.get("Content-Encoding", "").lower()) in _NOT_ASKED_FOR:
            msg = f"{what}: the file host {host} sends the file compressed as {packed}, which was not asked for [see: file-packed]"
            raise UnexpectedAnswerError(msg)
        return
    said = f"{what}: the file host {host} answers {status} [see: file-host-refuses]"
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE} or _refuses_the_link(response):
        raise LinkExpiredError(said)
    wait = retry_after(response.headers.get("Retry-After")) or 0.0
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise QuotaExceededError(said, wait)
    if is_transient(status):
        raise UnavailableError(said, wait)
    raise FatalAPIError(said)


def _refuses_the_link(response: requests.Response) -> bool:
    """True if an error that might be about anything is about the link: S3 answers 400 where the key that signed it has expired."""
    if response.status_code not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        return False
    try:
        body = response.raw.read(_LONGEST_ERROR, decode_content=True)
    except (HTTPError, OSError):
        return False
    return _LINK_REFUSED.search(body) is not None
