"""Series and lists as they came, looked at and not loaded: whatever shape they have, as far as it can be read. Pure functions."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.lexer.envelopes import Expected, opened
from tap_lexer_activity.shapes import ADDED_COLUMNS, SCHEMAS, stream_schema
from tap_lexer_activity.streams.labels import ORDERS, read_label
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.streams.reports import Report
from tap_lexer_activity.streams.series import Series
from tap_lexer_activity.streams.series_shapes import shaped
from tap_lexer_activity.streams.states import STATES
from tap_lexer_activity.windows import DAY, HOUR, local_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.streams.labels import Label
    from tap_lexer_activity.windows import Window

_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class Seen:
    """A series.

    Attributes:
        values: What is counted in each bucket, all keys together, by what its label shows: an instant in UTC, or a clock's time
            without a zone. Buckets without a number are 0.
        is_instant: Whether the labels are instants.
        differs: How the series and its labels differ from documented ones, in words.
        form: The forms of the labels, with 9 for each digit and a for each letter.
    """

    values: Mapping[datetime, Decimal]
    is_instant: bool = False
    differs: tuple[str, ...] = ()
    form: str = ""

    @property
    def moments(self) -> list[datetime]:
        """The times that the labels show, in order."""
        return sorted(self.values)

    @property
    def total(self) -> Decimal:
        """All that is counted."""
        return sum(self.values.values(), Decimal())

    @property
    def counted(self) -> list[datetime]:
        """The times of the labels of buckets that count something."""
        return [moment for moment in self.moments if self.values[moment]]

    @property
    def grain(self) -> timedelta | None:
        """The length of the buckets; `None` if fewer than two came."""
        steps = [after - before for before, after in pairwise(self.moments)]
        return min(steps, default=None)


def see_series(kind: str, content: Any, asked: Window) -> Seen | None:
    """A series in whatever shape it came; `None` if it can't be read."""
    stream = BY_NAME[kind]
    assert issubclass(stream, Series)  # noqa: S101 (for the type checker)
    shape = shaped(content, stream.dimension, stream.only_key)
    if not isinstance(shape.answer, dict):
        return None
    parts: list[list[Any]] = [part if isinstance(part, list) else [None] for part in shape.answer.values()]
    texts = [(_label_of(bucket), bucket) for part in parts for bucket in part]
    found = [(read_label(text), bucket) for text, bucket in texts]
    said = tuple(shape.said.values())
    if not found:
        return Seen({}, differs=said)
    order = max(ORDERS, key=lambda each: sum(each in read and _is_near(read[each], asked) for read, _ in found))
    values: dict[datetime, Decimal] = defaultdict(Decimal)
    labels = []
    for read, bucket in found:
        if order not in read:
            return None
        labels.append(read[order])
        values[read[order].moment] += number_of(bucket.get("value")) or 0
    if len({label.is_instant for label in labels}) > 1:
        return None
    form = form_of(str(texts[0][0]))
    if not all(label.is_documented for label in labels):
        said = (*said, f"labels are {form}")
    return Seen(dict(values), labels[0].is_instant, said, form)


def _label_of(bucket: Any) -> str | None:
    part = bucket.get("date_range") if isinstance(bucket, dict) else None
    text = part.get("date_from") if isinstance(part, dict) else None
    return text if isinstance(text, str) else None


def _is_near(label: Label, asked: Window) -> bool:
    return asked.start - 2 * DAY <= _instant(label) <= asked.end + 2 * DAY


def _instant(label: Label) -> datetime:
    """The instant that a label names; one without a zone is in UTC."""
    return label.moment if label.is_instant else label.moment.replace(tzinfo=UTC)


def number_of(value: Any) -> Decimal | None:
    """A value as a number, `None` if it is none."""
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def form_of(text: str) -> str:
    """A text with 9 for each digit and a for each letter but T and Z: its form, and nothing of what it says."""
    return "".join("9" if sign.isdigit() else "a" if sign.isalpha() and sign not in "TZ" else sign for sign in text)


def date_of(moment: datetime, zone: ZoneInfo) -> date:
    """The date that a label shows; that of an instant is the zone's."""
    return local_date(moment, zone) if moment.tzinfo else moment.date()


