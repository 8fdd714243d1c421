"""Probes of ranges: the longest that is answered whole, and how far back there is anything."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence
from tap_lexer_activity.doctor.probes.series import SERIES, is_daily, seen
from tap_lexer_activity.doctor.seen import date_of, grain_in_words
from tap_lexer_activity.doctor.situation import DAYS, LONG
from tap_lexer_activity.lexer.answers import is_range_too_long
from tap_lexer_activity.windows import Window, days_from, local_date, start_of

if TYPE_CHECKING:
    from datetime import date

    from tap_lexer_activity.doctor.asking import Answer

LONGEST: Final = "What is the longest range that is answered?"
OLDEST: Final = "How far back does the data go?"

_LENGTHS: Final = (LONG, 89, 28)
"""Days of ranges: a year, a quarter and a month are likely limits, and a day more or less may count as more."""
_SILENCE: Final = 14
"""Empty days at the beginning of a range that are worth another question."""
_BLOCKS: Final = 4
"""Ranges that are asked for in search of the oldest day, at most."""
_YEARS: Final = (1, 2, 4, 8)
_RETAINED: Final = re.compile(
    r"retention|retained|too old|older than|no longer available|before the (?:account|first)", re.IGNORECASE
)
_BROKEN: Final = re.compile(r"5(?!04)\d\d\b")
"""A status that says nothing of the length of a range."""
_WORTH_IT: Final = 31
"""Days without data from `start_date` on that are worth a word."""


def first_counted(evidence: Evidence, window: Window) -> date | None:
    """The first day in which something was counted, in a range."""
    series = seen(evidence, SERIES, window)
    return date_of(series.counted[0], evidence.situation.zone) if series is not None and series.counted else None


def empty_days(evidence: Evidence, window: Window) -> int:
    """Days of a range before the first in which something was counted."""
    first = first_counted(evidence, window)
    return 0 if first is None else (first - local_date(window.start, evidence.situation.zone)).days


def is_cut(evidence: Evidence, days: int) -> bool:
    """True if a long range came without its first days: asked alone, they have something."""
    situation = evidence.situation
    first = first_counted(evidence, situation.back(days))
    if first is None or empty_days(evidence, situation.back(days)) < _SILENCE:
        return False
    before = days_from(first - timedelta(days=DAYS + 1), DAYS, situation.zone)
    evidence.ask(situation.report(SERIES, before))
    return first_counted(evidence, before) is not None


def _answer(evidence: Evidence, window: Window) -> Answer:
    return evidence.of(evidence.situation.report(SERIES, window))


def _is_retention(answer: Answer) -> bool:
    return not answer.is_fine and bool(_RETAINED.search(answer.said))


def _reason(evidence: Evidence, days: int) -> str | None:
    """The reason why a range was not answered whole; empty if it was; `None` if no request was left to find out."""
    ask = evidence.situation.report(SERIES, evidence.situation.back(days))
    answer, series = evidence.ask(ask), evidence.series(ask)
    if not answer.was_asked:
        return None
    if not answer.is_fine:
        return answer.why
    is_short = is_cut(evidence, days)
    if series is None:
        return "a shape that can't be read"
    if series.grain is not None and not is_daily(series.grain):
        return f"in {grain_in_words(series.grain)}"
    return "without its first days" if is_short else ""


def _is_of_length(reason: str) -> bool:
    """True if a range was not answered whole for its length, and not for a day in it."""
    return not re.match(r"\d", reason) or reason.startswith(("413", "504")) or is_range_too_long(reason)


def probe_longest(evidence: Evidence) -> Finding | None:
    """The longest range that is answered whole."""
    situation = evidence.situation
    limit = situation.settings.max_range_days
    finding = Finding(LONGEST, f"{limit} days (max_range_days).")
    found: dict[int, str | None] = {}
    for days in _LENGTHS:
        found[days] = _reason(evidence, days)
        if not found[days] or _is_retention(_answer(evidence, situation.back(days))):
            break
    found[DAYS] = _reason(evidence, DAYS)
    answer = _answer(evidence, situation.back(LONG))
    if _is_retention(answer):
        return finding.as_assumed(f"{LONG} days reach back beyond what Lexer keeps, so that is not known.", answer.why)
    if not answer.was_asked:
        return finding.unknown(f"It was {answer.said}.")
    longest = next((days for days, reason in found.items() if reason == ""), None)
    tried = {f"{length} days": reason for length, reason in found.items() if reason}
    said = "; ".join(f"{name}: {reason}" for name, reason in tried.items())
    if longest is None:
        return finding.unknown(f"{said or 'No range was asked for'}.")
    finding.facts = {"longest": longest, "tried": {name: reason.split(",")[0] for name, reason in tried.items()}}
    if longest >= min(LONG, limit):
        return finding.as_assumed(f"{longest} days are answered whole.", said)
    if all(map(_BROKEN.match, tried.values())) or (longest == DAYS and not any(map(_is_of_length, tried.values()))):
        why = f"{longest} days are answered whole, and longer ranges fail: {said}."
        return finding.unknown(why, "Ask again. If one day is never answered, name it in skip_windows")
    part = _cut_part(evidence, longest)
    shown = f"{part} days are answered whole, and {next(reversed(tried))} are not."
    return finding.settled(shown, said, settings={"max_range_days": part})


def _cut_part(evidence: Evidence, days: int) -> int:
    """The days to set: those of the part that came, where a longer range came in part."""
    situation = evidence.situation
    for length in _LENGTHS:
        first = first_counted(evidence, situation.back(length)) if is_cut(evidence, length) else None
        if first is not None:
            return max(4, days, (local_date(situation.week.end, situation.zone) - first).days)
    return max(4, days)


# The oldest day


def _steps(evidence: Evidence) -> list[Window]:
    """The ranges that were asked for in search of the oldest day.

    If a year is answered whole, year by year backward until one has nothing. Else weeks that lie one, two, four and eight years back, and
    weeks between the last that has something and the first that has nothing.
    """
    situation = evidence.situation
    zone = situation.zone
    found: list[Window] = []

    def first_in(window: Window) -> date | None:
        found.append(window)
        evidence.ask(situation.report(SERIES, window))
        return first_counted(evidence, window)

    if _reason(evidence, LONG) == "":
        year = situation.back(LONG)
        first = first_counted(evidence, year)
        while first is not None and len(found) < _BLOCKS and empty_days(evidence, year) <= _SILENCE:
            last = local_date(year.start, zone)
            year = Window(start_of(last - timedelta(days=LONG), zone), year.start)
            first = first_in(year)
        return found
    known = low = situation.first_day
    for years in _YEARS:
        low = situation.first_day - timedelta(days=364 * years)
        if first_in(days_from(low, DAYS, zone)) is None:
            break
        known = low
    while len(found) <= _BLOCKS + 1 and (known - low).days > 4 * DAYS and _answer(evidence, found[-1]).was_asked:
        middle = low + timedelta(days=(known - low).days // 2)
        if first_in(days_from(middle, DAYS, zone)) is None:
            low = middle
        else:
            known = middle
    return found


def probe_oldest(evidence: Evidence) -> Finding | None:
    """The oldest day of which something was counted."""
    situation = evidence.situation
    zone = situation.zone
    start = local_date(situation.settings.start, zone)
    finding = Finding(OLDEST, f"There is data from start_date ({start}) on.")
    ranges = [situation.back(LONG), *_steps(evidence), *map(situation.back, _LENGTHS[1:]), situation.week]
    answers = {window: answer for window in ranges if (answer := _answer(evidence, window)).was_asked}
    firsts = {window: first_counted(evidence, window) for window in answers}
    first = min(filter(None, firsts.values()), default=None)
    if first is None:
        return finding.unknown("Nothing was counted in any range that was asked for.", OTHER_MONTH)
    begun = start_of(first, zone)
    refused = [local_date(window.start, zone) for window, answer in answers.items() if _is_retention(answer)]
    empty = [
        local_date(window.start, zone)
        for window, answer in answers.items()
        if answer.is_fine and firsts[window] is None and window.end <= begun
    ]
    last_empty = max(empty, default=None)
    has_begun = last_empty is not None or any(empty_days(evidence, window) > _SILENCE for window in answers)
    is_exact = has_begun and _reason(evidence, LONG) == ""
    finding.facts = {"first": first.isoformat(), "is_exact": is_exact, "refused": len(refused)}
    found = f"To {first}." if is_exact else f"To {first} at least."
    if last_empty is not None and not is_exact:
        found = f"To {first} at least; the days from {last_empty} on are empty."
        finding.facts["empty"] = last_empty.isoformat()
    if refused:
        found = f"To {first} at least; a range from {max(refused)} on is refused as too old."
        if start > max(refused):
            return finding.as_assumed(found)
        return finding.settled(found, advice="A run finds the first day that is answered, and begins there")
    bound = first if is_exact else last_empty
    if bound is not None and (bound - start).days >= _WORTH_IT:
        said = f"{(bound - start).days} days from start_date on have nothing"
        return finding.settled(found, said, settings={"start_date": bound.isoformat()})
    said = "" if start <= first else f"start_date leaves out what is older: set it to {first} to have all of it"
    return finding.as_assumed(found, said)
