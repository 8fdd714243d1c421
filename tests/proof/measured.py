"""Keeps what coverage and mutmut have counted, module by module, for the tables of docs/proof.md.

    python tests/proof/measured.py coverage FILE
    python tests/proof/measured.py mutation FILE

The first file is what `coverage json` writes, the second what `mutmut results --all true` prints. All mutants take hours, so modules may be
tried one by one: the others keep the figures that they have on the page, and one that has none is left out.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / ".proof"
DOCUMENT = ROOT / "docs" / "proof.md"
COUNTED = re.compile(
    r"^\| (tap_lexer_activity/\S+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+ %) \|$", re.MULTILINE
)
RESULT = re.compile(r"^ *(tap_lexer_activity(?:\.\w+?)+)\.x[_ǁ]\S*: (.+)$", re.MULTILINE)


def coverage(text: str) -> list[dict[str, object]]:
    """How many lines and branches each module has, and the share of each that the tests reach."""
    rows = []
    for path, found in json.loads(text)["files"].items():
        total = found["summary"]
        rows.append(
            {
                "module": path,
                "lines": total["num_statements"],
                "of them reached": _share(total["covered_lines"], total["num_statements"]),
                "branches": total["num_branches"],
                "reached": _share(total["covered_branches"], total["num_branches"]),
            }
        )
    return rows


def mutated() -> list[str]:
    """The modules that mutation changes, sorted."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    files = {file for pattern in settings["tool"]["mutmut"]["only_mutate"] for file in ROOT.glob(pattern)}
    return sorted(file.relative_to(ROOT).as_posix() for file in files if file.name != "__init__.py")


def mutation(text: str, page: str) -> list[dict[str, object]]:
    """How many mutants of each module the tests notice. One of which not all have been tried keeps what the page says of it.

    Args:
        text: What mutmut prints.
        page: docs/proof.md as it is.
    """
    modules: dict[str, Counter[str]] = defaultdict(Counter)
    for module, outcome in RESULT.findall(text):
        modules[f"{module.replace('.', '/')}.py"][outcome] += 1
    known = {
        module: [*(int(count.replace(",", "")) for count in counts), score]
        for module, *counts, score in COUNTED.findall(page)
    }
    rows: list[dict[str, object]] = []
    for module in mutated():
        outcomes = modules[module]
        figures = known.get(module)
        if outcomes and not outcomes["not checked"]:
            noticed = outcomes["killed"] + outcomes["timeout"] + outcomes["segfault"]
            figures = [outcomes.total(), noticed, outcomes["survived"], _share(noticed, outcomes.total())]
        columns = ("mutants", "noticed", "survived", "score")
        if figures:
            rows.append({"module": module, **dict(zip(columns, figures, strict=True))})
    return rows


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


if __name__ == "__main__":
    table, file = sys.argv[1:]
    text = Path(file).read_text(encoding="utf-8")
    kept = coverage(text) if table == "coverage" else mutation(text, DOCUMENT.read_text(encoding="utf-8"))
    FIGURES.mkdir(exist_ok=True)
    lines = "".join(f"{json.dumps(row)}\n" for row in kept)
    (FIGURES / f"{table}.jsonl").write_text(lines, encoding="utf-8")
    print(lines, end="")
