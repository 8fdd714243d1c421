"""The reader ahead alone, on a fake clock: any plan, any durations, any failures, any bounds."""

from __future__ import annotations

import heapq
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity import turns
from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.lexer.lookahead import MOST_BYTES, SIZE_IN_MEMORY, Ask, Lookahead, Outcome, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLANS = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 30), st.integers(0, 40), st.sampled_from(["well", "well", "well", "fails"])
    ),
    max_size=30,
).map(lambda rows: [(part, number, *rest) for number, (part, *rest) in enumerate(sorted(rows, key=lambda row: row[0]))])
"""Requests in the order of a run: part, number, duration, size, and what becomes of each."""


class World:
    """A server that takes its time, a reader that takes what it needs, and the order in which things happened."""

    def __init__(self, plan: Sequence[tuple[int, int, int, int, str]], **bounds: int) -> None:
        self.bounds = bounds
        self.rows = {number: (duration, size, fate) for _, number, duration, size, fate in plan}
        self.asks = [(part, Ask(number, lambda: None)) for part, number, *_ in plan]
        self.schedule = Schedule(iter(self.asks), **bounds)
        self.now = 0
        self.under_way: list[tuple[int, int, Any]] = []
        self.asked: list[int] = []
        self.kept: dict[int, int] = {}
        self.ended: set[int] = set()

    def fill(self) -> None:
        """Ask for all that there is room for."""
        while (found := self.schedule.next()) is not None:
            part, ask = found
            self.asked.append(ask.name)
            assert sum(self.kept.values()) < self.bounds["most_bytes"]
            entry: tuple[int, int, Any] = self.now + self.rows[ask.name][0], ask.name, part
            heapq.heappush(self.under_way, entry)
            assert len(self.under_way) <= self.bounds["concurrency"]
            assert len(self.under_way) + len(self.kept) <= self.bounds["most_ahead"]

    def wait(self) -> None:
        """Let the next answer come."""
        self.now, number, part = heapq.heappop(self.under_way)
        _, size, fate = self.rows[number]
        if part not in self.ended:
            self.kept[number] = size
        error = OSError("it fails") if fate == "fails" else None
        self.schedule.finish(part, number, Outcome(answer=number, error=error, size=size))
        self.fill()

    def take(self, part: int, ask: Ask) -> Outcome:
        """The outcome of a request in its turn."""
        self.fill()
        while (found := self.schedule.take(part, ask.name)) == "under way":
            self.wait()
        if found == "not asked":
            self.asked.append(ask.name)
            return Outcome(ask.name, OSError("it fails") if self.rows[ask.name][2] == "fails" else None)
        del self.kept[ask.name]
        return found

    def drop(self, part: int) -> None:
        """A part has ended."""
        self.schedule.drop(part)
        self.ended.add(part)
        self.kept = {name: size for name, size in self.kept.items() if self.part_of(name) != part}

    def part_of(self, number: int) -> int:
        """The part of a request."""
        return next(part for part, ask in self.asks if ask.name == number)


@given(PLANS, st.integers(1, 16), st.integers(1, 20), st.integers(1, 100), st.sets(st.integers(0, 29)))
def test_every_answer_comes_in_its_turn_and_nothing_is_asked_twice(
    plan: list[tuple[int, int, int, int, str]], concurrency: int, most_ahead: int, most_bytes: int, unread: set[int]
) -> None:
    world = World(plan, concurrency=concurrency, most_ahead=most_ahead, most_bytes=most_bytes)
    expected: list[int] = []
    read: list[int] = []
    for part, ask in world.asks:
        if part in world.ended or ask.name in unread:  # a reader may do without one
            continue
        expected.append(ask.name)
        outcome = world.take(part, ask)
        assert outcome.answer == ask.name
        assert (outcome.error is not None) == (world.rows[ask.name][2] == "fails")
        read.append(ask.name)
        if outcome.error is not None:
            world.drop(part)
    assert read == expected
    assert len(set(world.asked)) == len(world.asked)
    while world.under_way:
        _, number, part = heapq.heappop(world.under_way)
        if part in world.ended:  # what comes for a part that has ended is not kept
            world.schedule.finish(part, number, Outcome(number, size=10**9))
            assert world.schedule.take(part, number) == "not asked"


def test_more_bytes_than_fit_stop_the_asking_and_never_the_reader() -> None:
    world = World([(0, number, 1, 60, "well") for number in range(5)], concurrency=2, most_ahead=9, most_bytes=100)
    world.fill()
    assert world.asked == [0, 1]
    world.wait()
    world.wait()
    assert world.asked == [0, 1, 2], "60 bytes leave room, and 120 do not"
    assert [world.take(part, ask).answer for part, ask in world.asks] == [0, 1, 2, 3, 4]


