"""The CSV exports: one row per case, message or survey, from files that may have millions of them."""

from __future__ import annotations

import csv
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.csv_exports.names import with_columns
from tap_lexer_activity.errors import (
    ExportFailedError,
    ExportTimedOutError,
    RangeTooLongError,
    UnexpectedAnswerError,
    see_last,
)
from tap_lexer_activity.streams.base import PerFormStream
from tap_lexer_activity.streams.export_files import (
    OWN_COLUMNS,
    ExportFiles,
    TimelessError,
    may_be_cut_short,
    unreadable,
)
from tap_lexer_activity.streams.job_queue import JobQueue, halves

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime

    from tap_lexer_activity.lexer.job_answers import Job
    from tap_lexer_activity.lexer.lookahead import Ask
    from tap_lexer_activity.run.events import Block, Event
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval, Request, Window


_ROWS_OF_DISCOVERY: Final = 1000
"""Rows whose cells have a say in the types of columns that discovery finds."""


class Export(ExportFiles):
    """A CSV export: one job for some days, one row for each row of its file."""

    is_export = True
    interval: Interval = "day"
    keys: ClassVar[tuple[str, ...]] = ("record_id",)
    lets_others_go_on = False
    """True if other streams are read while a job is not complete."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._queues: dict[int | None, JobQueue] = {}
        self._caps: set[int] = set()
        """Numbers of rows of which Lexer sends no more in one file."""

    @property
    @override
    def lookback_days(self) -> int:
        return self.settings.export_lookback_days

    @override
    def requests(self, wanted: list[Window]) -> list[Request]:
        return windows.export_requests(wanted, self.settings.present, self.window_days, self.zone)

    # Jobs

    @override
    def asks(self, form_id: int | None) -> Iterator[Ask]:
        yield from ()  # (a request starts a job, which is started ahead of its turn by its queue)

    def start_first(self) -> None:
        """Start the first job of each bookmark, so that Lexer works on it while other streams are read."""
        for form_id in self.parts():
            self._queue(form_id).start_first()

    def _queue(self, form_id: int | None) -> JobQueue:
        if form_id not in self._queues:
            requests = self.plan(form_id).requests
            queue = JobQueue(self.run, self.name, requests, lambda request: self.body(request, form_id))
            self._queues[form_id] = queue
            self.run.polls_ahead.append(queue.poll_ahead)
        return self._queues[form_id]

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        queue = self._queue(form_id)
        with closing(iter(queue)) as jobs:
            while True:
                while self.lets_others_go_on and not queue.is_ready:
                    yield "not yet"
                if (found := next(jobs, None)) is None:
                    break
                yield from self._events_of_job(queue, *found, form_id)
        yield from self.skipped(form_id)

    def _events_of_job(self, queue: JobQueue, request: Request, job: Job, form_id: int | None) -> Generator[Event]:
        try:
            file = self._fetch(job)
        except (ExportFailedError, ExportTimedOutError) as error:
            queue.put_back_failed(request, error)
            return
        count = 0
        if file is not None:
            for block in self._blocks_of_job(request, job, file, form_id, is_cut=queue.is_cut(request)):
                count += block.count
                yield block
        if may_be_cut_short(count) and self._is_cut_short(request, count, form_id):
            queue.put_back(halves(request))
        else:
            yield self.read_up_to(request)

    def _fetch(self, job: Job) -> TextIO | None:
        with self.run.progress.requests_of(self.name):
            return self.run.exporter.fetch(job)

    def _start(self, request: Request, form_id: int | None) -> Job:
        with self.run.progress.requests_of(self.name):
            return self.run.exporter.start(self.body(request, form_id))

    def _is_cut_short(self, request: Request, count: int, form_id: int | None) -> bool:
        """True if a file with a round number of rows is not all there is: its halves have more rows."""
        round_number = f"an export has exactly {count:,} rows"
        if len(request.windows) == 1:
            said = f"{round_number} for one day. Lexer may cut files there: check whether rows are missing [see: export-file-round-number]"
            self.run.notices.accept(self.name, "round number of rows", said)
            return False
        if count in self._caps:
            return True
        try:
            parts = [self._count(part, form_id) for part in halves(request)]
        except (ExportFailedError, ExportTimedOutError, RangeTooLongError) as error:
            said = f"{round_number}, and the tap can't tell whether there are more ({error}). Lower export_window_days to see"
            self.run.notices.accept(self.name, "round number of rows", said)
            return False
        if sum(parts) <= count:
            return False
        self._caps.add(count)
        days = len(halves(request)[0].windows)
        said = (
            f"{round_number}, though there are more: Lexer sends no more in one file. Such exports are read in halves; "
            f"set export_window_days to {days} or less to avoid that [see: export-file-short]"
        )
        self.run.notices.accept(self.name, "most rows of a file", said)
        return True

    def _count(self, request: Request, form_id: int | None) -> int:
        """The number of rows that an export has."""
        job = self._start(request, form_id)
        file = self._fetch(job)
        if file is None:
            return 0
        with file as lines:
            return sum(len(chunk) for _, chunk in self.opened(lines, job.what).chunks())

    def _blocks_of_job(
        self, request: Request, job: Job, file: TextIO, form_id: int | None, *, is_cut: bool
    ) -> Iterator[Block]:
        """The rows of a job.

        Where rows have no time, only their order tells them apart, and that stays the same in a file of the whole window alone. So if
        the job is for a part of a window, reading stops before such rows, and the whole window is asked for. The rows with a time that
        have been yielded by then have the same ids in there, and are left out.
        """
        begin = self._begin_of_window(request.asked.start)
        is_part = is_cut or begin != request.asked.start
        with file as lines:
            try:
                yield from self.blocks(lines, request, form_id, job.what, is_part=is_part)
            except TimelessError as found:
                if is_cut:
                    msg = (
                        f"{job.what}: a window that had to be split has rows without a time, which only their order in the file of a whole "
                        f"window tells apart. Set export_window_days to {len(request.windows)} or less [see: export-rows-without-time]"
                    )
                    raise UnexpectedAnswerError(msg) from None
                written = self.ids_of(lines, request, job.what, found.written)
            else:
                return
        job, whole = self._whole(replace(request, asked=windows.Window(begin, request.asked.end)), form_id)
        if whole is not None:
            with whole as lines:
                yield from self.blocks(lines, request, form_id, job.what, written=written)

    def _whole(self, request: Request, form_id: int | None) -> tuple[Job, TextIO | None]:
        """The job for a window from its start, and its file. It is started again if it fails, and not cut."""
        retries = self.settings.export_retries
        while True:
            job = self._start(request, form_id)
            self.logger.info(
                "%s: some rows have no time, so the window is read from its start: %s", self.name, job.what
            )
            try:
                return job, self._fetch(job)
            except (ExportFailedError, ExportTimedOutError) as error:
                if not retries:
                    raise
                retries -= 1
                self.logger.warning(
                    "%s", see_last(f"{error}; starting the job again (export_retries) [see: export-again]")
                )

    def _begin_of_window(self, instant: datetime) -> datetime:
        """The instant from which the first load read the window of an instant: its start, or `start_date`."""
        start = windows.export_window(instant, self.window_days, self.zone).start
        first = windows.floor(self.start, "day", self.zone)
        return max(start, first) if first <= instant else start

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
            file = self._fetch(self._start(request, form_id))
            if file is None:
                continue
            with file as lines:
                try:
                    found = self.opened(lines, self.name)
                    headers = found.header
                    _, some = next(found.chunks(), (headers, []))
                except csv.Error as error:
                    raise unreadable(self.name, error) from error
            properties = with_columns(properties, headers, OWN_COLUMNS, some[:_ROWS_OF_DISCOVERY])
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
