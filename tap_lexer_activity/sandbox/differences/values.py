"""Differences of values in lists and reports: other types, words, times, fields and rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.sandbox.differences.base import Difference, of_content, of_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_lexer_activity.sandbox.differences.base import Answer, Asked

    Rows = list[dict[str, Any]]

_LISTS: Final = frozenset({"users", "groups", "forms"})
_AGENTS: Final = frozenset({"user_summary", "user_volume"})
_CLASSES: Final = frozenset({"classifications", "case_classifications"})
_SUMMARIES: Final = frozenset({"summary", "case_summary", "nps_summary"})


def _put(**values: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the fields that a row has: to a value, or by a function of the old one."""

    def put(row: dict[str, Any]) -> None:
        for name, value in values.items():
            if name in row:
                row[name] = value(row[name]) if callable(value) else value

    return put


def _numbers_as_text(row: dict[str, Any]) -> None:
    row.update((name, str(value)) for name, value in row.items() if type(value) in {int, float})


def _booleans_as_numbers(row: dict[str, Any]) -> None:
    row.update((name, int(value)) for name, value in row.items() if type(value) is bool)


def _title(state: str) -> str:
    return state.replace("_", " ").capitalize()


def _more(row: dict[str, Any]) -> None:
    row["csat"] = 4.5


def _fields_of_the_tap(row: dict[str, Any]) -> None:
    row |= {"date_from": "today", "interval": 1, "additional_columns": ["more"]}


def _of_nobody(rows: Rows) -> Rows:
    ids = {"user_id": None, "classification_id": "Unassigned"}
    last = rows[-1:]
    nobody = [{**row, **{name: value for name, value in ids.items() if name in row}} for row in last]
    return rows + nobody


def _without_id(rows: Rows) -> Rows:
    ids = ("user_id", "classification_id")
    return rows + [{name: value for name, value in row.items() if name not in ids} for row in rows[-1:]]


def _with_total(rows: Rows) -> Rows:
    return rows + [{**row, "user_id": None, "first_name": "Total", "last_name": None} for row in rows[-1:]]


