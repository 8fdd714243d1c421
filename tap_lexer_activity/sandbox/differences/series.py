"""Differences of series: shape, labels, length of buckets, and the ranges that are answered."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.sandbox import reports, series
from tap_lexer_activity.sandbox.differences.base import Difference, of_content
from tap_lexer_activity.sandbox.instants import DAY, instant, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_lexer_activity.sandbox.differences.base import Answer, Asked
    from tap_lexer_activity.sandbox.query import Query

_LABELLED: Final = frozenset({"states_volume", "response_volume", "case_volume"})
_STATES: Final = frozenset({"states_volume"})
_SURVEYS: Final = frozenset({"nps_volume"})
_REPORTS: Final[dict[str, Callable[[Query], Any]]] = {
    "states_volume": series.states_volume,
    "response_volume": series.response_volume,
    "case_volume": series.case_volume,
    "nps_volume": series.nps_volume,
    "nps_summary": reports.nps_summary,
}
_LABEL: Final = "%Y-%m-%d %H:%M"


def _rows_in(content: Any, name: str) -> Iterator[dict[str, Any]]:
    """The rows that have a member of this name, inside whatever other differences have put around them."""
    if isinstance(content, dict) and name in content:
        yield content
    elif isinstance(content, dict | list):
        for part in content.values() if isinstance(content, dict) else content:
            yield from _rows_in(part, name)


def _labelled(write: Callable[[datetime], Any]) -> Callable[[Asked, Answer], None]:
    """Labels in another form, from the instant that each one names."""

    def change(asked: Asked, answer: Answer) -> None:
        if asked.query is not None:
            for row in _rows_in(answer.content, "date_range"):
                shown = datetime.strptime(row["date_range"]["date_from"], _LABEL)  # noqa: DTZ007 (its zone is the account's)
                row["date_range"]["date_from"] = write(shown.replace(tzinfo=asked.query.ledger.zone))

    return change


def _of_buckets(change: Callable[[dict[str, Any]], None]) -> Callable[[Asked, Answer], None]:
    def each(content: Any) -> Any:
        for row in _rows_in(content, "date_range"):
            change(row)
        return content

    return of_content(each)


def _of_surveys(change: Callable[[dict[str, Any]], None]) -> Callable[[Asked, Answer], None]:
    def each(content: Any) -> Any:
        for row in _rows_in(content, "timestamp"):
            change(row)
        return content

    return of_content(each)


def _counted(changed: Callable[[Query], Query]) -> Callable[[Asked, Answer], None]:
    """Answers to another request than the one sent."""

    def change(asked: Asked, answer: Answer) -> None:
        if asked.query is not None:
            answer.content = _REPORTS[asked.kind](changed(asked.query))

    return change


def _refused(says: str, applies: Callable[[Query], bool]) -> Callable[[Asked, Answer], None]:
    def change(asked: Asked, answer: Answer) -> None:
        if asked.query is not None and applies(asked.query):
            answer.status, answer.content = 400, {"error": f"Invalid report - {says}"}

    return change


def _range_text(row: dict[str, Any]) -> None:
    row["date_range"] = row["date_range"]["date_from"]


def _plain_date(row: dict[str, Any]) -> None:
    row["date"] = row.pop("date_range")["date_from"]


def _with_ends(_: Asked, answer: Answer) -> None:
    for row in _rows_in(answer.content, "date_range"):
        first = datetime.strptime(row["date_range"]["date_from"], _LABEL)  # noqa: DTZ007 (a wall clock time)
        row["date_range"]["date_to"] = (first + timedelta(hours=23, minutes=59)).strftime(_LABEL)


def _at_end(shown: datetime) -> str:
    return (shown.replace(tzinfo=None) + timedelta(days=1)).strftime(_LABEL)


def _flat(content: dict[str, Any]) -> list[Any]:
    return [row for part in content.values() for row in part]


def _listed(content: dict[str, Any]) -> list[Any]:
    return [{"name": key, "data": rows} for key, rows in content.items()]


def _by_date(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, rows in content.items():
        for row in rows:
            found[row["date_range"]["date_from"]][key] = row["value"]
    return found


def _titled(content: dict[str, Any]) -> dict[str, Any]:
    titles = {key: key.replace("_", " ").capitalize() for key in content}
    return {titles[key]: [{**row, "state": titles[key]} for row in rows] for key, rows in content.items()}


def _with_meta(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "total": 771, "meta": {"unit": "messages"}}


def _weeks(asked: Asked, answer: Answer) -> None:
    """Weeks for a range of more than 30 days, each with the sum of its days."""
    if asked.query is None or asked.query.end - asked.query.start <= 30 * DAY:
        return
    for rows in answer.content.values():
        sums: dict[str, Any] = {}
        for row in rows:
            day = datetime.strptime(row["date_range"]["date_from"], _LABEL)  # noqa: DTZ007 (a wall clock time)
            monday = (day - timedelta(days=day.weekday())).strftime(_LABEL)
            begun = sums.setdefault(monday, {**row, "value": 0, "date_range": {"date_from": monday}})
            begun["value"] += row["value"] or 0
        rows[:] = sums.values()


def _steps_of_weeks(asked: Asked, answer: Answer) -> None:
    query = asked.query
    if query is None or query.end - query.start <= 30 * DAY:
        return
    answer.content = []
    for start in range(query.start, query.end, 7 * DAY):
        part = replace(query, start=start, end=min(start + 7 * DAY, query.end))
        date = moment(start)
        row = {"date": date.isoformat(), "timestamp": int(date.timestamp()), "data": reports.nps_summary(part)}
        answer.content.append(row)


def _both_edges(asked: Asked, answer: Answer) -> None:
    """An additional row: the day before the first, labelled by its end."""
    if asked.query is not None:
        before = replace(asked.query, start=asked.query.start - DAY)
        answer.content = series.nps_volume(before)


def _no_time(row: dict[str, Any]) -> None:
    del row["timestamp"]


def _date_only(row: dict[str, Any]) -> None:
    row["date"] = row["date"][:10]


def _surveys_by_date(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["date"][:10]: row["data"] for row in content}


def _is_longer_than(days: int) -> Callable[[Query], bool]:
    return lambda query: query.end - query.start > days * DAY


def _in_grain(grain: Any, *, below: int = 0, above: int = 0) -> Callable[[Query], Query]:
    """Buckets of one length for ranges that are shorter, or longer, than some days."""

    def changed(query: Query) -> Query:
        length = query.end - query.start
        applies = length < below * DAY if below else length > above * DAY
        return replace(query, grain=grain) if applies else query

    return changed


def _of_utc(query: Query) -> Query:
    return replace(query, offset=UTC, options=replace(query.options, labels="offset"))


_RETAINED_SINCE: Final = datetime(2026, 3, 1, tzinfo=UTC)

DIFFERENCES: Final = {
    "labels_with_seconds": Difference(
        "labels of series have seconds", _LABELLED, _labelled(lambda at: at.strftime("%Y-%m-%d %H:%M:%S"))
    ),
    "labels_iso": Difference(
        "labels of series have an offset", _LABELLED, _labelled(lambda at: at.isoformat()), is_contrary=True
    ),
    "labels_zulu": Difference(
        "labels of series are instants in UTC",
        _LABELLED,
        _labelled(lambda at: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")),
    ),
    "labels_in_utc": Difference(
        "labels of series are in UTC, and do not say so",
        _LABELLED,
        _labelled(lambda at: at.astimezone(UTC).strftime(_LABEL)),
    ),
    "labels_in_milliseconds": Difference(
        "labels of series are milliseconds since 1970", _LABELLED, _labelled(lambda at: int(at.timestamp() * 1000))
    ),
    "labels_with_the_day_first": Difference(
        "labels of series write the day before the month",
        _LABELLED,
        _labelled(lambda at: at.strftime("%d/%m/%Y %H:%M")),
    ),
    "labels_with_am": Difference(
        "labels of series have AM and PM", _LABELLED, _labelled(lambda at: at.strftime("%Y-%m-%d %I:%M %p"))
    ),
    "labels_of_dates": Difference(
        "labels of series are dates", _LABELLED, _labelled(lambda at: at.strftime("%d %b %Y"))
    ),
    "labels_of_ends": Difference("labels of series name the ends of days", _STATES, _labelled(_at_end)),
    "ranges_as_text": Difference("the range of a bucket is text", _LABELLED, _of_buckets(_range_text)),
    "ranges_with_ends": Difference("a bucket also has the end of its range", _LABELLED, _with_ends),
    "dates_for_ranges": Difference("a bucket has a date instead of a range", _LABELLED, _of_buckets(_plain_date)),
    "wrapped_series": Difference(
        'a series comes under "data"', _LABELLED, of_content(lambda content: {"data": content}), is_contrary=True
    ),
    "empty_lists": Difference("a series without buckets is []", _LABELLED, of_content(lambda content: content or [])),
    "flat_series": Difference("a series is one list of buckets", _STATES | {"response_volume"}, of_content(_flat)),
    "listed_series": Difference("a series is a list of objects, one for each state", _LABELLED, of_content(_listed)),
    "series_by_date": Difference("a series is an object by date", _LABELLED, of_content(_by_date)),
    "members_beside": Difference(
        "numbers and objects come beside the lists of a series", _LABELLED, of_content(_with_meta)
    ),
    "titled_states": Difference("states are written as on the screens", _STATES, of_content(_titled)),
    "days_of_utc": Difference("days are those of UTC, whatever zone the request has", _STATES, _counted(_of_utc)),
    "weeks_for_months": Difference("a range of more than 30 days is answered in weeks", _LABELLED, _weeks),
    "days_for_hours": Difference(
        "a range of more than 40 hours is answered in days",
        _LABELLED,
        _counted(lambda query: replace(query, grain="day") if query.end - query.start > 40 * DAY // 24 else query),
    ),
    "hours_for_a_week": Difference(
        "a range of less than 8 days is answered in hours", _STATES, _counted(_in_grain("hour", below=8))
    ),
    "part_of_a_range": Difference(
        "only the last 30 days of a longer range are answered",
        _LABELLED | _SURVEYS,
        _counted(lambda query: replace(query, start=max(query.start, query.end - 30 * DAY))),
    ),
    "ranges_of_a_month": Difference(
        "a range of more than 31 days is refused",
        _LABELLED | _SURVEYS,
        _refused("date range is too long", _is_longer_than(31)),
        is_contrary=True,
    ),
    "retention": Difference(
        "days before March 2026 are refused",
        _LABELLED | {"summary"},
        _refused("date is out of retention", lambda query: query.start < instant(_RETAINED_SINCE)),
    ),
    "survey_dates": Difference("rows of surveys have a date without a time", _SURVEYS, _of_surveys(_date_only)),
    "survey_one_time": Difference(
        "rows of surveys have no timestamp", _SURVEYS, _of_surveys(_no_time), is_contrary=True
    ),
    "surveys_by_date": Difference("rows of surveys are an object by date", _SURVEYS, of_content(_surveys_by_date)),
    "survey_weeks": Difference("surveys of more than 30 days are counted in weeks", _SURVEYS, _steps_of_weeks),
    "survey_row_more": Difference("surveys have a row at both ends of a range", _SURVEYS, _both_edges),
}
