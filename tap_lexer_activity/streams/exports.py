"""The CSV exports: one row per case, message or survey, from files that may have millions of them."""

from __future__ import annotations

import csv
import math
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, compress, islice, repeat
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.csv_exports.convert import Converter
from tap_lexer_activity.csv_exports.names import matched, with_columns
from tap_lexer_activity.csv_exports.rows import is_title, read_rows, without_headers
from tap_lexer_activity.errors import AccessDeniedError, EndOfRun, UnexpectedAnswerError
from tap_lexer_activity.lexer.client import TRIES
from tap_lexer_activity.lexer.decode import NOT_THE_HEADER
from tap_lexer_activity.streams.base import PerFormStream, WindowedStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from singer_sdk import metrics
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record

    from tap_lexer_activity.lexer.jobs import Job
    from tap_lexer_activity.singer.sinks import Sink
    from tap_lexer_activity.tap import TapLexerActivity
    from tap_lexer_activity.windows import Interval, Request, Window

_ROWS_AT_A_TIME: Final = 160
_BYTES_AT_A_TIME: Final = 1 << 22
_MOST_TITLES: Final = 20
"""Lines above the header that are looked for."""

_JOBS_AHEAD: Final = 3
"""Jobs of one bookmark that are started ahead of their turn, for links expire."""

OWN_COLUMNS: Final = ("record_id", "form_id", "date_from", "date_to", "local_date", "additional_columns")
"""Columns of the tap's own, which no column of an export may be named as."""


@dataclass(slots=True)
class _Queue:
    """What one bookmark has before it: requests whose jobs are not started, and the jobs that are, and not read.

    No more jobs are started ahead of their turn if it is held.
    """

    requests: deque[Request]
    jobs: deque[tuple[Request, Job]] = field(default_factory=deque)
    is_held: bool = False