def _that_differs(rows: Rows) -> Rows:
    return rows + [
        {**row, **{name: value + 1 for name, value in row.items() if name in {"volume", "sign_in_count"}}}
        for row in rows[:1]
    ]


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _in_words(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{moment:%a %b %d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)"


def _without_nps(form: dict[str, Any]) -> None:
    form["type"] = "NPS survey" if form.pop("nps") else "Competition"


def _na(row: dict[str, Any]) -> None:
    row.update((name, "N/A") for name in row if name.startswith(("avg_", "nps_score")))


def _refused(asked: Asked, answer: Answer) -> None:
    if asked.body.get("form") == 56 or asked.target == "forms":  # noqa: PLR2004 (an NPS form of every sandbox)
        answer.status, answer.content = 403, {"error": "Forbidden"}


def _for_all_forms(_: Asked, answer: Answer) -> None:
    answer.content = {"total_sent": 9, "total_received": 4, "total_promoters": 3, "total_passives": 1}


DIFFERENCES: Final = {
    "new_metric": Difference(
        "rows have a metric that no document names",
        _AGENTS | _CLASSES | _SUMMARIES | _LISTS,
        of_rows(_more),
        is_contrary=True,
    ),
    "fields_of_the_tap": Difference(
        "rows have fields with the names of columns that the tap adds",
        _AGENTS | _CLASSES | _SUMMARIES,
        of_rows(_fields_of_the_tap),
        is_contrary=True,
    ),
    "numbers_as_text": Difference(
        "numbers come as text, ids included",
        _AGENTS | _CLASSES | _SUMMARIES | _LISTS,
        of_rows(_numbers_as_text),
        is_contrary=True,
    ),
    "numbers_for_text": Difference(
        "names that look like numbers come as numbers", frozenset({"groups"}), of_rows(_put(name=2026))
    ),
    "booleans_as_numbers": Difference(
        "true and false come as 1 and 0", _LISTS, of_rows(_booleans_as_numbers), is_contrary=True
    ),
    "booleans_as_words": Difference(
        "true and false come as words",
        _LISTS,
        of_rows(_put(archived=str, nps=lambda is_nps: "yes" if is_nps else "no")),
    ),
    "archived_is_a_time": Difference(
        "archived is the time of archiving", frozenset({"users"}), of_rows(_put(archived="2020-01-01T00:00:00Z"))
    ),
    "offset_of_a_clock": Difference(
        "gmtoffset is written like +09:30",
        frozenset({"users"}),
        of_rows(_put(gmtoffset=lambda hours: f"+{int(hours):02}:{int(hours % 1 * 60):02}")),
    ),
    "times_of_ruby": Difference(
        "times are written as Ruby does",
        _LISTS,
        of_rows(
            _put(
                last_sign_in_at=lambda text: text and text.replace("T", " ").replace("Z", " UTC"),
                created_at=lambda text: text.replace("T", " ").replace("Z", " +0000"),
            )
        ),
        is_contrary=True,
    ),
    "times_as_numbers": Difference(
        "times are in seconds since 1970, or in words",
        _LISTS,
        of_rows(_put(last_sign_in_at=lambda text: text and _seconds(text), created_at=_in_words)),
    ),
    "times_without_a_zone": Difference(
        "times name no zone",
        _LISTS,
        of_rows(_put(last_sign_in_at=lambda text: text and text.rstrip("Z"), created_at=lambda text: text.rstrip("Z"))),
    ),
    "dates_for_times": Difference(
        "a time is a date without a time of day", frozenset({"forms"}), of_rows(_put(created_at=lambda text: text[:10]))
    ),
    "never": Difference(
        "a time is a word or empty text",
        _LISTS,
        of_rows(_put(last_sign_in_at="never", created_at="")),
    ),
    "no_number": Difference("an average without values is N/A", _SUMMARIES, of_rows(_na)),
    "groups_as_objects": Difference(
        "groups come as objects instead of ids",
        frozenset({"users"}),
        of_rows(_put(groups=lambda ids: [{"id": number, "name": f"Group {number}"} for number in ids])),
    ),
    "groups_as_text": Difference(
        "groups come as text",
        frozenset({"forms", "users"}),
        of_rows(_put(groups=lambda ids: ", ".join(map(str, ids)))),
        is_contrary=True,
    ),
    "states_on_the_screen": Difference(
        "states have the words of the screens",
        frozenset({"classifications", "user_volume"}),
        of_rows(_put(state=_title, states=lambda counts: {_title(state): n for state, n in counts.items()})),
        is_contrary=True,
    ),
    "states_as_list": Difference(
        "the states of an agent come as a list",
        frozenset({"user_volume"}),
        of_rows(_put(states=lambda counts: [{"state": state, "count": n} for state, n in counts.items()])),
    ),
    "row_of_nobody": Difference(
        "unassigned messages have a row without an id",
        _AGENTS | _CLASSES,
        of_content(_of_nobody),
        is_contrary=True,
    ),
    "row_without_id": Difference("a row has no field for its id", _AGENTS | _CLASSES, of_content(_without_id)),
    "row_of_totals": Difference("the last row is the total", _AGENTS, of_content(_with_total)),
    "rows_twice": Difference(
        "a row comes twice",
        _LISTS | _AGENTS | _CLASSES,
        of_content(lambda rows: rows + rows[:1]),
        is_contrary=True,
    ),
    "rows_that_differ": Difference(
        "two rows with the same key differ", frozenset({"users"}) | _CLASSES, of_content(_that_differs)
    ),
    "nps_is_a_type": Difference(
        "forms say in a field `type` that they are NPS forms", frozenset({"forms"}), of_rows(_without_nps)
    ),
    "nps_unsaid": Difference(
        "forms do not say whether they are NPS forms",
        frozenset({"forms"}),
        of_content(lambda rows: [{name: value for name, value in row.items() if name != "nps"} for row in rows]),
    ),
    "forms_refused": Difference("the list of forms is refused with 403", frozenset({"forms"}), _refused),
    "form_refused": Difference("one NPS form is refused with 403", frozenset({"nps_summary"}), _refused),
    "form_ignored": Difference("every form gets the same numbers", frozenset({"nps_summary"}), _for_all_forms),
}
