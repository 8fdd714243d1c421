"""README.md and the pages of docs/ against the program: streams, columns, settings, messages, numbers, commands and links are what they say.

`WRITE_SNAPSHOTS=1 pytest tests/test_readme.py` writes the columns of docs/streams.md and the table of docs/settings.md.
"""

from __future__ import annotations

import ast
import doctest
import json
import logging
import os
import re
import tempfile
from datetime import date
from itertools import dropwhile, takewhile
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from singer_sdk.mapper import PluginMapper

import tap_lexer_activity
from tap_lexer_activity import windows
from tap_lexer_activity.errors import without_see
from tap_lexer_activity.http.limiter import shared_file
from tap_lexer_activity.lexer.job_answers import FIRST_WAIT, LONGEST_WAIT
from tap_lexer_activity.run.progress import PACE_OF_A_FILE, PACE_OF_A_TERMINAL
from tap_lexer_activity.sandbox.cli import main as sandbox_command
from tap_lexer_activity.streams.export_files import OWN_COLUMNS
from tap_lexer_activity.streams.exports import CaseDetails, MentionSlaExport, NpsSubmissions
from tap_lexer_activity.streams.job_queue import JOBS_AHEAD
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.streams.reports import Report
from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

ROOT = Path(__file__).parents[1]
PACKAGE = Path(tap_lexer_activity.__file__).parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
}
README = PAGES["README.md"]
ELSEWHERE = frozenset(
    f"docs/{name}.md"
    for name in (
        "first-contact",
        "many-accounts",
        "meltano",
        "privacy",
        "proof",
        "questions",
        "snowflake",
        "warehouses",
    )
)
"""Pages whose commands have tests of their own, which run them."""
TEXT = "\n".join(text for name, text in PAGES.items() if name not in ELSEWHERE)
"""The others, one after the other."""
MOST_LINES = 200
"""Of README.md: it is read once, from its beginning to its end."""

GAP = "…"
"""Stands in the README's messages for what differs."""


def page(name: str) -> str:
    """A page of docs/."""
    return PAGES[f"docs/{name}.md"]


def table(text: str, first_heading: str) -> list[dict[str, str]]:
    """The rows of the first table with this heading, by the headings of its columns."""
    lines = dropwhile(lambda line: not line.startswith(f"| {first_heading} |"), text.splitlines())
    its_own = takewhile(lambda line: line.startswith("|"), lines)
    headings, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in its_own]
    return [dict(zip(headings, row, strict=True)) for row in rows]


def blocks(language: str, text: str = TEXT) -> list[str]:
    """The fenced blocks of a language."""
    return [dedent(block) for block in re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)]


def is_written(name: str, what: str, text: str) -> None:
    """The part of a page between two marks is made of the program, by `WRITE_SNAPSHOTS=1 pytest tests/test_readme.py`."""
    begin, end = f"<!-- {what}:begin -->\n", f"<!-- {what}:end -->\n"
    before, _, rest = page(name).partition(begin)
    _, _, after = rest.partition(end)
    new = f"{before}{begin}\n{text}\n{end}{after}"
    if os.environ.get("WRITE_SNAPSHOTS"):
        (ROOT / "docs" / f"{name}.md").write_text(new, encoding="utf-8")
    assert page(name) == new, "WRITE_SNAPSHOTS=1 pytest tests/test_readme.py writes it"


