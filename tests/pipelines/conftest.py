"""Whole pipelines: the tap, other people's targets and warehouses, and Meltano between them, each as a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pipelines import programs
from pipelines.models import BY_DAY_FROM, MODELLED_FROM, DuckDB, Models
from pipelines.tables import Emitted

from tap_lexer_activity.errors import without_see
from tap_lexer_activity.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Tap

BIN = Path(sys.executable).parent
WORKFLOW_STATES = "states"  # whatever type it is that answers them
PROJECT = (programs.ROOT / "meltano.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def environment() -> Callable[..., Path]:
    """Gives the folder of programs of an environment with these requirements. Made once, and kept for the next run.

    The versions are those of `tests/pipelines/constraints-<name>.txt`.
    """
    return programs.environment


@pytest.fixture(scope="session")
def loader(environment: Callable[..., Path]) -> Callable[[str], Path]:
    """Gives the program of a target, in the version that `meltano.yml` names."""
    loaders = {plugin["name"]: plugin for plugin in yaml.safe_load(PROJECT)["plugins"]["loaders"]}

    def find(name: str) -> Path:
        if name == "target-duckdb":  # of this repository, and installed beside the tests
            return BIN / str(loaders[name]["executable"])
        return environment(name, loaders[name]["pip_url"]) / name

    return find


@pytest.fixture(scope="session")
def postgres() -> Iterator[programs.Postgres]:
    """A Postgres server. Tests share it, and load into a schema of their own."""
    with programs.Postgres() as server:
        yield server


@dataclass
class Load:
    """How a pipe from the tap to a target ended."""

    tap: int
    tap_log: str
    target: int
    target_log: str
    states: list[dict[str, Any]]

    @property
    def state(self) -> dict[str, Any] | None:
        """The last state that the target kept."""
        return self.states[-1] if self.states else None

    @property
    def tap_error(self) -> str:
        """The tap's last line, without time and name, and without the address of its entry in docs/troubleshooting.md."""
        return without_see(self.tap_log.splitlines()[-1].split("|", 3)[-1].strip())

    @property
    def codes(self) -> tuple[int, int]:
        """The exit codes of tap and target."""
        return self.tap, self.target


class Pipe:
    """The tap piped into a target, without Meltano."""

    def __init__(self, tap: Tap, folder: Path) -> None:
        self._tap = tap
        self._folder = folder
        self._started: list[Running] = []

    def start(
        self, config: Any, target: list[str], settings: Any, *, env: dict[str, str] | None = None, **files: Any
    ) -> Running:
        """Start both; `env` is for the target alone."""
        command = [*target, "--config", str(self._tap.file(settings))]
        self._started.append(Running(self._folder, self._tap.arguments(config, **files), command, env or {}))
        return self._started[-1]

    def run(self, config: Any, target: list[str], settings: Any, **more: Any) -> Load:
        """Run both to their ends."""
        return self.start(config, target, settings, **more).wait()

    def close(self) -> None:
        """End what a test that failed has left at work."""
        for running in self._started:
            for process in (running.target, running.tap):
                if process.poll() is None:
                    process.kill()
                    process.wait()


class Running:
    """A tap and a target that are at work."""

    def __init__(self, folder: Path, tap: list[str], target: list[str], env: dict[str, str]) -> None:
        ours = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self._logs = [folder / name for name in ("tap.log", "target.log", "states.jsonl")]
        with ExitStack() as stack:
            tap_log, target_log, states = (stack.enter_context(path.open("wb")) for path in self._logs)
            self.tap = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=tap_log, cwd=folder, env=ours)
            assert self.tap.stdout
            with self.tap.stdout as output:  # which the target alone holds from then on
                self.target = subprocess.Popen(
                    target, stdin=output, stdout=states, stderr=target_log, cwd=folder, env=ours | env
                )

    def wait(self, timeout: float = 120) -> Load:
        """Wait for both ends."""
        target = self.target.wait(timeout)
        tap = self.tap.wait(timeout)
        tap_log, target_log, states = (path.read_text(encoding="utf-8") for path in self._logs)
        return Load(tap, tap_log, target, target_log, [json.loads(line) for line in states.splitlines()])


@pytest.fixture
def pipe(tap: Tap, tmp_path: Path) -> Iterator[Pipe]:
    found = Pipe(tap, tmp_path)
    yield found
    found.close()


class Project:
    """This repository's Meltano project, in a folder of its own. Its programs are those of the tests."""

    def __init__(self, folder: Path, loader: Callable[[str], Path], target: str) -> None:
        self.folder = folder
        self._command = ["run", "tap-lexer-activity", target]
        project = re.sub(r"^ +pip_url: .*\n", "", PROJECT, flags=re.MULTILINE)
        project = project.replace(
            "executable: tap-lexer-activity\n", f"executable: {BIN / 'tap-lexer-activity'}\n"
        ).replace(f"executable: {loader(target).name}\n", f"executable: {loader(target)}\n")
        (folder / "meltano.yml").write_text(project, encoding="utf-8")

    def run(self, config: dict[str, object], settings: dict[str, str], *options: str) -> str:
        """Run the pipeline with all 18 streams, with the tap's settings and environment variables for the target's.

        Returns:
            What it logged.
        """
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()}
        done = subprocess.run(
            [str(BIN / "meltano"), *self._command, *options],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env={
                "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
                "HOME": str(self.folder),
                "TMPDIR": os.environ["TMPDIR"],
                "TAP_LEXER_ACTIVITY__SELECT": '["*.*"]',
                **{f"TAP_LEXER_ACTIVITY_{name.upper()}": text for name, text in texts.items()},
                **settings,
            },
            text=True,
            encoding="utf-8",
            timeout=240,
        )
        log = done.stdout + done.stderr
        assert done.returncode == 0, log
        return log


