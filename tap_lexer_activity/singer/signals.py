"""The end of a run by a signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

from tap_lexer_activity.errors import EndOfRun

_TO_GIVE_UP: Final = 3
"""The signal that ends the process where it stands. The first ends the run at a message boundary, and a second comes from schedulers that
are stopped themselves; but a target that reads no more keeps the run in a write for ever."""


class Signals:
    """The signals of a run: the first of them interrupts it."""

    def __init__(self, interrupt: Callable[[EndOfRun], None]) -> None:
        self._came: list[int] = []
        self._interrupt = interrupt

    def handle(self, signum: int, _: FrameType | None = None) -> None:
        """A signal has come."""
        self._came.append(signum)
        if len(self._came) >= _TO_GIVE_UP:
            os._exit(128 + self._came[0])
        if len(self._came) == 1:  # another would strike while the run ends, where nothing catches it
            name = signal.Signals(signum).name
            msg = f"Ended by {name}. The next run continues from the last state [see: ended-by-signal]"
            self._interrupt(EndOfRun(msg, exit_code=128 + signum))
