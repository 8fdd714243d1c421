"""The project's tasks: `uvx nox` checks everything, `uvx nox -s demo` shows what the tap does.

Each runs in an environment of its own, with the versions of constraints.txt, on the Python that runs nox if the tap supports it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"

CONSTRAINTS = ("--constraint", "constraints.txt")
PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = RUNNING if RUNNING in SUPPORTED else SUPPORTED[-1]
OTHERS = [version for version in SUPPORTED if version != PYTHON]
NEXT = "3.15"
"""The Python that is not out yet. CI tries the tests on it, and may fail."""
_SAMPLED = "client columns outcomes settings signals state streams throttle throttle_machine upgrades windows"
SAMPLE = [f"tests/test_{name}.py" for name in _SAMPLED.split()]
"""Tests of everything that a Python may do otherwise than the next: connections, files, processes, signals, times, warnings."""
_OF_THE_SDK = "command documents maps select state streams sync"
SDK_TESTS = [*(f"tests/test_{name}.py" for name in _OF_THE_SDK.split()), "tests/proof/test_sdk_suite.py"]
"""Tests of what the tap has from singer-sdk: catalogs, state, stream maps, batch files, settings, the command."""
_BESIDE = "architecture contact_answers contact_exports contact_series contact_values doctor errands"
QUICK_TESTS = [
    *PROJECT["tool"]["mutmut"]["pytest_add_cli_args_test_selection"],
    *(f"tests/test_{name}.py" for name in _BESIDE.split()),
]
"""The tests that find most in a minute: those that `mutation` counts by, and some that start the command, which mutmut can't follow."""
CORES = min(os.cpu_count() or 1, 4)
WAREHOUSE = "demo.duckdb"
PAGE = "report.html"

