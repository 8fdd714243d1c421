"""Requests that are asked ahead of their turn, several at once, and answered in it.

A run knows its requests beforehand, in their order. `Schedule` says which to ask next, within bounds, and is pure. `Lookahead` asks by
threads. Whoever reads gets each answer, error, warning and count in the order of the run, as if requests were asked one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from tap_lexer_activity import forks, turns
from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.lexer.errands import Errand, Errands

MOST_AHEAD: Final = 100
"""Answers that wait for their turn, or are under way."""
MOST_BYTES: Final = 64 << 20
"""Memory of answers that wait for their turn, about. (Those that were under way when it was used up wait unread, and take a tenth.)"""
SIZE_IN_MEMORY: Final = 10
"""Bytes of memory that a byte of JSON takes as objects, about."""

Part: TypeAlias = "Hashable"
"""The part that requests belong to: a stream, or one form of it. If it ends early, the rest of its requests are dropped."""
Key: TypeAlias = "tuple[Part, Hashable]"
"""A part, and what tells a request of it apart from its others."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: what tells it apart from the others of its part, and what sends it, or with other arguments one like it."""

    name: Any
    send: Callable[..., Any]


@dataclass(slots=True)
class Outcome:
    """The outcome of a request: the bytes of its answer, and how many requests it took."""

    answer: Any = None
    error: BaseException | None = None
    size: int = 0
    requests: int = 0


@dataclass(slots=True)
class _Asked:
    """A request that is under way, or whose answer waits for its turn.

    Attributes:
        size: Bytes of memory of the answer that has come.
        is_read: Whether it is read as JSON, or being read. Else it waits until there is room.
    """

    size: int = 0
    is_read: bool = False
    outcome: Outcome | None = None


