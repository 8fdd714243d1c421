"""The CSV exports through the real command: the rows are the ledger's, once each, or there is an error and an unmoved bookmark."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from support.hosts import COMPLETE, CUT, HEADER, ROW, WHOLE, Host, with_length
from support.states import bookmark
from typing_extensions import override

from tap_lexer_activity.csv_exports.names import column_name, column_schema

if TYPE_CHECKING:
    from conftest import Run, Tap, Warehouse
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

EXPORTS = ("case_details", "mention_sla_export", "nps_submissions")
START = "2026-02-01"
LAST_DAY = "2026-04-30T23:59:59+10:00"
ADDED = {"record_id", "form_id", "date_from", "date_to", "local_date", "additional_columns"}


@pytest.fixture
def sandbox(new_sandbox: NewSandbox) -> Sandbox:
    return new_sandbox(export_seconds=0.02)  # the first poll is after a second, or a tenth of one


def true_rows(sandbox: Sandbox, stream: str, since: str = START) -> Counter[tuple[Any, ...]]:
    """The rows that happened, as the tap should have them, by their texts."""
    forms = [{"form": form, "nps_category": "all"} for form in (55, 56)] if stream == "nps_submissions" else [{}]
    found: Counter[tuple[Any, ...]] = Counter()
    for extra in forms:
        header, *rows = sandbox.report(stream, f"{since}T00:00:00+11:00", LAST_DAY, **extra)
        for row in rows:
            found[tuple(sorted((column_name(name), cell) for name, cell in zip(header, row, strict=True) if cell))] += 1
    return found


def loaded_rows(records: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """Records in the form of `true_rows`: times and numbers as the file has them."""
    found: Counter[tuple[Any, ...]] = Counter()
    for record in records:
        cells = {name: value for name, value in record.items() if name not in ADDED and value is not None}
        cells |= {
            column_name(name): value
            for name, value in (record["additional_columns"] or {}).items()
            if value is not None
        }
        found[tuple(sorted((name, as_text(name, value)) for name, value in cells.items()))] += 1
    return found


def as_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if name.endswith("_utc") and value.endswith("Z"):
        return str(value).replace("T", " ").removesuffix("Z")
    return str(value)


def messages(run: Run) -> list[dict[str, Any]]:
    """Messages, their decimals as `Decimal`: digits count."""
    return [json.loads(line, parse_float=Decimal) for line in run.out.splitlines()]


def records(run: Run, stream: str) -> list[dict[str, Any]]:
    return [
        message["record"] for message in messages(run) if message["type"] == "RECORD" and message["stream"] == stream
    ]


@pytest.mark.parametrize("stream", EXPORTS)
def test_a_quarter_of_rows_arrives_once_each_and_stays_so(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse], stream: str
) -> None:
    config = sandbox.config(start_date=START)
    first = tap.run(config, catalog=catalog_of(stream))
    assert first.code == 0, first.log
    truth = true_rows(sandbox, stream)
    assert truth
    assert loaded_rows(records(first, stream)) == truth
    warehouse = new_warehouse().load(first)
    assert len(warehouse.tables[stream]) == truth.total(), "no two rows share a key"
    once = dict(warehouse.tables[stream])

    second = tap.run(config, catalog=catalog_of(stream), state=first.state)
    assert second.state == first.state
    assert warehouse.load(second).tables[stream] == once

    other = tap.run(
        config | {"export_window_days": 11, "lookback_days": 40}, catalog=catalog_of(stream), state=first.state
    )
    assert other.code == 0, other.log
    assert warehouse.load(other).tables[stream].keys() == once.keys(), "another length of windows, and the same ids"
    assert loaded_rows(list(warehouse.tables[stream].values())).total() == truth.total()
    assert not sandbox.leaks


def test_each_row_has_the_day_on_which_it_happened(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    # (The clocks of the account change on 5 April.)
    config = sandbox.config(start_date="2026-03-20")
    fast = tap.run(config, catalog=catalog_of(*EXPORTS))
    slow = tap.run(config | {"stream_maps": {name: {} for name in EXPORTS}}, catalog=catalog_of(*EXPORTS))
    truth = Counter(message["local_date"] for message in sandbox.truth("2026-03-20T00:00:00+11:00", LAST_DAY))
    for run in (fast, slow):
        assert run.code == 0, run.log
        assert Counter(record["local_date"] for record in records(run, "mention_sla_export")) == truth
        for stream, header in (("case_details", "Date Opened (UTC)"), ("nps_submissions", "Submitted At (UTC)")):
            found = records(run, stream)
            times = [datetime.fromisoformat(f"{row['additional_columns'][header]}+00:00") for row in found]
            assert [row["local_date"] for row in found] == [
                time.astimezone(ZoneInfo("Australia/Sydney")).date().isoformat() for time in times
            ]
            assert len({row["local_date"] for row in found}) > len({row["date_from"] for row in found})


@pytest.mark.parametrize("stream", EXPORTS)
def test_a_file_without_the_time_of_its_rows_gives_no_date(tap: Tap, catalog_of: CatalogOf, stream: str) -> None:
    sent = with_length(b"Account,State,Sent At (UTC)\r\nAcme,new,2026-01-05 10:00:00\r\n")
    with Survey(sent) as host:
        run = tap.run(host.config(), catalog=catalog_of(stream))
    assert run.code == 0, run.log
    (record,) = records(run, stream)
    assert record["local_date"] is None
    assert (record["date_from"], record["date_to"]) == ("2025-12-17T00:00:00Z", "2026-01-15T23:59:59Z")


def test_a_date_that_is_not_selected_is_nowhere(tap: Tap, catalog_of: CatalogOf) -> None:
    catalog = catalog_of("mention_sla_export")
    for entry in catalog["streams"]:
        entry["metadata"] += [{"breadcrumb": ["properties", "local_date"], "metadata": {"selected": False}}]
    run = run_with(tap, catalog, with_length(HEADER + ROW))
    assert run.code == 0, run.log
    assert "local_date" not in run.out


@pytest.mark.parametrize("stream", EXPORTS)
def test_a_week_later_moved_rows_are_updated_and_not_doubled(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse], stream: str
) -> None:
    first = tap.run(sandbox.config(start_date=START), catalog=catalog_of(stream))
    sandbox.clock = "2026-05-08T11:30:00+10:00"
    second = tap.run(sandbox.config(start_date=START), catalog=catalog_of(stream), state=first.state)
    full = tap.run(sandbox.config(start_date=START), catalog=catalog_of(stream))
    assert new_warehouse().load(first).load(second).tables == new_warehouse().load(full).tables


def test_counts_agree_with_the_reports(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    catalog = catalog_of("summary", "nps_summary", "mention_sla_export", "nps_submissions")
    run = tap.run(sandbox.config(start_date="2026-04-01"), catalog=catalog)
    assert run.code == 0, run.log
    assert sum(record["total_volume"] for record in records(run, "summary")) == len(records(run, "mention_sla_export"))
    assert sum(record["total_received"] for record in records(run, "nps_summary")) == len(
        records(run, "nps_submissions")
    )


def test_killed_at_any_point_and_run_again_gives_the_same_rows(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, new_warehouse: type[Warehouse], tmp_path: Path
) -> None:
    catalog = catalog_of("mention_sla_export")
    config = sandbox.config(start_date=START)
    whole = tap.run(config, catalog=catalog)
    lines = whole.out.splitlines(keepends=True)
    expected = new_warehouse().load(whole).tables
    run_type = type(whole)
    for share in (1, 3, 5):
        got = "".join(lines[: len(lines) * share // 6])
        warehouse = new_warehouse().load(run_type(0, got, ""))
        states = [message["value"] for message in map(json.loads, got.splitlines()) if message["type"] == "STATE"]
        again = tap.run(config, catalog=catalog, state=states[-1] if states else None)
        assert warehouse.load(again).tables == expected, f"killed after {share} of 6 parts"

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    sandbox.requests.clear()
    with tap.start(config, catalog=catalog, env={"TMPDIR": str(temporary)}) as process:
        while not any(request.origin == "download" for request in sandbox.requests):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    left = [path.name for path in temporary.rglob("*") if path.is_file()]
    assert [name.split("-")[0] for name in left] == ["quota"], "the times of requests, and nothing of an export"


def test_jobs_are_submitted_before_reports_are_read(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-25"), catalog=catalog_of("summary", *EXPORTS))
    assert run.code == 0, run.log
    asked = [(request.body or {}).get("type") for request in sandbox.requests if request.method == "POST"]
    assert sorted(map(str, asked[:4])) == ["case_details", "mention_sla_export", "nps_submissions", "nps_submissions"]
    assert asked[4:] == ["summary"] * 6
    polls = [request for request in sandbox.requests if request.origin == "status"]
    assert len(polls) <= 8


# Everything that can go wrong with a job


@pytest.mark.parametrize(
    "fault",
    [
        "export_null_url",
        "export_expired_link",
        "export_cut",
        "export_foreign_host",
        "export_redirect",
        "export_gzip",
        "export_extra_columns",
    ],
)
@pytest.mark.parametrize("stream", ["mention_sla_export", "nps_submissions"])
def test_a_passing_fault_costs_nothing_but_time(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str, stream: str
) -> None:
    sandbox.fault(fault, times=1)
    run = tap.run(sandbox.config(start_date="2026-04-01"), catalog=catalog_of(stream))
    assert run.code == 0, run.log
    expected = true_rows(sandbox, stream, "2026-04-01").total()
    assert len(records(run, stream)) == expected
    assert not sandbox.leaks


@pytest.mark.parametrize("fault", ["export_cut_silent", "server_error", "reset", "cut_chunked"])
def test_a_download_that_breaks_off_is_fetched_again(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str
) -> None:
    sandbox.fault(fault, "mention_sla_export" if fault.startswith("export") else "download", times=1)
    run = tap.run(sandbox.config(start_date="2026-04-01"), catalog=catalog_of("mention_sla_export"))
    assert run.code == 0, run.log
    assert loaded_rows(records(run, "mention_sla_export")) == true_rows(sandbox, "mention_sla_export", "2026-04-01")


@pytest.mark.unhurried
def test_a_file_host_that_asks_for_patience_gets_it(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("rate_limited", "download", times=1, value=3)
    run = tap.run(sandbox.config(start_date="2026-04-01"), catalog=catalog_of("mention_sla_export"))
    assert run.code == 0, run.log
    first, second, *_ = (request.monotonic for request in sandbox.requests if request.origin == "download")
    assert second - first >= 3


@pytest.mark.unhurried
def test_a_job_that_lexer_has_forgotten_is_started_again_once(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    config = sandbox.config(start_date="2026-04-20", export_window_days=360, export_timeout=2)
    sandbox.fault("not_found", "status", times=1)
    run = tap.run(config, catalog=catalog_of("mention_sla_export"))
    assert run.code == 0, run.log
    assert len(records(run, "mention_sla_export")) == true_rows(sandbox, "mention_sla_export", "2026-04-20").total()
    assert sum(request.method == "POST" for request in sandbox.requests) == 1, "it may not be known yet"

    sandbox.requests.clear()
    sandbox.fault("not_found", "status", times=None)
    run = tap.run(config, catalog=catalog_of("mention_sla_export"))
    assert run.code == 1
    assert "404" in run.errors[-1]
    assert sum(request.method == "POST" for request in sandbox.requests) == 2


def test_a_job_that_can_not_be_started_ahead_leaves_the_one_before_it_to_be_read(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    sandbox.fault("bad_request", "mention_sla_export", times=None, after=1)
    config = sandbox.config(start_date="2026-04-01", export_window_days=7)
    run = tap.run(config, catalog=catalog_of("mention_sla_export"))
    assert run.code == 1
    assert "400" in run.errors[-1]
    bookmarked = bookmark(run.state, "mention_sla_export")
    assert bookmarked is not None
    assert records(run, "mention_sla_export")


@pytest.mark.parametrize(
    ("fault", "said", "jobs"),
    [
        ("export_failed", "the job failed at Lexer: 'failed'", 4),
        ("export_unknown_status", "not complete after 1 s (export_timeout). Its last status was 'archived'", 4),
        ("export_null_url", "complete, but names no file", 4),
        ("export_expired_link", "answers 403", 2),
        ("export_cut", "cut off", 1),
        ("export_cut_silent", "", 1),
        ("export_slow", "not complete after 1 s (export_timeout)", 4),
    ],
)
def test_each_end_of_a_job_has_its_own_words_and_none_moves_the_bookmark(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str, said: str, jobs: int
) -> None:
    sandbox.fault(fault, times=None)
    run = tap.run(
        sandbox.config(start_date="2026-04-27", export_timeout=1, export_retries=1),
        catalog=catalog_of("mention_sla_export", "summary"),
    )
    # (Four days: the job, the same again, that of two days, and that of one.)
    assert run.code == 1
    assert said in run.errors[0]
    if jobs == 4:
        assert "A single day, 2026-04-27, can't be split" in run.errors[0]
        assert ("Raise export_timeout" in run.errors[0]) == ("not complete" in said), "nothing else takes more time"
        assert 'set skip_windows to {"mention_sla_export": ["2026-04-27"]}' in run.errors[0]
    assert "mention_sla_export" in run.errors[0]
    assert not records(run, "mention_sla_export")
    assert not any(bookmark(state, "mention_sla_export") for state in run.states)
    assert bookmark(run.state, "summary") == "2026-04-30T14:00:00Z", "the others go on"
    assert sum((request.body or {}).get("type") == "mention_sla_export" for request in sandbox.requests) == jobs

    sandbox.clear_faults()
    again = tap.run(sandbox.config(start_date="2026-04-27"), catalog=catalog_of("mention_sla_export"), state=run.state)
    assert again.code == 0
    assert len(records(again, "mention_sla_export")) == true_rows(sandbox, "mention_sla_export", "2026-04-27").total()


@pytest.mark.parametrize(("times", "jobs"), [(1, 2), (2, 4), (3, 6)])
def test_a_job_that_fails_is_started_again_and_then_cut(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, times: int, jobs: int
) -> None:
    sandbox.fault("export_failed", times=times)
    run = tap.run(
        sandbox.config(start_date="2026-04-27", export_retries=1, export_window_days=15),
        catalog=catalog_of("mention_sla_export"),
    )
    assert run.code == 0, run.log
    assert loaded_rows(records(run, "mention_sla_export")) == true_rows(sandbox, "mention_sla_export", "2026-04-27")
    bodies = [request.body for request in sandbox.requests if request.method == "POST" and request.body]
    assert [body["type"] for body in bodies] == ["mention_sla_export"] * jobs
    clean = tap.run(sandbox.config(start_date="2026-04-27"), catalog=catalog_of("mention_sla_export"))
    ids = [{row["record_id"] for row in records(each, "mention_sla_export")} for each in (run, clean)]
    assert ids[0] == ids[1], "however it is cut"


def test_a_job_that_fails_for_one_form_does_not_stop_the_other(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    sandbox.fault("export_failed", "nps_submissions", times=1)
    config = sandbox.config(
        start_date="2026-04-30", export_retries=0, concurrency=1
    )  # which form is struck is known then
    run = tap.run(config, catalog=catalog_of("nps_submissions"))
    assert run.code == 1
    assert {record["form_id"] for record in records(run, "nps_submissions")} == {56}
    assert "form 55" in run.errors[0]
    parts = run.state["bookmarks"]["nps_submissions"]["partitions"]
    moved = {part["context"]["form_id"]: part.get("replication_key_value") for part in parts}
    assert moved == {55: None, 56: "2026-04-30T14:00:00Z"}


def test_renamed_columns_lose_nothing_and_are_told_of(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    sandbox.fault("export_renamed_columns", times=None)
    run = tap.run(sandbox.config(start_date="2026-04-01"), catalog=catalog_of("mention_sla_export"))
    assert run.code == 0, run.log
    found = records(run, "mention_sla_export")
    assert len(found) == true_rows(sandbox, "mention_sla_export", "2026-04-01").total()
    assert all(record["additional_columns"] for record in found)


# Files


def test_a_disk_without_room_is_a_clear_error(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path
) -> None:
    # A limit on the size of files stands in for a full disk.
    script = tmp_path / "limited.sh"
    script.write_text('ulimit -f 1\ntrap "" XFSZ\nexec "$@"\n', encoding="utf-8")
    line = tap.arguments(sandbox.config(start_date="2026-02-01"), catalog=catalog_of("mention_sla_export"))
    done = subprocess.run(
        ["bash", str(script), *line], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 1
    assert "the export can't be written to" in done.stderr
    assert "TMPDIR" in done.stderr


class Survey(Host):
    """Has an NPS form, too."""

    @override
    def next(self, kind: str) -> bytes:
        return with_length(b'[{"id": 1, "nps": true}]') if self.path.endswith("/forms") else super().next(kind)


def run_with(tap: Tap, catalog: dict[str, Any], sent: bytes, status: bytes = COMPLETE, **more: Any) -> Run:
    with Host(sent, statuses=[status]) as host:
        config = host.config(**more)
        run = tap.run(config, catalog=catalog, env={"TAP_LEXER_ACTIVITY_LOGLEVEL": "DEBUG"})
    for secret in ("SIGNATURE", "JOBTOKEN"):
        assert secret not in run.log + run.out
    return run


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        *CUT,
        (with_length(b"Error,503\n"), "the file has no rows, and none of the columns of mention_sla_export"),
        (with_length("Köln,Ort\r\n1,2\r\n".encode("latin-1")), "the file is not UTF-8: its header can't be read"),
        (with_length(HEADER + b'"x"y,1\r\n'), "the file is not well-formed CSV"),
        (with_length(b"Account;Wait\r\nAcme;1,5\r\n"), "the file has none of the columns of mention_sla_export"),
        (with_length(ROW * 3), "the file has none of the columns of mention_sla_export"),
    ],
)
def test_a_file_that_is_not_whole_or_not_a_csv_is_never_no_data(
    tap: Tap, catalog_of: CatalogOf, sent: bytes, said: str
) -> None:
    run = run_with(tap, catalog_of("mention_sla_export"), sent)
    assert run.code == 1
    assert said in run.errors[0]
    assert not run.records
    assert not any(bookmark(state, "mention_sla_export") for state in run.states)


# Letters


def letters_of(run: Run, name: str = "customer_message") -> list[str]:
    return [record[name] for record in records(run, "mention_sla_export")]


def rows_with(*texts: str) -> str:
    return HEADER.decode() + "".join(f"Acme,Email,2026-01-05 01:00:00,jo,{text},closed\r\n" for text in texts)


def warnings(run: Run) -> list[str]:
    return [line.split("|", 3)[3].strip() for line in run.log.splitlines() if "| WARNING " in line]


@pytest.mark.parametrize("way", [{}, {"stream_maps": {"mention_sla_export": {}}}])
def test_a_broken_letter_costs_that_letter_alone(tap: Tap, catalog_of: CatalogOf, way: dict[str, Any]) -> None:
    sent = rows_with("Grüße", "\ufffd was sent so", "Gr|sse und |", "so", "|").encode()
    run = run_with(tap, catalog_of("mention_sla_export"), with_length(sent.replace(b"|", b"\xf0\x9f\x98")), **way)
    assert run.code == 0, run.log
    broken = "\ufffd"
    assert letters_of(run) == ["Grüße", f"{broken} was sent so", f"Gr{broken}sse und {broken}", "so", broken]
    (said,) = (line for line in warnings(run) if "unreadable letter" in line)
    assert said.endswith(
        "cells with an unreadable letter, which is now U+FFFD: 2. If the file is not UTF-8, set export_encoding"
    )
    assert bookmark(run.state, "mention_sla_export") == "2026-01-06T00:00:00Z"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("encoding", "setting"),
    [
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-8"),
        ("utf-16-be with its mark", "Windows-1252"),
        ("utf-32", "UTF-8"),
        ("utf-16-le", "UTF-16-LE"),
        ("cp1252", "Windows-1252"),
        ("cp1252", "cp1252"),
        ("shift-jis", "Shift_JIS"),
    ],
)
def test_a_file_is_read_in_its_encoding(
    tap: Tap, catalog_of: CatalogOf, encoding: str, setting: str, packed: bool
) -> None:
    texts = ["Grüße, €"] if encoding == "cp1252" else ["サポート", "\u3042" * 90_000]
    text = rows_with('"say ""yes"",\r\nor no"', *(f'"{text}"' for text in texts))
    name, _, marked = encoding.partition(" ")
    sent = ("\ufeff" * bool(marked) + text).encode(name)
    catalog = catalog_of("mention_sla_export")
    run = run_with(tap, catalog, with_length(gzip.compress(sent) if packed else sent), export_encoding=setting)
    assert run.code == 0, run.log
    assert letters_of(run) == ['say "yes",\r\nor no', *texts]
    assert not warnings(run)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("setting", "what"), [("UTF-16", "first bytes"), ("UTF-8", "header"), ("cp1252", "header")])
def test_a_file_in_utf_16_that_does_not_say_so_is_refused(
    tap: Tap, catalog_of: CatalogOf, encoding: str, setting: str, what: str
) -> None:
    sent = with_length((HEADER + ROW).decode().encode(encoding))
    run = run_with(tap, catalog_of("mention_sla_export"), sent, export_encoding=setting)
    assert (run.code, run.out.count("RECORD")) == (1, 0)
    assert run.errors[0].endswith(
        f"the file is not {setting}: its {what} can't be read. Set export_encoding to its encoding, such as UTF-16-LE"
    )


@pytest.mark.parametrize(("encoding", "setting"), [("utf-16-le", "UTF-16-BE"), ("utf-8", "UTF-16-LE")])
def test_a_wrong_encoding_in_the_settings_gives_no_rows(
    tap: Tap, catalog_of: CatalogOf, encoding: str, setting: str
) -> None:
    sent = with_length((HEADER + ROW).decode().encode(encoding))
    run = run_with(tap, catalog_of("mention_sla_export"), sent, export_encoding=setting)
    assert (run.code, run.out.count("RECORD")) == (1, 0)


@pytest.mark.parametrize("lead", [0, 20_000])
def test_a_file_in_another_encoding_is_refused_before_a_row_of_it_is_written(
    tap: Tap, catalog_of: CatalogOf, lead: int
) -> None:
    text = rows_with(*["nothing beyond ASCII"] * lead, *["Grüße"] * (4 + lead // 50))
    catalog = catalog_of("mention_sla_export")
    run = run_with(tap, catalog, with_length(text.encode("cp1252")))
    assert run.code == 1
    assert not run.records
    assert not any(bookmark(state, "mention_sla_export") for state in run.states)
    count = 4 + lead // 50
    assert run.errors[0].endswith(
        f"the file is not UTF-8: {count} of {count + lead} rows can't be read. "
        "Set export_encoding to its encoding, such as Windows-1252"
    )
    named = run_with(tap, catalog, with_length(text.encode("cp1252")), export_encoding="windows-1252")
    assert named.code == 0, named.log
    assert letters_of(named)[lead:] == ["Grüße"] * count


@pytest.mark.parametrize(
    ("texts", "is_read"),
    [
        ([b"\xfc"] * 3, True),  # few enough for an accident
        ([b"\xfc"] * 4, False),
        ([b"\xfc"] * 4 + [b"u"] * 396, True),  # one row of a hundred
        ([b"\xfc"] * 4 + [b"u"] * 395, False),
        ([b"\xfc"] * 9 + [b"\xc3\xbc"] * 9, True),  # as many whole letters
        ([b"\xfc"] * 9 + [b"\xc3\xbc"] * 8, False),
    ],
)
def test_how_many_broken_letters_tell_another_encoding(
    tap: Tap, catalog_of: CatalogOf, texts: list[bytes], is_read: bool
) -> None:
    sent = HEADER + b"".join(b"Acme,Email,2026-01-05 01:00:00,jo,%s,closed\r\n" % text for text in texts)
    run = run_with(tap, catalog_of("mention_sla_export"), with_length(sent))
    assert (run.code, len(run.records["mention_sla_export"])) == ((0, len(texts)) if is_read else (1, 0))


@pytest.mark.parametrize("name", ["UTF-9", "hex", "undefined", "a\x00b"])
def test_an_encoding_that_nobody_knows_is_refused_before_the_first_request(
    tap: Tap, catalog_of: CatalogOf, name: str
) -> None:
    with Host(b"") as host:
        run = tap.run(host.config(export_encoding=name), catalog=catalog_of("mention_sla_export"))
        assert not host.asked
    assert run.code == 1
    assert f"export_encoding: {name!r} is not a known encoding" in run.log


# Lines that are no rows


@pytest.mark.parametrize("again", [HEADER, b"\xef\xbb\xbf" + HEADER, b'\xef\xbb\xbf"Account Name"' + HEADER[12:]])
@pytest.mark.parametrize("stream", ["mention_sla_export", "nps_submissions"])
def test_a_header_that_stands_again_in_the_middle_is_no_row(
    tap: Tap, catalog_of: CatalogOf, stream: str, again: bytes
) -> None:
    with Survey(with_length(HEADER + ROW + again + ROW * 200 + again)) as host:
        run = tap.run(host.config(), catalog=catalog_of(stream))
    assert run.code == 0, run.log
    assert len(records(run, stream)) == 201
    assert '"Account Name"}' not in run.out
    assert '"Account Name",' not in run.out
    (said,) = (line for line in warnings(run) if "header" in line)
    assert said.endswith("2 lines repeat the header, and are left out")
    assert not any("no time for its id" in line for line in warnings(run))


@pytest.mark.parametrize("line", [b"sep=;\r\n", b'"SEP=;"\r\n', b"\xef\xbb\xbfsep=;\r\n"])
@pytest.mark.parametrize("stream", ["mention_sla_export", "nps_submissions"])
def test_a_first_line_that_names_the_separator_is_understood(
    tap: Tap, catalog_of: CatalogOf, stream: str, line: bytes
) -> None:
    sent = (HEADER + ROW.replace(b"hello", b'"a, b; c"')).replace(b",", b";").replace(b"a; b", b"a, b")
    with Survey(with_length(line + sent)) as host:
        run = tap.run(host.config(), catalog=catalog_of(stream))
    assert run.code == 0, run.log
    (record,) = records(run, stream)
    message = (
        record["customer_message"] if stream != "nps_submissions" else record["additional_columns"]["Customer Message"]
    )
    assert message == "a, b; c"
    assert not warnings(run)
    for cut in (with_length(line + sent[:-12]), with_length(line + sent[:-20])):
        run = run_with(tap, catalog_of("mention_sla_export"), cut)
        assert "the file ends in the middle of a row" in run.errors[0]


def test_a_line_that_names_the_comma_changes_nothing(tap: Tap, catalog_of: CatalogOf) -> None:
    plain, named = (
        run_with(tap, catalog_of("mention_sla_export"), with_length(line + HEADER + ROW))
        for line in (b"", b"sep=,\r\n")
    )
    assert records(named, "mention_sla_export") == records(plain, "mention_sla_export") != []


TITLE = b"Responses of Acme\r\n"
SURVEY = b"Score,Category,Comment,Agent,When\r\n9,Promoter,fine,Jo,2026\r\n"


@pytest.mark.parametrize(
    ("stream", "sent"),
    [
        ("mention_sla_export", TITLE + HEADER + ROW),
        ("mention_sla_export", b"Responses,January 2026\r\n" + HEADER + ROW),
        ("mention_sla_export", b"Responses,of,Acme,in,January,2026\r\n" + HEADER + ROW),
        ("mention_sla_export", b"Responses,,,,,\r\n,,,,,\r\nJanuary 2026,,,,,\r\n" + HEADER + ROW),
        ("mention_sla_export", b"sep=,\r\n" + TITLE + HEADER + ROW),
        ("case_details", b"Cases,2026\r\nAccount,Network,Date Opened\r\nAcme,Email,2026-01-05 10:00:00\r\n"),
        ("nps_submissions", TITLE + SURVEY),
        ("nps_submissions", b"Answers,,,,\r\n" + SURVEY),
        ("nps_submissions", b"Answers,January 2026\r\n" + SURVEY),
    ],
)
def test_a_line_above_the_header_is_left_out_and_named(
    tap: Tap, catalog_of: CatalogOf, stream: str, sent: bytes
) -> None:
    below = next(sent[place:] for header in (HEADER, SURVEY, b"Account,") if (place := sent.find(header)) > 0)
    with Survey(with_length(sent)) as host, Survey(with_length(below)) as plain:
        run = tap.run(host.config(), catalog=catalog_of(stream))
        expected = tap.run(plain.config(), catalog=catalog_of(stream))
        discovered = tap.run(host.config(discover_export_columns=True), "--discover")
        assert host.asked.count("file") <= 8, "it is not fetched again"
    # (Discovery reads one file of each export.)
    assert (run.code, discovered.code) == (0, int(stream != "mention_sla_export")), run.log
    assert records(run, stream) == records(expected, stream) != []
    count = sent.count(b"\r\n") - below.count(b"\r\n") - sent.count(b"sep=")
    (said,) = (line for line in warnings(run) if "above the header" in line)
    assert said.endswith(f"lines above the header, which are left out: {count}")


@pytest.mark.parametrize(
    "sent",
    [
        b"9,Promoter,fine,Jo,2026-01-05\r\n8,Passive,so,Jo,2026-01-05\r\n",
        b"9,Promoter,fine\r\n8,Passive,so\r\n",
        b"a,2026-01-05 10:00:00\r\n",
    ],
)
def test_a_file_without_a_header_is_refused_before_a_row_is_written(
    tap: Tap, catalog_of: CatalogOf, sent: bytes
) -> None:
    with Survey(with_length(sent)) as host:
        run = tap.run(host.config(), catalog=catalog_of("nps_submissions"))
        accepted = tap.run(
            host.config(accept={"nps_submissions": ["any_columns"]}), catalog=catalog_of("nps_submissions")
        )
    assert (run.code, run.records) == (1, {})
    assert "the file does not begin with its header: it begins with a row" in run.errors[0]
    assert "set accept: {'nps_submissions': ['any_columns']}" in run.errors[0]
    assert accepted.code == 0, accepted.log


@pytest.mark.parametrize(
    "sent",
    [
        b"Bewertung,Kommentar,Wer\r\n9,gut,Jo,,\r\n",
        b"Score,Why\r\n9,fine,so\r\n",
        b"Score,,Why,,Who\r\n9,,fine,,\r\n9,Promoter,fine,Jo,2026\r\n",
        b"Score,Why\r\n",
    ],
)
def test_columns_that_nobody_knows_are_no_title(tap: Tap, catalog_of: CatalogOf, sent: bytes) -> None:
    with Survey(with_length(sent)) as host:
        run = tap.run(host.config(), catalog=catalog_of("nps_submissions"))
    assert run.code == 0, run.log
    assert len(records(run, "nps_submissions")) == sent.count(b"\r\n") - 1


@pytest.mark.parametrize(("sent", "rows"), WHOLE)
def test_a_whole_file_is_read_however_it_is_sent(tap: Tap, catalog_of: CatalogOf, sent: bytes, rows: int) -> None:
    run = run_with(tap, catalog_of("mention_sla_export"), sent)
    assert run.code == 0, run.log
    assert len(records(run, "mention_sla_export")) == rows
    assert bookmark(run.state, "mention_sla_export") == "2026-01-06T00:00:00Z"


@pytest.mark.parametrize(
    "status",
    [
        b'{"status":"complete","url":"http://127.0.0.1/f?X-Amz-Signature=SIGNATURE",',
        b'{"status":"moved to http://127.0.0.1/f?X-Amz-Signature=SIGNATURE"}',
        b'{"status":"complete","url":"http://[bad/f?X-Amz-Signature=SIGNATURE"}',
        b'{"status":"complete","url":"/f?X-Amz-Signature=SIGNATURE"}',
        b'{"status":null,"token":"JOBTOKEN-0123456789abcdef"}',
        b'{"status":"lost JOBTOKEN-0123456789abcdef"}',
    ],
)
def test_an_odd_status_is_an_error_without_its_secrets(tap: Tap, catalog_of: CatalogOf, status: bytes) -> None:
    run = run_with(tap, catalog_of("mention_sla_export"), b"", with_length(status), export_timeout=1, export_retries=0)
    assert run.code == 1
    assert "Traceback" not in run.log
    assert len(run.errors) == 3


def test_a_stream_map_that_fails_does_not_show_the_customer_s_text(tap: Tap, catalog_of: CatalogOf) -> None:
    maps = {"mention_sla_export": {"x": "float(customer_message)"}}
    run = run_with(tap, catalog_of("mention_sla_export"), with_length(HEADER + ROW), stream_maps=maps)
    assert run.code == 1
    assert "mention_sla_export: the stream map for x fails with ValueError" in run.errors[0]
    assert "hello" not in run.log


def test_a_batch_folder_that_can_not_be_written_is_a_clear_error(tap: Tap, catalog_of: CatalogOf) -> None:
    batch = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": "/proc/nowhere"}}
    run = run_with(tap, catalog_of("mention_sla_export"), with_length(HEADER + ROW), batch_config=batch)
    assert run.code == 1
    assert "batch_config: no file can be written to" in run.errors[0]


# Rows without a time


class Diary(Host):
    """Has rows by their days, and sends those of the days asked for last."""

    def __init__(self, header: str, rows: dict[str, str]) -> None:
        super().__init__(b"")
        self.header = header
        self.rows = rows

    @override
    def next(self, kind: str) -> bytes:
        if kind != "file":
            return super().next(kind)
        asked = self.ranges[-1]
        rows = (row for day, row in self.rows.items() if asked[0] <= day <= asked[1])
        return with_length("\r\n".join([self.header, *rows, ""]).encode())

    @property
    def ranges(self) -> list[tuple[str, str]]:
        """The first and last days asked for."""
        bodies = [json.loads(job) for job in self.jobs if job.startswith("{")]
        return [(body["date_from"][:10], body["date_to"][:10]) for body in bodies]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Account,Network,Date Opened,Score", "Acme,Email,,9"),
        ("Account,Network,Date Opened,Score", "Acme,Email,1 May 2026,9"),
        ("Account,Score", "Acme,9"),
    ],
)
def test_daily_runs_lose_no_row_that_only_its_order_tells_from_others(
    tap: Tap, catalog_of: CatalogOf, new_warehouse: type[Warehouse], header: str, row: str
) -> None:
    days = [f"2026-03-{day:02}" for day in range(1, 13)]
    catalog = catalog_of("case_details")
    warehouse = new_warehouse()
    with Diary(header, dict.fromkeys(days, row)) as host:
        settings = {"start_date": "2026-02-20", "lookback_days": 2}
        clean = tap.run(host.config(**settings, end_date="2026-03-13"), catalog=catalog)
        host.jobs.clear()
        state = None
        for day in range(8, 14):
            run = tap.run(host.config(**settings, end_date=f"2026-03-{day:02}"), catalog=catalog, state=state)
            assert run.code == 0, run.log
            warehouse.load(run)
            state = run.state
            named = [line for line in run.log.splitlines() if "a row " in line]
            assert named
            assert all("export 'case_details' from 2026-02-20" in line for line in named), "of what was read"
    assert len(clean.records["case_details"]) == len(days)
    assert warehouse.tables == new_warehouse().load(clean).tables
    # (A window of 30 days begins on 15 February.)
    assert host.ranges[:3] == [("2026-02-20", "2026-03-07"), ("2026-03-06", "2026-03-08"), ("2026-02-20", "2026-03-08")]


def test_rows_with_a_time_are_not_read_from_the_start_of_their_window(tap: Tap, catalog_of: CatalogOf) -> None:
    rows = {f"2026-03-{day:02}": f"Acme,Email,2026-03-{day:02} 10:00,9" for day in range(1, 11)}
    with Diary("Account,Network,Date Opened,Score", rows) as host:
        settings = {"start_date": "2026-02-20", "lookback_days": 2, "end_date": "2026-03-11"}
        first = tap.run(host.config(**settings), catalog=catalog_of("case_details"))
        again = tap.run(host.config(**settings), catalog=catalog_of("case_details"), state=first.state)
    assert host.ranges == [("2026-02-20", "2026-03-10"), ("2026-03-09", "2026-03-10")]
    assert len(again.records["case_details"]) == 2


@pytest.mark.parametrize("way", ["records", "mapped", "batch"])
@pytest.mark.parametrize("late", [0, 1, 100, 500])
def test_a_row_without_a_time_that_comes_late_costs_no_row_and_doubles_none(
    tap: Tap, catalog_of: CatalogOf, tmp_path: Path, way: str, late: int
) -> None:
    def rows(day: str, count: int) -> str:
        timed = [f"Acme,Email,{day} {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},{n}" for n in range(count)]
        return "\r\n".join([*timed, *timed[-3:], "Acme,Email,,9", "Acme,Email,,9", *timed[-2:]])

    storage: dict[str, Any] = {
        "encoding": {"format": "jsonl", "compression": "none"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    ways: dict[str, dict[str, Any]] = {
        "records": {},
        "mapped": {"stream_maps": {"case_details": {}}},
        "batch": {"batch_config": storage | {"batch_size": 100}},
    }
    days = {"2026-03-09": rows("2026-03-09", 200), "2026-03-10": rows("2026-03-10", late)}
    with Diary("Account,Network,Date Opened,Score", days) as host:
        settings = {"start_date": "2026-02-20", "end_date": "2026-03-11", "lookback_days": 0}
        clean = tap.run(host.config(**settings), catalog=catalog_of("case_details"))
        state = {"bookmarks": {"case_details": {"replication_key_value": "2026-03-10T00:00:00Z"}}}
        host.jobs.clear()
        run = tap.run(host.config(**settings, **ways[way]), catalog=catalog_of("case_details"), state=state)
    assert (clean.code, run.code) == (0, 0), run.log
    assert host.ranges == [("2026-03-10", "2026-03-10"), ("2026-02-20", "2026-03-10")]
    names = [name for message in run.messages if message["type"] == "BATCH" for name in message["manifest"]]
    lines = "".join(Path(name.removeprefix("file://")).read_text("utf-8") for name in names).splitlines()
    found = [*run.records["case_details"], *map(json.loads, lines)]
    assert len({record["record_id"] for record in found}) == len(found), "no key comes twice"
    expected = {record["record_id"]: record for record in clean.records["case_details"]}
    assert {record["record_id"]: record for record in found} == expected
    assert f"case_details {len(found)} " in " ".join(run.log.split()), "as the table of the run counts them"
    assert bookmark(run.state, "case_details") == "2026-03-11T00:00:00Z"


# Discovery


def test_discovery_makes_no_request_unless_it_is_told_to(tap: Tap, sandbox: Sandbox) -> None:
    assert tap.run(sandbox.config(), "--discover").code == 0
    assert not sandbox.requests


def test_discovered_columns_become_columns_and_the_rest_stays_additional(tap: Tap, sandbox: Sandbox) -> None:
    found = tap.run(sandbox.config(discover_export_columns=True), "--discover")
    assert found.code == 0, found.log
    catalog = json.loads(found.out)
    schemas = {entry["tap_stream_id"]: entry["schema"]["properties"] for entry in catalog["streams"]}
    header = sandbox.report("case_details", "2026-04-30T00:00:00+10:00", LAST_DAY)[0]
    for title in header:
        name = column_name(title)
        assert name in schemas["case_details"]
        if title.endswith("(UTC)"):
            assert schemas["case_details"][name]["format"] == column_schema(title)["format"]
    assert {"submitted_at_utc", "score"} <= schemas["nps_submissions"].keys()

    for entry in catalog["streams"]:
        if entry["tap_stream_id"] not in EXPORTS:
            entry["metadata"] = [{"breadcrumb": [], "metadata": {"selected": False}}]
    sandbox.fault("export_extra_columns", "case_details", times=None)
    run = tap.run(sandbox.config(start_date="2026-04-01"), catalog=catalog)
    assert run.code == 0, run.log
    cases = records(run, "case_details")
    assert len(cases) == true_rows(sandbox, "case_details", "2026-04-01").total()
    assert all(record["date_opened_utc"].endswith("Z") for record in cases)
    assert all(record["additional_columns"] for record in cases), "what came after discovery"
    answers = records(run, "nps_submissions")
    both_forms = {name for record in answers for name, value in record.items() if value is not None}
    assert "score" in both_forms
    assert not any(record["additional_columns"] for record in answers)


def test_discovery_of_columns_with_a_wrong_token_is_one_clear_line(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(discover_export_columns=True, api_token="wrong"), "--discover")
    assert (run.code, run.out) == (1, "")
    assert len(run.errors) == 1


# The fast way and the SDK's: the same records


def test_both_ways_give_the_same_records(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    catalog = catalog_of(*EXPORTS)
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "mention_sla_export":
            entry["metadata"] += [{"breadcrumb": ["properties", "customer_fullname"], "metadata": {"selected": False}}]
    config = sandbox.config(start_date="2026-03-01")
    fast = tap.run(config, catalog=catalog)
    # A map that does nothing is enough to need the SDK's way.
    slow = tap.run(config | {"stream_maps": {name: {} for name in EXPORTS}}, catalog=catalog)
    assert fast.code == slow.code == 0, slow.log
    for stream in EXPORTS:
        assert records(fast, stream) == records(slow, stream)
        assert records(fast, stream)
    assert "customer_fullname" not in fast.out
    fast_schemas = [message for message in fast.messages if message["type"] == "SCHEMA"]
    assert fast_schemas == [message for message in slow.messages if message["type"] == "SCHEMA"]
    assert [set(message) for message in messages(fast)] == [set(message) for message in messages(slow)]


@pytest.mark.parametrize(
    "maps",
    [{}, {"mention_sla_export": {"customer_username": "md5(customer_username or '')", "customer_message": None}}],
)
def test_batch_files_have_the_same_rows_with_selection_and_maps_applied(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path, maps: dict[str, Any]
) -> None:
    catalog = catalog_of("mention_sla_export")
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "mention_sla_export":
            entry["metadata"] += [{"breadcrumb": ["properties", "agent_notes"], "metadata": {"selected": False}}]
    config = sandbox.config(start_date=START, stream_maps=maps) if maps else sandbox.config(start_date=START)
    plain = records(tap.run(config, catalog=catalog), "mention_sla_export")
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
        "batch_size": 100,
    }
    run = tap.run(config | {"batch_config": batch}, catalog=catalog)
    assert run.code == 0, run.log
    read: list[dict[str, Any]] = []
    claimed = 0
    for message in run.messages:
        if message["type"] == "BATCH":
            for url in message["manifest"]:
                lines = gzip.decompress(Path(url.removeprefix("file://")).read_bytes()).splitlines()
                read += [json.loads(line, parse_float=Decimal) for line in lines]
        elif message["type"] == "STATE" and (value := bookmark(message["value"], "mention_sla_export")):
            claimed = sum(record["customer_publish_date_utc"] < value for record in plain)
            assert claimed <= len(read), "no state ahead of its batch"
    assert read == plain
    assert claimed == len(plain)
    assert all("agent_notes" not in record for record in read)
    assert all(("customer_message" not in record) == bool(maps) for record in read)


@pytest.mark.parametrize("stream", ["summary", "mention_sla_export"])
def test_batch_files_are_packed_as_their_message_says(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path, stream: str
) -> None:
    config, catalog = sandbox.config(start_date=START), catalog_of(stream)
    found = []
    for compression in ({}, {"compression": None}, {"compression": "gzip"}, {"compression": "none"}):
        batch = {"encoding": {"format": "jsonl", **compression}, "storage": {"root": f"file://{tmp_path}"}}
        run = tap.run(config | {"batch_config": batch}, catalog=catalog)
        assert run.code == 0, run.log
        message = next(message for message in run.messages if message["type"] == "BATCH")
        content = Path(message["manifest"][0].removeprefix("file://")).read_bytes()
        said = message["encoding"]["compression"]
        found.append((said, gzip.decompress(content) if said == "gzip" else content))
    assert [said for said, _ in found] == ["gzip", "gzip", "gzip", "none"]
    assert len({content for _, content in found}) == 1


def test_a_storage_of_batch_files_that_is_not_to_be_had_is_said(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": "nosuch://bucket"}}
    run = tap.run(sandbox.config(start_date=START, batch_config=batch), catalog=catalog_of("users"))
    assert run.code == 1
    assert run.errors[-1].startswith("batch_config: nosuch://bucket can't be used (")


def test_a_catalog_without_additional_columns_gets_none(tap: Tap, catalog_of: CatalogOf) -> None:
    catalog = catalog_of("mention_sla_export")
    (entry,) = (entry for entry in catalog["streams"] if entry["tap_stream_id"] == "mention_sla_export")
    del entry["schema"]["properties"]["additional_columns"]
    sent = HEADER.replace(b"\r\n", b",Own\r\n") + ROW.replace(b"\r\n", b",text\r\n")
    run = run_with(tap, catalog, with_length(sent))
    assert run.code == 0, run.log
    (record,) = records(run, "mention_sla_export")
    assert "additional_columns" not in record
    assert record["customer_message"] == "hello"


def test_a_report_that_is_answered_like_an_export_is_an_error_without_its_secrets(
    tap: Tap, catalog_of: CatalogOf
) -> None:
    run = run_with(tap, catalog_of("summary"), b"")
    assert run.code == 1
    assert '"token": "[...]"' in run.errors[-1]
