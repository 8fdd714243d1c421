"""Every report and export of the API, counted from the ledger. Nothing here knows of HTTP.

A request's body becomes a `Query`; a report is a function from a query to what the API answers as JSON, an export one to
rows of text. All of them see the ledger as it is at the query's clock.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal

from tap_lexer_activity.sandbox import people
from tap_lexer_activity.sandbox.ledger import (
    CLOSED_STATES,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    STATES,
    Ledger,
    instant,
    moment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_lexer_activity.sandbox.ledger import Case, Message, Survey

CUSTOMER_SLA = 2 * HOUR
AGENT_SLA = 30 * MINUTE
HOURLY_BELOW = 4 * DAY
"""A series of a shorter range has a bucket an hour."""


class RequestError(Exception):
    """The API refuses a request.

    Attributes:
        status: The HTTP status.
        text: Lexer's words for it.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Options:
    """How the API behaves where its documents are silent or contradict each other.

    Attributes:
        labels: `zone`: the series' buckets are the account zone's days and hours. `offset`: those of the fixed offset
            that `date_from` is written with.
        nps_labels: Whether `nps_volume` labels a step by its `end` or its `start`.
        case_volume_hours: Whether `case_volume` turns to hours for a short range as its siblings do.
        user_volume_shape: Whether `user_volume` answers `agents` (Team Volume) or `states` (Workflow States).
        workflow_states_type: A report type that answers Workflow States; None: there is none.
    """

    labels: Literal["zone", "offset"] = "zone"
    nps_labels: Literal["end", "start"] = "end"
    case_volume_hours: bool = True
    user_volume_shape: Literal["agents", "states"] = "agents"
    workflow_states_type: str | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("labels", self.labels, ("zone", "offset")),
            ("nps_labels", self.nps_labels, ("end", "start")),
            ("user_volume_shape", self.user_volume_shape, ("agents", "states")),
        ):
            if value not in known:
                msg = f"{name} is {value!r}: it must be {known[0]!r} or {known[1]!r}"
                raise ValueError(msg)


@dataclass(frozen=True)
class Query:
    """What a request asks.

    Attributes:
        ledger: The book.
        clock: The instant at which the book is read.
        start: The first instant of the window.
        end: The instant after its last second.
        offset: The fixed offset that `date_from` is written with.
        form: The form's id, of the NPS reports.
        options: The API's behaviour.
        grain: A bucket length that overrides the rule, for faults.
    """

    ledger: Ledger
    clock: int
    start: int
    end: int
    offset: tzinfo = UTC
    form: int = 0
    options: Options = field(default_factory=Options)
    grain: Literal["hour", "day"] | None = None

    def messages(self) -> list[Message]:
        """List the messages created in the window."""
        return self.ledger.messages(self.start, self.end, self.clock)

    def contains(self, at: int | None) -> bool:
        """Tell whether an instant is in the window and not in the future."""
        return at is not None and self.start <= at < self.end and at <= self.clock


@dataclass(frozen=True)
class Bucket:
    """A day or an hour of a series, clipped to the window."""

    label: str
    start: int
    end: int

    def row(self, value: float | None, **more: object) -> dict[str, object]:
        """Write the entry that the three label series share."""
        return {**more, "value": value, "date_range": {"date_from": self.label}}


