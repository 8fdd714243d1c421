"""The series: a value per day or hour of a window, and `nps_volume`, in steps of 24 hours."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox.conversations import STATES
from tap_lexer_activity.sandbox.instants import DAY, HOUR, SECOND, midnight, moment
from tap_lexer_activity.sandbox.measures import average, nps_counts, seconds, waits_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_lexer_activity.sandbox.conversations import Message
    from tap_lexer_activity.sandbox.query import Query

HOURLY_BELOW = 4 * DAY
"""A series of a shorter range has a bucket an hour."""


@dataclass(frozen=True)
class Bucket:
    """A day or an hour of a series, clipped to the window."""

    label: str
    start: int
    end: int

    def row(self, value: float | None, **more: object) -> dict[str, object]:
        """The entry that this bucket has in a series."""
        return {**more, "value": value, "date_range": {"date_from": self.label}}


def buckets(query: Query, *, hourly: bool = True) -> list[Bucket]:
    """The days or hours of a window, of the account's zone or of the request's offset.

    An hour that the clock shows twice gives two buckets with one label. A day's label says 00:00 also where the clock
    skips midnight.

    Args:
        query: The request.
        hourly: Hours for a short range.
    """
    short = hourly and query.end - query.start < HOURLY_BELOW
    grain = query.grain or ("hour" if short else "day")
    zone = query.ledger.zone if query.options.labels == "zone" else query.offset
    found = []
    start = query.start
    while start < query.end:
        local = moment(start).astimezone(zone)
        if grain == "hour":
            past = (local.minute * 60 + local.second) * SECOND + local.microsecond
            label, end = f"{local:%Y-%m-%d %H}:00", start - past + HOUR
        else:
            label, end = f"{local:%Y-%m-%d} 00:00", midnight(local.date() + timedelta(days=1), zone)
        found.append(Bucket(label, start, min(end, query.end)))
        start = end
    return found


def _by_bucket(messages: Iterable[Message], cut: Sequence[Bucket]) -> list[list[Message]]:
    """The messages that were created in each bucket."""
    starts = [bucket.start for bucket in cut]
    sorted_in: list[list[Message]] = [[] for _ in cut]
    for message in messages:
        sorted_in[bisect_right(starts, message.created) - 1].append(message)
    return sorted_in


def states_volume(query: Query) -> dict[str, object]:
    """States Volume: per state that occurs at all, the messages of each bucket."""
    cut = buckets(query)
    counts = [Counter(m.state(query.clock) for m in group) for group in _by_bucket(query.messages(), cut)]
    return {
        state: [bucket.row(count[state], state=state) for bucket, count in zip(cut, counts, strict=True)]
        for state in STATES
        if any(count[state] for count in counts)
    }


def response_volume(query: Query) -> dict[str, object]:
    """Response Time: the average wait of each bucket's messages, in seconds, null where none has a response."""
    cut = buckets(query)
    groups = _by_bucket(query.messages(), cut)
    return {
        "avg_response_time": [
            bucket.row(seconds(average(waits_of(group, query.clock))))
            for bucket, group in zip(cut, groups, strict=True)
        ]
    }


def case_volume(query: Query) -> dict[str, object]:
    """Case Volume: the cases whose life, from opening to closing, touches each bucket."""
    cases = query.cases()
    opened = sorted(case.opened for case in cases)
    closed = sorted(case.closed(query.clock) or query.clock + 1 for case in cases)
    return {
        "open": [
            bucket.row(bisect_left(opened, bucket.end) - bisect_right(closed, bucket.start))
            for bucket in buckets(query, hourly=query.options.case_volume_hours)
        ]
    }


def nps_volume(query: Query) -> list[dict[str, object]]:
    """NPS Volume: steps of 24 hours from the window's start, whatever the clocks do; the last may be shorter."""
    surveys = query.surveys()
    rows: list[dict[str, object]] = []
    for start in range(query.start, query.end, DAY):
        label = moment(start + DAY if query.options.nps_labels == "end" else start)
        data = nps_counts(surveys, start, min(start + DAY, query.end), query.clock)
        rows.append({"date": label.isoformat(timespec="seconds"), "timestamp": int(label.timestamp()), "data": data})
    return rows