class Export(WindowedStream):
    """A CSV export: one job for some days, one record for each row of its file."""

    is_export = True
    keys: ClassVar[tuple[str, ...]] = ("record_id",)
    stable: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Columns that cannot change after the fact, each as the names it may have. They make the `record_id`; if none, all columns do."""
    by_the_clock: ClassVar[bool] = False
    """Whether little but their time tells rows apart, so that a date alone does not."""
    dated_by: ClassVar[tuple[str, ...]] = ()
    """Names of the column that says when a row happened; if none, it is found by what it is called (see `place_of_time`)."""
    is_documented: ClassVar[bool] = False
    """Whether a document names the columns."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # values are of their column's type, or null

    def __init__(self, tap: TapLexerActivity) -> None:
        super().__init__(tap)
        self._queues: dict[int | None, _Queue] = {}
        self._batch_config: BatchConfig | None = None
        self._said: set[str] = set()
        self._counter: metrics.Counter | None = None

    @property
    @override
    def interval(self) -> Interval:
        return "day"

    @property
    @override
    def lookback_days(self) -> int:
        return self.settings.export_lookback_days

    @override
    def requests(self, wanted: list[Window]) -> list[Request]:
        return windows.export_requests(wanted, self.settings.present, self.settings.export_window_days, self.zone)

    # Jobs

    def submit_first(self) -> None:
        """Start the first job of each bookmark, so that Lexer works on it while other streams are read."""
        for context in self.contexts():
            self._submit_ahead(context)

    def tend(self) -> float:
        """Ask for jobs that are due, and start the next where one is complete: what can be done while other streams are read.

        Returns:
            When to call this again, in seconds of the clock.
        """
        for context in self.contexts():
            jobs = self._queue(context).jobs
            for _, job in jobs:
                if job.is_polled_ahead and self.tap.exporter.is_due(job):
                    self._ask_ahead(job)
            if jobs and len(jobs) < _JOBS_AHEAD and all(job.url for _, job in jobs):
                self._submit_ahead(context)
        waiting = (
            job for queue in self._queues.values() for _, job in queue.jobs if job.is_polled_ahead and not job.url
        )
        return min((job.due for job in waiting), default=math.inf)

    def _ask_ahead(self, job: Job) -> None:
        """Ask for a job ahead of its turn. After an error it is left for its turn, which meets it again."""
        try:
            with self.tap.progress.requests_of(self.name):
                self.tap.exporter.poll(job, tries=1)
        except (FatalAPIError, RetriableAPIError) as error:
            self.logger.debug("%s; left for its turn", error)
            job.is_polled_ahead = False

    def _submit_ahead(self, context: Context | None) -> None:
        """Start the next job ahead of its turn. After an error no more are: their turn meets it again.

        Nor are any where `max_requests` might end the run before the turn of the job, which would be lost.
        """
        queue = self._queue(context)
        if queue.is_held or self.settings.max_requests is not None:
            return
        try:
            self._submit(context, tries=1)
        except AccessDeniedError as error:
            raise EndOfRun(str(error), exit_code=1) from error
        except (FatalAPIError, RetriableAPIError) as error:
            self.logger.debug("A job could not be started ahead of its turn: %s", error)
            queue.is_held = True

    def _submit(self, context: Context | None, *, tries: int = TRIES) -> None:
        """Start the next job, if there is one."""
        queue = self._queue(context)
        if queue.requests:
            with self.tap.progress.requests_of(self.name):
                job = self.tap.exporter.start(self.body(queue.requests[0], context), tries=tries)
            queue.jobs.append((queue.requests.popleft(), job))

    def _queue(self, context: Context | None) -> _Queue:
        form_id = (context or {}).get("form_id")
        if form_id not in self._queues:
            self._queues[form_id] = _Queue(deque(self.planned(context).requests))
        return self._queues[form_id]

    @override
    def read_all(self, context: Context | None) -> Iterator[Record]:
        queue = self._queue(context)
        try:
            while queue.jobs or queue.requests:
                if not queue.jobs:
                    self._submit(context)
                request, job = queue.jobs.popleft()
                if not queue.jobs:
                    self._submit_ahead(context)
                trial: list[Record] = []
                with closing(self._rows(request, job, context)) as records:
                    if self.ABORT_AT_RECORD_COUNT is None:
                        yield from records
                    else:
                        trial += islice(records, self.ABORT_AT_RECORD_COUNT + 1)
                yield from trial  # that ends in the middle: the file is closed by then
                self._window_is_read(context, request)
        finally:
            queue.requests.clear()
            queue.jobs.clear()

    def _rows(self, request: Request, job: Job, context: Context | None) -> Generator[Record]:
        """The records of a job. None if they are written here already.

        Where rows have no time, only their order tells them apart, and that stays the same in a file of the whole window alone. So if
        the job is for a part of a window, reading stops before such rows, and the whole window is asked for. The rows with a time that
        are written by then have the same ids in there, and are not written again.
        """
        begin = self._begin_of_window(request.asked.start)
        with self.tap.progress.requests_of(self.name):
            file = self.tap.exporter.fetch(job)
        with file as lines:
            try:
                yield from self._records(lines, request, context, job.what, is_part=begin != request.asked.start)
            except _TimelessError as found:
                written = self._ids(lines, request, job.what, found.written)
            else:
                return
        whole = replace(request, asked=windows.Window(begin, request.asked.end))
        with self.tap.progress.requests_of(self.name):
            job = self.tap.exporter.start(self.body(whole, context))
            self.logger.info(
                "%s: there are rows without a time, so the window is read from its start: %s", self.name, job.what
            )
            file = self.tap.exporter.fetch(job)
        with file as lines:
            yield from self._records(lines, request, context, job.what, written=written)

    def _ids(self, lines: TextIO, request: Request, what: str, count: int) -> set[str]:
        """The ids of so many rows, the first of a file."""
        lines.seek(0)
        headers, rows = self._header(lines, what)
        converter = self._converter(headers, request)
        chunks = (without_headers(chunk, headers) for chunk in _chunks(rows, lines))
        ids = chain.from_iterable(converter.convert(chunk)[0] for chunk in chunks if chunk)
        return set(islice(ids, count))

    def _begin_of_window(self, instant: datetime) -> datetime:
        """Where the first load began to read the window of an instant: at its start, or at `start_date`."""
        start = windows.export_window(instant, self.settings.export_window_days, self.zone).start
        first = windows.floor(self.start, "day", self.zone)
        return max(start, first) if first <= instant else start

    # Rows

    def _records(  # noqa: PLR0913 (what a file is read with)
        self,
        lines: TextIO,
        request: Request,
        context: Context | None,
        what: str,
        *,
        is_part: bool = False,
        written: AbstractSet[str] = frozenset(),
    ) -> Iterator[Record]:
        """The records of a file. None if they are written here already.

        Args:
            lines: The file.
            request: What was asked for.
            context: The form, if it is a stream per form.
            what: The job's name for errors.
            is_part: Whether the file is of a part of its window.
            written: Ids of rows that are written already.

        Raises:
            _TimelessError: Before the first rows without a time, if it is of a part.
        """
        converter: Converter | None = None
        sink: Sink | None = None
        try:
            headers, rows = self._header(lines, what)
            if not headers:
                self.logger.warning("%s: the file is empty, without even a header", what)
                return
            wanted = self._wanted_columns()
            converter = self._converter(headers, request)
            fixed = dict.fromkeys(wanted) | self.columns(self._window(request)) | dict(context or {})
            own = {name: value for name, value in fixed.items() if name not in converter.columns and name in wanted}
            names = (*converter.columns, *own)
            sink = self._sink(names, wanted)
            is_wanted = [name in wanted for name in names]
            count = 0
            chunks = self._without_headers(_chunks(rows, lines), headers, what)
            for values in _values(converter, chunks, is_part=is_part, written=written):
                count += (size := len(values[0]))
                columns = [*values, *map(repeat, own.values())]
                if sink is None:
                    kept = list(compress(names, is_wanted))
                    rows_of = zip(*compress(columns, is_wanted), strict=False)
                    yield from (dict(zip(kept, row, strict=True)) for row in rows_of)
                    continue
                sink.write(columns, size)
                self.tap.progress.records[self.name] += size
                self.tap.progress.say()
                self.state_manager.is_flushed = False
                if self._counter is not None:
                    self._counter.increment(size)
            if sink is not None:
                sink.close()
            self._check_header(headers, count, what)
        except (csv.Error, _TimelessError) as error:
            if sink is not None:
                sink.close()  # what has been read is announced; the bookmark stays
            if isinstance(error, csv.Error):
                raise _unreadable(what, error) from error
            raise
        finally:
            self._say_surprises(converter, what)

    def _say_surprises(self, converter: Converter | None, what: str) -> None:
        for surprise in converter.surprises.values() if converter is not None else ():
            if surprise not in self._said:
                self.logger.warning("%s: %s", what, surprise)
                self._said.add(surprise)

    def _window(self, request: Request) -> Window:
        """The window of the grid that a request is for, or for a part of."""
        return windows.export_window(request.asked.start, self.settings.export_window_days, self.zone)

    def _converter(self, headers: list[str], request: Request) -> Converter:
        return Converter(
            headers,
            self.effective_schema["properties"],
            self._wanted_columns(),
            self.stable,
            taken=OWN_COLUMNS,
            window=windows.to_text(self._window(request).start),
            by_the_clock=self.by_the_clock,
            dated_by=self.dated_by,
            zone=self.zone,
        )

    def _header(self, lines: TextIO, what: str) -> tuple[list[str], Iterator[list[str]]]:
        """The header, empty if there is none, and the rows below it."""
        rows = read_rows(lines)
        headers = next(rows, [])
        properties = self.schema["properties"]
        if any(matched(headers, properties, OWN_COLUMNS)):
            return headers, rows
        below = list(islice(rows, _MOST_TITLES))
        if is_title(headers, below, properties.keys() - set(OWN_COLUMNS)):
            msg = f"{what}: {NOT_THE_HEADER}"
            raise UnexpectedAnswerError(msg)
        return headers, chain(below, rows)

    def _without_headers(
        self, chunks: Iterator[list[list[str]]], headers: list[str], what: str
    ) -> Iterator[list[list[str]]]:
        """Rows without those that are the header once more, of which is told."""
        repeated = 0
        try:
            for chunk in chunks:
                rows = without_headers(chunk, headers)
                repeated += len(chunk) - len(rows)
                if rows:
                    yield rows
        finally:
            if repeated:
                self.logger.warning("%s: lines that are the header once more, and are left out: %d", what, repeated)

    def _check_header(self, headers: list[str], count: int, what: str) -> None:
        """Refuse a file without rows if nothing says that it is an export: it may be a sentence of some proxy."""
        if not count and self.is_documented and not any(matched(headers, self.schema["properties"], OWN_COLUMNS)):
            msg = f"{what}: the file has no rows, and none of the columns of {self.name}"
            raise UnexpectedAnswerError(msg)

    def _wanted_columns(self) -> dict[str, Any]:
        """The selected properties of the catalog (or, without one, of the schema)."""
        properties = self.effective_schema["properties"]
        return {
            name: schema
            for name, schema in properties.items()
            if name in self.primary_keys or self.mask[("properties", name)]
        }

    def _sink(self, names: tuple[str, ...], wanted: dict[str, Any]) -> Sink | None:
        """What writes rows at once; `None` where each has to go through the SDK, because something is to be done with it."""
        (stream_map, *others) = self.stream_maps
        is_plain = type(stream_map) is SameRecordTransform and not stream_map.flattening_enabled and not others
        if not is_plain or self.ABORT_AT_RECORD_COUNT is not None or "additional_columns" not in wanted:
            return None
        from tap_lexer_activity.singer.sinks import BatchSink, RecordSink  # noqa: PLC0415 (discovery needs none of it)

        if self._batch_config is not None:
            return BatchSink(self.tap.writer, self._batch_config, stream_map.stream_alias, names)
        return RecordSink(self.tap.writer, stream_map.stream_alias, names)

    @override
    def columns(self, window: Window) -> Record:
        # (The date of a row is its own.)
        return {name: value for name, value in super().columns(window).items() if name in {"date_from", "date_to"}}

    @override
    def get_record_counter(self, **options: Any) -> metrics.Counter:
        self._counter = super().get_record_counter(**options)
        return self._counter

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        self._batch_config = batch_config
        if self._sink((), self._wanted_columns()) is None:
            super()._sync_batches(batch_config, context)
            return
        for _ in self._sync_records(context):
            raise AssertionError  # `_records` writes them all

    # Discovery

    def discover(self) -> None:
        """Add the columns of a short export (one of each NPS form) to the stream's schema."""
        properties = dict(self.schema["properties"])
        if self.partitions is not None:
            self.tap.forms.nps_ids()  # whose error `partitions` keeps to itself
        last_day = windows.floor(self.settings.present, "day", self.zone) - windows.SECOND
        day = windows.Window(windows.floor(last_day, "day", self.zone), last_day + windows.SECOND)
        for context in self.contexts():
            (request,) = self.requests([day])
            with self.tap.progress.requests_of(self.name):
                file = self.tap.exporter.fetch(self.tap.exporter.start(self.body(request, context)))
            with file as lines:
                try:
                    headers, _ = self._header(lines, self.name)
                except csv.Error as error:
                    raise _unreadable(self.name, error) from error
            properties = with_columns(properties, headers, OWN_COLUMNS)
        self.schema = self.schema | {"properties": properties}  # type: ignore[method-assign]  # in place of the class's


