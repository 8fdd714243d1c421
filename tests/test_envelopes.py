"""Envelopes and pages: what is taken out of an answer, and what is left for the check of its shape to refuse."""

from __future__ import annotations

from typing import Any

import pytest

from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.lexer.envelopes import error_in, unwrap
from tap_lexer_activity.lexer.pages import sign_of_more

ROWS = [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    "beside",
    [{}, {"next_page": None}, {"total": 2}, {"meta": {"count": 2, "next": None}}, {"success": True}, {"error": None}],
)
def test_rows_come_out_of_an_envelope(beside: dict[str, Any]) -> None:
    assert unwrap({"data": ROWS, **beside}, "list", known=("id",), what="users") == ROWS


@pytest.mark.parametrize(
    "beside", [{"total": 3}, {"meta": {"total": 33}}, {"cursor": "abc"}, {"more": True}, {"page": 1, "pages": 2}]
)
def test_an_envelope_that_may_hold_a_part_alone_is_left_to_be_refused(beside: dict[str, Any]) -> None:
    answer = {"data": ROWS, **beside}
    assert unwrap(answer, "list", known=("id",), what="users") == answer


def test_one_object_is_no_envelope() -> None:
    answer = {"id": 1, "groups": [{"id": 2}]}
    assert unwrap(answer, "list", known=("id",), what="users") == answer


def test_two_lists_are_refused_until_the_setting_says_which() -> None:
    answer = {"data": ROWS, "users": []}
    with pytest.raises(UnexpectedAnswerError, match=r"'data' and 'users'.*member:data"):
        unwrap(answer, "list", known=("id",), what="users")
    assert unwrap(answer, "list", known=("id",), accepted={"member:data"}, what="users") == ROWS
    with pytest.raises(UnexpectedAnswerError, match="no member 'rows'"):
        unwrap(answer, "list", known=("id",), accepted={"member:rows"}, what="users")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "timeout", "total_volume": 0}, "timeout"),
        ({"errors": ["a"]}, ["a"]),
        ({"status": "error", "message": "no"}, "no"),
        ({"error": None}, None),
        ({"errors": []}, None),
        ({"error": [{"value": 1, "date_range": {}}]}, [{"value": 1, "date_range": {}}]),
        ({"errors": [{"value": 1, "date_range": {}}]}, None),
        (ROWS, None),
    ],
)
def test_an_answer_that_says_an_error(answer: Any, said: Any) -> None:
    assert error_in(answer) == said


@pytest.mark.parametrize(
    ("headers", "answer", "is_part"),
    [
        ({"Link": '<https://x/users?page=2>; rel="next"'}, ROWS, True),
        ({"Link": '<https://x/users?page=1>; rel="first"'}, ROWS, False),
        ({"Content-Range": "items 0-1/33"}, ROWS, True),
        ({"Content-Range": "items 0-1/2"}, ROWS, False),
        ({"X-Total-Count": "33"}, ROWS, True),
        ({"X-Total-Count": "2"}, ROWS, False),
        ({}, {"data": ROWS, "next_page": 2}, True),
        ({}, {"data": ROWS, "links": {"next": "/users?page=2"}}, True),
        ({}, {"data": ROWS, "meta": {"has_more": True}}, True),
        ({}, {"data": ROWS, "links": {"next": None}, "has_more": False}, False),
        ({}, {"next": [{"value": 1}]}, False),
    ],
)
def test_signs_of_a_next_page(headers: dict[str, str], answer: Any, is_part: bool) -> None:
    assert (sign_of_more(headers, answer) is not None) == is_part
