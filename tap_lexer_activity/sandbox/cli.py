"""The command `lexer-activity-sandbox`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from tap_lexer_activity.sandbox.differences import CONTRARY
from tap_lexer_activity.sandbox.faults import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_lexer_activity.sandbox.server import Sandbox

PREFIX = "TAP_LEXER_ACTIVITY_"


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the sandbox's options."""
    choices = (
        click.option("--timezone", default="Australia/Sydney", show_default=True, help="The account's IANA zone."),
        click.option("--clock", help="Fixed time of the sandbox (ISO 8601). Default: the real time, which runs."),
        click.option("--messages-per-day", type=click.IntRange(0), default=40, show_default=True, help="Their mean number."),
        click.option("--seed", default="lexer", show_default=True, help="The same seed gives the same contact centre."),
        click.option("--quota", default="100/300", show_default=True, help="Requests/seconds of a token."),
        click.option("--history-start", help="The first date with customers. Default: 14 months before the clock."),
        click.option("--labels", type=click.Choice(["zone", "offset"]), default="zone", show_default=True,
                     help="Days of a series: those of the account's zone, or of the request's offset."),
        click.option("--nps-labels", type=click.Choice(["end", "start"]), default="end", show_default=True,
                     help="End of a 24-hour step that labels it in nps_volume."),
        click.option("--user-volume-shape", type=click.Choice(["agents", "states"]), default="agents",
                     show_default=True, help="Rows of user_volume: agents (Team Volume) or states (Workflow States)."),
        click.option("--workflow-states-type", help="A report type that answers Workflow States. Default: none."),
        click.option("--export-seconds", type=click.FloatRange(0), default=1.0, show_default=True,
                     help="Seconds that an export job takes."),
        click.option("--fault", "faults", multiple=True, metavar="NAME[:MATCH][*TIMES][=VALUE]",
                     help="A fault to inject, such as rate_limited:summary*2=30; TIMES: a number (1) or `all`."),
        click.option("--difference", "differences", multiple=True, metavar="NAME",
                     help="A difference from Lexer's documents, such as wrapped_lists."),
        click.option("--contrary", is_flag=True, help="As many differences at once as fit together."),
        click.option("--token", default="sandbox-token-0000", show_default=True, help="Token to accept; begins with sandbox-."),
        click.option("--host", type=click.Choice(["127.0.0.1"]), default="127.0.0.1", show_default=True,
                     help="This machine only."),
    )  # fmt: skip
    for choice in reversed(choices):
        command = choice(command)
    return command


def _start(
    faults: tuple[str, ...], host: str, quota: str, differences: tuple[str, ...], *, contrary: bool, **options: Any
) -> Sandbox:
    """Start a sandbox with a command's options.

    Raises:
        ClickException: Flask is missing, an option makes no sense, or the port is taken.
    """
    try:
        from tap_lexer_activity.sandbox.server import Sandbox  # noqa: PLC0415 Flask may be missing
    except ModuleNotFoundError as error:
        if error.name not in {"flask", "werkzeug"}:
            raise
        msg = "the sandbox needs Flask. In the clone of the tap: uv tool install '.[sandbox]' [see: sandbox-flask]"
        raise click.ClickException(msg) from None
    requests, _, seconds = quota.partition("/")
    if not (requests.isdecimal() and seconds.isdecimal() and int(requests) and int(seconds)):
        msg = f"--quota is {quota!r}: write REQUESTS/SECONDS such as 100/300"
        raise click.ClickException(msg)
    if not options["token"].startswith("sandbox-"):
        msg = "--token should begin with sandbox-, which tells it apart from a token for real data"
        raise click.ClickException(msg)
    try:
        chosen = (*(CONTRARY if contrary else ()), *differences)
        sandbox = Sandbox(quota=(int(requests), int(seconds)), differences=chosen, **options)
        for fault in map(parse, faults):
            sandbox.fault(fault.name, fault.match, fault.times, fault.value)
        return sandbox.start()
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        msg = f"port {options.get('port')} of {host} can't be used ({error.strerror}): choose another --port, 0 for a free one"
        raise click.ClickException(msg) from None


def _end(sandbox: Sandbox) -> None:
    """Close a sandbox, and print what it has served."""
    sandbox.close()
    click.echo(f"sandbox: {len(sandbox.requests)} requests served, {sandbox.rate_limited} answers of 429", err=True)


@click.group()
def main() -> None:
    """A local stand-in for Lexer's Activity API: the documented reports, from an invented contact centre."""


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 for a free one.")
@_options
def serve(**options: Any) -> None:
    """Serve until interrupted. The tap's configuration goes to stdout: `serve > sandbox.json` works."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    sandbox = _start(**options)
    click.echo(f"sandbox: {sandbox.api_url}, token {sandbox.token}, its clock at {sandbox.clock.isoformat()}", err=True)
    click.echo("sandbox: a configuration for the tap:", err=True)
    click.echo(json.dumps(sandbox.config(), indent=2))
    sys.stdout.flush()
    click.echo("sandbox: Ctrl-C ends it", err=True)
    over.wait()
    _end(sandbox)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 for a free one.")
@_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **options: Any) -> None:
    """Run a COMMAND with the tap's environment variables set to a sandbox, and end with its exit code."""
    child: subprocess.Popen[bytes] | None = None
    received: list[int] = []

    def forward(number: int, _: object) -> None:
        received.append(number)
        # a terminal's Ctrl-C has reached the command already
        if child and not (number == signal.SIGINT and sys.stdin.isatty()):
            child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    sandbox = _start(**options)
    try:
        click.echo(f"sandbox: {sandbox.api_url}, its clock at {sandbox.clock.isoformat()}", err=True)
        child = subprocess.Popen(command, env=_environment(sandbox))  # noqa: S603 the user's own command
        for early in tuple(received):
            child.send_signal(early)
        code = child.wait()
    except OSError as error:
        click.echo(f"sandbox: {command[0]} can't be run: {error.strerror}", err=True)
        code = 127 if isinstance(error, FileNotFoundError) else 126
    finally:
        _end(sandbox)
    sys.exit(128 - code if code < 0 else code)


def _environment(sandbox: Sandbox) -> dict[str, str]:
    """The environment with the tap's settings added; a start date in it stays."""
    config = sandbox.config()
    if PREFIX + "START_DATE" in os.environ:
        del config["start_date"]
    return os.environ | {PREFIX + name.upper(): str(value) for name, value in config.items()}
