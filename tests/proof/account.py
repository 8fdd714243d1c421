"""An account whose sandbox answers all 18 streams, and runs of the tap that tests share."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from conftest import Run, Tap

from tap_lexer_activity.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

NOW = "2026-05-01T10:00:00+10:00"
TWO_DAYS_LATER = "2026-05-03T10:00:00+10:00"
START = "2026-04-20"
SERIES = {"states_volume", "response_volume", "case_volume", "nps_volume"}
EXPORTS = {"case_details", "nps_submissions", "mention_sla_export"}
OWN_TYPE = {"workflow_states": {"type": "states"}}
"""An account serves `user_volume` or `workflow_states`. This one serves both, the latter under a type of its own."""


@dataclass
class Reading(Run):
    """A run, and the reports that it asked for."""

    asked: list[dict[str, Any]]

    def reach(self, stream: str, form: int | None = None) -> list[datetime]:
        """The starts of the windows that the run has read, for one NPS form or all there is.

        That is what was asked for: a window may be empty, and a row of an export names a window that may be wider. Only of a series more
        may be asked for than is read.
        """
        if stream in SERIES:
            records = [record for record in self.records[stream] if form in {None, record.get("form_id")}]
            return [datetime.fromisoformat(record["date_from"]) for record in records]
        kind = OWN_TYPE.get(stream, {}).get("type", stream)
        bodies = [body for body in self.asked if body["type"] == kind and form in {None, body.get("form")}]
        return [datetime.fromisoformat(body["date_from"]) for body in bodies]


class Account:
    """A sandbox with data for every stream, and the command that reads it."""

    def __init__(self, folder: Path) -> None:
        self.sandbox = Sandbox(
            clock=NOW, messages_per_day=40, quota=(5000, 10), workflow_states_type="states", export_seconds=0
        )
        self.tap = Tap(folder, is_hurried=True)

    def config(self, **settings: object) -> dict[str, object]:
        """Settings that read all of it."""
        return self.sandbox.config(**{"start_date": START, "report_parameters": OWN_TYPE, **settings})

    @cached_property
    def discovered(self) -> dict[str, Any]:
        """What `--discover` gives."""
        found: dict[str, Any] = json.loads(self.tap.run(None, "--discover").out)
        return found

    @cached_property
    def catalog(self) -> dict[str, Any]:
        """The same, with every stream selected."""
        found = deepcopy(self.discovered)
        for entry in found["streams"]:
            next(item for item in entry["metadata"] if not item["breadcrumb"])["metadata"]["selected"] = True
        return found

    @property
    def streams(self) -> dict[str, dict[str, Any]]:
        """The entries of the catalog by their names."""
        return {entry["tap_stream_id"]: entry for entry in self.catalog["streams"]}

    @property
    def incremental(self) -> set[str]:
        """The streams that have a replication key."""
        return {name for name, entry in self.streams.items() if entry.get("replication_key")}

    def read(self, *, state: Any = None, catalog: Any = None, now: str = NOW, **settings: object) -> Reading:
        """A run that ends well."""
        self.sandbox.clock = now
        before = len(self.sandbox.requests)
        run = self.tap.run(self.config(**settings), catalog=catalog or self.catalog, state=state)
        assert run.code == 0, run.log
        asked = [request.body for request in self.sandbox.requests[before:] if request.body]
        return Reading(run.code, run.out, run.log, asked)

    @cached_property
    def first(self) -> Reading:
        """All that there is, read without a state."""
        return self.read()
