"""Findings: what was found, what the tap assumes, and what to set. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Mark(Enum):
    """A finding, compared with what the tap assumes. The value is what people read."""

    AS_ASSUMED = "as assumed"
    SETTLED = "different, and settled"
    OPEN = "different, and open"
    UNKNOWN = "could not tell"


@dataclass
class Finding:
    """The answer to one question. It begins as the question, and what the tap assumes; its methods say what was found.

    Attributes:
        assumed: What the tap assumes, in a sentence.
        facts: What was found, for programs: words, counts, types. A probe adds to them until it knows.
        is_private: Whether the sentences may have a part of an answer in them, so that only the facts go into a report for others.
        found: What was found, in a sentence.
        evidence: What shows it, in a few words. No customer's text, no name, no link.
        settings: Settings that settle it.
        advice: What to do, if it is not a setting.
    """

    question: str
    assumed: str
    facts: dict[str, Any] = field(default_factory=dict)
    is_private: bool = False
    mark: Mark = Mark.UNKNOWN
    found: str = ""
    evidence: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""

    def as_assumed(self, found: str, evidence: str = "") -> Finding:
        """The finding that all is as the tap assumes."""
        return replace(self, mark=Mark.AS_ASSUMED, found=found, evidence=evidence)

    def settled(self, found: str, evidence: str = "", **more: Any) -> Finding:
        """The finding that something differs, and that these settings, this advice or the tap itself settle it."""
        return replace(self, mark=Mark.SETTLED, found=found, evidence=evidence, **more)

    def open(self, found: str, advice: str, **more: Any) -> Finding:
        """The finding that something differs, and that nothing settles it yet."""
        return replace(self, mark=Mark.OPEN, found=found, advice=advice, **more)

    def unknown(self, why: str, advice: str = "") -> Finding:
        """The finding that a probe could not tell."""
        return replace(self, mark=Mark.UNKNOWN, found=why, advice=advice)


def settings_of(findings: Iterable[Finding]) -> dict[str, Any]:
    """The settings that all findings name, as one block. Where two name parts of one setting, both are in it."""
    result: dict[str, Any] = {}
    for finding in findings:
        for name, value in finding.settings.items():
            result[name] = _joined(result.get(name), value)
    return result


def _joined(old: Any, new: Any) -> Any:
    match old, new:
        case dict(), dict():
            return {name: _joined(old.get(name), new.get(name, old.get(name))) for name in [*old, *(new.keys() - old)]}
        case list(), list():
            return [*old, *(each for each in new if each not in old)]
        case int(), int() if not isinstance(old, bool):
            return min(old, new)
        case _:
            return new if new is not None else old


def is_settled(findings: Iterable[Finding]) -> bool:
    """True if all is as assumed, or settled."""
    return all(finding.mark in {Mark.AS_ASSUMED, Mark.SETTLED} for finding in findings)
