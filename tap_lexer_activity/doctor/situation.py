"""The days that all probes share, and their questions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor.asking import Ask, of_report
from tap_lexer_activity.windows import DAY, HOUR, SECOND, Window, days_from, local_date, start_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.settings.settings import Settings

DAYS: Final = 7
"""Days that the probes read."""
_HALF_A_YEAR: Final = 182 * DAY
LONG: Final = 359
"""Days of the longest range that the tap may ask for."""


class NoSuchDaysError(ValueError):
    """The days of `--doctor-from` can't be read."""


@dataclass(frozen=True)
class Situation:
    """The account, its settings and the days that the probes ask about.

    Attributes:
        week: The days: the last that are whole, or those from `--doctor-from` on.
    """

    settings: Settings
    week: Window

    @classmethod
    def of(cls, settings: Settings, first: str | None = None) -> Situation:
        """The situation.

        Raises:
            NoSuchDaysError: If it is no date, or if the days are not over.
        """
        zone, present = settings.zone, settings.present
        last = local_date(present, zone)
        if first is not None:
            try:
                last = date.fromisoformat(first) + timedelta(days=DAYS)
                end = start_of(last, zone)
            except (ValueError, OverflowError):
                msg = f"--doctor-from: {first!r} should be a date such as 2026-03-01 [see: doctor-options]"
                raise NoSuchDaysError(msg) from None
            if end > present:
                msg = f"--doctor-from: the {DAYS} days from {first} on are not over [see: doctor-options]"
                raise NoSuchDaysError(msg)
        return cls(settings, days_from(last - timedelta(days=DAYS), DAYS, zone))

    @property
    def zone(self) -> ZoneInfo:
        """The setting `timezone`."""
        return self.settings.zone

    @property
    def first_day(self) -> date:
        """The first of the days."""
        return local_date(self.week.start, self.zone)

    def day(self, index: int) -> Window:
        """One of the days, counted from 0."""
        return days_from(self.first_day + timedelta(days=index), 1, self.zone)

    @property
    def hours(self) -> Window:
        """72 hours, of which series are documented to have hours."""
        start = start_of(self.first_day + timedelta(days=DAYS - 4), self.zone)
        return Window(start, start + 72 * HOUR)

    @property
    def other_season(self) -> Window:
        """72 hours half a year earlier, when the clocks may have another offset."""
        start = start_of(local_date(self.hours.start - _HALF_A_YEAR, self.zone), self.zone)
        return Window(start, start + 72 * HOUR)

    @property
    def days_of_utc(self) -> Window:
        """Days of UTC, in which `nps_volume` is read."""
        end = self.week.end.replace(hour=0, minute=0, second=0, microsecond=0)
        return Window(end - DAYS * DAY, end)

    def back(self, days: int) -> Window:
        """A range of so many days that ends with the last of the days."""
        last = local_date(self.week.end, self.zone)
        return Window(start_of(last - timedelta(days=days), self.zone), self.week.end)

    # Questions

    def report(self, kind: str, window: Window, *, form: int | None = None, type: str | None = None) -> Ask:  # noqa: A002 (as the API calls it)
        """The question for a report, just as the tap asks it. `type` is the report type, if it is not the stream's name."""
        of_series = self.settings.series_zone if kind in SERIES else None
        zone = UTC if kind == "nps_volume" else of_series or self.zone
        body = self._body(type or kind, window, zone)
        if form is not None:
            body |= {"nps_category": "all", "form": form}
        body |= self.settings.report_parameters.get(kind, {}) if type is None else {}
        return of_report(f"{kind} of {self._in_words(window)}", body)

    def with_other_offset(self, kind: str, window: Window) -> Ask:
        """The question for the same range, its instants written with an offset that is far from the zone's."""
        own = window.start.astimezone(self.zone).utcoffset() or timedelta()
        other = timezone(own + (-11 if own >= timedelta() else 11) * HOUR)
        return of_report(f"{kind} of the same days, with another offset", self._body(kind, window, other))

    def _body(self, kind: str, window: Window, zone: tzinfo) -> dict[str, Any]:
        first, last = window.start.astimezone(zone), (window.end - SECOND).astimezone(zone)
        return {"type": kind, "date_from": first.isoformat(), "date_to": last.isoformat()}

    def _in_words(self, window: Window) -> str:
        hours = round(window.length / HOUR)
        length = f"{hours} hours" if hours <= 84 and hours != 24 else f"{round(hours / 24)} days"  # noqa: PLR2004 (the most that are asked for as hours)
        return f"{local_date(window.start, self.zone)}" if hours in {23, 24, 25} else length


SERIES: Final = ("states_volume", "response_volume", "case_volume")
"""Series that are read in the days of `series_zone`."""


def range_of(ask: Ask) -> Window:
    """The range of a question for a report."""
    body = json.loads(ask.body)
    first, last = (datetime.fromisoformat(body[name]).astimezone(UTC) for name in ("date_from", "date_to"))
    return Window(first, last + SECOND)
