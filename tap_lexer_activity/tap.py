"""The tap: settings, streams, and how a run begins and ends."""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import click
from singer_sdk import Stream, Tap
from singer_sdk.exceptions import (
    ConfigurationError,
    ConfigValidationError,
    FatalAPIError,
    MappingError,
    RetriableAPIError,
)
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.helpers.capabilities import TapCapabilities
from singer_sdk.mapper import PluginMapper
from singer_sdk.singerlib.messages import StateMessage
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_lexer_activity import zones
from tap_lexer_activity.errors import AccessDeniedError, EndOfRun, NotAllowedError, UnreachableError, without_token
from tap_lexer_activity.http.limiter import Limiter, shared_file
from tap_lexer_activity.http.session import origin
from tap_lexer_activity.lexer.client import LexerClient
from tap_lexer_activity.lexer.jobs import Exporter
from tap_lexer_activity.run.plan import Plan, described, in_words, seconds_within
from tap_lexer_activity.run.progress import PACE_OF_A_FILE, PACE_OF_A_TERMINAL, Progress
from tap_lexer_activity.settings.schema import BATCH_CONFIG, FAKER_CONFIG, SETTINGS, without_bare_types
from tap_lexer_activity.settings.settings import Settings
from tap_lexer_activity.singer.catalog import checked_catalog, chosen, without_effect
from tap_lexer_activity.singer.command import LexerCommand
from tap_lexer_activity.singer.mapper import mend
from tap_lexer_activity.singer.state import UnmovedStateWriter, checked_state
from tap_lexer_activity.singer.writer import MessageWriter
from tap_lexer_activity.streams import exports, reports, resources, series
from tap_lexer_activity.streams.base import NEVER, LexerStream, PerFormStream, WindowedStream
from tap_lexer_activity.windows import Window

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from types import FrameType
    from typing import IO

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput

    from tap_lexer_activity.windows import Request

STREAMS: tuple[type[LexerStream], ...] = (
    resources.Users,
    resources.Groups,
    resources.Forms,
    reports.Summary,
    reports.WorkflowStates,
    reports.Classifications,
    reports.UserSummary,
    reports.UserVolume,
    reports.CaseSummary,
    reports.CaseClassifications,
    reports.NpsSummary,
    series.StatesVolume,
    series.ResponseVolume,
    series.CaseVolume,
    series.NpsVolume,
    exports.CaseDetails,
    exports.NpsSubmissions,
    exports.MentionSlaExport,
)
"""In the order in which they are read, unless `max_requests` puts others first. The exports come last, so that Lexer can work on them
meanwhile."""

# (A stream's name is a class attribute here, and an instance's in the SDK's types: hence vars.)
_BY_NAME: dict[str, type[LexerStream]] = {vars(stream)["name"]: stream for stream in STREAMS}
_REPORT_STREAMS = frozenset(name for name, stream in _BY_NAME.items() if issubclass(stream, WindowedStream))

_SIGNALS_TO_GIVE_UP: Final = 3
"""The signal that ends the process where it stands. The first ends the run at a message boundary, and a second comes from schedulers that
are stopped themselves; but a target that reads no more keeps the tap in a write for ever."""


