"""Reading the state that a run is given. What can't be trusted is refused: a wrong bookmark loses data silently."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Final

from singer_sdk.exceptions import ConfigurationError
from singer_sdk.helpers._state import StateWriter
from singer_sdk.io_base import GenericSingerWriter
from singer_sdk.singerlib.messages import Message
from typing_extensions import override

from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.windows import EARLIEST, to_text

_VALUE: Final = "replication_key_value"
_KEY: Final = "replication_key"
_PARTS: Final = frozenset({_VALUE, _KEY, "context", "partitions"})
_OF_THE_SDK: Final = frozenset({"starting_replication_value", "replication_key_signpost", "progress_markers"})
"""Parts that the SDK puts beside a bookmark."""


def checked_state(state: Any) -> dict[str, Any]:
    """The state that was given as `--state`, with every bookmark in the one form of the tap.

    Raises:
        ConfigurationError: If it is not a state that this tap wrote: what is wrong with it, and what to do.
    """
    if not isinstance(state, dict):
        raise _UnusableStateError("it is not a JSON object")
    if "bookmarks" not in state and state:
        hint = {"singer_state": "use only the part under singer_state", "value": "take what is under value"}
        way_out = next((hint[name] for name in hint if name in state), "it has no bookmarks")
        raise _UnusableStateError(way_out)
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict):
        raise _UnusableStateError("bookmarks is not an object")
    if strangers := sorted(bookmarks.keys() - BY_NAME.keys()):
        raise _UnusableStateError(
            f"it has bookmarks of {', '.join(strangers)}, which this tap does not have; is it the state of another tap?"
        )
    return state | {"bookmarks": {name: _checked_stream(name, bookmark) for name, bookmark in bookmarks.items()}}


def _checked_stream(name: str, bookmark: Any) -> dict[str, Any]:
    column, is_per_form = BY_NAME[name].bookmark_column, BY_NAME[name].is_per_form
    if not isinstance(bookmark, dict):
        raise _UnusableStateError(f"the bookmark of {name} is not an object")
    checked = _checked_bookmark(name, bookmark, column)
    if is_per_form and _VALUE in checked:
        raise _UnusableStateError(
            f"{name} has one bookmark for all NPS forms, and should have one for each. "
            f"Remove {name} from it to read the stream from start_date"
        )
    if "partitions" not in checked:
        return checked
    partitions = checked["partitions"]
    if not isinstance(partitions, list) or not all(
        isinstance(part, dict) and isinstance(part.get("context"), dict) for part in partitions
    ):
        raise _UnusableStateError(f"the partitions of {name} are not a list of objects with a context")
    contexts = [part["context"] for part in partitions]
    for context in contexts:
        if not is_per_form:
            raise _UnusableStateError(f"{name} has a bookmark for {context}, but is not read by form; remove it")
        if context.keys() != {"form_id"} or type(context["form_id"]) is not int:
            raise _UnusableStateError(
                f"{name} has a bookmark for {context}, which should be like {{'form_id': 55}}. "
                "Correct it, or remove it to read that form from start_date"
            )
    if twice := next((context for context in contexts if contexts.count(context) > 1), None):
        raise _UnusableStateError(f"{name} has two bookmarks for {twice}; remove the newer one")
    return checked | {
        "partitions": [_checked_bookmark(f"{name} {part['context']}", part, column) for part in partitions]
    }


def _checked_bookmark(name: str, bookmark: dict[str, Any], column: str | None) -> dict[str, Any]:
    """A bookmark with its instant in UTC, and without what the SDK puts beside it. Its replication key has to be the stream's.

    A null one counts as missing: the SDK compares what is there.
    """
    strangers = sorted(bookmark.keys() - _PARTS - _OF_THE_SDK)
    bookmark = {
        part: value for part, value in bookmark.items() if part in _PARTS and not (part == _VALUE and value is None)
    }
    if _VALUE not in bookmark:
        if strangers and "partitions" not in bookmark:
            raise _UnusableStateError(
                f"the bookmark of {name} has no {_VALUE}, but {', '.join(strangers)}. "
                "Correct it, or remove it to read from start_date"
            )
        return bookmark
    if bookmark.get(_KEY, column) != column:
        raise _UnusableStateError(f"the bookmark of {name} is of the column {bookmark[_KEY]!r}, and not of {column!r}")
    try:
        moment = datetime.fromisoformat(bookmark[_VALUE])
        text = to_text(moment) if moment.tzinfo and moment >= EARLIEST else None
    except (TypeError, ValueError, OverflowError):
        text = None
    if text is None:
        raise _UnusableStateError(
            f"the bookmark of {name} is {bookmark[_VALUE]!r} and should be like 2026-03-01T00:00:00Z, and not before the year 2000"
        )
    return bookmark | {_KEY: column, _VALUE: text}


def instants(stream: str, state: Mapping[str, Any]) -> dict[tuple[str, int | None], datetime]:
    """The bookmarks in the part of a state that one stream has, as the engine wants them: by the stream, and the id of the NPS form."""
    is_per_form = BY_NAME[stream].is_per_form
    return {
        (stream, part["context"]["form_id"] if is_per_form else None): datetime.fromisoformat(text)
        for part in (state.get("partitions", ()) if is_per_form else (state,))
        if (text := part.get(_VALUE))
    }


class UnmovedStateWriter(StateWriter):
    """Writes the state of the start, whatever a stream has put into it since: a backfill leaves the bookmarks as they were."""

    def __init__(self, message_writer: GenericSingerWriter[Any, Message], state: Any) -> None:
        super().__init__(message_writer)
        self._given = deepcopy(state)

    @override
    def write_state(self, state: Any) -> None:
        if self._given:
            super().write_state(self._given)


class _UnusableStateError(ConfigurationError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"The state can't be used: {reason} [see: state-refused]")
