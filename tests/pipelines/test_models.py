"""The models in `dbt/`: built and tested by dbt on both warehouses, their numbers equal to what the sandbox's ledger says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml
from pipelines.models import BY_DAY_FROM, MODELLED_FROM, DuckDB
from pipelines.programs import ROOT

from tap_lexer_activity.sandbox.conversations import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipelines.models import Models

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

FIRST = date.fromisoformat(MODELLED_FROM)
WEEK = timedelta(weeks=1)
DAY = timedelta(days=1)
PART_OF_A_WEEK = 4
"""Days of the newest week that are over."""


def days(sandbox: Sandbox) -> list[date]:
    """The days that are over."""
    return [FIRST + DAY * number for number in range((sandbox.clock.date() - FIRST).days)]


def reports(sandbox: Sandbox, kind: str, length: timedelta, **more: object) -> Iterator[tuple[str, Any]]:
    """What the ledger says of each day or week from the first on, by its date. The last may be cut short by the clock."""
    midnight = sandbox.clock.replace(hour=0)
    start = FIRST
    while start < midnight.date():
        first, end = (datetime(*day.timetuple()[:3], tzinfo=midnight.tzinfo) for day in (start, start + length))
        last = min(end, midnight) - timedelta(seconds=1)
        yield start.isoformat(), sandbox.report(kind, first, last, **more)
        start += length


def close(value: float | None) -> Any:
    """About this number: exports have four decimals."""
    return None if value is None else pytest.approx(value, abs=1e-3)


def test_dbt_makes_and_tests_every_model(models: Models) -> None:
    assert set(models.built.values()) == {"success", "pass"}, models.log
    written = yaml.safe_load((ROOT / "dbt" / "models" / "schema.yml").read_text(encoding="utf-8"))["models"]
    assert {path.stem for path in (ROOT / "dbt" / "models").glob("*.sql")} == {model["name"] for model in written}
    for model in written:
        assert models.built[model["name"]] == "success"
        assert any(model["name"] in name and status == "pass" for name, status in models.built.items())


def test_columns_are_those_that_are_described(models: Models) -> None:
    for model in yaml.safe_load((ROOT / "dbt" / "models" / "schema.yml").read_text(encoding="utf-8"))["models"]:
        described = {column["name"]: column["description"] for column in model["columns"]}
        (row, *_) = models.rows(f"select * from lexer_models.{model['name']} limit 1")  # noqa: S608 (our own text)
        assert list(row) == list(described), model["name"]
        assert all(described.values())


def test_days_have_the_lengths_that_the_clocks_give_them(models: Models) -> None:
    rows = models.rows("select local_date, ends_at, starts_at from lexer_models.days order by local_date")
    assert [row["local_date"] for row in rows] == [day.isoformat() for day in days(models.sandbox)]
    lengths = {
        row["local_date"]: datetime.fromisoformat(row["ends_at"]) - datetime.fromisoformat(row["starts_at"])
        for row in rows
    }
    assert lengths.pop("2026-04-05") == timedelta(hours=25)
    assert set(lengths.values()) == {DAY}


def test_each_day_has_its_messages_by_state(models: Models) -> None:
    truth = models.sandbox.truth(MODELLED_FROM, models.sandbox.clock.replace(hour=0) - timedelta(seconds=1))
    counts = Counter((message["local_date"], message["state"]) for message in truth)
    rows = models.rows("select * from lexer_models.volume_by_day")
    assert {(row["local_date"], row["state"]): row["messages"] for row in rows} == {
        (day.isoformat(), state): counts[day.isoformat(), state] for day in days(models.sandbox) for state in STATES
    }
    rows = models.rows("select local_date, state, count(*) as messages from lexer_models.messages group by 1, 2")
    assert {(row["local_date"], row["state"]): row["messages"] for row in rows} == counts


def test_response_times_of_days_are_those_of_the_ledger(models: Models) -> None:
    expected = {
        day: {
            "responses": summary["total_responded_to"],
            "avg_wait_minutes": close(summary["avg_response_time_min"]),
            "median_wait_minutes": close(summary["median_response_time_min"]),
            "broke_customer_sla": summary["broke_sla"] if summary["total_responded_to"] else None,
            "broke_agent_sla": summary["broke_action_sla"] if summary["total_responded_to"] else None,
        }
        for day, summary in reports(models.sandbox, "summary", DAY)
    }
    rows = models.rows("select * from lexer_models.response_time_by_day")
    assert {row["local_date"]: {name: row[name] for name in next(iter(expected.values()))} for row in rows} == expected


def test_response_times_of_weeks_are_weighted_by_the_responses_of_their_days(models: Models) -> None:
    rows = models.rows("""
        select
          week, sum(total_wait_minutes) / sum(responses) as average, avg(avg_wait_minutes) as wrong,
          avg(median_wait_minutes) as wrong_median
        from lexer_models.response_time_by_day group by week""")
    medians = models.rows("""
        select week, percentile_cont(0.5) within group (order by wait_minutes) as median
        from lexer_models.messages where responded_at is not null group by week""")
    expected = dict(reports(models.sandbox, "summary", WEEK))
    averages = {week: close(summary["avg_response_time_min"]) for week, summary in expected.items()}
    assert {row["week"]: row["average"] for row in rows} == averages
    assert {row["week"]: row["wrong"] for row in rows} != averages, "an average of averages would show"
    of_weeks = {week: close(summary["median_response_time_min"]) for week, summary in expected.items()}
    assert {row["week"]: row["median"] for row in medians} == of_weeks
    assert {row["week"]: row["wrong_median"] for row in rows} != of_weeks, "and so would a mean of medians"


def by_agent(sandbox: Sandbox, length: timedelta) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What `user_summary` says of each agent in each day or week."""
    return {
        (day, f"{agent['first_name']} {agent['last_name']}".strip()): (
            int(agent["user_id"]),
            agent["mentions_assigned"],
            agent["responded_to"],
            *((agent["broke_sla"], agent["broke_action_sla"]) if agent["responded_to"] else (None, None)),
            close(100 * agent["fraction_broke_sla"]) if agent["responded_to"] else None,
            close(100 * agent["fraction_broke_action_sla"]) if agent["responded_to"] else None,
        )
        for day, agents in reports(sandbox, "user_summary", length)
        for agent in agents
    }