class _TimelessError(Exception):
    """There are rows without a time in the file of a part of a window.

    Attributes:
        written: Rows before them, which are written.
    """

    def __init__(self, written: int) -> None:
        super().__init__()
        self.written = written


def _values(
    converter: Converter, chunks: Iterator[list[list[str]]], *, is_part: bool, written: AbstractSet[str]
) -> Iterator[list[Sequence[Any]]]:
    """The values of rows, column by column, but of those whose ids are written already.

    Raises:
        _TimelessError: Before the first rows without a time, if they are of a part of a window.
    """
    count = 0
    for chunk in chunks:
        columns = converter.convert(chunk)
        if is_part and converter.has_timeless:
            converter.surprises.clear()  # they are said of the file that is read in place of this one
            raise _TimelessError(count)
        count += len(chunk)
        if written:
            wanted = [row_id not in written for row_id in columns[0]]
            columns = [list(compress(column, wanted)) for column in columns]
        yield columns


def _chunks(rows: Iterator[list[str]], lines: TextIO) -> Iterator[list[list[str]]]:
    """Rows, as many at a time as fit into the processor's cache: few are slow for Python, and many for the memory."""
    while True:
        chunk: list[list[str]] = []
        begun = lines.buffer.tell()
        while len(chunk) < _ROWS_AT_A_TIME and lines.buffer.tell() - begun < _BYTES_AT_A_TIME:
            chunk += (some := list(islice(rows, 20)))
            if len(some) < 20:  # noqa: PLR2004 (as above)
                break
        if not chunk:
            return
        yield chunk


