"""The quota: a limit on how many calls may begin in any period. Knows nothing of HTTP or of what is called."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeVar

from tap_lexer_activity import forks
from tap_lexer_activity.errors import RequestsSpentError

_MEMORY: Final = ":memory:"
_LONGEST_PERIOD: Final = 86_400.0
"""Seconds of the longest period that a limiter of the file can have."""
_KEPT: Final = 2 * _LONGEST_PERIOD
"""Seconds that a call is kept: a limiter counts it for a period from its end, which may be as much as a period after its begin."""
_LONGEST_CALL: Final = 3600.0
"""Seconds that are looked back at least for calls that have not ended long ago: in a short period, one may last for many of them."""
_LONGEST_HOLD: Final = 6
"""Periods of the quota that no call begins at most, whatever the other side says."""
_LOCK_TIMEOUT: Final = 30.0
"""Seconds that another process may keep the file locked before it is given up."""
_LOCK_PAUSE: Final = 0.1
_Result = TypeVar("_Result")


class _Here(threading.local):
    spent = 0
    ticket: int | None = None


class Limiter:
    """Never more than `calls` calls in any `seconds`, wherever in the call the other side counts it.

    The first `calls` go at once. From then on each waits until the one `calls` before it has been over for a whole period: counted
    from its end and not from its start, because the other side counts a call when it arrives, somewhere in between.

    Threads may share it. The calls are kept in an SQLite database: in memory, or in a file that several processes share, and then they
    share the quota.
    It is closed when nobody needs the limiter any more.
    """

    def __init__(  # noqa: PLR0913 (a quota, where it is kept, and what it is told by and tells)
        self,
        calls: int,
        seconds: float,
        *,
        max_calls: int | None = None,
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[float], None] = lambda _: None,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Without a file, the calls of this limiter are all there are; processes that share one have to share the clock, too.

        `on_wait` is told the seconds before each wait, and `on_trouble` why a file can't be used: the limiter goes on without it.
        """
        self._calls = calls
        self._seconds = seconds
        self.max_calls = max_calls
        """Most calls altogether."""
        self._clock = clock
        self._sleep = sleep
        self._on_wait = on_wait
        self._on_trouble = on_trouble
        self.spent = 0
        """Calls so far, of all threads."""
        self._here = _Here()
        self._held_until = -math.inf
        self._refusals: list[float] = []
        self._accepted = 0
        self._lock = forks.free_in_children(threading.RLock())
        """Guards the database, and what is counted."""
        self._gate = threading.Lock()
        """One thread waits for a place at a time, and the others for it: so each wait is told once."""
        self._is_shared = file is not None
        try:
            self._use(_opened(_MEMORY) if file is None else self._patiently(lambda: _opened_or_made_anew(file)))
        except sqlite3.Error as error:
            self._go_on_alone(error)

    def _use(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._close = weakref.finalize(self, _close_unused, database, self._lock)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wait for a place in the quota, and take it for the time of the block, unless `max_calls` calls have been made."""
        if self.max_calls is not None and self.spent >= self.max_calls:
            msg = f"max_requests ({self.max_calls}) is used up [see: max-requests-spent]"
            raise RequestsSpentError(msg)
        self.reserve()
        ticket, self._here.ticket = self._here.ticket, None
        with self._lock:
            self.spent += 1
        self.credit(1)
        try:
            yield
        finally:
            self._guarded(lambda: self._leave(ticket))

    def reserve(self) -> None:
        """Wait for a place in the quota, and keep it for this thread's next call, unless it has one."""
        if self._here.ticket is not None:
            return
        with self._gate:
            ticket = self._guarded(self._enter)
            while ticket is None:
                wait = max(0.0, self.next_free_at() - self._clock())
                self._on_wait(wait)
                until = self._clock() + wait
                while (left := until - self._clock()) > 0:
                    self._sleep(left)
                ticket = self._guarded(self._enter)
        self._here.ticket = ticket

    def give_back(self) -> None:
        """Do without the place that this thread has reserved."""
        ticket, self._here.ticket = self._here.ticket, None
        if ticket is not None:
            self._guarded(lambda: self._database.execute("DELETE FROM calls WHERE id = ?", (ticket,)))

    def spent_here(self) -> int:
        """Calls so far, of this thread, and those credited to it."""
        return self._here.spent

    def credit(self, calls: int) -> None:
        """Count calls of another thread, which were for this one."""
        self._here.spent += calls

    def available(self) -> int:
        """Calls that could begin now without a wait."""
        if self._clock() < self._held_until:
            return 0
        return max(0, self._calls - len(self._guarded(self._ends)))

    def next_free_at(self) -> float:
        """When the next call can begin, in seconds of the clock."""
        ends = self._guarded(self._ends)
        free = self._clock() if len(ends) < self._calls else ends[len(ends) - self._calls] + self._seconds
        return max(free, self._held_until)

    def seconds_per_call(self) -> float | None:
        """Seconds that a call of the last two days took on average, those of other processes included; `None` if there was none."""
        now = self._clock()
        query = "SELECT avg(ended - begun) FROM calls WHERE begun BETWEEN ? AND ? AND ended > begun"
        found: float | None = self._guarded(lambda: self._database.execute(query, (now - _KEPT, now)).fetchone()[0])
        return found

    def hold(self, seconds: float) -> None:
        """Begin no call for so long: the other side says that it has no room before."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + min(seconds, _LONGEST_HOLD * self._seconds))

    def learn_of_refusal(self) -> int | None:
        """Learn from a call that was refused for the quota though there was room.

        One time may be the fault of calls that nobody here knows of. If it comes again in another period, the more that was accepted in
        one of the two is the limit from now on. (Few calls are no sign: then somebody else uses the quota up.)

        Returns:
            The limit, if it has become another.
        """
        with self._lock:
            now = self._clock()
            self._refusals = [each for each in self._refusals if each > now - self._seconds] + [now]
            accepted = len(self._guarded(self._ends)) - len(self._refusals)
            if len(self._refusals) > 1 or not self._calls // 10 < accepted < self._calls:
                return None
            before, self._accepted = self._accepted, accepted
            if not before:
                return None
            self._calls, self._accepted = max(before, accepted), 0
            return self._calls

    def _enter(self) -> int | None:
        """Take a place, if there is one."""
        if self._clock() < self._held_until:
            return None
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            if len(self._ends()) >= self._calls:
                return None
            now = self._clock()
            # (A machine that was started anew has a clock that began anew: what is in its future was before that.)
            database.execute("DELETE FROM calls WHERE begun < ? OR begun > ?", (now - _KEPT, now))
            return database.execute("INSERT INTO calls (begun) VALUES (?)", (now,)).lastrowid

    def _leave(self, ticket: int | None) -> None:
        self._database.execute("UPDATE calls SET ended = ? WHERE id = ?", (self._clock(), ticket))

    def _ends(self) -> list[float]:
        """When the calls ended that count now, the first first.

        One that goes on ends now at the earliest, but is taken to last no longer than a period: then its process has been killed.
        """
        now = self._clock()
        found = self._database.execute(
            "SELECT coalesce(ended, min(?, begun + ?)) AS end FROM calls WHERE begun > ? AND begun <= ? "
            "AND end + ? > ? ORDER BY end",
            (now, self._seconds, now - max(_LONGEST_CALL, 2 * self._seconds), now, self._seconds, now),
        )
        return [end for (end,) in found]

    def _guarded(self, work: Callable[[], _Result]) -> _Result:
        """Do something with the database, by one thread at a time. If the file fails, go on without it."""
        with self._lock:
            try:
                return self._patiently(work)
            except sqlite3.Error as error:
                if not self._close.alive:  # the process ends, while another thread has a call under way
                    self._use(_opened(_MEMORY))
                    return work()
                if not self._is_shared:
                    raise
                self._close()
                self._go_on_alone(error)
            # Nothing is known any more of the period before: as if it had been used up.
            now = self._clock()
            self._database.executemany("INSERT INTO calls (begun, ended) VALUES (?, ?)", [(now, now)] * self._calls)
            return work()

    def _patiently(self, work: Callable[[], _Result]) -> _Result:
        """Do something with the database once it is not locked. The wait is here and not in SQLite, where no signal would be heard."""
        give_up_at = self._clock() + _LOCK_TIMEOUT
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or self._clock() >= give_up_at:
                    raise
            self._sleep(_LOCK_PAUSE)

    def _go_on_alone(self, error: sqlite3.Error) -> None:
        self._on_trouble(str(error))
        self._is_shared = False
        self._use(_opened(_MEMORY))


def _opened(name: str) -> sqlite3.Connection:
    # (Whichever thread finds that the limiter is not needed any more closes its database.)
    database = sqlite3.connect(name, timeout=_LOCK_PAUSE, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA synchronous = OFF")  # what a power cut takes away is not needed after it
        database.execute("CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, begun REAL NOT NULL, ended REAL)")
        database.execute("CREATE INDEX IF NOT EXISTS begun ON calls (begun)")
    except BaseException:
        database.close()
        raise
    return database


def _close_unused(database: sqlite3.Connection, lock: threading.RLock) -> None:
    """Close a database, unless a thread is using it while the process ends: the process would crash."""
    if lock.acquire(blocking=False):
        try:
            database.close()
        finally:
            lock.release()


def _opened_or_made_anew(file: Path) -> sqlite3.Connection:
    """The database of a file. A broken file, or one of another kind, is replaced: it holds nothing that lasts."""
    try:
        return _opened(str(file))
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) not in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise
    file.unlink(missing_ok=True)
    return _opened(str(file))


def shared_file(owner: str) -> Path:
    """Where the calls of one owner of a quota are kept, for all processes of this user on this machine.

    Its name has 32 bits of a digest of `owner`: enough to tell two owners apart, and too few to try out who it is.

    Raises:
        OSError: If there is no folder for it, or if the folder is not this user's alone.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"tap-lexer-activity-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and (found.st_uid != user or found.st_mode & 0o077)):
        msg = f"{folder} is not this user's alone"
        raise PermissionError(msg)
    return folder / f"quota-{blake2b(owner.encode(), digest_size=4).hexdigest()}.sqlite3"
