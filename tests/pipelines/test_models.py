"""The models in `dbt/`: built and tested by dbt on both warehouses, their numbers equal to what the sandbox's ledger says."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml
from pipelines.models import MODELLED_FROM, DuckDB
from pipelines.programs import ROOT

from tap_lexer_activity.sandbox.ledger import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator
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
            "broke_customer_sla": summary["broke_sla"],
            "broke_agent_sla": summary["broke_action_sla"],
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


def test_agents_break_the_slas_as_often_as_the_ledger_says(models: Models) -> None:
    expected = {
        (week, int(agent["user_id"])): (
            f"{agent['first_name']} {agent['last_name']}".strip(),
            agent["mentions_assigned"],
            agent["responded_to"],
            agent["broke_sla"],
            agent["broke_action_sla"],
            close(100 * agent["fraction_broke_sla"]) if agent["responded_to"] else None,
            close(100 * agent["fraction_broke_action_sla"]) if agent["responded_to"] else None,
        )
        for week, agents in reports(models.sandbox, "user_summary", WEEK)
        for agent in agents
    }
    rows = models.rows("select * from lexer_models.sla_by_agent_and_week")
    assert {(row["week"], row["user_id"]): tuple(row.values())[2:] for row in rows} == expected


def test_topics_have_as_many_messages_as_the_ledger_says(models: Models) -> None:
    expected = {
        (week, row["classification_id"]): (row["classification"], row["volume"])
        for week, rows in reports(models.sandbox, "classifications", WEEK)
        for row in rows
        if row["state"] == "all_states"
    }
    rows = models.rows("select * from lexer_models.topics_by_week")
    assert {(row["week"], row["classification_id"]): tuple(row.values())[2:] for row in rows} == expected


def test_scores_of_weeks_are_computed_from_their_counts(models: Models) -> None:
    forms = {row["id"]: row["name"] for row in models.rows("select id, name from lexer.forms where nps")}
    expected = {
        (week, form): (
            forms[form],
            7 if date.fromisoformat(week) + WEEK <= models.sandbox.clock.date() else PART_OF_A_WEEK,
            nps["total_sent"],
            nps["total_received"],
            nps["total_promoters"],
            nps["total_passives"],
            nps["total_detractors"],
            close(nps["nps_score"]) if nps["total_received"] else None,
        )
        for form in forms
        for week, nps in reports(models.sandbox, "nps_summary", WEEK, form=form)
    }
    assert len(forms) == 2
    rows = models.rows("select * from lexer_models.nps_by_week")
    assert {(row["week"], row["form_id"]): tuple(row.values())[2:] for row in rows} == expected


def test_open_and_closed_cases_are_those_of_the_ledger(models: Models) -> None:
    rows = models.rows("select * from lexer_models.open_cases_by_day order by local_date")
    first, last = MODELLED_FROM, (models.sandbox.clock.replace(hour=0) - timedelta(seconds=1)).isoformat()
    buckets = models.sandbox.report("case_volume", f"{first}T00:00:00+11:00", last)["open"]
    assert [row["open_cases"] for row in rows] == [bucket["value"] for bucket in buckets]
    expected = {
        week: (
            7 if date.fromisoformat(week) + WEEK <= models.sandbox.clock.date() else PART_OF_A_WEEK,
            summary["total_cases"],
            close(summary["first_reply_time"] / 60),
            close(summary["resolution_time"] / 3600),
        )
        for week, summary in reports(models.sandbox, "case_summary", WEEK)
    }
    rows = models.rows("select * from lexer_models.cases_by_week")
    assert {row["week"]: tuple(row.values())[1:] for row in rows} == expected


def change(models: Models, *statements: str) -> None:
    """Change the DuckDB file."""
    assert isinstance(models.warehouse, DuckDB)
    with duckdb.connect(str(models.warehouse.path)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_totals_and_hours_change_no_number(duckdb_models: Models, tmp_path: Path) -> None:
    models = duckdb_models.copy(tmp_path)
    for replaced in ("'all_states' as state", "'hour' as \"interval\""):
        rows = f"select * replace ({replaced}) from lexer.states_volume where state = 'closed'"  # noqa: S608 (our own text)
        change(models, f"insert into lexer.states_volume {rows}")
    models.build()
    assert set(models.built.values()) == {"success", "pass"}, models.log
    for query in (
        "select * from lexer_models.volume_by_day order by local_date, state",
        "select * from lexer_models.days order by local_date",
    ):
        assert models.rows(query) == duckdb_models.rows(query)


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
