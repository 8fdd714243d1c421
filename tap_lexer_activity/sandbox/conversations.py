"""Conversations: messages, the cases that they become, and surveys.

Each knows its whole future; the methods that take an instant, `at`, tell how it stands then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tap_lexer_activity.sandbox import people

OPEN_STATES = ("new", "assigned", "in_progress", "responded", "awaiting_approval")
CLOSED_STATES = ("redirected", "irrelevant", "duplicate", "closed", "no_response_required")
STATES = (*OPEN_STATES, *CLOSED_STATES)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A customer's message, and everything that happens to it. Times are instants.

    Attributes:
        private: Whether it came by a channel that others can't read.
        text: The customer's words.
        claimed: When an agent takes it; None: never.
        responded: When the agent responds; None: never.
        response: The agent's words.
        trajectory: Its workflow states, each with the instant at which it begins.
    """

    id: int
    account: str
    source: str
    private: bool
    username: str
    full_name: str
    text: str
    created: int
    agent_id: int | None
    claimed: int | None
    responded: int | None
    response: str
    agent_notes: str
    customer_note: str
    classifications: tuple[people.Classification, ...]
    trajectory: tuple[tuple[int, str], ...]

    def last_action(self, at: int) -> tuple[int, str]:
        """The latest change of state: when, and to which."""
        return next(step for step in reversed(self.trajectory) if step[0] <= at)

    def state(self, at: int) -> str:
        """The workflow state."""
        return self.last_action(at)[1]

    def agent(self, at: int) -> people.Agent | None:
        """The agent to whom it is assigned; None: nobody yet."""
        return people.AGENT_BY_ID[self.agent_id] if self.agent_id and self.is_claimed(at) else None

    def is_claimed(self, at: int) -> bool:
        """True once an agent has it."""
        return self.claimed is not None and self.claimed <= at

    def wait(self, at: int) -> int | None:
        """The customer's wait for the response, in microseconds; None without a response yet."""
        return self.responded - self.created if self.responded is not None and self.responded <= at else None

    def handling(self, at: int) -> int | None:
        """The agent's time from claim to response, in microseconds; None without a response yet."""
        if self.responded is None or self.claimed is None or self.responded > at:
            return None
        return self.responded - self.claimed

    def labels(self, at: int) -> tuple[people.Classification, ...]:
        """The classifications: set by the agent who claims it, or at once by a rule if no agent ever does."""
        return self.classifications if self.claimed is None or self.claimed <= at else ()

    @cached_property
    def settled(self) -> int:
        """The instant from which its case may close: that of its own closing, else of its response."""
        closed = [when for when, state in self.trajectory if state in CLOSED_STATES]
        return min(closed) if closed else self.responded or self.created


@dataclass(frozen=True, kw_only=True)
class Survey:
    """An NPS survey that was sent after a case.

    Attributes:
        sent: The instant at which it was sent.
        answered: The instant of the answer; None: never.
        score: From 0 to 10.
        answers: To the form's two questions.
        agent_id: The last agent who had responded.
    """

    form_id: int
    sent: int
    answered: int | None
    score: int
    comment: str
    answers: tuple[str, str]
    agent_id: int
    full_name: str

    @property
    def category(self) -> str:
        """The score's name: promoter (9, 10), passive (7, 8) or detractor (0 to 6)."""
        return "promoter" if self.score in {9, 10} else "passive" if self.score in {7, 8} else "detractor"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conversation to which an agent has responded.

    Attributes:
        closings: When it closes, each with the instant at which the customer's next word opens it again.
        survey: The survey sent after it; None: none was.
    """

    id: int
    messages: tuple[Message, ...]
    closings: tuple[tuple[int, int | None], ...]
    survey: Survey | None

    @property
    def opened(self) -> int:
        """The instant of the customer's first message, by which a case is dated."""
        return self.messages[0].created

    @cached_property
    def first_reply(self) -> int:
        """The instant of the first response: before it there is no case."""
        return min(message.responded for message in self.messages if message.responded is not None)

    def closed(self, at: int) -> int | None:
        """The instant of its end; None while it is open."""
        for when, reopened in reversed(self.closings):
            if when <= at:
                return None if reopened is not None and reopened <= at else when
        return None

    def replies(self, at: int) -> list[Message]:
        """Its messages that have a response, in the order of the responses."""
        answered = [(m.responded, m) for m in self.messages if m.responded is not None and m.responded <= at]
        return [message for _, message in sorted(answered, key=lambda pair: pair[0])]

    def agents(self, at: int) -> list[people.Agent]:
        """The agents who responded, each once, the earliest first."""
        return list({m.agent_id: people.AGENT_BY_ID[m.agent_id] for m in self.replies(at) if m.agent_id}.values())


@dataclass(frozen=True)
class Conversation:
    """Messages of one customer on one matter, and their case, if there is one."""

    messages: tuple[Message, ...]
    case: Case | None = None
