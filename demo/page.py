# /// script
# requires-python = ">=3.11"
# dependencies = ["duckdb>=1.4"]
# ///
"""Writes a page of charts from the models in a DuckDB file: HTML and SVG alone, without scripts, for any browser, online or not.

Run it as `uv run demo/page.py warehouse.duckdb report.html`, after `dbt build`.

Places across are in percent and the rest in pixels, so a chart fits any width and its text keeps its size.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

SCHEMA = os.environ.get("LEXER_MODELS_SCHEMA", "lexer_models")
GROUPS = ("closed", "set aside", "responded", "open", "other")
"""The groups of states, from the bottom of a column to its top."""

HEIGHT = 220
ROW = 40
"""Height of an agent's bar and the name over it."""
BAR = 14
POINT = 2.5
TICKS = 5
LABELS = 10
"""Most dates under a chart; a narrow screen shows every second of them."""
LINES = 4
"""Lines that can be told apart: the styles of further ones begin again."""

Value = float | int | None


@dataclass(frozen=True)
class Series:
    """Values of one colour, one per place of the chart.

    Attributes:
        name: What the key and the table call it.
        values: None where there is nothing to show.
        style: The class of its colour.
    """

    name: str
    values: Sequence[Value]
    style: str


@dataclass(frozen=True)
class Figure:
    """A chart with all that explains it.

    Attributes:
        name: Its id.
        title: What it shows.
        note: How to read it.
        unit: What the numbers count.
        places: What the first column of the table is called.
        rows: The names of the places.
        series: The columns of the table.
        drawing: The chart itself.
        drawn: How many of the series it shows.
        wide: Whether it takes the whole width.
        dashes: Whether lines differ by their dashes as well.
    """

    name: str
    title: str
    note: str
    unit: str
    places: str
    rows: Sequence[str]
    series: Sequence[Series]
    drawing: str
    drawn: int
    wide: bool = False
    dashes: bool = False

    def __str__(self) -> str:
        kind = ' class="wide"' if self.wide else ""
        key = "".join(
            f'<li><svg class="swatch" aria-hidden="true"><{self._swatch(each.style)}</svg>{escape(each.name)}</li>'
            for each in self.series[: self.drawn]
        )
        content = self.drawing if self.rows else '<p class="nothing">Nothing was loaded.</p>'
        return f"""
<figure id="{self.name}"{kind}>
<figcaption><h2 id="{self.name}-title">{escape(self.title)}</h2><p>{escape(self.note)}</p></figcaption>
{f'<ul class="key">{key}</ul>' if self.drawn > 1 else ""}
<p class="axis">{escape(self.unit)}</p>
{content}
{f'<p class="axis below">{escape(self.places)}</p>' if "plot" in content else ""}
<details><summary>The numbers</summary><div class="scroll" tabindex="0">{self._table()}</div></details>
</figure>"""

    def _swatch(self, style: str) -> str:
        if self.dashes:
            return f'line class="line {style}" x1="0" x2="100%" y1="7" y2="7" />'
        return f'rect class="{style}" width="100%" height="14" />'

    def _table(self) -> str:
        head = "".join(f'<th scope="col">{escape(each.name)}</th>' for each in self.series)
        body = "".join(
            f'<tr><th scope="row">{escape(row)}</th>'
            + "".join(f"<td>{number(each.values[place])}</td>" for each in self.series)
            + "</tr>"
            for place, row in enumerate(self.rows)
        )
        return f'<table><thead><tr><th scope="col">{escape(self.places)}</th>{head}</tr></thead><tbody>{body}</tbody></table>'


def number(value: Value) -> str:
    """A number as people read it; a dash for none."""
    if value is None:
        return "–"  # noqa: RUF001 (a dash, and not a minus)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def day_name(day: date, *, year: bool = False) -> str:
    """A date as people read it."""
    return f"{day.day} {day:%b %Y}" if year else f"{day.day} {day:%b}"


