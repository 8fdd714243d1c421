"""The quota: a limit on how many calls may begin in any period. Knows nothing of Singer, Lexer or HTTP."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
import time
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from tap_lexer_activity.errors import RequestsSpentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MEMORY: Final = ":memory:"
_DAY: Final = 86_400.0
_LOCK_TIMEOUT: Final = 30.0
_Result = TypeVar("_Result")


class Limiter:
    """Never more than `calls` calls in any `seconds`, wherever in the call the other side counts it.

    The first `calls` go at once. From then on each waits until the one `calls` before it has been over for a whole period: counted
    from its end and not from its start, because the other side counts a call when it arrives, somewhere in between.

    The calls are kept in an SQLite database: in memory, or in a file that several processes share, and then they share the quota.
    """

    def __init__(  # noqa: PLR0913 (a quota, where it is kept, and what it is told by and tells)
        self,
        calls: int,
        seconds: float,
        *,
        most: int | None = None,
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[float], None] = lambda _: None,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Make a limiter.

        Args:
            calls: Most calls in any period.
            seconds: Length of the period.
            most: Most calls of this limiter altogether.
            file: Where the calls are kept for all processes of this machine. None: the calls of this limiter are all there are.
            clock: Seconds that never run backwards. Processes that share a file have to share the clock, too.
            sleep: Waits that many seconds.
            on_wait: Told the seconds before each wait.
            on_trouble: Told why a file can't be used. The limiter goes on without it.
        """
        self._calls = calls
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._on_wait = on_wait
        self._on_trouble = on_trouble
        self.spent = 0
        """Calls so far."""
        self._is_shared = file is not None
        try:
            self._database = _opened(_MEMORY if file is None else str(file))
        except sqlite3.Error as error:
            self._go_on_alone(error)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wait for a place in the quota, and take it for the time of the block.

        Raises:
            RequestsSpentError: If `most` calls have been made.
        """
        if self._most is not None and self.spent >= self._most:
            msg = f"max_requests ({self._most}) have been sent"
            raise RequestsSpentError(msg)
        ticket = self._guarded(self._enter)
        while ticket is None:
            wait = max(0.0, self.free_at() - self._clock())
            self._on_wait(wait)
            self._wait(wait)
            ticket = self._guarded(self._enter)
        self.spent += 1
        try:
            yield
        finally:
            self._guarded(lambda: self._leave(ticket))

    def places(self) -> int:
        """Calls that could begin now without a wait."""
        return max(0, self._calls - len(self._guarded(self._ends)))

    def free_at(self) -> float:
        """When the next call can begin, in seconds of the clock."""
        ends = self._guarded(self._ends)
        return self._clock() if len(ends) < self._calls else ends[len(ends) - self._calls] + self._seconds

    def _wait(self, seconds: float) -> None:
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            self._sleep(left)

    def _enter(self) -> int | None:
        """Take a place, if there is one."""
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            if len(self._ends()) >= self._calls:
                return None
            now = self._clock()
            # Another limiter of the file may have a longer period, if not by much. And a machine that was started anew has a clock
            # that began anew.
            database.execute("DELETE FROM calls WHERE begun < ? OR begun > ?", (now - 10 * self._seconds - _DAY, now))
            return database.execute("INSERT INTO calls (begun) VALUES (?)", (now,)).lastrowid

    def _leave(self, ticket: int | None) -> None:
        self._database.execute("UPDATE calls SET ended = ? WHERE id = ?", (self._clock(), ticket))

    def _ends(self) -> list[float]:
        """When the calls ended that count now, the first first.

        One that goes on ends now at the earliest. If it does so for more than a period, its process has been killed.
        """
        now = self._clock()
        found = self._database.execute(
            "SELECT coalesce(ended, ?) AS end FROM calls WHERE begun <= ? AND coalesce(ended, begun + ?) + ? > ? ORDER BY end",
            (now, now, self._seconds, self._seconds, now),
        )
        return [end for (end,) in found]

    def _guarded(self, work: Callable[[], _Result]) -> _Result:
        """Do something with the database. If the file fails, go on without it: nothing is known then of the last period, so wait for one."""
        try:
            return work()
        except sqlite3.Error as error:
            if not self._is_shared:
                raise
            self._go_on_alone(error)
            self._wait(self._seconds)
            return work()

    def _go_on_alone(self, error: sqlite3.Error) -> None:
        self._on_trouble(str(error))
        self._is_shared = False
        self._database = _opened(_MEMORY)


def _opened(name: str) -> sqlite3.Connection:
    database = sqlite3.connect(name, timeout=_LOCK_TIMEOUT, isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")  # what a power cut takes away is not needed after it
    database.execute("CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, begun REAL NOT NULL, ended REAL)")
    return database


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
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != user):
        msg = f"{folder} is not this user's"
        raise PermissionError(msg)
    return folder / f"quota-{blake2b(owner.encode(), digest_size=4).hexdigest()}.sqlite3"
