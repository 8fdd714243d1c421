"""The token, report tokens, signed links and customers' texts, searched for as bytes wherever a run of the real command leaves any.

Each run has a token of its own, made at random. A run is watched from inside (Python's audit events): whom it connects to and which
files it writes.
"""

from __future__ import annotations

import ast
import base64
import json
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
import traceback
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from conftest import ENVIRONMENT
from hypothesis import given
from hypothesis import strategies as st
from proof.test_faults import BETWEEN, CELLS, CONFIG, REPORT, STATUS
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import without_token
from tap_lexer_activity.sandbox import people
from tap_lexer_activity.sandbox.faults import FAULTS, FILE, JOB, LINK
from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conftest import Tap
    from support.types import CatalogOf, NewSandbox

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = [pytest.mark.proof, pytest.mark.hurried]

START = "2026-04-26"
EXPORTS = ("case_details", "mention_sla_export", "nps_submissions")
SOME = ("users", "forms", "summary", "mention_sla_export")
ALL: tuple[str, ...] = ()
SHORTEST_PART = 8
SHORTEST_TEXT = 5
"""Bytes of a customer's text that are looked for: a shorter one ("NA", "None") stands in any log."""

WATCH = """
import os
import sys

_file = os.open(os.environ["WATCH_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_unnamed = getattr(os, "O_TMPFILE", 0)


def _watch(event, arguments):
    if event == "socket.connect":
        _note("connect", arguments[1])
    elif event == "sqlite3.connect":
        _note("write", arguments[0])
    elif event == "open" and _is_written(*arguments):
        _note("unnamed" if _unnamed and arguments[2] & _unnamed == _unnamed else "write", arguments[0])


def _is_written(path, _, flags):
    # (A path that is a number is stdout, which is open already.)
    return not isinstance(path, int) and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)


def _note(what, value):
    os.write(_file, f"{what} {value!r}\\n".encode())


sys.addaudithook(_watch)
"""

# How a run can be made to log


def _log_config(level: str, formatter: str, **loggers: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": f"singer_sdk.logging.{formatter}"}},
        "handlers": {
            "default": {"class": "logging.StreamHandler", "formatter": "chosen", "stream": "ext://sys.stderr"}
        },
        "root": {"level": level, "handlers": ["default"]},
        "loggers": {name: {"level": chosen} for name, chosen in loggers.items()},
    }


NOISY = ("urllib3", "urllib3.connectionpool", "urllib3.util.retry", "requests", "backoff", "singer_sdk")
LOGS: dict[str, str | dict[str, Any]] = {
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
    "CRITICAL": "CRITICAL",
    "as Meltano has it": _log_config("DEBUG", "StructuredFormatter"),
    "each library at DEBUG": _log_config("DEBUG", "ConsoleFormatter", **dict.fromkeys(NOISY, "DEBUG")),
}
"""A level, or the content of the file that SINGER_SDK_LOG_CONFIG names."""
TALKATIVE = ("DEBUG", "as Meltano has it", "each library at DEBUG")
"""Those that have every line."""


