"""Every fault by its name, on every kind of request: what arrives, where the bookmark stands, how the run ends, what it says.

And what comes after: once the fault is over, the next run completes the tables, to what a run without faults gives.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest
from conftest import Run, Tap, Warehouse, select
from proof.surroundings import NOBODY, SandboxBehind, surroundings
from support.hosts import HEADER, ROW, Host, with_length
from support.states import bookmark

from tap_lexer_activity.sandbox.faults import APPLIES, FAULTS, FILE, JOB, JSON, LINK, LONG_NUMBER, QUERY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proof.surroundings import Part, Surroundings

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = [pytest.mark.proof, pytest.mark.hurried]

Table = dict[tuple[Any, ...], dict[str, Any]]

# Three days, one window each. Nothing is read twice, so that a bookmark that claims too much leaves a hole.
CONFIG = {
    "concurrency": 1,
    "start_date": "2026-04-28",
    "lookback_days": 0,
    "export_window_days": 1,
    "rate_limit_seconds": 1,
}
ENDS = ("2026-04-28T14:00:00Z", "2026-04-29T14:00:00Z", "2026-04-30T14:00:00Z")
UTC_ENDS = ("2026-04-29T00:00:00Z", "2026-04-30T00:00:00Z", "2026-05-01T00:00:00Z")
FORMS = (55, 56)
OTHERS = ("groups", "case_volume")
"""Streams of each run that no fault strikes: one is read before all others but the users, the other after the reports and series."""


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        name: For people.
        stream: The stream that sends it.
        target: What the sandbox calls it.
        called: What an error calls it, to begin with.
        passes: How many such requests come before the fault.
        parts: Bookmarks of the stream.
        read: Windows of a bookmark that have been read when the fault comes and lasts.
        ahead: How often it may be sent ahead of its turn, by one try that nothing is said of.
        ends: The ends of its windows.
        setting: Where its host is set.
    """

    name: str
    stream: str
    target: str
    called: str | tuple[str, ...] = ""
    passes: int = 1
    parts: int = 1
    read: int = 1
    ahead: int = 0
    ends: tuple[str, ...] = ENDS
    setting: Part = "api_url"


EXPORT = "export 'mention_sla_export' from "
LIST = Kind("list", "users", "users", ("users: ", "the list of users: "), passes=0, read=0)
REPORT = Kind("report", "user_volume", "user_volume", "report 'user_volume' from ")
FORM = Kind("report per form", "nps_summary", "nps_summary", "report 'nps_summary' from ", parts=2)
SERIES = Kind("series", "states_volume", "states_volume", "report 'states_volume' from ", passes=0, read=0)
FORM_SERIES = Kind(
    "series per form", "nps_volume", "nps_volume", "report 'nps_volume' from ", passes=0, parts=2, read=0, ends=UTC_ENDS
)
START = Kind("export: its start", "mention_sla_export", "mention_sla_export", EXPORT, ahead=1)
FORM_START = Kind(
    "export per form: its start",
    "nps_submissions",
    "nps_submissions",
    "export 'nps_submissions' from ",
    passes=2,
    parts=2,
    ahead=2,
)
STATUS = Kind(
    "its status", "mention_sla_export", "status", f"the status of {EXPORT}", ahead=1, setting="export_status_url"
)
DOWNLOAD = Kind("its file", "mention_sla_export", "download", EXPORT, setting="download_url")
LABELS = Kind("classifications", "classifications", "classifications", passes=2, read=2)
CASE_LABELS = Kind("case classifications", "case_classifications", "case_classifications", passes=2, read=2)
COLUMNS = (LIST, REPORT, FORM, SERIES, FORM_SERIES, START, FORM_START, STATUS, DOWNLOAD)
JSON_KINDS = COLUMNS[:-1]
STARTS = (START, FORM_START)
REPORTS = (REPORT, FORM, SERIES, FORM_SERIES)
PER_FORM = (FORM, FORM_SERIES)
STREAMS = tuple(dict.fromkeys(kind.stream for kind in (*COLUMNS, LABELS, CASE_LABELS)))


@dataclass(frozen=True)
class Outcome:
    """What a run makes of a fault.

    Attributes:
        shown: In the table of docs/proof.md.
        says: Stands in the log; if the stream fails, in its last lines.
        advises: What to do: the end of such a line.
        ends: How: all is read; as odd as it came; the stream fails and no other; or the run ends.
        tries: Requests that the fault strikes, if that is always the same.
        rows: Records that arrive, of odd ones.
        remains: Whether odd rows have keys of their own, so that the next run can't replace them.
    """

    shown: str
    says: str = ""
    advises: str = ""
    ends: Literal["whole", "odd", "failed", "ended"] = "whole"
    tries: int | None = None
    rows: int | None = None
    remains: bool = False

    @property
    def code(self) -> int:
        return int(self.ends in {"failed", "ended"})


