"""What a stream asks for, writes and claims to have read: the tap itself, its messages one by one, over a real socket."""

from __future__ import annotations

import io
import json
import logging
import re
import signal
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from gzip import decompress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from conftest import select
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from support.clocks import Clock
from support.hosts import COMPLETE, HEADER, PENDING, ROW, Host, with_length
from support.states import bookmarks
from typing_extensions import override

from tap_lexer_activity.csv_exports.rows import read_rows
from tap_lexer_activity.errors import EndOfRun, without_see
from tap_lexer_activity.run.plan import Plan
from tap_lexer_activity.singer.output import StreamOutput
from tap_lexer_activity.singer.writer import MessageWriter
from tap_lexer_activity.streams import exports
from tap_lexer_activity.streams.export_files import chunks_of
from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_lexer_activity.run.progress import Progress
    from tap_lexer_activity.run.run import Run

SUMMARY = with_length(b'{"total_volume": 5}')
ROWS = with_length(b'[{"classification_id": 1, "volume": 5}, {"classification_id": 2, "volume": 7}]')
TWICE = with_length(b'[{"classification_id": 1, "volume": 5}, {"classification_id": 1, "volume": 7}]')
REFUSED = with_length(b"no", status=b"400 Bad Request")
FORMS = with_length(b'[{"id": 55, "nps": true}, {"id": 56, "nps": true}, {"id": 57, "nps": false}]')
SURVEYS = with_length(b'{"total_sent": 5}')

FILE = with_length(HEADER + ROW)
CUT_OFF = with_length(HEADER + ROW[:20])


class Recording(MessageWriter):
    """Keeps the messages that a tap writes."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []

    @override
    def write_lines(self, lines: bytes) -> None:
        self.messages += map(json.loads, lines.splitlines())
        self.state_came_last = False


class Told(TapLexerActivity):
    """A tap for some streams of a host, and the story of what it writes."""

    def __init__(self, host: Host, *streams: str, state: Any = None, **config: object) -> None:
        self.recording = Recording()
        self.clock = Clock()
        super().__init__(
            config=host.config(**{"lookback_days": 0, "end_date": "2026-01-08", "concurrency": 1} | config),
            catalog=select(*streams),
            state=state,
            message_writer=self.recording,
        )

    @override
    def new_run(self, **more: Any) -> Run:
        """With waits that take no time."""
        return super().new_run(clock=self.clock, sleep=self.clock.sleep, **more)

    @property
    def progress(self) -> Progress:
        return self.current.progress

    def plans(self) -> list[Plan]:
        return self.engine.plans()

    @property
    def story(self) -> list[str]:
        """Each record as the day (and the form) it is of, and each STATE as the bookmarks that it holds."""
        told = []
        for message in self.recording.messages:
            match message["type"]:
                case "RECORD":
                    told.append(day(message["record"]))
                case "BATCH":
                    told.append(" ".join(map(day, batched(message))))
                case "STATE":
                    told.append(f"STATE {days(message['value'])}".strip())
        return told

    @property
    def planned(self) -> list[Plan]:
        """What it asks for, but for the users, whose time zones are compared."""
        return [plan for plan in self.plans() if plan.reason != "for timezone"]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [message["record"] for message in self.recording.messages if message["type"] == "RECORD"]

    def failed(self) -> str:
        """Run, and say what the last lines of a run that failed are."""
        with pytest.raises(EndOfRun) as raised:
            self.run()
        assert raised.value.exit_code == 1
        return without_see(str(raised.value))


def day(record: dict[str, Any]) -> str:
    form = f"{record['form_id']}:" if "form_id" in record else ""
    return form + str(record["local_date"])[-2:]


def batched(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of a batch."""
    files = [Path(url2pathname(urlsplit(url).path)).read_bytes() for url in message["manifest"]]
    return [json.loads(line) for file in files for line in decompress(file).splitlines()]


def days(state: Any) -> str:
    """The days of all bookmarks."""
    return " ".join(
        f"{'' if form_id is None else f'{form_id}:'}{entry['replication_key_value'][8:10]}"
        for (_, form_id), entry in bookmarks(state).items()
    )


def batches(folder: Path, size: int) -> dict[str, Any]:
    encoding = {"format": "jsonl", "compression": "gzip"}
    return {"encoding": encoding, "storage": {"root": folder.as_uri()}, "batch_size": size}


MINIMAL = {"api_token": "a-token", "start_date": "2026-01-05"}


def state_of(stream: str, day: str) -> dict[str, Any]:
    return {"bookmarks": {stream: bookmark(day)}}


def bookmark(day: str) -> dict[str, Any]:
    return {"replication_key": "date_from", "replication_key_value": f"2026-01-{day}T00:00:00Z"}


def part(form_id: int, day: str) -> dict[str, Any]:
    return {"context": {"form_id": form_id}, **bookmark(day)}


