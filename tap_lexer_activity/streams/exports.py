"""The CSV exports: one row per case, message or survey, from files that may have millions of them."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.csv_exports.convert import Converter
from tap_lexer_activity.csv_exports.names import matched, with_columns
from tap_lexer_activity.csv_exports.rows import is_title, read_rows, without_headers
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.lexer.decode import NOT_THE_HEADER
from tap_lexer_activity.run.events import Block
from tap_lexer_activity.streams.base import PerFormStream, WindowedStream
from tap_lexer_activity.streams.export_rows import TimelessError, chunks_of, unreadable, values_of
from tap_lexer_activity.streams.job_queue import JobQueue

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from tap_lexer_activity.lexer.jobs import Job
    from tap_lexer_activity.run.events import Event, Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval, Request, Window

_MOST_TITLES: Final = 20
"""Lines above the header that are looked for."""

OWN_COLUMNS: Final = ("record_id", "form_id", "date_from", "date_to", "local_date", "additional_columns")
"""Columns of the tap's own, which no column of an export may be named as."""

_ROWS_OF_DISCOVERY: Final = 1000
"""Rows whose cells have a say in the types of columns that discovery finds."""


class Export(WindowedStream):
    """A CSV export: one job for some days, one row for each row of its file."""

    is_export = True
    keys: ClassVar[tuple[str, ...]] = ("record_id",)
    stable: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Columns that cannot change after the fact, each as the names it may have. They make the `record_id`; if none, all columns do."""
    by_the_clock: ClassVar[bool] = False
    """Whether little but their time tells rows apart, so that a date alone does not."""
    dated_by: ClassVar[tuple[str, ...]] = ()
    """Names of the column that says when a row happened; if none, it is found by its name (see `place_of_time`)."""
    is_documented: ClassVar[bool] = False
    """Whether a document names the columns."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._queues: dict[int | None, JobQueue] = {}
        self._said: set[str] = set()

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

    def start_first(self) -> None:
        """Start the first job of each bookmark, so that Lexer works on it while other streams are read."""
        for form_id in self.parts():
            self._queue(form_id).start_ahead()

    def _queue(self, form_id: int | None) -> JobQueue:
        if form_id not in self._queues:
            queue = JobQueue(
                self.name,
                self.plan(form_id).requests,
                lambda request: self.body(request, form_id),
                run=self.run,
                logger=self.logger,
            )
            self._queues[form_id] = queue
            self.run.polls_ahead.append(queue.poll_ahead)
        return self._queues[form_id]

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        for request, job in self._queue(form_id):
            yield from self._blocks_of_job(request, job, form_id)
            yield self.read_up_to(request)

    def _blocks_of_job(self, request: Request, job: Job, form_id: int | None) -> Iterator[Block]:
        """The rows of a job.

        Where rows have no time, only their order tells them apart, and that stays the same in a file of the whole window alone. So if
        the job is for a part of a window, reading stops before such rows, and the whole window is asked for. The rows with a time that
        have been yielded by then have the same ids in there, and are left out.
        """
        begin = self._begin_of_window(request.asked.start)
        with self.run.progress.requests_of(self.name):
            file = self.run.exporter.fetch(job)
        with file as lines:
            try:
                yield from self._blocks(lines, request, form_id, job.what, is_part=begin != request.asked.start)
            except TimelessError as found:
                written = self._ids(lines, request, job.what, found.written)
            else:
                return
        whole = replace(request, asked=windows.Window(begin, request.asked.end))
        with self.run.progress.requests_of(self.name):
            job = self.run.exporter.start(self.body(whole, form_id))
            self.logger.info(
                "%s: there are rows without a time, so the window is read from its start: %s", self.name, job.what
            )
            file = self.run.exporter.fetch(job)
        with file as lines:
            yield from self._blocks(lines, request, form_id, job.what, written=written)

    def _ids(self, lines: TextIO, request: Request, what: str, count: int) -> set[str]:
        """The ids of so many rows, the first of a file."""
        lines.seek(0)
        headers, rows = self._header(lines, what)
        converter = self._converter(headers, request)
        chunks = (without_headers(chunk, headers) for chunk in chunks_of(rows, lines))
        ids = chain.from_iterable(converter.convert(chunk)[0] for chunk in chunks if chunk)
        return set(islice(ids, count))

    def _begin_of_window(self, instant: datetime) -> datetime:
        """Where the first load began to read the window of an instant: at its start, or at `start_date`."""
        start = windows.export_window(instant, self.settings.export_window_days, self.zone).start
        first = windows.floor(self.start, "day", self.zone)
        return max(start, first) if first <= instant else start

    # Rows

    def _blocks(  # noqa: PLR0913 (what a file is read with)
        self,
        lines: TextIO,
        request: Request,
        form_id: int | None,
        what: str,
        *,
        is_part: bool = False,
        written: AbstractSet[str] = frozenset(),
    ) -> Iterator[Block]:
        """The rows of a file.

        Args:
            lines: The file.
            request: What was asked for.
            form_id: The form, if it is a stream per form.
            what: The job's name for errors.
            is_part: Whether the file is of a part of its window.
            written: Ids of rows that have been yielded already.

        Raises:
            TimelessError: Before the first rows without a time, if it is of a part.
        """
        converter: Converter | None = None
        try:
            headers, rows = self._header(lines, what)
            if not headers:
                self.logger.warning("%s: the file is empty, without even a header", what)
                return
            wanted = self.columns.selected
            converter = self._converter(headers, request)
            form = {} if form_id is None else {"form_id": form_id}
            fixed = dict.fromkeys(wanted) | self.window_columns(self._window(request)) | form
            own = {name: value for name, value in fixed.items() if name not in converter.columns and name in wanted}
            names = (*converter.columns, *own)
            count = 0
            chunks = self._without_headers(chunks_of(rows, lines), headers, what)
            for values in values_of(converter, chunks, is_part=is_part, written=written):
                count += (size := len(values[0]))
                if size:
                    yield Block(names, [*values, *map(repeat, own.values())], size)
            self._check_header(headers, count, what)
        except csv.Error as error:
            raise unreadable(what, error) from error
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
            self.columns.properties,
            self.columns.selected,
            self.stable,
            taken=OWN_COLUMNS,
            window=windows.to_text(self._window(request).start),
            by_the_clock=self.by_the_clock,
            dated_by=self.dated_by,
            zone=self.zone,
        )

    @property
    def _known_columns(self) -> dict[str, Any]:
        """The columns of the schema and of the catalog, by which a header is known."""
        return {**self.schema["properties"], **self.columns.properties}

    def _header(self, lines: TextIO, what: str) -> tuple[list[str], Iterator[list[str]]]:
        """The header, empty if there is none, and the rows below it."""
        rows = read_rows(lines)
        headers = next(rows, [])
        properties = self._known_columns
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
        if not count and self.is_documented and not any(matched(headers, self._known_columns, OWN_COLUMNS)):
            msg = f"{what}: the file has no rows, and none of the columns of {self.name}"
            raise UnexpectedAnswerError(msg)

    @override
    def window_columns(self, window: Window) -> Row:
        # (The date of a row is its own.)
        columns = super().window_columns(window)
        return {name: columns[name] for name in ("date_from", "date_to")}

    # Discovery

    def discovered(self) -> dict[str, Any]:
        """The stream's properties, and those of the columns of a short export (one of each NPS form)."""
        properties: dict[str, Any] = dict(self.schema["properties"])
        if self.is_per_form:
            self.run.forms.nps_ids()  # whose error `parts` keeps to itself
        last_day = windows.floor(self.settings.present, "day", self.zone) - windows.SECOND
        day = windows.Window(windows.floor(last_day, "day", self.zone), last_day + windows.SECOND)
        for form_id in self.parts():
            (request,) = self.requests([day])
            with self.run.progress.requests_of(self.name):
                file = self.run.exporter.fetch(self.run.exporter.start(self.body(request, form_id)))
            with file as lines:
                try:
                    headers, rows = self._header(lines, self.name)
                    some = list(islice(rows, _ROWS_OF_DISCOVERY))
                except csv.Error as error:
                    raise unreadable(self.name, error) from error
            properties = with_columns(properties, headers, OWN_COLUMNS, some)
        return properties


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