@pytest.fixture
def new_project(tmp_path: Path, loader: Callable[[str], Path]) -> Callable[[str], Project]:
    """Makes a Meltano project that loads with this target."""

    def make(target: str) -> Project:
        folder = tmp_path / f"project-{target}"
        folder.mkdir()
        return Project(folder, loader, target)

    return make


@pytest.fixture
def all_streams(catalog_of: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """A catalog of all 18 streams."""
    return catalog_of(*(path.stem for path in (programs.ROOT / "schemas").glob("*.json")))


@pytest.fixture
def new_centre(new_sandbox: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """Starts sandboxes that answer all 18 streams: an account serves either `user_volume` or `workflow_states`."""

    def start(**options: Any) -> Sandbox:
        return new_sandbox(workflow_states_type=WORKFLOW_STATES, **options)

    return start


@pytest.fixture
def settings_of() -> Callable[..., dict[str, object]]:
    """Writes the tap's settings to read all 18 streams of a sandbox: by the week, in few requests."""

    def write(sandbox: Sandbox, **more: object) -> dict[str, object]:
        parameters = {"workflow_states": {"type": WORKFLOW_STATES}}
        return sandbox.config(
            **{"report_parameters": parameters, "report_interval": "week", "export_window_days": 360, **more}
        )

    return write


@pytest.fixture
def full_load(
    tap: Tap, all_streams: dict[str, Any], settings_of: Callable[..., dict[str, object]]
) -> Callable[..., Emitted]:
    """Reads everything from a sandbox at its present time, by the tap alone."""

    def load(sandbox: Sandbox, **more: object) -> Emitted:
        run = tap.run(settings_of(sandbox, **more), catalog=all_streams)
        assert run.code == 0, run.log
        return Emitted(run.out)

    return load


@pytest.fixture
def snapshot() -> Callable[[str, str], None]:
    """Compares a text with a reviewed file beside the tests. With `WRITE_SNAPSHOTS=1` in the environment the file is written first."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).with_name(name)
        if os.environ.get("WRITE_SNAPSHOTS"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def modelled(environment: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Models]:
    """Loads a sandbox's tables, once for each interval of its reports, then lets dbt make the models."""

    def make(
        sandbox: Sandbox, warehouse: DuckDB | programs.Postgres, target: Path, settings: Any, intervals: dict[str, str]
    ) -> Models:
        folder = tmp_path_factory.mktemp("models")
        for interval, start in intervals.items():
            config = sandbox.config(start_date=start, report_interval=interval, export_window_days=360)
            commands = []
            for program, content in ((BIN / "tap-lexer-activity", config), (target, settings)):
                (path := folder / f"{program.name}.json").write_text(json.dumps(content), encoding="utf-8")
                commands.append([str(program), "--config", str(path)])
            load = Running(folder, commands[0], commands[1], {}).wait()
            assert load.codes == (0, 0), load.tap_log + load.target_log
        dbt = environment("dbt", "dbt-core", "dbt-duckdb", "dbt-postgres") / "dbt"
        models = Models(sandbox, dbt, folder, warehouse)
        models.build()
        return models

    return make


@pytest.fixture(scope="session")
def centre() -> Iterator[Sandbox]:
    """The sandbox whose tables the models are made of; its clock stands still."""
    with Sandbox(clock="2026-05-01T10:00:00+10:00", messages_per_day=12, quota=(5000, 10)) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def duckdb_models(
    tmp_path_factory: pytest.TempPathFactory,
    loader: Callable[[str], Path],
    centre: Sandbox,
    modelled: Callable[..., Models],
) -> Models:
    """Loaded by the week, and once more by the day for the last days."""
    path = tmp_path_factory.mktemp("duckdb") / "warehouse.duckdb"
    settings = {"path": str(path), "default_target_schema": "lexer", "add_metadata_columns": True}  # as in meltano.yml
    intervals = {"week": MODELLED_FROM, "day": BY_DAY_FROM}
    return modelled(centre, DuckDB(path), loader("target-duckdb"), settings, intervals)


@pytest.fixture(scope="session")
def postgres_models(
    loader: Callable[[str], Path], centre: Sandbox, modelled: Callable[..., Models], postgres: programs.Postgres
) -> Models:
    """Loaded by the day."""
    settings = {"sqlalchemy_url": postgres.url, "default_target_schema": "lexer", "use_copy": True}
    return modelled(centre, postgres, loader("target-postgres"), settings, {"day": MODELLED_FROM})


@pytest.fixture(params=["duckdb", "postgres"])
def models(request: pytest.FixtureRequest) -> Models:
    """Both, one after the other."""
    found: Models = request.getfixturevalue(f"{request.param}_models")
    return found
