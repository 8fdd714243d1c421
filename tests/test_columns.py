"""From headers and cells to columns and values."""

from __future__ import annotations

import csv
import io
import json
import re
import time as clock
import tracemalloc
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity.csv_exports.cells import (
    Numbers,
    read_booleans,
    read_integers,
    read_numbers,
    read_times,
    usual_numbers,
)
from tap_lexer_activity.csv_exports.convert import Converter
from tap_lexer_activity.csv_exports.identity import Identity
from tap_lexer_activity.csv_exports.names import column_name, column_schema, matched, unique_headers, with_columns
from tap_lexer_activity.csv_exports.rows import has_nul, is_cut_off, read_rows
from tap_lexer_activity.csv_exports.times import LocalDates, place_of_time
from tap_lexer_activity.windows import local_date

TEXT = {"type": ["null", "string"]}
NUMBER = {"type": ["null", "number"]}
TIME = {"type": ["null", "string"], "format": "date-time"}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Customer Wait Time (min)", "customer_wait_time_min"),
        ("Last Action Date (UTC)", "last_action_date_utc"),
        ("Agent Reponse Date (UTC)", "agent_response_date_utc"),
        ("Agent Response Date (UTC)", "agent_response_date_utc"),
        ("  State ", "state"),
        ("Größe / Øl", "grosse_ol"),
        ("Ħal Ŧarxien, Ɨ and Ŋ", "hal_tarxien_i_and_n"),
        ("Frage ١٢", "frage_12"),
        ("Réponse n° 2", "reponse_n_2"),
        ("customerFullName", "customer_full_name"),
        ("NPS", "nps"),
        ("顧客", "顧客"),
        ("サポート", "サポート"),
        ("サホート", "サホート"),
        ("ｻﾎﾟｰﾄ (min)", "サポート_min"),
        ("고객 이름", "고객_이름"),
        ("ग्राहक का नाम", "ग्राहक_का_नाम"),
        ("श्री\u200dमान", "श्रीमान"),
        ("क\u200d\u093f", "कि"),
        ("اسم العميل، أول", "اسم_العميل_أول"),
        ("مُحَمَّد", "مُحَمَّد"),
        ("Tên khách hàng (Đà Nẵng)", "ten_khach_hang_da_nang"),
        ("Отзыв: йод", "отзыв_йод"),
        ("ǿ\u0301, 1\u0308 and ❤\ufe0f x", "o_1_and_x"),
        ("\u0301x", "x"),
        ("x" * 100, "x" * 60),
        ("%&/", ""),
        ("", ""),
        ("👍", ""),
    ],
)
def test_a_header_becomes_a_name(header: str, name: str) -> None:
    assert column_name(header) == name


def test_names_are_unique_and_leave_those_of_the_tap_alone() -> None:
    headers = ["State", "state", "", "!", "Date From", "x" * 70, "x" * 80, "x" * 60]
    found = with_columns({}, headers, {"date_from"})
    assert list(found) == [
        "state",
        f"state_{digest('state')}",
        "column_3",
        "column_4",
        f"date_from_{digest('Date From')}",
        f"{'x' * 51}_{digest('x' * 70)}",
        f"{'x' * 51}_{digest('x' * 80)}",
        "x" * 60,
    ]
    assert [column["title"] for column in found.values()] == ["State", "state", "(column 3)", *headers[3:]]
    own = {"date_from": TEXT}
    assert list(with_columns(own, ["Date From"], own)) == ["date_from", f"date_from_{digest('Date From')}"]
    assert unique_headers(["A", "A", "", ""]) == ["A", "A (2)", "(column 3)", "(column 4)"]


def digest(header: str) -> str:
    return blake2b(header.encode(), digest_size=4).hexdigest()


LONG = "On a scale from zero to ten, how likely are you to recommend us to your {}"


@given(st.permutations([LONG.format("friends"), LONG.format("colleagues"), LONG.format("boss"), "Why", "Sent (UTC)"]))
def test_a_long_question_has_its_column_wherever_it_stands(headers: list[str]) -> None:
    found = with_columns({}, headers)
    assert found == with_columns({}, sorted(headers))
    assert matched(headers, found) == [next(n for n, c in found.items() if c["title"] == header) for header in headers]


def test_a_column_that_discovery_has_found_is_for_its_header_and_no_other() -> None:
    one = with_columns({"state": TEXT}, ["State", "Why?", "Why?", "Score"])
    both = with_columns(one, ["Why!", "score", "Score"])
    assert list(both) == [
        "state",
        "why",
        f"why_{digest('Why? (2)')}",
        "score",
        f"why_{digest('Why!')}",
        f"score_{digest('score')}",
    ]
    assert matched(["Why!", "Score", "STATE", "State"], both) == [f"why_{digest('Why!')}", "score", "state", None]
    assert matched(["Why!"], one) == [None], "it is kept under its own words"
    assert matched(["Why!"], {"why": TEXT}) == ["why"], "of a catalog that was written by hand"
    assert with_columns(both, ["Why!", "Score", "state", "Why?"]) == both


