"""The last lines of a run: how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.sync.engine import Engine


def say_counts(run: Run, names: Sequence[str]) -> None:
    """Log the table of streams, and what was accepted."""
    for line in (*run.progress.summary(names), *run.notices.summary()):
        run.logger.info("%s", line)


def say_outcome(engine: Engine, *, got_further: bool) -> None:
    """Log the last lines of a run that came to its end, and in which a bookmark has moved or not. If not all of it is well, they end it."""
    run = engine.run
    failures, short = run.progress.failures, run.progress.short
    failed = list(dict.fromkeys(name for name, _ in failures))
    names = [stream.name for stream in engine.streams]
    complete = [name for name in names if name not in {*failed, *short}]
    said = [f"Complete: {', '.join(complete) or 'no stream'}"]
    if short:
        said.append(f"More to read: {', '.join(short)}")
    if failed:
        said.append(f"Failed: {', '.join(failed)}")
    lines = [". ".join(said), *(f"{name}: {reason}" for name, reason in failures)]
    most = run.settings.max_requests
    has_news = any(plan.count > plan.rereads for plan in engine.plans() if plan.requests)
    is_stuck = bool(short) and has_news and not got_further
    is_cut_off = bool(short) and run.settings.backfill is not None
    if is_cut_off:
        lines.append(
            f"max_requests ({most}) ended the backfill, which no later run continues. "
            "Raise max_requests, or shorten the range [see: max-requests-backfill]"
        )
    elif is_stuck:
        lines.append(
            f"max_requests ({most}) is used up, and no bookmark has moved. Raise it: otherwise no run gets further [see: max-requests-no-progress]"
        )
    elif short and not has_news:
        lines.append(
            f"max_requests ({most}) is used up before all of the lookback was re-read. Nothing new was left out [see: max-requests-lookback]"
        )
    elif short:
        lines.append(f"max_requests ({most}) is used up. The next run continues from here [see: max-requests-spent]")
    if failures or is_stuck or is_cut_off:
        raise EndOfRun("\n".join(lines), exit_code=1)
    for line in lines if short else ():
        run.logger.warning("%s", line)


def say_trial(engine: Engine) -> None:
    """Log how a trial of one record of each stream ended. If one failed, or was not tried, the run ends."""
    progress = engine.run.progress
    lines = []
    if failures := progress.failures:
        lines = [f"Failed: {', '.join(dict.fromkeys(name for name, _ in failures))}"]
        lines += [f"{name}: {reason}" for name, reason in failures]
    if short := progress.short:
        spent = engine.run.settings.max_requests
        lines.append(
            f"Not tried, because max_requests ({spent}) is used up: {', '.join(short)} [see: test-max-requests]"
        )
    if lines:
        raise EndOfRun("\n".join(lines), exit_code=1)
    if not engine.streams:
        engine.run.logger.warning("No stream is selected, so there is nothing to read [see: nothing-selected]")
        return
    engine.run.logger.info("All selected streams can be read: %d", len(engine.streams))
