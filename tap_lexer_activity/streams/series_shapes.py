"""The shapes that a series may come in, made the one that Lexer documents: what is counted, to its buckets. Pure functions.

`{"closed": [{"value": 5, "date_range": {"date_from": "2018-04-27 00:00"}}]}` is the documented one. Each other shape that says the same
becomes it; whatever could say something else stays as it came, and is refused by whoever checks it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.streams.label_texts import ends_of, read_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OTHER: Final = "another shape"
BESIDE: Final = "members beside the lists of buckets"
_NO_STATES: Final = frozenset({"error", "errors"})
"""Members that may come empty, and are nothing that is counted."""

_RANGE: Final = "date_range"
_FROM: Final = ("date_from", "from", "start", "begin")
_TO: Final = ("date_to", "to", "end")
_LABELS: Final = (_RANGE, *_FROM, "date", "label", "timestamp")
"""Names that a bucket's label may have, the likeliest first."""
_AROUND: Final = ("data", "result", "results", "series", "report", "values", "items")
"""Names of what may stand around a series. Each of them has to be the only part that holds buckets."""
_GRAINS: Final = ("interval", "granularity", "grain", "resolution", "bucket", "period", "group_by", "unit")


@dataclass
class Shaped:
    """A series in the documented shape, and what was found in making it.

    Attributes:
        answer: The series.
        ends: Ends of buckets by their labels, as they came.
        said: Kinds of differences, each with a clause for people.
        grains: What the answer calls the length of its buckets.
        is_keyless: Whether there are buckets that do not say what is counted.
    """

    answer: Any
    ends: dict[Any, Any] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    grains: list[str] = field(default_factory=list)
    is_keyless: bool = False


def shaped(answer: Any, dimension: str, key: str | None) -> Shaped:
    """A series in the documented shape.

    Args:
        answer: The JSON.
        dimension: What a bucket calls that which is counted in it, such as `state`.
        key: What is counted, for buckets that do not say it; None: they have to say it.
    """
    result = Shaped(answer)
    if isinstance(answer, dict) and (
        beside := {name: answer[name] for name in _NO_STATES & answer.keys() if not answer[name]}
    ):
        _note_beside(beside, result)  # (with an error in it, the answer would have been refused)
        answer = {name: part for name, part in answer.items() if name not in beside}
    if answer in ({}, [], None):
        result.answer = {}
        return result
    series = _series(_taken_out(answer, result), dimension, key, result)
    if series is None:
        return result
    found: dict[str, list[Any]] = {}
    for name, buckets in series.items():
        found[name] = [_bucket(bucket, dimension, result) for bucket in buckets]
    result.answer = found
    return result


def _taken_out(answer: Any, result: Shaped) -> Any:
    """The part of an answer that has the buckets."""
    if isinstance(answer, list) and len(answer) == 1 and _is_series(answer[0]):
        result.said[OTHER] = "the series came in a list of one"
        return answer[0]
    if not isinstance(answer, dict):
        return answer
    if len(answer) == 1 and (name := next(iter(answer))) in _AROUND and not answer[name]:
        result.said[OTHER] = f"the series came under {name!r}"
        return {}
    inside = [name for name, part in answer.items() if _holds_buckets(part)]
    if len(inside) != 1 or inside[0] not in _AROUND:
        return answer
    (name,) = inside
    _note_beside({other: part for other, part in answer.items() if other != name}, result)
    result.said[OTHER] = f"the series came under {name!r}"
    return answer[name]


def _is_series(part: Any) -> bool:
    """True if a part is an object of lists of buckets, and nothing else."""
    return (
        isinstance(part, dict)
        and bool(part)
        and all(isinstance(inner, list) and (not inner or _holds_buckets(inner)) for inner in part.values())
    )


def _holds_buckets(part: Any) -> bool:
    match part:
        case list():
            return bool(part) and all(isinstance(row, dict) and (_is_bucket(row) or _one_list(row)) for row in part)
        case dict():
            return bool(part) and (_is_by_date(part) or any(_holds_buckets(inner) for inner in part.values()))
        case _:
            return False


