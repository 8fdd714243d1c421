"""The command `source-lexer-activity`, and `python -m tap_lexer_activity.fronts.airbyte`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from typing import Any

from singer_sdk.exceptions import SingerSDKError

from tap_lexer_activity.errors import EndOfRun, QuotaUsedUpError
from tap_lexer_activity.fronts.airbyte import messages as m
from tap_lexer_activity.fronts.airbyte.given import read_file, settings_in, state_in, streams_in
from tap_lexer_activity.fronts.airbyte.read import read
from tap_lexer_activity.fronts.airbyte.spec import catalog, specification
from tap_lexer_activity.fronts.running import all_columns, settings_of
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.settings.settings import Settings
from tap_lexer_activity.singer.signals import Signals
from tap_lexer_activity.singer.stdout import end_around_threads, make_stdout_whole
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.sync.checks import check_token


def main() -> None:
    """Run the command."""
    arguments = _parser().parse_args()
    if sys.stdout is None:
        sys.exit("stdout is closed, but messages are written there [see: stdout-closed]")
    make_stdout_whole()
    messages = m.Messages(sys.stdout.buffer)
    signals = Signals(messages.interrupt)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signals.handle)
    logger = logging.getLogger("source_lexer_activity")
    for each in (logger, logging.getLogger()):
        each.setLevel(logging.INFO if each is logger else logging.WARNING)
    logging.getLogger().addHandler(m.LogHandler(messages))
    logging.captureWarnings(capture=True)
    code = _run(arguments, messages, logger)
    end_around_threads(code)
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="source-lexer-activity", description="Lexer's Activity API for Airbyte.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("spec", help="write which settings there are")
    for name, text in (("check", "say whether the token works"), ("discover", "write which streams there are")):
        commands.add_parser(name, help=text).add_argument("--config", required=True)
    reading = commands.add_parser("read", help="read the streams of a catalog")
    reading.add_argument("--config", required=True)
    reading.add_argument("--catalog", required=True)
    reading.add_argument("--state")
    return parser


def _run(arguments: argparse.Namespace, messages: m.Messages, logger: logging.Logger) -> int:
    """Run one of the commands; then the exit code."""
    try:
        return _answer(arguments, messages, logger)
    except (EndOfRun, SingerSDKError) as error:
        code = error.exit_code if isinstance(error, EndOfRun) else 1
        said = m.lines_of(error)
        found = m.failure("\n".join(said), m.kind_of(error))
    except Exception as error:  # noqa: BLE001 (Airbyte wants to be told of defects, too)
        code, said, found = 1, [], m.defect(error)
    if arguments.command == "check" and said and code == 1:
        answer = {"status": "FAILED", "message": "\n".join(said)}
        messages.write({"type": "CONNECTION_STATUS", "connectionStatus": answer})
        return 0
    messages.write(*(m.log("ERROR", line) for line in said), found)
    return code


def _offered(settings: Settings) -> list[str]:
    """The streams that are shown to be chosen from. People choose all of them, so one that most accounts refuse has to be asked for."""
    names = settings.report_parameters
    return [name for name, kind in BY_NAME.items() if kind.selected_by_default or name in names]


def _answer(arguments: argparse.Namespace, messages: m.Messages, logger: logging.Logger) -> int:
    if arguments.command == "spec":
        messages.write({"type": "SPEC", "spec": specification()})
        return 0
    config: dict[str, Any] = settings_in(read_file("--config", arguments.config))
    settings = settings_of(config)
    if arguments.command == "read":
        wanted = streams_in(read_file("--catalog", arguments.catalog))
        state = state_in(read_file("--state", arguments.state) if arguments.state else None)
        return read(settings, wanted, state, messages, logger)
    run = Run.begin(settings, logger)
    if arguments.command == "check":
        try:
            check_token(run)
        except QuotaUsedUpError as error:
            messages.write(*(m.log("WARN", line) for line in m.lines_of(error)))
        messages.write({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}})
    else:
        messages.write({"type": "CATALOG", "catalog": catalog(all_columns(run, _offered(settings)))})
    return 0


if __name__ == "__main__":
    main()
