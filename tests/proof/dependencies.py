"""Writes the table of docs/dependencies.md: what is installed along with the tap, and under which licences.

    python tests/proof/dependencies.py

It lists what the environment has of the tap's dependencies, and of theirs. `uvx nox -s audit` runs it with the tested versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DOCUMENT = Path(__file__).parents[2] / "docs" / "dependencies.md"
CLASSIFIED = {"Python Software Foundation License": "PSF-2.0"}
"""Licences that a package names by a classifier only, as SPDX names them."""

HEADINGS = "| package | version | licence | wanted by |\n|---|---|---|---|\n"


@dataclass(frozen=True, order=True)
class Dependency:
    """A distribution that is installed."""

    name: str
    version: str
    licence: str
    wanted_by: tuple[str, ...]


def dependencies(root: str = "tap-lexer-activity") -> list[Dependency]:
    """All that a distribution needs here, and what that needs, by name."""
    wanted_by: dict[str, set[str]] = {}
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        of_it = distribution(name)
        found[canonicalize_name(name)] = of_it
        for text in of_it.requires or ():
            needed = Requirement(text)
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                continue
            wanted_by.setdefault(canonicalize_name(needed.name), set()).add(canonicalize_name(name))
            node = (needed.name, frozenset(needed.extras))
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return sorted(
        Dependency(name, its_own.version, licence(its_own), tuple(sorted(wanted_by[name])))
        for name, its_own in found.items()
        if name != root
    )


def licence(of: Distribution) -> str:
    """What its metadata say: as an expression, as a short text, or by a classifier."""
    metadata = of.metadata
    for field in ("License-Expression", "License"):
        for text in metadata.get_all(field, []):
            if text and "\n" not in text:
                return str(text)
    names = [text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier", []) if text.startswith("License")]
    return " AND ".join(CLASSIFIED.get(name, name) for name in names)


def with_table(text: str, found: list[Dependency]) -> str:
    """The page with its table made anew."""
    rows = [f"| {each.name} | {each.version} | {each.licence} | {', '.join(each.wanted_by)} |\n" for each in found]
    return text.partition(HEADINGS)[0] + HEADINGS + "".join(rows)


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8"), dependencies()), encoding="utf-8")