def quoted(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture(scope="module")
def program() -> TapLexerActivity:
    return TapLexerActivity(config={"api_token": "a-token", "start_date": "2026-01-01"})


@pytest.fixture(scope="module")
def streams(program: TapLexerActivity) -> dict[str, dict[str, Any]]:
    """What discovery prints, by stream."""
    return {entry["tap_stream_id"]: entry for entry in json.loads(program.catalog_json_text)["streams"]}


# Streams and tables


def test_the_streams_are_those_of_discovery(streams: dict[str, dict[str, Any]]) -> None:
    written = {
        quoted(row["stream"])[0]: (quoted(row["key"]), quoted(row["replication"]))
        for row in table(page("streams"), "stream")
    }
    assert written == {
        name: (entry["key_properties"], [entry["replication_key"]] if "replication_key" in entry else [])
        for name, entry in streams.items()
    }


def test_how_a_stream_is_replicated_is_said_in_words_too(streams: dict[str, dict[str, Any]]) -> None:
    for row in table(page("streams"), "stream"):
        entry = streams[quoted(row["stream"])[0]]
        said = row["replication"]
        root = next(item["metadata"] for item in entry["metadata"] if not item["breadcrumb"])
        assert said.startswith("incremental by" if "replication_key" in entry else "full table")
        assert ("one bookmark per form" in said) is ("form_id" in entry["key_properties"])
        assert ("not selected by default" in said) is not root["selected"]


def test_what_joins_what_has_columns_that_exist(streams: dict[str, dict[str, Any]]) -> None:
    rows = table(page("streams"), "from")
    named = [name.split(".") for row in rows for name in quoted(row["from"]) + quoted(row["to"])]
    assert [(stream, column) for stream, column in named if column not in streams[stream]["schema"]["properties"]] == []
    to = {tuple(name.split(".")) for row in rows if row["by"] == "equal" for name in quoted(row["to"])}
    assert {(stream, column) for stream, column in to if streams[stream]["key_properties"] != [column]} == set()
    (alone,) = re.findall(r"^(`summary`.*) stand alone:", page("streams"), re.MULTILINE)
    assert {*(stream for stream, _ in named), *quoted(alone)} == streams.keys()


def columns_of(name: str, entry: dict[str, Any]) -> str:
    """What docs/streams.md has of a stream: its description, and a table of its columns."""
    schema = json.loads((ROOT / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    lines = [f"### {name}", "", schema["description"], "", "| column | type | description |", "|---|---|---|"]
    for column, each in schema["properties"].items():
        types = each["type"] if isinstance(each["type"], list) else [each["type"]]
        kind = each.get("format") or " or ".join(kind for kind in types if kind != "null")
        key = ", key" if column in entry["key_properties"] else ""
        lines.append(f"| `{column}` | {kind}{key} | {each['description'].replace('|', '&#124;')} |")
    return "\n".join([*lines, ""])


def test_the_columns_are_those_of_the_schemas(streams: dict[str, dict[str, Any]]) -> None:
    is_written("streams", "columns", "\n".join(columns_of(*each) for each in streams.items()))


def test_the_readme_is_short_and_names_every_stream_as_its_page_does() -> None:
    assert len(README.splitlines()) <= MOST_LINES
    short = {row["stream"]: row["one row is"].partition(" (")[0] for row in table(README, "stream")}
    assert short == {row["stream"]: row["one row is"] for row in table(page("streams"), "stream")}


# Exports


EXPORTS = {stream.name: stream for stream in (CaseDetails, MentionSlaExport, NpsSubmissions)}


def test_the_columns_of_a_record_id_are_those_of_the_code(streams: dict[str, dict[str, Any]]) -> None:
    rows = {quoted(row["stream"])[0]: row for row in table(page("exports"), "stream")}
    assert rows.keys() == EXPORTS.keys()
    for name, row in rows.items():
        made_of = row["`record_id` is made of"]
        stable = [column for choice in EXPORTS[name].stable for column in choice]
        assert quoted(made_of) == stable
        assert bool(stable) is (made_of != "all columns")
        known = len(streams[name]["schema"]["properties"].keys() - OWN_COLUMNS)
        assert row["known columns"].startswith(f"{known}," if known else "none")


def test_the_stream_maps_hash_and_drop_also_where_a_cell_was_empty(streams: dict[str, dict[str, Any]]) -> None:
    (config,) = (json.loads(block) for block in blocks("json", page("privacy")) if '"stream_maps"' in block)
    mapper = PluginMapper(plugin_config=config, logger=logging.getLogger(__name__))
    for name, columns in config["stream_maps"].items():
        entry = streams[name]
        properties = entry["schema"]["properties"].keys()
        assert columns.keys() <= properties, name
        mapper.register_raw_stream_schema(name, entry["schema"], entry["key_properties"])
        (stream_map,) = mapper.stream_maps[name]
        for text in (None, "a text"):
            mapped = stream_map.transform(dict.fromkeys(properties, text)) or {}
            assert mapped.keys() == properties - {column for column, value in columns.items() if value is None}, name
            for column in columns.keys() & mapped.keys():
                assert mapped[column] != "a text"
                assert bool(mapped[column]) is bool(text)


def test_there_is_one_place_for_the_benchmark() -> None:
    assert (
        len(re.findall(r"^<!-- benchmark:begin -->\n(?:.*\n)*?<!-- benchmark:end -->$", page("exports"), re.MULTILINE))
        == 1
    )


# Settings


def kind(setting: dict[str, Any]) -> str:
    """The type of a setting as the README writes it."""
    if "enum" in setting:
        *others, last = (f"`{value}`" for value in setting["enum"])
        return f"{', '.join(others)} or {last}"
    name: str = next(each for each in setting["type"] if each != "null")
    if name == "array":
        name += f" of {setting['items']['type'][0]}s"
    if "maximum" in setting:
        return f"{name}, {setting['minimum']} to {setting['maximum']}"
    if "minimum" in setting:
        return f"{name}, {setting['minimum']} or more"
    return f"{name}, secret" if setting.get("secret") else name


def default(name: str, schema: dict[str, Any]) -> str:
    """The default of a setting as the README writes it."""
    if name in schema["required"]:
        return "required"
    value = schema["properties"][name].get("default")
    if value is None:
        return ""
    if name == "export_status_url":  # too long for a column
        assert f"By default, `{name}` is `{value}`" in page("settings")
        return "see below"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def test_the_settings_are_those_of_about(program: TapLexerActivity) -> None:
    schema = program.config_jsonschema
    (sdk,) = re.findall(r"^The Singer SDK's own work.*$", page("settings"), re.MULTILINE)
    own = {name: each for name, each in schema["properties"].items() if name not in quoted(sdk)}
    assert [*own, *quoted(sdk)] == list(schema["properties"])
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, each in own.items():
        cells = (f"`{name}`", kind(each), default(name, schema), each["description"])
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    is_written("settings", "settings", "\n".join(lines) + "\n")


def test_the_ten_settings_of_the_readme_are_settings_with_their_defaults(program: TapLexerActivity) -> None:
    schema = program.config_jsonschema
    rows = table(README, "setting")
    assert len(rows) == len({row["setting"] for row in rows}) == 10
    for row in rows:
        (name,) = quoted(row["setting"])
        assert row["default"] == default(name, schema)
    assert {f"`{name}`" for name in schema["required"]} <= {row["setting"] for row in rows}


# Targets


def test_the_targets_are_installed_and_set_as_in_the_project(project: dict[str, Any]) -> None:
    loaders = {plugin["executable"]: plugin for plugin in project["plugins"]["loaders"]}
    text = page("getting-started")
    installed = re.findall(r"^uv tool install '?([^'\n]*(?:-target-.*==[\d.]+|/demo/loader))'?$", text, re.MULTILINE)
    settings = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    programs = ("target-postgres", "target-duckdb-exact", "target-snowflake")
    for program, package, written in zip(programs, installed, settings, strict=True):
        loader = loaders[program]
        assert set(package.split()) == set(loader["pip_url"].split()) - {"-e"}
        assert written.items() >= loader["config"].items()
        assert written.keys() <= {setting["name"] for setting in loader["settings"]}


# Messages


def messages_of_the_code() -> Iterator[str]:
    """Texts of the code, documentation aside, with a gap for each value that is put in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    without_see(str(part.value)) if isinstance(part, ast.Constant) else GAP for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                yield without_see(re.sub(r"%(\.\d)?[sdf]", GAP, node.value))


def test_the_messages_that_are_explained_are_those_of_the_code() -> None:
    real = list(messages_of_the_code())
    entries = re.split(r"^### ", page("troubleshooting"), flags=re.MULTILINE)[1:]
    assert len(entries) > 100
    addresses = []
    for entry in entries:
        address, message, advice, *_ = entry.split("\n\n")
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+){0,4}", address)
        addresses.append(address)
        pattern = ".*".join(re.escape(piece) for piece in message.removeprefix("`").removesuffix("`").split(GAP))
        assert any(re.search(pattern, text) for text in real), message
        assert advice.rstrip().endswith((".", ")"))
    assert len(addresses) == len(set(addresses)), "each has an address of its own"


# Numbers


def test_a_year_costs_what_the_table_says() -> None:
    zone, utc = ZoneInfo("Australia/Sydney"), ZoneInfo("UTC")
    first, end = (windows.start_of(date(year, 1, 1), zone) for year in (2025, 2026))
    days = windows.due(first, end, "day", zone, partial=False)
    nps_days = windows.due(windows.floor(first, "day", utc), end, "day", utc, partial=False)
    one_series = len(windows.series_requests(days, end, "day", zone))
    nps_series = len(windows.series_requests(nps_days, end, "day", utc))
    hours = windows.due(first, end, "hour", zone, partial=False)
    hourly_series = len(windows.series_requests(hours, end, "hour", zone))
    one_export, of_90_days = (len(windows.export_requests(days, end, length, zone)) for length in (30, 90))

    reports = [name for name, stream in BY_NAME.items() if issubclass(stream, Report) and stream.selected_by_default]

    expected = {}
    for interval in ("day", "week", "month"):
        count = len(windows.due(first, end, interval, zone, partial=False))
        requests = len(reports) * count + 3 * one_series + nps_series + 3
        with_exports = requests + 3 * one_export * 2
        expected[f"`{interval}`"] = (count, len(reports) * count, requests, with_exports, (with_exports - 1) // 100 * 5)
    written = {
        interval: tuple(int(number.replace(",", "")) for number in numbers)
        for interval, *numbers in (row.values() for row in table(page("quota"), "`report_interval`"))
    }
    assert written == expected
    text = page("quota")
    assert f"here {one_series} requests each" in text
    assert f"and {nps_series} for `nps_volume` per form" in text
    assert f"the three take {hourly_series} each" in text
    assert f"here {one_export} for each of" in text
    assert f"With 90 days it is {of_90_days} jobs each" in text
    by_day, by_week = written["`day`"], written["`week`"]
    assert f"is some {round(by_day[-2], -2):,} requests, so {by_day[-1]} minutes at least" in README
    assert f"`week` it is {by_week[-2]}, so {by_week[-1]} minutes" in README


def test_a_job_costs_what_is_said() -> None:
    """The questions after a job that takes a minute come when the tap's waits let them."""
    moments, wait = [FIRST_WAIT], FIRST_WAIT
    while wait < LONGEST_WAIT:
        moments, wait = [*moments, moments[-1] + wait], min(2 * wait, LONGEST_WAIT)
    *others, last = (f"{moment:.0f}" for moment in moments)
    told = page("exports")
    assert f"polls {', '.join(others)} and {last} seconds after the start, then every minute" in told
    assert f"2 if the file is ready by then, {1 + len(moments)} if it takes a minute" in told


def test_the_examples_give_what_is_printed() -> None:
    result = doctest.testfile(str(ROOT / "docs" / "quota.md"), module_relative=False)
    assert result.attempted
    assert not result.failed


# The quota


def block_with(text: str) -> list[str]:
    """The lines of the one block of text in which this stands."""
    (found,) = (block for block in blocks("text", page("quota")) if text in block)
    return found.splitlines()


def test_the_plan_of_the_example_is_what_is_printed(tap: Tap, new_sandbox: Callable[..., Sandbox]) -> None:
    (command,) = (
        line
        for block in blocks("sh", page("quota"))
        for line in block.splitlines()
        if "--clock" in line and "--plan" in line
    )
    given = dict(re.findall(r"(START_DATE=|--clock )(\S+)", command))
    sandbox = new_sandbox(clock=given["--clock "])
    config = sandbox.config(start_date=given["START_DATE="], rate_limit_requests=100, rate_limit_seconds=300)
    run = tap.run(config, "--plan")
    assert run.code == 0, run.log
    assert [request.path for request in sandbox.requests] == ["/v1/forms"], "and nothing else, as is said"
    example = block_with("polls of exports:")
    shown = [line for line in example if line != GAP]
    assert [line for line in run.out.splitlines() if line in shown] == shown
    assert len(shown) < len(example) < len(run.out.splitlines())


def test_the_table_at_the_end_has_the_columns_and_words_of_the_program() -> None:
    header, *lines = block_with("more to read")
    texts = set(messages_of_the_code())
    assert set(header.split()) <= texts
    status = {line[header.index("status") :] for line in lines if line != GAP}
    assert status == {"complete", "more to read"}
    assert status <= texts
    explained = {word for row in table(page("quota"), "status") for word in quoted(row["status"])}
    assert status < explained
    assert {re.sub("(?<=^read for ).*", GAP, word) for word in explained} <= texts


def test_the_line_of_progress_is_one_of_the_program(
    tap: Tap, new_sandbox: Callable[..., Sandbox], catalog_of: Callable[..., dict[str, Any]]
) -> None:
    """Its numbers are those of a run that takes hours; a small quota gives a line with others at once."""

    def numbers_aside(line: str) -> str:
        return re.sub(r"about .* left", "about a while left", re.sub(r"\d[\d,]*", "0", line))

    config = new_sandbox().config(start_date="2026-04-27", rate_limit_requests=2, rate_limit_seconds=100, concurrency=1)
    with tap.start(config, catalog=catalog_of("summary")) as run:
        assert run.stderr is not None
        said = next(line for line in run.stderr if "waiting for the quota" in line)
        run.terminate()
    (example,) = block_with("waiting for the quota until")
    assert numbers_aside(said.split("|", 3)[3].strip()) == numbers_aside(example)


def test_times_and_places_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = page("quota")
    assert f"every {PACE_OF_A_TERMINAL:.0f} seconds at a terminal, every {PACE_OF_A_FILE:.0f} in a log file" in told
    assert f"up to {('no', 'one', 'two', 'three')[JOBS_AHEAD]} ahead" in page("exports")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = shared_file("a token and an address")
    (named,) = re.findall(r"`(tap-lexer-activity-[^`]+sqlite3)`", told)
    pattern = named.replace("<user id>", r"\d+").replace("<8 hex digits>", "[0-9a-f]{8}")
    assert re.fullmatch(pattern, file.relative_to(tmp_path).as_posix())


# Commands and links


def options_of_the_program() -> set[str]:
    """What `--help` names."""
    return {option for each in TapLexerActivity.get_singer_command().params for option in each.opts}


def test_the_options_of_the_tap_exist(tap: Tap) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [part for line in lines for part in re.findall(r"(?<!\S)tap-lexer-activity (--[^|>#]*)", line)]
    commands += re.findall(r"`tap-lexer-activity (--[^`|>]*)`", TEXT)
    used = {option for command in commands for option in re.findall(r"(?<!\S)--[a-z-]+", command)}
    assert {"--config", "--check", "--plan", "--discover"} <= used
    assert used <= options_of_the_program()
    help_text = tap.run(None, "--help").out
    assert all(re.search(rf"^ +{option}\b", help_text, re.MULTILINE) for option in used)


def test_the_commands_of_meltano_are_those_of_meltano_yml(project: dict[str, Any]) -> None:
    (extractor,) = project["plugins"]["extractors"]
    invoked = re.findall(r"meltano (?:--environment=\w+ )?invoke (\S+?)(?=[\s`])", TEXT)
    assert invoked
    assert {command.partition(":")[0] for command in invoked} == {extractor["name"]}
    assert {command.partition(":")[2] for command in invoked} == extractor["commands"].keys()


def test_the_variables_are_settings(program: TapLexerActivity) -> None:
    named = set(re.findall(r"\bTAP_LEXER_ACTIVITY_([A-Z_]+)", TEXT))
    assert {"START_DATE", "BACKFILL_START", "BACKFILL_END"} <= named
    assert {name.lower() for name in named} <= program.config_jsonschema["properties"].keys()


def nox_tasks() -> set[str]:
    """The tasks of noxfile.py."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("nox.session" in ast.unparse(each) for each in node.decorator_list)
    }


def test_the_two_commands_are_tasks_of_the_noxfile() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    own = [line for block in blocks("sh", README) for line in block.splitlines()]
    assert [line for line in own if line.startswith("uvx")] == ["uvx nox -s demo", "uvx nox"]
    assert {line.partition("#")[0].strip() for line in own} <= {line.partition("#")[0].strip() for line in lines}
    assert set(re.findall(r"nox -s ([a-z]+)", TEXT)) <= nox_tasks()
    checks = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (listed,) = (
        ast.unparse(node.value)
        for node in checks.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "nox.options.sessions"
    )
    assert re.findall(r"\b(lint|types|docs|tests)\b", listed) == ["lint", "types", "docs", "tests"], (
        "as the README says"
    )
    assert "uvx nox" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_jobs_and_environments_are_those_of_meltano_yml(project: dict[str, Any]) -> None:
    known = {each["name"] for each in [*project["jobs"], *project["schedules"]]}
    named = set(re.findall(r"\blexer-(?:to|every)-[a-z]+", TEXT))
    assert named
    assert named <= known
    assert set(re.findall(r"--environment=(\w+)", TEXT)) <= {each["name"] for each in project["environments"]}


def test_the_options_of_the_sandbox_exist() -> None:
    known = {option for command in sandbox_command.commands.values() for each in command.params for option in each.opts}
    its_own = re.sub(r"( -- |^tap-lexer-activity ).*", "", page("sandbox"), flags=re.MULTILINE)  # without the tap's
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", its_own))
    assert {"--clock", "--fault"} <= named
    assert named - {"--help"} <= known


def anchors(text: str) -> set[str]:
    """The addresses of the headings of a page, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_inside_the_project_leads_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    inside = [link for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]) if "://" not in link]
    for link in inside:
        path, _, anchor = link.partition("#")
        assert (folder / path).exists(), link
        text = (folder / path).read_text(encoding="utf-8") if anchor and path else PAGES[name]
        assert not anchor or anchor in anchors(text), link


def test_every_page_is_in_the_site_and_in_the_readme() -> None:
    listed = {line for block in re.findall(r"```{toctree}(.*?)```", page("index"), re.DOTALL) for line in block.split()}
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages - {"index"} <= listed
    linked = set(re.findall(r"\]\(docs/(\S+?)\.md[)#]", README))
    assert pages - {"index", "security", "changelog"} <= linked


@pytest.mark.parametrize("name", PAGES)
def test_no_package_registry_is_named(name: str) -> None:
    assert re.findall(r"\S*(?:pypi|pythonhosted|npmjs|index-url)\S*", PAGES[name], re.IGNORECASE) == []
