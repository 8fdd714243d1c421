"""Windows to skip: those of the setting `skip_windows`, which Lexer never answers."""

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

    from tap_lexer_activity.run.run import Run
    from tap_lexer_activity.settings.settings import Settings
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


def end_of_passed(
    start: datetime, settings: Settings, stream: str, interval: Interval, zone: ZoneInfo
) -> datetime | None:
    """The end of the windows to skip, one after the other, from an instant on.

    `None` if the first is not, or if a backfill leaves the bookmarks as they are.
    """
    end, present = None, settings.present
    skipped = settings.skip_windows.get(stream)
    if settings.backfill is not None or not skipped:
        return None
    for window in windows.windows(start, present, interval, zone):
        if window.end > present or windows.local_date(window.start, zone) not in skipped:
            break
        end = window.end
    return end


def name_the_setting(error: Exception, stream: str, request: Request, zone: ZoneInfo) -> None:
    """Let an error that may last for one window say how to skip the window."""
    if isinstance(error, _NOT_OF_A_WINDOW) or not request.windows or "skip_windows" in str(error):
        return
    first = windows.local_date(request.windows[0].start, zone).isoformat()
    advice = (
        f"If it keeps failing, skip this window: set skip_windows to {json.dumps({stream: [first]})}"
        if len(request.windows) == 1
        else f"If it keeps failing for one window, skip that: set skip_windows to its first date ({stream}: {first} or later)"
    )
    error.args = (f"{error}. {advice} [see: window-not-answered]", *error.args[1:])


def cut(
    run: Run, stream: str, wanted: Sequence[Window], zone: ZoneInfo, requests: Callable[[list[Window]], list[Request]]
) -> list[Request]:
    """The requests for all windows of a stream but those to skip, which a warning names."""
    skipped = run.settings.skip_windows.get(stream)
    if not skipped:
        return requests(list(wanted))
    found, passed = stretches(wanted, skipped, zone)
    if passed:
        said = f"windows are skipped, as skip_windows says, and have no rows: {', '.join(map(str, passed))} [see: windows-skipped]"
        run.notices.accept(stream, "windows skipped", said)
    return [request for stretch in found for request in requests(stretch)]
