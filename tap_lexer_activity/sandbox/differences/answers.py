"""Differences of whole answers: envelopes, pages, statuses, headers, limits of requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.sandbox.differences.base import Difference, of_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_lexer_activity.sandbox.differences.base import Answer, Asked

    Change = Callable[[Asked, Answer], None]

_LISTS: Final = frozenset({"users", "groups", "forms"})
_OBJECTS: Final = frozenset({"summary", "case_summary"})
_ROWS: Final = frozenset({"classifications", "case_classifications", "user_summary"})
_SIZE: Final = 2
"""Rows of a page."""


def _by_name(asked: Asked, answer: Answer) -> None:
    answer.content = {asked.target: answer.content}


def _nothing(_: Asked, answer: Answer) -> None:
    answer.status, answer.body = 204, b""


def _paged(say: Callable[[Asked, Answer, int, int], None]) -> Change:
    """The page of a request, the number of the next one (0: none), and the number of all rows."""

    def change(asked: Asked, answer: Answer) -> None:
        page, rows = int(asked.args.get("page", 1)), answer.content
        answer.content = rows[(page - 1) * _SIZE : page * _SIZE]
        say(asked, answer, page + 1 if len(rows) > page * _SIZE else 0, len(rows))

    return change


def _link(asked: Asked, answer: Answer, following: int, _: int) -> None:
    if following:
        answer.headers["Link"] = f'<{asked.url}?page={following}>; rel="next"'


def _elsewhere(_: Asked, answer: Answer, following: int, __: int) -> None:
    if following:
        answer.headers["Link"] = f'<http://elsewhere.example/users?page={following}>; rel="next"'


def _total(_: Asked, answer: Answer, __: int, count: int) -> None:
    answer.headers["X-Total-Count"] = str(count)


def _in_body(_: Asked, answer: Answer, following: int, __: int) -> None:
    answer.content = {"data": answer.content, "next_page": following or None}


def _more_than_come(_: Asked, answer: Answer) -> None:
    answer.headers["X-Total-Count"] = str(len(answer.content) + 1)


def _partial(_: Asked, answer: Answer) -> None:
    answer.status = 206


def _error(_: Asked, answer: Answer) -> None:
    answer.content = dict.fromkeys(answer.content, 0) | {"error": "timeout"}


def _refused(_: Asked, answer: Answer) -> None:
    answer.status, answer.content = 403, {"error": "Forbidden"}


def _third_is(status: int, text: str) -> Change:
    def change(asked: Asked, answer: Answer) -> None:
        if asked.count == 3:  # noqa: PLR2004 (in the middle of a run)
            answer.status, answer.content = status, {"error": text}
            answer.headers["Retry-After"] = "0"

    return change


def _broken_on(day: str) -> Change:
    """No answer for one day, and for ranges that contain it."""

    def change(asked: Asked, answer: Answer) -> None:
        if str(asked.body["date_from"])[:10] <= day <= str(asked.body["date_to"])[:10]:
            answer.status, answer.content = 400, {"error": "divided by 0"}

    return change


def _nan(_: Asked, answer: Answer) -> None:
    answer.body = json.dumps({**answer.content, "avg_response_time": float("nan")}).encode()


def _other_text(_: Asked, answer: Answer) -> None:
    answer.body = json.dumps(answer.content, ensure_ascii=False).encode("gb18030")
    answer.media_type = "application/json; charset=gb18030"


def _with_meta(content: Any) -> Any:
    return {"data": content, "meta": {"generated_at": "2026-05-01T00:00:00Z", "version": 2}}


DIFFERENCES: Final = {
    "wrapped_lists": Difference(
        'lists come as {"data": [...]}', _LISTS, of_content(lambda content: {"data": content}), is_contrary=True
    ),
    "lists_under_their_names": Difference('lists come as {"users": [...]}', _LISTS, _by_name),
    "wrapped_reports": Difference(
        'reports come as {"data": ..., "meta": {...}}', _OBJECTS | _ROWS, of_content(_with_meta), is_contrary=True
    ),
    "reports_in_lists": Difference("an object comes in a list", _OBJECTS, of_content(lambda content: [content])),
    "two_lists": Difference(
        "a list has another one beside it",
        frozenset({"groups"}),
        of_content(lambda content: {"groups": content, "archived": content[:1]}),
    ),
    "under_a_strange_name": Difference(
        "a report comes under the name of a group",
        frozenset({"summary"}),
        of_content(lambda content: {"emea": content}),
    ),
    "nothing_is_204": Difference("an empty answer is 204 without a body", frozenset({"summary", "groups"}), _nothing),
    "pages_by_link": Difference("lists come in pages, and the header Link names the next one", _LISTS, _paged(_link)),
    "pages_by_total": Difference(
        "lists and reports come in pages, and the header X-Total-Count has the number of rows",
        _LISTS | {"user_summary"},
        _paged(_total),
    ),
    "pages_in_body": Difference('lists come as {"data": [...], "next_page": 2}', _LISTS, _paged(_in_body)),
    "pages_elsewhere": Difference(
        "the next page of a list is on another host", frozenset({"users"}), _paged(_elsewhere)
    ),
    "more_than_come": Difference("a list announces more rows than come", frozenset({"users"}), _more_than_come),
    "partial_content": Difference("a report has the status 206", frozenset({"user_summary"}), _partial),
    "errors_under_200": Difference("an error comes with status 200, beside zeros", frozenset({"summary"}), _error),
    "users_refused": Difference("the list of users is refused", frozenset({"users"}), _refused),
    "quota_is_403": Difference(
        "the quota is used up, and the status is 403", frozenset({"summary"}), _third_is(403, "Rate limit exceeded")
    ),
    "one_401": Difference(
        "a single request is refused in the middle of a run", frozenset({"summary"}), _third_is(401, "Unauthorized")
    ),
    "broken_day": Difference("one day is never answered", frozenset({"summary"}), _broken_on("2026-04-27")),
    "broken_day_of_series": Difference(
        "ranges with one certain day are never answered", frozenset({"states_volume"}), _broken_on("2026-04-20")
    ),
    "bare_nan": Difference("an average without values is NaN, which is no JSON", frozenset({"summary"}), _nan),
    "other_text": Difference("text is in GB18030, and the header says so", _LISTS, _other_text),
}
