"""Starts of the command by tests: as any program, or as a child of a process that has loaded it already (`support.forking`).

The second takes a fifth of the time. A run that sets what Python reads when it starts is started as any program, and so is every run of
the tests if `REAL_STARTS=1`, outside Linux, and when coverage is measured.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from typing import IO, TYPE_CHECKING, Final, Self

from support import forking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_READ_ONCE: Final = ("COVERAGE_", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "SINGER_SDK_")
"""Beginnings of the variables that Python, and what it loads, read only at the start."""
_WARNINGS: Final = "PYTHONWARNINGS"
"""The one of them that all runs set."""

IS_ABLE: Final = sys.platform == "linux" and os.environ.get("REAL_STARTS", "") in {"", "0"}
"""True if runs may be forked."""


class Forked:
    """A run by a fork. It has the face of `subprocess.Popen` with pipes for text, as far as tests use it."""

    def __init__(self, server: socket.socket, line: list[str], folder: Path, env: Mapping[str, str]) -> None:
        self.args = line
        self.returncode: int | None = None
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        self.stdout: IO[str] | None = open(out, encoding="utf-8")  # noqa: PTH123, SIM115 (a pipe, closed by `__exit__`)
        self.stderr: IO[str] | None = open(err, encoding="utf-8")  # noqa: PTH123, SIM115
        self._reports, reports = socket.socketpair(type=socket.SOCK_SEQPACKET)
        nothing = os.open(os.devnull, os.O_RDONLY)
        request = json.dumps({"arguments": line, "cwd": str(folder), "env": dict(env)}).encode()
        try:
            socket.send_fds(server, [request], [nothing, to_out, to_err, reports.fileno()])
        finally:
            reports.close()
            for number in (nothing, to_out, to_err):
                os.close(number)
        self.pid = int(self._reports.recv(64))

    def poll(self) -> int | None:
        """The exit code, if the run has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when the run has ended."""
        if self.returncode is None:
            ended = select.poll()  # (`select.select` knows the first thousand files alone)
            ended.register(self._reports, select.POLLIN)
            if not ended.poll(None if timeout is None else 1000 * timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._reports.recv(64))
            self._reports.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What the run writes until it ends, except to a pipe that has been closed."""
        until = None if timeout is None else time.monotonic() + timeout
        read = ["", ""]

        def to_its_end(place: int, pipe: IO[str]) -> None:
            read[place] = pipe.read()

        readers = [
            threading.Thread(target=to_its_end, args=(place, pipe), daemon=True)
            for place, pipe in enumerate((self.stdout, self.stderr))
            if pipe is not None and not pipe.closed
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(_left(until))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(_left(until))
        return read[0], read[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the run has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        self.wait()


Started = subprocess.Popen[str] | Forked
"""A run that goes on."""


class _Server:
    """The process that runs are forked from."""

    def __init__(self, env: Mapping[str, str], *, is_hurried: bool) -> None:
        self._end, end = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with end:
            # (Pipes, as those of a run: Python keeps in mind what kind of file it writes to.)
            self._process = subprocess.Popen(
                [sys.executable, "-P", forking.__file__, str(end.fileno()), *(["hurried"] if is_hurried else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[end.fileno()],
                env=env,
            )
        atexit.register(self.stop)

    def start(self, line: list[str], folder: Path, env: Mapping[str, str]) -> Forked:
        """Start a run."""
        try:
            return Forked(self._end, line, folder, env)
        except (OSError, ValueError) as error:
            said = self.stop()
            msg = f"the process that runs are forked from has ended: {said}"
            raise RuntimeError(msg) from error

    def stop(self) -> str:
        """End it.

        Returns:
            What it wrote to stderr.
        """
        self._end.close()
        return self._process.communicate()[1].decode()


_LOCK = threading.Lock()


@cache
def _server(warnings: str, *, is_hurried: bool) -> _Server:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return _Server(kept | {_WARNINGS: warnings}, is_hurried=is_hurried)


def start(line: list[str], folder: Path, env: Mapping[str, str], *, is_hurried: bool = False) -> Started:
    """Start the command, and go on.

    Args:
        line: The command line.
        folder: The folder that it runs in.
        env: Its environment, all of it.
        is_hurried: Whether its waits may take a tenth of their time, if it is forked.
    """
    is_plain = [name for name in env if name.startswith(_READ_ONCE)] == [_WARNINGS]
    if IS_ABLE and is_plain and sum(map(len, [*line, *env, *env.values()])) < forking.LONGEST / 4:
        with _LOCK:
            server = _server(env[_WARNINGS], is_hurried=is_hurried)
        return server.start(line, folder, env)
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=env, text=True, encoding="utf-8"
    )


def run(
    line: list[str], folder: Path, env: Mapping[str, str], *, is_hurried: bool = False, timeout: float
) -> tuple[int, str, str]:
    """Run the command to its end: its exit code, and what it wrote to stdout and to stderr."""
    with start(line, folder, env, is_hurried=is_hurried) as process:
        try:
            out, log = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
        return process.wait(), out, log


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())
