"""Nothing that Lexer sends is dropped: each value is in its column, or in additional_columns as it came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from conftest import SCHEMAS
from hypothesis import given
from hypothesis import strategies as st

from tap_lexer_activity import readings
from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.fitting import fitted
from tap_lexer_activity.readings import Reading
from tap_lexer_activity.shapes import ADDITIONAL, answer_validator, row_schema, stream_schema
from tap_lexer_activity.streams.ids import identified
from tap_lexer_activity.streams.reports import Alike
from tap_lexer_activity.streams.states import AGGREGATES, STATES, by_documented_states, canonical_state
from tap_lexer_activity.values import OddNumber

Row = dict[str, Any]

# All values of all streams

STREAMS = sorted(
    path.stem
    for path in SCHEMAS.glob("*.json")
    if path.stem not in {"case_details", "mention_sla_export", "nps_submissions"}
)
SHAPES = {stream: row_schema(stream_schema(stream), required=stream_schema(stream)["required"]) for stream in STREAMS}

texts = st.sampled_from(
    [
        "",
        " ",
        "never",
        "81",
        "12.5",
        "true",
        "No",
        "45%",
        "-",
        "NaN",
        "2020-01-01",
        "2020-01-01T00:00:00Z",
        "1521612541",
        "+09:30",
        "1, 2",
    ]
) | st.text(max_size=5)
numbers = st.integers() | st.integers(-(2**65), 2**65) | st.decimals(allow_nan=False, allow_infinity=False, places=2)
single = st.none() | st.booleans() | texts | numbers | st.sampled_from([OddNumber("1e400"), 1521612541])
anything = st.recursive(
    single, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, Row]:
    stream = draw(st.sampled_from(STREAMS))
    names = [name for name in SHAPES[stream]["properties"] if name != ADDITIONAL]
    row = {name: draw(anything) for name in draw(st.lists(st.sampled_from(names), unique=True))}
    return stream, row | draw(st.dictionaries(st.sampled_from(["csat", ADDITIONAL, "date_from", "x"]), anything))


def says_the_same(typed: Any, sent: Any) -> bool:  # noqa: PLR0911 (one for each type)
    """True if a value says what came, in other words at most."""
    if isinstance(typed, list):
        return (
            isinstance(sent, str)
            or (isinstance(sent, (int, Decimal)) and typed == [sent])
            or (
                len(typed) == len(sent)
                and all(map(says_the_same, typed, sent.values() if isinstance(sent, dict) else sent))
            )
        )
    if isinstance(typed, dict):
        return (
            sent == []
            or (isinstance(sent, dict) and all(says_the_same(typed[name], sent[name]) for name in sent))
            or (isinstance(sent, list) and len(sent) == len(typed))
        )
    if typed is None:
        return sent is None or not str(sent).strip()
    if isinstance(typed, bool):
        return str(sent).strip().lower() in (
            {"true", "yes", "1", "t", "y", "on"} if typed else {"false", "no", "0", "f", "n", "off"}
        )
    if isinstance(typed, (int, Decimal)) and str(sent) == "+09:30":
        return typed == Decimal("9.5")
    if isinstance(typed, (int, Decimal)):
        return typed == (Decimal(sent.strip()) if isinstance(sent, str) else sent)
    if "T" in typed and typed.endswith("Z") and not isinstance(sent, str):
        return datetime.fromisoformat(typed).timestamp() in (sent, sent / 1000)
    return typed in (sent, str(sent), str(sent).lower()) or "T" in typed


@given(rows())
def test_every_value_is_in_its_column_or_beside_it_as_it_came(drawn: tuple[str, Row]) -> None:
    stream, sent = drawn
    shape = SHAPES[stream]
    row, found = fitted(sent, shape)
    kept = row.get(ADDITIONAL, {})
    for name, value in sent.items():
        column = shape["properties"].get(name)
        if column is None or name == ADDITIONAL:
            assert kept[name] == plain(value)
            assert name in found.new
        elif name in kept:
            assert kept[name] == plain(value) or isinstance(value, dict)
        else:
            assert says_the_same(row[name], value) or name in shape["required"]
    assert row.keys() <= {*shape["properties"]}
    # What the check would refuse is a key alone.
    errors = [error.absolute_path[0] for error in answer_validator({**shape, "required": []}).iter_errors(row)]
    assert set(errors) <= set(shape["required"])


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    is_large = isinstance(value, OddNumber) or (type(value) is int and not -(2**63) <= value < 2**63)
    return str(value) if is_large else value


# Times

moments = st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)).map(lambda moment: moment.replace(microsecond=0))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, offsets)
def test_a_time_in_other_words_is_the_instant_that_it_was(moment: datetime, zone: timezone) -> None:
    moment = moment.replace(tzinfo=zone)
    seconds = int(moment.timestamp())
    ways: list[Any] = [
        seconds,
        str(seconds),
        seconds * 1000,
        str(seconds * 1000),
        Decimal(seconds) + Decimal("0.25"),
        f"{moment:%a, %d %b %Y %H:%M:%S %z}",
        f"{moment:%a %b %d %Y %H:%M:%S} GMT{moment:%z} (Some Zone)",
        f"{moment:%a %b %d %H:%M:%S %z %Y}",
        f"{moment:%Y-%m-%d %H:%M:%S %z} AEST",
        f"{moment.astimezone(UTC):%a, %d %b %Y %H:%M:%S} GMT",
        f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
    ]
    for way in ways:
        found = readings.read_time(way)
        assert found is not None, way
        assert datetime.fromisoformat(found.value).replace(microsecond=0) == moment, way


@pytest.mark.parametrize(
    "text",
    [
        "never",
        "0000-00-00 00:00:00",
        "Sat, 15 Jun 2019 10:22:00",
        "Sat, 15 Jun 2019 10:22:00 EST",
        "15",
        "999",
        12,
        True,
        -1521612541,
    ],
)
def test_what_may_be_another_instant_is_no_time(text: Any) -> None:
    assert readings.read_time(text, utc_times=True) is None


def test_a_time_without_a_zone_is_one_if_it_is_said_to_be_in_utc() -> None:
    for text in ("2019-06-15T10:22:00", "2019-06-15 10:22"):
        assert readings.read_time(text) is None
        found = readings.read_time(text, utc_times=True)
        assert found == Reading("2019-06-15T10:22:00Z", readings.NO_ZONE)
    assert readings.read_time("2019-06-15") == Reading("2019-06-15T00:00:00Z", readings.DATES, is_kept=True)


# Numbers, lists, objects


@pytest.mark.parametrize(
    "text", ["1,234", "45%", "2d 4h", "0x10", "1_000", "٣", "1e9999", "", "NaN", "Infinity", "12.", "--1"]
)
def test_what_is_no_number_for_sure_is_none(text: str) -> None:
    assert readings.read_number(text) is None
    assert readings.read_integer(text) is None


@pytest.mark.parametrize(("text", "number"), [("81", 81), (" -5 ", -5), ("81.0", 81), ("12.5", None), ("007", None)])
def test_a_whole_number_is_one_as_text_if_it_is_written_as_one(text: str, number: int | None) -> None:
    found = readings.read_integer(text)
    assert (found.value if found else None) == number


@pytest.mark.parametrize(("text", "number"), [("81", 81), ("007", 7), ("-5", None), ("81.0", None), (True, None)])
def test_a_key_is_a_number_if_it_is_of_digits_alone(text: Any, number: int | None) -> None:
    found = readings.read_key(text, "integer")
    assert (found.value if found else None) == number


@pytest.mark.parametrize(
    ("sent", "hours"),
    [("10", 10), ("+10:00", 10), ("GMT-03:30", Decimal("-3.5")), ("+0545", Decimal("5.75")), (9.5, 9.5)],
)
def test_an_offset_is_in_hours(sent: Any, hours: Any) -> None:
    row, _ = fitted({"id": 1, "gmtoffset": sent}, SHAPES["users"])
    assert row["gmtoffset"] == hours


def test_lists_and_objects_come_in_other_words() -> None:
    in_other_words: tuple[Any, ...] = (
        "1, 2",
        "[1, 2]",
        ["1", 2],
        {"0": 1, "1": "2"},
        [{"id": 1, "name": "a"}, {"id": "2"}],
    )
    for sent in in_other_words:
        assert fitted({"groups": sent}, SHAPES["users"])[0]["groups"] == [1, 2], sent
    assert fitted({"groups": 7}, SHAPES["users"])[0]["groups"] == [7]
    assert fitted({"groups": [None]}, SHAPES["users"])[0] == {"groups": None, ADDITIONAL: {"groups": [None]}}
    in_other_words = ('{"new": 3}', [{"state": "new", "volume": 3}], [{"count": "3", "name": "new"}], {"new": "3"})
    for sent in in_other_words:
        assert fitted({"states": sent}, SHAPES["user_volume"])[0]["states"] == {"new": 3}, sent
    assert fitted({"states": []}, SHAPES["user_volume"])[0]["states"] == {}
    twice = [{"state": "new", "volume": 3}] * 2
    assert fitted({"states": twice}, SHAPES["user_volume"])[0] == {"states": None, ADDITIONAL: {"states": twice}}


# Rows of nobody


def test_rows_of_nobody_have_an_id_of_their_own_and_what_came_is_kept() -> None:
    sent = [{"user_id": "7", "n": 1}, *({"user_id": word, "n": 2} for word in (None, "", "Un-assigned", "N/A"))]
    found = identified(sent, "user_id", what="x")
    assert [row["user_id"] for row in found.rows] == [7, 0, 0, 0, 0]
    assert found.kept == [{}, *({"user_id": word} for word in (None, "", "Un-assigned", "N/A"))]
    assert not found.has_total


@pytest.mark.parametrize("word", ["jane", "9f1c2b3a-0000", "na1", 1.5, ["x"]])
def test_a_word_that_may_be_somebody_stays_and_is_refused_by_the_shape(word: Any) -> None:
    sent = [{"user_id": word}]
    assert identified(sent, "user_id", what="x").rows == sent


@pytest.mark.parametrize(
    "row",
    [
        {"user_id": "Total"},
        {"user_id": None, "first_name": "All"},
        {"user_id": "", "last_name": "Grand total"},
        {"user_id": "all users"},
        {"user_id": "", "a": 6, "b": 9, "c": 12},
    ],
)
def test_a_row_of_totals_has_an_id_of_its_own(row: Row) -> None:
    agents: list[Row] = [{"user_id": number, "a": number, "b": number + 1, "c": number + 2} for number in (1, 2, 3)]
    found = identified([*agents, row], "user_id", what="x")
    assert found.has_total
    assert found.rows[-1]["user_id"] == -1


def test_a_sum_that_may_be_by_chance_makes_no_total() -> None:
    for row, agents in (({"n": 3}, (1, 2)), ({"n": 0, "m": 0, "k": 0}, (0, 0)), ({"n": 5, "m": 5, "k": 5}, (5,))):
        sent = [{"user_id": number, **dict.fromkeys(row, n)} for number, n in enumerate(agents, 1)]
        assert identified([*sent, {"user_id": None, **row}], "user_id", what="x").rows[-1]["user_id"] == 0


def test_a_total_by_state_is_one_if_it_is_for_all_states() -> None:
    sent = [
        {"classification_id": c, "state": s, "volume": c + n} for c in (1, 2) for n, s in enumerate(("a", "b", "c"))
    ]
    total = [{"classification_id": None, "state": s, "volume": 3 + 2 * n} for n, s in enumerate(("a", "b", "c"))]
    for rows_of_none, number in ((total, -1), (total[:2], 0), ([*total[:2], {**total[2], "volume": 1}], 0)):
        found = identified([*sent, *rows_of_none], "classification_id", beside=["state"], what="x")
        assert {row["classification_id"] for row in found.rows[6:]} == {number}
    all_states = [
        {"classification_id": None, "classification": name, "state": "all"} for name in (None, "Totally fine")
    ]
    assert [row["classification_id"] for row in identified(all_states, "classification_id", what="x").rows] == [0, 0]


def test_a_row_of_nobody_beside_the_id_that_it_would_have_is_refused() -> None:
    for number, word in ((0, None), ("0", ""), (-1, "total")):
        with pytest.raises(UnexpectedAnswerError, match="which another row has"):
            identified([{"user_id": number}, {"user_id": word}], "user_id", what="x")


def test_a_row_without_the_field_is_of_nobody_if_that_is_said() -> None:
    sent = [{"user_id": 1}, {"first_name": "x"}, 5]
    assert identified(sent, "user_id", what="x").rows == sent
    found = identified(sent, "user_id", may_be_missing=True, what="x")
    assert found.rows == [{"user_id": 1}, {"first_name": "x", "user_id": 0}, 5]


# States


@given(
    st.sampled_from([*STATES, *AGGREGATES]),
    st.sampled_from(["_", " ", "-", "", "  "]),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_a_state_has_its_documented_name(state: str, between: str, case: Any) -> None:
    assert canonical_state(f" {case(state.replace('_', between))}") == state


def test_other_states_stay_and_what_came_is_kept() -> None:
    for word in ("Follow up", "Closed (thread)", "", "reopened"):
        assert canonical_state(word) == word
        assert by_documented_states({"state": word}) == ({"state": word}, {})
    assert by_documented_states({"state": "Closed"}) == ({"state": "closed"}, {"state": "Closed"})
    assert by_documented_states({"states": {"New": 1, "x": 2}}) == (
        {"states": {"new": 1, "x": 2}},
        {"states": {"New": 1, "x": 2}},
    )
    both = {"states": {"New": 1, "new": 2}}
    assert by_documented_states(both) == (both, {})


# Forms


def test_the_same_numbers_for_all_forms_are_no_chance_if_there_are_many() -> None:
    def alike(*forms: list[int]) -> bool:
        found = Alike()
        for number, counts in enumerate(forms):
            for window, count in enumerate(counts):
                found.take(number, str(window), {"sent": count})
        return found.is_suspicious

    assert alike([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert not alike([1, 2, 3, 4], [1, 2, 3, 4])
    assert not alike([0] * 20, [0] * 20)
    assert not alike(list(range(20)))
    assert not alike([1, 2, 3, 4, 5], [1, 2, 3, 4, 6])
