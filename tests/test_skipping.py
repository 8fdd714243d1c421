"""Windows that `skip_windows` names are passed over: no request, a warning, and the bookmark goes on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity import windows
from tap_lexer_activity.streams.ranges import stretches

if TYPE_CHECKING:
    from conftest import Tap
    from support.types import CatalogOf

    from tap_lexer_activity.sandbox import Sandbox

SYDNEY = ZoneInfo("Australia/Sydney")
FIRST = date(2026, 3, 30)  # the clocks change on 5 April
DAYS = st.integers(0, 20).map(lambda days: FIRST + timedelta(days=days))


@given(st.sets(DAYS), st.sampled_from(["day", "week", "hour"]))
def test_all_windows_but_those_that_are_named_stay_in_stretches(skipped: set[date], interval: windows.Interval) -> None:
    start = windows.start_of(FIRST, SYDNEY)
    wanted = list(windows.windows(start, start + timedelta(days=14), interval, SYDNEY))
    found, passed = stretches(wanted, skipped, SYDNEY)
    left = [window for stretch in found for window in stretch]
    assert left == [window for window in wanted if windows.local_date(window.start, SYDNEY) not in skipped]
    assert set(passed) == {windows.local_date(window.start, SYDNEY) for window in set(wanted) - set(left)}
    assert all(one.end == other.start for stretch in found for one, other in pairwise(stretch))
    assert all(one[-1].end < other[0].start for one, other in pairwise(found))


def test_no_request_is_sent_and_the_bookmark_goes_on(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    skipped = {"summary": ["2026-04-27", "2026-04-30"], "case_details": ["2026-04-28", "2026-04-30"]}
    config = sandbox.config(start_date="2026-04-26", skip_windows=skipped)
    run = tap.run(config, catalog=catalog_of("summary", "case_details"))
    assert run.code == 0, run.log
    assert [row["local_date"] for row in run.records["summary"]] == ["2026-04-26", "2026-04-28", "2026-04-29"]
    assert "have no rows: 2026-04-27, 2026-04-30" in run.log
    assert "have no rows: 2026-04-28, 2026-04-30" in run.log
    asked = [request.body for request in sandbox.requests if request.body]
    assert sum(body["type"] == "summary" for body in asked) == 3
    exports = [(body["date_from"][:10], body["date_to"][:10]) for body in asked if body["type"] == "case_details"]
    assert exports == [("2026-04-26", "2026-04-27"), ("2026-04-29", "2026-04-29")]
    for stream in skipped:
        bookmark = run.states[-1]["bookmarks"][stream]["replication_key_value"]
        assert datetime.fromisoformat(bookmark) == windows.start_of(date(2026, 5, 1), ZoneInfo(str(config["timezone"])))


def test_the_plan_counts_without_them(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf) -> None:
    config = sandbox.config(start_date="2026-04-26", skip_windows={"summary": ["2026-04-27"]})
    run = tap.run(config, "--plan", catalog=catalog_of("summary"))
    assert run.code == 0, run.log
    (line,) = [line for line in run.out.splitlines() if line.startswith("summary")]
    assert line.split()[1:3] == ["4", "4"]
