"""Keeps what coverage and mutmut have counted, module by module, for the tables of docs/proof.md.

    python tests/proof/measured.py coverage FILE
    python tests/proof/measured.py mutation FILE

The first file is what `coverage json` writes, the second what `mutmut results --all true` prints.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

FIGURES = Path(__file__).parents[2] / ".proof"
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


def mutation(text: str) -> list[dict[str, object]]:
    """How many mutants of each module the tests notice. A module of which not all have been tried has no row."""
    modules: dict[str, Counter[str]] = defaultdict(Counter)
    for module, outcome in RESULT.findall(text):
        modules[module][outcome] += 1
    rows: list[dict[str, object]] = []
    for module, outcomes in modules.items():
        if outcomes["not checked"]:
            continue
        count = outcomes.total()
        noticed = outcomes["killed"] + outcomes["timeout"] + outcomes["segfault"]
        row = {"mutants": count, "noticed": noticed, "survived": outcomes["survived"], "score": _share(noticed, count)}
        rows.append({"module": f"{module.replace('.', '/')}.py", **row})
    return rows


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


if __name__ == "__main__":
    table, file = sys.argv[1:]
    kept = {"coverage": coverage, "mutation": mutation}[table](Path(file).read_text(encoding="utf-8"))
    FIGURES.mkdir(exist_ok=True)
    lines = "".join(f"{json.dumps(row)}\n" for row in kept)
    (FIGURES / f"{table}.jsonl").write_text(lines, encoding="utf-8")
    print(lines, end="")