@dataclass(frozen=True)
class Mode:
    """A way to run the tap.

    Attributes:
        name: What is done.
        faults: What goes wrong, as the sandbox's `fault` takes it.
        settings: Settings beside those of the sandbox. `TOKEN` in a value stands for the token.
        line: Options of the command.
        streams: What is selected; `ALL`: the default.
        content: The configuration file's text in place of settings.
        through: What the command is put behind, as a shell has it.
        variables: The settings come as environment variables, with these besides.
        code: The exit code.
        says: Stands in the log or in a record.
        end: The signal that ends it while it waits for an export.
        quotes: Whether an error quotes the beginning of an answer of Lexer's, which may have agents in it.
        sample: Whether it is tried without `--long`.
    """

    name: str
    faults: tuple[tuple[Any, ...], ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    line: tuple[str, ...] = ()
    streams: tuple[str, ...] = SOME
    content: str | None = None
    through: str = 'exec "$@"'
    variables: dict[str, str] | None = None
    code: int = 0
    says: str = ""
    end: signal.Signals | None = None
    quotes: bool = False
    sample: bool = True


JANE = "Jane Remington", "Where is my order?"
ODD_FILES = {
    "an object": json.dumps(dict(zip(("Customer Username", "Customer Message"), JANE, strict=True))),
    "a list": json.dumps([*JANE, "TOKEN"]),
    "a page": f"<html><title>{JANE[0]}</title><p>{JANE[1]} TOKEN",
    "a sentence": f"{JANE[0]} asks: {JANE[1]}",
    "rows without a header": f"{JANE[0]},{JANE[1]}\r\n{JANE[1]},yes\r\n",
    "other separators": f"Account Name;Customer Username;Customer Message\r\nOne;{JANE[0]};{JANE[1]}\r\n",
    "an open quote": f'Account Name,Customer Username\r\nOne,"{JANE[0]} and TOKEN',
    "numbers and times that are none": f"Account Name,Customer Wait Time (min),Customer Publish Date (UTC),State\r\n"
    f"One,{JANE[0]},{JANE[1]},{JANE[0]}\r\nTwo,1,2026-04-28,{JANE[1]}\r\n",
}
"""What a file host may send in place of a right file, with customers' texts in it."""
HAVE_ROWS = ("rows without a header", "numbers and times that are none")
DISCOVERED = {"discover_export_columns": True}
BATCHES = {"batch_config": {"encoding": {"format": "jsonl", "compression": "none"}, "storage": {"root": "BATCHES"}}}
BROKEN_MAP = {"stream_maps": {"mention_sla_export": {"customer_message": "int(customer_message)"}}}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 1, "stream_maps": {"mention_sla_export": {}}}
MODES = {
    "whole runs": [
        Mode("all streams", streams=ALL),
        Mode("settings as variables, as Meltano gives them", streams=ALL, variables={}),
        Mode("batch files", settings=BATCHES),
        Mode("batch files by the SDK's way", settings=BATCHES | FLAT, sample=False),
        Mode("stream maps", settings={"stream_maps": {"mention_sla_export": {"customer_message": None}}}, sample=False),
        Mode("backfill", settings={"backfill_start": START}, sample=False),
        Mode("max_requests", settings={"max_requests": 4}, sample=False),
    ],
    "commands": [
        Mode("--discover", line=("--discover",), streams=ALL),
        Mode("--discover with the columns of exports", settings=DISCOVERED, line=("--discover",), streams=ALL),
        Mode("columns discovered by the run", settings=DISCOVERED, streams=ALL, sample=False),
        Mode("--plan", line=("--plan",), streams=ALL),
        Mode("--check", line=("--check",)),
        Mode("--about", line=("--about", "--format", "json")),
        Mode("--version", line=("--version",), sample=False),
        Mode("--test", line=("--test",), streams=ALL, quotes=True),  # of the streams that are not selected by default, too
        Mode("--test=schema", line=("--test=schema",), streams=ALL, sample=False),
    ],
    "settings that are wrong": [
        Mode("a token that is refused", settings={"api_token": "TOKEN-no-more"}, code=1),
        Mode("the token as a number", settings={"api_token": ["TOKEN"]}, code=1, sample=False),
        Mode("the token in another setting, too", settings={"start_date": "TOKEN", "timezone": "xTOKEN"}, code=1),
        Mode("the token in an address", settings={"api_url": "http://127.0.0.1/v1?token=TOKEN"}, code=1),
        Mode("a token with a line break", settings={"api_token": "TOKEN\n"}, code=1),
        Mode("a configuration that is no JSON", content='{"api_token": "TOKEN"', code=1, sample=False),
        Mode("a configuration that is no object", content='["TOKEN"]', code=1, sample=False),
        Mode("a configuration that is a text", content='"TOKEN"', code=1),
        Mode("a variable that can't be read", variables={"STREAM_MAP_CONFIG": '{"salt": "TOKEN"'}, code=1),
        Mode("salts that are no object", settings={"stream_map_config": "TOKEN"}, code=1),
    ],
    "stream maps that fail": [
        Mode("a stream map that fails on a record", settings=BROKEN_MAP, code=1),
        Mode("a stream map that fails in a batch", settings=BROKEN_MAP | BATCHES, code=1, sample=False),
        Mode("a stream map that is none", settings={"stream_maps": {"users": {"email": "sha256(email"}}}, code=1, sample=False),
    ],
    "files that are odd": [
        Mode(f"a file host that sends {what}", faults=(("not_json", "download", None, text),),
             streams=("mention_sla_export", "users"), code=int(what not in HAVE_ROWS), sample=number % 3 == 0)
        for number, (what, text) in enumerate(ODD_FILES.items())
    ],
    "runs that are broken off": [
        Mode("stdout that is closed", through='exec "$@" >&-', code=1),
        Mode("stdout that is full", through='exec "$@" >/dev/full', code=1),
        Mode("a target that goes away", through='"$@" | head -n 1; exit ${PIPESTATUS[0]}', code=1),
        Mode("a disk that is full", through='ulimit -f 1; trap "" XFSZ; exec "$@"', settings={"start_date": "2026-01-01"}, code=1),
        Mode("SIGTERM", end=signal.SIGTERM, code=143),
        Mode("SIGINT", end=signal.SIGINT, code=130, sample=False),
        Mode("SIGABRT", end=signal.SIGABRT, code=-signal.SIGABRT),
        Mode("SIGKILL", end=signal.SIGKILL, code=-signal.SIGKILL, sample=False),
    ],
}  # fmt: skip

