"""The wheel and the sdist: what is in them and nothing else, built twice alike; what they need, and under which licences."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from proof.dependencies import DOCUMENT, dependencies

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"tap_lexer_activity-{PROJECT['version']}"

SOURCES = (
    "tap_lexer_activity/*.py",
    "tap_lexer_activity/py.typed",
    "schemas/*.json",
    "tests/*.py",
    "tests/*.txt",
    "tests/*.sql",
    "tests/proof/*.json",
    "tests/samples/*.json",
    "tests/states/*.json",
    "benchmarks/*.py",
    "dbt/*.sql",
    "dbt/*.yml",
    "demo/*.py",
    "demo/loader/pyproject.toml",
    "docs/*.css",
    "docs/*.md",
    "docs/*.png",
    "docs/*.py",
    "docs/*.svg",
    "orchestrate/*.py",
    "orchestrate/*.yml",
    "orchestrate/*.yaml",
    "privacy/*.json",
    "privacy/*.yml",
    ".ci/run",
    ".env.example",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "constraints.txt",
    "meltano.yml",
    "noxfile.py",
    "plugin.yaml",
    "pyproject.toml",
    "sample_config.json",
)
"""What people write in this repository. A star stands for folders, too."""

LEFT_BEHIND = (
    ".env",
    ".hypothesis/constants/1",
    ".meltano/run/meltano.yml",
    ".pipelines/here.txt",
    ".secrets/root.crt",
    "dbt/logs/dbt.log",
    "dbt/target/run/models/days.sql",
    "demo.duckdb",
    "orchestrate/history/runs.db",
    "report.html",
    "tests/__pycache__/conftest.pyc",
    "warehouse.duckdb",
)
"""What lies in a clone in which the two commands of README.md were run, a few of each kind."""

LICENCES = frozenset({"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "MPL-2.0", "AFL-2.1"})
"""Licences that allow use together with Apache-2.0. Of these only MPL-2.0 asks anything of those who change its files."""


def build(out: Path, *options: str, source: Path = ROOT) -> None:
    line = ["uv", "build", "--quiet", "--out-dir", str(out), *options, str(source)]
    done = subprocess.run(line, capture_output=True, check=False, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is built of it."""
    out = tmp_path_factory.mktemp("built")
    build(out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, bytes]:
    """The files of the wheel."""
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(built: Path) -> dict[str, bytes]:
    """The files of the sdist, by their places in the repository."""
    files = {}
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content, f"{member.name} is no file"
            files[member.name.removeprefix(f"{NAME}/")] = content.read()
    return files


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.suffix != ""}


def package_files() -> dict[str, bytes]:
    """What the wheel should have, by its place there."""
    code = [
        path for path in (ROOT / "tap_lexer_activity").rglob("*") if path.suffix == ".py" or path.name == "py.typed"
    ]
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in code}
    schemas = {
        f"tap_lexer_activity/schemas/{path.name}": path.read_bytes() for path in (ROOT / "schemas").glob("*.json")
    }
    return files | schemas


def sources(root: Path) -> set[str]:
    """The files of a checkout that people have written, and not what its .gitignore calls made of them."""
    lines = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    made = [f"/{line}" for line in lines if line.endswith("/")]
    names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {
        name
        for name in names
        if any(fnmatch(name, pattern) for pattern in SOURCES) and not any(folder in f"/{name}" for folder in made)
    }


# What is in them