@given(st.lists(st.text(max_size=80), max_size=30), st.sets(st.sampled_from(["state", "record_id", "column_1"])))
def test_any_header_gives_usable_names(headers: list[str], taken: set[str]) -> None:
    found = with_columns({}, headers, taken)
    assert len(found) == len(headers)
    assert not taken & found.keys()
    for name in found:
        assert 1 <= len(name) <= 60
        assert len(name.encode()) <= 60
        assert re.fullmatch("(_|AM*)+", kinds(name))
        assert name == unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", name.casefold())
    assert matched(headers, found, taken) == list(found)
    assert len(set(unique_headers(headers))) == len(headers)


def kinds(name: str) -> str:
    """The characters of a name by what they are: `A` for a letter or digit, `M` for a mark, or themselves."""
    return "".join(
        "A" if char.isalnum() else "M" if unicodedata.category(char).startswith("M") else char for char in name
    )


@pytest.mark.parametrize(
    ("header", "kind", "said"),
    [
        ("Closed (UTC)", {"type": ["null", "string"], "format": "date-time"}, "Time in UTC."),
        ("In Queue (min)", {"type": ["null", "number"]}, "Minutes."),
        (" Within Customer SLA ", {"type": ["null", "boolean"]}, "Yes or no."),
        ("Within reach", {"type": ["null", "string"]}, "Text."),
        ("Our SLA", {"type": ["null", "string"]}, "Text."),
    ],
)
def test_the_header_says_the_type(header: str, kind: dict[str, Any], said: str) -> None:
    description = f"Column {header!r} of the export, found by discovery. Lexer does not document it. {said}"
    assert column_schema(header) == {"description": description, **kind}


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("Score", ["9", "", "10", "7.5"], {"type": ["null", "number"]}),
        ("Score", ["9", "10"], {"type": ["null", "string"]}),
        ("Score", ["9", "10", "none"], {"type": ["null", "string"]}),
        ("Phone", ["0412", "0413", "0414"], {"type": ["null", "string"]}),
        ("Sent", ["2026-04-30 10:00:00"] * 3, {"type": ["null", "string"], "format": "date-time"}),
        ("Sent (UTC)", ["30/04/2026", "-"], {"type": ["null", "string"]}),
        ("Sent (UTC)", ["-", "2026-04-30 10:00:00"], {"type": ["null", "string"], "format": "date-time"}),
        ("Wait (min)", ["", " "], {"type": ["null", "number"]}),
        ("Within Agent SLA", ["met", "broken"], {"type": ["null", "string"]}),
    ],
)
def test_cells_have_a_say_in_the_type(header: str, cells: list[str], kind: dict[str, Any]) -> None:
    rows = [["x", cell] for cell in cells] + [["short"]]
    found = with_columns({}, ["First", header], rows=rows)
    assert list(found)[1] == column_name(header)
    assert {name: value for name, value in found[column_name(header)].items() if name in {"type", "format"}} == kind


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2026-04-05 10:11:12", "2026-04-05T10:11:12Z"),
        ("2026-04-05T10:11:12", "2026-04-05T10:11:12Z"),
        ("2026-04-05 10:11", "2026-04-05T10:11:00Z"),
        ("2026-04-05 10:11:12.5", "2026-04-05T10:11:12.500000Z"),
        ("2026-04-05 10:11:12 UTC", "2026-04-05T10:11:12Z"),
        ("2026-04-05T10:11:12Z", "2026-04-05T10:11:12Z"),
        ("2026-04-05T10:11:12+10:00", "2026-04-05T00:11:12Z"),
        ("2024-02-29 00:00:00", "2024-02-29T00:00:00Z"),
        ("2026-02-29 00:00:00", None),
        ("2026-04-31 00:00:00", None),
        ("2026-04-05 24:00:00", None),
        ("05/04/2026 10:11", None),
        ("2026-04-05", None),
        ("NA", None),
        ("0", None),
        ("2026-W14-7T10:11:12", None),
        ("0000-01-01 00:00:00", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("2026-04-05T10:11:12+05:60", None),
    ],
)
def test_a_time_is_read_or_left_alone(cell: str, time: str | None) -> None:
    assert list(read_times([cell])) == [time]
    assert list(read_times(["2026-01-01 00:00:00", cell])) == ["2026-01-01T00:00:00Z", time], "also among others"