def read_query(ledger: Ledger, options: Options, clock: int, body: object) -> tuple[str, Query]:
    """Read a request's body.

    Args:
        ledger: The book.
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
    """Read an ISO 8601 moment; one without an offset is in UTC."""
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


def buckets(query: Query, *, hourly: bool = True) -> list[Bucket]:
    """Cut a window into days or hours of the account's zone, or of the request's offset.

    An hour that the clock shows twice gives two buckets with one label. A day's label says 00:00 also where the clock
    skips midnight.

    Args:
        query: The request.
        hourly: Whether the series turns to hours for a short range.
    """
    short = hourly and query.end - query.start < HOURLY_BELOW
    grain = query.grain or ("hour" if short else "day")
    zone = query.ledger.zone if query.options.labels == "zone" else query.offset
    found = []
    start = query.start
    while start < query.end:
        local = moment(start).astimezone(zone)
        if grain == "hour":
            past = (local.minute * 60 + local.second) * SECOND + local.microsecond
            label, end = f"{local:%Y-%m-%d %H}:00", start - past + HOUR
        else:
            following = local.date() + timedelta(days=1)
            label = f"{local:%Y-%m-%d} 00:00"
            end = instant(datetime(following.year, following.month, following.day, tzinfo=zone))
        found.append(Bucket(label, start, min(end, query.end)))
        start = end
    return found


def _by_bucket(messages: Iterable[Message], cut: Sequence[Bucket]) -> list[list[Message]]:
    """Sort messages into the buckets in which they were created."""
    starts = [bucket.start for bucket in cut]
    sorted_in: list[list[Message]] = [[] for _ in cut]
    for message in messages:
        sorted_in[bisect_right(starts, message.created) - 1].append(message)
    return sorted_in


def _seconds(value: float | None) -> float | None:
    return None if value is None else value / SECOND


def _minutes(value: float | None) -> float | None:
    return None if value is None else value / MINUTE


def _average(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _waits(messages: Iterable[Message], clock: int) -> list[int]:
    return [wait for message in messages if (wait := message.wait(clock)) is not None]


def _handlings(messages: Iterable[Message], clock: int) -> list[int]:
    return [time for message in messages if (time := message.handling(clock)) is not None]


def summary(query: Query) -> dict[str, object]:
    """Summary Metrics: one object; times in seconds, in minutes where the name ends in `_min`."""
    messages = query.messages()
    waits, handlings = _waits(messages, query.clock), _handlings(messages, query.clock)
    return {
        "total_volume": len(messages),
        "avg_response_time": _seconds(_average(waits)),
        "avg_action_response_time": _seconds(_average(handlings)),
        "total_responded_to": len(waits),
        "broke_sla": sum(wait > CUSTOMER_SLA for wait in waits),
        "broke_action_sla": sum(time > AGENT_SLA for time in handlings),
        "min_response_time": _seconds(min(waits, default=None)),
        "median_response_time": _seconds(_median(waits)),
        "max_response_time": _seconds(max(waits, default=None)),
        "min_action_response_time": _seconds(min(handlings, default=None)),
        "median_action_response_time": _seconds(_median(handlings)),
        "max_action_response_time": _seconds(max(handlings, default=None)),
        "avg_action_response_time_min": _minutes(_average(handlings)),
        "avg_response_time_min": _minutes(_average(waits)),
        "median_action_response_time_min": _minutes(_median(handlings)),
        "median_response_time_min": _minutes(_median(waits)),
    }


def states_volume(query: Query) -> dict[str, object]:
    """States Volume: per state that occurs at all, the messages of each bucket."""
    cut = buckets(query)
    counts = [Counter(m.state(query.clock) for m in group) for group in _by_bucket(query.messages(), cut)]
    return {
        state: [bucket.row(count[state], state=state) for bucket, count in zip(cut, counts, strict=True)]
        for state in STATES
        if any(count[state] for count in counts)
    }


def response_volume(query: Query) -> dict[str, object]:
    """Response Time: the average wait of each bucket's messages, in seconds, null where none has a response."""
    cut = buckets(query)
    groups = _by_bucket(query.messages(), cut)
    return {
        "avg_response_time": [
            bucket.row(_seconds(_average(_waits(group, query.clock))))
            for bucket, group in zip(cut, groups, strict=True)
        ]
    }


def case_volume(query: Query) -> dict[str, object]:
    """Case Volume: the cases whose life, from opening to closing, touches each bucket."""
    cases = query.ledger.cases(query.start, query.end, query.clock)
    opened = sorted(case.opened for case in cases)
    closed = sorted(case.closed(query.clock) or query.clock + 1 for case in cases)
    return {
        "open": [
            bucket.row(bisect_left(opened, bucket.end) - bisect_right(closed, bucket.start))
            for bucket in buckets(query, hourly=query.options.case_volume_hours)
        ]
    }


