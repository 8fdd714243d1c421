"""First contact: series that differ from Lexer's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import Warehouse, select
from support.contact import Case, check

from tap_lexer_activity.sandbox.differences import series

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

SERIES: Final = ("states_volume", "response_volume", "case_volume")
STATES: Final = ("states_volume",)
SURVEYS: Final = ("nps_volume",)
ZONE: Final = {"timezone": "Australia/Sydney"}
LONG: Final = {**ZONE, "start_date": "2026-01-20", "lookback_days": 0}
HOURS: Final = {**ZONE, "series_interval": "hour"}
READ: Final = "labels are not in Lexer's documented form"


def case(difference: str, says: str, streams: tuple[str, ...] = SERIES, **more: Any) -> Case:
    """One whose rows all come, with a warning, unless it says otherwise."""
    return Case(difference, streams, **{"outcome": "warning", "says": says, "config": ZONE} | more)


CASES: Final[list[Case]] = [
    case("labels_with_seconds", READ, free=("date_label",)),
    case("labels_iso", READ, free=("date_label",)),
    case("labels_zulu", READ, free=("date_label",)),
    case("labels_in_utc", "labels are read in UTC", free=("date_label",)),
    case("labels_in_milliseconds", READ, free=("date_label",)),
    case("labels_with_the_day_first", "day first", free=("date_label",)),
    case("labels_with_am", READ, config=HOURS, free=("date_label",)),
    case("labels_of_dates", READ, free=("date_label",)),
    case("labels_of_ends", "labels are read as the ends of days", STATES, free=("date_label",)),
    case("ranges_as_text", "the labels of buckets came as 'date_range'"),
    case("ranges_with_ends", "date_range.date_to"),
    case("dates_for_ranges", "the labels of buckets came as 'date'"),
    case("wrapped_series", "the series came under 'data'"),
    case("empty_lists", "", outcome="rows", sandbox={"history_start": "2026-04-29"}),
    case("flat_series", "buckets came in one list", ("states_volume", "response_volume")),
    case("listed_series", "a list of series came"),
    case("series_by_date", "buckets came by their dates"),
    case("members_beside", "'total', 'meta' came beside the lists of buckets"),
    case("titled_states", "each state", STATES),
    case(
        "days_of_utc",
        "set series_zone to the zone Lexer counts in",
        STATES,
        outcome="refused",
        why="`series_zone` reads the days as they are, but they are other days",
    ),
    case("weeks_for_months", "Set max_range_days to", config=LONG),
    case("days_for_hours", "From now on, ranges have at most", config=HOURS),
    case("hours_for_a_week", "From now on, ranges have at least", STATES),
    case("part_of_a_range", "Set max_range_days to 30", (*SERIES, *SURVEYS), config=LONG),
    case("ranges_of_a_month", "Set max_range_days to", (*SERIES, *SURVEYS), config=LONG),
    case(
        "retention",
        'Set start_dates to {"summary": "2026-03-02"}',
        ("summary", *SERIES),
        config=LONG,
        keeps=lambda _, row: row["local_date"] >= "2026-03-02",
    ),
    case("survey_dates", "dates name no zone", SURVEYS),
    case("survey_one_time", "a date or a timestamp is missing", SURVEYS),
    case("surveys_by_date", "rows did not come as a list", SURVEYS),
    case("survey_weeks", "got longer steps", SURVEYS, config=LONG),
    case(
        "survey_row_more",
        "rows came for both edges",
        SURVEYS,
        outcome="refused",
        way={"series_label": "end"},
        sandbox={"messages_per_day": 60},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_difference_is_dealt_with_as_the_table_says(
    case: Case, tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    check(case, tap, new_sandbox)


def test_differences_that_fit_together_leave_no_row_out(tap: Tap, new_sandbox: Callable[..., Sandbox]) -> None:
    names = [name for name, difference in series.DIFFERENCES.items() if difference.is_contrary]
    catalog = select(*SERIES, *SURVEYS)
    tables = []
    for differences in ([], names):
        run = tap.run(new_sandbox(differences=differences).config(**LONG), catalog=catalog)
        assert run.code == 0, run.log
        rows = Warehouse().load(run).tables
        tables.append(
            {
                (stream, key): {name: value for name, value in row.items() if name != "date_label"}
                for stream, table in rows.items()
                for key, row in table.items()
            }
        )
    assert tables[0] == tables[1]
