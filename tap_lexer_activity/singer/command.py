"""The command: the SDK's, with ends that people and schedulers can tell apart.

Every foreseen error is one line and exit code 1. A stack trace means a defect of the tap.
"""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError, SyncLifecycleSignal
from typing_extensions import override

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.singer.stdout import StdoutError, discard_stdout, flush_stdout

if TYPE_CHECKING:
    from collections.abc import Sequence


class _OnlyWhenDebugging(logging.Filter):
    """Lowers to DEBUG what the SDK says of the environment: a line for each setting, which is each of them under Meltano."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.INFO and "env var" in str(record.msg):
            record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger(record.name).isEnabledFor(record.levelno)


_ONLY_WHEN_DEBUGGING: Final = _OnlyWhenDebugging()


class LexerCommand(click.Command):
    """A command that turns exceptions into lines in the log and exit codes."""

    def __init__(self, *, logger: logging.Logger, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._logger = logger

    @override
    def main(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> NoReturn:
        for name in (self._logger.name, "singer_sdk.configuration._dict_config"):
            logging.getLogger(name).addFilter(_ONLY_WHEN_DEBUGGING)
        logging.captureWarnings(capture=True)
        warnings.formatwarning = _in_one_line
        warnings.filterwarnings("once", category=DeprecationWarning)
        try:
            self._main(args, *rest, **kwargs)
        except EndOfRun as end:
            self._end(end.exit_code, *str(end).splitlines())
        except ConfigValidationError as error:
            self._end(1, *(error.errors or [str(error)]))
        except SyncLifecycleSignal:
            raise
        except OSError as error:
            if isinstance(error, (BrokenPipeError, StdoutError)):
                discard_stdout()
            self._end(1, " ".join(str(error).split()))
        except (SingerSDKError, ValueError) as error:
            self._end(1, " ".join(str(error).split()))
        sys.exit(0)

    def _main(self, args: Sequence[str] | None, *rest: Any, **kwargs: Any) -> None:
        """Run the command, and write what it has printed."""
        try:
            super().main(args, *rest, **kwargs)
        except SystemExit as end:  # of options such as --discover, and of unusable ones
            if end.code:
                raise
        flush_stdout()

    def _end(self, exit_code: int, *lines: str) -> NoReturn:
        for line in lines:
            self._logger.error("%s", line)
        sys.exit(exit_code)


def _in_one_line(message: Warning | str, category: type[Warning], *_: object, **__: object) -> str:
    """A warning for the log: Python's own text has a path and a line of code in it."""
    return f"{' '.join(str(message).split())} ({category.__name__})"
