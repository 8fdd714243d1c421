# /// script
# requires-python = ">=3.11"
# dependencies = ["duckdb>=2"]
# ///
"""Writes a page of charts from the models in a DuckDB file: HTML and SVG alone, without scripts, for any browser, online or not.

Run it as `uv run demo/page.py warehouse.duckdb report.html`, after `dbt build`; `--name` puts the account's name into its head, and
`--weeks` says how many of the newest weeks it shows.

Places across are in percent and the rest in pixels, so a chart fits any width and its text keeps its size. Over each chart lies a
group of radio buttons that can't be seen, one per place: so the keyboard's arrows go from day to day, and a browser needs no script
to show the values of the one that has the focus or the mouse.
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

SOURCES = os.environ.get("LEXER_SCHEMA", "lexer")
SCHEMA = os.environ.get("LEXER_MODELS_SCHEMA", "lexer_models")
GROUPS = ("closed", "set aside", "responded", "open", "other")
"""The groups of states, from the bottom of a column to its top."""

HEIGHT = 200
"""Height of a chart, and of one of several that belong together."""
SMALL = 140
HEAD = 18
"""Room over a chart for the value of its highest column."""
ROW = 44
"""Height of an agent's bar and the name over it."""
BAR = 14
TICKS = 5
SMALL_TICKS = 4
LABELS = 10
"""Most dates under a chart; a narrow screen shows every second of them."""
WEEKS = 13
"""Weeks on the page: the days of more can't be told apart on a narrow screen."""
FEW = 14
"""Most places that have room for a number each."""

Value = float | int | None


@dataclass(frozen=True)
class Series:
    """Values of one colour, one per place of the chart.

    Attributes:
        name: What the key and the table call it.
        values: None where there is nothing to show.
        style: The class of its colour.
        unit: What stands beside each number.
    """

    name: str
    values: Sequence[Value]
    style: str = ""
    unit: str = ""

    @property
    def heading(self) -> str:
        """Its name over a column of numbers."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def __getitem__(self, place: int) -> str:
        return number(self.values[place], self.unit)


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
        drawings: The chart itself, or several that have one scale.
        key: Colours and what they stand for: a name and a style.
        wide: Whether it takes the whole width.
    """

    name: str
    title: str
    note: str
    unit: str
    places: str
    rows: Sequence[str]
    series: Sequence[Series]
    drawings: Sequence[str]
    key: Sequence[tuple[str, str]] = ()
    wide: bool = False

    def __str__(self) -> str:
        kind = ' class="wide"' if self.wide else ""
        key = "".join(f'<li><span class="swatch {style}"></span>{escape(name)}</li>' for name, style in self.key)
        content = "".join(self.drawings) if self.rows else '<p class="nothing">Nothing was loaded.</p>'
        return f"""
<figure id="{self.name}"{kind}>
<figcaption><h2 id="{self.name}-title">{escape(self.title)}</h2><p>{escape(self.note)}</p></figcaption>
{f'<ul class="key">{key}</ul>' if key and self.rows else ""}
<p class="axis">{escape(self.unit)}</p>
<div class="panels">{content}</div>
<details><summary>The numbers</summary><div class="scroll" tabindex="0">{self._table()}</div></details>
</figure>"""

    def _table(self) -> str:
        head = "".join(f'<th scope="col">{escape(each.heading)}</th>' for each in self.series)
        body = "".join(
            f'<tr><th scope="row">{escape(row)}</th>'
            + "".join(f"<td>{number(each.values[place])}</td>" for each in self.series)
            + "</tr>"
            for place, row in enumerate(self.rows)
        )
        return f'<table><thead><tr><th scope="col">{escape(self.places)}</th>{head}</tr></thead><tbody>{body}</tbody></table>'


def number(value: Value, unit: str = "") -> str:
    """A number as people read it, with its unit; a dash for none."""
    if value is None:
        return "–"  # noqa: RUF001 (a dash, and not a minus)
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
    return f"{text} {unit}".rstrip()


