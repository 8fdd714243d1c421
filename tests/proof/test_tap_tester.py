"""The families of tap-tester, by which Stitch tests its taps: each test is named after its family and goes through all 18 streams.

tap-tester itself is not public; what the families check can be read in the tests of many taps. What is left out stands in suites.py.
"""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from proof.account import EXPORTS, Account
from support.states import bookmarks, moment

if TYPE_CHECKING:
    from conftest import Run

pytestmark = pytest.mark.proof

LOOKBACK = 2


def metadata(entry: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The metadata of a catalog's stream by what it is of."""
    return {tuple(item["breadcrumb"]): item["metadata"] for item in entry["metadata"]}


def automatic(entry: dict[str, Any]) -> set[str]:
    """What a stream's records always have: its key, and its replication key."""
    return {*entry["key_properties"], *filter(None, [entry.get("replication_key")])}


def keys(run: Run, account: Account, stream: str) -> list[tuple[Any, ...]]:
    names = account.streams[stream]["key_properties"]
    return [tuple(record[name] for name in names) for record in run.records[stream]]


def moved(state: dict[str, Any], streams: set[str], days: int) -> dict[str, Any]:
    """The state with the bookmarks of these streams so many days earlier."""
    found = deepcopy(state)
    for (stream, _), bookmark in bookmarks(found).items():
        if stream in streams:
            earlier = moment(bookmark) - timedelta(days=days)
            bookmark["replication_key_value"] = earlier.isoformat().replace("+00:00", "Z")
    return found


def test_discovery(account: Account) -> None:
    """Names are of letters and underscores, and the metadata says what each stream is known, cut and selected by."""
    for name, entry in account.streams.items():
        assert re.fullmatch("[a-z_]+", name)
        assert entry["stream"] == name
        found = metadata(entry)
        assert len(found) == len(entry["metadata"]), f"{name}: each breadcrumb once"
        root = found.pop(())
        assert root["table-key-properties"] == entry["key_properties"]
        assert root.get("valid-replication-keys") == (
            [entry["replication_key"]] if name in account.incremental else None
        )
        assert root["inclusion"] == "available"
        assert {breadcrumb[-1] for breadcrumb in found} == entry["schema"]["properties"].keys()
        for (*_, column), of_column in found.items():
            assert of_column["inclusion"] == ("automatic" if column in automatic(entry) else "available"), (
                name,
                column,
            )


def test_sync_canary(account: Account) -> None:
    """A run ends well, and every selected stream is described once and has records."""
    described = [message["stream"] for message in account.first.messages if message["type"] == "SCHEMA"]
    assert sorted(described) == sorted(account.streams)
    assert account.first.records.keys() == account.streams.keys()
    assert account.first.errors == []


def test_all_fields(account: Account) -> None:
    """With everything selected, records have every column of the catalog and no other."""
    for name, entry in account.streams.items():
        columns = {tuple(record) for record in account.first.records[name]}
        assert all(set(names) == entry["schema"]["properties"].keys() for names in columns), name


def test_automatic_fields(account: Account) -> None:
    """With every column deselected, records have the key and the replication key, and are as many, each once."""
    catalog = deepcopy(account.catalog)
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            if item["breadcrumb"]:
                item["metadata"]["selected"] = False
    run = account.read(catalog=catalog)
    for name, entry in account.streams.items():
        assert all(record.keys() == automatic(entry) for record in run.records[name]), name
        found = keys(run, account, name)
        assert len(set(found)) == len(found), name
        # The id of an export's row is the same whether its columns are selected or not.
        assert found == keys(account.first, account, name), name


def test_start_date(account: Account) -> None:
    """With a later start, records are those of the earlier one from that start on; a list is the same with both."""
    later = account.read(start_date="2026-04-27")
    first_day = moment({"replication_key_value": "2026-04-27T00:00:00+10:00"})
    utc_day = first_day - timedelta(hours=14)  # `nps_volume` is in days of UTC: here of the one that the start lies in
    for name in account.streams:
        early, late = set(keys(account.first, account, name)), set(keys(later, account, name))
        if name not in account.incremental:
            assert early == late
            continue
        assert late < early, name
        starts = later.reach(name)
        assert min(starts) == (utc_day if name == "nps_volume" else first_day), name
        if name not in EXPORTS:
            names = account.streams[name]["key_properties"]
            expected = {
                tuple(record[key] for key in names)
                for record in account.first.records[name]
                if moment({"replication_key_value": record["date_from"]}) >= min(starts)
            }
            assert late == expected, name


def test_bookmark(account: Account) -> None:
    """From bookmarks set back by days, a run reads from there less the lookback, and comes to the same state."""
    full, state = account.first, moved(account.first.state, account.incremental, days=4)
    run = account.read(state=state, lookback_days=LOOKBACK)
    assert run.state == full.state
    assert {stream for stream, _ in bookmarks(state)} == account.incremental, "lists have no bookmark"
    for (stream, form), bookmark in bookmarks(state).items():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", bookmark["replication_key_value"])
        assert bookmark["replication_key"] == account.streams[stream]["replication_key"]
        assert min(run.reach(stream, form)) == moment(bookmark) - timedelta(days=LOOKBACK), stream
        assert 0 < len(run.records[stream]) < len(full.records[stream]), stream
        assert set(keys(run, account, stream)) < set(keys(full, account, stream)), stream
    for stream in account.streams.keys() - account.incremental:
        assert run.records[stream] == full.records[stream]


@pytest.mark.parametrize("interrupted", ["user_volume", "nps_summary", "mention_sla_export"])
def test_interrupted_sync(account: Account, interrupted: str) -> None:
    """From a state that an interrupted run could leave, a run completes what was begun and reads what was not.

    The state names the stream that was at work, as other taps do. This one needs no such note, and does not hand it on.
    """
    names = list(account.streams)
    done, to_come = names[: names.index(interrupted)], names[names.index(interrupted) + 1 :]
    state = moved(account.first.state, {interrupted}, days=6)
    for stream in to_come:
        state["bookmarks"].pop(stream, None)
    run = account.read(state={"currently_syncing": interrupted, **state}, lookback_days=LOOKBACK)
    assert run.state == account.first.state
    assert "currently_syncing" not in run.state
    for (stream, form), bookmark in bookmarks(state).items():
        assert stream == interrupted or stream in done
        assert min(run.reach(stream, form)) == moment(bookmark) - timedelta(days=LOOKBACK), stream
    for stream in to_come:
        assert run.records[stream] == account.first.records[stream], f"{stream}: read from its start"


def test_table_reset(account: Account) -> None:
    """Streams whose bookmarks are taken out of the state are read from the start, the others go on from theirs."""
    reset = set(sorted(account.incremental)[::2])
    state = deepcopy(account.first.state)
    for stream in reset:
        del state["bookmarks"][stream]
    run = account.read(state=state, lookback_days=LOOKBACK)
    assert run.state == account.first.state
    for stream in account.incremental:
        if stream in reset:
            assert run.records[stream] == account.first.records[stream], stream
        else:
            assert 0 < len(run.records[stream]) < len(account.first.records[stream]), stream