def whole(shown: str = "all there", says: str = "") -> Outcome:
    return Outcome(shown, says)


AGAIN = whole("tried again, all there")


def odd(shown: str, **more: Any) -> Outcome:
    return Outcome(shown, ends="odd", **more)


def fails(says: str, tries: int | None = 5) -> Outcome:
    tried = "" if tries in {1, None} else f"{tries} tries, "
    return Outcome(f"{tried}fails", says, ends="failed", tries=tries)


def ends(says: str, tries: int | None = 1) -> Outcome:
    return Outcome(f"{'' if tries == 1 else f'{tries} tries, '}the run ends", says, ends="ended", tries=tries)


@dataclass(frozen=True)
class Cell:
    """A fault and a kind of request.

    Attributes:
        fault: Of the sandbox, or of what is between.
        kind: Of request.
        times: How many requests the fault strikes; None: all.
        outcome: What has to come of it.
        value: Of the fault.
        settings: Of the tap.
    """

    fault: str
    kind: Kind
    times: int | None
    outcome: Outcome
    value: Any = None
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def lasts(self) -> str:
        return "lasting" if self.times is None else {1: "once", 2: "twice"}[self.times]

    def __str__(self) -> str:
        return f"{self.fault}-{self.kind.name.replace(' ', '_')}-{self.lasts}"


IMPATIENT = {"request_timeout": 2}
SOON = {"export_timeout": 2, "export_retries": 0}
TIMED_OUT = fails("not complete after 2 s (export_timeout)", None)
SHORT_FILE = fails("the file ends in the middle of a row", 3)
CUT_FILE = fails("the file was cut off: the connection broke off", 3)
REFUSED_LINK = replace(fails("the file host 127.0.0.1 answers 40", 4), shown="two links, a new job, two links, fails")

PASSING: dict[str, tuple[str, Outcome, dict[str, Any]]] = {
    "server_error": (": 500 ", fails("the file host 127.0.0.1 answers 500"), {}),
    "html_error": (": 502 ", fails("the file host 127.0.0.1 answers 502"), {}),
    "reset": ("the connection broke off", fails("no download: the connection broke off"), {}),
    "timeout": ("no answer within 2 s", fails("no download: no answer within 2 s"), IMPATIENT),
    "slow_loris": ("no answer within 2 s", fails("the file was cut off: no answer within 2 s", 3), IMPATIENT),
    "slow_headers": ("no answer within 2 s", fails("no download: no answer within 2 s"), IMPATIENT),
    "cut_body": ("the connection broke off", CUT_FILE, {}),
    "cut_chunked": ("the connection broke off", CUT_FILE, {}),
    "long_body": ("the answer is not JSON", SHORT_FILE, {}),
    "gzip_garbage": ("the answer can't be decompressed", fails("the file is not valid gzip", 3), {}),
    "not_json": ("the answer is not JSON", fails("a web page, JSON or a sentence instead of a CSV", 3), {}),
    "truncated_json": ("the answer is not JSON", SHORT_FILE, {}),
    "rate_limited": (": 429 ", fails("the file host 127.0.0.1 answers 429"), {}),
}
"""Faults that are tried again: what is said when they last, what becomes of a file then, and settings."""


def passing() -> Iterator[Cell]:
    for fault, (says, file, settings) in PASSING.items():
        for kind in COLUMNS:
            lasting = file if kind is DOWNLOAD else fails(says)
            if fault == "rate_limited" and kind is not DOWNLOAD:
                lasting = replace(fails(says, None), shown="waits six periods, fails")
            yield Cell(fault, kind, None, lasting, settings=settings)
            # A request that is struck ahead of its turn is left for its turn, without a word.
            says_so = "" if kind.ahead else "next try in"
            yield Cell(fault, kind, 2, replace(AGAIN, says=says_so), settings=settings)


REFUSED: dict[str, str] = {
    "bad_request": ": 400 ",
    "not_found": ": 404 ",
    "echo_token": ": 400 ",
    "redirect_foreign": "redirects to another host",
    "redirect_loop": "redirects in a circle",
    "duplicate_names": "twice in one object",
    "unauthorized": ": 401 ",
    "forbidden": ": 403 ",
    "gzip_bomb": "the answer is longer than 256 MiB",
    "unknown_shape": "is not as Lexer documents it",
    "list_for_object": "is not as Lexer documents it",
}
"""Faults that are not tried again, and what is said."""


