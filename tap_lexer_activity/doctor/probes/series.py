"""Probes of the series: by whose clock they are counted, where days turn to hours, and what their labels are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence
from tap_lexer_activity.doctor.seen import grain_in_words
from tap_lexer_activity.windows import DAY, HOUR, Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.doctor.asking import Ask
    from tap_lexer_activity.doctor.seen import Seen

SERIES: Final = "states_volume"
CLOCK: Final = "Are days those of the account's zone, or of the request's offset?"
GRAIN: Final = "Where do hours turn to days?"
CASES: Final = "Does case_volume come in hours as well?"
EDGE: Final = "Do labels of series name the start or the end of a bucket?"
SHAPE: Final = "Do series have the documented shape and labels?"
_ENOUGH: Final = 5
"""Fewest counts in the days that show which days they are."""


def is_daily(grain: timedelta) -> bool:
    """True if buckets are days, also where the clocks change."""
    return DAY - HOUR <= grain <= DAY + HOUR


def seen(evidence: Evidence, kind: str, window: Window) -> Seen | None:
    """The series of a range, if there is one that can be read."""
    return evidence.series(evidence.situation.report(kind, window))


def answered(evidence: Evidence) -> Iterator[tuple[Seen, Window]]:
    """The series of messages that came, each with the range that was asked for as the tap asks."""
    situation = evidence.situation
    for window in (situation.hours, situation.other_season, situation.week, situation.back(359)):
        series = seen(evidence, SERIES, window)
        if series is not None and series.values:
            yield series, window


def are_ends(series: Seen, asked: Window, zone: ZoneInfo) -> bool:
    """True if labels of days are the ends of the days: none is that of the first day, and the last is the end of what was asked for."""
    first, last = _shown(series, asked.start, zone), _shown(series, asked.end, zone)
    return bool(series.values) and first not in series.values and last in series.values


def _shown(series: Seen, instant: datetime, zone: ZoneInfo) -> datetime:
    return instant if series.is_instant else instant.astimezone(zone).replace(tzinfo=None)


def follows_offset(evidence: Evidence) -> bool | None:
    """True if the days are those of the offset that a request is written with; `None` if the answers do not tell."""
    situation = evidence.situation
    own = seen(evidence, SERIES, situation.week)
    other = evidence.series(situation.with_other_offset(SERIES, situation.week))
    if own is None or other is None or own.total < _ENOUGH:
        return None
    return {at: own.values[at] for at in own.counted} != {at: other.values[at] for at in other.counted}


def probe_clock(evidence: Evidence) -> Finding | None:
    """Whether the offset of a request makes a difference."""
    situation = evidence.situation
    asks = situation.report(SERIES, situation.week), situation.with_other_offset(SERIES, situation.week)
    for ask in asks:
        evidence.ask(ask)
    assumed = (
        "Those of the account's zone. Requests are cut where the clocks change, so that the other comes out the same."
    )
    finding = Finding(CLOCK, assumed)
    found = follows_offset(evidence)
    if found is None:
        return finding.unknown(_why_not(evidence, *asks), OTHER_MONTH)
    finding.facts = {"labels": "offset" if found else "zone"}
    if not found:
        return finding.as_assumed("Of a zone.", "the same days asked with another offset gave the same numbers")
    said = "the same days asked with another offset gave other days"
    advice = "Nothing: the tap asks with the offset of timezone, and cuts requests where the clocks change"
    return finding.settled("Of the request's offset.", said, advice=advice)


def _why_not(evidence: Evidence, *asks: Ask) -> str:
    """The reason why series tell nothing."""
    for ask in asks:
        answer = evidence.of(ask)
        if not answer.is_fine:
            return f"{ask.what[0].upper()}{ask.what[1:]} was not answered: {answer.why}."
        series = evidence.series(ask)
        if series is None:
            return f"The answer to {ask.what} has a shape that can't be read."
        if series.total < _ENOUGH:
            return "There are no messages in these days, or too few."
    return "The answers show nothing."


def probe_grain(evidence: Evidence) -> Finding | None:
    """The length of buckets, by that of the range."""
    situation = evidence.situation
    finding = Finding(GRAIN, "Hours up to 72 hours, days from 4 days on. Nothing is asked for between the two.")
    # (Of 84 hours, two sentences of the documents say different things.)
    between = Window(situation.hours.start, situation.hours.start + 84 * HOUR)
    windows = {"72 hours": situation.hours, "84 hours": between, "7 days": situation.week}
    asks = {said: situation.report(SERIES, window) for said, window in windows.items()}
    for ask in asks.values():
        evidence.ask(ask)
    series = {said: evidence.series(ask) for said, ask in asks.items()}
    grains = {said: None if each is None else each.grain for said, each in series.items()}
    short, days = grains["72 hours"], grains["7 days"]
    if short is None or days is None:
        return finding.unknown(_why_not(evidence, asks["72 hours"], asks["7 days"]), OTHER_MONTH)
    words = {said: grain_in_words(grain) for said, grain in grains.items()}
    finding.facts = {"grains": words}
    found = f"{', '.join(f'{said}: {word}' for said, word in words.items())}."
    if (is_daily(days) and short == HOUR) or (days == HOUR and situation.settings.series_interval == "hour"):
        return finding.as_assumed(found)
    if is_daily(days):
        advice = "series_interval hour would need shorter requests, if Lexer answers in hours at all"
        return finding.settled(found, settings={"series_interval": "day"}, advice=advice)
    if days == HOUR:
        advice = (
            "A run asks for longer ranges until days come, and says so. Set lookback_days to 14 to have them at once"
        )
        return finding.settled(found, advice=advice)
    return finding.open(found, "Attach the report to an issue: no setting reads such series")


def probe_cases(evidence: Evidence) -> Finding | None:
    """Whether `case_volume` comes in hours."""
    situation = evidence.situation
    finding = Finding(CASES, "As the other series do.")
    ask = situation.report("case_volume", situation.hours)
    answer, series = evidence.ask(ask), evidence.series(ask)
    if answer.is_refused:
        return None
    grain = None if series is None else series.grain
    if grain is None:
        why = f"It was not answered: {answer.why}." if not answer.is_fine else "There are no cases in these days."
        return finding.unknown(why, OTHER_MONTH)
    said = f"72 hours came in {grain_in_words(grain)}"
    finding.facts = {"grain": grain_in_words(grain)}
    if grain == HOUR:
        return finding.as_assumed("Yes.", said)
    if situation.settings.series_interval == "day":
        return finding.settled("No.", said, settings={"series_interval": "day"})
    advice = (
        "Leave it out of a run in hours with --select '!case_volume', and read it in a run with series_interval day"
    )
    return finding.settled("No.", said, advice=advice)


def probe_edge(evidence: Evidence) -> Finding | None:
    """Which end of a bucket its label names."""
    situation = evidence.situation
    settings = situation.settings
    assumed = settings.series_label or "start"
    finding = Finding(EDGE, f"The {assumed}.")
    ask = situation.report(SERIES, situation.week)
    evidence.ask(situation.report("response_volume", situation.week))
    series = evidence.series(ask)
    if series is None or not series.values:
        return finding.unknown(_why_not(evidence, ask), OTHER_MONTH)
    zone = settings.series_zone or settings.zone
    edge = "end" if are_ends(series, situation.week, zone) else "start"
    other = seen(evidence, "response_volume", situation.week)
    is_alike = other is None or not other.values or are_ends(other, situation.week, zone) == (edge == "end")
    finding.facts = {"edge": edge, "is_alike": is_alike}
    first, last = _written(series.moments[0]), _written(series.moments[-1])
    said = f"labels of {len(series.values)} days go from {first} to {last}"
    if not is_alike:
        found = f"The {edge} in {SERIES}, and the other one in response_volume: each answer shows it."
        return finding.settled(found, said)
    if edge == assumed:
        return finding.as_assumed(f"The {edge}.", said)
    return finding.settled(f"The {edge}.", said, settings={"series_label": edge})


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}{'Z' if moment.tzinfo else ''}"


def probe_shape(evidence: Evidence) -> Finding | None:
    """The shapes in which series came."""
    situation = evidence.situation
    assumed = 'An object of lists, with labels such as "2018-04-27 00:00". Other forms are read, too, with a warning.'
    finding = Finding(SHAPE, assumed)
    asks = {kind: situation.report(kind, situation.week) for kind in (SERIES, "response_volume")}
    asks["case_volume"] = situation.report("case_volume", situation.hours)
    came = {kind: evidence.series(ask) for kind, ask in asks.items() if evidence.of(ask).is_fine}
    unread = [kind for kind, series in came.items() if series is None]
    forms = {kind: series.form for kind, series in came.items() if series and series.form}
    said = {kind: "; ".join(series.differs) for kind, series in came.items() if series and series.differs}
    if not forms and not unread:
        return None
    finding.facts = {"labels": forms, "differs": said, "unread": unread}
    if unread:
        found = f"{', '.join(unread)}: no series that can be read."
        return finding.open(found, "Attach the report to an issue: it has the shapes")
    if not said:
        return finding.as_assumed("Yes.", f"labels are {', '.join(sorted(set(forms.values())))}")
    found = ". ".join(f"{kind}: {words}" for kind, words in said.items())
    return finding.settled(f"{found}.")
