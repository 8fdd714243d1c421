"""Reading the streams of a run, one after the other, as one sequence of events."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import TypeIs

from tap_lexer_activity.errors import (
    AccessDeniedError,
    EndOfRun,
    RequestsSpentError,
    UnreachableError,
    see_last,
)
from tap_lexer_activity.run.events import Event, ReadUpTo
from tap_lexer_activity.run.plan import Plan
from tap_lexer_activity.run.run import Run
from tap_lexer_activity.streams.base import LexerStream, WindowedStream
from tap_lexer_activity.streams.exports import Export
from tap_lexer_activity.streams.lists import Users
from tap_lexer_activity.streams.registry import BY_NAME
from tap_lexer_activity.sync.agenda import cautions, order_by_length, order_by_oldest_bookmark


@dataclass(frozen=True, slots=True)
class Step:
    """One event of one stream, or that the stream begins or has ended (also by an error), or that one of its parts has ended.

    It is of an NPS form if the stream is read by forms.
    """

    stream: LexerStream
    form_id: int | None
    event: Event | Literal["begin", "end of part", "end"]


class Engine:
    """Reads the selected streams of a run."""

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self.run = run
        self.streams = [BY_NAME[name](run) for name in names]
        self._refused: AccessDeniedError | None = None

    @property
    def windowed(self) -> list[WindowedStream]:
        """The streams that are read in windows."""
        return [stream for stream in self.streams if isinstance(stream, WindowedStream)]

    @property
    def needs_forms(self) -> bool:
        """True if the list of NPS forms is needed to know what to ask for."""
        return any(stream.is_per_form for stream in self.streams)

    def _reads(self, name: str) -> bool:
        return any(stream.name == name for stream in self.streams)

    # What is asked for

    def plans(self) -> list[Plan]:
        """The requests of this run, in the order of the streams."""
        plans = [plan for stream in self.streams for plan in stream.plans()]
        if self._asks_for_zone(plans):
            plans.insert(0, Plan(stream="users", reason="for timezone", count=1))
        if self.needs_forms and not self._reads("forms"):
            plans.insert(0, Plan(stream="forms", reason="for the NPS streams", count=1))
        return plans

    def _asks_for_zone(self, plans: Sequence[Plan]) -> bool:
        """Tell whether the users are asked for though they are not selected: not if requests are counted, or no window is due."""
        is_worth_it = self.run.settings.max_requests is None and any(plan.requests for plan in plans)
        return is_worth_it and not self._reads("users")

    def _ask_ahead(self) -> None:
        """Ask for what comes next while something else is waited for. Not where requests are counted: each may be the last."""
        settings = self.run.settings
        if settings.concurrency > 1 and settings.max_requests is None:
            parts = [
                ((stream.name, form_id), stream.asks(form_id)) for stream in self.streams for form_id in stream.parts()
            ]
            has_exports = any(stream.is_export for stream in self.streams)
            self.run.client.ask_ahead(
                parts,
                while_waiting=self.run.work_while_waiting,
                errands=self.run.exporter.errands if has_exports else None,
            )

    def _start_first_jobs(self) -> None:
        """Start the first job of each bookmark before any report is asked for, so that Lexer works on it meanwhile."""
        errands, lookahead = self.run.exporter.errands, self.run.client.lookahead
        try:
            for stream in self.streams:
                if isinstance(stream, Export):
                    stream.start_first()
            if lookahead is not None:
                errands.wait_until(lambda: not errands.are_starting, self.run.work_while_waiting)
                lookahead.begin()
        except BaseException:
            if lookahead is not None:
                lookahead.close()
            raise

    def _may_be_of_one(self, error: AccessDeniedError | UnreachableError) -> TypeIs[AccessDeniedError]:
        """Tell whether a refusal may be for one list or report alone: the first 403, until another one shows that nothing is allowed."""
        if not isinstance(error, AccessDeniedError) or error.status != HTTPStatus.FORBIDDEN:
            return False
        if self._refused is None and len(self.streams) > 1:
            self._refused = error
        return self._refused is not None and str(self._refused) == str(error)  # (whoever needs the forms asks again)

    # Reading

    def _ask_for_forms(self) -> None:
        try:
            self.run.forms.nps_ids() if self.needs_forms else self.run.forms.all()
        except (AccessDeniedError, UnreachableError) as error:
            if not self._may_be_of_one(error):
                raise EndOfRun(str(error), exit_code=1) from error
        except (FatalAPIError, RetriableAPIError):
            pass  # the streams that need the forms will say so

    def prepare(self) -> None:
        """Do what comes before the first row: see whether the token works and `form_ids` exist, plan, and start the first jobs.

        It costs the one request for the forms that the run needs anyway (none if it does not need them), one for the users if they are not
        selected, and those that start jobs.

        Raises:
            ConfigValidationError: If `form_ids` names a form that does not exist.
            EndOfRun: If the token does not work or the API can't be reached.
        """
        if self.needs_forms or self._reads("forms"):
            self._ask_for_forms()
        plans = self.plans()
        for caution in cautions(self.run.settings, plans, needs_forms=self.needs_forms):
            self.run.logger.warning("%s", caution)
        if not self.streams:
            self.run.logger.warning("No stream is selected, so there is nothing to read [see: nothing-selected]")
        self.run.progress.expect(plans)
        if self.run.settings.max_requests is not None:
            self.streams = order_by_oldest_bookmark(self.streams, plans)
        elif sum(plan.count + plan.polls for plan in plans) > self.run.settings.rate_limit_requests:
            self.streams = order_by_length(self.streams, plans)
            self._let_others_go_on(while_jobs_run=True)
        if self._asks_for_zone(plans):
            ask_for_zone(self.run)
        self._ask_ahead()
        self._start_first_jobs()

    def steps(self) -> Generator[Step]:
        """All events of all streams, in the order in which they have to be dealt with.

        Where a run has to wait for the quota, an export whose next file is not there is set aside. It goes on between the windows of others.

        Raises:
            EndOfRun: If nothing else would work either.
        """
        aside: list[Generator[Step]] = []
        with ExitStack() as stack:
            if self.run.client.lookahead is not None:
                stack.callback(self.run.client.lookahead.close)
            for stream in self.streams:
                reading = stack.enter_context(closing(self.steps_of(stream)))
                for step in reading:
                    if step.event == "not yet":
                        aside.append(reading)
                        break
                    self.run.progress.turn_to(stream.name)
                    yield step
                    if step.event == "end" or isinstance(step.event, ReadUpTo):
                        yield from self._of_those_aside(aside)
            self._let_others_go_on(while_jobs_run=False)
            yield from self._of_those_aside(aside)

    def _of_those_aside(self, aside: list[Generator[Step]]) -> Generator[Step]:
        """The steps of streams that were set aside, as far as their files are there."""
        for reading in tuple(aside):
            for step in reading:
                if step.event == "not yet":
                    break
                self.run.progress.turn_to(step.stream.name)
                yield step
            else:
                aside.remove(reading)

    def _let_others_go_on(self, *, while_jobs_run: bool) -> None:
        for stream in self.streams:
            if isinstance(stream, Export):
                stream.lets_others_go_on = while_jobs_run

    def steps_of(self, stream: LexerStream) -> Generator[Step]:
        """All events of one stream. What was asked ahead for a part of it, and not read, is not needed after the part."""
        self._turn_to(None)
        yield Step(stream, None, "begin")
        for form_id in stream.parts() or [None]:
            part = stream.name, form_id
            self._turn_to(part)
            try:
                with closing(self._events(stream, form_id)) as events:
                    for event in events:
                        yield Step(stream, form_id, event)
                        self._turn_to(part)  # others may have been read meanwhile
            finally:
                if self.run.client.lookahead is not None:
                    self.run.client.lookahead.drop(part)
            yield Step(stream, form_id, "end of part")
        yield Step(stream, None, "end")

    def _turn_to(self, part: Hashable) -> None:
        if self.run.client.lookahead is not None:
            self.run.client.lookahead.part = part

    def _events(self, stream: LexerStream, form_id: int | None) -> Generator[Event]:
        """The events of one part. An error ends the part, and not the run, unless nothing else would work either."""
        progress, name = self.run.progress, stream.name
        progress.begin(name)
        polls = isinstance(stream, WindowedStream) and not stream.is_export  # exports poll while they wait
        if polls:
            self.run.poll_ahead()
        try:
            with closing(stream.events(form_id)) as events:
                for event in events:
                    if isinstance(event, ReadUpTo) and event.request is not None:
                        progress.read(name, event.request)
                    yield event
                    if polls and isinstance(event, ReadUpTo):
                        self.run.poll_ahead()
            progress.end(name)
        except (AccessDeniedError, UnreachableError) as error:
            if not self._may_be_of_one(error):
                raise EndOfRun(str(error), exit_code=1) from error
            self._fail(
                stream,
                f"{error.said}. If other streams are read, the token lacks access to this one: "
                f"deselect {name}, or ask for access [see: stream-not-allowed]",
                error,
            )
        except RequestsSpentError:
            progress.fall_short(name)
        except (FatalAPIError, RetriableAPIError) as error:
            self._fail(stream, f"{error}{self.run.refusals.advice(name, error)}", error)

    def _fail(self, stream: LexerStream, said: str, error: Exception) -> None:
        reason = see_last(said)
        stream.logger.error("%s failed: %s", stream.name, reason)
        self.run.progress.fail(stream.name, reason, error)


def ask_for_zone(run: Run) -> None:
    """Ask for the users to compare their time zones with the configured one. A warning is not worth an error, so none comes of it."""
    users = Users(run)
    try:
        users.compare_zone(users.fetch(tries=1))
    except (FatalAPIError, RetriableAPIError) as error:
        run.logger.debug("The time zones of the users are not known: %s", error)
