"""Errands alone, on a fake clock: any durations, any failures, any order of the threads."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import Clock
from typing_extensions import override

from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.lexer.errands import FILES_AHEAD, Errand, Errands
from tap_lexer_activity.lexer.lookahead import Ask, Lookahead, Schedule

JOBS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12)
"""Polls that each job takes, and whether one of them fails."""


def no_step(_: object) -> NoReturn:
    raise AssertionError


class Job(Errand):
    """A start, some polls a second apart, a file."""

    def __init__(self, number: int, clock: Clock, polls: int = 1, *, fails: bool = False) -> None:
        super().__init__((0, number), no_step, logging.getLogger("errands"))
        self.clock = clock
        self.polls = polls
        self.fails = fails
        self.steps: list[str] = []
        self.next_poll = math.inf
        self.is_open = False

    @property
    @override
    def is_begun(self) -> bool:
        return bool(self.steps)

    @property
    @override
    def wants_file(self) -> bool:
        return self.is_begun and not self.polls and not self.has_file and not self.is_left

    @property
    @override
    def has_file(self) -> bool:
        return "file" in self.steps

    @property
    @override
    def due(self) -> float:
        if self.is_left or self.has_file:
            return math.inf
        return self.next_poll if self.is_begun and self.polls else -math.inf

    @override
    def step(self) -> None:
        if not self.is_begun:
            self.steps.append("start")
        elif self.polls:
            assert self.clock() >= self.next_poll, "never a poll before it is due"
            self.polls -= 1
            self.is_left = self.fails and not self.polls
            self.steps.append("poll")
        else:
            self.steps.append("file")
            self.is_open = True
        self.next_poll = self.clock() + 1

    @override
    def discard(self) -> None:
        self.is_open = False


def no_work() -> float:
    return 60.0


@given(JOBS, st.integers(0, 2), st.integers(1, 5), st.integers(0, 2**32))
def test_files_are_bounded_and_each_job_is_read_in_its_turn(
    plan: list[tuple[int, bool]], most_files: int, threads: int, seed: int
) -> None:
    clock, chance = Clock(), random.Random(seed)  # noqa: S311 (the same for the same seed)
    errands = Errands(clock, most_files)
    jobs = [Job(number, clock, polls, fails=fails) for number, (polls, fails) in enumerate(plan)]
    for job in chance.sample(jobs, len(jobs)):
        errands.add(job)
    under_way: list[Job] = []
    left = list(jobs)
    while left:
        what = chance.choice(["begin", "end", "read", "wait"])
        if what == "begin" and len(under_way) < threads and (found := errands.next()) is not None:
            assert isinstance(found, Job)
            assert found not in under_way, "one thread at a time"
            under_way.append(found)
        elif what == "end" and under_way:
            done = under_way.pop(chance.randrange(len(under_way)))
            done.step()
            done.done(1)
        elif what == "read" and left[0] not in under_way:
            errands.claim(left[0], no_work)
            job = left.pop(0)
            assert job.requests == len(job.steps)
        elif what == "wait":
            wait = errands.seconds_until_due()
            clock.sleep(0.5 if wait is None else wait)
        fetched = [job for job in left if job.has_file or (job in under_way and job.wants_file)]
        assert len(fetched) <= most_files
        assert all(job.steps[:1] in ([], ["start"]) for job in jobs)
    assert errands.next() is None, "what has been read is nobody's any more"


def test_a_file_of_far_ahead_leaves_a_place_for_the_next() -> None:
    clock = Clock()
    errands = Errands(clock, FILES_AHEAD)
    slow, *quick = [Job(number, clock, polls=9 if number == 0 else 0) for number in range(4)]
    for job in (slow, *quick):
        errands.add(job)
    for _ in range(30):
        if (found := errands.next()) is not None:
            found.step()
            found.done(1)
    assert [job.has_file for job in quick] == [True, False, False], (
        "one may be fetched before the job in front is complete"
    )
    clock.sleep(60)
    slow.polls = 0
    found = errands.next()
    assert found is slow


def test_threads_do_errands_before_the_plan_and_while_it_waits_for_the_quota() -> None:
    clock = Clock()
    errands = Errands(time.monotonic, FILES_AHEAD)
    job = Job(0, clock, polls=0)
    asked: list[str] = []
    limiter = Limiter(1, 60, sleep=lambda _: time.sleep(60))
    schedule = Schedule([("part", Ask(number, lambda: asked.append("plan"))) for number in range(3)], concurrency=2)
    reader = Lookahead(schedule, 2, limiter=limiter, while_waiting=no_work, errands=errands)
    with limiter.call():
        pass
    reader.begin()
    time.sleep(0.1)
    errands.add(job)
    deadline = time.monotonic() + 20
    while not job.has_file and time.monotonic() < deadline:
        time.sleep(0.01)
    assert job.steps == ["start", "file"]
    assert not asked
    reader.close()
    assert not job.is_open, "nobody will read it"


def test_what_is_dropped_under_way_is_closed_once_it_is_there() -> None:
    errands = Errands(Clock(), FILES_AHEAD)
    errands.add(job := Job(0, Clock(), polls=0))
    job.step()
    assert errands.next() is job
    errands.drop(job)
    job.step()
    was_open = job.is_open
    job.done(1)
    assert (was_open, job.is_open) == (True, False)
    assert errands.next() is None


def test_no_file_is_begun_while_one_is_waited_for_in_its_turn() -> None:
    errands = Errands(Clock(), FILES_AHEAD)
    errands.add(job := Job(0, Clock(), polls=0))
    job.step()
    with errands.fetching_in_turn():
        assert errands.next() is None
    assert errands.next() is job


def test_an_error_that_no_step_should_have_is_raised_in_its_turn() -> None:
    class Wrong(Job):
        @override
        def step(self) -> None:
            raise ZeroDivisionError

    errands = Errands(time.monotonic, FILES_AHEAD)
    before = threading.active_count()
    reader = Lookahead(Schedule([], concurrency=2), 2, limiter=Limiter(9, 1), while_waiting=no_work, errands=errands)
    errands.add(wrong := Wrong(0, Clock()))
    errands.wait_until(lambda: wrong.is_left, no_work)
    with pytest.raises(ZeroDivisionError):
        errands.claim(wrong, no_work)
    reader.close()
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_files_ahead_are_given_up_for_one_that_has_no_room() -> None:
    errands = Errands(Clock(), FILES_AHEAD)
    there, coming, pending = [Job(number, Clock(), polls=polls) for number, polls in enumerate((0, 0, 1))]
    for job in (there, coming, pending):
        errands.add(job)
        job.step()
    assert errands.next() is there
    there.step()
    there.done(1)
    assert errands.next() is coming

    def let_it_come() -> float:
        coming.step()
        coming.done(1)
        return 0.0

    assert errands.free_room(let_it_come)
    assert (there.is_open, coming.is_open) == (False, False)
    assert errands.next() is None, "and no other is fetched ahead"
    assert not Errands(Clock(), FILES_AHEAD).free_room(no_work)
