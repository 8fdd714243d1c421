"""HTTP with a timeout for a whole answer, not for each byte, and with no answer to another request.

A socket's own timeout starts again with each byte. So a host that sends a byte now and then could hold a run for days.

And the standard library takes an interim answer, such as 103 (Early Hints), for the answer. The real one would then be read as that to
the next request of the connection, and so on: right numbers under wrong keys.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import time
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy
from typing_extensions import override
from urllib3 import HTTPConnectionPool
from urllib3.util import parse_url

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


PIECE: Final = 1 << 18
"""Bytes of an answer that have to come within one timeout."""
_MOST_INTERIM: Final = 20
"""Most interim answers before the real one."""
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class ProxyVariableError(requests.exceptions.RequestException):
    """A proxy of the environment that can't be used. The text names the variable, and not its value: a password may be in it."""


class ContradictionError(http.client.HTTPException):
    """An answer that names two lengths. The library's own error for it is a `ValueError`, as if an address were wrong."""


class _Timed(io.RawIOBase):
    """The bytes that a socket receives, as long as they come in time."""

    def __init__(self, source: io.RawIOBase, connection: socket.socket) -> None:
        self._source = source
        self._connection = connection
        self._seconds = connection.gettimeout()
        self.is_over = False
        self._begin_a_piece()

    def _begin_a_piece(self) -> None:
        self._missing = PIECE
        self._begun = time.monotonic()

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        if self.is_over:
            return 0
        if self._seconds is not None:
            left = self._begun + self._seconds - time.monotonic()
            if left <= 0:
                msg = "timed out"
                raise TimeoutError(msg)
            self._connection.settimeout(left)
        count = self._source.readinto(buffer)
        self._missing -= count or 0
        if self._missing <= 0:
            self._begin_a_piece()
        return count

    @override
    def close(self) -> None:
        self._source.close()
        super().close()


class _Answer(io.BufferedReader):
    """The bytes received for one request. If more came than the answer, the connection is not used again: the next answer would begin with them."""

    def __init__(self, source: _Timed, connection: socket.socket) -> None:
        super().__init__(source)
        self._source = source
        self._connection = connection

    @override
    def close(self) -> None:
        if not self.closed:
            self._source.is_over = True
            if self.peek(1):
                with suppress(OSError):  # of one that is closed already
                    self._connection.shutdown(socket.SHUT_RDWR)
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """A response that is read from the socket in time, its headers included, and that is the final one."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: io.BufferedReader = _Answer(_Timed(self.fp.detach(), sock), sock)

    def _read_status(self) -> tuple[str, int, str]:
        """The first line of the answer. The library's own passes over 100 alone, and over any number of them."""
        for _ in range(_MOST_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not among its published types
            if status >= HTTPStatus.OK:
                return version, status, reason
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                msg = "the host switches to another protocol, which the tap did not ask for"
                raise http.client.HTTPException(msg)
            http.client.parse_headers(self.fp)
        msg = "interim answers only"
        raise http.client.HTTPException(msg)

    @override
    def begin(self) -> None:
        super().begin()
        named = ",".join(self.headers.get_all("Content-Length", ()))
        if not self.chunked and len({length.strip() for length in named.split(",")}) > 1:
            raise ContradictionError(named)
        if self.status in _BODILESS:
            self.will_close = True  # a body that should not be there would not be read, and may come late


@cache
def _timed(kind: type[Any]) -> type[Any]:
    """A class of connections, also of those through a proxy, with responses that come in time."""
    if kind.response_class is _TimedResponse:
        return kind
    return type(f"Timed{kind.__name__}", (kind,), {"response_class": _TimedResponse})


class TimedAdapter(HTTPAdapter):
    """A transport that gives a host the timeout for each `PIECE` of an answer, and no longer."""

    @override
    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        if proxy := select_proxy(request.url or "", proxies):
            self._check_proxy(proxy, request.url or "")
        pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if isinstance(pool, HTTPConnectionPool):
            pool.ConnectionCls = _timed(pool.ConnectionCls)
        return pool

    def _check_proxy(self, proxy: str, url: str) -> None:
        """Refuse a proxy that can't be used, before the library does: its errors have the password in their text."""
        try:
            address = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]  # has no types
            urlsplit(proxy)  # which is stricter in some ways, and used by requests, too
            host = parse_url(address).host
            is_address = bool(host and host.encode("idna"))
            self.proxy_manager_for(address)
        except requests.exceptions.InvalidSchema:
            msg = f"{_variable(proxy, url)} names a SOCKS proxy: install the package PySocks beside the tap [see: proxy-socks]"
            raise ProxyVariableError(msg) from None
        except (TypeError, ValueError):
            is_address = False
        if not is_address:
            msg = (
                f"{_variable(proxy, url)} is not the address of a proxy (not shown). It should be like http://proxy.example:3128; "
                "in a name or password write %23 for #, %2F for / and %40 for @ [see: proxy-address]"
            )
            raise ProxyVariableError(msg)


def _variable(proxy: str, url: str) -> str:
    """The environment variable that a proxy comes from."""
    names = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    found = (each for name in names for each in (name, name.upper()) if os.environ.get(each) == proxy)
    return next(found, "the proxy of this machine's settings")


class TimedSession(requests.Session):
    """A session that reads nothing of a redirect but where it leads: its body could have any length, and requests keeps all of it."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        if resp.is_redirect:
            resp.close()
        return super().get_redirect_target(resp)
