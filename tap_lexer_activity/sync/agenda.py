"""Judgements on a plan before it is carried out: the order, probable mistakes, the cost of other settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from tap_lexer_activity.run.plan import Plan
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.settings.settings import Settings
from tap_lexer_activity.streams.base import NEVER, LexerStream, WindowedStream


def order_by_oldest_bookmark(streams: Sequence[LexerStream], plans: Sequence[Plan]) -> list[LexerStream]:
    """The streams, those furthest behind first: `max_requests` would otherwise end every run in the same streams.

    Then come the lists, and at the end the streams that have nothing new, only a lookback.
    """
    has_news = {plan.stream for plan in plans if plan.count > plan.rereads}

    def place(stream: LexerStream) -> tuple[int, datetime]:
        if not isinstance(stream, WindowedStream):
            return 1, NEVER
        bookmarks = [stream.bookmark(form_id) or NEVER for form_id in stream.parts()]
        return 0 if stream.name in has_news else 2, min(bookmarks, default=NEVER)

    return sorted(streams, key=place)


def order_by_length(streams: Sequence[LexerStream], plans: Sequence[Plan]) -> list[LexerStream]:
    """The streams, those with the fewest requests first.

    Where a run has to wait for the quota, the lists, the series and the exports of a first load so stand in the warehouse within minutes,
    and not behind reports of a year.
    """
    lengths: Counter[str] = Counter()
    for plan in plans:
        lengths[plan.stream] += plan.count + plan.polls
    return sorted(streams, key=lambda stream: lengths[stream.name])


def cautions(settings: Settings, plans: Sequence[Plan], *, needs_forms: bool) -> list[str]:
    """Settings that are allowed, but probably mistakes, one sentence each."""
    most = settings.max_requests
    found = [*settings.cautions(), *dict.fromkeys(plan.caution for plan in plans if plan.caution)]
    for plan in plans:
        # What it takes to get one window further: the list of forms, the lookback, and the window; a job and its polls for an export.
        each = 3 if plan.polls else 1
        needed = int(needs_forms and plan.stream != "forms") + plan.rereads * (2 if plan.polls else 1) + each
        if most is not None and plan.count > plan.rereads and needed > most:
            lookback = "export_lookback_days" if plan.polls else "lookback_days"
            found.append(
                f"max_requests is {most}, but {plan.stream} needs at least {needed} to get further, lookback included. "
                f"Raise it, or lower {lookback} [see: max-requests-too-few]"
            )
    return list(dict.fromkeys(found))  # (each form of a stream may need the same)


def alternatives(run: Run, streams: Sequence[WindowedStream], total: int) -> dict[tuple[str, str], int]:
    """Requests of the same run with longer windows, by the setting and its value. As it is, the run has `total`."""

    def cost(settings: Settings) -> int:
        other = replace(run, settings=settings)
        plans = [plan for stream in streams for plan in type(stream)(other).plans()]
        return sum(plan.count + plan.polls for plan in plans)

    now = cost(run.settings)
    found: dict[tuple[str, str], int] = {}
    for name, lengths in (("report_interval", ("day", "week", "month")), ("series_interval", ("hour", "day"))):
        for value in lengths[lengths.index(getattr(run.settings, name)) + 1 :]:
            settings = replace(run.settings, **cast("dict[str, Any]", {name: value}))
            found[name, value] = total - now + cost(settings)
    return found