def grain_in_words(grain: timedelta | None) -> str:
    """The length of buckets, for people."""
    if grain is None:
        return "too few buckets to tell"
    if grain <= HOUR:
        return "hours" if grain == HOUR else f"steps of {grain // timedelta(minutes=1)} minutes"
    if grain < DAY - HOUR:
        return f"steps of {round(grain / HOUR)} hours"
    if grain <= DAY + HOUR:
        return "days"
    return "weeks" if grain == _WEEK else f"steps of {round(grain / DAY)} days"


# Lists


def rows_of(kind: str, content: Any) -> list[dict[str, Any]] | None:
    """The rows of an answer, out of what stands around them as far as a run takes them out; `None` if there is nothing like it."""
    stream = BY_NAME[kind]
    known = tuple(name for name in stream_schema(kind)["properties"] if name not in ADDED_COLUMNS)
    expected = Expected(kind, stream.shape, known) if issubclass(stream, Report) else Expected(kind, "list", ("id",))
    try:
        inside = opened(content, expected, kind).rows
    except UnexpectedAnswerError:
        inside = content
    return rows_in(inside)[0]


def rows_in(content: Any) -> tuple[list[dict[str, Any]] | None, str]:
    """The rows of an answer, `None` if there is nothing like it; and what stands around them, in words."""
    if isinstance(content, list):
        rows = [row for row in content if isinstance(row, dict)]
        return (rows, "an array") if len(rows) == len(content) else (None, f"an array of {_kind(content[0])}s")
    if not isinstance(content, dict):
        return None, "null" if content is None else f"a {_kind(content)}"
    lists = [
        (name, part)
        for name, part in content.items()
        if isinstance(part, list) and part and all(isinstance(row, dict) for row in part)
    ]
    if len(lists) == 1 and "id" not in content:
        name, part = lists[0]
        beside = "" if len(content) == 1 else f", beside {len(content) - 1} other fields"
        return part, f"an object with an array under {name!r}{beside}"
    return [content], "one object"


def _kind(value: Any) -> str:
    return {str: "text", bool: "boolean", dict: "object", list: "array", type(None): "null"}.get(type(value), "number")


def shape_of(value: Any, depth: int = 0) -> Any:
    """The shape of a JSON value: its fields and their types, and nothing of what it says.

    The names of an object are shown if one of them is a field's that is known. All others may be data: where an object is a map, its
    names can be those of people.
    """
    if isinstance(value, dict):
        if depth > _DEEPEST or not any(name in known_names() for name in value):
            return f"object of {len(value)}"
        shown = {name: shape_of(part, depth + 1) for name, part in value.items() if is_plain_name(name)}
        return shown if len(shown) == len(value) else {**shown, "(others)": len(value) - len(shown)}
    if isinstance(value, list):
        kinds: list[Any] = []
        for part in value:
            if (found := shape_of(part, depth + 1)) not in kinds and len(kinds) < _MOST_KINDS:
                kinds.append(found)
        return [f"{len(value)} of", *kinds]
    return _kind(value)


_DEEPEST: Final = 5
_MOST_KINDS: Final = 3
_PLAIN: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII).fullmatch
_AROUND: Final = frozenset({
    "data", "result", "results", "meta", "page", "total", "next", "links", "pagination", "error", "message",
    "id", "value", "date_range", "users", "groups", "forms",
})  # fmt: skip
"""Names that stand around rows, or in rows of any kind."""


def is_plain_name(name: str) -> bool:
    """True if a field's name is written as programs write names."""
    return bool(_PLAIN(name))


@cache
def known_names() -> frozenset[str]:
    """Names of fields that some schema has, or that stand around rows."""
    names = {*_AROUND, *STATES}
    for file in SCHEMAS.glob("*.json"):
        names |= _names(json.loads(file.read_text(encoding="utf-8")))
    return frozenset(names)


def _names(schema: Any) -> set[str]:
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= {name, *_names(part)}
    return found | (_names(schema["items"]) if isinstance(schema.get("items"), dict) else set())


def read_moment(value: Any) -> datetime | None:
    """The instant that a label names; `None` if it is no label."""
    found = read_label(value)
    label = found.get("day_first") or found.get("month_first")
    return None if label is None else _instant(label)
