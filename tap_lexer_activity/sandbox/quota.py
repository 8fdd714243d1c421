"""The quota: so many requests in any window of so many seconds."""

from __future__ import annotations

import threading
import time
from collections import deque


class Quota:
    """A sliding window of admitted requests; a refused one does not count.

    Attributes:
        requests: The number that is admitted.
        seconds: The length of the window.
    """

    def __init__(self, requests: int, seconds: float) -> None:
        self.requests = requests
        self.seconds = seconds
        self._admitted: deque[float] = deque()
        self._lock = threading.Lock()

    def admit(self) -> float | None:
        """Admit a request (None), or return the seconds until one will be admitted."""
        now = time.monotonic()
        with self._lock:
            while self._admitted and self._admitted[0] <= now - self.seconds:
                self._admitted.popleft()
            if len(self._admitted) >= self.requests:
                return self._admitted[0] + self.seconds - now
            self._admitted.append(now)
            return None

    def reset(self) -> None:
        """Forget all admitted requests."""
        with self._lock:
            self._admitted.clear()
