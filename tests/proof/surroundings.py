"""What is between the tap and Lexer, for tests: names, certificates, proxies."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import trustme
from typing_extensions import override

from tap_lexer_activity.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.1"
NOBODY = f"{HOST}:9"
"""Where nobody listens."""

Part = Literal["api_url", "export_status_url", "download_url"]


class Gate(ThreadingTCPServer):
    """Passes on what arrives: to a port, under TLS if it has a certificate, or as a proxy to where `CONNECT` says."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int | None = None, tls: ssl.SSLContext | None = None, refusal: bytes = b"") -> None:
        super().__init__((HOST, 0), Passage)
        self.port, self.tls, self.refusal = port, tls, refusal
        self.asked = self.passed = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that a client hangs up is what some tests are about."""


class Passage(BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        self.server.asked += 1
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


class SandboxBehind(Sandbox):
    """A sandbox whose links may lead to an address in front of its file host.

    Attributes:
        files_at: The origin of that address; None: the file host itself.
    """

    files_at: str | None = None

    @property
    @override
    def download_url(self) -> str:
        return self.files_at or super().download_url


@dataclass(frozen=True)
class Surroundings:
    """What is between the tap and the sandbox.

    Attributes:
        config: Settings that lead there.
        env: Environment variables, likewise.
        met: What the tap meets there first.
    """

    config: dict[str, Any]
    env: dict[str, str]
    met: Gate


@contextmanager
def surroundings(name: str, sandbox: SandboxBehind, part: Part, folder: Path) -> Iterator[Surroundings]:
    """Put something between the tap and the sandbox.

    Args:
        name: What.
        sandbox: The Lexer behind it.
        part: In front of what: the API, the status of exports, or the files.
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
    behind = urlsplit(getattr(sandbox, part))
    refusal = (
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n" if name == "proxy_refuses" else b""
    )
    with Gate(behind.port, tls) as gate, Gate(refusal=refusal) as proxy:
        address = {"unknown_host": "lexer.invalid", "nobody_listens": NOBODY}.get(name, gate.address)
        url = behind._replace(scheme="https", netloc=address).geturl()
        env = {"SSL_CERT_FILE" if name == "authority_of_ones_own" else "REQUESTS_CA_BUNDLE": str(mark)}
        if name == "self_signed_certificate":
            env = {}
        if name.startswith("proxy"):
            env["HTTPS_PROXY"] = f"http://{NOBODY}" if name == "proxy_gone" else f"http://{proxy.address}"
        is_files = part == "download_url"
        sandbox.files_at = url if is_files else None
        try:
            yield Surroundings({} if is_files else {part: url}, env, proxy if name.startswith("proxy") else gate)
        finally:
            sandbox.files_at = None
            gate.shutdown()
            proxy.shutdown()