def test_agents_break_the_slas_as_often_as_the_ledger_says(models: Models) -> None:
    rows = models.rows("select * from lexer_models.sla_by_agent_and_week")
    assert {(row["week"], row["agent"]): tuple(row.values())[2:] for row in rows} == by_agent(models.sandbox, WEEK)
    rows = models.rows("select * from lexer_models.sla_by_agent_and_day")
    of_days = {(row["local_date"], row["agent"]): tuple(row.values())[3:] for row in rows}
    assert of_days == by_agent(models.sandbox, DAY), "whichever report_interval was loaded"
    mondays = {day.isoformat(): (day - DAY * day.weekday()).isoformat() for day in days(models.sandbox)}
    assert all(row["week"] == mondays[row["local_date"]] for row in rows)


def test_a_month_is_the_sum_of_its_days_and_not_of_its_weeks(models: Models) -> None:
    april = models.sandbox.report("user_summary", "2026-04-01T00:00:00+11:00", "2026-04-30T23:59:59+10:00")
    whole = sum(agent["broke_sla"] for agent in april)
    [row] = models.rows("""
        select
          (
            select sum(broke_customer_sla) from lexer_models.sla_by_agent_and_day
            where local_date between '2026-04-01' and '2026-04-30'
          ) as days,
          (
            select sum(broke_customer_sla) from lexer_models.sla_by_agent_and_week
            where week between '2026-03-30' and '2026-04-30'
          ) as weeks""")
    assert row["days"] == whole
    assert row["weeks"] > whole, "the first week began in March"


def test_topics_have_as_many_messages_as_the_ledger_says(models: Models) -> None:
    for name, key, expected in (
        ("topics_by_week", "week", reports(models.sandbox, "classifications", WEEK)),
        ("topics_by_day", "local_date", read_by_day(models, reports(models.sandbox, "classifications", DAY))),
    ):
        rows = models.rows(f"select {key}, classification_id, classification, messages from lexer_models.{name}")  # noqa: S608 (our own text)
        assert {(row[key], row["classification_id"]): tuple(row.values())[2:] for row in rows} == {
            (day, row["classification_id"]): (row["classification"], row["volume"])
            for day, found in expected
            for row in found
            if row["state"] == "all_states"
        }


