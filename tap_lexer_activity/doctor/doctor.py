"""The examination: every probe asks what it needs, and judges."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor import reading
from tap_lexer_activity.doctor.asking import Answer, Ask, Asker
from tap_lexer_activity.doctor.findings import Topic, is_settled, settings_of
from tap_lexer_activity.doctor.jobs import EXPORTS, Jobs
from tap_lexer_activity.doctor.probes import access, exports, lists, ranges, reports, series, volume, zone
from tap_lexer_activity.doctor.probes.base import Evidence, Probe
from tap_lexer_activity.doctor.situation import Situation
from tap_lexer_activity.run.plan import in_words
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.windows import local_date

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

    from tap_lexer_activity.doctor.findings import Finding
    from tap_lexer_activity.settings.settings import Settings

MOST: Final = 40
"""Requests of an examination."""
FOR_EXPORTS: Final = 7
"""Requests that are kept for export jobs."""
SILENT: Final = 100
"""A level above all others."""
_HOPELESS: Final = 4
"""Failed questions, from the first on, after which no more are asked."""

PROBES: Final[tuple[Probe, ...]] = (
    *access.PROBES[:1],
    *lists.PROBES,
    *zone.PROBES,
    *series.PROBES,
    *reports.PROBES,
    *volume.PROBES,
    *ranges.PROBES,
    *access.PROBES[1:],
)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings of an examination."""

    situation: Situation
    findings: tuple[Finding, ...]
    answers: dict[Ask, Answer]
    polls: tuple[Answer, ...]
    requests: int
    seconds: float
    at: datetime

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
    zone_ = situation.zone
    first, last = situation.first_day, local_date(situation.week.end, zone_)
    lines = [
        f"Sending at most {MOST} requests, most about the days from {first} until {last} ({zone_.key}). No customer's text leaves this process"
    ]
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
    asker = Asker(run.client, settings, clock=clock, sleep=sleep)
    begun = clock()
    evidence = Evidence(situation, asker.answers, asker.polls)
    findings: list[Finding] = []
    kept = min(FOR_EXPORTS, most // 4) if with_exports else 0
    for probe in PROBES:
        _ask_all(probe, evidence, asker, kept)
        if is_hopeless(asker.answers):
            findings = access.PROBES[0].judge(evidence)
            return _diagnosis(situation, findings, asker, clock() - begun)
    if with_exports:
        jobs = Jobs(asker, run.client, settings, clock=clock, sleep=sleep)
        evidence = replace(evidence, jobs=jobs.run(exports.start_asks(evidence)))
    for probe in PROBES:
        findings += _judged(probe, evidence)
    findings += exports.judge(evidence)
    findings += _read(run, asker, evidence, findings, first)
    return _diagnosis(situation, findings, asker, clock() - begun)


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


def _ask_all(probe: Probe, evidence: Evidence, asker: Asker, kept: int) -> None:
    """Ask what a probe has to know, and what follows from that."""
    for _ in range(MOST):
        missing = [ask for ask in probe.asks(evidence) if ask not in asker.answers]
        if not missing:
            return
        for ask in missing:
            if asker.left <= kept:
                asker.answers[ask] = Answer(said="not asked: no request is left", was_asked=False)
            asker.ask(ask)
            if is_hopeless(asker.answers):
                return


def is_hopeless(answers: dict[Ask, Answer]) -> bool:
    """True if no question will be answered: the first was refused as unauthorized, or nothing but errors came."""
    asked = [answer for answer in answers.values() if answer.was_asked]
    if not asked or any(answer.is_fine for answer in asked):
        return False
    if asked[0].status == 401 or asked[0].is_unreachable:  # noqa: PLR2004 (unauthorized)
        return True
    return len(asked) >= _HOPELESS or asked[0].status == 429  # noqa: PLR2004 (the waits were in vain)


def _judged(probe: Probe, evidence: Evidence) -> list[Finding]:
    """The findings of a probe. One that fails says why, and stops none of the others."""
    try:
        return probe.judge(evidence)
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
        topic = Topic(f"The probe of {probe.name}", "", {"error": type(error).__name__})
        advice = "Attach the report to an issue: it is a defect of the tap"
        return [topic.unknown(f"The probe failed ({type(error).__name__}).", advice)]


def _diagnosis(situation: Situation, findings: list[Finding], asker: Asker, seconds: float) -> Diagnosis:
    return Diagnosis(
        situation=situation,
        findings=tuple(findings),
        answers=dict(asker.answers),
        polls=tuple(asker.polls),
        requests=asker.spent,
        seconds=seconds,
        at=datetime.now(UTC),
    )
