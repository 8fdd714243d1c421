"""The reports that count a whole window: one object, or a row per agent, state or label.

A report is a function from a query to what the API answers as JSON.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox import people
from tap_lexer_activity.sandbox.conversations import CLOSED_STATES, STATES
from tap_lexer_activity.sandbox.measures import (
    AGENT_SLA,
    CUSTOMER_SLA,
    average,
    handlings_of,
    median_of,
    minutes,
    nps_counts,
    seconds,
    waits_of,
)

if TYPE_CHECKING:
    from tap_lexer_activity.sandbox.conversations import Message
    from tap_lexer_activity.sandbox.query import Query


def summary(query: Query) -> dict[str, object]:
    """Summary Metrics: one object; times in seconds, in minutes where the name ends in `_min`."""
    messages = query.messages()
    waits, handlings = waits_of(messages, query.clock), handlings_of(messages, query.clock)
    return {
        "total_volume": len(messages),
        "avg_response_time": seconds(average(waits)),
        "avg_action_response_time": seconds(average(handlings)),
        "total_responded_to": len(waits),
        "broke_sla": sum(wait > CUSTOMER_SLA for wait in waits),
        "broke_action_sla": sum(time > AGENT_SLA for time in handlings),
        "min_response_time": seconds(min(waits, default=None)),
        "median_response_time": seconds(median_of(waits)),
        "max_response_time": seconds(max(waits, default=None)),
        "min_action_response_time": seconds(min(handlings, default=None)),
        "median_action_response_time": seconds(median_of(handlings)),
        "max_action_response_time": seconds(max(handlings, default=None)),
        "avg_action_response_time_min": minutes(average(handlings)),
        "avg_response_time_min": minutes(average(waits)),
        "median_action_response_time_min": minutes(median_of(handlings)),
        "median_response_time_min": minutes(median_of(waits)),
    }


def workflow_states(query: Query) -> list[dict[str, object]]:
    """Workflow States: the messages in each state, the most frequent first."""
    counts = Counter(message.state(query.clock) for message in query.messages())
    return [{"state": state, "volume": count} for state, count in counts.most_common()]


def _by_agent(query: Query) -> list[tuple[people.Agent, list[Message]]]:
    """The assigned messages by agent, in the order of the list of users."""
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
        waits, handlings = waits_of(messages, query.clock), handlings_of(messages, query.clock)
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
                "avg_response_time": seconds(average(waits)),
                "min_response_time": seconds(min(waits, default=None)),
                "max_response_time": seconds(max(waits, default=None)),
                "avg_action_response_time": seconds(average(handlings)),
                "min_action_response_time": seconds(min(handlings, default=None)),
                "max_action_response_time": seconds(max(handlings, default=None)),
                "total_responded_to": len(waits),
                "broke_sla": broke_sla,
                "broke_action_sla": broke_action_sla,
                "avg_response_time_min": minutes(average(waits)),
                "avg_action_response_time_min": minutes(average(handlings)),
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


def case_classifications(query: Query) -> list[dict[str, object]]:
    """Case Classifications: the cases opened in the window per label, each case once."""
    counts = Counter(
        label
        for case in query.cases_opened()
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
        for case in query.cases()
        if (closed := case.closed(clock)) is not None and query.contains(closed)
    ]
    first_replies = [case.first_reply - case.opened for case, _ in cases]
    resolutions = [closed - case.opened for case, closed in cases]
    return {
        "total_cases": len(cases),
        "first_reply_time": seconds(average(first_replies)),
        "resolution_time": seconds(average(resolutions)),
        "median_first_reply_time": seconds(median_of(first_replies)),
        "median_resolution_time": seconds(median_of(resolutions)),
        "agent_interactions": average([len(case.replies(clock)) for case, _ in cases]),
        "agents_involved": average([len(case.agents(clock)) for case, _ in cases]),
    }


def nps_summary(query: Query) -> dict[str, object]:
    """NPS Summary: one object for the form."""
    return nps_counts(query.surveys(), query.start, query.end, query.clock)