def read_by_day(models: Models, found: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Only those of the days whose reports were read by the day."""
    first = BY_DAY_FROM if isinstance(models.warehouse, DuckDB) else MODELLED_FROM
    return ((day, report) for day, report in found if day >= first)


def read(sandbox: Sandbox, week: str) -> int:
    """How many days of a week are over."""
    return 7 if date.fromisoformat(week) + WEEK <= sandbox.clock.date() else PART_OF_A_WEEK


def test_scores_are_computed_from_their_counts(models: Models) -> None:
    forms = {row["id"]: row["name"] for row in models.rows("select id, name from lexer.forms where nps")}
    assert len(forms) == 2

    def counts(form: int, nps: dict[str, Any]) -> tuple[Any, ...]:
        names = ("total_sent", "total_received", "total_promoters", "total_passives", "total_detractors")
        score = close(nps["nps_score"]) if nps["total_received"] else None
        return (forms[form], *(nps[name] for name in names), score)

    rows = models.rows("select * from lexer_models.nps_by_week")
    assert {(row["week"], row["form_id"]): (row.pop("days"), tuple(row.values())[2:]) for row in rows} == {
        (week, form): (read(models.sandbox, week), counts(form, nps))
        for form in forms
        for week, nps in reports(models.sandbox, "nps_summary", WEEK, form=form)
    }
    rows = models.rows("select * from lexer_models.nps_by_day")
    assert {(row["local_date"], row["form_id"]): tuple(row.values())[3:] for row in rows} == {
        (day, form): counts(form, nps)
        for form in forms
        for day, nps in read_by_day(models, reports(models.sandbox, "nps_summary", DAY, form=form))
    }


def test_open_and_closed_cases_are_those_of_the_ledger(models: Models) -> None:
    rows = models.rows("select * from lexer_models.open_cases_by_day order by local_date")
    first, last = MODELLED_FROM, (models.sandbox.clock.replace(hour=0) - timedelta(seconds=1)).isoformat()
    buckets = models.sandbox.report("case_volume", f"{first}T00:00:00+11:00", last)["open"]
    assert [row["open_cases"] for row in rows] == [bucket["value"] for bucket in buckets]

    def counts(summary: dict[str, Any]) -> tuple[Any, ...]:
        averages = ((summary["first_reply_time"], 60), (summary["resolution_time"], 3600))
        return (
            summary["total_cases"],
            *(close(value / unit) if summary["total_cases"] else None for value, unit in averages),
        )

    rows = models.rows("select * from lexer_models.cases_by_week")
    assert {row["week"]: tuple(row.values())[1:] for row in rows} == {
        week: (read(models.sandbox, week), *counts(summary))
        for week, summary in reports(models.sandbox, "case_summary", WEEK)
    }
    rows = models.rows("select * from lexer_models.cases_by_day")
    assert {row["local_date"]: tuple(row.values())[2:] for row in rows} == {
        day: counts(summary) for day, summary in read_by_day(models, reports(models.sandbox, "case_summary", DAY))
    }


def change(models: Models, *statements: str) -> None:
    """Change the DuckDB file."""
    assert isinstance(models.warehouse, DuckDB)
    with duckdb.connect(str(models.warehouse.path)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def changed(duckdb_models: Models, tmp_path: Path) -> Callable[..., Models]:
    """Changes a copy of the DuckDB file, and lets dbt make the models of it."""

    def make(*statements: str) -> Models:
        models = duckdb_models.copy(tmp_path)
        change(models, *statements)
        models.build()
        assert set(models.built.values()) <= {"success", "pass", "warn"}, models.log
        return models

    return make


def warned(models: Models) -> set[str]:
    return {name for name, status in models.built.items() if status == "warn"}


def test_totals_and_hours_change_no_number(changed: Callable[..., Models], duckdb_models: Models) -> None:
    hours = "'hour' as \"interval\""
    models = changed(
        "insert into lexer.states_volume"
        " select * replace ('all_states' as state) from lexer.states_volume where state = 'closed'",
        f"insert into lexer.states_volume select * replace ({hours}) from lexer.states_volume where state = 'closed'",  # noqa: S608 (our own text)
        f"insert into lexer.response_volume select * replace ({hours}) from lexer.response_volume",  # noqa: S608
        f"insert into lexer.case_volume select * replace ({hours}) from lexer.case_volume",  # noqa: S608
    )
    assert warned(models) == set()
    for query in (
        "select * from lexer_models.volume_by_day order by local_date, state",
        "select * from lexer_models.open_cases_by_day order by local_date",
        "select * from lexer_models.days order by local_date",
    ):
        assert models.rows(query) == duckdb_models.rows(query)


def test_a_week_is_made_of_its_days_and_of_its_window_where_days_are_missing(changed: Callable[..., Models]) -> None:
    def by_day(report: str, count: str, week: str, day: int, *, form: int = 0) -> str:
        """Adds one day to a report: 1 of what it counts, all else as in a week."""
        shift = f"interval '{(date.fromisoformat(week) - date(2026, 4, 6)).days + day} day'"
        return (
            f"insert into lexer.{report} select * replace (date_from + {shift} as date_from, 'day' as \"interval\","  # noqa: S608 (our own text)
            f" cast(local_date + {shift} as date) as local_date, 1 as {count})"
            f" from lexer.{report} where \"interval\" = 'week' and local_date = '2026-04-06'"
            + (f" and form_id = {form}" if form else "")
        )

    models = changed(
        *(by_day("case_summary", "total_cases", "2026-04-06", day) for day in range(7)),
        *(by_day("nps_summary", "total_sent", "2026-04-06", day) for day in range(7)),
        *(by_day("nps_summary", "total_sent", "2026-04-13", day) for day in range(6)),
        # A form that was read by the day alone, beside one that was read by the week.
        "delete from lexer.nps_summary where form_id = 56 and local_date = '2026-03-30'",
        by_day("nps_summary", "total_sent", "2026-03-30", 2, form=56),
    )
    weeks = {row["week"]: row for row in models.rows("select * from lexer_models.cases_by_week")}
    assert (weeks["2026-04-06"]["closed"], weeks["2026-04-06"]["days"]) == (7, 7)
    sent = {
        (row["week"], row["form_id"]): (row["sent"], row["days"])
        for row in models.rows("select week, form_id, sent, days from lexer_models.nps_by_week")
    }
    assert sent["2026-04-06", 55] == (7, 7)
    assert sent["2026-03-30", 56] == (1, 1)
    reported = dict(reports(models.sandbox, "nps_summary", WEEK, form=55))
    for week in ("2026-03-30", "2026-04-13"):
        assert sent[week, 55] == (reported[week]["total_sent"], 7)


def test_a_week_without_cases_has_no_average_and_weighs_nothing(
    changed: Callable[..., Models], duckdb_models: Models
) -> None:
    models = changed(
        "update lexer.case_summary set total_cases = 0, first_reply_time = null, resolution_time = null"
        " where local_date = '2026-04-06'",
        "update lexer.case_summary set total_cases = 0, first_reply_time = 0, resolution_time = 0"
        " where local_date = '2026-04-13'",
        # Days that have cases and no first reply: the average is that of the others.
        "update lexer.case_summary set first_reply_time = null where local_date = '2026-04-28'",
    )
    weeks = {row["week"]: tuple(row.values())[2:] for row in models.rows("select * from lexer_models.cases_by_week")}
    assert weeks["2026-04-06"] == weeks["2026-04-13"] == (0, None, None)
    reported = [summary for day, summary in reports(models.sandbox, "case_summary", DAY) if day >= "2026-04-27"]
    known = [summary for number, summary in enumerate(reported) if number != 1]
    average = sum(each["first_reply_time"] * each["total_cases"] for each in known) / sum(
        each["total_cases"] for each in known
    )
    [before] = duckdb_models.rows("select * from lexer_models.cases_by_week where week = '2026-04-27'")
    assert weeks["2026-04-27"] == (before["closed"], close(average / 60), before["avg_resolution_hours"])


def test_a_message_at_midnight_belongs_to_the_day_that_begins(
    changed: Callable[..., Models], duckdb_models: Models
) -> None:
    at_midnight = (
        "insert into lexer.mention_sla_export select * replace ("
        "'{name}' as record_id, timestamp '2026-04-09 14:00:00' as customer_publish_date_utc, date '{day}' as local_date"
        ") from lexer.mention_sla_export where agent_response_date_utc is not null limit 1"
    )
    models = changed(at_midnight.format(name="midnight", day="2026-04-10"))
    query = "select local_date, responses from lexer_models.response_time_by_day order by local_date"
    before = {row["local_date"]: row["responses"] for row in duckdb_models.rows(query)}
    assert {row["local_date"]: row["responses"] for row in models.rows(query)} == before | {
        "2026-04-10": before["2026-04-10"] + 1
    }
    change(models, at_midnight.format(name="at the end", day="2026-04-09"))
    models.build()
    assert models.built["lies_within_its_day_messages_published_at"] == "fail", "it is no longer the ninth"


def test_agents_who_share_a_name_have_no_id_and_those_without_a_user_neither(changed: Callable[..., Models]) -> None:
    models = changed(
        "insert into lexer.users select * replace (9001 as id) from lexer.users where first_name = 'Madonna'",
        "delete from lexer.users where id = 1201",
    )
    rows = models.rows("select distinct agent, user_id from lexer_models.sla_by_agent_and_day")
    found = {row["agent"]: row["user_id"] for row in rows}
    assert found["Madonna"] is None
    assert found["Siobhán O'Brien"] is None
    assert sum(number is None for number in found.values()) == 2
    assert "relationships_sla_by_agent_and_day_user_id__id__source_lexer_users_" in models.built


def test_responses_of_which_nobody_knows_whether_they_were_within_the_sla_are_not_within_it(
    changed: Callable[..., Models],
) -> None:
    models = changed("update lexer.mention_sla_export set within_customer_sla = null, within_agent_sla = null")
    for model in ("sla_by_agent_and_week", "sla_by_agent_and_day", "response_time_by_day"):
        rows = models.rows(f"select distinct broke_customer_sla, broke_agent_sla from lexer_models.{model}")  # noqa: S608 (our own text)
        assert rows == [{"broke_customer_sla": None, "broke_agent_sla": None}]
    assert warned(models) == {
        "messages_with_a_response_say_whether_it_was_within_the_slas",
        "is_about_what_the_report_says_sla_by_agent_and_week_broke_customer_sla__broke_sla__source_lexer_user_summary_",
    }


def test_a_report_that_counts_otherwise_than_the_export_is_told_of(changed: Callable[..., Models]) -> None:
    models = changed("update lexer.user_summary set responded_to = responded_to * 2")
    assert warned(models) == {
        "is_about_what_the_report_says_sla_by_agent_and_week_responses__responded_to__source_lexer_user_summary_"
    }


def test_dbt_finds_rows_that_are_doubled_and_totals_that_are_not(duckdb_models: Models, tmp_path: Path) -> None:
    models = duckdb_models.copy(tmp_path)
    change(
        models,
        "create table doubled as from lexer.mention_sla_export union all (from lexer.mention_sla_export limit 1)",
        "drop table lexer.mention_sla_export",
        "create table lexer.mention_sla_export as from doubled",
        "update lexer.classifications set volume = volume + 1 where state = 'all_states'",
    )
    models.build()
    failed = {name for name, status in models.built.items() if status == "fail"}
    assert {"unique_messages_record_id", "is_the_total_of_its_states_topics_by_week_messages"} <= failed


@pytest.mark.parametrize("name", ["demo", "lexer", "lexer_models", "it's mine"])
def test_the_demo_shows_a_file_whatever_it_is_called(name: str, duckdb_models: Models, tmp_path: Path) -> None:
    assert isinstance(duckdb_models.warehouse, DuckDB)
    file = shutil.copy(duckdb_models.warehouse.path, tmp_path / f"{name}.duckdb")

    def run(script: str, *arguments: str) -> str:
        command = [sys.executable, str(ROOT / "demo" / script), str(file), *arguments]
        done = subprocess.run(command, capture_output=True, check=False, text=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = run("show.py")
    [messages] = duckdb_models.rows("select count(*) as count from lexer.mention_sla_export")
    [row] = [line.split() for line in first.splitlines() if "mention_sla_export" in line]
    assert row[3::2] == [str(messages["count"]), f"+{messages['count']}", "2026-03-30", "2026-04-30"]
    assert "+" not in "".join(line for line in run("show.py").splitlines() if line.startswith("│"))
    run("page.py", str(tmp_path / "report.html"))
    assert f"into {escape(name)}.duckdb" in (tmp_path / "report.html").read_text(encoding="utf-8")