class Scale:
    """The vertical axis: from values to pixels from the top."""

    def __init__(self, values: Iterable[Value]) -> None:
        known = [value for value in values if value is not None]
        low, high = min([0, *known]), max([0, *known])
        rough = (high - low) / TICKS or 1
        power = 10 ** math.floor(math.log10(rough))
        self.step: float = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        self.low: float = math.floor(low / self.step) * self.step
        self.high: float = max(math.ceil(high / self.step), 1) * self.step

    def __call__(self, value: float) -> float:
        """Pixels from the top of the chart."""
        return round((self.high - value) / (self.high - self.low) * HEIGHT, 2)

    def grid(self) -> str:
        """Lines across, with their values at the left."""
        lines = []
        for count in range(round((self.high - self.low) / self.step) + 1):
            value = self.low + count * self.step
            at, kind = self(value), "zero" if math.isclose(value, 0, abs_tol=1e-9) else "grid"
            lines.append(
                f'<line class="{kind}" x1="0" x2="100%" y1="{at}" y2="{at}" />'
                f'<text x="-8" y="{at + 4}" text-anchor="end">{value:,.10g}</text>'
            )
        return "".join(lines)


def plot(name: str, scale: Scale, marks: str, dates: Sequence[date]) -> str:
    """A chart over dates."""
    step = math.ceil(len(dates) / LABELS)
    shown = [place for place, day in enumerate(dates) if not day.weekday()]  # Mondays, of days and of weeks
    step = math.ceil(len(shown) / LABELS) or 1
    labels = "".join(
        f'<text{" class=second" if count % 2 else ""} x="{middle(place, len(dates))}%" y="{HEIGHT + 20}"'
        f' text-anchor="middle">{day_name(dates[place])}</text>'
        for count, place in enumerate(shown[::step])
    )
    return (
        f'<svg class="plot" role="img" aria-labelledby="{name}-title" height="{HEIGHT + 26}">'
        f"{scale.grid()}{marks}{labels}</svg>"
    )


def middle(place: int, places: int) -> float:
    """The middle of a place, in percent of the width."""
    return round((place + 0.5) / places * 100, 3)


def mark(kind: str, series: Series, place: int, label: str, **where: float | str) -> str:
    """A mark that says what it stands for, to the mouse and to tests."""
    attributes = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in where.items())
    value = series.values[place]
    return (
        f'<{kind} class="{series.style}" data-series="{escape(series.name)}" data-place="{place}" {attributes}>'
        f"<title>{escape(label)}, {escape(series.name)}: {number(value)}</title></{kind}>"
    )


def columns(name: str, dates: Sequence[date], series: Sequence[Series]) -> str:
    """Columns, one series upon the other."""
    tops = [sum(each.values[place] or 0 for each in series) for place in range(len(dates))]
    scale = Scale(tops)
    marks = []
    width = 100 / max(len(dates), 1)
    for place, day in enumerate(dates):
        base: float = 0
        for each in series:
            if value := each.values[place]:
                top = scale(base + value)
                box = {"x": f"{round((place + 0.1) * width, 3)}%", "width": f"{round(width * 0.8, 3)}%"}
                marks.append(mark("rect", each, place, day_name(day), y=top, height=round(scale(base) - top, 2), **box))
                base += value
    return plot(name, scale, "".join(marks), dates)


def lines(name: str, dates: Sequence[date], series: Sequence[Series]) -> str:
    """A line per series, interrupted where a value is missing."""
    scale = Scale(value for each in series for value in each.values)
    marks = []
    for each in series:
        points = [
            None if value is None else (f"{middle(place, len(dates))}%", scale(value))
            for place, value in enumerate(each.values)
        ]
        marks += [
            f'<line class="line {each.style}" x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" />'
            for a, b in pairwise(points)
            if a and b
        ]
        marks += [
            mark("circle", each, place, day_name(dates[place]), cx=point[0], cy=point[1], r=POINT)
            for place, point in enumerate(points)
            if point
        ]
    return plot(name, scale, "".join(marks), dates)