def day_name(day: date, *, year: bool = False) -> str:
    """A date as people read it."""
    return f"{day.day} {day:%b %Y}" if year else f"{day.day} {day:%b}"


class Scale:
    """The vertical axis: from values to pixels from the top."""

    def __init__(self, values: Iterable[Value], height: int = HEIGHT, ticks: int = TICKS) -> None:
        known = [value for value in values if value is not None]
        low, high = min([0, *known]), max([0, *known])
        rough = (high - low) / ticks or 1
        power = 10 ** math.floor(math.log10(rough))
        self.step: float = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        self.low: float = math.floor(low / self.step) * self.step
        self.high: float = math.ceil(high / self.step) * self.step
        if self.low == self.high:
            self.high += self.step
        self.height = height

    def __call__(self, value: float) -> float:
        """Pixels from the top of the chart."""
        return round(HEAD + (self.high - value) / (self.high - self.low) * self.height, 2)

    @property
    def foot(self) -> int:
        """The first pixel under the chart. Where values are below zero, the lowest has room for its number."""
        return self.height + HEAD + (HEAD if self.low < 0 else 0)

    def grid(self, unit: str = "") -> str:
        """Lines across, with their values at the left."""
        lines = []
        for count in range(round((self.high - self.low) / self.step) + 1):
            value = self.low + count * self.step
            at, kind = self(value), "zero" if math.isclose(value, 0, abs_tol=1e-9) else "grid"
            lines.append(
                f'<line class="{kind}" x1="0" x2="100%" y1="{at}" y2="{at}" />'
                f'<text x="-8" y="{at + 4}" text-anchor="end">{f"{value:,.10g} {unit}".rstrip()}</text>'
            )
        return "".join(lines)


@dataclass(frozen=True)
class Panel:
    """A chart over dates.

    Attributes:
        name: Its id.
        label: What it is called for those who don't see it.
        dates: Its places.
        scale: Its vertical axis.
        heading: What stands over it, as HTML.
        weeks: Whether its places are weeks.
        unit: What stands beside the numbers of its axis.
    """

    name: str
    label: str
    dates: Sequence[date]
    scale: Scale
    heading: str = ""
    weeks: bool = False
    unit: str = ""

    def draw(self, marks: str, tips: Sequence[Sequence[str]], counts: Sequence[Value] = ()) -> str:
        """The whole of it.

        Args:
            marks: What is drawn.
            tips: What is said of each place.
            counts: Numbers under the dates.
        """
        shown = [place for place, day in enumerate(self.dates) if not day.weekday()]  # Mondays, of days and of weeks
        shown = shown[:: math.ceil(len(shown) / LABELS) or 1]
        foot = self.scale.foot
        texts = []
        for count, place in enumerate(shown):
            kind = " class=second" if count % 2 else ""
            texts.append(self._text(place, foot + 18, day_name(self.dates[place]), kind))
        if counts:
            texts.append(f'<text x="-8" y="{foot + 36}" text-anchor="end">from</text>')
            places = range(len(self.dates)) if len(self.dates) <= FEW else shown
            texts += [self._text(place, foot + 36, number(counts[place]), " class=count") for place in places]
        spots = "".join(self._spot(place, tip) for place, tip in enumerate(tips))
        return (
            f'<div class="panel">{self.heading}<div class="plot">'
            f'<svg role="img" aria-label="{escape(self.label)}" height="{foot + (42 if counts else 24)}">'
            f"{self.scale.grid(self.unit)}{marks}{''.join(texts)}</svg>"
            f'<div class="spots" role="radiogroup" aria-label="{escape(self.label)}" style="height:{foot}px">{spots}</div>'
            f"</div></div>"
        )

    def _text(self, place: int, height: float, text: str, kind: str = "") -> str:
        return f'<text{kind} x="{middle(place, len(self.dates))}%" y="{height}" text-anchor="middle">{text}</text>'

    def _spot(self, place: int, tip: Sequence[str]) -> str:
        day = self.dates[place]
        title = f"Week from {day_name(day, year=True)}" if self.weeks else f"{day:%a}, {day_name(day, year=True)}"
        width = 100 / len(self.dates)
        side = " late" if place >= len(self.dates) / 2 else ""
        return spot(self.name, f"column{side}", f"left:{round(place * width, 3)}%;width:{round(width, 3)}%", title, tip)

    def value(self, place: int, series: Series) -> str:
        """The number at the end of a column."""
        value = series.values[place]
        if value is None or len(self.dates) > FEW:
            return ""
        below = value < 0
        return self._text(place, self.scale(value) + (14 if below else -5), f"{value:,.0f}", " class=strong")


