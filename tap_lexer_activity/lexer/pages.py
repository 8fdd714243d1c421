"""Pages: signs that an answer is not all there is, and where the next page is. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from tap_lexer_activity.errors import UnexpectedAnswerError

USUAL_SIZES: Final = frozenset({50, 100, 200, 250, 500, 1_000, 5_000, 10_000})
"""Numbers of rows that a server may give at once."""

_AROUND: Final = frozenset({"links", "meta", "metadata", "pagination", "paging", "pageinfo", "page", "cursors"})
_NEXT: Final = re.compile(r"next(?:page|url|link|href|pageurl|pagelink)?")
_CURSOR: Final = re.compile(
    r"(?:next)?(?:cursor|(?:page|continuation)?token|aftercursor|after|offset)|endcursor|scrollid"
)
_MORE: Final = frozenset(
    {"hasmore", "hasnext", "hasnextpage", "more", "moreavailable", "truncated", "istruncated", "incomplete"}
)
_TOTALS: Final = re.compile(
    r"(?:total|count|total(?:count|results?|records?|items?|elements?|rows?|entries)|(?:record|row|result|item)count)"
)
_SIZES: Final = frozenset({"limit", "perpage", "pagesize", "size", "xperpage", "xpagesize"})
_PAGES: Final = frozenset({"pages", "totalpages", "pagecount", "numpages", "lastpage"})
_PAGE: Final = frozenset({"page", "currentpage", "pagenumber"})
_TOTAL_HEADERS: Final = ("X-Total-Count", "X-Total", "Total-Count", "X-Pagination-Total-Count")
_LINK: Final = re.compile(r"<([^>]*)>([^<]*)")
_REL_NEXT: Final = re.compile(r"""rel\s*=\s*["']?[^"',;]*\bnext\b""", re.IGNORECASE)
_RANGE: Final = re.compile(r"\s*\w+\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*")


@dataclass
class Signs:
    """Signs in an answer of how many rows there are.

    Attributes:
        more: Why there is another page; empty if nothing says so but the total.
        next: Where the next page is: an address, a number, or the value of a parameter.
        parameter: The parameter that `next` is the value of; None if `next` is an address.
        total: How many rows there are altogether.
        size: How many rows a page has.
    """

    more: str = ""
    next: str | int | None = None
    parameter: str | None = None
    total: int | None = None
    size: int | None = None

    def why(self, count: int) -> str:
        """The sign that there are more than so many rows; empty if there is none."""
        is_short = self.total is not None and self.total > count
        return self.more or (f"it says that there are {self.total:,}, and {count:,} came" if is_short else "")


def signs_of_pages(status: int, headers: Mapping[str, str], answer: Any, count: int) -> Signs:
    """Signs in an answer, with its envelope, of how many rows there are beside the `count` that came."""
    signs = Signs()
    _read_headers(status, headers, count, signs)
    if isinstance(answer, dict):
        page, pages = 1, 1
        for name, value in _members(answer):
            if name in _PAGES and (number := _number(value)) is not None:
                pages = max(pages, number)
            elif name in _PAGE and (number := _number(value)) is not None:
                page = max(page, number)
            else:
                _read_member(name, value, signs)
        if pages > page:
            signs.more = signs.more or f"it is page {page} of {pages}"
    return signs


def _read_headers(status: int, headers: Mapping[str, str], count: int, signs: Signs) -> None:
    for address, parameters in _LINK.findall(headers.get("Link", "")):
        if _REL_NEXT.search(parameters):
            signs.more, signs.next = "its header Link names a next page", address
    for name in _TOTAL_HEADERS:
        if (total := _number(headers.get(name))) is not None:
            signs.total = total
    signs.size = _number(headers.get("X-Per-Page")) or _number(headers.get("X-Page-Size"))
    if part := _RANGE.fullmatch(headers.get("Content-Range", "")):
        total = _number(part[3])
        signs.total = signs.total if total is None else total
        if part[2] and part[3] == "*" and status == HTTPStatus.PARTIAL_CONTENT:
            signs.more = signs.more or f"its header Content-Range is {part[0].strip()}"
    elif status == HTTPStatus.PARTIAL_CONTENT:
        signs.more = signs.more or f"its status is 206, with {count:,} rows"


def _members(answer: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The members that may speak of pages, with plain names: those of the answer itself, and of what may stand around the rows."""
    for name, value in answer.items():
        plain = re.sub(r"[^a-z]", "", name.lower())
        if plain in _AROUND and isinstance(value, dict):
            yield from _members(value)
        else:
            yield plain, value


def _read_member(name: str, value: Any, signs: Signs) -> None:
    if isinstance(value, dict) and _NEXT.fullmatch(name):
        value = value.get("href") or value.get("url")
    if isinstance(value, bool):
        if value and name in _MORE:
            signs.more = signs.more or f"it has {name}"
    elif name in _SIZES:
        signs.size = _number(value) or signs.size
    elif _TOTALS.fullmatch(name) and (total := _number(value)) is not None:
        signs.total = max(total, signs.total or 0)
    elif isinstance(value, str | int) and value and (_NEXT.fullmatch(name) or _CURSOR.fullmatch(name)):
        if name == "offset" or (name == "after" and isinstance(value, int)):
            return  # where this page begins
        signs.more = signs.more or f"it has {name}"
        if signs.next is None:
            signs.next, signs.parameter = value, _parameter(name, value)


def _parameter(name: str, value: str | int) -> str | None:
    """The parameter that a value is for; `None` for an address."""
    if isinstance(value, str) and ("/" in value or value.startswith("?")) and _NEXT.fullmatch(name):
        return None
    if _number(value) is not None and _NEXT.fullmatch(name):
        return "page"
    return {
        "nextpagetoken": "page_token",
        "pagetoken": "page_token",
        "endcursor": "after",
        "nextoffset": "offset",
        "nextafter": "after",
    }.get(name, "cursor")


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 (digits)


def same_host(url: str, address: str, what: str, way: str) -> str:
    """The URL of a next page, on the host that was asked (any other would get the token), and by the way that it was asked.

    A server behind a proxy may not know that it is asked by HTTPS. `way` is what an error says at its end: the way round it.
    """
    asked = urlsplit(url)
    usual = {None, asked.port} | ({80, 443} if asked.port in {None, 443, 80} else set())
    try:
        found = urlsplit(urljoin(url, address))
        is_usual = found.port in usual
    except ValueError:
        msg = f"{what}: the address of the next page is not valid (not shown). {way} [see: pages-address]"
        raise UnexpectedAnswerError(msg) from None
    if found.scheme not in {"http", "https"} or found.hostname != asked.hostname or not is_usual:
        msg = f"{what}: the next page is on another host, {found.hostname}, which must not get the token. {way} [see: pages-other-host]"
        raise UnexpectedAnswerError(msg)
    return urlunsplit((asked.scheme, asked.netloc, found.path, found.query, ""))
