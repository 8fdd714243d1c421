"""What is fuzzed: functions of bytes that are content with any, or raise. `SEEDS` are inputs to begin with.

The tests give them what hypothesis makes up (`test_fuzz.py`), and `fuzz.py` what atheris finds by watching which lines an input reaches.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import requests
from requests.structures import CaseInsensitiveDict
from singer_sdk.exceptions import ConfigurationError, ConfigValidationError, RetriableAPIError
from singer_sdk.singerlib.messages import RecordMessage
from urllib3 import HTTPResponse

from tap_lexer_activity import windows
from tap_lexer_activity.csv_exports.convert import Converter
from tap_lexer_activity.csv_exports.rows import is_cut_off, read_rows
from tap_lexer_activity.errors import (
    RangeTooLongError,
    RangeTooShortError,
    TruncatedError,
    UnexpectedAnswerError,
)
from tap_lexer_activity.http.retry import retry_after
from tap_lexer_activity.lexer.answers import parse_json, text_of_body
from tap_lexer_activity.lexer.decode import spooled
from tap_lexer_activity.lexer.download import host_of
from tap_lexer_activity.lexer.encodings import BYTE_ORDER_MARKS
from tap_lexer_activity.lexer.envelopes import Expected, Shape
from tap_lexer_activity.lexer.job_answers import Complete, opened, parse_status, token_of
from tap_lexer_activity.lexer.whole import Reply, WholeAnswers
from tap_lexer_activity.notices import Notices
from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.shapes import answer_validator
from tap_lexer_activity.singer.state import checked_state
from tap_lexer_activity.singer.writer import MessageWriter
from tap_lexer_activity.streams.base import WindowedStream
from tap_lexer_activity.streams.export_files import chunks_of
from tap_lexer_activity.streams.exports import Export
from tap_lexer_activity.streams.registry import STREAMS
from tap_lexer_activity.tap import TapLexerActivity
from tap_lexer_activity.values import storable
from tap_lexer_activity.windows import DAY, HOUR, Request, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.helpers.types import Record

    from tap_lexer_activity.streams.base import LexerStream

SAMPLES = Path(__file__).parents[1] / "samples"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
COLUMNS = {"users": None, "summary": "date_from", "nps_volume": "date"}
NUMBER, TIME, WORD = ({"type": kind} for kind in ("number", "string", "boolean"))
TYPES = {"a_min": NUMBER, "a_utc": TIME | {"format": "date-time"}, "within_a_sla": WORD, "b": {"type": "string"}}


def of_json(data: bytes) -> Any:
    """The JSON, or `None` for what is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


# Files


