"""A deterministic contact centre: messages, cases and surveys. Nothing here knows of HTTP or of reports.

Instants are integers, microseconds since 1970-01-01T00:00:00Z: exact, quick to compare, and the same everywhere.
A day's content follows from the seed, the zone, the size and the date alone; it never depends on a clock or on the
range asked for. What has not happened yet at an instant is hidden by the methods that take `at`.

Whatever a conversation does (claims, responses, changes of state, reopenings, its case's end) is over within `SETTLED`
of its first message: a report of a day is final six days after that day.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tap_lexer_activity.sandbox import people

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SETTLED = 6 * DAY
INACTIVITY = 24 * HOUR
"""A case closes after this long without a word from either side."""

OPEN_STATES = ("new", "assigned", "in_progress", "responded", "awaiting_approval")
CLOSED_STATES = ("redirected", "irrelevant", "duplicate", "closed", "no_response_required")
STATES = (*OPEN_STATES, *CLOSED_STATES)

QUIET_DAYS = frozenset({(1, 1), (1, 26), (4, 25), (6, 9), (8, 18), (10, 6), (12, 25), (12, 26)})
"""Months and days on which no customer writes."""

WEEKDAY_LOAD = (1.25, 1.2, 1.15, 1.1, 1.1, 0.65, 0.55)
"""Messages per weekday, Monday first; the mean is 1."""

MESSAGES_PER_CONVERSATION = 1.15
"""Turns the wanted messages a day into conversations a day."""

# The ways of a message, with their weights. A stuck message stays in the state it is named for.
ANSWERED = {"closed": 44, "responded": 9, "approved": 6, "reclassified": 3}
UNANSWERED = {"redirected": 6, "irrelevant": 9, "duplicate": 5, "no_response_required": 8, "closed_unanswered": 3}
STUCK = {"new": 2, "assigned": 2, "in_progress": 2, "awaiting_approval": 1}
WAYS = {**ANSWERED, **UNANSWERED, **STUCK}
FINAL_WAYS = ("closed", "responded", "redirected", "irrelevant", "duplicate", "no_response_required", *STUCK)
"""One way per documented state. The first message of the n-th of a month goes the n-th way: no month lacks a state."""


def instant(moment: datetime) -> int:
    """Count the microseconds since 1970 of an aware moment."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """Turn an instant into a moment in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def find_zone(name: str) -> ZoneInfo:
    """Look up an IANA zone.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        msg = f"unknown timezone {name!r}: use an IANA name such as Australia/Sydney"
        raise ValueError(msg) from None


@dataclass(frozen=True, kw_only=True)
class Message:
    """What a customer wrote, and everything that ever happens to it."""

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
        """Find the latest change of state: when, and to which."""
        return next(step for step in reversed(self.trajectory) if step[0] <= at)

    def state(self, at: int) -> str:
        """Name the workflow state."""
        return self.last_action(at)[1]

    def agent(self, at: int) -> people.Agent | None:
        """Find the agent to whom it is assigned, if any yet."""
        return people.AGENT_BY_ID[self.agent_id] if self.agent_id and self.is_claimed(at) else None

    def is_claimed(self, at: int) -> bool:
        """Tell whether an agent has it."""
        return self.claimed is not None and self.claimed <= at

    def wait(self, at: int) -> int | None:
        """Measure the customer's wait for the response, in microseconds; None without a response yet."""
        return self.responded - self.created if self.responded is not None and self.responded <= at else None

    def handling(self, at: int) -> int | None:
        """Measure the agent's time from claim to response, in microseconds; None without a response yet."""
        if self.responded is None or self.claimed is None or self.responded > at:
            return None
        return self.responded - self.claimed

    def labels(self, at: int) -> tuple[people.Classification, ...]:
        """List the classifications: set by the agent who claims it, by a rule at once where nobody ever does."""
        return self.classifications if self.claimed is None or self.claimed <= at else ()

    @cached_property
    def settled(self) -> int:
        """The instant from which its case may close: it is closed then, or never will be and has its response."""
        closed = [when for when, state in self.trajectory if state in CLOSED_STATES]
        return min(closed) if closed else self.responded or self.created