def workflow_states(query: Query) -> list[dict[str, object]]:
    """Workflow States: the messages in each state, the most frequent first."""
    counts = Counter(message.state(query.clock) for message in query.messages())
    return [{"state": state, "volume": count} for state, count in counts.most_common()]


def _by_agent(query: Query) -> list[tuple[people.Agent, list[Message]]]:
    """Group the assigned messages by agent, in the order of the users' list."""
    groups: dict[int, list[Message]] = {agent.id: [] for agent in people.AGENTS}
    for message in query.messages():
        if agent := message.agent(query.clock):
            groups[agent.id].append(message)
    return [(agent, groups[agent.id]) for agent in people.AGENTS if groups[agent.id]]


def user_volume(query: Query) -> list[dict[str, object]]:
    """Team Volume: per agent, the assigned messages by state; or Workflow States, if the options say so."""
    if query.options.user_volume_shape == "states":
        return workflow_states(query)
    rows: list[dict[str, object]] = []
    for agent, messages in _by_agent(query):
        counts = Counter(message.state(query.clock) for message in messages)
        totals = {"all_states": len(messages), "all_closed_states": sum(counts[state] for state in CLOSED_STATES)}
        rows.append(
            {
                "user_id": agent.id,
                "first_name": agent.first_name,
                "last_name": agent.last_name,
                "states": totals | {state: counts[state] for state in STATES},
            }
        )
    return rows


def user_summary(query: Query) -> list[dict[str, object]]:
    """Team Summary: one object per agent with messages.

    As in Lexer's sample the id is text, and the private fraction is of the responses (its description says of the
    messages assigned).
    """
    rows: list[dict[str, object]] = []
    for agent, messages in _by_agent(query):
        waits, handlings = _waits(messages, query.clock), _handlings(messages, query.clock)
        private = sum(m.private for m in messages if m.wait(query.clock) is not None)
        broke_sla = sum(wait > CUSTOMER_SLA for wait in waits)
        broke_action_sla = sum(time > AGENT_SLA for time in handlings)
        rows.append(
            {
                "first_name": agent.first_name,
                "last_name": agent.last_name,
                "mentions_assigned": len(messages),
                "user_id": str(agent.id),
                "responded_to": len(waits),
                "responded_to_in_private": private,
                "avg_response_time": _seconds(_average(waits)),
                "min_response_time": _seconds(min(waits, default=None)),
                "max_response_time": _seconds(max(waits, default=None)),
                "avg_action_response_time": _seconds(_average(handlings)),
                "min_action_response_time": _seconds(min(handlings, default=None)),
                "max_action_response_time": _seconds(max(handlings, default=None)),
                "total_responded_to": len(waits),
                "broke_sla": broke_sla,
                "broke_action_sla": broke_action_sla,
                "avg_response_time_min": _minutes(_average(waits)),
                "avg_action_response_time_min": _minutes(_average(handlings)),
                "fraction_responded_to": len(waits) / len(messages),
                "fraction_responded_to_in_private": private / len(waits) if waits else 0.0,
                "fraction_broke_sla": broke_sla / len(waits) if waits else 0.0,
                "fraction_broke_action_sla": broke_action_sla / len(waits) if waits else 0.0,
            }
        )
    return rows


def classifications(query: Query) -> list[dict[str, object]]:
    """Classifications: the messages per label and state, and a row `all_states` per label."""
    counts = Counter(
        (label, state)
        for message in query.messages()
        for label in message.labels(query.clock)
        for state in (message.state(query.clock), "all_states")
    )
    return [
        {"classification_id": label.id, "classification": label.name, "state": state, "volume": counts[label, state]}
        for label in people.CLASSIFICATIONS
        for state in (*STATES, "all_states")
        if counts[label, state]
    ]


def _cases_opened(query: Query) -> list[Case]:
    """List the cases that were opened in the window."""
    return [case for case in query.ledger.cases(query.start, query.end, query.clock) if query.contains(case.opened)]


