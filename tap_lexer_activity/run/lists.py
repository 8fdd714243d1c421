"""Lists of objects: users, groups, forms."""

from __future__ import annotations

from tap_lexer_activity.lexer.client import LexerClient
from tap_lexer_activity.lexer.envelopes import Expected
from tap_lexer_activity.run.answers import Answers
from tap_lexer_activity.run.events import Row
from tap_lexer_activity.run.progress import Progress


def fetch_list(name: str, client: LexerClient, progress: Progress, answers: Answers, *, tries: int) -> list[Row]:
    """All objects of a list. Lexer documents no pages, and shows one object where its text says a list."""
    expected = Expected(name, "list", known=("id",), may_be_cut=True)
    with progress.requests_of(name):
        answer = client.get(f"/{name}", tries=tries, expected=expected)
    label = f"the list of {name}"
    return answers.distinct(answers.checked(answer, label), label)