@dataclass(frozen=True, kw_only=True)
class Survey:
    """An NPS survey that was sent after a case."""

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
    """A conversation to which an agent has responded."""

    id: int
    messages: tuple[Message, ...]
    closings: tuple[tuple[int, int | None], ...]
    """When it closes, and when the customer's next word opens it again."""
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
        """Find the instant of its end, or None while it is open."""
        for when, reopened in reversed(self.closings):
            if when <= at:
                return None if reopened is not None and reopened <= at else when
        return None

    def replies(self, at: int) -> list[Message]:
        """List the messages that have a response, in the order of the responses."""
        answered = [(m.responded, m) for m in self.messages if m.responded is not None and m.responded <= at]
        return [message for _, message in sorted(answered, key=lambda pair: pair[0])]

    def agents(self, at: int) -> list[people.Agent]:
        """List the agents who responded, each once, the earliest first."""
        return list({m.agent_id: people.AGENT_BY_ID[m.agent_id] for m in self.replies(at) if m.agent_id}.values())


@dataclass(frozen=True)
class Conversation:
    """Messages of one customer on one matter, and the case that came of them."""

    messages: tuple[Message, ...]
    case: Case | None = None


class Ledger:
    """Everything that ever happened in the contact centre."""

    def __init__(
        self,
        timezone: str = "Australia/Sydney",
        *,
        history_start: date,
        messages_per_day: int = 40,
        seed: str = "lexer",
    ) -> None:
        """Prepare an empty book; days are written when they are first asked for.

        Args:
            timezone: The account's IANA zone; its calendar dates are the ledger's days.
            history_start: The first local date with customers.
            messages_per_day: The mean.
            seed: The same seed gives the same contact centre.
        """
        self.zone = find_zone(timezone)
        self.history_start = history_start
        self.messages_per_day = messages_per_day
        self.seed = seed
        self._days: dict[date, tuple[Conversation, ...]] = {}

    def midnight(self, day: date) -> int:
        """Find the first instant of a local date."""
        return instant(datetime(day.year, day.month, day.day, tzinfo=self.zone))

    def local_date(self, at: int) -> date:
        """Name the local date of an instant."""
        return moment(at).astimezone(self.zone).date()

    def day(self, day: date) -> tuple[Conversation, ...]:
        """Return the conversations that begin on a local date."""
        if day not in self._days:
            self._days[day] = tuple(_DayWriter(self, day).conversations()) if day >= self.history_start else ()
        return self._days[day]

    def conversations(self, start: int, end: int) -> Iterator[Conversation]:
        """Iterate over the conversations with any life in `[start, end)`, and perhaps some more."""
        earliest = self.midnight(self.history_start)
        day, last = self.local_date(max(start - SETTLED, earliest)), self.local_date(max(end, earliest))
        while day <= last:
            yield from self.day(day)
            day += timedelta(days=1)

    def messages(self, start: int, end: int, at: int) -> list[Message]:
        """List the messages created in `[start, end)` that exist at an instant, by creation."""
        end = min(end, at + 1)
        found = [
            message
            for conversation in self.conversations(start, end)
            for message in conversation.messages
            if start <= message.created < end
        ]
        return sorted(found, key=lambda message: (message.created, message.id))

    def cases(self, start: int, end: int, at: int) -> list[Case]:
        """List the cases that exist at an instant and whose life may touch `[start, end)`, by opening."""
        found = [
            case
            for conversation in self.conversations(start, min(end, at + 1))
            if (case := conversation.case) and case.first_reply <= at
        ]
        return sorted(found, key=lambda case: (case.opened, case.id))

    def surveys(self, form_id: int, start: int, end: int, at: int) -> list[Survey]:
        """List a form's surveys sent by an instant, with a chance to be sent or answered in `[start, end)`."""
        conversations = self.conversations(start - SETTLED, min(end, at + 1))
        surveys = (conversation.case.survey for conversation in conversations if conversation.case)
        return [survey for survey in surveys if survey and survey.form_id == form_id and survey.sent <= at]


