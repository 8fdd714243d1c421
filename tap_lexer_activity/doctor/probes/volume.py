"""Probes of the two reports that Lexer documents under one type: which of them user_volume is, and what it counts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence
from tap_lexer_activity.doctor.seen import rows_of
from tap_lexer_activity.doctor.situation import DAYS
from tap_lexer_activity.windows import days_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_lexer_activity.doctor.asking import Answer
    from tap_lexer_activity.windows import Window

VOLUME: Final = "Which report is user_volume?"
MOVES: Final = "Does user_volume count messages of its window, or as they are now?"
STATES_TYPE: Final = "Under which type is the report Workflow States?"
_OWN_TYPE: Final = "workflow_states"


def is_of_states(rows: Sequence[Mapping[str, Any]]) -> bool:
    """True if rows are those of Workflow States."""
    return bool(rows) and all("volume" in row and "state" in row for row in rows)


def probe_volume(evidence: Evidence) -> Finding | None:
    """Which report `user_volume` is."""
    answer, rows = _answer(evidence, evidence.situation.week)
    if answer.is_refused:
        return None
    finding = Finding(VOLUME, "Team Volume: a row for each agent.")
    if not rows:
        why = f"It was not answered: {answer.why}." if not answer.is_fine else "It has no rows in these days."
        return finding.unknown(why, OTHER_MONTH)
    if is_of_states(rows):
        finding.facts = {"shape": "states"}
        advice = "Select workflow_states in place of user_volume, in the catalog or with --select"
        return finding.settled("Workflow States: a row for each state.", advice=advice)
    if all("user_id" in row for row in rows):
        finding.facts = {"shape": "agents"}
        return finding.as_assumed("Team Volume.", f"{len(rows)} rows with a user_id")
    return finding.open("Neither of the two.", "Attach the report to an issue: it has the shape")


def probe_moves(evidence: Evidence) -> Finding | None:
    """Whether `user_volume` has other rows for another window."""
    _, rows = _answer(evidence, evidence.situation.week)
    earlier = days_from(evidence.situation.first_day - timedelta(days=28), DAYS, evidence.situation.zone)
    answer, other = _answer(evidence, earlier)
    if not rows:
        return None
    finding = Finding(MOVES, "It counts messages of the window; the counts are passed on.")
    if other is None:
        return finding.unknown(f"The days four weeks earlier were not answered: {answer.why}.", OTHER_MONTH)
    finding.facts = {"moves": rows != other}
    if rows == other:
        found = "As they are now: two weeks have the same rows."
        advice = (
            "Leave user_volume out with --select '!user_volume': each of its windows would have the numbers of today"
        )
        return finding.open(found, advice, evidence=f"{len(rows)} rows, all alike")
    return finding.as_assumed("Of its window.", f"{len(rows)} and {len(other)} rows of two weeks differ")


def _answer(evidence: Evidence, window: Window) -> tuple[Answer, list[dict[str, Any]] | None]:
    """The answer for a window, and its rows if it has any."""
    answer = evidence.ask(evidence.situation.report("user_volume", window))
    return answer, rows_of("user_volume", answer.content) if answer.is_fine else None


def probe_type(evidence: Evidence) -> Finding | None:
    """Whether Workflow States has a type of its own."""
    situation = evidence.situation
    finding = Finding(STATES_TYPE, "None of its own: it shares user_volume, and is not read unless it is selected.")
    answer = evidence.ask(situation.report(_OWN_TYPE, situation.week, type=_OWN_TYPE))
    if not answer.was_asked:
        return finding.unknown(f"It was {answer.said}.")
    rows = rows_of(_OWN_TYPE, answer.content) if answer.is_fine else None
    finding.facts = {"status": answer.status, "rows": len(rows or ())}
    if not rows or not is_of_states(rows):
        found = f"Not {_OWN_TYPE!r}, which is the likeliest."
        return finding.as_assumed(found, answer.why if not answer.is_fine else "")
    found = f"{_OWN_TYPE!r}: it has a row for each state."
    if situation.settings.report_parameters.get(_OWN_TYPE, {}).get("type") == _OWN_TYPE:
        return finding.as_assumed(found)
    parameters = {_OWN_TYPE: {"type": _OWN_TYPE}}
    advice = "Then it can be selected beside user_volume"
    return finding.settled(found, settings={"report_parameters": parameters}, advice=advice)
