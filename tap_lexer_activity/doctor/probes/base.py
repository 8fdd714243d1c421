"""The base of all probes: the evidence, and the finding of one that could not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.doctor.asking import Answer
from tap_lexer_activity.doctor.seen import rows_of, see_series
from tap_lexer_activity.doctor.situation import range_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from tap_lexer_activity.doctor.asking import Ask
    from tap_lexer_activity.doctor.findings import Finding
    from tap_lexer_activity.doctor.jobs import JobSeen
    from tap_lexer_activity.doctor.seen import Seen
    from tap_lexer_activity.doctor.situation import Situation

NOT_ASKED: Final = Answer(said="not asked", was_asked=False)
OTHER_MONTH: Final = "Ask about other days with --doctor-from DATE"


@dataclass(frozen=True)
class Evidence:
    """All that is known so far."""

    situation: Situation
    answers: Mapping[Ask, Answer] = field(default_factory=dict)
    polls: Sequence[Answer] = ()
    jobs: Mapping[str, JobSeen] = field(default_factory=dict)
    _series: dict[Ask, Seen | None] = field(default_factory=dict, compare=False, repr=False)

    def of(self, ask: Ask) -> Answer:
        """The answer to a question."""
        return self.answers.get(ask, NOT_ASKED)

    def series(self, ask: Ask) -> Seen | None:
        """The series that answers a question, if it is one that can be read."""
        answer = self.of(ask)
        if answer.is_fine and ask not in self._series:
            self._series[ask] = see_series(ask.type, answer.content, range_of(ask))
        return self._series.get(ask)

    def rows(self, ask: Ask) -> list[dict[str, Any]]:
        """The rows of an answer; none if it has none."""
        answer = self.of(ask)
        return (rows_of(ask.type, answer.content) or []) if answer.is_fine else []


@dataclass(frozen=True)
class Probe:
    """A probe.

    Attributes:
        asks: The questions that it has, given what is known so far. More may follow from their answers.
        judge: What it finds.
    """

    name: str
    asks: Callable[[Evidence], Sequence[Ask]]
    judge: Callable[[Evidence], list[Finding]]
