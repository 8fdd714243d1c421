"""The quota, on a clock that the test turns."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity.throttle import Limiter


class Clock:
    """Time that passes only when somebody sleeps or says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


def test_a_burst_goes_at_once_and_the_next_call_waits_a_whole_period() -> None:
    clock = Clock()
    waits: list[float] = []
    limiter = Limiter(3, 300, clock=clock, sleep=clock.sleep, on_wait=waits.append)
    for _ in range(3):
        with limiter.call():
            clock.now += 1
    assert clock.slept == []
    with limiter.call():
        clock.now += 0.25
    # The first of them ended a second after it began, and it is the end that counts.
    assert clock.now == 1301.25
    assert waits == [298]
    assert limiter.spent == 4


def test_a_call_that_fails_counts_too() -> None:
    clock = Clock()
    limiter = Limiter(1, 10, clock=clock, sleep=clock.sleep)
    with pytest.raises(OSError, match="reset"), limiter.call():
        raise OSError("reset")  # noqa: EM101
    with limiter.call():
        assert clock.slept == [10]
    assert limiter.spent == 2


def test_a_sleep_that_ends_early_is_slept_on() -> None:
    clock = Clock()
    limiter = Limiter(1, 10, clock=clock, sleep=lambda seconds: clock.sleep(max(seconds / 2, 0.5)))
    for _ in range(2):
        with limiter.call():
            clock.now += 1
    assert clock.now >= 1012


# Times in quarters of a second, so that sums are exact.
quarters = st.integers(0, 80).map(lambda n: n / 4)


@given(
    st.integers(1, 6),
    st.integers(1, 40).map(lambda n: n / 4),
    st.lists(st.tuples(quarters, quarters, quarters), min_size=1, max_size=60),
)
def test_no_period_has_more_calls_wherever_the_other_side_counts_them(
    calls: int, seconds: float, steps: list[tuple[float, float, float]]
) -> None:
    clock = Clock()
    limiter = Limiter(calls, seconds, clock=clock, sleep=clock.sleep)
    arrived = []
    for pause, there, back in steps:
        clock.now += pause
        with limiter.call():
            clock.now += there
            arrived.append(clock.now)
            clock.now += back
    for start in arrived:
        within = bisect_left(arrived, start + seconds) - bisect_left(arrived, start)
        assert within <= calls
    assert limiter.spent == len(steps)
    assert bisect_right(arrived, clock.now) == len(steps)


@given(st.integers(1, 5), st.integers(1, 50))
def test_the_quota_is_used_to_the_full(calls: int, total: int) -> None:
    clock = Clock()
    limiter = Limiter(calls, 300, clock=clock, sleep=clock.sleep)
    begun = []
    for _ in range(total):
        with limiter.call():
            begun.append(clock.now)
    assert clock.now - 1000 == (total - 1) // calls * 300
    assert all(a <= b for a, b in pairwise(begun))