EXPORT_PLACES = frozenset({JOB, LINK, FILE})
QUICK = frozenset({"unauthorized", "echo_token", "bad_request", "redirect_foreign", "unknown_shape", "export_failed",
                   "export_unknown_status", "export_expired_link", "export_foreign_host", "export_redirect",
                   "export_renamed_columns"})  # fmt: skip
"""Faults that are tried without `--long`: no waits between tries follow them."""
QUOTING = ("is not as Lexer documents it", "the answer is not JSON", "The answer begins", "twice in one object")
"""Errors that quote what Lexer answered: agents may be in it, and no customer ever is, outside of exports."""
VALUES = {
    "bad_request": 'No "TOKEN" and no TOKEN is known here',
    "not_json": "<p>TOKEN",
    "export_unknown_status": "TOKEN",
    "many_classifications": 1_000,
}
OWN_FILES = re.compile(r"tap-lexer-activity-\w+/quota-[0-9a-f]{8}\.sqlite3(-journal)?")
"""All that a run leaves among temporary files."""


def fault_modes() -> Iterator[Mode]:
    """Each fault of the sandbox, on each kind of request that it can strike, with the end that tests/proof/test_faults.py expects."""
    for cell in CELLS:
        if cell.fault in BETWEEN or cell.times is not None:
            continue
        name, kind, says = cell.fault, cell.kind, cell.outcome.says
        everywhere = name == "idle_reset"
        target = None if everywhere else kind.stream if FAULTS[name][0] in EXPORT_PLACES else kind.target
        after = 0 if everywhere else kind.passes
        # The first of the two is gone once it has struck.
        faults = tuple((name, target, times, VALUES.get(name, cell.value), after) for times in (1, None))
        yield Mode(
            f"{name}, {kind.name}",
            faults=faults,
            settings=CONFIG | cell.settings,
            streams=(kind.stream, "users", "groups"),
            code=cell.outcome.code,
            says=says,
            quotes=any(quoting in says for quoting in QUOTING),
            sample=name in QUICK and (kind in {REPORT, STATUS} or FAULTS[name][0] in EXPORT_PLACES),
        )


