"""Airbyte's connector acceptance tests, as far as they make sense for a Singer tap: each is named after the check that it mirrors.

What is left out, and why, stands in suites.py.
"""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Run
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from proof import public
from proof.account import EXPORTS, TWO_DAYS_LATER, Account
from proof.public import breaks
from support.states import bookmarks, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Warehouse

pytestmark = pytest.mark.proof

Schema = dict[str, Any]
LOOKBACK = 3
SAMPLE = public.FILE.parents[2] / "sample_config.json"
SECRETS = {"api_token", "token", "password", "secret", "client_secret", "api_key", "access_token"}
EMPTY = {
    # The sandbox names the columns of cases with their unit, as the file of messages is documented to have them.
    "case_details": {"date_opened", "date_closed", "first_reply_time", "resolution_time"},
    # and all else that it sends is as documented.
    **{name: {"additional_columns"} for name in public.kept()["streams"].keys() - {"case_details", "nps_submissions"}},
}
"""Columns that no record of the sandbox fills."""


@pytest.fixture(scope="session")
def about(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(account.tap.run(None, "--about", "--format=json").out)
    return found


@pytest.fixture(scope="session")
def spec(about: dict[str, Any]) -> Schema:
    """The JSON schema of all settings, those of the SDK included."""
    found: Schema = about["settings"]
    return found


@pytest.fixture(scope="session")
def own(spec: Schema) -> dict[str, Schema]:
    """The settings that are the tap's own."""
    inherited = ("stream_map", "faker_", "flattening_", "batch_")
    return {name: schema for name, schema in spec["properties"].items() if not name.startswith(inherited)}


def within(value: Any) -> Iterator[Schema]:
    """Every object in it, itself included."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from within(part)


def types(schema: Schema) -> list[str]:
    found = schema["type"]
    return [found] if isinstance(found, str) else found


def keywords(schema: Schema) -> set[str]:
    """The words of JSON Schema that it uses. Names of properties are none."""
    found = set(schema)
    for name, value in schema.items():
        for part in value.values() if name == "properties" else value if isinstance(value, list) else [value]:
            found |= keywords(part) if isinstance(part, dict) else set()
    return found


def keyed(run: Run, account: Account) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """The records of each stream by their keys, of which none may be there twice."""
    found = {}
    for stream, records in run.records.items():
        names = account.streams[stream]["key_properties"]
        counted = Counter(tuple(record[name] for name in names) for record in records)
        assert counted.most_common(1)[0][1] == 1, f"{stream}: a key is there twice"
        found[stream] = dict(zip(counted, records, strict=True))
    return found


class TestSpec:
    def test_config_match_spec(self, account: Account, spec: Schema) -> None:
        """The spec is a valid schema, and configurations fit it."""
        Draft202012Validator.check_schema(spec)
        for config in (account.config(), json.loads(SAMPLE.read_text(encoding="utf-8"))):
            Draft202012Validator(spec).validate(config)

    def test_match_expected(self, account: Account, about: dict[str, Any]) -> None:
        """The spec is the reviewed one, or the reviewed one has to be written anew."""
        assert public.kept() == public.outlined(about, account.discovered), public.__doc__

    def test_enum_usage(self, spec: Schema) -> None:
        for part in within(spec):
            values = part.get("enum", [])
            assert len(set(values)) == len(values)

    def test_oneof_usage(self, own: dict[str, Schema]) -> None:
        assert all("oneOf" not in keywords(schema) for schema in own.values())

    def test_required(self, account: Account, spec: Schema) -> None:
        for name in spec["required"]:
            config = {key: value for key, value in account.config().items() if key != name}
            run = account.tap.run(config, "--check")
            assert run.code == 1
            assert [line.partition(":")[0] for line in run.errors] == [name]

    def test_optional(self, account: Account, spec: Schema) -> None:
        """The required settings are enough (and the address of the sandbox, or it would ask Lexer)."""
        run = account.tap.run({name: account.config()[name] for name in (*spec["required"], "api_url")}, "--check")
        assert run.code == 0, run.log

    def test_has_secret(self, own: dict[str, Schema]) -> None:
        assert [name for name, schema in own.items() if schema.get("secret")] == ["api_token"]

    def test_secret_never_in_the_output(self, account: Account) -> None:
        assert account.sandbox.token not in account.first.out + account.first.log

    def test_secret_is_properly_marked(self, own: dict[str, Schema]) -> None:
        for name, schema in own.items():
            assert bool(schema.get("secret")) is bool(schema.get("writeOnly")) is (name in SECRETS)

    def test_property_type_is_not_array(self, own: dict[str, Schema]) -> None:
        """A setting has one type, and null where it may be left out."""
        for name, schema in own.items():
            one, *rest = types(schema)
            assert one != "null", name
            assert rest in ([], ["null"]), name

    def test_array_type(self, own: dict[str, Schema]) -> None:
        lists = {name: schema["items"] for name, schema in own.items() if "array" in schema["type"]}
        assert lists
        assert all(set(types(items)) <= {"string", "integer", "number", "object"} for items in lists.values())

    def test_forbidden_complex_types(self, own: dict[str, Schema]) -> None:
        forbidden = {"not", "anyOf", "allOf", "if", "then", "else", "patternProperties", "prefixItems"}
        forbidden |= {"dependentSchemas", "dependentRequired"}
        assert not {word for schema in own.values() for word in keywords(schema)} & forbidden

    def test_defined_refs_exist_in_json_spec_file(self, spec: Schema) -> None:
        assert all("$ref" not in part for part in within(spec))

    def test_backward_compatibility(self, about: dict[str, Any]) -> None:
        now = public.outlined(about, {"streams": []}) | {"streams": public.kept()["streams"]}
        assert breaks(public.kept(), now) == []


class TestConnection:
    def test_check(self, account: Account) -> None:
        for token, code in ((account.sandbox.token, 0), ("a-wrong-token-1234", 1)):
            run = account.tap.run(account.config(api_token=token), "--check")
            assert (run.code, len(run.errors)) == (code, code), run.log


class TestDiscovery:
    def test_discover(self, account: Account) -> None:
        names = [entry["tap_stream_id"] for entry in account.catalog["streams"]]
        assert names
        assert len(set(names)) == len(names)

    def test_streams_have_valid_json_schemas(self, account: Account) -> None:
        for entry in account.streams.values():
            Draft7Validator.check_schema(entry["schema"])

    def test_defined_cursors_exist_in_schema(self, account: Account) -> None:
        for name in account.incremental:
            entry = account.streams[name]
            assert entry["schema"]["properties"][entry["replication_key"]]["format"] == "date-time"

    def test_defined_refs_exist_in_schema(self, account: Account) -> None:
        assert all("$ref" not in part for part in within([entry["schema"] for entry in account.streams.values()]))

    @pytest.mark.parametrize("keyword", ["allOf", "not"])
    def test_defined_keyword_exist_in_schema(self, account: Account, keyword: str) -> None:
        assert all(keyword not in keywords(entry["schema"]) for entry in account.streams.values())

    def test_primary_keys_exist_in_schema(self, account: Account) -> None:
        for name, entry in account.streams.items():
            assert set(entry["key_properties"]) <= set(entry["schema"]["properties"]), name

    def test_streams_has_sync_modes(self, account: Account) -> None:
        for name, entry in account.streams.items():
            assert entry["replication_method"] == ("INCREMENTAL" if name in account.incremental else "FULL_TABLE")

    def test_additional_properties_is_true(self, account: Account) -> None:
        """No object is closed, so that a catalog of today does not refuse what comes tomorrow."""
        schemas = [entry["schema"] for entry in account.streams.values()]
        assert all(part.get("additionalProperties") is not False for part in within(schemas))

    def test_backward_compatibility(self, account: Account, about: dict[str, Any]) -> None:
        assert (
            breaks(public.kept(), public.outlined(about, account.discovered) | {"settings": public.kept()["settings"]})
            == []
        )

    def test_catalog_has_supported_data_types(self, account: Account) -> None:
        supported = {"null", "string", "number", "integer", "boolean", "object", "array"}
        for name, entry in account.streams.items():
            for column, schema in entry["schema"]["properties"].items():
                assert set(types(schema)) <= supported, (name, column)
                assert "format" not in schema or (
                    schema["format"] in {"date", "date-time"} and "string" in types(schema)
                )

    def test_primary_keys_data_type(self, account: Account) -> None:
        for name, entry in account.streams.items():
            for column in entry["key_properties"]:
                assert types(entry["schema"]["properties"][column]) in (["string"], ["integer"]), (name, column)


class TestBasicRead:
    def test_read(self, account: Account) -> None:
        """Every stream has records, they fit its schema, keys are there and unique, and every column is filled at least once."""
        records = account.first.records
        assert records.keys() == account.streams.keys()
        for name, rows in keyed(account.first, account).items():
            schema = account.streams[name]["schema"]
            validator = Draft202012Validator(schema, format_checker=FormatChecker())
            for key, row in rows.items():
                assert list(validator.iter_errors(row)) == [], name
                assert row.keys() == schema["properties"].keys(), name
                assert None not in key, name
            filled = {column for row in rows.values() for column, value in row.items() if value is not None}
            assert schema["properties"].keys() - filled == EMPTY.get(name, set()), name


class TestFullRefresh:
    def test_sequential_reads(self, account: Account) -> None:
        """Two reads without a state give the same records, and the second says that it was later."""
        again = account.read()
        assert again.records == account.first.records
        times = [[m["time_extracted"] for m in run.messages if m["type"] == "RECORD"] for run in (account.first, again)]
        assert max(times[0]) < min(times[1])


class TestIncremental:
    def test_two_sequential_reads(self, account: Account) -> None:
        """Two days later the same streams have other records, none from before the lookback, and later bookmarks."""
        second = account.read(state=account.first.state, now=TWO_DAYS_LATER, lookback_days=LOOKBACK)
        before, after = bookmarks(account.first.state), bookmarks(second.state)
        assert before.keys() == after.keys()
        assert {stream for stream, _ in before} == account.incremental
        for (stream, form), bookmark in before.items():
            assert moment(after[stream, form]) == moment(bookmark) + timedelta(days=2)
            assert second.records[stream] != account.first.records[stream]
            read = second.reach(stream, form)
            assert min(read) >= moment(bookmark) - timedelta(days=LOOKBACK), stream
            assert stream in EXPORTS or max(read) >= moment(bookmark), f"{stream}: something new"

    def test_read_sequential_slices(self, account: Account, is_long: bool, new_warehouse: type[Warehouse]) -> None:
        """From a state (as Airbyte does from a tenth of them, at least ten) a read gives what was still missing, and nothing older."""
        settings: dict[str, Any] = {"lookback_days": 0, "start_date": "2026-04-29"}
        whole = account.read(**settings)
        lines = whole.out.splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if json.loads(line)["type"] == "STATE"]
        step = 1 if is_long else len(places) // 10
        tried = places[step - 1 :: step]
        for place in tried:
            state = json.loads(lines[place])["value"]
            rest = account.read(**settings, state=state)
            # What a target holds that got exactly this far.
            tables = new_warehouse().load(Run(0, "".join(lines[:place]), "")).load(rest).tables
            assert tables == new_warehouse().load(whole).tables, f"from message {place}"
            for (stream, form), bookmark in bookmarks(state).items():
                assert all(start >= moment(bookmark) for start in rest.reach(stream, form)), stream

    def test_state_with_abnormally_large_values(self, account: Account) -> None:
        """A state far in the future gives no records, and comes out as it went in."""
        state = deepcopy(account.first.state)
        for bookmark in bookmarks(state).values():
            bookmark["replication_key_value"] = "2199-01-01T00:00:00Z"
        run = account.read(state=state)
        assert run.records.keys() == account.streams.keys() - account.incremental
        assert run.state == state


class TestConnectorAttributes:
    def test_streams_define_primary_key(self, account: Account) -> None:
        assert all(entry["key_properties"] for entry in account.streams.values())
