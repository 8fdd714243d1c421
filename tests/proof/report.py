"""Writes the tables of docs/proof.md from what the proofs have kept.

    python tests/proof/report.py

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. One of which nothing has been kept stays as it is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / ".proof"
DOCUMENT = ROOT / "docs" / "proof.md"
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = dict[str, object]


def kept(folder: Path) -> dict[str, list[Row]]:
    """The rows of each table, by their names. What several with one name have in a column is the last that is not empty."""
    tables: dict[str, list[Row]] = defaultdict(list)
    for file in sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime):
        lines = file.read_text(encoding="utf-8").splitlines()
        tables[file.name.split(".")[0]] += map(json.loads, lines)
    return {table: merged(rows) for table, rows in tables.items()}


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row for each name, which is what a row has first, sorted."""
    found: dict[str, Row] = {}
    for row in rows:
        mine = found.setdefault(str(next(iter(row.values()))), dict(row))
        mine.update({column: value for column, value in row.items() if value != ""})
    return [found[name] for name in sorted(found)]


def markdown(rows: list[Row]) -> str:
    """A table. Its columns are those of all rows, in the order in which they first come."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numbers = {
        column for column in columns if all(isinstance(row.get(column) or 0, int | float) for row in rows)
    }  # or nothing, where nothing was counted
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join("---:" if c in numbers else "---" for c in columns) + "|",
    ]
    lines += ["| " + " | ".join(_cell(row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    return shown.replace("|", "\\|").replace("\n", " ")


def filled(document: str, tables: dict[str, list[Row]]) -> str:
    """The document with its tables made anew.

    Raises:
        KeyError: There are rows of a table that the document has no place for.
    """
    if missing := tables.keys() - {found[1] for found in TABLE.findall(document)}:
        message = f"{DOCUMENT.name} has no place for {', '.join(sorted(missing))}"
        raise KeyError(message)
    return TABLE.sub(
        lambda found: (
            found[1]
            + (markdown(tables[found[2]]) if found[2] in tables else found[0][len(found[1]) : -len(found[3])])
            + found[3]
        ),
        document,
    )


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8"), kept(FIGURES)), encoding="utf-8")
