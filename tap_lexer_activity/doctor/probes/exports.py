"""Probe of the exports: how their jobs go, and how their files are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tap_lexer_activity.csv_exports.names import column_name
from tap_lexer_activity.doctor.findings import Finding, Mark
from tap_lexer_activity.doctor.jobs import EXPORTS
from tap_lexer_activity.doctor.probes.base import Evidence
from tap_lexer_activity.doctor.probes.lists import nps_form
from tap_lexer_activity.doctor.probes.reports import busiest_day
from tap_lexer_activity.shapes import stream_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_lexer_activity.doctor.asking import Ask
    from tap_lexer_activity.doctor.files import FileFacts
    from tap_lexer_activity.doctor.jobs import JobSeen

DOCUMENTED: Final = "mention_sla_export"
"""The export of which a document names the columns."""
JOB: Final = "How does a job of {} go?"
FILE: Final = "How is the file of {} written?"
_TIMES: Final = {0: "first", 1: "first", 2: "second", 3: "third"}
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
    """What was found of all jobs."""
    findings: list[Finding] = []
    for job in evidence.jobs.values():
        if job.started.is_refused:
            continue
        findings.append(of_job(job, evidence.situation.settings.export_timeout))
        if job.file is not None:
            findings.append(of_file(job.kind, job.file))
    addresses = {job.address for job in evidence.jobs.values() if job.address}
    if addresses:
        (first, *_) = sorted(addresses)
        findings.append(
            Finding(
                question="Where is the status of exports?",
                mark=Mark.SETTLED,
                found="At another of Lexer's addresses.",
                assumed=f"At {evidence.situation.settings.export_status_url}.",
                settings={"export_status_url": first},
            )
        )
    return findings


def of_job(job: JobSeen, limit: int) -> Finding:
    """How a job went."""
    question = JOB.format(job.kind)
    shown = ", then ".join(job.words)
    facts: dict[str, Any] = {"words": job.words, "fields": list(job.shape), "polls": job.polls, "outcome": job.outcome}
    if job.seconds is not None:
        facts["seconds"] = round(job.seconds, 1)
    common: dict[str, Any] = {"question": question, "assumed": ASSUMED_JOB, "facts": facts}
    if not job.started.is_fine:
        mark = Mark.OPEN if job.started.was_asked else Mark.UNKNOWN
        advice = "Attach the report to an issue" if job.started.was_asked else "Ask again with a larger max_requests"
        return Finding(mark=mark, found=f"It was not started: {job.why or job.started.why}.", advice=advice, **common)
    if job.outcome == "failed":
        advice = "Ask again; if it fails each time, ask Lexer's support why"
        return Finding(mark=Mark.OPEN, found=f"Lexer gave it up: {shown}.", advice=advice, **common)
    if job.outcome in {"", "pending"}:
        found = f"It was not complete after {job.polls} questions{f': {shown}' if shown else ''}{f' ({job.why})' if job.why else ''}."
        return Finding(
            mark=Mark.UNKNOWN,
            found=found,
            advice=f"A run waits for {limit} s (export_timeout). Ask again at another time",
            **common,
        )
    if job.why and job.file is None:
        return Finding(
            mark=Mark.OPEN, found=f"{shown}; but {job.why}.", advice="Attach the report to an issue", **common
        )
    found = f"{shown}, after {job.seconds:.0f} s, when it was asked about for the {_TIMES.get(job.polls, 'last')} time."
    is_as_assumed = set(job.words) <= {"pending", "complete"} and {"status", "url", "token"} >= set(job.shape)
    mark = Mark.AS_ASSUMED if is_as_assumed else Mark.SETTLED
    return Finding(
        mark=mark, found=found, evidence="" if is_as_assumed else f"fields: {', '.join(job.shape)}", **common
    )


def of_file(kind: str, file: FileFacts) -> Finding:
    """How a file is written."""
    properties = stream_schema(kind)["properties"]
    has_schema = any(name not in _OWN for name in properties)
    others = [name for name in file.header if column_name(name) not in properties]
    facts: dict[str, Any] = {
        "encoding": file.encoding,
        "packed": file.packed,
        "separator": file.separator,
        "header": list(file.header),
        "rows": file.rows,
        "titles": file.titles,
        "times": dict(file.times),
        "numbers": dict(file.numbers),
    }
    common: dict[str, Any] = {"question": FILE.format(kind), "assumed": ASSUMED_FILE, "facts": facts}
    if not file.is_csv or not file.header:
        what = "no CSV" if not file.is_csv else "rows without a header"
        return Finding(
            mark=Mark.OPEN,
            found=f"It has {what}.",
            advice="Attach the report to an issue, and ask Lexer's support",
            **common,
        )
    said = [f"{len(file.header)} columns"]
    differs: list[str] = []
    settings: dict[str, Any] = {}
    if has_schema and not file.known:
        return Finding(
            mark=Mark.OPEN,
            found=f"It has {len(file.header)} columns, and none of those that Lexer documents.",
            advice=f'If the names in the report are right, set accept to {{"{kind}": ["any_columns"]}}',
            **common,
        )
    if others and kind != DOCUMENTED:
        said.append(f"of which no document tells: {', '.join(others)}")
    elif others:
        differs.append(f"{len(others)} columns that no schema has ({', '.join(others)})")
        settings["discover_columns"] = True
    if file.encoding not in {"utf-8", "utf-8-sig", "utf-16"}:
        differs.append(f"its encoding is {file.encoding}")
    if file.separator != ",":
        differs.append(f"columns are separated by {file.separator!r}")
    if file.packed:
        differs.append(f"packed as {file.packed}")
    if file.titles:
        differs.append(f"{file.titles} lines above the header")
    for name, forms in file.times.items():
        differs.append(f"times of {name!r} are {', '.join(forms)}")
    for name, forms in file.numbers.items():
        differs.append(f"numbers of {name!r} are {', '.join(forms)}")
    if file.formats:
        settings["export_time_formats"] = list(file.formats)
    found = f"{'; '.join([*said, *differs])}."
    if not differs:
        return Finding(mark=Mark.AS_ASSUMED, found=found, evidence=f"{file.rows} rows", **common)
    is_open = "not UTF-8" in file.encoding or (file.times and not file.formats)
    if file.encoding in {"utf-16-le", "utf-16-be"}:
        settings["export_encoding"] = file.encoding
    advice = "Name the file's encoding in export_encoding" if "not UTF-8" in file.encoding else ""
    if file.times and not file.formats:
        advice = "Set export_time_formats to the way times are written, such as %d/%m/%Y %H:%M: they have two meanings here, or none"
    return Finding(mark=Mark.OPEN if is_open else Mark.SETTLED, found=found, settings=settings, advice=advice, **common)


_OWN: Final = frozenset({"record_id", "form_id", "date_from", "date_to", "local_date", "additional_columns"})
