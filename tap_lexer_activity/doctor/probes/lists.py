"""Probes of the lists: what users, groups and forms come in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.doctor.asking import of_list
from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.seen import rows_in, rows_of
from tap_lexer_activity.readings import read_integer
from tap_lexer_activity.run.forms import is_of_nps
from tap_lexer_activity.zones import of_users

if TYPE_CHECKING:
    from tap_lexer_activity.doctor.probes.base import Evidence

LISTS: Final = ("users", "groups", "forms")
SHAPE: Final = "Which shape do the lists have?"


def zones_of_users(evidence: Evidence) -> Counter[str]:
    """The zones of the users who are not archived, the most frequent first. Names that are not zones do not count."""
    return Counter(dict(of_users(evidence.rows(of_list("users"))).most_common()))


def nps_form(evidence: Evidence) -> int | None:
    """The id of an NPS form that is in use, if there is one: of those in `form_ids`, if that is set."""
    wanted = evidence.situation.settings.form_ids
    found = [
        (bool(form.get("archived")), number.value)
        for form in evidence.rows(of_list("forms"))
        if is_of_nps(form) and (number := read_integer(form.get("id"), is_key=True))
    ]
    return next((number for _, number in sorted(found) if wanted is None or number in wanted), None)


def probe_lists(evidence: Evidence) -> Finding | None:
    """The shapes of the lists."""
    finding = Finding(SHAPE, "Arrays of objects with an id; one object is taken for one record.")
    answers = {name: evidence.ask(of_list(name)) for name in LISTS}
    answers = {name: answer for name, answer in answers.items() if not answer.is_refused}
    if not answers:
        return finding.unknown("The token may read none of them.")
    for name, answer in answers.items():
        if not answer.is_fine:
            return finding.unknown(f"The list of {name} can't be read: {answer.why}.")
    shapes = {name: rows_in(answer.content)[1] for name, answer in answers.items()}
    rows = {name: rows_of(name, answer.content) for name, answer in answers.items()}
    counts = {name: len(found) for name, found in rows.items() if found is not None}
    found = f"{', '.join(f'{name}: {shape}' for name, shape in shapes.items())}."
    finding.facts = {"shapes": shapes, "counts": counts}
    if not all(each is not None and all("id" in row for row in each) for each in rows.values()):
        return finding.open(found, "Attach the report to an issue: rows without an id are refused")
    counted = ", ".join(f"{count} {name}" for name, count in counts.items())
    is_documented = all(shape in {"an array", "one object"} for shape in shapes.values())
    return finding.as_assumed(found, counted) if is_documented else finding.settled(found, counted)
