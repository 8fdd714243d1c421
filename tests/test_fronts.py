"""The fronts without Singer: the same rows, states and errors as the tap's, for every stream."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from conftest import ENVIRONMENT, select

import tap_lexer_activity
from tap_lexer_activity import Lexer, LexerError
from tap_lexer_activity.errors import without_see
from tap_lexer_activity.fronts.bookmarks import Bookmarks
from tap_lexer_activity.sandbox.differences import CONTRARY
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from conftest import Run, Tap
    from support.types import NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

START = {
    "start_date": "2026-04-26",
    "export_window_days": 2,
    "lookback_days": 1,
    "report_parameters": {"workflow_states": {"type": "states"}},
}
QUICK: dict[str, Any] = {"export_seconds": 0, "messages_per_day": 6, "workflow_states_type": "states"}


def config(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    return sandbox.config(**(START | more))


def read(lexer: Lexer, *streams: str) -> dict[str, list[dict[str, Any]]]:
    """Records by stream, as they came."""
    found: dict[str, list[dict[str, Any]]] = {}
    for stream, record in lexer.read_all(*streams):
        found.setdefault(stream, []).append(record)
    return found


def said(error: pytest.ExceptionInfo[LexerError]) -> list[str]:
    return without_see(str(error.value)).splitlines()


@pytest.fixture
def quick(new_sandbox: NewSandbox) -> Sandbox:
    return new_sandbox(**QUICK)


def all_of_it(tap: Tap, sandbox: Sandbox, state: Any = None, **more: Any) -> Run:
    """A run of the tap that reads every stream."""
    return tap.run(config(sandbox, **more), catalog=select(*BY_NAME), state=state)


# The same as the tap


@pytest.mark.parametrize("differences", [(), tuple(CONTRARY)], ids=["as documented", "contrary"])
def test_python_gets_the_rows_and_the_state_of_the_tap(
    tap: Tap, new_sandbox: NewSandbox, differences: tuple[str, ...]
) -> None:
    """Also of a Lexer that differs from its documents wherever that is accepted: rows have odd values and fields of no schema then."""
    sandbox = new_sandbox(**(QUICK | {"messages_per_day": 40}), differences=differences)
    run = all_of_it(tap, sandbox)
    lexer = Lexer(config(sandbox))
    assert run.code == 0, run.log
    assert read(lexer, *BY_NAME) == run.records
    assert run.records.keys() == BY_NAME.keys()
    assert lexer.state == run.state


@pytest.mark.parametrize(
    ("fault", "stream"),
    [
        ("long_number", "user_summary"),
        ("duplicate_rows", "groups"),
        ("empty", "users"),
        ("export_extra_columns", "download"),
    ],
)
def test_python_gets_odd_values_as_the_tap_does(tap: Tap, quick: Sandbox, fault: str, stream: str) -> None:
    streams = ("users", "groups", "user_summary", "nps_submissions", "case_details")
    one_by_one = config(quick, concurrency=1)  # so that the fault strikes the same request
    quick.fault(fault, stream)
    run = tap.run(one_by_one, catalog=select(*streams))
    quick.fault(fault, stream)
    assert read(Lexer(one_by_one), *streams) == run.records


@pytest.mark.parametrize(
    ("fault", "stream", "value"), [("unknown_shape", "summary", None), ("form_gone", "nps_summary", 55)]
)
def test_a_stream_that_fails_ends_python_s_reading_with_the_words_of_the_tap(
    tap: Tap, quick: Sandbox, fault: str, stream: str, value: Any
) -> None:
    """Also if it fails for one of its forms."""
    quick.fault(fault, stream, times=None, value=value)
    run = tap.run(config(quick), catalog=select("users", stream, "case_details"))
    lexer = Lexer(config(quick))
    found: list[tuple[str, Any]] = []
    with pytest.raises(LexerError) as error:
        found.extend(lexer.read_all("users", stream, "case_details"))
    assert [name for name in run.records for _ in run.records[name]] == [name for name, _ in found]
    assert lexer.state == run.state
    assert said(error) == run.errors[-2:]
    assert str(error.value).endswith(f"[see: {run.see[-1]}]")


def test_a_token_that_is_refused_is_an_error_in_the_words_of_the_tap(tap: Tap, quick: Sandbox) -> None:
    wrong = config(quick, api_token="a-wrong-token-1234")
    lexer = Lexer(wrong)
    for use, option in ((lexer.check, "--check"), (lambda: list(lexer.read("summary")), "--select=summary")):
        with pytest.raises(LexerError) as error:
            use()
        assert said(error) == tap.run(wrong, option).errors


def test_settings_and_states_that_can_t_be_used_are_errors_in_the_words_of_the_tap(tap: Tap) -> None:
    wrong = {
        "api_token": "a-token-12345",
        "start_date": "tomorrow-a-token-12345",
        "timezone": "Nowhere",
        "concurrency": "x",
    }
    with pytest.raises(LexerError) as error:
        Lexer(wrong)
    assert said(error) == tap.run(wrong).errors
    right = {"api_token": "a-token-12345", "start_date": "2026-01-01"}
    state: dict[str, Any] = {"bookmarks": {"orders": {}}}
    with pytest.raises(LexerError) as error:
        Lexer(right, state=state)
    assert said(error) == tap.run(right, state=state).errors


def test_what_only_singer_has_is_no_setting_of_a_program() -> None:
    TapLexerActivity(
        config={"api_token": "a-token", "start_date": "2026-01-01"}
    )  # which adds the SDK's settings to its own
    with pytest.raises(LexerError, match="stream_maps: there is no such setting"):
        Lexer(api_token="a-token", start_date="2026-01-01", stream_maps={"users": {"email": None}})


# To go on


def table(records: dict[str, list[dict[str, Any]]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows as a table with upsert keeps them."""
    return {(name, *(row[key] for key in BY_NAME[name].keys)): row for name, rows in records.items() for row in rows}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_one_front_goes_on_from_the_state_of_another(tap: Tap, quick: Sandbox, share: float) -> None:
    """A program that stops anywhere has a state that speaks of rows that it got, and the tap reads the rest."""
    whole = list(Lexer(config(quick)).read_all())
    lexer = Lexer(config(quick, lookback_days=0))
    rows = lexer.read_all()
    got: dict[str, list[dict[str, Any]]] = {}
    for stream, record in islice(rows, int(len(whole) * share)):
        got.setdefault(stream, []).append(record)
    run = tap.run(config(quick, lookback_days=0), state=lexer.state)
    expected: dict[str, list[dict[str, Any]]] = {}
    for stream, record in whole:
        expected.setdefault(stream, []).append(record)
    assert table(got) | table(run.records) == table(expected)
    again = Lexer(config(quick, lookback_days=0), state=run.state)
    assert {name for name, _ in again.read_all()} == {"users", "groups", "forms"}
    assert again.state == run.state


