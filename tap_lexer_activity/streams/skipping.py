"""Windows that are passed over: those of the setting `skip_windows`, for answers that Lexer does not give for good."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tap_lexer_activity import windows
from tap_lexer_activity.errors import (
    AccessDeniedError,
    NotAllowedError,
    QuotaExceededError,
    RequestsSpentError,
    UnreachableError,
)
from tap_lexer_activity.http.reasons import NoConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from tap_lexer_activity.windows import Interval, Request, Window

_NOT_OF_A_WINDOW: Final = (
    AccessDeniedError,
    NoConnectionError,
    NotAllowedError,
    QuotaExceededError,
    RequestsSpentError,
    UnreachableError,
)
"""Errors that the next window would meet as well."""


def stretches(
    wanted: Sequence[Window], skipped: AbstractSet[date], zone: ZoneInfo
) -> tuple[list[list[Window]], list[date]]:
    """Consecutive windows without those that are passed over, in stretches, and the dates of those that are.

    Args:
        wanted: Windows, in their order.
        skipped: First dates of windows to pass over.
        zone: The zone of the dates.
    """
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


def end_of_passed(
    start: datetime, present: datetime, skipped: AbstractSet[date], interval: Interval, zone: ZoneInfo
) -> datetime | None:
    """The end of the windows from an instant on that are passed over, without one that is not; `None` if the first is not."""
    end = None
    for window in windows.windows(start, present, interval, zone) if skipped else ():
        if window.end > present or windows.local_date(window.start, zone) not in skipped:
            break
        end = window.end
    return end


def name_the_setting(error: Exception, stream: str, request: Request, zone: ZoneInfo) -> None:
    """Let an error about one window that may last say how to go on without the window."""
    if isinstance(error, _NOT_OF_A_WINDOW) or not request.windows:
        return
    first = windows.local_date(request.windows[0].start, zone).isoformat()
    if len(request.windows) == 1:
        advice = f"If that lasts, go on without this window: set skip_windows to {json.dumps({stream: [first]})}"
    else:
        advice = f"If that lasts, and is for one window, go on without it: set skip_windows to its first date ({stream}: {first} or later)"
    error.args = (f"{error}. {advice}", *error.args[1:])


def cut(
    wanted: Sequence[Window],
    skipped: AbstractSet[date],
    zone: ZoneInfo,
    requests: Callable[[list[Window]], list[Request]],
    say: Callable[[str], None],
) -> list[Request]:
    """The requests for all windows but those that are passed over, of which is told."""
    if not skipped:
        return requests(list(wanted))
    found, passed = stretches(wanted, skipped, zone)
    if passed:
        say(f"windows are passed over, as skip_windows says, and bring no rows: {', '.join(map(str, passed))}")
    return [request for stretch in found for request in requests(stretch)]
