"""Time zones: which one a name stands for, and whether the configured one is that of the account's users. Pure functions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tap_lexer_activity.windows import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_lexer_activity.windows import Window

_NO_ZONE: Final = re.compile(r"(?:posix|right)/|localtime$|posixrules$|Factory$")
"""Names beside those of zones in their folder: the zone of the machine, and copies that count leap seconds."""
_QUARTER: Final = timedelta(minutes=15)


def named(name: str) -> ZoneInfo | None:
    """The zone of a name, `None` if there is no such zone."""
    try:
        return None if _NO_ZONE.match(name) else ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, not a name, a folder of names
        return None


@cache
def zone_names() -> tuple[str, ...]:
    """Names of zones: one for each history since 1970."""
    lines = (files("tzdata") / "zoneinfo" / "zone1970.tab").read_text(encoding="utf-8").splitlines()
    return tuple(sorted(line.split("\t")[2] for line in lines if line and not line.startswith("#")))


def of_abbreviation(name: str, now: datetime) -> list[str]:
    """Zones whose clocks show an abbreviation, such as AEST, at some time of the year; none if the name is no abbreviation.

    A name such as EST is an old zone as well, whose clocks never change. If other zones show it for a part of the year only, one of them
    is far more likely to be meant.
    """
    short, zone = name.upper(), named(name)
    year = [now + timedelta(days=days) for days in range(0, 366, 14)]
    if not (short.isascii() and short.isalpha()) or (zone and not _never_changes(zone, year)):
        return []
    shown = {key: {moment.astimezone(each).tzname() for moment in year} for key in zone_names() if (each := named(key))}
    found = [key for key, abbreviations in shown.items() if short in abbreviations]
    return found if zone is None or any(shown[key] != {short} for key in found) else []


def _never_changes(zone: ZoneInfo, year: list[datetime]) -> bool:
    """True if a zone has one offset all year, and another than UTC."""
    found = {moment.astimezone(zone).utcoffset() for moment in year}
    return len(found) == 1 and timedelta(0) not in found


def offsets(zone: ZoneInfo, within: Window) -> tuple[tuple[datetime, timedelta | None], ...]:
    """Offsets of a zone in a range of time, each with the instant from which it is in force, to a quarter of an hour.

    Two zones with the same offsets are the same for that range, whatever their names.
    """
    at = within.start
    found = [(at, at.astimezone(zone).utcoffset())]
    while at < within.end:
        at += DAY if (at + DAY).astimezone(zone).utcoffset() == found[-1][1] else _QUARTER
        offset = at.astimezone(zone).utcoffset()
        if at < within.end and offset != found[-1][1]:
            found.append((at, offset))
    return tuple(found)


def of_users(users: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """The zones of users who are not archived, as far as they can be read."""
    return Counter(
        name
        for user in users
        if isinstance(name := user.get("timezone"), str) and not user.get("archived") and named(name)
    )


def alike(zones: Mapping[str, int], within: Window) -> dict[object, Counter[str]]:
    """Zones with their numbers of users, together with those that have the same offsets: by these."""
    result: dict[object, Counter[str]] = defaultdict(Counter)
    for name, count in zones.items():
        result[offsets(ZoneInfo(name), within)][name] += count
    return result


def caution(users: Iterable[Mapping[str, Any]], zone: ZoneInfo, within: Window, *, is_set: bool) -> str | None:
    """A caution if more of an account's users have some other zone than have the configured one; `None` if all is well.

    Zones are compared by their offsets within the range that is read.
    """
    names = of_users(users)
    groups = alike(names, within)
    theirs = max(groups.values(), key=Counter.total, default=names)
    if theirs.total() == groups[offsets(zone, within)].total():
        return None
    given = f"timezone is {zone.key!r}" if is_set else f"timezone is not set, so it is {zone.key!r}"
    return (
        f"{given}, and of {names.total()} users whose zone is known {theirs.total()} have {theirs.most_common(1)[0][0]}. "
        "If that is the account's zone, set timezone to it: a wrong one shifts days without an error [see: zone-differs]"
    )