def case_classifications(query: Query) -> list[dict[str, object]]:
    """Case Classifications: the cases opened in the window per label, each case once."""
    counts = Counter(
        label
        for case in _cases_opened(query)
        for label in {label for m in case.messages if m.created <= query.clock for label in m.labels(query.clock)}
    )
    return [
        {"classification_id": label.id, "classification": label.name, "volume": counts[label]}
        for label in people.CLASSIFICATIONS
        if counts[label]
    ]


def case_summary(query: Query) -> dict[str, object]:
    """Case Summary: averages and medians over the cases closed in the window, in seconds; null where none was."""
    clock = query.clock
    cases = [
        (case, closed)
        for case in query.ledger.cases(query.start, query.end, clock)
        if (closed := case.closed(clock)) is not None and query.contains(closed)
    ]
    first_replies = [case.first_reply - case.opened for case, _ in cases]
    resolutions = [closed - case.opened for case, closed in cases]
    return {
        "total_cases": len(cases),
        "first_reply_time": _seconds(_average(first_replies)),
        "resolution_time": _seconds(_average(resolutions)),
        "median_first_reply_time": _seconds(_median(first_replies)),
        "median_resolution_time": _seconds(_median(resolutions)),
        "agent_interactions": _average([len(case.replies(clock)) for case, _ in cases]),
        "agents_involved": _average([len(case.agents(clock)) for case, _ in cases]),
    }


def _nps(surveys: Iterable[Survey], start: int, end: int, clock: int) -> dict[str, object]:
    """Count surveys by the date they were sent, answers by the date they came."""
    end = min(end, clock + 1)
    sent = 0
    counts: Counter[str] = Counter()
    for survey in surveys:
        sent += start <= survey.sent < end
        if survey.answered is not None and start <= survey.answered < end:
            counts[survey.category] += 1
    received = counts.total()
    score = (counts["promoter"] - counts["detractor"]) / received * 100 if received else 0.0
    return {
        "total_sent": sent,
        "total_received": received,
        "total_promoters": counts["promoter"],
        "total_passives": counts["passive"],
        "total_detractors": counts["detractor"],
        "nps_score": score,
    }


def nps_summary(query: Query) -> dict[str, object]:
    """NPS Summary: one object for the form."""
    surveys = query.ledger.surveys(query.form, query.start, query.end, query.clock)
    return _nps(surveys, query.start, query.end, query.clock)


def nps_volume(query: Query) -> list[dict[str, object]]:
    """NPS Volume: steps of 24 hours from the window's start, whatever the clocks do; the last may be shorter."""
    surveys = query.ledger.surveys(query.form, query.start, query.end, query.clock)
    rows: list[dict[str, object]] = []
    for start in range(query.start, query.end, DAY):
        label = moment(start + DAY if query.options.nps_labels == "end" else start)
        data = _nps(surveys, start, min(start + DAY, query.end), query.clock)
        rows.append({"date": label.isoformat(timespec="seconds"), "timestamp": int(label.timestamp()), "data": data})
    return rows


MENTION_COLUMNS = (
    "Account Name",
    "Source Type",
    "Agent First Name",
    "Agent Last Name",
    "Last Action Date (UTC)",
    "Customer Wait Time (min)",
    "In Queue (min)",
    "Agent Response Time (min)",
    "Within Customer SLA",
    "Within Agent SLA",
    "State",
    "Customer Publish Date (UTC)",
    "Customer Username",
    "Customer Fullname",
    "Customer Message",
    "Agent Reponse Date (UTC)",
    "Agent Response",
    "Classifications",
    "Agent Notes",
    "Customer Note",
)
"""Lexer's list, with its spelling of "Reponse"."""

CASE_COLUMNS = (
    "Account",
    "Network",
    "Date Opened (UTC)",
    "Date Closed (UTC)",
    "Last Agent",
    "First Reply Time (min)",
    "Resolution Time (min)",
    "Agents Involved",
    "Agent Interactions",
    "Sent Survey",
)

NPS_COLUMNS = ("Submitted At (UTC)", "Customer Fullname", "Agent", "Score", "Category", "Comment")


def _date_cell(at: int | None) -> str:
    return "" if at is None else f"{moment(at):%Y-%m-%d %H:%M:%S}"


def _minutes_cell(value: int | None) -> str:
    return "" if value is None else f"{value / MINUTE:.4f}"


