"""Export jobs that are started, polled and fetched while other streams are read: the same messages, few files on disk, an end at once."""

from __future__ import annotations

import io
import itertools
import math
import re
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING, Any

import pytest
from conftest import ENVIRONMENT
from test_concurrency import table_at_the_end, told

from tap_lexer_activity import Lexer
from tap_lexer_activity.errors import NoRoomError
from tap_lexer_activity.lexer import download
from tap_lexer_activity.lexer.decode import spooled
from tap_lexer_activity.lexer.errands import FILES_AHEAD
from tap_lexer_activity.sandbox import connections

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Run, Tap
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

EXPORTS = ("case_details", "nps_submissions", "mention_sla_export")
START = {"start_date": "2026-04-20", "export_window_days": 6}
SMALLEST_PIPE = 4096


def kinds(sandbox: Sandbox) -> list[str]:
    """What each request was for."""
    return [
        request.origin if request.origin in {"status", "download"} else str((request.body or {}).get("type"))
        for request in list(sandbox.requests)
    ]


def test_everything_is_said_as_one_after_the_other(tap: Tap, new_sandbox: NewSandbox) -> None:
    sandbox = new_sandbox(export_seconds=0)
    runs = [tap.run(sandbox.config(**START, concurrency=many)) for many in (1, 4, 16)]
    assert [run.code for run in runs] == [0, 0, 0], runs[2].log
    assert all(runs[0].records[name] for name in EXPORTS)
    for run in runs[1:]:
        assert told(run) == told(runs[0])
        assert table_at_the_end(run) == table_at_the_end(runs[0]) != []


@pytest.mark.parametrize(
    ("fault", "target", "times"),
    [
        ("export_cut", "mention_sla_export", None),
        ("export_cut_silent", "mention_sla_export", 2),
        ("export_expired_link", "mention_sla_export", 1),
        ("server_error", "download", 1),
        ("not_found", "download", None),
        ("export_failed", "mention_sla_export", None),
        ("bad_request", "status", None),
        ("forbidden", "nps_submissions", None),
    ],
)
def test_an_error_of_a_job_is_met_in_its_turn(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, fault: str, target: str, times: int | None
) -> None:
    def run_of(many: int) -> Run:
        sandbox = new_sandbox(export_seconds=0)
        sandbox.fault(fault, target, times=times)
        return tap.run(
            sandbox.config(**START, concurrency=many, form_ids=[55], export_retries=1),
            catalog=catalog_of("users", "summary", *EXPORTS),
        )

    one, many = run_of(1), run_of(4)
    assert many.code == one.code == int(times is None), many.log
    assert without_seconds(told(many)) == without_seconds(told(one))


def without_seconds(lines: list[str]) -> list[str]:
    """Lines without the waits that are made longer at random."""
    return [re.sub(r"next try in \d+ s", "next try", line) for line in lines]


def test_jobs_are_polled_and_fetched_while_reports_are_read(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf
) -> None:
    sandbox = new_sandbox(export_seconds=0)
    sandbox.fault("timeout", "summary", times=None, value=0.5)
    run = tap.run(
        sandbox.config(start_date="2026-04-01", end_date="2026-04-30"), catalog=catalog_of("summary", "case_details")
    )
    assert run.code == 0, run.log
    asked = kinds(sandbox)
    assert asked.index("case_details") < asked.index("summary"), "jobs are started before all reports"
    assert asked.index("status") < asked.index("download") < len(asked) - 1 - asked[::-1].index("summary")


@pytest.mark.parametrize("concurrency", [1, 4])
def test_jobs_without_data_are_polled_until_that_is_known_and_the_next_ones_start(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, concurrency: int
) -> None:
    sandbox = new_sandbox(export_seconds=0, differences=["no_data_in_words"])
    sandbox.fault("timeout", "summary", times=None, value=0.25 * concurrency)
    config = {"start_date": "2020-01-01", "end_date": "2020-01-25", "export_window_days": 12}
    run = tap.run(sandbox.config(**config, concurrency=concurrency), catalog=catalog_of("summary", "case_details"))
    assert run.code == 0, run.log
    asked = kinds(sandbox)
    last_report = len(asked) - 1 - asked[::-1].index("summary")
    jobs = asked.count("case_details")
    assert jobs == 3
    for kind in ("case_details", "status"):
        assert asked.count(kind) == asked[:last_report].count(kind) == jobs
    assert run.log.count("Lexer says that there is no data") == 1