def groups(is_long: bool) -> Iterator[tuple[dict[str, object], list[tuple[Mode, str]]]]:
    """All modes with all ways to log, and all faults with those that tell most; or a sample, each with one of the latter.

    Each group with its row of the table `secrets` in docs/proof.md.
    """
    faults = defaultdict(list)
    for mode in fault_modes():
        place = FAULTS[mode.faults[0][0]][0]
        faults["faults of exports" if place in EXPORT_PLACES else "faults of answers"].append(mode)
    for group, modes in (MODES | faults).items():
        chosen = [mode for mode in modes if is_long or mode.sample]
        logs = tuple(LOGS) if group in MODES else TALKATIVE
        runs = list(product(chosen, logs) if is_long else zip(chosen, cycle(TALKATIVE), strict=False))
        yield {"what is run": group, "ways": len(chosen), "runs": len(runs), "kinds of log": len(logs)}, runs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames:
        found = groups(metafunc.config.getoption("long"))
        cases = [(row, mode, log) for row, runs in found for mode, log in runs]
        metafunc.parametrize(("row", "mode", "log"), cases, ids=[f"{mode.name}-{log}" for _, mode, log in cases])


# What is searched for


def written(text: str) -> set[bytes]:
    """A text in the forms in which programs write it, and each of its lines."""
    forms = {text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], quote(text)}
    lines = {line for form in forms for line in (form, *form.splitlines(), " ".join(form.split()))}
    return {line.encode() for line in lines if len(line.encode()) >= SHORTEST_TEXT}


def parts_of(token: str) -> set[bytes]:
    """A token's parts, written plainly, as JSON, in an address and in base64, wherever in a longer text that begins."""
    coded = [base64.b64encode(b"x" * shift + token.encode())[4:-4].decode() for shift in range(3)]
    forms = {token, json.dumps(token)[1:-1], quote(token, safe=""), repr(token)[1:-1], *coded}
    return {
        form[start : start + SHORTEST_PART].encode() for form in forms for start in range(len(form) - SHORTEST_PART + 1)
    }


def texts_of_customers() -> Iterator[str]:
    """Every customer of the sandbox, and what was said by them, to them and of them."""
    for customer in people.CUSTOMERS:
        yield from customer
    yield from (*people.CUSTOMER_TEXTS, *people.AGENT_TEXTS, *people.AGENT_NOTES, *people.CUSTOMER_NOTES)
    yield from people.SURVEY_COMMENTS
    for questions in people.QUESTIONS.values():
        yield from (answer for _, answers in questions for answer in answers)


CUSTOMERS = frozenset(form for text in texts_of_customers() for form in written(text))
AGENTS = frozenset(
    form
    for agent in people.AGENTS
    for text in (agent.email, agent.first_name, agent.last_name)
    for form in written(text)
)


def found(needles: Iterable[bytes], *places: bytes) -> set[bytes]:
    return {needle for needle in needles if any(needle in place for place in places)}


@dataclass
class Watched:
    """What a run has left behind."""

    token: str
    code: int
    out: bytes
    log: bytes
    folder: Path
    sandbox: Sandbox

    @property
    def keys(self) -> set[bytes]:
        """What nothing may hold: the token, tokens of jobs, signatures of links."""
        jobs = {secret.encode() for secret in self.sandbox.secrets}
        return parts_of(self.token) | jobs | {quote(job.decode()).encode() for job in jobs}

    @property
    def faults_left(self) -> list[str]:
        """The faults that would strike a next request."""
        state = requests.get(f"{self.sandbox.origin}/_sandbox/state", timeout=10).json()
        found: list[str] = state["faults"]
        return found

    @property
    def records(self) -> bytes:
        """The lines of stdout that are records."""
        return b"\n".join(line for line in self.out.splitlines() if is_record(line))

    @property
    def rest(self) -> bytes:
        """The other lines."""
        return b"\n".join(line for line in self.out.splitlines() if not is_record(line))

    @property
    def events(self) -> list[tuple[str, str]]:
        """What the run did to files and hosts."""
        lines = (self.folder / "watched").read_text(encoding="utf-8").splitlines()
        return [(what, value) for what, _, value in (line.partition(" ") for line in lines)]

    @property
    def temporary(self) -> dict[str, bytes]:
        """What lies in the folder for temporary files."""
        return content_of(self.folder / "temporary")

    @property
    def batches(self) -> dict[str, bytes]:
        """The batch files."""
        return content_of(self.folder / "batches")

    def others_received(self) -> list[bytes]:
        """The requests to any host but the two of the configuration, whole."""
        return [
            f"{seen.method} {seen.path}?{seen.query} {seen.headers} {seen.body}".encode()
            for seen in self.sandbox.requests
            if seen.origin == "download"
        ]

    def asked(self) -> list[bytes]:
        """All requests but for the one header that the token belongs into."""
        return [
            f"{seen.path}?{seen.query} { {**seen.headers, 'Auth-Api-Token': ''} } {seen.body}".encode()
            for seen in self.sandbox.requests
        ]


