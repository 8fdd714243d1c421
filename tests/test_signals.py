"""What a second signal does, while a run ends because of the first."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conftest import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

    NewSandbox = Callable[..., Sandbox]
    CatalogOf = Callable[..., dict[str, Any]]


ROOM = 300
"""Bytes that the log takes while nobody reads it: one line of those that a run ends with, and not two."""


def test_a_second_signal_does_not_break_into_the_end_of_a_run(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox(quota=(10, 600))
    command = tap.arguments(sandbox.config(start_date="2026-03-20"), catalog=catalog_of("summary"))
    source, sink = os.pipe()
    with (
        os.fdopen(source, "rb") as log,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sink, env=ENVIRONMENT) as process,
    ):
        before = b""
        while b"waiting for the quota" not in before:
            before += os.read(source, 1 << 16)
        full = fcntl.fcntl(sink, fcntl.F_GETPIPE_SZ) - ROOM
        os.write(sink, b"\n" * full)
        os.close(sink)
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 30
        while not ignores(process.pid, signal.SIGTERM) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)  # when the end has begun, and has to wait for somebody to read what it says
        time.sleep(0.5)
        said = log.read().decode()
    assert process.returncode == 143
    assert said.endswith("Ended by SIGTERM. The next run goes on from the last state\n")
    assert "Traceback" not in said


def ignores(process: int, number: int) -> bool:
    """Whether a process has said that it does not want to hear of a signal any more."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    )
    return bool(int(fields["SigIgn"], 16) & 1 << number - 1)