def test_a_time_with_an_offset_is_read_in_utc_wherever_the_tap_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Australia/Sydney")
        clock.tzset()
        assert read_times(["2026-04-05T10:11:12+10:00"]) == ["2026-04-05T00:11:12Z"]
    clock.tzset()


@pytest.mark.parametrize("cell", ["0", "-1", "12.50", "1e5", "123456789012345678901234567890.123456789"])
def test_a_number_keeps_its_digits(cell: str) -> None:
    assert str(read_numbers([cell])[0]) == str(Decimal(cell))


@pytest.mark.parametrize(
    "cell",
    ["NA", "nan", "Infinity", "1,500", "1_000", " 1", "01", "1.", "+", "1\n2", "1e9999", "1e309", "-18e307", "٣"],
)
def test_what_json_would_not_call_a_number_is_left_alone(cell: str) -> None:
    assert list(read_numbers([cell])) == [None]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("15", 15), ("15.0", 15), ("1e2", 100), ("2.5", None), ("1e-1", None), ("soon", None), ("1" * 5000, None)],
)
def test_a_whole_number_is_one_however_it_is_written(cell: str, number: int | None) -> None:
    (found,) = read_integers([cell])
    assert (found, type(found)) == (number, type(number))


USUAL_TIMES = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat(" "))
ODD_TIMES = ["", "2026-02-29 10:00:00", "2026-01-01 24:00:00", "2026-01-01T10:00:00", "2026-01-01\n10:00:00"]
ODD_TIMES += [
    "2026-01-01 10:00",
    "2026-01-01 10:00:00Z\n2026-01-01 10:00:00",
    "2026-W01-1 10:00:00",
    "٢026-01-01 10:00:00",
]


@given(st.lists(USUAL_TIMES, max_size=5), st.lists(st.sampled_from(ODD_TIMES) | USUAL_TIMES, max_size=2))
def test_usual_times_are_read_together_as_each_by_itself(usual: list[str], others: list[str]) -> None:
    cells = [*usual, *others]
    assert list(read_times(cells)) == [read_times(["no time", cell])[1] for cell in cells]


USUAL_NUMBERS = st.from_regex(r"-?(0(?!\.0{6})|[1-9][0-9]{0,30})(\.[0-9]{1,30})?", fullmatch=True) | st.just("")
ODD_NUMBERS = [
    "1\n2",
    "\n",
    "01",
    "1.",
    ".5",
    "+5",
    "++5",
    "-+5",
    "+-.5",
    "0.000000",
    "-",
    "1e5",
    "1,234.5",
    "NA",
    "٣",
    "1" * 101,
    "0." + "1" * 100,
    "0.0000001",
]


@given(st.lists(USUAL_NUMBERS, max_size=5), st.lists(st.sampled_from(ODD_NUMBERS) | USUAL_NUMBERS, max_size=2))
def test_usual_numbers_are_read_together_as_each_by_itself(usual: list[str], others: list[str]) -> None:
    cells = [*usual, *others]
    alone = [read_numbers(["no number", cell])[1] for cell in cells]
    assert list(map(str, read_numbers(cells))) == list(map(str, alone))
    if (found := usual_numbers(cells)) is not None:
        assert ["" if number is None else str(number) for number in found] == found.texts
        assert list(map(str, found)) == list(map(str, alone))
        assert len(found) == len(cells)
    assert found is not None or set(others) & set(ODD_NUMBERS)


def test_usual_numbers_are_a_sequence_of_decimals() -> None:
    numbers = Numbers(["1.50", "", "-2"])
    assert [*numbers, numbers[0], numbers[-1]] == [Decimal("1.5"), None, Decimal(-2), Decimal("1.5"), Decimal(-2)]


def test_yes_and_no_have_several_words() -> None:
    words = ["true", "False", "YES", "no", "1", "0", "NA", "yep"]
    assert list(read_booleans(words)) == [True, False, True, False, True, False, None, None]


def convert(
    rows: list[list[str]], headers: list[str], properties: dict[str, Any], stable: Any = (), at_once: int = 1000
) -> tuple[list[dict[str, Any]], Converter]:
    converter = Converter(headers, properties, set(properties), stable, taken={"record_id"})
    found = []
    for first in range(0, len(rows), at_once):
        columns = converter.convert([list(row) for row in rows[first : first + at_once]])
        found += [dict(zip(converter.columns, values, strict=True)) for values in zip(*columns, strict=True)]
    return found, converter


