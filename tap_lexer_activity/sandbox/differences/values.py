"""Fields and values of lists and reports that differ: other types, words, times, fields and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_lexer_activity.sandbox.differences.base import Difference, of_rows

if TYPE_CHECKING:
    from typing import Any


def _more(row: dict[str, Any]) -> None:
    row["csat"] = 4.5


DIFFERENCES: Final = {
    "new_metric": Difference(
        "rows of agents have a metric that no document names",
        frozenset({"user_summary", "user_volume"}),
        of_rows(_more),
    ),
}
