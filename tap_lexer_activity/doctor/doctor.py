"""The examination: every probe asks what it needs, and judges."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor import reading
from tap_lexer_activity.doctor.asking import Asker, HopelessError
from tap_lexer_activity.doctor.findings import Finding, is_settled, settings_of
from tap_lexer_activity.doctor.jobs import EXPORTS, Jobs
from tap_lexer_activity.doctor.probes import access, exports, lists, ranges, reports, series, volume, zone
from tap_lexer_activity.doctor.probes.base import Evidence
from tap_lexer_activity.doctor.situation import Situation
from tap_lexer_activity.run.plan import in_words
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.windows import local_date

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping, Sequence

    from tap_lexer_activity.doctor.asking import Answer, Ask
    from tap_lexer_activity.settings.settings import Settings

MOST: Final = 40
"""Requests of an examination."""
FOR_EXPORTS: Final = 7
"""Requests that are kept for export jobs."""
SILENT: Final = 100
"""A level above all others."""

PROBES: Final[Mapping[str, Callable[[Evidence], Finding | None]]] = {
    "token": access.probe_token,
    "lists": lists.probe_lists,
    "zone": zone.probe_zone,
    "days of series": series.probe_clock,
    "length of buckets": series.probe_grain,
    "hours of cases": series.probe_cases,
    "edges of labels": series.probe_edge,
    "shape of series": series.probe_shape,
    "reports of a day": reports.probe_fields,
    "the unit of response_volume": reports.probe_unit,
    "nps_volume": reports.probe_nps,
    "user_volume": volume.probe_volume,
    "window of user_volume": volume.probe_moves,
    "the type of Workflow States": volume.probe_type,
    "longest range": ranges.probe_longest,
    "oldest day": ranges.probe_oldest,
    "clock": access.probe_clock,
    "quota": access.probe_quota,
    "speed": access.probe_speed,
    "rights": access.probe_rights,
}
"""Each asks what it needs, and judges what it knows. All are called twice: the second time, every answer is there."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings of an examination."""

    situation: Situation
    findings: tuple[Finding, ...]
    answers: Mapping[Ask, Answer]
    polls: Sequence[Answer]
    requests: int
    seconds: float

    @property
    def settings(self) -> dict[str, Any]:
        """The settings to set."""
        return settings_of(self.findings)

    @property
    def is_settled(self) -> bool:
        """True if all is as assumed, or settled."""
        return is_settled(self.findings)


def plan(situation: Situation, *, with_exports: bool) -> list[str]:
    """The requests of an examination, as lines for people."""
    days = f"the days from {situation.first_day} until {local_date(situation.week.end, situation.zone)} ({situation.zone.key})"
    lines = [f"Sending at most {MOST} requests, most about {days}. No customer's text leaves this process"]
    if with_exports:
        lines.append(
            f"Some of them start an export of one day of {', '.join(EXPORTS)}, a job like any other. --no-exports leaves them out"
        )
    return lines


def examine(  # noqa: PLR0913 (what it works with)
    settings: Settings,
    logger: logging.Logger,
    *,
    first: str | None = None,
    with_exports: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Diagnosis:
    """Ask, and judge.

    The days to ask about begin with `first`; None: the last that are over.

    Raises:
        NoSuchDaysError: If the days can't be asked about.
    """
    situation = Situation.of(settings, first)
    for line in plan(situation, with_exports=with_exports):
        logger.info("%s", line)
    most = min(MOST, settings.max_requests or MOST)
    run = Run.begin(replace(settings, max_requests=most), _logger(logger), clock=clock, sleep=sleep)
    limiter = run.client.limiter
    if limiter.available() < most:
        wait = in_words(max(0.0, limiter.next_free_at() - time.monotonic()))
        logger.info("The quota has %d requests left; the next one after these is free in %s", limiter.available(), wait)
    kept = min(FOR_EXPORTS, most // 4) if with_exports else 0
    asker = Asker(run.client, settings, kept, clock=clock, sleep=sleep)
    begun = clock()
    evidence = Evidence(situation, asker.answers, asker.polls, send=asker.ask)
    try:
        for name in PROBES:
            _finding(name, evidence)
        evidence = replace(evidence, send=None)
        if with_exports:
            evidence = replace(evidence, jobs=Jobs(asker).run(exports.start_asks(evidence)))
        findings = list(filter(None, [_finding(name, evidence) for name in PROBES]))
        findings += exports.judge(evidence)
        findings += _read(run, asker, evidence, findings, first)
    except HopelessError:
        findings = [access.probe_token(evidence)]
    return Diagnosis(
        situation=situation,
        findings=tuple(findings),
        answers=asker.answers,
        polls=asker.polls,
        requests=asker.spent,
        seconds=clock() - begun,
    )


def _logger(logger: logging.Logger) -> logging.Logger:
    """A silent logger for the run: the findings say what its streams would log."""
    result = logger.getChild("doctor")
    for name in BY_NAME:
        result.getChild(name).setLevel(SILENT)
    return result


def _read(run: Run, asker: Asker, evidence: Evidence, findings: Sequence[Finding], first: str | None) -> list[Finding]:
    """The answers as a run reads them: with its settings of now and, where it refuses one, with those that the findings suggest."""
    asker.door.is_shut = True
    readings = reading.read_as_a_run(run, evidence)
    asker.door.is_shut = False
    again: dict[str, reading.Reading] = {}
    block = settings_of(findings)
    if any(each.error for each in readings.values()) or block.keys() & {"timezone", "series_zone"}:
        settings = reading.applied(evidence.situation.settings, block)
        set_anew = replace(evidence, situation=Situation.of(settings, first))
        again = reading.read_with(run, settings, readings, set_anew)
    is_of_states = any(finding.facts.get("shape") == "states" for finding in findings)
    return reading.judge(readings, again, {"user_volume"} if is_of_states else ())


def _finding(name: str, evidence: Evidence) -> Finding | None:
    """The finding of a probe, `None` if there is nothing to say. One that fails says why, and stops none of the others."""
    try:
        return PROBES[name](evidence)
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
        finding = Finding(f"The probe of {name}", "", {"error": type(error).__name__})
        advice = "Attach the report to an issue: it is a defect of the tap"
        return finding.unknown(f"The probe failed ({type(error).__name__}).", advice)
