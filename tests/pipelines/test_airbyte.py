"""Airbyte's own models of messages, PyAirbyte, and the pages for both fronts without Singer as they are printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import BIN, ENVIRONMENT, select
from pipelines.programs import ROOT
from pipelines.test_first_day import Clone

from tap_lexer_activity.streams.registry import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap
    from support.types import NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

VERSIONS = Path(__file__).with_name("constraints-airbyte.txt")
START = {"start_date": "2026-04-26", "export_window_days": 2, "lookback_days": 1}
STREAMS = [name for name in BY_NAME if name != "workflow_states"]
QUIET = {"AIRBYTE_OFFLINE_MODE": "1"}


@pytest.fixture
def sandbox(new_sandbox: NewSandbox) -> Sandbox:
    return new_sandbox(export_seconds=0)


@pytest.fixture
def by_airbyte(environment: Callable[..., Path], tmp_path: Path) -> Callable[..., str]:
    """Runs `by_airbyte.py`; what it printed."""
    python = environment("airbyte", "airbyte") / "python"
    paths = {"AIRBYTE_LOGGING_ROOT": str(tmp_path / "logs"), "PATH": f"{BIN}{os.pathsep}{ENVIRONMENT['PATH']}"}

    def run(*arguments: str, given: str) -> str:
        done = subprocess.run(
            [str(python), str(Path(__file__).with_name("by_airbyte.py")), *arguments],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=ENVIRONMENT | QUIET | paths,
            input=given,
            text=True,
            timeout=250,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def source(folder: Path, command: str, **files: Any) -> str:
    """What `source-lexer-activity` writes."""
    line = [str(BIN / "source-lexer-activity"), command]
    for option, content in files.items():
        file = folder / f"{option}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        line += [f"--{option}", str(file)]
    return subprocess.run(line, capture_output=True, check=False, env=ENVIRONMENT, text=True).stdout


def test_every_message_is_one_of_airbyte_s_models(
    by_airbyte: Callable[..., str], sandbox: Sandbox, tmp_path: Path
) -> None:
    """Of all commands, with a stream that fails and a token that is refused."""
    config = sandbox.config(**START)
    said = [source(tmp_path, "spec"), source(tmp_path, "check", config=config)]
    said += [source(tmp_path, "check", config=config | {"api_token": "a-wrong-token"})]
    said += [source(tmp_path, "discover", config=config)]
    streams = json.loads(said[-1].splitlines()[-1])["catalog"]["streams"]
    catalog = {
        "streams": [
            {"stream": each, "sync_mode": each["supported_sync_modes"][-1], "destination_sync_mode": "append"}
            for each in streams
            if each["name"] in STREAMS
        ]
    }
    sandbox.fault("unknown_shape", "case_summary", times=None)
    said += [source(tmp_path, "read", config=config, catalog=catalog)]
    text = "".join(said)
    kinds = {(each["type"], each.get("trace", {}).get("type")) for each in map(json.loads, text.splitlines())}
    assert {kind for kind, _ in kinds} == {
        *("SPEC", "CONNECTION_STATUS", "CATALOG", "LOG", "TRACE", "RECORD", "STATE"),
    }
    assert {trace for _, trace in kinds} == {None, "ERROR", "STREAM_STATUS", "ESTIMATE"}
    assert int(by_airbyte("hold", given=text)) == len(text.splitlines())


def plain(value: Any) -> Any:
    """A value as it is before and after a cache: numbers as such, times without their zone, objects as JSON."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, str):
        if value[:1] in {"{", "["}:
            return json.dumps(json.loads(value), sort_keys=True)
        if re.match(r"\d{4}-\d\d-\d\d([T ]|$)", value):
            return datetime.fromisoformat(value).replace(tzinfo=None)
    return round(value, 6) if isinstance(value, int | float) and not isinstance(value, bool) else value


def by_key(rows: list[dict[str, Any]], name: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of a stream by their key, of which none may be there twice."""
    found = {}
    for row in rows:
        values = {column: plain(value) for column, value in row.items() if not column.startswith("_airbyte")}
        key = tuple(values[column] for column in BY_NAME[name].keys)
        assert key not in found, f"{name}: {key} is there twice"
        found[key] = values
    return found


def test_two_reads_by_pyairbyte_leave_the_tables_of_the_tap(
    by_airbyte: Callable[..., str], sandbox: Sandbox, tap: Tap, tmp_path: Path
) -> None:
    """The second goes on where the first has come to: no row is doubled, and none is missing."""
    whole = tap.run(sandbox.config(**START), catalog=select(*STREAMS)).records
    configs = [sandbox.config(**START, **more) for more in ({"end_date": "2026-04-29T10:00:00+10:00"}, {})]
    printed = by_airbyte("load", str(tmp_path / "tables.duckdb"), *STREAMS, given=json.dumps(configs))
    (line,) = (line for line in printed.splitlines() if line.startswith("ROWS "))
    tables = json.loads(line.removeprefix("ROWS "))
    for name in STREAMS:
        assert by_key(tables[name], name) == by_key(whole[name], name), name
    assert tables.keys() == set(STREAMS)


# The pages, as someone reads them


@pytest.fixture
def today(new_sandbox: NewSandbox) -> Sandbox:
    """A Lexer of today: the pages read the last days."""
    return new_sandbox(export_seconds=0, clock=None)


@pytest.fixture
def clone(tmp_path: Path, today: Sandbox) -> Clone:
    found = Clone(tmp_path, today)
    found.env |= {"UV_CONSTRAINT": str(VERSIONS), "AIRBYTE_LOGGING_ROOT": str(tmp_path)}
    found.file("config.json").write_text(json.dumps(today.config(start_date="2026-01-01")), encoding="utf-8")
    return found


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a language on a page, whether they stand in a list or not."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def test_someone_with_pyairbyte_reads_the_page_and_has_rows(clone: Clone, today: Sandbox) -> None:
    (program,) = blocks("airbyte", "python")
    install, _, by_hand = blocks("airbyte", "sh")
    clone.file("load.py").write_text(program, encoding="utf-8")
    first = clone.run(install)
    requests = len(today.requests)
    again = clone.run(install.splitlines()[-1])
    assert len(today.requests) > requests
    rows = [re.findall(r"^\[(\d+) rows x", printed, re.MULTILINE) for printed in (first, again)]
    assert rows[0] == rows[1]
    assert rows[0][0] in {"7", "8"}
    kinds = [json.loads(line)["type"] for line in clone.run(by_hand).splitlines()]
    assert [kind for kind in kinds if kind != "LOG"] == ["SPEC", "CONNECTION_STATUS", "CATALOG"]


def test_someone_with_a_notebook_reads_the_page_and_has_rows(clone: Clone) -> None:
    (start,) = blocks("python", "sh")
    cells = [*blocks("python", "python"), "print(frame.dtypes, len(frame))"]
    printed = clone.run("\n".join([f"{start.strip()} - <<'END'", *cells, "END"]))
    assert re.search(r"date_from +datetime64\[\w+, UTC\]", printed)
    assert re.search(r"responded_to +int64", printed)
    assert "token-refused]" in printed