def spot(group: str, kind: str, where: str, title: str, tip: Sequence[str]) -> str:
    """A place that says its values to the mouse, to the keyboard and to a finger."""
    said = escape(f"{title}: {', '.join(tip)}")
    shown = "".join(f"<span>{escape(line)}</span>" for line in tip)
    return (
        f'<label class="spot {kind}" style="{where}"><input type="radio" name="{group}" aria-label="{said}">'
        f'<span class="tip" aria-hidden="true"><b>{escape(title)}</b>{shown}</span></label>'
    )


def middle(place: int, places: int) -> float:
    """The middle of a place, in percent of the width."""
    return round((place + 0.5) / places * 100, 3)


def mark(kind: str, series: Series, place: int, **where: float | str) -> str:
    """A mark that tests can find."""
    attributes = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in where.items())
    return f'<{kind} class="{series.style}" data-series="{escape(series.heading)}" data-place="{place}" {attributes} />'


def columns(panel: Panel, series: Sequence[Series]) -> str:
    """Columns, one series upon the other; those below zero hang from it."""
    marks = []
    width = 100 / max(len(panel.dates), 1)
    for place in range(len(panel.dates)):
        base: float = 0
        for each in series:
            if value := each.values[place]:
                top, bottom = sorted((panel.scale(base + value), panel.scale(base)))
                box = {"x": f"{round((place + 0.12) * width, 3)}%", "width": f"{round(width * 0.76, 3)}%"}
                marks.append(mark("rect", each, place, y=top, height=round(bottom - top, 2), **box))
                base += value
    return "".join(marks)


def line(panel: Panel, series: Series) -> str:
    """A line, interrupted where a value is missing."""
    points = [
        None if value is None else (f"{middle(place, len(panel.dates))}%", panel.scale(value))
        for place, value in enumerate(series.values)
    ]
    marks = [
        f'<line class="line {series.style}" x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" />'
        for a, b in pairwise(points)
        if a and b
    ]
    marks += [
        mark("circle", series, place, cx=point[0], cy=point[1], r=1 if len(points) > FEW else 2.5)
        for place, point in enumerate(points)
        if point
    ]
    return "".join(marks)


def bars(
    label: str,
    names: Sequence[str],
    series: Series,
    remarks: Sequence[tuple[str, Sequence[str]]],
    all_of_them: Value,
) -> str:
    """A bar from the left for each name, as long as its percentage of the width; the name and a remark over it."""
    rows = []
    spots = []
    for place, (name, (of, tip)) in enumerate(zip(names, remarks, strict=True)):
        top = place * ROW
        rows.append(
            f'<svg class="clip" y="{top}" width="70%" height="{ROW}"><text class="strong" y="14">{escape(name)}</text></svg>'
            f'<text class="strong" x="100%" y="{top + 14}" text-anchor="end">{series[place]} {of}</text>'
            f'<rect class="track" x="0" y="{top + 20}" width="100%" height="{BAR}" rx="3" />'
        )
        if value := series.values[place]:
            box: dict[str, float | str] = {"y": top + 20, "width": f"{round(value, 3)}%", "height": BAR}
            rows.append(mark("rect", series, place, x=0, rx=3, **box))
        where = f"top:{top}px;height:{ROW}px"
        spots.append(spot("breaches", "row", where, name, tip))
    height = len(names) * ROW
    if all_of_them is not None:
        at = round(all_of_them, 3)
        rows.append(f'<line class="all" x1="{at}%" x2="{at}%" y1="16" y2="{height - 6}" />')
    return (
        f'<div class="panel"><div class="bars"><svg role="img" aria-label="{escape(label)}" height="{height}">{"".join(rows)}</svg>'
        f'<div class="spots" role="radiogroup" aria-label="{escape(label)}" style="height:{height}px">{"".join(spots)}</div></div></div>'
    )


