"""The queries of docs/questions.md, run on both warehouses: each answer is the ledger's."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import pytest
from pipelines.models import MODELLED_FROM
from pipelines.programs import ROOT

from tap_lexer_activity.sandbox.instants import MINUTE, SECOND, instant, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipelines.models import Models

    from tap_lexer_activity.sandbox import Sandbox
    from tap_lexer_activity.sandbox.conversations import Message

pytestmark = pytest.mark.pipelines

QUESTIONS = dict(
    re.findall(
        r"^## (\d+)\. .*?^```sql\n(.*?)^```",
        (ROOT / "docs" / "questions.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)
OPEN = {"new", "assigned", "in_progress", "awaiting_approval"}
CUSTOMER_SLA = 120 * MINUTE
FIRST = date.fromisoformat(MODELLED_FROM)

Rows = list[tuple[Any, ...]]


class Ledger:
    """What happened in the sandbox in the time that was loaded, and how its messages stand now."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.now = instant(sandbox.clock)
        self.start = sandbox.ledger.midnight(FIRST)
        self.end = sandbox.ledger.midnight(sandbox.clock.date())
        self.messages: list[Message] = sandbox.ledger.messages(self.start, self.end, self.now)
        self.messages = [message for message in self.messages if message.created < self.end]

    def report(self, kind: str, **more: object) -> Any:
        """A report of the whole time."""
        return self.sandbox.report(kind, moment(self.start), moment(self.end - SECOND), **more)

    def day(self, message: Message) -> date:
        return self.sandbox.ledger.local_date(message.created)

    def week(self, message: Message) -> str:
        return (self.day(message) - timedelta(days=self.day(message).weekday())).isoformat()

    def by(self, key: Callable[[Message], Any], messages: Iterable[Message]) -> list[tuple[Any, list[Message]]]:
        """The messages in groups."""
        groups = defaultdict(list)
        for message in messages:
            groups[key(message)].append(message)
        return sorted(groups.items())

    @property
    def answered(self) -> list[Message]:
        return [message for message in self.messages if message.wait(self.now) is not None]


def volume(ledger: Ledger) -> Rows:
    return [
        (week, len(messages), sum(message.state(ledger.now) in OPEN for message in messages))
        for week, messages in ledger.by(ledger.week, ledger.messages)
    ]


def weekdays(ledger: Ledger) -> Rows:
    days = (date.fromordinal(day) for day in range(FIRST.toordinal(), ledger.sandbox.clock.date().toordinal()))
    counts = Counter(day.isoweekday() for day in days)
    groups = dict(ledger.by(lambda message: ledger.day(message).isoweekday(), ledger.messages))
    return [(day, len(groups[day]), len(groups[day]) / counts[day]) for day in range(1, 8)]


def waits(ledger: Ledger) -> Rows:
    rows = []
    for week, messages in ledger.by(ledger.week, ledger.answered):
        times = [message.wait(ledger.now) or 0 for message in messages]
        within = 100 * sum(time <= CUSTOMER_SLA for time in times) / len(times)
        rows.append((week, len(times), fmean(times) / MINUTE, median(times) / MINUTE, within))
    return rows


def breaches(ledger: Ledger) -> Rows:
    rows = [
        (
            f"{agent['first_name']} {agent['last_name']}".strip(),
            agent["broke_sla"],
            agent["responded_to"],
            100 * agent["fraction_broke_sla"] if agent["responded_to"] else None,
        )
        for agent in ledger.sandbox.report("user_summary", "2026-04-01T00:00:00+11:00", "2026-04-30T23:59:59+10:00")
    ]
    return sorted(rows, key=lambda row: (-row[3], row[0]))


def scores(ledger: Ledger) -> Rows:
    forms = {"NPS Survey": 55, "NPS → Escalations": 56}
    reports = {name: ledger.report("nps_summary", form=form) for name, form in forms.items()}
    return [(name, nps["total_sent"], nps["total_received"], nps["nps_score"]) for name, nps in sorted(reports.items())]


def topics(ledger: Ledger) -> Rows:
    rows = [
        (row["classification"], row["volume"])
        for row in ledger.report("classifications")
        if row["state"] == "all_states"
    ]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:5]


def waiting(ledger: Ledger) -> Rows:
    messages = [
        message for message in ledger.messages if message.wait(ledger.now) is None and message.state(ledger.now) in OPEN
    ]
    rows = [
        (source, len(found), moment(found[0].created).replace(tzinfo=None).isoformat())
        for source, found in ledger.by(lambda message: message.source, messages)
    ]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def stages(ledger: Ledger) -> Rows:
    return [
        (
            source,
            len(messages),
            fmean((message.claimed or 0) - message.created for message in messages) / MINUTE,
            fmean(message.handling(ledger.now) or 0 for message in messages) / MINUTE,
        )
        for source, messages in ledger.by(lambda message: message.source, ledger.answered)
    ]


def cases(ledger: Ledger) -> Rows:
    summary = ledger.report("case_summary")
    return [(summary["total_cases"], summary["first_reply_time"] / 60, summary["resolution_time"] / 3600)]


def recommended(ledger: Ledger) -> Rows:
    answers = defaultdict(list)
    for form in (55, 56):
        header, *rows = ledger.report("nps_submissions", form=form)
        for row in rows:
            answers[row[header.index("Agent")]].append(int(row[header.index("Score")]))
    rows = [
        (
            agent,
            len(given),
            100 * (sum(score >= 9 for score in given) - sum(score <= 6 for score in given)) / len(given),
        )
        for agent, given in answers.items()
    ]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


ANSWERS: dict[str, Callable[[Ledger], Rows]] = {
    str(number): answer
    for number, answer in enumerate(
        (volume, weekdays, waits, breaches, scores, topics, waiting, stages, cases, recommended), start=1
    )
}


def test_there_are_ten_questions() -> None:
    assert list(QUESTIONS) == list(ANSWERS) == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("number", ANSWERS)
def test_the_answer_is_the_ledgers(number: str, models: Models) -> None:
    expected = ANSWERS[number](Ledger(models.sandbox))
    assert expected
    assert [tuple(row.values()) for row in models.rows(QUESTIONS[number].strip().removesuffix(";"))] == [
        tuple(pytest.approx(cell, abs=1e-3) if isinstance(cell, float) else cell for cell in row) for row in expected
    ]