def test_known_columns_are_typed_and_the_rest_is_kept_as_text() -> None:
    properties = {"state": TEXT, "wait_min": NUMBER, "seen_utc": TIME, "absent": TEXT}
    headers = ["State", "Wait (min)", "Seen (UTC)", "More"]
    (first, second), converter = convert(
        [["closed", "1.50", "2026-01-01 00:00:00", "x"], ["", "", "", ""]], headers, properties
    )
    assert first | {"record_id": ""} == {
        "record_id": "",
        "state": "closed",
        "wait_min": Decimal("1.50"),
        "seen_utc": "2026-01-01T00:00:00Z",
        "additional_columns": {"More": "x"},
    }
    assert (second["state"], second["wait_min"], second["seen_utc"], second["additional_columns"]) == (
        None,
        None,
        None,
        {"More": None},
    )
    assert list(converter.surprises) == ["timeless"], "the second row has no time"


def test_a_cell_of_another_type_is_kept_as_text_and_said_once() -> None:
    rows = [["NA"], ["1"], ["soon"], [""]]
    found, converter = convert([*rows], ["Wait (min)"], {"wait_min": NUMBER})
    assert [row["wait_min"] for row in found] == [None, Decimal(1), None, None]
    assert [row["additional_columns"] for row in found] == [{"Wait (min)": "NA"}, None, {"Wait (min)": "soon"}, None]
    assert list(converter.surprises) == ["Wait (min)", "timeless"]


@pytest.mark.parametrize("empty", [[], [[""]]])
@pytest.mark.parametrize(
    ("schema", "cells", "values"),
    [
        (NUMBER, ["1.50", "soon"], [Decimal("1.50"), None]),
        ({"type": ["null", "integer"]}, ["15", "soon"], [Decimal(15), None]),
        ({"type": ["null", "boolean"]}, ["yes", "soon"], [True, None]),
        (TIME, ["2026-01-01 00:00:00", "soon"], ["2026-01-01T00:00:00Z", None]),
        (TEXT, ["yes", "soon"], ["yes", "soon"]),
        ({}, ["yes", "soon"], ["yes", "soon"]),
    ],
)
def test_a_column_is_of_its_type_with_empty_cells_or_without(
    schema: dict[str, Any], cells: list[str], values: list[Any], empty: list[list[str]]
) -> None:
    found, _ = convert([[cell] for cell in cells] + empty, ["A"], {"a": schema})
    assert [row["a"] for row in found] == values + [None for _ in empty]
    kept = None if None not in values else {"A": "soon"}
    assert [row["additional_columns"] for row in found] == [None, kept, *(None for _ in empty)]


def test_a_column_named_as_one_of_the_tap_is_another() -> None:
    name = f"record_id_{digest('Record ID')}"
    found, converter = convert([["x"]], ["Record ID"], {"record_id": TEXT, name: TEXT | {"title": "Record ID"}})
    assert converter.columns == ("record_id", name, "additional_columns")
    assert found[0][name] == "x"


def test_words_that_look_like_nothing_are_something() -> None:
    found, _ = convert([["NA"], ["None"], ["nan"], ["0"], ["null"], [" "]], ["State"], {"state": TEXT})
    assert [row["state"] for row in found] == ["NA", "None", "nan", "0", "null", " "]


def test_ragged_rows_are_kept_whole() -> None:
    found, converter = convert([["a"], ["a", "b", "c", "d"], ["a", "b"]], ["One", "Two"], {"one": TEXT, "two": TEXT})
    assert [(row["one"], row["two"]) for row in found] == [("a", None), ("a", "b"), ("a", "b")]
    assert [row["additional_columns"] for row in found] == [None, {"(column 3)": "c", "(column 4)": "d"}, None]
    assert "a row has 1 cells where the header has 2" in converter.surprises["ragged"]


def test_a_column_that_is_not_wanted_is_nowhere() -> None:
    converter = Converter(["State", "Name"], {"state": TEXT, "name": TEXT}, {"state"})
    columns = converter.convert([["closed", "Jo"]])
    assert converter.columns == ("record_id", "state", "additional_columns")
    assert "Jo" not in str(columns)


# Local dates


def dates(zone: str, cells: list[str]) -> list[str | None]:
    return list(LocalDates(ZoneInfo(zone)).of(read_times(cells), cells))


