"""Probes of what every request depends on: token, clock, quota, speed, and which reports the token may read."""

from __future__ import annotations

import re
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.doctor.asking import of_list
from tap_lexer_activity.doctor.findings import Finding

if TYPE_CHECKING:
    from tap_lexer_activity.doctor.asking import Answer
    from tap_lexer_activity.doctor.probes.base import Evidence

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


def probe_token(evidence: Evidence) -> Finding:
    """Whether the token works."""
    evidence.ask(of_list("users"))
    finding = Finding(TOKEN, "It is of the type Activity API.")
    asked = _asked(evidence)
    fine = sum(answer.is_fine for answer in asked)
    if fine:
        return finding.as_assumed("Yes.", f"{fine} answers")
    if not asked:
        return finding.unknown("Nothing could be asked.")
    statuses = Counter(str(answer.status or answer.said) for answer in asked)
    finding.facts = {"statuses": dict(statuses)}
    if asked[0].is_refused:
        found = f"No: {asked[0].why}."
        advice = (
            "Check api_token: tokens of the type Activity API are made in Lexer's Hub (Integrate), by someone with the permission "
            "Edit Team. It may have been reset, or not be allowed from this machine's address"
        )
    elif any(answer.is_unreachable for answer in asked):
        found = f"The API can't be reached: {asked[0].why}."
        advice = "Check api_url, this machine's network, and HTTPS_PROXY"
    else:
        found = "The API answers, but only with errors."
        advice = "Ask again later. If it stays so, ask Lexer's support what is wrong, with these statuses"
        if asked[0].status == 429:  # noqa: PLR2004 (too many requests)
            advice = "Another run, or another machine, has used up the quota. Ask again when its period is over"
    shown = ", ".join(f"{count} times {status}" if count > 1 else status for status, count in statuses.items())
    return finding.open(found, advice, evidence=shown)


def probe_clock(evidence: Evidence) -> Finding | None:
    """Whether this machine's clock is right."""
    finding = Finding(CLOCK, "It is right to the minute: it says which windows are over.")
    skews = [answer.skew for answer in _asked(evidence) if answer.skew is not None]
    if not skews:
        if not any(answer.is_fine for answer in _asked(evidence)):
            return None
        return finding.as_assumed("No answer has a Date to compare it with.")
    skew = round(median(skews) - _HALF)
    finding.facts = {"seconds_ahead": skew}
    difference = f"{abs(skew)} s {'ahead of' if skew > 0 else 'behind'}"
    if abs(skew) <= _MOST_SKEW:
        return finding.as_assumed("Yes.", f"{f'{difference} ' if skew else ''}the Date of the answers")
    advice = "Set this machine's clock: if it is ahead, days are read before they are over"
    return finding.open(f"No: it is {difference} Lexer's.", advice)


_COUNT: Final = re.compile(r"\d+")


def _number(answer: Answer, word: str) -> int | None:
    """The number in the header of the quota whose name ends so."""
    for name, value in answer.headers.items():
        if name.endswith(word) and (found := _COUNT.match(value.strip())):
            return int(found[0])
    return None


def probe_quota(evidence: Evidence) -> Finding | None:
    """The quota, and whether polls count."""
    settings = evidence.situation.settings
    limits = f"{settings.rate_limit_requests:,} requests in any {settings.rate_limit_seconds} s"
    finding = Finding(QUOTA, f"{limits}, retries and polls of exports included.")
    asked = _asked(evidence)
    fine = [answer for answer in asked if answer.is_fine]
    if not fine:
        return None
    limited = sum(answer.status == 429 for answer in asked)  # noqa: PLR2004 (too many requests)
    names = sorted({name for answer in fine for name in answer.headers})
    finding.facts = {"headers": names, "refused": limited}
    if limited:
        advice = "Another machine may use this token as well: give each a part of the quota in rate_limit_requests"
        return finding.open(f"{limited} requests were answered 429.", advice)
    limit = min((limit for answer in fine if (limit := _number(answer, "limit"))), default=None)
    polls = _polls_count(evidence)
    counted = {None: "nothing shows whether polls count", True: "polls count", False: "polls do not count"}[polls]
    finding.facts |= {"limit": limit, "polls_count": polls}
    if limit is not None and limit != settings.rate_limit_requests:
        found = f"The headers say {limit:,} requests; {counted}."
        return finding.settled(found, ", ".join(names), settings={"rate_limit_requests": limit})
    said = "No header says so" if not names else f"Headers: {', '.join(names)}"
    return finding.as_assumed(f"{said}; {counted}.")


def _polls_count(evidence: Evidence) -> bool | None:
    """True if the requests that are left became fewer by polls; `None` if that can't be seen."""
    left = [found for answer in evidence.polls if (found := _number(answer, "remaining")) is not None]
    if len(left) < 2:  # noqa: PLR2004 (nothing to compare)
        return None
    return left[-1] < left[0]


def probe_speed(evidence: Evidence) -> Finding | None:
    """The time that requests take."""
    limit = evidence.situation.settings.request_timeout
    finding = Finding(SPEED, f"At most {limit} s (request_timeout).")
    fine = [answer.seconds for answer in _asked(evidence) if answer.is_fine]
    if not fine:
        return None
    usual, longest = median(fine), max(fine)
    finding.facts = {"usual": round(usual, 2), "longest": round(longest, 2), "count": len(fine)}
    said = f"Usually {usual:.1f} s, {longest:.1f} s at most."
    late = [answer for answer in _asked(evidence) if not answer.status and "request_timeout" in answer.said]
    if not late and longest <= max(limit / 2, 1):
        return finding.as_assumed(said, f"{len(fine)} answers")
    found = f"{said} {len(late)} were not answered in time." if late else said
    return finding.settled(found, settings={"request_timeout": min(3600, max(2 * limit, round(3 * longest)))})


def probe_rights(evidence: Evidence) -> Finding | None:
    """The reports that the token may not read."""
    finding = Finding(RIGHTS, "It may read all of them. One that it may not read fails alone, and the run continues.")
    asked = [(ask.type, answer) for ask, answer in evidence.answers.items() if answer.was_asked]
    if not any(answer.is_fine for _, answer in asked):
        return None
    fine = {kind for kind, answer in asked if answer.is_fine}
    refused = {kind: answer.status for kind, answer in asked if answer.is_refused and kind not in fine}
    finding.facts = {"refused": refused, "read": sorted(fine)}
    if not refused:
        return finding.as_assumed(f"None of the {len(fine)} that were asked for.")
    shown = ", ".join(f"{kind} ({status})" for kind, status in sorted(refused.items()))
    left_out = ",".join(f"!{kind}" for kind in sorted(refused))
    advice = f"Leave them out with --select '{left_out}' (or deselect them in the catalog), or ask Lexer for access"
    return finding.settled(f"{shown}.", advice=advice)
