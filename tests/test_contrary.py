"""A Lexer that differs from its documents in as many ways at once as can be: a first load of it brings every row of one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conftest import Warehouse

from tap_lexer_activity.sandbox.differences import CONTRARY

if TYPE_CHECKING:
    from conftest import Tap
    from support.types import NewSandbox

FREE = {"additional_columns", "date_label"}
"""Columns that are Lexer's own text, or keep it."""
IDS = ("user_id", "classification_id")
WITH_NOBODY = {"classifications", "case_classifications", "user_summary", "user_volume"}
"""Reports that have a row of nobody more, whose id is 0."""


def loaded(tap: Tap, new_sandbox: NewSandbox, **options: Any) -> dict[str, dict[Any, dict[str, Any]]]:
    """The tables of a first load."""
    sandbox = new_sandbox(export_seconds=0, **options)
    run = tap.run(sandbox.config(start_date="2026-04-20"))
    assert run.code == 0, run.log
    return {
        stream: {key: {name: row[name] for name in row.keys() - FREE} for key, row in rows.items()}
        for stream, rows in Warehouse().load(run).tables.items()
    }


def test_a_first_load_of_a_contrary_lexer_brings_every_row(tap: Tap, new_sandbox: NewSandbox) -> None:
    plain, contrary = loaded(tap, new_sandbox), loaded(tap, new_sandbox, differences=list(CONTRARY))
    assert contrary.keys() == plain.keys()
    assert len(plain) >= 17
    for stream, rows in plain.items():
        of_nobody = {key for key, row in contrary[stream].items() if any(row.get(name) in {0, "0"} for name in IDS)}
        assert {key: row for key, row in contrary[stream].items() if key not in of_nobody} == rows, stream
        assert bool(of_nobody) == (stream in WITH_NOBODY), stream