@pytest.mark.parametrize(
    ("zone", "cell", "day"),
    [
        ("Australia/Sydney", "2026-03-01 12:59:59", "2026-03-01"),
        ("Australia/Sydney", "2026-03-01 13:00:00", "2026-03-02"),
        ("Australia/Sydney", "2026-04-30 13:30:00", "2026-04-30"),
        ("Australia/Sydney", "2026-04-30 14:00:00 UTC", "2026-05-01"),
        ("Australia/Sydney", "2026-04-30T23:59:59+10:00", "2026-04-30"),
        ("Australia/Sydney", "2026-04-30 23:30", "2026-05-01"),
        ("Australia/Sydney", "2026-04-30", "2026-04-30"),
        ("America/New_York", "2026-03-01 04:59:59.999999", "2026-02-28"),
        ("Asia/Kolkata", "2026-03-01 18:29:59", "2026-03-01"),
        ("Asia/Kolkata", "2026-03-01 18:30:00", "2026-03-02"),
        ("Asia/Kathmandu", "2026-03-01 18:14:59", "2026-03-01"),
        ("Asia/Kathmandu", "2026-03-01 18:15:00", "2026-03-02"),
        ("Africa/Monrovia", "1960-03-02 00:44:29", "1960-03-01"),
        ("Africa/Monrovia", "1960-03-02 00:44:30", "1960-03-02"),
        ("Pacific/Apia", "2011-12-30 09:59:59", "2011-12-29"),
        ("Pacific/Apia", "2011-12-30 10:00:00", "2011-12-31"),
        ("America/New_York", "0001-01-01 00:00:00", None),
        ("Australia/Sydney", "9999-12-31 23:00:00", None),
        ("Australia/Sydney", "2026-02-30", None),
        ("Australia/Sydney", "1 May 2026", None),
        ("Australia/Sydney", "soon", None),
        ("Australia/Sydney", "", None),
    ],
)
def test_a_row_has_the_date_that_the_calendar_of_the_account_shows(zone: str, cell: str, day: str | None) -> None:
    assert dates(zone, [cell]) == [day]
    assert dates(zone, ["2026-01-01 00:00:00", "", cell, cell])[2:] == [day, day], "also among others"


ZONES = ["UTC", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"]
BACK_OVER_MIDNIGHT = ["America/St_Johns", "America/Havana"]
"""There the clock has shown the end of a day once more when the next had begun, to which the windows count it."""


@given(
    st.sampled_from(ZONES + BACK_OVER_MIDNIGHT),
    st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2037, 12, 31)) | st.none(), max_size=30),
    st.integers(-23 * 60, 23 * 60),
)
def test_dates_are_those_of_the_zone_whatever_the_offset_that_a_time_is_written_in(
    zone: str, moments: list[datetime | None], minutes: int
) -> None:
    offset = timezone(timedelta(minutes=minutes))
    aware = [moment and moment.replace(tzinfo=UTC) for moment in moments]
    expected = [moment and local_date(moment, ZoneInfo(zone)).isoformat() for moment in aware]
    shown = [moment and moment.astimezone(ZoneInfo(zone)).date().isoformat() for moment in aware]
    if zone not in BACK_OVER_MIDNIGHT:
        assert expected == shown
    assert dates(zone, [f"{moment:%Y-%m-%d %H:%M:%S.%f}" if moment else "" for moment in moments]) == expected
    assert dates(zone, [moment.astimezone(offset).isoformat() if moment else "" for moment in aware]) == expected


def test_a_file_full_of_odd_times_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_lexer_activity.csv_exports.times._MOST_HOURS", 10)
    found = LocalDates(ZoneInfo("Asia/Kolkata"))
    cells = [f"2026-01-{1 + n % 28:02} {n % 24:02}:15:00" for n in range(500)]
    days = found.of(read_times(cells), cells)
    assert len(found) <= 10
    assert days == [
        local_date(datetime.fromisoformat(f"{cell}+00:00"), ZoneInfo("Asia/Kolkata")).isoformat() for cell in cells
    ]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (["Score", "Submitted At (UTC)", "Date"], "Submitted At (UTC)"),
        (["Created At", "Completed", "Completed At", "submittedDate"], "submittedDate"),
        (["Date", "Survey Responded At"], "Survey Responded At"),
        (["Submit Date (UTC)", "Start Date (UTC)"], "Submit Date (UTC)"),
        (["Submitted", "Date Created"], "Date Created"),
        (["Submitted", "Score"], "Submitted"),
        (["Timestamp", "Date"], "Timestamp"),
        (["Response Date", "Response Time", "Response Time (min)"], "Response Date"),
        (["Completion time"], "Completion time"),
        (
            ["On what date have you received your parcel?", "Date of birth", "Sent At (UTC)", "Response", "Time", "At"],
            None,
        ),
        ([], None),
    ],
)
def test_the_time_of_an_answer_is_found_by_its_name(headers: list[str], found: str | None) -> None:
    place = place_of_time(headers)
    assert (None if place is None else headers[place]) == found


def test_the_time_of_a_row_is_the_first_of_the_names_that_is_there() -> None:
    names = ("date_opened", "date_opened_utc")
    assert place_of_time(["Date", "Date Opened (UTC)", "Date Opened"], names) == 2
    assert place_of_time(["Date", "Date Opened (UTC)", "Date Opened (UTC)"], names) == 1
    assert place_of_time(["Date", "Submitted At"], names) is None


