"""The file of an export, by its first bytes: how it is written, and nothing of what it says. Pure functions."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.csv_exports.cells import read_numbers, read_times
from tap_lexer_activity.csv_exports.names import column_name
from tap_lexer_activity.csv_exports.rows import from_header, is_data, is_sum
from tap_lexer_activity.csv_exports.times import only_form
from tap_lexer_activity.doctor.seen import form_of
from tap_lexer_activity.streams.export_files import OWN_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
NOT_NAMED: Final = "not UTF-8, and not named"
"""The encoding of a file that does not say it."""
_SEPARATORS: Final = ",;\t|"
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_DIGITS: Final = re.compile(r"\d")
_MOST_ROWS: Final = 500
_MOST_FORMS: Final = 4
_LONGEST_CELL: Final = 40
_MOST_TITLES: Final = 5


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """The form of a file: its encoding, separator, header, times and numbers.

    Attributes:
        is_csv: Whether it is one at all.
        packed: `gzip`, `zip`, or nothing.
        encoding: Its encoding.
        separator: What separates columns.
        header: The names of its columns, if some of them are known, or if there is no other sign of rows in their place.
        known: How many of them the schema has.
        titles: Lines above the header.
        rows: Rows that were looked at.
        times: Forms of cells in columns of times, with 9 for digits, as far as the tap does not read them by itself.
        formats: How such times are written, for `export_time_formats`.
        numbers: Forms of cells in columns of numbers that are not read as numbers.
    """

    is_csv: bool
    packed: str = ""
    encoding: str = "utf-8"
    separator: str = ","
    header: tuple[str, ...] = ()
    known: int = 0
    titles: int = 0
    rows: int = 0
    times: Mapping[str, list[str]] = field(default_factory=dict)
    formats: tuple[str, ...] = ()
    numbers: Mapping[str, list[str]] = field(default_factory=dict)


def look_at(body: bytes, properties: Mapping[str, Any]) -> FileFacts:
    """The form of a file, by its bytes or the first of them: its encoding, separator, header, times and numbers."""
    packed, content = _unpacked(body)
    encoding, text = _decoded(content)
    if text is None or re.match(r"\s*[<{\[]", text):
        return FileFacts(is_csv=False, packed=packed, encoding=encoding)
    separator = _separator(text, properties)
    header, titles, rest = from_header(iter(_rows(text, separator)), properties.keys() - set(OWN_COLUMNS))
    below = [row for row in islice(rest, _MOST_ROWS) if not is_sum(row)]
    known = sum(column_name(cell) in properties for cell in header)
    is_row = not known and (is_data(header, below[0] if below else []) or any(map(_is_value, header)))
    columns = [(name, _cells(index, below)) for index, name in enumerate(header)]
    times = _unread(columns, properties, _is_time, read_times)
    numbers = _unread(columns, properties, _is_number, read_numbers)
    formats = dict.fromkeys(form for cells in times.values() if (form := only_form(cells)) is not None)
    return FileFacts(
        is_csv=bool(header),
        packed=packed,
        encoding=encoding,
        separator=separator,
        header=() if is_row else tuple(header),
        known=known,
        titles=titles,
        rows=len(below),
        times=_forms(times),
        formats=tuple(formats),
        numbers=_forms(numbers),
    )


def _is_value(cell: str) -> bool:
    """True if a cell is a number or a time, which no name of a column is."""
    if read_numbers([cell])[0] is not None or read_times([cell])[0] is not None:
        return True
    return len(cell) <= _LONGEST_CELL and sum(map(str.isdigit, cell)) >= _DIGITS_OF_A_TIME


_DIGITS_OF_A_TIME: Final = 6


def _unpacked(body: bytes) -> tuple[str, bytes]:
    if body.startswith(_GZIP):
        try:
            return "gzip", zlib.decompressobj(wbits=31).decompress(body, 1 << 24)
        except zlib.error:
            return "gzip", b""
    if body.startswith(_ZIP):
        try:
            with zipfile.ZipFile(io.BytesIO(body)) as archive, archive.open(archive.namelist()[0]) as member:
                return "zip", member.read(1 << 24)
        except (zipfile.BadZipFile, IndexError, OSError, RuntimeError):
            return "zip", b""
    return "", body


def _decoded(content: bytes) -> tuple[str, str | None]:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name, content.decode(name, errors="replace")
    if b"\0" in content[:64]:
        name = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
        return name, content.decode(name, errors="replace")
    try:
        return "utf-8", content.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start > len(content) - 4:  # the first bytes end within a letter
            return "utf-8", content[: error.start].decode("utf-8")
        return NOT_NAMED, content.decode("cp1252", errors="replace")


def _separator(text: str, properties: Mapping[str, Any]) -> str:
    """The sign that makes the most known columns of the first lines, or the most columns."""

    def rank(sign: str) -> tuple[int, int]:
        rows = _rows(text[:20_000], sign)[: _MOST_TITLES + 1]
        known = max((sum(column_name(cell) in properties for cell in row) for row in rows), default=0)
        return known, len(rows[0]) if rows else 0

    return max(_SEPARATORS, key=rank)


def _rows(text: str, separator: str) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if row:
                found.append(row)
            if len(found) > _MOST_ROWS + _MOST_TITLES:
                break
    except csv.Error:
        pass
    return found


def _cells(index: int, rows: Sequence[Sequence[str]]) -> list[str]:
    cells = (row[index] for row in rows if index < len(row))
    return [cell for cell in dict.fromkeys(cells) if cell and len(cell) <= _LONGEST_CELL]


def _is_time(title: str, schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "date-time" or title.endswith("(utc)")


def _is_number(title: str, schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", ())
    return "number" in kinds or "integer" in kinds or title.endswith("(min)")


def _unread(
    columns: Sequence[tuple[str, Sequence[str]]],
    properties: Mapping[str, Any],
    is_one: Callable[[str, Mapping[str, Any]], bool],
    read: Callable[[Sequence[str]], Sequence[object]],
) -> dict[str, list[str]]:
    """Cells of the columns of one kind that the tap does not read by itself, by column."""
    found: dict[str, list[str]] = {}
    for name, cells in columns:
        if is_one(name.strip().lower(), properties.get(column_name(name), {})):
            values = zip(cells, read(cells), strict=True)
            if unread := [cell for cell, value in values if value is None and _DIGITS.search(cell)]:
                found[name] = unread
    return found


def _forms(unread: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: list(dict.fromkeys(map(form_of, cells)))[:_MOST_FORMS] for name, cells in unread.items()}
