"""Differences from Lexer's documents, for the life of a sandbox. What goes wrong now and then is a fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_lexer_activity.sandbox.account import Account
    from tap_lexer_activity.sandbox.query import Query


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        target: A report type, `users`, `groups`, `forms`, `start` (of an export), `status` or `download`.
        kind: The type of the export for `start`, `status` and `download`; else the target.
        query: What a report is asked, as the API read it; None for all else.
        body: The JSON that came with it.
        args: The parameters of its address.
        url: Its address without parameters.
        count: How many requests with this target and kind there have been, this one included.
        polls: How many of them were about the same export job, this one included; 0 for all but `status`.
        account: The account.
        file_host: The origin of the downloads.
    """

    target: str
    kind: str
    query: Query | None
    body: Mapping[str, Any]
    args: Mapping[str, str]
    url: str
    count: int
    polls: int
    account: Account
    file_host: str


@dataclass
class Answer:
    """An answer, which differences change in place.

    Attributes:
        content: Its JSON; the bytes of a file.
        status: The status of HTTP.
        headers: Headers to add.
        body: What to send in place of `content`, if that can't be written as JSON.
        media_type: Of the body; None: JSON, or CSV of a file.
    """

    content: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    media_type: str | None = None


@dataclass(frozen=True)
class Difference:
    """A difference.

    Attributes:
        says: What Lexer does, as a clause for people.
        targets: The targets whose answers it changes.
        change: Changes an answer in place.
        is_contrary: Whether the contrary sandbox has it. Those that have it fit together.
    """

    says: str
    targets: frozenset[str]
    change: Callable[[Asked, Answer], None]
    is_contrary: bool = False


def of_content(change: Callable[[Any], Any]) -> Callable[[Asked, Answer], None]:
    """A change of the JSON of answers that are no errors."""

    def in_place(_: Asked, answer: Answer) -> None:
        if answer.status < 300:  # noqa: PLR2004 the statuses of HTTP
            answer.content = change(answer.content)

    return in_place


def of_rows(change: Callable[[dict[str, Any]], None]) -> Callable[[Asked, Answer], None]:
    """A change of each row in place: of each bucket of a series, and of the one object of a summary."""

    def each(content: Any) -> Any:
        is_series = isinstance(content, dict) and content and all(isinstance(part, list) for part in content.values())
        rows = [row for part in content.values() for row in part] if is_series else content
        for row in rows if isinstance(rows, list) else [rows]:
            change(row)
        return content

    return of_content(each)
