"""What all streams share: one client, answers checked, windows, bookmarks, and an end that leaves the other streams alone.

Where this departs from the SDK's usual stream, and why:

- The client is the tap's, not the stream's (`RESTStream` has a session each): the quota and the token are one.
- A bookmark is moved by a window that was read to its end, not by the greatest record (`_increment_stream_state` does nothing):
  an empty window has been read too, and a record says nothing of those that came with it.
- A STATE follows each window. In batch mode it has to wait for the BATCH message that the window's records are in, which comes at
  the end of the run at the latest, whatever ends it.
- An error ends its stream, or its form's part of it, and not the run (`get_records`).
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from singer_sdk import StreamSchema
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.helpers._state import get_state_if_exists
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from singer_sdk.streams import Stream
from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import (
    AccessDeniedError,
    EndOfRun,
    NotAllowedError,
    RequestsSpentError,
    UnexpectedAnswerError,
    UnreachableError,
)
from tap_lexer_activity.lexer.client import request_label
from tap_lexer_activity.run.plan import Plan
from tap_lexer_activity.shapes import ADDITIONAL, SCHEMAS, answer_validator, check, fitted, row_schema
from tap_lexer_activity.singer.mapper import MapFailedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from jsonschema.protocols import Validator
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib.messages import RecordMessage

    from tap_lexer_activity.lexer.client import LexerClient
    from tap_lexer_activity.settings.settings import Settings
    from tap_lexer_activity.singer.sinks import HeldRows
    from tap_lexer_activity.tap import TapLexerActivity
    from tap_lexer_activity.windows import Interval, Request

NEVER = datetime.min.replace(tzinfo=UTC)
"""Before every bookmark."""

_RECORDS_BETWEEN_LOOKS: Final = 256
"""How often it is looked whether a line of progress is due: a stream map may take long for the rows of one window."""

ADDED_COLUMNS = ("date_from", "date_to", "interval", "local_date", "date_label", "form_id")
"""Columns that the tap adds to what Lexer sends."""


STATES = (
    "new",
    "assigned",
    "in_progress",
    "responded",
    "awaiting_approval",
    "redirected",
    "irrelevant",
    "duplicate",
    "closed",
    "no_response_required",
)
"""Workflow states that Lexer documents. Where a stream has a row per state it has one for each of these, though Lexer leaves out
zeros: messages move from state to state, and what an earlier run loaded for the old state would stay in the warehouse for ever.
A state that is not named here is a row like any other, when it comes."""


class LexerStream(Stream):
    """A stream of Lexer's Activity API."""

    keys: ClassVar[tuple[str, ...]]
    """Primary key."""
    bookmark_column: ClassVar[str | None] = None
    """Replication key; `None` for a full table."""
    schema = StreamSchema(SCHEMAS)

    def __init__(self, tap: TapLexerActivity) -> None:
        super().__init__(tap)
        self.tap = tap
        self._held: HeldRows | None = None
        self._unsaid: list[tuple[Context | None, str]] = []
        self._is_tried = False  # by `--test`, which reads one record
        self._odd: set[str] = set()
        self.primary_keys = self.keys
        self.replication_key = self.bookmark_column

    @property
    def client(self) -> LexerClient:
        """The tap's client."""
        return self.tap.client

    @property
    def settings(self) -> Settings:
        """The tap's settings."""
        return self.tap.settings

    @cached_property
    def answer(self) -> Validator:
        """The shape of Lexer's answer."""
        return answer_validator(self.answer_schema())

    def row_schema(self) -> dict[str, Any]:
        """The shape of one row as Lexer sends it."""
        return row_schema(self.schema, without=ADDED_COLUMNS, required=self.keys)

    def answer_schema(self) -> dict[str, Any]:
        """JSON schema of the answer: a list of rows."""
        return {"type": "array", "items": self.row_schema()}

    def checked(self, answer: Any, what: str) -> Any:
        """The answer with values that targets can store, if it has the documented shape; `UnexpectedAnswerError` if not."""
        answer, odd = fitted(answer, cast("Mapping[str, Any]", self.answer.schema))
        check(answer, self.answer, what=what, quote=self.client.quote)
        for column in odd.keys() - self._odd:
            is_in_catalog = ADDITIONAL in self.effective_schema["properties"]
            is_kept = is_in_catalog and self.metadata.resolve_selection()["properties", ADDITIONAL]
            fate = "kept as they came in additional_columns" if is_kept else "lost: additional_columns is not selected"
            said = "%s: a value of the column %r is not %s; such values are null, and %s"
            self.logger.warning(said, what, column, odd[column], fate)
        self._odd |= odd.keys()
        return answer

    def distinct(self, records: Iterable[Record], what: str) -> list[Record]:
        """The records with all their columns; `UnexpectedAnswerError` if two of them have one key, for a target would keep only one."""
        result: dict[tuple[Any, ...], Record] = {}
        keeps_all = ADDITIONAL in self.effective_schema["properties"]
        for record in records:
            row = {name: value for name, value in record.items() if name != ADDITIONAL}
            if keeps_all:
                row[ADDITIONAL] = record.get(ADDITIONAL)
            key = tuple(row[name] for name in self.keys)
            if key in result:
                named = ", ".join(f"{name} {value}" for name, value in zip(self.keys, key, strict=True))
                msg = f"{what}: the answer has two rows for {named}"
                raise UnexpectedAnswerError(msg)
            result[key] = row
        return list(result.values())

    @override
    def _process_record(self, *args: Any, **kwargs: Any) -> None:
        """No stream has children, for which the SDK would evaluate the filters of stream maps once more."""

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        is_written = False
        try:
            for message in super()._generate_record_messages(record):
                self.tap.progress.records[self.name] += not is_written  # once, however many streams are made of it
                is_written = True
                yield message
        except MapFailedError as error:
            msg = f"{self.name}: {error} (its text is not shown: data may be in it)"
            raise EndOfRun(msg, exit_code=1) from None
        except Exception as error:  # noqa: BLE001 (of the SDK's own work on a record; its text may have the customer's in it)
            msg = f"{self.name}: a stream map fails with {type(error).__name__} (its text is not shown: data may be in it)"
            raise EndOfRun(msg, exit_code=1) from None

    @abstractmethod
    def read_all(self, context: Context | None) -> Iterable[Record]:
        """The records of this run, for one context."""

    def contexts(self) -> list[dict[str, Any] | None]:
        """What the stream is read for, one after the other: one context for each NPS form, or `None` for all there is."""
        return [None]

    def plans(self) -> list[Plan]:
        """What this run asks for."""
        return [Plan(stream=self.name, why="full table", count=1)]

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        progress = self.tap.progress
        progress.begin(self.name)
        try:
            for number, record in enumerate(() if self._is_tried else self.read_all(context), 1):
                yield record
                if self.ABORT_AT_RECORD_COUNT is not None:  # (at one more, the SDK would log an error that is none)
                    self._is_tried = True
                    return
                if number % _RECORDS_BETWEEN_LOOKS == 0:
                    progress.say()
            progress.end(self.name)
        except (AccessDeniedError, UnreachableError) as error:
            raise EndOfRun(str(error), exit_code=1) from error
        except RequestsSpentError:
            progress.fall_short(self.name)
        except (FatalAPIError, RetriableAPIError) as error:
            said = f"{error}{self.tap.advice(self.name, error) if isinstance(error, NotAllowedError) else ''}"
            self.logger.error("%s failed: %s", self.name, said)  # noqa: TRY400 (a line for a person, no stack trace)
            progress.fail(self.name, said)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        found = super().get_batch_config(config)
        if found is not None:  # what is written without a word, the message should say all the same
            found.encoding.compression = found.encoding.compression or "gzip"
        return found

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        """Write BATCH messages, their files with selection and stream maps applied: the SDK's own writer skips both."""
        from tap_lexer_activity.singer.sinks import HeldRows  # noqa: PLC0415 (discovery needs none of it)

        self._held = HeldRows(self._tap.write_message, batch_config)
        try:
            for record in self._sync_records(context, write_messages=False):
                self._held.add(self._generate_record_messages(record))
                if self._held.are_enough():
                    self._write_what_is_read()
            self._write_what_is_read()
        finally:
            self._write_what_is_read()  # before a signal, or whatever else it is, ends the run

    def _write_what_is_read(self) -> None:
        """Write the rows that are held back, and then the bookmarks of the windows that have been read to their end."""
        with self.tap.writer.whole():
            bookmarks, self._unsaid = self._unsaid, []  # if the rows can't be written, nothing says that they were
            if self._held is not None:
                self._held.write()
            for context, text in bookmarks:
                state = self.get_context_state(context)
                if text > state.get("replication_key_value", ""):
                    state.update(replication_key=self.bookmark_column, replication_key_value=text)
                    self.state_manager.is_flushed = False
            self._write_state_message()


