"""docs/architecture.md against the code: its floors, its files and its example; and no file or class that is too long to read."""

from __future__ import annotations

import ast
import logging
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tap_lexer_activity
from tap_lexer_activity.run.events import Block, ReadUpTo
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.sync.engine import Engine

if TYPE_CHECKING:
    from tap_lexer_activity.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
PACKAGE = Path(tap_lexer_activity.__file__).parent
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MOST_LINES = 350
MOST_LINES_OF_A_CLASS = 250


def test_the_floors_are_those_that_the_lint_session_holds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (floors,) = (contract for contract in project["tool"]["importlinter"]["contracts"] if contract["type"] == "layers")
    table = re.findall(r"^\| (`\w+`(?: `\w+`)*) \|", TEXT, re.MULTILINE)
    assert [set(re.findall(r"\w+", row)) for row in table] == [
        set(re.findall(r"\w+", layer)) for layer in floors["layers"] if not layer.startswith("(")
    ]


def test_every_file_that_is_named_exists() -> None:
    named = {name for name in re.findall(r"`([\w./-]+)`", TEXT) if "/" in name or re.search(r"\.(py|ya?ml|md)$", name)}
    assert len(named) > 40
    assert sorted(name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()) == []


def test_the_engine_can_be_read_as_in_the_example(sandbox: Sandbox) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {
        each.__name__: each for each in (Block, Engine, ReadUpTo, Run, datetime, parse_settings)
    } | {"UTC": UTC, "logging": logging}
    names |= {"config": sandbox.config(start_date="2026-04-28"), "bookmarks": {}, "rows": []}
    exec(example, names)  # noqa: S102 (that it runs is what is tested)
    assert names["run"].progress.failures == []
    assert {stream for stream, _ in names["rows"]} == {"summary", "case_details"}
    assert names["bookmarks"].keys() == {("summary", None), ("case_details", None)}
    assert len(names["rows"][0][1]) > 10


def test_no_file_and_no_class_is_too_long_to_read() -> None:
    texts = {file.relative_to(PACKAGE).as_posix(): file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py")}
    lines = {name: len(text.splitlines()) for name, text in texts.items()}
    classes = {
        f"{name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    assert {name: count for name, count in classes.items() if count > MOST_LINES_OF_A_CLASS} == {}