nox.options.sessions = ["lint", "types", "docs", f"tests-{PYTHON}", "proof", f"pipelines-{PYTHON}"]


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Style: ruff's rules and format, spelling, and that imports run one way."""
    session.install(*CONSTRAINTS, "--group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("lint-imports", "--no-cache", "--no-logo")


@nox.session(python=PYTHON)
def types(session: nox.Session) -> None:
    """Types: mypy, strict."""
    groups = [argument for group in ("types", "tests", "demo") for argument in ("--group", group)]
    session.install(*CONSTRAINTS, "--requirements", "pyproject.toml", "--extra", "sandbox", *groups)
    session.run("mypy")


@nox.session(python=PYTHON, reuse_venv=True)
def quick(session: nox.Session) -> None:
    """A verdict within a minute: style, and the tests that find most. What follows `--` goes to pytest."""
    groups = [argument for group in ("lint", "tests", "demo") for argument in ("--group", group)]
    session.install(*CONSTRAINTS, "--editable", ".[sandbox]", *groups)
    session.run("ruff", "check", "--quiet")
    session.run("lint-imports", "--no-logo")
    processes = ("--numprocesses", str(2 * CORES), "--dist", "worksteal")
    env = {"HYPOTHESIS_PROFILE": "quick"}
    session.run("pytest", "--quiet", "-m", "not thorough", *processes, *QUICK_TESTS, *session.posargs, env=env)


@nox.session(python=[*SUPPORTED, NEXT])
def tests(session: nox.Session) -> None:
    """The tests, of the wheel as it would be published. What follows `--` goes to pytest."""
    test_wheel(session, "not pipelines and not proof", workers=2 * CORES)  # much of their time is waits


@nox.session(python=OTHERS, download_python="never")
def sample(session: nox.Session) -> None:
    """A minute of the tests on every other supported Python that this machine has. Nox names those that it has not."""
    test_wheel(session, "not pipelines and not proof", *SAMPLE, workers=2 * CORES)


@nox.session(python=PYTHON)
@nox.parametrize("version", ["oldest", "newest"], ids=["oldest", "newest"])
def sdk(session: nox.Session, version: str) -> None:
    """Tests of what the tap has from singer-sdk, with the oldest supported version of it or the newest, be that a pre-release."""
    install_wheel(session)
    (supported,) = (text for text in PROJECT["project"]["dependencies"] if text.startswith("singer-sdk"))
    if version == "oldest":
        session.install(re.sub(r">=([^,]+),.*", r"==\1", supported))
    else:
        session.install("--prerelease", "allow", "--upgrade-package", "singer-sdk", supported)
    session.run("python", "-c", "from importlib.metadata import version; print('singer-sdk', version('singer-sdk'))")
    run_tests(session, "not pipelines", *SDK_TESTS, workers=2 * CORES)


@nox.session(python=PYTHON)
def proof(session: nox.Session) -> None:
    """Faults, crashes and the tests of others: a sample of each, or with `-- --long --figures` all of it, for docs/proof.md."""
    test_wheel(session, "proof", workers=2 * CORES)
    if "--figures" in session.posargs:
        session.run("python", "tests/proof/report.py")


@nox.session(python=SUPPORTED)
def pipelines(session: nox.Session) -> None:
    """The tests of whole pipelines: the wheel, real targets in environments of their own, and real warehouses."""
    test_wheel(session, "pipelines and not browser", workers=CORES)


@nox.session(python=PYTHON)
def browser(session: nox.Session) -> None:
    """The tests of the demo's page. They need Chromium or Chrome on the machine."""
    test_wheel(session, "browser", workers=CORES)


@nox.session(python=PYTHON)
def docs(session: nox.Session) -> None:
    """The documentation site, in the folder `site`: warnings are errors, and every link within it has to lead somewhere."""
    session.install(*CONSTRAINTS, "--group", "docs")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--fresh-env", "--quiet", "docs", "site")


@nox.session(python=PYTHON)
def release(session: nox.Session) -> None:
    """The wheel and the sdist in the folder `dist`, checked as an index will check them, built twice alike, with a list of what they need."""
    session.install(*CONSTRAINTS, "--group", "release")
    again = session.create_tmp()
    for folder in ("dist", again):
        shutil.rmtree(folder, ignore_errors=True)
        session.run("uv", "build", "--quiet", "--out-dir", folder, external=True)
    files = sorted(path for path in Path("dist").iterdir() if path.suffix in {".whl", ".gz"})
    for path in files:
        if path.read_bytes() != Path(again, path.name).read_bytes():
            session.error(f"{path.name} is not built twice alike")
    session.run("twine", "check", "--strict", *map(str, files))
    (wheel,) = (path for path in files if path.suffix == ".whl")
    session.run("check-wheel-contents", str(wheel))
    installed = Path(again, "environment")
    session.run("uv", "venv", "--quiet", "--clear", "--python", PYTHON, str(installed), external=True)
    python = str(next(each for each in (installed / "bin/python", installed / "Scripts/python.exe") if each.exists()))
    session.run("uv", "pip", "install", "--quiet", "--python", python, *CONSTRAINTS, str(wheel), external=True)
    sbom = Path("dist", "sbom.cdx.json")
    options = ("--output-reproducible", "--output-format", "JSON", "--output-file", str(sbom))
    session.run("cyclonedx-py", "environment", "--pyproject", "pyproject.toml", *options, python)
    place = f"{sbom.parent.resolve().as_uri()}/"  # of the machine that built it, which nobody needs to know
    sbom.write_text(sbom.read_text(encoding="utf-8").replace(place, ""), encoding="utf-8")


@nox.session(python=PYTHON)
def coverage(session: nox.Session) -> None:
    """Which lines and branches of the tap the tests reach, also in processes of its own. What follows `--` goes to pytest."""
    install_checkout(session)
    session.run("coverage", "erase")
    workers = ("--numprocesses", str(os.cpu_count() or 1), "--dist", "worksteal")
    session.run("coverage", "run", "-m", "pytest", "-m", "not pipelines and not proof", *workers, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
    figures = str(Path(session.create_tmp(), "coverage.json"))
    session.run("coverage", "json", "--quiet", "-o", figures)
    session.run("python", "tests/proof/measured.py", "coverage", figures)
    session.run("python", "tests/proof/report.py")


@nox.session(python=PYTHON)
def mutation(session: nox.Session) -> None:
    """Whether the tests notice small changes of the modules that pyproject.toml names. What follows `--` chooses some of them."""
    install_checkout(session)
    workers = ("--max-children", str(os.cpu_count() or 1))
    session.run("mutmut", "run", *workers, *session.posargs, env={"HYPOTHESIS_PROFILE": "mutation"})
    results = Path(session.create_tmp(), "results.txt")
    with results.open("w", encoding="utf-8") as file:
        session.run("mutmut", "results", "--all", "true", stdout=file)
    session.run("python", "tests/proof/measured.py", "mutation", str(results))
    session.run("python", "tests/proof/report.py")


def install_checkout(session: nox.Session) -> None:
    """The tap as it stands here, its tests, and what measures them."""
    groups = [argument for group in ("tests", "demo", "measuring") for argument in ("--group", group)]
    session.install(*CONSTRAINTS, "--editable", ".[sandbox]", "./demo/loader", *groups)


def test_wheel(session: nox.Session, marked: str, *files: str, workers: int) -> None:
    """Run the tests of a group, or those of some files, against the wheel, in so many processes."""
    install_wheel(session)
    run_tests(session, marked, *files, workers=workers)


def install_wheel(session: nox.Session) -> None:
    """The wheel as it would be published, and what its tests need."""
    dist = session.create_tmp()
    for old in Path(dist).glob("*.whl"):
        old.unlink()
    session.run("uv", "build", "--wheel", "--quiet", "--out-dir", dist, external=True)
    (wheel,) = Path(dist).glob("*.whl")
    session.install(*CONSTRAINTS, f"{wheel}[sandbox]", "./demo/loader", "--group", "tests", "--group", "demo")


def run_tests(session: nox.Session, marked: str, *files: str, workers: int) -> None:
    """Run the tests of a group, or those of some files, in so many processes."""
    # The checkout stands next to the tests; with a safe path no process finds the package there.
    env = {"PYTHONSAFEPATH": "1"}
    found = session.run("python", "-c", "import tap_lexer_activity as tap; print(tap.__file__)", env=env, silent=True)
    if "site-packages" not in str(found):
        session.error(f"the tests would run against {found}, not against the wheel")
    processes = ("--numprocesses", str(workers), "--dist", "worksteal")
    session.run("pytest", "-m", marked, *processes, *files, *session.posargs, env=env)


@nox.session(python=PYTHON, reuse_venv=True)
def demo(session: nox.Session) -> None:
    """From a contact centre that does not exist to tables and charts: sandbox, Meltano, DuckDB, dbt."""
    session.install(*CONSTRAINTS, "--editable", ".[sandbox]", "--group", "demo")
    # (Meltano installs the tap and the loader on their first run.)
    # The path is said here, too, because one in .env would win over that of meltano.yml.
    path = {"TARGET_DUCKDB_PATH": WAREHOUSE}
    session.run("lexer-activity-sandbox", "run", "--", "meltano", "run", "lexer-to-duckdb", env=path)
    session.run("python", "demo/show.py", WAREHOUSE)
    # Meltano and dbt need other versions of the same packages, so dbt gets an environment of its own.
    session.run(
        *("uvx", "--python", PYTHON, "--constraints", "tests/pipelines/constraints-dbt.txt"),
        *("--from", "dbt-core", "--with", "dbt-duckdb", "dbt", "--quiet", "build"),
        *("--project-dir", "dbt", "--profiles-dir", "dbt"),
        env={"DBT_TARGET": "duckdb", **path},
        external=True,
    )
    session.run("python", "demo/page.py", WAREHOUSE, PAGE)


@nox.session(python=SUPPORTED[0])
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of all that is pinned, and the licences of what is installed with the tap, for docs/dependencies.md."""
    session.install(*CONSTRAINTS, ".")
    session.run("python", "tests/proof/dependencies.py")
    # Without `--strict` a package that could not be looked up would count as one without vulnerabilities.
    session.run(
        *("uvx", "pip-audit", "--strict", "--no-deps", "--disable-pip", "--requirement", "constraints.txt"),
        external=True,
    )


@nox.session(python=PYTHON)
def constraints(session: nox.Session) -> None:
    """Bring constraints.txt up to date: the newest versions that go together on every supported Python."""
    pinned = ("lint", "types", "tests", "measuring", "demo", "docs", "release")
    groups = [argument for group in pinned for argument in ("--group", group)]
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", "demo/loader/pyproject.toml", "--extra", "sandbox", *groups),
        *("--universal", "--python-version", SUPPORTED[0], "--upgrade", "--no-header", "--no-annotate", "--quiet"),
        *("--output-file", "constraints.txt"),
        external=True,
    )
