"""Stream maps: what their expressions need, arithmetic with all digits, and errors that name the column."""

from __future__ import annotations

import ast
import importlib.util
import json
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import MapExpressionError
from singer_sdk.mapper import CustomStreamMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from singer_sdk.mapper import StreamMap


class MapFailedError(Exception):
    """An expression of a stream map fails. Its text names the column and the kind of error, and nothing of the row."""


def expressions(stream_maps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The expressions of the setting `stream_maps`, each with its place in it, such as `users.email`."""
    for stream, columns in stream_maps.items():
        if isinstance(columns, dict):
            yield from (
                (f"{stream}.{column}", value)
                for column, value in columns.items()
                if isinstance(value, str) and (not column.startswith("__") or column == "__filter__")
            )


def lacks(stream_maps: Mapping[str, Any], stream_map_config: Mapping[str, Any]) -> list[str]:
    """What the expressions of stream maps need and don't have, one line for each key or package: they would fail at the first row."""
    keys: dict[str, list[str]] = {}
    fakes = []
    for place, expression in expressions(stream_maps):
        try:
            nodes = list(ast.walk(ast.parse(expression)))
        except SyntaxError:  # said where the maps are made
            continue
        for node in nodes:
            match node:
                case ast.Subscript(value=ast.Name(id="config"), slice=ast.Constant(value=str(key))):
                    keys.setdefault(key, []).append(place)
                # What `get` does without is meant to be missing now and then; but a digest without a salt is soon guessed.
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="config"), attr="get"),
                    args=[ast.Constant(value="hash_seed"), *_],
                ):
                    keys.setdefault("hash_seed", []).append(place)
                # (Expressions reach the keys of an object by a point, too.)
                case ast.Attribute(value=ast.Name(id="config"), attr=key) if not hasattr(dict, key):
                    keys.setdefault(key, []).append(place)
                case ast.Name(id="fake"):
                    fakes.append(place)
    found = [
        f"stream_map_config[{key}]: is missing, and the stream map {_first(places)} uses it; set it"
        + (" to a long random text of your own, such as openssl rand -hex 32 makes" if key == "hash_seed" else "")
        for key, places in keys.items()
        if key not in stream_map_config or (key == "hash_seed" and stream_map_config[key] is None)
    ]
    if fakes and importlib.util.find_spec("faker") is None:
        found.append(
            f"stream_maps: {_first(fakes)} uses fake, and the package Faker is not installed; "
            "install the tap with its extra. In its clone: uv tool install '.[faker]'"
        )
    return found


def _first(places: list[str]) -> str:
    others = len(dict.fromkeys(places)) - 1
    return places[0] + (f" (and {others} more)" if others else "")


def mend(stream_map: StreamMap) -> None:
    """Let the expressions of a map reckon with numbers as they come, and its errors name their column.

    Raises:
        MapFailedError: Later, from `transform`.
    """
    if not isinstance(stream_map, CustomStreamMap):
        return
    evaluator = stream_map.expr_evaluator
    evaluator.functions["json"] = SimpleNamespace(dumps=partial(json.dumps, default=_number), loads=json.loads)
    evaluator.operators = {kind: _exact(operator) for kind, operator in evaluator.operators.items()}
    evaluate = stream_map._eval  # noqa: SLF001 (nothing public knows the column)

    def named(*, property_name: str | None, **more: Any) -> Any:
        try:
            return evaluate(property_name=property_name, **more)
        except Exception as error:  # noqa: BLE001 (whatever an expression does)
            cause = error.__cause__ if isinstance(error, MapExpressionError) and error.__cause__ else error
            msg = f"the stream map for {property_name or '__filter__'} fails with {type(cause).__name__}"
            raise MapFailedError(msg) from None

    stream_map._eval = named  # type: ignore[assignment]  # noqa: SLF001 (as above)


def _number(value: object) -> float:
    """A decimal as `json.dumps` can write it: with the 17 digits of a float, which are all that JSON's readers keep."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError


def _exact(operator: Callable[..., Any]) -> Callable[..., Any]:
    """An operator that takes decimals, as numbers of the API are, together with the floats that an expression has."""

    def calculate(*values: Any) -> Any:
        if any(isinstance(value, Decimal) for value in values):
            values = tuple(Decimal(repr(value)) if isinstance(value, float) else value for value in values)
        return operator(*values)

    return calculate
