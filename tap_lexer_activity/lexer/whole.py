"""Whole answers: out of their envelopes, and with all their pages, before a stream sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import (
    AccessDeniedError,
    QuotaExceededError,
    RequestsSpentError,
    UnexpectedAnswerError,
    UnreachableError,
)
from tap_lexer_activity.lexer.envelopes import Content, Expected, opened
from tap_lexer_activity.lexer.pages import USUAL_SIZES, Signs, same_host, signs_of_pages
from tap_lexer_activity.notices import Notices

Ask: TypeAlias = Callable[[str, Mapping[str, Any] | None, int | None], "Reply"]
"""Sends a request for another page: with its address, its parameters, and the number of tries, if not the usual one."""

MOST_PAGES: Final = 1_000
"""Most pages of one answer. More are taken for an error."""
ONE_PAGE: Final = "one_page"
"""The word of the setting `accept` for an answer that is all there is, whatever it says of pages."""
_OTHERS: Final = "the answer is one page of several, and the others are missing"
_NOT_OF_PAGES: Final = (AccessDeniedError, RequestsSpentError, UnreachableError)
"""Errors that have nothing to do with whether there is a page."""


@dataclass(frozen=True)
class Reply:
    """The JSON of an answer, `None` if it has no body, and what was asked, without parameters."""

    answer: Any
    status: int
    headers: Mapping[str, str]
    url: str


class WholeAnswers:
    """Makes whole answers. One for the run, which asks no endpoint again for a page that it does not have."""

    def __init__(self, notices: Notices, quote: Callable[[str], str]) -> None:
        self._notices = notices
        self._quote = quote
        self._without_pages: set[str] = set()

    def read(self, reply: Reply, ask: Ask, expected: Expected, what: str) -> Any:
        """The rows of an answer, or its object. An answer that says that there is more, which does not come, is refused."""
        content = opened(reply.answer, expected, what)
        if content.notice is not None:
            kind, said = content.notice
            self._notices.accept(expected.stream, kind, said)
        if ONE_PAGE in expected.accepted:
            return content.rows
        signs = _signs(reply, content)
        if expected.shape not in {"list", "surveys"}:
            if signs.more:
                msg = f"{what}: {_OTHERS}. {self._way(signs.more, expected)} [see: answer-one-page]"
                raise UnexpectedAnswerError(msg)
            return content.rows
        if not isinstance(content.rows, list):  # whoever checks its shape refuses it
            return content.rows
        pages = _Pages(reply.url, content.rows)
        if signs.why(len(pages.rows)):
            self._read_pages(pages, signs, ask, expected, what)
        elif expected.may_be_cut and len(pages.rows) in USUAL_SIZES | {signs.size} and len(pages.rows) != signs.total:
            self._settle(pages, ask, expected, what)
        return pages.rows

    def _read_pages(self, pages: _Pages, begun: Signs, ask: Ask, expected: Expected, what: str) -> None:
        """Read the pages after the first, each from where the one before it says that it is, or else by its number."""
        why = begun.why(len(pages.rows))
        signs: Signs | None = begun
        while signs is not None:
            if pages.count >= MOST_PAGES:
                msg = f"{what}: more than {MOST_PAGES:,} pages, and each names a next one. {self._way(why, expected)} [see: pages-too-many]"
                raise UnexpectedAnswerError(msg)
            if signs.next is not None and signs.parameter is None:
                url, params = same_host(pages.url, str(signs.next), what, self._way(why, expected)), None
            else:
                value = pages.count + 1 if signs.next is None else signs.next
                url, params = pages.first_url, {signs.parameter or "page": value}
            reply = self._page(
                url, params, signs, ask, f"{what}: {_OTHERS}. {self._way(why, expected)} [see: answer-one-page]"
            )
            content = opened(reply.answer, expected, what)
            if not content.rows:
                break
            if not pages.add(url, content.rows):
                raise UnexpectedAnswerError(self._again(pages, expected, what, why))
            signs = _following(begun, _signs(reply, content), len(pages.rows))
        if len(pages.rows) < (total := begun.total or 0):
            msg = f"{what}: there are {total:,} rows, but {len(pages.rows):,} came. {self._way(why, expected)} [see: rows-missing]"
            raise UnexpectedAnswerError(msg)
        said = f"{what}: the answer comes in pages ({self._quote(why)}), which Lexer does not document. All are read"
        self._notices.accept(expected.stream, "pages", said)

    def _page(self, url: str, params: Mapping[str, Any] | None, signs: Signs, ask: Ask, otherwise: str) -> Reply:
        """A page. If no answer has named it, it may not exist: an error of it then means `otherwise`."""
        try:
            return ask(url, params, None)
        except FatalAPIError as error:
            if signs.next is not None or isinstance(error, _NOT_OF_PAGES):
                raise
            raise UnexpectedAnswerError(otherwise) from error

    def _settle(self, pages: _Pages, ask: Ask, expected: Expected, what: str) -> None:
        """Find out whether a number of rows that is usual for a page is all there is, by asking for a second page.

        Where there are no pages, that is not asked again in this run.
        """
        count = len(pages.rows)
        if expected.stream not in self._without_pages and not self._are_there(pages, ask, expected, what):
            self._without_pages.add(expected.stream)
        if expected.stream in self._without_pages:
            said = (
                f"{what}: exactly {count:,} rows came, which may be one full page, but Lexer gives no second one. Rows may be missing. "
                f"If not, set {expected.setting(ONE_PAGE)}; if so, ask Lexer for a parameter for report_parameters [see: rows-round-number]"
            )
            self._notices.accept(expected.stream, "a usual number of rows", said)
        elif pages.count > 1:
            said = f"{what}: exactly {count:,} rows came, and others as page 2. All pages are read, up to an empty one"
            self._notices.accept(expected.stream, "pages", said)

    def _are_there(self, pages: _Pages, ask: Ask, expected: Expected, what: str) -> bool:
        """True if Lexer knows pages. If so, they are read up to an empty one."""
        while True:
            try:
                reply = ask(pages.first_url, {"page": pages.count + 1}, 1 if pages.count == 1 else None)
            except (*_NOT_OF_PAGES, QuotaExceededError):
                raise
            except (FatalAPIError, RetriableAPIError):
                if pages.count == 1:
                    return False
                raise
            rows = opened(reply.answer, expected, what).rows
            if not rows:
                return True
            if pages.count >= MOST_PAGES:
                msg = f"{what}: more than {MOST_PAGES:,} pages [see: pages-too-many]"
                raise UnexpectedAnswerError(msg)
            if not pages.add(pages.first_url, rows):
                if pages.count == 1:
                    return False
                raise UnexpectedAnswerError(self._again(pages, expected, what, f"page {pages.count} came"))

    def _again(self, pages: _Pages, expected: Expected, what: str, why: str) -> str:
        return f"{what}: page {pages.count + 1} repeats the rows of an earlier page. {self._way(why, expected)} [see: pages-repeat]"

    def _way(self, why: str, expected: Expected) -> str:
        return f"The answer says that there is more: {self._quote(why)}. If its rows are all there are, set {expected.setting(ONE_PAGE)}"


def _signs(reply: Reply, content: Content) -> Signs:
    # (A row, or an object of metrics, may have fields that are called as signs of pages are.)
    is_envelope = content.rows is not reply.answer and content.rows != [reply.answer]
    count = len(content.rows) if isinstance(content.rows, list) else 1
    return signs_of_pages(reply.status, reply.headers, reply.answer if is_envelope else None, count)


def _following(begun: Signs, now: Signs, count: int) -> Signs | None:
    """The signs of a next page, by those of the first page, those of this one, and the rows so far; `None` after the last page."""
    if now.next is not None:
        return now
    if begun.next is not None:  # each page names the next one, and this one names none
        return None
    is_short = begun.total is not None and count < begun.total
    return now if now.more or is_short else None


class _Pages:
    """The pages of an answer that have come."""

    def __init__(self, url: str, rows: Any) -> None:
        self.url = self.first_url = url
        self.rows = rows
        self.count = 1
        self._first = self._last = rows

    def add(self, url: str, rows: Any) -> bool:
        """Add a page, and tell whether it is a new one."""
        if not isinstance(rows, list) or rows in (self._first, self._last):
            return False
        self.url, self._last = url, rows
        self.rows = [*self.rows, *rows]
        self.count += 1
        return True
