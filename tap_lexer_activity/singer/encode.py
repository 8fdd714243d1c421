"""JSON lines, with all digits of decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines


def row_type(names: Sequence[str]) -> Callable[..., Any]:
    """A type for rows with these columns, whatever characters their names have."""
    fields = [f"column_{number}" for number in range(len(names))]
    return msgspec.defstruct("Row", fields, rename=dict(zip(fields, names, strict=True)), gc=False)


def encode_line(content: object) -> bytes:
    """One line of JSON, decimals with all their digits.

    Raises:
        OverflowError: If there is an integer of more than 64 bits in it.
        TypeError: If there is something in it that is not JSON.
    """
    return encode_lines([content])
