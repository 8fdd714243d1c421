"""The base of all streams: generators of rows and of how far they have been read.

A stream knows what to ask for and what the answers mean. It writes nothing and moves no bookmark: it gets the bookmarks that the run began
with, and yields events (see `run.events`). What catches its errors is the engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.lexer.client import request_label
from tap_lexer_activity.lexer.envelopes import Expected
from tap_lexer_activity.run.answers import Answers
from tap_lexer_activity.run.columns import Columns, with_found
from tap_lexer_activity.run.events import ReadUpTo
from tap_lexer_activity.run.plan import Plan, reason_for
from tap_lexer_activity.shapes import ADDED_COLUMNS, row_schema, stream_schema
from tap_lexer_activity.streams.ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.lexer.envelopes import Shape
    from tap_lexer_activity.lexer.lookahead import Ask
    from tap_lexer_activity.run.events import Event, Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval, Request

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""Before every bookmark."""


class LexerStream(ABC):
    """One stream of one run."""

    name: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    """Primary key."""
    bookmark_column: ClassVar[str | None] = None
    """Replication key; `None` for a full table."""
    selected_by_default: ClassVar[bool] = True
    is_per_form: ClassVar[bool] = False
    """True if it is read once for each NPS form, with a bookmark for each."""
    is_export: ClassVar[bool] = False
    """True if a request starts a job, which has to be polled."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.settings = run.settings
        self.logger = run.logger.getChild(self.name)
        self.columns = run.columns.get(self.name) or Columns.of_schema(self.name)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of its rows."""
        return stream_schema(self.name)

    def row_schema(self) -> dict[str, Any]:
        """JSON schema of one row as Lexer sends it."""
        return row_schema(self.schema, required=self.keys, columns=self.columns.properties)

    def answer_schema(self) -> dict[str, Any]:
        """JSON schema of an answer: a list of rows."""
        return {"type": "array", "items": self.row_schema()}

    @cached_property
    def answers(self) -> Answers:
        """Checks answers."""
        return Answers(
            self.answer_schema(),
            self.keys,
            self.columns,
            stream=self.name,
            notices=self.run.notices,
            quote=self.run.client.quote,
            accepted=self.settings.accept.get(self.name, ()),
        )

    def checked(self, answer: Any, label: str) -> Any:
        """The answer, with values that targets can store; `UnexpectedAnswerError` if it does not have the documented shape."""
        return self.answers.checked(answer, label)

    def parts(self) -> Sequence[int | None]:
        """The parts that it is read in, one after the other: the id of each NPS form, or `None` for all there is."""
        return [None]

    def plans(self) -> list[Plan]:
        """The requests of this run, by part."""
        return [Plan(stream=self.name, reason="full table", count=1)]

    def asks(self, form_id: int | None) -> Iterable[Ask]:  # noqa: ARG002 (most have parts)
        """The requests of one part that may be asked ahead of their turn, in the order in which they are read."""
        return ()

    def discovered(self) -> dict[str, Any]:
        """The stream's properties, and those of fields that a short read of it shows beside them."""
        return with_found(self.schema["properties"], self.sample())

    @abstractmethod
    def sample(self) -> Iterable[Row]:
        """A few rows, to see which columns there are."""

    @abstractmethod
    def events(self, form_id: int | None) -> Generator[Event]:
        """The rows of one part, and how far they go.

        Raises:
            FatalAPIError, RetriableAPIError: If the part can't be read any further.
        """


