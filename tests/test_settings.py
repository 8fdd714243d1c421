"""Settings that make no sense are refused, and say what would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from singer_sdk.exceptions import ConfigValidationError

from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.windows import Window

if TYPE_CHECKING:
    from tap_lexer_activity.settings.settings import Settings

NOW = datetime(2026, 6, 15, 4, 30, 7, 999, tzinfo=UTC)
MINIMAL = {"api_token": "a-token", "start_date": "2026-06-01"}


def parse(**config: Any) -> Settings:
    return parse_settings(MINIMAL | config, now=NOW, report_streams={"summary", "workflow_states"})


def errors(**config: Any) -> list[str]:
    with pytest.raises(ConfigValidationError) as raised:
        parse(**config)
    return raised.value.errors


def test_two_settings_are_enough() -> None:
    settings = parse()
    assert settings.start == datetime(2026, 6, 1, tzinfo=UTC)
    assert settings.present == NOW.replace(microsecond=0)
    assert (settings.report_interval, settings.series_interval, settings.lookback_days) == ("day", "day", 7)
    assert (settings.rate_limit_requests, settings.rate_limit_seconds, settings.request_timeout) == (100, 300, 60)
    assert settings.api_url == "https://api.lexer.io/v1"
    assert settings.form_ids is None
    assert settings.include_partial is False


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_what_is_sent_to_this_machine_need_not_be_encrypted(host: str) -> None:
    assert parse(api_url=f"http://{host}:8000/v1").api_url == f"http://{host}:8000/v1"


@pytest.mark.parametrize(
    "host",
    ["10.0.0.5", "172.16.0.1", "192.168.1.2", "169.254.1.1", "0.0.0.0", "[fd00::1]", "[fe80::1]", "localhost.lan"],  # noqa: S104 (no bind)
)
@pytest.mark.parametrize("name", ["api_url", "export_status_url"])
def test_what_is_sent_to_any_other_machine_has_to_be_also_in_the_same_network(name: str, host: str) -> None:
    (line,) = errors(**{name: f"http://{host}:8000/v1"})
    assert line.startswith(f"{name}: 'http://{host}:8000/v1' would send the token unencrypted; use https://")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-06-01", "2026-05-31T14:00:00+00:00"),
        ("2026-06-01T06:30:00", "2026-05-31T20:30:00+00:00"),
        ("2026-06-01T06:30:00Z", "2026-06-01T06:30:00+00:00"),
        ("2026-06-01T06:30:00.5-04:00", "2026-06-01T10:30:00.500000+00:00"),
        ("2026-06-01 06:30", "2026-05-31T20:30:00+00:00"),
    ],
)
def test_a_date_without_an_offset_is_in_the_zone(text: str, instant: str) -> None:
    assert parse(start_date=text, timezone="Australia/Sydney").start == datetime.fromisoformat(instant)


def test_the_end_is_now_or_the_end_date_whichever_comes_first() -> None:
    assert parse(end_date="2026-06-10").present == datetime(2026, 6, 10, tzinfo=UTC)
    assert parse(end_date="2027-01-01").present == NOW.replace(microsecond=0)


def test_a_backfill_is_a_range_in_the_zone_up_to_now_or_the_end_date() -> None:
    start = datetime(2026, 2, 28, 13, tzinfo=UTC)
    sydney = {"timezone": "Australia/Sydney", "backfill_start": "2026-03-01"}
    assert parse().backfill is None
    assert parse(**sydney).backfill == Window(start, NOW)
    assert parse(**sydney, end_date="2026-06-10").backfill == Window(start, datetime(2026, 6, 9, 14, tzinfo=UTC))
    some_days = parse(**sydney, backfill_end="2026-03-04", end_date="2026-06-10")
    assert some_days.backfill == Window(start, datetime(2026, 3, 3, 13, tzinfo=UTC))
    assert some_days.present == NOW.replace(microsecond=0), "the last window may end after the range"
    assert parse(**sydney, backfill_end="2027-01-01").backfill == Window(start, NOW)


def test_a_backfill_reads_no_part_of_a_window_that_is_over() -> None:
    partial = {"backfill_start": "2026-03-01", "include_partial": True}
    assert parse(**partial).include_partial
    assert parse(**partial, backfill_end="2026-03-04", end_date="2026-06-10").include_partial
    assert not parse(**partial, end_date="2026-06-10").include_partial
    assert parse(include_partial=True, end_date="2026-06-10").include_partial, "the bookmark brings the next run back"


def test_the_year_2000_begins_in_each_zone_at_its_midnight() -> None:
    start = parse(start_date="2000-01-01", timezone="Pacific/Kiritimati").start
    assert start == datetime(1999, 12, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"backfill_end": "2026-06-10"}, "backfill_end: needs backfill_start, too"),
        ({"backfill_start": "June"}, "backfill_start: 'June' should be a date"),
        ({"backfill_start": "2026-06-16"}, "backfill_start: '2026-06-16' should be in the year 2000 or later"),
        ({"backfill_start": "1999-12-31"}, "backfill_start: '1999-12-31' should be in the year 2000 or later"),
        ({"backfill_start": "2026-06-01", "backfill_end": "soon"}, "backfill_end: 'soon' should be a date"),
        (
            {"backfill_start": "2026-06-01", "backfill_end": "2026-06-01"},
            "backfill_end: '2026-06-01' is not after backfill_start ('2026-06-01'); it is exclusive",
        ),
        ({"max_requests": 0}, "max_requests: 0 should be 1 or more"),
        ({"max_requests": Decimal("1.5")}, "max_requests: 1.5 should be integer"),
        ({"max_requests": Decimal("1e99999999")}, "max_requests: 1E+99999999 should be integer"),
        ({"form_ids": [55, Decimal("55.0")]}, "form_ids: [55, 55.0] should name at least one form, and each once"),
        ({"timezone": "localtime"}, "timezone: 'localtime' is not an IANA time zone"),
        ({"timezone": "right/UTC"}, "timezone: 'right/UTC' is not an IANA time zone"),
        ({"timezone": "posix/Europe/Paris"}, "timezone: 'posix/Europe/Paris' is not an IANA time zone"),
        ({"timezone": "Factory"}, "timezone: 'Factory' is not an IANA time zone"),
        ({"start_date": "2026-03-01T00:00:00+05:99"}, "start_date: '2026-03-01T00:00:00+05:99' should be a date"),
        (
            {"report_parameters": {"summary": {"type": " "}}},
            "report_parameters['summary']: the type is ' ' and should be text",
        ),
        (
            {"timezone": "Australia/Sidney"},
            "timezone: 'Australia/Sidney' is not an IANA time zone; did you mean Australia/Sydney?",
        ),
        ({"timezone": "../etc/passwd"}, "timezone: '../etc/passwd' is not an IANA time zone"),
        ({"timezone": "Europe"}, "timezone: 'Europe' is not an IANA time zone"),
        ({"start_date": "yesterday"}, "start_date: 'yesterday' should be a date"),
        ({"start_date": "2026-13-01"}, "start_date: '2026-13-01' should be a date"),
        ({"start_date": "20260601"}, "start_date: '20260601' should be a date"),
        ({"start_date": "2026-06-16"}, "start_date: '2026-06-16' is in the future"),
        ({"start_date": "0206-06-16"}, "start_date: '0206-06-16' is before the year 2000"),
        ({"end_date": "2026-05-01"}, "end_date: '2026-05-01' is not after start_date ('2026-06-01')"),
        ({"end_date": "2026-06-01"}, "end_date: '2026-06-01' is not after start_date"),
        ({"end_date": "soon"}, "end_date: 'soon' should be a date"),
        ({"lookback_days": -1}, "lookback_days: -1 should be 0 or more"),
        ({"lookback_days": "7"}, "lookback_days: '7' should be integer"),
        ({"report_interval": "hour"}, "report_interval: 'hour' should be one of day, week, month"),
        ({"series_interval": "week"}, "series_interval: 'week' should be one of day, hour"),
        ({"include_partial": "yes"}, "include_partial: 'yes' should be boolean"),
        ({"form_ids": [1, 1]}, "form_ids: [1, 1] should name at least one form, and each once"),
        ({"form_ids": []}, "form_ids: [] should name at least one form"),
        ({"form_ids": ["55"]}, "form_ids[0]: '55' should be integer"),
        ({"rate_limit_requests": 0}, "rate_limit_requests: 0 should be 1 or more"),
        (
            {"report_parameters": {"sumary": {}}},
            "report_parameters: there is no report stream 'sumary'; choose from summary",
        ),
        (
            {"report_parameters": {"summary": {"date_to": "x"}}},
            "report_parameters['summary']: date_to is set by the tap",
        ),
        ({"report_parameters": {"summary": 5}}, "report_parameters[summary]: 5 should be object"),
        ({"timezon": "UTC"}, "timezon: there is no such setting; did you mean timezone?"),
        ({"zzz": 1}, "zzz: there is no such setting; the settings are accept, api_token, api_url"),
        ({"api_url": "api.lexer.io"}, "api_url: 'api.lexer.io' should be an address such as https://api.lexer.io/v1"),
        (
            {"api_url": "https://l\N{LATIN SMALL LETTER E WITH DIAERESIS}xer.example/v1"},
            "api_url: 'https://l\N{LATIN SMALL LETTER E WITH DIAERESIS}xer.example/v1' should name its host in ASCII",
        ),
        ({"api_url": "http://api.lexer.io/v1"}, "api_url: 'http://api.lexer.io/v1' would send the token unencrypted"),
        ({"api_url": "https://me:secret@api.lexer.io"}, "api_url: should have no user name or password in it"),
        ({"api_url": "http://localhost:port"}, "api_url: 'http://localhost:port' should be an address"),
        (
            {"api_url": "https://api.lexer.io/v1?x=1"},
            "api_url: 'https://api.lexer.io/v1?x=1' should have no ? or # in it",
        ),
        ({"rate_limit_requests": 10**30}, f"rate_limit_requests: {10**30} should be 100000 or less"),
        (
            {"report_parameters": {"summary": {"type": "workflow_states"}}},
            "report_parameters['summary']: 'workflow_states' is another stream's type",
        ),
        ({"export_window_days": 361}, "export_window_days: 361 should be 360 or less"),
        ({"api_token": ""}, "api_token: is empty"),
        ({"api_token": " "}, "api_token: is empty"),
    ],
)
def test_nonsense_is_refused_with_the_setting_the_value_and_the_way_out(config: dict[str, Any], message: str) -> None:
    (error,) = errors(**config)
    assert error.startswith(message)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigValidationError) as raised:
        parse_settings({"api_token": None}, now=NOW)
    assert [error.partition(":")[0] for error in raised.value.errors] == ["api_token", "start_date"]


@pytest.mark.parametrize("token", ["s3cr3t\n", "s3cr3t s3cr3t", "s3cr3t\u00e9", "s3cr3t\x00"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token: str) -> None:
    (error,) = errors(api_token=token)
    assert "api_token: has a line break" in error
    assert "s3cr3t" not in error


def test_a_token_of_another_type_is_not_shown() -> None:
    (error,) = errors(api_token=123456789)
    assert "123456789" not in error


def test_the_token_is_not_in_the_representation() -> None:
    assert "a-token" not in repr(parse())


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(errors(timezone="Mars/Olympus", lookback_days=7, api_url="x", form_ids=[])) == 3


def test_a_local_sandbox_may_be_reached_without_encryption() -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert parse(api_url=f"http://{host}:8080/v1").api_url


@pytest.mark.parametrize(
    ("interval", "lookback", "cautioned"),
    [
        ("month", 7, True),
        ("month", 31, False),
        ("month", 0, False),
        ("week", 6, True),
        ("week", 7, False),
        ("day", 1, False),
    ],
)
def test_a_lookback_shorter_than_the_window_is_cautioned(interval: str, lookback: int, cautioned: bool) -> None:
    assert bool(parse(report_interval=interval, lookback_days=lookback).cautions()) is cautioned


@given(st.text(max_size=30), st.sampled_from(["start_date", "end_date", "timezone", "api_url", "api_token"]))
@example("Þ", "api_token")  # as an address, six letters that words have, too
@example(" ", "api_token")
def test_any_text_is_accepted_or_refused_with_a_line(text: str, name: str) -> None:
    try:
        parse(**{name: text})
    except ConfigValidationError as error:
        lines = error.errors
        assert lines
        assert all(line.startswith(name) for line in lines)


@given(st.dates(datetime(2001, 1, 1).date(), datetime(2026, 6, 1).date()))
def test_every_date_is_read_as_its_midnight(day: Any) -> None:
    assert parse(start_date=day.isoformat()).start == datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert parse(start_date=f"{day}T00:00:00+02:00").start == datetime(
        day.year, day.month, day.day, tzinfo=UTC
    ) - timedelta(hours=2)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    limit = parse(rate_limit_requests=100.0).rate_limit_requests
    assert (limit, type(limit)) == (100, int)
