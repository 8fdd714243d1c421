"""What GitHub and Meltano Hub read of this repository: workflows that trust nobody more than needed, forms, and the logo."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.skipif(
    not WORKFLOWS and not (ROOT / ".git").exists(), reason="these files are in the repository, and not in the sdist"
)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def test_there_are_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"ci", "docs", "release"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_was_looked_at_and_may_do_nothing_more_than_it_has_to(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    assert [name for name, note in used if not re.search(r"@[0-9a-f]{40}$", name) or "# v" not in note] == []
    workflow = read(path)
    assert workflow["permissions"] == {}, "each job says what it needs"
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 60
    for step in (step for job in workflow["jobs"].values() for step in job["steps"]):
        assert "${{" not in step.get("run", ""), "what others write gets into a command by its environment alone"
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_a_workflow_of_everyone_s_changes_may_write_nothing() -> None:
    for path in WORKFLOWS:
        workflow = read(path)
        if "pull_request:" in path.read_text(encoding="utf-8"):
            rights = {right for job in workflow["jobs"].values() for right in job["permissions"].items()}
            assert rights == {("contents", "read")}


def test_each_action_is_of_one_version_everywhere() -> None:
    used = {name for path in WORKFLOWS for name in re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))}
    assert len({name.partition("@")[0] for name in used}) == len(used)


def test_ci_tries_every_python_that_the_package_names() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    tried = [python for name in ("checks", "newer") for python in jobs[name]["strategy"]["matrix"]["python"]]
    named = [word.split(" :: ")[-1] for word in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", word)]
    *supported, upcoming = tried
    assert supported == named
    assert upcoming in jobs["newer"]["continue-on-error"], "that one may fail"
    assert PROJECT["requires-python"] == f">={named[0]}", "and no newer one is refused"
    assert f"It runs on Python {named[0]} to {named[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_task_that_a_workflow_runs_is_one_of_the_noxfile() -> None:
    tasks = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    for path in WORKFLOWS:
        for task in re.findall(r'nox -s "?(\w+)', path.read_text(encoding="utf-8")):
            assert task in tasks, path.name


def test_the_image_has_what_the_package_needs_and_nothing_of_the_clone(tmp_path: Path) -> None:
    """Its wheel can be built of the files that it gets. Docker itself is not tried."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()]
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n*\n")[1]
    assert sorted(re.findall(r"^!(.+)$", let_in, re.MULTILINE)) == sorted(copied)
    for name in copied:
        place = tmp_path / name
        shutil.copytree(ROOT / name, place) if (ROOT / name).is_dir() else shutil.copy(ROOT / name, place)
    build = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"), str(tmp_path)]
    subprocess.run(build, check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "tap_lexer_activity/schemas/summary.json" in names
    assert "tap_lexer_activity/fronts/airbyte/__main__.py" in names


def test_the_image_starts_the_source_as_airbyte_wants_it() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r'^ENTRYPOINT \["(\S+)"\]$', text, re.MULTILINE)
    assert command in PROJECT["scripts"]
    assert f'AIRBYTE_ENTRYPOINT="{command}"' in text
    assert f'io.airbyte.name="{command}"' in text
    assert re.findall(r"--entrypoint (\S+)", text) == ["tap-lexer-activity"]
    *_, last = text.split("FROM ")
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE), "not root"
    assert len(set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))) == 1, "what is built on one system runs on the same"
    (python,) = set(re.findall(r"^FROM python:([\d.]+)-", text, re.MULTILINE))
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


def test_the_form_for_issues_asks_for_the_doctor_s_report_and_warns_of_secrets() -> None:
    form = read(ROOT / ".github" / "ISSUE_TEMPLATE" / "first-run.yml")
    text = yaml.safe_dump(form, width=1000)
    for words in ("--doctor --report FILE", "--version", "Leave out the token", "SECURITY.md"):
        assert words in text
    (doctor,) = (field for field in form["body"] if field.get("id") == "doctor")
    assert not doctor.get("validations"), "who has no doctor can still say that all is well"


def test_the_definition_for_the_hub_marks_what_is_to_be_filled_in() -> None:
    text = (ROOT / "plugin.yaml").read_text(encoding="utf-8")
    head, _, rest = text.partition("capabilities:")
    for line in re.findall(r"^.*OWNER.*$|^variant:.*$", rest, re.MULTILINE):
        assert line.endswith("# to be filled in")
    definition = yaml.safe_load(text)
    assert definition["repo"].endswith(f"/{PROJECT['name']}")
    assert definition["quality"] == "unknown", "the Hub's maintainers say what it is"
    (logo,) = re.findall(r"docs/assets/\S+\.png", head)
    assert (ROOT / logo).read_bytes().startswith(b"\x89PNG")
    assert (ROOT / logo).with_suffix(".svg").exists()
    assert Path(definition["logo_url"]).name in head


def test_spelling_is_not_looked_for_in_what_the_demo_leaves() -> None:
    skipped = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["codespell"]["skip"]
    left = [".meltano", ".env", "report.html", "dbt/logs", "dbt/target", ".pipelines", ".proof", "mutants", "output"]
    assert {f"./{name}" for name in left} <= set(skipped.split(","))
