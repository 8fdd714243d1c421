"""The evidence of all probes: questions, and their answers so far."""

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
    from tap_lexer_activity.doctor.jobs import JobSeen
    from tap_lexer_activity.doctor.seen import Seen
    from tap_lexer_activity.doctor.situation import Situation

NOT_ASKED: Final = Answer(said="not asked", was_asked=False)
OTHER_MONTH: Final = "Ask about other days with --doctor-from DATE"


@dataclass(frozen=True)
class Evidence:
    """All that is known so far.

    Attributes:
        send: Sends a question that has no answer yet. `None`: nothing more is asked.
    """

    situation: Situation
    answers: Mapping[Ask, Answer] = field(default_factory=dict)
    polls: Sequence[Answer] = ()
    jobs: Mapping[str, JobSeen] = field(default_factory=dict)
    send: Callable[[Ask], Answer] | None = None
    _series: dict[Ask, Seen | None] = field(default_factory=dict, compare=False, repr=False)

    def ask(self, ask: Ask) -> Answer:
        """The answer to a question, which is sent if nobody has asked it yet."""
        return self.of(ask) if ask in self.answers or self.send is None else self.send(ask)

    def of(self, ask: Ask) -> Answer:
        """The answer to a question, if it has been asked."""
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
