"""The differences by name. The module of its kind says what one does."""

from __future__ import annotations

from typing import Final

from tap_lexer_activity.sandbox.differences import answers, exports, series, values
from tap_lexer_activity.sandbox.differences.base import Answer, Asked, Difference

__all__ = ["CONTRARY", "DIFFERENCES", "Answer", "Asked", "Difference", "find"]

DIFFERENCES: Final[dict[str, Difference]] = {
    **values.DIFFERENCES,
    **series.DIFFERENCES,
    **exports.DIFFERENCES,
    **answers.DIFFERENCES,
}
"""An envelope comes last: it goes around all other differences."""

CONTRARY: Final = tuple(name for name, difference in DIFFERENCES.items() if difference.is_contrary)
"""The differences of the contrary sandbox: as many as fit together."""


def find(name: str) -> Difference:
    """A difference by its name.

    Raises:
        ValueError: There is none.
    """
    if name not in DIFFERENCES:
        msg = f"unknown difference {name!r}: use one of {', '.join(DIFFERENCES)}"
        raise ValueError(msg)
    return DIFFERENCES[name]
