"""Probes of the two reports that Lexer documents under one type: which of them user_volume is, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor.findings import Finding, Mark
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence, Probe, unknown
from tap_lexer_activity.doctor.seen import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_lexer_activity.doctor.asking import Ask

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
    assumed = "Team Volume: a row for each agent."
    moves = "It counts messages of the window; the counts are passed on."
    if first.is_refused:
        return []
    rows = rows_of("user_volume", first.content) if first.is_fine else None
    if not rows:
        why = f"It was not answered: {first.why}." if not first.is_fine else "It has no rows in these days."
        return [unknown(VOLUME, why, assumed, OTHER_MONTH)]
    findings = [_volume_shape(rows, assumed)]
    other = rows_of("user_volume", second.content) if second.is_fine else None
    if other is None:
        why = f"The days four weeks earlier were not answered: {second.why}."
        findings.append(unknown(MOVES, why, moves, OTHER_MONTH))
    elif rows == other:
        findings.append(
            Finding(
                question=MOVES,
                mark=Mark.OPEN,
                found="As they are now: two weeks have the same rows.",
                assumed=moves,
                evidence=f"{len(rows)} rows, all alike",
                advice="Leave user_volume out with --select '!user_volume': each of its windows would have the numbers of today",
                facts={"moves": False},
            )
        )
    else:
        said = f"{len(rows)} and {len(other)} rows of two weeks differ"
        findings.append(
            Finding(
                question=MOVES,
                mark=Mark.AS_ASSUMED,
                found="Of its window.",
                assumed=moves,
                evidence=said,
                facts={"moves": True},
            )
        )
    return findings


def _volume_shape(rows: Sequence[Mapping[str, Any]], assumed: str) -> Finding:
    if is_of_states(rows):
        return Finding(
            question=VOLUME,
            mark=Mark.SETTLED,
            found="Workflow States: a row for each state.",
            assumed=assumed,
            advice="Select workflow_states in place of user_volume, in the catalog or with --select",
            facts={"shape": "states"},
        )
    if all("user_id" in row for row in rows):
        said = f"{len(rows)} rows with a user_id"
        return Finding(
            question=VOLUME,
            mark=Mark.AS_ASSUMED,
            found="Team Volume.",
            assumed=assumed,
            evidence=said,
            facts={"shape": "agents"},
        )
    return Finding(
        question=VOLUME,
        mark=Mark.OPEN,
        found="Neither of the two.",
        assumed=assumed,
        advice="Attach the report to an issue: it has the shape",
    )


def _type_asks(evidence: Evidence) -> Sequence[Ask]:
    situation = evidence.situation
    return [situation.report(_OWN_TYPE, situation.week, type=_OWN_TYPE)]


def _type(evidence: Evidence) -> list[Finding]:
    settings = evidence.situation.settings
    assumed = "None of its own: it shares user_volume, and is not read unless it is selected."
    (ask,) = _type_asks(evidence)
    answer = evidence.of(ask)
    if not answer.was_asked:
        return [unknown(STATES_TYPE, f"It was {answer.said}.", assumed)]
    given = settings.report_parameters.get(_OWN_TYPE, {}).get("type")
    rows = rows_of(_OWN_TYPE, answer.content) if answer.is_fine else None
    facts = {"status": answer.status, "rows": len(rows or ())}
    if rows and is_of_states(rows):
        mark = Mark.AS_ASSUMED if given == _OWN_TYPE else Mark.SETTLED
        parameters = {_OWN_TYPE: {"type": _OWN_TYPE}}
        return [
            Finding(
                question=STATES_TYPE,
                mark=mark,
                found=f"{_OWN_TYPE!r}: it has a row for each state.",
                assumed=assumed,
                settings={} if mark is Mark.AS_ASSUMED else {"report_parameters": parameters},
                advice="" if mark is Mark.AS_ASSUMED else "Then it can be selected beside user_volume",
                facts=facts,
            )
        ]
    found = f"Not {_OWN_TYPE!r}, which is the likeliest."
    return [
        Finding(
            question=STATES_TYPE,
            mark=Mark.AS_ASSUMED,
            found=found,
            assumed=assumed,
            evidence=answer.why if not answer.is_fine else "",
            facts=facts,
        )
    ]


PROBES: Final = (
    Probe("user_volume", _volume_asks, _volume, 2),
    Probe("the type of Workflow States", _type_asks, _type, 1),
)
