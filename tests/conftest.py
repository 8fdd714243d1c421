"""What all tests share: the sandbox on a free port, and the real command as a process of its own."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import Phase, settings
from proof.suites import write_figures
from support import starts
from support.clocks import Clock

from tap_lexer_activity.errors import without_see
from tap_lexer_activity.sandbox import Sandbox

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / ".proof"

# Machines are shared and noisy, so no example is timed.
settings.register_profile("project", deadline=None, print_blob=True)
# For `nox -s quick`: fewer examples, other ones each time.
settings.register_profile("quick", settings.get_profile("project"), max_examples=30)
# For `nox -s mutation`, which runs the tests thousands of times: the same few examples each time, and no search for a simpler one.
settings.register_profile(
    "mutation",
    settings.get_profile("quick"),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))

BIN = Path(sys.executable).parent
SCHEMAS = ROOT / "schemas"

# Not the tester's own settings, proxies or log levels. (The last is set by `nox -s coverage`.)
ENVIRONMENT = {
    name: os.environ[name]
    for name in ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "COVERAGE_PROCESS_CONFIG")
    if name in os.environ
}
# The SDK warns half a year before the end of life of a Python, and a log should not depend on the day.
ENVIRONMENT["PYTHONWARNINGS"] = f"ignore:Python {sys.version_info.major}.{sys.version_info.minor} :FutureWarning"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="every case of the proofs, not a sample")
    parser.addoption(
        "--figures", action="store_true", help="with --long: keep what the proofs count, for docs/proof.md"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("figures") and not config.getoption("long"):
        message = "--figures needs --long: docs/proof.md has what was counted of every case, and not of a sample"
        raise pytest.UsageError(message)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("figures"):
        stats = terminalreporter.stats
        ended = [
            (report.nodeid, outcome) for outcome in ("passed", "failed", "error") for report in stats.get(outcome, ())
        ]
        write_figures([(Path(name.partition("::")[0]).name, outcome) for name, outcome in ended], FIGURES)


@dataclass
class Run:
    """How a run of the tap ended, and what it wrote.

    Attributes:
        log: The log, without the addresses of entries in docs/troubleshooting.md; `see` has those.
    """

    code: int
    out: str
    log: str
    see: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.see = [
            line.rpartition("[see: ")[2].removesuffix("]") for line in self.log.splitlines() if "[see: " in line
        ]
        self.log = without_see(self.log)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Records by stream, as they came."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for message in self.messages:
            if message["type"] == "RECORD":
                found[message["stream"]].append(message["record"])
        return found

    @property
    def states(self) -> list[dict[str, Any]]:
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        return self.states[-1]

    @property
    def errors(self) -> list[str]:
        """What the log says at the level ERROR, without time and name."""
        return [line.split("|", 3)[3].strip() for line in self.log.splitlines() if "| ERROR " in line]


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, without the addresses of entries in docs/troubleshooting.md, as in `Run`."""

    def strip(record: logging.LogRecord) -> bool:
        record.msg, record.args = without_see(record.getMessage()), ()
        return True

    caplog.handler.addFilter(strip)
    return caplog


class Warehouse:
    """Tables as a target with upsert keeps them."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self.keys: dict[str, list[str]] = {}

    def load(self, run: Run) -> Warehouse:
        for message in run.messages:
            if message["type"] == "SCHEMA":
                self.keys[message["stream"]] = message["key_properties"]
            elif message["type"] == "RECORD":
                record = message["record"]
                key = tuple(record[name] for name in self.keys[message["stream"]])
                self.tables.setdefault(message["stream"], {})[key] = record
        return self


class Tap:
    """The command `tap-lexer-activity`.

    Args:
        folder: For its files.
        is_hurried: Whether its waits may take less time (see the marker `hurried`).
    """

    def __init__(self, folder: Path, *, is_hurried: bool = False) -> None:
        self._folder = folder
        self._is_hurried = is_hurried
        self._files = 0

    def file(self, content: Any) -> Path:
        """A file with this content: text as it is, anything else as JSON."""
        self._files += 1
        path = self._folder / f"{self._files}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def arguments(self, config: Any = None, *more: str, catalog: Any = None, state: Any = None) -> list[str]:
        """The whole command line."""
        line = [str(BIN / "tap-lexer-activity")]
        for option, content in (("--config", config), ("--catalog", catalog), ("--state", state)):
            if content is not None:
                line += [option, str(self.file(content))]
        return [*line, *more]

    def run(
        self,
        config: Any = None,
        *more: str,
        catalog: Any = None,
        state: Any = None,
        env: dict[str, str] | None = None,
        timeout: float = 120,
    ) -> Run:
        """Run it to its end."""
        line = self.arguments(config, *more, catalog=catalog, state=state)
        env = ENVIRONMENT | (env or {})
        return Run(*starts.run(line, self._folder, env, is_hurried=self._is_hurried, timeout=timeout))

    def start(self, config: Any, *, env: dict[str, str] | None = None, **files: Any) -> starts.Started:
        """Start it, and go on."""
        env = ENVIRONMENT | (env or {})
        return starts.start(self.arguments(config, **files), self._folder, env, is_hurried=self._is_hurried)


@contextmanager
def temporary_folder(factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for temporary files of this process and those that it starts: taps that share one share their quota, too."""
    folder = str(factory.mktemp("temporary"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", folder)
        patched.setenv("TMPDIR", folder)
        for name in {
            "conftest",
            __name__,
        } & sys.modules.keys():  # pytest imports this file by its path, tests by its name
            patched.setitem(sys.modules[name].ENVIRONMENT, "TMPDIR", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def _temporary_folder_of_fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For fixtures that several tests share."""
    with temporary_folder(tmp_path_factory):
        yield


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For one test. Two taps that are to share a quota do, if they are of the same test."""
    with temporary_folder(tmp_path_factory):
        yield


@pytest.fixture
def project() -> dict[str, Any]:
    """meltano.yml."""
    result: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    return result


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the waits between tries sleep by, for a client that is given it. Those made longer at random are by half a second."""
    monkeypatch.setattr("random.random", lambda: 0.5)
    return Clock()


@pytest.fixture
def tap(tmp_path: Path, request: pytest.FixtureRequest) -> Tap:
    return Tap(tmp_path, is_hurried=is_hurried(request.node))


def is_hurried(test: pytest.Item) -> bool:
    """True if the nearest of the markers `hurried` and `unhurried` is the first."""
    nearest = next((mark.name for mark in test.iter_markers() if mark.name in {"hurried", "unhurried"}), None)
    return nearest == "hurried"


@pytest.fixture
def new_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes that end with the test. Their clock stands still in May 2026 unless the test says otherwise."""
    with ExitStack() as stack:

        def start(**options: Any) -> Sandbox:
            defaults: dict[str, Any] = {
                "clock": "2026-05-01T10:00:00+10:00",
                "messages_per_day": 12,
                "quota": (5000, 10),
            }
            return stack.enter_context(Sandbox(**(defaults | options)))

        yield start


@pytest.fixture
def sandbox(new_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return new_sandbox()


def select(*streams: str) -> dict[str, Any]:
    """A catalog that selects these streams and no other."""
    entries = []
    for path in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        metadata = [{"breadcrumb": [], "metadata": {"selected": path.stem in streams}}]
        entries.append({"tap_stream_id": path.stem, "stream": path.stem, "schema": schema, "metadata": metadata})
    return {"streams": entries}


@pytest.fixture
def catalog_of() -> Callable[..., dict[str, Any]]:
    return select


@pytest.fixture
def new_warehouse() -> type[Warehouse]:
    return Warehouse
