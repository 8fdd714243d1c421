"""Whatever Lexer sends, each value leaves the tap in a form that every target can store, or as null beside what came."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from conftest import SCHEMAS
from hypothesis import given
from hypothesis import strategies as st
from support.hosts import Host, with_length

from tap_lexer_activity.csv_exports.cells import read_integers, read_numbers, read_times
from tap_lexer_activity.fitting import fitted
from tap_lexer_activity.values import OddNumber, json_text, read_decimal, read_integer, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Run, Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

A_PEAR_CUT = "Pear \ud83d"
BEYOND = 2**63
"""The first number that a column of 64 bits can't hold."""


# Text

any_text = st.text(st.characters(categories=None) | st.sampled_from("\0\ud83d\ude00\\u0d8D"))


def storable(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


@given(any_text, st.sampled_from(["utf-8", "utf-16-le", "utf-32-be"]))
def test_half_a_character_and_nul_become_the_sign_for_what_is_missing(text: str, encoding: str) -> None:
    escaped = json.dumps(text)
    in_capitals = re.sub(r"(\\u)(....)|\\.", lambda found: f"\\u{found[2].upper()}" if found[1] else found[0], escaped)
    unescaped = json.dumps(text, ensure_ascii=False)
    for document in (escaped, in_capitals, unescaped):
        assert json.loads(json_text(document.encode(encoding, "surrogatepass"))) == storable(text)


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"\ud83c\udf50", "🍐"),
        (r"\ud83c\ud83c\udf50\udf50", "\ufffd🍐\ufffd"),
        (r"\\ud83c \\\ud83c \\u0000 \u0000", "\\ud83c \\\ufffd \\u0000 \ufffd"),
        (r"\uD83C\n\u00e9", "\ufffd\né"),
    ],
)
def test_what_is_no_half_stays(escaped: str, text: str) -> None:
    assert json.loads(json_text(f'"{escaped}"'.encode())) == text


# Times

moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, offsets, st.sampled_from(["%Y-%m-%dT%H:%M:%S.%f%z", "%Y%m%dT%H%M%S.%f%z", "%Y-%m-%d %H:%M:%S.%f %z"]))
def test_a_time_of_any_offset_is_the_same_instant_in_utc(moment: datetime, zone: timezone, form: str) -> None:
    text = moment.replace(tzinfo=zone).strftime(form)
    text = text.rjust(len(f"{datetime(2000, 1, 1, tzinfo=zone):{form}}"), "0")  # (years of three digits)
    found = to_utc(text)
    assert found is not None
    assert found.endswith("Z")
    assert datetime.fromisoformat(found) == moment.replace(tzinfo=zone)
    assert to_utc(found) == found


