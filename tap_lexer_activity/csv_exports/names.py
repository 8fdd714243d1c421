"""Names of columns, from the headers of an export."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.values import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


LONGEST_NAME: Final = 60
"""Characters, and bytes, of a column's name: Postgres cuts names at 63 bytes."""

ALIASES: Final = {"agent_reponse_date_utc": "agent_response_date_utc"}
"""The documented spelling of a header has a slip in it. Whether the real one has it too is not known."""

# Letters that have an ASCII form and no decomposition in Unicode, beside those with a stroke or the like: see `_ascii`.
_ASCII: Final = {"ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ŋ": "n"}
_STRUCK: Final = re.compile("LATIN SMALL LETTER ([A-Z]) WITH ")
_DIGEST: Final = 8
"""Hex digits behind a name that would not be the only one."""
_JOINERS: Final = "\u200c\u200d"
"""Say how letters are joined in writing, and show nothing."""
_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")


def column_name(header: str) -> str:
    """The column's name for a header: snake_case, ASCII where a letter has an ASCII form, at most 60 characters. May be empty.

    `Customer Wait Time (min)` becomes `customer_wait_time_min`.
    """
    name = _whole_name(header)
    return ALIASES.get(name) or _cut(name, LONGEST_NAME)


def _whole_name(header: str) -> str:
    kept = [""]
    for char in unicodedata.normalize("NFKD", _BOUNDARY.sub("_", header)).casefold():
        if char.isalnum():
            kept.append(_ascii(char))
        elif unicodedata.category(char).startswith("M"):
            if not kept[-1].isascii():
                kept.append(char)  # of a script whose letters are others without it, such as that of Hindi
        elif char not in _JOINERS:
            kept.append("_")
    return re.sub("_+", "_", unicodedata.normalize("NFC", "".join(kept))).strip("_")


def _ascii(char: str) -> str:
    """The ASCII form of a letter or digit, if it has one; else the character."""
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    struck = _STRUCK.match(unicodedata.name(char, ""))
    return struck[1].lower() if struck else _ASCII.get(char, char) if digit is None else str(digit)


def _cut(name: str, longest: int) -> str:
    return name.encode()[:longest].decode(errors="ignore").rstrip("_")


def with_columns(properties: Mapping[str, Any], headers: Sequence[str], taken: Iterable[str] = ()) -> dict[str, Any]:
    """The properties, and one for each header that has none: text, or what the header says.

    Its `title` is the header. Two headers may make the same name, and a long one is cut. Then a digest of the whole header stands
    behind the name, so that it does not depend on the place of the column, or on what else there is.

    Args:
        properties: Properties of the stream's schema.
        headers: The cells of the first row.
        taken: Columns of the tap's own, which no column of the export may be named as.
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
            result[name] = {"title": key, **column_schema(header)}
    return result


def matched(headers: Sequence[str], properties: Mapping[str, Any], taken: Iterable[str] = ()) -> list[str | None]:
    """The property for each header, or `None` if it has none.

    A property that discovery has found is for the header that it names as its `title`, and for no other. Any other property is for the
    first header that makes its name. (In a catalog, a title may be anything: a list can't be looked up.)
    """
    found: list[str | None] = []
    by_header = {schema["title"]: name for name, schema in properties.items() if isinstance(schema.get("title"), str)}
    used = set(taken)
    for header, key in zip(headers, unique_headers(headers), strict=True):
        name = by_header.get(key) or column_name(header)
        if name in properties and name not in used and properties[name].get("title") in (None, key):
            used.add(name)
            found.append(name)
        else:
            found.append(None)
    return found


def unique_headers(headers: Iterable[str]) -> list[str]:
    """The headers as written, as keys of one object: an empty one by its place, one that stands twice with a number behind it.

    (No table can hold a NUL, so there is U+FFFD in its place.)
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


def column_schema(header: str) -> dict[str, Any]:
    """The JSON schema of a column, by what its header says: `(UTC)` is a time, `(min)` a number, `Within ... SLA` a yes or no."""
    description = f"Column {header!r} of the export, found by discovery. Not named in any document of Lexer."
    lowered = header.strip().lower()
    if lowered.endswith("(utc)"):
        return {"description": f"{description} Time in UTC.", "type": ["null", "string"], "format": "date-time"}
    if lowered.endswith("(min)"):
        return {"description": f"{description} Minutes.", "type": ["null", "number"]}
    if lowered.startswith("within ") and lowered.endswith(" sla"):
        return {"description": f"{description} Yes or no.", "type": ["null", "boolean"]}
    return {"description": f"{description} Text.", "type": ["null", "string"]}
