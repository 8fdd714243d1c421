"""The command `tap-lexer-activity`, and `python -m tap_lexer_activity`: what comes before the tap itself is loaded, which takes a while."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from types import FrameType
from typing import Final

from tap_lexer_activity.singer.stdout import end_around_threads, make_stdout_whole

_LEVELS: Final = ("TAP_LEXER_ACTIVITY_LOGLEVEL", "LOGLEVEL")
"""Environment variables with a level for the log. The first that is set counts, as the SDK reads them."""


def main() -> None:
    """Run the command. A signal that comes before there is a tap, which has handlers of its own, ends the process with its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    level = next((name for name in _LEVELS if os.environ.get(name)), None)
    if level is not None and os.environ[level].upper() not in logging.getLevelNamesMapping():
        sys.exit(
            f"The environment variable {level} should be one of DEBUG, INFO, WARNING, ERROR and CRITICAL [see: variable-log-level]"
        )

    make_stdout_whole()

    gc.disable()  # what is imported stays: to look through it for garbage takes a tenth of the start
    from tap_lexer_activity.tap import TapLexerActivity  # noqa: PLC0415 (a second that a signal may come in)

    gc.freeze()
    gc.enable()
    try:
        TapLexerActivity.cli()
    except SystemExit as end:
        end_around_threads(end.code)
        raise


def _end(signum: int, _: FrameType | None) -> None:
    # Nothing has been written yet, and an exception would have to find its way through whatever is being loaded.
    os._exit(128 + signum)


if __name__ == "__main__":
    main()