@pytest.mark.parametrize(
    ("sent", "utc"),
    [
        ("2018-03-21T06:09:01Z", "2018-03-21T06:09:01Z"),
        ("2018-03-21T06:09:01.500Z", "2018-03-21T06:09:01.500Z"),
        ("2018-03-21T17:09:01+11:00", "2018-03-21T06:09:01Z"),
        ("2018-03-21T17:09:01.25+1100", "2018-03-21T06:09:01.250000Z"),
        ("20180321T060901Z", "2018-03-21T06:09:01Z"),
        ("2018-03-21 06:09:01 UTC", "2018-03-21T06:09:01Z"),
        ("2018-03-21 06:09:01 +0000", "2018-03-21T06:09:01Z"),
        ("2018-03-21T06:09Z", "2018-03-21T06:09:00Z"),
        ("2018-03-21T06:09:01", None),
        ("2018-03-21", None),
        ("2018-03-21T06:09:01+05:60", None),
        ("2018-02-30T06:09:01Z", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_is_read_if_it_says_its_offset(sent: str, utc: str | None) -> None:
    assert to_utc(sent) == utc


def test_a_cell_is_read_as_json_is_and_without_an_offset_is_in_utc_as_its_column_says() -> None:
    cells = ["20180321T060901Z", "2018-03-21 17:09:01 +1100", "2018-03-21 06:09:01", "20180321T060901", "soon"]
    assert read_times(cells) == [*["2018-03-21T06:09:01Z"] * 3, None, None]


# Numbers


@given(st.integers() | st.integers(-(2**65), 2**65))
def test_a_whole_number_is_itself_or_beside_a_null(number: int) -> None:
    text = str(number)
    schema = {
        "properties": {
            "whole": {"type": ["null", "integer"]},
            "any": {"type": ["null", "number"]},
            "additional_columns": {},
        }
    }
    row, found = fitted({"whole": read_integer(text), "any": read_integer(text)}, schema)
    odd = found.odd
    if -BEYOND <= number < BEYOND:
        assert (row, odd) == ({"whole": number, "any": number}, {})
        assert read_integers([text]) == [number]
    else:
        assert row == {"whole": None, "any": Decimal(text), "additional_columns": {"whole": text}}
        assert list(odd) == ["whole"]
        assert read_integers([text]) == [None]
    assert read_numbers([text]) == [Decimal(text)]


@pytest.mark.parametrize("text", ["1e400", "-1E309", "9" * 401, "1e99999999999999999999", "1e-99999"])
def test_a_number_that_no_float_can_be_is_kept_as_text(text: str) -> None:
    number = read_decimal(text) if "e" in text.lower() else read_integer(text)
    assert isinstance(number, OddNumber)
    schema = {"properties": {"share": {"type": ["null", "number"]}, "additional_columns": {}}}
    assert fitted({"share": number}, schema)[0] == {"share": None, "additional_columns": {"share": text}}
    assert read_numbers([text]) == [None]


def schema_of(stream: str) -> Any:
    return json.loads((SCHEMAS / f"{stream}.json").read_text(encoding="utf-8"))


def test_a_list_that_holds_one_is_kept_whole_and_an_object_but_for_it() -> None:
    (user,), found = fitted([{"id": 1, "groups": [1, BEYOND]}], {"items": schema_of("users")})
    assert user == {"id": 1, "groups": None, "additional_columns": {"groups": [1, str(BEYOND)]}}
    assert found.odd == {"groups": "a number of at most 64 bits"}
    agent, found = fitted({"user_id": 1, "states": {"new": 3, "closed": BEYOND}}, schema_of("user_volume"))
    assert agent == {
        "user_id": 1,
        "states": {"new": 3, "closed": None},
        "additional_columns": {"states": {"closed": str(BEYOND)}},
    }
    assert list(found.odd) == ["states"]


# Through the command


def warnings(run: Run) -> list[str]:
    return [line.split("|", 3)[3].strip() for line in run.log.splitlines() if "| WARNING " in line]


def test_every_time_of_a_list_is_in_utc_and_one_that_is_none_is_kept(tap: Tap, catalog_of: Callable[..., Any]) -> None:
    sent = ["2018-03-21T17:09:01+11:00", "20180321T060901Z", "2018-03-21T06:09:01", "never", 1521612541, None]
    users = [{"id": number, "last_sign_in_at": time} for number, time in enumerate(sent)]
    with Host(b"", users=with_length(json.dumps(users).encode())) as host:
        run = tap.run(host.config(), catalog=catalog_of("users"))
    assert run.code == 0, run.log
    found = [(user["last_sign_in_at"], user["additional_columns"]) for user in run.records["users"]]
    assert found == [
        *[("2018-03-21T06:09:01Z", None)] * 2,
        *[(None, {"last_sign_in_at": time}) for time in sent[2:4]],
        ("2018-03-21T06:09:01Z", None),
        (None, None),
    ]
    assert warnings(run) == [
        (
            "the list of users: a value of the column 'last_sign_in_at' is not a time with an offset; such values are null, and kept as they "
            'came in additional_columns. If times without a zone are in UTC, set accept to {"users": ["utc_times"]}'
        ),
        "the list of users: times came as seconds or milliseconds since 1970, and are read as such (in last_sign_in_at)",
    ]


def test_a_catalog_that_does_not_want_what_was_kept_is_told_that_it_is_lost(
    tap: Tap, catalog_of: Callable[..., Any]
) -> None:
    for deselected in (True, False):
        catalog = catalog_of("users")
        (entry,) = (entry for entry in catalog["streams"] if entry["stream"] == "users")
        if deselected:
            column = {"breadcrumb": ["properties", "additional_columns"], "metadata": {"selected": False}}
            entry["metadata"].append(column)
        else:  # a catalog of an earlier version
            del entry["schema"]["properties"]["additional_columns"]
        with Host(b"", users=with_length(b'[{"id": 1, "last_sign_in_at": "never"}]')) as host:
            run = tap.run(host.config(), catalog=catalog)
        assert run.code == 0, run.log
        assert run.records["users"] == [{"id": 1, "last_sign_in_at": None}]
        (said,) = warnings(run)
        assert said.endswith("such values are null, and lost: additional_columns is not selected")


def test_what_a_catalog_of_an_earlier_version_has_no_column_for_is_kept(
    tap: Tap, sandbox: Sandbox, catalog_of: Callable[..., Any]
) -> None:
    """As in exports. Forms are asked whether they are NPS forms first."""
    lacking = {
        "users": ["email", "timezone"],
        "forms": ["nps"],
        "summary": ["total_volume"],
        "user_volume": ["states"],
        "states_volume": ["value"],
        "nps_volume": ["total_sent"],
        "mention_sla_export": ["State"],
    }
    config = sandbox.config(start_date="2026-04-30")
    whole = tap.run(config, catalog=catalog_of(*lacking))
    catalog = catalog_of(*lacking)
    for entry in catalog["streams"]:
        for name in lacking.get(entry["stream"], ()):
            del entry["schema"]["properties"][name.lower()]
    run = tap.run(config, catalog=catalog)
    assert run.code == 0, run.log
    assert warnings(run) == warnings(whole)
    for stream, names in lacking.items():
        assert run.records[stream]
        for row, full in zip(run.records[stream], whole.records[stream], strict=True):
            kept = {name: full.pop(name.lower()) for name in names}
            assert row == full | {"additional_columns": (full["additional_columns"] or {}) | kept}

    del catalog["streams"][:]
    catalog["streams"] += [entry for entry in catalog_of("users")["streams"] if entry["stream"] == "users"]
    del catalog["streams"][0]["schema"]["properties"]["last_sign_in_at"]
    with Host(b"", users=with_length(b'[{"id": 1, "last_sign_in_at": "never"}]')) as host:
        run = tap.run(host.config(), catalog=catalog)
    assert run.records["users"] == [{"id": 1, "additional_columns": {"last_sign_in_at": "never"}}], (
        "a value of another type, too, as it came"
    )


def test_the_date_of_nps_volume_is_in_utc_and_one_that_is_none_fails_its_stream(
    tap: Tap, catalog_of: Callable[..., Any]
) -> None:
    forms = with_length(b'[{"id": 55, "nps": true, "created_at": "2017-01-02T11:00:00+11:00"}]')
    days = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=number) for number in range(7)]
    sydney = timezone(timedelta(hours=11))
    rows = [
        {"date": day.astimezone(sydney).isoformat(), "timestamp": int(day.timestamp()), "data": {"total_sent": BEYOND}}
        for day in days
    ]
    config: dict[str, Any] = {"end_date": "2026-01-12"}
    catalog = catalog_of("forms", "nps_volume")
    with Host(forms, starts=[with_length(json.dumps(rows).encode())]) as host:
        run = tap.run(host.config(**config), catalog=catalog)
    assert run.code == 0, run.log
    assert run.records["forms"][0]["created_at"] == "2017-01-02T00:00:00Z"
    assert [(row["date"], row["date_from"]) for row in run.records["nps_volume"]] == [
        (day.isoformat().replace("+00:00", "Z"),) * 2 for day in days
    ]
    assert run.records["nps_volume"][0]["additional_columns"] == {"total_sent": str(BEYOND)}
    (part,) = run.state["bookmarks"]["nps_volume"]["partitions"]
    assert part["replication_key_value"] == "2026-01-12T00:00:00Z"

    with Host(forms, starts=[with_length(json.dumps([rows[0] | {"date": "Monday"}]).encode())]) as host:
        run = tap.run(host.config(**config), catalog=catalog)
    assert run.code == 1
    assert "in [0].date a date-time with an offset was expected" in run.errors[-1]
    assert len(run.records["forms"]) == 1


@pytest.mark.parametrize("in_files", [False, True])
def test_values_that_no_target_stores_leave_all_other_rows_and_streams_as_they_are(
    tap: Tap, sandbox: Sandbox, catalog_of: Callable[..., Any], tmp_path: Any, *, in_files: bool
) -> None:
    label = {"date_range": {"date_from": "2026-04-30 00:00"}}
    sandbox.fault(
        "unknown_shape",
        "users",
        value=[
            {"id": 1, "first_name": A_PEAR_CUT, "last_name": "a\0b", "sign_in_count": 2**64, "groups": [BEYOND]},
            {"id": 2, "first_name": "🍐", "sign_in_count": BEYOND - 1, "gmtoffset": BEYOND},
        ],
    )
    sandbox.fault("unknown_shape", "states_volume", value={A_PEAR_CUT: [label | {"value": 2**64}]})
    agent = {"user_id": 1, "states": {A_PEAR_CUT: -BEYOND - 1, "new": 4}}
    sandbox.fault("unknown_shape", "user_volume", value=[agent])
    sandbox.fault("unknown_shape", "summary", value={"total_volume": 10**30, "broke_sla": 7})
    catalog = catalog_of("users", "groups", "summary", "states_volume", "user_volume", "case_volume")
    config = sandbox.config(start_date="2026-04-30")
    (folder := tmp_path / "batches").mkdir()
    if in_files:
        config["batch_config"] = {
            "encoding": {"format": "jsonl", "compression": "none"},
            "storage": {"root": folder.as_uri()},
        }
    run = tap.run(config, catalog=catalog)
    assert run.code == 0, run.log
    records = run.records
    if in_files:
        for file in folder.iterdir():
            stream = file.name.split("--")[1].partition("-")[0]
            records[stream] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    one, two = records["users"]
    assert (one["first_name"], one["last_name"], one["sign_in_count"], one["groups"]) == (
        "Pear \ufffd",
        "a\ufffdb",
        None,
        None,
    )
    assert one["additional_columns"] == {"sign_in_count": str(2**64), "groups": [str(BEYOND)]}
    assert (two["first_name"], two["sign_in_count"], two["gmtoffset"]) == ("🍐", BEYOND - 1, BEYOND)
    assert two["additional_columns"] is None
    pear = {row["state"]: row for row in records["states_volume"]}["Pear \ufffd"]
    assert (pear["value"], pear["additional_columns"]) == (None, {"value": str(2**64)})
    (agent,) = records["user_volume"]
    assert agent["states"] == {"Pear \ufffd": None, "new": 4}
    assert agent["additional_columns"] == {"states": {"Pear \ufffd": str(-BEYOND - 1)}}
    (summary,) = records["summary"]
    assert (summary["total_volume"], summary["broke_sla"]) == (None, 7)
    assert records["groups"]
    assert records["case_volume"]
    assert len(warnings(run)) == 5


def test_a_number_that_no_json_reader_holds_costs_its_column_alone(tap: Tap, catalog_of: Callable[..., Any]) -> None:
    body = b'[{"id": 1, "gmtoffset": 1e400, "sign_in_count": %s, "first_name": "Zoe"}, {"id": 2}]' % (b"7" * 5000)
    with Host(b"", users=with_length(body)) as host:
        run = tap.run(host.config(), catalog=catalog_of("users"))
    assert run.code == 0, run.log
    one, two = run.records["users"]
    assert (one["first_name"], one["gmtoffset"], one["sign_in_count"], two["id"]) == ("Zoe", None, None, 2)
    assert one["additional_columns"] == {"gmtoffset": "1e400", "sign_in_count": "7" * 5000}


@pytest.mark.parametrize(
    ("stream", "answer", "said"),
    [
        ("users", [{"id": 1}, {"id": BEYOND}], "in [1].id integer was expected, a number of more than 64 bits came"),
        (
            "user_volume",
            [{"user_id": 10**30, "states": {}}],
            "in [0].user_id integer was expected, a number of more than 64 bits came",
        ),
        (
            "workflow_states",
            [{"state": "s" * 256, "volume": 1}],
            "in [0].state at most 255 characters were expected, 256 came",
        ),
        ("states_volume", {"s" * 256: []}, "at most 255 characters were expected, 256 came"),
    ],
)
def test_a_key_that_does_not_fit_fails_its_stream_by_its_place_and_no_other(
    tap: Tap, sandbox: Sandbox, catalog_of: Callable[..., Any], stream: str, answer: Any, said: str
) -> None:
    kind = {"workflow_states": "user_volume"}.get(stream, stream)
    sandbox.fault("unknown_shape", kind, times=None, value=answer)
    run = tap.run(sandbox.config(start_date="2026-04-30"), catalog=catalog_of(stream, "groups", "case_summary"))
    assert run.code == 1
    assert said in run.errors[0]
    assert stream not in run.records
    assert run.records["groups"]
    assert run.records["case_summary"]


HEADER = (
    "Account Name,Source Type,Customer Publish Date (UTC),Customer Username,Customer Message,State,Mo\0re,Count\r\n"
)


@pytest.mark.parametrize("mapped", [False, True])
def test_nul_and_numbers_of_an_export_that_do_not_fit_are_kept(
    tap: Tap, catalog_of: Callable[..., Any], *, mapped: bool
) -> None:
    catalog = catalog_of("mention_sla_export")
    (entry,) = (entry for entry in catalog["streams"] if entry["stream"] == "mention_sla_export")
    entry["schema"]["properties"]["count"] = {"type": ["null", "integer"]}
    rows = f"Ac\0me,Email,20260105T010000Z,jo,hel\0lo,closed,x\0,{BEYOND}\r\nAc\0me,Email,2026-01-05 01:00:00,jo,a,closed,,7,\0\r\n"
    maps: dict[str, Any] = {"stream_maps": {"mention_sla_export": {"state": "state"}}} if mapped else {}
    with Host(with_length((HEADER + rows).encode())) as host:
        run = tap.run(host.config(**maps), catalog=catalog)
    assert run.code == 0, run.log
    one, two = run.records["mention_sla_export"]
    assert (one["account_name"], one["customer_message"], one["count"]) == ("Ac\ufffdme", "hel\ufffdlo", None)
    assert one["customer_publish_date_utc"] == two["customer_publish_date_utc"] == "2026-01-05T01:00:00Z"
    assert one["additional_columns"] == {"Mo\ufffdre": "x\ufffd", "Count": str(BEYOND)}
    assert two["count"] == 7
    assert two["additional_columns"] == {"Mo\ufffdre": None, "(column 9)": "\ufffd"}


# Schemas


@pytest.mark.parametrize("how", ["flattened", "mapped", "of an older catalog"])
def test_null_is_first_in_every_list_of_types_wherever_the_type_is_from(
    tap: Tap, sandbox: Sandbox, catalog_of: Callable[..., Any], how: str
) -> None:
    settings: dict[str, dict[str, Any]] = {
        "flattened": {"flattening_enabled": True, "flattening_max_depth": 1},
        "mapped": {"stream_maps": {"users": {"name": "str(first_name)", "last_name": "str(first_name)"}}},
        "of an older catalog": {},
    }
    catalog = catalog_of("users", "user_volume")
    if how == "of an older catalog":
        for entry in catalog["streams"]:
            for column in entry["schema"]["properties"].values():
                column["type"] = sorted([column["type"]] if isinstance(column["type"], str) else column["type"])[::-1]
    run = tap.run(sandbox.config(start_date="2026-04-30", **settings[how]), catalog=catalog)
    assert run.code == 0, run.log
    types = [
        column["type"]
        for message in run.messages
        if message["type"] == "SCHEMA"
        for column in message["schema"]["properties"].values()
    ]
    assert sum("null" in kinds for kinds in types) > 10
    assert all("null" not in kinds[1:] for kinds in types if isinstance(kinds, list))


def test_flattening_makes_text_of_objects_and_lists_that_is_json(
    tap: Tap, sandbox: Sandbox, catalog_of: Callable[..., Any]
) -> None:
    catalog = catalog_of("users", "user_volume", "nps_submissions")
    config = sandbox.config(start_date="2026-04-27")
    plain = tap.run(config, catalog=catalog)
    flat = tap.run({**config, "flattening_enabled": True, "flattening_max_depth": 1}, catalog=catalog)
    assert plain.code == flat.code == 0, flat.log
    for message in flat.messages:
        if message["type"] == "SCHEMA":
            for column in message["schema"]["properties"].values():
                assert not {"object", "array"} & set(column["type"]), message["stream"]
    for stream, column in (("users", "groups"), ("user_volume", "states"), ("nps_submissions", "additional_columns")):
        texts = [record[column] for record in flat.records[stream]]
        assert all(isinstance(text, str) for text in texts)
        assert [json.loads(text) for text in texts] == [record[column] for record in plain.records[stream]]
