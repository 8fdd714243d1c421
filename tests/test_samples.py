"""The samples of Lexer's article, word for word, through the streams."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tap_lexer_activity import windows
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.tap import TapLexerActivity
from tap_lexer_activity.windows import Request, Window

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Record

    from tap_lexer_activity.streams.base import WindowedStream

SAMPLES = Path(__file__).parent / "samples"
SYDNEY = ZoneInfo("Australia/Sydney")


def days(first: str, count: int, zone: ZoneInfo = SYDNEY) -> Request:
    start = datetime.fromisoformat(first).replace(tzinfo=zone).astimezone(UTC)
    wanted = list(windows.windows(start, start + timedelta(days=count, hours=-2), "day", zone))
    return Request(Window(wanted[0].start, wanted[-1].end), tuple(wanted))


def rows(stream: str, request: Request) -> tuple[Any, list[Record]]:
    """A sample, and the records that the stream makes of it."""
    sample = json.loads((SAMPLES / f"{stream}.json").read_text(encoding="utf-8"))
    tap = TapLexerActivity(config={"api_token": "t", "start_date": "2018-01-01", "timezone": "Australia/Sydney"})
    reader = cast("WindowedStream", BY_NAME[stream](tap.current))
    context = {"form_id": 123} if "form_id" in reader.schema["properties"] else {}
    found = (context | record for record in reader.rows(request, sample, "sample"))
    records = reader.answers.distinct(found, "sample")
    validator = Draft202012Validator(reader.schema, format_checker=FormatChecker())
    for record in records:
        assert not list(validator.iter_errors(record))
    return sample, records


@pytest.mark.parametrize("stream", ["summary", "case_summary", "nps_summary"])
def test_an_object_is_one_record_with_every_field(stream: str) -> None:
    sample, (record,) = rows(stream, days("2018-04-01", 1))
    assert {name: record[name] for name in sample} == sample
    assert record["date_from"] == "2018-03-31T13:00:00Z"
    assert record["date_to"] == "2018-04-01T13:59:59Z", "that Sunday had 25 hours"
    assert record["local_date"] == "2018-04-01"


@pytest.mark.parametrize("stream", ["case_classifications", "user_volume"])
def test_each_row_is_a_record(stream: str) -> None:
    sample, records = rows(stream, days("2018-04-02", 1))
    assert [{name: record[name] for name in row} for record, row in zip(records, sample, strict=True)] == sample


def test_user_ids_become_numbers() -> None:
    sample, records = rows("user_summary", days("2018-04-02", 1))
    assert [row["user_id"] for row in sample] == ["123", "789"]
    assert [record["user_id"] for record in records] == [123, 789]


def test_each_classification_has_every_state_and_the_rest_are_zero() -> None:
    sample, records = rows("classifications", days("2018-04-02", 1))
    found = {(record["classification_id"], record["state"]): record["volume"] for record in records}
    for row in sample:
        assert found.pop((row["classification_id"], row["state"])) == row["volume"]
    assert len(found) == 2 * 11 - len(sample)
    assert set(found.values()) == {0}
    names = {row["classification_id"]: row["classification"] for row in sample}
    assert [record["classification"] for record in records] == [
        names[record["classification_id"]] for record in records
    ]


def test_each_state_has_a_row_and_the_rest_are_zero() -> None:
    sample, records = rows("workflow_states", days("2018-04-02", 1))
    assert [(record["state"], record["volume"]) for record in records[:6]] == [
        (row["state"], row["volume"]) for row in sample
    ]
    assert {record["volume"] for record in records[6:]} == {0}
    assert len(records) == 10


@pytest.mark.parametrize(
    ("stream", "column", "first", "count"),
    [
        ("states_volume", "state", "2018-04-27", 4),
        ("response_volume", "metric", "2018-06-05", 4),
        ("case_volume", "status", "2018-04-01", 7),
    ],
)
def test_each_bucket_is_a_record(stream: str, column: str, first: str, count: int) -> None:
    sample, records = rows(stream, days(first, count))
    ((key, buckets),) = sample.items()
    found = [record for record in records if record[column] == key]
    assert [(record["date_label"], record["value"]) for record in found] == [
        (bucket["date_range"]["date_from"], bucket["value"]) for bucket in buckets
    ]
    assert [record["local_date"] for record in found] == [record["date_label"][:10] for record in found]
    assert all(record["value"] == 0 for record in records if record[column] != key)


def test_nps_days_keep_timestamp_as_sent_and_date_in_one_form() -> None:
    start = datetime(2018, 3, 31, 13, tzinfo=UTC)
    steps = [Window(start + n * windows.DAY, start + (n + 1) * windows.DAY) for n in range(7)]
    sample, records = rows("nps_volume", Request(Window(start, steps[-1].end), tuple(steps)))
    assert [(record["date"], record["timestamp"]) for record in records] == [
        (row["date"].replace("+00:00", "Z"), row["timestamp"]) for row in sample
    ]
    assert records[0]["date_from"] == "2018-03-31T13:00:00Z", (
        "seven labels, of which none is the first start: they are ends"
    )
    assert {name: records[0][name] for name in sample[0]["data"]} == sample[0]["data"]
