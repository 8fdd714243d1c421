"""The command: the SDK's, with ends that people and schedulers can tell apart.

Every foreseen error is one line and exit code 1. A stack trace means a defect of the tap.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Sequence
from typing import IO, Any, Final, NoReturn

import click
from singer_sdk.exceptions import ConfigurationError, ConfigValidationError, SingerSDKError, SyncLifecycleSignal
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_lexer_activity.errors import EndOfRun, see_last
from tap_lexer_activity.singer.stdout import StdoutError, discard_stdout, flush_stdout

ConfigInput = _ConfigInput
"""The value of `--config`."""


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
            self._logger.error("%s", see_last(line))
        sys.exit(exit_code)


def _in_one_line(message: Warning | str, category: type[Warning], *_: object, **__: object) -> str:
    """A warning for the log: Python's own text has a path and a line of code in it."""
    return f"{' '.join(str(message).split())} ({category.__name__})"


def command_of(command: click.Command, logger: logging.Logger) -> LexerCommand:
    """The SDK's command, with the options that the tap has beside."""
    for option in command.params:
        if option.name in {"catalog", "state"}:  # the SDK opens them in the encoding of the machine's locale
            option.type = click.File("rb")
            option.is_eager = option.name == "catalog"  # --test needs it
        if option.name == "test":  # the SDK takes any other word for a test of all streams, selected or not
            option.type = click.Choice([choice.value for choice in CliTestOptionValue])
    check = click.Option(
        ["--check"],
        is_flag=True,
        help="Check whether the token works, and whether most users have another time zone.",
    )
    plan = click.Option(["--plan"], is_flag=True, help="Show what a run would ask for, and how long it takes.")
    doctor = [
        click.Option(
            ["--doctor"],
            is_flag=True,
            help="Ask the account what Lexer's documents leave open, by at most 40 requests, and suggest settings.",
        ),
        click.Option(
            ["--report"],
            type=click.Path(dir_okay=False, writable=True),
            metavar="FILE",
            help="Also write what --doctor found to this file, as JSON.",
        ),
        click.Option(["--doctor-from"], metavar="DATE", help="The first of the seven days that --doctor asks about."),
        click.Option(["--no-exports"], is_flag=True, help="Start no export in --doctor."),
    ]
    select = click.Option(
        ["--select"],
        multiple=True,
        callback=lambda _, __, given: ",".join(given) if given else None,
        is_eager=True,  # --discover and --test need it
        metavar="STREAMS",
        help="Streams to read, such as 'summary,nps_*', or to leave out, such as '!users'; in place of the catalog's selection.",
    )
    return LexerCommand(
        name=command.name,
        callback=command.callback,
        params=[*command.params, check, plan, *doctor, select],
        help=command.help,
        context_settings=command.context_settings,
        logger=logger,
    )


_WAY_OUT: Final = {
    "--state": "For a first load, leave out --state; otherwise pass the last state that the target kept, or everything is re-read "
    "[see: state-empty]",
    "--catalog": "Make it again with --discover [see: catalog-refused]",
}


def read_json(option: str, file: IO[bytes]) -> Any:
    """The content of a file in UTF-8, whatever the machine's locale, with or without a byte order mark."""
    text = file.read()
    try:
        content = json.loads(text)
    except UnicodeDecodeError:
        wrong = "is not in UTF-8"
    except (ValueError, RecursionError) as error:
        wrong = f"is not JSON: {error}" if text.strip() else "is empty"
    else:
        if content is not None:
            return content
        wrong = "is null"
    msg = f"{option}: {file.name} {wrong}. {_WAY_OUT[option]}"
    raise ConfigurationError(msg)