OUT_OF_A_LIST = whole("taken out of the list, all there", "list of one")
UNLIKE_OTHERS: dict[tuple[str, Kind], Outcome] = {
    ("not_found", STATUS): replace(fails(": 404 ", None), shown="tried again, a new job, fails"),
    ("unauthorized", LIST): ends(": 401 "),  # the first call of the run
    **{("list_for_object", kind): OUT_OF_A_LIST for kind in (FORM, SERIES)},
    # (Of answers about jobs, no shape is said to be the documented one.)
    **{("list_for_object", kind): replace(OUT_OF_A_LIST, says="") for kind in (*STARTS, STATUS)},
    **{("unknown_shape", kind): fails("can't be read (not shown", 1) for kind in STARTS},
    ("unknown_shape", STATUS): TIMED_OUT,
}
"""What comes of such a fault where it is not what comes of it elsewhere."""


def refused() -> Iterator[Cell]:
    for fault, says in REFUSED.items():
        for kind in JSON_KINDS:
            usual = fails(says, None if fault in {"redirect_loop", "unauthorized"} else 1)
            outcome = UNLIKE_OTHERS.get((fault, kind), usual)
            yield Cell(fault, kind, None, outcome, settings=SOON if outcome is TIMED_OUT else {})
        for kind in PER_FORM:
            usual = replace(fails(says, None), shown="its form fails, the other continues")
            if fault == "unauthorized":
                usual = replace(AGAIN, says="next try in")
            yield Cell(fault, kind, 1, UNLIKE_OTHERS.get((fault, kind), usual))
    yield Cell("not_found", STATUS, 1, whole("a new job, all there"))
    for fault, outcome in {
        "bad_request": fails("the file host 127.0.0.1 answers 400", 1),
        "echo_token": fails("the file host 127.0.0.1 answers 400", 1),
        "unauthorized": fails("the file host 127.0.0.1 answers 401", 1),
        "forbidden": REFUSED_LINK,
        "not_found": REFUSED_LINK,
        "redirect_foreign": fails("no download: the host redirects in a circle", None),
        "redirect_loop": fails("no download: the host redirects in a circle", None),
    }.items():
        yield Cell(fault, DOWNLOAD, None, outcome)
    for fault in ("forbidden", "not_found"):
        yield Cell(fault, DOWNLOAD, 1, whole("a fresh link, all there"))


def changed() -> Iterator[Cell]:
    """Faults that change what is answered."""
    for kind in JSON_KINDS:
        yield Cell("slow", kind, None, whole())
        yield Cell("redirect", kind, None, whole("followed, all there"))
        yield Cell("early_hints", kind, None, whole())
        yield Cell("idle_reset", kind, None, whole("tried again each time, all there", "next try in"), settings=IDLE)
    yield Cell("early_hints", DOWNLOAD, None, whole())
    yield Cell("slow", DOWNLOAD, None, whole())
    yield Cell("redirect", DOWNLOAD, None, whole("followed, all there"))
    yield Cell("idle_reset", DOWNLOAD, None, whole("tried again each time, all there", "next try in"), settings=IDLE)
    for kind in (LIST, *REPORTS):
        kept = odd("null, and kept as it came", says=": not a ")
        is_key = kind in {LIST, REPORT, FORM_SERIES}  # the first number
        yield Cell("nan", kind, None, fails("integer was expected", 1) if is_key else kept)
        yield Cell("long_number", kind, None, odd("arrives with all its digits", says=LONG_NUMBER))
    for kind in (LIST, REPORT, SERIES, FORM_SERIES):
        # (Of a series, the first row is of a day that is not wanted, unless the range is long enough by itself.)
        longer = {"start_date": "2026-04-26"} if kind in {SERIES, FORM_SERIES} else {}
        once = whole("all there, and once", "came twice, and is kept once")
        yield Cell("duplicate_rows", kind, None, once, settings=longer)
        nothing = "read as an empty list" if kind is LIST else "read as a window without activity"
        yield Cell("empty", kind, None, odd(nothing, rows=0))
    yield Cell("empty", FORM, None, odd("read as a window without activity", says="count as no rows", rows=0))
    for kind in STARTS:
        yield Cell("empty", kind, None, fails("no token to poll with", 1))
    yield Cell("empty", STATUS, None, TIMED_OUT, settings=SOON)
    for kind in (LIST, REPORT):
        yield Cell("nameless_user", kind, None, odd("arrives, its names null", says='"first_name":null'))
    yield Cell("other_shape", REPORT, None, fails("this is the report of the stream workflow_states", 1))
    for kind in (*PER_FORM, FORM_START):
        gone = replace(fails("form 55: 404", None), shown="its form fails, the other continues")
        yield Cell("form_gone", kind, None, gone, value=55)
    for kind, each in ((LABELS, 10), (CASE_LABELS, 1)):
        yield Cell("many_classifications", kind, None, odd("all there", remains=True, rows=each), value=100_000)
    # (Asked for with more days around them, three times: where ranges are short, days come in hours.)
    yield Cell("hourly_buckets", SERIES, None, replace(fails("asked for one bucket per day", 4), shown="fails"))
    hours = {"series_interval": "hour"}
    # (Asked again: it might be an account where nothing happened but in the hour after midnight, or one that answers a day in hours.)
    days = replace(fails("asked for one bucket per hour", 3), shown="fails")
    yield Cell("daily_buckets", SERIES, None, days, settings=hours)
    yield Cell("other_window", SERIES, None, fails("asked for one bucket per day", 1))
    yield Cell("other_window", FORM_SERIES, None, fails("asked for days of UTC, and got a row of", 1))
    for kind in (REPORT, FORM):
        yield Cell("other_window", kind, None, odd("not noticed: the answer names no window", remains=True))
    for kind in STARTS:
        yield Cell("other_window", kind, None, odd("not noticed: no column is sure to name the window", remains=True))


