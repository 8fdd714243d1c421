"""The account: its contact centre, its clock, and the reports that can be asked of it. Nothing here knows of HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_lexer_activity.sandbox.instants import SECOND, find_zone, instant, moment
from tap_lexer_activity.sandbox.ledger import Ledger
from tap_lexer_activity.sandbox.report_types import EXPORTS, answer, read_query

if TYPE_CHECKING:
    from tap_lexer_activity.sandbox.query import Options, Query


class Account:
    """An account of Lexer, with its own clock.

    Attributes:
        ledger: Everything that really happened.
        timezone: The account's zone, by name.
    """

    def __init__(  # noqa: PLR0913 each is an option of the sandbox
        self,
        *,
        clock: str | datetime | None,
        timezone: str,
        messages_per_day: int,
        seed: str,
        history_start: str | date | None,
        options: Options,
    ) -> None:
        """An account; `server.Sandbox` describes the arguments.

        Raises:
            ValueError: There is no such zone, or a date can't be read.
        """
        self.timezone = timezone
        self._zone = find_zone(timezone)
        self._options = options
        self._standing = None if clock is None else self._moment(clock)
        self._shift = timedelta(0)
        start = date.fromisoformat(history_start) if isinstance(history_start, str) else history_start
        self.ledger = Ledger(
            timezone,
            history_start=start or _months_before(self.clock.date(), 14),
            messages_per_day=messages_per_day,
            seed=seed,
        )

    @property
    def clock(self) -> datetime:
        """The present moment, in the account's zone. Once set, it stands still."""
        return self._standing or (datetime.now(UTC) + self._shift).astimezone(self._zone)

    @clock.setter
    def clock(self, value: str | datetime) -> None:
        self._standing = self._moment(value)

    def advance(self, seconds: float) -> None:
        """Move the clock; one that runs goes on running."""
        if self._standing is None:
            self._shift += timedelta(seconds=seconds)
        else:
            self._standing = (self._standing.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(self._zone)

    @property
    def clock_runs(self) -> bool:
        """True until the clock is set."""
        return self._standing is None

    @property
    def start_date(self) -> str:
        """The start date of a trial: the last Monday at least eight weeks before the clock."""
        weeks_ago = self.clock.date() - timedelta(weeks=8)
        return (weeks_ago - timedelta(days=weeks_ago.weekday())).isoformat()

    @property
    def end_date(self) -> str | None:
        """The clock, when it stands still."""
        return self._standing.isoformat() if self._standing else None

    def report(self, kind: str, date_from: str | datetime, date_to: str | datetime, **extra: object) -> Any:
        """The API's answer to a report now, without HTTP.

        Args:
            kind: The report type.
            date_from: As in a request.
            date_to: As in a request, inclusive.
            extra: More of the body, such as `form`.

        Returns:
            The decoded JSON, or an export's rows of text with the header first.

        Raises:
            RequestError: The API would refuse.
        """
        first, last = (text if isinstance(text, str) else text.isoformat() for text in (date_from, date_to))
        kind, query = self.read({"type": kind, "date_from": first, "date_to": last, **extra})
        return EXPORTS[kind](query) if kind in EXPORTS else answer(kind, query)

    def truth(self, date_from: str | datetime, date_to: str | datetime) -> list[dict[str, object]]:
        """The messages created in `[date_from, date_to]`, as they are now.

        Args:
            date_from: The first moment; in the account's zone where it has no offset.
            date_to: The last second, inclusive.
        """
        start, end = (instant(self._moment(value)) for value in (date_from, date_to))
        at = instant(self.clock)
        return [
            {
                "id": message.id,
                "created": moment(message.created).isoformat(),
                "local_date": self.ledger.local_date(message.created).isoformat(),
                "state": message.state(at),
                "agent_id": agent.id if (agent := message.agent(at)) else None,
                "wait_seconds": None if (wait := message.wait(at)) is None else wait / SECOND,
                "handling_seconds": None if (time := message.handling(at)) is None else time / SECOND,
            }
            for message in self.ledger.messages(start, end + SECOND, at)
        ]

    def read(self, body: object) -> tuple[str, Query]:
        """Make a query of a request's body.

        Returns:
            The report type and the query.

        Raises:
            RequestError: The API refuses the request.
        """
        return read_query(self.ledger, self._options, instant(self.clock), body)

    def _moment(self, value: str | datetime) -> datetime:
        """A moment in the account's zone, if it has no offset."""
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            msg = f"{value!r} is no date: write ISO 8601 such as 2026-05-01T10:00:00+10:00"
            raise ValueError(msg) from None
        return (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(self._zone)


def _months_before(day: date, months: int) -> date:
    """The first day of an earlier month."""
    count = day.year * 12 + day.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)
