"""The shapes that a series may come in, made the one that Lexer documents: what is counted, to its buckets. Pure functions.

`{"closed": [{"value": 5, "date_range": {"date_from": "2018-04-27 00:00"}}]}` is the documented one. Each other shape that says the same
becomes it; whatever could say something else stays as it came, and is refused by whoever checks it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.streams.labels import ends_of, read_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OTHER: Final = "another shape"
BESIDE: Final = "members beside the lists of buckets"
_NO_STATES: Final = frozenset({"error", "errors"})
"""Members that may come empty, and are nothing that is counted."""

_RANGE: Final = "date_range"
_FROM: Final = ("date_from", "from", "start", "begin")
_TO: Final = ("date_to", "to", "end")
_LABELS: Final = (_RANGE, *_FROM, "date", "label", "timestamp")
"""Names that a bucket's label may have, the likeliest first."""
_AROUND: Final = frozenset({"data", "result", "results", "series", "report", "values", "items"})
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
    shaping = _Shaping(dimension, key, Shaped(answer))
    result = shaping.result
    if isinstance(answer, dict) and (
        beside := {name: answer[name] for name in _NO_STATES & answer.keys() if not answer[name]}
    ):
        shaping.note_beside(beside)  # (with an error in it, the answer would have been refused)
        answer = {name: part for name, part in answer.items() if name not in beside}
    if answer in ({}, [], None):
        result.answer = {}
    elif (series := shaping.series(shaping.taken_out(answer))) is not None:
        result.answer = {name: [shaping.bucket(bucket) for bucket in buckets] for name, buckets in series.items()}
    return result


