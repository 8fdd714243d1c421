"""Answers as a whole that differ: envelopes, pages, statuses, headers, limits of what may be asked for."""

from __future__ import annotations

from typing import Final

from tap_lexer_activity.sandbox.differences.base import Difference, of_content

DIFFERENCES: Final = {
    "wrapped_lists": Difference(
        'lists come as {"data": [...]}',
        frozenset({"users", "groups", "forms"}),
        of_content(lambda content: {"data": content}),
    ),
}
