"""Stream maps: what they need is asked for before the first request, they reckon exactly, and their errors name the column."""

from __future__ import annotations

import json
import operator
from decimal import Decimal
from itertools import repeat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.helpers._flattening import flatten_record

from tap_lexer_activity.run.events import Block
from tap_lexer_activity.settings.maps import map_errors
from tap_lexer_activity.singer.mapper import _exact, _flattener, stays_flat

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Tap
    from support.types import CatalogOf

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.hurried

ONE_DAY = {"start_date": "2026-04-29", "end_date": "2026-04-30"}
WITHOUT_FAKER = """
import importlib.util

found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "faker" else found(name, *more)
"""


@pytest.mark.parametrize(
    ("maps", "given", "missing"),
    [
        ({"users": {"email": "sha256(config['hash_seed'] + email)"}}, {}, ["hash_seed"]),
        ({"users": {"email": "sha256(config['hash_seed'] + email)"}}, {"hash_seed": "s"}, []),
        ({"users": {"a": "config['x'] + config['y']", "b": "config['x']"}}, {"y": 1}, ["x"]),
        ({"users": {"__filter__": "id == config['wanted']"}}, {}, ["wanted"]),
        ({"users": {"a": "config.get('x')", "b": None, "__else__": "__NULL__"}, "groups": None}, {}, []),
        ({"users": {"a": "not an expression '"}}, {}, []),
        ({"users": {"a": "sha256(config.get('hash_seed', '') + email)"}}, {}, ["hash_seed"]),
        ({"users": {"a": "sha256(config['hash_seed'] + email)"}}, {"hash_seed": None}, ["hash_seed"]),
        ({"users": {"a": "config.region", "b": "config.keys()"}}, {}, ["region"]),
        ({"users": {"a": "config.region"}}, {"region": None}, []),
    ],
)
def test_a_key_that_expressions_use_is_missing(maps: Any, given: Any, missing: list[str]) -> None:
    assert [line.partition(":")[0] for line in map_errors(maps, given)] == [
        f"stream_map_config[{key}]" for key in missing
    ]


def test_a_map_without_its_salt_is_refused_before_the_first_request(tap: Tap, sandbox: Sandbox) -> None:
    maps = {"users": {"email": "sha256(config['hash_seed'] + email)", "first_name": "config['hash_seed']"}}
    run = tap.run(sandbox.config(**ONE_DAY, stream_maps=maps))
    assert (run.code, run.out, sandbox.requests) == (1, "", [])
    said = "stream_map_config[hash_seed]: is missing, and the stream map users.email (and 1 more) uses it; "
    assert run.errors == [f"{said}set it to a long random text of your own, such as openssl rand -hex 32 makes"]


def test_faker_comes_with_an_extra(tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, tmp_path: Path) -> None:
    config = sandbox.config(
        **ONE_DAY,
        stream_maps={"users": {"email": "fake.email()", "first_name": "fake.first_name()"}},
        faker_config={"seed": 7, "locale": ["de_DE"]},
    )
    runs = [tap.run(config, catalog=catalog_of("users")) for _ in range(2)]
    assert [run.code for run in runs] == [0, 0], runs[0].log
    assert runs[0].records == runs[1].records, "the seed decides"
    assert all("@" in row["email"] for row in runs[0].records["users"])
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_FAKER, encoding="utf-8")
    asked = len(sandbox.requests)
    run = tap.run(config, catalog=catalog_of("users"), env={"PYTHONPATH": str(tmp_path)})
    assert run.code == 1
    assert run.errors[0].startswith(
        "stream_maps: users.email (and 1 more) uses fake, and the package Faker is not installed"
    )
    assert len(sandbox.requests) == asked


