"""Findings: what was found, what the tap assumes, and what to set. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer to one question.

    Attributes:
        question: The question, as the heading of its section.
        mark: How it stands to what the tap assumes.
        found: What was found, in a sentence.
        assumed: What the tap assumes, in a sentence.
        evidence: What shows it, in a few words. No customer's text, no name, no link.
        settings: Settings that settle it.
        advice: What to do, if it is not a setting.
        facts: The same for programs: words, counts, types.
        is_private: Whether the sentences may have a part of an answer in them, so that only the facts go into a report for others.
    """

    question: str
    mark: Mark
    found: str
    assumed: str
    evidence: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_private: bool = False


@dataclass
class Topic:
    """A question of a probe, and what the tap assumes: its findings are made here.

    Attributes:
        question: The question, as the heading of its section.
        assumed: What the tap assumes, in a sentence.
        facts: What goes into the findings from now on, for programs.
    """

    question: str
    assumed: str
    facts: dict[str, Any] = field(default_factory=dict)
    is_private: bool = False

    def as_assumed(self, found: str, evidence: str = "") -> Finding:
        """The finding that all is as the tap assumes."""
        return self._finding(Mark.AS_ASSUMED, found, evidence=evidence)

    def settled(
        self, found: str, evidence: str = "", *, settings: Mapping[str, Any] | None = None, advice: str = ""
    ) -> Finding:
        """The finding that something differs, and that these settings, this advice or the tap itself settle it."""
        return self._finding(Mark.SETTLED, found, evidence=evidence, settings=settings or {}, advice=advice)

    def open(
        self, found: str, advice: str, *, evidence: str = "", settings: Mapping[str, Any] | None = None
    ) -> Finding:
        """The finding that something differs, and that nothing settles it yet."""
        return self._finding(Mark.OPEN, found, evidence=evidence, settings=settings or {}, advice=advice)

    def unknown(self, why: str, advice: str = "") -> Finding:
        """The finding that a probe could not tell."""
        return self._finding(Mark.UNKNOWN, why, advice=advice)

    def _finding(self, mark: Mark, found: str, **more: Any) -> Finding:
        return Finding(
            question=self.question,
            mark=mark,
            found=found,
            assumed=self.assumed,
            facts=dict(self.facts),
            is_private=self.is_private,
            **more,
        )


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
