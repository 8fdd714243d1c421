"""Probes of what every request depends on: token, clock, quota, speed, and which reports the token may read."""

from __future__ import annotations

import re
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.doctor.asking import is_of_quota, of_list
from tap_lexer_activity.doctor.findings import Finding, Mark
from tap_lexer_activity.doctor.probes.base import Evidence, Probe, unknown

if TYPE_CHECKING:
    from tap_lexer_activity.doctor.asking import Answer

TOKEN: Final = "Does the token work?"  # noqa: S105 (a question)
CLOCK: Final = "Is this machine's clock right?"
QUOTA: Final = "What is the quota, and do polls count?"
SPEED: Final = "How long does a request take?"
RIGHTS: Final = "Which reports may the token not read?"

_MOST_SKEW: Final = 60
_HALF: Final = 0.5
"""Seconds that a `Date`, which has whole seconds, is behind on average."""


def _asked(evidence: Evidence) -> list[Answer]:
    return [answer for answer in (*evidence.answers.values(), *evidence.polls) if answer.was_asked]


def _token(evidence: Evidence) -> list[Finding]:
    assumed = "It is of the type Activity API."
    asked = _asked(evidence)
    fine = sum(answer.is_fine for answer in asked)
    if fine:
        found = "Yes."
        return [Finding(question=TOKEN, mark=Mark.AS_ASSUMED, found=found, assumed=assumed, evidence=f"{fine} answers")]
    if not asked:
        return [unknown(TOKEN, "Nothing could be asked.", assumed)]
    statuses = Counter(str(answer.status or answer.said) for answer in asked)
    shown = ", ".join(f"{count} times {status}" if count > 1 else status for status, count in statuses.items())
    if asked[0].is_refused:
        found = f"No: {asked[0].why}."
        advice = (
            "Check api_token: tokens of the type Activity API are made in Lexer's Hub (Integrate), by someone with the permission "
            "Edit Team. It may have been reset, or not be allowed from this machine's address"
        )
    elif any(answer.is_unreachable for answer in asked):
        found, advice = (
            f"The API can't be reached: {asked[0].why}.",
            "Check api_url, this machine's network, and HTTPS_PROXY",
        )
    else:
        found = "The API answers, but only with errors."
        advice = "Ask again later. If it stays so, ask Lexer's support what is wrong, with these statuses"
        if asked[0].status == 429:  # noqa: PLR2004 (too many requests)
            advice = "Another run, or another machine, has used up the quota. Ask again when its period is over"
    return [
        Finding(
            question=TOKEN,
            mark=Mark.OPEN,
            found=found,
            assumed=assumed,
            evidence=shown,
            advice=advice,
            facts={"statuses": dict(statuses)},
        )
    ]


def _clock(evidence: Evidence) -> list[Finding]:
    assumed = "It is right to the minute: it says which windows are over."
    skews = [answer.skew for answer in _asked(evidence) if answer.skew is not None]
    if not skews:
        if not any(answer.is_fine for answer in _asked(evidence)):
            return []
        found = "No answer has a Date to compare it with."
        return [Finding(question=CLOCK, mark=Mark.AS_ASSUMED, found=found, assumed=assumed)]
    skew = round(median(skews) - _HALF)
    facts = {"seconds_ahead": skew}
    if abs(skew) <= _MOST_SKEW:
        found = "Yes."
        said = (
            f"{abs(skew)} s {'ahead of' if skew > 0 else 'behind'} the Date of the answers"
            if skew
            else "the Date of the answers"
        )
        return [Finding(question=CLOCK, mark=Mark.AS_ASSUMED, found=found, assumed=assumed, evidence=said, facts=facts)]
    side = "ahead of" if skew > 0 else "behind"
    found = f"No: it is {abs(skew)} s {side} Lexer's."
    advice = "Set this machine's clock: if it is ahead, days are read before they are over"
    return [Finding(question=CLOCK, mark=Mark.OPEN, found=found, assumed=assumed, advice=advice, facts=facts)]


_COUNT: Final = re.compile(r"\d+")


def _number(answer: Answer, word: str) -> int | None:
    """The number in the header of the quota whose name ends so."""
    for name, value in answer.headers.items():
        if is_of_quota(name) and name.endswith(word) and (found := _COUNT.match(value.strip())):
            return int(found[0])
    return None


