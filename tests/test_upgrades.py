"""States that an earlier version or the SDK left behind: each loads, and is gone on from.

`tests/states` has a state of each version, with all streams in it.
"""

from __future__ import annotations

import json
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.states import entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap
    from support.types import CatalogOf

    from tap_lexer_activity.sandbox import Sandbox

STATES = Path(__file__).parent / "states"
THIS_VERSION = version("tap-lexer-activity")
ALL_STREAMS = tuple(path.stem for path in (STATES.parents[1] / "schemas").glob("*.json"))
A_DAY_LATER = "2026-05-02T10:00:00+10:00"
SETTINGS = {
    "start_date": "2026-04-29",
    "lookback_days": 0,
    "report_parameters": {"workflow_states": {"type": "workflow_states"}},
}
MARKERS: dict[str, dict[str, Any]] = {
    "starting_replication_value": {"starting_replication_value": "2026-04-29T14:00:00Z"},
    "replication_key_signpost": {"replication_key_signpost": "2026-05-01T14:00:00Z"},
    "progress_markers": {
        "progress_markers": {
            "Note": "Progress is not resumable if interrupted.",
            "replication_key": "date_from",
            "replication_key_value": "2026-05-01T14:00:00Z",
        }
    },
    "a starting value that is none": {"starting_replication_value": None},
    "partitions that are none": {"partitions": []},
}
"""What the SDK puts beside a bookmark, in other taps or while a run lasts. Each claims more than has been read, or nothing."""


@pytest.fixture
def sandbox(new_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return new_sandbox(workflow_states_type="workflow_states", export_seconds=0)


def state_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STATES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_the_state_of_this_version_is_kept(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    assert (STATES / f"{THIS_VERSION}.json").exists(), (
        "a version has a state in tests/states: the one that this test makes"
    )
    run = tap.run(sandbox.config(**SETTINGS), catalog=catalog_of(*ALL_STREAMS))
    assert run.code == 0, run.log
    assert run.state == state_of(THIS_VERSION)
    assert set(run.state["bookmarks"]) == set(ALL_STREAMS)


@pytest.mark.parametrize("name", sorted(path.stem for path in STATES.glob("*.json")))
def test_a_state_of_every_version_is_gone_on_from(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, name: str) -> None:
    sandbox.clock = A_DAY_LATER
    catalog = catalog_of(*ALL_STREAMS)
    run = tap.run(sandbox.config(**SETTINGS), catalog=catalog, state=state_of(name))
    assert run.code == 0, run.log
    assert run.state == tap.run(sandbox.config(**SETTINGS), catalog=catalog).state
    for stream in ("summary", "nps_summary", "case_volume"):
        assert {record["local_date"] for record in run.records[stream]} == {"2026-05-01"}, (
            "the day since then, and no other"
        )


@pytest.mark.parametrize("marker", MARKERS)
def test_what_the_sdk_puts_beside_a_bookmark_does_not_move_it(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, marker: str
) -> None:
    catalog = catalog_of("users", "summary", "nps_summary", "case_volume")
    state = state_of(THIS_VERSION)
    for entry in entries(state).values():
        entry.update(deepcopy(MARKERS[marker]))
    sandbox.clock = "2026-05-03T10:00:00+10:00"
    run = tap.run(sandbox.config(**SETTINGS), catalog=catalog, state=state)
    assert run.code == 0, run.log
    for stream in ("summary", "nps_summary", "case_volume"):
        assert {record["local_date"] for record in run.records[stream]} == {"2026-05-01", "2026-05-02"}


def test_progress_without_a_bookmark_is_none(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    state = {"bookmarks": {"summary": deepcopy(MARKERS["progress_markers"])}}
    run = tap.run(sandbox.config(**SETTINGS), catalog=catalog_of("summary"), state=state)
    assert [record["local_date"] for record in run.records["summary"]] == ["2026-04-29", "2026-04-30"]
    assert run.state["bookmarks"] == {"summary": state_of(THIS_VERSION)["bookmarks"]["summary"]}
