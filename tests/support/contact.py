"""Differences of a Lexer from its documents, and what the tap makes of each: the cells of docs/first-contact.md, and their test.

A test module lists its cases and hands each to `check`. The rows have to be those of a sandbox without the difference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from conftest import Warehouse, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conftest import Run, Tap

    from tap_lexer_activity.sandbox import Sandbox
    from tap_lexer_activity.sandbox.differences import Difference

Row = dict[str, Any]
Key = tuple[Any, ...]
CONFIG = {"start_date": "2026-04-24", "lookback_days": 0}


@dataclass(frozen=True)
class Case:
    """One difference.

    Attributes:
        difference: Its name in the sandbox.
        streams: The streams that are read.
        outcome: All rows come without a word; all come with a warning; or the stream is refused with an error.
        says: What the log says.
        way: Settings that make all rows come, where they are refused without; None if there are none.
        why: Why there is no setting, where there is none.
        config: Settings of all runs, and of the run that says what is right.
        sandbox: Options of both sandboxes.
        more: What `additional_columns` of each row has to have, by stream.
        free: Columns that are not compared.
        keeps: Whether a row is compared, by stream, row; for rows that only the other Lexer has.
    """

    difference: str
    streams: tuple[str, ...]
    outcome: Literal["rows", "warning", "refused"]
    says: str = ""
    way: Mapping[str, Any] | None = None
    why: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    keeps: Callable[[str, Row], bool] = lambda *_: True

    def __str__(self) -> str:
        return self.difference


def check(case: Case, tap: Tap, new_sandbox: Callable[..., Sandbox]) -> Run:
    """Run the tap against a Lexer with the difference, and see that it makes of it what the case says.

    Returns:
        The run, for what else a test has to say of it.
    """
    options = {"export_seconds": 0, **case.sandbox}
    catalog = select(*case.streams)
    truth = tap.run(new_sandbox(**options).config(**{**CONFIG, **case.config}), catalog=catalog)
    assert truth.code == 0, truth.log
    other = new_sandbox(**options, differences=[case.difference])
    run = tap.run(other.config(**{**CONFIG, **case.config}), catalog=catalog)
    assert "Traceback" not in run.log
    assert case.says in run.log, run.log
    if case.outcome == "refused":
        assert run.code == 1, run.log
        if case.way is None:
            assert case.why
            return run
        assert all(name in run.log for name in case.way), run.log
        other = new_sandbox(**options, differences=[case.difference])
        run = tap.run(other.config(**{**CONFIG, **case.config, **case.way}), catalog=catalog)
    assert run.code == 0, run.log
    warned = [line for line in run.log.splitlines() if "| WARNING " in line]
    assert bool(warned) == (case.outcome != "rows") or case.outcome == "refused", run.log
    assert _rows(run, case) == _rows(truth, case)
    for stream, values in case.more.items():
        rows = [row for row in run.records[stream] if case.keeps(stream, row)]
        assert rows
        assert all((row["additional_columns"] or {}).items() >= values.items() for row in rows)
    return run


def _rows(run: Run, case: Case) -> dict[str, dict[Key, Row]]:
    """The tables, without what the case leaves free. `additional_columns` is compared by `more` alone."""
    free = {*case.free, "additional_columns"}
    tables = {
        stream: {
            key: {name: value for name, value in row.items() if name not in free}
            for key, row in rows.items()
            if case.keeps(stream, row)
        }
        for stream, rows in Warehouse().load(run).tables.items()
    }
    return {stream: rows for stream, rows in tables.items() if rows}


OUTCOMES: Final = {"rows": "all rows", "warning": "all rows, and a warning", "refused": "an error"}


def table_of(parts: Mapping[str, Sequence[Case]], differences: Mapping[str, Difference]) -> str:
    """The cases of all parts as one table of Markdown.

    Args:
        parts: Cases by the title of their part.
        differences: What each does, by its name.
    """
    lines = ["| what Lexer does | streams | result | what to set, or why nothing helps |", "|---|---|---|---|"]
    for title, cases in parts.items():
        lines.append(f"| **{title}** | | | |")
        for case in cases:
            streams = ", ".join(f"`{stream}`" for stream in case.streams)
            way = case.why or ", ".join(
                f"`{json.dumps({name: value})[1:-1]}`" for name, value in (case.way or {}).items()
            )
            says = differences[case.difference].says
            lines.append(f"| {says} (`{case.difference}`) | {streams} | {OUTCOMES[case.outcome]} | {way} |")
    return "\n".join(lines) + "\n"
