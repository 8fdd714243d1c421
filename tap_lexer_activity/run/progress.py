"""The progress of a run: counted while it works, logged at a readable pace, and summed up at its end."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.run.plan import Plan, dates, in_words, seconds_within, table
from tap_lexer_activity.windows import Request

PACE_OF_A_TERMINAL: Final = 10.0
PACE_OF_A_FILE: Final = 60.0
"""Seconds between two lines, for somebody who watches and for a log file."""


@dataclass(slots=True)
class _Stream:
    planned: int = 0
    requests: int = 0
    windows_planned: int = 0
    windows: int = 0
    read: list[Request] = field(default_factory=list)
    parts: int = 0
    parts_read: int = 0
    begun: bool = False
    is_short: bool = False


class Progress:
    """Counts what the streams do, and logs it, with `pace` seconds between two lines. A quota is requests, and seconds of a period."""

    def __init__(  # noqa: PLR0913 (what it counts, and what it says it with)
        self,
        quota: tuple[int, int],
        limiter: Limiter,
        logger: logging.Logger,
        *,
        zone: ZoneInfo,
        pace: float = PACE_OF_A_FILE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quota = quota
        self._limiter = limiter
        self._logger = logger
        self._zone = zone
        self._pace = pace
        self._clock = clock
        self._begun = self._said = clock()
        self._waited = 0.0
        self._counted = 0
        self._now: str | None = None
        self._streams: dict[str, _Stream] = {}
        self.records: Counter[str] = Counter()
        self.failures: list[tuple[str, str]] = []
        self.errors: dict[str, Exception] = {}
        """What made each stream fail first."""

    def expect(self, plans: Sequence[Plan]) -> None:
        """This is what the run will ask for."""
        for plan in plans:
            stream = self._of(plan.stream)
            stream.planned += plan.count + plan.polls
            stream.windows_planned += plan.windows
            stream.parts += 1

    def begin(self, stream: str) -> None:
        """A stream is read from now on."""
        self.turn_to(stream)
        self._of(stream).begun = True

    def turn_to(self, stream: str) -> None:
        """This stream is read now."""
        self._now = stream

    def end(self, stream: str) -> None:
        """A stream, or its part for one form, was read to its end."""
        self._of(stream).parts_read += 1

    @contextmanager
    def requests_of(self, stream: str) -> Iterator[None]:
        """Requests in this block are for a stream."""
        begun = self._limiter.spent_here() - self._counted
        try:
            yield
        finally:
            own = self._limiter.spent_here() - self._counted - begun  # not those of a block inside this one
            self._counted += own
            self._of(stream).requests += own

    def read(self, stream: str, request: Request) -> None:
        """The windows of a request have been read."""
        found = self._of(stream)
        found.windows += len(request.windows)
        # The earliest and the latest say the range: one form may be read from another day on than the next.
        read = [*found.read, request]
        found.read = [min(read, key=lambda each: each.windows[0]), max(read, key=lambda each: each.windows[-1])]
        self.say()

    def has_read(self, stream: str) -> bool:
        """True if any window of a stream has been read in this run."""
        return bool(self._of(stream).read)

    def fail(self, stream: str, reason: str, error: Exception | None = None) -> None:
        """A stream, or its part for one form, failed."""
        self.failures.append((stream, reason))
        if error is not None:
            self.errors.setdefault(stream, error)
        self._give_up(stream)

    def fall_short(self, stream: str) -> None:
        """`max_requests` were spent before a stream was read to its end."""
        self._of(stream).is_short = True
        self._give_up(stream)

    def _give_up(self, stream: str) -> None:
        """Count no more on requests that were planned for a stream and not sent."""
        found = self._of(stream)
        found.planned = found.requests

    @property
    def short(self) -> list[str]:
        """Streams that `max_requests` ended."""
        return [name for name, stream in self._streams.items() if stream.is_short]

    def wait(self, seconds: float) -> None:
        """The quota makes the run wait."""
        self._waited += seconds
        self.say(wait=seconds)

    @property
    def due(self) -> float:
        """The time of the next line, in seconds of the clock."""
        return self._said + self._pace

    def say(self, *, wait: float = 0.0, for_export: bool = False) -> None:
        """A line for people, if it is time for one, or will be before a wait for the quota is over. Nobody knows how long one for an export is."""
        now = self._clock()
        if now + wait >= self.due:
            self._said = now
            self._logger.info("%s", self._line(wait, for_export=for_export))

    def _line(self, wait: float, *, for_export: bool) -> str:
        calls, seconds = self._quota
        spent = self._limiter.spent
        parts = [
            f"{spent:,} of {self._planned_requests():,} requests, {calls - self._limiter.available()} of {calls} in {seconds} s"
        ]
        if self._now is not None:
            stream = self._of(self._now)
            windows = f"{stream.windows:,} of {stream.windows_planned:,} windows, " if stream.windows_planned else ""
            parts.insert(0, f"{self._now}: {windows}{self.records[self._now]:,} records")
        if wait >= 1:
            parts.append(
                f"waiting for the quota until {datetime.now().astimezone() + timedelta(seconds=wait):%H:%M:%S}"
            )
        parts.append("waiting for an export" if for_export else f"about {in_words(self._left(wait))} left")
        return "; ".join(parts)

    def _planned_requests(self) -> int:
        """The requests that were planned, or more where more were needed: retries, polls."""
        planned = sum(max(stream.planned, stream.requests) for stream in self._streams.values())
        return planned if self._limiter.max_calls is None else min(planned, self._limiter.max_calls)

    def _left(self, wait: float) -> float:
        """Seconds until everything is read, as it looks now."""
        spent = self._limiter.spent
        left = self._planned_requests() - spent
        each = (self._clock() - self._begun - self._waited + wait) / max(1, spent)
        free = None if wait else self._limiter.available()  # after a wait, a burst like the one before it
        return max(left * each, wait + seconds_within(self._quota, left, free=free))

    def summary(self, selected: Sequence[str]) -> list[str]:
        """The table of streams at the end of a run."""
        rows = [
            (
                name,
                self.records[name],
                self._of(name).requests,
                dates(self._of(name).read, self._zone),
                self._status(name),
            )
            for name in selected
        ]
        rows += [
            (name, 0, stream.requests, "", f"read for {'timezone' if name == 'users' else 'the NPS streams'}")
            for name, stream in self._streams.items()
            if name not in selected and stream.requests
        ]
        return table(("stream", "records", "requests", "days", "status"), rows)

    def _status(self, name: str) -> str:
        stream = self._of(name)
        if any(name == failed for failed, _ in self.failures):
            return "failed"
        if stream.is_short:
            return "more to read"
        if not stream.begun:
            return "not read"
        if stream.parts_read < stream.parts:
            return "ended early"
        return "complete" if stream.planned or stream.requests else "nothing due"

    def _of(self, stream: str) -> _Stream:
        return self._streams.setdefault(stream, _Stream())