def exports() -> Iterator[Cell]:
    """Faults of export jobs."""
    yield Cell("export_slow", STATUS, None, TIMED_OUT, settings=SOON)
    yield Cell("export_failed", STATUS, 1, whole("started again, all there"))
    yield Cell("export_failed", STATUS, None, fails("the job failed at Lexer: 'failed'", 3))
    yield Cell("export_unknown_status", STATUS, None, TIMED_OUT, settings=SOON)
    yield Cell("export_null_url", STATUS, 2, whole("asked again, all there"))
    yield Cell("export_null_url", STATUS, None, fails("complete, but names no file", None), settings=SOON)
    yield Cell("export_expired_link", DOWNLOAD, 1, whole("a fresh link, all there"))
    yield Cell("export_expired_link", DOWNLOAD, None, REFUSED_LINK)
    yield Cell("export_foreign_host", DOWNLOAD, None, whole("all there, without the token"))
    yield Cell("export_unknown_host", DOWNLOAD, None, fails("no download: the host's name is not known", None))
    yield Cell("export_cut", DOWNLOAD, 2, replace(AGAIN, says="next try in"))
    yield Cell("export_cut", DOWNLOAD, None, CUT_FILE)
    yield Cell("export_cut_silent", DOWNLOAD, 2, replace(AGAIN, says="next try in"))
    yield Cell("export_cut_silent", DOWNLOAD, None, fails("it ends in the middle of a line", 3))
    yield Cell("export_redirect", DOWNLOAD, None, whole("followed, all there"))
    yield Cell("export_gzip", DOWNLOAD, None, whole())
    yield Cell(
        "export_extra_columns", DOWNLOAD, None, odd("all there, the rest in additional_columns", says="Sentiment")
    )
    yield Cell(
        "export_renamed_columns", DOWNLOAD, None, odd("all there, in additional_columns", says="Note on Customer")
    )


IDLE = {"rate_limit_requests": 1, "rate_limit_seconds": 2}

CERTIFICATE = replace(
    fails("the host's certificate is not valid (127.0.0.1", 1),
    advises=". If your network has its own CA, set REQUESTS_CA_BUNDLE to its file",
)
PROXY = fails("the proxy can't be reached or refuses (127.0.0.1")

BETWEEN: dict[str, tuple[str, Outcome]] = {
    "unknown_host": ("no name server knows the host", fails("name is not known (lexer.invalid")),
    "nobody_listens": ("nobody listens on the host's port", fails("the host refuses the connection (127.0.0.1")),
    "self_signed_certificate": ("the host's certificate is self-signed", CERTIFICATE),
    "other_certificate": ("the host's certificate is another host's", CERTIFICATE),
    "authority_of_ones_own": ("a CA of the network's own, in SSL_CERT_FILE", whole()),
    "bundle_of_ones_own": ("a CA of the network's own, in REQUESTS_CA_BUNDLE", whole()),
    "proxy": ("a proxy in HTTPS_PROXY, and a CA in REQUESTS_CA_BUNDLE", whole()),
    "proxy_gone": ("a proxy in HTTPS_PROXY that does not answer", PROXY),
    "proxy_refuses": ("a proxy that answers 407", PROXY),
}
"""What can be between the tap and Lexer, and what comes of it."""

OF_ITS_OWN = (STATUS, DOWNLOAD)
"""Kinds of request whose host is not the API's here, so that the others go on."""
NOBODY_THERE = {"unknown_host", "nobody_listens", "proxy_gone"}


