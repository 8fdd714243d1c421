# /// script
# requires-python = ">=3.11"
# dependencies = ["duckdb>=2", "plotext>=6.1,<7", "rich>=14"]
# ///
"""Shows what a pipeline loaded into DuckDB: rows per table, messages a day, response times, NPS.

Run it as `uv run demo/show.py demo.duckdb`.
"""

from __future__ import annotations

import os
import sys
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from rich.console import Console
from rich.table import Table

# A log has no width to ask for, and a chart is cut at that of the terminal.
os.environ.setdefault("COLUMNS", "100")
import plotext

if TYPE_CHECKING:
    from datetime import date

SCHEMA = "lexer"
STATES = {
    "closed": ("closed",),
    "set aside": ("redirected", "irrelevant", "duplicate", "no_response_required"),
    "responded": ("responded",),
    "open": ("new", "assigned", "in_progress", "awaiting_approval"),
}
"""Lexer's ten workflow states in four groups, from the bottom of a bar to its top."""
SHADES = ("█", "▓", "▒", "░")
POINTS = ("●", "○", "◆", "◇")
WEEK = 7


def show(path: Path) -> None:
    """Print the tables and charts of the DuckDB file at `path`."""
    if not path.exists():
        sys.exit(f"{path} does not exist. Load it first: lexer-activity-sandbox run -- meltano run lexer-to-duckdb")
    with duckdb.connect() as connection:
        # Under a name of its own, or a file that is called like a schema would be taken for it.
        quoted = str(path).replace("'", "''")
        connection.execute(f"attach '{quoted}' as loaded")
        connection.execute(f"use loaded.{SCHEMA}")
        Console().print(_row_counts(connection))
        _messages_a_day(connection)
        _response_time(connection)
        _nps(connection)
    print(f"\nThe tables are in {path}, schema {SCHEMA}: open it with any DuckDB client.")
    print(
        "Run the same command again: it continues where this one ended, re-reads the last days and duplicates nothing."
    )


def _row_counts(connection: duckdb.DuckDBPyConnection) -> Table:
    """A table of the tables. Their sizes are kept in the schema `shown`, for the next time's comparison."""
    connection.execute("create schema if not exists loaded.shown")
    connection.execute("create table if not exists loaded.shown.sizes (name varchar primary key, row_count bigint)")
    before = dict(connection.execute("select name, row_count from loaded.shown.sizes").fetchall())
    names = connection.execute(
        """
        select table_name, bool_or(column_name = 'local_date') from information_schema.columns
        where table_schema = ? group by table_name order by table_name
        """,
        [SCHEMA],
    ).fetchall()
    table = Table("table", title=f"Schema {SCHEMA}", title_justify="left")
    for heading in ("rows", "new", "first day", "last day"):
        table.add_column(heading, justify="right")
    for name, has_days in names:
        days = "min(local_date), max(local_date)" if has_days else "'', ''"
        [(rows, first, last)] = connection.table(name).aggregate(f"count(*), {days}").fetchall()
        new = rows - before.get(name, 0)
        table.add_row(name, f"{rows:,}", f"+{new:,}" if new else "", str(first), str(last))
        connection.execute("insert or replace into loaded.shown.sizes values (?, ?)", [name, rows])
    return table


def _messages_a_day(connection: duckdb.DuckDBPyConnection) -> None:
    """Bars of `states_volume`: one per day, a shade per group of states."""
    counts: dict[date, dict[str, int]] = {}
    for day, state, value in connection.execute(
        "select local_date, state, sum(value) from states_volume where interval = 'day' group by all order by 1"
    ).fetchall():
        counts.setdefault(day, {})[state] = int(value or 0)
    # Each bar is the sum of the groups up to its own; the tallest is drawn first, so that the others cover it.
    tops = [
        list(accumulate(sum(states.get(name, 0) for name in group) for group in STATES.values()))
        for states in counts.values()
    ]
    key = "   ".join(f"{shade} {name}" for shade, name in zip(SHADES, STATES, strict=True))
    days = list(counts)
    chart = _chart(f"Messages a day:   {key}", days)
    for group, shade in reversed(list(enumerate(SHADES))):
        chart.draw(chart.bar(range(len(tops)), [top[group] for top in tops], marker=shade, width=1, lines=False))
    most = max((top[-1] for top in tops), default=0)
    chart.ruler("y").ticks(list(range(0, most + 1, max(5, most // 40 * 10))))
    _print(chart, days)


def _response_time(connection: duckdb.DuckDBPyConnection) -> None:
    """A line of `response_volume`, which is in seconds, in hours. A day without a response has no point."""
    rows = connection.execute(
        "select local_date, value / 3600 from response_volume where interval = 'day' order by 1"
    ).fetchall()
    days = [day for day, _ in rows]
    chart = _chart("Average response time of the messages of a day, in hours", days)
    _line(chart, [hours for _, hours in rows])
    _print(chart, days)


def _nps(connection: duckdb.DuckDBPyConnection) -> None:
    """A line per form of `nps_summary`."""
    scores: dict[tuple[int, str], dict[date, float]] = {}
    for form_id, form, day, score in connection.execute(
        """
        select form_id, coalesce(forms.name, ''), local_date, nps_score
        from nps_summary left join forms on forms.id = form_id
        where total_received > 0 order by form_id, local_date
        """
    ).fetchall():
        scores.setdefault((form_id, form), {})[day] = score
    days = sorted({day for form in scores.values() for day in form})
    points = dict(zip(scores, POINTS, strict=False))
    key = "   ".join(f"{point} {name or form_id}" for (form_id, name), point in points.items())
    chart = _chart(f"NPS by form:   {key}", days)
    for form, point in points.items():
        _line(chart, [scores[form].get(day) for day in days], point)
    _print(chart, days)


def _chart(title: str, days: list[date]) -> plotext.figure:
    """An empty chart with one place per day."""
    chart = plotext.figure
    chart.clear()
    chart.canvas("default")
    chart.plot_size(min(len(days) + 4, 100) if len(days) > 4 * WEEK else 70, 16)
    chart.title(title)
    return chart


def _line(chart: plotext.figure, values: list[float | None], marker: str = "hd") -> None:
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    line = chart.signal([place for place, _ in known], [value for _, value in known], marker=marker)
    line.lines()
    chart.draw(line)


def _print(chart: plotext.figure, days: list[date]) -> None:
    """Print a chart, with a date under each week (or under each place, where there are few)."""
    places = range(0, len(days), WEEK if len(days) > 4 * WEEK else 1)
    chart.ruler("x").ticks(list(places), [f"{days[place]:%d %b}" for place in places])
    print()
    chart.show(colorless=not sys.stdout.isatty())


if __name__ == "__main__":
    show(Path(sys.argv[1]))
