"""Workflow states, by the names that Lexer documents. Pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final = (
    "new",
    "assigned",
    "in_progress",
    "responded",
    "awaiting_approval",
    "redirected",
    "irrelevant",
    "duplicate",
    "closed",
    "no_response_required",
)
"""Workflow states that Lexer documents. A stream with a row per state has one for each of these, though Lexer leaves out zeros: messages
move from state to state, and the row of the old state would stay in the warehouse for ever. Any other state is a row when it comes."""

AGGREGATES: Final = ("all_states", "all_closed_states")
"""Sums over states, which stand among them."""

_BETWEEN: Final = re.compile(r"[\s_-]+")
_NAMES: Final = {_BETWEEN.sub("", name): name for name in (*STATES, *AGGREGATES)}


def canonical_state(text: str) -> str:
    """The documented name of a state: of `In progress`, `IN_PROGRESS`, `in-progress` and `inProgress` it is `in_progress`.

    A state that no document names is returned as it is.
    """
    return _NAMES.get(_BETWEEN.sub("", text).casefold(), text)


def by_documented_states(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row with its `state`, and the counts in its `states`, by the documented names; and what came in other words, by its column."""
    result, kept = dict(row), dict[str, Any]()
    state, states = row.get("state"), row.get("states")
    if isinstance(state, str) and (name := canonical_state(state)) != state:
        result["state"] = name
        kept["state"] = state
    if isinstance(states, dict):
        named = {canonical_state(word): count for word, count in states.items()}
        # (Of two words for one state none is the right one.)
        if named.keys() != states.keys() and len(named) == len(states):
            result["states"] = named
            kept["states"] = dict(states)
    return result, kept
