"""A state that can't be trusted is refused."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.exceptions import ConfigurationError

from tap_lexer_activity.state import checked_state

COLUMNS = {"users": None, "summary": "date_from", "nps_volume": "date"}


def check(state: Any) -> dict[str, Any]:
    return checked_state(state, COLUMNS)


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


@pytest.mark.parametrize("text", ["2026-03-01T11:00:00+11:00", "2026-03-01T00:00:00.000Z", "2026-03-01T00:00:00+00:00"])
def test_a_bookmark_is_brought_to_the_one_form_that_sorts_as_text(text: str) -> None:
    assert check({"bookmarks": {"summary": bookmark(text)}})["bookmarks"]["summary"] == bookmark("2026-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ([], "it is not a JSON object"),
        ({"singer_state": {"bookmarks": {}}}, "take what is under singer_state"),
        ({"type": "STATE", "value": {"bookmarks": {}}}, "take what is under value"),
        ({"currently_syncing": None}, "it has no bookmarks"),
        ({"bookmarks": []}, "bookmarks is not an object"),
        ({"bookmarks": {"orders": {}}}, "it has bookmarks of orders, which this tap does not have"),
        ({"bookmarks": {"summary": "2026-03-01"}}, "the bookmark of summary is not an object"),
        (
            {"bookmarks": {"summary": bookmark("yesterday")}},
            "the bookmark of summary is 'yesterday' and should be like",
        ),
        (
            {"bookmarks": {"summary": bookmark("2026-03-01")}},
            "the bookmark of summary is '2026-03-01' and should be like",
        ),
        ({"bookmarks": {"summary": bookmark(20260301)}}, "the bookmark of summary is 20260301 and should be like"),
        (
            {"bookmarks": {"summary": bookmark("2026-03-01T00:00:00Z", "id")}},
            "the bookmark of summary is by 'id' and not by 'date_from'",
        ),
        ({"bookmarks": {"nps_volume": {"partitions": {"55": {}}}}}, "the partitions of nps_volume are not a list"),
        ({"bookmarks": {"nps_volume": {"partitions": [{}]}}}, "the partitions of nps_volume are not a list"),
        (
            {"bookmarks": {"nps_volume": {"partitions": [{"context": {"form_id": 55}}, {"context": {"form_id": 55}}]}}},
            "nps_volume has two bookmarks for {'form_id': 55}",
        ),
    ],
)
def test_what_is_not_a_state_of_this_tap_is_refused(state: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check(state)
    assert str(raised.value).startswith(f"The state can't be used: {reason}")