@pytest.mark.parametrize("properties", [{"seen_utc": TIME}, {"seen_utc": TEXT}, {}])
def test_a_row_has_its_date_whether_its_time_is_a_column_or_not(properties: dict[str, Any]) -> None:
    def converter(*wanted: str) -> Converter:
        return Converter(["Seen (UTC)"], properties, wanted, dated_by=("seen_utc",), zone=ZoneInfo("Australia/Sydney"))

    rows = [["2026-03-01 13:00:00"], ["2026-03-01"], [""], ["soon"]]
    for wanted in (["local_date"], ["local_date", *properties]):
        dated = converter(*wanted)
        found = dict(zip(dated.columns, dated.convert(rows), strict=True))
        assert list(found["local_date"]) == ["2026-03-02", "2026-03-01", None, None]
    assert "local_date" not in converter(*properties).columns, "it is not wanted"


# Identity


STABLE = (("account",), ("opened", "opened_utc"))


def test_a_row_that_moves_on_keeps_its_id_and_rows_that_are_alike_have_their_own() -> None:
    headers = ["Account", "Opened (UTC)", "State"]
    before, _ = convert([["a", "1", "new"], ["a", "1", "new"], ["b", "1", "new"]], headers, {}, STABLE)
    after, _ = convert([["b", "1", "closed"], ["a", "1", "closed"], ["a", "1", "new"]], headers, {}, STABLE)
    ids = [row["record_id"] for row in before]
    assert len(set(ids)) == 3
    assert {row["record_id"] for row in after} == set(ids)
    assert after[0]["record_id"] == ids[2]
    assert all(len(text) == 32 and int(text, 16) >= 0 for text in ids)


def test_ids_stay_as_they_are_in_warehouses() -> None:
    timed, timeless = ["a", "2026-01-01 00:00:00"], ["a", ""]
    rows = [[*timed, "new"], [*timed, "closed"], [*timeless, "new"]]
    stable = Converter(["Account", "Date Opened", "State"], {}, (), (("account",), ("date_opened",)), window="w")
    assert stable.convert(rows)[0] == [
        "ff2139976dd5acc8293289d08b7816e9",
        "fe83a5081d034e1eab47432fd4006e4c",
        "6ca5d878f6ea4c53e8e2dfb7fe00240e",
    ]
    whole = Converter(["Account", "Opened (UTC)"], {}, (), window="w")
    assert whole.convert([timed, timeless])[0] == [
        "062272f1acac3ba598b286aca39691ad",
        "6fdb59fd9c4b3d82260ea4cb6a459a4f",
    ]
    assert whole.surprises["timeless"].startswith("a row has no time for its id; such rows are loaded twice if they")


def test_an_id_does_not_depend_on_which_other_columns_there_are() -> None:
    friends, colleagues = LONG.format("friends"), LONG.format("colleagues")
    found, _ = convert([["9", "3", "x"]], [friends, colleagues, "Why?"], {})
    turned, _ = convert([["3", "9", "x"]], [colleagues, friends, "Why?"], {})
    wider, _ = convert([["", "9", "3", "x"]], ["Why!", friends, colleagues, "Why?"], {})
    other, _ = convert([["3", "9", "x"]], [friends, colleagues, "Why?"], {})
    assert found[0]["record_id"] == turned[0]["record_id"] == wider[0]["record_id"] != other[0]["record_id"]


def test_a_title_that_is_no_text_names_no_header() -> None:
    for title in (["State"], {"State": 1}, 7):
        found, _ = convert([["new"]], ["State"], {"state": {"type": ["null", "string"], "title": title}})
        assert (found[0].get("state"), found[0]["additional_columns"]) == (None, {"State": "new"})


def test_cases_that_only_a_date_would_tell_apart_are_told_apart_by_all_they_have() -> None:
    def ids(*rows: list[str]) -> list[str]:
        stable = (("account",), ("date_opened",))
        converter = Converter(["Account", "Date Opened", "State"], {}, (), stable, window="w", by_the_clock=True)
        found = [*converter.convert([*rows])[0]]
        for surprise in ("timeless", "undated"):
            assert (surprise in converter.surprises) == any(":" not in row[1] for row in rows)
        assert converter.surprises.get("undated", "a row has a date without").startswith("a row has a date without")
        return found

    assert ids(["", "1 May 2026", "new"]) != ids(["", "1 May 2026", "closed"])
    assert ids(["", "1 May 2026 9:30", "new"]) == ids(["", "1 May 2026 9:30", "closed"]), "an hour tells enough"
    mixed = ids(["", "1 May 2026", "new"], ["", "1 May 2026 9:30", "new"])
    assert mixed == ids(["", "1 May 2026", "new"]) + ids(["", "1 May 2026 9:30", "new"])