def _series(answer: Any, dimension: str, key: str | None, result: Shaped) -> dict[str, list[Any]] | None:
    """Each thing that is counted, to its buckets; `None` if the shape is no known one."""
    if isinstance(answer, list):
        return _of_list(answer, dimension, key, result)
    if not isinstance(answer, dict):
        return None
    if answer and _is_by_date(answer):
        return _of_dates(answer, dimension, key, result)
    if _looks_like_one(answer):
        return None
    found: dict[str, list[Any]] = {}
    beside: dict[str, Any] = {}
    for name, part in answer.items():
        buckets, said = _member(name, part)
        if buckets is None:
            beside[name] = part
            continue
        found[name] = buckets
        if said is not None:
            result.said[OTHER] = said
    if beside and (not found or any(_holds_buckets(part) for part in beside.values())):
        return None
    _note_beside(beside, result)
    return found


def _member(name: str, part: Any) -> tuple[list[Any] | None, str | None]:
    """The buckets of one member of a series, and what differs; no buckets: it is no such member."""
    if isinstance(part, list):
        return part, None
    if part is None:
        return [], None
    if not isinstance(part, dict) or not part:
        return None, None
    if _is_by_date(part):
        if any(isinstance(inner, dict) and "value" not in inner for inner in part.values()):
            return None, None
        return [_dated(label, inner) for label, inner in part.items()], "buckets came by their dates"
    inner = None if name in _AROUND else _only_list(part)
    return inner, None if inner is None else "buckets came in objects"


def _looks_like_one(answer: Mapping[str, Any]) -> bool:
    """True if an object is one bucket, and no series."""
    return "value" in answer and any(name in answer for name in _LABELS)


def _of_list(rows: list[Any], dimension: str, key: str | None, result: Shaped) -> dict[str, list[Any]] | None:
    """A list of buckets, each with what is counted in it; or a list of series."""
    found: dict[str, list[Any]] = defaultdict(list)
    if all(isinstance(row, dict) and _one_list(row) is not None for row in rows):
        for row in rows:
            name, inner = _one_list(row) or ("", [])
            texts = [part for other, part in row.items() if other != name and isinstance(part, str)]
            named = row.get(dimension, texts[0] if len(texts) == 1 else None)
            if not isinstance(named, str) or named in found:
                return None
            found[named] = inner
        result.said[OTHER] = "a list of series came"
        return dict(found)
    if not all(isinstance(row, dict) and _is_bucket(row) for row in rows):
        return None
    for row in rows:
        named = row.get(dimension, key)
        if not isinstance(named, str):
            result.is_keyless = True
            return None
        found[named].append(row)
    result.said[OTHER] = "buckets came in one list"
    return dict(found)


def _of_dates(
    answer: Mapping[str, Any], dimension: str, key: str | None, result: Shaped
) -> dict[str, list[Any]] | None:
    """Buckets by their dates, each an object of what is counted to its number."""
    found: dict[str, list[Any]] = defaultdict(list)
    for label, part in answer.items():
        if isinstance(part, dict) and "value" in part:
            named = part.get(dimension, key)
            if not isinstance(named, str):
                result.is_keyless = True
                return None
            found[named].append(_dated(label, part))
        elif isinstance(part, dict):
            if not all(_is_number(value) for value in part.values()):
                return None
            for named, value in part.items():
                found[named].append(_dated(label, value))
        elif key is not None and _is_number(part):
            found[key].append(_dated(label, part))
        else:
            result.is_keyless = _is_number(part)
            return None
    result.said[OTHER] = "buckets came by their dates"
    return dict(found)


def _dated(label: str, part: Any) -> dict[str, Any]:
    return {**part, _RANGE: {_FROM[0]: label}} if isinstance(part, dict) else {"value": part, _RANGE: {_FROM[0]: label}}