def test_each_read_begins_at_the_state_that_was_given(quick: Sandbox) -> None:
    lexer = Lexer(config(quick))
    first = list(lexer.read("summary"))
    assert list(lexer.read("summary")) == first
    assert list(Lexer(config(quick), state=lexer.state).read("summary")) == first[-1:], "the lookback"


def test_max_requests_end_a_read_without_an_error(quick: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    limited = config(quick, max_requests=2, lookback_days=0)
    lexer, rows = Lexer(limited), []
    for _ in range(5):
        rows += list(lexer.read("summary"))
        lexer = Lexer(limited, state=lexer.state)
    assert rows == list(Lexer(config(quick)).read("summary"))
    assert "max_requests (2) is used up. The next run continues from here" in caplog.text
    with pytest.raises(LexerError, match="can't be used with discover_export_columns"):
        list(Lexer(limited, discover_columns=True).read("summary"))


def test_a_backfill_leaves_the_state_as_it_was(quick: Sandbox) -> None:
    lexer = Lexer(config(quick))
    list(lexer.read("summary"))
    backfill = Lexer(config(quick), state=lexer.state, backfill_start="2026-04-27", backfill_end="2026-04-29")
    assert [row["local_date"] for row in backfill.read("summary")] == ["2026-04-27", "2026-04-28"]
    assert backfill.state == lexer.state


def test_columns_are_discovered_as_the_tap_does(tap: Tap, quick: Sandbox) -> None:
    more = {"discover_columns": True}
    streams = ("users", "user_summary", "nps_submissions")
    run = tap.run(config(quick, **more), "--select", ",".join(streams))
    assert read(Lexer(config(quick, **more)), *streams) == run.records
    assert "additional_columns" in run.records["nps_submissions"][0]


# In a program


def test_the_program_of_the_page_runs(new_sandbox: NewSandbox, tmp_path: Path) -> None:
    """In the order in which it is printed, but for pandas, which tests/pipelines has."""
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
    program = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "pandas" not in block]
    assert len(program) == 5
    sandbox = new_sandbox(**QUICK, clock=None)
    yesterday = datetime.now(ZoneInfo(sandbox.timezone)).date() - timedelta(days=1)
    given = config(sandbox, start_date=str(yesterday - timedelta(days=3)))
    (tmp_path / "config.json").write_text(json.dumps(given), encoding="utf-8")
    for _ in range(2):  # the second time, there is a state to go on from
        done = subprocess.run(
            [sys.executable, "-c", "\n".join([*program, "print(len(rows))"])],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env=ENVIRONMENT,
            text=True,
        )
    *printed, count = done.stdout.splitlines()
    assert int(count) == len(list(Lexer(given).read("users"))) + 1, "the lookback"
    assert printed[-1].endswith("token-refused]")
    days = [line.split()[0] for line in printed if re.match(r"2\d{3}-", line)]
    assert days[-6:] == [str(yesterday - timedelta(days=days)) for days in range(5, -1, -1)]
    assert "INFO:tap_lexer_activity" in done.stderr