class _DayWriter:
    """Writes the conversations that begin on one local date.

    Only sums and products of `random()` are used, no logarithm or power: those may differ in the last bit between
    machines.
    """

    def __init__(self, ledger: Ledger, day: date) -> None:
        self.ledger = ledger
        self.day = day
        self.random = random.Random(f"{ledger.seed}:{day}")  # noqa: S311 a seeded generator is the point
        self.next_id = day.toordinal() * 1_000_000

    def conversations(self) -> Iterator[Conversation]:
        """Write the whole day."""
        mean = self.ledger.messages_per_day / MESSAGES_PER_CONVERSATION * WEEKDAY_LOAD[self.day.weekday()]
        count = round(mean * (0.75 + 0.5 * self.random.random()))
        if (self.day.month, self.day.day) in QUIET_DAYS:
            return
        start = self.ledger.midnight(self.day)
        length = self.ledger.midnight(self.day + timedelta(days=1)) - start
        for index in range(count):
            created = start + int(self.time_of_day() * length) // SECOND * SECOND
            way = FINAL_WAYS[self.day.day % len(FINAL_WAYS)] if index == 0 else self.pick(WAYS)
            first = self.message(created, way)
            yield self.conversation(first) if way in ANSWERED else Conversation((first,))
            if self.chance(0.005):  # now and then somebody sends twice
                yield Conversation((self.message(created, "duplicate", like=first),))

    def conversation(self, first: Message) -> Conversation:
        """Let an answered message go on: follow-ups, perhaps after the case has closed, and a survey."""
        messages = [first]
        if self.chance(0.18):  # the share of customers who write again
            messages = list(self.follow_ups(first))
        closings = tuple(_closings(messages))
        case = Case(
            id=messages[0].id,
            messages=tuple(messages),
            closings=closings,
            survey=self.survey(messages, closings[0][0]) if self.chance(0.6) else None,
        )
        return Conversation(case.messages, case)

    def follow_ups(self, first: Message) -> Iterator[Message]:
        """Write the first message anew, in a hurry (all must settle in time), and one or two after it."""
        last = self.message(first.created, "closed", hurry=True, like=first)
        yield last
        may_reopen = True
        for _ in range(1 + (self.chance(0.3))):
            said = last.responded or last.created
            reopens = may_reopen and self.chance(0.4)
            may_reopen = may_reopen and not reopens
            gap = INACTIVITY + self.skewed(HOUR, 30 * HOUR) if reopens else self.skewed(10 * MINUTE, 20 * HOUR)
            created = (said + gap) // SECOND * SECOND
            local = self.ledger.local_date(created)
            if (local.month, local.day) in QUIET_DAYS:
                return
            last = self.message(created, "closed", hurry=True, like=first, again=True)
            yield last

    def message(
        self, created: int, way: str, *, hurry: bool = False, like: Message | None = None, again: bool = False
    ) -> Message:
        """Write one message and its future.

        Args:
            created: When the customer published it.
            way: What becomes of it, of `WAYS`.
            hurry: Keep every delay short.
            like: A message of the same customer at the same place, with the same text unless `again`.
            again: It is a later word on the same matter.
        """
        account, source, private = self.random.choice(people.SOURCES)
        username, full_name = self.random.choice(people.CUSTOMERS)
        text = self.random.choice(people.CUSTOMER_TEXTS)
        if like:
            account, source, private = like.account, like.source, like.private
            username, full_name = like.username, like.full_name
            text = text if again else like.text
        claimed: int | None = created + self.skewed(MINUTE, 8 * HOUR if hurry else 30 * HOUR)
        worked = self.skewed(5 * SECOND, 4 * HOUR if hurry else 10 * HOUR, bends=6)
        closing = self.skewed(MINUTE, 20 * HOUR if hurry else 40 * HOUR)
        ruled = way in UNANSWERED and self.chance(0.4)  # by an automation rule, no agent
        if way == "new" or ruled:
            claimed = None
        trajectory = tuple(_trajectory(created, way, claimed, worked, closing))
        answered = way in ANSWERED and claimed is not None
        self.next_id += 1
        return Message(
            id=self.next_id,
            account=account,
            source=source,
            private=private,
            username=username,
            full_name=full_name,
            text=text,
            created=created,
            agent_id=self.pick(dict(people.AGENT_LOAD)) if claimed is not None else None,
            claimed=claimed,
            responded=claimed + worked if answered and claimed is not None else None,
            response=self.random.choice(people.AGENT_TEXTS) if answered else "",
            agent_notes=self.random.choice(people.AGENT_NOTES),
            customer_note=self.random.choice(people.CUSTOMER_NOTES),
            classifications=self.classifications(),
            trajectory=trajectory,
        )

    def survey(self, messages: list[Message], closed: int) -> Survey:
        """Send a survey some minutes after a case first closed."""
        sent = closed + self.skewed(5 * MINUTE, 90 * MINUTE)
        form_id = self.random.choice(people.NPS_FORM_IDS)
        answered = sent + self.skewed(MINUTE, 3 * DAY) if self.chance(0.5) else None
        first, second = (self.random.choice(answers) for _, answers in people.QUESTIONS[form_id])
        responders = [message for message in messages if message.responded and message.responded <= sent]
        return Survey(
            form_id=form_id,
            sent=sent,
            answered=answered,
            score=self.pick({10: 28, 9: 24, 8: 15, 7: 9, 6: 6, 5: 5, 4: 3, 3: 3, 2: 2, 1: 2, 0: 3}),
            comment=self.random.choice(people.SURVEY_COMMENTS),
            answers=(first, second),
            agent_id=responders[-1].agent_id or people.AGENTS[0].id,
            full_name=messages[0].full_name,
        )

    def classifications(self) -> tuple[people.Classification, ...]:
        """Choose none to three labels."""
        chosen = {self.random.choice(people.CLASSIFICATIONS) for _ in range(self.pick({0: 35, 1: 40, 2: 18, 3: 7}))}
        return tuple(sorted(chosen, key=lambda label: label.id))

    def chance(self, probability: float) -> bool:
        """Draw yes or no."""
        return self.random.random() < probability

    def time_of_day(self) -> float:
        """Draw a time as a fraction of the day: mostly around two in the afternoon, sometimes at night."""
        if self.chance(0.2):
            return self.random.random()
        return 0.25 + 0.7 * (self.random.random() + self.random.random()) / 2

    def skewed(self, low: int, high: int, bends: int = 4) -> int:
        """Draw a delay in microseconds from `[low, high)`, mostly a short one: the more bends, the shorter."""
        share = 1.0
        draw = self.random.random()
        for _ in range(bends):
            share *= draw
        return low + int((high - low) * share)

    def pick(self, weights: dict[T, int]) -> T:
        """Draw a key by its weight."""
        rest = self.random.randrange(sum(weights.values()))
        for key, weight in weights.items():
            rest -= weight
            if rest < 0:
                return key
        raise AssertionError


