"""JSON lines, with all digits of decimals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from singer_sdk.singerlib.json import serialize_json

encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines

ENCODE_ERRORS: Final = (OverflowError, TypeError, ValueError)
"""Errors that it raises at integers of more than 64 bits, and at whatever else only the SDK can write."""


def as_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Objects as lines of JSON, also those that only the SDK can write."""
    try:
        return encode_lines(rows)
    except ENCODE_ERRORS:
        return "".join(f"{serialize_json(row)}\n" for row in rows).encode()


def row_type(names: Sequence[str]) -> Callable[..., Any]:
    """A type for rows with these columns, whatever characters their names have."""
    fields = [f"column_{number}" for number in range(len(names))]
    return msgspec.defstruct("Row", fields, rename=dict(zip(fields, names, strict=True)), gc=False)
