"""Series that differ: their shape, their labels, the length of their buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_lexer_activity.sandbox.differences.base import Difference, of_rows

if TYPE_CHECKING:
    from typing import Any


def _with_seconds(row: dict[str, Any]) -> None:
    row["date_range"]["date_from"] += ":00"


DIFFERENCES: Final = {
    "labels_with_seconds": Difference(
        "labels of series have seconds",
        frozenset({"states_volume", "response_volume", "case_volume"}),
        of_rows(_with_seconds),
    ),
}
