"""Stream maps: what their expressions need, arithmetic with all digits, and errors that name the column."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import MapExpressionError
from singer_sdk.mapper import CustomStreamMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.mapper import StreamMap


class MapFailedError(Exception):
    """An expression of a stream map fails. Its text names the column and the kind of error, and nothing of the row."""


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
