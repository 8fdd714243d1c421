"""What guards the public settings, streams and columns refuses each change that would break something of a user's, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from proof.public import FILE, breaks, kept, written

if TYPE_CHECKING:
    from proof.public import Public


def changed(path: str, value: Any) -> Public:
    """What is public, with another value at a path; `None` removes it."""
    found = kept()
    *steps, last = path.split("/")
    place = found
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("settings/form_ids", None, "setting form_ids: removed"),
        ("settings/region", {"required": True, "type": ["string"]}, "setting region: new, and required"),
        ("settings/timezone/required", True, "setting timezone: made required"),
        ("settings/timezone/type", ["string"], "setting timezone: no longer takes null"),
        ("settings/timezone/default", "Australia/Sydney", "setting timezone: another default"),
        ("settings/timezone/enum", ["UTC"], "setting timezone: made one of a list"),
        ("settings/report_interval/enum", ["day", "week"], "setting report_interval: no longer takes month"),
        ("settings/lookback_days/minimum", 1, "setting lookback_days: a higher minimum"),
        ("settings/form_ids/maximum", 9, "setting form_ids: a lower maximum"),
        ("settings/api_token/secret", None, "setting api_token: no secret any more"),
        ("streams/users", None, "stream users: removed"),
        ("streams/users/selected", False, "stream users: another selected"),
        ("streams/summary/key", ["date_from"], "stream summary: another key"),
        ("streams/nps_volume/replication_key", "date_from", "stream nps_volume: another replication_key"),
        ("streams/users/columns/email", None, "column users.email: removed"),
        ("streams/users/columns/id/type", "string", "column users.id: another type"),
        ("streams/users/columns/groups/items", {"type": "string"}, "column users.groups: another type"),
    ],
)
def test_a_change_that_breaks_something_is_refused(path: str, value: Any, said: str) -> None:
    assert breaks(kept(), changed(path, value)) == [said]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("settings/region", {"required": False, "type": ["string", "null"]}),
        ("settings/start_date/required", False),
        ("settings/start_date/type", ["string", "null"]),
        ("settings/report_interval/enum", ["day", "week", "month", "quarter"]),
        ("settings/lookback_days/maximum", 9999),
        ("streams/agents", {"selected": True, "key": ["id"], "replication_key": None, "columns": {}}),
        ("streams/users/columns/phone", {"type": ["string", "null"]}),
    ],
)
def test_an_addition_passes(path: str, value: Any) -> None:
    assert breaks(kept(), changed(path, value)) == []


def test_the_list_is_written_as_it_is_read() -> None:
    assert written(kept()) == FILE.read_text(encoding="utf-8")
