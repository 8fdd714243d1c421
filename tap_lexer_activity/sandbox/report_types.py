"""The report types by name, and the request that asks for one: from its body to a query, from a query to the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox import exports, people, reports, series
from tap_lexer_activity.sandbox.instants import SECOND, instant
from tap_lexer_activity.sandbox.query import Options, Query, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_lexer_activity.sandbox.ledger import Ledger

REPORTS: Mapping[str, Callable[[Query], object]] = {
    "summary": reports.summary,
    "states_volume": series.states_volume,
    "classifications": reports.classifications,
    "response_volume": series.response_volume,
    "user_summary": reports.user_summary,
    "user_volume": reports.user_volume,
    "case_summary": reports.case_summary,
    "case_volume": series.case_volume,
    "case_classifications": reports.case_classifications,
    "nps_summary": reports.nps_summary,
    "nps_volume": series.nps_volume,
}

EXPORTS: Mapping[str, Callable[[Query], list[tuple[str, ...]]]] = {
    "case_details": exports.case_details,
    "mention_sla_export": exports.mention_sla_export,
    "nps_submissions": exports.nps_submissions,
}

NPS_TYPES = frozenset({"nps_summary", "nps_volume", "nps_submissions"})
SERIES = frozenset({"states_volume", "response_volume", "case_volume"})


def read_query(ledger: Ledger, options: Options, clock: int, body: object) -> tuple[str, Query]:
    """Make a query of a request's body.

    Args:
        ledger: What happened.
        options: The API's behaviour.
        clock: The present instant.
        body: The decoded JSON.

    Returns:
        The report type and the query.

    Raises:
        RequestError: The API refuses the request.
    """
    if not isinstance(body, dict):
        raise RequestError(404, "Not found")
    kind = body.get("type")
    if not isinstance(kind, str) or not (kind in REPORTS or kind in EXPORTS or kind == options.workflow_states_type):
        raise RequestError(400, "Invalid report - invalid type")
    first, last = _read_date(body.get("date_from")), _read_date(body.get("date_to"))
    start, end = instant(first), instant(last.replace(microsecond=0)) + SECOND
    if start >= end:
        raise RequestError(404, "Not found")
    if start >= clock:
        raise RequestError(400, "Invalid report - starting date is a future date")
    if end > instant(_a_year_after(first)):
        raise RequestError(400, "Invalid report - date range is too long")
    form = body.get("form", 0)
    if kind in NPS_TYPES and form not in people.NPS_FORM_IDS:
        raise RequestError(404, "Not found")
    fixed = timezone(first.utcoffset() or timedelta(0))
    return kind, Query(ledger, clock, start, end, fixed, form, options)


def _read_date(text: object) -> datetime:
    """The moment that an ISO 8601 text names; one without an offset is in UTC."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None:
        raise RequestError(404, "Not found")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _a_year_after(first: datetime) -> datetime:
    try:
        return first.replace(year=first.year + 1)
    except ValueError:  # 29 February
        return first.replace(year=first.year + 1, month=3, day=1)


def answer(kind: str, query: Query) -> object:
    """The report of a type that `read_query` has accepted, as JSON."""
    return REPORTS[kind](query) if kind in REPORTS else reports.workflow_states(query)