class WindowedStream(LexerStream):
    """A stream that is read in windows of time, each of which moves the bookmark when it has been read."""

    bookmark_column: ClassVar[str | None] = "date_from"
    is_export: ClassVar[bool] = False
    """Whether a request starts a job, which has to be asked for."""
    report_parameters: ClassVar[Mapping[str, Any]] = {}
    """What every request body has beside `type`, `date_from` and `date_to`."""

    def __init__(self, tap: TapLexerActivity) -> None:
        super().__init__(tap)
        self._plans: dict[int | None, Plan] = {}

    @property
    @abstractmethod
    def interval(self) -> Interval:
        """How long a window is (of a series: a bucket)."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose calendar cuts the windows."""
        return self.settings.zone

    @property
    def start(self) -> datetime:
        """Where the stream begins."""
        return self.settings.start_of(self.name)

    @property
    def lookback_days(self) -> int:
        """Days before the bookmark that are read again."""
        return self.settings.lookback_days

    @abstractmethod
    def requests(self, wanted: list[windows.Window]) -> list[Request]:
        """The requests that give the wanted windows."""

    def read(self, request: Request, answer: Any, what: str) -> Iterable[Record]:
        """The records of the request's windows in its answer, but for the columns of the context."""
        raise NotImplementedError

    def plan(self, context: Context | None) -> Plan:
        """What this run asks for. The sync asks for just that: nothing else decides what is due."""
        settings, zone = self.settings, self.zone
        if settings.backfill is not None:
            wanted = windows.to_backfill(
                settings.backfill, settings.present, self.interval, zone, partial=settings.include_partial
            )
            return self._planned(context, self.requests(wanted), "backfill")
        bookmark = None if self.replication_method == REPLICATION_FULL_TABLE else self.bookmark(context)
        caution = None
        if bookmark is not None and bookmark > datetime.now(UTC):
            caution = (
                f"The bookmark {windows.to_text(bookmark)} is in the future: nothing is read until then. "
                "To read again from start_date, remove this stream from the state"
            )
            return self._planned(context, [], "the bookmark is in the future", caution)
        if bookmark is not None and bookmark < windows.floor(self.start, self.interval, zone):
            named = f"start_dates[{self.name}]" if self.name in settings.starts else "start_date"
            caution = (
                f"{named} ({windows.to_text(self.start)}) is after the bookmark ({windows.to_text(bookmark)}): "
                "what lies between them is not read"
            )
        first = windows.first_to_read(self.start, bookmark, self.lookback_days, self.interval, zone)
        requests = self.tap.cut_once(
            (type(self).requests, first, self.interval, zone.key), lambda: self.requests(self._due(first))
        )
        since = max(bookmark or first, windows.floor(self.start, self.interval, zone))
        if not requests:
            why = "nothing new"
        elif bookmark is None:
            why = "first load"
        elif requests[-1].windows[-1].end <= since:
            why = "lookback"
        else:
            why = "new, and lookback" if first < since else "new"
        again = 0 if bookmark is None else sum(request.windows[-1].end <= since for request in requests)
        return self._planned(context, requests, why, caution, again)

    def _due(self, first: datetime) -> list[windows.Window]:
        settings = self.settings
        return windows.due(first, settings.present, self.interval, self.zone, partial=settings.include_partial)

    def _planned(
        self,
        context: Context | None,
        requests: list[Request],
        why: str,
        caution: str | None = None,
        again: int = 0,
    ) -> Plan:
        return Plan(
            stream=self.name,
            form_id=(context or {}).get("form_id"),
            why=why,
            count=len(requests),
            requests=requests,
            again=again,
            polls=len(requests) if self.is_export else 0,
            caution=caution,
        )

    def planned(self, context: Context | None) -> Plan:
        """The plan of this run, made once."""
        key = None if context is None else context["form_id"]
        if key not in self._plans:
            self._plans[key] = self.plan(context)
        return self._plans[key]

    @override
    def contexts(self) -> list[dict[str, Any] | None]:
        return [None] if self.partitions is None else [*self.partitions]

    @override
    def plans(self) -> list[Plan]:
        return [self.planned(context) for context in self.contexts()]

    @override
    def read_all(self, context: Context | None) -> Iterator[Record]:
        for request in self.planned(context).requests:
            self.tap.tend_exports()
            body = self.body(request, context)
            what = f"report {request_label(body)}"
            with self.tap.progress.requests_of(self.name):
                answer = self.client.report(body, what=what)
            yield from self.distinct(
                ({**record, **(context or {})} for record in self.read(request, answer, what)), what
            )
            # The consumer asks for more only when it has written all of the above.
            self._window_is_read(context, request)

    def _window_is_read(self, context: Context | None, request: Request) -> None:
        self.tap.progress.read(self.name, request)
        self._move_bookmark(context, request.complete_to(self.settings.present))

    def body(self, request: Request, context: Context | None) -> dict[str, Any]:
        """The request's body: times with the offset in force at that moment, the end as the last second inside."""
        asked = request.asked
        body: dict[str, Any] = {
            "type": self.name,
            "date_from": asked.start.astimezone(self.zone).isoformat(),
            "date_to": asked.last_second.astimezone(self.zone).isoformat(),
            **self.report_parameters,
        }
        if context:
            body["form"] = context["form_id"]
        return {**body, **self.settings.report_parameters.get(self.name, {})}

    def columns(self, window: windows.Window) -> Record:
        """The columns that the tap adds for a window."""
        return {
            "date_from": windows.to_text(window.start),
            "date_to": windows.to_text(window.last_second),
            "interval": self.interval,
            "local_date": windows.local_date(window.start, self.settings.zone).isoformat(),
        }

    def bookmark(self, context: Context | None) -> datetime | None:
        """The instant up to which everything has been read, or `None` before the first window."""
        # (Not by get_context_state, which would put an empty bookmark into the state.)
        text = get_state_if_exists(self.tap_state, self.name, context, key="replication_key_value")
        return datetime.fromisoformat(text) if text else None

    def _move_bookmark(self, context: Context | None, instant: datetime | None) -> None:
        """Say that everything up to `instant` has been read and emitted. A backfill leaves the bookmarks as they are."""
        if instant is None or self.settings.backfill is not None:
            return
        self._unsaid.append((context, windows.to_text(instant)))
        if self._held is None or self._held.are_old():
            self._write_what_is_read()

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Windows move the bookmark, records do not."""

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """The bookmark itself says where to start; a second copy of it in the state would only age there."""

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """No bookmark is ever beyond what was read, so there is nothing to hold it back from."""


class PerFormStream(WindowedStream):
    """A stream that is read once for each NPS form, with a bookmark for each."""

    report_parameters: ClassVar[Mapping[str, Any]] = {"nps_category": "all"}

    @property
    @override
    def partitions(self) -> list[dict[str, Any]]:
        try:
            found = [{"form_id": form_id} for form_id in self.tap.forms.nps_ids()]
        except (FatalAPIError, RetriableAPIError):
            return []  # the SDK asks for them also where an error would end the run; get_records raises it
        if self.settings.max_requests is None:
            return found
        return sorted(found, key=lambda context: self.bookmark(context) or NEVER)  # those behind first

    @override
    def plans(self) -> list[Plan]:
        return super().plans() or [Plan(stream=self.name, why="there is no NPS form", count=0)]

    @override
    def read_all(self, context: Context | None) -> Iterator[Record]:
        if context is None:
            self.tap.forms.nps_ids()
            self.logger.info("This account has no NPS form, so there is nothing to read")
            return
        yield from super().read_all(context)