def test_the_wheel_has_the_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    about = {
        f"{NAME}.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }
    assert wheel.keys() == package_files().keys() | about
    assert {name: content for name, content in wheel.items() if name not in about} == package_files()
    assert wheel[f"{NAME}.dist-info/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert b"Root-Is-Purelib: true\nTag: py3-none-any" in wheel[f"{NAME}.dist-info/WHEEL"]


def test_the_sdist_has_the_sources_and_nothing_that_is_made_of_them(sdist: dict[str, bytes]) -> None:
    strangers = [name for name in sdist if not any(fnmatch(name, pattern) for pattern in SOURCES)]
    assert strangers == ["PKG-INFO"]
    written = {name: content for name, content in sdist.items() if name != "PKG-INFO"}
    assert written == {name: (ROOT / name).read_bytes() for name in written}
    assert {"SECURITY.md", "LICENSE", "privacy/stream_maps.json", "tests/proof/test_distribution.py"} <= sdist.keys()
    assert sources(ROOT) - sdist.keys() == set()


def test_what_the_demo_and_the_tests_leave_behind_is_not_in_the_sdist(built: Path, tmp_path: Path) -> None:
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    used = tmp_path / NAME
    written = sources(used)
    for name in LEFT_BEHIND:
        (used / name).parent.mkdir(parents=True, exist_ok=True)
        (used / name).write_text("left behind", encoding="utf-8")
    assert sources(used) == written == sources(ROOT)
    build(tmp_path / "out", "--sdist", source=used)
    assert digests(tmp_path / "out").items() <= digests(built).items()


def test_neither_names_a_place_or_a_secret_of_the_machine_that_built_it(
    wheel: dict[str, bytes], sdist: dict[str, bytes]
) -> None:
    places = [str(ROOT).encode(), str(Path.home()).encode() + b"/"]
    secret = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY|(?:AKIA|ghp_|glpat-|pypi-AgE)[\w-]{16,}", re.ASCII)
    for name, content in {**wheel, **sdist}.items():
        assert not [place for place in places if place in content], name
        assert not secret.search(content), name


def test_the_metadata_are_those_of_the_project(wheel: dict[str, bytes], sdist: dict[str, bytes]) -> None:
    assert wheel[f"{NAME}.dist-info/METADATA"] == sdist["PKG-INFO"]
    metadata: Message = message_from_bytes(sdist["PKG-INFO"])
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == (
        PROJECT["name"],
        PROJECT["version"],
        PROJECT["license"],
    )
    assert metadata["Description-Content-Type"] == "text/markdown"
    _, _, readme = sdist["PKG-INFO"].decode().partition("\n\n")
    assert readme.strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    needed = {str(Requirement(text)) for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text}
    assert needed == {str(Requirement(text)) for text in PROJECT["dependencies"]}
    assert metadata.get_all("Classifier") == PROJECT["classifiers"]
    entries = dict(
        line.split(" = ") for line in wheel[f"{NAME}.dist-info/entry_points.txt"].decode().splitlines() if " = " in line
    )
    assert entries == PROJECT["scripts"]


# Built again


def test_what_is_built_twice_is_the_same(
    built: Path, tmp_path: Path, keep: Callable[..., None], wheel: dict[str, bytes], sdist: dict[str, bytes]
) -> None:
    build(tmp_path / "again")
    assert digests(tmp_path / "again") == digests(built)
    keep("distribution", what="wheel", files=len(wheel), alike="built twice, and directly as of the sdist")
    keep("distribution", what="sdist", files=len(sdist), alike="built twice")


def test_a_wheel_of_the_checkout_is_the_wheel_of_the_sdist(built: Path, tmp_path: Path) -> None:
    build(tmp_path / "direct", "--wheel")
    assert digests(tmp_path / "direct").items() <= digests(built).items()


def test_times_and_rights_of_the_builder_are_not_in_them(built: Path) -> None:
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert len({member.mtime for member in members}) == 1
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as archive:
        assert len({info.date_time for info in archive.infolist()}) == 1


# What they need


def test_every_dependency_is_listed_with_its_licence() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    listed = {tuple(cell.strip() for cell in line.strip("|").split("|"))[:3] for line in lines if line.startswith("| ")}
    found = {(each.name, each.version, each.licence) for each in dependencies()}
    assert len(found) > 20
    assert found - listed == set(), "run `uvx nox -s audit`"


def test_every_licence_goes_with_that_of_the_tap(keep: Callable[..., None]) -> None:
    for each in dependencies():
        choices = [set(choice.split(" AND ")) for choice in each.licence.strip("()").split(" OR ")]
        assert any(choice <= LICENCES for choice in choices), each
    keep(
        "distribution",
        what="dependencies at run time",
        files=len(dependencies()),
        alike="each with a licence of the list",
    )
