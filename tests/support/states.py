"""Reading a state: what stands in it for each stream and NPS form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

Entries = dict[tuple[str, int | None], dict[str, Any]]
"""Parts of a state by stream and form: those of the state itself, so a test may change them."""


def entries(state: Any) -> Entries:
    """The entry of each form, or of a stream without forms."""
    return {
        (stream, part.get("context", {}).get("form_id")): part
        for stream, entry in state.get("bookmarks", {}).items()
        for part in entry.get("partitions") or [entry]
    }


def bookmarks(state: Any) -> Entries:
    """The entries that have a bookmark."""
    return {key: entry for key, entry in entries(state).items() if "replication_key_value" in entry}


def bookmark(state: Any, stream: str, form_id: int | None = None) -> str | None:
    """The text of one bookmark, if there is one."""
    text: str | None = entries(state).get((stream, form_id), {}).get("replication_key_value")
    return text


def moment(entry: dict[str, Any]) -> datetime:
    """The instant of an entry's bookmark."""
    return datetime.fromisoformat(entry["replication_key_value"])
