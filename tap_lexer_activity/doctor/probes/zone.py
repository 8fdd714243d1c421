"""Probes of the account's zone: what labels of hours and midnights show, and where the users are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.probes.base import OTHER_MONTH, Evidence
from tap_lexer_activity.doctor.probes.lists import zones_of_users
from tap_lexer_activity.doctor.probes.series import SERIES, answered, are_ends, follows_offset, is_daily, seen
from tap_lexer_activity.doctor.situation import LONG
from tap_lexer_activity.doctor.situation import SERIES as ALL_SERIES
from tap_lexer_activity.windows import DAY, HOUR, SECOND
from tap_lexer_activity.zones import alike, offsets, zone_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_lexer_activity.doctor.seen import Seen
    from tap_lexer_activity.doctor.situation import Situation
    from tap_lexer_activity.windows import Window

ZONE: Final = "Which time zone is the account in?"
_FARTHEST_EAST: Final = timedelta(hours=14)
_FARTHEST_WEST: Final = timedelta(hours=-12)
_MOST_MISSING: Final = 3
"""Hours without a bucket, at most, from which an offset is read."""
_WITHIN_AN_HOUR: Final = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 45))
_MANY: Final = 5
"""Messages in a bucket on average, from which on no bucket is left out for having none."""
_MOST_NAMED: Final = 5


@dataclass(frozen=True)
class Sign:
    """The evidence of the zone.

    Attributes:
        at: An instant.
        offsets: The offsets that are possible then, the likeliest first; none: it is midnight then.
    """

    at: datetime
    offsets: tuple[timedelta, ...] = ()

    def fits(self, zone: ZoneInfo) -> bool:
        """True if a clock in a zone shows this sign."""
        shown = self.at.astimezone(zone)
        return shown.utcoffset() in self.offsets if self.offsets else shown.time() == time()

    def fits_best(self, zone: ZoneInfo) -> bool:
        """True if a clock in a zone shows it, and this zone is the likeliest."""
        return self.fits(zone) and (not self.offsets or self.at.astimezone(zone).utcoffset() == self.offsets[0])


def signs_of_hours(series: Seen, asked: Window, *, ends: bool) -> list[Sign]:
    """The clock that the labels of an hourly series show; nothing if too much of it is missing.

    A range that does not begin with an hour of that clock has a bucket more, whose label names the hour that has begun. Where hours
    without anything are left out, the first label may be a later one, and there may have been such a bucket.
    """
    moments, hours = series.moments, asked.length // HOUR
    if series.is_instant or series.grain != HOUR or len(moments) < hours - _MOST_MISSING:
        return []
    first = moments[0] - asked.start.replace(tzinfo=None)
    last = moments[-1] + HOUR - asked.end.replace(tzinfo=None)
    shift = next((shift for shift in ((HOUR, DAY) if ends else ()) if is_offset(first - shift)), timedelta())
    first, last = first - shift, last - shift
    is_whole = len(series.counted) < len(moments) or series.total >= _MANY * len(moments)
    if len(moments) > hours:
        found = [Sign(asked.start, tuple(first + part for part in _WITHIN_AN_HOUR))]
    elif is_whole:
        found = [Sign(asked.start, (first,)), Sign(asked.end - SECOND, (last,))]
    else:
        late = range(max(0, hours - len(moments)) + 1)
        found = [
            Sign(
                asked.start,
                tuple(first - hour * HOUR + part for hour in late for part in (timedelta(), *_WITHIN_AN_HOUR)),
            )
        ]
    return [sign for sign in found if all(map(is_offset, sign.offsets))]


def is_offset(offset: timedelta) -> bool:
    """True if some clock of the world may be so far ahead of UTC."""
    return _FARTHEST_WEST - HOUR <= offset <= _FARTHEST_EAST + HOUR


def signs_of(parts: Iterable[tuple[Seen, Window]], *, ends: bool) -> list[Sign]:
    """The zone in which series are counted, as far as they show it."""
    found: list[Sign] = []
    for series, asked in parts:
        found += signs_of_hours(series, asked, ends=ends)
        if series.is_instant and series.grain is not None and is_daily(series.grain):
            found += [Sign(moment) for moment in series.moments if moment > asked.start]
    return found


def is_read_in_utc(series: Seen, zone: ZoneInfo, asked: Window) -> bool:
    """True if labels of days are the midnights of a zone, read off a clock in UTC, and do not say so."""
    if series.is_instant or len(series.moments) < 2:  # noqa: PLR2004 (one may be anything)
        return False
    inside = [moment.replace(tzinfo=UTC) for moment in series.moments]
    if all(moment.time() == time() for moment in inside):
        return False
    return all(moment.astimezone(zone).time() == time() for moment in inside if moment > asked.start)


def probe_zone(evidence: Evidence) -> Finding | None:
    """The account's zone, by whatever shows it best."""
    situation = evidence.situation
    for window in (situation.hours, situation.other_season, situation.week):
        evidence.ask(situation.report(SERIES, window))
    settings = situation.settings
    counted = settings.series_zone or settings.zone
    setting = "series_zone" if settings.series_zone else "timezone"
    is_set = settings.zone_is_set or settings.series_zone
    assumed = f"Days are those of {setting} {counted.key}{'' if is_set else ', which is not set'}."
    days = seen(evidence, SERIES, situation.week)
    if days is not None and is_read_in_utc(days, counted, situation.week):
        return _read_in_utc(counted, days, assumed)
    if follows_offset(evidence):
        return _by_users(counted, evidence, assumed, "series are counted by the offset of the request; ")
    signs = signs_of(answered(evidence), ends=days is not None and are_ends(days, situation.week, counted))
    if not signs:
        return _by_users(counted, evidence, assumed, "no label shows it; ")
    return by_signs(signs, zones_of_users(evidence), situation, assumed)


