"""Envelopes: an answer's rows taken out of what stands around them, where only one part of it can be meant.

Pure functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tap_lexer_activity.errors import UnexpectedAnswerError

if TYPE_CHECKING:
    from collections.abc import Collection

Shape: TypeAlias = Literal["list", "object", "series"]
"""A list of rows, one object of metrics, or an object of lists of buckets."""

_BROKEN: Final = frozenset({"error", "fail", "failed", "failure"})

_FINE: Final = frozenset({"success", "ok"})


def error_in(answer: Any, known: Collection[str] = ()) -> Any:
    """The error that an answer with a good status says, or `None`.

    Args:
        answer: Its JSON.
        known: Names that are fields of the answer.
    """
    if not isinstance(answer, dict):
        return None
    for name in ("error", "errors"):
        if name not in known and (said := answer.get(name)) and not _is_rows(said, name):
            return said
    word = answer.get("status")
    if "status" not in known and isinstance(word, str) and word.lower() in _BROKEN:
        return answer.get("message") or word
    return None


def _is_rows(said: Any, name: str) -> bool:
    """Whether what stands under `errors` may be buckets of a series that is called so."""
    return name == "errors" and isinstance(said, list) and all(isinstance(one, dict) and "value" in one for one in said)


def unwrap(answer: Any, shape: Shape, *, known: Collection[str] = (), accepted: Collection[str] = (), what: str) -> Any:
    """The part of an answer that has the shape that is expected, or the answer as it is if nothing stands around it.

    Args:
        answer: Its JSON.
        shape: The shape.
        known: Names of the fields of a row or an object: what has one of them is no envelope.
        accepted: The words of the setting `accept` for the stream.
        what: What was asked for, for errors.

    Raises:
        UnexpectedAnswerError: If two parts could be meant, or the one that `accept` names is not there.
    """
    if not isinstance(answer, dict) or not answer:
        return answer
    if member := next((word.partition(":")[2] for word in accepted if word.startswith("member:")), None):
        if member in answer:
            return answer[member]
        msg = f"{what}: the answer has no member {member!r}, which the setting accept names"
        raise UnexpectedAnswerError(msg)
    if any(name in answer for name in known):
        return answer
    found = [name for name, part in answer.items() if _fits(part, shape, known)]
    if len(found) > 1:
        named = " and ".join(map(repr, found))
        msg = (
            f"{what}: the rows may be under {named}. "
            f'Say which in the setting accept, by the name of the stream: {{"STREAM": ["member:{found[0]}"]}}'
        )
        raise UnexpectedAnswerError(msg)
    if not found:
        return answer
    part = answer[found[0]]
    beside = {name: other for name, other in answer.items() if name != found[0]}
    return part if _is_harmless(beside, len(part) if isinstance(part, list) else None) else answer


def _fits(part: Any, shape: Shape, known: Collection[str]) -> bool:
    match shape:
        case "list":
            return isinstance(part, list) and all(isinstance(row, dict) for row in part)
        case "object":
            return isinstance(part, dict) and any(name in part for name in known)
        case _:
            return False


def _is_harmless(beside: Any, count: int | None) -> bool:
    """Whether what stands beside the rows can't say that there are more: a total of another number does, and so may a cursor."""
    if isinstance(beside, dict):
        return all(_is_harmless(part, count) or (name in _FINE and part is True) for name, part in beside.items())
    if beside is None or beside is False or beside in ("", []):
        return True
    return isinstance(beside, int) and not isinstance(beside, bool) and beside == count
