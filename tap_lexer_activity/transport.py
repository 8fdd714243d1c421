"""HTTP whose timeout is for an answer, and not for each byte of it.

A socket's own timeout begins anew with each byte that arrives. So a host that sends a byte now and then could hold a run for days.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any, Final

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

PIECE: Final = 1 << 18
"""Bytes of an answer that have to come within the timeout: so many, and so many again, or the end."""


class _Timed(io.RawIOBase):
    """The bytes that a socket receives, as long as they come in time."""

    def __init__(self, source: io.RawIOBase, connection: socket.socket) -> None:
        self._source = source
        self._connection = connection
        self._seconds = connection.gettimeout()
        self._begin_a_piece()

    def _begin_a_piece(self) -> None:
        self._missing = PIECE
        self._begun = time.monotonic()

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
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


class _TimedResponse(http.client.HTTPResponse):
    """A response that is read from the socket in time, its headers included."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse


class _TimedTlsConnection(HTTPSConnection):
    response_class = _TimedResponse


_CONNECTIONS: Final[dict[str, type[_TimedConnection | _TimedTlsConnection]]] = {
    "http": _TimedConnection,
    "https": _TimedTlsConnection,
}


class TimedAdapter(HTTPAdapter):
    """A transport that gives a host the timeout for each `PIECE` of an answer, and no longer."""

    @override
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if isinstance(pool, HTTPConnectionPool):
            pool.ConnectionCls = _CONNECTIONS[pool.scheme]
        return pool
