"""The rows of an export by the fast way and by the SDK's ordinary one, as records and in batch files: the same, whatever is in them.

And their values are those that Python's own readers find in the file.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from conftest import select
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tap_lexer_activity.csv_exports.names import column_name
from tap_lexer_activity.lexer.job_answers import Job
from tap_lexer_activity.lexer.jobs import Exporter
from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

pytestmark = [pytest.mark.proof, pytest.mark.hurried, pytest.mark.timeout(3600)]  # for the long run

STREAM = "mention_sla_export"
SETTINGS = {
    "api_token": "a-token-for-nobody",
    "start_date": "2026-04-01",
    "end_date": "2026-04-02",
    "api_url": "http://127.0.0.1:9/v1",
    "rate_limit_requests": 100_000,  # each run asks in vain for the users
}
KNOWN = [
    "Account Name",
    "Source Type",
    "Customer Publish Date (UTC)",
    "Customer Username",
    "Customer Message",
    "Customer Wait Time (min)",
    "Within Customer SLA",
    "State",
]
FOUND = ["Score (min)", "Seen (UTC)", "Within Other SLA", "Note"]
"""What discovery has added to the catalog."""


class OneFile(Exporter):
    """Gives the same file for every export, and asks nobody."""

    content = b""

    @override
    def start(self, body: Mapping[str, Any], *, tries: int = 1) -> Job:
        return Job("export", body, "a-job", begun=0.0, due=0.0, url="known")

    @override
    def fetch(self, job: Job) -> TextIO:
        return io.TextIOWrapper(io.BytesIO(self.content), encoding="utf-8-sig", newline="")


@dataclass(frozen=True)
class Case:
    """An export, and the catalog it is read by.

    Attributes:
        deselected: Columns that are not selected.
        content: The file.
        is_slow: Whether a field inside of a column is not selected either. No row has it, but it takes the SDK to leave it out.
    """

    deselected: frozenset[str]
    content: bytes
    is_slow: bool = False


cells = (
    st.sampled_from(
        ["", "0", "1", "-1.50", "1e3", "yes", "No", "NA", "true", "\x00", '"', "\r\n", ";", "a\x1fb", "\ufeff"]
    )
    | st.sampled_from(["2026-04-01 10:00:00", "2026-04-01T10:00:00+10:00", "2026-02-30 00:00:00", "0001-01-01 00:00"])
    | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
    | st.datetimes().map(str)
    | st.text(max_size=12)
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    known = draw(st.lists(st.sampled_from(KNOWN + FOUND), max_size=11))
    # (One that a document names: without any, a file without rows is refused.)
    headers = draw(st.permutations([draw(st.sampled_from(KNOWN)), *known])) + draw(
        st.lists(st.text(max_size=8), max_size=3)
    )
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])))
    writer.writerow(headers)
    width = len(headers)
    for row in draw(st.lists(st.lists(cells, max_size=width + 2), min_size=2, max_size=30)):
        # (Most as wide as the header.)
        writer.writerow(row if draw(st.integers(0, 5)) == 0 else [*row, *[""] * width][:width])
    deselected = draw(
        st.sets(st.sampled_from(["state", "customer_username", "customer_wait_time_min", "note", "local_date"]))
    )
    return Case(frozenset(deselected), out.getvalue().encode())


def catalog(case: Case) -> dict[str, Any]:
    found = select(STREAM)
    (entry,) = (entry for entry in found["streams"] if entry["stream"] == STREAM)
    entry["schema"]["properties"] |= {
        "score_min": {"type": ["null", "number"]},
        "seen_utc": {"type": ["null", "string"], "format": "date-time"},
        "within_other_sla": {"type": ["null", "boolean"]},
        "note": {"type": ["null", "string"]},
    }
    entry["metadata"] += [
        {"breadcrumb": ["properties", name], "metadata": {"selected": False}} for name in case.deselected
    ]
    if case.is_slow:
        inside = ["properties", "additional_columns", "properties", "no such field"]
        entry["metadata"].append({"breadcrumb": inside, "metadata": {"selected": False}})
    return found


def messages(case: Case, **more: Any) -> list[dict[str, Any]]:
    """What a run writes."""
    tap = TapLexerActivity(config={**SETTINGS, **more}, catalog=catalog(case))
    run = tap.new_run()
    tap.current = replace(run, exporter=OneFile(run.client, tap.settings, logging.getLogger(), notices=run.notices))
    OneFile.content = case.content
    out = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(out, encoding="utf-8", write_through=True)):
        tap.run()
        lines = out.getvalue().splitlines()
    return [parsed(line) for line in lines]


def parsed(line: bytes) -> dict[str, Any]:
    """JSON, whose numbers keep all their digits and are no text."""
    found: dict[str, Any] = json.loads(line, parse_float=lambda digits: (digits,), parse_int=lambda digits: (digits,))
    return found


def rows_of_batches(case: Case, **more: Any) -> list[dict[str, Any]]:
    """The rows of the batch files that a run writes."""
    with TemporaryDirectory() as folder:
        storage = {"encoding": {"format": "jsonl", "compression": "none"}, "storage": {"root": f"file://{folder}"}}
        written = messages(case, batch_config=storage | {"batch_size": 7}, **more)
        files = [name.removeprefix("file://") for m in written if m["type"] == "BATCH" for name in m["manifest"]]
        lines = [line for name in files for line in Path(name).read_bytes().splitlines()]
    return [parsed(line) for line in lines]


TYPES = {
    "customer_publish_date_utc": "time",
    "customer_wait_time_min": "number",
    "within_customer_sla": "boolean",
    "score_min": "number",
    "seen_utc": "time",
    "within_other_sla": "boolean",
}
"""Of the columns that are no text."""


def check_values(case: Case, rows: list[dict[str, Any]]) -> None:
    """Hold the rows against the file, as `csv`, `json` and `datetime` read it. No table can hold a NUL, so U+FFFD comes in its place."""
    text = case.content.decode("utf-8-sig").replace("\0", "\ufffd")
    header, *lines = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    places: dict[str, int] = {}
    for place, text in enumerate(header):
        places.setdefault(column_name(text), place)
    columns = {name: places[name] for name in map(column_name, KNOWN + FOUND) if name in places}
    for row, cells in zip(rows, lines, strict=True):
        for name, place in columns.items():
            if name in row:
                check_value(name, row, header[place], cells[place] if place < len(cells) else "")


def check_value(name: str, row: dict[str, Any], header: str, cell: str) -> None:
    """Hold one value against its cell. One that can't be read is null, and the cell's text stands in `additional_columns`."""
    value = row[name]
    if value is None:
        assert not cell or row["additional_columns"][header] == cell
        assert not cell or name in TYPES
    elif name not in TYPES:
        assert value == cell
    elif TYPES[name] == "number":
        (digits,) = value
        assert Decimal(digits) == json.loads(cell, parse_float=Decimal, parse_int=Decimal)
    elif TYPES[name] == "boolean":
        assert value is (cell.lower() in {"yes", "true", "1"})
        assert value or cell.lower() in {"no", "false", "0"}
    else:
        moment = datetime.fromisoformat(cell)
        assert datetime.fromisoformat(value) == (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def test_every_way_gives_the_same_rows(is_long: bool, keep: Callable[..., None]) -> None:
    counts = {"exports": 0, "rows": 0}
    mapped: dict[str, Any] = {"stream_maps": {STREAM: {}}}  # a map that does nothing is enough to need the SDK's
    flat = {"flattening_enabled": True, "flattening_max_depth": 1}

    @settings(max_examples=1500 if is_long else 40)
    @given(cases())
    def check(case: Case) -> None:
        slow = replace(case, is_slow=True)
        ways = [messages(case), messages(case, **mapped), messages(slow, **mapped)]
        for message in chain(*ways):
            message.pop("time_extracted", None)
        fast, *others = ways
        assert others == [fast, fast]
        rows = [message["record"] for message in fast if message["type"] == "RECORD"]
        assert rows_of_batches(case) == rows_of_batches(case, **mapped) == rows_of_batches(slow, **mapped) == rows
        assert not any(case.deselected & row.keys() for row in rows)
        assert len({row["record_id"] for row in rows}) == len(rows)
        check_values(case, rows)
        flattened = messages(case, **flat)
        batches_of_flat = rows_of_batches(case, **flat)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tap_lexer_activity.singer.output.stays_flat", lambda *_: False)
            by_row = messages(case, **flat)
        for message in chain(flattened, by_row):
            message.pop("time_extracted", None)
        assert flattened == by_row
        assert batches_of_flat == [message["record"] for message in by_row if message["type"] == "RECORD"]
        counts["exports"] += 1
        counts["rows"] += len(rows)

    check()
    keep("rows", what="Fast, ordinary, and batch files of both", **counts)
