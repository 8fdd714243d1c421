"""The tap: its settings, its streams and its command."""

from __future__ import annotations

import logging
import os
from copy import deepcopy
from pathlib import Path
from typing import IO, Any, ClassVar, Self, cast

import click
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.singerlib.messages import StateMessage
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.settings.environment import is_pasted, unused_variables
from tap_lexer_activity.settings.schema import SETTINGS
from tap_lexer_activity.singer.command import ConfigInput, command_of, read_json
from tap_lexer_activity.singer.plugin import SingerTap, values_of_bookmarks
from tap_lexer_activity.sync.checks import check_token, describe_plan
from tap_lexer_activity.sync.outcome import say_counts, say_outcome, say_trial


class TapLexerActivity(SingerTap):
    """Singer tap for Lexer's Activity API."""

    name = "tap-lexer-activity"
    package_name = "tap-lexer-activity"
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS

    def run(self) -> None:
        """Read every selected stream."""
        is_backfill = self.settings.backfill is not None
        if is_backfill:
            self.keep_state()
        before = deepcopy(self.state)
        self.engine.prepare()
        try:
            self.sync_all()
            state = before if is_backfill else self.state
            if state and not self.writer.state_came_last:
                # Of an open window. There are targets that forget a state at the next record.
                self.write_message(StateMessage(value=state))
        finally:
            say_counts(self.current, [stream.name for stream in self.selected])
        say_outcome(self.engine, got_further=values_of_bookmarks(self.state) != values_of_bookmarks(before))

    def check(self) -> None:
        """Say whether the token works, and whether `timezone` is that of the users."""
        check_token(self.current)

    def describe_plan(self) -> list[str]:
        """The requests that a run would send, as lines for people."""
        discovers = self.leave_discovery_out()
        return describe_plan(self.engine, discovers)

    def doctor(self, *, first: str | None, with_exports: bool, report: str | None) -> None:
        """Find out what the documents leave open, and print it. The exit code is 1 if something is different and open, or could not be told."""
        from tap_lexer_activity.doctor.doctor import examine  # noqa: PLC0415 (a run needs none of it, and starts sooner)
        from tap_lexer_activity.doctor.report import as_json, as_text  # noqa: PLC0415

        found = examine(self.settings, cast("logging.Logger", self.logger), first=first, with_exports=with_exports)
        click.echo("\n".join(as_text(found, report)))
        if report is not None:  # (after the text: it should not be lost if the file can't be written)
            Path(report).write_text(f"{as_json(found)}\n", encoding="utf-8")
        if not found.is_settled:
            msg = ""
            raise EndOfRun(msg, exit_code=1)

    def test(self) -> None:
        """Read one record of every selected stream."""
        self.run_sync_dry_run(dry_run_record_limit=1, streams=self.selected)
        say_trial(self.engine)

    # The command

    @classmethod
    def _of(
        cls,
        config: ConfigInput | None,
        *,
        state: IO[bytes] | None = None,
        catalog: IO[bytes] | None = None,
        **more: Any,
    ) -> Self:
        """The tap for options of the command."""
        return cls(
            config=config.config if config else {},
            parse_env_config=bool(config and config.parse_env),
            state=None if state is None else read_json("--state", state),
            catalog=None if catalog is None else read_json("--catalog", catalog),
            **more,
        )

    @override
    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> ConfigInput:
        if any(map(is_pasted, value)):
            msg = "--config: should be the path of a file, or ENV, but looks like settings (not shown) [see: config-no-path]"
            raise ConfigurationError(msg)
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, TypeError, ValueError) as error:
            msg = (
                f"--config {' '.join(value)}: not a file with a JSON object of settings ({error}) [see: config-no-path]"
            )
            raise ConfigurationError(msg) from error

    @override
    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        if value and (select := ctx.params.get("select")) is not None:
            config = ctx.params.get("config")
            tap = cls._of(config, validate_config=cls.dynamic_catalog, setup_mapper=False, select=select)
            tap.run_discovery()
            ctx.exit()
        super().cb_discover(ctx, param, value)

    @override
    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        config, catalog, select = (ctx.params.get(name) for name in ("config", "catalog", "select"))
        is_chosen = catalog is not None or select is not None
        if value == CliTestOptionValue.All.value or (value == CliTestOptionValue.Schema.value and is_chosen):
            tap = cls._of(config, catalog=catalog, select=select)
            if value == CliTestOptionValue.All.value:
                tap.test()
            else:
                for stream in tap.selected:
                    stream.write_schema()
            ctx.exit()
        super().cb_test(ctx, param, value)

    @override
    @classmethod
    def invoke(  # type: ignore[override]  # named options in place of the SDK's **kwargs, as the SDK's own taps have
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: ConfigInput | None = None,
        state: IO[bytes] | None = None,
        catalog: IO[bytes] | None = None,
        check: bool = False,
        plan: bool = False,
        doctor: bool = False,
        report: str | None = None,
        doctor_from: str | None = None,
        no_exports: bool = False,
        select: str | None = None,
    ) -> None:
        if about:
            cls.print_about(about_format)
            return
        if not doctor and (report is not None or doctor_from is not None or no_exports):
            msg = "--report, --doctor-from and --no-exports are options of --doctor, which is missing [see: doctor-options]"
            raise ConfigurationError(msg)
        cls.print_version(print_fn=cls.logger.info)
        given = config.config if config else {}
        unused = unused_variables(cls.config_jsonschema, cls.variable_prefix(), os.environ, given)
        if unused and not (config and config.parse_env):
            cls.logger.warning(
                "Ignored, because --config ENV is missing: %s [see: variables-not-read]",
                ", ".join(unused),
            )
        setup_mapper = not (check or plan or doctor)
        tap = cls._of(config, state=state, catalog=catalog, setup_mapper=setup_mapper, select=select)
        if check:
            tap.check()
        elif doctor:
            tap.doctor(first=doctor_from, with_exports=not no_exports, report=report)
        elif plan:
            click.echo("\n".join(tap.describe_plan()))
        else:
            tap.run()

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        return command_of(super().get_singer_command(), cls.logger)