@dataclass(frozen=True)
class _Shaping:
    dimension: str
    key: str | None
    result: Shaped

    def taken_out(self, answer: Any) -> Any:
        """The part of an answer that has the buckets."""
        if isinstance(answer, list) and len(answer) == 1 and _is_series(answer[0]):
            self.result.said[OTHER] = "the series came in a list of one"
            return answer[0]
        if not isinstance(answer, dict):
            return answer
        if len(answer) == 1 and not all(answer.values()) and _AROUND.issuperset(answer):
            found = list(answer)
        else:
            found = [name for name, part in answer.items() if _holds_buckets(part)]
            if len(found) != 1 or found[0] not in _AROUND:
                return answer
            self.note_beside({name: part for name, part in answer.items() if name not in found})
        self.result.said[OTHER] = f"the series came under {found[0]!r}"
        return answer[found[0]] or {}

    def series(self, answer: Any) -> dict[str, list[Any]] | None:
        """Each thing that is counted, to its buckets; `None` if the shape is no known one."""
        if isinstance(answer, list):
            return self._of_list(answer)
        if not isinstance(answer, dict) or ("value" in answer and any(name in answer for name in _LABELS)):
            return None  # (the latter is one bucket, and no series)
        if _is_by_date(answer):
            return self._grouped(self._by_date(answer), "buckets came by their dates")
        found: dict[str, list[Any]] = {}
        beside: dict[str, Any] = {}
        for name, part in answer.items():
            buckets = self._member(name, part)
            if buckets is None:
                beside[name] = part
            else:
                found[name] = buckets
        if beside and (not found or any(map(_holds_buckets, beside.values()))):
            return None
        self.note_beside(beside)
        return found

    def _member(self, name: str, part: Any) -> list[Any] | None:
        """The buckets of one member of a series; `None`: it is no such member."""
        if isinstance(part, list) or part is None:
            return part or []
        if not isinstance(part, dict) or not part:
            return None
        if _is_by_date(part):
            if any(isinstance(inner, dict) and "value" not in inner for inner in part.values()):
                return None
            self.result.said[OTHER] = "buckets came by their dates"
            return [_dated(label, inner) for label, inner in part.items()]
        found = _one_list(part)
        if found is None or name in _AROUND or any(isinstance(other, dict) for other in part.values()):
            return None
        self.result.said[OTHER] = "buckets came in objects"
        return found[1]

    def _of_list(self, rows: list[Any]) -> dict[str, list[Any]] | None:
        """A list of buckets, each with what is counted in it; or a list of series."""
        if not all(isinstance(row, dict) and _one_list(row) is not None for row in rows):
            are_buckets = all(isinstance(row, dict) and _is_bucket(row) for row in rows)
            return self._grouped(rows, "buckets came in one list") if are_buckets else None
        found: dict[str, list[Any]] = {}
        for row in rows:
            name, inner = _one_list(row) or ("", [])
            texts = [part for other, part in row.items() if other != name and isinstance(part, str)]
            named = row.get(self.dimension, texts[0] if len(texts) == 1 else None)
            if not isinstance(named, str) or named in found:
                return None
            found[named] = inner
        self.result.said[OTHER] = "a list of series came"
        return found

    def _by_date(self, answer: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
        """Buckets that came by their dates, or objects of what is counted to its number; `None` for anything else."""
        for label, part in answer.items():
            if _is_number(part) or (isinstance(part, dict) and "value" in part):
                yield _dated(label, part)
            elif isinstance(part, dict) and all(map(_is_number, part.values())):
                for named, value in part.items():
                    yield _dated(label, value) | {self.dimension: named}
            else:
                yield None

    def _grouped(self, rows: Iterable[Mapping[str, Any] | None], said: str) -> dict[str, list[Any]] | None:
        """Buckets by what is counted in each; `None` if one is none, or does not say it."""
        found: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            if row is None:
                return None
            named = row.get(self.dimension, self.key)
            if not isinstance(named, str):
                self.result.is_keyless = True
                return None
            found[named].append(row)
        self.result.said[OTHER] = said
        return dict(found)

    def bucket(self, row: Any) -> Any:
        """A bucket with its label and its value where the documents have them."""
        said = self.result.said
        if isinstance(row, list) and len(row) == 2 and read_label(row[0]) and _is_number(row[1]):  # noqa: PLR2004 (a pair)
            said.setdefault("pairs for buckets", "buckets came as pairs of a label and a number")
            return _dated(str(row[0]), row[1])
        if not isinstance(row, dict) or (name := _label_of(row, self.dimension)) is None:
            return row
        label, end, more = _label_in(row[name])
        if label is None:
            return row
        if end is None and name in _FROM:
            end = next((row[other] for other in _TO if other in row and read_label(row[other])), None)
        if name != _RANGE or not isinstance(row[name], dict) or _FROM[0] not in row[name] or not isinstance(label, str):
            said.setdefault("labels elsewhere", f"the labels of buckets came as {name!r} or in another type")
        if end is not None:
            self.result.ends[str(label)] = end
        self._note_grains(row)
        rest = {other: part for other, part in row.items() if other != name}
        if "value" not in rest:
            numbers = [other for other, part in rest.items() if _is_number(part)]
            if len(numbers) == 1:
                said.setdefault("values elsewhere", f"the values of buckets came as {numbers[0]!r}")
                rest["value"] = rest.pop(numbers[0])
        return rest | {f"{name}.{other}": part for other, part in more.items()} | _dated(str(label), {})

    def note_beside(self, beside: Mapping[str, Any]) -> None:
        """Take note of members beside the lists of buckets, if there are any."""
        if beside:
            said = f"{', '.join(map(repr, beside))} came beside the lists of buckets, and are left out"
            self.result.said[BESIDE] = said
            for part in (beside, *(inner for inner in beside.values() if isinstance(inner, dict))):
                self._note_grains(part)

    def _note_grains(self, part: Mapping[str, Any]) -> None:
        self.result.grains += [said for name, said in part.items() if name in _GRAINS and isinstance(said, str)]


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
            return _is_by_date(part) or any(map(_holds_buckets, part.values()))
        case _:
            return False


def _dated(label: str, part: Any) -> dict[str, Any]:
    """A bucket with its label where the documents have it."""
    return {**(part if isinstance(part, dict) else {"value": part}), _RANGE: {_FROM[0]: label}}


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
    if known := next((name for name in _LABELS if name in row), None):
        return known
    texts = {name: part for name, part in row.items() if name not in {"value", dimension} and isinstance(part, str)}
    others = [name for name, part in texts.items() if read_label(part)]
    return others[0] if len(others) == 1 else None


def _is_bucket(row: Mapping[str, Any]) -> bool:
    return "value" in row and _label_of(row, "") is not None


def _one_list(row: Mapping[str, Any]) -> tuple[str, list[Any]] | None:
    """The one member of an object that is a list of buckets; `None` if there is none, or more than one."""
    found = [(name, part) for name, part in row.items() if isinstance(part, list)]
    if len(found) != 1 or not all(isinstance(inner, dict) and _is_bucket(inner) for inner in found[0][1]):
        return None
    return found[0]


def _is_by_date(part: Mapping[str, Any]) -> bool:
    return bool(part) and all(map(read_label, part))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float, Decimal)) and not isinstance(value, bool))


def is_coarser(words: Iterable[str], interval: str) -> bool:
    """True if an answer calls its buckets longer than what was asked for."""
    longer = (
        ("week", "month", "quarter", "year")
        if interval == "day"
        else ("day", "dai", "week", "month", "quarter", "year")
    )
    return any(word.lower().startswith(longer) or word in {"1w", "1M", "P1W", "P7D", "P1M"} for word in words)
