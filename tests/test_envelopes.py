"""Envelopes and pages: what is taken out of an answer, which pages are read, and what is left for the check of its shape to refuse."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity.errors import NotFoundError, UnexpectedAnswerError
from tap_lexer_activity.http.quota import wait_for_quota, wait_when_spent
from tap_lexer_activity.lexer.answers import is_of_quota, is_range_too_long, text_of_body
from tap_lexer_activity.lexer.envelopes import Expected, error_in, opened
from tap_lexer_activity.lexer.pages import signs_of_pages
from tap_lexer_activity.lexer.whole import MOST_PAGES, Reply, WholeAnswers
from tap_lexer_activity.notices import Notices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

URL = "https://api.lexer.io/v1/users"
ROWS = [{"id": 1}, {"id": 2}]
USERS = Expected("users", "list", ("id",), may_be_cut=True)
SUMMARY = Expected("summary", "object", ("total_volume", "broke_sla"))
OBJECT = {"total_volume": 5}


def content(answer: Any, expected: Expected = USERS) -> Any:
    return opened(answer, expected, "it").rows


# Envelopes


@pytest.mark.parametrize(
    "beside",
    [{}, {"next_page": None}, {"total": 2}, {"meta": {"at": "2026", "next": None}}, {"success": True}, {"errors": []}],
)
@pytest.mark.parametrize("name", ["data", "users", "results", "Users"])
def test_rows_come_out_of_an_envelope(name: str, beside: dict[str, Any]) -> None:
    assert content({name: ROWS, **beside}) == ROWS
    assert content({"response": {name: ROWS, **beside}}) == ROWS
    assert opened({name: ROWS}, USERS, "it").notice


def test_an_object_comes_out_of_an_envelope_and_out_of_a_list_of_one() -> None:
    for answer in (
        OBJECT,
        {"data": OBJECT, "meta": {"a": 1}},
        [OBJECT],
        {"data": [OBJECT]},
        {"type": "summary", "result": OBJECT},
    ):
        assert content(answer, SUMMARY) == OBJECT
    assert content([OBJECT, OBJECT], SUMMARY) == [OBJECT, OBJECT]


def test_one_object_is_no_envelope() -> None:
    answer = {"id": 1, "groups": [{"id": 2}]}
    assert content(answer) == [answer]
    assert content({"total_volume": 1, "data": OBJECT}, SUMMARY) == {"total_volume": 1, "data": OBJECT}


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None}, {"data": []}])
def test_nothing_is_nothing(answer: Any) -> None:
    assert content(answer) == []
    assert content(answer, SUMMARY) is None
    if not answer:
        assert content(answer, Expected("states_volume", "series")) == {}
        assert content(answer, Expected("nps_volume", "surveys")) == []


def test_two_lists_are_refused_until_the_setting_says_which() -> None:
    answer = {"data": ROWS, "users": []}
    with pytest.raises(UnexpectedAnswerError, match=r"'data' and 'users'.*member:data"):
        content(answer)
    assert content(answer, Expected("users", "list", ("id",), {"member:data"})) == ROWS
    with pytest.raises(UnexpectedAnswerError, match="no member 'rows'"):
        content(answer, Expected("users", "list", ("id",), {"member:rows"}))


@pytest.mark.parametrize("name", ["123", "emea", "Care Team"])
def test_what_may_be_one_group_of_several_is_refused_until_the_setting_says_that_it_is_all(name: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=f"member:{name}"):
        content({name: OBJECT}, SUMMARY)
    assert content({name: OBJECT}, Expected("summary", "object", SUMMARY.known, {f"member:{name}"})) == OBJECT


def test_two_groups_are_left_to_be_refused() -> None:
    with pytest.raises(UnexpectedAnswerError, match="'1' and '2'"):
        content({"1": OBJECT, "2": OBJECT}, SUMMARY)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_comes_is_opened_or_refused_and_rows_that_stand_plain_stay(answer: Any) -> None:
    for expected in (USERS, SUMMARY, Expected("states_volume", "series"), Expected("nps_volume", "surveys")):
        try:
            opened(answer, expected, "it")
        except UnexpectedAnswerError:
            assert isinstance(answer, dict)
    if isinstance(answer, list) and answer:
        assert content(answer) == answer


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


# Pages


@pytest.mark.parametrize(
    ("status", "headers", "answer", "is_part"),
    [
        (200, {"Link": '<https://x/users?page=2>; rel="next"'}, ROWS, True),
        (200, {"Link": "<https://x/users?page=9>; rel=last, </users?page=2>; rel=next"}, ROWS, True),
        (200, {"Link": '<https://x/users?page=1>; rel="first"'}, ROWS, False),
        (206, {"Content-Range": "items 0-1/33"}, ROWS, True),
        (206, {"Content-Range": "items 0-1/2"}, ROWS, False),
        (206, {}, ROWS, True),
        (200, {"X-Total-Count": "33"}, ROWS, True),
        (200, {"X-Total-Count": "2"}, ROWS, False),
        (200, {}, {"data": ROWS, "next_page": 2}, True),
        (200, {}, {"data": ROWS, "links": {"next": "/users?page=2"}}, True),
        (200, {}, {"data": ROWS, "_links": {"next": {"href": "/users?page=2"}}}, True),
        (200, {}, {"data": ROWS, "meta": {"has_more": True}}, True),
        (200, {}, {"data": ROWS, "meta": {"total": 33}}, True),
        (200, {}, {"data": ROWS, "cursor": "abc"}, True),
        (200, {}, {"data": ROWS, "page": 1, "pages": 2}, True),
        (200, {}, {"data": ROWS, "page": 2, "pages": 2, "count": 2, "offset": 2}, False),
        (200, {}, {"data": ROWS, "links": {"next": None}, "has_more": False, "took": 12}, False),
        (200, {}, {"next": [{"value": 1}]}, False),
    ],
)
def test_signs_of_a_next_page(status: int, headers: dict[str, str], answer: Any, is_part: bool) -> None:
    assert bool(signs_of_pages(status, headers, answer, 2).why(2)) == is_part


def read(
    first: Reply, page: Callable[[str, Mapping[str, Any] | None], Reply], expected: Expected = USERS
) -> tuple[Any, list[str], list[Any]]:
    """The rows, kinds of notices, and what was asked for."""
    notices, asked = Notices(logging.getLogger("test.pages")), []

    def ask(url: str, params: Mapping[str, Any] | None, _: int | None) -> Reply:
        asked.append((url, params))
        return page(url, params)

    rows = WholeAnswers(notices, str).read(first, ask, expected, "users")
    return rows, [notice.kind for notice in notices.all], asked


def reply(answer: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(answer, status, {name.replace("_", "-"): value for name, value in headers.items()}, URL)


@pytest.mark.parametrize(
    "address", ["?page=2", "/v1/users?page=2", f"{URL}?page=2", "http://api.lexer.io/v1/users?page=2"]
)
def test_a_next_page_is_read_from_the_host_that_was_asked(address: str) -> None:
    rows, kinds, asked = read(reply(ROWS, Link=f'<{address}>; rel="next"'), lambda *_: reply([{"id": 3}]))
    assert (rows, kinds, asked) == ([*ROWS, {"id": 3}], ["pages"], [(f"{URL}?page=2", None)])


@pytest.mark.parametrize(
    "address", ["https://evil.example/v1", "//evil.example/", "https://api.lexer.io:8443/", "ftp://api.lexer.io/"]
)
def test_another_host_is_not_asked(address: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=r"another host.*set accept to"):
        read(reply(ROWS, Link=f'<{address}>; rel="next"'), lambda *_: reply([]))


@pytest.mark.parametrize(
    "address", ["//]", "https://[::1/users", "https://api.lexer.io:99999/", "https://api.lexer.io:x/"]
)
def test_a_next_page_at_no_address_is_refused(address: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=r"not valid.*set accept to"):
        read(reply({"data": ROWS, "next_page": address}), lambda *_: reply([]))


def test_pages_by_number_or_cursor() -> None:
    pages = {2: {"data": [{"id": 3}], "next_page": "abc"}, "abc": {"data": [{"id": 4}], "next_page": None}}
    rows, _, asked = read(
        reply({"data": ROWS, "next_page": 2}), lambda _, params: reply(pages[next(iter((params or {}).values()))])
    )
    assert [row["id"] for row in rows] == [1, 2, 3, 4]
    assert asked == [(URL, {"page": 2}), (URL, {"cursor": "abc"})]


def test_a_total_is_compared_with_what_came() -> None:
    rows, _, asked = read(reply(ROWS, X_Total_Count="3"), lambda *_: reply([{"id": 3}], X_Total_Count="3"))
    assert (len(rows), asked) == (3, [(URL, {"page": 2})])
    for page in (reply([]), reply(ROWS)):
        with pytest.raises(UnexpectedAnswerError, match=r"there are 3.*one_page"):
            read(reply(ROWS, X_Total_Count="3"), lambda *_, page=page: page)


def test_pages_for_ever_end() -> None:
    count = iter(range(10 * MOST_PAGES))
    with pytest.raises(UnexpectedAnswerError, match="more than 1,000 pages"):
        read(
            reply(ROWS, Link="<?page=2>; rel=next"), lambda *_: reply([{"id": next(count)}], Link="<?page=2>; rel=next")
        )
    with pytest.raises(UnexpectedAnswerError, match="repeats the rows of an earlier page"):
        read(reply(ROWS, Link="<?page=2>; rel=next"), lambda *_: reply(ROWS, Link="<?page=2>; rel=next"))


def refuse(*_: Any) -> Reply:
    msg = "no page"
    raise NotFoundError(msg)


def test_a_usual_number_of_rows_is_settled_by_one_more_question_or_warned_of() -> None:
    fifty = [{"id": number} for number in range(50)]
    assert read(reply(fifty), lambda *_: reply([]))[:2] == (fifty, [])
    assert read(reply(fifty), lambda *_: reply(fifty))[:2] == (fifty, ["a usual number of rows"])
    assert read(reply(fifty), refuse)[:2] == (fifty, ["a usual number of rows"])
    pages = {2: [{"id": 50}], 3: []}
    rows, kinds, _ = read(reply(fifty), lambda _, params: reply(pages[(params or {})["page"]]))
    assert (len(rows), kinds) == (51, ["pages"])
    assert read(reply(fifty[1:]), refuse)[2] == []
    assert read(reply(fifty), refuse, Expected("users", "list", ("id",), {"one_page"}, may_be_cut=True))[2] == []


@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from(["link", "total", "next"]))
def test_all_rows_come_whatever_says_that_there_are_pages(count: int, size: int, way: str) -> None:
    every = [{"id": number} for number in range(count)]

    def page(url: str, params: Mapping[str, Any] | None) -> Reply:
        number = int((params or {}).get("page") or url.rpartition("=")[2])
        rows, following = every[(number - 1) * size : number * size], number + 1 if count > number * size else None
        if way == "link":
            return reply(rows, Link=f'<?page={following}>; rel="next"' if following else "")
        if way == "total":
            return reply(rows, X_Total_Count=str(count))
        return reply({"data": rows, "next_page": following})

    assert read(page(URL, {"page": 1}), page)[0] == every


# Words and headers


def test_words_of_refusals() -> None:
    assert all(
        map(is_of_quota, ("Rate limit exceeded", "rate-limited", "Quota used up", "too many requests", "throttled"))
    )
    assert not any(map(is_of_quota, ("Forbidden", "the separate limits", "not allowed")))
    assert is_range_too_long("date range is too long")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"X-RateLimit-Reset": "12"}, 12),
        ({"RateLimit-Reset": "12"}, 12),
        ({"RateLimit": "limit=100, remaining=0, reset=12"}, 12),
        ({"RateLimit": '"default";r=0;t=12'}, 12),
        ({"X-RateLimit-Reset": "1767225612", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 13),
        ({"X-RateLimit-Reset": "1767225612000", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 13),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Reset": "1000000"}, None),
        ({}, None),
    ],
)
def test_headers_of_the_quota(headers: dict[str, str], wait: float | None) -> None:
    assert wait_for_quota(headers) == wait


def test_an_answer_says_that_it_was_the_last_one() -> None:
    assert wait_when_spent({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}) == 9
    assert wait_when_spent({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "9"}) is None
    assert wait_when_spent({"X-RateLimit-Reset": "9"}) is None


def test_text_is_unicode_if_it_can_be_and_else_what_its_type_says() -> None:
    assert text_of_body(bytearray("é".encode()), "iso-8859-1") == ("é", False)
    assert text_of_body(bytearray("é".encode("cp1252")), "windows-1252") == ("é", False)
    assert text_of_body(bytearray(b"\xe9"), None) == ("\ufffd", True)
    assert text_of_body(bytearray(b"\xe9"), "no-such") == ("\ufffd", True)
    zeros = b"\3" + bytes(7)  # as UTF-32 begins, and is none
    assert text_of_body(bytearray(zeros + b"\xff\xff"), None) == ("\3" + "\0" * 7 + "\ufffd" * 2, True)