def _quota(evidence: Evidence) -> list[Finding]:
    settings = evidence.situation.settings
    assumed = f"{settings.rate_limit_requests:,} requests in any {settings.rate_limit_seconds} s, retries and polls of exports included."
    asked = _asked(evidence)
    fine = [answer for answer in asked if answer.is_fine]
    if not fine:
        return []
    limited = sum(answer.status == 429 for answer in asked)  # noqa: PLR2004 (too many requests)
    names = sorted({name for answer in fine for name in answer.headers if is_of_quota(name)})
    facts = {"headers": names, "refused": limited}
    if limited:
        return [
            Finding(
                question=QUOTA,
                mark=Mark.OPEN,
                found=f"{limited} requests were answered 429.",
                assumed=assumed,
                advice="Another machine may use this token as well: give each a part of the quota in rate_limit_requests",
                facts=facts,
            )
        ]
    limit = min((limit for answer in fine if (limit := _number(answer, "limit"))), default=None)
    polls = _polls_count(evidence)
    said = "No header says so" if not names else f"Headers: {', '.join(names)}"
    counted = {None: "nothing shows whether polls count", True: "polls count", False: "polls do not count"}[polls]
    found = f"{said}; {counted}."
    facts |= {"limit": limit, "polls_count": polls}
    if limit is not None and limit != settings.rate_limit_requests:
        return [
            Finding(
                question=QUOTA,
                mark=Mark.SETTLED,
                found=f"The headers say {limit:,} requests; {counted}.",
                assumed=assumed,
                evidence=", ".join(names),
                settings={"rate_limit_requests": limit},
                facts=facts,
            )
        ]
    return [Finding(question=QUOTA, mark=Mark.AS_ASSUMED, found=found, assumed=assumed, facts=facts)]


def _polls_count(evidence: Evidence) -> bool | None:
    """True if the requests that are left became fewer by polls; `None` if that can't be seen."""
    left = [found for answer in evidence.polls if (found := _number(answer, "remaining")) is not None]
    if len(left) < 2:  # noqa: PLR2004 (nothing to compare)
        return None
    return left[-1] < left[0]


def _speed(evidence: Evidence) -> list[Finding]:
    limit = evidence.situation.settings.request_timeout
    assumed = f"At most {limit} s (request_timeout)."
    fine = [answer.seconds for answer in _asked(evidence) if answer.is_fine]
    if not fine:
        return []
    usual, longest = median(fine), max(fine)
    facts = {"usual": round(usual, 2), "longest": round(longest, 2), "count": len(fine)}
    said = f"Usually {usual:.1f} s, {longest:.1f} s at most."
    late = [answer for answer in _asked(evidence) if not answer.status and "request_timeout" in answer.said]
    if not late and longest <= max(limit / 2, 1):
        return [
            Finding(
                question=SPEED,
                mark=Mark.AS_ASSUMED,
                found=said,
                assumed=assumed,
                evidence=f"{len(fine)} answers",
                facts=facts,
            )
        ]
    found = f"{said} {len(late)} were not answered in time." if late else said
    settings = {"request_timeout": min(3600, max(2 * limit, round(3 * longest)))}
    return [Finding(question=SPEED, mark=Mark.SETTLED, found=found, assumed=assumed, settings=settings, facts=facts)]


def _rights(evidence: Evidence) -> list[Finding]:
    assumed = "It may read all of them. One that it may not read fails alone, and the run continues."
    asked = [(ask.type, answer) for ask, answer in evidence.answers.items() if answer.was_asked]
    if not any(answer.is_fine for _, answer in asked):
        return []
    fine = {kind for kind, answer in asked if answer.is_fine}
    refused = {kind: answer.status for kind, answer in asked if answer.is_refused and kind not in fine}
    facts = {"refused": refused, "read": sorted(fine)}
    if not refused:
        found = f"None of the {len(fine)} that were asked for."
        return [Finding(question=RIGHTS, mark=Mark.AS_ASSUMED, found=found, assumed=assumed, facts=facts)]
    shown = ", ".join(f"{kind} ({status})" for kind, status in sorted(refused.items()))
    left_out = ",".join(f"!{kind}" for kind in sorted(refused))
    return [
        Finding(
            question=RIGHTS,
            mark=Mark.SETTLED,
            found=f"{shown}.",
            assumed=assumed,
            advice=f"Leave them out with --select '{left_out}' (or deselect them in the catalog), or ask Lexer for access",
            facts=facts,
        )
    ]


PROBES: Final = (
    Probe("token", lambda _: [of_list("users")], _token, 1),
    Probe("clock", lambda _: (), _clock, 0),
    Probe("quota", lambda _: (), _quota, 0),
    Probe("speed", lambda _: (), _speed, 0),
    Probe("rights", lambda _: (), _rights, 0),
)
