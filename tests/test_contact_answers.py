"""First contact: answers that differ from Lexer's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from support.contact import Case, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

ALL: Final = ("users", "groups", "forms")
WITHOUT_SETTING: Final = "ask Lexer for access, or deselect it; the other streams are read"

CASES: Final[list[Case]] = [
    Case("wrapped_lists", (*ALL, "nps_summary"), "warning", says="under 'data'"),
    Case("lists_under_their_names", ALL, "warning", says="under 'users'"),
    Case("wrapped_reports", ("summary", "user_summary", "classifications"), "warning", says="under 'data'"),
    Case("reports_in_lists", ("summary",), "warning", says="a list of one came"),
    Case(
        "two_lists",
        ("groups",),
        "refused",
        says="'groups' and 'archived'",
        way={"accept": {"groups": ["member:groups"]}},
    ),
    Case("under_a_strange_name", ("summary",), "refused", says="'emea'", way={"accept": {"summary": ["member:emea"]}}),
    Case("nothing_is_204", ("summary", "groups"), "warning", says="count as no rows", keeps=lambda *_: False),
    Case("pages_by_link", ALL, "warning", says="header Link names a next page"),
    Case("pages_by_total", (*ALL, "user_summary"), "warning", says="comes in pages"),
    Case("pages_in_body", ALL, "warning", says="it has nextpage"),
    Case(
        "pages_elsewhere",
        ("users",),
        "refused",
        says="another host, elsewhere.example, which must not",
        why="only Lexer's own hosts may get the token",
    ),
    Case("more_than_come", ("users",), "refused", says="says that there are", way={"accept": {"users": ["one_page"]}}),
    Case("partial_content", ("user_summary",), "refused", says="206", way={"accept": {"user_summary": ["one_page"]}}),
    Case(
        "errors_under_200", ("summary",), "refused", says="timeout", why="an error stays an error, whatever its status"
    ),
    Case("users_refused", ("users", "groups"), "refused", says="Complete: groups. Failed: users", why=WITHOUT_SETTING),
    Case("quota_is_403", ("summary",), "warning", says="next try in"),
    Case("one_401", ("summary",), "warning", says="next try in", config={"concurrency": 1}),
    Case(
        "broken_day",
        ("summary",),
        "refused",
        says="divided by 0",
        way={"skip_windows": {"summary": ["2026-04-27"]}},
        keeps=lambda _, row: row["local_date"] != "2026-04-27",
    ),
    Case(
        "broken_day_of_series",
        ("states_volume",),
        "refused",
        says="divided by 0",
        config={"start_date": "2026-04-10"},
        way={"skip_windows": {"states_volume": ["2026-04-20"]}},
        keeps=lambda _, row: row["local_date"] != "2026-04-20",
    ),
    Case(
        "bare_nan",
        ("summary",),
        "warning",
        says="avg_response_time",
        free=("avg_response_time",),
        more={"summary": {"avg_response_time": "NaN"}},
    ),
    Case("other_text", ALL, "rows"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_difference_is_dealt_with_as_the_table_says(
    case: Case, tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    check(case, tap, new_sandbox)
