"""Checks without a sync: whether the token works, what a run would ask for, which columns streams have."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import AccessDeniedError, NotAllowedError, QuotaUsedUpError, UnreachableError, see_last
from tap_lexer_activity.run.plan import Plan, format_plan, in_words, seconds_within
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.sync.agenda import alternatives, cautions
from tap_lexer_activity.sync.engine import Engine, ask_for_zone


def check_token(run: Run) -> None:
    """Say whether the token works, by one request, and by another one whether `timezone` is that of the users."""
    limiter = run.client.limiter
    if not limiter.available():
        wait = in_words(limiter.next_free_at() - time.monotonic())
        msg = f"Another run on this machine has used up this token's quota, so the token works. Try again in {wait} to be sure [see: quota-used-up]"
        raise QuotaUsedUpError(msg)
    forms = run.forms.all(tries=1)
    nps = sum(1 for form in forms if form.get("nps"))
    run.logger.info("The token works: %s answered, and knows %d NPS forms", run.settings.api_url, nps)
    if limiter.available():
        ask_for_zone(run)


def describe_plan(engine: Engine, discovers: Sequence[str] = ()) -> list[str]:
    """The requests that a run would send, as lines for people."""
    run = engine.run
    settings = run.settings
    if engine.needs_forms:
        run.forms.nps_ids()
    plans = engine.plans()
    if discovers:
        parts = {name: len(BY_NAME[name](run).parts()) for name in discovers}
        jobs = sum(count for name, count in parts.items() if BY_NAME[name].is_export)
        reads = sum(parts.values()) - jobs
        reason = "discover_columns" if reads else "discover_export_columns"
        plans.insert(0, Plan(stream="(columns of exports)", reason=reason, count=jobs, polls=jobs))
        if reads:
            plans.insert(0, Plan(stream="(columns)", reason=reason, count=reads))
    for caution in cautions(settings, plans, needs_forms=engine.needs_forms):
        run.logger.warning("%s", caution)
    total = sum(plan.count + plan.polls for plan in plans)
    limiter = run.client.limiter
    others = alternatives(run, engine.windowed, total)
    lines = format_plan(plans, others, settings, per_answer=limiter.seconds_per_call())
    quota = settings.rate_limit_requests, settings.rate_limit_seconds
    available = limiter.available()
    now = seconds_within(quota, total, free=available)
    if now > seconds_within(quota, total):
        lines.append(
            f"{quota[0] - available:,} requests were sent with this token in the last {quota[1]} s: "
            f"a run that starts now takes at least {in_words(now)}."
        )
    return lines


def discoverable(*, of_exports: bool, of_all: bool) -> list[str]:
    """The streams whose columns discovery finds: by `discover_export_columns`, and by `discover_columns`."""
    return [
        name
        for name, kind in BY_NAME.items()
        if (kind.is_export and (of_exports or of_all)) or (kind.selected_by_default and of_all)
    ]


def discover_columns(run: Run, names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The properties of streams with the columns that a short export, or a short read, of each has, by the stream's name.

    An export that the token may not read is left out; so is any other stream that can't be read.
    """
    for name in names:
        stream = BY_NAME[name](run)
        if stream.is_export:
            run.logger.info("Reading the columns of %s from a short export", name)
        try:
            yield name, stream.discovered()
        except (AccessDeniedError, UnreachableError):
            raise
        except (FatalAPIError, RetriableAPIError) as error:
            if stream.is_export and not isinstance(error, NotAllowedError):
                raise
            said = f"{error}{run.refusals.advice(name, error)}"
            run.logger.warning("%s", see_last(f"{name}: its columns can't be read: {said} [see: discovery-columns]"))