class Schedule:
    """The choice of the next request, and the answers that wait for their turn.

    Requests are drawn in the order of the run, when they are needed. At most `concurrency` are under way, and at most `most_ahead` are under
    way or kept; none is asked while answers of `most_bytes` are kept. Whoever reads and needs a request that was not asked yet asks it without
    these bounds, so that none can stop a run.
    """

    def __init__(
        self,
        asks: Iterable[tuple[Part, Ask]],
        *,
        concurrency: int,
        most_ahead: int = MOST_AHEAD,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._asks: Iterator[tuple[Part, Ask]] = iter(asks)
        self._concurrency = concurrency
        self._most_ahead = most_ahead
        self._most_bytes = most_bytes
        self._asked: dict[Key, _Asked] = {}
        self.is_drawn = False
        """True if all requests have been drawn."""
        self._dropped: set[Part] = set()
        self._failed: set[Part] = set()
        """Parts with a request that failed. Its reader decides how to continue, and asks for the rest: the next would likely fail as well."""
        self._taken: set[Key] = set()
        """Requests that were asked by their reader before they were drawn."""

    def next(self) -> tuple[Part, Ask] | None:
        """The request to ask now; `None` if there is none, or no room."""
        under_way = sum(asked.outcome is None for asked in self._asked.values())
        is_full = len(self._asked) >= self._most_ahead or self._bytes() >= self._most_bytes
        if is_full or under_way >= self._concurrency:
            return None
        for part, ask in self._asks:
            key = part, ask.name
            if part in self._dropped or part in self._failed or key in self._taken:
                self._taken.discard(key)
                continue
            self._asked[key] = _Asked()
            return part, ask
        self.is_drawn = True
        return None

    def _bytes(self, *, but_unread: bool = False) -> int:
        """Bytes of answers that have come, with or without those that wait to be read."""
        return sum(asked.size for asked in self._asked.values() if asked.is_read or not but_unread)

    def receive(self, part: Part, name: Hashable, size: int) -> None:
        """The answer to a request under way has come, and takes so many bytes once it is read."""
        asked = self._asked[part, name]
        asked.size, asked.is_read = size, False

    def may_read(self, part: Part, name: Hashable, *, is_its_turn: bool) -> bool:
        """True if an answer that has come may be read now: there is room, or its turn has come."""
        asked = self._asked[part, name]
        if self._bytes(but_unread=True) + asked.size > self._most_bytes and not is_its_turn:
            return False
        asked.is_read = True
        return True

    def finish(self, part: Part, name: Hashable, outcome: Outcome) -> None:
        """A request has been answered."""
        if outcome.error is not None:
            self._failed.add(part)
        if part in self._dropped:
            del self._asked[part, name]
        else:
            self._asked[part, name] = _Asked(outcome.size, is_read=True, outcome=outcome)

    def take(self, part: Part, name: Hashable) -> Outcome | Literal["under way", "not asked"]:
        """The outcome of a request, once. One that has not been asked will not be asked ahead: its reader asks."""
        asked = self._asked.get((part, name))
        if asked is None:
            self._taken.add((part, name))
            return "not asked"
        if asked.outcome is None:
            return "under way"
        del self._asked[part, name]
        return asked.outcome

    def is_under_way(self, part: Part, name: Hashable) -> bool:
        """True if a request has been asked, and not answered."""
        asked = self._asked.get((part, name))
        return asked is not None and asked.outcome is None

    def is_dropped(self, part: Part) -> bool:
        """True if a part has ended."""
        return part in self._dropped

    def drop(self, part: Part) -> None:
        """Drop the rest of a part: nobody will take it."""
        self._dropped.add(part)
        self._asked = {key: asked for key, asked in self._asked.items() if key[0] != part or asked.outcome is None}
        self._taken = {key for key in self._taken if key[0] != part}


class Lookahead:
    """Threads that send the requests of a schedule, and give each answer in its turn. Errands come first.

    The threads are daemons, so that a run ends at once on a signal, whatever is under way.
    """

    def __init__(
        self,
        schedule: Schedule,
        threads: int,
        *,
        limiter: Limiter,
        while_waiting: Callable[[], float],
        errands: Errands | None = None,
    ) -> None:
        """Begin to ask; if there may be errands, when `begin` is called, and then the threads stay for them until the end of the run.

        A request is drawn when the limiter has a place for it, so that they go out in their order.
        """
        self._schedule = schedule
        self._limiter = limiter
        self._while_waiting = while_waiting
        self._errands = errands
        self._changed = errands.changed if errands is not None else forks.new_condition()
        self._held: dict[Key, turns.Held] = {}
        self._is_drawing = errands is not None
        """True if a thread waits with a request for its place in the quota. The next is drawn behind it."""
        self._is_closed = False
        self.part: Part = None
        """The part that is read now."""
        self.threads = 0
        """Threads that ask: fewer than were wanted where the machine, or its container, allows no more."""
        with suppress(RuntimeError):
            for number in range(threads):
                threading.Thread(target=self._work, name=f"ahead-{number}", daemon=True).start()
                self.threads += 1

    def begin(self) -> None:
        """From now on, send the requests of the schedule, and not errands alone."""
        with self._changed:
            self._is_drawing = False
            self._changed.notify_all()

    def _work(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Callable[[], None] | None:
        """The next thing to do; `None` if there will be none."""
        with self._changed:
            while not self._is_closed:
                wait = None
                if self._errands is not None:
                    if (errand := self._errands.next()) is not None:
                        return partial(self._do, self._errands, errand)
                    wait = self._errands.seconds_until_due()
                if not self._is_drawing and (found := self._schedule.next()) is not None:
                    self._is_drawing = True
                    part, ask = found
                    held = turns.Held(when_received=partial(self._wait_for_room, part, ask.name))
                    self._held[part, ask.name] = held
                    return partial(self._ask, part, ask, held)
                if self._schedule.is_drawn and self._errands is None:
                    return None
                self._changed.wait(wait)
        return None

    def _do(self, errands: Errands, errand: Errand) -> None:
        begun = self._limiter.spent_here()
        try:
            errand.step()
        except BaseException as error:  # noqa: BLE001 (whoever reads meets it)
            errand.bug, errand.is_left = error, True
        with errands.changed:
            errand.done(self._limiter.spent_here() - begun)
            errands.changed.notify_all()

    def _ask(self, part: Part, ask: Ask, held: turns.Held) -> None:
        outcome = Outcome()
        with turns.ahead(held):
            try:
                self._limiter.reserve()
            except BaseException as error:  # noqa: BLE001 (of a log that can't be written, say: whoever reads meets it)
                outcome.error = error
        with self._changed:
            self._is_drawing = False
            is_dropped = self._is_closed or self._schedule.is_dropped(part)
            self._changed.notify_all()
        if is_dropped:
            self._limiter.give_back()
        elif outcome.error is None:
            outcome = self._outcome(ask, held)
        with self._changed:
            self._schedule.finish(part, ask.name, outcome)
            self._changed.notify_all()

    def _outcome(self, ask: Ask, held: turns.Held) -> Outcome:
        outcome, begun = Outcome(), self._limiter.spent_here()
        with turns.ahead(held):
            try:
                outcome.answer = ask.send()
            except BaseException as error:  # noqa: BLE001 (whoever reads meets it)
                outcome.error = error
        outcome.requests = self._limiter.spent_here() - begun
        outcome.size = held.size * SIZE_IN_MEMORY
        return outcome

    def _wait_for_room(self, part: Part, name: Hashable, size: int) -> None:
        """Wait until there is room for what is in an answer: as objects it takes many times its bytes."""
        held = self._held.get((part, name))
        with self._changed:
            self._schedule.receive(part, name, size * SIZE_IN_MEMORY)
            while held is not None and not self._is_closed and not self._schedule.is_dropped(part):
                if self._schedule.may_read(part, name, is_its_turn=held.is_its_turn):
                    return
                self._changed.wait()
        turns.check_needed()

    def take(self, name: Hashable) -> Outcome | None:
        """The outcome of a request of the part that is read now; `None` if it has not been sent, and will not be."""
        key = self.part, name
        while True:
            with self._changed:
                found = self._schedule.take(*key)
                held = self._held.get(key)
                self._changed.notify_all()  # there may be room for more
            if found == "not asked":
                return None
            if held is not None:
                held.release()
                with self._changed:
                    self._changed.notify_all()  # it need not wait for room
            if isinstance(found, Outcome):
                self._held.pop(key, None)
                return found
            wait = self._while_waiting()
            with self._changed:
                if self._schedule.is_under_way(*key):
                    self._changed.wait(min(wait, threading.TIMEOUT_MAX))

    def drop(self, part: Part) -> None:
        """A part has ended: what was asked ahead for it, and not read, is not needed."""
        with self._changed:
            self._schedule.drop(part)
            for key in [key for key in self._held if key[0] == part]:
                self._held.pop(key).drop()
            self._changed.notify_all()

    def close(self) -> None:
        """Send nothing more: the run has ended. What is under way is not waited for."""
        with self._changed:
            self._is_closed = True
            for held in self._held.values():
                held.drop()
            self._changed.notify_all()
            if self._errands is not None:
                self._errands.close()
