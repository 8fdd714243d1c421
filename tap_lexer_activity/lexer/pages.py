"""Pages: signs that an answer is not all there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEXT: Final = ("next_page", "next", "next_url", "next_page_url", "nextPage", "next_cursor")
_AROUND: Final = ("links", "_links", "meta", "pagination", "paging", "page_info")
_TOTALS: Final = ("X-Total-Count", "X-Total")
_LINK: Final = re.compile(r'rel\s*=\s*"?\s*next\b', re.IGNORECASE)
_RANGE: Final = re.compile(r"\w+\s+(\d+)-(\d+)/(\d+)")


def sign_of_more(headers: Mapping[str, str], answer: Any) -> str | None:
    """What says that there is more than this answer, or `None`.

    Args:
        headers: The answer's.
        answer: Its JSON.
    """
    if _LINK.search(headers.get("Link", "")):
        return "its header Link names a next page"
    if (part := _RANGE.fullmatch(headers.get("Content-Range", ""))) and int(part[2]) + 1 < int(part[3]):
        return f"its header Content-Range is {part[0]}"
    if isinstance(answer, list):
        for name in _TOTALS:
            said = headers.get(name, "")
            if said.isdecimal() and int(said) > len(answer):
                return f"its header {name} says {said}, and {len(answer)} came"
    return _sign_in_body(answer) if isinstance(answer, dict) else None


def _sign_in_body(answer: Mapping[str, Any]) -> str | None:
    for part in (answer, *(answer[name] for name in _AROUND if isinstance(answer.get(name), dict))):
        for name in _NEXT:
            if (said := part.get(name)) and isinstance(said, (str, int, dict)):
                return f"it has {name}"
        if part.get("has_more") is True:
            return "it has has_more"
    return None
