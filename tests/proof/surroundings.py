"""What is between the tap and Lexer, for tests: names, certificates, proxies."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_lexer_activity.sandbox import Sandbox

HOST = "127.0.0.1"
Config = dict[str, Any]
Environment = dict[str, str]


class Gate(ThreadingTCPServer):
    """Passes on what arrives: to a port, under TLS if it has a certificate, or as a proxy to where `CONNECT` says."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int | None = None, tls: ssl.SSLContext | None = None, refusal: bytes = b"") -> None:
        super().__init__((HOST, 0), Passage)
        self.port, self.tls, self.refusal = port, tls, refusal
        self.passed = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that a client hangs up is what some tests are about."""


class Passage(BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        near: socket.socket = self.request
        if self.server.tls is not None:
            near = self.server.tls.wrap_socket(near, server_side=True)
        with near:
            if port := self.server.port or self._asked_for(near):
                self.server.passed += 1
                with socket.create_connection((HOST, port)) as far:
                    exchange(near, far)

    def _asked_for(self, near: socket.socket) -> int | None:
        """The port that a client asks a proxy for."""
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += near.recv(4096)
        near.sendall(self.server.refusal or b"HTTP/1.1 200 Connection established\r\n\r\n")
        return None if self.server.refusal else int(asked.split()[1].rpartition(b":")[2])


def exchange(near: socket.socket, far: socket.socket) -> None:
    """Pass on what comes from either side, until one hangs up."""
    other = {near: far, far: near}
    while True:
        unread = [near] if isinstance(near, ssl.SSLSocket) and near.pending() else []
        for source in unread or select.select([near, far], [], [])[0]:
            if not (data := source.recv(1 << 16)):
                return
            other[source].sendall(data)


@contextmanager
def surroundings(name: str, sandbox: Sandbox, folder: Path) -> Iterator[tuple[Config, Environment]]:
    """Settings and environment variables that put something between the tap and the sandbox.

    Args:
        name: What.
        sandbox: The Lexer behind it.
        folder: For certificates.
    """
    authority = trustme.CA()
    mark = folder / "authority.pem"
    authority.cert_pem.write_to_path(mark)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if name == "self_signed_certificate":
        own = folder / "own.pem"
        authority.private_key_pem.write_to_path(own)
        authority.cert_pem.write_to_path(own, append=True)
        tls.load_cert_chain(own)
    else:
        authority.issue_cert("lexer.example" if name == "other_certificate" else HOST).configure_cert(tls)
    port = urlsplit(sandbox.origin).port
    refusal = (
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n" if name == "proxy_refuses" else b""
    )
    with Gate(port, tls) as gate, Gate(refusal=refusal) as proxy:
        address = {"unknown_host": "lexer.invalid", "nobody_listens": f"{HOST}:9"}.get(name, gate.address)
        config = {
            setting: url.replace(sandbox.origin, f"https://{address}")
            for setting, url in (("api_url", sandbox.api_url), ("export_status_url", sandbox.export_status_url))
        }
        env = {"SSL_CERT_FILE" if name == "authority_of_ones_own" else "REQUESTS_CA_BUNDLE": str(mark)}
        if name == "self_signed_certificate":
            env = {}
        if name.startswith("proxy"):
            env["HTTPS_PROXY"] = f"http://{HOST}:9" if name == "proxy_gone" else f"http://{proxy.address}"
        yield config, env
        if name == "proxy":
            assert proxy.passed, "not past it"
        gate.shutdown()
        proxy.shutdown()