class WindowedStream(LexerStream):
    """A stream that is read in windows of time."""

    bookmark_column: ClassVar[str | None] = "date_from"
    report_parameters: ClassVar[Mapping[str, Any]] = {}
    """Parameters of every request body, beside `type`, `date_from` and `date_to`."""
    shape: ClassVar[Shape] = "list"
    """The shape of an answer."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._plans: dict[int | None, Plan] = {}

    @property
    @abstractmethod
    def interval(self) -> Interval:
        """The length of a window (of a series: of a bucket)."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose calendar cuts the windows."""
        return self.settings.zone

    @property
    def start(self) -> datetime:
        """The start of the stream."""
        return self.settings.start_of(self.name)

    @property
    def lookback_days(self) -> int:
        """Days before the bookmark that are re-read."""
        return self.settings.lookback_days

    @abstractmethod
    def requests(self, wanted: list[windows.Window]) -> list[Request]:
        """The requests that give the wanted windows."""

    def rows(self, request: Request, answer: Any, label: str) -> Iterable[Row]:
        """The rows of the request's windows in its answer, but for the column of the form."""
        raise NotImplementedError

    def bookmark(self, form_id: int | None) -> datetime | None:
        """The instant up to which everything had been read when the run began, or `None` before the first window."""
        return self.run.bookmarks.get((self.name, form_id))

    # Plan

    def plan(self, form_id: int | None) -> Plan:
        """The requests of this run, planned once. Nothing else decides what is due."""
        if form_id not in self._plans:
            self._plans[form_id] = self._plan(form_id)
        return self._plans[form_id]

    def _plan(self, form_id: int | None) -> Plan:
        settings, zone = self.settings, self.zone
        if settings.backfill is not None:
            wanted = self._due(settings.backfill.start, until=settings.backfill.end)
            return self._planned(form_id, self.ranges.cut(wanted), "backfill")
        origin = windows.floor(self.start, self.interval, zone)
        bookmark = self.bookmark(form_id)
        caution = None
        if bookmark is not None and bookmark > datetime.now(UTC):
            caution = (
                f"The bookmark {windows.to_text(bookmark)} is in the future: nothing is read until then. "
                "To re-read from start_date, remove this stream from the state [see: bookmark-in-future]"
            )
            return self._planned(form_id, [], "the bookmark is in the future", caution)
        if bookmark is not None and bookmark < origin:
            named = f"start_dates[{self.name}]" if self.name in settings.starts else "start_date"
            caution = (
                f"{named} ({windows.to_text(self.start)}) is after the bookmark ({windows.to_text(bookmark)}): "
                "what lies between them is not read [see: start-after-bookmark]"
            )
        first = windows.first_to_read(self.start, bookmark, self.lookback_days, self.interval, zone)
        key = (type(self).requests, first, self.interval, zone.key, self.settings.skip_windows.get(self.name))
        requests = self.run.requests_once(key, lambda: self.ranges.cut(self._due(first)))
        since = max(bookmark or first, origin)
        reason = reason_for(requests, bookmark=bookmark, first=first, since=since)
        rereads = 0 if bookmark is None else sum(request.windows[-1].end <= since for request in requests)
        return self._planned(form_id, requests, reason, caution, rereads)

    def _due(self, first: datetime, until: datetime | None = None) -> list[windows.Window]:
        present, partial = self.settings.present, self.settings.include_partial
        return windows.due(first, present, self.interval, self.zone, partial=partial, until=until)

    def _planned(
        self, form_id: int | None, requests: list[Request], reason: str, caution: str | None = None, rereads: int = 0
    ) -> Plan:
        return Plan(
            stream=self.name,
            form_id=form_id,
            reason=reason,
            count=len(requests),
            requests=requests,
            rereads=rereads,
            polls=len(requests) if self.is_export else 0,
            caution=caution,
        )

    @override
    def plans(self) -> list[Plan]:
        return [self.plan(form_id) for form_id in self.parts()]

    # Reading

    @cached_property
    def ranges(self) -> Ranges:
        """The requests for ranges of time."""
        return Ranges(self.run, self.name, self.interval, self.zone, self.requests)

    @override
    def sample(self) -> Iterator[Row]:
        end = windows.floor(self.settings.present, self.interval, self.zone)
        last = windows.Window(windows.floor(end - windows.SECOND, self.interval, self.zone), end)
        for form_id in self.parts():
            for request in self.requests([last]):
                yield from self._rows_of(request, form_id)

    @override
    def asks(self, form_id: int | None) -> Iterator[Ask]:
        for request in self.plan(form_id).requests:
            body = self.body(request, form_id)
            yield self.run.client.ask_of(body, what=f"report {request_label(body)}")

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        left = list(self.plan(form_id).requests)
        while left:
            request, *left = [*self.ranges.parts(left[0]), *left[1:]]
            try:
                rows = self._rows_of(request, form_id)
            except (FatalAPIError, RetriableAPIError) as error:
                again = self.ranges.after(error, request, left, lambda each: self.asked(each, form_id))
                if again is None:
                    self.ranges.name_the_setting(error, request)
                    raise
                left = again
                continue
            yield from rows
            yield self.read_up_to(request)
        yield from self.skipped(form_id)

    def skipped(self, form_id: int | None) -> Iterator[ReadUpTo]:
        """The event that the windows after the last that is read are skipped, if there are any."""
        requests = self.plan(form_id).requests
        end = requests[-1].windows[-1].end if requests else self.bookmark(form_id) or self.start
        if self.settings.backfill is None and (skipped := self.ranges.end_of_skipped(end)):
            yield ReadUpTo(skipped)

    @cached_property
    def expected(self) -> Expected:
        """The answer that it expects."""
        keys = tuple(name for name in self.keys if name not in ADDED_COLUMNS)
        return Expected(self.name, self.shape, keys, may_be_cut=self.shape == "list")

    def asked(self, request: Request, form_id: int | None) -> tuple[Any, str]:
        """The answer to a request, and what was asked for, for people."""
        body = self.body(request, form_id)
        label = f"report {request_label(body)}"
        with self.run.progress.requests_of(self.name):
            return self.run.client.report(body, what=label, expected=self.expected), label

    def _rows_of(self, request: Request, form_id: int | None) -> list[Row]:
        """The rows of a request's windows."""
        more = {} if form_id is None else {"form_id": form_id}
        answer, label = self.asked(request, form_id)
        if answer is None:  # nothing came where an object of metrics was expected
            return []
        rows = self.answers.distinct((row | more for row in self.rows(request, answer, label)), label)
        return [self.columns.placed(row) for row in rows]

    def read_up_to(self, request: Request) -> ReadUpTo:
        """The event that the windows of a request have been read."""
        is_backfill = self.settings.backfill is not None
        return ReadUpTo(None if is_backfill else request.complete_to(self.settings.present), request)

    def body(self, request: Request, form_id: int | None) -> dict[str, Any]:
        """The request's body: times with the offset in force at that moment, the end as the last second inside."""
        asked = request.asked
        body: dict[str, Any] = {
            "type": self.name,
            "date_from": asked.start.astimezone(self.zone).isoformat(),
            "date_to": asked.last_second.astimezone(self.zone).isoformat(),
            **self.report_parameters,
        }
        if form_id is not None:
            body["form"] = form_id
        return {**body, **self.settings.report_parameters.get(self.name, {})}

    def window_columns(self, window: windows.Window) -> Row:
        """The columns that the tap adds for a window."""
        return {
            "date_from": windows.to_text(window.start),
            "date_to": windows.to_text(window.last_second),
            "interval": self.interval,
            "local_date": windows.local_date(window.start, self.settings.zone).isoformat(),
        }


class PerFormStream(WindowedStream):
    """A stream that is read once for each NPS form."""

    is_per_form = True
    report_parameters: ClassVar[Mapping[str, Any]] = {"nps_category": "all"}

    @override
    def parts(self) -> Sequence[int | None]:
        try:
            found = self.run.forms.nps_ids()
        except (FatalAPIError, RetriableAPIError):
            return []  # whoever reads the stream meets the error
        if self.settings.max_requests is None:
            return found
        return sorted(found, key=lambda form_id: self.bookmark(form_id) or NEVER)  # those behind first

    @override
    def plans(self) -> list[Plan]:
        return super().plans() or [Plan(stream=self.name, reason="there is no NPS form", count=0)]

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        if form_id is None:
            self.run.forms.nps_ids()
            self.logger.info("This account has no NPS form, so there is nothing to read [see: no-nps-form]")
            return
        yield from super().events(form_id)
