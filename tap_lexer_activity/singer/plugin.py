"""Differences from the SDK's tap: settings, streams, state, signals, and the loop that writes messages."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from types import FrameType
from typing import Any, ClassVar, Final, cast

from singer_sdk import Stream, Tap
from singer_sdk.exceptions import ConfigurationError, ConfigValidationError
from singer_sdk.helpers.capabilities import CapabilitiesEnum
from typing_extensions import override

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.settings.environment import misspelt_variables, unreadable_variable, without_tokens
from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.settings.schema import BATCH_CONFIG, FAKER_CONFIG, without_bare_types
from tap_lexer_activity.settings.settings import Settings
from tap_lexer_activity.singer.catalog import checked_catalog, chosen
from tap_lexer_activity.singer.mapper import mapper_for
from tap_lexer_activity.singer.output import StreamOutput, write_steps
from tap_lexer_activity.singer.signals import Signals
from tap_lexer_activity.singer.state import UnmovedStateWriter, checked_state
from tap_lexer_activity.singer.stream import SingerStream
from tap_lexer_activity.singer.writer import MessageWriter
from tap_lexer_activity.streams.registry import BY_NAME, REPORTS
from tap_lexer_activity.sync.checks import discover_columns, discoverable
from tap_lexer_activity.sync.engine import Engine

_LEFT_OUT: Final = frozenset(
    {
        "activate-version",  # its messages need a version in every record, and rows of exports go past the SDK
        "start-date",  # brings nothing that the setting lacks, and meltano.yml says the same for every version of the SDK: 0.54 has none
    }
)
"""Capabilities of the SDK's tap that this one has not. By their values: which class names them depends on the SDK's version."""


class SingerTap(Tap):
    """A tap whose streams are the engine's."""

    message_writer_class = MessageWriter
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        capability for capability in Tap.capabilities if str(capability.value) not in _LEFT_OUT
    ]

    def __init__(self, *, select: str | None = None, **kwargs: Any) -> None:
        self._select = select
        self._settings: Settings | ConfigValidationError | None = None
        self._signals = Signals(self._interrupt)
        self._discovers = True
        if kwargs.get("state") is not None:
            kwargs["state"] = checked_state(kwargs["state"])
        if kwargs.get("catalog") is not None:
            kwargs["catalog"] = checked_catalog(kwargs["catalog"])
        self.append_builtin_config(self.config_jsonschema)  # from 0.55 on, the SDK appends to copies alone
        self._reads_environment = bool(kwargs.get("parse_env_config"))
        prefix = self._env_var_prefix
        if self._reads_environment:
            for name in [name for name, value in os.environ.items() if name.startswith(prefix) and not value]:
                del os.environ[name]  # as .env files have them: not set
        try:
            super().__init__(**kwargs)
        except ValueError as error:
            if not self._reads_environment:
                raise
            wrong = unreadable_variable(self.config_jsonschema, prefix, os.environ) or str(error)
            raise ConfigurationError(without_tokens(wrong, kwargs.get("config"), prefix, os.environ)) from None
        if self._reads_environment:
            for caution in misspelt_variables(self.config_jsonschema, prefix, os.environ):
                self.logger.warning("%s", caution)

    # Settings

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
        prefix = self._env_var_prefix
        if self._reads_environment and (wrong := unreadable_variable(self.config_jsonschema, prefix, os.environ)):
            raise ConfigurationError(without_tokens(wrong, self._config, prefix, os.environ))
        self._config = {name: value for name, value in self._config.items() if value is not None}
        try:
            self._settings = parse_settings(
                self._config,
                now=datetime.now(UTC),
                schema=self.config_jsonschema,
                report_streams=REPORTS,
                environment=os.environ.get("MELTANO_ENVIRONMENT") or None,
            )
        except ConfigValidationError as error:
            if raise_errors:
                raise
            self._settings = error  # discovery alone needs no settings
            return error.errors
        return []

    @property
    def settings(self) -> Settings:
        """The settings. It is an error if they make no sense, which only discovery tolerates."""
        if not isinstance(self._settings, Settings):
            raise self._settings or ConfigValidationError("There are no settings yet [see: setting-missing]")
        return self._settings

    # Streams

    @override
    def discover_streams(self) -> list[SingerStream]:
        return [
            SingerStream(self, kind, current_run=lambda: self.current, write_messages=self.write_messages)
            for kind in BY_NAME.values()
        ]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        if self._streams is None:
            found = super().streams
            self._streams = {name: found[name] for name in BY_NAME}
            if self._select is not None:
                known = [name for name in BY_NAME if self.input_catalog is None or self.input_catalog.get_stream(name)]
                wanted = chosen(self._select, known, {name for name in known if found[name].selected})
                for name in known:
                    found[name].selected = name in wanted
            if self._discovers and (names := self._discoverable()):
                for name, properties in discover_columns(self.discovery, names):
                    self.of(name).discover(properties)
        return self._streams

    def _discoverable(self) -> list[str]:
        """Names of the streams whose columns are to be discovered: not those that `--select` leaves out, for they cost no request."""
        if self.input_catalog is not None:
            return []
        of_exports, of_all = (bool(self._config.get(f"discover_{what}")) for what in ("export_columns", "columns"))
        names = discoverable(of_exports=of_exports, of_all=of_all)
        return [name for name in names if self._select is None or self.of(name).selected]

    def leave_discovery_out(self) -> list[str]:
        """Send no request for columns; then the streams that would be asked for."""
        self._discovers = False
        return self._discoverable()

    @classmethod
    def variable_prefix(cls) -> str:
        """The beginning of the environment variables that are settings."""
        return str(cls._env_var_prefix)

    def of(self, name: str) -> SingerStream:
        """A stream by its name."""
        return cast("SingerStream", self.streams[name])

    @property
    def selected(self) -> list[SingerStream]:
        """The selected streams."""
        return [cast("SingerStream", stream) for stream in self.streams.values() if stream.selected]

    @override
    def setup_mapper(self) -> None:
        if self.settings.max_requests and self.settings.discover_export_columns and self.input_catalog is None:
            # (Only a sync has a mapper. Its discovery would spend the requests of every run anew.)
            msg = (
                "max_requests: can't be used with discover_columns unless there is a catalog. "
                "Make one with --discover and pass it with --catalog [see: max-requests-discovery]"
            )
            raise ConfigValidationError(msg, errors=[msg])
        self._mapper = mapper_for(self.config, self.catalog, cast("logging.Logger", self.logger))

    # A run

    def new_run(self, **more: Any) -> Run:
        """The run, with the bookmarks of the state and the columns of the catalog."""
        logger = cast("logging.Logger", self.logger)
        return Run.begin(self.settings, logger, bookmarks=self.bookmarks(), columns=self.columns(), **more)

    def bookmarks(self) -> dict[tuple[str, int | None], datetime]:
        """The bookmarks in the state, by stream and the id of the NPS form."""
        return {key: at for name in self.streams for key, at in self.of(name).bookmarks().items()}

    def columns(self) -> dict[str, Columns]:
        """The columns of each stream."""
        return {name: self.of(name).columns for name in self.streams}

    @cached_property
    def discovery(self) -> Run:
        """The run of discovery, which may add columns; all else serves the sync, too."""
        return self.new_run()

    @cached_property
    def current(self) -> Run:
        """The run of this tap."""
        if "discovery" in vars(self):
            return replace(self.discovery, bookmarks=self.bookmarks(), columns=self.columns())
        return self.new_run()

    @cached_property
    def engine(self) -> Engine:
        """The engine that reads the selected streams."""
        return Engine(self.current, [stream.name for stream in self.selected])

    @property
    def writer(self) -> MessageWriter:
        """Writes messages."""
        return cast("MessageWriter", self.message_writer)

    @override  # type: ignore[misc]
    def sync_all(self) -> None:  # (the SDK's loop knows streams only, and is called final)
        if self.state:
            self._state_writer.write_state(self.state)
        for stream in self.streams.values():
            if not stream.selected:
                self.logger.info("Skipping deselected stream '%s'.", stream.name)
        with closing(self.engine.steps()) as steps:
            write_steps(steps, self._open_output)

    def write_messages(self, stream: SingerStream) -> None:
        """Write the messages of one stream, but for its SCHEMA: the SDK's `sync` has written it."""
        engine = Engine(self.current, [stream.name])
        with closing(engine.steps()) as steps:
            write_steps(steps, self._output)

    def _open_output(self, name: str) -> StreamOutput:
        self.of(name).begin()
        return self._output(name)

    def _output(self, name: str) -> StreamOutput:
        stream = self.of(name)
        return StreamOutput(stream, self.writer, self.current.progress, limit=stream.ABORT_AT_RECORD_COUNT)

    def keep_state(self) -> None:
        """Leave the state as it is, whatever is read."""
        self._state_writer = UnmovedStateWriter(self.message_writer, self.state)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        self._signals.handle(signum, frame)

    def _interrupt(self, end: EndOfRun) -> None:
        writer = getattr(self, "message_writer", None)  # not there yet in the first moments
        if writer is None:
            raise end
        writer.interrupt(end)


def values_of_bookmarks(state: Mapping[str, Any]) -> list[Any]:
    """The values of all bookmarks in a state, in order."""
    streams = state.get("bookmarks", {}).values()
    parts = [part for stream in streams for part in (stream, *stream.get("partitions", ()))]
    return sorted(part["replication_key_value"] for part in parts if part.get("replication_key_value"))
