"""A state that can't be trusted is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigurationError

from tap_lexer_activity.errors import without_see
from tap_lexer_activity.singer.state import UnmovedStateWriter, checked_state
from tap_lexer_activity.singer.writer import MessageWriter

A_DAY = "2026-03-01T00:00:00Z"


def check(state: Any) -> dict[str, Any]:
    return checked_state(state)


def bookmark(value: Any, key: str = "date_from") -> dict[str, Any]:
    return {"replication_key": key, "replication_key_value": value}


def test_the_tap_s_own_state_is_taken_as_it_is() -> None:
    state = {
        "bookmarks": {
            "users": {},
            "summary": bookmark("2026-03-01T00:00:00Z"),
            "nps_volume": {"partitions": [{"context": {"form_id": 55}, **bookmark("2026-03-01T00:00:00Z", "date")}]},
        }
    }
    assert check(state) == state
    assert check({}) == {"bookmarks": {}}


def test_a_bookmark_that_is_null_is_none() -> None:
    none = {"replication_key": "date_from"}
    assert check({"bookmarks": {"summary": bookmark(None)}}) == {"bookmarks": {"summary": none}}
    part = {"context": {"form_id": 55}}
    parts = {"replication_key_value": None, "partitions": [part | {"replication_key_value": None}]}
    assert check({"bookmarks": {"nps_volume": parts}}) == {"bookmarks": {"nps_volume": {"partitions": [part]}}}


def test_what_the_sdk_puts_beside_a_bookmark_is_left_out() -> None:
    markers = {"progress_markers": 5, "starting_replication_value": None, "replication_key_signpost": "2026"}
    plain = bookmark("2026-03-01T00:00:00Z")
    assert check({"bookmarks": {"summary": plain | markers}}) == {"bookmarks": {"summary": plain}}


@pytest.mark.parametrize("text", ["2026-03-01T11:00:00+11:00", "2026-03-01T00:00:00.5Z", "2026-03-01T00:00:00+00:00"])
def test_a_bookmark_is_brought_to_the_one_form_that_sorts_as_text(text: str) -> None:
    assert check({"bookmarks": {"summary": bookmark(text)}})["bookmarks"]["summary"] == bookmark("2026-03-01T00:00:00Z")


def test_a_bookmark_may_be_as_early_as_a_start_date() -> None:
    state = {"bookmarks": {"summary": bookmark("1999-12-31T10:00:00Z")}}
    assert check(state) == state


def test_a_bookmark_is_by_its_stream_s_column_if_it_does_not_say() -> None:
    found = check({"bookmarks": {"summary": {"replication_key_value": "2026-03-01T00:00:00Z"}}})
    assert found["bookmarks"]["summary"] == bookmark("2026-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ([], "it is not a JSON object"),
        ({"singer_state": {"bookmarks": {}}}, "use only the part under singer_state"),
        ({"type": "STATE", "value": {"bookmarks": {}}}, "take what is under value"),
        ({"currently_syncing": None}, "it has no bookmarks"),
        ({"bookmarks": []}, "bookmarks is not an object"),
        ({"bookmarks": {"orders": {}, "items": {}}}, "it has bookmarks of items, orders, which this tap does not have"),
        ({"bookmarks": {"summary": "2026-03-01"}}, "the bookmark of summary is not an object"),
        (
            {"bookmarks": {"summary": bookmark("yesterday")}},
            "the bookmark of summary is 'yesterday' and should be like",
        ),
        (
            {"bookmarks": {"summary": bookmark("2026-03-01")}},
            "the bookmark of summary is '2026-03-01' and should be like",
        ),
        (
            {"bookmarks": {"summary": bookmark("0001-01-01T00:00:00Z")}},
            "the bookmark of summary is '0001-01-01T00:00:00Z' and should be like 2026-03-01T00:00:00Z, and not before the year 2000",
        ),
        ({"bookmarks": {"summary": bookmark(20260301)}}, "the bookmark of summary is 20260301 and should be like"),
        (
            {"bookmarks": {"summary": bookmark("2026-03-01T00:00:00Z", "id")}},
            "the bookmark of summary is of the column 'id', and not of 'date_from'",
        ),
        (
            {"bookmarks": {"summary": {"date_from": A_DAY, "value": 5}}},
            "the bookmark of summary has no replication_key_value, but date_from, value. Correct it, or remove it",
        ),
        (
            {"bookmarks": {"nps_volume": {"55": bookmark(A_DAY, "date")}}},
            "the bookmark of nps_volume has no replication_key_value, but 55. Correct it, or remove it",
        ),
        (
            {"bookmarks": {"nps_volume": {"partitions": [{"context": {"form_id": 55}, "date": A_DAY}]}}},
            "the bookmark of nps_volume {'form_id': 55} has no replication_key_value, but date. Correct it, or remove it",
        ),
        (
            {"bookmarks": {"nps_volume": {"partitions": [{"context": {"form_id": 55}, **bookmark("soon", "date")}]}}},
            "the bookmark of nps_volume {'form_id': 55} is 'soon'",
        ),
        ({"bookmarks": {"nps_volume": {"partitions": {"55": {}}}}}, "the partitions of nps_volume are not a list"),
        ({"bookmarks": {"nps_volume": {"partitions": [{}]}}}, "the partitions of nps_volume are not a list"),
        (
            {"bookmarks": {"nps_volume": {"partitions": [{"context": {"form_id": 55}}, {"context": {"form_id": 55}}]}}},
            "nps_volume has two bookmarks for {'form_id': 55}",
        ),
        (
            {"bookmarks": {"nps_volume": bookmark(A_DAY, "date")}},
            "nps_volume has one bookmark for all NPS forms, and should have one for each. Remove nps_volume from it",
        ),
        *(
            (
                {"bookmarks": {"nps_volume": {"partitions": [{"context": context, **bookmark(A_DAY, "date")}]}}},
                f"nps_volume has a bookmark for {context}, which should be like {{'form_id': 55}}. Correct it, or remove it",
            )
            for context in ({"form_id": "55"}, {"form_id": True}, {"form_id": 55, "more": 1}, {"form": 55}, {})
        ),
        *(
            (
                {"bookmarks": {name: {"partitions": [{"context": {"form_id": 55}}]}}},
                f"{name} has a bookmark for {{'form_id': 55}}, but is not read by form; remove it",
            )
            for name in ("users", "summary")
        ),
    ],
)
def test_what_is_not_a_state_of_this_tap_is_refused(state: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check(state)
    assert without_see(str(raised.value)).startswith(f"The state can't be used: {reason}")


def test_a_backfill_writes_the_state_that_it_was_given_or_none(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    given: Any = {"bookmarks": {"summary": bookmark("2026-03-01T00:00:00Z")}}
    writer = UnmovedStateWriter(MessageWriter(), given)
    nothing = UnmovedStateWriter(MessageWriter(), {})
    given["bookmarks"]["summary"] = bookmark("2026-04-01T00:00:00Z")
    for one in (nothing, writer):
        one.write_state(given)
    (line,) = capsysbinary.readouterr().out.splitlines()
    assert json.loads(line)["value"] == {"bookmarks": {"summary": bookmark("2026-03-01T00:00:00Z")}}
