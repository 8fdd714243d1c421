"""Python programs that end, or fork, in the middle of a read: no thread, no request and no lock is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from test_fronts import QUICK, config

from tap_lexer_activity import Lexer

if TYPE_CHECKING:
    from support.types import NewSandbox


@pytest.mark.parametrize(
    ("fault", "target", "value"),
    [
        ("rate_limited", "summary", 300),
        ("server_error", "summary", 503),
        ("server_error", "download", 503),
        ("slow_loris", "download", 0.05),
        ("export_slow", None, None),
    ],
)
def test_a_program_that_reads_no_more_leaves_no_thread_and_sends_nothing(
    new_sandbox: NewSandbox, fault: str, target: str | None, value: Any
) -> None:
    sandbox = new_sandbox(**QUICK)
    sandbox.fault(fault, target, times=None, value=value)
    lexer = Lexer(config(sandbox, start_date="2026-04-01", concurrency=16))
    reading = lexer.read_all("users", "summary", "case_details", "mention_sla_export")
    assert len(list(islice(reading, 3))) == 3
    deadline = time.monotonic() + 20
    while not any(request.body for request in list(sandbox.requests)) and time.monotonic() < deadline:
        time.sleep(0.01)
    del reading
    while _threads_ahead() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _threads_ahead()
    sent = len(sandbox.requests)
    time.sleep(1.5)
    assert len(sandbox.requests) <= sent + 1, "one may have been on its way"


def _threads_ahead() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead-")]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_machine_that_allows_few_threads_gives_the_same_rows(
    new_sandbox: NewSandbox, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    given = config(new_sandbox(**QUICK), concurrency=16)
    streams = "users", "summary", "case_details", "mention_sla_export"
    expected = list(Lexer(given).read_all(*streams))
    start = threading.Thread.start

    def start_few(thread: threading.Thread) -> None:
        if thread.name.startswith("ahead-") and len(_threads_ahead()) >= most:
            msg = "can't start new thread"
            raise RuntimeError(msg)
        start(thread)

    while _threads_ahead():
        time.sleep(0.01)
    monkeypatch.setattr(threading.Thread, "start", start_few)
    assert list(Lexer(given).read_all(*streams)) == expected


ENDS_EARLY = """
import json, sys, time
from itertools import islice
from tap_lexer_activity import Lexer

reading = Lexer(json.loads(sys.argv[1])).read_all("users", "summary", "user_volume", "case_details")
print(len(list(islice(reading, 10))))
time.sleep(float(sys.argv[2]))
"""


def test_a_program_that_ends_in_the_middle_of_a_read_does_not_crash(new_sandbox: NewSandbox) -> None:
    sandbox = new_sandbox(**QUICK)
    given = json.dumps(config(sandbox, start_date="2026-03-01", concurrency=16))
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", ENDS_EARLY, given, str(number / 100)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for number in range(8)
    ]
    found = [(program.communicate(timeout=120), program.returncode) for program in programs]
    assert found == [((b"10\n", b""), 0)] * 8


FORKS = """
import json, os, sys, time, warnings
from tap_lexer_activity import Lexer, LexerError

warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
config = json.loads(sys.argv[1])
reading = Lexer(config).read_all("users", "summary", "user_volume", "case_details")
children, rows = set(), 0
for number, _ in enumerate(reading):
    rows += 1
    if number % 5 == 4 and len(children) < 16:
        if (child := os.fork()) == 0:
            if len(children) % 2:
                sys.exit(10 + (len(list(Lexer(config).read("users"))) > 0))
            try:
                list(reading)
            except LexerError as error:
                sys.exit(10 + ("was begun before the process was forked" in str(error)))
            sys.exit(12)
        children.add(child)
deadline, codes = time.monotonic() + 20, []
while children and time.monotonic() < deadline:
    for child in tuple(children):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            children.remove(child)
            codes.append(os.waitstatus_to_exitcode(status))
    time.sleep(0.05)
for child in children:
    os.kill(child, 9)
print(rows, set(codes), len(children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")
def test_a_program_may_fork_in_the_middle_of_a_read(new_sandbox: NewSandbox) -> None:
    """A child may read anew, and is not in the way of its parent. What was begun before can't go on in it."""
    sandbox = new_sandbox(**QUICK)
    sandbox.fault("timeout", "summary", times=None, value=0.05)
    given = config(sandbox, start_date="2026-04-01", concurrency=16)
    rows = sum(1 for _ in Lexer(given).read_all("users", "summary", "user_volume", "case_details"))
    program = [sys.executable, "-c", FORKS, json.dumps(given)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{rows} {{11}} 0\n", "")
