"""Instants, and the account's calendar.

An instant is an integer, microseconds since 1970-01-01T00:00:00Z: exact, quick to compare, the same on every machine.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(moment: datetime) -> int:
    """The instant of an aware moment."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The moment of an instant, in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def midnight(day: date, zone: tzinfo) -> int:
    """The first instant of a local date."""
    return instant(datetime(day.year, day.month, day.day, tzinfo=zone))


def local_date(at: int, zone: tzinfo) -> date:
    """The local date of an instant."""
    return moment(at).astimezone(zone).date()


def find_zone(name: str) -> ZoneInfo:
    """The IANA zone of a name.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        msg = f"unknown timezone {name!r}: use an IANA name such as Australia/Sydney"
        raise ValueError(msg) from None
