"""What is said of an answer of another shape than Lexer documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tap_lexer_activity.errors import UnexpectedAnswerError, without_see
from tap_lexer_activity.shapes import answer_validator, check, row_schema

STREAM: dict[str, Any] = {
    "properties": {
        "key": {"type": "string"},
        "other_key": {"type": "integer"},
        "count": {"type": ["null", "integer"]},
        "when": {"type": ["null", "string"], "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "date_from": {"type": "string"},
    }
}
ROW = row_schema(STREAM, required=["key", "other_key", "date_from"])
ROWS = {"type": "array", "items": ROW}
SOME_METRIC = {"type": "object", "anyOf": [{"required": ["sent"]}, {"required": ["received"]}]}
KEYS = {"key": "a", "other_key": 1}


def said(answer: Any, schema: dict[str, Any]) -> str:
    with pytest.raises(UnexpectedAnswerError) as raised:
        check(answer, answer_validator(schema), what="report 'x'", quote=lambda text: text[:20])
    return without_see(str(raised.value))


def test_a_row_of_lexer_is_one_without_the_columns_of_the_tap() -> None:
    assert list(ROW["properties"]) == ["key", "other_key", "count", "when", "tags"]
    assert ROW["required"] == ["key", "other_key"]
    check([KEYS | {"count": Decimal("81.0"), "tags": ["é"]}], answer_validator(ROWS), what="report 'x'", quote=str)


@pytest.mark.parametrize(
    ("schema", "answer", "expected"),
    [
        (ROWS, {}, "array was expected, object came; it begins {}"),
        (ROWS, "né", 'array was expected, string came; it begins "né"'),
        (ROWS, True, "array was expected, boolean came; it begins true"),
        (ROWS, None, "array was expected, null came; it begins null"),
        (ROWS, Decimal("1.50"), "array was expected, number came; it begins 1.50"),
        (SOME_METRIC, [], "object was expected, array came; it begins []"),
        (ROWS, [{"count": 1}], 'in [0] key, other_key was expected and is missing; it begins [{"count":1}]'),
        (ROWS, [{"key": "a"}], 'in [0] other_key was expected and is missing; it begins [{"key":"a"}]'),
        (ROWS, [KEYS, KEYS | {"count": "x"}], "in [1].count null or integer was expected, string came"),
        (ROWS, [KEYS | {"count": Decimal("1.5")}], "in [0].count null or integer was expected, number came"),
        (ROWS, [KEYS | {"tags": ["a", 1]}], "in [0].tags[1] string was expected, number came"),
        (ROWS, [KEYS | {"when": "2026-01-05"}], "in [0].when a date-time with an offset was expected"),
        (ROW, {"key": "a", "other_key": "1"}, "in other_key integer was expected, string came"),
        (SOME_METRIC, {"x": 1}, 'one of sent, received was expected; it begins {"x":1}'),
        ({"type": "integer", "minimum": 5}, 4, "minimum 5 was expected; it begins 4"),
    ],
)
def test_what_was_expected_and_what_came(schema: dict[str, Any], answer: Any, expected: str) -> None:
    beginning = "report 'x': the answer is not as Lexer documents it: "
    found = said(answer, schema)
    assert found.startswith(beginning + expected.partition("; it begins ")[0] + "; it begins ")
    if "; it begins " in expected:
        assert found == beginning + expected