def test_a_plan_is_that_of_the_tap(tap: Tap, quick: Sandbox) -> None:
    for more in ({}, {"discover_columns": True}, {"discover_export_columns": True}):
        run = tap.run(config(quick, **more), "--plan")
        assert Lexer(config(quick, **more)).plan() == run.out.rstrip("\n")


def test_the_state_can_be_looked_at_while_other_threads_move_it() -> None:
    bookmarks = Bookmarks(None)
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def read(form_id: int) -> None:
        for day in range(200):
            bookmarks.move("nps_summary", form_id, start + timedelta(days=day))
            bookmarks.note("nps_volume", form_id)

    threads = [threading.Thread(target=read, args=(number % 4,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        Bookmarks(bookmarks.state)  # which refuses one that has a form twice
    for name in ("nps_summary", "nps_volume"):
        parts = bookmarks.state["bookmarks"][name]["partitions"]
        assert sorted(part["context"]["form_id"] for part in parts) == [0, 1, 2, 3]


def test_a_stream_that_does_not_exist_is_named_at_once(quick: Sandbox) -> None:
    lexer = Lexer(config(quick))
    assert lexer.streams == list(BY_NAME)
    for use in (lexer.read, lexer.read_all, lexer.plan):
        with pytest.raises(LexerError, match=r"there is no stream .sumary.; did you mean summary\?"):
            use("sumary")


def test_a_thread_can_read_and_nothing_is_written_to_stdout(quick: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    found: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: found.extend(Lexer(config(quick)).read("summary")))
    thread.start()
    thread.join()
    assert len(found) == 5
    assert capfd.readouterr().out == ""
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    deadline = time.monotonic() + 20  # nobody waits for them, so they may take a moment
    while (left := [each for each in threading.enumerate() if "ahead" in each.name]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


def test_the_command_does_not_load_what_programs_use() -> None:
    code = "import sys, tap_lexer_activity as t; print([n for n in sys.modules if n.startswith(('singer_sdk', 'tap_lexer'))], t.Lexer)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, env=ENVIRONMENT)
    assert done.stdout == "['tap_lexer_activity'] <class 'tap_lexer_activity.fronts.python.Lexer'>\n"
    with pytest.raises(AttributeError, match="has no attribute 'Lexr'"):
        tap_lexer_activity.Lexr  # noqa: B018 (that it fails is what is tested)
