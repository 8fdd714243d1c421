"""A tap as most are: `csv.DictReader`, values cast by hand, and the SDK's defaults for all else. The other side of `exports.py`."""

from __future__ import annotations

import csv
import io
import json
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

import requests
from singer_sdk import Stream, Tap
from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context, Record

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "mention_sla_export.json").read_text(encoding="utf-8"))
STABLE = ("Account Name", "Source Type", "Customer Publish Date (UTC)", "Customer Username", "Customer Message")


def value_of(header: str, cell: str) -> Any:
    """A cell as its header says."""
    if not cell:
        return None
    if header.endswith("(UTC)"):
        return f"{cell.replace(' ', 'T')}Z"
    if header.endswith("(min)"):
        return float(cell)
    return cell == "true" if header.startswith("Within") else cell


class Messages(Stream):
    """Rows of one CSV file."""

    name = "mention_sla_export"
    schema: ClassVar[dict[str, Any]] = SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("record_id",)

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002 (the SDK's signature)
        """Read, cast, yield."""
        with requests.get(self.config["url"], stream=True, timeout=600) as response:
            response.raw.auto_close = False
            lines = io.TextIOWrapper(cast("IO[bytes]", response.raw), encoding="utf-8-sig", newline="")
            reader = csv.DictReader(lines)
            names = {header: column(header) for header in reader.fieldnames or ()}
            for row in reader:
                record = {names[header]: value_of(header, cell) for header, cell in row.items()}
                key = "\x1f".join(row[header] for header in STABLE)
                record["record_id"] = blake2b(key.encode(), digest_size=16).hexdigest()
                record["date_from"] = "2026-01-05T00:00:00Z"
                yield record


def column(header: str) -> str:
    """`In Queue (min)` as `in_queue_min`."""
    name = header.lower().replace(" ", "_").replace("(", "").replace(")", "")
    return name.replace("reponse", "response")


class PlainTap(Tap):
    """One stream, no more."""

    name = "plain-tap"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(th.Property("url", th.StringType)).to_dict()

    def discover_streams(self) -> list[Stream]:
        """The one stream."""
        return [Messages(self)]


if __name__ == "__main__":
    PlainTap.cli()
