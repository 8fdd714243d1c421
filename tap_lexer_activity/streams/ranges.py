"""Ranges of time that Lexer does not answer as its documents say: what a run learns of them, and what it asks for in their place.

Windows of the setting `skip_windows` are never asked for.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity import windows
from tap_lexer_activity.errors import (
    AccessDeniedError,
    NotAllowedError,
    QuotaExceededError,
    RangeTooLongError,
    RangeTooShortError,
    RequestsSpentError,
    UnavailableError,
    UnreachableError,
)
from tap_lexer_activity.http.reasons import NoConnectionError
from tap_lexer_activity.windows import Request, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.windows import Interval

SHORTEST: Final = {"day": timedelta(days=5), "hour": timedelta(days=1)}
"""The shortest that a range may be learnt to be, by the length of a bucket."""

_LONGEST_SHORTEST: Final = timedelta(days=40)
"""A daily range is not made longer than this, where Lexer answers shorter ones in hours."""

_TOO_MUCH: Final = re.compile(r": 504\b")
_MOST_TOO_MUCH: Final = 4
"""Most times that a range is cut in halves for a 504, which may have another cause."""

_RETAINED: Final = re.compile(
    r"\bretention\b|\bretained\b|\btoo old\b|\bolder than\b|\bfar (?:back|in the past)\b|\bearliest\b|\bno longer available\b|"
    r"\bavailable (?:only )?(?:from|since|after|before)\b|\bmust (?:not )?be (?:on or )?(?:after|later|before|earlier)\b|"
    r"\b(?:before|prior to|precedes?|earlier than)\b.{0,60}\b(?:account|created|creation|data|sign-?up|history|oldest|start)\b",
    re.IGNORECASE,
)
"""Words of a refusal that say that there is no data as old as what was asked for."""


_NOT_OF_A_WINDOW: Final = (
    AccessDeniedError,
    NoConnectionError,
    NotAllowedError,
    QuotaExceededError,
    RequestsSpentError,
    UnreachableError,
)
"""Errors that the next window would meet as well."""


class Ranges:
    """The requests of one stream for ranges of time. They begin with what the run has learnt of other streams.

    `requests` puts consecutive windows into requests that are not longer than `longest`.
    """

    def __init__(
        self,
        run: Run,
        stream: str,
        interval: Interval,
        zone: ZoneInfo,
        requests: Callable[[list[Window]], list[Request]],
    ) -> None:
        self._run = run
        self._stream = stream
        self._interval = interval
        self._zone = zone
        self._requests = requests
        self._skipped = run.settings.skip_windows.get(stream, frozenset())
        self._too_much = 0
        self._known: timedelta | None = None
        """The longest range before it was learnt that a shorter one is not answered either."""

    def cut(self, wanted: Sequence[Window]) -> list[Request]:
        """The requests for all windows but those to skip, which a warning names."""
        found, passed = stretches(wanted, self._skipped, self._zone)
        if passed:
            said = f"windows are skipped, as skip_windows says, and have no rows: {', '.join(map(str, passed))} [see: windows-skipped]"
            self._run.notices.accept(self._stream, "windows skipped", said)
        return [request for stretch in found for request in self._requests(stretch)]

    def end_of_skipped(self, start: datetime) -> datetime | None:
        """The end of the windows to skip, one after the other, from an instant on; `None` if the first is not."""
        end, present = None, self._run.settings.present
        for window in windows.windows(start, present, self._interval, self._zone) if self._skipped else ():
            if window.end > present or windows.local_date(window.start, self._zone) not in self._skipped:
                break
            end = window.end
        return end

    def name_the_setting(self, error: Exception, request: Request) -> None:
        """Let an error that may last for one window say how to skip the window."""
        if isinstance(error, _NOT_OF_A_WINDOW) or not request.windows or "skip_windows" in str(error):
            return
        first = windows.local_date(request.windows[0].start, self._zone).isoformat()
        advice = (
            f"If it keeps failing, skip this window: set skip_windows to {json.dumps({self._stream: [first]})}"
            if len(request.windows) == 1
            else f"If it keeps failing for one window, skip that: set skip_windows to its first date ({self._stream}: {first} or later)"
        )
        error.args = (f"{error}. {advice} [see: window-not-answered]", *error.args[1:])

    @property
    def longest(self) -> timedelta:
        """The longest range of a request, as far as is known."""
        given = min(timedelta(days=self._run.settings.max_range_days), windows.LONGEST)
        return min(given, self._run.learnt_lengths.get((self._interval, "longest"), given))

    @property
    def shortest(self) -> timedelta:
        """The shortest range that is answered in days, as far as is known."""
        return self._run.learnt_lengths.get((self._interval, "shortest"), windows.SHORTEST_DAILY)

    def parts(self, request: Request) -> list[Request]:
        """The requests to send in place of one that was planned before more was learnt; itself, if there is nothing to change."""
        is_long = len(request.windows) > 1 and request.asked.length > self.longest
        is_short = self._interval == "day" and windows.SHORTEST_DAILY < self.shortest > request.asked.length
        return self.cut(request.windows) if is_long or is_short else [request]

    def after(
        self,
        error: FatalAPIError | RetriableAPIError,
        request: Request,
        left: Sequence[Request],
        ask: Callable[[Request], Any],
    ) -> list[Request] | None:
        """The requests in place of one that was not answered and of those that come after it, or `None` if no other would be answered."""
        if isinstance(error, AccessDeniedError | NotAllowedError):
            return None
        if isinstance(error, FatalAPIError) and _is_too_old(error):
            return self._moved_up(error, [request, *left], ask)
        if isinstance(error, RangeTooShortError):
            return [request, *left] if self._is_longer_learnt(error, request) else None
        if isinstance(error, RangeTooLongError):
            return [request, *left] if self._is_shorter_learnt(error, request, error.longest) else None
        if isinstance(error, UnavailableError) and _TOO_MUCH.search(str(error)) and self._too_much < _MOST_TOO_MUCH:
            self._too_much += 1
            return [request, *left] if self._is_shorter_learnt(error, request, None) else None
        return None

    def _is_shorter_learnt(self, error: Exception, request: Request, longest: timedelta | None) -> bool:
        """True if a shorter range may be answered; if so, the run remembers its length."""
        shortest = SHORTEST.get(self._interval)
        if shortest is None or len(request.windows) < 2:  # noqa: PLR2004 (one can't be cut)
            return False
        length = longest if longest is not None and longest < request.asked.length else request.asked.length / 2
        unit = windows.DAY if self._interval == "day" else windows.HOUR
        length = max(shortest, length // unit * unit)
        learnt, key = self._run.learnt_lengths, (self._interval, "longest")
        if self._known is None:
            self._known = self.longest
        learnt[key] = length
        if any(part.asked.length >= request.asked.length for part in self.cut(request.windows)):
            # The length was not what it was about: other streams shall not be asked for in pieces for it.
            learnt[key] = self._known
            return False
        days = length // windows.DAY
        way = f"Set max_range_days to {days} to spare the next run the search"
        shown = f"{days} days. {way}" if self._interval == "day" else f"{length // windows.HOUR} hours"
        said = f"{error}. From now on, ranges have at most {shown} [see: range-shortened]"
        self._run.notices.accept(self._stream, f"ranges of more than {length // windows.HOUR} hours", said)
        return True

    def _is_longer_learnt(self, error: Exception, request: Request) -> bool:
        """True if a longer range may be answered in days; if so, the run remembers its length."""
        length = 2 * max(self.shortest, request.asked.length)
        if length > min(_LONGEST_SHORTEST, self.longest):
            # The length was not what it was about, and other streams shall not be asked for more for it.
            self._run.learnt_lengths.pop((self._interval, "shortest"), None)
            return False
        self._run.learnt_lengths[self._interval, "shortest"] = length
        said = f"{error}. From now on, ranges have at least {length // windows.DAY} days"
        self._run.notices.accept(self._stream, f"ranges of less than {length // windows.DAY} days", said)
        return True

    def _moved_up(
        self, error: FatalAPIError, refused: list[Request], ask: Callable[[Request], Any]
    ) -> list[Request] | None:
        """The requests from the first day on that Lexer does not refuse for its age; `None` if it refuses all."""
        wanted = [window for request in refused for window in request.windows][1:]
        size = 5 if self._interval == "day" and len(refused[0].windows) > 1 else 1
        present = self._run.settings.present

        def is_answered(index: int) -> bool:
            part = tuple(wanted[index : index + size])
            try:
                ask(Request(Window(part[0].start, min(part[-1].end, present)), part))
            except RetriableAPIError:
                raise
            except FatalAPIError as refusal:
                if isinstance(refusal, AccessDeniedError | NotAllowedError) or not _is_too_old(refusal):
                    raise
                return False
            return True

        low, high = -1, len(wanted) - size
        if high < 0 or not is_answered(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if is_answered(middle) else (middle, high)
        first = windows.local_date(wanted[high].start, self._run.settings.zone)
        self._run.notices.accept(
            self._stream,
            f"nothing before {first}",
            f"{error}. Lexer has data from {first} on, so this stream begins there: nothing older is read. "
            f'Set start_dates to {{"{self._stream}": "{first}"}} to spare the next run the search [see: range-too-old]',
        )
        return self.cut(wanted[high:])


def _is_too_old(error: FatalAPIError) -> bool:
    """True if Lexer refused what was asked for because it is too old: other words of an error are the tap's own."""
    return bool(_RETAINED.search(str(error).partition("Lexer says: ")[2]))


def stretches(
    wanted: Sequence[Window], skipped: AbstractSet[date], zone: ZoneInfo
) -> tuple[list[list[Window]], list[date]]:
    """Consecutive windows in stretches, without those that begin on dates to skip; and the dates of those, in a zone."""
    result: list[list[Window]] = []
    passed: list[date] = []
    for window in wanted:
        if skipped and (day := windows.local_date(window.start, zone)) in skipped:
            passed.append(day)
        elif result and result[-1][-1].end == window.start:
            result[-1].append(window)
        else:
            result.append([window])
    return result, list(dict.fromkeys(passed))
