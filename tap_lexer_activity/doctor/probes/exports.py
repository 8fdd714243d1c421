"""Probe of the exports: how their jobs go, and how their files are written."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.csv_exports.names import column_name
from tap_lexer_activity.doctor.files import NOT_NAMED
from tap_lexer_activity.doctor.findings import Finding
from tap_lexer_activity.doctor.jobs import EXPORTS
from tap_lexer_activity.doctor.probes.lists import nps_form
from tap_lexer_activity.doctor.probes.reports import busiest_day
from tap_lexer_activity.shapes import stream_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_lexer_activity.doctor.asking import Ask
    from tap_lexer_activity.doctor.files import FileFacts
    from tap_lexer_activity.doctor.jobs import JobSeen
    from tap_lexer_activity.doctor.probes.base import Evidence

DOCUMENTED: Final = "mention_sla_export"
"""The export of which a document names the columns."""
JOB: Final = "How does a job of {} go?"
FILE: Final = "How is the file of {} written?"
_TIMES: Final = {0: "first", 1: "first", 2: "second", 3: "third"}
_WITHOUT_FILE: Final = {
    "failed": ("The job failed at Lexer", "fails each time, ask Lexer's support why"),
    "no link": ("It is complete but names no file", "stays so, ask Lexer's support where the file is"),
}
ASSUMED_JOB: Final = (
    "Its status is pending, then complete with a link. Other words that mean the same are read, with a warning."
)
ASSUMED_FILE: Final = "UTF-8, commas, a header, times such as 2026-03-01 10:00:00 in UTC, numbers such as 12.5."


def start_asks(evidence: Evidence) -> Sequence[Ask]:
    """The exports of one day."""
    situation, day = evidence.situation, busiest_day(evidence)
    form = nps_form(evidence)
    return [
        situation.report(kind, day, form=form if kind == "nps_submissions" else None)
        for kind in EXPORTS
        if kind != "nps_submissions" or form is not None
    ]


def judge(evidence: Evidence) -> list[Finding]:
    """The findings about all jobs."""
    findings: list[Finding] = []
    for job in evidence.jobs.values():
        if job.started.is_refused:
            continue
        findings.append(of_job(job, evidence.situation.settings.export_timeout))
        if job.file is not None:
            findings.append(of_file(job.kind, job.file, job.refused))
    addresses = {job.address for job in evidence.jobs.values() if job.address}
    if addresses:
        (first, *_) = sorted(addresses)
        finding = Finding("Where is the status of exports?", f"At {evidence.situation.settings.export_status_url}.")
        findings.append(finding.settled("At another of Lexer's addresses.", settings={"export_status_url": first}))
    return findings


def of_job(job: JobSeen, limit: int) -> Finding:
    """The course of a job."""
    finding = Finding(JOB.format(job.kind), ASSUMED_JOB)
    finding.facts = {"words": job.words, "fields": list(job.shape), "polls": job.polls, "outcome": job.outcome}
    if job.seconds is not None:
        finding.facts["seconds"] = round(job.seconds, 1)
    shown = ", then ".join(job.words)
    if not job.started.is_fine:
        found = f"It was not started: {job.why or job.started.why}."
        if not job.started.was_asked:
            return finding.unknown(found, "Ask again with a larger max_requests")
        return finding.open(found, "Attach the report to an issue")
    if job.outcome in _WITHOUT_FILE:
        found, advice = _WITHOUT_FILE[job.outcome]
        return finding.open(f"{found}: {shown}.", f"Ask again; if it {advice}")
    if job.outcome in {"", "pending"}:
        found = f"It was not complete after {job.polls} polls{f': {shown}' if shown else ''}{f' ({job.why})' if job.why else ''}."
        return finding.unknown(found, f"A run waits for {limit} s (export_timeout). Ask again at another time")
    if job.why and job.file is None:
        return finding.open(f"{shown}; but {job.why}.", "Attach the report to an issue")
    found = f"{shown}, after {job.seconds:.0f} s, at the {_TIMES.get(job.polls, 'last')} poll."
    is_as_assumed = set(job.words) <= {"pending", "complete"} and {"status", "url", "token"} >= set(job.shape)
    return finding.as_assumed(found) if is_as_assumed else finding.settled(found, f"fields: {', '.join(job.shape)}")


def of_file(kind: str, file: FileFacts, refused: str = "") -> Finding:
    """The form of a file: its encoding, separator, header, times and numbers; and why a run does not read it, if it does not."""
    finding = Finding(FILE.format(kind), ASSUMED_FILE, asdict(file))
    if not file.is_csv or not file.header:
        found = "It is no CSV." if not file.is_csv else "It has rows, and no header."
        return finding.open(found, "Ask Lexer's support, and attach the report to an issue")
    if file.known == 0 and kind == DOCUMENTED:
        found = f"It has {len(file.header)} columns, and none of those that Lexer documents."
        advice = f'If the names in the report are right, set accept to {{"{kind}": ["any_columns"]}}'
        return finding.open(found, advice)
    said = [f"{len(file.header)} columns"]
    properties = stream_schema(kind)["properties"]
    others = [name for name in file.header if column_name(name) not in properties]
    if others and kind != DOCUMENTED:
        said.append(f"undocumented: {', '.join(others)}")
        others = []  # (which is no difference where nothing is documented)
    differs = differences(file, others)
    settings = settings_for(file, others)
    found = f"{'; '.join([*said, *differs])}."
    if refused:
        return finding.open(found, f"A run refuses it: {refused}", settings=settings)
    if not differs:
        return finding.as_assumed(found, f"{file.rows} rows")
    advice = ""
    if NOT_NAMED in file.encoding:
        advice = "Set export_encoding to the file's encoding"
    elif file.times and not file.formats:
        form = "Set export_time_formats to the form of times, such as %d/%m/%Y %H:%M"
        advice = f"{form}: they have two meanings here, or none"
    return finding.open(found, advice, settings=settings) if advice else finding.settled(found, settings=settings)


def differences(file: FileFacts, others: Sequence[str]) -> list[str]:
    """Differences between a file and what the tap assumes. `others` are columns that no schema has."""
    is_odd = {
        f"{len(others)} columns that no schema has ({', '.join(others)})": bool(others),
        f"its encoding is {file.encoding}": file.encoding not in _UNICODE,
        f"columns are separated by {file.separator!r}": file.separator != ",",
        f"packed as {file.packed}": bool(file.packed),
        f"{file.titles} lines above the header": bool(file.titles),
    }
    return [
        *(said for said, is_so in is_odd.items() if is_so),
        *(f"times of {name!r} are {', '.join(forms)}" for name, forms in file.times.items()),
        *(f"numbers of {name!r} are {', '.join(forms)}" for name, forms in file.numbers.items()),
    ]


def settings_for(file: FileFacts, others: Sequence[str]) -> dict[str, Any]:
    """The settings by which a file is read."""
    result: dict[str, Any] = {"discover_columns": True} if others else {}
    if file.formats:
        result["export_time_formats"] = list(file.formats)
    if file.encoding in {"utf-16-le", "utf-16-be"}:
        result["export_encoding"] = file.encoding
    return result


_UNICODE: Final = frozenset({"utf-8", "utf-8-sig", "utf-16"})
"""Encodings that are read without a setting."""
