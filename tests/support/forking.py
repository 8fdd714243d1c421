"""A process that has loaded the tap once, and becomes the command in a child for each run: loading takes most of a short run's time.

`support.starts` runs it as a script. It imports the tap and the standard library alone, as the command does. A child ends as any Python
does: it waits for its threads, calls what is registered with `atexit`, and flushes stdout.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

SPEED = 10
"""How many times as fast the clock of a hurried run is."""
LONGEST = 100_000
"""Bytes of a request, at most. Linux sends no message that is much longer."""


def next_run(requests: socket.socket) -> tuple[bytes, list[int]]:
    """Start a child for each run that is asked for, and report its exit code. Returns in the children alone.

    Returns:
        What the run is, and its stdin, stdout and stderr.
    """
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    report(*running.pop(key.fd))
                    continue
                request, handed, _, _ = socket.recv_fds(requests, LONGEST, 4)
                if not request:  # nobody is left who could ask
                    os._exit(0)
                if (pid := os.fork()) == 0:
                    return request, handed[:3]
                *standard, reports = handed
                for number in standard:
                    os.close(number)
                ended = os.pidfd_open(pid)
                running[ended] = pid, socket.socket(fileno=reports)
                selector.register(ended, selectors.EVENT_READ)
                with suppress(OSError):
                    running[ended][1].sendall(str(pid).encode())


def report(pid: int, reports: socket.socket) -> None:
    """Tell the exit code of a run that has ended, if somebody waits for it."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with reports, suppress(OSError):
        reports.sendall(str(code).encode())


def become(request: bytes, standard: list[int]) -> None:
    """Have the arguments, the environment, the folder and the files that this run would have if it was started anew."""
    for number, handed in enumerate(standard):
        os.dup2(handed, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    run = json.loads(request)
    chosen = {
        name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ
    }  # by Python, where there is no locale
    os.environ.clear()
    os.environ.update(chosen | run["env"])
    os.chdir(run["cwd"])
    time.tzset()
    tempfile.tempdir = None
    sys.argv = run["arguments"]


def hurry() -> None:
    """Have all waits take a tenth of their time, and the clock that they go by run as much faster.

    That is before the tap is loaded, which keeps these functions as defaults. The clock is the same for all hurried runs, as is the true
    one for all others: runs that share a quota compare its times.
    """
    sleep, monotonic, wait = time.sleep, time.monotonic, threading.Condition.wait

    def wait_less(self: threading.Condition, timeout: float | None = None) -> bool:
        return wait(self, None if timeout is None else timeout / SPEED)

    def sleep_less(seconds: float) -> None:
        sleep(seconds / SPEED)

    time.sleep = sleep_less  # type: ignore[assignment]  # the tap gives floats
    time.monotonic = lambda: monotonic() * SPEED
    threading.Condition.wait = wait_less  # type: ignore[method-assign]  # what the tap waits with for other threads

    from tap_lexer_activity.http import transport  # noqa: PLC0415 (not before time is changed)

    vars(transport)["time"] = SimpleNamespace(monotonic=monotonic)  # a host answers no sooner


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.executable).parent))  # where the command is
    if "hurried" in sys.argv:
        hurry()

    from tap_lexer_activity.__main__ import main
    from tap_lexer_activity.tap import TapLexerActivity  # noqa: F401 (what `main` loads)

    assert threading.active_count() == 1, "a child would have none of the other threads"
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.freeze()  # what is loaded is not looked through, and so stays shared
    become(*next_run(socket.socket(fileno=int(sys.argv[1]))))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
