"""The quota: a limit on how many calls may begin in any period. Knows nothing of Singer, Lexer or HTTP."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Limiter:
    """Never more than `calls` calls in any `seconds`, wherever in the call the other side counts it.

    The first `calls` go at once. From then on each waits until the one `calls` before it has been over for a whole period: counted
    from its end and not from its start, because the other side counts a call when it arrives, somewhere in between.
    """

    def __init__(
        self,
        calls: int,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Make a limiter.

        Args:
            calls: Most calls in any period.
            seconds: Length of the period.
            clock: Seconds that never run backwards.
            sleep: Waits that many seconds.
            on_wait: Told the seconds before each wait.
        """
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._on_wait = on_wait
        self._ended: deque[float] = deque(maxlen=calls)
        self.spent = 0
        """Calls so far."""

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wait for a place in the quota, and take it for the time of the block."""
        if len(self._ended) == self._ended.maxlen:
            free_at = self._ended[0] + self._seconds
            if (wait := free_at - self._clock()) > 0:
                self._on_wait(wait)
            while (wait := free_at - self._clock()) > 0:
                self._sleep(wait)
        self.spent += 1
        try:
            yield
        finally:
            self._ended.append(self._clock())
