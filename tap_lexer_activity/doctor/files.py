"""The file of an export, by its first bytes: how it is written, and nothing of what it says. Pure functions."""

from __future__ import annotations

import codecs
import io
import re
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.csv_exports.cells import read_numbers, read_times
from tap_lexer_activity.csv_exports.names import column_name, column_schema
from tap_lexer_activity.csv_exports.rows import from_header, is_sum, separated
from tap_lexer_activity.csv_exports.times import only_form
from tap_lexer_activity.doctor.seen import form_of
from tap_lexer_activity.lexer.archives import GZIP, ZIP
from tap_lexer_activity.streams.export_files import OWN_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
NOT_NAMED: Final = "not UTF-8, and not named"
"""The encoding of a file that does not say it."""
_DIGITS: Final = re.compile(r"\d")
_MOST_ROWS: Final = 500
_MOST_FORMS: Final = 4
_LONGEST_CELL: Final = 40
_DIGITS_OF_A_TIME: Final = 6
_MOST_BYTES: Final = 1 << 24


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """The form of a file: its encoding, separator, header, times and numbers.

    Attributes:
        packed: `gzip`, `zip`, or nothing.
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
    if re.match(r"\s*[<{\[]", text):
        return FileFacts(is_csv=False, packed=packed, encoding=encoding)
    separator, rows = separated(io.StringIO(text, newline=""), strict=False)
    header, titles, rest = from_header(rows, properties.keys() - set(OWN_COLUMNS))
    below = [row for row in islice(rest, _MOST_ROWS) if not is_sum(row)]
    known = sum(column_name(cell) in properties for cell in header)
    times: dict[str, list[str]] = {}
    numbers: dict[str, list[str]] = {}
    for index, name in enumerate(header):
        schema = properties.get(column_name(name)) or column_schema(name)
        is_time = schema.get("format") == "date-time"
        if not is_time and not {"number", "integer"} & set(schema.get("type", ())):
            continue
        cells = dict.fromkeys(row[index] for row in below if index < len(row) and len(row[index]) <= _LONGEST_CELL)
        read = (read_times if is_time else read_numbers)(list(cells))
        unread = [cell for cell, value in zip(cells, read, strict=True) if value is None and _DIGITS.search(cell)]
        if unread:
            (times if is_time else numbers)[name] = unread
    return FileFacts(
        is_csv=bool(header),
        packed=packed,
        encoding=encoding,
        separator=separator,
        header=() if not known and any(map(_is_value, header)) else tuple(header),
        known=known,
        titles=titles,
        rows=len(below),
        times=_forms(times),
        formats=tuple(dict.fromkeys(form for cells in times.values() if (form := only_form(cells)) is not None)),
        numbers=_forms(numbers),
    )


def _is_value(cell: str) -> bool:
    """True if a cell is a number or a time, which no name of a column is."""
    is_like_a_time = len(cell) <= _LONGEST_CELL and sum(map(str.isdigit, cell)) >= _DIGITS_OF_A_TIME
    return is_like_a_time or read_numbers([cell])[0] is not None


def _unpacked(body: bytes) -> tuple[str, bytes]:
    """How a file is packed, and the beginning of its content; nothing if it can't be unpacked."""
    if body.startswith(GZIP):
        with suppress(zlib.error):
            return "gzip", zlib.decompressobj(wbits=31).decompress(body, _MOST_BYTES)
        return "gzip", b""
    if body.startswith(ZIP):
        with suppress(zipfile.BadZipFile, IndexError, OSError, RuntimeError):
            archive = zipfile.ZipFile(io.BytesIO(body))
            return "zip", archive.open(archive.namelist()[0]).read(_MOST_BYTES)
        return "zip", b""
    return "", body


def _decoded(content: bytes) -> tuple[str, str]:
    """The encoding of a file, and its text."""
    name = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if not name and b"\0" in content[:64]:
        name = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    if name:
        return name, content.decode(name, errors="replace")
    try:
        return "utf-8", codecs.getincrementaldecoder("utf-8")().decode(content)  # which may end within a letter
    except UnicodeDecodeError:
        return NOT_NAMED, content.decode("cp1252", errors="replace")


def _forms(unread: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: list(dict.fromkeys(map(form_of, cells)))[:_MOST_FORMS] for name, cells in unread.items()}
