"""Everything that happened in the contact centre, day by day. Nothing here knows of HTTP or of reports.

A day's content follows from the seed, the zone, the size and the date alone; it never depends on a clock or on the
range asked for. What has not happened yet at an instant is hidden by the methods that take `at`.

Whatever a conversation does (claims, responses, changes of state, reopenings, its case's end) is over within `SETTLED`
of its first message: a report of a day is final six days after that day.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox.days import SETTLED, DayWriter
from tap_lexer_activity.sandbox.instants import find_zone, local_date, midnight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_lexer_activity.sandbox.conversations import Case, Conversation, Message, Survey


class Ledger:
    """Everything that happened in the contact centre.

    Attributes:
        zone: The account's zone; its calendar dates are the ledger's days.
        history_start: The first local date with customers.
        messages_per_day: The mean.
        seed: The same seed gives the same contact centre.
    """

    def __init__(
        self,
        timezone: str = "Australia/Sydney",
        *,
        history_start: date,
        messages_per_day: int = 40,
        seed: str = "lexer",
    ) -> None:
        """An empty book; days are written when they are first asked for.

        Args:
            timezone: The account's IANA zone.
            history_start: The first local date with customers.
            messages_per_day: The mean.
            seed: The same seed gives the same contact centre.

        Raises:
            ValueError: There is no such zone.
        """
        self.zone = find_zone(timezone)
        self.history_start = history_start
        self.messages_per_day = messages_per_day
        self.seed = seed
        self._days: dict[date, tuple[Conversation, ...]] = {}

    def midnight(self, day: date) -> int:
        """The first instant of a local date."""
        return midnight(day, self.zone)

    def local_date(self, at: int) -> date:
        """The local date of an instant."""
        return local_date(at, self.zone)

    def day(self, day: date) -> tuple[Conversation, ...]:
        """The conversations that begin on a local date."""
        if day not in self._days:
            writer = DayWriter(day, self.zone, seed=self.seed, messages_per_day=self.messages_per_day)
            self._days[day] = tuple(writer.conversations()) if day >= self.history_start else ()
        return self._days[day]

    def conversations(self, start: int, end: int) -> Iterator[Conversation]:
        """The conversations that touch `[start, end)`, and perhaps some more."""
        earliest = self.midnight(self.history_start)
        day, last = self.local_date(max(start - SETTLED, earliest)), self.local_date(max(end, earliest))
        while day <= last:
            yield from self.day(day)
            day += timedelta(days=1)

    def messages(self, start: int, end: int, at: int) -> list[Message]:
        """The messages created in `[start, end)` that exist at an instant, by creation."""
        end = min(end, at + 1)
        found = [
            message
            for conversation in self.conversations(start, end)
            for message in conversation.messages
            if start <= message.created < end
        ]
        return sorted(found, key=lambda message: (message.created, message.id))

    def cases(self, start: int, end: int, at: int) -> list[Case]:
        """The cases that exist at an instant and may touch `[start, end)`, by opening."""
        found = [
            case
            for conversation in self.conversations(start, min(end, at + 1))
            if (case := conversation.case) and case.first_reply <= at
        ]
        return sorted(found, key=lambda case: (case.opened, case.id))

    def surveys(self, form_id: int, start: int, end: int, at: int) -> list[Survey]:
        """A form's surveys that are sent by an instant and may be sent or answered in `[start, end)`."""
        conversations = self.conversations(start - SETTLED, min(end, at + 1))
        surveys = (conversation.case.survey for conversation in conversations if conversation.case)
        return [survey for survey in surveys if survey and survey.form_id == form_id and survey.sent <= at]