def test_threads_give_each_answer_and_each_error_to_its_reader() -> None:
    def send(number: int) -> int:
        if number % 7 == 3:
            msg = f"{number} fails"
            raise OSError(msg)
        return number

    asks = [Ask(number, partial(send, number)) for number in range(50)]
    schedule = Schedule([("part", ask) for ask in asks], concurrency=8)
    reader = Lookahead(schedule, 8, limiter=Limiter(1000, 1), while_waiting=lambda: 60.0)
    reader.part = "part"
    for ask in asks:
        outcome = reader.take(ask.name)
        if outcome is None:
            continue  # its reader was faster than the threads, and asks itself
        if ask.name % 7 == 3:
            assert str(outcome.error) == f"{ask.name} fails"
        else:
            assert outcome.answer == ask.name


def test_a_wait_that_can_not_be_logged_is_met_by_the_reader() -> None:
    is_waiting = threading.Event()

    def on_wait(_: float) -> None:
        is_waiting.set()
        msg = "stdout is closed"
        raise OSError(msg)

    limiter = Limiter(1, 600, on_wait=on_wait)
    with limiter.call():
        pass
    reader = Lookahead(Schedule([("part", Ask(1, int))], concurrency=2), 2, limiter=limiter, while_waiting=lambda: 60.0)
    reader.part = "part"
    assert is_waiting.wait(20)
    outcome = reader.take(1)
    assert outcome is not None
    assert str(outcome.error) == "stdout is closed"


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_part_that_has_ended_is_not_asked_for_any_more(concurrency: int) -> None:
    schedule = Schedule([("a", Ask(1, int)), ("a", Ask(2, int)), ("b", Ask(1, int))], concurrency=concurrency)
    schedule.drop("a")
    found = schedule.next()
    assert found is not None
    assert (found[0], found[1].name) == ("b", 1)


@pytest.mark.parametrize("is_read", [True, False])
def test_threads_end_with_what_they_ask_for(*, is_read: bool) -> None:
    before = threading.active_count()
    schedule = Schedule([("part", Ask(number, int)) for number in range(20)], concurrency=4, most_ahead=4)
    reader = Lookahead(schedule, 4, limiter=Limiter(1000, 1), while_waiting=lambda: 60.0)
    reader.part = "part"
    for number in range(20 if is_read else 2):
        reader.take(number)
    if not is_read:
        reader.close()
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_a_part_with_a_failure_is_left_to_its_reader() -> None:
    schedule = Schedule([("a", Ask(number, int)) for number in range(9)] + [("b", Ask(0, int))], concurrency=2)
    assert [schedule.next(), schedule.next()] != [None, None]
    schedule.finish("a", 0, Outcome(error=OSError("it fails")))
    found = schedule.next()
    assert found is not None
    assert found[0] == "b", "what follows would likely fail as well"
    assert schedule.take("a", 2) == "not asked"


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, for a few seconds at most."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_answers_for_which_there_is_no_room_wait_unread_and_nothing_more_is_asked() -> None:
    size = MOST_BYTES // SIZE_IN_MEMORY * 2 // 3  # there is room for one of them
    came: list[int] = []
    read: list[int] = []

    def send(number: int) -> int:
        came.append(number)
        turns.received(size)
        read.append(number)
        return number

    asks = [Ask(number, partial(send, number)) for number in range(12)]
    before = threading.active_count()
    schedule = Schedule([("part", ask) for ask in asks], concurrency=4)
    reader = Lookahead(schedule, 4, limiter=Limiter(1000, 1), while_waiting=lambda: 60.0)
    reader.part = "part"
    wait_until(lambda: len(came) > 1 and len(read) == 1)
    time.sleep(0.1)
    assert len(read) == 1
    assert len(came) <= 4
    for ask in asks:
        outcome = reader.take(ask.name)
        assert outcome is None or (outcome.answer, outcome.error) == (ask.name, None)
    assert len(came) == len(set(came)), "nothing is asked twice"
    wait_until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize("end", ["drop", "close"])
def test_what_nobody_needs_any_more_waits_for_nothing(end: str) -> None:
    sent: list[str] = []

    def send() -> None:
        sent.append("before the wait")
        turns.sleep(600)
        sent.append("after it")

    before = threading.active_count()
    schedule = Schedule([("part", Ask(number, send)) for number in range(3)], concurrency=2)
    reader = Lookahead(schedule, 2, limiter=Limiter(1000, 1), while_waiting=lambda: 60.0)
    wait_until(lambda: len(sent) == 2)
    reader.drop("part") if end == "drop" else reader.close()
    wait_until(lambda: threading.active_count() <= before)
    assert sent == ["before the wait"] * 2


def test_a_wait_for_the_quota_ends_with_the_need_for_it() -> None:
    before = threading.active_count()
    waits = threading.Event()
    limiter = Limiter(1, 600, sleep=turns.sleep, on_wait=lambda _: waits.set())
    with limiter.call():
        pass
    reader = Lookahead(Schedule([("part", Ask(1, int))], concurrency=2), 2, limiter=limiter, while_waiting=lambda: 60.0)
    assert waits.wait(20)
    reader.close()
    wait_until(lambda: threading.active_count() <= before)
    assert limiter.spent == 1
