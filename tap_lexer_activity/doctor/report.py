"""The findings, as a text for a person and as JSON for an issue."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor.findings import Mark
from tap_lexer_activity.doctor.seen import shape_of
from tap_lexer_activity.errors import without_token
from tap_lexer_activity.windows import local_date

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_lexer_activity.doctor.doctor import Diagnosis
    from tap_lexer_activity.doctor.findings import Finding

SIGNS: Final = {Mark.AS_ASSUMED: "=", Mark.SETTLED: "~", Mark.OPEN: "!", Mark.UNKNOWN: "?"}
ISSUES: Final = "an issue of this project"
_SHORTEST_WORDS: Final = 4
_SETTINGS: Final = (
    *("series_label", "max_range_days", "report_interval", "series_interval"),
    *("rate_limit_requests", "rate_limit_seconds"),
)


def as_text(diagnosis: Diagnosis, file: str | None = None) -> list[str]:
    """The findings as lines for a person: a section per question, and at the end what to do. `file` is where the JSON was written."""
    situation = diagnosis.situation
    last = local_date(situation.week.end, situation.zone)
    lines = [
        (
            f"Days: {situation.first_day} until {last}, {situation.zone.key}. "
            f"{diagnosis.requests} requests, {diagnosis.seconds:.0f} s."
        ),
        f"Marks: {', '.join(f'{sign} {mark.value}' for mark, sign in SIGNS.items())}.",
    ]
    for finding in diagnosis.findings:
        lines += ["", finding.question, *_section(finding)]
    return [*lines, "", *_end(diagnosis, file)]


def _section(finding: Finding) -> Iterator[str]:
    yield f"  {SIGNS[finding.mark]} {finding.found}"
    if finding.mark is not Mark.AS_ASSUMED and finding.assumed:
        yield f"    assumed: {finding.assumed}"
    if finding.evidence:
        yield f"    shown by: {finding.evidence}"
    if finding.settings:
        yield f"    set: {json.dumps(dict(finding.settings), ensure_ascii=False)[1:-1]}"
    if finding.advice:
        yield f"    do: {finding.advice}"


def _end(diagnosis: Diagnosis, file: str | None) -> Iterator[str]:
    """The summary, the block of settings, and the next steps in order."""
    counts = {mark: sum(finding.mark is mark for finding in diagnosis.findings) for mark in Mark}
    yield f"In all: {', '.join(f'{count} {mark.value}' for mark, count in counts.items() if count)}."
    steps: list[str] = []
    if diagnosis.settings:
        yield "Settings to add:"
        yield from json.dumps(diagnosis.settings, indent=2, ensure_ascii=False).splitlines()
        steps.append("Add these settings to yours.")
    for mark in (Mark.OPEN, Mark.UNKNOWN, Mark.SETTLED):
        steps += [
            f"{finding.advice.rstrip('.')}."
            for finding in diagnosis.findings
            if finding.mark is mark and finding.advice
        ]
    if counts[Mark.OPEN] or counts[Mark.UNKNOWN] or counts[Mark.SETTLED]:
        attach = f"attach {file}" if file else "attach what --report FILE writes"
        steps.append(
            f"Open {ISSUES} and {attach}: it answers questions for everyone, and has no token, link, name or text in it."
        )
    if not steps:
        yield "Nothing to do."
        return
    yield "What to do:"
    for number, step in enumerate(dict.fromkeys(steps), start=1):
        yield f"  {number}. {step}"


def as_json(diagnosis: Diagnosis) -> str:
    """The findings as JSON that has no token, no link, no name and no text of an answer: shapes, types, counts and words of statuses."""
    situation = diagnosis.situation
    settings = situation.settings
    content: dict[str, Any] = {
        "tap": version("tap-lexer-activity"),
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "days": [situation.first_day.isoformat(), local_date(situation.week.end, situation.zone).isoformat()],
        "requests": diagnosis.requests,
        "seconds": round(diagnosis.seconds, 1),
        "with": {
            "timezone": situation.zone.key if settings.zone_is_set else None,
            "series_zone": settings.series_zone and settings.series_zone.key,
            **{name: getattr(settings, name) for name in _SETTINGS},
        },
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "settings": diagnosis.settings,
        "answers": [
            {
                "to": ask.what,
                "status": answer.status,
                "seconds": round(answer.seconds, 2),
                "shape": shape_of(answer.content) if answer.is_fine else None,
            }
            for ask, answer in diagnosis.answers.items()
            if answer.was_asked
        ],
    }
    words = {answer.said for answer in (*diagnosis.answers.values(), *diagnosis.polls)}
    return json.dumps(_without(content, words, settings.api_token), indent=1, ensure_ascii=False)


def _finding(finding: Finding) -> dict[str, Any]:
    found = {"question": finding.question, "mark": finding.mark.value}
    if not finding.is_private:
        found |= {"found": finding.found, "assumed": finding.assumed, "evidence": finding.evidence}
    return {**found, "settings": dict(finding.settings), "facts": dict(finding.facts)}


def _without(value: Any, words: set[str], token: str) -> Any:
    """A value without Lexer's words for errors, in which anything may stand, and without the token."""
    match value:
        case dict():
            return {str(name): _without(part, words, token) for name, part in value.items()}
        case list() | tuple():
            return [_without(part, words, token) for part in value]
        case str():
            for said in sorted(words, key=len, reverse=True):
                if len(said) >= _SHORTEST_WORDS:
                    value = value.replace(said, "(words of an error)")
            return without_token(value, token)
        case _:
            return value
