"""The reports: a few numbers per window, one request each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from tap_lexer_activity import windows
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL, text_of
from tap_lexer_activity.streams.base import PerFormStream, WindowedStream
from tap_lexer_activity.streams.states import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.windows import Interval, Request


class Report(WindowedStream):
    """A report that answers a list of rows for its window."""

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
        for row in self.checked(answer, label):
            yield row | added


class SummaryReport(Report):
    """A report that answers one object for its window."""

    keys: ClassVar[tuple[str, ...]] = ("date_from", "interval")

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


class NpsSummary(PerFormStream, SummaryReport):
    """Surveys sent and answered, and the score, of one NPS form."""

    name = "nps_summary"
    keys = ("form_id", "date_from", "interval")


class Classifications(Report):
    """Messages by classification and workflow state."""

    name = "classifications"
    keys = ("date_from", "interval", "classification_id", "state")

    @override
    def rows(self, request: Request, answer: Any, label: str) -> Iterator[Row]:
        yield from super().rows(request, answer, label)
        present = {(row["classification_id"], row["state"]) for row in answer}
        names = {row["classification_id"]: row.get("classification") for row in answer}
        for number, name in names.items():
            for state in STATES:
                if (number, state) not in present:
                    zero = {"classification_id": number, "classification": name, "state": state, "volume": 0}
                    yield self.window_columns(request.windows[0]) | zero


class CaseClassifications(Report):
    """Cases by classification."""

    name = "case_classifications"
    keys = ("date_from", "interval", "classification_id")


class _AgentReport(Report):
    """A report with a row for each agent, whose id Lexer sends as text in one report and as a number in the other."""

    keys = ("date_from", "interval", "user_id")

    @override
    def rows(self, request: Request, answer: Any, label: str) -> Iterator[Row]:
        yield from super().rows(request, _with_integer_user_id(answer), label)


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
                f"Select {self.twin} and deselect {self.name}; or, if Lexer's support names another type for {self.name}, "
                f'set report_parameters to {{"{self.name}": {{"type": "..."}}}}. The answer begins {self.run.client.quote(text_of(answer))}'
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

    @override
    def rows(self, request: Request, answer: Any, label: str) -> Iterator[Row]:
        yield from super().rows(request, answer, label)
        present = {row["state"] for row in answer}
        for state in STATES if answer else ():  # an empty answer says nothing of any state
            if state not in present:
                yield self.window_columns(request.windows[0]) | {"state": state, "volume": 0}


_LONGEST_ID: Final = 19
"""Characters of a number that fits into a column of 64 bits."""


def _with_integer_user_id(answer: Any) -> Any:
    """The rows, with a `user_id` of digits as a number."""
    if not isinstance(answer, list):
        return answer
    return [
        {**row, "user_id": int(row["user_id"])}
        if isinstance(row, dict)
        and isinstance(row.get("user_id"), str)
        and row["user_id"].isdecimal()
        and row["user_id"].isascii()
        and len(row["user_id"]) < _LONGEST_ID
        else row
        for row in answer
    ]