def _bucket(row: Any, dimension: str, result: Shaped) -> Any:
    """A bucket with its label and its value where the documents have them."""
    if isinstance(row, list) and len(row) == 2 and read_label(row[0]) and _is_number(row[1]):  # noqa: PLR2004 (a pair)
        result.said.setdefault("pairs for buckets", "buckets came as pairs of a label and a number")
        return {"value": row[1], _RANGE: {_FROM[0]: str(row[0])}}
    if not isinstance(row, dict):
        return row
    name = _label_of(row, dimension)
    if name is None:
        return row
    label, end, more = _label_in(row[name])
    if label is None:
        return row
    if end is None and name in _FROM:
        last = next((other for other in _TO if other in row and read_label(row[other])), None)
        end = None if last is None else row[last]
    if name != _RANGE or not isinstance(row[name], dict) or _FROM[0] not in row[name] or not isinstance(label, str):
        result.said.setdefault("labels elsewhere", f"the labels of buckets came as {name!r} or in another type")
    if end is not None:
        result.ends[label if isinstance(label, str) else str(label)] = end
    result.grains += [part for other, part in row.items() if other in _GRAINS and isinstance(part, str)]
    rest = {other: part for other, part in row.items() if other != name}
    rest |= {f"{name}.{other}": part for other, part in more.items()}
    if "value" not in rest:
        numbers = [other for other, part in rest.items() if _is_number(part) and not other.startswith(f"{name}.")]
        if len(numbers) == 1:
            result.said.setdefault("values elsewhere", f"the values of buckets came as {numbers[0]!r}")
            rest["value"] = rest.pop(numbers[0])
    return {**rest, _RANGE: {_FROM[0]: label if isinstance(label, str) else str(label)}}


def _label_in(part: Any) -> tuple[Any, Any, dict[str, Any]]:
    """The label in what stands for it, the end of the bucket, and what else is there."""
    if isinstance(part, dict):
        first = next((name for name in _FROM if name in part), None)
        last = next((name for name in _TO if name in part), None)
        if first is None or not isinstance(part[first], str | int | Decimal) or isinstance(part[first], bool):
            return None, None, {}
        return part[first], part.get(last), {name: inner for name, inner in part.items() if name != first}
    if isinstance(part, list) and len(part) == 2 and all(map(read_label, part)):  # noqa: PLR2004 (the two ends)
        return part[0], part[1], {"date_to": part[1]}
    if isinstance(part, str):
        first, second = ends_of(part)
        return first, second, {} if second is None else {"date_to": second}
    return (part, None, {}) if read_label(part) else (None, None, {})


def _label_of(row: Mapping[str, Any], dimension: str) -> str | None:
    """The name of what labels a bucket."""
    for name in _LABELS:
        if name in row:
            return name
    others = [
        name
        for name, part in row.items()
        if name not in {"value", dimension} and isinstance(part, str) and read_label(part)
    ]
    return others[0] if len(others) == 1 else None


def _is_bucket(row: Mapping[str, Any]) -> bool:
    return "value" in row and _label_of(row, "") is not None


def _one_list(row: Mapping[str, Any]) -> tuple[str, list[Any]] | None:
    """The one member of an object that is a list of buckets; `None` if there is none, or more than one."""
    found = [(name, part) for name, part in row.items() if isinstance(part, list)]
    if len(found) != 1 or not all(isinstance(inner, dict) and _is_bucket(inner) for inner in found[0][1]):
        return None
    return found[0]


def _only_list(part: Mapping[str, Any]) -> list[Any] | None:
    """The buckets of an object that has one list and numbers beside it."""
    found = _one_list(part)
    if found is None or any(isinstance(other, dict) for other in part.values()):
        return None
    return found[1]


def _is_by_date(part: Mapping[str, Any]) -> bool:
    return bool(part) and all(map(read_label, part))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float, Decimal)) and not isinstance(value, bool))


def _note_beside(beside: Mapping[str, Any], result: Shaped) -> None:
    if not beside:
        return
    result.said[BESIDE] = f"{', '.join(map(repr, beside))} came beside the lists of buckets, and are left out"
    for part in (beside, *(inner for inner in beside.values() if isinstance(inner, dict))):
        result.grains += [said for name, said in part.items() if name in _GRAINS and isinstance(said, str)]


def is_coarser(words: Iterable[str], interval: str) -> bool:
    """True if an answer calls its buckets longer than what was asked for."""
    longer = (
        ("week", "month", "quarter", "year")
        if interval == "day"
        else ("day", "dai", "week", "month", "quarter", "year")
    )
    return any(word.lower().startswith(longer) or word in {"1w", "1M", "P1W", "P7D", "P1M"} for word in words)
