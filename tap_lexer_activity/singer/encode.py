"""JSON lines, with all digits of decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines

ENCODE_ERRORS: Final = (OverflowError, TypeError, ValueError)
"""What it raises at integers of more than 64 bits, and at whatever else only the SDK can write."""


def row_type(names: Sequence[str]) -> Callable[..., Any]:
    """A type for rows with these columns, whatever characters their names have."""
    fields = [f"column_{number}" for number in range(len(names))]
    return msgspec.defstruct("Row", fields, rename=dict(zip(fields, names, strict=True)), gc=False)
