"""Signals before there is a tap, and while a run ends because of the first."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap
    from support.types import CatalogOf, NewSandbox


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
        assert waits_until(lambda: unread(source) > full)
        process.send_signal(signal.SIGINT)  # when the end has begun, and has to wait for somebody to read what it says
        time.sleep(0.5)
        said = log.read().decode()
    assert process.returncode == 143
    assert said.endswith("Ended by SIGTERM. The next run continues from the last state [see: ended-by-signal]\n")
    assert "Traceback" not in said


SMALLEST_PIPE = 4096


def test_a_third_signal_ends_a_run_whose_target_has_stopped_reading(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    command = tap.arguments(new_sandbox().config(start_date="2026-03-20"), catalog=catalog_of("classifications"))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=SMALLEST_PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        assert waits_until(lambda: unread(pipe) > 0)
        time.sleep(2)  # the pipe is full, and the tap is in the middle of a write
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 143


def test_a_signal_does_not_wait_for_a_block_of_rows_that_the_target_reads_slowly(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox(messages_per_day=300, export_seconds=0)
    config = sandbox.config(start_date="2026-04-01")
    assert_that_a_signal_ends_the_rows(tap.arguments(config, catalog=catalog_of("mention_sla_export")))


def assert_that_a_signal_ends_the_rows(line: list[str]) -> None:
    """A command whose rows nobody reads for a while writes few more after a signal, and each line whole."""
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=SMALLEST_PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        assert any(b'"RECORD"' in text for text in process.stdout)
        time.sleep(1)  # the pipe is full, and the command is in the middle of a write
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 143
    assert len(out) < 40_000, "what lay in two buffers and the pipe, and not the hundred thousand bytes of a block"
    assert out.endswith(b"\n")


STRUCK = """
import signal
from isal import isal_zlib as packer

begin = packer.compressobj


def struck(*how, **more):
    signal.raise_signal(signal.SIGTERM)
    return begin(*how, **more)


packer.compressobj = struck
"""


def test_a_signal_while_the_packing_of_a_batch_file_begins_ends_the_run(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STRUCK, encoding="utf-8")
    (batches := tmp_path / "batches").mkdir()
    config = new_sandbox(export_seconds=0).config(
        start_date="2026-04-01",
        batch_config={"encoding": {"format": "jsonl"}, "storage": {"root": batches.as_uri()}, "batch_size": 10},
    )
    run = tap.run(config, catalog=catalog_of("mention_sla_export"), env={"PYTHONPATH": str(tmp_path)}, timeout=30)
    assert run.code == 143, run.log
    assert "Traceback" not in run.log


STRUCK_WITHIN = """
import signal
from isal import isal_zlib as packer

begin = packer.compressobj


class Struck:
    def __init__(self, *how, **more):
        self.packer = begin(*how, **more)
        self.is_first = True

    def compress(self, data):
        packed = self.packer.compress(data)
        if self.is_first:
            self.is_first = False
            signal.raise_signal(signal.SIGTERM)
        return packed

    def flush(self):
        return self.packer.flush()


packer.compressobj = Struck
"""


@pytest.mark.parametrize("stream", ["mention_sla_export", "classifications"])
def test_a_signal_while_rows_are_packed_leaves_no_batch_file_broken(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, tmp_path: Path, stream: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STRUCK_WITHIN, encoding="utf-8")
    (batches := tmp_path / "batches").mkdir()
    config = new_sandbox(export_seconds=0, messages_per_day=400).config(start_date="2026-04-01")
    plain = tap.run(config, catalog=catalog_of(stream), timeout=30).records[stream]
    config["batch_config"] = {"encoding": {"format": "jsonl"}, "storage": {"root": batches.as_uri()}}
    run = tap.run(config, catalog=catalog_of(stream), env={"PYTHONPATH": str(tmp_path)}, timeout=30)
    assert run.code == 143, run.log
    files = [name for message in run.messages if message["type"] == "BATCH" for name in message["manifest"]]
    rows = [
        json.loads(line)
        for name in files
        for line in gzip.decompress(Path(name.removeprefix("file://")).read_bytes()).splitlines()
    ]
    assert rows == plain[: len(rows)] != []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_tap_is_loaded_is_no_reason_for_a_stack_trace(
    tap: Tap, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    loading = "import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    (tmp_path / "singer_sdk.py").write_text(loading, encoding="utf-8")
    with tap.start(None, env={"PYTHONPATH": str(tmp_path)}) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "loading\n"
        process.send_signal(number)
        assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == code


@pytest.mark.parametrize("option", ["--check", "--plan", "--doctor"])
def test_ctrl_c_before_there_are_settings_has_the_exit_code_of_any_other(tap: Tap, tmp_path: Path, option: str) -> None:
    config = tmp_path / "config"
    os.mkfifo(config)
    command = [*tap.arguments(None, option), "--config", str(config)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT) as process,
        config.open("w"),  # as soon as the tap reads it
    ):
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=10)
    assert (process.returncode, said) == (130, b"")


def waits_until(holds: Callable[[], bool]) -> bool:
    """True if something comes true within half a minute."""
    deadline = time.monotonic() + 30
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def unread(pipe: int) -> int:
    """Bytes that lie in a pipe."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, struct.pack("i", 0)))
    return int(count)