def between() -> Iterator[Cell]:
    for name, (_, outcome) in BETWEEN.items():
        for kind in (LIST, REPORT, SERIES, START, STATUS, DOWNLOAD):
            if outcome.code and kind is not DOWNLOAD:
                advice = outcome.advises or ", this machine's network, and HTTPS_PROXY if there is a proxy"
                met = outcome if kind in OF_ITS_OWN else ends(outcome.says, outcome.tries)
                yield Cell(name, kind, None, replace(met, advises=f"Check the setting {kind.setting}{advice}"))
            else:
                yield Cell(name, kind, None, outcome)


CELLS = [*passing(), *refused(), *changed(), *exports(), *between()]

WHY_NOT = {
    **{(fault, kind): "there is no number in it" for fault in ("nan", "long_number") for kind in (*STARTS, STATUS)},
    ("duplicate_rows", FORM): "there are no rows in it",
    ("hourly_buckets", FORM_SERIES): "there are days in it only",
    ("daily_buckets", FORM_SERIES): "there are days in it only",
    **{("duplicate_rows", kind): "there are no rows in it" for kind in (*STARTS, STATUS)},
    ("other_window", STATUS): "it has no window",
    ("other_window", LIST): "it has no window",
    ("gzip_bomb", DOWNLOAD): "a file may be of any size",
    ("duplicate_names", DOWNLOAD): "a file is no JSON",
}


def why_not(fault: str, kind: Kind) -> str:
    """Why a fault can't strike a kind of request."""
    place = FAULTS[fault][0]
    if (fault, kind) in WHY_NOT:
        return WHY_NOT[fault, kind]
    if fault in APPLIES and kind.target not in APPLIES[fault]:
        return f"changes {', '.join(sorted(APPLIES[fault]))} only"
    if place in {JSON, QUERY} and kind is DOWNLOAD:
        return "a file is no JSON"
    if place in {JOB, LINK, FILE}:
        return "strikes another step of an export" if kind in {*STARTS, STATUS, DOWNLOAD} else "strikes exports only"
    return ""


