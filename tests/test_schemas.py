"""The schemas keep the contract's shape, and the answers that Lexer's article prints fit them.

`samples/` holds those answers word for word, except for a trailing comma in `users` that no JSON parser takes.
"""

import datetime as dt
import itertools
import json
import re
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from jsonschema import Draft202012Validator

Record: TypeAlias = dict[str, Any]

# A new stream is added in the tables down to TABLES, and nowhere else in this file.
STREAMS = {
    "case_classifications",
    "case_summary",
    "case_volume",
    "classifications",
    "forms",
    "groups",
    "nps_summary",
    "nps_volume",
    "response_volume",
    "states_volume",
    "case_details",
    "mention_sla_export",
    "nps_submissions",
    "summary",
    "user_summary",
    "user_volume",
    "users",
    "workflow_states",
}

SCHEMAS = Path(__file__).parents[1] / "schemas"
SAMPLES = Path(__file__).parent / "samples"

# The streams of each family, with the columns that no two rows share: the contract's table of keys.
OBJECTS = {"users": ["id"], "groups": ["id"], "forms": ["id"]}
REPORTS = {
    "summary": ["date_from", "interval"],
    "case_summary": ["date_from", "interval"],
    "workflow_states": ["date_from", "interval", "state"],
    "classifications": ["date_from", "interval", "classification_id", "state"],
    "case_classifications": ["date_from", "interval", "classification_id"],
    "user_summary": ["date_from", "interval", "user_id"],
    "user_volume": ["date_from", "interval", "user_id"],
    "nps_summary": ["form_id", "date_from", "interval"],
}
SERIES = {
    "states_volume": ["date_from", "interval", "state"],
    "response_volume": ["date_from", "interval", "metric"],
    "case_volume": ["date_from", "interval", "status"],
}
# `date` is no key, but the replication key, which may not be null either.
IDENTITY = OBJECTS | REPORTS | SERIES | {"nps_volume": ["form_id", "timestamp", "date"]}

REPORT_COLUMNS = ["date_from", "interval", "date_to", "local_date"]
SERIES_COLUMNS = [*REPORT_COLUMNS, "date_label"]
NPS_COLUMNS = ["total_sent", "total_received", "total_promoters", "total_passives", "total_detractors", "nps_score"]

# The property tables of the article, in its order.
TABLES = {
    "users": [
        "id",
        "email",
        "first_name",
        "last_name",
        "timezone",
        "gmtoffset",
        "sign_in_count",
        "last_sign_in_at",
        "archived",
        "groups",
    ],
    "groups": ["id", "name", "comment"],
    "forms": ["id", "name", "title", "archived", "created_at", "groups", "nps", "form_url"],
    "summary": [
        "total_volume",
        "total_responded_to",
        "broke_sla",
        "broke_action_sla",
        "min_response_time",
        "max_response_time",
        "min_action_response_time",
        "max_action_response_time",
        "median_response_time",
        "median_response_time_min",
        "median_action_response_time",
        "median_action_response_time_min",
        "avg_response_time",
        "avg_action_response_time",
        "avg_response_time_min",
        "avg_action_response_time_min",
    ],
    "states_volume": ["state", "value", "date_range"],
    "workflow_states": ["state", "volume"],
    "classifications": ["classification_id", "classification", "state", "volume"],
    "response_volume": ["value", "date_range"],
    "user_summary": [
        "first_name",
        "last_name",
        "mentions_assigned",
        "user_id",
        "responded_to",
        "responded_to_in_private",
        "avg_response_time",
        "min_response_time",
        "max_response_time",
        "avg_action_response_time",
        "min_action_response_time",
        "max_action_response_time",
        "total_responded_to",
        "broke_sla",
        "broke_action_sla",
        "avg_response_time_min",
        "avg_action_response_time_min",
        "fraction_responded_to",
        "fraction_responded_to_in_private",
        "fraction_broke_sla",
        "fraction_broke_action_sla",
    ],
    "user_volume": ["user_id", "first_name", "last_name", "states"],
    "case_summary": [
        "total_cases",
        "first_reply_time",
        "resolution_time",
        "median_first_reply_time",
        "median_resolution_time",
        "agent_interactions",
        "agents_involved",
    ],
    "case_volume": ["value", "date_from"],
    "case_classifications": ["classification_id", "classification", "volume"],
    "nps_summary": NPS_COLUMNS,
    "nps_volume": ["date", "timestamp", *NPS_COLUMNS],
}

