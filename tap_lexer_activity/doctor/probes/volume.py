"""Probes of the two reports that Lexer documents under one type: which of them user_volume is, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor.findings import Topic
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence, Probe
from tap_lexer_activity.doctor.seen import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_lexer_activity.doctor.asking import Answer, Ask
    from tap_lexer_activity.doctor.findings import Finding

VOLUME: Final = "Which report is user_volume?"
MOVES: Final = "Does user_volume count messages of its window, or as they are now?"
STATES_TYPE: Final = "Under which type is the report Workflow States?"
_OWN_TYPE: Final = "workflow_states"


def is_of_states(rows: Sequence[Mapping[str, Any]]) -> bool:
    """True if rows are those of Workflow States."""
    return bool(rows) and all("volume" in row and "state" in row for row in rows)


def _volume_asks(evidence: Evidence) -> Sequence[Ask]:
    situation = evidence.situation
    return [situation.report("user_volume", situation.week), situation.report("user_volume", situation.week_before)]


def _volume(evidence: Evidence) -> list[Finding]:
    first, second = (evidence.of(ask) for ask in _volume_asks(evidence))
    if first.is_refused:
        return []
    topic = Topic(VOLUME, "Team Volume: a row for each agent.")
    rows = rows_of("user_volume", first.content) if first.is_fine else None
    if not rows:
        why = f"It was not answered: {first.why}." if not first.is_fine else "It has no rows in these days."
        return [topic.unknown(why, OTHER_MONTH)]
    return [_volume_shape(topic, rows), _volume_moves(rows, second)]


def _volume_moves(rows: Sequence[Mapping[str, Any]], second: Answer) -> Finding:
    topic = Topic(MOVES, "It counts messages of the window; the counts are passed on.")
    other = rows_of("user_volume", second.content) if second.is_fine else None
    if other is None:
        return topic.unknown(f"The days four weeks earlier were not answered: {second.why}.", OTHER_MONTH)
    topic.facts = {"moves": rows != other}
    if rows == other:
        found = "As they are now: two weeks have the same rows."
        advice = (
            "Leave user_volume out with --select '!user_volume': each of its windows would have the numbers of today"
        )
        return topic.open(found, advice, evidence=f"{len(rows)} rows, all alike")
    return topic.as_assumed("Of its window.", f"{len(rows)} and {len(other)} rows of two weeks differ")


def _volume_shape(topic: Topic, rows: Sequence[Mapping[str, Any]]) -> Finding:
    if is_of_states(rows):
        topic.facts = {"shape": "states"}
        advice = "Select workflow_states in place of user_volume, in the catalog or with --select"
        return topic.settled("Workflow States: a row for each state.", advice=advice)
    if all("user_id" in row for row in rows):
        topic.facts = {"shape": "agents"}
        return topic.as_assumed("Team Volume.", f"{len(rows)} rows with a user_id")
    return topic.open("Neither of the two.", "Attach the report to an issue: it has the shape")


def _type_asks(evidence: Evidence) -> Sequence[Ask]:
    situation = evidence.situation
    return [situation.report(_OWN_TYPE, situation.week, type=_OWN_TYPE)]


def _type(evidence: Evidence) -> list[Finding]:
    topic = Topic(STATES_TYPE, "None of its own: it shares user_volume, and is not read unless it is selected.")
    (ask,) = _type_asks(evidence)
    answer = evidence.of(ask)
    if not answer.was_asked:
        return [topic.unknown(f"It was {answer.said}.")]
    rows = rows_of(_OWN_TYPE, answer.content) if answer.is_fine else None
    topic.facts = {"status": answer.status, "rows": len(rows or ())}
    if not rows or not is_of_states(rows):
        found = f"Not {_OWN_TYPE!r}, which is the likeliest."
        return [topic.as_assumed(found, answer.why if not answer.is_fine else "")]
    found = f"{_OWN_TYPE!r}: it has a row for each state."
    if evidence.situation.settings.report_parameters.get(_OWN_TYPE, {}).get("type") == _OWN_TYPE:
        return [topic.as_assumed(found)]
    parameters = {_OWN_TYPE: {"type": _OWN_TYPE}}
    advice = "Then it can be selected beside user_volume"
    return [topic.settled(found, settings={"report_parameters": parameters}, advice=advice)]


PROBES: Final = (
    Probe("user_volume", _volume_asks, _volume),
    Probe("the type of Workflow States", _type_asks, _type),
)
