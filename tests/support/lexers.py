"""Lexers that answer an open question in another way than the sandbox's options and differences do, and an examination of one."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.doctor.doctor import Diagnosis, examine
from tap_lexer_activity.doctor.findings import Finding, Mark
from tap_lexer_activity.sandbox import reports, series
from tap_lexer_activity.sandbox.differences import DIFFERENCES
from tap_lexer_activity.sandbox.differences.base import Difference, of_rows
from tap_lexer_activity.sandbox.instants import DAY
from tap_lexer_activity.settings.parse import parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from tap_lexer_activity.sandbox import Sandbox
    from tap_lexer_activity.sandbox.differences.base import Answer, Asked

_SERIES: Final = {
    "states_volume": series.states_volume,
    "response_volume": series.response_volume,
    "case_volume": series.case_volume,
}
_EVERYTHING: Final = frozenset({*_SERIES, "users", "groups", "forms", "summary", "start", "status"})


def _of_utc(asked: Asked, answer: Answer) -> None:
    if asked.query is not None:
        options = replace(asked.query.options, labels="offset")
        answer.content = _SERIES[asked.kind](replace(asked.query, offset=UTC, options=options))


def _in_minutes(asked: Asked, answer: Answer) -> None:
    del asked
    for row in answer.content.get("avg_response_time", ()):
        row["value"] = None if row["value"] is None else row["value"] / 60


def _of_now(asked: Asked, answer: Answer) -> None:
    if asked.query is not None:
        query = asked.query
        answer.content = reports.user_volume(replace(query, start=query.clock - 7 * DAY, end=query.clock))


def _with_quota(limit: int, *, are_counted: bool) -> Callable[[Asked, Answer], None]:
    spent: Counter[int] = Counter()

    def change(asked: Asked, answer: Answer) -> None:
        spent[id(asked.account)] += are_counted or asked.target != "status"
        left = limit - spent[id(asked.account)]
        answer.headers |= {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}

    return change


def _with_minutes(row: dict[str, Any]) -> None:
    row["waiting_minutes"] = 3


def _in_other_months(_: Asked, answer: Answer) -> None:
    answer.content = {key: [] for key in answer.content}


MORE: Final = {
    "all_days_of_utc": Difference("series are counted in days of UTC", frozenset(_SERIES), _of_utc),
    "response_in_minutes": Difference("response_volume is in minutes", frozenset({"response_volume"}), _in_minutes),
    "volume_of_now": Difference("user_volume is a snapshot", frozenset({"user_volume"}), _of_now),
    "quota_of_60": Difference("headers name a quota", _EVERYTHING, _with_quota(60, are_counted=True)),
    "free_polls": Difference("polls do not count", _EVERYTHING, _with_quota(5000, are_counted=False)),
    "another_field": Difference("a field more", frozenset({"summary", "users"}), of_rows(_with_minutes)),
}


@dataclass
class Lexers:
    """Starts sandboxes, and examines them in this process."""

    new_sandbox: Callable[..., Sandbox]
    monkeypatch: pytest.MonkeyPatch

    def sandbox(self, *, differences: Sequence[str] = (), **options: Any) -> Sandbox:
        for name, difference in MORE.items():
            self.monkeypatch.setitem(DIFFERENCES, name, difference)
        return self.new_sandbox(**{"export_seconds": 0, "differences": differences} | options)

    def examined(self, sandbox: Sandbox, config: Mapping[str, Any] | None = None, **options: Any) -> Diagnosis:
        given = {name: value for name, value in sandbox.config(**config or {}).items() if value is not None}
        settings = parse_settings(given, now=datetime.now(UTC))
        given_options: dict[str, Any] = {"sleep": lambda _: None, "with_exports": False} | options
        return examine(settings, logging.getLogger("tests.doctor"), **given_options)


def of(diagnosis: Diagnosis, question: str) -> Finding:
    """The one finding about a question."""
    (found,) = (finding for finding in diagnosis.findings if finding.question == question)
    return found


def different(diagnosis: Diagnosis) -> dict[str, Mark]:
    """The marks of all findings that are not as assumed, by their question."""
    return {finding.question: finding.mark for finding in diagnosis.findings if finding.mark is not Mark.AS_ASSUMED}


def texts_in(content: Any) -> set[str]:
    """All texts in a JSON value."""
    match content:
        case dict():
            return {*content, *(text for part in content.values() for text in texts_in(part))}
        case list():
            return {text for part in content for text in texts_in(part)}
        case str():
            return {content}
        case _:
            return set()


def as_dict(text: str) -> dict[str, Any]:
    """A report."""
    found: dict[str, Any] = json.loads(text)
    return found