def test_rows_that_are_alike_in_all_that_can_not_change_are_told_of() -> None:
    rows = [["a", "1", "new"], ["a", "1", "closed"]]
    assert (
        "told apart by their order" in convert(rows, ["Account", "Opened", "State"], {}, STABLE)[1].surprises["alike"]
    )
    assert "alike" not in convert(rows[:1], ["Account", "Opened", "State"], {}, STABLE)[1].surprises
    assert "alike" not in convert([["a"], ["a"]], ["Account"], {})[1].surprises, "nothing in them can change"


@pytest.mark.parametrize(
    ("rows", "stable", "by_the_clock", "lacks"),
    [
        ([["a", "2026-01-01 00:00:00"]] * 250, (), False, False),
        ([["a", "2026-01-01 00:00:00"]] * 250 + [["a", ""]], (), False, True),
        ([["a", "2026-01-01"]], (), False, True),
        ([["a"], ["a", "", "2026-01-01 00:00:00"]], (), False, True),
        ([["2026-01-01 00:00:00"]], (), False, False),
        ([["a", "2026-01-01"]], (("account",), ("opened_date",)), False, False),
        ([["a", "2026-01-01"]], (("account",), ("opened_date",)), True, True),
        ([["a", "1 May 9:30"]], (("account",), ("opened_date",)), True, False),
        ([["a", ""]], (("account",), ("opened_date",)), False, True),
        ([["a"]], (("account",), ("opened_date",)), False, True),
        ([["a"], ["a", "2026-01-01"]], (("account",), ("opened_date",)), False, True),
    ],
)
def test_rows_that_only_their_order_tells_apart_are_found(
    rows: list[list[str]], stable: Any, by_the_clock: bool, lacks: bool
) -> None:
    converter = Converter(["Account", "Opened Date"], {}, (), stable, by_the_clock=by_the_clock)
    assert not converter.has_timeless
    converter.convert(rows)
    assert converter.has_timeless is lacks


def test_without_its_stable_columns_a_row_is_all_it_has() -> None:
    rows = [["a", "new"]]
    found, converter = convert(rows, ["Account", "State"], {}, STABLE)
    again, _ = convert([["new", "a"]], ["State", "Account"], {}, STABLE)
    assert found[0]["record_id"] == again[0]["record_id"], "the order of the columns plays no part"
    wider, _ = convert([["", "a", "new"]], ["Comment", "Account", "State"], {}, STABLE)
    assert found[0]["record_id"] == wider[0]["record_id"], "nor does a column that has nothing in it"
    assert "lacks one of the columns account, opened" in converter.surprises["identity"]


@given(
    st.lists(st.lists(st.sampled_from(["", "a", "b", "ab"]), min_size=2, max_size=2), max_size=60), st.integers(1, 7)
)
def test_ids_are_unique_and_do_not_depend_on_how_many_rows_come_at_once(rows: list[list[str]], at_once: int) -> None:
    found, _ = convert(rows, ["A", "B"], {}, at_once=at_once)
    ids = [row["record_id"] for row in found]
    assert len(set(ids)) == len(rows)
    assert ids == [row["record_id"] for row in convert(rows, ["A", "B"], {})[0]]
    turned = [row["record_id"] for row in convert(rows[::-1], ["A", "B"], {})[0]]
    assert sorted(turned) == sorted(ids), "in any order"


