"""Ids of a report's rows, also of those that belong to nobody, or to all. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.errors import UnexpectedAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOBODY: Final = 0
"""The id of a row that has none: messages that are assigned to nobody, or have no classification."""
TOTAL: Final = -1
"""The id of a row that has none because it is the total of the others."""

_NOBODY: Final = frozenset(
    {"", "unassigned", "notassigned", "nobody", "none", "null", "nil", "na", "unknown", "undefined"}
    | {"unclassified", "notclassified", "noclassification", "nouser", "noagent"}
)
_TOTAL: Final = re.compile(
    r"(?:all|sum|overall)|.*\b(?:total|totals|subtotal)\b.*|all (?:agents|users|teams|classifications|cases|messages)"
)
_NO_LETTERS: Final = re.compile(r"[\W_]+")
_WORDS: Final = re.compile(r"[^\W_]+")
_DIGITS: Final = re.compile(r"\d{1,18}", re.ASCII)

_DOCUMENTED_AS_TEXT: Final = "user_id"

_ENOUGH: Final = 3
"""Counts that have to be the sums of those of the other rows, to tell a total from a row of nobody: one or two may be so by chance."""


@dataclass
class Identified:
    """Rows whose ids are numbers, or as they came where nobody knows what they mean.

    Attributes:
        rows: The rows.
        kept: For each, what came as the id, where that is not what stands there now.
        words: What came as the ids of rows that belong to nobody.
        has_total: Whether there is a row that is the total of the others.
    """

    rows: list[Any]
    kept: list[dict[str, Any]]
    words: list[str] = field(default_factory=list)
    has_total: bool = False


def identified(
    answer: list[Any], column: str, *, beside: Sequence[str] = (), may_be_missing: bool = False, what: str
) -> Identified:
    """The rows of a report by agent or classification, whose key is a column and those `beside` it.

    A row without the column belongs to nobody, if it `may_be_missing`.

    Raises:
        UnexpectedAnswerError: If a row belongs to nobody, and another has the id that it would have.
    """
    kinds = [_kind(row, column, may_be_missing=may_be_missing) for row in answer]
    result = Identified([], [])
    if NOBODY in kinds:
        nobody = [row for row, kind in zip(answer, kinds, strict=True) if kind == NOBODY]
        others = [row for row, kind in zip(answer, kinds, strict=True) if kind is None and isinstance(row, dict)]
        # (Rows of nobody count as others of a total that says so, and need not be looked at for one that does not.)
        if _is_sum(nobody, others, column, beside):
            kinds = [TOTAL if kind == NOBODY else kind for kind in kinds]
    for row, kind in zip(answer, kinds, strict=True):
        result.kept.append({} if kind is None or column not in row else {column: row[column]})
        result.rows.append(_with_number(row, column) if kind is None else {**row, column: kind})
        if kind == NOBODY:
            result.words.append("missing" if column not in row else repr(row[column]) if row[column] else "empty")
        result.has_total |= kind == TOTAL
    for number, said in ((NOBODY, "belongs to nobody"), (TOTAL, "is the total of the others")):
        if number in kinds and any(_number(row, column) == number for row in answer):
            msg = (
                f"{what}: a row {said}, and would get the {column} {number}, which another row has [see: row-key-taken]"
            )
            raise UnexpectedAnswerError(msg)
    return result


def _kind(row: Any, column: str, *, may_be_missing: bool) -> int | None:
    """The owner of a row that is nobody's, or the total of all."""
    if not isinstance(row, dict) or (column not in row and not may_be_missing):
        return None
    given = row.get(column)
    if given is not None and not isinstance(given, str):
        return None
    if given and _says_total(given):
        return TOTAL
    if _NO_LETTERS.sub("", given or "").casefold() not in _NOBODY or any(map(str.isdecimal, given or "")):
        return None
    # (A state may be `all` of them, also of messages without an id.)
    texts = [text for name, text in row.items() if name not in {column, "state"} and isinstance(text, str)]
    return TOTAL if any(map(_says_total, texts)) else NOBODY


def _says_total(text: str) -> bool:
    return _TOTAL.fullmatch(" ".join(_WORDS.findall(text.casefold()))) is not None


def _number(row: Any, column: str) -> Any:
    given = row.get(column) if isinstance(row, dict) else None
    return int(given) if isinstance(given, str) and _DIGITS.fullmatch(given) else given


def _with_number(row: Any, column: str) -> Any:
    """A row with a `user_id` of digits as a number: Lexer documents text in one report of agents, and a number in the other."""
    is_text = column == _DOCUMENTED_AS_TEXT and isinstance(row, dict) and column in row
    return {**row, column: _number(row, column)} if is_text else row


def _is_sum(nobody: Sequence[Any], others: Sequence[Any], column: str, beside: Sequence[str]) -> bool:
    """True if every count of the rows without an id is the sum of the same count of the others."""
    left_out = {column, *beside}
    sums: dict[tuple[Any, ...], int] = {}
    for row in others:
        for place, count in _counts(row, left_out, beside):
            sums[place] = sums.get(place, 0) + count
    found = [(place, count) for row in nobody for place, count in _counts(row, left_out, beside)]
    if len({repr(row.get(column)) for row in others}) < 2 or len({place for place, _ in found}) < len(found):  # noqa: PLR2004 (the sum of one row is that row)
        return False
    return sum(count != 0 for _, count in found) >= _ENOUGH and all(sums.get(place) == count for place, count in found)


def _counts(row: Mapping[str, Any], left_out: set[str], beside: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], int]]:
    """The whole numbers of a row, also those in an object in it, each with its place."""
    group = tuple(repr(row.get(name)) for name in beside)
    for name, value in row.items():
        if name in left_out:
            continue
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in inner:
            if isinstance(number, str) and _DIGITS.fullmatch(number):
                yield (*group, name, part), int(number)
            elif isinstance(number, int) and not isinstance(number, bool):
                yield (*group, name, part), number
