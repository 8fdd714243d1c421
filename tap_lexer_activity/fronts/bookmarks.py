"""The state of a run without Singer, in the form of the tap's STATE, so that each front can go on from the state of another."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any

from tap_lexer_activity import forks
from tap_lexer_activity.singer.state import checked_state, instants
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.windows import to_text


class Bookmarks:
    """The bookmarks of all streams, for any number of threads."""

    def __init__(self, state: Mapping[str, Any] | None, *, are_kept: bool = False) -> None:
        """Take the bookmarks of a state. In a backfill they are kept as they are, whatever is read."""
        self._state = checked_state(deepcopy(state or {}))
        self._are_kept = are_kept
        self._lock = forks.free_in_children(threading.RLock())
        self.have_moved = False

    @property
    def state(self) -> dict[str, Any]:
        """The state, as the tap writes it."""
        with self._lock:
            return deepcopy(self._state)

    def state_of(self, stream: str) -> dict[str, Any]:
        """The part of the state that one stream has."""
        with self._lock:
            found: dict[str, Any] = deepcopy(self._state["bookmarks"].get(stream, {}))
        return found

    def instants(self, streams: Collection[str]) -> dict[tuple[str, int | None], datetime]:
        """The bookmarks of some streams, as the engine wants them: by the stream, and the id of the NPS form."""
        found = self._state["bookmarks"]
        return {key: at for name in streams for key, at in instants(name, found.get(name, {})).items()}

    def move(self, stream: str, form_id: int | None, instant: datetime) -> None:
        """Put a bookmark where everything has been read, unless it is beyond that."""
        with self._lock:
            part, text = self._part(stream, form_id), to_text(instant)
            if text > part.get("replication_key_value", ""):
                part.update(replication_key=BY_NAME[stream].bookmark_column, replication_key_value=text)
                self.have_moved = True

    def note(self, stream: str, form_id: int | None) -> None:
        """Give a stream, or its part for a form, its place in the state, with or without a bookmark."""
        with self._lock:
            if not self._are_kept:
                self._part(stream, form_id)

    def _part(self, stream: str, form_id: int | None) -> dict[str, Any]:
        state: dict[str, Any] = self._state.setdefault("bookmarks", {}).setdefault(stream, {})
        if form_id is None:
            return state
        parts: list[dict[str, Any]] = state.setdefault("partitions", [])
        context = {"form_id": form_id}
        found = next((part for part in parts if part.get("context") == context), None)
        if found is None:
            parts.append(found := {"context": context})
        return found
