"""A stream as the SDK knows it: its place in catalogs and state, and the messages that are made of its events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from typing import Any

from singer_sdk import Tap
from singer_sdk.helpers._batch import BatchConfig
from singer_sdk.helpers._state import get_state_if_exists
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from singer_sdk.singerlib.messages import RecordMessage
from singer_sdk.streams import Stream
from typing_extensions import override

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.run.events import Block, Row
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.shapes import stream_schema
from tap_lexer_activity.singer.mapper import MapFailedError
from tap_lexer_activity.singer.state import instants
from tap_lexer_activity.streams.base import LexerStream
from tap_lexer_activity.streams.exports import Export


class SingerStream(Stream):
    """One stream of the tap. What is asked for and read is the engine's; this is what Singer needs to know beside it."""

    def __init__(
        self,
        tap: Tap,
        kind: type[LexerStream],
        *,
        current_run: Callable[[], Run],
        write_messages: Callable[[SingerStream], None],
    ) -> None:
        self.kind = kind
        self.selected_by_default = kind.selected_by_default
        if issubclass(kind, Export):
            self.TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # values are of their column's type, or null
        super().__init__(tap, schema=deepcopy(stream_schema(kind.name)), name=kind.name)
        self._current_run = current_run
        self._write_messages = write_messages
        self.primary_keys = kind.keys
        self.replication_key = kind.bookmark_column

    # For the engine, by value

    @property
    def columns(self) -> Columns:
        """The columns, as the catalog has and selects them."""
        properties = self.effective_schema["properties"]
        selected = {
            name: schema
            for name, schema in properties.items()
            if name in self.primary_keys or self.mask[("properties", name)]
        }
        return Columns(properties, selected)

    def bookmarks(self) -> dict[tuple[str, int | None], datetime]:
        """The bookmarks in the state, by the stream's name and the id of the NPS form; none if it is read whole each time."""
        if self.replication_method == REPLICATION_FULL_TABLE:
            return {}
        return instants(self.name, get_state_if_exists(self.tap_state, self.name) or {})

    def discover(self, properties: dict[str, Any]) -> None:
        """Take the properties that discovery has found."""
        self._schema = self.schema | {"properties": properties}

    # Messages

    def begin(self) -> None:
        """Write the SCHEMA message, and say in the log that the stream begins."""
        self.logger.info("Beginning sync of '%s' in %s mode", self.name, self.replication_method.lower())
        self.write_schema()

    def write_schema(self) -> None:
        """Write the SCHEMA message."""
        self._write_schema_message()

    @property
    def is_plain(self) -> bool:
        """True if rows are written as they come, unless flattening changes them: nothing maps or leaves out."""
        (stream_map, *others) = self.stream_maps
        return type(stream_map) is SameRecordTransform and not others and self.columns.keep_additional

    def messages(self, row: Row) -> Iterator[RecordMessage]:
        """The RECORD messages of a row: with selection and stream maps applied."""
        with self._map_errors():
            yield from self._generate_record_messages(row)

    def mapped(self, rows: Iterable[Row]) -> Iterator[list[tuple[str, Row]]]:
        """The rows that stream maps make of each row of an export, with the names of streams.

        Columns that are not selected have been left out, and the values are of their columns' types.
        """
        maps = [(stream_map.stream_alias, stream_map.transform) for stream_map in self.stream_maps]
        inside = any(len(place) > 2 and not chosen for place, chosen in self.mask.items())  # noqa: PLR2004 (deeper than a column)
        with self._map_errors():
            for row in rows:
                if inside:
                    yield [(message.stream, message.record) for message in self._generate_record_messages(row)]
                else:
                    yield [(name, record) for name, transform in maps if (record := transform(row)) is not None]

    @contextmanager
    def _map_errors(self) -> Iterator[None]:
        try:
            yield
        except MapFailedError as error:
            msg = f"{self.name}: {error} (its text is not shown: data may be in it)"
            raise EndOfRun(msg, exit_code=1) from None
        except Exception as error:  # noqa: BLE001 (of the SDK's own work on a record; its text may have the customer's in it)
            msg = f"{self.name}: a stream map fails with {type(error).__name__} (its text is not shown: data may be in it) [see: stream-map-fails]"
            raise EndOfRun(msg, exit_code=1) from None

    def move_bookmark(self, form_id: int | None, instant: str) -> None:
        """Put a bookmark into the state, if it is beyond the one that is there."""
        state = self.get_context_state(None if form_id is None else {"form_id": form_id})
        if instant > state.get("replication_key_value", ""):
            state.update(replication_key=self.replication_key, replication_key_value=instant)

    def note_part(self, form_id: int | None) -> None:
        """Give a part its place in the state, with or without a bookmark."""
        self.get_context_state(None if form_id is None else {"form_id": form_id})

    def write_state(self) -> None:
        """Write the state, if it is another than the last that was written."""
        self.state_manager.is_flushed = False
        self._write_state_message()

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        found = super().get_batch_config(config)
        if found is not None:  # the message says gzip, as the files are, also if the setting leaves it open
            found.encoding.compression = found.encoding.compression or "gzip"
        return found

    # What the SDK calls by itself

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterator[Row]:
        stream = self.kind(self._current_run())
        for event in stream.events((context or {}).get("form_id")):
            if isinstance(event, dict):
                yield event
            elif isinstance(event, Block):
                yield from event.rows(stream.columns.selected)

    @override
    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write the messages of the stream: `sync` calls this, for a dry run."""
        self._write_messages(self)
        yield from ()

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Mapping[str, Any] | None = None) -> None:
        self._write_messages(self)

    @override
    def get_replication_key_signpost(self, context: Mapping[str, Any] | None = None) -> None:
        """No bookmark is ever beyond what was read, so there is nothing to hold it back from."""
