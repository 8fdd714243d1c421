"""Clocks of tests."""

from __future__ import annotations


class Clock:
    """Seconds that pass by sleeping, or when a test says so.

    Attributes:
        now: What it shows.
        sleeps: How long it was slept, each time.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Be so much later."""
        assert seconds >= 0
        self.sleeps.append(seconds)
        self.now += seconds
