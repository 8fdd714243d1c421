"""docs/first-contact.md: its table is that of the cases which the four modules of first contact test."""

from __future__ import annotations

import os
from pathlib import Path

from support.contact import Case, table_of
from test_contact_answers import CASES as ANSWERS
from test_contact_exports import CASES as EXPORTS
from test_contact_series import CASES as SERIES
from test_contact_values import CASES as VALUES

from tap_lexer_activity.sandbox.differences import DIFFERENCES

PAGE = Path(__file__).parents[1] / "docs" / "first-contact.md"
PARTS = {"Answers": ANSWERS, "Values and keys": VALUES, "Series": SERIES, "Exports": EXPORTS}
BEGIN, END = "<!-- table: differences -->\n", "<!-- end -->"


def test_the_page_has_every_difference_and_what_becomes_of_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = before + BEGIN + table_of(PARTS, DIFFERENCES) + END + after
    if os.environ.get("WRITE_SNAPSHOTS"):
        PAGE.write_text(new, encoding="utf-8")
    assert page == new, "WRITE_SNAPSHOTS=1 pytest tests/test_contact_table.py writes it"


def test_every_difference_of_the_sandbox_is_tested() -> None:
    assert {case.difference for cases in PARTS.values() for case in cases} == set(DIFFERENCES)


def test_no_refusal_is_without_a_way_round_or_a_reason() -> None:
    refused: list[Case] = [case for cases in PARTS.values() for case in cases if case.outcome == "refused"]
    assert all((case.way is None) == bool(case.why) for case in refused)
