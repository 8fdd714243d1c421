"""Export jobs and the answers about them: whatever shape these have, read as one of the ways in which a job can stand.

Lexer documents the words `pending` and `complete`, the names `status`, `url` and `token`, and nothing else. So a link counts for more than
any word, and a word that nobody knows is no end: only time ends such a wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, TypeAlias
from urllib.parse import urljoin, urlsplit

COMPLETE: Final = frozenset({"complete", "completed", "success", "succeeded", "done", "finished", "ready"})
"""Words for a job that is over and has a file."""
FAILED: Final = frozenset(
    {"failed", "failure", "error", "errored", "cancelled", "canceled", "expired", "rejected", "aborted"}
)
"""Words for a job that is over and has none."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0

_STATUS: Final = ("status", "state", "job_status")
_TOKEN: Final = ("token", "report_token", "job_token", "id", "report_id", "job_id", "uuid")
_LINK: Final = re.compile(r"(https?:)?//\S+|/\S+", re.IGNORECASE)
_NO_DATA: Final = re.compile(
    r"\b(no|zero|0|without)\s+(data|results?|rows?|records?|responses?|matches)\b|\bempty\b|\bnothing\s+(found|to)\b",
    re.IGNORECASE,
)
_COUNTS: Final = frozenset({"rows", "row_count", "count", "total", "records", "size"})


# How a job stands: one type for each answer that there can be


@dataclass(frozen=True, slots=True)
class Pending:
    """Lexer is still at work. Its word for that may be empty, or not one that the documents name."""

    word: str = "pending"
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Complete:
    """The file lies at `url`, which is a secret: whoever has it can read the file."""

    url: str


@dataclass(frozen=True, slots=True)
class CompleteWithoutUrl:
    """Complete, but without a link to the file: polled again, as if it were pending, unless the answer says that there is nothing to fetch."""

    has_no_data: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Lexer gave up."""

    word: str


Status: TypeAlias = Pending | Complete | CompleteWithoutUrl | Failed


@dataclass(slots=True)
class Job:
    """An export that has been asked for. Only `advance` (after each poll), `take_link`, and the fetch of its file ahead of its turn change it.

    Attributes:
        what: What was asked for, for people.
        token: Lexer's name for the job, which is a secret: whoever has it can ask for the file. Empty if the first answer named the file,
            and no token.
        due: When the next poll is due, in seconds of the clock.
        wait: Seconds between the next poll and the one after it.
        url: Where the file lies, if that is known and has not been tried.
        fetched: The file behind `url`, or why there is none, if it has been fetched ahead of its turn.
        is_empty: Whether Lexer has said that there is no data, and so no file.
        is_sought: Whether it has been asked for at other addresses, after one that does not know it.
    """

    what: str
    body: Mapping[str, Any]
    token: str
    begun: float
    due: float
    wait: float = FIRST_WAIT
    url: str | None = None
    fetched: IO[bytes] | Exception | None = None
    is_empty: bool = False
    is_sought: bool = False

    def advance(self, found: Status, *, now: float, until: float) -> None:
        """The status that a poll found. Whatever it is, the waits grow, and the last poll is due at `until`."""
        self.due = min(now + self.wait, until)
        self.wait = min(2 * self.wait, LONGEST_WAIT)
        if isinstance(found, Complete):
            self.url = found.url
        self.is_empty = found == CompleteWithoutUrl(has_no_data=True)

    def take_link(self) -> str | None:
        """The link to the file, once: if it has expired, the next poll brings a fresh one."""
        url, self.url = self.url, None
        return url

    def take_file(self) -> IO[bytes] | None:
        """The file that was fetched ahead of its turn, once; or the error that was met instead."""
        fetched, self.fetched = self.fetched, None
        if isinstance(fetched, Exception):
            raise fetched
        return fetched

    def discard(self) -> None:
        """Close the file that was fetched ahead, if there is one. Its link is kept."""
        if self.fetched is not None and not isinstance(self.fetched, Exception):
            self.fetched.close()
            self.fetched = None


def opened(answer: Any) -> Mapping[str, Any] | None:
    """The object of an answer, out of its envelope: a list of one, or the one object within an object that says nothing itself.

    `None` if there is no such object, or more than one.
    """
    for _ in range(3):
        if isinstance(answer, list):
            if len(answer) != 1:
                return None
            (answer,) = answer
        if not isinstance(answer, dict):
            return None
        inner = [value for value in answer.values() if isinstance(value, (dict, list)) and value]
        if len(inner) != 1 or _first(answer, (*_STATUS, *_TOKEN)) is not None or _links(answer):
            return answer
        (answer,) = inner
    return None


def parse_status(answer: Mapping[str, Any], base: str = "") -> Status:
    """The status of a job, by an opened answer about it. Links without a host are of `base`, the address that was asked."""
    links = _links(answer)
    word = _first(answer, _STATUS)
    text = word if isinstance(word, str) else ""
    known = text.strip().lower()
    if len(links) == 1 and known not in FAILED:
        return Complete(_whole(links.pop(), base))
    if known in FAILED:
        return Failed(text)
    if known in COMPLETE:
        return CompleteWithoutUrl(has_no_data=_says_no_data(answer))
    return Pending(text, is_known=known == "pending")


def token_of(answer: Mapping[str, Any]) -> str | None:
    """Lexer's name for a job, by the answer to its start; `None` if it has none."""
    found = _first(answer, _TOKEN)
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else None


def _first(answer: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((answer[name] for name in names if answer.get(name) not in (None, "")), None)


def _links(answer: Mapping[str, Any]) -> set[str]:
    """The one link of an answer under `url`, or else all of its values that are links, also in objects within it."""
    url = answer.get("url")
    if isinstance(url, str) and "/" in url:
        return {url}
    return {value for _, value in _leaves(answer) if isinstance(value, str) and _is_link(value)}


def _whole(link: str, base: str) -> str:
    """A link with a host. One that has a scheme stays as it is to the letter: it may be signed. So does one that is no address."""
    if ":" in link.partition("/")[0]:
        return link
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _is_link(text: str) -> bool:
    if not _LINK.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.netloc) or parts.path.count("/") > 1


def _says_no_data(answer: Mapping[str, Any]) -> bool:
    return any(
        (name in _COUNTS and value == 0 and not isinstance(value, bool))
        or (isinstance(value, str) and _NO_DATA.search(value) is not None)
        for name, value in _leaves(answer)
    )


def _leaves(answer: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in answer.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield name, value


def drafts(api_url: str) -> list[tuple[str, str]]:
    """Other addresses of the status that Lexer drafted in 2018, each with the name of its parameter for the token."""
    reports = f"{api_url.rstrip('/')}/activity/reports"
    return [(f"{reports}/status", "token"), (reports, "status")]
