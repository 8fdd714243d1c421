"""Envelopes: the rows of an answer, taken out of the fields around them if only one part can be meant.

Pure functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from tap_lexer_activity.errors import UnexpectedAnswerError

Shape: TypeAlias = Literal["list", "object", "series", "surveys"]
"""A list of rows, one object of metrics, an object of lists of buckets, or the list of the days of surveys.

The streams of the last two read more shapes than one, and envelopes as well: what stands beside buckets says how long they are.
"""

_BROKEN: Final = frozenset({"error", "fail", "failed", "failure"})
_AROUND: Final = frozenset({
    "meta", "metadata", "_meta", "links", "_links", "pagination", "paging", "page_info", "pageinfo", "errors", "warnings", "messages",
})  # fmt: skip
"""Names of fields beside the rows."""
_NAMES: Final = frozenset({
    "data", "result", "results", "response", "rows", "records", "items", "report", "reports", "payload", "content", "body", "entries",
    "objects", "list", "metrics", "stats", "statistics", "value", "values", "output", "agents", "team", "tags",
})  # fmt: skip
"""Names under which an answer may come, beside the stream's own. Under any other name it may be one group of several."""
_DEEPEST: Final = 3


@dataclass(frozen=True)
class Expected:
    """The answer that a stream expects.

    Attributes:
        known: Names of fields of a row or an object: what has one of them is no envelope.
        accepted: The words of the setting `accept` for the stream.
        may_be_cut: Whether a usual number of rows may be all that a server gives at once.
    """

    stream: str
    shape: Shape
    known: tuple[str, ...] = ()
    accepted: Collection[str] = ()
    may_be_cut: bool = False

    def setting(self, word: str) -> str:
        """The setting `accept` with a word for this stream."""
        return f"accept to {json.dumps({self.stream: [word]})}"


@dataclass(frozen=True)
class Content:
    """The content of an answer: a list of rows, an object, a series; or nothing, as `[]`, `None` or `{}`.

    If it is not as it was expected, the notice is a kind of difference, and a sentence about it.
    """

    rows: Any
    notice: tuple[str, str] | None = None


def error_in(answer: Any) -> Any:
    """The error that an answer with a good status says, or `None`."""
    if not isinstance(answer, dict):
        return None
    for name in ("error", "errors"):
        if (said := answer.get(name)) and not _is_rows(said, name):
            return said
    word = answer.get("status")
    if isinstance(word, str) and word.lower() in _BROKEN:
        return answer.get("message") or word
    return None


def _is_rows(said: Any, name: str) -> bool:
    """True if what stands under `errors` may be buckets of a series that is called so."""
    return name == "errors" and isinstance(said, list) and all(isinstance(one, dict) and "value" in one for one in said)


def opened(answer: Any, expected: Expected, what: str) -> Content:
    """The content of an answer, without its envelope. An answer that is no known envelope stays as it is, and the check of its shape refuses it.

    Raises:
        UnexpectedAnswerError: If two parts could be meant, or the one that `accept` names is not there.
    """
    inner, path = _unwrapped(answer, expected, what)
    notice = None
    if path:
        said = f"the rows came under {'.'.join(path)!r}, which Lexer does not document. They are read from there"
        notice = f"under {path[-1]}", said
    if _is_nothing(inner) and inner != _nothing(expected.shape):
        shown = json.dumps(inner)
        said = (
            f"{what}: the answer is {shown} where {_SHAPES[expected.shape]} was expected. Such answers count as no rows"
        )
        return Content(_nothing(expected.shape), ("nothing", said))
    if _is_nothing(inner):
        return Content(inner, notice)
    if expected.shape == "list" and _is_row(inner, expected.known):
        said = "one object came where a list was expected. It is read as a list of one"
        is_documented = expected.known == ("id",)  # (of lists, Lexer's text and its samples disagree)
        return Content([inner], notice or (None if is_documented else ("one object", said)))
    if expected.shape == "object" and isinstance(inner, list) and len(inner) == 1 and _is_row(inner[0], expected.known):
        return Content(
            inner[0],
            notice or ("list of one", "a list of one came where an object was expected. It is read as that object"),
        )
    return Content(inner, notice)