@given(st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=80), max_size=20))
def test_only_rows_that_are_alike_are_told_apart_by_their_order_however_many_there_are(chunks: list[list[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "tap_lexer_activity.csv_exports.identity._FIRST_SIZE", 2
        )  # so that the table of digests grows all the time
        identity = Identity(["a"], ())
    ids = [found for chunk in chunks for found in identity.of([[str(number) for number in chunk]])]
    times: dict[int, int] = {}
    expected = []
    for number in (number for chunk in chunks for number in chunk):
        made = blake2b(f"a\x1e{number}\x1f".encode(), digest_size=16)
        if ordinal := times.get(number, 0):
            made = blake2b(made.digest() + ordinal.to_bytes(8), digest_size=16)
        times[number] = ordinal + 1
        expected.append(made.hexdigest())
    assert ids == expected
    assert len(set(ids)) == len(ids)


def test_no_row_is_forgotten_when_the_table_of_digests_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_lexer_activity.csv_exports.identity._FIRST_SIZE", 2)
    for table in range(40):  # few of them have a row in the one place where it could get lost
        identity = Identity(["a"], ())
        rows = [f"{table} {row}" for row in range(200)]
        once = [found for start in range(0, 200, 5) for found in identity.of([rows[start : start + 5]])]
        assert len({*once, *identity.of([rows])}) == 400


# Files


def rows_of(text: str) -> list[list[str]]:
    return list(read_rows(io.StringIO(text, newline="")))


def test_everything_that_real_files_contain_is_read() -> None:
    cells = [
        "a,b",
        "c;d",
        'say "hi"',
        "two\r\nlines",
        "two\nlines",
        "bare\rreturn",
        "nul\x00byte",
        "😀",
        "=1+1",
        "x" * 1_000_000,
        "",
    ]
    for end in ("\r\n", "\n"):
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
            [[f"h{n}" for n in range(len(cells))], cells]
        )
        assert rows_of(out.getvalue())[1] == cells
    assert rows_of("a,b\r1,2\r3,4\r") == [["a", "b"], ["1", "2"], ["3", "4"]], "bare carriage returns"
    assert rows_of("a\n\n1\n\n") == [["a"], ["1"]], "blank lines are no rows"
    assert rows_of("") == []


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ('a,"b\nc', True),
        ('a,"b"\n', False),
        ('a,"b""', True),
        ('5" pipe,x\n', False),
        ("a,b\n1", True),
        ("a,b\n1\n", False),
        ('a,b\n5" pipe,x\n1\r\n', False),
        ('a,b\n1,"\n', True),
        ("a,b\n1,2", False),
        ("", False),
    ],
)
def test_a_file_that_breaks_off_is_found(text: str, cut: bool) -> None:
    assert is_cut_off(io.StringIO(text, newline=""), ends_a_line=text.endswith("\n") or not text) is cut


def test_rows_without_a_time_are_not_taken_for_those_of_another_window() -> None:
    def ids(window: str, *rows: list[str]) -> list[str]:
        converter = Converter(["Score", "Comment", "Sent (UTC)"], {}, (), window=window)
        found = converter.convert([*rows])[0]
        assert ("timeless" in converter.surprises) == any(not row[2] for row in rows)
        return list(found)

    timeless, timed = ["9", "", ""], ["9", "", "2026-01-01 00:00:00"]
    assert ids("one", timeless, timed)[0] != ids("two", timeless, timed)[0]
    assert ids("one", timeless, timed)[1] == ids("two", timeless, timed)[1]
    assert ids("one", timeless) == ids("one", timeless)

    def stable(window: str, opened: str) -> str:
        converter = Converter(["Account", "Date Opened"], {}, (), (("account",), ("date_opened",)), window=window)
        return str(converter.convert([["a", opened]])[0][0])

    assert stable("one", "x") == stable("two", "x")
    assert stable("one", "") != stable("two", "")


@given(st.lists(st.lists(st.text(max_size=20), min_size=3, max_size=3), max_size=20))
def test_a_file_comes_out_cell_for_cell_with_a_sign_in_place_of_nul(rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["A", "B", "C"], *rows])
    read = rows_of(out.getvalue())
    assert read == [["A", "B", "C"], *rows]
    found, _ = convert(read[1:], read[0], {"a": TEXT})
    assert [(row["a"], *(row["additional_columns"] or {}).values()) for row in found] == [
        tuple(cell.replace("\0", "\ufffd") or None for cell in row) for row in rows
    ]


@given(st.text(max_size=200))
def test_any_text_is_rows_or_a_csv_error(text: str) -> None:
    try:
        rows = rows_of(text)
    except csv.Error:
        return
    if rows:
        found, _ = convert(rows[1:], rows[0], {"a_min": NUMBER, "a_utc": TIME, "b": TEXT})
        assert len(found) == len(rows) - 1
        assert json.dumps(found, default=str)


@pytest.mark.parametrize("place", [0, 1, (1 << 16) - 1, 1 << 16, (1 << 17) + 5])
def test_a_nul_is_found_wherever_it_is_in_a_file(place: int) -> None:
    file = io.BytesIO(b"a" * place + b"\0" + b"a" * 10)
    assert has_nul(file)
    assert file.tell() == 0
    assert not has_nul(io.BytesIO(b"a" * place))


@given(st.decimals(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False).map(repr).map(Decimal))
def test_every_number_survives_with_all_its_digits(value: Decimal) -> None:
    (read,) = read_numbers([str(value)])
    assert read is not None
    assert read.as_tuple() == value.as_tuple()


def test_the_table_of_digests_grows_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_lexer_activity.csv_exports.identity._FIRST_SIZE", 8)  # small pieces for a small table
    identity = Identity(["a"], ())
    tracemalloc.start()
    for start in range(0, 6000, 20):
        identity.of([[str(row) for row in range(start, start + 20)]])
    table, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table > 8 * 6000
    assert peak < 1.2 * table, "a second one beside it would be half of it"
