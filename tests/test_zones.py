"""The time zone of the account: abbreviations, and what its users have."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity import zones
from tap_lexer_activity.windows import Window

if TYPE_CHECKING:
    from conftest import Tap
    from support.types import CatalogOf

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

NOW = datetime(2026, 5, 1, tzinfo=UTC)
YEAR = Window(NOW - timedelta(days=365), NOW)
WINTER = Window(datetime(2026, 4, 10, tzinfo=UTC), NOW)
SHIFTS = "a wrong one shifts days without an error"


def users(*zones_of_users: object) -> list[dict[str, Any]]:
    return [{"id": number, "timezone": zone} for number, zone in enumerate(zones_of_users, 1)]


def caution(zone: str, *zones_of_users: object, within: Window = YEAR, is_set: bool = True) -> str | None:
    return zones.caution(users(*zones_of_users), ZoneInfo(zone), within, is_set=is_set)


# Names


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("AEST", {"Australia/Sydney", "Australia/Brisbane"}),
        ("AEDT", {"Australia/Sydney"}),
        ("aest", {"Australia/Sydney"}),
        ("PST", {"America/Los_Angeles", "Asia/Manila"}),
        ("CST", {"America/Chicago", "Asia/Shanghai"}),
        ("BST", {"Europe/London"}),
        ("EST", {"America/New_York", "America/Panama"}),
        ("HST", {"Pacific/Honolulu"}),
    ],
)
def test_an_abbreviation_is_that_of_some_zones(name: str, some: set[str]) -> None:
    found = zones.of_abbreviation(name, NOW)
    assert some <= set(found)
    assert not set(found) & {"Australia/ACT", "US/Eastern"}, "none by two names"


@pytest.mark.parametrize("name", ["UTC", "GMT", "CET", "EET", "Japan", "Sydney", "Nowhere", "", "+10", "Etc/GMT+5"])
def test_what_is_a_zone_with_clocks_of_its_own_or_no_abbreviation_is_left_alone(name: str) -> None:
    assert zones.of_abbreviation(name, NOW) == []


@given(st.sampled_from(sorted(name for name in available_timezones() if "/" in name)))
def test_no_zone_of_a_place_is_taken_for_an_abbreviation(name: str) -> None:
    assert zones.of_abbreviation(name, NOW) == []


def test_an_abbreviation_is_answered_before_any_request(tap: Tap, sandbox: Sandbox) -> None:
    for name in ("AEST", "EST"):
        (line,) = tap.run(sandbox.config(timezone=name), "--check").errors
        assert line.startswith(f"timezone: '{name}' is an abbreviation of A")
        assert line.endswith("; set your account's zone. If it is not set, --check shows your users' zones")
    assert sandbox.requests == []


# Zones that are alike


@given(st.sampled_from(sorted(name for name in available_timezones() if zones.named(name))), st.integers(0, 9000))
def test_the_offsets_of_a_zone_are_those_of_its_clocks(name: str, days: int) -> None:
    zone, start = ZoneInfo(name), datetime(2001, 1, 1, tzinfo=UTC) + timedelta(days=days)
    found = zones.offsets(zone, Window(start, start + timedelta(days=40)))
    for quarter in range(40 * 96):
        at = start + timedelta(minutes=15) * quarter
        assert [offset for begin, offset in found if begin <= at][-1] == at.astimezone(zone).utcoffset()


@pytest.mark.parametrize(
    ("one", "other", "within"),
    [
        ("Australia/Sydney", "Australia/ACT", YEAR),
        ("UTC", "Etc/GMT", YEAR),
        ("Australia/Sydney", "Australia/Brisbane", WINTER),
    ],
)
def test_zones_are_compared_by_their_clocks_in_the_range(one: str, other: str, within: Window) -> None:
    assert caution(one, other, other, within=within) is None
    assert caution(other, one, one, within=within) is None


def test_zones_that_differ_for_a_part_of_the_range_are_two() -> None:
    assert "1 have Australia/Sydney" in str(caution("Australia/Brisbane", "Australia/Sydney"))
    assert "1 have America/Havana" in str(caution("America/New_York", "America/Havana")), "for three hours of a year"


# What the users have


def test_the_zone_of_most_users_is_named_with_how_many_they_are() -> None:
    said = caution("UTC", "Australia/ACT", "Australia/Sydney", "Australia/Sydney", "Asia/Kolkata", None, "Sydney", 5)
    assert said == (
        "timezone is 'UTC', and of 4 users whose zone is known 3 have Australia/Sydney. "
        f"If that is the account's zone, set timezone to it: {SHIFTS} [see: zone-differs]"
    )
    not_set = caution("UTC", "Australia/Sydney", is_set=False)
    assert str(not_set).startswith("timezone is not set, so it is 'UTC', and of 1 users")


@pytest.mark.parametrize("others", [(), (None,), ("Sydney", "", "Mars/Olympus", "../etc", "localtime")])
def test_nothing_is_said_where_nothing_is_known(others: tuple[object, ...]) -> None:
    assert caution("UTC", *others) is None


def test_those_who_are_archived_do_not_count() -> None:
    gone = [user | {"archived": True} for user in users("Asia/Kolkata", "Asia/Kolkata")]
    here = users("Australia/Sydney")
    assert zones.caution([*gone, *here], ZoneInfo("Australia/Sydney"), YEAR, is_set=True) is None


@given(
    st.lists(st.sampled_from(["Australia/Sydney", "Asia/Kolkata", "UTC", "Europe/London", None])),
    st.sampled_from(["Australia/Sydney", "Asia/Kolkata", "UTC", "Europe/London"]),
)
def test_it_is_said_if_and_only_if_more_users_have_another_zone(found: list[str | None], zone: str) -> None:
    counts = Counter(name for name in found if name)
    most = max(counts.values(), default=0)
    said = caution(zone, *found)
    assert (said is not None) is (most > counts[zone])
    if said is not None:
        assert any(f"{most} have {name}." in said for name, count in counts.items() if count == most)


# Through the command


SYDNEY = users(*["Australia/Sydney"] * 3, "Asia/Kolkata")


def asked_for_users(sandbox: Sandbox) -> int:
    return sum(request.path == "/v1/users" for request in sandbox.requests)


@pytest.mark.parametrize("selected", [True, False], ids=["users_selected", "users_not_selected"])
@pytest.mark.parametrize("given_zone", ["America/New_York", None])
def test_a_run_warns_once_of_a_zone_that_most_users_have_not(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, given_zone: str | None, selected: bool
) -> None:
    sandbox.fault("unknown_shape", "users", times=None, value=SYDNEY)
    config = sandbox.config(start_date="2026-04-29")
    del config["timezone"]
    config |= {"timezone": given_zone} if given_zone else {}
    catalog = catalog_of("summary", "case_summary", *["users"] * selected)
    run = tap.run(config, catalog=catalog)
    assert run.code == 0, run.log
    (line,) = [line for line in run.log.splitlines() if SHIFTS in line]
    assert "| WARNING " in line
    assert "of 4 users whose zone is known 3 have Australia/Sydney" in line
    assert (f"timezone is {given_zone!r}" if given_zone else "timezone is not set, so it is 'UTC'") in line
    assert asked_for_users(sandbox) == 1
    assert ("users" in run.records) is selected
    assert run.records["summary"][0]["local_date"] == "2026-04-29", "in the zone that was given"

    assert SHIFTS not in tap.run(config | {"timezone": "Australia/ACT"}, catalog=catalog).log
    assert SHIFTS in tap.run(config, "--check").log


def test_check_asks_for_forms_and_users_and_nothing_else(tap: Tap, sandbox: Sandbox) -> None:
    run = tap.run(sandbox.config(timezone="UTC"), "--check")
    assert [request.path for request in sandbox.requests] == ["/v1/forms", "/v1/users"]
    assert (run.code, run.out) == (0, "")
    assert "of 7 users whose zone is known" in run.log


@pytest.mark.parametrize("fault", ["forbidden", "unauthorized", "server_error", "unknown_shape", "rate_limited"])
def test_users_that_can_t_be_had_are_no_failure_where_they_are_not_selected(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, fault: str
) -> None:
    sandbox.fault(fault, "users", times=None)
    for arguments in ((), ("--check",)):
        run = tap.run(
            sandbox.config(start_date="2026-04-29", timezone="UTC"), *arguments, catalog=catalog_of("summary")
        )
        assert run.code == 0, run.log
        assert "| WARNING " not in run.log
    assert asked_for_users(sandbox) == 2, "not tried again"


def test_the_request_for_users_is_planned_and_stands_in_the_table(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    config, catalog = sandbox.config(start_date="2026-04-29"), catalog_of("summary")
    plan = tap.run(config, "--plan", catalog=catalog).out
    assert asked_for_users(sandbox) == 0
    assert ["users", "0", "1", "for", "timezone"] in [line.split() for line in plan.splitlines()]
    assert "3 requests: " in plan
    run = tap.run(config, catalog=catalog)
    assert len(sandbox.requests) == 3
    assert "  read for timezone" in run.log


@pytest.mark.parametrize(
    ("streams", "more"),
    [
        pytest.param(["groups", "forms"], {}, id="no row depends on the zone"),
        pytest.param(["summary"], {"max_requests": 50}, id="requests are counted"),
    ],
)
def test_no_request_is_made_for_users_where_it_is_not_worth_it(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, streams: list[str], more: dict[str, int]
) -> None:
    run = tap.run(sandbox.config(start_date="2026-04-29", timezone="UTC", **more), catalog=catalog_of(*streams))
    assert run.code == 0, run.log
    assert asked_for_users(sandbox) == 0
