"""The exports: rows of text under a header, and their CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox import people
from tap_lexer_activity.sandbox.instants import MINUTE, moment
from tap_lexer_activity.sandbox.measures import AGENT_SLA, CUSTOMER_SLA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_lexer_activity.sandbox.query import Query

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
"""The columns in Lexer's list, with its spelling of "Reponse"."""

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
    for case in query.cases_opened():
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
    surveys = query.surveys()
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


def write_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """The file of an export: quotes where needed, CRLF, UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
