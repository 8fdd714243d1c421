"""The reports: a few numbers per window, one request each."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDED_COLUMNS, ADDITIONAL, text_of
from tap_lexer_activity.streams.base import PerFormStream, WindowedStream
from tap_lexer_activity.streams.ids import NOBODY, TOTAL, Identified, identified
from tap_lexer_activity.streams.states import STATES, by_documented_states

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from tap_lexer_activity.lexer.envelopes import Expected
    from tap_lexer_activity.run.events import Event, Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval, Request

_ENOUGH: Final = 10
"""Answers of several forms with numbers in them that have to be alike, to be no chance."""


class Report(WindowedStream):
    """A report that answers a list of rows for its window."""

    id_column: ClassVar[str | None] = None
    """The column that says whose each row is, if there is one. A row without an id is data, too."""
    counts_states_of: ClassVar[tuple[str, ...] | None] = None
    """Columns of what has a `volume` for each state, if it is a report of such. Lexer leaves out zeros, which become rows, too."""

    @property
    @override
    def interval(self) -> Interval:
        return self.settings.report_interval

    @override
    def requests(self, wanted: list[windows.Window]) -> list[Request]:
        return windows.report_requests(wanted, self.settings.present)

    @override
    def rows(self, request: Request, answer: Any, label: str) -> Iterator[Row]:
        added = self.window_columns(request.windows[0])
        rows = list(self._read(answer, label))
        yield from (row | added for row in rows)
        if self.counts_states_of is not None:
            yield from (added | zero for zero in self._zeros(rows, self.counts_states_of))

    def _zeros(self, rows: list[Row], names: tuple[str, ...]) -> Iterator[Row]:
        """Rows for the states that are missing. If there are no rows at all, that says nothing of any state."""
        keys = [name for name in names if name in self.keys]
        counted = {tuple(row[name] for name in keys): {name: row.get(name) for name in names} for row in rows}
        present = {(*(row[name] for name in keys), row["state"]) for row in rows}
        for key, columns in counted.items():
            for state in STATES:
                if (*key, state) not in present:
                    yield columns | {"state": state, "volume": 0}

    def _read(self, answer: Any, label: str) -> Iterator[Row]:
        """The rows as Lexer sends them, each with an id and with states by their documented names."""
        found = self._identified(answer, label)
        rows = self.checked(answer if found is None else found.rows, label)
        for given, kept_ids in zip(rows, found.kept if found is not None else repeat({}), strict=False):
            row, kept = by_documented_states(given)
            if kept:
                said = f"{label}: states came in other words than Lexer documents; the rows have the documented ones, and additional_columns these"
                self.run.notices.accept(self.name, "states in other words", said)
            if kept := kept | kept_ids:
                row[ADDITIONAL] = {**(row.get(ADDITIONAL) or {}), **kept}
            yield row

    def _identified(self, answer: Any, label: str) -> Identified | None:
        column = self.id_column
        if column is None or not isinstance(answer, list):
            return None
        may_be_missing = "unassigned" in self.settings.accept.get(self.name, ())
        beside = [name for name in self.keys if name not in {*ADDED_COLUMNS, column}]
        found = identified(answer, column, beside=beside, may_be_missing=may_be_missing, what=label)
        has_id = [column in row for row in answer if isinstance(row, dict)]
        if any(has_id) and not all(has_id) and not may_be_missing:
            msg = f"{label}: a row without {column} came. If such rows belong to nobody, set accept to "
            msg += f'{{"{self.name}": ["unassigned"]}}: they get the {column} {NOBODY} [see: row-of-nobody]'
            raise UnexpectedAnswerError(msg)
        if found.words:
            shown = self.run.client.quote(", ".join(dict.fromkeys(found.words)))
            said = (
                f"{label}: rows have no id as {column} ({shown}); they belong to nobody, and get the {column} {NOBODY}"
            )
            self.run.notices.accept(self.name, "rows of nobody", said)
        if found.has_total:
            said = f"{label}: one row is the total of the others; it gets the {column} {TOTAL}: leave it out of sums"
            self.run.notices.accept(self.name, "rows of totals", said)
        return found


class SummaryReport(Report):
    """A report that answers one object for its window."""

    keys: ClassVar[tuple[str, ...]] = ("date_from", "interval")
    shape = "object"

    @cached_property
    @override
    def expected(self) -> Expected:
        return replace(super().expected, known=tuple(self.row_schema()["properties"].keys() - {ADDITIONAL}))

    @override
    def answer_schema(self) -> dict[str, Any]:
        # Any one metric may be missing, but an object without a single known one is another report's.
        schema = self.row_schema()
        metrics = [name for name in schema["properties"] if name != ADDITIONAL]
        return schema | {"anyOf": [{"required": [name]} for name in metrics]}

    @override
    def rows(self, request: Request, answer: Any, label: str) -> Iterator[Row]:
        yield self.checked(answer, label) | self.window_columns(request.windows[0])


class Summary(SummaryReport):
    """Messages handled, response times and SLA breaches of the whole team."""

    name = "summary"


class CaseSummary(SummaryReport):
    """Cases closed, and how long they took."""

    name = "case_summary"


class Alike:
    """The numbers of several forms, compared: a parameter that a server does not know gives the same numbers for all."""

    def __init__(self) -> None:
        self._first: dict[str, Mapping[str, Any]] = {}
        self._forms: set[int] = set()
        self._count = 0
        self._differs = False

    def take(self, form_id: int, window: str, numbers: Mapping[str, Any]) -> None:
        """Compare the numbers of one form in one window with those of the first form."""
        first = self._first.setdefault(window, numbers)
        self._differs |= first != numbers
        if any(numbers.values()):
            self._forms.add(form_id)
            self._count += 1

    @property
    def is_suspicious(self) -> bool:
        """True if all forms have had the same numbers in every window, so often that it is no chance."""
        return not self._differs and len(self._forms) > 1 and self._count >= _ENOUGH


class NpsSummary(PerFormStream, SummaryReport):
    """Surveys sent and answered, and the score, of one NPS form."""

    name = "nps_summary"
    keys = ("form_id", "date_from", "interval")

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._alike = Alike()

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        for event in super().events(form_id):
            if isinstance(event, dict) and form_id is not None:
                added = {*ADDED_COLUMNS, ADDITIONAL}
                numbers = {name: value for name, value in event.items() if name not in added}
                self._alike.take(form_id, event["date_from"], numbers)
            yield event
        if self._alike.is_suspicious and form_id == self.parts()[-1]:
            self.run.notices.accept(
                self.name,
                "the same numbers for all forms",
                "every form has the same numbers in every window: Lexer may ignore the form and count the whole account. "
                "Compare with Lexer's screens; if they differ, ask Lexer for the parameter and set report_parameters [see: forms-same-numbers]",
            )


class Classifications(Report):
    """Messages by classification and workflow state."""

    name = "classifications"
    keys = ("date_from", "interval", "classification_id", "state")
    id_column = "classification_id"
    counts_states_of = ("classification_id", "classification")


class CaseClassifications(Report):
    """Cases by classification."""

    name = "case_classifications"
    keys = ("date_from", "interval", "classification_id")
    id_column = "classification_id"


class _AgentReport(Report):
    """A report with a row for each agent, whose id Lexer sends as text in one report and as a number in the other."""

    keys = ("date_from", "interval", "user_id")
    id_column = "user_id"


class UserSummary(_AgentReport):
    """Messages, response times and SLA breaches of each agent."""

    name = "user_summary"


class _SharedType(Report):
    """One of the two reports that Lexer documents under the type `user_volume`: only one of them can be what an account serves."""

    twin: ClassVar[str]
    """The other stream."""
    twin_mark: ClassVar[str]
    """A column that only the other stream's rows have."""

    @override
    def checked(self, answer: Any, label: str) -> Any:
        if isinstance(answer, list) and any(isinstance(row, dict) and self.twin_mark in row for row in answer):
            msg = (
                f"{label}: this is the report of the stream {self.twin}, which Lexer documents under the same type. "
                f"Select {self.twin} and deselect {self.name}; or, if Lexer's support gives you another type for {self.name}, "
                f'set report_parameters to {{"{self.name}": {{"type": "..."}}}}. '
                f"The answer begins {self.run.client.quote(text_of(answer))} [see: report-of-another-stream]"
            )
            raise UnexpectedAnswerError(msg)
        return super().checked(answer, label)


class UserVolume(_AgentReport, _SharedType):
    """Messages assigned to each agent, by workflow state."""

    name = "user_volume"
    twin = "workflow_states"
    twin_mark = "volume"


class WorkflowStates(_SharedType):
    """Messages in each workflow state.

    Not selected by default: Lexer documents it under the type `user_volume`, which the better evidence gives to the report of that name.
    """

    name = "workflow_states"
    keys = ("date_from", "interval", "state")
    report_parameters: ClassVar[dict[str, Any]] = {"type": "user_volume"}
    selected_by_default = False
    twin = "user_volume"
    twin_mark = "user_id"
    counts_states_of = ()