def is_the_same_in_any_order(cell: Cell) -> bool:
    """True if it does not matter which of several requests under way a fault strikes: it strikes all, or costs nothing."""
    return cell.times is None or cell.outcome.ends == "whole"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every cell; or, in a sample, one for each fault, of another kind each time. Of those that are run twice, every third."""
    if "cell" in metafunc.fixturenames:
        is_in_turn = metafunc.function is test_a_fault
        cells = [cell for cell in CELLS if is_in_turn or is_the_same_in_any_order(cell)]
        if not metafunc.config.getoption("long"):
            faults: dict[str, list[Cell]] = defaultdict(list)
            for cell in cells:
                faults[cell.fault].append(cell)
            cells = [mine[number % len(mine)] for number, mine in enumerate(faults.values())]
            cells = cells if is_in_turn else cells[::3]
            cells = [replace(cell, value=1_000) if cell.value == 100_000 else cell for cell in cells]
        # (A connection that is reset after a second without a request has to be idle for so long.)
        in_time = [
            pytest.param(cell, marks=pytest.mark.unhurried) if cell.fault == "idle_reset" else cell for cell in cells
        ]
        metafunc.parametrize("cell", in_time, ids=str)


@pytest.fixture(scope="module")
def box() -> Iterator[SandboxBehind]:
    options: dict[str, Any] = {"clock": "2026-05-01T10:00:00+10:00", "messages_per_day": 12, "quota": (5000, 1)}
    with SandboxBehind(**options, export_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def clean(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], dict[str, Table]]:
    """The tables of a run without faults, by stream."""
    tap = Tap(tmp_path_factory.mktemp("clean"), is_hurried=True)
    found: dict[str, dict[str, Table]] = {}

    def tables(settings: dict[str, Any]) -> dict[str, Table]:
        kept = {name: value for name, value in settings.items() if name in {"series_interval", "start_date"}}
        key = json.dumps(kept)
        if key not in found:
            box.clear_faults()
            run = tap.run(box.config(**(CONFIG | kept)), catalog=select(*STREAMS, *OTHERS))
            assert run.code == 0, run.log
            found[key] = Warehouse().load(run).tables
        return found[key]

    return tables


def bookmarks_of(run: Run, kind: Kind) -> list[str | None]:
    """Those of a stream, one for each form."""
    state = run.state if run.states else {}
    return [bookmark(state, kind.stream, form) for form in (FORMS if kind.parts > 1 else (None,))]


def read_windows(cell: Cell) -> list[int]:
    """How many windows of each bookmark have been read."""
    if cell.outcome.ends in {"whole", "odd"}:
        return [3] * cell.kind.parts
    if cell.fault in BETWEEN:
        return [0] * cell.kind.parts
    first = cell.kind.read
    # Jobs are started for both forms before the fault comes. A report's requests of the second form come after it.
    lasting = first if cell.kind is FORM_START else 0
    other = lasting if cell.times is None and cell.fault != "form_gone" else 3
    return [first, other][: cell.kind.parts]


def of_windows(table: Table, read: list[int], kind: Kind) -> Table:
    """The rows of a table that are of windows which have been read."""
    if kind is LIST:
        return table if read[0] else {}
    until = {form: kind.ends[count - 1] if count else "" for form, count in zip(FORMS, read, strict=False)}
    return {
        key: row
        for key, row in table.items()
        if row["date_from"] < until[row["form_id"] if kind.parts > 1 else FORMS[0]]
    }


def requests_of(box: Sandbox, kind: Kind) -> int:
    """How many requests of a kind have come."""
    seen: Counter[str] = Counter()
    for request in box.requests:
        kinds = {"status": "status", "download": "download"}
        body = request.body or {}
        seen[kinds.get(request.origin, str(body.get("type", request.path.rpartition("/")[2])))] += 1
    return seen[kind.target]


def check_what_is_said(cell: Cell, run: Run, box: Sandbox) -> None:
    outcome, kind = cell.outcome, cell.kind
    assert run.code == outcome.code, run.log
    assert "Traceback" not in run.log
    assert not box.leaks
    assert not [secret for secret in (box.token, "X-Amz-Signature") if secret in run.out + run.log]
    if outcome.code == 0:
        assert outcome.says in run.log + run.out
        return
    is_of_job = cell.fault not in BETWEEN and (FAULTS[cell.fault][0] in {JOB, LINK} or outcome is TIMED_OUT)
    called = EXPORT if is_of_job else kind.called
    said = run.errors[-kind.parts :]
    if outcome.ends == "failed":
        said = [line.removeprefix(f"{kind.stream}: ") for line in said]
    assert any(line.startswith(called) and outcome.says in line and line.endswith(outcome.advises) for line in said), (
        run.log
    )
    if outcome.tries and cell.times is None and cell.fault in PASSING:
        retries = [line for line in run.log.splitlines() if "next try in" in line and outcome.says in line]
        assert len(retries) == (outcome.tries - 1) * kind.parts, run.log
    assert (f"Failed: {kind.stream}" in run.log) == (outcome.ends == "failed")


def check_what_was_met(cell: Cell, run: Run, between: Surroundings) -> None:
    """The tap came by what is between, and as often as it should."""
    tries = cell.outcome.tries
    if tries is None:
        assert between.met.passed
        return
    assert run.log.count("next try in") == tries - 1
    if cell.fault in NOBODY_THERE:
        assert between.met.asked == 0
    else:
        assert (
            tries <= between.met.asked <= tries + cell.kind.ahead + 1
        )  # for the users, by one try that nothing is said of


@pytest.mark.timeout(1800)  # a million rows of classifications take minutes on a busy machine
def test_a_fault(
    cell: Cell,
    tap: Tap,
    box: SandboxBehind,
    clean: Callable[[dict[str, Any]], dict[str, Table]],
    keep: Callable[..., None],
    tmp_path: Path,
) -> None:
    kind, outcome, stream = cell.kind, cell.outcome, cell.kind.stream
    right = clean(cell.settings)
    box.clear_faults()
    box.requests.clear()
    # (Where nothing comes through to the API, a run would end at the first of the others.)
    others = () if cell.fault in BETWEEN and kind not in OF_ITS_OWN else OTHERS
    catalog = select(stream, *others)
    config = box.config(**CONFIG | cell.settings)
    if cell.fault in BETWEEN:
        with surroundings(cell.fault, box, kind.setting, tmp_path) as between:
            run = tap.run(config | between.config, catalog=catalog, env=between.env)
        check_what_was_met(cell, run, between)
    else:
        everything = cell.fault == "idle_reset"
        target = None if everything else stream if FAULTS[cell.fault][0] in {JOB, LINK, FILE} else kind.target
        fault = box.fault(cell.fault, target, cell.times, cell.value, 0 if everything else kind.passes)
        run = tap.run(config, catalog=catalog, timeout=900)
        assert fault.struck == cell.times if cell.times else fault.struck > 0
        if outcome.tries and cell.times is None:
            tried = requests_of(box, kind) - kind.passes
            times = kind.parts if outcome.ends == "failed" else 1
            assert outcome.tries * times <= tried <= outcome.tries * times + kind.ahead
    check_what_is_said(cell, run, box)

    # What has arrived, and what the bookmark says
    loaded = Warehouse().load(run)
    found = loaded.tables.get(stream, {})
    read = read_windows(cell)
    if outcome.ends != "odd":
        assert found == of_windows(right[stream], read, kind)
    elif outcome.rows is not None:
        before = of_windows(right[stream], [kind.read, 0][: kind.parts], kind)
        assert len(found) == len(before) + outcome.rows * (cell.value or 0)
    elif not outcome.remains:
        assert found.keys() == right[stream].keys()
    if kind is not LIST:
        assert bookmarks_of(run, kind) == [kind.ends[count - 1] if count else None for count in read]
    if outcome.ends != "ended":
        for other in others:
            assert loaded.tables[other] == right[other], "the others go on"

    # And once it is over
    box.clear_faults()
    lookback = {"lookback_days": 7 if outcome.ends == "odd" else 0}
    again = tap.run(
        box.config(**CONFIG | cell.settings | lookback), catalog=catalog, state=run.state if run.states else None
    )
    assert again.code == 0, again.log
    tables = loaded.load(again).tables
    for each in (stream, *others):
        mine = (
            {key: row for key, row in tables[each].items() if key in right[each]} if outcome.remains else tables[each]
        )
        assert mine == right[each], each

    keep("faults", **row_of(cell))


@pytest.mark.timeout(1800)
def test_a_fault_leaves_the_same_with_many_requests_under_way(
    cell: Cell, tap: Tap, box: SandboxBehind, tmp_path: Path, is_long: bool, request: pytest.FixtureRequest
) -> None:
    kind, stream = cell.kind, cell.kind.stream
    others = () if cell.fault in BETWEEN and kind not in OF_ITS_OWN else OTHERS
    catalog = select(stream, *others)

    def left_with(concurrency: int) -> tuple[int, list[str], list[Any]]:
        """The exit code, the errors and the messages of a run."""
        box.clear_faults()
        config = box.config(**CONFIG | cell.settings | {"concurrency": concurrency})
        if cell.fault in BETWEEN:
            with surroundings(cell.fault, box, kind.setting, tmp_path) as between:
                run = tap.run(config | between.config, catalog=catalog, env=between.env)
        else:
            everything = cell.fault == "idle_reset"
            target = None if everything else stream if FAULTS[cell.fault][0] in {JOB, LINK, FILE} else kind.target
            # (A fault that lasts strikes the first, too: else it would be another one's turn to be spared.)
            box.fault(cell.fault, target, cell.times, cell.value, kind.passes if cell.times else 0)
            run = tap.run(config, catalog=catalog, timeout=900)
        messages = [{name: value for name, value in each.items() if name != "time_extracted"} for each in run.messages]
        errors = [re.sub(r"127\.0\.0\.1:\d+", "HOST", each) for each in run.errors]  # each run has its own proxy
        return run.code, errors if cell.outcome.ends == "failed" else [], messages

    expected = left_with(1)
    sampled = (4, 16)[len(request.node.name) % 2 :][:1]
    for concurrency in (4, 16) if is_long else sampled:
        assert left_with(concurrency) == expected, f"with {concurrency}"


def row_of(cell: Cell) -> dict[str, object]:
    """The row of a cell in the table `faults` of docs/proof.md. Cells of one fault share one."""
    what = BETWEEN[cell.fault][0] if cell.fault in BETWEEN else FAULTS[cell.fault][1]
    column = cell.kind.name if cell.kind in COLUMNS else REPORT.name
    name = f"`{cell.fault}`" if cell.fault in BETWEEN else f"`{cell.fault}`, {cell.lasts}"
    return {"fault": name, "what happens": what, **{each.name: "" for each in COLUMNS}, column: cell.outcome.shown}


def empty_cells() -> list[tuple[str, Kind]]:
    """The kinds of request that a fault is not tried on."""
    tried = {(cell.fault, cell.kind) for cell in CELLS}
    return [(fault, kind) for fault in FAULTS for kind in COLUMNS if (fault, kind) not in tried]


def counted() -> dict[str, object]:
    """The row of the table `fault_cells`."""
    return {"faults": len({cell.fault for cell in CELLS}), "cells": len(CELLS), "empty": len(empty_cells())}


def test_the_matrix_names_every_fault_and_says_why_a_cell_is_empty(keep: Callable[..., None]) -> None:
    assert {cell.fault for cell in CELLS} == {*FAULTS, *BETWEEN}
    unexplained = [(fault, kind.name) for fault, kind in empty_cells() if not why_not(fault, kind)]
    assert not unexplained
    keep("fault_cells", **counted())


def test_a_long_answer_may_take_longer_than_the_timeout_if_it_keeps_coming(tap: Tap, box: Sandbox) -> None:
    box.clear_faults()
    box.requests.clear()
    box.fault("many_classifications", "case_classifications", value=20_000)
    box.fault("slow", "case_classifications", value=8)
    config = box.config(**CONFIG | {"start_date": "2026-04-30", "request_timeout": 4})
    run = tap.run(config, catalog=select("case_classifications"))
    assert run.code == 0, run.log
    assert len(run.records["case_classifications"]) == 20_000
    assert len([request for request in box.requests if request.body]) == 1, "not tried again"


def test_a_form_that_is_deleted_between_two_runs_is_not_asked_for_any_more(tap: Tap, box: Sandbox) -> None:
    box.clear_faults()
    first = tap.run(box.config(**CONFIG, end_date="2026-04-30"), catalog=select("nps_summary"))
    box.fault("unknown_shape", "forms", None, [{"id": FORMS[1], "nps": True}])
    second = tap.run(box.config(**CONFIG), catalog=select("nps_summary"), state=first.state)
    assert second.code == 0, second.log
    assert {record["form_id"] for record in second.records["nps_summary"]} == {FORMS[1]}
    parts = second.state["bookmarks"]["nps_summary"]["partitions"]
    assert [part["replication_key_value"] for part in parts] == [ENDS[1], ENDS[2]]


@pytest.mark.parametrize(
    ("date", "late", "said"),
    [
        ("2026-04-29T01:00:00+00:00", 0, "asked for days of UTC, and got a row of 2026-04-29T01:00:00Z"),
        ("2026-04-24T00:00:00+00:00", 0, "asked for days of UTC, and got a row of 2026-04-24T00:00:00Z"),
        ("2026-05-03T00:00:00+00:00", 0, "asked for days of UTC, and got a row of 2026-05-03T00:00:00Z"),
        ("2026-04-29T00:00:00+00:00", 1, "and timestamp 1777420801 of a row are not the same instant"),
        ("2026-04-29T00:00:00", 3 * 86_400, "a date-time with an offset was expected"),
        ("2026-04-25T00:00:00+00:00", 0, None),
        ("2026-05-02T10:00:00+10:00", 0, None),
    ],
)
def test_days_of_a_survey_that_were_not_asked_for_are_refused_but_for_one_on_either_side(
    tap: Tap, box: SandboxBehind, date: str, late: int, said: str | None
) -> None:
    box.clear_faults()
    timestamp = int(datetime.fromisoformat(date).timestamp()) + late
    box.fault("unknown_shape", "nps_volume", None, [{"date": date, "timestamp": timestamp, "data": {}}])
    run = tap.run(box.config(**CONFIG, form_ids=[55]), catalog=select("nps_volume"))
    assert not run.records["nps_volume"]
    assert run.code == (0 if said is None else 1), run.log
    assert said is None or said in run.errors[-1]


def test_a_host_that_can_not_be_reached_ahead_of_a_turn_is_tried_again_in_its_turn(
    tap: Tap, box: SandboxBehind
) -> None:
    box.clear_faults()
    box.fault("slow", REPORT.target, None, 1)
    config = box.config(**CONFIG, export_status_url=f"http://{NOBODY}/status")
    env = {"TAP_LEXER_ACTIVITY_LOGLEVEL": "DEBUG"}
    run = tap.run(config, catalog=select(REPORT.stream, STATUS.stream), env=env)
    assert run.log.count("left for its turn") == 1
    assert run.log.count("next try in") == 4
    assert run.errors[0].startswith(f"{STATUS.stream} failed: {STATUS.called}")
    assert "Check the setting export_status_url" in run.errors[0]
    assert bookmarks_of(run, REPORT) == [ENDS[-1]], "what was read meanwhile goes on"


def test_names_and_passwords_of_a_netrc_are_sent_to_nobody(tap: Tap, tmp_path: Path) -> None:
    netrc = "machine 127.0.0.1 login jo password one\ndefault login jo password two\n"
    (tmp_path / ".netrc").write_text(netrc, encoding="utf-8")
    with Host(with_length(HEADER + ROW)) as other:
        location = f"Location: http://localhost:{other.server_port}/file\r\n"
        moved = with_length(b"", more=location.encode(), status=b"302 Found")
        with Host(moved) as host:
            run = tap.run(host.config(), catalog=select("mention_sla_export"), env={"HOME": str(tmp_path)})
    assert (run.code, len(run.records["mention_sla_export"])) == (0, 1), run.log
    assert host.asked == ["start token", "status token", "file"]
    assert other.asked == ["file"]
