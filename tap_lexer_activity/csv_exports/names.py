"""Names of columns, made of the headers of an export."""

from __future__ import annotations

import re
import unicodedata
from copy import deepcopy
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.csv_exports.cells import read_numbers, read_times, reader_for
from tap_lexer_activity.values import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


LONGEST_NAME: Final = 60
"""Characters, and bytes, of a column's name: Postgres cuts names at 63 bytes."""

ALIASES: Final = {"agent_reponse_date_utc": "agent_response_date_utc"}
"""Names with a slip of the pen in Lexer's document. Whether the real header has it too is not known."""

_ASCII: Final = {"ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ŋ": "n"}
"""ASCII forms of letters that Unicode neither decomposes nor names as a letter with a stroke or the like (`_STRUCK`)."""
_STRUCK: Final = re.compile("LATIN SMALL LETTER ([A-Z]) WITH ")
_DIGEST: Final = 8
"""Hex digits behind a name that would not be unique without them."""
_JOINERS: Final = "\u200c\u200d"
"""Characters that say how the letters beside them are joined in writing, and are not seen themselves."""
_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")
"""Where a word of `camelCase` begins."""


_TIME: Final = ("Time in UTC.", {"type": ["null", "string"], "format": "date-time"})
_MINUTES: Final = ("Minutes.", {"type": ["null", "number"]})
_NUMBER: Final = ("Number.", {"type": ["null", "number"]})
_YES_OR_NO: Final = ("Yes or no.", {"type": ["null", "boolean"]})
_TEXT: Final = ("Text.", {"type": ["null", "string"]})
_ENOUGH_CELLS: Final = 3
"""Cells that have to be numbers or times, to make a column of such. One or two answers to a question may be, by chance."""


def column_name(header: str) -> str:
    """The column name of a header: snake_case, ASCII where a letter has an ASCII form, at most 60 bytes. May be empty.

    `Customer Wait Time (min)` becomes `customer_wait_time_min`.
    """
    name = _whole_name(header)
    return ALIASES.get(name) or _cut(name, LONGEST_NAME)


def _whole_name(header: str) -> str:
    """The column name of a header, however long."""
    kept = [""]
    for char in unicodedata.normalize("NFKD", _BOUNDARY.sub("_", header)).casefold():
        if char.isalnum():
            kept.append(_ascii(char))
        elif unicodedata.category(char).startswith("M"):
            if not kept[-1].isascii():
                kept.append(char)  # of a script where the mark makes another letter, such as that of Hindi
        elif char not in _JOINERS:
            kept.append("_")
    return re.sub("_+", "_", unicodedata.normalize("NFC", "".join(kept))).strip("_")


def _ascii(char: str) -> str:
    """The ASCII form of a letter or digit; the character itself if it has none."""
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    struck = _STRUCK.match(unicodedata.name(char, ""))
    return struck[1].lower() if struck else _ASCII.get(char, char) if digit is None else str(digit)


def _cut(name: str, longest: int) -> str:
    """A name cut to so many bytes, without half a character at the end."""
    return name.encode()[:longest].decode(errors="ignore").rstrip("_")


def column_schema(header: str, cells: Iterable[str] = ()) -> dict[str, Any]:
    """JSON schema of a column: `(UTC)` in its header is a time, `(min)` a number, `Within ... SLA` a yes or no, all else text.

    Its cells have a say: a type that none of them has is none, and where the header says none, they are times or numbers if all are.
    """
    description = f"Column {header!r} of the export, found by discovery. Lexer does not document it."
    filled = [cell for cell in cells if cell.strip()]
    said, kind = _kind_by_header(header)
    reader = reader_for(kind)
    if reader is not None and filled and all(value is None for value in reader(filled)):
        said, kind = _TEXT
    if kind == _TEXT[1] and len(filled) >= _ENOUGH_CELLS:
        if None not in read_times(filled):
            said, kind = _TIME
        elif None not in read_numbers(filled):
            said, kind = _NUMBER
    return {"description": f"{description} {said}", **deepcopy(kind)}


def _kind_by_header(header: str) -> tuple[str, dict[str, Any]]:
    lowered = header.strip().lower()
    if lowered.endswith("(utc)"):
        return _TIME
    if lowered.endswith("(min)"):
        return _MINUTES
    return _YES_OR_NO if lowered.startswith("within ") and lowered.endswith(" sla") else _TEXT


def unique_headers(headers: Iterable[str]) -> list[str]:
    """The headers as written, made unique: an empty one is named by its place, a repeated one has a number behind it.

    U+FFFD stands for NUL, which no table can hold.
    """
    result: dict[str, None] = {}
    times: dict[str, int] = {}
    for place, header in enumerate(map(storable, headers), start=1):
        first = key = header or f"(column {place})"
        while key in result:
            times[first] = times.get(first, 1) + 1
            key = f"{first} ({times[first]})"
        result[key] = None
    return list(result)


def matched(headers: Sequence[str], properties: Mapping[str, Any], taken: Iterable[str] = ()) -> list[str | None]:
    """The name of the property of each header, `None` for a header that has none.

    A property from discovery belongs to the header that is its `title`, and to no other. Any other property belongs to the first
    header that makes its name. No column may be named as one of the tap's own, which are `taken`.
    """
    # (A title in a catalog may be anything, also a list, which no dictionary takes for a key.)
    by_header = {schema["title"]: name for name, schema in properties.items() if isinstance(schema.get("title"), str)}
    found: list[str | None] = []
    used = set(taken)
    for header, key in zip(headers, unique_headers(headers), strict=True):
        name = by_header.get(key) or column_name(header)
        if name in used or name not in properties or properties[name].get("title") not in (None, key):
            found.append(None)
        else:
            found.append(name)
            used.add(name)
    return found


def with_columns(
    properties: Mapping[str, Any],
    headers: Sequence[str],
    taken: Iterable[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> dict[str, Any]:
    """The properties, and a new one for each header that has none (see `matched`), of the type that some rows suggest.

    Its `title` is the header. Two headers may make the same name, and a long name is cut. Then a digest of the whole header stands
    behind the name, so that the name depends neither on the place of the column nor on the other columns.
    """
    result = dict(properties)
    known = matched(headers, properties, taken)
    for place, (header, key) in enumerate(zip(headers, unique_headers(headers), strict=True), start=1):
        if known[place - 1] is None:
            used = {*result, *taken}
            whole = _whole_name(header) or f"column_{place}"
            name, salt = column_name(header) or whole, key
            while name in used or (name == _cut(whole, LONGEST_NAME) != whole):
                digest = blake2b(salt.encode(), digest_size=_DIGEST // 2).hexdigest()
                name = f"{_cut(whole, LONGEST_NAME - 1 - _DIGEST)}_{digest}"
                salt += " "
            cells = [row[place - 1] for row in rows if len(row) >= place]
            result[name] = {"title": key, **column_schema(header, cells)}
    return result