def bars(name: str, names: Sequence[str], series: Series, remarks: Sequence[str]) -> str:
    """A bar from the left for each name, the name and a remark over it."""
    most = max([value for value in series.values if value], default=1)
    rows = []
    for place, (label, remark) in enumerate(zip(names, remarks, strict=True)):
        top = place * ROW
        width = f"{round((series.values[place] or 0) / most * 100, 3)}%"
        rows.append(
            f'<svg class="clip" y="{top}" width="56%" height="{ROW}"><text class="strong" y="14">{escape(label)}</text></svg>'
            f'<text x="100%" y="{top + 14}" text-anchor="end">{escape(remark)}</text>'
            f'<rect class="track" x="0" y="{top + 20}" width="100%" height="{BAR}" />'
            + mark("rect", series, place, label, x=0, y=top + 20, width=width, height=BAR)
        )
    height = len(names) * ROW
    return f'<svg class="bars" role="img" aria-labelledby="{name}-title" height="{height}">{"".join(rows)}</svg>'


class Page:
    """The page, from a connection to the DuckDB file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._connection.execute(f"use {SCHEMA}")

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query; none if its model was left out."""
        try:
            return self._connection.execute(query).fetchall()
        except duckdb.CatalogException:
            return []

    def __str__(self) -> str:
        found = self._rows("select min(local_date), max(local_date), count(*) from days")
        first, last, days = found[0] if found else (None, None, 0)
        span = f"{days} days, {day_name(first, year=True)} to {day_name(last, year=True)}" if days else "No day yet"
        figures = (self._volume, self._waits, self._breaches, self._nps, self._open, self._closed)
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Customer service, {escape(span)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>Customer service</h1><p>{escape(span)}. Days are those of the account's calendar.</p></header>
{self._tiles()}
<main>{"".join(str(figure()) for figure in figures)}
</main>
<footer><p>Made from the models in the schema <code>{escape(SCHEMA)}</code>; <code>dbt/models/schema.yml</code> says what each number is.</p></footer>
</body>
</html>
"""

    def _tiles(self) -> str:
        """The newest whole week in four numbers, beside the week before it."""
        weeks = self._rows("""
            select
              week,
              count(record_id),
              percentile_cont(0.5) within group (order by wait_minutes) filter (where responded_at is not null) / 60,
              100.0 * count(*) filter (where responded_at is not null and within_customer_sla)
                / nullif(count(*) filter (where responded_at is not null and within_customer_sla is not null), 0),
              (select any_value(closed) from cases_by_week where cases_by_week.week = messages.week)
            from messages
            where week in (select week from days group by week having count(*) = 7)
            group by week order by week desc limit 2
            """)
        if not weeks:
            return ""
        (week, *values), before = weeks[0], weeks[1][1:] if len(weeks) > 1 else (None,) * 4
        names = ("messages", "hours, the median wait for a response", "% of responses within the SLA", "cases closed")
        tiles = "".join(
            f"<li><strong>{number(value)}</strong> {name}<small>{number(earlier)} the week before</small></li>"
            for name, value, earlier in zip(names, values, before, strict=True)
        )
        return f'<section id="week"><h2>The week from {day_name(week, year=True)}</h2><ul class="tiles">{tiles}</ul></section>'

    def _volume(self) -> Figure:
        counts = {
            (day, group): count
            for day, group, count in self._rows(
                "select local_date, state_group, cast(sum(messages) as bigint) from volume_by_day group by all"
            )
        }
        dates = sorted({day for day, _ in counts})
        known = [group for group in GROUPS if any(counts.get((day, group)) for day in dates)]
        series = [
            Series(group, [counts.get((day, group), 0) for day in dates], f"group{GROUPS.index(group)}")
            for group in known
        ]
        return Figure(
            name="volume",
            title="Messages a day, by state",
            note="In which state the messages of each day are now. Set aside: redirected, irrelevant, duplicate or no response required.",
            unit="messages",
            places="day",
            rows=[day_name(day, year=True) for day in dates],
            series=series,
            drawing=columns("volume", dates, series),
            drawn=len(series),
            wide=True,
        )

    def _waits(self) -> Figure:
        rows = self._rows("""
            select local_date, avg_wait_minutes / 60, median_wait_minutes / 60
            from response_time_by_day order by local_date""")
        dates, averages, medians = zip(*rows, strict=True) if rows else ((), (), ())
        series = [Series("average", averages, "line0"), Series("median", medians, "line1")]
        return Figure(
            name="waits",
            title="Wait for a response",
            note="Of the messages of each day that have a response. A few long waits lift the average far above the median.",
            unit="hours",
            places="day",
            rows=[day_name(day, year=True) for day in dates],
            series=series,
            drawing=lines("waits", dates, series),
            drawn=2,
            wide=True,
            dashes=True,
        )

    def _breaches(self) -> Figure:
        rows = self._rows("""
            select
              max(agent), cast(sum(broke_customer_sla) as bigint), cast(sum(broke_agent_sla) as bigint),
              cast(sum(responses) as bigint)
            from sla_by_agent_and_week group by user_id order by 2 desc, 1""")
        names, late, slow, responses = zip(*rows, strict=True) if rows else ((), (), (), ())
        series = Series("after the customer SLA", late, "line0")
        remarks = [
            f"{count} of {total}" + (f" ({100 * count / total:.0f} %)" if total else "")
            for count, total in zip(late, responses, strict=True)
        ]
        return Figure(
            name="breaches",
            title="SLA breaches by agent",
            note="Responses that came after the SLA for customers, of all that the agent gave, over all weeks loaded.",
            unit="responses",
            places="agent",
            rows=names,
            series=[series, Series("after the agent SLA", slow, "line1"), Series("responses", responses, "line2")],
            drawing=bars("breaches", names, series, remarks),
            drawn=1,
        )

    def _nps(self) -> Figure:
        scores = {
            (week, form): (name, score)
            for week, form, name, score in self._rows("select week, form_id, form, nps from nps_by_week")
        }
        dates = sorted({week for week, _ in scores})
        forms = sorted({(form, name) for (_, form), (name, _) in scores.items()})
        series = [
            Series(name, [scores.get((week, form), ("", None))[1] for week in dates], f"line{place % LINES}")
            for place, (form, name) in enumerate(forms)
        ]
        return Figure(
            name="nps",
            title="Net Promoter Score by form and week",
            note="Computed from the week's counts. A week without an answer has no score.",
            unit="score, from -100 to 100",
            places="week from",
            rows=[day_name(week, year=True) for week in dates],
            series=series,
            drawing=lines("nps", dates, series),
            drawn=len(series),
            dashes=True,
        )

    def _open(self) -> Figure:
        rows = self._rows("select local_date, open_cases from open_cases_by_day order by local_date")
        dates, values = zip(*rows, strict=True) if rows else ((), ())
        series = [Series("open cases", values, "line0")]
        return Figure(
            name="open",
            title="Cases open, by day",
            note="A case that stays open counts on each of its days.",
            unit="cases",
            places="day",
            rows=[day_name(day, year=True) for day in dates],
            series=series,
            drawing=lines("open", dates, series),
            drawn=1,
        )

    def _closed(self) -> Figure:
        rows = self._rows("select week, closed, avg_resolution_hours from cases_by_week where days = 7 order by week")
        dates, closed, hours = zip(*rows, strict=True) if rows else ((), (), ())
        series = [Series("cases closed", closed, "line0"), Series("average hours to close", hours, "line1")]
        return Figure(
            name="closed",
            title="Cases closed, by week",
            note="Whole weeks only.",
            unit="cases",
            places="week from",
            rows=[day_name(week, year=True) for week in dates],
            series=series,
            drawing=columns("closed", dates, series[:1]),
            drawn=1,
        )


STYLE = """
:root {
  --page: #f4f5f7; --card: #fff; --text: #1b1f24; --soft: #57606a; --grid: #e2e5e9; --zero: #8c959f;
  --a: #1f6feb; --b: #c2570c; --c: #0f7b6c; --d: #7a4fc0;
  --closed: #3a6ea5; --aside: #a9b4c0; --responded: #2a9d8f; --open: #e8833a; --other: #7a4fc0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1318; --card: #191f26; --text: #e8ebee; --soft: #a3adb8; --grid: #2c343d; --zero: #6b7682;
    --a: #6ea8ff; --b: #f0944d; --c: #4fc3b0; --d: #b79bf0;
    --closed: #5a93cf; --aside: #65717e; --responded: #3fb8a8; --open: #f0944d; --other: #b79bf0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem; max-width: 76rem; background: var(--page); color: var(--text);
  font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 0; font-size: 1.05rem; }
header p, figcaption p, .axis, footer, small, .nothing { color: var(--soft); }
header p { margin: .2rem 0 1.2rem; }
main { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; }
figure, section { margin: 0; padding: 1rem 1.1rem; background: var(--card); border-radius: .6rem; box-shadow: 0 1px 3px #0002; }
section { margin-bottom: 1rem; }
.wide { grid-column: 1 / -1; }
figcaption p { margin: .15rem 0 .5rem; font-size: .875rem; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1rem; margin: .6rem 0 0; padding: 0; list-style: none; }
.tiles strong { display: block; font-size: 1.7rem; line-height: 1.2; }
.tiles small { display: block; font-size: .8125rem; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 0 0 .4rem; padding: 0; list-style: none; font-size: .875rem; }
.swatch { width: 1.4rem; height: 14px; margin-right: .4rem; vertical-align: -2px; }
.axis { margin: 0 0 .6rem; font-size: .8125rem; }
.below { margin: .1rem 0 0; text-align: right; }
svg { display: block; overflow: visible; }
.key svg { display: inline-block; }
.plot { width: calc(100% - 2.6rem); margin-left: 2.6rem; }
.bars { width: 100%; }
.clip { overflow: hidden; }
text { fill: var(--soft); font-size: 12px; }
.strong { fill: var(--text); font-size: 13px; }
.grid { stroke: var(--grid); }
.zero { stroke: var(--zero); }
.track { fill: var(--grid); opacity: .5; }
.group0 { fill: var(--closed); } .group1 { fill: var(--aside); } .group2 { fill: var(--responded); }
.group3 { fill: var(--open); } .group4 { fill: var(--other); }
.line0 { fill: var(--a); stroke: var(--a); } .line1 { fill: var(--b); stroke: var(--b); }
.line2 { fill: var(--c); stroke: var(--c); } .line3 { fill: var(--d); stroke: var(--d); }
rect { stroke: none !important; }
.line { stroke-width: 2; stroke-linecap: round; }
.line.line1 { stroke-dasharray: 5 4; } .line.line2 { stroke-dasharray: 1 4; } .line.line3 { stroke-dasharray: 9 4; }
details { margin-top: .5rem; font-size: .875rem; }
summary { cursor: pointer; color: var(--soft); }
.scroll { max-height: 22rem; overflow: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--grid); text-align: right; }
th:last-child, td:last-child { padding-right: 0; }
th:first-child { text-align: left; font-weight: normal; white-space: nowrap; }
footer { margin-top: 1rem; font-size: .8125rem; }
@media (max-width: 700px) {
  main { grid-template-columns: minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .second { display: none; }
  circle { r: 1.5px; }
  table { font-size: .8125rem; }
  th, td { padding-right: .4rem; }
}
"""


def main(warehouse: str, page: str) -> None:
    """Write the page of the DuckDB file `warehouse` to the file `page`."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        Path(page).write_text(str(Page(connection)), encoding="utf-8")
    print(f"The charts are in {page}: open it in a browser.")


if __name__ == "__main__":
    main(*sys.argv[1:])