def _trajectory(created: int, way: str, claimed: int | None, worked: int, closing: int) -> Iterator[tuple[int, str]]:
    """Write a message's states, each with the instant it begins.

    Args:
        created: The start.
        way: What becomes of the message, of `WAYS`.
        claimed: When an agent takes it, if one does.
        worked: The delay from the claim to the response or decision.
        closing: The delay from the response to the end.
    """
    yield created, "new"
    if claimed is None:
        if way != "new":
            yield created + worked // 20 + SECOND, _outcome(way)
        return
    yield claimed, "assigned"
    if way == "assigned":
        return
    yield claimed + worked // 3, "in_progress"
    if way == "in_progress":
        return
    if way in {"approved", "awaiting_approval"}:
        yield claimed + 2 * worked // 3, "awaiting_approval"
    if way == "awaiting_approval":
        return
    done = claimed + worked
    if way in UNANSWERED:
        yield done, _outcome(way)
        return
    yield done, "responded"
    if way == "responded":
        return
    yield done + closing, "closed"
    if way == "reclassified":
        yield done + closing + closing // 4 + MINUTE, "duplicate" if closing % 2 else "irrelevant"


def _outcome(way: str) -> str:
    """Name the state that an unanswered message ends in."""
    return "closed" if way == "closed_unanswered" else way


def _closings(messages: Iterable[Message]) -> Iterator[tuple[int, int | None]]:
    """Find when a case closes, and when the customer's next word opens it again.

    It closes after `INACTIVITY` of both sides, once all its messages are settled.
    """
    known = list(messages)
    activity = sorted({when for m in known for when in (m.created, m.responded) if when is not None})
    for index, when in enumerate(activity):
        following = activity[index + 1] if index + 1 < len(activity) else None
        closed = max(when + INACTIVITY, *(m.settled for m in known if m.created <= when))
        if following is None or closed < following:
            yield closed, following
