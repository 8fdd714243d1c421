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
from pipelines.programs import ROOT, TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipelines.models import Models

pytestmark = [pytest.mark.pipelines, pytest.mark.browser]

DESK, PHONE = 1280, 400
SMALLEST = 11.5
"""Pixels, of a text that can be read."""
CONTRAST = 4.5
"""What WCAG asks of text at level AA."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def write(warehouse: Path, page: Path, *options: str) -> Path:
    command = [sys.executable, str(ROOT / "demo" / "page.py"), str(warehouse), str(page), *options]
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
        # The folder of a test is too deep for Chromium: the name of a socket has room for some hundred characters.
        env = os.environ | {"TMPDIR": TEMPORARY}
        done = subprocess.run(
            command, capture_output=True, check=False, env=env, text=True, encoding="utf-8", timeout=120
        )
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


def marks(found: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any], str]]:
    """Each mark of a figure, with its chart, and the number that the table has for it."""
    heading, *rows = found["table"]
    for panel in found["panels"]:
        for mark in panel["marks"]:
            yield panel, mark, rows[mark["place"]][heading.index(mark["series"])]


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
            assert list(marks(found))
            assert all(mark["height"] >= 0 and mark["width"] > 0 for _, mark, _ in marks(found))


def test_each_chart_has_a_name_and_a_unit(seen: dict[tuple[int, str], dict[str, Any]]) -> None:
    for found in seen[DESK, "light"]["figures"]:
        assert {panel["role"] for panel in found["panels"]} == {"img"}
        assert all(panel["named"].startswith(found["title"]) for panel in found["panels"])
        assert found["unit"]
        assert found["table"][0][0]


def overlapping(view: dict[str, Any]) -> list[tuple[str, str]]:
    """Texts of charts that lie upon each other."""
    found = []
    for one, other in combinations([text for text in view["texts"] if text["label"]], 2):
        apart_across = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        apart_down = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        if not (apart_across or apart_down):
            found.append((one["text"], other["text"]))
    return found


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
    assert overlapping(view) == []
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
        select local_date, median_wait_minutes / 60, avg_wait_minutes / 60, responses
        from lexer_models.response_time_by_day order by local_date""",
    "breaches": """
        select
          agent, 100.0 * sum(broke_customer_sla) / sum(responses), sum(broke_customer_sla),
          100.0 * sum(broke_agent_sla) / sum(responses), sum(responses)
        from lexer_models.sla_by_agent_and_day group by agent order by 2 desc, 1""",
    "nps": """
        select
          week, max(case when form_id = 55 then nps end), max(case when form_id = 55 then received end),
          max(case when form_id = 56 then nps end), max(case when form_id = 56 then received end)
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


def pixels_per_unit(seen: dict[str, Any], panel: dict[str, Any]) -> float:
    """What the numbers beside the axis say."""
    labels = [text for text in seen["texts"] if text["panel"] == panel["number"] and text["label"]]
    left = min(text["x"] + text["width"] for text in labels)
    ticks = [text for text in labels if text["x"] + text["width"] < left + 1 and text["text"] != "from"]
    (low, bottom), *_, (high, top) = sorted((read(text["text"].removesuffix(" h")) or 0, text["y"]) for text in ticks)
    return float((bottom - top) / (high - low))


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("name", ["volume", "closed", "nps"])
def test_columns_are_as_high_as_their_numbers(
    name: str, width: int, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    found = figure(seen[width, "light"], name)
    heading, *rows = found["table"]
    drawn: dict[str, int] = defaultdict(int)
    for panel, mark, cell in marks(found):
        assert mark["height"] == pytest.approx(
            abs(read(cell) or 0) * pixels_per_unit(seen[width, "light"], panel), rel=0.03, abs=0.3
        )
        drawn[mark["series"]] += 1
    for series, count in drawn.items():
        values = [read(row[heading.index(series)]) for row in rows]
        assert count == sum(bool(value) for value in values), "whatever is not 0 is drawn"


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_worst_rate_of_breaches_has_the_longest_bar(
    width: int, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    found = figure(seen[width, "light"], "breaches")
    rates = [(mark["width"], read(cell) or 0) for _, mark, cell in marks(found)]
    assert len(rates) == len(found["table"]) - 1
    whole = {round(length / rate, 1) for length, rate in rates}
    assert max(whole) - min(whole) < 0.11, "one scale for all"
    assert [rate for _, rate in rates] == sorted((rate for _, rate in rates), reverse=True), "the worst first"
    [panel] = found["panels"]
    for agent, rate, late, slow, responses in found["table"][1:]:
        assert f"{rate} % of {responses}" in [text["text"] for text in seen[width, "light"]["texts"] if text["label"]]
        assert f"{agent}: {late} of {responses} responses after the customer SLA, " in " ".join(panel["said"])
        assert read(slow) is not None
    counts = [read(row[2]) or 0 for row in found["table"][1:]]
    assert counts != sorted(counts, reverse=True), "or the order by counts would be the same"


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("name", ["waits", "open"])
def test_points_are_as_high_as_their_numbers(
    name: str, width: int, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    found = figure(seen[width, "light"], name)
    for panel in found["panels"]:
        of_panel = [(mark, read(cell) or 0) for each, mark, cell in marks(found) if each is panel]
        assert len({mark["series"] for mark, _ in of_panel}) == 1, "lines do not cross each other"
        scale = pixels_per_unit(seen[width, "light"], panel)
        for mark, value in of_panel:
            height = panel["zero"] - (mark["y"] + mark["height"] / 2)
            assert height == pytest.approx(value * scale, abs=0.1 * scale + 1)
        across = [mark["x"] for mark, _ in of_panel]
        assert across == sorted(across), "from left to right"
    heading, *rows = found["table"]
    drawn = {mark["series"] for _, mark, _ in marks(found)}
    known = [row[heading.index(series)] != "–" for series in drawn for row in rows]  # noqa: RUF001 (the same dash)
    assert sum(known) == len(list(marks(found)))


def test_charts_that_belong_together_have_one_scale_and_room_of_their_own(
    seen: dict[tuple[int, str], dict[str, Any]],
) -> None:
    for width in (DESK, PHONE):
        for name in ("waits", "nps"):
            one, other = figure(seen[width, "light"], name)["panels"]
            assert pixels_per_unit(seen[width, "light"], one) == pixels_per_unit(seen[width, "light"], other)
            assert min(one["width"], other["width"]) > 300
            assert one["y"] + one["height"] <= other["y"] or one["x"] + one["width"] <= other["x"]


def words(text: str) -> set[str]:
    return set(re.sub(r"[^\w.,-]+", " ", text).split())


def test_each_place_says_what_is_drawn_there(seen: dict[tuple[int, str], dict[str, Any]]) -> None:
    for found in seen[DESK, "light"]["figures"]:
        heading, *rows = found["table"]
        for panel, mark, cell in marks(found):
            text = panel["said"][mark["place"]]
            value = f"{cell} h" if found["id"] == "waits" else cell
            if found["id"] != "breaches":  # of which it says the counts
                assert value in text, text
            assert heading[0].removesuffix(" from") in {"agent", "day", "week"}
            assert rows[mark["place"]][0] in text


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_values_are_shown_to_the_mouse_and_to_the_keyboard(
    width: int, scheme: str, seen: dict[tuple[int, str], dict[str, Any]]
) -> None:
    view = seen[width, scheme]
    panels = [(found["id"], panel) for found in view["figures"] for panel in found["panels"]]
    assert len(panels) == len(view["pointed"]) == 8
    for (name, panel), there in zip(panels, view["pointed"], strict=True):
        for way, place in (("mouse", -1), ("keyboard", 1)):
            [tip] = there[way]
            assert (tip["chart"], tip["text"]) == (name, panel["tips"][place])
            assert tip["x"] >= 0
            assert tip["x"] + tip["width"] <= width
            assert tip["scroll_width"] <= width
        assert there["focus"]["said"] == panel["said"][1], "and said to those who can't see it"
        assert there["next"]["group"] != there["focus"]["group"], "one stop per chart, not one per day"


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_score_says_how_many_answers_it_stands_on(
    width: int, seen: dict[tuple[int, str], dict[str, Any]], duckdb_models: Models
) -> None:
    found = figure(seen[width, "light"], "nps")
    for panel, form in zip(found["panels"], (55, 56), strict=True):
        rows = duckdb_models.rows(
            f"select nps, received, sent, promoters, detractors from lexer_models.nps_by_week where form_id = {form} order by week"  # noqa: S608 (our own text)
        )
        assert [text.split(": ", 1)[1] for text in panel["said"]] == [
            f"score {row['nps']:.1f}, from {row['received']} answer{'s'[: row['received'] != 1]}, to {row['sent']} surveys"
            for row in rows
        ]
        texts = [text for text in seen[width, "light"]["texts"] if text["panel"] == panel["number"]]
        lowest = max(text["y"] for text in texts if text["label"])
        counts = [text for text in texts if text["label"] and text["y"] == lowest]
        assert [text["text"] for text in sorted(counts, key=lambda text: text["x"])] == [
            "from",
            *(str(row["received"]) for row in rows),
        ]
        answers = sum(row["received"] for row in rows)
        score = 100 * sum(row["promoters"] - row["detractors"] for row in rows) / answers
        assert f"{score:.1f} from {answers} answers" in [text["text"] for text in texts]


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_score_below_zero_hangs_from_the_line_of_zero(
    width: int, duckdb_models: Models, browse: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    models = duckdb_models.copy(tmp_path)
    assert isinstance(models.warehouse, DuckDB)
    with duckdb.connect(str(models.warehouse.path)) as connection:
        connection.execute(
            "update lexer_models.nps_by_week set promoters = 0, passives = 0, detractors = received, nps = -100"
            " where form_id = 55 and week <= '2026-04-06'"
        )
        connection.execute(
            "update lexer_models.nps_by_week set promoters = detractors, detractors = promoters, nps = -nps where form_id = 56"
        )
    view = browse(write(models.warehouse.path, tmp_path / "report.html"), width)
    found = figure(view, "nps")
    signs = set()
    for panel, mark, cell in marks(found):
        value = read(cell) or 0
        assert mark["height"] == pytest.approx(abs(value) * pixels_per_unit(view, panel), rel=0.03, abs=0.3)
        edge = mark["y"] if value < 0 else mark["y"] + mark["height"]
        assert edge == pytest.approx(panel["zero"], abs=1), "from the line of zero, down or up"
        signs.add(value < 0)
        [label] = [
            text
            for text in view["texts"]
            if text["panel"] == panel["number"]
            and text["text"] == f"{value:.0f}"
            and abs(text["x"] + text["width"] / 2 - mark["x"] - mark["width"] / 2) < 2
        ]
        assert label["y"] >= mark["y"] + mark["height"] - 2 if value < 0 else label["y"] < mark["y"]
    assert signs == {True, False}
    assert overlapping(view) == []


def test_the_week_in_short_is_what_the_messages_say_and_how_it_changed(
    seen: dict[tuple[int, str], dict[str, Any]], duckdb_models: Models
) -> None:
    numbers = []
    for first, last in (("13", "19"), ("20", "26")):
        bounds = f"2026-04-{first}T00:00:00+10:00", f"2026-04-{last}T23:59:59+10:00"
        wait = duckdb_models.sandbox.report("summary", *bounds)
        within = 100 - 100 * wait["broke_sla"] / wait["total_responded_to"]
        cases = duckdb_models.sandbox.report("case_summary", *bounds)["total_cases"]
        numbers.append((wait["total_volume"], round(wait["median_response_time"] / 3600, 1), round(within, 1), cases))
    expected = []
    for name, unit, change, better, before, now in zip(
        ("Messages", "Median wait for a response", "Responses within the SLA", "Cases closed"),
        ("", " h", " %", ""),
        ("", " h", " points", ""),
        (0, -1, 1, 0),
        *numbers,
        strict=True,
    ):
        assert now != before
        arrow, word = ("▲", "up") if now > before else ("▼", "down")
        verdict = {1: ", better", -1: ", worse"}.get(better * (1 if now > before else -1), "")
        difference = round(abs(now - before), 1)
        expected.append(
            [
                name,
                f"{now}{unit}",
                f"{arrow} {word} {f'{difference:.1f}' if unit else difference}{change}{verdict}",
                f"{before}{unit} the week before",
            ]
        )
    for view in seen.values():
        assert view["tiles"] == expected


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("delete from lexer_models.messages where week = '2026-04-13'", None),
        ("update lexer_models.cases_by_week set closed = 7", "▶ unchanged unchanged"),
    ],
)
def test_a_week_like_the_one_before_or_after_none_has_no_arrow_up_or_down(
    statement: str, says: str | None, duckdb_models: Models, tmp_path: Path
) -> None:
    models = duckdb_models.copy(tmp_path)
    assert isinstance(models.warehouse, DuckDB)
    with duckdb.connect(str(models.warehouse.path)) as connection:
        connection.execute(statement)
        if not says:
            connection.execute("delete from lexer_models.messages where week < '2026-04-13'")
    text = write(models.warehouse.path, tmp_path / "report.html").read_text(encoding="utf-8")
    tiles = re.sub(r"<[^>]*>", "", text[text.index('<ul class="tiles">') : text.index("<main>")])
    assert ("▲" in tiles or "▼" in tiles) is bool(says)
    assert (says or "– the week before") in tiles  # noqa: RUF001 (the same dash)


def heads(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    return text[text.index("<header>") : text.index("</header>")]


def test_the_head_says_whose_data_it_is_and_when_it_was_loaded(
    seen: dict[tuple[int, str], dict[str, Any]], duckdb_models: Models, tmp_path: Path
) -> None:
    tables = duckdb_models.warehouse.rows(
        "select table_name from information_schema.columns where table_schema = 'lexer' and column_name = '_sdc_batched_at'"
    )
    newest = [f'select max(_sdc_batched_at) as last from lexer."{table["table_name"]}"' for table in tables]  # noqa: S608
    last = max(row["last"] for query in newest for row in duckdb_models.warehouse.rows(query) if row["last"])
    loaded = f"Loaded {last.day} {last:%b %Y}, {last:%H:%M}, into warehouse.duckdb"
    for view in seen.values():
        assert "Sandbox: invented data" in view["text"]
        assert loaded in view["text"]
    models = duckdb_models.copy(tmp_path)
    assert isinstance(models.warehouse, DuckDB)
    with duckdb.connect(str(models.warehouse.path)) as connection:
        connection.execute("update lexer.users set email = 'someone@lexer.example' where id = 1201")
        names = "select table_name from information_schema.columns where column_name = '_sdc_batched_at'"
        for (table,) in connection.execute(names).fetchall():
            copied = f"select * exclude (_sdc_batched_at) from lexer.{table}"  # noqa: S608 (our own text)
            connection.execute(f"create or replace table lexer.{table} as {copied}")
    head = heads(write(models.warehouse.path, tmp_path / "report.html", "--name", "Bean & Gone <Sydney>"))
    assert "<h1>Customer service: Bean &amp; Gone &lt;Sydney&gt;</h1>" in head
    assert "From warehouse.duckdb" in head, "the loader did not write down when"
    assert "Sandbox" not in head, "one real person is enough"


def test_names_are_text_whatever_they_hold(
    duckdb_models: Models, browse: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    models = duckdb_models.copy(tmp_path)
    assert isinstance(models.warehouse, DuckDB)
    name = "<script>alert(1)</script>\"'&amp; <b>Bobby</b>"
    with duckdb.connect(str(models.warehouse.path)) as connection:
        connection.execute("update lexer_models.sla_by_agent_and_day set agent = ? where user_id = 1201", [name])
        connection.execute("update lexer_models.nps_by_week set form = ? where form_id = 55", [name])
    view = browse(write(models.warehouse.path, tmp_path / "report.html"), PHONE)
    assert view["scripts"] == 0
    assert view["said"] == []
    assert name in [row[0] for row in figure(view, "breaches")["table"]]
    assert name in figure(view, "nps")["table"][0]


def test_it_shows_the_newest_weeks_alone(
    duckdb_models: Models, browse: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    assert isinstance(duckdb_models.warehouse, DuckDB)
    view = browse(write(duckdb_models.warehouse.path, tmp_path / "report.html", "--weeks", "2"), PHONE)
    assert "11 days, 20 Apr 2026 to 30 Apr 2026" in view["text"]
    assert "21 earlier days are loaded as well." in view["text"]
    for found in view["figures"]:
        if found["id"] != "breaches":
            assert found["table"][1][0] == "20 Apr 2026", found["id"]
    [row] = duckdb_models.rows(
        "select sum(responses) as all_of_them from lexer_models.sla_by_agent_and_day where local_date >= '2026-04-20'"
    )
    assert sum(read(line[-1]) or 0 for line in figure(view, "breaches")["table"][1:]) == row["all_of_them"]


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
