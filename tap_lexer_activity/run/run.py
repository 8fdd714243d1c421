"""One run: all that its streams share, built once."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tap_lexer_activity import turns
from tap_lexer_activity.http.limiter import Limiter, shared_file
from tap_lexer_activity.http.session import origin
from tap_lexer_activity.lexer.client import LexerClient
from tap_lexer_activity.lexer.jobs import Exporter
from tap_lexer_activity.notices import Notices
from tap_lexer_activity.run import forms
from tap_lexer_activity.run.answers import Answers
from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.run.forms import Forms
from tap_lexer_activity.run.progress import PACE_OF_A_FILE, PACE_OF_A_TERMINAL, Progress
from tap_lexer_activity.run.refusals import Refusals
from tap_lexer_activity.settings.settings import Settings
from tap_lexer_activity.shapes import row_schema, stream_schema
from tap_lexer_activity.windows import Interval, Request


@dataclass(frozen=True, kw_only=True)
class Run:
    """All that the streams of a run share.

    Attributes:
        bookmarks: Where each stream had come to when the run began, by its name and the id of the NPS form (None: not by forms).
        columns: The columns of streams, as a catalog has them; a stream that is not named has those of its schema.
        polls_ahead: What polls export jobs ahead of their turn: each returns when it wants to be called again, in seconds of the clock.
        learnt_lengths: What the run has learnt of the lengths of ranges that Lexer answers, by the stream's interval and `longest` or `shortest`.
        cached_requests: Requests for a range of time, which streams that are cut alike share: years of hours take seconds.
    """

    settings: Settings
    client: LexerClient
    exporter: Exporter
    forms: Forms
    progress: Progress
    refusals: Refusals
    notices: Notices
    logger: logging.Logger
    bookmarks: Mapping[tuple[str, int | None], datetime]
    columns: Mapping[str, Columns]
    polls_ahead: list[Callable[[], float]] = field(default_factory=list)
    learnt_lengths: dict[tuple[Interval, str], timedelta] = field(default_factory=dict)
    cached_requests: dict[tuple[Hashable, ...], list[Request]] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        settings: Settings,
        logger: logging.Logger,
        *,
        bookmarks: Mapping[tuple[str, int | None], datetime] | None = None,
        columns: Mapping[str, Columns] | None = None,
        **clock: Any,
    ) -> Run:
        """Build a run. Waits between tries and for export jobs go by the `clock` and `sleep` of `clock`."""
        columns = columns or {}
        notices = Notices(logger)
        limiter = _limiter(settings, logger, lambda seconds: progress.wait(seconds))  # noqa: PLW0108 (there is no progress yet)
        pace = PACE_OF_A_TERMINAL if sys.stderr and sys.stderr.isatty() else PACE_OF_A_FILE
        quota = settings.rate_limit_requests, settings.rate_limit_seconds
        progress = Progress(quota, limiter, logger, zone=settings.zone, pace=pace)
        client = LexerClient(settings, limiter, logger, notices=notices, **clock)

        def work_while_waiting() -> float:
            wanted = run.poll_ahead()
            progress.say(for_export=True)
            return min(wanted, progress.due)

        columns_of_forms = columns.get(forms.NAME) or Columns.of_schema(forms.NAME)
        form = row_schema(stream_schema(forms.NAME), required=("id",), columns=columns_of_forms.properties)
        answers = Answers(
            {"type": "array", "items": form},
            ("id",),
            columns_of_forms,
            stream=forms.NAME,
            notices=notices,
            quote=client.quote,
            accepted=settings.accept.get(forms.NAME, ()),
        )
        run = cls(
            settings=settings,
            client=client,
            exporter=Exporter(client, settings, logger, notices=notices, while_waiting=work_while_waiting, **clock),
            forms=Forms(client, progress, answers, settings.form_ids, notices=notices),
            progress=progress,
            refusals=Refusals(progress),
            notices=notices,
            logger=logger,
            bookmarks=bookmarks or {},
            columns=columns,
        )
        return run

    def poll_ahead(self) -> float:
        """Poll export jobs that are due, ahead of their turn, unless there are threads for it; then when to do so again, by the clock."""
        if self.client.lookahead is not None:
            return math.inf
        return min((poll() for poll in self.polls_ahead), default=math.inf)

    def work_while_waiting(self) -> float:
        """Poll jobs, and log the progress, if it is time for that; the seconds until there is something to do."""
        wanted = self.poll_ahead()
        self.progress.say()
        return max(0.0, min(wanted, self.progress.due) - time.monotonic())

    def requests_once(self, key: tuple[Hashable, ...], cut: Callable[[], list[Request]]) -> list[Request]:
        """The requests for a range of time, from the cache if a stream that is cut alike has made them."""
        if key not in self.cached_requests:
            self.cached_requests[key] = cut()
        return self.cached_requests[key]


def _limiter(settings: Settings, logger: logging.Logger, on_wait: Callable[[float], None]) -> Limiter:
    """The quota, shared with other runs of the same token on this machine."""

    def on_trouble(reason: str) -> None:
        logger.warning("The quota can't be shared with other runs on this machine (%s) [see: quota-not-shared]", reason)

    try:
        # The quota belongs to the token, and the host it is sent to.
        file = shared_file(f"{settings.api_token} {origin(settings.api_url)}")
    except OSError as error:
        file = None
        on_trouble(str(error))
    return Limiter(
        settings.rate_limit_requests,
        settings.rate_limit_seconds,
        max_calls=settings.max_requests,
        file=file,
        sleep=turns.sleep,
        on_wait=on_wait,
        on_trouble=on_trouble,
    )