@pytest.fixture(autouse=True)
def surroundings(clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Clock]:
    """A tap takes the signals of its process; a folder for the quota that is shared with nobody."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield clock
    for number, handler in before.items():
        signal.signal(number, handler)


# One window after the other


def test_each_window_moves_the_bookmark_when_its_record_has_been_written() -> None:
    with Host(starts=[SUMMARY]) as host:
        tap = Told(host, "summary")
        tap.run()
    assert tap.story == ["05", "STATE 06", "06", "STATE 07", "07", "STATE 08"]
    assert tap.state == state_of("summary", "08"), "and nothing beside it"
    assert re.search(r"summary +3 +3 +2026-01-05 to 2026-01-07 +complete", tap.progress.summary(["summary"])[1])


def test_a_window_of_many_rows_moves_the_bookmark_when_the_last_has_been_taken() -> None:
    with Host(starts=[ROWS]) as host:
        tap = Told(host, "case_classifications")
        stream = tap.of("case_classifications")
        steps = tap.engine.steps()
        output = StreamOutput(stream, tap.writer, tap.progress, limit=None)
        seen = []
        for step in steps:
            if isinstance(step.event, dict):
                seen.append((step.event["local_date"][-2:], stream.bookmarks().get((stream.name, None))))
            if not isinstance(step.event, str):
                output.take(step.form_id, step.event)
        del seen[5:]
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (6, 7)]
    assert seen == [("05", None), ("05", None), ("06", days[0]), ("06", days[0]), ("07", days[1])]


@pytest.mark.parametrize("answer", [REFUSED, TWICE, with_length(b"5"), with_length(b'[{"classification_id": "a1"}]')])
def test_a_window_that_fails_leaves_the_bookmark_before_it(answer: bytes) -> None:
    with Host(starts=[ROWS, answer, ROWS]) as host:
        tap = Told(host, "case_classifications")
        said = tap.failed()
    assert tap.story == ["05", "05", "STATE 06"]
    assert said.splitlines()[0] == "Complete: no stream. Failed: case_classifications"
    assert "report 'case_classifications' from 2026-01-06T00:00:00+00:00 to 2026-01-06T23:59:59+00:00: " in said
    assert host.asked == ["start token"] * 2


@pytest.mark.parametrize("nothing", [b"[]", b"{}", b"null", b""])
def test_a_window_without_records_moves_the_bookmark_like_any_other(nothing: bytes) -> None:
    with Host(starts=[with_length(nothing)]) as host:
        tap = Told(host, "case_classifications")
        tap.run()
    assert tap.story == ["STATE 06", "STATE 07", "STATE 08"]


def test_an_open_window_leaves_the_bookmark_at_its_start() -> None:
    with Host(starts=[SUMMARY]) as host:
        tap = Told(host, "summary", end_date="2026-01-06T12:00:00Z", include_partial=True)
        tap.run()
        assert tap.story == ["05", "STATE 06", "06", "STATE 06"]
        again = Told(host, "summary", end_date="2026-01-06T18:00:00Z", include_partial=True, state=tap.state)
        again.run()
        assert again.story == ["STATE 06", "06", "STATE 06"]
        later = Told(host, "summary", end_date="2026-01-07", state=again.state)
        later.run()
    assert later.story == ["STATE 06", "06", "STATE 07"]
    asked = [(json.loads(body)["date_from"][8:13], json.loads(body)["date_to"][8:16]) for body in host.jobs]
    assert asked == [("05T00", "05T23:59"), ("06T00", "06T11:59"), ("06T00", "06T17:59"), ("06T00", "06T23:59")]


def test_an_open_window_alone_gives_no_bookmark() -> None:
    with Host(starts=[SUMMARY]) as host:
        tap = Told(host, "summary", end_date="2026-01-05T12:00:00Z", include_partial=True)
        tap.run()
    assert [each for each in tap.story if each != "STATE"] == ["05"]
    assert not days(tap.state)


def test_a_request_of_many_windows_moves_the_bookmark_over_those_that_have_ended() -> None:
    buckets = [{"value": day, "date_range": {"date_from": f"2026-01-{day:02} 00:00"}} for day in range(4, 9)]
    with Host(starts=[with_length(json.dumps({"open": buckets}).encode())]) as host:
        tap = Told(host, "case_volume", end_date="2026-01-08T12:00:00Z", include_partial=True)
        tap.run()
    assert tap.story == ["05", "06", "07", "08", "STATE 08"]
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("lookback", "end", "story"),
    [
        (0, "08", ["07", "STATE 08"]),
        (1, "08", ["06", "07", "STATE 08"]),
        (2, "08", ["05", "06", "07", "STATE 08"]),
        (2, "07", ["05", "06", "STATE 07"]),
        (0, "07", ["STATE 07"]),
    ],
)
def test_windows_of_the_lookback_leave_the_bookmark_after_them(lookback: int, end: str, story: list[str]) -> None:
    with Host(starts=[SUMMARY]) as host:
        before = state_of("summary", "07")
        tap = Told(host, "summary", state=before, lookback_days=lookback, end_date=f"2026-01-{end}")
        tap.run()
    assert tap.story == ["STATE 07", *story]


def test_a_lookback_that_fails_leaves_the_bookmark_after_it() -> None:
    with Host(starts=[SUMMARY, REFUSED]) as host:
        tap = Told(host, "summary", state=state_of("summary", "07"), lookback_days=2)
        tap.failed()
    assert tap.story == ["STATE 07", "05", "STATE 07"]


def test_a_backfill_moves_no_bookmark() -> None:
    with Host(starts=[SUMMARY]) as host:
        tap = Told(host, "summary", state=state_of("summary", "06"), backfill_start="2026-01-05")
        tap.run()
    assert tap.story == ["STATE 06", "05", "06", "07", "STATE 06"]
    assert days(tap.state) == "06"


def test_requests_that_are_spent_leave_the_rest_for_the_next_run() -> None:
    with Host(starts=[SUMMARY]) as host:
        tap = Told(host, "summary", max_requests=2)
        tap.run()
        assert tap.story == ["05", "STATE 06", "06", "STATE 07"]
        assert tap.progress.short == ["summary"]
        again = Told(host, "summary", max_requests=2, state=tap.state)
        again.run()
    assert again.story == ["STATE 07", "07", "STATE 08"]
    assert again.progress.short == []


# One bookmark for each form


def test_each_form_has_a_bookmark_of_its_own() -> None:
    with Host(FORMS, starts=[SURVEYS]) as host:
        tap = Told(host, "nps_summary", end_date="2026-01-07")
        tap.run()
    assert tap.story == [
        *("55:05", "STATE 55:06", "55:06", "STATE 55:07"),
        *("56:05", "STATE 55:07 56:06", "56:06", "STATE 55:07 56:07"),
    ]
    assert [json.loads(body)["form"] for body in host.jobs] == [55, 55, 56, 56]
    assert {json.loads(body)["nps_category"] for body in host.jobs} == {"all"}


def test_a_form_that_fails_or_is_behind_leaves_the_others_alone() -> None:
    before = {"bookmarks": {"nps_summary": {"partitions": [part(56, "07"), part(55, "05")]}}}
    with Host(FORMS, starts=[SURVEYS, REFUSED, SURVEYS]) as host:
        tap = Told(host, "nps_summary", state=before, lookback_days=1)
        said = tap.failed()
    assert tap.story == [
        "STATE 56:07 55:05",
        *("55:05", "STATE 56:07 55:06"),
        *("56:06", "56:07", "STATE 56:08 55:06"),
    ]
    assert said.splitlines()[0] == "Complete: no stream. Failed: nps_summary"
    assert "2026-01-06T23:59:59+00:00, form 55: 400 Bad Request" in said


def test_forms_take_turns_where_requests_are_few() -> None:
    before = {"bookmarks": {"nps_summary": {"partitions": [part(55, "06"), part(56, "05")]}}}
    with Host(FORMS, starts=[SURVEYS]) as host:
        tap = Told(host, "nps_summary", state=before, max_requests=3)
        tap.run()
        assert tap.story == ["STATE 55:06 56:05", "56:05", "STATE 55:06 56:06", "56:06", "STATE 55:06 56:07"]
        new = Told(
            host, "nps_summary", state={"bookmarks": {"nps_summary": {"partitions": [part(55, "06")]}}}, max_requests=2
        )
        new.run()
    assert new.story == ["STATE 55:06", "56:05", "STATE 55:06 56:06"]


def test_an_account_without_nps_forms_has_nothing_to_read(caplog: pytest.LogCaptureFixture) -> None:
    with Host(with_length(b"[]")) as host:
        tap = Told(host, "nps_summary")
        assert tap.plans() == [
            Plan(stream="forms", reason="for the NPS streams", count=1),
            Plan(stream="nps_summary", reason="there is no NPS form", count=0),
        ]
        caplog.set_level(logging.INFO)
        tap.run()
    assert tap.story == ["STATE"]
    assert "This account has no NPS form, so there is nothing to read" in caplog.messages


def test_forms_that_can_not_be_read_fail_the_streams_that_need_them() -> None:
    with Host(REFUSED) as host:
        said = Told(host, "nps_summary").failed()
    assert said == "Complete: no stream. Failed: nps_summary\nnps_summary: forms: 400 Bad Request, Lexer says: no"
    assert len(host.asked) == 1


# Batch files, stream maps and exports


def test_a_batch_is_written_before_the_bookmark_of_what_is_in_it(tmp_path: Path) -> None:
    with Host(starts=[ROWS]) as host:
        tap = Told(host, "case_classifications", batch_config=batches(tmp_path, 3))
        tap.run()
    assert tap.story == ["05 05 06", "STATE 06", "06 07 07", "STATE 07", "STATE 08"]


@pytest.mark.parametrize("prefix", ["", "lexer-", None])
@pytest.mark.parametrize(
    ("stream", "sent"), [("case_classifications", {"starts": [ROWS]}), ("mention_sla_export", {"files": [FILE]})]
)
def test_the_name_of_a_batch_file_begins_as_it_is_told_to(
    tmp_path: Path, prefix: str | None, stream: str, sent: dict[str, Any]
) -> None:
    config = batches(tmp_path, 3)
    config["storage"]["prefix"] = prefix
    with Host(*sent.get("files", ()), starts=sent.get("starts", (PENDING,))) as host:
        tap = Told(host, stream, batch_config=config)
        tap.run()
    urls = [url for message in tap.recording.messages if message["type"] == "BATCH" for url in message["manifest"]]
    names = {url.rpartition("/")[2] for url in urls}
    assert names == {path.name for path in tmp_path.glob("*.json.gz")} != set()
    beginning = f"{prefix or ''}tap-lexer-activity--{stream}-"
    assert {name[: len(beginning)] for name in names} == {beginning}


@pytest.mark.parametrize("is_installed", [True, False])
def test_batch_files_are_gzip_with_the_extra_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_installed: bool
) -> None:
    if not is_installed:
        monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    with Host(starts=[ROWS]) as host:
        tap = Told(host, "case_classifications", batch_config=batches(tmp_path, 3))
        tap.run()
    assert tap.story == ["05 05 06", "STATE 06", "06 07 07", "STATE 07", "STATE 08"]


def test_a_batch_that_a_failure_cuts_short_claims_what_is_whole(tmp_path: Path) -> None:
    with Host(starts=[ROWS, ROWS, REFUSED]) as host:
        tap = Told(host, "case_classifications", batch_config=batches(tmp_path, 3))
        tap.failed()
    assert tap.story == ["05 05 06", "STATE 06", "06", "STATE 07"]


def test_a_batch_does_not_wait_for_more_rows_after_a_window_when_a_minute_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Host(starts=[ROWS, ROWS, *[with_length(b"[]")] * 4, ROWS]) as host:
        monkeypatch.setattr("tap_lexer_activity.singer.sinks.monotonic", lambda: 25.0 * len(host.asked))
        tap = Told(host, "case_classifications", end_date="2026-01-12", batch_config=batches(tmp_path, 1000))
        tap.run()
    assert tap.story == ["05 05 06 06", "STATE 08", "STATE 11", "11 11", "STATE 12"]


def test_a_batch_that_a_stream_map_ends_claims_what_is_whole(tmp_path: Path) -> None:
    maps = {"case_classifications": {"volume": "volume if date_from < '2026-01-07' else 1 / 0"}}
    with Host(starts=[ROWS]) as host:
        tap = Told(host, "case_classifications", batch_config=batches(tmp_path, 1000), stream_maps=maps)
        assert "the stream map for volume fails with ZeroDivisionError" in tap.failed()
    assert tap.story == ["05 05 06 06", "STATE 07"]


def test_a_batch_that_can_not_be_written_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Host(starts=[ROWS]) as host:
        tap = Told(host, "case_classifications", batch_config=batches(tmp_path / "file" / "folder", 3))
        assert "batch_config: " in tap.failed()
    assert not days(tap.state)
    assert not [message for message in tap.recording.messages if message["type"] == "BATCH"]


def test_batches_of_a_stream_map_s_streams_are_written_before_the_bookmark(tmp_path: Path) -> None:
    maps = {
        "a": {"__source__": "summary", "total_volume": "total_volume + 1"},
        "summary": {"total_volume": "total_volume"},
    }
    with Host(starts=[SUMMARY]) as host:
        tap = Told(host, "summary", batch_config=batches(tmp_path, 2), stream_maps=maps)
        tap.run()
    names = [
        message.get("stream", "STATE") for message in tap.recording.messages if message["type"] in {"BATCH", "STATE"}
    ]
    assert names == ["summary", "a", "STATE"] * 2
    volumes = {
        message["stream"]: {row["total_volume"] for row in batched(message)}
        for message in tap.recording.messages
        if message["type"] == "BATCH"
    }
    assert volumes == {"a": {6}, "summary": {5}}
    assert tap.story == ["05 06", "05 06", "STATE 06", "07", "07", "STATE 08"]


@pytest.mark.parametrize("way", ["plain", "mapped", "batch"])
def test_an_export_moves_the_bookmark_when_its_file_has_been_written(tmp_path: Path, way: str) -> None:
    ways: dict[str, dict[str, object]] = {
        "plain": {},
        "mapped": {"stream_maps": {"mention_sla_export": {"state": "state"}}},
        "batch": {"batch_config": batches(tmp_path, 1000)},
    }
    with Host(FILE, with_length(HEADER), CUT_OFF) as host:
        tap = Told(host, "mention_sla_export", export_window_days=1, **ways[way])
        assert "in the middle of a row, 3 times" in tap.failed()
    assert tap.story == ["05", "STATE 06", "STATE 07"]


@pytest.mark.parametrize(
    ("size", "rows", "expected"), [(10, 250, [100, 100, 50]), (100_000, 100, [60, 40]), (1 << 20, 50, [20, 20, 10])]
)
def test_long_rows_are_converted_a_few_at_a_time(size: int, rows: int, expected: list[int]) -> None:
    file = io.BytesIO(b"".join(b"%d,%s\r\n" % (row, b"x" * size) for row in range(rows)))
    lines = io.TextIOWrapper(file, newline="")
    chunks = list(chunks_of(read_rows(lines), lines))  # (what takes memory is what it keeps at a time)
    assert [int(row[0]) for chunk in chunks for row in chunk] == list(range(rows))
    assert [len(chunk) for chunk in chunks] == expected


# What a run says of itself


def test_the_table_counts_what_was_written(tmp_path: Path) -> None:
    maps: dict[str, Any] = {
        "case_classifications": {"__filter__": "volume > 5"},
        "copy": {"__source__": "case_classifications", "__filter__": "volume > 5"},
    }
    for more in ({}, {"batch_config": batches(tmp_path, 1000)}):
        with Host(starts=[ROWS]) as host:
            tap = Told(host, "case_classifications", stream_maps=maps, **more)
            tap.run()
        assert tap.progress.summary(["case_classifications"])[1].split()[:2] == ["case_classifications", "3"]


def test_rows_that_go_through_a_stream_map_are_told_of_while_they_are_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tap_lexer_activity.run.run.PACE_OF_A_FILE", 0.0)
    caplog.set_level(logging.INFO)
    with Host(with_length(HEADER + ROW * 600)) as host:
        maps = {"mention_sla_export": {"state": "state"}}
        Told(host, "mention_sla_export", stream_maps=maps).run()
    said = [line.split(";")[0] for line in caplog.messages if " windows, " in line]
    assert said[-4:] == [
        "mention_sla_export: 0 of 3 windows, 400 records",
        "mention_sla_export: 0 of 3 windows, 500 records",
        "mention_sla_export: 0 of 3 windows, 600 records",
        "mention_sla_export: 3 of 3 windows, 600 records",
    ]


@pytest.mark.thorough
def test_an_export_that_is_waited_for_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tap_lexer_activity.run.run.PACE_OF_A_FILE", 0.2)
    caplog.set_level(logging.INFO)
    with Host(FILE, statuses=[PENDING, COMPLETE]) as host:
        tap = TapLexerActivity(config=host.config(), catalog=select("mention_sla_export"), message_writer=Recording())
        tap.run()
    said = [line for line in caplog.messages if line.endswith("; waiting for an export")]
    assert len(said) > 5, "the first question alone is a second after the start"
    assert said[-1].startswith("mention_sla_export: 0 of 1 windows, 0 records; ")


# What a run asks for


@pytest.mark.parametrize(
    ("before", "config", "expected"),
    [
        (None, {}, {"reason": "first load", "count": 3}),
        ("05", {}, {"reason": "new", "count": 3}),
        ("06", {"lookback_days": 9}, {"reason": "new, and lookback", "count": 3, "rereads": 1}),
        ("08", {"lookback_days": 2}, {"reason": "lookback", "count": 2, "rereads": 2}),
        ("08", {}, {"reason": "nothing new", "count": 0}),
        ("07", {"backfill_start": "2026-01-05", "backfill_end": "2026-01-07"}, {"reason": "backfill", "count": 2}),
        (
            "03",
            {},
            {
                "reason": "new",
                "count": 3,
                "caution": "start_date (2026-01-05T00:00:00Z) is after the bookmark (2026-01-03T00:00:00Z): "
                "what lies between them is not read [see: start-after-bookmark]",
            },
        ),
    ],
)
def test_a_plan_says_what_is_asked_for_and_why(
    before: str | None, config: dict[str, Any], expected: dict[str, Any]
) -> None:
    with Host() as host:
        tap = Told(host, "summary", state=before and state_of("summary", before), **config)
        (plan,) = tap.planned
    assert len(plan.requests) == plan.count
    assert plan == Plan(stream="summary", requests=plan.requests, **expected)


@pytest.mark.parametrize(
    ("config", "bookmarked", "reason", "starts", "rereads"),
    [
        ({}, None, "first load", ["04", "11", "18"], 0),
        ({}, "04", "new", ["04", "11", "18"], 0),
        ({"lookback_days": 7}, "11", "new, and lookback", ["04", "11", "18"], 1),
        ({"lookback_days": 6}, "11", "new", ["11", "18"], 0),
        ({"include_partial": True}, "18", "new", ["18", "25"], 0),
        ({"backfill_start": "2026-01-14", "backfill_end": "2026-01-30"}, "25", "backfill", ["11", "18", "25"], 0),
        # (No bookmark would bring a run back to the rest of the week in which `end_date` lies.)
        ({"backfill_start": "2026-01-20", "include_partial": True}, "25", "backfill", ["18"], 0),
    ],
)
def test_weeks_begin_on_mondays_of_the_zone(
    config: dict[str, Any], bookmarked: str | None, reason: str, starts: list[str], rereads: int
) -> None:
    monday = {"replication_key": "date_from", "replication_key_value": f"2026-01-{bookmarked}T13:00:00Z"}
    weeks = {
        "timezone": "Australia/Sydney",
        "report_interval": "week",
        "start_date": "2026-01-07",
        "end_date": "2026-02-01",
    }
    with Host(FORMS) as host:
        state: Any = None if bookmarked is None else {"bookmarks": {"summary": monday}}
        (plan,) = Told(host, "summary", state=state, **weeks | config).planned
        state = state and {"bookmarks": {"nps_summary": {"partitions": [{"context": {"form_id": 56}, **monday}]}}}
        (_, _, form) = Told(host, "nps_summary", state=state, **weeks | config).planned
    windows = [window for request in plan.requests for window in request.windows]
    assert [window.start for window in windows] == [datetime(2026, 1, int(day), 13, tzinfo=UTC) for day in starts]
    assert (plan.reason, plan.rereads, plan.caution) == (reason, rereads, None)
    assert form == replace(plan, stream="nps_summary", form_id=56)


def test_a_list_is_a_full_table_and_one_request() -> None:
    with Host(with_length(b'{"id": 5}')) as host:
        tap = Told(host, "groups")
        assert tap.plans() == [Plan(stream="groups", reason="full table", count=1)]
        tap.run()
    assert [record["id"] for record in tap.records] == [5]
    assert len(host.asked) == 1


def test_a_bookmark_in_the_future_is_kept_and_nothing_is_read() -> None:
    future = {"replication_key": "date_from", "replication_key_value": "9999-01-09T00:00:00Z"}
    with Host() as host:
        tap = Told(host, "summary", state={"bookmarks": {"summary": future}})
        (plan,) = tap.plans()
        tap.run()
    assert plan == Plan(
        stream="summary",
        reason="the bookmark is in the future",
        count=0,
        requests=[],
        caution="The bookmark 9999-01-09T00:00:00Z is in the future: nothing is read until then. "
        "To re-read from start_date, remove this stream from the state [see: bookmark-in-future]",
    )
    assert (set(tap.story), host.asked) == ({"STATE 09"}, [])


def test_a_full_table_is_read_whole_whatever_the_bookmark_says() -> None:
    with Host(starts=[SUMMARY]) as host:
        tap = Told(host, "summary", state=state_of("summary", "07"))
        tap.streams["summary"].forced_replication_method = REPLICATION_FULL_TABLE
        (plan,) = tap.planned
    assert (plan.reason, plan.count, plan.rereads) == ("first load", 3, 0)


@pytest.mark.parametrize(("end", "is_said"), [("04-06", False), ("04-07", True), ("04-10", True), ("04-11", False)])
def test_a_series_warns_if_the_clocks_changed_so_lately_that_a_request_spans_it(
    caplog: pytest.LogCaptureFixture, end: str, is_said: bool
) -> None:
    with Host() as host:
        config = {"start_date": "2026-03-20", "end_date": f"2026-{end}", "timezone": "Australia/Sydney"}
        Told(host, "case_volume", "summary", **config).plans()
    said = [message for message in caplog.messages if message.startswith("The clocks changed less than 4 days ago")]
    assert len(said) == is_said
    assert all(message.endswith("keep lookback_days at 5 or more") for message in said)


def test_each_export_costs_a_job_and_a_question_at_least() -> None:
    with Host(FORMS) as host:
        forms, *plans = Told(host, "nps_submissions", export_window_days=1).planned
    assert forms.stream == "forms"
    assert [(plan.form_id, plan.count, plan.polls) for plan in plans] == [(55, 3, 3), (56, 3, 3)]


@pytest.mark.parametrize(
    ("stream", "most", "takes"),
    [
        ("mention_sla_export", 4, 5),  # the lookback's job and its poll, and a job, its poll and one more
        ("mention_sla_export", 5, None),
        ("summary", 1, 2),
        ("summary", 2, None),
        ("nps_submissions", 5, 6),  # and the list of forms
        ("nps_submissions", 6, None),
    ],
)
def test_a_most_that_gets_no_stream_any_further_is_cautioned(
    stream: str, most: int, takes: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    state: Any = state_of(stream, "07")
    if stream == "nps_submissions":
        state = {"bookmarks": {stream: {"partitions": [part(55, "07"), part(56, "07")]}}}
    with Host(FORMS) as host:
        told = Told(host, stream, state=state, lookback_days=1, export_window_days=1, max_requests=most)
        told.describe_plan()
    said = [message for message in caplog.messages if message.startswith("max_requests is")]
    caution = f"max_requests is {most}, but {stream} needs at least {takes} to get further, lookback included. "
    setting = "lookback_days" if stream == "summary" else "export_lookback_days"
    assert set(said) == (set() if takes is None else {f"{caution}Raise it, or lower {setting}"})


def test_each_stream_that_a_most_is_too_few_for_is_named_once_and_the_list_of_forms_is_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Host(FORMS) as host:
        Told(host, "forms", "nps_summary", max_requests=1).describe_plan()
    said = [message.partition(" to get further")[0] for message in caplog.messages]
    assert said == ["max_requests is 1, but nps_summary needs at least 2"]


def test_few_requests_go_to_what_is_new_then_to_lists_and_at_last_to_a_mere_lookback() -> None:
    before = {"summary": bookmark("08"), "case_summary": bookmark("07"), "case_classifications": bookmark("06")}
    with Host() as host:
        told = Told(host, "users", *before, state={"bookmarks": before}, lookback_days=1, max_requests=100)
        told.engine.prepare()
    assert [stream.name for stream in told.engine.streams] == [
        *("case_classifications", "case_summary", "users", "summary")
    ]


@pytest.mark.parametrize(
    ("end", "day"), [("2026-01-08", "07"), ("2026-01-08T00:00:01", "07"), ("2026-01-08T23:59", "07")]
)
@pytest.mark.parametrize(("zone", "offset"), [("Australia/Sydney", "+11:00"), ("America/New_York", "-05:00")])
def test_discovery_asks_for_the_last_whole_day_of_the_zone(end: str, day: str, zone: str, offset: str) -> None:
    with Host(FILE) as host:
        exports.CaseDetails(Told(host, "case_details", end_date=end, timezone=zone).current).discovered()
    assert json.loads(host.jobs[0]) == {
        "type": "case_details",
        "date_from": f"2026-01-{day}T00:00:00{offset}",
        "date_to": f"2026-01-{day}T23:59:59{offset}",
    }


# What a stream makes of an answer


def test_report_parameters_come_last() -> None:
    with Host(starts=[SUMMARY]) as host:
        Told(host, "summary", report_parameters={"summary": {"type": "totals", "groups": [1]}}).run()
    assert {(body["type"], *body["groups"]) for body in map(json.loads, host.jobs)} == {("totals", 1)}


def test_a_record_has_its_window_in_utc_and_its_local_date() -> None:
    with Host(starts=[with_length(b'{"total_volume": 5.0}')]) as host:
        tap = Told(host, "summary", timezone="Australia/Sydney", start_date="2026-01-07")
        tap.run()
    (record,) = tap.records
    assert {name: value for name, value in record.items() if value is not None} == {
        "date_from": "2026-01-06T13:00:00Z",
        "date_to": "2026-01-07T12:59:59Z",
        "interval": "day",
        "local_date": "2026-01-07",
        "total_volume": 5,
    }
    assert isinstance(record["total_volume"], int)
    assert json.loads(host.jobs[0]) == {
        "type": "summary",
        "date_from": "2026-01-07T00:00:00+11:00",
        "date_to": "2026-01-07T23:59:59+11:00",
    }


@pytest.mark.parametrize(
    ("stream", "key", "other", "zeros"),
    [("case_volume", "closed", "open", 0), ("response_volume", "a", "b", 0), ("states_volume", "new", "closed", 3)],
)
def test_no_zeros_are_made_up_for_open_cases(stream: str, key: str, other: str, zeros: int) -> None:
    buckets = [{"value": 7, "date_range": {"date_from": f"2026-01-0{day} 00:00"}} for day in range(3, 8)]
    with Host(starts=[with_length(json.dumps({key: buckets, other: []}).encode())]) as host:
        tap = Told(host, stream)
        tap.run()
    values = [list(record.values()) for record in tap.records]
    assert [len([row for row in values if name in row]) for name in (key, other)] == [3, zeros]
    assert all((0 in row) == (key not in row) for row in values)


# Buckets of a series


def daily(*dates: str, value: float = 1) -> bytes:
    buckets = [{"value": value, "date_range": {"date_from": date}} for date in dates]
    return with_length(json.dumps({"open": buckets} if dates else {}).encode())


def test_days_that_were_not_asked_for_are_left_out() -> None:
    wanted = [f"2026-01-0{day} 00:00" for day in range(5, 8)]
    with Host(starts=[daily("2025-12-01 00:00", *wanted, "2026-01-20 00:00")]) as host:
        told = Told(host, "case_volume")
        told.run()
    assert [record["date_label"] for record in told.records] == wanted


@pytest.mark.parametrize(
    ("stream", "key", "last", "said"),
    [
        ("states_volume", "new", 17, "came as a row of its own, and is added to its day"),
        ("response_volume", "avg", 10, "is left out: it came as a row of its own"),
        ("case_volume", "open", 10, "is left out: it came as a row of its own"),
    ],
)
def test_the_hour_that_is_left_over_of_a_long_day_is_added_to_counts_and_to_no_average(
    stream: str, key: str, last: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = [("01", 1), ("02", 2), ("03", 3), ("04", 4), ("05", 10), ("06", 7)]
    buckets = [{"value": value, "date_range": {"date_from": f"2026-04-{day} 00:00"}} for day, value in values]
    with Host(starts=[with_length(json.dumps({key: buckets}).encode())]) as host:
        zone = {"timezone": "Australia/Sydney", "start_date": "2026-04-01", "end_date": "2026-04-06"}
        told = Told(host, stream, **zone)
        told.run()
    found = [record["value"] for record in told.records if key in record.values()]
    assert found == [1, 2, 3, 4, last]
    what = f"report '{stream}' from 2026-04-01T00:00:00+11:00 to 2026-04-05T23:59:59+10:00"
    assert [message for message in caplog.messages if "the last hour of" in message] == [
        f"{what}: the last hour of 2026-04-04 13:00:00+00:00 {said}"
    ]


def test_a_row_of_the_day_after_adds_nothing_to_a_day_of_24_hours(caplog: pytest.LogCaptureFixture) -> None:
    buckets = [{"value": value, "date_range": {"date_from": f"2026-01-0{value} 00:00"}} for value in (5, 6, 7, 8)]
    with Host(starts=[with_length(json.dumps({"new": buckets}).encode())]) as host:
        told = Told(host, "states_volume", series_label="start")
        told.run()
    assert [record["value"] for record in told.records if record["state"] == "new"] == [5, 6, 7]
    assert "the last hour of" not in caplog.text


@pytest.mark.parametrize("stream", ["states_volume", "response_volume", "case_volume"])
def test_a_bucket_under_the_key_of_another_is_an_error(stream: str) -> None:
    column = TapLexerActivity(config=MINIMAL).streams[stream].primary_keys[-1]
    buckets = [
        {"value": 1, "date_range": {"date_from": f"2026-01-0{day} 00:00"}, column: key}
        for day, key in [(5, "one"), (6, None), (7, "other")]
    ]
    with Host(starts=[with_length(json.dumps({"one": buckets}).encode())]) as host:
        told = Told(host, stream)
        assert "a bucket of 'other' came under 'one'" in told.failed()
    assert not told.records


@pytest.mark.parametrize(
    ("start", "end", "zone"), [("2026-01-05", "2026-01-06", "UTC"), ("2025-10-05", "2025-10-06", "Australia/Sydney")]
)
def test_a_day_in_answer_to_the_hours_of_one_day_is_an_error(start: str, end: str, zone: str) -> None:
    with Host(starts=[daily(f"{start} 00:00", value=5)]) as host:
        told = Told(host, "case_volume", series_interval="hour", start_date=start, end_date=end, timezone=zone)
        assert "asked for one bucket per hour" in told.failed()
    assert not told.records


def surveyed(*days: int) -> bytes:
    moments = [datetime(2026, 1, day, tzinfo=UTC) for day in days]
    rows = [{"date": at.isoformat(), "timestamp": int(at.timestamp()), "data": {"sent": 1}} for at in moments]
    return with_length(json.dumps(rows).encode())


@pytest.mark.parametrize(
    ("labels", "local_dates"),
    [
        ((3, 5, 6, 7), ["2026-01-05", "2026-01-06", "2026-01-07"]),
        ((5, 6, 7, 8), ["2026-01-05", "2026-01-06", "2026-01-07"]),
        ((6, 7, 8), ["2026-01-05", "2026-01-06", "2026-01-07"]),
        ((6, 7, 8, 9), [None, None, None]),
        ((6, 7, 8, 20), [None, None, None]),
    ],
)
def test_days_of_a_survey_that_were_not_asked_for_do_not_move_the_others(
    labels: tuple[int, ...], local_dates: list[str | None], caplog: pytest.LogCaptureFixture
) -> None:
    with Host(FORMS, starts=[surveyed(*labels)]) as host:
        told = Told(host, "nps_volume", form_ids=[55])
        told.run()
    assert [record.get("local_date") for record in told.records] == local_dates
    assert ("left out: 2026-01-20T00:00:00Z" in caplog.text) == (20 in labels)


def test_two_times_of_a_row_that_are_not_the_same_are_an_error() -> None:
    row = b'[{"date": "2026-01-05T10:00:00+10:00", "timestamp": 1767571201, "data": {"sent": 1}}]'
    with Host(FORMS, starts=[with_length(row)]) as host:
        told = Told(host, "nps_volume", form_ids=[55])
        assert (
            ": date 2026-01-05T00:00:00Z and timestamp 1767571201 of a row are not the same instant. If it keeps failing for one window, "
            "skip that: set skip_windows to its first date (nps_volume: 2026-01-05 or later)"
        ) in told.failed()
    assert not told.records


@pytest.mark.parametrize(
    ("zone", "local_dates"),
    [
        ("America/New_York", ["2026-01-04", "2026-01-05", "2026-01-06"]),
        ("Pacific/Kiritimati", ["2026-01-05", "2026-01-06", "2026-01-07"]),
    ],
)
def test_a_day_of_utc_begins_on_the_day_before_west_of_greenwich(zone: str, local_dates: list[str]) -> None:
    days = {"start_date": "2026-01-05T00:00:00Z", "end_date": "2026-01-08T00:00:00Z"}
    with Host(FORMS, starts=[surveyed(3, 5, 6, 7)]) as host:
        told = Told(host, "nps_volume", form_ids=[55], timezone=zone, **days)
        told.run()
    assert all(record["date_to"] == f"{record['date'][:10]}T23:59:59Z" for record in told.records)
    assert [(record["date"][:10], record["local_date"]) for record in told.records] == [
        (f"2026-01-0{day}", local) for day, local in zip((5, 6, 7), local_dates, strict=True)
    ]


@pytest.mark.parametrize(
    ("interval", "labels", "said"),
    [
        ("day", ["2025-12-01 00:00"], "asked for one bucket per day"),
        ("day", ["2026-01-05 00:00", "2026-01-20 13:00"], "asked for one bucket per day"),
        ("day", ["2026-01-05 00:00", "2026-W03"], "asked for one bucket per day"),
        ("day", ["2026-01-05 00:00", "2026-13-06 00:00"], "asked for one bucket per day"),
        ("hour", ["2026-01-05 07:00", "2026-01-20 07:00"], "set timezone to the account's"),
    ],
)
def test_other_buckets_that_were_not_asked_for_are_an_error(interval: str, labels: list[str], said: str) -> None:
    with Host(starts=[daily(*labels)]) as host:
        told = Told(host, "case_volume", series_interval=interval)
        assert said in told.failed()
    assert not told.records


@pytest.mark.parametrize(
    ("rest", "is_quiet"),
    [
        ([daily()], True),
        ([daily("2026-01-05 00:00", value=0)], True),
        ([daily(), daily("2026-01-06 01:00")], False),
        ([daily("2026-01-05 00:00")], False),
    ],
)
def test_an_account_where_nothing_happens_but_after_midnight_goes_on(rest: list[bytes], is_quiet: bool) -> None:
    with Host(starts=[daily("2026-01-05 00:00", "2026-01-06 00:00"), *rest]) as host:
        told = Told(host, "states_volume", series_interval="hour")
        if not is_quiet:
            assert "asked for one bucket per hour" in told.failed()
            return
        told.run()
    found = {(record["date_from"], record["value"]) for record in told.records if record["state"] == "open"}
    assert found == {("2026-01-05T00:00:00Z", 1), ("2026-01-06T00:00:00Z", 1)}
    asked = [json.loads(body) for body in host.jobs]
    assert [(body["date_from"][:13], body["date_to"][:13]) for body in asked] == [
        ("2026-01-05T00", "2026-01-07T23"),
        ("2026-01-05T01", "2026-01-05T23"),
        ("2026-01-06T01", "2026-01-06T23"),
    ]


def test_whole_numbers_are_integers_also_inside() -> None:
    row = b'[{"user_id": "7", "states": {"closed": 5.0, "x": 1e2}}]'
    with Host(starts=[with_length(row)]) as host:
        told = Told(host, "user_volume", end_date="2026-01-06")
        told.run()
    assert [(record["user_id"], json.dumps(record["states"])) for record in told.records] == [
        (7, '{"closed": 5, "x": 100}')
    ]


@pytest.mark.parametrize("digits", [1, 8, 9, 10, 17, 18])
@pytest.mark.parametrize("stream", ["user_summary", "user_volume"])
def test_an_id_that_is_sent_as_text_is_a_number(stream: str, digits: int) -> None:
    sent = "987654321987654321"[:digits]
    with Host(starts=[with_length(b'[{"user_id": "%s", "states": {}}]' % sent.encode())]) as host:
        told = Told(host, stream, end_date="2026-01-06")
        told.run()
    assert [record["user_id"] for record in told.records] == [int(sent)]


@pytest.mark.parametrize(("answer", "states"), [(b"[]", 0), (b'[{"state": "new", "volume": 5}]', 10)])
def test_an_answer_without_a_row_says_nothing_of_any_state(answer: bytes, states: int) -> None:
    with Host(starts=[with_length(answer)]) as host:
        told = Told(host, "workflow_states", end_date="2026-01-06")
        told.run()
    assert len(told.records) == states
    assert told.story[-1] == "STATE 06"


def test_an_id_of_thousands_of_digits_fails_its_stream_and_no_other() -> None:
    row = b'[{"user_id": "%s", "states": {}}]' % (b"9" * 5000)
    with Host(starts=[SUMMARY, with_length(row)]) as host:
        told = Told(host, "user_volume", "summary", end_date="2026-01-06")
        assert "in [0].user_id integer was expected, string came" in told.failed()
    assert told.story[:2] == ["05", "STATE 06"]


# How a stream ends


def test_a_refused_token_ends_the_run_where_it_stands() -> None:
    with Host(starts=[with_length(b"", status=b"401 Unauthorized")]) as host:
        tap = Told(host, "summary", "case_summary", max_requests=9)  # by which it asks for nothing else first
        assert "The api_token is wrong" in tap.failed()
    assert tap.story == []
    assert len(host.asked) == 1


def test_a_token_that_was_accepted_before_fails_the_stream_and_not_the_run() -> None:
    refused = with_length(b"", status=b"401 Unauthorized")
    with Host(starts=[SUMMARY, refused, refused, SUMMARY]) as host:
        tap = Told(host, "summary", "user_volume")
        assert "summary: report 'summary' from 2026-01-06" in tap.failed()
    assert tap.story[:2] == ["05", "STATE 06"]


def test_a_trial_run_reads_what_is_selected_and_names_what_fails() -> None:
    with Host(starts=[REFUSED, ROWS]) as host:
        tap = Told(host, "summary", "case_classifications")
        with pytest.raises(
            EndOfRun, match=r"^Failed: summary\nsummary: report 'summary' from .* 400 Bad Request"
        ) as raised:
            tap.test()
        assert raised.value.exit_code == 1
        assert len(host.asked) == 2
    assert tap.story == ["STATE", "05", "STATE"]


def test_two_rows_for_one_key_are_named() -> None:
    with Host(starts=[TWICE]) as host:
        said = Told(host, "case_classifications").failed()
    assert said.endswith(
        "23:59:59+00:00: the answer has two rows for date_from 2026-01-05T00:00:00Z, interval day, classification_id 1. To take the first "
        'of such rows, set accept to {"case_classifications": ["merge_doubles"]}; to skip this window, set skip_windows to '
        '{"case_classifications": ["2026-01-05"]}'
    )


def test_a_stream_map_that_fails_does_not_show_what_it_failed_with() -> None:
    with Host(starts=[with_length(b'{"total_volume": 5, "total_responded_to": null}')]) as host:
        tap = Told(host, "summary", stream_maps={"summary": {"x": "int('the customer said ' + local_date)"}})
        said = tap.failed()
    assert said == "summary: the stream map for x fails with ValueError (its text is not shown: data may be in it)"