def test_numbers_of_the_api_and_of_an_expression_are_reckoned_with_exactly(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    maps = {
        "summary": {
            "half": "float(avg_response_time) * 0.5",
            "exact": "avg_response_time * 0.1",
            "back": "10.0 - avg_response_time / 2.5",
            "larger": "bool(avg_response_time > 0.25)",
            "text": "json.dumps({'average': avg_response_time})",
            "again": "json.loads('[0.5]')[0] * avg_response_time",
        }
    }
    run = tap.run(sandbox.config(**ONE_DAY, stream_maps=maps), catalog=catalog_of("summary"))
    assert run.code == 0, run.log
    (row,) = (json.loads(line, parse_float=Decimal)["record"] for line in run.out.splitlines() if '"RECORD"' in line)
    number = row["avg_response_time"]
    assert row["exact"] == number * Decimal("0.1")
    assert row["back"] == Decimal(10) - number / Decimal("2.5")
    assert row["larger"] is True
    assert json.loads(row["text"], parse_float=Decimal) == {"average": number}
    assert row["again"] == Decimal("0.5") * number


@given(st.decimals(-(10**9), 10**9, places=4), st.floats(-1e9, 1e9).filter(lambda number: abs(number) > 1e-6))
def test_a_decimal_and_a_float_are_two_decimals(number: Decimal, other: float) -> None:
    for calculate in (operator.add, operator.sub, operator.mul, operator.truediv):
        if calculate is operator.truediv and not number:
            continue  # nothing divides by zero
        assert _exact(calculate)(number, other) == calculate(number, Decimal(repr(other)))
        assert _exact(calculate)(other, number) == calculate(Decimal(repr(other)), number)
        assert _exact(calculate)(other, 2) == calculate(other, 2)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=9), values, max_size=6), max_size=3),
    st.sets(st.text(max_size=9)),
    st.integers(1, 3),
    st.integers(1, 12),
)
def test_flattening_gives_what_the_sdk_makes_of_the_whole_row(
    rows: list[dict[str, Any]], columns: set[str], depth: int, longest: int
) -> None:
    def flatten(row: dict[str, Any]) -> dict[str, Any]:
        schema = {"properties": {name: {"type": ["null", "string"]} for name in columns}}
        return flatten_record(row, schema, depth, max_key_length=longest)

    flattened = _flattener(flatten)
    for row in rows:
        assert [*flattened(row).items()] == [*flatten(row).items()]


@pytest.mark.parametrize(
    ("longest", "additional", "is_enabled", "stays"),
    [
        (30, None, True, True),
        (30, {"Note": "x"}, True, False),
        (8, None, True, False),
        (8, {"Note": "x"}, False, True),
    ],
)
def test_rows_that_flattening_would_not_change_need_none(
    longest: int, additional: dict[str, str] | None, is_enabled: bool, stays: bool
) -> None:
    def flatten(row: dict[str, Any]) -> dict[str, Any]:
        return flatten_record(row, {"properties": {}}, 1, max_key_length=longest)

    block = Block(("state", "additional_columns", "form_id"), [["new", "new"], [None, additional], repeat(7)], 2)
    stream_map: Any = SimpleNamespace(flattening_enabled=is_enabled, flatten_record=_flattener(flatten))
    assert stays_flat(stream_map, block) is stays


@pytest.mark.parametrize(
    ("columns", "column", "kind"),
    [
        ({"email": "email", "first_name": "first_name + 5"}, "first_name", "TypeError"),
        ({"__filter__": "nobody > 5"}, "__filter__", "NameNotDefined"),
        ({"x": "config['given'][0] / 0"}, "x", "ZeroDivisionError"),
    ],
)
def test_an_error_of_a_map_names_stream_and_column(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, columns: dict[str, str], column: str, kind: str
) -> None:
    config = sandbox.config(**ONE_DAY, stream_maps={"users": columns}, stream_map_config={"given": [1]})
    run = tap.run(config, catalog=catalog_of("users"))
    assert run.code == 1
    assert run.errors[-1] == (
        f"users: the stream map for {column} fails with {kind} (its text is not shown: data may be in it)"
    )


@pytest.mark.parametrize("depth", [{}, {"flattening_max_depth": -1}])
def test_flattening_without_a_depth_names_the_setting(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf, depth: dict[str, int]
) -> None:
    run = tap.run(sandbox.config(**ONE_DAY, flattening_enabled=True, **depth), catalog=catalog_of("users"))
    assert (run.code, run.out, run.see) == (1, "", ["setting-missing"])
    assert run.errors == [
        "flattening_max_depth: is missing; flattening_enabled needs a number such as 1, which makes text of objects and lists"
    ]


def test_flattening_that_gives_two_columns_one_name_names_the_setting(
    tap: Tap, sandbox: Sandbox, catalog_of: CatalogOf
) -> None:
    flat = {"flattening_enabled": True, "flattening_max_depth": 1, "flattening_max_key_length": 3}
    run = tap.run(sandbox.config(**ONE_DAY, **flat), catalog=catalog_of("users", "summary"))
    assert (run.code, run.out, run.see) == (1, "", ["flattening-one-name"])
    assert run.errors[-1].startswith("flattening_max_key_length: two columns of ")
    assert run.errors[-1].endswith("; set it to 60 or more, or leave it out")
