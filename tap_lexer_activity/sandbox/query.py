"""Queries: the parameters of a report's request, and the messages, cases and surveys in its window."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tap_lexer_activity.sandbox.conversations import Case, Message, Survey
    from tap_lexer_activity.sandbox.ledger import Ledger


class RequestError(Exception):
    """A request that the API refuses.

    Attributes:
        status: The HTTP status.
        text: Lexer's words for it.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Options:
    """The API's behaviour where its documents are silent or contradict each other.

    Attributes:
        labels: `zone`: the series' buckets are the account zone's days and hours. `offset`: those of the fixed offset
            that `date_from` is written with.
        nps_labels: The end of a step that labels it in `nps_volume`: `end` or `start`.
        case_volume_hours: `case_volume` comes in hours for a short range, as the other series do.
        user_volume_shape: The answer of `user_volume`: `agents` (Team Volume) or `states` (Workflow States).
        workflow_states_type: A report type that answers Workflow States; None: there is none.
    """

    labels: Literal["zone", "offset"] = "zone"
    nps_labels: Literal["end", "start"] = "end"
    case_volume_hours: bool = True
    user_volume_shape: Literal["agents", "states"] = "agents"
    workflow_states_type: str | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("labels", self.labels, ("zone", "offset")),
            ("nps_labels", self.nps_labels, ("end", "start")),
            ("user_volume_shape", self.user_volume_shape, ("agents", "states")),
        ):
            if value not in known:
                msg = f"{name} is {value!r}: it must be {known[0]!r} or {known[1]!r}"
                raise ValueError(msg)


@dataclass(frozen=True)
class Query:
    """A request for a report. Times are instants.

    Attributes:
        ledger: What happened.
        clock: The present: nothing later is known.
        start: The beginning of the window.
        end: Its end, exclusive.
        offset: The fixed offset that `date_from` is written with.
        form: The form's id, where the report is about one; else 0.
        options: The API's behaviour.
        grain: The length of a series' buckets; None: as its rule says.
    """

    ledger: Ledger
    clock: int
    start: int
    end: int
    offset: tzinfo = UTC
    form: int = 0
    options: Options = field(default_factory=Options)
    grain: Literal["hour", "day"] | None = None

    def messages(self) -> list[Message]:
        """The messages created in the window, by creation."""
        return self.ledger.messages(self.start, self.end, self.clock)

    def cases(self) -> list[Case]:
        """The cases that may touch the window, by opening."""
        return self.ledger.cases(self.start, self.end, self.clock)

    def cases_opened(self) -> list[Case]:
        """The cases that were opened in the window."""
        return [case for case in self.cases() if self.contains(case.opened)]

    def surveys(self) -> list[Survey]:
        """The form's surveys that may have been sent or answered in the window."""
        return self.ledger.surveys(self.form, self.start, self.end, self.clock)

    def contains(self, at: int | None) -> bool:
        """True for an instant that is in the window and not in the future."""
        return at is not None and self.start <= at < self.end and at <= self.clock
