"""First contact: values that differ from Lexer's documents."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest
from conftest import SCHEMAS, select
from support.contact import Case, Row, check

from tap_lexer_activity.run.columns import with_found
from tap_lexer_activity.sandbox.differences.values import DIFFERENCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

NPS = ("total_sent", "total_received", "total_promoters", "total_passives", "total_detractors", "nps_score")
AVERAGES = tuple(
    name for name in json.loads((SCHEMAS / "summary.json").read_text("utf-8"))["properties"] if name.startswith("avg_")
)
FORMS = ("nps", "archived")
AGENTS = ("user_summary", "user_volume")
CLASSES = ("classifications", "case_classifications")
REPORTS = ("summary", "case_summary", "nps_summary", *AGENTS, *CLASSES)
LISTS = ("users", "groups", "forms")
ZONED = {"accept": {"users": ["utc_times"], "forms": ["utc_times"]}}


def has_id(_: str, row: Row) -> bool:
    return all(row.get(name, 1) > 0 for name in ("user_id", "classification_id"))


def was_sent(_: str, row: Row) -> bool:
    return row.get("volume") != 0  # (the tap adds a zero for each state that is left out)


CASES: Final[list[Case]] = [
    Case(
        "new_metric",
        (*REPORTS, *LISTS),
        "warning",
        "undocumented fields came, and are kept",
        more={key: {"csat": 4.5} for key in (*REPORTS, *LISTS)},
        keeps=was_sent,
    ),
    Case(
        "fields_of_the_tap",
        REPORTS,
        "warning",
        "date_from, interval, additional_columns",
        more={key: {"date_from": "today", "interval": 1, "additional_columns": ["more"]} for key in REPORTS},
        keeps=was_sent,
    ),
    Case("numbers_as_text", (*REPORTS, *LISTS), "warning", "numbers came as text"),
    Case("numbers_for_text", ("groups",), "warning", "where text is documented", free=("name",)),
    Case("booleans_as_numbers", (*LISTS, "nps_summary"), "warning", "for true and false"),
    Case("booleans_as_words", (*LISTS, "nps_summary"), "warning", "for true and false"),
    Case(
        "archived_is_a_time",
        ("users",),
        "warning",
        "read as true",
        free=("archived",),
        more={"users": {"archived": "2020-01-01T00:00:00Z"}},
    ),
    Case("offset_of_a_clock", ("users",), "warning", "read as hours"),
    Case("times_of_ruby", LISTS, "rows"),
    Case("times_as_numbers", LISTS, "warning", "seconds or milliseconds since 1970"),
    Case("times_without_a_zone", LISTS, "warning", "utc_times", way=ZONED, free=("last_sign_in_at", "created_at")),
    Case("dates_for_times", ("forms",), "warning", "dates came", free=("created_at",), more={"forms": {}}),
    Case(
        "never",
        ("users", "forms"),
        "warning",
        "not a time with an offset",
        free=("last_sign_in_at", "created_at"),
        more={"users": {"last_sign_in_at": "never"}},
    ),
    Case(
        "no_number",
        ("summary", "nps_summary"),
        "warning",
        "is not a number",
        free=(*AVERAGES, "nps_score"),
        more={"nps_summary": {"nps_score": "N/A"}},
    ),
    Case("groups_as_objects", ("users",), "warning", "their ids are read"),
    Case("groups_as_text", ("users", "forms"), "warning", "lists came as text"),
    Case("states_on_the_screen", ("classifications", "user_volume"), "warning", "states came in other words"),
    Case("states_as_list", ("user_volume",), "warning", "read as objects"),
    Case("row_of_nobody", (*AGENTS, *CLASSES), "warning", "belong to nobody", keeps=has_id),
    Case(
        "row_without_id",
        (*AGENTS, *CLASSES),
        "refused",
        "came. If such rows belong to nobody",
        way={"accept": {key: ["unassigned"] for key in (*AGENTS, *CLASSES)}},
        keeps=has_id,
    ),
    Case("row_of_totals", AGENTS, "warning", "the total of the others", keeps=has_id),
    Case("rows_twice", (*LISTS, *AGENTS, *CLASSES), "warning", "came twice, and is kept once"),
    Case(
        "rows_that_differ",
        ("users", *CLASSES),
        "refused",
        "two rows for",
        way={"accept": {key: ["merge_doubles"] for key in ("users", *CLASSES)}},
    ),
    Case("nps_is_a_type", ("forms", "nps_summary"), "warning", "another field calls these NPS forms", free=("nps",)),
    Case(
        "nps_unsaid", ("nps_summary",), "refused", "no form says whether it is an NPS form", way={"form_ids": [55, 56]}
    ),
    Case("forms_refused", ("nps_summary",), "warning", "form_ids is used unchecked", config={"form_ids": [55, 56]}),
    Case(
        "form_refused",
        ("nps_summary",),
        "refused",
        "form 56: 403",
        why="ask Lexer for access; the other forms are read",
    ),
    Case(
        "form_ignored",
        ("nps_summary",),
        "warning",
        "every form has the same numbers in every window",
        why="the numbers may be those of the whole account: set `report_parameters`, or deselect the stream",
        free=NPS,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_difference_is_dealt_with_as_the_table_says(
    case: Case, tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    check(case, tap, new_sandbox)


def test_times_without_a_zone_are_read_if_a_setting_says_that_they_are_in_utc(
    tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    said = "without a zone, and are read as UTC"
    check(Case("times_without_a_zone", LISTS, "warning", said, config=ZONED), tap, new_sandbox)


def test_a_lexer_that_differs_in_many_ways_at_once_loses_no_row(tap: Tap, new_sandbox: Callable[..., Sandbox]) -> None:
    names = [name for name, difference in DIFFERENCES.items() if difference.is_contrary]
    runs = []
    for differences in ([], names):
        sandbox = new_sandbox(differences=differences)
        runs.append(tap.run(sandbox.config(start_date="2026-04-24"), catalog=select(*REPORTS, *LISTS)))
    truth, run = runs
    assert run.code == 0, run.log
    for stream, rows in truth.records.items():
        found = [row for row in run.records[stream] if has_id(stream, row)]
        assert [row | {"additional_columns": None} for row in found] == rows, stream


@pytest.mark.thorough
def test_discovery_makes_columns_of_what_a_short_read_shows(tap: Tap, new_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = new_sandbox(differences=["new_metric", "fields_of_the_tap"], export_seconds=0)
    config = sandbox.config(start_date="2026-04-29", discover_columns=True)
    catalog = json.loads(tap.run(config, "--discover").out)
    found = {entry["stream"]: entry["schema"]["properties"] for entry in catalog["streams"]}
    assert [stream for stream, columns in found.items() if "csat" in columns] == [
        entry["stream"] for entry in catalog["streams"] if entry["stream"] in {*REPORTS, *LISTS}
    ]
    assert found["users"]["csat"]["type"] == ["null", "number"]
    assert found["summary"]["interval"]["type"] == "string"

    for run in (tap.run(config, catalog=catalog), tap.run(config)):
        assert run.code == 0, run.log
        assert {form["csat"] for form in run.records["forms"]} == {4.5}
        assert {form["additional_columns"] for form in run.records["forms"]} == {None}
        ours = {"date_from": "today", "interval": 1, "additional_columns": ["more"]}
        for row in run.records["user_summary"]:
            assert row["csat"] == 4.5
            assert row["additional_columns"] == ours

    plan = tap.run(config, "--plan").out
    assert re.search(r"^\(columns\) .* discover_columns", plan, re.MULTILINE)
    asked = len(sandbox.requests)
    tap.run({**config, "discover_columns": False}, "--discover")
    assert len(sandbox.requests) == asked


def test_columns_that_discovery_finds_are_of_the_type_of_all_their_values() -> None:
    sent: list[Row] = [
        {
            "a": 1,
            "b": True,
            "c": "2019-06-15T10:22:00Z",
            "d": "x",
            "e": [1],
            "f": None,
            "g h": 1,
            "Known": 1,
            "h": 1,
            "i": 1,
        },
        {
            "a": Decimal("1.5"),
            "b": False,
            "c": "2019-06-16 10:22:00 UTC",
            "d": "2019-06-15T10:22:00Z",
            "h": "1",
            "i": True,
        },
    ]
    found = with_found({"known": {}}, [{"additional_columns": row} for row in sent] + [{}])
    types = {name: (kind["type"][1], kind.get("format")) for name, kind in found.items() if kind}
    assert types == {"a": ("number", None), "b": ("boolean", None), "c": ("string", "date-time"), "d": ("string", None)}