class Dripping(io.RawIOBase):
    """A file that comes a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._data.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        some = self._data.read(min(self._size, len(buffer)))
        buffer[: len(some)] = some
        return len(some)


def read(raw: io.RawIOBase | io.BytesIO) -> list[list[str]] | None:
    """The rows of a file, in the chunks in which the tap reads it, or `None` if it has a fault: which of several it meets first may vary."""
    lines = io.TextIOWrapper(io.BufferedReader(cast("io.RawIOBase", raw)), encoding="utf-8-sig", newline="")
    try:
        return [row for chunk in chunks_of(read_rows(lines), lines) for row in chunk]
    except (csv.Error, UnicodeDecodeError):
        return None


def rows_of_a_csv(data: bytes) -> None:
    """Any file is rows or an error of its kind, however it comes; and nothing of the rows is lost."""
    rows = read(io.BytesIO(data))
    assert rows == read(Dripping(data, 1 + len(data) % 7)), "the same, whatever the size of its pieces"
    if not rows:
        return
    header, *rest = rows
    for size in (1000, 3):
        converter = Converter(header, {}, ())
        found = [converter.convert(rest[n : n + size])[-1] for n in range(0, len(rest), size)]
        kept = [list(filter(None, (more or {}).values())) for chunk in found for more in chunk]
        assert kept == [[storable(cell) for cell in row if cell] for row in rest]
    typed = Converter(header, TYPES, TYPES)
    values = typed.convert(rest) if rest else []
    assert all(len(column) == len(rest) for column in values)
    if values:
        assert len(set(values[0])) == len(rest), "each row has an id of its own"


def part_of_a_csv(data: bytes) -> None:
    """A file that ends anywhere in a row is found to be cut off, and no other is."""
    width, at, content = 2 + sum(data[:1]) % 4, int.from_bytes(data[1:3]), data[3:].decode("utf-8", "replace")
    cells = content.replace('"', "").split("\x00")
    table = [[f"column {n}" for n in range(width)]]
    table += [(cells[n : n + width] + [""] * width)[:width] for n in range(0, len(cells), width)]
    text, whole = "", set()
    for row in table:
        text += ",".join(f'"{cell}"' for cell in row)
        whole |= {len(text), len(text) + 1}
        text += "\n"
    header = text.index("\n") + 1
    cut = header + at % (len(text) - header + 1)
    if text[cut - 1] == ",":  # what stands before it may be all but the last cell, which is empty
        return
    part = text[:cut]
    assert is_cut_off(io.StringIO(part, newline=""), ends_a_line=part.endswith("\n")) == (cut not in whole)


def download(data: bytes) -> None:
    """A download is the file that was sent, unpacked, or an error that says it is not whole."""
    how, body = sum(data[:1]), data[1:]
    if how & 1:
        body = gzip.compress(body, 1, mtime=0)
    if how & 2:
        body = body[: len(body) - how // 16]
    headers = {"Content-Length": str(len(body) + (how & 8))} if how & 4 else {}
    response = requests.Response()
    response.raw = HTTPResponse(io.BytesIO(body), headers, 200, preload_content=False, enforce_content_length=True)
    response.headers = CaseInsensitiveDict(headers)
    try:
        with spooled(response, "an export", 60) as spool:
            content = spool.read()
    except (TruncatedError, UnexpectedAnswerError):
        return
    assert not (how & 4 and how & 8), "it is shorter than announced"
    whole = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    if marked := next((name for mark, name in BYTE_ORDER_MARKS if whole.startswith(mark) and name != "UTF-8"), None):
        text = whole.decode(marked, "replace")
        assert content.decode(errors="replace").removeprefix("\ufeff") == text.removeprefix("\ufeff")
    else:
        assert content == whole


# Answers


@dataclass(frozen=True)
class Reading:
    """A stream, and what it has asked for."""

    stream: LexerStream
    request: Request | None

    def records(self, answer: Any) -> list[Record]:
        """The records of an answer."""
        if not isinstance(self.stream, WindowedStream) or self.request is None:
            return self.stream.answers.distinct(self.stream.checked(answer, "the list"), "the list")
        context = {"form_id": 123} if "form_id" in self.stream.schema["properties"] else {}
        found = self.stream.rows(self.request, answer, "the report")
        return self.stream.answers.distinct(({**record, **context} for record in found), "the report")


@cache
def readings() -> list[Reading]:
    """Every stream that reads JSON: the series by days and, where clocks are set by half an hour, by hours."""
    found = []
    for zone, interval in (("Australia/Sydney", "day"), ("Australia/Lord_Howe", "hour")):
        config = {
            "api_token": "a-token-for-nobody",
            "start_date": "2018-01-01",
            "timezone": zone,
            "series_interval": interval,
        }
        tap = TapLexerActivity(config=config)
        cast("Any", tap.current.client).report = lambda *_, **__: {}  # nothing comes where a series asks once more
        for kind in STREAMS:
            stream = kind(tap.current)
            if isinstance(stream, Export):
                continue
            request = None
            if isinstance(stream, WindowedStream):
                start = datetime(2018, 3, 31, 13, tzinfo=UTC)  # midnight in both zones, and what the samples begin with
                length = 70 * DAY if stream.interval == "day" else 25 * HOUR
                zone_of_days = ZoneInfo("Etc/GMT-11") if stream.zone.key == "UTC" else stream.zone  # steps of 24 hours
                wanted = list(windows.windows(start, start + length, stream.interval, zone_of_days))
                request = Request(Window(wanted[0].start, wanted[-1].end), tuple(wanted))
            found.append(Reading(stream, request))
    return found


def answer(data: bytes) -> None:
    """Any answer is records that fit the stream's schema, as they are written, or one of the tap's errors."""
    reading = readings()[sum(data[:1]) % len(readings())]
    body = bytearray(data[1:])
    try:
        content = parse_json(text_of_body(body, None)[0], "the answer", quote=reading.stream.run.client.quote)
        records = reading.records(content)
    except (RetriableAPIError, UnexpectedAnswerError, RangeTooLongError, RangeTooShortError):
        return
    validator = answer_validator(reading.stream.schema)
    for record in records:
        line = MessageWriter()._line(RecordMessage(reading.stream.name, record))  # noqa: SLF001 (as above)
        errors = [error.message for error in validator.iter_errors(json.loads(line)["record"])]
        assert not errors, errors
        assert all(record[name] is not None for name in reading.stream.keys)


def text_of_an_answer(data: bytes) -> None:
    """Any bytes are a text, whatever their type says of them."""
    charset, _, body = data.partition(b"\n")
    text, is_lossy = text_of_body(bytearray(body), charset.decode("latin-1"))
    text.encode()
    assert not is_lossy or "\ufffd" in text


def pages(data: bytes) -> None:
    """Any answers are the rows of a list with all its pages, or one of the tap's errors."""
    header, *bodies = data.split(b"\n")
    name = ("Link", "Content-Range", "X-Total-Count")[len(header) % 3]
    shape: Shape = ("list", "object", "surveys")[len(data) % 3]
    replies = [
        Reply(
            of_json(body), 200 + len(body) % 2 * 6, {name: header.decode("latin-1")}, "https://clients.example/v1/users"
        )
        for body in bodies
    ]
    if not replies:
        return
    ended = Reply([], 200, {}, replies[0].url)
    others = iter(replies[1:])
    asked = set()

    def ask(url: str, params: object, _: int | None) -> Reply:
        asked.add(urlsplit(url).netloc)
        requests.Request("GET", url, params=cast("Any", params)).prepare()
        return next(others, ended)

    expected = Expected("users", shape, ("id",), may_be_cut=True)
    with suppress(UnexpectedAnswerError):
        WholeAnswers(Notices(logging.getLogger("fuzz")), str).read(replies[0], ask, expected, "users")
    assert asked <= {"clients.example"}, "no other host gets the token"


