"""What is left out of other people's tests is left out with a reason, and docs/proof.md gives it. What it counts is never of a sample."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from proof import test_faults, test_secrets
from proof.measured import mutated, mutation
from proof.report import DOCUMENT, filled, markdown, merged
from proof.suites import CHECKS, FILES, LEFT_OUT, left_out

PROOF = Path(__file__).with_name("proof")


def written_in(file: str) -> list[str]:
    """The names of a file's tests, with their class if they have one."""
    found = []
    for node in ast.parse((PROOF / file).read_text(encoding="utf-8")).body:
        prefix, inner = (f"{node.name}.", node.body) if isinstance(node, ast.ClassDef) else ("", [node])
        found += [f"{prefix}{part.name}" for part in inner if isinstance(part, ast.FunctionDef)]
    return [name for name in found if name.rpartition(".")[2].startswith("test_")]


@pytest.mark.parametrize("file", [file for file, suite in FILES.items() if suite in CHECKS])
def test_every_check_of_a_suite_is_mirrored_by_its_name_or_left_out_with_a_reason(file: str) -> None:
    checks, reasons = CHECKS[FILES[file]], LEFT_OUT[FILES[file]]
    assert sorted(written_in(file)) == sorted(name for name in checks if name not in reasons)


def test_the_page_has_every_check_that_is_left_out_and_the_reason() -> None:
    assert markdown(left_out()) in DOCUMENT.read_text(encoding="utf-8")


def test_the_page_has_the_faults_and_the_ways_to_leak_that_are_tried() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    tables = {
        "faults": merged(map(test_faults.row_of, test_faults.CELLS)),
        "fault_cells": [test_faults.counted()],
        "secrets": merged(row for row, _ in test_secrets.groups(is_long=True)),
    }
    assert filled(page, tables) == page, "run the long proofs again, for their tables are of other ones"


def test_the_page_has_no_module_that_mutation_does_not_change() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- table: mutation -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert set(re.findall(r"^\| (tap\S+)", table, re.MULTILINE)) <= set(mutated())


def test_a_module_keeps_its_figures_until_all_of_its_mutants_have_been_tried_again() -> None:
    names = ["shapes.x_check__mutmut_1", "shapes.x_check__mutmut_2", "streams.base.xǁLexerStreamǁchecked__mutmut_1"]
    outcomes = ["killed", "survived", "killed"]
    tried = [f"    tap_lexer_activity.{name}: {outcome}" for name, outcome in zip(names, outcomes, strict=True)]
    tried += [
        "    tap_lexer_activity.windows.x_floor__mutmut_1: killed",
        "    tap_lexer_activity.windows.x_floor__mutmut_2: not checked",
    ]
    page = "| tap_lexer_activity/windows.py | 1,545 | 523 | 22 | 96.0 % |\n| tap_lexer_activity/shapes.py | 9 | 9 | 0 | 100.0 % |\n"
    rows = {row.pop("module"): tuple(row.values()) for row in mutation("\n".join(tried), page)}
    assert rows.pop("tap_lexer_activity/shapes.py") == (2, 1, 1, "50.0 %")
    assert rows.pop("tap_lexer_activity/streams/base.py") == (1, 1, 0, "100.0 %")
    assert rows.pop("tap_lexer_activity/windows.py") == (1545, 523, 22, "96.0 %")
    assert not rows, "of the others nothing is known"


def test_no_table_of_the_page_is_empty() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    assert "<!-- table: " in page
    assert re.findall(r"<!-- table: (\w+) -->\n<!-- end -->", page) == []


def test_what_a_sample_counts_is_not_kept_for_the_page() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "--figures", __file__]
    done = subprocess.run(command, capture_output=True, check=False, cwd=PROOF.parents[1], text=True, timeout=120)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--figures needs --long" in done.stderr
