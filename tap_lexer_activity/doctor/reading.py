"""The answers read once more as a run reads them: by the tap's own streams, which see the same answers and send nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.doctor.asking import of_list
from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.probes.lists import LISTS, nps_form
from tap_lexer_activity.doctor.probes.reports import OF_A_DAY, busiest_day
from tap_lexer_activity.doctor.situation import DAYS, SERIES
from tap_lexer_activity.errors import RequestsSpentError, without_see
from tap_lexer_activity.streams.base import WindowedStream
from tap_lexer_activity.streams.lists import ListStream
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.windows import DAY, Request, Window

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from tap_lexer_activity.doctor.probes.base import Evidence
    from tap_lexer_activity.run.events import Event, Row
    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.settings.settings import Settings

QUESTION: Final = "What does a run make of these answers?"


@dataclass(frozen=True)
class Reading:
    """An answer as a stream reads it.

    Attributes:
        rows: Its rows; 0 if it is refused.
        notices: Kinds of differences that it accepts.
        error: Why it refuses the answer; empty if it does not.
        kind: The kind of the error.
    """

    rows: int = 0
    notices: tuple[str, ...] = ()
    error: str = ""
    kind: str = ""


def _requests(evidence: Evidence) -> Iterator[tuple[str, Request | None, int | None]]:
    """The streams, each with what was asked of it."""
    situation = evidence.situation
    for name in LISTS:
        yield name, None, None
    day, form, week = busiest_day(evidence), nps_form(evidence), situation.week
    for name in OF_A_DAY:
        yield name, Request(day, (day,)), None
    days = tuple(map(situation.day, range(DAYS)))
    for name in SERIES[:2]:
        yield name, Request(week, days), None
    yield "user_volume", Request(week, (week,)), None
    if form is not None:
        yield "nps_summary", Request(day, (day,)), form
        utc = situation.days_of_utc
        steps = tuple(Window(utc.start + step * DAY, utc.start + (step + 1) * DAY) for step in range(DAYS))
        yield "nps_volume", Request(utc, steps), form


def read_as_a_run(run: Run, evidence: Evidence) -> dict[str, Reading]:
    """The answer of each stream that has one, as the stream reads it."""
    settings = replace(run.settings, report_interval="day", series_interval="day", backfill=None)
    of_days = replace(run, settings=settings, cached_requests={})
    found: dict[str, Reading] = {}
    for name, request, form in _requests(evidence):
        ask = of_list(name) if request is None else evidence.situation.report(name, request.asked, form=form)
        heard = _heard(of_days, name, _rows(of_days, name, request, form)) if evidence.of(ask).is_fine else None
        if heard is not None:
            found[name] = heard
    return found


def _heard(run: Run, name: str, events: Iterable[Event]) -> Reading | None:
    """The rows of a stream, and its messages while it reads; `None` if it would ask for more, and may not."""
    try:
        rows = sum(isinstance(event, dict) for event in events)
    except RequestsSpentError:
        return None
    except (FatalAPIError, RetriableAPIError) as error:
        return Reading(error=without_see(str(error)), kind=type(error).__name__)
    return Reading(rows, tuple(notice.kind for notice in run.notices.all if notice.stream == name))


def _rows(run: Run, name: str, request: Request | None, form: int | None) -> Iterator[Row]:
    stream = BY_NAME[name](run)
    if isinstance(stream, ListStream):
        yield from stream.fetch(tries=1)
    elif isinstance(stream, WindowedStream) and request is not None:
        answer, label = stream.asked(request, form)
        if answer is not None:  # (Where an object was expected, nothing is no rows.)
            more = {} if form is None else {"form_id": form}
            yield from stream.answers.distinct((row | more for row in stream.rows(request, answer, label)), label)


def applied(settings: Settings, block: Mapping[str, Any]) -> Settings:
    """Settings with those of a block, as far as they concern how answers are read."""
    more: dict[str, Any] = {name: block[name] for name in ("series_label", "max_range_days") if name in block}
    if "timezone" in block:
        more |= {"zone": ZoneInfo(block["timezone"]), "zone_is_set": True}
    if "series_zone" in block:
        more["series_zone"] = ZoneInfo(block["series_zone"])
    if "accept" in block:
        given = settings.accept
        words = {name: frozenset(found) | given.get(name, frozenset()) for name, found in block["accept"].items()}
        more["accept"] = {**given, **words}
    return replace(settings, **more)


def read_with(run: Run, settings: Settings, readings: Mapping[str, Reading], evidence: Evidence) -> dict[str, Reading]:
    """The refused streams once more, as a run with these settings reads them: it may send what it needs, as far as requests are left.

    If the settings say where days begin, all series are read: what is right for one may be wrong for another. The days of `evidence` are
    those of the zone of these settings.
    """
    requests = {name: (request, form) for name, request, form in _requests(evidence)}
    are_other_days = (settings.zone, settings.series_zone) != (run.settings.zone, run.settings.series_zone)
    refused = {name for name, reading in readings.items() if reading.error and requests[name][0] is not None}
    found: dict[str, Reading] = {}
    for name in sorted(refused | ({*SERIES[:2]} & readings.keys() if are_other_days else set())):
        request, form = requests[name]
        backfill = evidence.situation.week if name in SERIES or request is None else request.asked
        given = replace(settings, report_interval="day", series_interval="day", backfill=backfill)
        again = replace(run, settings=given, cached_requests={}, learnt_lengths={})
        if (heard := _heard(again, name, BY_NAME[name](again).events(form))) is not None:
            found[name] = heard
    return found


def judge(
    readings: Mapping[str, Reading], again: Mapping[str, Reading], elsewhere: Container[str] = ()
) -> list[Finding]:
    """The answers as a run reads them.

    Args:
        readings: By stream.
        again: The same of streams that were refused, with the settings of all findings.
        elsewhere: Streams that other findings say what to do about.
    """
    if not readings:
        return []
    errors = {name: reading for name, reading in readings.items() if reading.error}
    noticed = {name: reading for name, reading in readings.items() if reading.notices}
    tried = {**errors, **again}
    left = {name: reading for name, reading in tried.items() if reading.error and name not in elsewhere}
    rows = sum(reading.rows for reading in readings.values())
    finding = Finding(QUESTION, "It reads all of them, without a warning.", is_private=True)
    finding.facts = {
        "rows": {name: reading.rows for name, reading in readings.items() if not reading.error},
        "notices": {name: list(reading.notices) for name, reading in noticed.items()},
        "errors": {name: reading.kind for name, reading in errors.items()},
        "errors_with_settings": {name: reading.kind for name, reading in left.items()},
    }
    if left:
        shown = "; ".join(f"{name}: {reading.error}" for name, reading in left.items())
        advice = "Do what the error says, if it names a setting. Else attach the report to an issue: it has the shapes"
        return [finding.open(f"It refuses {', '.join(left)}.", advice, evidence=shown)]
    if errors:
        found = f"It refuses {', '.join(errors)} as asked here. A run that is set as the other findings say reads them."
        return [finding.settled(found)]
    if noticed:
        said = "; ".join(f"{name}: {', '.join(reading.notices)}" for name, reading in noticed.items())
        return [finding.settled(f"{rows} rows, with a warning for {', '.join(noticed)}.", said)]
    return [finding.as_assumed(f"{rows} rows of {len(readings)} streams.")]