def _within_cell(value: int | None, limit: int) -> str:
    return "" if value is None else str(value <= limit).lower()


def mention_sla_export(query: Query) -> list[tuple[str, ...]]:
    """Responses: a row per message created in the window, under Lexer's twenty headers."""
    clock = query.clock
    rows: list[tuple[str, ...]] = [MENTION_COLUMNS]
    for message in query.messages():
        acted, state = message.last_action(clock)
        agent, wait, handling = message.agent(clock), message.wait(clock), message.handling(clock)
        queued = message.claimed - message.created if message.claimed and message.is_claimed(clock) else None
        rows.append(
            (
                message.account,
                message.source,
                agent.first_name if agent else "",
                agent.last_name if agent else "",
                _date_cell(acted),
                _minutes_cell(wait),
                _minutes_cell(queued),
                _minutes_cell(handling),
                _within_cell(wait, CUSTOMER_SLA),
                _within_cell(handling, AGENT_SLA),
                state,
                _date_cell(message.created),
                message.username,
                message.full_name,
                message.text,
                _date_cell(None if wait is None else message.responded),
                "" if wait is None else message.response,
                ", ".join(label.name for label in message.labels(clock)),
                message.agent_notes if agent else "",
                message.customer_note if agent else "",
            )
        )
    return rows


def case_details(query: Query) -> list[tuple[str, ...]]:
    """Cases: a row per case opened in the window, under the headers of the product's screen."""
    clock = query.clock
    rows: list[tuple[str, ...]] = [CASE_COLUMNS]
    for case in _cases_opened(query):
        closed, replies = case.closed(clock), case.replies(clock)
        last = people.AGENT_BY_ID[replies[-1].agent_id or 0]
        rows.append(
            (
                case.messages[0].account,
                case.messages[0].source,
                _date_cell(case.opened),
                _date_cell(closed),
                last.full_name,
                _minutes_cell(case.first_reply - case.opened),
                _minutes_cell(None if closed is None else closed - case.opened),
                ", ".join(agent.full_name for agent in case.agents(clock)),
                str(len(replies)),
                str(case.survey is not None and case.survey.sent <= clock).lower(),
            )
        )
    return rows


def nps_submissions(query: Query) -> list[tuple[str, ...]]:
    """NPS submissions: a row per answer that came in the window; the form's two questions are columns."""
    surveys = query.ledger.surveys(query.form, query.start, query.end, query.clock)
    answered = [(s.answered, s) for s in surveys if s.answered is not None and query.contains(s.answered)]
    rows: list[tuple[str, ...]] = [NPS_COLUMNS + tuple(question for question, _ in people.QUESTIONS[query.form])]
    rows += [
        (
            _date_cell(at),
            survey.full_name,
            people.AGENT_BY_ID[survey.agent_id].full_name,
            str(survey.score),
            survey.category.title(),
            survey.comment,
            *survey.answers,
        )
        for at, survey in sorted(answered, key=lambda pair: pair[0])
    ]
    return rows


REPORTS: Mapping[str, Callable[[Query], object]] = {
    "summary": summary,
    "states_volume": states_volume,
    "classifications": classifications,
    "response_volume": response_volume,
    "user_summary": user_summary,
    "user_volume": user_volume,
    "case_summary": case_summary,
    "case_volume": case_volume,
    "case_classifications": case_classifications,
    "nps_summary": nps_summary,
    "nps_volume": nps_volume,
}

EXPORTS: Mapping[str, Callable[[Query], list[tuple[str, ...]]]] = {
    "case_details": case_details,
    "mention_sla_export": mention_sla_export,
    "nps_submissions": nps_submissions,
}

NPS_TYPES = frozenset({"nps_summary", "nps_volume", "nps_submissions"})
SERIES = frozenset({"states_volume", "response_volume", "case_volume"})


def answer(kind: str, query: Query) -> object:
    """Count the report of a type that `read_query` has accepted."""
    return REPORTS[kind](query) if kind in REPORTS else workflow_states(query)


def write_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows as the exports do: quotes where needed, CRLF, UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
