"""Standard output that takes a part of a write, or nothing for a while: every message arrives once, or the run says that it failed."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from conftest import ENVIRONMENT
from support.hosts import HEADER, Host, with_length

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Tap
    from support.types import CatalogOf

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]

BUFFERED = ("", "1")
"""Values of PYTHONUNBUFFERED."""
ROWS = 6000
SMALLEST_PIPE = 4096
LARGEST_READ = 1 << 18


@pytest.fixture
def host() -> Iterator[Host]:
    rows = b"".join(b"Acme,Email,2026-01-05 01:00:00,jo,message %d,closed\r\n" % number for number in range(ROWS))
    with Host(with_length(HEADER + rows)) as host:
        yield host


@pytest.fixture
def command(tap: Tap, host: Host, catalog_of: CatalogOf) -> list[str]:
    return tap.arguments(host.config(), catalog=catalog_of("mention_sla_export"))


def environment(unbuffered: str) -> dict[str, str]:
    return ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered}


def is_whole(output: bytes) -> bool:
    """True if every message of the run arrived, and each record once."""
    messages = [json.loads(line) for line in output.splitlines()]
    kinds = Counter(message["type"] for message in messages)
    ids = {message["record"]["record_id"] for message in messages if message["type"] == "RECORD"}
    return kinds["RECORD"] == len(ids) == ROWS and messages[-1]["type"] == "STATE" and output.endswith(b"\n")


def read_slowly(process: subprocess.Popen[bytes], chance: random.Random, *, interrupt: bool) -> bytes:
    """What a process writes, read in pieces and with pauses of random length, while it is stopped and told to go on now and then."""
    assert process.stdout is not None
    output = bytearray()
    while piece := os.read(process.stdout.fileno(), chance.randrange(1, LARGEST_READ)):
        output += piece
        if chance.random() < 0.1:
            time.sleep(chance.random() / 20)
        if interrupt and chance.random() < 0.2:
            process.send_signal(signal.SIGSTOP)
            time.sleep(chance.random() / 100)
            process.send_signal(signal.SIGCONT)
    process.wait()
    return bytes(output)


@pytest.mark.parametrize("unbuffered", BUFFERED)
@pytest.mark.parametrize("interrupt", [False, True])
@pytest.mark.parametrize("blocking", [True, False])
def test_every_message_arrives_at_a_slow_reader(
    command: list[str], unbuffered: str, *, interrupt: bool, blocking: bool
) -> None:
    source, sink = os.pipe()
    os.set_blocking(sink, blocking)  # as another process may do that has the same pipe
    with (
        os.fdopen(source, "rb") as output,
        subprocess.Popen(command, stdout=sink, stderr=subprocess.PIPE, env=environment(unbuffered)) as process,
    ):
        os.close(sink)
        process.stdout = output
        said = threading.Thread(target=process.stderr.read)  # type: ignore[union-attr]  # it is a pipe
        said.start()
        got = read_slowly(process, random.Random(1), interrupt=interrupt)  # noqa: S311 (no secret)
        said.join()
    assert process.returncode == 0
    assert is_whole(got)


@pytest.mark.parametrize("unbuffered", BUFFERED)
@pytest.mark.parametrize("options", [["--discover"], ["--about"], ["--about", "--format=json"], ["--help"]])
def test_a_list_arrives_whole_at_a_pipe_that_does_not_block(tap: Tap, unbuffered: str, options: list[str]) -> None:
    command = tap.arguments(None, *options)
    expected = subprocess.run(command, capture_output=True, check=True, env=environment(unbuffered)).stdout
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    with (
        os.fdopen(source, "rb") as output,
        subprocess.Popen(command, stdout=sink, stderr=subprocess.DEVNULL, env=environment(unbuffered)) as process,
    ):
        os.close(sink)
        time.sleep(2)  # what does not fit has to wait
        assert output.read() == expected
    assert process.returncode == 0


@pytest.mark.parametrize("unbuffered", BUFFERED)
@pytest.mark.parametrize("room", [1, 1_000_000])
def test_a_disk_that_fills_is_an_error(command: list[str], tmp_path: Path, unbuffered: str, room: int) -> None:
    # (A write that goes beyond the limit is cut short at it; the next one fails.)
    with (tmp_path / "output").open("wb") as output:
        run = subprocess.run(
            command,
            check=False,
            stdout=output,
            stderr=subprocess.PIPE,
            env=environment(unbuffered),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        )
    assert run.returncode == 1
    assert b"stdout can't be written (File too large)" in run.stderr
    assert b"Complete" not in run.stderr


@pytest.mark.parametrize("unbuffered", BUFFERED)
@pytest.mark.parametrize("options", [["--discover"], ["--about"], ["--help"], ["--version"]])
def test_a_list_that_does_not_fit_on_the_disk_is_an_error(tap: Tap, unbuffered: str, options: list[str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 (no file of a folder)
        run = subprocess.run(
            tap.arguments(None, *options), check=False, stdout=full, stderr=subprocess.PIPE, env=environment(unbuffered)
        )
    assert run.returncode == 1
    assert run.stderr.count(b"stdout can't be written (No space left on device)") == 1


def test_random_stops_signals_and_readers_lose_nothing_without_an_error(
    command: list[str], tmp_path: Path, *, is_long: bool
) -> None:
    ended = Counter[int]()
    for seed in range(200 if is_long else 6):
        chance = random.Random(seed)  # noqa: S311 (the same in each run)
        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                pipesize=chance.choice([SMALLEST_PIPE, 1 << 16]),
                env=environment(chance.choice(BUFFERED)),
            ) as process,
        ):
            if chance.random() < 0.4:
                number = chance.choice([signal.SIGTERM, signal.SIGINT])
                threading.Timer(0.5 + 2 * chance.random(), process.send_signal, [number]).start()
            got = read_slowly(process, chance, interrupt=chance.random() < 0.7)
        ended[process.returncode] += 1
        assert process.returncode != 0 or is_whole(got), f"seed {seed}"
        assert not got or got.endswith(b"\n"), f"seed {seed}: half a message, exit code {process.returncode}"
        if (
            process.returncode < 0
        ):  # before the tap has handlers of its own, or when the interpreter has taken them away
            assert not got or is_whole(got), f"seed {seed}: exit code {process.returncode}"
    assert ended[0]
    assert ended.keys() <= {0, 143, 130, -signal.SIGTERM, -signal.SIGINT}