def is_record(line: bytes) -> bool:
    return line.startswith(b"{") and line.endswith(b"}") and json.loads(line).get("type") == "RECORD"


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run_mode(tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, tmp_path: Path) -> Callable[..., Watched]:
    """Runs the command in one of the modes, watched."""

    def run(mode: Mode, log: str = "DEBUG") -> Watched:
        token = f"{secrets.token_urlsafe(18)}+/\"\\&'="
        sandbox = new_sandbox(token=token, export_seconds=600 if mode.end else 0.5)
        for fault in json.loads(json.dumps(mode.faults).replace("TOKEN", json.dumps(json.dumps(token)[1:-1])[1:-1])):
            sandbox.fault(*fault)
        for name in ("watch", "temporary", "batches", "inputs"):
            (tmp_path / name).mkdir()
        (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
        inside = json.dumps(token)[1:-1]
        patience = {"export_timeout": 2, "export_retries": 0}  # for words that are waited for
        config = json.dumps(sandbox.config(start_date=START, **patience) | mode.settings).replace("TOKEN", inside)
        config = config.replace('"BATCHES"', json.dumps((tmp_path / "batches").as_uri()))
        env = ENVIRONMENT | {
            "PYTHONPATH": str(tmp_path / "watch"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WATCH_FILE": str(tmp_path / "watched"),
            "TMPDIR": str(tmp_path / "temporary"),
        }
        level = LOGS[log]
        if isinstance(level, str):
            env["TAP_LEXER_ACTIVITY_LOGLEVEL"] = level
        else:
            env["SINGER_SDK_LOG_CONFIG"] = str(tap.file(level))
        catalog = catalog_of(*mode.streams) if mode.streams and "--discover" not in mode.line else None
        content = config if mode.content is None else mode.content.replace("TOKEN", inside)
        if mode.variables is None:
            line = tap.arguments(content, *mode.line, catalog=catalog)
        else:
            line = tap.arguments(None, "--config=ENV", *mode.line, catalog=catalog)
            given = {name.upper(): value for name, value in json.loads(config).items()} | mode.variables
            for name, value in given.items():
                text = value if isinstance(value, str) else json.dumps(value)
                env[f"TAP_LEXER_ACTIVITY_{name}"] = text.replace("TOKEN", token)
        process = subprocess.Popen(
            ["bash", "-c", mode.through, "tap", *line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path / "inputs",
            env=env,
        )
        if mode.end is not None:
            wait_for(lambda: any(seen.origin == "status" for seen in sandbox.requests))
            process.send_signal(mode.end)
        out, told = process.communicate(timeout=240)
        return Watched(token, process.returncode, out, told, tmp_path, sandbox)

    return run


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is so, which it soon is."""
    give_up_at = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


# The searches


def test_no_way_to_run_the_tap_leaves_a_secret_anywhere(
    run_mode: Callable[..., Watched], keep: Callable[..., None], row: dict[str, object], mode: Mode, log: str
) -> None:
    run = run_mode(mode, log)
    assert run.code == mode.code, run.log.decode()
    assert run.faults_left == [name for name, _, times, *_ in mode.faults if times is None], "each has struck"
    assert mode.says.encode() in run.out + run.log

    texts = (run.rest, run.log, *run.temporary.values(), *map(str.encode, run.temporary))
    assert found(run.keys, run.records, *texts, *run.batches.values()) == set()
    assert found(CUSTOMERS, *texts, *map(str.encode, run.batches)) == set()
    if not mode.quotes:
        assert found(AGENTS, *texts) == set()
    assert content_of(run.folder / "inputs") == {}, "nothing is written where the command is run"

    assert not run.sandbox.leaks
    assert found(parts_of(run.token), *run.others_received(), *run.asked()) == set()
    ports = {urlsplit(url).port for url in (run.sandbox.origin, run.sandbox.download_url)}
    connected = [ast.literal_eval(value) for what, value in run.events if what == "connect"]
    assert {port for _, port, *_ in connected} <= ports

    assert [name for name in run.temporary if not OWN_FILES.fullmatch(name)] == []
    named = [Path(ast.literal_eval(value)) for what, value in run.events if what == "write"]
    allowed = (run.folder / "temporary", run.folder / "batches", Path("/dev"))
    assert [path for path in named if path.is_absolute() and not any(map(path.is_relative_to, allowed))] == []
    keep("secrets", **row)


@pytest.mark.parametrize("log", TALKATIVE)
@pytest.mark.parametrize(
    ("says", "faults", "code"),
    [
        ("Nothing to do.", (), 0),
        ("It refuses summary", (("unknown_shape", "summary", None, [["TOKEN"]], 0),), 1),
        ("No: 403", (("echo_token", None, None, 403, 0),), 1),
        ("It was not started", (("echo_token", "mention_sla_export", None, 400, 0),), 1),
    ],
)
def test_the_report_for_others_has_no_secret_and_nobody_in_it(
    run_mode: Callable[..., Watched], says: str, faults: tuple[tuple[Any, ...], ...], code: int, log: str
) -> None:
    run = run_mode(Mode("--doctor", line=("--doctor", "--report", "/dev/stdout"), faults=faults, code=code), log)
    assert run.code == code, run.log.decode()
    assert says.encode() in run.out
    text, _, report = run.out.partition(b'\n{\n "tap"')
    assert json.loads(b'{"tap"' + report)["findings"]
    customers = CUSTOMERS - {b"Answer"}  # the first word of a customer's, and a part of UnexpectedAnswerError
    assert found(run.keys | customers, report, text, run.log, *run.temporary.values()) == set()
    assert found(AGENTS, report) == set()
    assert b"http" not in report
    assert [name for name in run.temporary if not OWN_FILES.fullmatch(name)] == []
    assert not run.sandbox.leaks


def test_every_fault_of_the_sandbox_is_among_the_runs() -> None:
    assert {name for mode in fault_modes() for name, *_ in mode.faults} == set(FAULTS)


def test_the_searches_find_what_is_there(run_mode: Callable[..., Watched]) -> None:
    run = run_mode(Mode("all streams", streams=ALL))
    assert found(CUSTOMERS, run.records) > {b"Jane Remington", "Kōwhai Ngata".encode(), b"Where is my order?"}
    assert found(AGENTS, run.records) > {b"siobhan@example.com", "Siobhán".encode()}
    links = [seen for seen in run.others_received() if found(run.keys, seen)]
    assert len(links) == len(run.others_received()) > 3, "the file host is told links, and is asked by nothing else"
    headers = [json.dumps(seen.headers).encode() for seen in run.sandbox.requests if seen.origin != "download"]
    assert all(found(parts_of(run.token), seen) for seen in headers)
    assert run.temporary
    assert {what for what, _ in run.events} >= {"connect", "write", "unnamed"}


def test_customers_texts_lie_in_a_file_without_a_name_and_only_while_a_run_lasts(
    tap: Tap, new_sandbox: NewSandbox, catalog_of: CatalogOf, tmp_path: Path
) -> None:
    sandbox = new_sandbox(messages_per_day=60, export_seconds=0)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    config, env = sandbox.config(start_date="2026-01-01", export_window_days=360), {"TMPDIR": str(temporary)}
    with tap.start(config, catalog=catalog_of("mention_sla_export"), env=env) as process:

        def spools() -> dict[Path, bytes]:
            contents = {}
            for path in Path(f"/proc/{process.pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # of a file that has just been closed
                    opened = path.readlink()
                    if opened.is_relative_to(temporary) and "deleted" in opened.name:
                        contents[path] = path.read_bytes()
            return contents

        # Nobody reads stdout, so the run stands still in the middle of the file.
        wait_for(lambda: found(CUSTOMERS, *spools().values()))
        assert all(path.stat().st_nlink == 0 and path.stat().st_mode & 0o077 == 0 for path in spools())
        lying = content_of(temporary)
        process.kill()
    assert lying
    assert content_of(temporary).keys() == lying.keys()
    for content in (lying, content_of(temporary)):
        assert (
            found(CUSTOMERS | AGENTS | parts_of(sandbox.token), *content.values(), *map(str.encode, content)) == set()
        )


class Tunnel(threading.Thread):
    """A proxy that grants every tunnel, and keeps all that it is sent. Nobody is at the other end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.received: list[bytes] = []
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.start()

    def run(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(10)
                self.received.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.received.append(connection.recv(65536))


def test_a_proxy_sees_where_https_goes_and_nothing_else(tap: Tap) -> None:
    proxy = Tunnel()
    token = secrets.token_urlsafe(30)
    config = {"api_token": token, "start_date": START, "api_url": "https://lexer.example/v1"}
    run = tap.run(config, "--check", env={"HTTPS_PROXY": proxy.address})
    assert run.code == 1
    asked, greeting = proxy.received[:2]
    assert asked.startswith(b"CONNECT lexer.example:443 HTTP/1.")
    assert greeting.startswith(b"\x16\x03"), "a TLS handshake"
    assert found(parts_of(token), *proxy.received, run.log.encode()) == set()


@given(
    st.text('abcdef0123456789-+/="\\&%', min_size=SHORTEST_PART, max_size=40),
    st.data(),
    st.sampled_from([str, json.dumps, lambda text: quote(text, safe="")]),
)
def test_an_answer_is_quoted_without_the_token_and_without_parts_of_it(
    token: str, data: st.DataObject, write: Callable[[str], str]
) -> None:
    start = data.draw(st.integers(0, len(token) - SHORTEST_PART))
    end = data.draw(st.integers(start + SHORTEST_PART, len(token)))
    part = token[start:end]
    shown = without_token(f"No {write(part)} here: {part}, {write(token)}", token)
    assert (
        found({part.encode()} | {piece.encode() for piece in (token, quote(token, safe=""))}, shown.encode()) == set()
    )
    assert shown.startswith("No ")
    assert "[api_token]" in shown


BREAKING = (
    "reset",
    "cut_body",
    "cut_chunked",
    "not_json",
    "redirect_foreign",
    "redirect_loop",
    "echo_token",
    "timeout",
    "unreachable",
)


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("target", ["mention_sla_export", "status", "download"])
def test_no_stack_trace_would_have_a_secret_in_it(
    new_sandbox: NewSandbox, monkeypatch: pytest.MonkeyPatch, name: str, target: str
) -> None:
    token = secrets.token_urlsafe(30)
    sandbox = new_sandbox(token=token, export_seconds=0)
    config = sandbox.config(start_date=START, request_timeout=1, export_timeout=1)
    tap = TapLexerActivity(config=config)
    body = {"type": "mention_sla_export", "date_from": "2026-04-26T00:00:00Z", "date_to": "2026-04-26T23:59:59Z"}
    if name == "echo_token" and target == "download":
        name = "forbidden"  # the file host is sent no token, so it can't repeat one
    if name != "unreachable":
        sandbox.fault(name, target, None, f"<p>No {token} here" if name == "not_json" else None)

    def comes_to(place: str) -> None:
        if name == "unreachable" and place == target:
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    def export() -> None:
        comes_to("mention_sla_export")
        job = tap.current.exporter.start(body, tries=1)
        comes_to("status")
        tap.current.exporter.poll(job, tries=1)
        comes_to("download")
        tap.current.exporter.fetch(job)

    with pytest.raises((FatalAPIError, RetriableAPIError)) as raised:
        export()
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(raised.value.args)
    needles = parts_of(token) | {secret.encode() for secret in sandbox.secrets}
    assert found(needles | CUSTOMERS, shown.encode(), repr(tap.settings).encode()) == set()
