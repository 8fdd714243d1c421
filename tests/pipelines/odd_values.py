"""Values that no target stores as they are, as Lexer might send them; and what a table has of them in the end."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipelines.tables import Tables, table_of
from support.hosts import HEADER, Host, with_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.conftest import Pipe

    from tap_lexer_activity.sandbox import Sandbox

STREAMS = ("users", "states_volume", "user_volume", "mention_sla_export")
BEYOND = 2**63
PEAR, NO_PEAR = "Pear \ud83d", "Pear \ufffd"

USERS = [
    {"id": 1, "first_name": PEAR, "last_name": "a\0b", "sign_in_count": 2**64, "groups": [BEYOND]},
    {"id": 2, "last_sign_in_at": "2018-03-21T17:09:01+11:00", "gmtoffset": 10**20},
    {"id": 3, "last_sign_in_at": "20180321T060901Z", "sign_in_count": BEYOND - 1},
    {"id": 4, "last_sign_in_at": "2018-03-21T06:09:01"},
    {
        "id": "5",
        "last_sign_in_at": 1521612541,
        "archived": 0,
        "gmtoffset": "+10:00",
        "role": {"name": "agent", "rank": 1},
    },
]
STATES = {PEAR: [{"date_range": {"date_from": "2026-04-30 00:00"}, "value": 2**64}]}
AGENTS = [
    {"user_id": 1, "states": {PEAR: BEYOND, "new": 4}},
    {"user_id": None, "states": {"In progress": "2"}, "csat": 4.5},
    {"user_id": "Total", "states": {"new": 6}},
]
ROWS = b"Ac\0me,Email,2026-01-05 12:00:00+11:00,jo,hel\0lo,closed,more\0\r\n"


def load(
    pipe: Pipe,
    sandbox: Sandbox,
    catalog_of: Callable[..., dict[str, Any]],
    target: list[str],
    settings: dict[str, object],
    env: dict[str, str] | None = None,
    **more: object,
) -> None:
    """Send all of it into a target."""
    sandbox.fault("unknown_shape", "users", value=USERS)
    sandbox.fault("unknown_shape", "states_volume", value=STATES)
    sandbox.fault("unknown_shape", "user_volume", value=AGENTS)
    config = sandbox.config(start_date="2026-04-30", **more)
    done = pipe.run(config, target, settings, catalog=catalog_of(*STREAMS[:3]), env=env)
    assert done.codes == (0, 0), done.tap_log + done.target_log
    with Host(with_length(HEADER.replace(b"\r", b",Mo\0re\r") + ROWS)) as host:
        done = pipe.run(host.config(**more), target, settings, catalog=catalog_of(STREAMS[3]), env=env)
    assert done.codes == (0, 0), done.tap_log + done.target_log


def expected() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each row the columns that count, with its stream."""
    time = datetime(2018, 3, 21, 6, 9, 1)
    yield (
        "users",
        {
            "id": 1,
            "first_name": NO_PEAR,
            "last_name": "a\ufffdb",
            "sign_in_count": None,
            "groups": None,
            "additional_columns": {"sign_in_count": str(2**64), "groups": [str(BEYOND)]},
        },
    )
    yield "users", {"id": 2, "last_sign_in_at": time, "gmtoffset": 10**20, "additional_columns": None}
    yield "users", {"id": 3, "last_sign_in_at": time, "sign_in_count": BEYOND - 1}
    kept = {"last_sign_in_at": "2018-03-21T06:09:01"}
    yield "users", {"id": 4, "last_sign_in_at": None, "additional_columns": kept}
    role = {"role": {"name": "agent", "rank": 1}}
    yield "users", {"id": 5, "last_sign_in_at": time, "archived": False, "gmtoffset": 10, "additional_columns": role}
    yield "states_volume", {"state": NO_PEAR, "value": None, "additional_columns": {"value": str(2**64)}}
    yield (
        "user_volume",
        {
            "user_id": 1,
            "states": {NO_PEAR: None, "new": 4},
            "additional_columns": {"states": {NO_PEAR: str(BEYOND)}},
        },
    )
    nobody = {"user_id": None, "csat": 4.5, "states": {"In progress": 2}}
    yield "user_volume", {"user_id": 0, "states": {"in_progress": 2}, "additional_columns": nobody}
    yield "user_volume", {"user_id": -1, "states": {"new": 6}, "additional_columns": {"user_id": "Total"}}
    yield (
        "mention_sla_export",
        {
            "account_name": "Ac\ufffdme",
            "customer_message": "hel\ufffdlo",
            "customer_publish_date_utc": datetime(2026, 1, 5, 1),
            "additional_columns": {"Mo\ufffdre": "more\ufffd"},
        },
    )


KEYS = {
    "users": ["id"],
    "states_volume": ["date_from", "interval", "state"],
    "user_volume": ["date_from", "interval", "user_id"],
    "mention_sla_export": ["record_id"],
}


def tables_of(rows_of: Callable[[str], list[dict[str, Any]]]) -> Tables:
    """The tables, with what gives the rows of each."""
    return {stream: table_of(stream, key, rows_of(stream)) for stream, key in KEYS.items()}


def check(tables: Tables) -> None:
    """Hold tables against what should be there."""
    for stream, row in expected():
        found = [{name: each[name] for name in row} for each in tables[stream].values()]
        assert row in found, (row, found)
    assert [len(tables[stream]) for stream in KEYS] == [len(USERS), 11, len(AGENTS), 1]