def status_of_an_export(data: bytes) -> None:
    """Any answer about an export job is one of the outcomes, and any link a host or an error."""
    found = of_json(data)
    answer = opened(found)
    if answer is None:
        return
    outcome = parse_status(answer, "https://clients.example/status")
    assert token_of(answer) != ""
    if isinstance(outcome, Complete):
        with suppress(UnexpectedAnswerError):
            assert host_of(outcome.url, "the export")


def retry_header(data: bytes) -> None:
    """Any Retry-After is read or passed over."""
    seconds = retry_after(data.decode("latin-1"), now=NOW)
    assert seconds is None or (seconds >= 0 and not math.isnan(seconds))


# What users give


def state(data: bytes) -> None:
    """Any state is refused, or taken in the one form that is taken again."""
    try:
        found = checked_state(of_json(data))
    except ConfigurationError:
        return
    assert checked_state(found) == found
    for bookmark in found["bookmarks"].values():
        text = bookmark.get("replication_key_value")
        assert text is None or text == windows.to_text(datetime.fromisoformat(text))


def configuration(data: bytes) -> None:
    """Any configuration is refused, or has windows."""
    found = of_json(data)
    if not isinstance(found, dict):
        return
    try:
        settings = parse_settings(found, now=NOW, report_streams=frozenset(COLUMNS))
    except ConfigValidationError:
        return
    assert settings.start < settings.present <= NOW
    for interval in (settings.report_interval, settings.series_interval):
        first = next(windows.windows(settings.start, settings.present, interval, settings.zone))
        assert first.start <= settings.start < first.end
    assert list(islice(windows.windows(settings.start, settings.present, "day", settings.zone), 3))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        rows_of_a_csv,
        part_of_a_csv,
        download,
        answer,
        text_of_an_answer,
        pages,
        status_of_an_export,
        retry_header,
        state,
        configuration,
    )
}


def _answers() -> list[bytes]:
    """The samples of Lexer's article, cut to a few rows, each for its stream."""
    found = []
    for place, reading in enumerate(readings()):
        text = (SAMPLES / f"{reading.stream.name}.json").read_text(encoding="utf-8")
        sample = json.loads(text)
        if isinstance(sample, list):
            sample = sample[:3]
        elif all(isinstance(rows, list) for rows in sample.values()):
            sample = {key: rows[:2] for key, rows in islice(sample.items(), 2)}
        found.append(bytes([place]) + json.dumps(sample).encode())
    return found


@cache
def seeds(name: str) -> list[bytes]:
    """Inputs to begin with."""
    return {
        "rows_of_a_csv": [
            b'A (min),A (UTC),Within A SLA,B\r\n1.5,2026-04-05 10:11:12,yes,"x ""y""\nz"\r\n',
            b"\xef\xbb\xbfA;B\rC\n",
        ],
        "part_of_a_csv": [b"\x01\x00\x20a\x00b\x00c\x00d\n\x00e\x00f"],
        "download": [bytes([how]) + b'A,B\n"1",2\n' for how in range(16)],
        "answer": _answers(),
        "status_of_an_export": [b'{"status": "complete", "url": "http://x", "token": null}', b'{"status": "pending"}'],
        "text_of_an_answer": [b'latin-1\n{"a": "\xe9"}', b'\n["\xc3\xa9"]', b"utf-16\n\xff\xfe[\x00]\x00"],
        "pages": [
            b'\n{"data": [{"id": 1}], "next_page": "/v1/users?page=2"}\n{"data": [{"id": 2}], "next_page": null}',
            b'<https://clients.example/v1/users?page=2>; rel="next"\n[{"id": 1}]\n[{"id": 2}]',
            b'items 0-1/3  \n[{"id": 1}]\n[{"id": 2}]',
            b'\n{"meta": {"total": 2, "page": 1, "pages": 2}, "rows": [{"id": 1}]}\n{"rows": [{"id": 2}]}',
        ],
        "retry_header": [b"17", b"Fri, 01 May 2026 12:01:30 GMT"],
        "state": [
            b'{"bookmarks": {"summary": {"replication_key": "date_from", "replication_key_value": "2026-03-01T00:00:00Z"}}}',
            b'{"bookmarks": {"nps_volume": {"partitions": [{"context": {"form_id": 5}, "replication_key_value": "2026-03-01T11:00:00+11:00"}]}}}',
        ],
        "configuration": [
            b'{"api_token": "0123456789abcdef", "start_date": "2026-01-01", "timezone": "Australia/Sydney", "end_date": "2026-03-01T00:00:00Z"}',
            b'{"api_token": "t", "start_date": "2026-01-01", "backfill_start": "2026-01-01", "form_ids": [1]}',
            b'{"api_token": "t", "start_date": "2026-01-01", "report_parameters": {"summary": {"type": "x"}}, "api_url": "http://localhost:80/v1"}',
        ],
    }[name]
