"""A day in the contact centre, invented: its conversations, and all that follows from them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from tap_lexer_activity.sandbox import people
from tap_lexer_activity.sandbox.conversations import Case, Conversation, Message, Survey
from tap_lexer_activity.sandbox.instants import DAY, HOUR, MINUTE, SECOND, local_date, midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from zoneinfo import ZoneInfo

T = TypeVar("T")

SETTLED = 6 * DAY
"""The time after its first message in which all of a conversation is over."""

INACTIVITY = 24 * HOUR
"""A case closes after this long without a word from either side."""

QUIET_DAYS = frozenset({(1, 1), (1, 26), (4, 25), (6, 9), (8, 18), (10, 6), (12, 25), (12, 26)})
"""Months and days on which no customer writes."""

WEEKDAY_LOAD = (1.25, 1.2, 1.15, 1.1, 1.1, 0.65, 0.55)
"""Messages per weekday, Monday first; the mean is 1."""

MESSAGES_PER_CONVERSATION = 1.15
"""Messages per conversation, follow-ups included."""

# Ways that a message can go, with their weights. A stuck message stays in the state that its way is named for.
ANSWERED = {"closed": 44, "responded": 9, "approved": 6, "reclassified": 3}
UNANSWERED = {"redirected": 6, "irrelevant": 9, "duplicate": 5, "no_response_required": 8, "closed_unanswered": 3}
STUCK = {"new": 2, "assigned": 2, "in_progress": 2, "awaiting_approval": 1}
WAYS = {**ANSWERED, **UNANSWERED, **STUCK}
FINAL_WAYS = ("closed", "responded", "redirected", "irrelevant", "duplicate", "no_response_required", *STUCK)
"""One way per documented state. The first message of the n-th of a month goes the n-th way: no month lacks a state."""


class DayWriter:
    """Writes the conversations that begin on one local date.

    It draws by sums and products of `random()` alone: a logarithm or power may differ in the last bit between machines.
    """

    def __init__(self, day: date, zone: ZoneInfo, *, seed: str, messages_per_day: int) -> None:
        self.day = day
        self.zone = zone
        self.messages_per_day = messages_per_day
        self.random = random.Random(f"{seed}:{day}")  # noqa: S311 a seeded generator is the point
        self.next_id = day.toordinal() * 1_000_000

    def conversations(self) -> Iterator[Conversation]:
        """Write the whole day."""
        mean = self.messages_per_day / MESSAGES_PER_CONVERSATION * WEEKDAY_LOAD[self.day.weekday()]
        count = round(mean * (0.75 + 0.5 * self.random.random()))
        if (self.day.month, self.day.day) in QUIET_DAYS:
            return
        start = midnight(self.day, self.zone)
        length = midnight(self.day + timedelta(days=1), self.zone) - start
        for index in range(count):
            created = start + int(self.time_of_day() * length) // SECOND * SECOND
            way = FINAL_WAYS[self.day.day % len(FINAL_WAYS)] if index == 0 else self.pick(WAYS)
            first = self.message(created, way)
            yield self.conversation(first) if way in ANSWERED else Conversation((first,))
            if self.chance(0.005):  # now and then somebody sends twice
                yield Conversation((self.message(created, "duplicate", like=first),))

    def conversation(self, first: Message) -> Conversation:
        """Continue an answered message: follow-ups, perhaps after the case has closed, and a survey."""
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
        """Write the first message again, faster (all has to end in time), and one or two after it."""
        last = self.message(first.created, "closed", hurry=True, like=first)
        yield last
        may_reopen = True
        for _ in range(1 + self.chance(0.3)):
            said = last.responded or last.created
            reopens = may_reopen and self.chance(0.4)
            may_reopen = may_reopen and not reopens
            gap = INACTIVITY + self.skewed(HOUR, 30 * HOUR) if reopens else self.skewed(10 * MINUTE, 20 * HOUR)
            created = (said + gap) // SECOND * SECOND
            local = local_date(created, self.zone)
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
        """Draw a delay in microseconds from `[low, high)`: the more `bends`, the shorter."""
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
    """The states of a message, each with the instant at which it begins.

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
    """The state that an unanswered message ends in."""
    return "closed" if way == "closed_unanswered" else way


def _closings(messages: Iterable[Message]) -> Iterator[tuple[int, int | None]]:
    """The closings of a case, each with the instant at which the customer's next message opens it again.

    It closes after `INACTIVITY` of both sides, once all its messages are settled.
    """
    known = list(messages)
    activity = sorted({when for m in known for when in (m.created, m.responded) if when is not None})
    for index, when in enumerate(activity):
        following = activity[index + 1] if index + 1 < len(activity) else None
        closed = max(when + INACTIVITY, *(m.settled for m in known if m.created <= when))
        if following is None or closed < following:
            yield closed, following
