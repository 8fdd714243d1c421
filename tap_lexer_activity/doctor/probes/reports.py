"""Probes of the reports: fields that no schema names, and what numbers mean."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor.asking import of_list
from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence
from tap_lexer_activity.doctor.probes.lists import LISTS, nps_form
from tap_lexer_activity.doctor.probes.series import SERIES, are_ends, seen
from tap_lexer_activity.doctor.probes.volume import is_of_states
from tap_lexer_activity.doctor.seen import date_of, is_plain_name, number_of, read_moment, rows_in
from tap_lexer_activity.doctor.situation import DAYS
from tap_lexer_activity.run.forms import is_of_nps
from tap_lexer_activity.shapes import stream_schema
from tap_lexer_activity.streams import nps_volume
from tap_lexer_activity.streams.labels import label_shift
from tap_lexer_activity.windows import local_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.doctor.seen import Seen
    from tap_lexer_activity.windows import Window

FIELDS: Final = "Which fields does no schema name?"
UNIT: Final = "Which unit has response_volume?"
NPS: Final = "Do rows of nps_volume name the start or the end of a day?"

OF_A_DAY: Final = ("summary", "case_summary", "classifications", "case_classifications", "user_summary")
_NEAR: Final = (Decimal("0.5"), Decimal(2))
_SIXTY: Final = 60


def busiest_day(evidence: Evidence) -> Window:
    """The day with the most messages; the last, if that is not known."""
    situation = evidence.situation
    series = seen(evidence, SERIES, situation.week)
    counts = [Decimal()] * DAYS
    if series is not None:
        ends = are_ends(series, situation.week, situation.zone)
        for moment in series.counted:
            index = (date_of(moment, situation.zone) - situation.first_day).days - ends
            if 0 <= index < DAYS:
                counts[index] += series.values[moment]
    return situation.day(max(range(DAYS), key=lambda index: (counts[index], index)))


# Fields


def other_fields(rows: Iterable[Mapping[str, Any]], properties: Mapping[str, Any]) -> list[str]:
    """Names of fields that rows have and a schema has not. One that is not written as a field is counted and not shown."""
    found = dict.fromkeys(name for row in rows for name in row if name not in properties)
    shown = [name for name in found if is_plain_name(name)]
    return [*shown, *([f"({len(found) - len(shown)} others)"] if len(shown) < len(found) else [])]


def probe_fields(evidence: Evidence) -> Finding | None:
    """Fields that no schema names, in lists and in every report of one day."""
    finding = Finding(FIELDS, "None. One that comes is kept in additional_columns.")
    day, form = busiest_day(evidence), nps_form(evidence)
    of_day = {kind: evidence.situation.report(kind, day) for kind in OF_A_DAY}
    of_form = {} if form is None else {"nps_summary": evidence.situation.report("nps_summary", day, form=form)}
    for ask in (*of_day.values(), *of_form.values()):
        evidence.ask(ask)
    of_week = {"user_volume": evidence.situation.report("user_volume", evidence.situation.week)}
    asks = {name: of_list(name) for name in LISTS} | of_day | of_week | of_form
    fine = {kind: ask for kind, ask in asks.items() if evidence.of(ask).is_fine}
    if not fine:
        return None
    found: dict[str, list[str]] = {}
    for kind, ask in fine.items():
        stream = "workflow_states" if kind == "user_volume" and is_of_states(evidence.rows(ask)) else kind
        if names := other_fields(evidence.rows(ask), stream_schema(stream)["properties"]):
            found[kind] = names
    finding.facts = {"fields": found}
    if not found:
        return finding.as_assumed("None.", f"{len(fine)} lists and reports were looked at")
    shown = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.items())
    return finding.settled(f"{shown}.", settings={"discover_columns": True})


# The unit of response_volume


def unit_of(value: Decimal, seconds: Decimal) -> str | None:
    """The unit of a number that should be so many seconds: seconds, minutes or hours; `None` if it is near none of them."""
    for name, size in (("seconds", 1), ("minutes", _SIXTY), ("hours", _SIXTY * _SIXTY)):
        if _NEAR[0] < value * size / seconds < _NEAR[1]:
            return name
    return None


def probe_unit(evidence: Evidence) -> Finding | None:
    """The unit of `response_volume`, by what `summary` says of the same day."""
    situation = evidence.situation
    finding = Finding(UNIT, "Seconds, as in summary. The numbers are passed on as they come.")
    day = busiest_day(evidence)
    summary, volume = situation.report("summary", day), situation.report("response_volume", situation.week)
    answers = [evidence.ask(ask) for ask in (volume, summary)]
    if any(answer.is_refused for answer in answers):
        return None
    series = evidence.series(volume)
    seconds = number_of(next(iter(evidence.rows(summary)), {}).get("avg_response_time"))
    ends = series is not None and are_ends(series, situation.week, situation.zone)
    values = [] if series is None else _of_day(series, day, situation.zone, ends=ends)
    if not seconds or seconds < 0 or not values:
        return finding.unknown("There is no response time in these days.", OTHER_MONTH)
    unit = unit_of(values[0], seconds)
    ratio = values[0] / seconds
    date = local_date(day.start, situation.zone)
    said = f"its number of {date} is {ratio:.3g} times the avg_response_time of summary"
    if unit is None:
        advice = "Set the time zone first, if that is open, and ask again"
        return finding.unknown(f"Neither seconds nor minutes: {said}.", advice)
    finding.facts = {"unit": unit, "ratio": float(round(ratio, 4))}
    if unit == "seconds":
        return finding.as_assumed("Seconds.", said)
    advice = f"Read response_volume.value as {unit}: no setting changes it"
    return finding.settled(f"{unit.capitalize()}.", said, advice=advice)


def _of_day(series: Seen, day: Window, zone: ZoneInfo, *, ends: bool) -> list[Decimal]:
    """The number of a series for a day, if that is in one bucket."""
    date = local_date(day.start, zone) + (timedelta(days=1) if ends else timedelta())
    return [series.values[moment] for moment in series.counted if date_of(moment, zone) == date]


# nps_volume


def probe_nps(evidence: Evidence) -> Finding | None:
    """Which end of a day the rows of `nps_volume` name."""
    situation = evidence.situation
    finding = Finding(NPS, "Each answer shows it; where it does not, the columns that depend on it are null.")
    asks = [of_list("forms")]
    evidence.ask(asks[0])
    if (form := nps_form(evidence)) is not None:
        asks.append(situation.report("nps_volume", situation.days_of_utc, form=form))
    answers = {ask: evidence.ask(ask) for ask in asks}
    if any(answer.is_refused for answer in answers.values()):
        return None
    for ask, answer in answers.items():
        if not answer.is_fine:
            return finding.unknown(f"{ask.what[0].upper()}{ask.what[1:]} was not answered: {answer.why}.")
    forms = evidence.rows(asks[0])
    if form is None and forms and all(is_of_nps(each) is None for each in forms):
        why = "The list of forms does not say which ones are NPS forms."
        return finding.unknown(why, "Set form_ids to the ids of the NPS forms, and ask again")
    if form is None:
        return finding.as_assumed("This account has no NPS form.")
    shaped, _ = nps_volume.shaped(evidence.of(asks[-1]).content)
    rows = rows_in(shaped)[0] or []
    labels = [label for row in rows if (label := read_moment(row.get("date", row.get("timestamp")))) is not None]
    shift = label_shift(labels, situation.days_of_utc) if labels else None
    if shift is None:
        why = "Neither the first day has a row nor the last." if labels else "It has no rows that can be read."
        return finding.unknown(why, OTHER_MONTH)
    edge = "end" if shift else "start"
    finding.facts = {"edge": edge}
    said = f"rows of {len(labels)} days go from {min(labels):%Y-%m-%d %H:%M}Z to {max(labels):%Y-%m-%d %H:%M}Z"
    return finding.as_assumed(f"The {edge}.", said)
