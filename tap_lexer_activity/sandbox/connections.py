"""The sandbox's web server: connections that stay open, and that it can end."""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from flask import Flask

HOST = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    """A connection that stays open (werkzeug's own ends after one answer), without an access log.

    A request finds in its environment, as `sandbox.idle`, the seconds since the last answer on the connection, or None.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    _answered: float | None = None
    """The time of the last answer on this connection, by the monotonic clock."""

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self.make_environ()
        environ["sandbox.idle"] = None if self._answered is None else time.monotonic() - self._answered
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
        else:
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        try:
            body, status, headers = run_wsgi_app(self.server.app, environ)
            code, _, reason = status.partition(" ")
            self.send_response(int(code), reason)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            for part in body:
                self.wfile.write(part)
            self._answered = time.monotonic()
        except ConnectionError:
            self.close_connection = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 the base class's name
        """Log nothing: the sandbox records its requests itself."""


class Server(ThreadedWSGIServer):
    """A server on a port of this machine, with one thread per connection."""

    def __init__(self, app: Flask, port: int) -> None:
        with socket.create_server((HOST, port)) as listener:
            super().__init__(HOST, port, app, _Handler, fd=listener.fileno())
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and remember it while it lasts."""
        self._connections[threading.current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._connections[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a connection that broke: clients may go when they like."""

    def close(self) -> None:
        """End everything, and wait until it has ended."""
        self.shutdown()
        self._thread.join()
        for thread, connection in list(self._connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)
