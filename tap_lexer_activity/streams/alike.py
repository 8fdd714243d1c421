"""Answers for several forms, compared: a parameter that a server does not know gives the same numbers for all. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENOUGH: Final = 10
"""Answers with numbers in them that have to be alike, to be no chance."""


class Alike:
    """The numbers of several forms, window by window."""

    def __init__(self) -> None:
        self._first: dict[str, Mapping[str, Any]] = {}
        self._forms: set[int] = set()
        self._count = 0
        self._differs = False

    def take(self, form_id: int, window: str, numbers: Mapping[str, Any]) -> None:
        """Compare the numbers of one form in one window with those of the first form."""
        first = self._first.setdefault(window, numbers)
        self._differs |= first != numbers
        if any(numbers.values()):
            self._forms.add(form_id)
            self._count += 1

    @property
    def is_suspicious(self) -> bool:
        """True if all forms have had the same numbers in every window, so often that it is no chance."""
        return not self._differs and len(self._forms) > 1 and self._count >= _ENOUGH