class Page:
    """The page, from a connection to the DuckDB file.

    Attributes:
        file: The file's name.
        name: Whose data it is; empty if nobody said.
        first: The Monday with which it begins.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, file: str, name: str, weeks: int) -> None:
        self.file = file
        self.name = name
        self.first = date.min
        self._connection = connection
        self._connection.execute(f"use loaded.{SCHEMA}")
        for (newest,) in self._rows("select max(week) from days"):
            if newest:
                self.first = newest - timedelta(weeks=weeks - 1)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query, in which `$first` is the first day to show; none if its table was left out."""
        parameters = {"first": self.first} if "$first" in query else {}
        try:
            return self._connection.execute(query, parameters).fetchall()
        except duckdb.CatalogException:
            return []

    def _columns(self, query: str, count: int) -> Sequence[tuple[Any, ...]]:
        """The columns of a query, so many."""
        rows = self._rows(query)
        return list(zip(*rows, strict=True)) if rows else [()] * count

    def __str__(self) -> str:
        found = self._rows("select min(local_date), max(local_date), count(*) from days where local_date >= $first")
        first, last, days = found[0] if found else (None, None, 0)
        span = f"{days} days, {day_name(first, year=True)} to {day_name(last, year=True)}" if days else "No day yet"
        more = self._rows("select count(*) from days where local_date < $first")
        rest = f" {number(more[0][0])} earlier days are loaded as well." if more and more[0][0] else ""
        title = f"Customer service: {self.name}" if self.name else "Customer service"
        figures = (self._volume, self._waits, self._breaches, self._nps, self._open, self._closed)
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}, {escape(span)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<div><h1>{escape(title)}</h1><p>{escape(span)}. Days are those of the account's calendar.{rest}</p></div>
<div class="source">{'<p class="sandbox">Sandbox: invented data</p>' if self._is_invented() else ""}<p>{escape(self._loaded())}</p></div>
</header>
{self._tiles()}
<main>{"".join(str(figure()) for figure in figures)}
</main>
<footer>
<p>Point at a chart for its values, or go there with the Tab key, and from place to place with the arrow keys.</p>
<p>Made from the models in the schema <code>{escape(SCHEMA)}</code>; <code>dbt/models/schema.yml</code> says what each number is.</p>
</footer>
</body>
</html>
"""

    def _is_invented(self) -> bool:
        """True if the data is the sandbox's: its users' addresses are of a domain that nobody can own."""
        query = f"select count(*) > 0 and bool_and(email like '%@example.com') from loaded.{SOURCES}.users"  # noqa: S608 (our own text)
        return any(invented for (invented,) in self._rows(query))

    def _loaded(self) -> str:
        """The time of the last load, if the loader wrote it down, and the file's name."""
        tables = self._connection.execute(
            "select table_name from information_schema.columns where table_schema = ? and column_name = '_sdc_batched_at'",
            [SOURCES],
        ).fetchall()
        newest = f"select max(_sdc_batched_at) from loaded.{SOURCES}."  # noqa: S608 (our own text)
        times = [self._rows(f'{newest}"{table}"')[0][0] for (table,) in tables]
        last: datetime | None = max((time for time in times if time), default=None)
        return f"Loaded {day_name(last, year=True)}, {last:%H:%M}, into {self.file}" if last else f"From {self.file}"

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
        names = (
            ("Messages", "", 0),
            ("Median wait for a response", "h", -1),
            ("Responses within the SLA", "%", 1),
            ("Cases closed", "", 0),
        )
        tiles = "".join(
            f"<li><span>{name}</span><strong>{number(value, unit)}</strong>{trend(value, earlier, unit, better)}</li>"
            for (name, unit, better), value, earlier in zip(names, values, before, strict=True)
        )
        return f'<section id="week"><h2>The week from {day_name(week, year=True)}</h2><ul class="tiles">{tiles}</ul></section>'

    def _volume(self) -> Figure:
        counts = {
            (day, group): count
            for day, group, count in self._rows(
                "select local_date, state_group, cast(sum(messages) as bigint) from volume_by_day where local_date >= $first group by all"
            )
        }
        dates = sorted({day for day, _ in counts})
        known = [group for group in GROUPS if any(counts.get((day, group)) for day in dates)]
        series = [
            Series(group, [counts.get((day, group), 0) for day in dates], f"group{GROUPS.index(group)}")
            for group in known
        ]
        totals = [sum(counts.get((day, group), 0) for group in known) for day in dates]
        title = "Messages a day, by state"
        panel = Panel("volume", title, dates, Scale(totals))
        tips = [
            [f"{number(total)} messages", *(f"{each[place]} {each.name}" for each in reversed(series))]
            for place, total in enumerate(totals)
        ]
        return Figure(
            name="volume",
            title=title,
            note="In which state the messages of each day are now. Set aside: redirected, irrelevant, duplicate or no response required.",
            unit="messages",
            places="day",
            rows=[day_name(day, year=True) for day in dates],
            series=series,
            drawings=[panel.draw(columns(panel, series), tips)],
            key=[(each.name, each.style) for each in series],
            wide=True,
        )

    def _waits(self) -> Figure:
        dates, averages, medians, responses = self._columns(
            """
            select local_date, avg_wait_minutes / 60, median_wait_minutes / 60, responses
            from response_time_by_day where local_date >= $first order by local_date""",
            4,
        )
        title = "Wait for a response"
        lines = [Series("median", medians, "line0", "h"), Series("average", averages, "line1", "h")]
        scale = Scale([*averages, *medians], SMALL, SMALL_TICKS)
        drawings = []
        for each in lines:
            label = f"{title}, {each.name}"
            panel = Panel(f"waits-{each.name}", label, dates, scale, f"<h3>{each.name.capitalize()}</h3>", unit="h")
            tips = [
                [f"{each.name} {each[place]}", f"of {number(count)} responses"] for place, count in enumerate(responses)
            ]
            drawings.append(panel.draw(line(panel, each), tips))
        return Figure(
            name="waits",
            title=title,
            note="Of the messages of each day that have a response. A few long waits lift the average far above the median.",
            unit="hours, by the day of the message",
            places="day",
            rows=[day_name(day, year=True) for day in dates],
            series=[*lines, Series("responses", responses)],
            drawings=drawings,
            wide=True,
        )

    def _breaches(self) -> Figure:
        names, late, slow, responses = self._columns(
            """
            select
              agent, cast(sum(broke_customer_sla) as bigint), cast(sum(broke_agent_sla) as bigint),
              cast(sum(responses) as bigint)
            from sla_by_agent_and_day where local_date >= $first group by agent
            order by sum(broke_customer_sla) / nullif(sum(responses), 0) desc nulls last, agent""",
            4,
        )
        late_rate, slow_rate = ([share(*pair) for pair in zip(found, responses, strict=True)] for found in (late, slow))
        series = Series("after the customer SLA", late_rate, "line0", "%")
        known = [(count, total) for count, total in zip(late, responses, strict=True) if count is not None]
        whole = share(sum(count for count, _ in known), sum(total for _, total in known))
        remarks = [
            (
                f"of {number(total)}",
                [
                    f"{number(late[place])} of {number(total)} responses after the customer SLA",
                    f"{number(slow[place])} after the agent SLA",
                ],
            )
            for place, total in enumerate(responses)
        ]
        title = "Responses after the SLA, by agent"
        return Figure(
            name="breaches",
            title=title,
            note="Of the responses that each agent gave to the messages of these days, the share that came after the SLA for customers.",
            unit="% of the agent's responses: the whole bar is 100 %",
            places="agent",
            rows=names,
            series=[
                series,
                Series("responses after it", late),
                Series("after the agent SLA", slow_rate, unit="%"),
                Series("responses", responses),
            ],
            drawings=[bars(title, names, series, remarks, whole)],
            key=[(f"all agents: {number(whole, '%')}", "all")] if whole is not None else [],
        )

    def _nps(self) -> Figure:
        found = self._rows(
            "select week, form_id, form, nps, received, sent, promoters - detractors from nps_by_week where week >= $first"
        )
        weeks = {(week, form): counts for week, form, _, *counts in found}
        dates = sorted({week for week, _ in weeks})
        title = "Net Promoter Score by form and week"
        scale = Scale([score for score, *_ in weeks.values()], SMALL, SMALL_TICKS)
        drawings, series = [], []
        for form, name in sorted({(form, name) for _, form, name, *_ in found}):
            nothing: tuple[None, int, int, int] = (None, 0, 0, 0)
            scores, answers, sent, surplus = zip(*(weeks.get((week, form), nothing) for week in dates), strict=True)
            whole = share(sum(filter(None, surplus)), sum(filter(None, answers)))
            heading = f"<h3>{escape(name)} <small>{number(whole)} from {number(sum(filter(None, answers)))} answers</small></h3>"
            score = Series(name, scores, "score")
            panel = Panel(f"nps-{form}", f"{title}: {name}", dates, scale, heading, weeks=True)
            tips = [
                [
                    f"score {score[place]}",
                    f"from {number(count)} answer{'' if count == 1 else 's'}",
                    f"to {number(sent[place])} survey{'' if sent[place] == 1 else 's'}",
                ]
                for place, count in enumerate(answers)
            ]
            marks = columns(panel, [score]) + "".join(panel.value(place, score) for place in range(len(dates)))
            drawings.append(panel.draw(marks, tips, answers))
            series += [score, Series(f"{name}: answers", answers)]
        return Figure(
            name="nps",
            title=title,
            note="Promoters less detractors, in percent of the answers. Under each week: from how many answers. The fewer, the more it is chance.",
            unit="score, from -100 to 100",
            places="week from",
            rows=[day_name(week, year=True) for week in dates],
            series=series,
            drawings=drawings,
        )

    def _open(self) -> Figure:
        dates, values = self._columns(
            "select local_date, open_cases from open_cases_by_day where local_date >= $first order by local_date", 2
        )
        title = "Cases open, by day"
        series = Series("open cases", values, "line0")
        panel = Panel("open", title, dates, Scale(values))
        return Figure(
            name="open",
            title=title,
            note="A case that stays open counts on each of its days.",
            unit="cases",
            places="day",
            rows=[day_name(day, year=True) for day in dates],
            series=[series],
            drawings=[panel.draw(line(panel, series), [[f"{text} open cases"] for text in map(number, values)])],
        )

    def _closed(self) -> Figure:
        dates, closed, hours = self._columns(
            "select week, closed, avg_resolution_hours from cases_by_week where days = 7 and week >= $first order by week",
            3,
        )
        title = "Cases closed, by week"
        series = [Series("cases closed", closed, "line0"), Series("average time to close", hours, unit="h")]
        panel = Panel("closed", title, dates, Scale(closed), weeks=True)
        tips = [
            [f"{number(count)} cases closed", f"{series[1][place]} on average to close"]
            for place, count in enumerate(closed)
        ]
        marks = columns(panel, series[:1]) + "".join(panel.value(place, series[0]) for place in range(len(dates)))
        return Figure(
            name="closed",
            title=title,
            note="Whole weeks only.",
            unit="cases",
            places="week from",
            rows=[day_name(week, year=True) for week in dates],
            series=series,
            drawings=[panel.draw(marks, tips)],
        )


def share(part: float | None, whole: float | None) -> float | None:
    """A part in percent of the whole."""
    return None if part is None or not whole else 100 * part / whole


def trend(value: Value, earlier: Value, unit: str, better: int) -> str:
    """An arrow, by how much a number changed within a week, and whether that is good.

    Args:
        value: The number.
        earlier: What it was the week before.
        unit: What stands beside it.
        better: 1 if more is better, -1 if less is, 0 if neither is.
    """
    if value is None or earlier is None:
        return f"<small>{number(earlier, unit)} the week before</small>"
    change = round(round(value, 1) - round(earlier, 1), 1)  # of the numbers that are shown
    arrow, direction = ("▲", "up") if change > 0 else ("▼", "down") if change < 0 else ("▶", "unchanged")
    verdict = {1: "better", -1: "worse"}.get(better * ((change > 0) - (change < 0)), "")
    points = "points" if unit == "%" else unit
    text = (
        f'<span aria-hidden="true">{arrow}</span> <span class="unseen">{direction}</span> '
        f"{number(abs(change), points) if change else 'unchanged'}{f', {verdict}' if verdict else ''}"
    )
    return f'<span class="trend {verdict}">{text}</span><small>{number(earlier, unit)} the week before</small>'


STYLE = """
:root {
  --page: #f3f5f8; --card: #fff; --text: #17202b; --soft: #566070; --grid: #e3e7ec; --zero: #8a95a3; --edge: #dde2e8;
  --a: #1f5fbf; --b: #b8500a; --good: #14713d; --bad: #b3261e; --below: #b8500a;
  --closed: #2f66a8; --aside: #aab6c4; --responded: #2a9d8f; --open: #e8833a; --other: #7a4fc0;
  --mark: #fff3cf; --mark-text: #6b4a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --card: #171d25; --text: #e9edf1; --soft: #a5b0bc; --grid: #29323c; --zero: #738090; --edge: #28313b;
    --a: #6ea8ff; --b: #f0944d; --good: #62cf8e; --bad: #ff8b81; --below: #f0944d;
    --closed: #5a93cf; --aside: #65717e; --responded: #3fb8a8; --open: #f0944d; --other: #b79bf0;
    --mark: #3a2f12; --mark-text: #ffd98a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.8rem 1.2rem; max-width: 78rem; background: var(--page); color: var(--text);
  font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 0; font-size: 1.05rem; }
h3 { margin: 0 0 .2rem; font-size: .875rem; }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .4rem 2rem; margin-bottom: 1.2rem; }
header p, figcaption p, .axis, footer, small, .nothing, .tiles li > span:first-child { color: var(--soft); }
header p { margin: .25rem 0 0; font-size: .9375rem; }
.source { text-align: right; }
.source .sandbox {
  display: inline-block; margin: 0; padding: .15rem .7rem; border-radius: 1rem; background: var(--mark); color: var(--mark-text);
  font-size: .875rem; font-weight: 600;
}
main { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; }
figure, section {
  margin: 0; padding: 1.1rem 1.2rem; background: var(--card); border: 1px solid var(--edge); border-radius: .7rem;
}
section { margin-bottom: 1rem; }
.wide { grid-column: 1 / -1; }
figcaption p { margin: .15rem 0 .5rem; font-size: .875rem; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1rem; margin: .7rem 0 0; padding: 0; list-style: none; }
.tiles li { padding-left: .9rem; border-left: 3px solid var(--edge); }
.tiles span, .tiles small { display: block; font-size: .875rem; }
.tiles .trend span { display: inline; }
.tiles strong { display: block; font-size: 1.9rem; line-height: 1.25; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.trend { font-weight: 600; }
.better { color: var(--good); }
.worse { color: var(--bad); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 0 0 .4rem; padding: 0; list-style: none; font-size: .875rem; }
.swatch { display: inline-block; width: .9rem; height: .9rem; margin-right: .4rem; border-radius: 3px; vertical-align: -2px; }
.swatch.all { width: 0; height: 1.1rem; border-left: 2px dashed var(--text); border-radius: 0; vertical-align: -4px; }
.axis { margin: 0 0 .4rem; font-size: .8125rem; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: .8rem 1.6rem; }
.plot, .bars { position: relative; }
.plot { margin-left: 3rem; }
svg { display: block; width: 100%; overflow: visible; }
.clip { overflow: hidden; }
text { fill: var(--soft); font-size: 12px; }
.strong { fill: var(--text); font-size: 13px; }
.plot .strong { font-size: 12px; }
.grid { stroke: var(--grid); }
.zero { stroke: var(--zero); }
.track { fill: var(--grid); }
.all { stroke: var(--text); stroke-width: 2; stroke-dasharray: 4 3; }
.group0 { fill: var(--closed); background: var(--closed); } .group1 { fill: var(--aside); background: var(--aside); }
.group2 { fill: var(--responded); background: var(--responded); } .group3 { fill: var(--open); background: var(--open); }
.group4 { fill: var(--other); background: var(--other); }
.line0 { fill: var(--a); stroke: var(--a); } .line1 { fill: var(--b); stroke: var(--b); }
.score { fill: var(--a); }
rect { stroke: none !important; }
.line { stroke-width: 2; stroke-linecap: round; }
.spots { position: absolute; top: 0; left: 0; width: 100%; }
.spot { position: absolute; cursor: default; }
.spot.column { top: 0; height: 100%; }
.spot.row { left: 0; width: 100%; }
.spot input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; }
.spot.column:is(:hover, :focus-within)::before {
  content: ""; position: absolute; inset: 0 calc(50% - 1px); background: var(--text); opacity: .45;
}
.spot.row:focus-within::before { content: ""; position: absolute; inset: -2px -6px 4px; border: 2px solid var(--a); border-radius: 6px; }
.tip {
  position: absolute; z-index: 2; top: 4px; left: calc(50% + 8px); display: none; width: max-content; max-width: 10.5rem;
  padding: .35rem .6rem; border-radius: .4rem; background: var(--text); color: var(--card); font-size: .8125rem; line-height: 1.35;
  pointer-events: none;
}
.late .tip { left: auto; right: calc(50% + 8px); }
.row .tip { top: calc(100% - 4px); left: auto; right: 0; max-width: 15rem; }
.tip b, .tip span { display: block; }
.spot:is(:hover, :focus-within) .tip { display: block; }
.spots:hover .spot:not(:hover) .tip { display: none; }
.spots:hover .spot:not(:hover)::before { display: none; }
details { margin-top: .6rem; font-size: .875rem; }
summary { cursor: pointer; color: var(--soft); }
.scroll { max-height: 22rem; overflow: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--grid); text-align: right; }
th:last-child, td:last-child { padding-right: 0; }
th:first-child { text-align: left; font-weight: normal; white-space: nowrap; }
footer { margin-top: 1rem; font-size: .8125rem; }
footer p { margin: .2rem 0; }
@media (max-width: 700px) {
  body { padding: 1.2rem .7rem; }
  figure, section { padding: .9rem .9rem; }
  main { grid-template-columns: minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .source { text-align: left; }
  .second { display: none; }
  .line { stroke-width: 1.5; }
  table { font-size: .8125rem; }
  th, td { padding-right: .4rem; }
  th:first-child { white-space: normal; }
}
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Write a page of charts from the models in a DuckDB file.")
    parser.add_argument("warehouse", type=Path, help="the DuckDB file, such as warehouse.duckdb")
    parser.add_argument("page", type=Path, help="the page to write, such as report.html")
    parser.add_argument("--name", default="", help="whose data it is, for the head of the page")
    parser.add_argument("--weeks", type=int, default=WEEKS, help="how many of the newest weeks to show (%(default)s)")
    given = parser.parse_args()
    with duckdb.connect() as connection:
        # Under a name of its own, or a file that is called like a schema would be taken for it.
        path = str(given.warehouse).replace("'", "''")
        connection.execute(f"attach '{path}' as loaded (read_only)")
        given.page.write_text(str(Page(connection, given.warehouse.name, given.name, given.weeks)), encoding="utf-8")
    print(f"The charts are in {given.page}: open it in a browser.")


if __name__ == "__main__":
    main()