every_stream = pytest.mark.parametrize("stream", sorted(STREAMS))
every_sample = pytest.mark.parametrize("stream", sorted(IDENTITY))


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def schema_of(stream: str) -> Record:
    schema: Record = load(SCHEMAS / f"{stream}.json")
    return schema


def properties_of(stream: str) -> dict[str, Record]:
    properties: dict[str, Record] = schema_of(stream)["properties"]
    return properties


def types_of(column: Record) -> list[str]:
    """A column's types as a list, whether it names one or several."""
    types: str | list[str] = column["type"]
    return [types] if isinstance(types, str) else types


def validator_of(stream: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(stream), format_checker=Draft202012Validator.FORMAT_CHECKER)


def utc(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def span(start: dt.datetime) -> Record:
    """The columns that the tap adds to a day that starts at `start`, with `timezone` at its default, UTC."""
    return {
        "date_from": utc(start),
        "date_to": utc(start + dt.timedelta(days=1, seconds=-1)),
        "interval": "day",
        "local_date": start.date().isoformat(),
    }


def records_of(stream: str) -> list[Record]:
    """The article's answer as the records that the tap makes of it."""
    return [record | {"additional_columns": None} for record in _records_of(stream)]


def _records_of(stream: str) -> list[Record]:
    answer = load(SAMPLES / f"{stream}.json")
    rows: list[Record] = answer if isinstance(answer, list) else [answer]
    if stream in OBJECTS:
        return rows
    if stream in SERIES:
        return [
            {
                **span(dt.datetime.fromisoformat(row["date_range"]["date_from"]).replace(tzinfo=dt.UTC)),
                SERIES[stream][-1]: name,
                "date_label": row["date_range"]["date_from"],
                "value": row["value"],
            }
            for name, buckets in answer.items()
            for row in buckets
        ]
    if stream == "nps_volume":
        return [
            {
                "form_id": 55,
                "timestamp": row["timestamp"],
                "date": row["date"],
                **span(dt.datetime.fromisoformat(row["date"]) - dt.timedelta(days=1)),
                **row["data"],
            }
            for row in rows
        ]
    records = [span(dt.datetime(2018, 4, 1, tzinfo=dt.UTC)) | row for row in rows]
    for record in records:
        if stream == "nps_summary":
            record["form_id"] = 55
        if "user_id" in record:
            record["user_id"] = int(record["user_id"])
    return records


def test_there_is_one_schema_per_stream_and_nothing_else() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{stream}.json" for stream in STREAMS}


def test_dates_are_really_checked() -> None:
    assert {"date", "date-time"} <= set(Draft202012Validator.FORMAT_CHECKER.checkers)


@every_stream
def test_a_schema_is_valid_and_of_one_shape(stream: str) -> None:
    schema = schema_of(stream)
    Draft202012Validator.check_schema(schema)
    assert list(schema) == ["$schema", "description", "type", "properties", "required"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"
    assert len(schema["description"]) >= 20


@every_stream
def test_a_file_is_utf8_with_two_spaces_and_an_ending_newline(stream: str) -> None:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs), f"a name occurs twice in {[name for name, _ in pairs]}"
        return dict(pairs)

    text = (SCHEMAS / f"{stream}.json").read_bytes().decode("utf-8")
    json.loads(text, object_pairs_hook=unique)
    assert text.endswith("}\n")
    assert not text.startswith("\ufeff")
    assert not {"\t", "\r"} & set(text)
    assert all((len(line) - len(line.lstrip(" "))) % 2 == 0 for line in text.splitlines())


@every_stream
def test_every_column_says_what_it_means(stream: str) -> None:
    short = [name for name, column in properties_of(stream).items() if len(column.get("description", "").strip()) < 20]
    assert short == []


@every_stream
def test_a_time_is_in_minutes_if_its_name_ends_so_and_in_seconds_otherwise(stream: str) -> None:
    for name, column in properties_of(stream).items():
        if "number" in types_of(column) and re.search(r"_(time|min)$", name):
            (unit, *_) = re.findall(r"\bin (seconds|minutes)\b", column["description"])
            assert unit == ("minutes" if name.endswith("_min") else "seconds"), name


@every_stream
def test_column_names_load_anywhere(stream: str) -> None:
    odd = [name for name in properties_of(stream) if len(name) > 60 or not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
    assert odd == []


@every_stream
def test_a_column_has_one_type_and_no_list_of_values(stream: str) -> None:
    known = {"array", "boolean", "integer", "number", "object", "string"}
    for name, column in properties_of(stream).items():
        *null, one = types_of(column)
        assert one in known, name
        assert null in ([], ["null"]), f"{name}: some targets look at the first type alone"
        assert column.get("format") in {None, "date", "date-time"}, name
        assert not {"enum", "const", "pattern", "default", "title"} & set(column), name


@every_stream
def test_columns_that_identify_a_row_are_never_null_and_all_others_may_be(stream: str) -> None:
    schema, validator = schema_of(stream), validator_of(stream)
    assert schema["required"]
    assert schema["required"] == [
        name for name, column in schema["properties"].items() if "null" not in types_of(column)
    ]
    examples = {"integer": 1, "string": "2018-04-01T00:00:00Z"}
    record = {
        name: examples.get(column["type"]) if name in schema["required"] else None
        for name, column in schema["properties"].items()
    }
    validator.validate(record)
    for name in schema["required"]:
        assert not validator.is_valid({**record, name: None}), name
        assert not validator.is_valid({other: value for other, value in record.items() if other != name}), name


@every_stream
def test_text_that_identifies_a_row_has_a_length_that_any_database_can_index(stream: str) -> None:
    for name in schema_of(stream)["required"]:
        column = properties_of(stream)[name]
        is_plain_text = column["type"] == "string" and "format" not in column
        assert column.get("maxLength") == (255 if is_plain_text else None), name


@every_stream
def test_every_stream_has_a_place_for_what_fits_no_column(stream: str) -> None:
    assert properties_of(stream)["additional_columns"]["type"] == ["null", "object"]


@pytest.mark.parametrize(("stream", "identity"), IDENTITY.items())
def test_a_row_is_identified_as_the_contract_says(stream: str, identity: list[str]) -> None:
    assert schema_of(stream)["required"] == identity
    assert list(properties_of(stream))[: len(identity)] == identity


@pytest.mark.parametrize(
    ("family", "columns"),
    [
        pytest.param(REPORTS, REPORT_COLUMNS, id="reports"),
        pytest.param(SERIES, SERIES_COLUMNS, id="series"),
        pytest.param(["nps_summary", "nps_volume"], ["form_id", *NPS_COLUMNS], id="nps"),
        pytest.param(["user_summary", "user_volume"], ["user_id", "first_name", "last_name"], id="agents"),
    ],
)
def test_a_column_means_the_same_in_all_streams_of_a_family(family: list[str], columns: list[str]) -> None:
    for one, other in itertools.pairwise(family):
        assert {name: properties_of(one)[name] for name in columns} == {
            name: properties_of(other)[name] for name in columns
        }


@every_sample
def test_columns_of_the_api_keep_the_order_of_the_article(stream: str) -> None:
    *names, last = properties_of(stream)
    assert last == "additional_columns"
    if stream in SERIES:
        assert names == [*SERIES[stream], "date_to", "local_date", "date_label", "value"]
    else:
        table = [name for name in TABLES[stream] if name not in IDENTITY[stream]]
        assert names[-len(table) :] == table if table else names == IDENTITY[stream]


@every_sample
def test_every_property_of_the_articles_tables_is_a_column(stream: str) -> None:
    columns = {"date_label" if name == "date_range" else name for name in TABLES[stream]}
    assert columns <= set(properties_of(stream))


@every_sample
def test_the_articles_sample_fits(stream: str) -> None:
    validator, properties, records = validator_of(stream), properties_of(stream), records_of(stream)
    assert records
    for record in records:
        validator.validate(record)
        assert set(record) == set(properties)


@every_sample
def test_a_number_with_decimals_in_the_sample_is_no_integer_in_the_schema(stream: str) -> None:
    for record, (name, column) in itertools.product(records_of(stream), properties_of(stream).items()):
        # JSON Schema takes 1.0 for an integer; a table's column would not.
        assert not isinstance(record[name], float) or types_of(column)[-1] == "number", name


@pytest.mark.parametrize(
    ("stream", "column", "value"),
    [
        ("summary", "date_from", "2018-04-01 00:00"),
        ("summary", "local_date", "1 April 2018"),
        ("summary", "total_volume", 1.5),
        ("user_summary", "user_id", "123"),
        ("user_volume", "states", {"new": "many"}),
        ("users", "groups", ["123"]),
        ("users", "archived", "no"),
    ],
)
def test_a_value_of_another_type_is_refused(stream: str, column: str, value: object) -> None:
    assert not validator_of(stream).is_valid({**records_of(stream)[0], column: value})


def test_states_that_no_document_names_are_counted_like_any_other() -> None:
    states = {"follow_up": 2, "closed_thread": None, "all_states": 2}
    validator_of("user_volume").validate({**records_of("user_volume")[0], "states": states})