@pytest.mark.parametrize("concurrency", [2, 16])
def test_few_files_are_fetched_ahead_of_their_turn(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, concurrency: int
) -> None:
    sandbox = new_sandbox(export_seconds=0, messages_per_day=200)
    config = sandbox.config(start_date="2026-03-01", export_window_days=3, concurrency=concurrency)
    command = tap.arguments(config, catalog=catalog_of(*EXPORTS))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=SMALLEST_PIPE, env=ENVIRONMENT
    ) as process:
        ahead = min(FILES_AHEAD, concurrency - 1)
        deadline = time.monotonic() + 60
        while kinds(sandbox).count("download") < 1 + ahead and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2)
        found = kinds(sandbox)
        process.kill()
        process.communicate()
    assert found.count("download") == 1 + ahead, "the one that is read, and those ahead"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_while_files_come(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    sandbox = new_sandbox(export_seconds=0)
    sandbox.fault("timeout", "summary", times=None, value=60, after=3)
    sandbox.fault("slow_loris", "download", times=None, value=1)
    (folder := tmp_path / "temporary").mkdir()
    config = sandbox.config(start_date="2026-04-18", export_window_days=3, concurrency=16)
    catalog = catalog_of("summary", *EXPORTS)
    with tap.start(config, catalog=catalog, env={"TMPDIR": str(folder)}) as process:
        pass_until(lambda: "download" in kinds(sandbox) and kinds(sandbox).count("summary") == 13)
        begun = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=20)
        seconds = time.monotonic() - begun
    assert process.returncode == code
    assert seconds < 5, "a second, and as much again for a busy machine"
    # (The quota's database, and perhaps its journal.)
    assert {path.name.split("-")[0] for path in folder.rglob("*") if path.is_file()} == {"quota"}


def pass_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, for a minute at most."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stalls(number: int) -> float:
    """A server that keeps every tenth waiting."""
    return 1.0 if number % 10 == 9 else 0.0


def reversed_in_sixteens(number: int) -> float:
    """A server that answers the last of those under way first."""
    return 0.05 * (16 - number % 16)


@pytest.mark.parametrize("concurrency", [4, 16])
@pytest.mark.parametrize("server", ["closes each connection", "answers in the reverse order", "stalls on every tenth"])
def test_an_odd_server_gives_the_same_rows(
    tap: Tap, new_sandbox: NewSandbox, monkeypatch: pytest.MonkeyPatch, server: str, concurrency: int
) -> None:
    sandbox = new_sandbox(export_seconds=0)
    expected = tap.run(sandbox.config(**START, concurrency=1))
    if server == "closes each connection":
        monkeypatch.setattr(f"{connections.__name__}._Handler.protocol_version", "HTTP/1.0")
    else:
        wait, number = stalls if server.startswith("stalls") else reversed_in_sixteens, itertools.count()
        sandbox.on_request = lambda: time.sleep(wait(next(number)))
    run = tap.run(sandbox.config(**START, concurrency=concurrency))
    assert run.code == 0, run.log
    assert told(run) == told(expected)


def test_files_ahead_make_room_for_the_one_whose_turn_it_is(
    new_sandbox: NewSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room for the largest file and nothing else, and each is read."""
    sandbox = new_sandbox(export_seconds=0)
    on_disk: list[tuple[IO[bytes], int]] = []
    sizes: list[int] = []
    room = math.inf

    def in_little_room(*args: Any, **kwargs: Any) -> IO[bytes]:
        file = spooled(*args, **kwargs)
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        on_disk[:] = [(each, its_size) for each, its_size in on_disk if not each.closed]
        if sum(its_size for _, its_size in on_disk) + size > room:
            file.close()
            raise NoRoomError
        on_disk.append((file, size))
        sizes.append(size)
        return file

    monkeypatch.setattr(f"{download.__name__}.spooled", in_little_room)

    def rows(many: int) -> list[Any]:
        sandbox.fault("server_error", "case_details")  # so that the first file is the last to come
        config = sandbox.config(start_date="2026-04-27", concurrency=many)
        return list(Lexer(config).read_all("summary", "case_details", "nps_submissions"))

    expected = rows(1)
    room = max(sizes)
    sandbox.fault("timeout", "summary", times=None, value=2)
    assert rows(4) == expected
    assert all(file.closed for file, _ in on_disk)
