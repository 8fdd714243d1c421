"""Measures that several reports share: waits, averages, units, limits, and counts of surveys."""

from __future__ import annotations

from collections import Counter
from statistics import fmean, median
from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox.instants import HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_lexer_activity.sandbox.conversations import Message, Survey

CUSTOMER_SLA = 2 * HOUR
AGENT_SLA = 30 * MINUTE


def seconds(value: float | None) -> float | None:
    """Microseconds in seconds."""
    return None if value is None else value / SECOND


def minutes(value: float | None) -> float | None:
    """Microseconds in minutes."""
    return None if value is None else value / MINUTE


def average(values: Sequence[float]) -> float | None:
    """The mean; None without values."""
    return fmean(values) if values else None


def median_of(values: Sequence[float]) -> float | None:
    """The median; None without values."""
    return median(values) if values else None


def waits_of(messages: Iterable[Message], clock: int) -> list[int]:
    """The customers' waits for the responses that there are by now, in microseconds."""
    return [wait for message in messages if (wait := message.wait(clock)) is not None]


def handlings_of(messages: Iterable[Message], clock: int) -> list[int]:
    """The agents' times from claim to response, in microseconds."""
    return [time for message in messages if (time := message.handling(clock)) is not None]


def nps_counts(surveys: Iterable[Survey], start: int, end: int, clock: int) -> dict[str, object]:
    """The fields of both NPS reports. A survey counts by the date it was sent, its answer by the date it came."""
    end = min(end, clock + 1)
    sent = 0
    counts: Counter[str] = Counter()
    for survey in surveys:
        sent += start <= survey.sent < end
        if survey.answered is not None and start <= survey.answered < end:
            counts[survey.category] += 1
    received = counts.total()
    score = (counts["promoter"] - counts["detractor"]) / received * 100 if received else 0.0
    return {
        "total_sent": sent,
        "total_received": received,
        "total_promoters": counts["promoter"],
        "total_passives": counts["passive"],
        "total_detractors": counts["detractor"],
        "nps_score": score,
    }
