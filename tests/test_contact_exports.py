"""First contact: exports that differ from Lexer's documents."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pytest
from conftest import Warehouse, select
from hypothesis import assume, given
from hypothesis import strategies as st
from support.contact import CONFIG, Case, check
from support.hosts import Host, status, with_length
from support.states import bookmark
from typing_extensions import override

from tap_lexer_activity.csv_exports.cells import read_numbers, read_times
from tap_lexer_activity.csv_exports.rows import Sections, from_header, is_sum, read_rows
from tap_lexer_activity.csv_exports.times import FORMS, only_form, time_reader
from tap_lexer_activity.sandbox.differences.exports import DIFFERENCES
from tap_lexer_activity.streams.export_files import may_be_cut_short
from tap_lexer_activity.streams.job_queue import in_parts
from tap_lexer_activity.windows import DAY, Request, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Run, Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

MESSAGES = ("mention_sla_export",)
ALL = ("mention_sla_export", "case_details", "nps_submissions")
LONG = {"start_date": "2026-04-15"}

CASES: Final[list[Case]] = [
    Case("complete_is_success", MESSAGES, "rows"),
    Case("pending_is_processing", ALL, "warning", "has the undocumented status 'processing'"),
    Case("pending_is_null", MESSAGES, "warning", "has the undocumented status (none)"),
    Case("unknown_at_first", MESSAGES, "rows"),
    Case("status_renamed", MESSAGES, "rows"),
    Case("relative_link", MESSAGES, "rows"),
    Case("token_under_id", MESSAGES, "rows"),
    Case(
        "no_data_in_words",
        MESSAGES,
        "warning",
        "Lexer says that there is no data: it is read as one without rows",
        config={"start_date": "2020-01-01", "end_date": "2020-01-08"},
    ),
    Case(
        "complete_without_link",
        MESSAGES,
        "refused",
        "Lexer says that it is complete, but names no file. A single day",
        config={"start_date": "2026-04-29", "export_timeout": 1, "export_retries": 0},
        why="there may be rows; `skip_windows` skips the day",
    ),
    Case("long_exports_fail", MESSAGES, "warning", "asking for it in halves", config=LONG),
    Case("long_exports_refused", ALL, "warning", "Set export_window_days (or max_range_days)", config=LONG),
    Case("file_zip", MESSAGES, "rows"),
    Case("file_utf16", ALL, "rows"),
    Case(
        "file_not_utf8",
        MESSAGES,
        "refused",
        "Set export_encoding to its encoding, such as Windows-1252",
        way={"export_encoding": "GB18030"},
    ),
    Case("file_semicolons", ALL, "rows"),
    Case("file_tabs", MESSAGES, "rows"),
    Case("file_cr", MESSAGES, "rows"),
    Case("file_title", ALL, "warning", "lines above the header, which are left out: 1"),
    Case("file_sum", ALL, "warning", "the last line is a total, and is left out"),
    Case("file_joined", ALL, "warning", "there are other headers in the middle of the file"),
    Case(
        "file_without_header",
        ("nps_submissions",),
        "refused",
        "it begins with a row",
        why="without a header, nobody knows the columns: ask Lexer for it",
    ),
    Case(
        "file_capped",
        MESSAGES,
        "warning",
        "an export has exactly 1,000 rows, though there are more: Lexer sends no more in one file",
        config={"start_date": "2026-03-01", "export_window_days": 90},
        sandbox={"messages_per_day": 40},
    ),
    Case(
        "file_days_first",
        MESSAGES,
        "warning",
        "Set export_time_formats to their form, which is '%d/%m/%Y %H:%M:%S'",
        keeps=lambda *_: False,  # (see below)
    ),
    Case("file_times_in_words", MESSAGES, "warning", "which is '%b %d, %Y %I:%M:%S %p'", keeps=lambda *_: False),
    Case("file_thousands", MESSAGES, "rows"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_difference_is_dealt_with_as_the_table_says(
    case: Case, tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    check(case, tap, new_sandbox)


def test_all_that_fit_together_bring_every_row(tap: Tap, new_sandbox: Callable[..., Sandbox]) -> None:
    contrary = [name for name, difference in DIFFERENCES.items() if difference.is_contrary]
    tables = []
    for differences in ([], contrary):
        sandbox = new_sandbox(export_seconds=0, differences=differences)
        run = tap.run(sandbox.config(**CONFIG), catalog=select(*ALL))
        assert run.code == 0, run.log
        tables.append(Warehouse().load(run).tables)
    expected, found = tables
    assert {name: rows.keys() for name, rows in found.items()} == {name: rows.keys() for name, rows in expected.items()}
    assert len(expected) == len(ALL)


@pytest.mark.parametrize("separator", ["file_semicolons", "file_tabs", "file_zip"])
def test_a_file_without_rows_between_its_title_and_its_sum_is_an_empty_one(
    separator: str, tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    sandbox = new_sandbox(export_seconds=0, differences=["file_title", "file_sum", separator])
    config = sandbox.config(start_date="2020-01-01", end_date="2020-01-08")
    run = tap.run(config, catalog=select(*ALL))
    assert run.code == 0, run.log
    assert run.records == {}
    assert "title above the header" in run.log
    assert bookmark(run.state, "case_details") is not None


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("difference", "form"),
    [("file_days_first", "%d/%m/%Y %H:%M:%S"), ("file_times_in_words", "%b %d, %Y %I:%M:%S %p")],
)
def test_times_in_another_form_are_kept_as_text_and_read_by_the_setting(
    difference: str, form: str, tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    def rows(run: Run) -> list[dict[str, Any]]:
        free = {"record_id", "additional_columns"}
        return [{name: row[name] for name in row if name not in free} for row in run.records["mention_sla_export"]]

    catalog = select("mention_sla_export")
    truth, other = new_sandbox(export_seconds=0), new_sandbox(export_seconds=0, differences=[difference])
    expected = tap.run(truth.config(**CONFIG), catalog=catalog)
    kept = tap.run(other.config(**CONFIG), catalog=catalog)
    read = tap.run(other.config(**CONFIG, export_time_formats=[form]), catalog=catalog)
    assert (kept.code, read.code) == (0, 0), kept.log
    assert rows(read) == rows(expected) != []
    assert "| WARNING " not in read.log
    texts = [row["additional_columns"]["Customer Publish Date (UTC)"] for row in kept.records["mention_sla_export"]]
    times = [row["customer_publish_date_utc"] for row in read.records["mention_sla_export"]]
    assert [f"{datetime.strptime(text, form).isoformat()}Z" for text in texts] == times  # noqa: DTZ007 (of a cell)
    assert {row["record_id"] for row in kept.records["mention_sla_export"]} == {
        row["record_id"] for row in read.records["mention_sla_export"]
    }, "the setting changes no id"


# Parts of files, as pure functions

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)
NAMES = ("Account Name", "Source Type", "Customer Message", "State")
KNOWN = frozenset({"account_name", "source_type", "customer_message", "state"})


@given(
    rows=st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=60),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
)
def test_rows_are_the_same_however_they_are_written(rows: list[list[str]], separator: str, end: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([NAMES, *rows])
    found = list(read_rows(io.StringIO(text.getvalue(), newline="")))
    assert found == [list(NAMES), *rows]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a;b\n1;2,5\n", [["a", "b"], ["1", "2,5"]]),
        ("a;b;c\n1;2,5;3\n", [["a", "b", "c"], ["1", "2,5", "3"]]),
        ('Name;"Wait, min";Note\nx;1,5;y\n', [["Name", "Wait, min", "Note"], ["x", "1,5", "y"]]),
        ("Score,Why\n9,a;b;c;d\n8,x;y;z;w\n", [["Score", "Why"], ["9", "a;b;c;d"], ["8", "x;y;z;w"]]),
        ("Q;x,R\n1,2\n", [["Q;x", "R"], ["1", "2"]]),
        ("Title; of it\na,b,c\n1,2,3\n", [["Title; of it"], ["a", "b", "c"], ["1", "2", "3"]]),
        ("Title, of it\na;b;c\n1;2;3\n", [["Title, of it"], ["a", "b", "c"], ["1", "2", "3"]]),
        ("Why\nx\nfoo;bar\n", [["Why"], ["x"], ["foo;bar"]]),
        ("Come; back\n", [["Come; back"]]),
        ("a,b\r1,x\ny\r2,z\r", [["a", "b"], ["1", "x\ny"], ["2", "z"]]),
        ("a,b\r\n1,x\r\n", [["a", "b"], ["1", "x"]]),
        ("", []),
    ],
)
def test_what_separates_columns_is_what_the_first_lines_leave_no_doubt_of(text: str, rows: list[list[str]]) -> None:
    assert list(read_rows(io.StringIO(text, newline=""))) == rows


@given(rows=st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=30), titles=st.integers(0, 5))
def test_a_header_with_known_columns_is_found_below_titles(rows: list[list[str]], titles: int) -> None:
    lines = [*[["Export of Acme"]] * titles, list(NAMES), *rows]
    header, above, below = from_header(iter(lines), KNOWN)
    assert (header, above, list(below)) == (list(NAMES), titles, rows)


@given(
    parts=st.lists(
        st.tuples(st.permutations(NAMES), st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=5)),
        min_size=1,
        max_size=4,
    ),
    size=st.integers(1, 7),
)
def test_rows_are_read_by_the_header_that_they_stand_under(
    parts: list[tuple[list[str], list[list[str]]]], size: int
) -> None:
    first, rows = parts[0]
    lines = [*rows, *(line for names, below in parts[1:] for line in [list(names), *below])]
    chunks = (lines[place : place + size] for place in range(0, len(lines), size))
    found = [
        dict(zip(header, row, strict=True))
        for header, chunk in Sections(list(first), KNOWN).of(chunks)
        for row in chunk
    ]
    assert found == [dict(zip(names, row, strict=True)) for names, below in parts for row in below]


def test_a_row_that_shares_a_cell_with_the_header_is_a_row() -> None:
    rows = [["Score", "fine"], ["9", "Why"], ["Score", "Why"], ["9", "fine"]]
    sections = Sections(["Score", "Why"], frozenset())
    assert [row for _, chunk in sections.of([rows]) for row in chunk] == [rows[0], rows[1], rows[3]]
    assert (sections.repeated, sections.others) == (1, 0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["Total: 81 messages"], True),
        (["Total", "", "81", ""], True),
        (["Grand total", "12", "", "", ""], True),
        (["Sum", "1,234.5", "", "", "", ""], True),
        (["Total Energies", "Email", "2026-01-05 10:00:00", "new"], False),
        (["Total Energies"], False),
        (["Total", "", "", ""], False),
        (["81 rows"], False),
        ([""], False),
        ([], False),
    ],
)
def test_a_sum_is_a_word_for_it_and_numbers(row: list[str], expected: bool) -> None:
    assert is_sum(row) is expected


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *[("1,234.5", "1234.5"), ("-1,234.50", "-1234.50"), ("1,234,567", "1234567"), ("+12.5", "12.5"), (".5", "0.5")],
        *[("1.234,5", "1234.5"), ("12,5", "12.5"), ("0,125", "0.125"), ("1.234", "1.234"), ("1e5", "1E+5")],
        *[("1,234", None), ("12.5 min", None), ("1,23,4", None), ("1,234.567.8", None), ("-", None), ("", None)],
    ],
)
def test_a_number_is_read_if_it_can_be_read_in_one_way(cell: str, number: str | None) -> None:
    assert read_numbers([cell]) == [None if number is None else Decimal(number)]


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["15/06/2019 10:22", "01/02/2019 00:00"], "%d/%m/%Y %H:%M"),
        (["06/15/2019 10:22 AM"], "%m/%d/%Y %I:%M %p"),
        (["15 Jun 2019 10:22"], "%d %b %Y %H:%M"),
        (["Jun 15, 2019"], "%b %d, %Y"),
        (["2019-06-15 10:22 AM"], "%Y-%m-%d %I:%M %p"),
        (["01/02/2019 10:22", "03/04/2019 10:22"], None),
        (["15/06/2019 10:22", "06/15/2019 10:22"], None),
        (["soon 123"], None),
        ([], None),
    ],
)
def test_the_form_of_times_is_named_if_it_is_the_only_one(cells: list[str], form: str | None) -> None:
    assert only_form(cells) == form


@given(moment=st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)), form=st.sampled_from(FORMS))
def test_a_time_in_any_form_is_read_by_it_in_its_zone(moment: datetime, form: str) -> None:
    text = moment.strftime(form)
    assume(read_times([text]) == [None])  # (what is written as year, month and day is in UTC)
    expected = datetime.strptime(text, form)  # noqa: DTZ007 (likewise)
    (in_utc,) = time_reader([form], None)([text])
    (local,) = time_reader([form], ZoneInfo("Australia/Sydney"))([text])
    assert in_utc is not None
    assert local is not None
    assert datetime.fromisoformat(in_utc).replace(tzinfo=None) == expected
    shown = datetime.fromisoformat(local).astimezone(ZoneInfo("Australia/Sydney")).replace(tzinfo=None)
    assert abs(shown - expected) <= timedelta(hours=1), "but for the hour that a clock leaves out"


# Rows without a time, in windows that have to be cut


class Untimed(Host):
    """Sends one row without a time for each export, and gives up those of more than a day."""

    def __init__(self, *, is_time_known: bool) -> None:
        time = b"2026-03-05 10:00:00" if is_time_known else b""
        super().__init__(with_length(b"Account,Network,Date Opened,Score\r\nAcme,Email,%s,9\r\n" % time))

    @override
    def next(self, kind: str) -> bytes:
        body = json.loads(next(job for job in reversed(self.jobs) if job.startswith("{")))
        is_long = body["date_from"][:10] != body["date_to"][:10]
        return status("failed") if kind == "status" and is_long else super().next(kind)


def test_rows_that_only_their_order_tells_apart_are_not_read_from_a_part_of_their_window(tap: Tap) -> None:
    settings = {"start_date": "2026-03-05", "end_date": "2026-03-07", "export_retries": 0}
    with Untimed(is_time_known=False) as host:
        run = tap.run(host.config(**settings), catalog=select("case_details"))
        short = tap.run(host.config(**settings, export_window_days=1), catalog=select("case_details"))
    assert (run.code, run.records) == (1, {})
    assert "a window that had to be split has rows without a time" in run.errors[0]
    assert "Set export_window_days to 1 or less" in run.errors[0]
    assert (short.code, len(short.records["case_details"])) == (0, 2), short.log
    with Untimed(is_time_known=True) as host:
        run = tap.run(host.config(**settings), catalog=select("case_details"))
    assert (run.code, len(run.records["case_details"])) == (0, 2), run.log


# Requests in parts


@given(days=st.integers(1, 60), most=st.integers(1, 60), lead=st.integers(0, 3))
def test_a_request_in_parts_has_every_day_once(days: int, most: int, lead: int) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    each = tuple(Window(first + DAY * day, first + DAY * (day + 1)) for day in range(days))
    request = Request(Window(first - DAY * lead, each[-1].end - timedelta(hours=5)), each)
    parts = in_parts(request, most)
    assert tuple(day for part in parts for day in part.windows) == each
    assert all(1 <= len(part.windows) <= most for part in parts)
    assert [part.asked.start for part in parts[1:]] == [part.asked.end for part in parts[:-1]]
    assert (parts[0].asked.start, parts[-1].asked.end) == (request.asked.start, request.asked.end)
    assert len(parts) == -(-days // most)


@pytest.mark.parametrize("count", [1000, 2500, 10_000, 50_000, 65_536, 1_048_575, 5_000_000])
def test_a_number_of_rows_at_which_servers_stop_is_looked_into(count: int) -> None:
    assert may_be_cut_short(count)
    assert not may_be_cut_short(count + 2)


@pytest.mark.parametrize("count", [0, 1, 10, 500, 1100, 12_000])
def test_other_numbers_of_rows_are_not(count: int) -> None:
    assert not may_be_cut_short(count)
