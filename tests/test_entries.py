"""Every error and warning ends with the address of its entry in docs/troubleshooting.md, as in `[see: export-timeout]`."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tap_lexer_activity
from tap_lexer_activity.errors import see_last, without_see

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Tap
    from support.types import CatalogOf

    from tap_lexer_activity.sandbox import Sandbox

PACKAGE = Path(tap_lexer_activity.__file__).parent
PAGE = (Path(__file__).parents[1] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
NO_TROUBLE = frozenset({"accepted-differences", "next-try", "quota-wait", "streams-summary"})
"""Entries of lines that every run may have, and that nobody has to look up."""
SEE = re.compile(r"\[see: ([a-z0-9-]+)\]")

OF_ITS_CAUSE = {
    "AttributeError": "a slip in a program, in the words that Python has for it",
    "_DuplicateKeyError": "parse_json says it",
    "_UnencryptedError": "the downloader says it",
    "_UnusableStateError": "its class says it",
    "ContradictionError": "http/reasons.py says it",
    "EndOfRun": "its lines are those of the errors",
    "MapFailedError": "its own sentence has it",
    "NotAllowedError": "run/refusals.py adds the advice",
    "PermissionError": "the quota is counted alone then, and a warning says so",
    "RefusedAheadError": "its turn asks again",
    "RefusedRedirectError": "lexer/client.py says it",
    "StdoutError": "the command says it",
    "TimelessError": "the whole window is asked for then",
    "TimeoutError": "http/reasons.py says it",
    "ValueError": "a label that can't be read",
}
"""Exceptions that others put into sentences of their own."""


def texts(node: ast.AST) -> Iterator[str]:
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def sentences(function: ast.FunctionDef, call: ast.Call) -> tuple[list[str], bool]:
    """The texts that an error is made of, and whether it goes on from another error, or from a sentence that was handed in."""
    found = list(texts(call))
    names = {each.id for each in ast.walk(call) if isinstance(each, ast.Name)}
    for each in ast.walk(function):
        target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
        if isinstance(each, ast.Assign | ast.AugAssign) and isinstance(target, ast.Name) and target.id in names:
            found += texts(each.value)
            names |= {part.id for part in ast.walk(each.value) if isinstance(part, ast.Name)}
    arguments = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}
    caught = {each.name for each in ast.walk(function) if isinstance(each, ast.ExceptHandler)}
    return found, bool(names & (caught | (arguments & {"said", "otherwise", "what_came", "msg", "error"})))


def raised() -> Iterator[tuple[str, str, list[str], bool]]:
    """Where an error is made, its class, its texts, and whether some are handed in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(("sandbox/", "doctor/")):  # the doctor puts errors into its own report
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args:
                    name = call.func.id
                    if name.endswith("Error") or name == "EndOfRun":
                        yield f"{place}:{call.lineno}", name, *sentences(function, call)


def test_every_error_names_an_entry() -> None:
    found = list(raised())
    assert len(found) > 100
    nameless = [
        (place, said)
        for place, name, said, is_handed in found
        if name not in OF_ITS_CAUSE
        and not is_handed
        and not any(map(SEE.search, said))
        and any(len(text.split()) > 2 for text in said)
    ]
    assert nameless == []


def named() -> set[str]:
    """The addresses that the code names."""
    return {name for path in PACKAGE.rglob("*.py") for name in SEE.findall(path.read_text(encoding="utf-8"))}


def test_every_address_in_the_code_is_an_entry_and_every_entry_is_in_the_code() -> None:
    assert len(set(ENTRIES)) == len(ENTRIES)
    assert named() == set(ENTRIES) - NO_TROUBLE


def test_settings_that_make_no_sense_name_their_entry() -> None:
    """They are lines that begin with the setting, and are raised elsewhere."""
    for name in ("checks", "dates", "first_contact"):
        tree = ast.parse((PACKAGE / "settings" / f"{name}.py").read_text(encoding="utf-8"))
        joined = [list(texts(node)) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        said = [parts for parts in joined if len(" ".join(parts).split()) > 3 and any(": " in part for part in parts)]
        assert said
        assert [parts for parts in said if not any(map(SEE.search, parts))] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [see: one]", "a [see: one]"),
        ("a [see: one]. b", "a. b [see: one]"),
        ("a [see: one]. b [see: two]", "a. b [see: one, two]"),
        ("a. b [see: one, two] [see: one]", "a. b [see: one, two]"),
        ("a: b ([see: one])", "a: b () [see: one]"),
        ("nothing to see", "nothing to see"),
    ],
)
def test_addresses_go_to_the_end_once_each(text: str, expected: str) -> None:
    assert see_last(text) == expected
    assert see_last(see_last(text)) == expected
    assert "[see:" not in without_see(text)


@pytest.mark.parametrize(
    ("fault", "entries"),
    [("unknown_shape", "answer-undocumented, window-not-answered"), ("bad_request", "lexer-says, window-not-answered")],
)
def test_the_lines_of_a_stream_that_fails_end_with_its_entries(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str, entries: str
) -> None:
    sandbox.fault(fault, "summary", times=None)
    run = tap.run(sandbox.config(start_date="2026-04-30"), catalog=catalog_of("summary"))
    assert run.code == 1
    assert run.see == [entries, entries], "where it fails, and at the end of the run"


def test_the_line_of_a_setting_ends_with_its_entry(tap: Tap) -> None:
    run = tap.run({"api_token": "a-token", "start_date": "2026-01-01", "timezone": "Nowhere"})
    assert (run.code, run.see) == (1, ["zone-unknown"])
