"""Probes of ranges: the longest that is answered whole, and how far back there is anything."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.doctor.findings import Topic
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence, Probe
from tap_lexer_activity.doctor.probes.series import SERIES, seen
from tap_lexer_activity.doctor.seen import date_of, grain_in_words
from tap_lexer_activity.doctor.situation import DAYS, LONG
from tap_lexer_activity.lexer.answers import is_range_too_long
from tap_lexer_activity.windows import DAY, HOUR, Window, days_from, local_date, start_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tap_lexer_activity.doctor.asking import Answer, Ask
    from tap_lexer_activity.doctor.findings import Finding

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


def head(evidence: Evidence, days: int) -> Window | None:
    """The empty days at the beginning of a long range, if there are any."""
    window = evidence.situation.back(days)
    first = first_counted(evidence, window)
    zone = evidence.situation.zone
    if first is None or (first - local_date(window.start, zone)).days < _SILENCE:
        return None
    return days_from(first - timedelta(days=DAYS + 1), DAYS, zone)


def is_cut(evidence: Evidence, days: int) -> bool:
    """True if a long range came without its first days: asked alone, they have something."""
    window = head(evidence, days)
    series = None if window is None else seen(evidence, SERIES, window)
    return series is not None and bool(series.counted)


def _is_retention(answer: Answer) -> bool:
    return not answer.is_fine and bool(_RETAINED.search(answer.said))


def _longest_asks(evidence: Evidence) -> Sequence[Ask]:
    situation = evidence.situation
    found = []
    for days in _LENGTHS:
        ask = situation.report(SERIES, situation.back(days))
        found.append(ask)
        if evidence.of(ask).is_fine and (window := head(evidence, days)) is not None:
            found.append(situation.report(SERIES, window))
        if _reason(evidence, days) in {"", None} or _is_retention(evidence.of(ask)):
            break
    return found


def _reason(evidence: Evidence, days: int) -> str | None:
    """The reason why a range was not answered whole; empty if it was; `None` if that is not known yet."""
    situation = evidence.situation
    ask = situation.report(SERIES, situation.back(days))
    answer = evidence.of(ask)
    if not answer.was_asked:
        return None
    if not answer.is_fine:
        return answer.why
    series = seen(evidence, SERIES, situation.back(days))
    if series is None:
        return "a shape that can't be read"
    if series.grain is not None and not DAY - HOUR <= series.grain <= DAY + HOUR:
        return f"in {grain_in_words(series.grain)}"
    return "without its first days" if is_cut(evidence, days) else ""


def _is_of_length(reason: str) -> bool:
    """True if a range was not answered whole for its length, and not for a day in it."""
    return not re.match(r"\d", reason) or reason.startswith(("413", "504")) or is_range_too_long(reason)


def longest(evidence: Evidence) -> int | None:
    """The most days of a range that were answered whole, `None` if none was."""
    return next((days for days in (*_LENGTHS, DAYS) if _reason(evidence, days) == ""), None)


def _longest(evidence: Evidence) -> list[Finding]:
    settings = evidence.situation.settings
    most = min(LONG, settings.max_range_days)
    topic = Topic(LONGEST, f"{settings.max_range_days} days (max_range_days).")
    situation = evidence.situation
    reasons = {days: _reason(evidence, days) for days in (*_LENGTHS, DAYS)}
    answer = evidence.of(situation.report(SERIES, situation.back(LONG)))
    if _is_retention(answer):
        found = f"{LONG} days reach back beyond what Lexer keeps, so that is not known."
        return [topic.as_assumed(found, answer.why)]
    if not answer.was_asked:
        return [topic.unknown(f"It was {answer.said}.")]
    days = longest(evidence)
    tried = {f"{length} days": reason for length, reason in reasons.items() if reason}
    said = "; ".join(f"{name}: {reason}" for name, reason in tried.items())
    if days is None:
        return [topic.unknown(f"{said or 'No range was asked for'}.")]
    topic.facts = {"longest": days, "tried": {name: reason.split(",")[0] for name, reason in tried.items()}}
    if days >= most:
        return [topic.as_assumed(f"{days} days are answered whole.", said)]
    if all(_BROKEN.match(reason) for reason in tried.values()) or (
        days == DAYS and not any(map(_is_of_length, tried.values()))
    ):
        why = f"{days} days are answered whole, and longer ranges fail: {said}."
        return [topic.unknown(why, "Ask again. If one day is never answered, name it in skip_windows")]
    part = _cut_part(evidence, days)
    found = f"{part} days are answered whole, and {next(reversed(tried))} are not."
    return [topic.settled(found, said, settings={"max_range_days": part})]


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
    """The ranges in search of the oldest day, each once the one before it is known.

    If a year is answered whole, year by year backward until one has nothing. Else weeks that lie one, two, four and eight years back.
    """
    situation = evidence.situation
    zone = situation.zone
    if longest(evidence) == LONG:
        found = [situation.back(LONG)]
        while len(found) <= _BLOCKS and (first_counted(evidence, found[-1]) is not None):
            if head_of(evidence, found[-1]) > _SILENCE:
                break
            last = local_date(found[-1].start, zone)
            found.append(Window(start_of(last - timedelta(days=LONG), zone), found[-1].start))
        return found[1:]
    found = []
    for years in _YEARS:
        found.append(days_from(situation.first_day - timedelta(days=364 * years), DAYS, zone))
        if first_counted(evidence, found[-1]) is None:
            break
    if first_counted(evidence, found[-1]) is not None:
        return found
    known = local_date(found[-2].start, zone) if len(found) > 1 else situation.first_day
    low = local_date(found[-1].start, zone)
    while len(found) <= _BLOCKS + 1 and (known - low).days > 4 * DAYS and _is_known(evidence, found[-1]):
        start = low + timedelta(days=(known - low).days // 2)
        found.append(days_from(start, DAYS, zone))
        if first_counted(evidence, found[-1]) is None:
            low = start
        else:
            known = start
    return found


def _is_known(evidence: Evidence, window: Window) -> bool:
    return evidence.of(evidence.situation.report(SERIES, window)).was_asked


def head_of(evidence: Evidence, window: Window) -> int:
    """Days of a range before the first in which something was counted."""
    first = first_counted(evidence, window)
    return 0 if first is None else (first - local_date(window.start, evidence.situation.zone)).days


def _oldest_asks(evidence: Evidence) -> Sequence[Ask]:
    return [evidence.situation.report(SERIES, window) for window in _steps(evidence)]


def _oldest(evidence: Evidence) -> list[Finding]:
    situation = evidence.situation
    settings, zone = situation.settings, situation.zone
    start = local_date(settings.start, zone)
    topic = Topic(OLDEST, f"There is data from start_date ({start}) on.")
    ranges = [situation.back(LONG), *_steps(evidence), *map(situation.back, _LENGTHS[1:]), situation.week]
    asked = [window for window in ranges if _is_known(evidence, window)]
    firsts = [first for window in asked if (first := first_counted(evidence, window)) is not None]
    if not firsts:
        return [topic.unknown("Nothing was counted in any range that was asked for.", OTHER_MONTH)]
    first = min(firsts)
    refused = [
        local_date(window.start, zone)
        for window in asked
        if _is_retention(evidence.of(situation.report(SERIES, window)))
    ]
    empty = [
        local_date(window.start, zone)
        for window in asked
        if window.end <= start_of(first, zone)
        and evidence.of(situation.report(SERIES, window)).is_fine
        and first_counted(evidence, window) is None
    ]
    is_exact = longest(evidence) == LONG and (
        bool(empty) or any(head_of(evidence, window) > _SILENCE for window in asked)
    )
    topic.facts = {"first": first.isoformat(), "is_exact": is_exact, "refused": len(refused)}
    if is_exact:
        found = f"To {first}."
    elif empty:
        found = f"To {first} at least; the days from {max(empty)} on are empty."
        topic.facts["empty"] = max(empty).isoformat()
    else:
        found = f"To {first} at least."
    if refused:
        found = f"To {first} at least; a range from {max(refused)} on is refused as too old."
        if start > max(refused):
            return [topic.as_assumed(found)]
        return [topic.settled(found, advice="A run finds the first day that is answered, and begins there")]
    bound = first if is_exact else max(empty, default=None) if empty else None
    if bound is not None and (bound - start).days >= _WORTH_IT:
        said = f"{(bound - start).days} days from start_date on have nothing"
        return [topic.settled(found, said, settings={"start_date": bound.isoformat()})]
    said = "" if start <= first else f"start_date leaves out what is older: set it to {first} to have all of it"
    return [topic.as_assumed(found, said)]


PROBES: Final = (
    Probe("longest range", _longest_asks, _longest),
    Probe("oldest day", _oldest_asks, _oldest),
)
