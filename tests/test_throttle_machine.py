"""Limiters that share a file, in any order of events, against a server that counts each call at the worst moment."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tap_lexer_activity.http.limiter import Limiter

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

quarters = st.integers(0, 120).map(lambda n: n / 4)  # so that sums are exact
sizes = st.sampled_from([(1, 10.0), (2, 10.0), (3, 10.0), (3, 4.0)])
which = st.integers(0, 9)


@dataclass
class Call:
    """A call as the limiters may know of it."""

    begun: float
    process: Process
    block: AbstractContextManager[None] | None = None
    """None: a limiter only thinks that there was such a call."""
    ended: float | None = None

    def last_counted(self, now: float, seconds: float) -> float:
        """When the server may count it at the latest. One without an end is taken to reach it within a period."""
        return min(now, self.begun + seconds) if self.ended is None else self.ended


@dataclass
class Process:
    """A run of the tap with a quota of its own settings.

    Attributes:
        known: The calls that it has to know of, its own and others'.
    """

    calls: int
    seconds: float
    limiter: Limiter
    known: list[Call]

    def count(self, moment: float) -> int:
        """Calls that stand in the way of one at this moment, if nothing else happens until then."""
        return sum(call.last_counted(moment, self.seconds) + self.seconds > moment for call in self.known)

    def free_at(self, now: float) -> float:
        """The first moment at which a call may begin."""
        ends = (call.begun + self.seconds if call.ended is None else call.ended for call in self.known)
        moments = [now, *(end + self.seconds for end in ends)]
        return min(moment for moment in moments if moment >= now and self.count(moment) < self.calls)


class Limiters(RuleBasedStateMachine):
    """Some runs of the tap, on a clock that the test turns."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.stack = ExitStack()
        self.file = Path(self.stack.enter_context(TemporaryDirectory()), "quota")
        self.processes: list[Process] = []
        self.shared: list[Call] = []
        self.troubles: list[str] = []
        self.told = 0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    @initialize(quotas=st.lists(sizes, min_size=1, max_size=3))
    def begin(self, quotas: list[tuple[int, float]]) -> None:
        self.processes = [self.new(*quota) for quota in quotas]

    def new(self, calls: int, seconds: float) -> Process:
        limiter = Limiter(
            calls,
            seconds,
            file=self.file,
            clock=lambda: self.now,
            sleep=self.sleep,
            on_trouble=self.troubles.append,
        )
        return Process(calls, seconds, limiter, self.shared)

    @property
    def going_on(self) -> list[Call]:
        calls = [call for process in self.processes for call in process.known if call.process is process]
        return [call for call in calls if call.ended is None]

    @rule(seconds=quarters)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(n=which, there=quarters)
    def a_call_begins(self, n: int, there: float) -> None:
        process = self.processes[n % len(self.processes)]
        earliest = process.free_at(self.now)
        block = process.limiter.call()
        self.stack.enter_context(
            block
        )  # at the latest the test's end ends it: one that is let go of would end at any time
        assert self.now == earliest, "neither too early nor later than it has to be"
        process.known.append(Call(self.now, process, block))
        self.now += there

    @precondition(lambda self: self.going_on)
    @rule(n=which, failure=st.sampled_from([None, OSError(), KeyboardInterrupt()]))
    def a_call_ends(self, n: int, failure: BaseException | None) -> None:
        call = self.going_on[n % len(self.going_on)]
        assert call.block
        with suppress(OSError, KeyboardInterrupt):
            call.block.__exit__(type(failure) if failure else None, failure, None)
        call.ended = self.now

    @rule(n=which, quota=sizes)
    def a_run_is_killed_and_another_begins(self, n: int, quota: tuple[int, float]) -> None:
        self.processes[n % len(self.processes)] = self.new(*quota)

    @precondition(lambda self: not self.going_on)
    @rule()
    def the_file_breaks(self) -> None:
        """From now on each run that knew it is on its own, as if its quota had just been used up.

        Of calls that runs have been killed in nobody knows any more: they are taken to have reached the server by then.
        """
        for call in self.shared:
            call.ended = self.now if call.ended is None else call.ended
        with closing(sqlite3.connect(self.file)) as database:
            database.execute("DROP TABLE IF EXISTS calls")
        for process in self.processes:
            if process.known is self.shared:
                process.known = self.shared + [Call(self.now, process, ended=self.now)] * process.calls
                self.told += 1
        self.shared = []

    @invariant()
    def the_server_never_sees_too_many(self) -> None:
        """Whenever in a call the server counts it, no period has more of them than the quota that allows most."""
        for process in self.processes:
            calls = [call for call in process.known if call.block]
            allowed = max((call.process.calls for call in calls), default=0)
            seconds = min((call.process.seconds for call in calls), default=0)
            spans = [
                (call.begun, min(call.begun + seconds, self.now if call.ended is None else call.ended))
                for call in calls
            ]
            for _, start in spans:
                assert sum(begun < start + seconds and start <= end for begun, end in spans) <= allowed

    @invariant()
    def the_limiters_know_every_call(self) -> None:
        for process in self.processes:
            earliest, found = process.free_at(self.now), process.limiter.next_free_at()
            # (It may be said too early while a call goes on, which can end at any time.)
            assert found <= earliest if any(call.ended is None for call in process.known) else found == earliest
            assert process.limiter.available() == max(0, process.calls - process.count(self.now))
        assert len(self.troubles) == self.told

    def teardown(self) -> None:
        self.stack.close()


TestLimiters = Limiters.TestCase
TestLimiters.settings = settings(stateful_step_count=40)