_SHAPES: Final[dict[Shape, str]] = {
    "list": "a list",
    "object": "an object",
    "series": "an object of lists",
    "surveys": "a list",
}


def _nothing(shape: Shape) -> Any:
    return [] if shape in {"list", "surveys"} else {} if shape == "series" else None


def _is_nothing(answer: Any) -> bool:
    return answer is None or answer in ([], {})


def _is_row(answer: Any, known: Collection[str]) -> bool:
    return isinstance(answer, dict) and any(name in answer for name in known)


def _unwrapped(answer: Any, expected: Expected, what: str, depth: int = 0) -> tuple[Any, tuple[str, ...]]:
    """The part of an answer that has the shape that is expected, and the names that lead to it; or the answer itself."""
    if not isinstance(answer, dict) or not answer or expected.shape in {"series", "surveys"}:
        return answer, ()
    member = next((word.partition(":")[2] for word in expected.accepted if word.startswith("member:")), None)
    if member is not None and not depth:
        if member in answer:
            return answer[member], (member,)
        msg = (
            f"{what}: the answer has no member {member!r}, which the setting accept names [see: answer-member-missing]"
        )
        raise UnexpectedAnswerError(msg)
    if _is_row(answer, expected.known):
        return answer, ()
    if found := [name for name, part in answer.items() if _fits(part, name, expected)]:
        _check_names(found, expected, what)
        return answer[found[0]], (found[0],)
    return _from_within(answer, expected, what, depth)


def _check_names(found: list[str], expected: Expected, what: str) -> None:
    """Refuse an answer with several parts that may be meant, or with one that may not be all of it."""
    way = f"set {expected.setting(f'member:{found[0]}')}"
    if len(found) > 1:
        named = " and ".join(map(repr, found))
        msg = f"{what}: the rows may be under {named}. Choose: {way}, or another of them [see: answer-several-parts]"
        raise UnexpectedAnswerError(msg)
    if not _is_of_envelopes(found[0], expected.stream):
        msg = (
            f"{what}: the rows came under {found[0]!r}, and may be only a part of them. "
            f"If they are all, {way} [see: answer-part-alone]"
        )
        raise UnexpectedAnswerError(msg)


def _from_within(answer: dict[str, Any], expected: Expected, what: str, depth: int) -> tuple[Any, tuple[str, ...]]:
    """The content of an envelope inside an envelope, or an empty part that is named like content."""
    inner = [
        (part, (name, *path))
        for name, each in (answer.items() if depth < _DEEPEST else ())
        if name.lower() not in _AROUND and isinstance(each, dict) and each
        for part, path in [_unwrapped(each, expected, what, depth + 1)]
        if path
    ]
    if len(inner) == 1:
        return inner[0]
    named_so = [name for name in answer if name.lower() in _NAMES]
    if len(named_so) == 1 and _is_nothing(answer[named_so[0]]):
        return answer[named_so[0]], (named_so[0],)
    return answer, ()


def _is_of_envelopes(name: str, stream: str) -> bool:
    """True if an answer may come under this name: a usual one, or the stream's own words."""
    words = {word.rstrip("s") for word in re.findall("[a-z]+", name.lower())}
    return name.lower() in _NAMES or bool(words & {word.rstrip("s") for word in stream.split("_")})


def _fits(part: Any, name: str, expected: Expected) -> bool:
    """True if a part of an answer may be what is expected."""
    if name.lower() in _AROUND:
        return False
    is_list = isinstance(part, list) and all(isinstance(row, dict) for row in part)
    if expected.shape == "list":
        return is_list
    return _is_row(part, expected.known) or (is_list and len(part) == 1 and _is_row(part[0], expected.known))