def _unreadable(what: str, error: csv.Error) -> FatalAPIError:
    """An error for a file that can't be read."""
    msg = f"{what}: the file is not well-formed CSV ({error})"
    return FatalAPIError(msg)


class MentionSlaExport(Export):
    """Messages that the team handled, with waits, answers and notes.

    The columns are from a document of 2018 that was never published. These say which message it is, and are written by the customer:
    the account it came to, where it came from, when it was published, by whom, and what it says. The customer's full name is not among
    them: Lexer resolves identities, so a name may be found later.
    """

    name = "mention_sla_export"
    is_documented = True
    dated_by = ("customer_publish_date_utc",)
    stable = (
        ("account_name",),
        ("source_type",),
        dated_by,
        ("customer_username",),
        ("customer_message",),
    )


class CaseDetails(Export):
    """Cases that the team worked on.

    No document names its columns. A screen of the product shows these three, and when a case was opened, and where, does not change:
    it is dated from the customer's first message. Whether the file says `(UTC)` behind its dates, as that of the messages does, is not
    known.
    """

    name = "case_details"
    by_the_clock = True  # (cases of e-mail have no account)
    dated_by = ("date_opened", "date_opened_utc")
    stable = (("account",), ("network",), dated_by)


class NpsSubmissions(PerFormStream, Export):
    """Answers to NPS surveys of one form. Nothing is known of its columns: the questions are the form's own."""

    name = "nps_submissions"
    keys = ("form_id", "record_id")
