"""The page of charts, in a real browser: what it shows is what the models say, and it can be read on a desk and on a phone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from pipelines.models import DuckDB
from pipelines.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.models import Models

pytestmark = [pytest.mark.pipelines, pytest.mark.browser]

DESK, PHONE = 1280, 400
SMALLEST = 11.5
"""Pixels, of a text that can be read."""
CONTRAST = 4.5
"""What WCAG asks of text at level AA."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def write(warehouse: Path, page: Path) -> Path:
    command = [sys.executable, str(ROOT / "demo" / "page.py"), str(warehouse), str(page)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    return page


@pytest.fixture(scope="session")
def browse(environment: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Opens a page in Chromium; what it shows."""
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert chromium, (
        "No browser was found: install Chromium (on Debian `apt-get install chromium`) or name one in CHROMIUM"
    )
    python = environment("browser", "playwright") / "python"
    folder = tmp_path_factory.mktemp("browser")

    def see(page: Path, width: int, scheme: str = "light") -> dict[str, Any]:
        script = ROOT / "tests" / "pipelines" / "browse.py"
        picture = str(folder / f"{page.stem}-{width}-{scheme}.png")
        command = [str(python), str(script), page.as_uri(), chromium, str(width), scheme, picture]
        done = subprocess.run(command, capture_output=True, check=False, text=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen

    return see


@pytest.fixture(scope="session")
def page(duckdb_models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert isinstance(duckdb_models.warehouse, DuckDB)
    return write(duckdb_models.warehouse.path, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="session")
def seen(page: Path, browse: Callable[..., dict[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    """What is seen, by width and colour scheme."""
    return {
        (width, scheme): browse(page, width, scheme)
        for width, scheme in ((DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark"))
    }


def figure(seen: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in seen["figures"] if each["id"] == name)
    return found


def luminance(colour: list[float]) -> float:
    """The relative luminance of WCAG."""
    parts = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in (c / 255 for c in colour)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(text: dict[str, Any]) -> float:
    lighter, darker = sorted((luminance(text["colour"]), luminance(text["behind"])), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_it_renders_alone_and_without_a_complaint(seen: dict[tuple[int, str], dict[str, Any]], page: Path) -> None:
    for each in seen.values():
        assert each["said"] == []
        assert each["asked"] == [page.as_uri()], "nothing else is asked for, of this machine or any other"
        assert each["title"].startswith("Customer service, 32 days, 30 Mar 2026 to 30 Apr 2026")
        assert [found["id"] for found in each["figures"]] == ["volume", "waits", "breaches", "nps", "open", "closed"]
        for found in each["figures"]:
            assert found["marks"]
            assert all(mark["height"] >= 0 and mark["width"] > 0 for mark in found["marks"])


def test_each_chart_has_a_name_and_a_unit(seen: dict[tuple[int, str], dict[str, Any]]) -> None:
    for found in seen[DESK, "light"]["figures"]:
        assert found["role"] == "img"
        assert found["named"] == found["title"]
        assert found["unit"]
        assert found["table"][0][0]


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_is_too_wide_and_no_text_too_small_or_upon_another(
    width: int, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    view = seen[width, "light"]
    assert view["width"] == width
    assert view["scroll_width"] <= width, "no scrolling sideways"
    for text in view["texts"]:
        assert text["size"] >= SMALLEST, text
        assert text["x"] >= 0, text
        assert text["x"] + text["width"] <= width, text
    for one, other in combinations([text for text in view["texts"] if text["label"]], 2):
        apart_across = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        apart_down = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert apart_across or apart_down, (one, other)
    beside = len({found["x"] for found in view["figures"]})
    assert beside == (2 if width == DESK else 1), "two charts beside each other where there is room"


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_what_is_behind_it(
    width: int, scheme: str, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    view = seen[width, scheme]
    assert [text for text in view["texts"] if contrast(text) < CONTRAST] == []
    backgrounds = [luminance(text["behind"]) for text in view["texts"]]
    assert max(backgrounds) < 0.1 if scheme == "dark" else min(backgrounds) > 0.8


def read(cell: str) -> float | None:
    return None if cell == "–" else float(cell.replace(",", ""))  # noqa: RUF001 (a dash, and not a minus)


QUERIES = {
    "volume": """
        select
          local_date,
          sum(case when state_group = 'closed' then messages end), sum(case when state_group = 'set aside' then messages end),
          sum(case when state_group = 'responded' then messages end), sum(case when state_group = 'open' then messages end)
        from lexer_models.volume_by_day group by local_date order by local_date""",
    "waits": """
        select local_date, avg_wait_minutes / 60, median_wait_minutes / 60
        from lexer_models.response_time_by_day order by local_date""",
    "breaches": """
        select agent, sum(broke_customer_sla), sum(broke_agent_sla), sum(responses)
        from lexer_models.sla_by_agent_and_week group by agent order by 2 desc, 1""",
    "nps": """
        select week, max(case when form_id = 55 then nps end), max(case when form_id = 56 then nps end)
        from lexer_models.nps_by_week group by week order by week""",
    "open": "select local_date, open_cases from lexer_models.open_cases_by_day order by local_date",
    "closed": """
        select week, closed, avg_resolution_hours from lexer_models.cases_by_week where days = 7 order by week""",
}


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("name", QUERIES)
def test_its_numbers_are_those_of_the_tables(
    name: str, width: int, seen: dict[tuple[int, str], dict[str, Any]], duckdb_models: Models
) -> None:
    expected = [list(row.values()) for row in duckdb_models.warehouse.rows(QUERIES[name])]
    heading, *rows = figure(seen[width, "light"], name)["table"]
    assert len(heading) == len(expected[0])
    assert [[read(cell) for cell in row[1:]] for row in rows] == [
        [None if value is None else pytest.approx(float(value), abs=0.0501) for value in row[1:]] for row in expected
    ]
    places = [value if isinstance(value, str) else f"{value.day} {value:%b %Y}" for value, *_ in expected]
    assert [row[0] for row in rows] == places


def pixels_per_unit(seen: dict[str, Any], name: str) -> float:
    """What the numbers beside the axis say."""
    labels = [text for text in seen["texts"] if text["chart"] == name and re.fullmatch(r"-?[\d,.]+", text["text"])]
    (low, bottom), *_, (high, top) = sorted((read(text["text"]) or 0, text["y"]) for text in labels if text["label"])
    return float((bottom - top) / (high - low))


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize(("name", "side"), [("volume", "height"), ("closed", "height"), ("breaches", "width")])
def test_columns_and_bars_are_as_long_as_their_numbers(
    name: str, side: str, width: int, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    found = figure(seen[width, "light"], name)
    heading, *rows = found["table"]
    drawn: dict[str, int] = defaultdict(int)
    scales = set()
    for mark in found["marks"]:
        value = read(rows[mark["place"]][heading.index(mark["series"])])
        assert value
        assert mark["title"].endswith(f"{mark['series']}: {rows[mark['place']][heading.index(mark['series'])]}")
        scales.add(round(mark[side] / value, 1))
        drawn[mark["series"]] += 1
    assert max(scales) - min(scales) < 0.11, "one scale for all"
    if side == "height":
        assert max(scales) == pytest.approx(pixels_per_unit(seen[width, "light"], name), abs=0.11)
    for series, count in drawn.items():
        values = [read(row[heading.index(series)]) for row in rows]
        assert count == sum(bool(value) for value in values), "whatever is not 0 is drawn"


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("name", ["waits", "nps", "open"])
def test_points_are_as_high_as_their_numbers(
    name: str, width: int, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    found = figure(seen[width, "light"], name)
    heading, *rows = found["table"]
    points = sorted(
        (read(rows[mark["place"]][heading.index(mark["series"])]) or 0, -mark["y"], mark["x"], mark["place"])
        for mark in found["marks"]
    )
    assert len(points) == sum(cell != "–" for row in rows for cell in row[1:])  # noqa: RUF001 (the same dash)
    (low, bottom, *_), (high, top, *_) = points[0], points[-1]
    scale = (top - bottom) / (high - low)
    assert scale == pytest.approx(pixels_per_unit(seen[width, "light"], name), rel=0.02)
    for value, height, *_ in points:
        assert height == pytest.approx(bottom + (value - low) * scale, abs=0.1 * scale + 0.1)
    across = sorted({(place, round(x, 1)) for *_, x, place in points})
    assert [x for _, x in across] == sorted({x for _, x in across}), "from left to right"


def test_the_week_in_short_is_what_the_messages_say(
    seen: dict[tuple[int, str], dict[str, Any]], duckdb_models: Models
) -> None:
    wait = duckdb_models.sandbox.report("summary", "2026-04-20T00:00:00+10:00", "2026-04-26T23:59:59+10:00")
    cases = duckdb_models.sandbox.report("case_summary", "2026-04-20T00:00:00+10:00", "2026-04-26T23:59:59+10:00")
    within = 100 - 100 * wait["broke_sla"] / wait["total_responded_to"]
    numbers = [tile.partition(" ")[0].rstrip(",") for tile in seen[DESK, "light"]["tiles"]]
    assert numbers == [
        str(wait["total_volume"]),
        f"{wait['median_response_time'] / 3600:.1f}",
        f"{within:.1f}",
        str(cases["total_cases"]),
    ]


def test_names_are_text_whatever_they_hold(
    duckdb_models: Models, browse: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    models = duckdb_models.copy(tmp_path)
    assert isinstance(models.warehouse, DuckDB)
    name = "<script>alert(1)</script>\"'&amp; <b>Bobby</b>"
    with duckdb.connect(str(models.warehouse.path)) as connection:
        connection.execute("update lexer_models.sla_by_agent_and_week set agent = ? where user_id = 1201", [name])
        connection.execute("update lexer_models.nps_by_week set form = ? where form_id = 55", [name])
    view = browse(write(models.warehouse.path, tmp_path / "report.html"), PHONE)
    assert view["scripts"] == 0
    assert view["said"] == []
    assert name in [row[0] for row in figure(view, "breaches")["table"]]
    assert name in figure(view, "nps")["table"][0]


@pytest.mark.parametrize("statement", ["delete from", "drop table"])
def test_models_without_rows_or_left_out_give_a_page_that_says_so(
    statement: str, duckdb_models: Models, browse: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    models = duckdb_models.copy(tmp_path)
    assert isinstance(models.warehouse, DuckDB)
    with duckdb.connect(str(models.warehouse.path)) as connection:
        for (table,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = 'lexer_models'"
        ).fetchall():
            connection.execute(f"{statement} lexer_models.{table}")
    view = browse(write(models.warehouse.path, tmp_path / "report.html"), PHONE)
    assert view["said"] == []
    assert view["text"].count("Nothing was loaded.") == len(view["figures"])
