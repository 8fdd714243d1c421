"""Faults of the places `QUERY` and `JSON`: they change the query of a report, or the JSON of an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_lexer_activity.sandbox.faults import LONG_NUMBER
from tap_lexer_activity.sandbox.instants import DAY
from tap_lexer_activity.sandbox.query import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_lexer_activity.sandbox.faults import Fault
    from tap_lexer_activity.sandbox.query import Query


def bend_query(fault: Fault, query: Query) -> Query:
    """The query under a fault of the place `QUERY`.

    Raises:
        RequestError: The fault lets the API refuse.
    """
    if fault.name == "hourly_buckets":
        return replace(query, grain="hour")
    if fault.name == "daily_buckets":
        return replace(query, grain="day")
    if fault.name == "other_shape":
        agents = query.options.user_volume_shape == "agents"
        return replace(query, options=replace(query.options, user_volume_shape="states" if agents else "agents"))
    if fault.name == "form_gone":
        if query.form == fault.number(query.form):
            raise RequestError(404, "Not found")
        return query
    earlier = int(fault.number(28)) * DAY
    return replace(query, start=query.start - earlier, end=query.end - earlier)


def bend_json(fault: Fault, content: Any) -> Any:
    """The JSON of an endpoint under a fault of the place `JSON`."""
    bent: dict[str, Callable[[], Any]] = {
        "unknown_shape": lambda: {"data": {"items": [[content]]}} if fault.value is None else fault.value,
        "empty": lambda: [] if isinstance(content, list) else {},
        "nan": lambda: _with_number(content, float("nan"))[0],
        "long_number": lambda: _with_number(content, int(fault.value or LONG_NUMBER), last=True)[0],
        "list_for_object": lambda: [[row] for row in content] if isinstance(content, list) else [content],
        "duplicate_rows": lambda: _with_a_row_twice(content),
        "nameless_user": lambda: [content[0] | {"first_name": None, "last_name": None}, *content[1:]],
        "many_classifications": lambda: [
            content[0] | {"classification_id": number} for number in range(int(fault.number(100_000)))
        ],
    }
    return bent[fault.name]()


def _with_a_row_twice(content: Any) -> Any:
    """The content with the first row of each list twice."""
    if isinstance(content, dict):
        return {key: _with_a_row_twice(part) if isinstance(part, list) else part for key, part in content.items()}
    return content[:1] + content


def _with_number(content: Any, number: float, *, last: bool = False) -> tuple[Any, bool]:
    """The content with its first or last number replaced, and whether it has one."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        return number, True
    parts = (
        [*content.items()] if isinstance(content, dict) else [*enumerate(content)] if isinstance(content, list) else []
    )
    for key, part in reversed(parts) if last else parts:
        bent, done = _with_number(part, number, last=last)
        if done:
            copy = content.copy()
            copy[key] = bent
            return copy, True
    return content, False