class TapLexerActivity(Tap):
    """Singer tap for Lexer's Activity API."""

    name = "tap-lexer-activity"
    package_name = "tap-lexer-activity"
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS
    message_writer_class = MessageWriter
    # The messages of activate-version need a version in every record, and rows of exports go past the SDK.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        capability for capability in Tap.capabilities if capability is not TapCapabilities.ACTIVATE_VERSION
    ]

    def __init__(self, *, select: str | None = None, **kwargs: Any) -> None:
        self._select = select
        self._cuts: dict[tuple[Hashable, ...], list[Request]] = {}
        self._exports: list[exports.Export] = []
        self._refused: tuple[str, NotAllowedError] | None = None
        self._settings: Settings | ConfigValidationError | None = None
        self._signals: list[int] = []
        if kwargs.get("state") is not None:
            kwargs["state"] = checked_state(
                kwargs["state"],
                {name: stream.bookmark_column for name, stream in _BY_NAME.items()},
                per_form={name for name, stream in _BY_NAME.items() if issubclass(stream, PerFormStream)},
            )
        if kwargs.get("catalog") is not None:
            kwargs["catalog"] = checked_catalog(kwargs["catalog"], _BY_NAME)
        self._reads_environment = bool(kwargs.get("parse_env_config"))
        if self._reads_environment:
            for name in [
                name for name, value in os.environ.items() if name.startswith(self._env_var_prefix) and not value
            ]:
                del os.environ[name]  # as .env files have them: not set
        try:
            super().__init__(**kwargs)
        except ValueError as error:
            if not self._reads_environment:
                raise
            wrong = _unread_variable(self._env_var_prefix) or str(error)
            raise ConfigurationError(_without_tokens(wrong, kwargs.get("config"), self._env_var_prefix)) from None
        if self._reads_environment:
            for caution in _unknown_variables(self._env_var_prefix):
                self.logger.warning("%s", caution)

    @override
    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        super().append_builtin_config(config_jsonschema)
        properties = config_jsonschema["properties"]
        properties["stream_maps"] = without_bare_types(properties["stream_maps"])
        properties["batch_config"] = BATCH_CONFIG
        properties["faker_config"]["description"] = FAKER_CONFIG

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self.append_builtin_config(self.config_jsonschema)
        if self._reads_environment and (wrong := _unread_variable(self._env_var_prefix)):
            raise ConfigurationError(_without_tokens(wrong, self._config, self._env_var_prefix))
        self._config = {name: value for name, value in self._config.items() if value is not None}
        try:
            self._settings = Settings.parse(
                self._config,
                now=datetime.now(UTC),
                schema=self.config_jsonschema,
                report_streams=_REPORT_STREAMS,
                environment=os.environ.get("MELTANO_ENVIRONMENT") or None,
            )
        except ConfigValidationError as error:
            # (A value that is quoted may have the token in it: it is easily pasted into the wrong setting.)
            error.errors = [without_token(line, str(self._config.get("api_token") or "")) for line in error.errors]
            if raise_errors:
                raise
            self._settings = error  # discovery alone needs no settings
            return error.errors
        return []

    @property
    def settings(self) -> Settings:
        """The settings, if they make sense.

        Raises:
            ConfigValidationError: If they do not (which only discovery tolerates).
        """
        if not isinstance(self._settings, Settings):
            raise self._settings or ConfigValidationError("There are no settings yet")
        return self._settings

    @contextmanager
    def _with(self, settings: Settings) -> Iterator[None]:
        """Other settings, for the time of the block."""
        before, self._settings = self._settings, settings
        try:
            yield
        finally:
            self._settings = before

    @cached_property
    def client(self) -> LexerClient:
        """The one client of this run."""
        settings = self.settings

        logger = cast("logging.Logger", self.logger)

        def on_trouble(reason: str) -> None:
            logger.warning("The quota can't be shared with other runs on this machine (%s)", reason)

        try:
            # The quota belongs to the token, and the host it is sent to.
            file = shared_file(f"{settings.api_token} {origin(settings.api_url)}")
        except OSError as error:
            file = None
            on_trouble(str(error))
        limiter = Limiter(
            settings.rate_limit_requests,
            settings.rate_limit_seconds,
            max_calls=settings.max_requests,
            file=file,
            on_wait=lambda seconds: self.progress.wait(seconds),  # noqa: PLW0108 (the progress needs the limiter first)
            on_trouble=on_trouble,
        )
        return LexerClient(settings, limiter, logger)

    @cached_property
    def progress(self) -> Progress:
        """How far this run has come."""
        settings = self.settings
        return Progress(
            (settings.rate_limit_requests, settings.rate_limit_seconds),
            self.client.limiter,
            cast("logging.Logger", self.logger),
            zone=settings.zone,
            pace=PACE_OF_A_TERMINAL if sys.stderr and sys.stderr.isatty() else PACE_OF_A_FILE,
        )

    @property
    def writer(self) -> MessageWriter:
        """What writes messages."""
        return cast("MessageWriter", self.message_writer)

    @cached_property
    def exporter(self) -> Exporter:
        """What runs export jobs."""
        logger = cast("logging.Logger", self.logger)
        return Exporter(self.client, self.settings, logger, while_waiting=self._while_an_export_is_waited_for)

    def _while_an_export_is_waited_for(self) -> float:
        """Do other work, and say how far the run is.

        Returns:
            When to do so again, in seconds of the clock.
        """
        wanted = self.tend_exports()
        self.progress.say(for_export=True)
        return min(wanted, self.progress.due)

    @override
    def discover_streams(self) -> list[LexerStream]:
        return [stream(self) for stream in STREAMS]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        if self._streams is None:
            found = super().streams
            self._streams = {name: found[name] for name in _BY_NAME}
            if self._select is not None:
                known = [name for name in _BY_NAME if self.input_catalog is None or self.input_catalog.get_stream(name)]
                wanted = chosen(self._select, known, {name for name in known if found[name].selected})
                for name in known:
                    found[name].selected = name in wanted
            if self._config.get("discover_export_columns") and self.input_catalog is None:
                self._discover_export_columns()
        return self._streams

    def _discover_export_columns(self) -> None:
        """Give the exports' schemas the columns that a short export of each kind has.

        Raises:
            ConfigValidationError: If the configuration can't be used: this takes requests.
            FatalAPIError, RetriableAPIError: If an export can't be had.
        """
        for name, stream in self._to_discover():
            self.logger.info("Reading the columns of %s from a short export", name)
            try:
                stream.discover()
            except NotAllowedError as error:
                self.logger.warning("%s: its columns can't be read: %s%s", name, error, self.advice(name, error))

    def _to_discover(self) -> list[tuple[str, exports.Export]]:
        """The exports that discovery reads: not those that `--select` leaves out, for a deselected stream costs no request."""
        found = [(name, stream) for name, stream in self.streams.items() if isinstance(stream, exports.Export)]
        return [(name, stream) for name, stream in found if self._select is None or stream.selected]

    @override
    def setup_mapper(self) -> None:
        if self.settings.max_requests and self.settings.discover_export_columns and self.input_catalog is None:
            # (Only a sync has a mapper. Its discovery would spend the requests of every run anew.)
            msg = (
                "max_requests: can't be used with discover_export_columns unless there is a catalog. "
                "Make one with --discover and pass it with --catalog"
            )
            raise ConfigValidationError(msg, errors=[msg])
        # As the SDK does, but for streams that are not selected: it takes their properties away, keys included, and then a stream map
        # for all streams (`"*"`) fails for want of them.
        self._mapper = PluginMapper(plugin_config=dict(self.config), logger=self.logger)
        schemas = {entry.tap_stream_id: entry.schema.to_dict() for entry in self.catalog.streams}
        for entry in self.catalog.streams:
            name = entry.tap_stream_id
            mask = entry.metadata.resolve_selection()
            schema = get_selected_schema(name, schemas[name], mask) if mask[()] else schemas[name]
            try:
                self._mapper.register_raw_stream_schema(name, schema, entry.key_properties)
            except MappingError as error:
                msg = f"stream_maps: the map for {name} can't be used: {error}"
                raise ConfigurationError(msg) from error
            for stream_map in self._mapper.stream_maps[name]:
                mend(stream_map)
        for caution in without_effect(self.config.get("stream_maps") or {}, schemas):
            self.logger.warning("%s", caution)

    @property
    def forms(self) -> resources.Forms:
        """The stream of forms, which knows the NPS forms."""
        return cast("resources.Forms", self.streams[resources.Forms.name])

    def advice(self, stream: str, error: NotAllowedError) -> str:
        """What to do about a stream that was refused, as the end of the error's sentence."""
        other, before = self._refused or (stream, error)
        self._refused = stream, error
        # (The list of forms is asked for once, so the same error may come again.)
        is_in_a_row = other != stream and before is not error and before.status == error.status
        is_in_a_row = is_in_a_row and before.accepted == error.accepted  # nothing was, in between
        if error.status == HTTPStatus.UNAUTHORIZED and (is_in_a_row or self.progress.has_read(stream)):
            return ", and may have been reset since: if so, put the new one into api_token"
        return f", so it is not allowed for this alone: deselect {stream}, or ask for the right to it"

    @property
    def users(self) -> resources.Users:
        """The stream of users, who have time zones."""
        return cast("resources.Users", self.streams[resources.Users.name])

    def compare_zone(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Warn if most users have another time zone than the configured one."""
        settings = self.settings
        within = settings.backfill or Window(settings.start, settings.present)
        if caution := zones.caution(users, settings.zone, within, is_set="timezone" in self._config):
            self.logger.warning("%s", caution)

    def _ask_for_zone(self) -> None:
        """Ask for the users to compare their time zones with the configured one. A warning is not worth an error, so none comes of it."""
        try:
            self.compare_zone(resources.Users(self).fetch(tries=1))
        except (FatalAPIError, RetriableAPIError) as error:
            self.logger.debug("The time zones of the users are not known: %s", error)

    def _asks_for_zone(self, plans: Sequence[Plan]) -> bool:
        """Whether a run asks for the users though they are not selected: not if requests are counted, or no window is due."""
        is_worth_it = self.settings.max_requests is None and any(plan.requests for plan in plans)
        return is_worth_it and self.users not in self._selected()

    def _selected(self) -> list[LexerStream]:
        return [cast("LexerStream", stream) for stream in self.streams.values() if stream.selected]

    def check(self) -> None:
        """Say whether the token works, by one request, and by another one whether `timezone` is that of the users.

        Raises:
            FatalAPIError, RetriableAPIError: If it does not, or if that can't be found out.
        """
        if not self.client.limiter.available():
            wait = in_words(self.client.limiter.next_free_at() - time.monotonic())
            msg = f"Another run on this machine has used up the quota of this token, so its token works. Ask again in {wait} to be sure"
            raise RetriableAPIError(msg)
        forms = resources.Forms(self).fetch(tries=1)
        nps = sum(1 for form in forms if form.get("nps"))
        self.logger.info("The token works: %s answered, and knows %d NPS forms", self.settings.api_url, nps)
        if self.client.limiter.available():
            self._ask_for_zone()

    # What a run asks for

    def cut_once(self, key: tuple[Hashable, ...], cut: Callable[[], list[Request]]) -> list[Request]:
        """The requests for a range of time, cut once for all streams that are cut alike: years of hours take seconds."""
        if key not in self._cuts:
            self._cuts[key] = cut()
        return self._cuts[key]

    def plans(self) -> list[Plan]:
        """What this run asks for, in the order of the streams.

        Raises:
            ConfigValidationError: If `form_ids` names a form that does not exist.
            FatalAPIError, RetriableAPIError: If the forms are needed to know, and can't be read.
        """
        selected = self._selected()
        plans = [plan for stream in selected for plan in stream.plans()]
        if self._asks_for_zone(plans):
            plans.insert(0, Plan(stream=self.users.name, why="for timezone", count=1))
        if self.forms not in selected and self._needs_forms():
            plans.insert(0, Plan(stream=self.forms.name, why="for the NPS streams", count=1))
        return plans

    def _needs_forms(self) -> bool:
        return any(isinstance(stream, PerFormStream) for stream in self._selected())

    def describe_plan(self) -> list[str]:
        """What a run would ask for, as lines for people.

        Raises:
            ConfigValidationError: If `form_ids` names a form that does not exist.
            FatalAPIError, RetriableAPIError: If the forms are needed to know, and can't be read.
        """
        if discovers := self._config.get("discover_export_columns") and self.input_catalog is None:
            self._config["discover_export_columns"] = False  # or it would ask for exports now
        if self._needs_forms():
            self.forms.nps_ids()
        plans = self.plans()
        if discovers:
            jobs = sum(len(stream.contexts()) for _, stream in self._to_discover())
            plans.insert(0, Plan(stream="(columns of exports)", why="discover_export_columns", count=jobs, polls=jobs))
        for caution in self._cautions(plans):
            self.logger.warning("%s", caution)
        total = sum(plan.count + plan.polls for plan in plans)
        lines = described(plans, self._alternatives(total), self.settings)
        quota = self.settings.rate_limit_requests, self.settings.rate_limit_seconds
        places = self.client.limiter.available()
        now = seconds_within(quota, total, free=places)
        if now > seconds_within(quota, total):
            lines.append(
                f"{quota[0] - places:,} requests were sent with this token in the last {quota[1]} s: "
                f"a run that starts now takes at least {in_words(now)}."
            )
        return lines

    def _alternatives(self, total: int) -> dict[tuple[str, str], int]:
        """Requests of the same run with longer windows, by the setting and its value.

        Args:
            total: Requests of the run as it is.
        """
        settings = self.settings
        streams = [stream for stream in self._selected() if isinstance(stream, WindowedStream)]

        def cost() -> int:
            plans = [stream.plan(context) for stream in streams for context in stream.contexts()]
            return sum(plan.count + plan.polls for plan in plans)

        now = cost()
        found: dict[tuple[str, str], int] = {}
        for name, lengths in (("report_interval", ("day", "week", "month")), ("series_interval", ("hour", "day"))):
            for value in lengths[lengths.index(getattr(settings, name)) + 1 :]:
                with self._with(replace(settings, **cast("dict[str, Any]", {name: value}))):
                    found[name, value] = total - now + cost()
        return found

    def _cautions(self, plans: Sequence[Plan]) -> list[str]:
        """What is allowed and yet probably not meant, one sentence each."""
        most = self.settings.max_requests
        found = [*self.settings.cautions(), *dict.fromkeys(plan.caution for plan in plans if plan.caution)]
        for plan in plans:
            # What it takes to get one window further: the list of forms, the lookback, and the window; a job and its polls for an export.
            each = 3 if plan.polls else 1
            needed = int(self._needs_forms()) + plan.again * (2 if plan.polls else 1) + each
            if most is not None and plan.count > plan.again and needed > most:
                lookback = "export_lookback_days" if plan.polls else "lookback_days"
                found.append(
                    f"max_requests is {most}, and to get further {plan.stream} takes {needed} at least, its lookback included. "
                    f"Allow more requests, or set a smaller {lookback}"
                )
        return found

    def prepare(self) -> None:
        """Do what comes before the first message: see whether the token works and `form_ids` exist, plan, and start the first jobs.

        Costs the one request for the forms that the run needs anyway (none if it does not need them), one for the users if they are not
        selected, and those that start jobs.

        Raises:
            ConfigValidationError: If `form_ids` names a form that does not exist.
            EndOfRun: If the token does not work or the API can't be reached.
        """
        if self._needs_forms() or self.forms in self._selected():
            try:
                self.forms.nps_ids() if self._needs_forms() else self.forms.fetch()
            except (AccessDeniedError, UnreachableError) as error:
                raise EndOfRun(str(error), exit_code=1) from error
            except (FatalAPIError, RetriableAPIError):
                pass  # the streams that need the forms will say so
        plans = self.plans()
        if self._asks_for_zone(plans):
            self._ask_for_zone()
        for caution in self._cautions(plans):
            self.logger.warning("%s", caution)
        if not self._selected():
            self.logger.warning("No stream is selected, so there is nothing to read")
        self.progress.expect(plans)
        if self.settings.max_requests is not None:
            self._read_those_behind_first(plans)
        self._exports = [stream for stream in self._selected() if isinstance(stream, exports.Export)]
        for stream in self._exports:
            stream.submit_first()

    def _read_those_behind_first(self, plans: Sequence[Plan]) -> None:
        """Put the streams with the oldest bookmarks first: `max_requests` would otherwise end every run in the same streams.

        Then come the lists, and at the end the streams that have nothing new, only a lookback.
        """
        has_news = {plan.stream for plan in plans if plan.count > plan.again}

        def place(name: str) -> tuple[int, datetime]:
            stream = self.streams[name]
            if not isinstance(stream, WindowedStream) or not stream.selected:
                return 1, NEVER
            bookmarks = [stream.bookmark(context) or NEVER for context in stream.contexts()]
            return 0 if name in has_news else 2, min(bookmarks, default=NEVER)

        self._streams = {name: self.streams[name] for name in sorted(self.streams, key=place)}

    def tend_exports(self) -> float:
        """Ask for export jobs that are due, while other streams are read.

        Returns:
            When to do so again, in seconds of the clock.
        """
        return min((stream.tend() for stream in self._exports), default=math.inf)

    def test(self) -> None:
        """Read one record of every selected stream.

        Raises:
            EndOfRun: With exit code 1 if a stream fails, or is not tried because `max_requests` are spent.
        """
        selected = self._selected()
        self.run_sync_dry_run(dry_run_record_limit=1, streams=selected)
        lines = []
        if failures := self.progress.failures:
            lines = [f"Failed: {', '.join(dict.fromkeys(name for name, _ in failures))}"]
            lines += [f"{name}: {reason}" for name, reason in failures]
        if short := self.progress.short:
            lines.append(f"Not tried, for max_requests ({self.settings.max_requests}) are spent: {', '.join(short)}")
        if lines:
            raise EndOfRun("\n".join(lines), exit_code=1)
        if not selected:
            self.logger.warning("No stream is selected, so there is nothing to read")
            return
        self.logger.info("All selected streams can be read: %d", len(selected))

    def describe(self) -> None:
        """Write the SCHEMA messages of the selected streams, and nothing else."""
        for stream in self._selected():
            stream._write_schema_message()  # noqa: SLF001 (as the SDK's write_schemas, which selects them all)

    def run(self) -> None:
        """Read every selected stream.

        Raises:
            EndOfRun: With exit code 1 if a stream failed or nothing can work, 143 or 130 after a signal.
        """
        if self.settings.backfill is not None:
            self._state_writer = UnmovedStateWriter(self.message_writer, self.state)
        before = deepcopy(self.state)
        self.prepare()
        try:
            self.sync_all()
            state = self.state if self.settings.backfill is None else before
            if state and not self.writer.state_came_last:
                # Of an open window. There are targets that forget a state at the next record.
                self.write_message(StateMessage(value=state))
        finally:
            for line in self.progress.summary([stream.name for stream in self._selected()]):
                self.logger.info("%s", line)
        self._say_what_is_complete(got_further=_bookmarks(self.state) != _bookmarks(before))

    def _say_what_is_complete(self, *, got_further: bool) -> None:
        """The last lines of a run that came to its end.

        Args:
            got_further: Whether any bookmark has moved.

        Raises:
            EndOfRun: If not all of it is well.
        """
        failures, short = self.progress.failures, self.progress.short
        failed = list(dict.fromkeys(name for name, _ in failures))
        complete = [stream.name for stream in self._selected() if stream.name not in {*failed, *short}]
        said = [f"Complete: {', '.join(complete) or 'no stream'}"]
        if short:
            said.append(f"More to read: {', '.join(short)}")
        if failed:
            said.append(f"Failed: {', '.join(failed)}")
        lines = [". ".join(said), *(f"{name}: {reason}" for name, reason in failures)]
        most = self.settings.max_requests
        has_news = any(plan.count > plan.again for plan in self.plans() if plan.requests)
        is_stuck = bool(short) and has_news and not got_further
        is_cut_off = bool(short) and self.settings.backfill is not None
        if is_cut_off:
            lines.append(
                f"max_requests ({most}) ended the backfill, which has no bookmarks to go on from. "
                "Allow it more requests, or a shorter range"
            )
        elif is_stuck:
            lines.append(
                f"max_requests ({most}) are spent, and no bookmark has moved. Allow more, or no run gets further"
            )
        elif short and not has_news:
            lines.append(f"max_requests ({most}) are spent. Nothing is new; not all of the lookback was read again")
        elif short:
            lines.append(f"max_requests ({most}) are spent. The next run goes on from here")
        if failures or is_stuck or is_cut_off:
            raise EndOfRun("\n".join(lines), exit_code=1)
        for line in lines if short else ():
            self.logger.warning("%s", line)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        self._signals.append(signum)
        if len(self._signals) >= _SIGNALS_TO_GIVE_UP:
            os._exit(128 + self._signals[0])
        if len(self._signals) > 1:
            return  # it would strike while the run ends, where nothing catches it
        name = signal.Signals(signum).name
        end = EndOfRun(f"Ended by {name}. The next run goes on from the last state", exit_code=128 + signum)
        writer = getattr(self, "message_writer", None)  # not there yet in the first moments
        if writer is None:
            raise end
        writer.interrupt(end)

    @override
    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        if any(_LIKE_SETTINGS.search(text) and not _is_file(text) for text in value):
            msg = "--config: should be the path of a file, or ENV, and looks like settings (its text is not shown)"
            raise ConfigurationError(msg)
        try:
            return super().cb_config(ctx, param, value)
        except (TypeError, ValueError) as error:
            msg = f"--config {' '.join(value)}: not a file with a JSON object of settings ({error})"
            raise ConfigurationError(msg) from error

    @override
    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        if value and (select := ctx.params.get("select")) is not None:
            config = ctx.params.get("config")
            tap = cls(
                config=config.config if config else {},
                parse_env_config=bool(config and config.parse_env),
                validate_config=cls.dynamic_catalog,
                setup_mapper=False,
                select=select,
            )
            tap.run_discovery()
            ctx.exit()
        super().cb_discover(ctx, param, value)

    @override
    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        config, catalog, select = (ctx.params.get(name) for name in ("config", "catalog", "select"))
        is_chosen = catalog is not None or select is not None
        if value == CliTestOptionValue.All.value or (value == CliTestOptionValue.Schema.value and is_chosen):
            tap = cls(
                config=config.config if config else {},
                catalog=None if catalog is None else _json("--catalog", catalog),
                parse_env_config=bool(config and config.parse_env),
                select=select,
            )
            tap.test() if value == CliTestOptionValue.All.value else tap.describe()
            ctx.exit()
        super().cb_test(ctx, param, value)

    @override
    @classmethod
    def invoke(  # type: ignore[override]  # named options in place of the SDK's **kwargs, as the SDK's own taps have
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: IO[bytes] | None = None,
        catalog: IO[bytes] | None = None,
        check: bool = False,
        plan: bool = False,
        select: str | None = None,
    ) -> None:
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        if not (config and config.parse_env) and (unread := _unread_settings(cls._env_var_prefix)):
            cls.logger.warning(
                "The environment sets %s, which is not read. Add --config ENV to read it", ", ".join(unread)
            )
        tap = cls(
            config=config.config if config else {},
            state=None if state is None else _json("--state", state),
            catalog=None if catalog is None else _json("--catalog", catalog),
            parse_env_config=bool(config and config.parse_env),
            setup_mapper=not (check or plan),
            select=select,
        )
        if check:
            tap.check()
        elif plan:
            click.echo("\n".join(tap.describe_plan()))
        else:
            tap.run()

    @override
    @classmethod
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        for option in command.params:
            if option.name in {"catalog", "state"}:  # the SDK opens them in the encoding of the machine's locale
                option.type = click.File("rb")
                option.is_eager = option.name == "catalog"  # --test needs it
        check = click.Option(
            ["--check"],
            is_flag=True,
            help="Say whether the token works, and whether most users have another time zone.",
        )
        plan = click.Option(["--plan"], is_flag=True, help="Say what a run would ask for, and how long it takes.")
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
            params=[*command.params, check, plan, select],
            help=command.help,
            context_settings=command.context_settings,
            logger=cls.logger,
        )


def _bookmarks(state: Any) -> list[Any]:
    """The values of all bookmarks in a state."""
    streams = state.get("bookmarks", {}).values()
    parts = [part for stream in streams for part in (stream, *stream.get("partitions", ()))]
    return sorted(part["replication_key_value"] for part in parts if part.get("replication_key_value"))


def _unread_variable(prefix: str) -> str | None:
    """What is wrong with the environment: the SDK does not say which variable it can't read."""
    readers: dict[str, Callable[[str], Any]] = {
        "integer": int,
        "array": json.loads,
        "object": json.loads,
        "boolean": lambda text: _BOOLEANS[text.lower()],
    }
    examples = {"integer": "7", "array": "[55, 56]", "object": "{}", "boolean": "true or false"}
    for name, schema in TapLexerActivity.config_jsonschema["properties"].items():
        kind = next((kind for kind in readers if kind in schema.get("type", ())), None)
        text = os.environ.get(f"{prefix}{name.upper()}")
        if kind is None or text is None:
            continue
        try:
            readers[kind](text)
        except (KeyError, ValueError):
            shown = "no JSON" if name == "stream_map_config" else repr(text)  # salts of stream maps are in it
            return f"The environment variable {prefix}{name.upper()} is {shown} and should be like {examples[kind]}"
    return None


_LIKE_SETTINGS: Final = re.compile(r"""[{}"'\n]|^\s*\[|: |api_token""")
"""What stands in settings, and hardly in the path of a file."""


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False


def _without_tokens(text: str, config: object, prefix: str) -> str:
    """A text without the token of the configuration, and without that of the environment: either may have been pasted into another setting."""
    given = config.get("api_token") if isinstance(config, Mapping) else None
    for token in (given, os.environ.get(f"{prefix}API_TOKEN")):
        text = without_token(text, str(token or ""))
    return text


_BOOLEANS: Final = dict.fromkeys(("true", "1", "yes", "on"), True) | dict.fromkeys(("false", "0", "no", "off"), False)
"""As the SDK reads them; but it takes every other word for a no."""


def _unknown_variables(prefix: str) -> list[str]:
    """What is named nearly like a setting in the environment, and is none."""
    names = [name.upper() for name in TapLexerActivity.config_jsonschema["properties"]]
    others = sorted(name.removeprefix(prefix) for name in os.environ if name.startswith(prefix))
    close = {name: _meant(name, names) for name in others if name not in names}
    return [
        f"The environment variable {prefix}{name} is no setting; did you mean {prefix}{meant}?"
        for name, meant in close.items()
        if meant
    ]


def _unread_settings(prefix: str) -> list[str]:
    """Variables of the environment that are settings."""
    names = (f"{prefix}{name.upper()}" for name in TapLexerActivity.config_jsonschema["properties"])
    return [name for name in names if os.environ.get(name)]


def _meant(name: str, names: Sequence[str]) -> str | None:
    """The setting that a variable was probably meant for, if it is not one of Meltano's.

    Meltano passes on extras, such as `_SELECT`, and the settings of extractors whose names begin like this tap's: `EMEA_API_TOKEN`
    is that of `tap-lexer-activity-emea`.
    """
    of_another = {setting for setting in names if name.endswith(f"_{setting}")}
    others = [setting for setting in names if setting not in of_another]
    found = difflib.get_close_matches(name, others, n=1, cutoff=0.9 if of_another else 0.6)
    return found[0] if found and not name.startswith("_") else None


_MEND: Final = {
    "--state": "For a first load leave --state out; otherwise give it the last state that the target kept, or everything is read again",
    "--catalog": "Make it anew with --discover",
}


def _json(option: str, file: IO[bytes]) -> Any:
    """The content of a file in UTF-8, whatever the machine's locale, with or without a byte order mark.

    Raises:
        ConfigurationError: If it is not JSON, or null.
    """
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
    msg = f"{option}: {file.name} {wrong}. {_MEND[option]}"
    raise ConfigurationError(msg)
