"""All that the API, the file host and the controls share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tap_lexer_activity.sandbox.differences.book import DifferenceBook
from tap_lexer_activity.sandbox.faults import FaultBook

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tap_lexer_activity.sandbox.account import Account
    from tap_lexer_activity.sandbox.jobs import Jobs
    from tap_lexer_activity.sandbox.quota import Quota

Origin = Literal["api", "status", "download"]
"""A part of Lexer: the API, the status of exports, or the file host."""


@dataclass(frozen=True)
class Recorded:
    """A request as it came, and how it was answered.

    Attributes:
        monotonic: The time at which it came, in seconds of the monotonic clock.
        wall: The same by the real clock, in UTC; the sandbox's own clock plays no part.
        method: The HTTP method.
        path: The path without its query.
        query: The query.
        headers: The headers, as the client wrote them.
        body: The JSON object it carried, if any.
        status: The status of the answer; 0: there was none.
        had_token: It carried an `Auth-Api-Token`, right or wrong.
        origin: The part of Lexer that it was for.
        user_agent: The client's name for itself.
    """

    monotonic: float
    wall: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    status: int
    had_token: bool
    origin: Origin
    user_agent: str


@dataclass(frozen=True)
class Shared:
    """All that the hosts share. `token` and `on_request` may change while they serve.

    Attributes:
        account: The account whose reports are served.
        quota: The quota of the token.
        retry_after: The form in which a 429 names the wait: `seconds`, `date`, or None, not at all.
        jobs: The export jobs.
        token: Returns the only token that is accepted.
        file_host: Returns the origin of the downloads.
        on_request: Called when a request has arrived, before anything is done about it.
        faults: The faults in waiting.
        differences: The ways in which it differs from its documents.
        requests: Every request but those of the controls, in order.
        leaks: The requests to the file host that carried a token.
        stopping: Set when the sandbox ends; delays end with it.
    """

    account: Account
    quota: Quota
    retry_after: Literal["seconds", "date"] | None
    jobs: Jobs
    token: Callable[[], str]
    file_host: Callable[[], str]
    on_request: Callable[[], None]
    faults: FaultBook = field(default_factory=FaultBook)
    differences: DifferenceBook = field(default_factory=lambda: DifferenceBook(()))
    requests: list[Recorded] = field(default_factory=list)
    leaks: list[Recorded] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def rate_limited(self) -> int:
        """The number of 429s sent."""
        return sum(recorded.status == 429 for recorded in list(self.requests))  # noqa: PLR2004 the status itself