def _read_in_utc(zone: ZoneInfo, days: Seen, assumed: str) -> Finding:
    return Finding(ZONE, assumed, {"labels": "utc"}).settled(
        f"{zone.key}; labels show UTC and do not say so.",
        f"labels of {len(days.moments)} days show {days.moments[-1]:%H:%M}",
        settings={"accept": {name: ["utc_labels"] for name in ALL_SERIES}},
    )


def by_signs(signs: Sequence[Sign], users: Counter[str], situation: Situation, assumed: str) -> Finding:
    """The zone that answers show: that of the settings, that of a user (`users`: the most frequent first), UTC, or another one."""
    settings = situation.settings
    counted = settings.series_zone or settings.zone
    said = in_words(signs)
    finding = Finding(ZONE, assumed, {"shown": said, "users": dict(users)})
    if all(sign.fits(counted) for sign in signs):
        return finding.as_assumed(f"{counted.key}.", said)
    theirs = [name for name in users if all(sign.fits(ZoneInfo(name)) for sign in signs)]
    theirs.sort(key=lambda name: not all(sign.fits_best(ZoneInfo(name)) for sign in signs))
    if theirs:
        block = {"timezone": theirs[0], **({"series_zone": theirs[0]} if settings.series_zone else {})}
        shown = f"{said}; {users[theirs[0]]} of {users.total()} users have {theirs[0]}"
        return finding.settled(f"{theirs[0]}.", shown, settings=block)
    if all(sign.fits_best(ZoneInfo("UTC")) for sign in signs):
        found = "Series are counted in days of UTC, where no user is."
        return finding.settled(found, said, settings={"series_zone": "UTC"})
    fitting = [name for name in zone_names() if all(sign.fits(ZoneInfo(name)) for sign in signs)]
    histories = {offsets(ZoneInfo(name), situation.back(LONG)) for name in fitting}
    more = f" and {len(fitting) - _MOST_NAMED} more" if len(fitting) > _MOST_NAMED else ""
    shown = f"{', '.join(fitting[:_MOST_NAMED])}{more}"
    if len(histories) == 1:
        found = f"Series are counted in {fitting[0]} or one like it, where no user is."
        return finding.settled(found, f"{said}: {shown}", settings={"series_zone": fitting[0]})
    found = f"Another one, where no user is: {shown}." if fitting else "None that is known."
    advice = "Set timezone to the account's zone: Lexer's screens show it. If most users are elsewhere, set series_zone"
    return finding.open(found, advice, evidence=said)


def _by_users(zone: ZoneInfo, evidence: Evidence, assumed: str, why: str) -> Finding:
    """The zone by that of most users, where no answer shows it."""
    within, users = evidence.situation.back(LONG), zones_of_users(evidence)
    if not users:
        return Finding(ZONE, assumed).unknown(f"{why[0].upper()}{why[1:]}nor does a user.", OTHER_MONTH)
    groups = alike(users, within)
    most = max(groups.values(), key=Counter.total)
    name = most.most_common(1)[0][0]
    said = f"{why}{most.total()} of {users.total()} users have {name}"
    finding = Finding(ZONE, assumed, {"users": dict(users)})
    if groups[offsets(zone, within)].total() == most.total():
        return finding.as_assumed(f"Most likely {zone.key}.", said)
    return finding.settled(f"Most likely {name}.", said, settings={"timezone": name})


def in_words(signs: Sequence[Sign]) -> str:
    """The evidence of the answers, for people."""
    shown: dict[str, list[datetime]] = {}
    for sign in signs:
        ends = dict.fromkeys(map(_written, (min(sign.offsets), max(sign.offsets)) if sign.offsets else ()))
        said = f"clocks show {' to '.join(ends)}" if ends else f"days begin at {sign.at:%H:%M}Z"
        shown.setdefault(said, []).append(sign.at)
    return "; ".join(
        f"{said} in {', '.join(dict.fromkeys(f'{at:%b %Y}' for at in sorted(moments)))}"
        for said, moments in shown.items()
    )


def _written(offset: timedelta) -> str:
    minutes = offset // timedelta(minutes=1)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
